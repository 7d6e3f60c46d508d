package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-4012077a/flow/plugins/internal/gather"
	"github.com/seed-4012077a/flow/plugins/internal/result"
	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/emm"
	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"github.com/seed-4012077a/flow/sdk/stats/lmm"
)

func withOutcome(columns ...[]result.Column) []result.Column {
	return append([]result.Column{result.Text("outcome", "column of the score")}, slices.Concat(columns...)...)
}

func adjusted() result.Column { return result.Number("p_adjusted", "p_value corrected") }

func slopeColumns() []result.Column {
	return withOutcome([]result.Column{result.Text("arm", ""), result.Number("lambda", "where the slope is")}, result.Estimate(), []result.Column{result.Note()})
}

func contrastColumns() []result.Column {
	return withOutcome([]result.Column{result.Text("contrast", "of two arms' slopes"), result.Number("lambda", "where the slopes are")}, result.Estimate(), []result.Column{adjusted(), result.Note()})
}

func meanColumns() []result.Column {
	return withOutcome([]result.Column{result.Text("arm", ""), result.Number("lambda", ""), result.Number("mean", "marginal mean"), result.Number("se", ""), result.Number("ci_lower", ""), result.Number("ci_upper", ""), result.Note()})
}

func steeringOperator() sdk.Operator {
	return sdk.Operator{
		Name: "steering", Kind: sdk.Table,
		Doc: `Steering against prompting: score ~ (lambda + lambda^2) * arm + (1 | prompt) by REML, arms that answered the same prompts at the same lambdas. slopes are the derivatives of the arms' curves by lambda, contrasts their differences; means are the curves at the lambdas of the data.
Example: with = { outcomes = ["relationship", "coherence"], lambda = "level", arm = "model", reference = "steered" }.`,
		Inputs: []sdk.Port{{Name: "scores", Doc: "one row an arm, lambda and prompt", Columns: []sdk.ColumnSpec{
			{Name: "{outcomes}", Type: "number|bool"}, {Name: "{lambda}", Type: "number"}, {Name: "{arm}", Type: "any"}, {Name: "{prompt}", Type: "any"}}}},
		Outputs: []sdk.Port{result.Port("slopes", "one row an outcome, arm and lambda", slopeColumns()), result.Port("contrasts", "differences of slopes", contrastColumns()),
			result.Port("means", "one row an outcome, arm and lambda", meanColumns()), result.Port("coefficients", "fixed effects", withOutcome(result.Coefficients())),
			result.Port("components", "variances", withOutcome(result.Components())), result.Port("fits", "one row an outcome", withOutcome(result.Fit()))},
		Params: `{"type": "object", "additionalProperties": false, "properties": {
			"outcomes": {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1, "uniqueItems": true, "default": ["score"], "description": "columns of scores, each analysed apart"},` +
			columnSchema("lambda", "lambda", "column of lambda, or of the level that a prompt asks for") + `,` + columnSchema("arm", "model", "column of the arm") + `,` +
			columnSchema("prompt", "prompt", "column of the prompt") + `,
			"reference": {"type": "string", "default": "", "description": "arm that others are compared with; empty: the first in alphabetical order"},
			"form": {"enum": ["linear", "quadratic", "cubic"], "default": "quadratic", "description": "polynomial of lambda"},
			"at": {"type": "array", "items": {"type": "number"}, "uniqueItems": true, "default": [], "description": "lambdas of the slopes; empty: the mean lambda"},
			"contrasts": {"enum": ["reference", "pairwise"], "default": "reference", "description": "each arm less the reference, or all pairs"},
			"adjust": {"enum": ["none", "bonferroni", "holm", "hochberg", "hommel", "BH", "BY", "tukey", "sidak"], "default": "none", "description": "correction of the contrasts' p-values within an outcome and lambda; tukey with pairwise only"},` +
			dfSchema + `,` + levelSchema + `}}`,
		Open: openSteering,
	}
}

type steering struct {
	Outcomes  []string  `json:"outcomes"`
	Lambda    string    `json:"lambda"`
	Arm       string    `json:"arm"`
	Prompt    string    `json:"prompt"`
	Reference string    `json:"reference"`
	Form      string    `json:"form"`
	At        []float64 `json:"at"`
	Contrasts string    `json:"contrasts"`
	Adjust    string    `json:"adjust"`
	DF        string    `json:"df"`
	Level     float64   `json:"level"`

	opening sdk.Opening
	df      lmm.DF
	data    *gather.Table
}

