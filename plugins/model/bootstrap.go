package main

import (
	"math"
	"slices"

	"github.com/seed-4012077a/flow/plugins/internal/result"
	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"github.com/seed-4012077a/flow/sdk/stats/lmm"
)

func bootstrapOperator() sdk.Operator {
	return sdk.Operator{
		Name: "bootstrap", Kind: sdk.Table,
		Doc: `Parametric bootstrap of a linear mixed model: responses are drawn from the fitted model, with new random effects and residuals, and the model is fitted to each again. Gives standard errors, bias and percentile limits of coefficients, standard deviations and correlations.
With null, a smaller model, it tests the two by the share of draws from the smaller one whose likelihood ratio is at least the observed one: a test of a variance too, which no chi-squared gives.
Draws depend on the node's seed and the order of the rows alone.`,
		Inputs:  []sdk.Port{{Name: "data"}},
		Outputs: ports(bootstrapOutputs()),
		Params: `{"type": "object", "additionalProperties": false, "required": ["formula"], "properties": {` + formulaSchema + `,
			"sets": {"type": "integer", "minimum": 1, "maximum": 100000, "default": 1000, "description": "draws"},
			"null": {"type": "string", "default": "", "description": "R formula of a smaller model of the same response, to test"},
			"reml": {"type": "boolean", "default": true, "description": "restricted maximum likelihood; false: maximum likelihood. The test is always by maximum likelihood"},
			"level": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1, "default": 0.95, "description": "confidence level"},` + dataSchemaGaussian + `,` + groupSchema + `}}`,
		Open: openBootstrap,
	}
}

// dataSchemaGaussian is dataSchema without the family.
const dataSchemaGaussian = `
	"coding": {"type": "object", "default": {}, "additionalProperties": {"enum": ["treatment", "sum"]}, "description": "contrasts of a factor, by column"},
	"reference": {"type": "object", "default": {}, "additionalProperties": {"type": "string"}, "description": "reference level of a factor, by column; left out: its first"},
	"levels": {"type": "object", "default": {}, "additionalProperties": {"type": "array", "items": {"type": "string"}, "minItems": 1}, "description": "order of a text column's levels, by column; left out: sorted"},
	"weights": {"type": "string", "default": "", "description": "column of prior weights"},
	"offset": {"type": "string", "default": "", "description": "column that is added to the linear predictor"}`

func bootstrapOutputs() []output {
	return []output{
		{"estimates", "one row a parameter", []result.Column{
			result.Text("kind", "coefficient, sd or correlation"), result.Text("term", "coefficient, or factor: term"), result.Number("estimate", "of the data"), result.Number("bias", "mean of the draws less the estimate"),
			result.Number("se", "standard deviation of the draws"), result.Number("ci_lower", "percentile of the draws"), result.Number("ci_upper", ""), result.Count("sets", "draws that have a value"), result.Note()}},
		{"test", "the bootstrap test of null against the model", []result.Column{
			result.Text("formula", ""), result.Text("null", ""), result.Number("statistic", "likelihood ratio of the data"), result.Number("df", ""), result.Number("p_value", "bootstrap"),
			result.Number("p_chi_squared", "by the chi-squared distribution"), result.Count("sets", ""), result.Note()}},
		fitOutput()}
}

type bootstrapParams struct {
	spec
	GroupBy []string `json:"group_by"`
	Sets    int      `json:"sets"`
	Null    string   `json:"null"`
}

type bootstrapping struct {
	opening sdk.Opening
	p       bootstrapParams
	rows    *rows
}

func openBootstrap(o sdk.Opening) (sdk.Task, error) {
	t := &bootstrapping{opening: o}
	if err := o.Decode(&t.p); err != nil {
		return nil, err
	}
	t.p.Family, t.p.DF = "gaussian", lmm.Asymptotic.String()
	in := o.Input("data")
	formulas := []string{t.p.Formula}
	for _, parameter := range []string{"formula", "null"} {
		text := t.p.Formula
		if parameter == "null" {
			if text = t.p.Null; text == "" {
				continue
			}
			formulas = append(formulas, text)
		}
		if err := t.p.check(in, parameter, text); err != nil {
			return nil, err
		}
		if !t.p.mixed(text) {
			return nil, sdk.ParamError(parameter, "the bootstrap is of linear mixed models: %q has no random term such as (1 | person)", text)
		}
	}
	var err error
	if t.rows, err = collect(in, &t.p.spec, formulas, t.p.GroupBy); err != nil {
		return nil, err
	}
	return t, declare(o, t.rows.keys.Fields(), bootstrapOutputs())
}

func (t *bootstrapping) Process(_ string, in *sdk.Batch, _ *sdk.Outputs) error {
	t.rows.add(in)
	return nil
}

