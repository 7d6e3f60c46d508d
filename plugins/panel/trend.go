package main

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/seed-4012077a/flow/plugins/internal/result"
	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/estimate"
	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"github.com/seed-4012077a/flow/sdk/stats/lmm"
	"github.com/seed-4012077a/flow/sdk/stats/ols"
)

func effectColumns() []result.Column {
	return slices.Concat([]result.Column{result.Text("fit", "mixed, developer, ols or ols_developer"), result.Text("term", "coefficient"),
		result.Text("interval", "what the limits are: t (with df, see the fit's method), wald (normal), or profile (likelihood; the estimate is then of maximum likelihood)")},
		result.Estimate(), []result.Column{result.Note()})
}

func pointColumns() []result.Column {
	return []result.Column{result.Text("model", ""), result.Text("developer", ""), result.Number("year", "its time"), result.Number("years", "since the origin"),
		result.Number("mean", ""), result.Number("ci_lower", "t interval over prompts"), result.Number("ci_upper", ""), result.Count("n", "scores"), result.Count("n_prompts", ""), result.Note()}
}

func lineColumns() []result.Column {
	return []result.Column{result.Number("year", ""), result.Number("years", "since the origin"), result.Number("mean", "of a new model on a new prompt, by the mixed model"),
		result.Number("se", "of the mean"), result.Number("ci_lower", "of the mean"), result.Number("ci_upper", "of the mean")}
}

func withFit(columns []result.Column) []result.Column {
	return append([]result.Column{result.Text("fit", "")}, columns...)
}

func trendOperator() sdk.Operator {
	return sdk.Operator{
		Name: "trend", Kind: sdk.Table,
		Doc: `Trend of a score over the models' release: score ~ years + (1 | model) + (1 | prompt) by REML, years since the origin. Scores of one model belong together, and those of one prompt, so the trend is as sure as there are models, however many prompts each answered.
fits: mixed is that model; developer has a fixed effect of each developer; ols and ols_developer ignore which scores belong together, for comparison with reports that do (their standard errors are too small). effects has the limits by t, by the normal distribution (wald) and, for the trend, by profile likelihood. points and line are what a picture shows.`,
		Inputs: []sdk.Port{{Name: "scores", Doc: "one row a model and prompt", Columns: []sdk.ColumnSpec{
			{Name: "{score}", Type: "number|bool"}, {Name: "{model}", Type: "any"}, {Name: "{prompt}", Type: "any"}, {Name: "{time}", Type: "any"}}}},
		Outputs: []sdk.Port{result.Port("effects", "one row a fit, coefficient and interval", effectColumns()),
			result.Port("points", "one row a model", pointColumns()), result.Port("line", "the trend with its limits", lineColumns()),
			result.Port("components", "variances of models, prompts and the residual", withFit(result.Components())),
			result.Port("fits", "one row a mixed model", withFit(result.Fit()))},
		Params: `{"type": "object", "additionalProperties": false, "properties": {` + columnsSchema + `,
			"origin": {"type": ["string", "number"], "default": "", "description": "where years are counted from, a date or a number; empty: the earliest model"},
			"fits": {"type": "array", "items": {"enum": ["mixed", "developer", "ols", "ols_developer"]}, "minItems": 1, "uniqueItems": true, "default": ["mixed"], "description": "models to fit"},
			"df": {"enum": ["satterthwaite", "kenward-roger", "asymptotic"], "default": "satterthwaite", "description": "degrees of freedom of the mixed models"},
			"profile": {"type": "boolean", "default": true, "description": "also give the profile-likelihood interval of the trend, which costs a dozen fits"},
			"line_points": {"type": "integer", "minimum": 2, "maximum": 1000, "default": 50, "description": "points of the line"},
			"level": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1, "default": 0.95, "description": "confidence level"}}}`,
		Open: openTrend,
	}
}

type trendParams struct {
	columns
	Origin     any      `json:"origin"`
	Fits       []string `json:"fits"`
	DF         string   `json:"df"`
	Profile    bool     `json:"profile"`
	LinePoints int      `json:"line_points"`
	Level      float64  `json:"level"`
}

