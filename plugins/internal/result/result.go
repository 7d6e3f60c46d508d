// Package result writes tables of results: rows of named values, any of which
// may be absent, and the usual tables about a fitted model.
//
// A value that could not be computed is null, with its reason in a column
// "note"; a NaN never reaches a table.
package result

import (
	"fmt"

	"github.com/seed-4012077a/flow/plugins/internal/nullable"
	"github.com/seed-4012077a/flow/plugins/internal/stats"
	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
)

// Column is a column of a result; every one is nullable.
type Column struct {
	Name string
	Type sdk.Type
	Doc  string
}

// Text, Number, Count and Truth are columns of strings, floats, whole numbers
// and booleans.
func Text(name, doc string) Column   { return Column{name, sdk.Utf8, doc} }
func Number(name, doc string) Column { return Column{name, sdk.Float64, doc} }
func Count(name, doc string) Column  { return Column{name, sdk.Int64, doc} }
func Truth(name, doc string) Column  { return Column{name, sdk.Bool, doc} }

// Note is the column of reasons.
func Note() Column { return Text("note", "why a number is missing, and what to know") }

// Port describes an output table.
func Port(name, doc string, columns []Column) sdk.Port {
	p := sdk.Port{Name: name, Doc: doc}
	for _, c := range columns {
		p.Columns = append(p.Columns, sdk.ColumnSpec{Name: c.Name, Type: c.Type.String(), Doc: c.Doc})
	}
	return p
}

// Fields are the columns' fields.
func Fields(columns []Column) (out []sdk.Field) {
	for _, c := range columns {
		out = append(out, sdk.Field{Name: c.Name, Type: c.Type, Nullable: true})
	}
	return out
}

// Declare declares an output table of these columns, after columns that keep
// an input's names. A name of both is an error about the parameter that chose
// the input's columns.
func Declare(o sdk.Opening, port, parameter string, kept []sdk.Field, columns []Column) error {
	var fields []sdk.Field
	for _, f := range kept {
		for _, c := range columns {
			if c.Name == f.Name {
				return sdk.ParamError(parameter, "column %q has the name of a column of the output %s; rename it before", f.Name, port)
			}
		}
		f.Nullable = true
		fields = append(fields, f)
	}
	o.Output(port, sdk.Schema{Fields: append(fields, Fields(columns)...)})
	return nil
}

// Put writes values to the columns of their names: name and value in turn. An
// empty text and a number that is not finite become null.
func Put(rows *sdk.Rows, namesAndValues ...any) {
	for i := 0; i+1 < len(namesAndValues); i += 2 {
		b := rows.Col(namesAndValues[i].(string))
		switch v := namesAndValues[i+1].(type) {
		case string:
			nullable.Text(b, v)
		case float64:
			nullable.Float(b, v)
		case int:
			b.Int(int64(v))
		case bool:
			b.Bool(v)
		case nil:
			b.Null()
		default:
			panic(fmt.Sprintf("column %q: a %T is no value of a result", namesAndValues[i], v))
		}
	}
}

// Need returns the input's column of a parameter. The error names the columns
// that there are, and the nearest.
func Need(in sdk.Schema, parameter, column string) (sdk.Field, error) {
	f, ok := in.Field(column)
	if !ok {
		return f, sdk.ParamError(parameter, "there is no column %q: %s", column, frame.Choices(column, in.Names()))
	}
	return f, nil
}

// Numeric is Need of a column of numbers; booleans are 0 and 1.
func Numeric(in sdk.Schema, parameter, column string) error {
	f, err := Need(in, parameter, column)
	if err != nil {
		return err
	}
	if !f.Type.IsNumber() && !f.Type.Equal(sdk.Bool) {
		return sdk.ParamError(parameter, "column %q is %s, and a number is needed", column, f.Type)
	}
	return nil
}

// Score reads a column's number at row i; ok is false for a null, and booleans
// are 0 and 1. A NaN is an error that names the column and the row, by its
// number in the table.
func Score(c *sdk.Column, i int, column string, row int) (v float64, ok bool, err error) {
	switch {
	case c.IsNull(i):
		return 0, false, nil
	case c.Type().Equal(sdk.Bool):
		if c.Bool(i) {
			return 1, true, nil
		}
		return 0, true, nil
	}
	if v = c.Float(i); !stats.Finite(v) {
		return 0, false, sdk.ColumnError(column, "row %d holds %g, which is no score; make it null", row, v)
	}
	return v, true, nil
}