func openSteering(o sdk.Opening) (sdk.Task, error) {
	t := &steering{opening: o}
	err := o.Decode(t)
	if err != nil {
		return nil, err
	}
	in := o.Input("scores")
	for _, name := range t.Outcomes {
		if err := result.Numeric(in, "outcomes", name); err != nil {
			return nil, err
		}
	}
	if err := result.Numeric(in, "lambda", t.Lambda); err != nil {
		return nil, err
	}
	if err := labelled(in, "arm", t.Arm); err != nil {
		return nil, err
	}
	if err := labelled(in, "prompt", t.Prompt); err != nil {
		return nil, err
	}
	parts := append([]string{t.Lambda, t.Arm, t.Prompt}, t.Outcomes...)
	for i, name := range parts {
		if slices.Contains(parts[:i], name) {
			return nil, sdk.ParamError("outcomes", "column %q has two parts to play: outcomes, lambda, arm and prompt are different columns", name)
		}
	}
	if t.Adjust == "tukey" && t.Contrasts != "pairwise" {
		return nil, sdk.ParamError("adjust", "tukey is for all pairs: with contrasts = \"pairwise\"")
	}
	if t.df, err = lmm.ParseDF(t.DF); err != nil {
		return nil, sdk.ParamError("df", "%v", err)
	}
	if t.data, err = gather.Of(in, "outcomes", parts...); err != nil {
		return nil, err
	}
	for port, columns := range map[string][]result.Column{"slopes": slopeColumns(), "contrasts": contrastColumns(), "means": meanColumns(),
		"coefficients": withOutcome(result.Coefficients()), "components": withOutcome(result.Components()), "fits": withOutcome(result.Fit())} {
		o.Output(port, sdk.Schema{Fields: result.Fields(columns)})
	}
	return t, nil
}

func (t *steering) Process(_ string, in *sdk.Batch, _ *sdk.Outputs) error {
	t.data.Add(in)
	return nil
}

func (t *steering) Finish(out *sdk.Outputs) error {
	if t.data.Rows() == 0 {
		return sdk.Errorf("the scores table has no rows")
	}
	data, err := t.data.Frame()
	if err != nil {
		return sdk.Errorf("%v", err)
	}
	// Names that are numbers are names all the same.
	for _, name := range []string{t.Arm, t.Prompt} {
		c, _ := data.Column(name)
		if data, err = data.With(c.ToFactor().DropLevels()); err != nil {
			return sdk.Errorf("%v", err)
		}
	}
	arms, _ := data.Column(t.Arm)
	if len(arms.Levels) == 0 {
		return sdk.ColumnError(t.Arm, "is null in every row")
	}
	if t.Reference, err = levelOf("reference", t.Reference, arms.Levels); err != nil {
		return err
	}
	for i, outcome := range t.Outcomes {
		out.Progress(int64(i), int64(len(t.Outcomes)), outcome)
		if err := t.analyse(out, data, outcome); err != nil {
			t.opening.Log("warning: %s: %v", outcome, err)
			result.PutNoFit(out.Port("fits"), t.formula(outcome), err, "outcome", outcome)
		}
	}
	return nil
}

func (t *steering) formula(outcome string) string {
	l := formula.Quote(t.Lambda)
	terms := []string{l, "I(" + l + "^2)", "I(" + l + "^3)"}[:1+slices.Index([]string{"linear", "quadratic", "cubic"}, t.Form)]
	form := terms[0]
	if len(terms) > 1 {
		form = "(" + strings.Join(terms, " + ") + ")"
	}
	return fmt.Sprintf("%s ~ %s * %s + (1 | %s)", formula.Quote(outcome), form, formula.Quote(t.Arm), formula.Quote(t.Prompt))
}

