package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/seed-4012077a/flow/plugins/internal/group"
	"github.com/seed-4012077a/flow/plugins/internal/nullable"
	"github.com/seed-4012077a/flow/plugins/internal/result"
	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/design"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
)

func consortOperator() sdk.Operator {
	return sdk.Operator{
		Name: "consort", Kind: sdk.Table,
		Doc: `Counts of a CONSORT flow diagram: how many participants came to each stage, by arm from the stage randomised on, and why the others went no further.
Stages are passed in order: a participant leaves after the first stage whose lost column is true (a boolean, a number other than 0, or one of the values in lost_values), with the text of the reason column. The counts of a stage are those of the one before less its losses. Counts of rows marked in a column simulated are marked so themselves.`,
		Inputs: []sdk.Port{{Name: "participants", Doc: "one row a participant", Columns: []sdk.ColumnSpec{{Name: "{arms}", Type: "any"}}}},
		Outputs: []sdk.Port{{Name: "flow", Doc: "one row a stage and arm, and one for every reason of leaving it", Columns: []sdk.ColumnSpec{
			{Name: "stage", Type: "utf8"}, {Name: "step", Type: "int64", Doc: "number of the stage, from 1"}, {Name: "arm", Type: "utf8", Doc: "null before randomisation"},
			{Name: "n", Type: "int64", Doc: "came to the stage"}, {Name: "lost", Type: "int64", Doc: "of them, did not come to the next"},
			{Name: "reason", Type: "utf8", Doc: "null in the row that counts all reasons"}}}},
		Params: `{"type": "object", "additionalProperties": false, "required": ["stages", "arms"], "properties": {
			"arms": {"type": "array", "items": {"type": "string"}, "minItems": 1, "description": "columns whose combination is the arm; a number goes with its column's name"},
			"randomised": {"type": "string", "default": "", "description": "stage from which on arms are counted apart; empty: the first"},
			"stages": {"type": "array", "minItems": 1, "description": "the stages in order", "items": {"type": "object", "additionalProperties": false, "required": ["name"], "properties": {
				"name": {"type": "string", "minLength": 1},
				"lost": {"type": "string", "description": "column that tells who went no further after this stage"},
				"lost_values": {"type": "array", "items": {"type": "string"}, "description": "texts of that column that mean so; left out: true, or a number other than 0"},
				"reason": {"type": "string", "description": "column with the reason"}}}}}}`,
		Open: openConsort,
	}
}

type stage struct {
	Name       string   `json:"name"`
	Lost       string   `json:"lost"`
	LostValues []string `json:"lost_values"`
	Reason     string   `json:"reason"`
}

type consort struct {
	Arms       []string `json:"arms"`
	Randomised string   `json:"randomised"`
	Stages     []stage  `json:"stages"`

	mark   result.Mark
	people []design.Participant
	seen   []string // arms
	rows   int
}

func openConsort(o sdk.Opening) (sdk.Task, error) {
	t := &consort{}
	if err := o.Decode(t); err != nil {
		return nil, err
	}
	in := o.Input("participants")
	need := func(parameter, name string) error {
		f, ok := in.Field(name)
		if !ok {
			return sdk.ParamError(parameter, "there is no column %q: %s", name, frame.Choices(name, in.Names()))
		}
		if !group.Single(f.Type) {
			return sdk.ParamError(parameter, "column %q is %s, not a single value", name, f.Type)
		}
		return nil
	}
	for _, a := range t.Arms {
		if err := need("arms", a); err != nil {
			return nil, err
		}
	}
	var names []string
	for i, s := range t.Stages {
		names = append(names, s.Name)
		for key, column := range map[string]string{"lost": s.Lost, "reason": s.Reason} {
			if column == "" {
				continue
			}
			if err := need(fmt.Sprintf("stages.%d.%s", i, key), column); err != nil {
				return nil, err
			}
		}
		if s.Lost == "" && (s.Reason != "" || s.LostValues != nil) {
			return nil, sdk.ParamError(fmt.Sprintf("stages.%d", i), "names a reason, and no column lost that tells who left")
		}
		if f, _ := in.Field(s.Lost); s.Lost != "" && s.LostValues == nil && f.Type.IsString() {
			return nil, sdk.ParamError(fmt.Sprintf("stages.%d.lost", i), "column %q holds texts: say in lost_values which of them mean that a participant left", s.Lost)
		}
	}
	if last := len(t.Stages) - 1; t.Stages[last].Lost != "" {
		return nil, sdk.ParamError(fmt.Sprintf("stages.%d.lost", last), "nobody can be lost after the last stage: add the stage that they did not come to")
	}
	if t.Randomised == "" {
		t.Randomised = t.Stages[0].Name
	}
	if _, err := design.Flow(names, t.Randomised, nil, nil); err != nil {
		return nil, sdk.ParamError("stages", "%v", err)
	}
	t.mark = result.MarkOf(in)
	o.Output("flow", sdk.Schema{Fields: slices.Concat([]sdk.Field{{Name: "stage", Type: sdk.Utf8}, {Name: "step", Type: sdk.Int64}},
		nullable.Texts("arm"), []sdk.Field{{Name: "n", Type: sdk.Int64}, {Name: "lost", Type: sdk.Int64}}, nullable.Texts("reason"), t.mark.Fields())})
	return t, nil
}

