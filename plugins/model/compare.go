package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/seed-4012077a/flow/plugins/internal/result"
	"github.com/seed-4012077a/flow/plugins/internal/stats"
	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"github.com/seed-4012077a/flow/sdk/stats/lmm"
)

func compareOperator() sdk.Operator {
	return sdk.Operator{
		Name: "compare", Kind: sdk.Table,
		Doc: `Compares models of one response on the same rows, those that are complete for all of them: information criteria, the likelihood-ratio test of each model against the one before it where they are nested, and the winner.
All are fitted by maximum likelihood, so that their likelihoods are of the same data.`,
		Inputs:  []sdk.Port{{Name: "data"}},
		Outputs: ports([]output{compareOutput()}),
		Params: `{"type": "object", "additionalProperties": false, "required": ["formulas"], "properties": {
			"formulas": {"type": "array", "minItems": 2, "items": {"type": "string", "minLength": 1}, "description": "R formulas of the same response, nested ones after each other"},
			"names": {"type": "array", "items": {"type": "string"}, "default": [], "description": "a name for each formula; left out: the formulas"},
			"criterion": {"enum": ["aic", "aicc", "bic"], "default": "aic", "description": "what chooses the winner"},` + dataSchema + `,
			"quadrature": {"type": "integer", "minimum": 1, "maximum": 100, "default": 1, "description": "generalised mixed models with one random intercept: points of adaptive Gauss-Hermite quadrature; 1 is the Laplace approximation"},` + groupSchema + `}}`,
		Open: openCompare,
	}
}

func compareOutput() output {
	return output{"models", "one row a model, in the order of the formulas", []result.Column{
		result.Text("model", "name"), result.Text("formula", ""), result.Text("method", ""), result.Count("n", "rows, the same for all"), result.Count("dropped", "rows with a missing value in any model"), result.Count("parameters", ""),
		result.Number("log_lik", ""), result.Number("aic", ""), result.Number("aicc", ""), result.Number("bic", ""), result.Number("delta", "criterion less the winner's"), result.Number("weight", "exp(-delta/2), scaled to sum to 1"),
		result.Truth("chosen", "the least criterion"), result.Text("against", "the model it is tested against"), result.Text("test", "likelihood ratio, or F of least squares and of an estimated dispersion"),
		result.Number("statistic", ""), result.Number("df", "parameters between the two"), result.Number("ddf", "degrees of freedom below an F"), result.Number("p_value", ""), result.Note()}}
}

type compareParams struct {
	spec
	GroupBy   []string `json:"group_by"`
	Formulas  []string `json:"formulas"`
	Names     []string `json:"names"`
	Criterion string   `json:"criterion"`
}

type comparing struct {
	opening sdk.Opening
	p       compareParams
	rows    *rows
}

func openCompare(o sdk.Opening) (sdk.Task, error) {
	t := &comparing{opening: o}
	if err := o.Decode(&t.p); err != nil {
		return nil, err
	}
	if n := len(t.p.Names); n > 0 && n != len(t.p.Formulas) {
		return nil, sdk.ParamError("names", "there are %d names for %d formulas", n, len(t.p.Formulas))
	}
	if len(t.p.Names) == 0 {
		t.p.Names = t.p.Formulas
	}
	t.p.DF = lmm.Asymptotic.String() // coefficients are not tested here
	in := o.Input("data")
	if err := t.p.check(in, "formulas", t.p.Formulas...); err != nil {
		return nil, err
	}
	var err error
	if t.rows, err = collect(in, &t.p.spec, t.p.Formulas, t.p.GroupBy); err != nil {
		return nil, err
	}
	return t, declare(o, t.rows.keys.Fields(), []output{compareOutput()})
}

func (t *comparing) Process(_ string, in *sdk.Batch, _ *sdk.Outputs) error {
	t.rows.add(in)
	return nil
}

func (t *comparing) Finish(out *sdk.Outputs) error {
	all, err := t.rows.frame(&t.p.spec)
	if err != nil {
		return err
	}
	for g := range t.rows.groups {
		out.Progress(int64(g), int64(len(t.rows.groups)), "fit")
		if err := t.compare(out, g, t.rows.part(all, g)); err != nil {
			return err
		}
	}
	return nil
}

