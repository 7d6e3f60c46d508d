package main

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-4012077a/flow/plugins/internal/group"
	"github.com/seed-4012077a/flow/plugins/internal/result"
	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/panel"
)

func equivalentColumns() []result.Column {
	return []result.Column{result.Text("method", "interpolation between the anchors, or their least-squares line"), result.Text("resampled", "what the bootstrap draws: models; models, prompts; models, anchors; models, prompts, anchors"),
		result.Text("statistic", "median or mean of the models' means"), result.Number("centre", "its value"), result.Number("lambda", "at which the steered model scores so"),
		result.Number("ci_lower", "percentile bootstrap"), result.Number("ci_upper", ""), result.Count("n_models", "in the window"), result.Count("n_prompts", "of the panel"),
		result.Count("draws", "that gave a lambda"), result.Count("below", "draws below the anchors' scores"), result.Count("above", "draws above them"), result.Note()}
}

func anchorColumns() []result.Column {
	return []result.Column{result.Number("lambda", ""), result.Number("mean", ""), result.Number("ci_lower", "t interval over prompts"), result.Number("ci_upper", ""),
		result.Count("n", "scores"), result.Count("n_prompts", ""), result.Note()}
}

func modelColumns() []result.Column {
	return append(pointColumns()[:3:3], result.Number("mean", ""), result.Number("ci_lower", "t interval over prompts"), result.Number("ci_upper", ""), result.Count("n", "scores"),
		result.Truth("in_window", ""), result.Number("lambda", "equivalent by interpolation"), result.Number("lambda_line", "equivalent by the line"), result.Note())
}

func equivalentOperator() sdk.Operator {
	return sdk.Operator{
		Name: "equivalent", Kind: sdk.Table,
		Doc: `The lambda at which a steered model scores as a panel does: the median of the models' means in a window of time, on a scale through the steered model's means at its lambdas (anchors), by straight lines between neighbours and by one least-squares line.
Intervals are percentile bootstraps by the node's seed. Models are always drawn; with prompts drawn too they hold for other prompts, and with the anchors' prompts drawn they allow for the scale's own uncertainty (a prompt of both is drawn for both). A centre or a draw beyond the anchors has no lambda: below and above count them, and limits that fall there are null with a note.`,
		Inputs: []sdk.Port{
			{Name: "scores", Doc: "the panel: one row a model and prompt", Columns: []sdk.ColumnSpec{
				{Name: "{score}", Type: "number|bool"}, {Name: "{model}", Type: "any"}, {Name: "{prompt}", Type: "any"}, {Name: "{time}", Type: "any"}}},
			{Name: "anchors", Doc: "the steered model: one row a lambda and prompt", Columns: []sdk.ColumnSpec{{Name: "{lambda}", Type: "number"}}}},
		Outputs: []sdk.Port{result.Port("equivalents", "one row a method and way of resampling", equivalentColumns()),
			result.Port("anchors", "the scale", anchorColumns()), result.Port("models", "one row a model, with its own equivalent", modelColumns())},
		Params: `{"type": "object", "additionalProperties": false, "properties": {` + columnsSchema + `,
			"lambda": {"type": "string", "minLength": 1, "default": "lambda", "description": "column of the anchors' lambda"},
			"anchor_score": {"type": "string", "default": "", "description": "column of the anchors' score; empty: as score"},
			"anchor_prompt": {"type": "string", "default": "", "description": "column of the anchors' prompt; empty: as prompt"},
			"from": {"type": ["number", "string"], "default": "", "description": "models of this time and later, a date or a number; empty: from the first"},
			"to": {"type": ["number", "string"], "default": "", "description": "models before this time; empty: to the last"},
			"statistic": {"enum": ["median", "mean"], "default": "median", "description": "centre of the models' means"},
			"resampled": {"type": "array", "items": {"enum": ["models", "models, prompts", "models, anchors", "models, prompts, anchors"]}, "minItems": 1, "uniqueItems": true,
				"default": ["models", "models, prompts", "models, anchors", "models, prompts, anchors"], "description": "what the bootstrap draws"},
			"draws": {"type": "integer", "minimum": 100, "maximum": 1000000, "default": 10000, "description": "draws of each bootstrap"},
			"level": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1, "default": 0.95, "description": "confidence level"}}}`,
		Open: openEquivalent,
	}
}

type equivalentParams struct {
	columns
	Lambda       string   `json:"lambda"`
	AnchorScore  string   `json:"anchor_score"`
	AnchorPrompt string   `json:"anchor_prompt"`
	From         any      `json:"from"`
	To           any      `json:"to"`
	Statistic    string   `json:"statistic"`
	Resampled    []string `json:"resampled"`
	Draws        int      `json:"draws"`
	Level        float64  `json:"level"`
}

