package main

import (
	"github.com/seed-4012077a/flow/plugins/internal/gather"
	"github.com/seed-4012077a/flow/plugins/internal/group"
	"github.com/seed-4012077a/flow/plugins/internal/result"
	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
)

// rows are an input's rows, collected and sorted into groups.
type rows struct {
	table  *gather.Table
	keys   *group.Keys
	groups [][]int // rows of the table by group
}

// collect prepares to take the columns that the formulas need.
func collect(in sdk.Schema, s *spec, formulas, groupBy []string) (*rows, error) {
	_, named := s.named()
	r := &rows{}
	var err error
	if r.table, err = gather.Of(in, "formula", spoken(in, formulas, named...)...); err != nil {
		return nil, err
	}
	r.keys, err = group.New(in, "group_by", groupBy)
	return r, err
}

func (r *rows) add(in *sdk.Batch) {
	of := r.keys.Rows(in)
	for i := range in.Len() {
		g := of(i)
		if g == len(r.groups) {
			r.groups = append(r.groups, nil)
		}
		r.groups[g] = append(r.groups[g], r.table.Rows()+i)
	}
	r.table.Add(in)
}

// frame gives all rows, with the levels' order and references checked.
func (r *rows) frame(s *spec) (*frame.Frame, error) {
	if r.table.Rows() == 0 {
		return nil, sdk.Errorf("the input has no rows")
	}
	fr, err := r.table.Frame()
	if err != nil {
		return nil, sdk.Errorf("%v", err)
	}
	return s.prepare(fr)
}

// part is the frame of one group.
func (r *rows) part(all *frame.Frame, g int) *frame.Frame {
	if len(r.groups) == 1 {
		return all
	}
	return all.Select(r.groups[g])
}

// output is a port of results: group_by's columns, then its own.
type output struct {
	name, doc string
	columns   []result.Column
}

func ports(outputs []output) (out []sdk.Port) {
	for _, o := range outputs {
		out = append(out, result.Port(o.name, o.doc, o.columns))
	}
	return out
}

// declare declares the outputs, each after the grouping columns.
func declare(o sdk.Opening, kept []sdk.Field, outputs []output) error {
	for _, p := range outputs {
		if err := result.Declare(o, p.name, "group_by", kept, p.columns); err != nil {
			return err
		}
	}
	return nil
}

// lead starts a row of an output with its group's values.
func (r *rows) lead(out *sdk.Outputs, port string, g int) *sdk.Rows {
	rows := out.Port(port)
	r.keys.Copy(rows, g)
	return rows
}

// warn logs why a group has no result.
func (r *rows) warn(o sdk.Opening, what string, g int, err error) {
	if len(r.groups) > 1 {
		o.Log("warning: %s, group %d: %v", what, g+1, err)
		return
	}
	o.Log("warning: %s: %v", what, err)
}