func (t *comparing) compare(out *sdk.Outputs, g int, fr *frame.Frame) error {
	parameters := make([]string, len(t.p.Formulas))
	for i := range parameters {
		parameters[i] = fmt.Sprintf("formulas[%d]", i)
	}
	fr, dropped, err := t.p.complete(fr, t.p.Formulas, parameters)
	if e, ok := err.(*sdk.Error); ok {
		return e
	}
	models, errs := make([]*fitted, len(t.p.Formulas)), make([]error, len(t.p.Formulas))
	best := math.Inf(1)
	for i, text := range t.p.Formulas {
		if errs[i] = err; err == nil {
			models[i], errs[i] = t.p.fit(text, fr)
		}
		if errs[i] != nil {
			t.rows.warn(t.opening, "no fit of "+t.p.Names[i], g, errs[i])
			continue
		}
		if v := t.criterion(models[i]); v < best {
			best = v
		}
	}
	sum := 0.0
	for _, m := range models {
		if m != nil && stats.Finite(t.criterion(m)) {
			sum += math.Exp((best - t.criterion(m)) / 2)
		}
	}
	chosen := false
	for i, m := range models {
		rows := t.rows.lead(out, "models", g)
		result.Put(rows, "model", t.p.Names[i], "formula", t.p.Formulas[i])
		if m == nil {
			blank(rows, compareOutput(), "model", "formula", "note")
			result.Put(rows, "note", errs[i].Error())
			continue
		}
		value := t.criterion(m)
		result.Put(rows, "method", strings.Split(m.method, ", "+t.p.DF)[0], "n", len(m.Design().Y), "dropped", dropped, "parameters", m.parameters,
			"log_lik", m.logLik, "aic", m.aic, "aicc", m.aicc, "bic", m.bic, "delta", value-best, "weight", math.Exp((best-value)/2)/sum, "chosen", value == best && !chosen)
		chosen = chosen || value == best
		var c comparison
		if i > 0 && models[i-1] != nil {
			c = compareModels(models[i-1], m)
			c.against = t.p.Names[i-1]
		} else {
			c = noComparison("")
		}
		note := c.note
		if !stats.Finite(value) {
			note = result.Notes(note, "no "+t.p.Criterion+": "+noCriterion(m))
		}
		result.Put(rows, "against", c.against, "test", c.test, "statistic", c.statistic, "df", c.df, "ddf", c.ddf, "p_value", c.p, "note", result.Notes(m.note(), note))
	}
	return nil
}

func noCriterion(m *fitted) string {
	if m.family.Quasi {
		return "a quasi family has no likelihood"
	}
	return "too many parameters for the rows"
}

func (t *comparing) criterion(m *fitted) float64 {
	switch t.p.Criterion {
	case "aicc":
		return m.aicc
	case "bic":
		return m.bic
	}
	return m.aic
}

// comparison is a test of two nested models. Numbers that are not there are
// NaN, with the note as the reason.
type comparison struct {
	against, test         string
	statistic, df, ddf, p float64
	note                  string
}

func noComparison(note string) comparison {
	nan := math.NaN()
	return comparison{statistic: nan, df: nan, ddf: nan, p: nan, note: note}
}

// compareModels tests the smaller of two models of the same rows against the
// larger.
func compareModels(a, b *fitted) comparison {
	if a.parameters > b.parameters {
		a, b = b, a
	}
	if a.parameters == b.parameters {
		return noComparison(fmt.Sprintf("no test: both models have %d parameters", a.parameters))
	}
	if why := nested(a.Design(), b.Design()); why != "" {
		return noComparison("no test: the models are not nested: " + why)
	}
	nan := math.NaN()
	df := float64(b.parameters - a.parameters)
	switch {
	case a.ols != nil && b.ols != nil:
		// F = (RSS_a - RSS_b) / df / (RSS_b / (n - p)), as R's anova.
		f := (a.deviance - b.deviance) / df / (b.deviance / b.residualDF)
		return fTest(math.Max(0, f), df, b.residualDF)
	case a.glm != nil && b.glm != nil:
		lr, err := b.glm.Compare(a.glm)
		if err != nil {
			return noComparison("no test: " + err.Error())
		}
		out := comparison{test: "likelihood ratio", statistic: lr.Statistic, df: lr.DF, ddf: nan, p: lr.P}
		if stats.Finite(lr.DDF) {
			out.test, out.ddf = "F", lr.DDF
		}
		return out
	}
	// Mixed models, or one with random terms and one without: all keep the
	// constants of their likelihoods.
	out := chiSquared(math.Max(0, 2*(b.logLik-a.logLik)), df)
	if len(a.Design().Random) < len(b.Design().Random) || variances(b) > variances(a) {
		out.note = boundary
	}
	return out
}

const boundary = "the larger model adds variances: the p-value is too large, up to twice for one variance (model#bootstrap tests without it)"

func variances(m *fitted) int {
	n := 0
	for _, c := range m.components() {
		if c.with == "" {
			n++
		}
	}
	return n
}

// nested says why the smaller design is not nested in the larger, "" where it
// is: its columns must be linear combinations of the larger's, and its random
// terms among the larger's.
func nested(small, large *formula.Design) string {
	if len(small.Y) != len(large.Y) {
		return fmt.Sprintf("they have %d and %d rows", len(small.Y), len(large.Y))
	}
	if !slices.Equal(small.Offset, large.Offset) {
		return "their offsets differ"
	}
	have := map[string][]string{}
	for _, r := range large.Random {
		have[r.Group] = append(have[r.Group], r.Names...)
	}
	for _, r := range small.Random {
		for _, name := range r.Names {
			if !slices.Contains(have[r.Group], name) {
				return fmt.Sprintf("the larger has no random %s by %s", name, r.Group)
			}
		}
	}
	return outside(small, large)
}