type trend struct {
	trendParams
	opening sdk.Opening
	*scores
	df lmm.DF

	origin    float64
	hasOrigin bool
	response  string // names in the models' frame
	years     string
	by        string // developer
	data      *frame.Frame
}

func openTrend(o sdk.Opening) (sdk.Task, error) {
	t := &trend{opening: o}
	err := o.Decode(&t.trendParams)
	if err != nil {
		return nil, err
	}
	if t.scores, err = newScores(o, "scores", t.trendParams.columns, &names{}); err != nil {
		return nil, err
	}
	if t.df, err = lmm.ParseDF(t.DF); err != nil {
		return nil, sdk.ParamError("df", "%v", err)
	}
	if t.origin, t.hasOrigin, err = limit("origin", t.Origin); err != nil {
		return nil, err
	}
	for _, f := range t.Fits {
		if (f == "developer" || f == "ols_developer") && t.trendParams.Developer == "" {
			return nil, sdk.ParamError("fits", "%q needs the developers: name their column in developer; the input has %v", f, o.Input("scores").Names())
		}
	}
	for port, columns := range map[string][]result.Column{"effects": effectColumns(), "points": pointColumns(), "line": lineColumns(),
		"components": withFit(result.Components()), "fits": withFit(result.Fit())} {
		o.Output(port, sdk.Schema{Fields: result.Fields(columns)})
	}
	return t, nil
}

func (t *trend) Process(_ string, in *sdk.Batch, _ *sdk.Outputs) error { return t.add(in) }

func (t *trend) Finish(out *sdk.Outputs) error {
	if err := t.check(); err != nil {
		return err
	}
	if note := t.note(); note != "" {
		t.opening.Log("%s", note)
	}
	if !t.hasOrigin {
		t.origin = slices.Min(t.scores.years)
	}
	t.points(out)
	if err := t.frame(); err != nil {
		return sdk.Errorf("%v", err)
	}
	for i, fit := range t.Fits {
		out.Progress(int64(i), int64(len(t.Fits)), fit)
		if fit == "mixed" || fit == "developer" {
			t.mixed(out, fit)
		} else {
			t.least(out, fit)
		}
	}
	return nil
}

func (t *trend) points(out *sdk.Outputs) {
	table, rows := t.table(), out.Port("points")
	for k, model := range t.models.list {
		e, n, prompts, err := table.Mean(k, t.Level)
		note := ""
		if err != nil {
			note, e.Lower, e.Upper = err.Error(), math.NaN(), math.NaN()
		}
		result.Put(rows, "model", model, "developer", t.makers[k], "year", t.scores.years[k], "years", t.scores.years[k]-t.origin,
			"mean", e.Estimate, "ci_lower", e.Lower, "ci_upper", e.Upper, "n", n, "n_prompts", prompts, "note", note)
	}
}

// frame makes the data of the models, in the user's names where they differ
// from one another.
func (t *trend) frame() error {
	var taken []string
	unique := func(name string) string {
		for slices.Contains(taken, name) {
			name += "_"
		}
		taken = append(taken, name)
		return name
	}
	model, prompt := unique(t.scores.Model), unique(t.scores.Prompt)
	t.response, t.years = unique(t.scores.Score), unique("years")
	years := make([]float64, len(t.value))
	maker, missing := make([]string, len(t.value)), make([]bool, len(t.value))
	for i, k := range t.model {
		years[i] = t.scores.years[k] - t.origin
		maker[i] = t.makers[k]
		missing[i] = maker[i] == ""
	}
	t.data = frame.New(len(t.value))
	err := errors.Join(t.data.AddNumeric(t.response, t.value), t.data.AddNumeric(t.years, years),
		t.data.AddFactor(model, t.scores.model, t.models.list), t.data.AddFactor(prompt, t.scores.prompt, t.prompts.list))
	if t.scores.Developer != "" {
		t.by = unique(t.scores.Developer)
		err = errors.Join(err, t.data.AddStrings(t.by, maker, missing))
	}
	return err
}