type equivalent struct {
	equivalentParams
	opening sdk.Opening
	*scores
	from, to float64

	lambda  []float64 // of the anchors' rows
	prompt  []int
	value   []float64
	anchorN int // rows
	left    int
}

func openEquivalent(o sdk.Opening) (sdk.Task, error) {
	t := &equivalent{opening: o, from: math.Inf(-1), to: math.Inf(1)}
	err := o.Decode(&t.equivalentParams)
	if err != nil {
		return nil, err
	}
	if t.scores, err = newScores(o, "scores", t.equivalentParams.columns, &names{}); err != nil {
		return nil, err
	}
	if t.AnchorScore == "" {
		t.AnchorScore = t.scores.Score
	}
	if t.AnchorPrompt == "" {
		t.AnchorPrompt = t.scores.Prompt
	}
	in := o.Input("anchors")
	if err := result.Numeric(in, "lambda", t.Lambda); err != nil {
		return nil, err
	}
	if err := result.Numeric(in, "anchor_score", t.AnchorScore); err != nil {
		return nil, err
	}
	f, err := result.Need(in, "anchor_prompt", t.AnchorPrompt)
	if err != nil {
		return nil, err
	}
	if !group.Single(f.Type) {
		return nil, sdk.ParamError("anchor_prompt", "column %q is %s: a name is a text, a number or a boolean", f.Name, f.Type)
	}
	for _, w := range []struct {
		parameter string
		value     any
		to        *float64
	}{{"from", t.From, &t.from}, {"to", t.To, &t.to}} {
		year, given, err := limit(w.parameter, w.value)
		if err != nil {
			return nil, err
		}
		if given {
			*w.to = year
		}
	}
	if t.from >= t.to {
		return nil, sdk.ParamError("from", "no time is from %g on and before %g", t.from, t.to)
	}
	o.Output("equivalents", sdk.Schema{Fields: result.Fields(equivalentColumns())})
	o.Output("anchors", sdk.Schema{Fields: result.Fields(anchorColumns())})
	o.Output("models", sdk.Schema{Fields: result.Fields(modelColumns())})
	return t, nil
}

func (t *equivalent) Process(port string, in *sdk.Batch, _ *sdk.Outputs) error {
	if port == "scores" {
		return t.add(in)
	}
	lambda, score, prompt := in.Col(t.Lambda), in.Col(t.AnchorScore), in.Col(t.AnchorPrompt)
	for i := range in.Len() {
		l, okLambda, err := result.Score(lambda, i, t.Lambda, t.anchorN+i)
		if err != nil {
			return err
		}
		v, okScore, err := result.Score(score, i, t.AnchorScore, t.anchorN+i)
		if err != nil {
			return err
		}
		name, okPrompt := group.Text(prompt, i)
		if !okLambda || !okScore || !okPrompt {
			t.left++
			continue
		}
		t.lambda = append(t.lambda, l)
		t.value = append(t.value, v)
		t.prompt = append(t.prompt, t.prompts.of(name))
	}
	t.anchorN += in.Len()
	return nil
}

func (t *equivalent) Finish(out *sdk.Outputs) error {
	if err := t.check(); err != nil {
		return err
	}
	if len(t.lambda) == 0 {
		return sdk.Errorf("no row of the anchors has a lambda, a score and a prompt (%d rows)", t.anchorN)
	}
	lambdas := slices.Compact(slices.Sorted(slices.Values(t.lambda)))
	anchors := panel.NewScores(len(lambdas), len(t.prompts.list))
	for i, l := range t.lambda {
		k, _ := slices.BinarySearch(lambdas, l)
		anchors.Add(k, t.prompt[i], t.value[i])
	}
	t.anchorRows(out, anchors, lambdas)
	scores := t.table()
	curves := t.curves(anchors, lambdas)
	var window []int
	for k, year := range t.years {
		if year >= t.from && year < t.to {
			window = append(window, k)
		}
	}
	t.models(out, scores, curves)
	if len(window) == 0 {
		first, last := slices.Min(t.years), slices.Max(t.years)
		return sdk.ParamError("from", "no model is of the window; their times go from %.6g to %.6g", first, last)
	}
	ways := make([]panel.Resampling, len(t.Resampled))
	for i, name := range t.Resampled {
		for _, w := range []panel.Resampling{{}, {Prompts: true}, {Anchors: true}, {Prompts: true, Anchors: true}} {
			if w.String() == name {
				ways[i] = w
			}
		}
	}
	selected := scores.Select(window)
	found, err := panel.Equivalents(selected, anchors, lambdas, ways, panel.Options{Mean: t.Statistic == "mean", Draws: t.Draws, Level: t.Level}, t.opening.Rand())
	rows := out.Port("equivalents")
	if err != nil {
		t.opening.Log("warning: no lambda equivalent: %v", err)
		nan := math.NaN()
		result.Put(rows, "method", nil, "resampled", nil, "statistic", t.Statistic, "centre", nan, "lambda", nan, "ci_lower", nan, "ci_upper", nan,
			"n_models", len(window), "n_prompts", nil, "draws", nil, "below", nil, "above", nil, "note", err.Error())
		return nil
	}
	for _, e := range found {
		result.Put(rows, "method", e.Method.String(), "resampled", e.Resampled.String(), "statistic", t.Statistic, "centre", e.Centre, "lambda", e.Lambda, "ci_lower", e.Lower, "ci_upper", e.Upper,
			"n_models", len(window), "n_prompts", selected.Prompts(), "draws", e.Draws, "below", e.Below, "above", e.Above, "note", t.notes(e, curves[0], lambdas))
	}
	return nil
}

