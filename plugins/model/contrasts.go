package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-4012077a/flow/plugins/internal/result"
	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/emm"
	"github.com/seed-4012077a/flow/sdk/stats/estimate"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"github.com/seed-4012077a/flow/sdk/stats/glm"
)

// contrastParams is a contrast or a set of them, as the parameters state it.
type contrastParams struct {
	Method      string            `json:"method"`
	Control     string            `json:"control"`
	Name        string            `json:"name"`
	Plus        []any             `json:"plus"`
	Minus       []any             `json:"minus"`
	Weights     []float64         `json:"weights"`
	Interaction map[string]string `json:"interaction"`
	Adjust      string            `json:"adjust"`
}

// family is a set of contrasts that are corrected together: those of a method
// or an interaction, or named ones.
type family struct {
	name, adjust, parameter string
	control                 string
	method                  emm.Method
	interaction             map[string]emm.Method
	named                   []contrastParams
}

// families reads the contrasts. of are the columns that may interact.
func families(all []contrastParams, adjust string, of []string) ([]family, error) {
	var out []family
	for i, c := range all {
		at := fmt.Sprintf("contrasts[%d]", i)
		given := 0
		for _, is := range []bool{c.Method != "", len(c.Plus)+len(c.Minus) > 0, len(c.Weights) > 0, len(c.Interaction) > 0} {
			if is {
				given++
			}
		}
		if given != 1 {
			return nil, sdk.ParamError(at, "say one of method, plus with minus, weights, or interaction")
		}
		correction := c.Adjust
		if correction == "" || correction == "default" {
			correction = adjust
		}
		f := family{adjust: correction, parameter: at, control: c.Control}
		var err error
		switch {
		case c.Method != "":
			f.name = c.Method
			if f.method, err = emm.ParseMethod(c.Method, c.Control); err != nil {
				return nil, sdk.ParamError(at+".method", "%v", err)
			}
		case len(c.Interaction) > 0:
			if f.interaction, f.name, err = interaction(c.Interaction, of, at); err != nil {
				return nil, err
			}
		default:
			if c.Name == "" {
				return nil, sdk.ParamError(at+".name", "a contrast by plus and minus or by weights needs a name")
			}
			if len(c.Weights) == 0 && (len(c.Plus) == 0 || len(c.Minus) == 0) {
				return nil, sdk.ParamError(at, "contrast %q needs both plus and minus", c.Name)
			}
			f.name, f.named = "named", []contrastParams{c}
			if n := len(out); n > 0 && out[n-1].name == "named" && out[n-1].adjust == correct(f) {
				out[n-1].named = append(out[n-1].named, c)
				continue
			}
		}
		f.adjust = correct(f)
		if f.adjust == "tukey" && c.Method != "pairwise" && c.Method != "revpairwise" {
			return nil, sdk.ParamError("adjust", "Tukey's correction is for all pairs of means; for the contrasts %s choose holm, sidak, bonferroni, BH or none", f.name)
		}
		out = append(out, f)
	}
	return out, nil
}

// correct is the correction of a family; auto's choice is by its kind.
func correct(f family) string {
	if f.adjust != "auto" {
		return f.adjust
	}
	switch f.name {
	case "pairwise", "revpairwise":
		return "tukey"
	case "named":
		return "none"
	}
	return "holm"
}

func interaction(methods map[string]string, of []string, at string) (map[string]emm.Method, string, error) {
	out := map[string]emm.Method{}
	var names []string
	for _, column := range sortedKeys(methods) {
		if !slices.Contains(of, column) {
			return nil, "", sdk.ParamError(at+".interaction", "%q is not among the columns of: %s", column, frame.Choices(column, of))
		}
		m, err := emm.ParseMethod(methods[column], "")
		if err != nil {
			return nil, "", sdk.ParamError(at+".interaction."+column, "%v", err)
		}
		out[column] = m
		names = append(names, column+" "+methods[column])
	}
	return out, strings.Join(names, " x "), nil
}