func (t *trend) design(fit string) (text string, d *formula.Design, err error) {
	q := formula.Quote
	text = q(t.response) + " ~ " + q(t.years)
	if fit == "developer" || fit == "ols_developer" {
		text += " + " + q(t.by)
	}
	if fit == "mixed" || fit == "developer" {
		names := t.data.Names()
		text += " + (1 | " + q(names[2]) + ") + (1 | " + q(names[3]) + ")"
	}
	f, err := formula.Parse(text)
	if err != nil {
		return text, nil, err
	}
	d, err = f.Design(t.data, formula.Options{})
	return text, d, err
}

func (t *trend) mixed(out *sdk.Outputs, fit string) {
	text, d, err := t.design(fit)
	var m *lmm.Model
	if err == nil {
		m, err = lmm.Fit(d, lmm.Options{REML: true, DF: t.df})
	}
	if err != nil {
		t.failed(out, fit, err)
		result.PutNoFit(out.Port("fits"), text, err, "fit", fit)
		return
	}
	rows := out.Port("effects")
	l := make([]float64, len(d.Names))
	for j, name := range d.Names {
		l[j] = 1
		e, err := estimate.Of(m, name, l, t.Level)
		t.effect(rows, fit, name, "t", e, err, "")
		est, se, err := m.Wald(l)
		if err == nil {
			e, err = estimate.New(name, est, se, math.Inf(1), t.Level)
		}
		t.effect(rows, fit, name, "wald", e, err, "")
		if t.Profile && name == t.years { // each costs a dozen fits
			t.profile(rows, fit, name, m, l)
		}
		l[j] = 0
	}
	result.PutComponents(out.Port("components"), m, "fit", fit)
	result.PutFit(out.Port("fits"), m, "fit", fit)
	if fit == "mixed" {
		t.line(out, m)
	}
}

func (t *trend) effect(rows *sdk.Rows, fit, term, interval string, e estimate.Estimate, err error, note string) {
	result.Put(rows, "fit", fit, "term", term, "interval", interval)
	result.PutEstimate(rows, e, err, note)
}

func (t *trend) profile(rows *sdk.Rows, fit, term string, m *lmm.Model, l []float64) {
	nan := math.NaN()
	e := estimate.Estimate{SE: nan, DF: nan, Statistic: nan, P: nan}
	i, err := m.ProfileInterval(term, l, t.Level)
	e.Estimate, e.Lower, e.Upper = i.Estimate, i.Lower, i.Upper
	t.effect(rows, fit, term, "profile", e, err, "")
}

func (t *trend) failed(out *sdk.Outputs, fit string, err error) {
	t.opening.Log("warning: %s: %v", fit, err)
	t.effect(out.Port("effects"), fit, t.years, "t", estimate.Estimate{}, err, "")
}

// line writes the population's mean over the models' times.
func (t *trend) line(out *sdk.Outputs, m *lmm.Model) {
	if len(m.Coefficients()) != 2 {
		return
	}
	rows := out.Port("line")
	from, to := slices.Min(t.scores.years)-t.origin, slices.Max(t.scores.years)-t.origin
	for i := range t.LinePoints {
		x := from + (to-from)*float64(i)/float64(t.LinePoints-1)
		e, err := estimate.Of(m, "line", []float64{1, x}, t.Level)
		if err != nil {
			t.opening.Log("warning: no line: %v", err)
			return
		}
		result.Put(rows, "year", t.origin+x, "years", x, "mean", e.Estimate, "se", e.SE, "ci_lower", e.Lower, "ci_upper", e.Upper)
	}
}

// least fits by least squares, as if all scores were independent.
func (t *trend) least(out *sdk.Outputs, fit string) {
	_, d, err := t.design(fit)
	var m *ols.Model
	if err == nil {
		m, err = ols.Fit(d, ols.Options{})
	}
	if err != nil {
		t.failed(out, fit, err)
		return
	}
	l := make([]float64, len(d.Names))
	for j, name := range d.Names {
		l[j] = 1
		e, err := estimate.Of(m, name, l, t.Level)
		l[j] = 0
		t.effect(out.Port("effects"), fit, name, "t", e, err, fmt.Sprintf("takes %d scores of %d models as independent: the standard error is too small", len(d.Y), len(t.models.list)))
	}
}
