package main

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"

	"github.com/seed-4012077a/flow/plugins/internal/gather"
	"github.com/seed-4012077a/flow/plugins/internal/result"
	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/trial"
)

func analyseOperator() sdk.Operator {
	return sdk.Operator{
		Name: "analyse", Kind: sdk.Table,
		Doc: `Analyses a trial as its plan states: for each outcome and study the form of lambda by AIC, mixed, linear or logistic models, contrasts of marginal means with Kenward-Roger tests, time effects, robustness runs, and Benjamini-Hochberg correction within families.
The primary contrast is the mean of the marginal means at the high lambdas less that at the low ones. Specs: primary; coarsened (the sign of lambda in place of its value); the pairs of lambdas (narrow, full); each robustness run by its name. Corrected p-values are of the primary spec: p_local within a family, p_global within a study. What cannot be estimated is null, with the reason in note.
Results of rows marked in a column simulated are marked so themselves.
The data are one table, or several files read as one (read with match and file_column), from which the plan's tables take their rows.`,
		Inputs: []sdk.Port{{Name: "data", Doc: "the trial's data"}},
		Outputs: []sdk.Port{
			result.Port("contrasts", "one row a test and spec", contrastColumns),
			result.Port("models", "one row a fitted model; for the forms, which was chosen", modelColumns),
			result.Port("coefficients", "one row a coefficient of a model that is reported", coefficientColumns),
			result.Port("components", "one row a variance or covariance of a mixed model", componentColumns),
			result.Port("means", "marginal means along lambda and time, and the means of arms: what curves are drawn from", meanColumns),
			result.Port("associations", "one row a cell of a chi-squared test's table", associationColumns),
		},
		Params: `{"type": "object", "additionalProperties": false, "required": ["plan"], "properties": {
			"plan": {"x-flow": "table", "description": "the analysis plan: a table, or the name of a TOML file", ` + planSchema + `},
			"file_column": {"type": "string", "default": "file", "description": "column of the data with the name of each row's file"}}}`,
		Open: openAnalyse,
	}
}

type analyse struct {
	sdk.NoProcess
	opening sdk.Opening
	plan    *trial.Plan
	file    string
	data    *gather.Table
	mark    result.Mark
}

func openAnalyse(o sdk.Opening) (sdk.Task, error) {
	var p struct {
		Plan json.RawMessage `json:"plan"`
		File string          `json:"file_column"`
	}
	if err := o.Decode(&p); err != nil {
		return nil, err
	}
	in := o.Input("data")
	plan, err := trial.Parse(p.Plan)
	if err == nil {
		err = plan.CheckColumns(in.Names())
	}
	if err != nil {
		return nil, sdk.ParamError(trial.PathOf(err, "plan"), "%v", err)
	}
	for i, f := range plan.Factors {
		if slices.ContainsFunc(contrastColumns, func(c result.Column) bool { return c.Name == levelColumn(f) }) {
			return nil, sdk.ParamError(fmt.Sprintf("plan.factors.%d.column", i), "a factor's levels are in the column %q of the result, which has one already: join the factor under another name", levelColumn(f))
		}
	}
	t := &analyse{opening: o, plan: plan, file: p.File, mark: result.MarkOf(in)}
	// Of a wide input only the columns that the plan speaks of are collected.
	spoken := words(p.Plan)
	var names []string
	for _, f := range in.Fields {
		if f.Name == p.File || spoken[f.Name] {
			names = append(names, f.Name)
		}
	}
	if t.data, err = gather.Of(in, "plan", names...); err != nil {
		return nil, err
	}
	t.declare(o)
	return t, nil
}

// words are all texts of a JSON document, and the words in them.
func words(data []byte) map[string]bool {
	out := map[string]bool{}
	var visit func(v any)
	text := func(s string) {
		out[s] = true
		for _, w := range strings.FieldsFunc(s, func(r rune) bool { return r != '_' && r != '.' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
			out[w] = true
		}
		for i, w := range strings.Split(s, "`") {
			if i%2 == 1 {
				out[w] = true
			}
		}
	}
	visit = func(v any) {
		switch v := v.(type) {
		case string:
			text(v)
		case []any:
			for _, x := range v {
				visit(x)
			}
		case map[string]any:
			for k, x := range v {
				text(k)
				visit(x)
			}
		}
	}
	var doc any
	if json.Unmarshal(data, &doc) == nil {
		visit(doc)
	}
	return out
}

func (t *analyse) Process(_ string, in *sdk.Batch, _ *sdk.Outputs) error {
	// A table may make the column itself.
	if _, ok := t.opening.Input("data").Field(t.plan.Participant); ok {
		if err := exactIDs(t.plan.Participant, in.Col(t.plan.Participant)); err != nil {
			return err
		}
	}
	t.mark.See(in)
	t.data.Add(in)
	return nil
}

// exactIDs sees that numbers that identify participants stay apart as
// floating-point numbers, of which 15 digits tell levels apart. Whole numbers
// of more than 19 digits come as floating-point numbers already.
func exactIDs(name string, c *sdk.Column) error {
	if !c.Type().IsNumber() {
		return nil
	}
	for i := range c.Len() {
		if !c.IsNull(i) && math.Abs(c.Float(i)) >= 1e15 {
			return sdk.ColumnError(name, "participants are numbers of more than 15 digits (%v), which could be taken for each other: give them as texts", c.Float(i))
		}
	}
	return nil
}

func (t *analyse) Finish(out *sdk.Outputs) error {
	if t.data.Rows() == 0 {
		return sdk.Errorf("the data have no rows")
	}
	fr, err := t.data.Frame()
	if err != nil {
		return sdk.Errorf("%v", err)
	}
	result, err := trial.Analyse(t.plan, fr, t.file, func(done, total int, text string) {
		out.Progress(int64(done), int64(total), text)
	})
	if err != nil {
		return sdk.ParamError(trial.PathOf(err, "plan"), "%v", err)
	}
	t.write(out, result)
	return nil
}
