package main

import (
	"math"
	"slices"

	"github.com/seed-4012077a/flow/plugins/internal/result"
	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/estimate"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"gonum.org/v1/gonum/mat"
)

func fitOperator() sdk.Operator {
	return sdk.Operator{
		Name: "fit", Kind: sdk.Table,
		Doc: `Fits a regression model by an R formula: least squares, a generalised linear model, or with random terms a mixed model.
Rows with a missing value are dropped and counted. What cannot be fitted (separation, no variance, one level, columns that are combinations of others) is a note in the tables and a line in the log.`,
		Inputs:  []sdk.Port{{Name: "data"}},
		Outputs: append(ports(fitOutputs()), fittedPort()),
		Params: `{"type": "object", "additionalProperties": false, "required": ["formula"], "properties": {` + formulaSchema + `,` + dataSchema + `,` + fitSchema + `,` + groupSchema + `,
			"limits": {"enum": ["wald", "profile"], "default": "wald", "description": "limits of coefficients: by the standard error, or by the profile of the likelihood (not with robust, nor for generalised mixed models); those of linear mixed models are about the maximum likelihood fit, and standard deviations have them too"},
			"tests": {"enum": ["wald", "lr"], "default": "wald", "description": "tests of terms: F or Wald's chi-squared, or likelihood ratios (least squares: the same F; generalised linear models)"},
			"keep": {"type": "array", "items": {"type": "string"}, "default": [], "description": "columns of the input beside the fitted values"},
			"fitted": {"type": "boolean", "default": true, "description": "false leaves the output fitted empty"}}}`,
		Open: openFitting,
	}
}

func fitOutputs() []output {
	return []output{coefficientsOutput(), fitOutput(), componentsOutput(), effectsOutput(), anovaOutput()}
}

type fitParams struct {
	spec
	GroupBy []string `json:"group_by"`
	Limits  string   `json:"limits"`
	Tests   string   `json:"tests"`
	Keep    []string `json:"keep"`
	Fitted  bool     `json:"fitted"`
}

type fitting struct {
	opening sdk.Opening
	p       fitParams
	rows    *rows
	kept    []sdk.Field
	values  []*sdk.Builder // of the kept columns, all rows
}

func openFitting(o sdk.Opening) (sdk.Task, error) {
	t := &fitting{opening: o}
	if err := o.Decode(&t.p); err != nil {
		return nil, err
	}
	in := o.Input("data")
	if err := t.p.check(in, "formula", t.p.Formula); err != nil {
		return nil, err
	}
	mixed := t.p.mixed(t.p.Formula)
	switch {
	case t.p.Limits == "profile" && mixed && !t.p.linear():
		return nil, sdk.ParamError("limits", "generalised mixed models have Wald limits only: leave limits out")
	case t.p.Limits == "profile" && t.p.Robust != "none" && t.p.Robust != "":
		return nil, sdk.ParamError("limits", "limits by the profile take no account of robust = %q: choose wald", t.p.Robust)
	case t.p.Tests == "lr" && mixed:
		return nil, sdk.ParamError("tests", "likelihood ratios of mixed models are of two models: use model#compare, or wald here")
	case t.p.Tests == "lr" && t.p.Robust != "none" && t.p.Robust != "":
		return nil, sdk.ParamError("tests", "likelihood ratios take no account of robust = %q: choose wald", t.p.Robust)
	}
	var err error
	if t.rows, err = collect(in, &t.p.spec, []string{t.p.Formula}, t.p.GroupBy); err != nil {
		return nil, err
	}
	if err := declare(o, t.rows.keys.Fields(), fitOutputs()); err != nil {
		return nil, err
	}
	for i, name := range slices.Concat(t.p.GroupBy, t.p.Keep) {
		f, err := result.Need(in, "keep", name)
		if err != nil {
			return nil, err
		}
		if i >= len(t.p.GroupBy) && slices.ContainsFunc(t.kept, func(k sdk.Field) bool { return k.Name == name }) {
			continue
		}
		t.kept = append(t.kept, f)
		t.values = append(t.values, sdk.NewBuilder(f.Type))
	}
	return t, result.Declare(o, "fitted", "keep", t.kept, fittedColumns())
}

func (t *fitting) Process(_ string, in *sdk.Batch, _ *sdk.Outputs) error {
	t.rows.add(in)
	if t.p.Fitted {
		for k, f := range t.kept {
			col := in.Col(f.Name)
			for i := range in.Len() {
				t.values[k].Copy(col, i)
			}
		}
	}
	return nil
}

func (t *fitting) Finish(out *sdk.Outputs) error {
	all, err := t.rows.frame(&t.p.spec)
	if err != nil {
		return err
	}
	models := make([]*fitted, len(t.rows.groups))
	for g := range t.rows.groups {
		out.Progress(int64(g), int64(len(t.rows.groups)), "fit")
		m, err := t.p.fit(t.p.Formula, t.rows.part(all, g))
		putFit(t.rows.lead(out, "fit", g), &t.p.spec, t.p.Formula, m, err)
		if err != nil {
			t.rows.warn(t.opening, "no fit", g, err)
			none := t.rows.lead(out, "coefficients", g)
			result.Put(none, "note", err.Error())
			blank(none, coefficientsOutput(), "note")
			continue
		}
		models[g] = m
		if err := t.write(out, g, m); err != nil {
			return err
		}
	}
	if t.p.Fitted {
		return t.putFitted(out, models, all)
	}
	return nil
}

