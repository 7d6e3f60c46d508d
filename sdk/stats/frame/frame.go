package frame

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Kind says how a column's values are read.
type Kind uint8

const (
	Numeric Kind = iota // a number for each row
	Factor              // one of a few levels for each row
)

func (k Kind) String() string {
	if k == Factor {
		return "factor"
	}
	return "numeric"
}

// Column is one variable. Num is set for a numeric column, Codes and Levels
// for a factor.
type Column struct {
	Name   string
	Kind   Kind
	Num    []float64 // NaN = missing
	Codes  []int32   // index into Levels; -1 = missing
	Levels []string
}

// Frame is a set of columns with the same number of rows.
type Frame struct {
	rows    int
	columns []*Column
	byName  map[string]int
}

// New returns a frame of the given number of rows without columns.
func New(rows int) *Frame {
	return &Frame{rows: rows, byName: map[string]int{}}
}

// Rows returns the number of rows.
func (f *Frame) Rows() int { return f.rows }

// Names returns the names of the columns in the order they were added.
func (f *Frame) Names() []string {
	names := make([]string, len(f.columns))
	for i, c := range f.columns {
		names[i] = c.Name
	}
	return names
}

// Column returns the column of that name.
func (f *Frame) Column(name string) (*Column, bool) {
	i, ok := f.byName[name]
	if !ok {
		return nil, false
	}
	return f.columns[i], true
}

// AddNumeric adds a column of numbers, NaN where a value is missing.
func (f *Frame) AddNumeric(name string, v []float64) error {
	return f.Add(&Column{Name: name, Kind: Numeric, Num: v})
}

// AddFactor adds a factor by its codes (-1 = missing) and levels.
func (f *Frame) AddFactor(name string, codes []int32, levels []string) error {
	return f.Add(&Column{Name: name, Kind: Factor, Codes: codes, Levels: levels})
}

// AddStrings adds a factor whose levels are the distinct values in byte order.
// missing may be nil; where it is true the value is not looked at.
func (f *Frame) AddStrings(name string, v []string, missing []bool) error {
	if missing != nil && len(missing) != len(v) {
		return fmt.Errorf("column %q has %d values and %d marks of missing values", name, len(v), len(missing))
	}
	code := map[string]int32{}
	for i, s := range v {
		if missing == nil || !missing[i] {
			code[s] = 0
		}
	}
	levels := make([]string, 0, len(code))
	for s := range code {
		levels = append(levels, s)
	}
	sort.Strings(levels)
	for i, s := range levels {
		code[s] = int32(i)
	}
	codes := make([]int32, len(v))
	for i, s := range v {
		codes[i] = -1
		if missing == nil || !missing[i] {
			codes[i] = code[s]
		}
	}
	return f.AddFactor(name, codes, levels)
}

// Add adds a column after checking its length, its codes and that the name is
// new.
func (f *Frame) Add(c *Column) error {
	if c.Name == "" {
		return fmt.Errorf("a column needs a name")
	}
	if _, ok := f.byName[c.Name]; ok {
		return fmt.Errorf("column %q is given twice", c.Name)
	}
	n := len(c.Num)
	if c.Kind == Factor {
		n = len(c.Codes)
		if err := c.check(); err != nil {
			return err
		}
	}
	if n != f.rows {
		return fmt.Errorf("column %q has %d rows, the frame has %d", c.Name, n, f.rows)
	}
	f.byName[c.Name] = len(f.columns)
	f.columns = append(f.columns, c)
	return nil
}

// check verifies that levels are distinct and codes point into them.
func (c *Column) check() error {
	seen := make(map[string]bool, len(c.Levels))
	for _, l := range c.Levels {
		if seen[l] {
			return fmt.Errorf("factor %q has the level %q twice", c.Name, l)
		}
		seen[l] = true
	}
	for i, k := range c.Codes {
		if k < -1 || int(k) >= len(c.Levels) {
			return fmt.Errorf("factor %q, row %d: code %d is outside its %d levels", c.Name, i+1, k, len(c.Levels))
		}
	}
	return nil
}

// Select returns the given rows (0-based, in that order, repeats allowed) as a
// new frame. Unused levels stay; DropLevels drops them. Rows outside the frame
// are read as missing.
func (f *Frame) Select(rows []int) *Frame {
	out := New(len(rows))
	for _, c := range f.columns {
		s := c.Select(rows)
		out.byName[s.Name] = len(out.columns)
		out.columns = append(out.columns, s)
	}
	return out
}

// DropLevels returns a frame whose factors have only the levels that occur.
func (f *Frame) DropLevels() *Frame {
	out := New(f.rows)
	for _, c := range f.columns {
		out.byName[c.Name] = len(out.columns)
		out.columns = append(out.columns, c.DropLevels())
	}
	return out
}

// With returns a frame that has the column c in place of, or added to, those
// of f. The frame f is unchanged.
func (f *Frame) With(c *Column) (*Frame, error) {
	out := New(f.rows)
	added := false
	for _, old := range f.columns {
		if old.Name == c.Name {
			old, added = c, true
		}
		if err := out.Add(old); err != nil {
			return nil, err
		}
	}
	if !added {
		if err := out.Add(c); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Unknown is the error for a column that the frame does not have: it names the
// nearest name and the valid ones.
func (f *Frame) Unknown(name string) error {
	return fmt.Errorf("no column %q: %s", name, Choices(name, f.Names()))
}

// Choices says what could have been meant by word, and which words are valid.
func Choices(word string, valid []string) string {
	if len(valid) == 0 {
		return "there are none"
	}
	best, at := "", max(2, len(word)/3)+1
	for _, v := range valid {
		d := levenshtein.ComputeDistance(strings.ToLower(word), strings.ToLower(v))
		if d < at {
			best, at = v, d
		}
	}
	sorted := slices.Clone(valid)
	sort.Strings(sorted)
	sorted = slices.Compact(sorted)
	if best == "" { // half a name, as id of person_id
		part := func(v string) bool { return strings.Contains(strings.ToLower(v), strings.ToLower(word)) }
		if i := slices.IndexFunc(sorted, part); i >= 0 && len(word) >= 2 && !slices.ContainsFunc(sorted[i+1:], part) {
			best = sorted[i]
		}
	}
	const most = 40
	tail := ""
	if len(sorted) > most {
		tail = fmt.Sprintf(" and %d more", len(sorted)-most)
		sorted = sorted[:most]
	}
	list := "valid are " + strings.Join(sorted, ", ") + tail
	if best != "" {
		return fmt.Sprintf("did you mean %q? (%s)", best, list)
	}
	return list
}
