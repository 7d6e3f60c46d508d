package main

import (
	"math"
	"strings"

	"github.com/seed-4012077a/flow/plugins/internal/group"
	"github.com/seed-4012077a/flow/sdk/go"
)

// column is one column of an output table. It is nullable unless always.
type column struct {
	name, typ, doc string
	always         bool
}

// port describes an output table.
func port(name, doc string, columns []column) sdk.Port {
	p := sdk.Port{Name: name, Doc: doc}
	for _, c := range columns {
		p.Columns = append(p.Columns, sdk.ColumnSpec{Name: c.name, Type: c.typ, Doc: c.doc})
	}
	return p
}

// fields are the columns' fields.
func fields(columns []column) ([]sdk.Field, error) {
	var out []sdk.Field
	for _, c := range columns {
		t, err := sdk.ParseType(c.typ)
		if err != nil {
			return nil, err
		}
		out = append(out, sdk.Field{Name: c.name, Type: t, Nullable: !c.always})
	}
	return out, nil
}

// declare declares an output table: the grouping columns, then its own.
func declare(o sdk.Opening, port string, keys *group.Keys, columns []column) error {
	own, err := fields(columns)
	if err != nil {
		return err
	}
	for _, k := range keys.Fields() {
		for _, f := range own {
			if f.Name == k.Name {
				return sdk.ParamError("group_by", "column %q has the name of an output column; rename it before", f.Name)
			}
		}
	}
	o.Output(port, sdk.Schema{Fields: keys.Fields()}.With(own...))
	return nil
}

// row writes one row of an output table.
type row struct{ rows *sdk.Rows }

func (a *answers) row(out *sdk.Outputs, port string, g int) row {
	r := row{out.Port(port)}
	a.keys.Copy(r.rows, g)
	return r
}

func (r row) text(name, v string) row {
	b := r.rows.Col(name)
	if v == "" {
		b.Null()
	} else {
		b.Str(v)
	}
	return r
}

// number writes v where ok holds and v is a number, else null.
func (r row) number(name string, v float64, ok bool) row {
	b := r.rows.Col(name)
	if !ok || math.IsNaN(v) || math.IsInf(v, 0) {
		b.Null()
	} else {
		b.Float(v)
	}
	return r
}

func (r row) count(name string, n int) row { r.rows.Col(name).Int(int64(n)); return r }

func (r row) truth(name string, v bool) row { r.rows.Col(name).Bool(v); return r }

func (r row) null(names ...string) row {
	for _, n := range names {
		r.rows.Col(n).Null()
	}
	return r
}

func joined(notes []string) string { return strings.Join(notes, "; ") }
