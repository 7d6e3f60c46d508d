package main

import (
	"encoding/json"
	"fmt"

	"github.com/seed-4012077a/flow/plugins/internal/nullable"
	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/design"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
)

const meanSchema = `"formula": {"type": "string", "description": "one-sided formula of fixed effects, as \"~ lambda * week + domain\""},
	"coefficients": {"type": "object", "additionalProperties": {"type": "number"}, "description": "coefficients by the names of the formula's columns, as \"(Intercept)\", \"I(lambda^2)\", \"domainpolitical:week\"; the others are 0"}`

// trialSchema is the JSON Schema of design.Trial.
const trialSchema = `"type": "object", "additionalProperties": false, "required": ["participants", "outcomes"], "properties": {
	"participants": {"type": "integer", "minimum": 1},
	"id": {"type": "string", "default": "ppt", "description": "column of participants"},
	"factors": {"description": "what is assigned, in permuted blocks", ` + factorSchema + `},
	"covariates": {"description": "what participants bring, drawn by ratio", ` + factorSchema + `},
	"time": {"type": "string", "description": "column of measurement times"},
	"times": {"type": "array", "items": {"type": "number"}, "description": "the times"},
	"missing": {"type": "number", "minimum": 0, "exclusiveMaximum": 1, "description": "share of values missing at random"},
	"attrition": {"type": "object", "additionalProperties": false, "description": "log odds of leaving after each measurement but the last", "properties": {` + meanSchema + `}},
	"outcomes": {"type": "array", "minItems": 1, "items": {"type": "object", "additionalProperties": false, "required": ["name", "formula", "coefficients"], "properties": {
		"name": {"type": "string", "minLength": 1}, ` + meanSchema + `,
		"family": {"enum": ["gaussian", "binomial"]},
		"sd_intercept": {"type": "number", "minimum": 0, "description": "SD of participants' own intercepts, at the mean time"},
		"sd_slope": {"type": "number", "minimum": 0, "description": "SD of their own slopes of time"},
		"correlation": {"type": "number", "minimum": -1, "maximum": 1, "description": "of the two"},
		"sd": {"type": "number", "exclusiveMinimum": 0, "description": "residual SD of a gaussian outcome"},
		"min": {"type": "number"}, "max": {"type": "number"}, "step": {"type": "number", "minimum": 0, "description": "values are rounded to multiples of it"},
		"last": {"type": "boolean", "description": "measured at the last time only"}}}}}`

func simulateOperator() sdk.Operator {
	return sdk.Operator{
		Name: "simulate", Kind: sdk.Source,
		Doc: `Simulated trial: assignment in blocks, outcomes from stated effects with participants' own intercepts and slopes, and attrition.
An outcome is formula times coefficients, plus the participant's intercept and slope of time (centred), plus a residual; a binomial one is 0 or 1 with the inverse logit of that as its probability. Every row is marked in the column simulated.`,
		Outputs: []sdk.Port{{Name: "rows", Doc: "one row a participant and time", Columns: []sdk.ColumnSpec{{Name: design.Simulated, Type: "utf8", Doc: `"simulated", in every row`}}},
			{Name: "participants", Doc: "one row a participant, in the order of rows: who, what was assigned and brought", Columns: []sdk.ColumnSpec{
				{Name: design.LeftAfter, Type: "float64", Doc: "time of the last measurement of those who left before the end; null for the others, and not there in a trial of one measurement"},
				{Name: design.Simulated, Type: "utf8", Doc: `"simulated", in every row`}}}},
		Params: `{"type": "object", "additionalProperties": false, "required": ["trial"], "properties": {"trial": {"x-flow": "table", "description": "the trial: a table, or the name of a TOML file", ` + trialSchema + `}}}`,
		Open:   openSimulate,
	}
}

type simulate struct {
	sdk.NoProcess
	trial design.Trial
	seed  uint64
	ports []simulatedPort
}

// simulatedPort is a table on its way out.
type simulatedPort struct {
	name   string
	schema sdk.Schema
	data   *frame.Frame
	at     int // rows written
}

func openSimulate(o sdk.Opening) (sdk.Task, error) {
	var p struct {
		Trial json.RawMessage `json:"trial"`
	}
	if err := o.Decode(&p); err != nil {
		return nil, err
	}
	t := &simulate{seed: o.Seed()}
	if err := json.Unmarshal(p.Trial, &t.trial); err != nil {
		return nil, sdk.ParamError("trial", "%v", err)
	}
	for i, o := range t.trial.Outcomes {
		if o.Formula == "" {
			return nil, sdk.ParamError(fmt.Sprintf("trial.outcomes.%d.formula", i), "outcome %q has no formula; a constant mean is \"~ 1\"", o.Name)
		}
	}
	example, err := exampleOf(t.trial, t.trial.Participants).Simulate(0)
	if err != nil {
		return nil, sdk.ParamError("trial", "%v", err)
	}
	people, err := t.trial.People(example)
	if err != nil {
		return nil, sdk.ParamError("trial", "%v", err)
	}
	t.ports = []simulatedPort{{name: "rows", schema: schemaOf(example)}, {name: "participants", schema: schemaOf(people)}}
	for _, p := range t.ports {
		o.Output(p.name, p.schema)
	}
	return t, nil
}

const maxExample = 64

// exampleOf is a small trial of the same kind: it has the same columns and
// mistakes.
func exampleOf(t design.Trial, most int) design.Trial {
	t.Participants = 1
	for _, f := range t.Factors {
		t.Participants = min(t.Participants*max(len(f.Levels), 1), most, maxExample)
	}
	return t
}

// schemaOf gives a frame's columns: numbers and texts that may be missing.
func schemaOf(fr *frame.Frame) sdk.Schema {
	var s sdk.Schema
	for _, name := range fr.Names() {
		c, _ := fr.Column(name)
		typ := sdk.Float64
		if c.Kind == frame.Factor {
			typ = sdk.Utf8
		}
		s.Fields = append(s.Fields, sdk.Field{Name: name, Type: typ, Nullable: true})
	}
	return s
}

func (t *simulate) Next(out *sdk.Outputs) (bool, error) {
	if t.ports[0].data == nil {
		rows, err := t.trial.Simulate(t.seed)
		if err != nil {
			return false, sdk.ParamError("trial", "%v", err)
		}
		people, err := t.trial.People(rows)
		if err != nil {
			return false, sdk.ParamError("trial", "%v", err)
		}
		t.ports[0].data, t.ports[1].data = rows, people
	}
	more := false
	for i := range t.ports {
		p := &t.ports[i]
		p.write(out.Port(p.name))
		more = more || p.at < p.data.Rows()
	}
	return more, nil
}

// write writes the next rows.
func (p *simulatedPort) write(rows *sdk.Rows) {
	end := min(p.at+8192, p.data.Rows())
	for _, f := range p.schema.Fields {
		c, _ := p.data.Column(f.Name)
		b := rows.Col(f.Name)
		for i := p.at; i < end; i++ {
			switch {
			case c.Kind == frame.Numeric:
				nullable.Float(b, c.Num[i])
			case c.Codes[i] < 0:
				b.Null()
			default:
				b.Str(c.Levels[c.Codes[i]])
			}
		}
	}
	p.at = end
}