// notes says why a number is missing.
func (t *equivalent) notes(e panel.Equivalent, c *panel.Curve, lambdas []float64) string {
	beyond := func(what string, v float64) string {
		switch {
		case math.IsInf(v, -1):
			return fmt.Sprintf("%s lies below lambda %g, the least anchor", what, lambdas[0])
		case math.IsInf(v, 1):
			return fmt.Sprintf("%s lies above lambda %g, the largest anchor", what, lambdas[len(lambdas)-1])
		case math.IsNaN(v):
			return "the anchors give no single lambda for " + what
		}
		return ""
	}
	monotone := ""
	if e.Method == panel.Interpolation && c != nil && !c.Monotone() {
		monotone = "the anchors' means neither rise nor fall all the way"
	}
	undefined := ""
	if e.Undefined > 0 {
		undefined = fmt.Sprintf("%d draws gave no single lambda", e.Undefined)
	}
	skipped := t.note()
	if t.left > 0 {
		skipped = result.Notes(skipped, fmt.Sprintf("%d rows of the anchors without a lambda, score or prompt are left out", t.left))
	}
	extrapolated := ""
	if e.Method == panel.Line && (e.Lambda < lambdas[0] || e.Lambda > lambdas[len(lambdas)-1]) {
		extrapolated = "extrapolated beyond the anchors"
	}
	return result.Notes(beyond("the centre", e.Lambda), beyond("the lower limit", e.Lower), beyond("the upper limit", e.Upper), monotone, undefined, extrapolated, skipped)
}

// curves of both methods, nil where the anchors give none.
func (t *equivalent) curves(anchors *panel.Scores, lambdas []float64) [2]*panel.Curve {
	mean, n := anchors.Means(), make([]float64, len(lambdas))
	for k := range n {
		n[k] = float64(anchors.Rows(k))
	}
	var out [2]*panel.Curve
	for m := range out {
		if c, err := panel.NewCurve(panel.Method(m), lambdas, mean, n); err == nil {
			out[m] = c
		}
	}
	return out
}

func (t *equivalent) anchorRows(out *sdk.Outputs, anchors *panel.Scores, lambdas []float64) {
	rows := out.Port("anchors")
	for k, l := range lambdas {
		e, n, prompts, err := anchors.Mean(k, t.Level)
		note := ""
		if err != nil {
			note, e.Lower, e.Upper = err.Error(), math.NaN(), math.NaN()
		}
		result.Put(rows, "lambda", l, "mean", e.Estimate, "ci_lower", e.Lower, "ci_upper", e.Upper, "n", n, "n_prompts", prompts, "note", note)
	}
}

func (t *equivalent) models(out *sdk.Outputs, scores *panel.Scores, curves [2]*panel.Curve) {
	rows := out.Port("models")
	for k, model := range t.scores.models.list {
		e, n, _, err := scores.Mean(k, t.Level)
		note := ""
		if err != nil {
			note, e.Lower, e.Upper = err.Error(), math.NaN(), math.NaN()
		}
		at := [2]float64{math.NaN(), math.NaN()}
		for m, c := range curves {
			if c != nil {
				at[m] = c.Lambda(e.Estimate)
			}
		}
		if math.IsInf(at[0], 0) {
			note = result.Notes(note, "scores beyond the anchors")
		}
		result.Put(rows, "model", model, "developer", t.makers[k], "year", t.years[k], "mean", e.Estimate, "ci_lower", e.Lower, "ci_upper", e.Upper, "n", n,
			"in_window", t.years[k] >= t.from && t.years[k] < t.to, "lambda", at[0], "lambda_line", at[1], "note", note)
	}
}
