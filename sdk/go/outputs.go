package sdk

import (
	"fmt"
	"math"
	"strings"
)

// An output's rows are handed to the host when they are this many, or have
// about this many bytes, at the end of a row.
const (
	flushRows  = 1 << 16
	flushBytes = 4 << 20
)

// Outputs takes what a task gives, one table for each output port.
type Outputs struct {
	ports    []*Rows
	emit     func(port int, b *Batch) error
	progress func(done, total int64, text string)
	auto     bool // rows may be handed on before the end: table and source operators
	err      error
}

// Port returns an output port's rows. An unknown name panics.
func (o *Outputs) Port(name string) *Rows {
	for _, r := range o.ports {
		if r.port == name {
			return r
		}
	}
	var names []string
	for _, r := range o.ports {
		names = append(names, r.port)
	}
	panic(fmt.Sprintf("there is no output port %q; the ports are %s", name, strings.Join(names, ", ")))
}

// Flush hands all complete rows to the host now, so that a table or source
// operator's memory stays bounded. It happens by itself every 65,536 rows or
// 4 MiB, whenever the next row of a column is begun; map operators need not
// call it and it does nothing there. The error is a column that is short.
func (o *Outputs) Flush() error {
	if !o.auto {
		return o.err
	}
	return o.end(0)
}

// Progress tells the host how far the task is, where that differs from rows
// read: done of total units (total 0: unknown), with a short text.
func (o *Outputs) Progress(done, total int64, text string) {
	if o.progress != nil {
		o.progress(done, total, text)
	}
}

// end hands on every port that has at least atLeast rows.
func (o *Outputs) end(atLeast int) error {
	for _, r := range o.ports {
		if o.err != nil {
			return o.err
		}
		if err := r.complete(); err != nil {
			return err
		}
		if r.Len() > 0 && (r.Len() >= atLeast || r.taken()) {
			r.flush()
		}
	}
	return o.err
}

// Rows are an output port's rows since they were last handed on.
type Rows struct {
	port   string
	at     int
	schema Schema
	cols   []*Builder
	out    *Outputs
	// The last batch's columns by output column, for CopyRow.
	from  *Batch
	match []*Column
}

func newRows(o *Outputs, at int, port string, s Schema) *Rows {
	r := &Rows{port: port, at: at, schema: s, out: o}
	for _, f := range s.Fields {
		b := NewBuilder(f.Type)
		b.name, b.rows = f.Name, r
		r.cols = append(r.cols, b)
	}
	r.limits()
	return r
}

func (r *Rows) limits() {
	for _, b := range r.cols {
		if r.out.auto {
			b.bound(flushRows)
		} else {
			b.bound(math.MaxInt)
		}
	}
}

// Schema is the port's schema.
func (r *Rows) Schema() Schema { return r.schema }

// Col returns the builder of a column. An unknown name panics.
func (r *Rows) Col(name string) *Builder {
	if i := r.schema.Index(name); i >= 0 {
		return r.cols[i]
	}
	panic(fmt.Sprintf("output %s has no column %q; its columns are %s", r.port, name, strings.Join(r.schema.Names(), ", ")))
}

// ColAt returns the builder of the i-th column.
func (r *Rows) ColAt(i int) *Builder { return r.cols[i] }

// Len is the number of rows since they were last handed on, counted in the
// first column.
func (r *Rows) Len() int {
	if len(r.cols) == 0 {
		return 0
	}
	return r.cols[0].n
}

// matching returns, for each output column, the column of in that CopyRow and
// its like copy, or nil.
func (r *Rows) matching(in *Batch) []*Column {
	if r.from == in {
		return r.match
	}
	r.from, r.match = in, make([]*Column, len(r.cols))
	for i, f := range r.schema.Fields {
		if c := in.Col(f.Name); c != nil && c.typ.Equal(f.Type) {
			r.match[i] = c
		}
	}
	return r.match
}

// CopyRow adds row i of in to every column that in has under the same name
// and type. The other columns are the caller's to add.
func (r *Rows) CopyRow(in *Batch, i int) {
	for j, c := range r.matching(in) {
		if c != nil {
			r.cols[j].Copy(c, i)
		}
	}
}

// Select adds rows keep of in, in that order, to every column that in has
// under the same name and type: the fast way to filter.
func (r *Rows) Select(in *Batch, keep []int) {
	for j, c := range r.matching(in) {
		if c != nil {
			r.cols[j].gather(c, keep)
		}
	}
}

// CopyAll adds all rows of in to every column that in has under the same name
// and type, but those named in except. Where the output is still empty it
// costs nothing: the columns are handed on as they are.
func (r *Rows) CopyAll(in *Batch, except ...string) {
columns:
	for j, c := range r.matching(in) {
		if c == nil {
			continue
		}
		b := r.cols[j]
		for _, name := range except {
			if name == b.name {
				continue columns
			}
		}
		if b.n == 0 {
			b.take(c)
			continue
		}
		b.begin()
		for i := range c.n {
			b.Copy(c, i)
		}
	}
}

// full is called before a value is added to column b at or beyond its limit:
// because b is a column that was taken, or because there is enough to hand
// on. That can only be done between rows, so every column's limit is lowered
// until a row is complete.
func (r *Rows) full(b *Builder) {
	if b.whole != nil {
		b.settle()
	}
	if !r.out.auto {
		return
	}
	if r.even() && b.n > 0 {
		r.flush()
		return
	}
	for _, c := range r.cols {
		if c.whole == nil {
			c.bound(0)
		}
	}
}

func (r *Rows) even() bool {
	for _, b := range r.cols {
		if b.n != r.cols[0].n {
			return false
		}
	}
	return true
}

func (r *Rows) taken() bool {
	for _, b := range r.cols {
		if b.whole != nil {
			return true
		}
	}
	return false
}

// complete returns an error that names a column of another length than the
// longest one.
func (r *Rows) complete() error {
	longest := 0
	for i, b := range r.cols {
		if b.n > r.cols[longest].n {
			longest = i
		}
	}
	for _, b := range r.cols {
		if b.n < r.cols[longest].n {
			return Errorf("output %s: column %q has %d rows, but %q has %d; add one value to each column for each row",
				r.port, b.name, b.n, r.cols[longest].name, r.cols[longest].n)
		}
	}
	return nil
}

func (r *Rows) flush() {
	batch := &Batch{schema: r.schema, n: r.Len()}
	for _, b := range r.cols {
		batch.cols = append(batch.cols, b.Column())
	}
	if r.out.err == nil {
		r.out.err = r.out.emit(r.at, batch)
	}
	for _, b := range r.cols {
		b.reset()
	}
	r.limits()
}