func (t *consort) Process(_ string, in *sdk.Batch, _ *sdk.Outputs) error {
	t.mark.See(in)
	for i := range in.Len() {
		p := design.Participant{Reached: len(t.Stages) - 1}
		var arm []string
		for _, a := range t.Arms {
			c := in.Col(a)
			text, ok := group.Text(c, i)
			switch {
			case ok && c.Type().IsNumber():
				arm = append(arm, a+" "+text) // a number alone says nothing
			case ok:
				arm = append(arm, strings.Clone(text))
			}
		}
		if len(arm) == len(t.Arms) {
			p.Arm = strings.Join(arm, " ")
		}
		for s, st := range t.Stages {
			if st.Lost == "" || !left(in.Col(st.Lost), i, st.LostValues) {
				continue
			}
			p.Reached = s
			if st.Reason != "" {
				if text, ok := group.Text(in.Col(st.Reason), i); ok {
					p.Reason = strings.Clone(text)
				}
			}
			break
		}
		if p.Arm != "" && !slices.Contains(t.seen, p.Arm) {
			t.seen = append(t.seen, p.Arm)
		}
		if p.Arm == "" && p.Reached >= slices.IndexFunc(t.Stages, func(s stage) bool { return s.Name == t.Randomised }) {
			return sdk.Errorf("row %d came to the stage %q and has no arm: columns %s hold nulls", t.rows+i+1, t.Randomised, strings.Join(t.Arms, ", "))
		}
		t.people = append(t.people, p)
	}
	t.rows += in.Len()
	return nil
}

// left reads whether a participant went no further. Null means not.
func left(c *sdk.Column, i int, values []string) bool {
	if c.IsNull(i) {
		return false
	}
	text, _ := group.Text(c, i)
	switch {
	case values != nil:
		return slices.Contains(values, text)
	case c.Type().Equal(sdk.Bool):
		return c.Bool(i)
	}
	v := c.Float(i)
	return v != 0 && !math.IsNaN(v)
}

func (t *consort) Finish(out *sdk.Outputs) error {
	var names []string
	for _, s := range t.Stages {
		names = append(names, s.Name)
	}
	slices.Sort(t.seen)
	boxes, err := design.Flow(names, t.Randomised, t.seen, t.people)
	if err != nil {
		return sdk.Errorf("%v", err)
	}
	rows := out.Port("flow")
	reasons := map[string]bool{} // stages that give any
	for _, s := range t.Stages {
		reasons[s.Name] = s.Reason != ""
	}
	write := func(b design.Box, n, lost int, reason string) {
		rows.Col("stage").Str(b.Stage)
		rows.Col("step").Int(int64(slices.Index(names, b.Stage)) + 1)
		nullable.Text(rows.Col("arm"), b.Arm)
		rows.Col("n").Int(int64(n))
		rows.Col("lost").Int(int64(lost))
		nullable.Text(rows.Col("reason"), reason)
		t.mark.Put(rows)
	}
	for _, b := range boxes {
		write(b, b.N, b.Lost, "")
		if !reasons[b.Stage] {
			continue
		}
		for _, r := range b.Reasons {
			text := r.Text
			if text == "" {
				text = "no reason given"
			}
			write(b, b.N, r.N, text)
		}
	}
	return nil
}