// custom turns named contrasts into weights of the set's members, which are
// the same in every group.
func custom(set *emm.Set, named []contrastParams) (emm.Method, error) {
	var labels []string
	for _, r := range set.Rows {
		if slices.Equal(r.Group, set.Rows[0].Group) {
			labels = append(labels, r.Label)
		}
	}
	var out []emm.Weighted
	for _, c := range named {
		w := c.Weights
		if len(w) == 0 {
			w = make([]float64, len(labels))
			for _, side := range []struct {
				members []any
				sign    float64
			}{{c.Plus, 1}, {c.Minus, -1}} {
				for _, member := range side.members {
					k := slices.Index(labels, label(member))
					if k < 0 {
						return emm.Method{}, fmt.Errorf("contrast %q: there is no mean %q: %s", c.Name, label(member), frame.Choices(label(member), labels))
					}
					w[k] += side.sign / float64(len(side.members))
				}
			}
		}
		if len(w) != len(labels) {
			return emm.Method{}, fmt.Errorf("contrast %q has %d weights for %d means (%s)", c.Name, len(w), len(labels), strings.Join(labels, ", "))
		}
		out = append(out, emm.Weighted{Label: c.Name, Coefficients: w})
	}
	return emm.Custom(out...), nil
}

// contrast writes a family of contrasts of the means, or why there are none.
func (t *means) contrast(out *sdk.Outputs, g int, m *fitted, set *emm.Set, f family) {
	made, found, scale, err := t.contrasts(m, set, f)
	if err != nil {
		if f.named != nil || f.control != "" {
			t.mistook(f.parameter, err)
		}
		t.rows.warn(t.opening, f.parameter, g, err)
		rows := t.rows.lead(out, "contrasts", g)
		for _, name := range t.p.By {
			rows.Col(name).Null()
		}
		result.Put(rows, "contrast", "", "family", f.name, "scale", "", "p_adjusted", nil, "adjust", f.adjust)
		result.PutEstimate(rows, estimate.Estimate{}, err, "")
		return
	}
	for _, r := range found {
		rows := t.rows.lead(out, "contrasts", g)
		putLevels(rows, t.p.By, r.Group)
		result.Put(rows, "contrast", r.Label, "family", f.name, "scale", scale, "p_adjusted", r.Adjusted, "adjust", f.adjust)
		result.PutEstimate(rows, r.Estimate, nil, r.NotEstimable)
	}
	t.joint(out, g, made, f)
}

// contrasts makes and estimates a family.
func (t *means) contrasts(m *fitted, set *emm.Set, f family) (made *emm.Set, found []emm.Result, scale string, err error) {
	report := emm.Report{Level: t.p.Level, Adjust: f.adjust}
	method := f.method
	if f.named != nil {
		if method, err = custom(set, f.named); err != nil {
			return nil, nil, "", err
		}
	}
	build := func(from *emm.Set) (*emm.Set, error) {
		if f.interaction != nil {
			return from.Interaction(f.interaction)
		}
		return from.Contrast(method)
	}
	if made, err = build(set); err != nil {
		return nil, nil, "", err
	}
	if t.p.Scale != "response" || t.p.family.Link == glm.Identity {
		found, err = made.Estimates(report)
		return made, found, "difference", err
	}
	if found, err = made.ResponseEstimates(report); err == nil {
		return made, found, m.ratio(), nil
	}
	// The link is no logarithm, or the weights make no ratio.
	response, err := set.Response()
	if err != nil {
		return nil, nil, "", err
	}
	if made, err = build(response); err != nil {
		return nil, nil, "", err
	}
	found, err = made.Estimates(report)
	return made, found, "difference", err
}

// joint writes the test that all contrasts of the family are 0, for each
// combination of by.
func (t *means) joint(out *sdk.Outputs, g int, made *emm.Set, f family) {
	tests, err := made.Joint()
	if err != nil {
		rows := t.rows.lead(out, "tests", g)
		for _, name := range t.p.By {
			rows.Col(name).Null()
		}
		result.Put(rows, "family", f.name, "f_ratio", nil, "ndf", nil, "ddf", nil, "p_value", nil, "note", err.Error())
		return
	}
	var seen [][]string
	for _, r := range made.Rows {
		if slices.ContainsFunc(seen, func(s []string) bool { return slices.Equal(s, r.Group) }) {
			continue
		}
		test := tests[len(seen)]
		seen = append(seen, r.Group)
		rows := t.rows.lead(out, "tests", g)
		putLevels(rows, t.p.By, r.Group)
		result.Put(rows, "family", f.name, "f_ratio", test.F, "ndf", test.NDF, "ddf", test.DDF, "p_value", test.P, "note", "")
	}
}
