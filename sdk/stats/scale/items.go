package scale

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Items are answers: Columns[j][i] is row i's answer to item Names[j], NaN
// where there is none.
type Items struct {
	Names   []string
	Columns [][]float64
}

// NewItems checks names and columns: at least one item, no name twice, equal
// lengths, no infinite answer. The slices are kept, not copied.
func NewItems(names []string, columns [][]float64) (*Items, error) {
	if len(names) == 0 {
		return nil, fmt.Errorf("there are no items: name at least one column")
	}
	if len(names) != len(columns) {
		return nil, fmt.Errorf("%d item names for %d columns", len(names), len(columns))
	}
	for j, name := range names {
		if slices.Contains(names[:j], name) {
			return nil, fmt.Errorf("item %q is named twice", name)
		}
		if len(columns[j]) != len(columns[0]) {
			return nil, fmt.Errorf("item %q has %d rows, item %q has %d", name, len(columns[j]), names[0], len(columns[0]))
		}
		for i, v := range columns[j] {
			if math.IsInf(v, 0) {
				return nil, fmt.Errorf("item %q, row %d is infinite; an answer is a number or missing", name, i)
			}
		}
	}
	return &Items{Names: names, Columns: columns}, nil
}

// Rows is the number of persons.
func (it *Items) Rows() int {
	if len(it.Columns) == 0 {
		return 0
	}
	return len(it.Columns[0])
}

// Select returns the given rows, in that order.
func (it *Items) Select(rows []int) *Items {
	out := &Items{Names: it.Names, Columns: make([][]float64, len(it.Columns))}
	for j, c := range it.Columns {
		out.Columns[j] = make([]float64, len(rows))
		for i, r := range rows {
			out.Columns[j][i] = c[r]
		}
	}
	return out
}

// Pick returns the named items, in that order.
func (it *Items) Pick(names []string) (*Items, error) {
	out := &Items{Names: names}
	for _, name := range names {
		j := slices.Index(it.Names, name)
		if j < 0 {
			return nil, fmt.Errorf("there is no item %q; there are %s", name, strings.Join(it.Names, ", "))
		}
		out.Columns = append(out.Columns, it.Columns[j])
	}
	return out, nil
}

// Reverse returns the items with the named ones turned around: each answer x
// becomes lowest + highest - x, with the lowest and highest answer of the item.
func (it *Items) Reverse(names []string) (*Items, error) {
	out := &Items{Names: it.Names, Columns: slices.Clone(it.Columns)}
	for _, name := range names {
		j := slices.Index(it.Names, name)
		if j < 0 {
			return nil, fmt.Errorf("there is no item %q to reverse; there are %s", name, strings.Join(it.Names, ", "))
		}
		values := categories(it.Columns[j])
		if len(values) == 0 {
			continue
		}
		sum := values[0] + values[len(values)-1]
		turned := make([]float64, len(it.Columns[j]))
		for i, v := range it.Columns[j] {
			turned[i] = sum - v
		}
		out.Columns[j] = turned
	}
	return out, nil
}

// categories returns the distinct answers, ascending.
func categories(column []float64) []float64 {
	var out []float64
	for _, v := range column {
		if math.IsNaN(v) {
			continue
		}
		if at, ok := slices.BinarySearch(out, v); !ok {
			out = slices.Insert(out, at, v)
		}
	}
	return out
}

// answered counts the rows with at least one answer.
func (it *Items) answered() int {
	n := 0
	for i := range it.Rows() {
		for _, c := range it.Columns {
			if !math.IsNaN(c[i]) {
				n++
				break
			}
		}
	}
	return n
}

// complete returns the rows in which every item is answered.
func (it *Items) complete() []int {
	var rows []int
	for i := range it.Rows() {
		if !slices.ContainsFunc(it.Columns, func(c []float64) bool { return math.IsNaN(c[i]) }) {
			rows = append(rows, i)
		}
	}
	return rows
}

// Exclusion is an item that can't be used, and why.
type Exclusion struct{ Item, Reason string }

func (e Exclusion) String() string { return fmt.Sprintf("item %q is left out: %s", e.Item, e.Reason) }

// unusable says why a column can't be correlated: "" where it can.
func unusable(column []float64) string {
	first, n, varies := math.NaN(), 0, false
	for _, v := range column {
		if math.IsNaN(v) {
			continue
		}
		if n > 0 && v != first {
			varies = true
		}
		first = v
		n++
	}
	switch {
	case n == 0:
		return "no row has an answer"
	case n == 1:
		return "only one row has an answer"
	case !varies:
		return fmt.Sprintf("all %d answers are %g", n, first)
	}
	return ""
}

// Description is a summary of one item.
type Description struct {
	N, Missing, Categories int
	Mean, SD               float64 // 0 where N is 0 or below 2
	Unusable               string  // why it can't be correlated, or ""
}

// Describe summarises an item's column.
func Describe(column []float64) Description {
	d := Description{N: present(column), Categories: len(categories(column)), Unusable: unusable(column)}
	d.Missing = len(column) - d.N
	if d.N > 0 {
		d.Mean, d.SD = moments(column)
	}
	if d.N < 2 {
		d.SD = 0
	}
	return d
}
