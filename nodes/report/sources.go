package main

import "slices"

// sourced is a table, or the rows of one that a node gave.
type sourced struct {
	name string
	*frame
}

// sources takes a table apart by its column from_node, in order of first
// appearance: several tables of one kind can come through one port that way.
// Columns that a part has no value in are not its. A table without that
// column, or without rows, is one part or none.
func (f *frame) sources() []sourced {
	if f.rows() == 0 {
		return nil
	}
	if f.column(sourceColumn) == nil {
		return []sourced{{frame: f}}
	}
	names, rows := f.groups(sourceColumn)
	var parts []sourced
	for _, name := range names {
		part := f.pick(rows[name])
		for c := len(part.names) - 1; c >= 0; c-- {
			empty := !slices.ContainsFunc(part.cells[c], func(v any) bool { return v != nil })
			if part.names[c] == sourceColumn || empty && len(names) > 1 {
				part.names, part.cells = slices.Delete(part.names, c, c+1), slices.Delete(part.cells, c, c+1)
			}
		}
		parts = append(parts, sourced{name, part})
	}
	return parts
}

// sourceColumn names the node that a row is from.
const sourceColumn = "from_node"

// simulated says whether any row is marked as simulated: by true, a number
// other than 0, or a text.
func (f *frame) simulated() bool {
	return slices.ContainsFunc(f.column("simulated"), func(v any) bool {
		switch v := v.(type) {
		case bool:
			return v
		case int64:
			return v != 0
		case float64:
			return v != 0
		case string:
			return v != "" && v != "false" && v != "no" && v != "0"
		}
		return false
	})
}

// pick returns some rows as a table.
func (f *frame) pick(rows []int) *frame {
	part := &frame{names: slices.Clone(f.names), cells: make([][]any, len(f.cells))}
	for c, cells := range f.cells {
		part.cells[c] = make([]any, len(rows))
		for r, i := range rows {
			part.cells[c][r] = cells[i]
		}
	}
	return part
}

// with returns the table with a column added.
func (f *frame) with(name string, cells []any) *frame {
	return &frame{names: append(slices.Clone(f.names), name), cells: append(slices.Clone(f.cells), cells)}
}

// view shows some columns, those that are there.
func (f *frame) view(names ...string) *tableView {
	if f.rows() == 0 {
		return nil
	}
	rows := make([]int, f.rows())
	for i := range rows {
		rows[i] = i
	}
	names = slices.DeleteFunc(names, func(n string) bool { return f.column(n) == nil })
	return tableFrom(f, names, rows)
}
