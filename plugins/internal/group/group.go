// Package group sorts rows into groups by the values of some columns.
//
// A key is a row's values in the grouping columns. Groups are numbered from 0
// in the order in which their keys first appear, so that an operator's output
// order depends on its input alone. Null is a value of its own.
package group

import (
	"cmp"
	"math"
	"strconv"
	"strings"

	"github.com/seed-4012077a/flow/sdk/go"
)

// Keys numbers the keys of a table.
type Keys struct {
	fields []sdk.Field
	values []*sdk.Builder // by column: the groups' values, one row a group
	index  map[string]int
}

// New returns the groups of tables with this schema. parameter names the
// parameter that lists the columns, for errors. A column must exist and hold
// single values.
func New(schema sdk.Schema, parameter string, columns []string) (*Keys, error) {
	k := &Keys{index: map[string]int{}}
	for i, name := range columns {
		f, ok := schema.Field(name)
		if !ok {
			return nil, sdk.ParamError(parameter, "there is no column %q; the input has %s", name, strings.Join(schema.Names(), ", "))
		}
		for _, before := range columns[:i] {
			if before == name {
				return nil, sdk.ParamError(parameter, "column %q is named twice", name)
			}
		}
		if !Single(f.Type) {
			return nil, sdk.ParamError(parameter, "column %q is %s: rows can be grouped by numbers, strings and booleans", name, f.Type)
		}
		k.fields = append(k.fields, f)
		k.values = append(k.values, sdk.NewBuilder(f.Type))
	}
	return k, nil
}

// Single reports whether a type holds single values that Text can write.
func Single(t sdk.Type) bool {
	return t.IsString() || t.IsNumber() && !t.Equal(sdk.Float16) || t.Equal(sdk.Bool) || t.Equal(sdk.Null)
}

// Fields returns the grouping columns.
func (k *Keys) Fields() []sdk.Field { return k.fields }

// Len returns the number of groups so far.
func (k *Keys) Len() int { return len(k.index) }

// Rows binds a batch and returns a function from its rows to group numbers.
func (k *Keys) Rows(in *sdk.Batch) func(i int) int {
	cols := make([]*sdk.Column, len(k.fields))
	for c, f := range k.fields {
		cols[c] = in.Col(f.Name)
	}
	var key []byte
	return func(i int) int {
		key = key[:0]
		for _, col := range cols {
			s, ok := Text(col, i)
			if !ok {
				key = append(key, '-')
				continue
			}
			key = strconv.AppendInt(key, int64(len(s)), 10)
			key = append(key, ':')
			key = append(key, s...)
		}
		if g, ok := k.index[string(key)]; ok {
			return g
		}
		g := len(k.index)
		k.index[string(key)] = g
		for c, col := range cols {
			k.values[c].Copy(col, i)
		}
		return g
	}
}

// Copy writes a group's values to the columns of their names.
func (k *Keys) Copy(out *sdk.Rows, g int) {
	for c, f := range k.fields {
		out.Col(f.Name).Copy(k.values[c].Column(), g)
	}
}

// Text writes a single value as text; ok is false for a null. Floats are
// written so that they read back as the same number, whole ones without a
// point.
func Text(col *sdk.Column, i int) (s string, ok bool) {
	t := col.Type()
	switch {
	case col.IsNull(i):
		return "", false
	case t.IsString():
		return col.Str(i), true
	case t.Equal(sdk.Bool):
		return strconv.FormatBool(col.Bool(i)), true
	case t.Equal(sdk.Uint64):
		return strconv.FormatUint(uint64(col.Int(i)), 10), true
	case t.IsInteger():
		return strconv.FormatInt(col.Int(i), 10), true
	}
	return strconv.FormatFloat(col.Float(i), 'g', -1, 64), true
}

// Compare orders levels: numbers first, by value, and then texts.
func Compare(a, b string) int {
	x, isX := Number(a)
	y, isY := Number(b)
	switch {
	case isX && isY && x != y:
		return cmp.Compare(x, y)
	case isX && !isY:
		return -1
	case isY && !isX:
		return 1
	}
	return cmp.Compare(a, b)
}

// Number is a level as a finite number, and whether it is one.
func Number(s string) (float64, bool) {
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil && !math.IsNaN(v) && !math.IsInf(v, 0)
}
