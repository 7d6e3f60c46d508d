package main

import (
	"fmt"
	"math"
	"strconv"

	"github.com/seed-4012077a/flow/plugins/internal/gather"
	"github.com/seed-4012077a/flow/plugins/internal/group"
	"github.com/seed-4012077a/flow/plugins/internal/result"
	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"github.com/seed-4012077a/flow/sdk/stats/lmm"
	"github.com/seed-4012077a/flow/sdk/stats/trajectory"
)

func slopeColumns() []result.Column {
	return []result.Column{result.Number("slope", "fixed effect of time plus the participant's deviation (BLUP)"), result.Number("intercept", "at the time of intercept_at"),
		result.Number("slope_sd", "conditional standard deviation"), result.Number("intercept_sd", "conditional standard deviation"),
		result.Count("n", "answers"), result.Count("n_times", "different times with an answer"), result.Note()}
}

func slopesOperator() sdk.Operator {
	return sdk.Operator{
		Name: "slopes", Kind: sdk.Table,
		Doc: `Participants' slopes over time: answer ~ time + (1 + time | participant) by REML, time centred on its mean; a slope is the fixed effect plus the participant's random effect (R's coef(lmer)).
Several outcomes of one construct are stacked, an answer a row. The slopes are shrunk towards their mean: their conditional standard deviations say how far the answers determine them. Example: with = { outcomes = ["likeable", "engaging"], time = "session", participant = "pid" }.`,
		Inputs: []sdk.Port{{Name: "data", Doc: "one row a participant and time", Columns: []sdk.ColumnSpec{
			{Name: "{outcomes}", Type: "number|bool"}, {Name: "{time}", Type: "number"}, {Name: "{participant}", Type: "any"}}}},
		Outputs: []sdk.Port{
			{Name: "slopes", Doc: "one row a participant, in the order of the data, with the participant column", Columns: specs(slopeColumns())},
			result.Port("coefficients", "the fixed effects", result.Coefficients()),
			result.Port("components", "variances of the random effects", result.Components()),
			result.Port("fit", "the model", append([]result.Column{result.Number("mean_time", "what time was centred on"), result.Number("intercept_time", "time of the intercepts")}, result.Fit()...)),
		},
		Params: `{"type": "object", "additionalProperties": false, "required": ["outcomes", "time", "participant"], "properties": {
			"outcomes": {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1, "uniqueItems": true, "description": "columns of answers; several are stacked"},
			"time": {"type": "string", "minLength": 1, "description": "column of the time, a number"},
			"participant": {"type": "string", "minLength": 1, "description": "column that identifies participants"},
			"outcome_effects": {"type": "boolean", "default": false, "description": "a fixed effect for each outcome: for stacked outcomes of different levels, of which some answers are missing"},
			"correlated": {"type": "boolean", "default": true, "description": "intercepts and slopes may be correlated"},
			"intercept_at": {"type": ["number", "null"], "default": null, "description": "time of the intercepts; left out: the mean time"},
			"level": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1, "default": 0.95, "description": "confidence level of the fixed effects"},
			"df": {"enum": ["satterthwaite", "kenward-roger", "asymptotic"], "default": "satterthwaite", "description": "degrees of freedom of the fixed effects"}}}`,
		Open: openSlopes,
	}
}

// specs describes columns that follow an input's.
func specs(columns []result.Column) []sdk.ColumnSpec {
	return result.Port("", "", columns).Columns
}

type slopesTask struct {
	opening sdk.Opening
	options trajectory.Options
	level   float64
	data    *gather.Table
	who     *group.Keys // participants in the order of the data
	codes   []int32     // by row
	noName  int         // rows without a participant
}

func openSlopes(o sdk.Opening) (sdk.Task, error) {
	var p struct {
		Outcomes       []string `json:"outcomes"`
		Time           string   `json:"time"`
		Participant    string   `json:"participant"`
		OutcomeEffects bool     `json:"outcome_effects"`
		Correlated     bool     `json:"correlated"`
		InterceptAt    *float64 `json:"intercept_at"`
		Level          float64  `json:"level"`
		DF             string   `json:"df"`
	}
	if err := o.Decode(&p); err != nil {
		return nil, err
	}
	in := o.Input("data")
	for _, name := range p.Outcomes {
		if err := result.Numeric(in, "outcomes", name); err != nil {
			return nil, err
		}
	}
	if err := result.Numeric(in, "time", p.Time); err != nil {
		return nil, err
	}
	df, err := lmm.ParseDF(p.DF)
	if err != nil {
		return nil, sdk.ParamError("df", "%v", err)
	}
	if _, err := result.Need(in, "participant", p.Participant); err != nil {
		return nil, err
	}
	t := &slopesTask{opening: o, level: p.Level, options: trajectory.Options{Outcomes: p.Outcomes, Time: p.Time, Participant: p.Participant,
		OutcomeEffects: p.OutcomeEffects, Uncorrelated: !p.Correlated, At: math.NaN(), DF: df}}
	if p.InterceptAt != nil {
		t.options.At = *p.InterceptAt
	}
	if t.who, err = group.New(in, "participant", []string{p.Participant}); err != nil {
		return nil, err
	}
	for i, name := range append([]string{p.Time, p.Participant}, p.Outcomes...) {
		for _, before := range append([]string{p.Time, p.Participant}, p.Outcomes...)[:i] {
			if name == before {
				return nil, sdk.ParamError("outcomes", "column %q has two parts to play: outcomes, time and participant are different columns", name)
			}
		}
	}
	if t.data, err = gather.Of(in, "outcomes", append([]string{p.Time}, p.Outcomes...)...); err != nil {
		return nil, err
	}
	if err := result.Declare(o, "slopes", "participant", t.who.Fields(), slopeColumns()); err != nil {
		return nil, err
	}
	o.Output("coefficients", sdk.Schema{Fields: result.Fields(result.Coefficients())})
	o.Output("components", sdk.Schema{Fields: result.Fields(result.Components())})
	o.Output("fit", sdk.Schema{Fields: result.Fields(append([]result.Column{result.Number("mean_time", ""), result.Number("intercept_time", "")}, result.Fit()...))})
	return t, nil
}