func (t *fitting) write(out *sdk.Outputs, g int, m *fitted) error {
	next := func(port string) func() *sdk.Rows {
		return func() *sdk.Rows { return t.rows.lead(out, port, g) }
	}
	t.putCoefficients(next("coefficients"), m)
	t.putComponents(next("components"), m)
	t.putTests(next("anova"), m)
	if err := t.putEffects(next("effects"), m); err != nil {
		t.rows.warn(t.opening, "no random effects", g, err)
	}
	return nil
}

func anovaOutput() output {
	return output{"anova", "one row a term: the test that all its coefficients are 0, given all other terms (type III)", []result.Column{
		result.Text("term", ""), result.Text("test", "F, Wald chi-squared, likelihood ratio or likelihood ratio F"), result.Number("statistic", ""),
		result.Number("ndf", "degrees of freedom"), result.Number("ddf", "those below an F"), result.Number("p_value", ""), result.Note()}}
}

// putTests writes the tests of the model's terms.
func (t *fitting) putTests(next func() *sdk.Rows, m *fitted) {
	d := m.Design()
	for k, term := range d.Terms {
		var columns []int
		for j, a := range d.Assign {
			if a == k {
				columns = append(columns, j)
			}
		}
		rows := next()
		result.Put(rows, "term", term.Label)
		if len(columns) == 0 {
			blank(rows, anovaOutput(), "term", "note")
			result.Put(rows, "note", "not estimable: all its columns are combinations of others")
			continue
		}
		l := mat.NewDense(len(columns), len(d.Names), nil)
		for i, j := range columns {
			l.Set(i, j, 1)
		}
		test, f, ndf, ddf, p, err := t.test(m, l)
		if err != nil {
			blank(rows, anovaOutput(), "term", "note")
			result.Put(rows, "note", err.Error())
			continue
		}
		result.Put(rows, "test", test, "statistic", f, "ndf", ndf, "ddf", ddf, "p_value", p, "note", t.p.marginal(d, term))
	}
}

// test tests L beta = 0 as the parameters say.
func (t *fitting) test(m *fitted, l *mat.Dense) (test string, statistic, ndf, ddf, p float64, err error) {
	if t.p.Tests == "lr" && m.glm != nil {
		lr, err := m.glm.Drop(l)
		if err != nil {
			return "", 0, 0, 0, 0, err
		}
		test = "likelihood ratio"
		if !math.IsInf(lr.DDF, 1) {
			test = "likelihood ratio F"
		}
		return test, lr.Statistic, lr.DF, lr.DDF, lr.P, nil
	}
	h, err := estimate.Hypothesis(m, "", l)
	if err != nil {
		return "", 0, 0, 0, 0, err
	}
	if math.IsInf(h.DDF, 1) {
		return "Wald chi-squared", h.F * h.NDF, h.NDF, h.DDF, h.P, nil
	}
	return "F", h.F, h.NDF, h.DDF, h.P, nil
}

func fittedColumns() []result.Column {
	return []result.Column{
		result.Count("row", "of the input, from 1"), result.Number("observed", "response; a proportion where the response is cbind(successes, failures)"),
		result.Number("fitted", "mean, with the random effects of a mixed model"), result.Number("population", "mean at random effects of 0"),
		result.Number("residual", "observed less fitted"), result.Number("leverage", "models without random terms"), result.Note()}
}

func fittedPort() sdk.Port {
	return result.Port("fitted", "one row a row of the input, in its order, after the columns of group_by and keep", fittedColumns())
}

// putFitted writes a row for each row of the input.
func (t *fitting) putFitted(out *sdk.Outputs, models []*fitted, all *frame.Frame) error {
	type line struct{ observed, fitted, population, leverage float64 }
	nan := math.NaN()
	lines := make([]line, all.Rows())
	of := make([]int, all.Rows())
	for i := range lines {
		lines[i] = line{nan, nan, nan, nan}
	}
	for g, m := range models {
		for _, i := range t.rows.groups[g] {
			of[i] = g
		}
		if m == nil {
			continue
		}
		d := m.Design()
		means, err := m.means()
		if err != nil {
			return sdk.Errorf("fitted values: %v", err)
		}
		_, population := m.population()
		leverages := m.leverages()
		for k, r := range d.Rows {
			l := line{d.Y[k], means[k], population[k], nan}
			if leverages != nil {
				l.leverage = leverages[k]
			}
			lines[t.rows.groups[g][r]] = l
		}
	}
	columns := make([]*sdk.Column, len(t.values))
	for k, b := range t.values {
		columns[k] = b.Column()
	}
	rows := out.Port("fitted")
	for i, l := range lines {
		for k := range columns {
			rows.ColAt(k).Copy(columns[k], i)
		}
		note := ""
		switch {
		case models[of[i]] == nil:
			note = "no model"
		case math.IsNaN(l.observed):
			note = "a missing value"
		}
		result.Put(rows, "row", i+1, "observed", l.observed, "fitted", l.fitted, "population", l.population, "residual", l.observed-l.fitted, "leverage", l.leverage, "note", note)
	}
	return nil
}