// analyse fits an outcome and writes what follows from it. What can't be
// estimated once the model is there is a note where its numbers would be.
func (t *steering) analyse(out *sdk.Outputs, data *frame.Frame, outcome string) error {
	f, err := formula.Parse(t.formula(outcome))
	if err != nil {
		return err
	}
	d, err := f.Design(data, formula.Options{Reference: map[string]string{t.Arm: t.Reference}})
	if err != nil {
		return err
	}
	m, err := lmm.Fit(d, lmm.Options{REML: true, DF: t.df})
	if err != nil {
		return err
	}
	lead := []any{"outcome", outcome}
	result.PutFit(out.Port("fits"), m, lead...)
	result.PutCoefficients(out.Port("coefficients"), m, t.Level, lead...)
	result.PutComponents(out.Port("components"), m, lead...)
	lambda, _ := d.Data().Column(t.Lambda)
	at := t.At
	if len(at) == 0 {
		mean := 0.0
		for _, v := range lambda.Num {
			mean += v
		}
		at = []float64{mean / float64(len(lambda.Num))}
	}
	for _, l := range at {
		t.slopes(out, m, outcome, l)
	}
	t.means(out, m, outcome, lambda.Distinct())
	return nil
}

func (t *steering) slopes(out *sdk.Outputs, m *lmm.Model, outcome string, at float64) {
	failed := func(port, what string, err error) {
		rows := out.Port(port)
		result.Put(rows, "outcome", outcome, what, nil, "lambda", at)
		result.PutEstimate(rows, emm.Result{}.Estimate, err, "")
		if port == "contrasts" {
			rows.Col("p_adjusted").Null()
		}
	}
	set, err := emm.Slopes(m, t.Lambda, emm.GridOptions{At: map[string][]float64{t.Lambda: {at}}}, []string{t.Arm}, nil, emm.Equal)
	var found []emm.Result
	if err == nil {
		found, err = set.Estimates(emm.Report{Level: t.Level})
	}
	if err != nil {
		failed("slopes", "arm", err)
		return
	}
	for _, r := range found {
		rows := out.Port("slopes")
		result.Put(rows, "outcome", outcome, "arm", r.Levels[0], "lambda", at)
		result.PutEstimate(rows, r.Estimate, nil, r.NotEstimable)
	}
	method := emm.VsControl(t.Reference)
	if t.Contrasts == "pairwise" {
		method = emm.Pairwise()
	}
	contrasts, err := set.Contrast(method)
	if err == nil {
		found, err = contrasts.Estimates(emm.Report{Level: t.Level, Adjust: t.Adjust})
	}
	if err != nil {
		failed("contrasts", "contrast", err)
		return
	}
	for _, r := range found {
		rows := out.Port("contrasts")
		result.Put(rows, "outcome", outcome, "contrast", r.Label, "lambda", at, "p_adjusted", r.Adjusted)
		result.PutEstimate(rows, r.Estimate, nil, r.NotEstimable)
	}
}

// maxMeans is how many lambdas the curves have at most.
const maxMeans = 200

func (t *steering) means(out *sdk.Outputs, m *lmm.Model, outcome string, lambdas []float64) {
	rows := out.Port("means")
	failed := func(err error) {
		result.Put(rows, "outcome", outcome, "arm", nil, "lambda", nil, "mean", nil, "se", nil, "ci_lower", nil, "ci_upper", nil, "note", err.Error())
	}
	if len(lambdas) > maxMeans {
		every := make([]float64, maxMeans)
		for i := range every {
			every[i] = lambdas[0] + (lambdas[len(lambdas)-1]-lambdas[0])*float64(i)/(maxMeans-1)
		}
		lambdas = every
	}
	for _, l := range lambdas {
		grid, err := emm.NewGrid(m, emm.GridOptions{At: map[string][]float64{t.Lambda: {l}}})
		var set *emm.Set
		var found []emm.Result
		if err == nil {
			set, err = grid.Means([]string{t.Arm}, nil, emm.Equal)
		}
		if err == nil {
			found, err = set.Estimates(emm.Report{Level: t.Level})
		}
		if err != nil {
			failed(fmt.Errorf("lambda %s: %w", strconv.FormatFloat(l, 'g', -1, 64), err))
			return
		}
		for _, r := range found {
			result.Put(rows, "outcome", outcome, "arm", r.Levels[0], "lambda", l, "mean", r.Estimate.Estimate, "se", r.SE, "ci_lower", r.Lower, "ci_upper", r.Upper, "note", r.NotEstimable)
		}
	}
}
