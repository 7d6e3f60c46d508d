package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/seed-4012077a/flow/plugins/internal/result"
	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/emm"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"github.com/seed-4012077a/flow/sdk/stats/glm"
)

func meansOperator() sdk.Operator {
	return sdk.Operator{
		Name: "means", Kind: sdk.Table,
		Doc: `Marginal means of a model and their contrasts, as R's emmeans: what the model expects for each combination of the columns of and by, averaged over its other factors, covariates at their mean unless at says otherwise. With slopes: slopes of a covariate in place of means.
Contrasts are made, and corrected for their number, within each combination of by; the limits of a corrected contrast are corrected too (Tukey's, else Bonferroni's, as emmeans does).`,
		Inputs: []sdk.Port{{Name: "data"}},
		Outputs: []sdk.Port{
			result.Port("means", "one row a mean (or slope), after the columns of group_by, of and by", meanColumns()),
			result.Port("contrasts", "one row a contrast, after the columns of group_by and by", contrastColumns()),
			result.Port("tests", "joint tests that all contrasts of a family are 0, after the columns of group_by and by", jointColumns()),
			result.Port("fit", fitOutput().doc, fitOutput().columns)},
		Params: `{"type": "object", "additionalProperties": false, "required": ["formula", "of"], "properties": {` + formulaSchema + `,` + dataSchema + `,` + fitSchema + `,` + groupSchema + `,
			"of": {"type": "array", "items": {"type": "string"}, "description": "columns whose levels have means; none: one mean over all"},
			"by": {"type": "array", "items": {"type": "string"}, "default": [], "description": "columns within whose levels contrasts are made"},
			"at": {"type": "object", "default": {}, "additionalProperties": {"type": "array", "minItems": 1, "items": {"type": ["number", "string"]}}, "description": "values of a number, or levels of a factor, by column; left out: the mean (both values of a number that has only two), all levels"},
			"averaging": {"enum": ["equal", "proportional", "outer", "cells"], "default": "equal", "description": "over the model's other factors: equal weights; as often as their combinations occur; the product of each factor's frequencies; or as they occur together with the mean's own levels"},
			"slopes": {"type": "string", "default": "", "description": "a covariate: its slopes in place of means"},
			"scale": {"enum": ["link", "response", "difference"], "default": "link", "description": "of generalised linear models: the linear predictor; the response, with contrasts as ratios where the link is a logarithm; or the response, with contrasts as differences (delta method)"},
			"contrasts": {"type": "array", "default": [], "description": "each a method, or a named contrast by plus and minus or by weights, or an interaction; named ones that follow each other are one family", "items": {"type": "object", "additionalProperties": false, "properties": {
				"method": {"enum": ["pairwise", "revpairwise", "trt.vs.ctrl", "consec", "eff", "poly"], "description": "all pairs; all pairs reversed; against a control; each less the one before; each less the mean of all; orthogonal polynomials"},
				"control": {"type": "string", "default": "", "description": "of trt.vs.ctrl; left out: the first"},
				"name": {"type": "string", "default": "", "description": "label of a named contrast"},
				"plus": {"type": "array", "items": {"type": ["number", "string"]}, "default": [], "description": "labels of means (levels with a blank between): their mean less that of minus"},
				"minus": {"type": "array", "items": {"type": ["number", "string"]}, "default": []},
				"weights": {"type": "array", "items": {"type": "number"}, "default": [], "description": "a weight for each mean, in their order"},
				"interaction": {"type": "object", "default": {}, "additionalProperties": {"enum": ["pairwise", "revpairwise", "trt.vs.ctrl", "consec", "eff", "poly"]}, "description": "a method for each of several columns of: contrasts of contrasts"},
				"adjust": {"enum": ["default", "none", "tukey", "sidak", "bonferroni", "holm", "hochberg", "hommel", "BH", "BY"], "default": "default", "description": "left out: adjust of the operator"}}}},
			"adjust": {"enum": ["auto", "none", "tukey", "sidak", "bonferroni", "holm", "hochberg", "hommel", "BH", "BY"], "default": "auto", "description": "correction of contrasts for their number; auto: tukey for all pairs, holm for other methods, none for named contrasts"}}}`,
		Open: openMeans,
	}
}

func meanColumns() []result.Column {
	return slices.Concat([]result.Column{result.Text("quantity", "mean, or slope of a column"), result.Text("scale", "link or response")}, result.Estimate(), []result.Column{result.Note()})
}

