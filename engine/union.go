package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/seed-4012077a/flow/engine/internal/table"
)

// unionSchema is the columns of several tables. A column that only a later
// one has comes after the one that it follows there, so that each table keeps
// its order. A column of one type everywhere keeps it; numbers of several types
// are float64, anything else is text.
func unionSchema(all []*arrow.Schema) *arrow.Schema {
	var fields []arrow.Field
	for _, s := range all {
		after := -1 // where the column before it stands
		for _, f := range s.Fields() {
			i := slices.IndexFunc(fields, func(old arrow.Field) bool { return old.Name == f.Name })
			if i < 0 {
				after++
				fields = slices.Insert(fields, after, arrow.Field{Name: f.Name, Type: f.Type, Nullable: true})
				continue
			}
			after = i
			switch old := fields[i].Type; {
			case arrow.TypeEqual(old, f.Type):
			case isNumber(old) && isNumber(f.Type):
				fields[i].Type = arrow.PrimitiveTypes.Float64
			default:
				fields[i].Type = arrow.BinaryTypes.String
			}
		}
	}
	return arrow.NewSchema(fields, nil)
}

func isNumber(t arrow.DataType) bool { return arrow.IsInteger(t.ID()) || arrow.IsFloating(t.ID()) }

// projected reads a table, which it owns, as one of the union's columns: those
// it lacks are null.
type projected struct {
	table.Reader
	schema *arrow.Schema
}

func (p *projected) Schema() *arrow.Schema { return p.schema }

func (p *projected) Next(ctx context.Context) (arrow.Record, error) {
	rec, err := p.Reader.Next(ctx)
	if err != nil {
		return nil, err
	}
	defer rec.Release()
	columns := make([]arrow.Array, p.schema.NumFields())
	for i, f := range p.schema.Fields() {
		at := rec.Schema().FieldIndices(f.Name)
		if len(at) == 0 {
			columns[i] = array.MakeArrayOfNull(memory.DefaultAllocator, f.Type, int(rec.NumRows()))
		} else if columns[i], err = converted(rec.Column(at[0]), f.Type); err != nil {
			return nil, fmt.Errorf("column %q: %w", f.Name, err)
		}
		defer columns[i].Release()
	}
	return array.NewRecord(p.schema, columns, rec.NumRows()), nil
}

// converted returns a column in another type, as unionSchema chooses them.
func converted(a arrow.Array, to arrow.DataType) (arrow.Array, error) {
	if arrow.TypeEqual(a.DataType(), to) {
		a.Retain()
		return a, nil
	}
	if to.ID() == arrow.STRING {
		b := array.NewStringBuilder(memory.DefaultAllocator)
		defer b.Release()
		for i := range a.Len() {
			if a.IsNull(i) {
				b.AppendNull()
			} else {
				b.Append(a.ValueStr(i))
			}
		}
		return b.NewArray(), nil
	}
	b := array.NewFloat64Builder(memory.DefaultAllocator)
	defer b.Release()
	for i := range a.Len() {
		if a.IsNull(i) {
			b.AppendNull()
			continue
		}
		if err := b.AppendValueFromString(a.ValueStr(i)); err != nil {
			return nil, err
		}
	}
	return b.NewArray(), nil
}
