package main

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/seed-4012077a/flow/sdk/native"
)

// frame is one input table in memory: a result table is small.
type frame struct {
	names []string
	cells [][]any // by column, then row: nil, bool, float64, int64, string or numeral
}

// numeral is a number that is already written, as pages show it.
type numeral string

func readFrame(ctx context.Context, t *native.Task, port string) (*frame, error) {
	in, err := t.Open(port)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	f := &frame{}
	for _, field := range in.Schema().Fields() {
		f.names = append(f.names, field.Name)
	}
	f.cells = make([][]any, len(f.names))
	batches, err := in.All(ctx)
	if err != nil {
		return nil, err
	}
	for _, b := range batches {
		for c, column := range b.Columns() {
			for i := range int(b.NumRows()) {
				f.cells[c] = append(f.cells[c], cell(column, i))
			}
		}
		b.Release()
	}
	return f, nil
}

// cell is a value without its memory. Types that no figure uses are shown as
// Arrow writes them.
func cell(a arrow.Array, i int) any {
	if a.IsNull(i) {
		return nil
	}
	switch a := a.(type) {
	case *array.Boolean:
		return a.Value(i)
	case *array.Float64:
		return a.Value(i)
	case *array.Float32:
		return float64(a.Value(i))
	case *array.Int64:
		return a.Value(i)
	case *array.Int32:
		return int64(a.Value(i))
	case *array.Int16:
		return int64(a.Value(i))
	case *array.Int8:
		return int64(a.Value(i))
	case *array.Uint32:
		return int64(a.Value(i))
	case *array.Uint16:
		return int64(a.Value(i))
	case *array.Uint8:
		return int64(a.Value(i))
	case *array.String:
		return strings.Clone(a.Value(i))
	case *array.LargeString:
		return strings.Clone(a.Value(i))
	}
	return a.ValueStr(i)
}

func (f *frame) rows() int {
	if f == nil || len(f.cells) == 0 {
		return 0
	}
	return len(f.cells[0])
}

// column returns the first column of these names, or nil. A table that is not
// connected, nil, has none.
func (f *frame) column(names ...string) []any {
	if f == nil {
		return nil
	}
	for _, name := range names {
		for i, n := range f.names {
			if n == name {
				return f.cells[i]
			}
		}
	}
	return nil
}

// number returns a finite number.
func number(cells []any, i int) (float64, bool) {
	if cells == nil {
		return 0, false
	}
	v := math.NaN()
	switch x := cells[i].(type) {
	case float64:
		v = x
	case int64:
		v = float64(x)
	}
	return v, !math.IsNaN(v) && !math.IsInf(v, 0)
}

// truth returns whether a cell is true.
func truth(cells []any, i int) bool {
	if cells == nil {
		return false
	}
	b, _ := cells[i].(bool)
	return b
}

// text shows a cell: numbers with four significant digits, null as a dash.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return "–"
	case float64:
		return short(v)
	case string:
		return v
	case numeral:
		return string(v)
	case bool:
		if v {
			return "yes"
		}
		return "no"
	default:
		return fmt.Sprint(v)
	}
}

func short(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1e6 {
		return minus(strconv.FormatFloat(v, 'f', 0, 64))
	}
	return minus(strconv.FormatFloat(v, 'g', 4, 64))
}

// signed writes a number with its sign, zero without one.
func signed(v float64) string {
	if v > 0 {
		return "+" + short(v)
	}
	return short(v)
}

// round keeps three significant digits.
func round(v float64) float64 {
	if v == 0 {
		return 0
	}
	unit := math.Pow(10, math.Floor(math.Log10(math.Abs(v)))-2)
	return math.Round(v/unit) * unit
}

// minus puts the true minus sign in place of hyphens.
func minus(s string) string { return strings.ReplaceAll(s, "-", "−") }

// groups returns the rows of each distinct text of a column, in the order in
// which they first occur. Without a column all rows are one group, "".
func (f *frame) groups(name string) (names []string, rows map[string][]int) {
	rows = map[string][]int{}
	cells := f.column(name)
	for i := range f.rows() {
		key := ""
		if cells != nil {
			key = text(cells[i])
		}
		if _, ok := rows[key]; !ok {
			names = append(names, key)
		}
		rows[key] = append(rows[key], i)
	}
	return names, rows
}

// lossColumns are the numeric columns with loss in their names.
func lossColumns(s *arrow.Schema) []string {
	var names []string
	for _, f := range s.Fields() {
		if strings.Contains(strings.ToLower(f.Name), "loss") && (arrow.IsFloating(f.Type.ID()) || arrow.IsInteger(f.Type.ID())) {
			names = append(names, f.Name)
		}
	}
	return names
}

func names(s *arrow.Schema) []string {
	var all []string
	for _, f := range s.Fields() {
		all = append(all, f.Name)
	}
	return all
}
