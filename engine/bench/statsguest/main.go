// Command statsguest is the plugin in which the statistics are measured inside
// WebAssembly: it does the same estimation as often as it is told, so that the
// difference of two runs is the estimation alone.
package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	sdk "github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/estimate"
	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"github.com/seed-4012077a/flow/sdk/stats/lmm"
	"github.com/seed-4012077a/flow/sdk/stats/scale"
)

func main() {}

func init() {
	const times = `"times": {"type": "integer", "minimum": 1, "default": 1, "description": "how often"}`
	rows := []sdk.Port{{Name: "rows"}}
	sdk.Serve(sdk.Plugin{Name: "statsbench", Version: "1", Doc: "estimation, repeated", Operators: []sdk.Operator{
		{Name: "mixed", Kind: sdk.Table, Inputs: rows, Outputs: rows, Open: openMixed,
			Doc: "Fits a linear mixed model by REML: its criterion and the number of evaluations.",
			Params: `{"type": "object", "additionalProperties": false, "required": ["formula"], "properties": {` + times + `,
				"formula": {"type": "string", "description": "R formula"},
				"part": {"enum": ["design", "fit", "satterthwaite", "kenward-roger"], "default": "fit", "description": "what is repeated: the model's matrices alone, these and the fit, or also the tests of all coefficients"}}}`},
		{Name: "polychoric", Kind: sdk.Table, Inputs: rows, Outputs: rows, Open: openPolychoric,
			Doc:    "Polychoric correlations of all columns: that of the first two.",
			Params: `{"type": "object", "additionalProperties": false, "properties": {` + times + `}}`},
	}})
}

// columns collects an input.
type columns struct {
	fields  []sdk.Field
	numbers map[string][]float64
	texts   map[string][]string
	rows    int
}

func (c *columns) of(in sdk.Schema) {
	c.fields, c.numbers, c.texts = in.Fields, map[string][]float64{}, map[string][]string{}
}

func (c *columns) Process(_ string, in *sdk.Batch, _ *sdk.Outputs) error {
	for _, f := range c.fields {
		col := in.Col(f.Name)
		for i := range in.Len() {
			switch {
			case col.IsNull(i) && f.Type.IsString():
				return sdk.Errorf("column %s, row %d: no value", f.Name, c.rows+i)
			case col.IsNull(i):
				c.numbers[f.Name] = append(c.numbers[f.Name], math.NaN())
			case f.Type.IsString():
				c.texts[f.Name] = append(c.texts[f.Name], strings.Clone(col.Str(i)))
			case f.Type.Equal(sdk.Int64):
				c.numbers[f.Name] = append(c.numbers[f.Name], float64(col.Int(i)))
			default:
				c.numbers[f.Name] = append(c.numbers[f.Name], col.Float(i))
			}
		}
	}
	c.rows += in.Len()
	return nil
}

func (c *columns) frame() (*frame.Frame, error) {
	fr := frame.New(c.rows)
	for _, f := range c.fields {
		var err error
		if v, ok := c.texts[f.Name]; ok {
			err = fr.AddStrings(f.Name, v, nil)
		} else {
			err = fr.AddNumeric(f.Name, c.numbers[f.Name])
		}
		if err != nil {
			return nil, err
		}
	}
	return fr, nil
}

type mixed struct {
	columns
	Times   int    `json:"times"`
	Formula string `json:"formula"`
	Part    string `json:"part"`
}

func openMixed(o sdk.Opening) (sdk.Task, error) {
	t := &mixed{}
	if err := o.Decode(t); err != nil {
		return nil, err
	}
	t.of(o.Input("rows"))
	o.Output("rows", sdk.Schema{Fields: []sdk.Field{{Name: "criterion", Type: sdk.Float64}, {Name: "evaluations", Type: sdk.Int64}}})
	return t, nil
}

func (t *mixed) Finish(out *sdk.Outputs) error {
	fr, err := t.frame()
	if err != nil {
		return err
	}
	f, err := formula.Parse(t.Formula)
	if err != nil {
		return err
	}
	rows := out.Port("rows")
	for range t.Times {
		d, err := f.Design(fr, formula.Options{})
		if err != nil {
			return err
		}
		criterion, evaluations := 0.0, 0
		if t.Part != "design" {
			o := lmm.Options{REML: true, DF: lmm.Satterthwaite}
			if t.Part == "kenward-roger" {
				o.DF = lmm.KenwardRoger
			}
			m, err := lmm.Fit(d, o)
			if err != nil {
				return err
			}
			criterion, evaluations = m.Criterion(), m.Evaluations()
			if t.Part != "fit" {
				if _, err := estimate.Coefficients(m, 0.95); err != nil {
					return err
				}
			}
		}
		rows.Col("criterion").Float(criterion)
		rows.Col("evaluations").Int(int64(evaluations))
	}
	return nil
}

type polychoric struct {
	columns
	Times int `json:"times"`
}

func openPolychoric(o sdk.Opening) (sdk.Task, error) {
	t := &polychoric{}
	if err := o.Decode(t); err != nil {
		return nil, err
	}
	t.of(o.Input("rows"))
	if len(t.fields) < 2 || slices.ContainsFunc(t.fields, func(f sdk.Field) bool { return f.Type.IsString() }) {
		return nil, fmt.Errorf("give two columns of numbers or more")
	}
	o.Output("rows", sdk.Schema{Fields: []sdk.Field{{Name: "first", Type: sdk.Float64}}})
	return t, nil
}

func (t *polychoric) Finish(out *sdk.Outputs) error {
	var names []string
	var values [][]float64
	for _, f := range t.fields {
		names, values = append(names, f.Name), append(values, t.numbers[f.Name])
	}
	items, err := scale.NewItems(names, values)
	if err != nil {
		return err
	}
	for range t.Times {
		c, err := scale.Correlate(items, scale.Defaults())
		if err != nil {
			return err
		}
		out.Port("rows").Col("first").Float(c.R.At(0, 1))
	}
	return nil
}