func contrastColumns() []result.Column {
	return slices.Concat([]result.Column{result.Text("contrast", ""), result.Text("family", "the method, or named: what is corrected together"), result.Text("scale", "difference (of means, linear predictors or slopes), odds ratio, rate ratio, ...")},
		result.Estimate(), []result.Column{result.Number("p_adjusted", "corrected within the family and the combination of by"), result.Text("adjust", "correction"), result.Note()})
}

func jointColumns() []result.Column {
	return []result.Column{result.Text("family", ""), result.Number("f_ratio", "F; where ddf is null a chi-squared divided by ndf"), result.Number("ndf", ""), result.Number("ddf", ""), result.Number("p_value", ""), result.Note()}
}

type meansParams struct {
	spec
	GroupBy   []string         `json:"group_by"`
	Of        []string         `json:"of"`
	By        []string         `json:"by"`
	At        map[string][]any `json:"at"`
	Averaging string           `json:"averaging"`
	Slopes    string           `json:"slopes"`
	Scale     string           `json:"scale"`
	Contrasts []contrastParams `json:"contrasts"`
	Adjust    string           `json:"adjust"`
}

type means struct {
	opening   sdk.Opening
	p         meansParams
	rows      *rows
	grid      emm.GridOptions
	averaging emm.Weights
	families  []family
	fitted    int                 // groups with a model
	mistakes  map[string]mistaken // by parameter
}

func openMeans(o sdk.Opening) (sdk.Task, error) {
	t := &means{opening: o}
	if err := o.Decode(&t.p); err != nil {
		return nil, err
	}
	in := o.Input("data")
	if err := t.p.check(in, "formula", t.p.Formula); err != nil {
		return nil, err
	}
	var err error
	if t.averaging, err = emm.ParseWeights(t.p.Averaging); err != nil {
		return nil, sdk.ParamError("averaging", "%v", err)
	}
	if t.p.Slopes != "" {
		if err := result.Numeric(in, "slopes", t.p.Slopes); err != nil {
			return nil, err
		}
		if t.p.Scale != "link" && t.p.family.Link != glm.Identity {
			return nil, sdk.ParamError("scale", "slopes are of the linear predictor: leave scale out")
		}
	}
	if err := t.points(in); err != nil {
		return nil, err
	}
	if t.families, err = families(t.p.Contrasts, t.p.Adjust, t.p.Of); err != nil {
		return nil, err
	}
	if t.rows, err = collect(in, &t.p.spec, []string{t.p.Formula}, t.p.GroupBy); err != nil {
		return nil, err
	}
	return t, t.declare(o, in)
}

// points reads the values of the grid.
func (t *means) points(in sdk.Schema) error {
	t.grid = emm.GridOptions{At: map[string][]float64{}, Levels: map[string][]string{}}
	for _, name := range sortedKeys(t.p.At) {
		f, err := result.Need(in, "at", name)
		if err != nil {
			return err
		}
		for i, v := range t.p.At[name] {
			number, isNumber := v.(float64)
			switch {
			case isText(f.Type):
				t.grid.Levels[name] = append(t.grid.Levels[name], label(v))
			case isNumber:
				t.grid.At[name] = append(t.grid.At[name], number)
			default:
				return sdk.ParamError(fmt.Sprintf("at.%s[%d]", name, i), "column %q is %s: give numbers, not %q", name, f.Type, v)
			}
		}
	}
	return nil
}

// label is a level as the grid names it.
func label(v any) string {
	if x, ok := v.(float64); ok {
		return frame.Format(x)
	}
	return fmt.Sprint(v)
}

// axis is the column of a result for a column of the input.
func axis(in sdk.Schema, parameter, name string) (sdk.Field, error) {
	f, err := result.Need(in, parameter, name)
	if err != nil {
		return f, err
	}
	if isText(f.Type) {
		return sdk.Field{Name: name, Type: sdk.Utf8}, nil
	}
	return sdk.Field{Name: name, Type: sdk.Float64}, nil
}

func (t *means) declare(o sdk.Opening, in sdk.Schema) error {
	lead := t.rows.keys.Fields()
	var of, by []sdk.Field
	for i, name := range slices.Concat(t.p.Of, t.p.By) {
		parameter := "of"
		if i >= len(t.p.Of) {
			parameter = "by"
		}
		if slices.Contains(t.p.GroupBy, name) || slices.Contains(slices.Concat(t.p.Of, t.p.By)[:i], name) {
			return sdk.ParamError(parameter, "column %q is named twice among group_by, of and by", name)
		}
		f, err := axis(in, parameter, name)
		if err != nil {
			return err
		}
		if i < len(t.p.Of) {
			of = append(of, f)
		} else {
			by = append(by, f)
		}
	}
	if err := result.Declare(o, "means", "of", slices.Concat(lead, of, by), meanColumns()); err != nil {
		return err
	}
	if err := result.Declare(o, "contrasts", "by", slices.Concat(lead, by), contrastColumns()); err != nil {
		return err
	}
	if err := result.Declare(o, "tests", "by", slices.Concat(lead, by), jointColumns()); err != nil {
		return err
	}
	return result.Declare(o, "fit", "group_by", lead, fitOutput().columns)
}

