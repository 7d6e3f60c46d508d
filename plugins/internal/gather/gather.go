// Package gather collects a table's batches into a frame, the form in which
// the statistics take their data.
//
// Numbers and booleans (0 and 1) become numeric columns, strings become
// factors with their levels in byte order. Null is a missing value; a NaN is
// one too.
package gather

import (
	"math"
	"slices"
	"strings"

	"github.com/seed-4012077a/flow/plugins/internal/group"
	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
)

// Table collects columns of one input.
type Table struct {
	columns []*column
	rows    int
}

type column struct {
	field   sdk.Field
	text    bool
	numbers []float64
	codes   []int32
	levels  []string
	index   map[string]int32
}

// All collects every column that holds single values.
func All(in sdk.Schema) *Table {
	t := &Table{}
	for _, f := range in.Fields {
		if group.Single(f.Type) {
			t.columns = append(t.columns, newColumn(f))
		}
	}
	return t
}

// Of collects the named columns, each once. parameter names the parameter
// that they are from.
func Of(in sdk.Schema, parameter string, names ...string) (*Table, error) {
	t := &Table{}
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			continue
		}
		f, ok := in.Field(name)
		if !ok {
			return nil, sdk.ParamError(parameter, "there is no column %q: %s", name, frame.Choices(name, in.Names()))
		}
		if !group.Single(f.Type) {
			return nil, sdk.ParamError(parameter, "column %q is %s: numbers, strings and booleans can be analysed", name, f.Type)
		}
		t.columns = append(t.columns, newColumn(f))
	}
	return t, nil
}

func newColumn(f sdk.Field) *column {
	return &column{field: f, text: f.Type.IsString() || f.Type.IsDict(), index: map[string]int32{}}
}

// Rows returns how many rows have been added.
func (t *Table) Rows() int { return t.rows }

// Add takes a batch's rows.
func (t *Table) Add(in *sdk.Batch) {
	for _, c := range t.columns {
		col := in.Col(c.field.Name)
		for i := range in.Len() {
			if c.text {
				c.codes = append(c.codes, c.code(col, i))
			} else {
				c.numbers = append(c.numbers, number(col, i))
			}
		}
	}
	t.rows += in.Len()
}

func (c *column) code(col *sdk.Column, i int) int32 {
	if col.IsNull(i) {
		return -1
	}
	s := col.Str(i)
	k, ok := c.index[s]
	if !ok {
		s = strings.Clone(s)
		k = int32(len(c.levels))
		c.index[s] = k
		c.levels = append(c.levels, s)
	}
	return k
}

func number(col *sdk.Column, i int) float64 {
	switch {
	case col.IsNull(i):
		return math.NaN()
	case col.Type().Equal(sdk.Bool):
		if col.Bool(i) {
			return 1
		}
		return 0
	}
	return col.Float(i)
}

// Frame returns what was added. It is called once, at the end.
func (t *Table) Frame() (*frame.Frame, error) {
	fr := frame.New(t.rows)
	for _, c := range t.columns {
		if !c.text {
			if err := fr.AddNumeric(c.field.Name, c.numbers); err != nil {
				return nil, err
			}
			continue
		}
		sorted := slices.Sorted(slices.Values(c.levels))
		to := make([]int32, len(sorted))
		for i, s := range sorted {
			to[c.index[s]] = int32(i)
		}
		for i, k := range c.codes {
			if k >= 0 {
				c.codes[i] = to[k]
			}
		}
		if err := fr.AddFactor(c.field.Name, c.codes, sorted); err != nil {
			return nil, err
		}
	}
	return fr, nil
}