func (t *slopesTask) Process(_ string, in *sdk.Batch, _ *sdk.Outputs) error {
	col, of := in.Col(t.options.Participant), t.who.Rows(in)
	for i := range in.Len() {
		if col.IsNull(i) {
			t.codes = append(t.codes, -1)
			t.noName++
			continue
		}
		t.codes = append(t.codes, int32(of(i)))
	}
	t.data.Add(in)
	return nil
}

func (t *slopesTask) Finish(out *sdk.Outputs) error {
	if t.data.Rows() == 0 {
		return sdk.Errorf("the data have no rows")
	}
	if t.who.Len() == 0 {
		return sdk.ColumnError(t.options.Participant, "is null in every row")
	}
	data, err := t.data.Frame()
	if err != nil {
		return sdk.Errorf("%v", err)
	}
	levels := make([]string, t.who.Len())
	for g := range levels {
		levels[g] = strconv.Itoa(g)
	}
	// Participants are known to the model by their numbers; a column of the
	// data has their name in the formula only.
	if data, err = data.With(&frame.Column{Name: t.options.Participant, Kind: frame.Factor, Codes: t.codes, Levels: levels}); err != nil {
		return sdk.Errorf("%v", err)
	}
	fit, err := trajectory.Slopes(data, t.options)
	if err != nil {
		t.opening.Log("warning: no slopes: %v", err)
		t.failed(out, err)
		return nil
	}
	result.PutCoefficients(out.Port("coefficients"), fit.Model, t.level)
	result.PutComponents(out.Port("components"), fit.Model)
	rows := out.Port("fit")
	result.PutFit(rows, fit.Model, "mean_time", fit.Centre, "intercept_time", fit.At)
	note := ""
	if t.noName > 0 {
		note = fmt.Sprintf("%d rows without a participant are left out", t.noName)
	}
	if note != "" {
		t.opening.Log("%s", note)
	}
	// Of a singular fit some effects are the same for all, and profiles of them
	// would be the fixed effect's sign.
	singular := ""
	if fit.Model.Singular() {
		singular = "singular: " + result.Notes(fit.Model.Notes()...)
		t.opening.Log("warning: %s", singular)
	}
	by := map[string]trajectory.Slope{}
	for _, s := range fit.Slopes {
		by[s.Participant] = s
	}
	for g, level := range levels {
		s, ok := by[level]
		t.row(out, g, s, ok, singular)
	}
	return nil
}

func (t *slopesTask) row(out *sdk.Outputs, g int, s trajectory.Slope, ok bool, note string) {
	rows := out.Port("slopes")
	t.who.Copy(rows, g)
	if !ok {
		result.Put(rows, "slope", nil, "intercept", nil, "slope_sd", nil, "intercept_sd", nil, "n", 0, "n_times", 0, "note", "no answer with a time")
		return
	}
	if s.Times == 1 {
		note = result.Notes("answers at one time only: the slope rests on the other participants'", note)
	}
	result.Put(rows, "slope", s.Slope, "intercept", s.Intercept, "slope_sd", s.SlopeSD, "intercept_sd", s.InterceptSD, "n", s.Answers, "n_times", s.Times, "note", note)
}

// failed writes every participant without a slope, and why.
func (t *slopesTask) failed(out *sdk.Outputs, err error) {
	for g := range t.who.Len() {
		rows := out.Port("slopes")
		t.who.Copy(rows, g)
		result.Put(rows, "slope", nil, "intercept", nil, "slope_sd", nil, "intercept_sd", nil, "n", nil, "n_times", nil, "note", err.Error())
	}
	result.PutNoFit(out.Port("fit"), "", err, "mean_time", nil, "intercept_time", nil)
}