func (t *means) Process(_ string, in *sdk.Batch, _ *sdk.Outputs) error {
	t.rows.add(in)
	return nil
}

func (t *means) Finish(out *sdk.Outputs) error {
	all, err := t.rows.frame(&t.p.spec)
	if err != nil {
		return err
	}
	for g := range t.rows.groups {
		out.Progress(int64(g), int64(len(t.rows.groups)), "fit")
		m, err := t.p.fit(t.p.Formula, t.rows.part(all, g))
		putFit(t.rows.lead(out, "fit", g), &t.p.spec, t.p.Formula, m, err)
		if err == nil {
			t.fitted++
			err = t.write(out, g, m)
		}
		if err != nil {
			t.rows.warn(t.opening, "no means", g, err)
			t.none(out, g, err)
		}
	}
	return t.mistake()
}

// mistaken counts the groups in which a parameter named what is not there.
type mistaken struct {
	groups int
	err    error // the first
}

func (t *means) mistook(parameter string, err error) {
	if t.mistakes == nil {
		t.mistakes = map[string]mistaken{}
	}
	m := t.mistakes[parameter]
	if m.groups++; m.err == nil {
		m.err = err
	}
	t.mistakes[parameter] = m
}

// mistake is the error of a name that no group knows: it is misspelt. One that
// some groups know is a note in the others.
func (t *means) mistake() error {
	for _, parameter := range sortedKeys(t.mistakes) {
		if m := t.mistakes[parameter]; m.groups == t.fitted {
			return sdk.ParamError(parameter, "%v", m.err)
		}
	}
	return nil
}

// none writes the row of a group without means.
func (t *means) none(out *sdk.Outputs, g int, err error) {
	rows := t.rows.lead(out, "means", g)
	for _, name := range slices.Concat(t.p.Of, t.p.By, []string{"quantity", "scale"}) {
		rows.Col(name).Null()
	}
	for _, c := range result.Estimate() {
		rows.Col(c.Name).Null()
	}
	result.Put(rows, "note", err.Error())
}

// write computes the means before anything is written, so that an error leaves
// no half of them.
func (t *means) write(out *sdk.Outputs, g int, m *fitted) error {
	model := m.responding()
	var set *emm.Set
	var err error
	if t.p.Slopes != "" {
		set, err = emm.Slopes(model, t.p.Slopes, t.grid, t.p.Of, t.p.By, t.averaging)
	} else {
		var grid *emm.Grid
		if grid, err = emm.NewGrid(model, t.grid); err != nil {
			t.mistook("at", err)
			return err
		}
		set, err = grid.Means(t.p.Of, t.p.By, t.averaging)
	}
	if err != nil {
		return err
	}
	link := t.p.family.Link != glm.Identity
	report := emm.Report{Level: t.p.Level}
	scale, quantity := "response", "mean"
	if t.p.Slopes != "" {
		quantity = "slope of " + t.p.Slopes
	}
	var found []emm.Result
	switch {
	case link && t.p.Scale == "response":
		found, err = set.ResponseEstimates(report)
	case link && t.p.Scale == "difference":
		if set, err = set.Response(); err == nil {
			found, err = set.Estimates(report)
		}
	default:
		if link {
			scale = "link"
		}
		found, err = set.Estimates(report)
	}
	if err != nil {
		return err
	}
	for _, r := range found {
		rows := t.rows.lead(out, "means", g)
		putLevels(rows, t.p.Of, r.Levels)
		putLevels(rows, t.p.By, r.Group)
		result.Put(rows, "quantity", quantity, "scale", scale)
		result.PutEstimate(rows, r.Estimate, nil, r.NotEstimable)
	}
	for _, f := range t.families {
		t.contrast(out, g, m, set, f)
	}
	return nil
}

// putLevels writes levels to the columns of their names, as numbers where the
// column is one.
func putLevels(rows *sdk.Rows, names, levels []string) {
	for i, name := range names {
		b := rows.Col(name)
		if !b.Type().Equal(sdk.Float64) {
			b.Str(levels[i])
			continue
		}
		v, err := strconv.ParseFloat(levels[i], 64)
		if err != nil || math.IsNaN(v) {
			b.Null()
			continue
		}
		b.Float(v)
	}
}