func (t *bootstrapping) Finish(out *sdk.Outputs) error {
	all, err := t.rows.frame(&t.p.spec)
	if err != nil {
		return err
	}
	for g := range t.rows.groups {
		out.Progress(int64(g), int64(len(t.rows.groups)), "bootstrap")
		fr := t.rows.part(all, g)
		m, err := t.p.fit(t.p.Formula, fr)
		putFit(t.rows.lead(out, "fit", g), &t.p.spec, t.p.Formula, m, err)
		if err != nil {
			t.rows.warn(t.opening, "no fit", g, err)
			continue
		}
		seed := t.opening.Rand(uint64(g)).Uint64()
		if err := t.estimates(out, g, m, seed); err != nil {
			t.rows.warn(t.opening, "no bootstrap", g, err)
		}
		if t.p.Null != "" {
			t.test(out, g, m, fr, seed)
		}
	}
	return nil
}

// parameter is what a model has a value of.
type parameter struct {
	kind, term string
	value      float64
}

// parameters of a linear mixed model: coefficients, then standard deviations
// and correlations; NaN for a correlation that a zero variance leaves
// undefined.
func parameters(m *lmm.Model) (out []parameter) {
	for j, b := range m.Coefficients() {
		out = append(out, parameter{"coefficient", m.Design().Names[j], b})
	}
	for _, c := range m.VarianceComponents() {
		p := parameter{"sd", c.Group, c.SDCor}
		if c.Column != "" {
			p.term += ": " + c.Column
		}
		if c.With != "" {
			p.kind, p.term = "correlation", p.term+", "+c.With
		}
		if c.Undefined {
			p.value = math.NaN()
		}
		out = append(out, p)
	}
	return out
}

func (t *bootstrapping) estimates(out *sdk.Outputs, g int, m *fitted, seed uint64) error {
	draws, failed, err := m.lmm.Bootstrap(t.p.Sets, seed, func(b *lmm.Model) ([]float64, error) {
		var values []float64
		for _, p := range parameters(b) {
			values = append(values, p.value)
		}
		return values, nil
	})
	if err != nil {
		rows := t.rows.lead(out, "estimates", g)
		blank(rows, bootstrapOutputs()[0], "note")
		result.Put(rows, "note", err.Error())
		return err
	}
	if failed > 0 {
		t.opening.Log("warning: %d of %d bootstrap fits failed and are left out", failed, t.p.Sets)
	}
	for k, p := range parameters(m.lmm) {
		var v []float64
		for _, d := range draws {
			if !math.IsNaN(d[k]) {
				v = append(v, d[k])
			}
		}
		note := ""
		if undefined := len(draws) - len(v); undefined > 0 {
			note = "without the draws in which a variance was 0"
		}
		mean, sd := moments(v)
		slices.Sort(v)
		tail := (1 - t.p.Level) / 2
		result.Put(t.rows.lead(out, "estimates", g), "kind", p.kind, "term", p.term, "estimate", p.value, "bias", mean-p.value, "se", sd,
			"ci_lower", quantile(v, tail), "ci_upper", quantile(v, 1-tail), "sets", len(v), "note", note)
	}
	return nil
}

// moments are the mean and the standard deviation, NaN where there are none.
func moments(v []float64) (mean, sd float64) {
	n := float64(len(v))
	for _, x := range v {
		mean += x / n
	}
	ss := 0.0
	for _, x := range v {
		ss += (x - mean) * (x - mean)
	}
	if len(v) == 0 {
		return math.NaN(), math.NaN()
	}
	return mean, math.Sqrt(ss / (n - 1))
}

// quantile of sorted values, R's type 7.
func quantile(v []float64, p float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	at := p * float64(len(v)-1)
	low := int(math.Floor(at))
	high := min(low+1, len(v)-1)
	return v[low] + (at-float64(low))*(v[high]-v[low])
}

// test writes the bootstrap test of the smaller model.
func (t *bootstrapping) test(out *sdk.Outputs, g int, m *fitted, fr *frame.Frame, seed uint64) {
	rows := t.rows.lead(out, "test", g)
	result.Put(rows, "formula", t.p.Formula, "null", t.p.Null)
	fail := func(why string) {
		t.opening.Log("warning: no bootstrap test: %s", why)
		blank(rows, bootstrapOutputs()[1], "formula", "null", "note")
		result.Put(rows, "note", why)
	}
	fr, dropped, err := t.p.complete(fr, []string{t.p.Formula, t.p.Null}, []string{"formula", "null"})
	if err == nil && dropped > m.Design().Dropped {
		m, err = t.p.fit(t.p.Formula, fr)
	}
	if err != nil {
		fail(err.Error())
		return
	}
	null, err := t.p.fit(t.p.Null, fr)
	if err != nil {
		fail(err.Error())
		return
	}
	if null.parameters > m.parameters {
		fail("null has more parameters than the model: give the smaller formula as null")
		return
	}
	if why := nested(null.Design(), m.Design()); why != "" {
		fail("null is not nested in the model: " + why)
		return
	}
	observed, p, err := lmm.BootstrapTest(null.lmm, m.lmm, t.p.Sets, seed)
	if err != nil {
		fail(err.Error())
		return
	}
	note := ""
	if observed.Boundary {
		note = "a variance is tested: the chi-squared p-value is too large"
	}
	result.Put(rows, "statistic", observed.ChiSquared, "df", float64(observed.DF), "p_value", p, "p_chi_squared", observed.P, "sets", t.p.Sets, "note", note)
}
