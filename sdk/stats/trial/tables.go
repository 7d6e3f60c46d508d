package trial

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
)

// tables makes a plan's tables out of the one input.
type tables struct {
	plan  *Plan
	input *frame.Frame
	file  string // the input's column with the name of each row's file
	made  map[string]*frame.Frame
}

// get makes a table: its file's rows, filtered, then columns joined, recoded
// and derived.
func (t *tables) get(name string) (*frame.Frame, error) {
	if fr, ok := t.made[name]; ok {
		return fr, nil
	}
	def := t.plan.Tables[name]
	fr, err := t.rows(def.File, def.Where)
	if err != nil {
		return nil, fmt.Errorf("table %q: %w", name, err)
	}
	for i, j := range slices.Concat(t.plan.Join, def.Join) {
		if fr, err = t.join(fr, j); err != nil {
			return nil, fmt.Errorf("table %q: join %d: %w", name, i+1, err)
		}
	}
	for _, column := range sortedKeys(def.Recode) {
		if fr, err = recode(fr, column, def.Recode[column]); err != nil {
			return nil, fmt.Errorf("table %q: recode %q: %w", name, column, err)
		}
	}
	for _, column := range sortedKeys(def.Derive) {
		if fr, err = derive(fr, column, def.Derive[column]); err != nil {
			return nil, fmt.Errorf("table %q: derive %q: %w", name, column, err)
		}
	}
	t.made[name] = fr
	return fr, nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// rows selects one file's rows, or all where file is empty.
func (t *tables) rows(file string, where Where) (*frame.Frame, error) {
	fr := t.input
	if file != "" {
		c, ok := fr.Column(t.file)
		if !ok || c.Kind != frame.Factor {
			return nil, fmt.Errorf("it names the file %q, and the input has no column %q with files' names: read the files with file_column = %q", file, t.file, t.file)
		}
		code := slices.Index(c.Levels, file)
		if code < 0 {
			return nil, fmt.Errorf("no rows are from the file %q: %s", file, frame.Choices(file, c.Levels))
		}
		var keep []int
		for i, k := range c.Codes {
			if k == int32(code) {
				keep = append(keep, i)
			}
		}
		fr = fr.Select(keep)
	}
	return filter(fr, where)
}

// filter keeps the rows whose columns have one of the values.
func filter(fr *frame.Frame, where Where) (*frame.Frame, error) {
	if len(where) == 0 {
		return fr, nil
	}
	keep := make([]bool, fr.Rows())
	for i := range keep {
		keep[i] = true
	}
	for _, name := range sortedKeys(where) {
		c, ok := fr.Column(name)
		if !ok {
			return nil, fmt.Errorf("where: %w", fr.Unknown(name))
		}
		match, err := matcher(c, where[name])
		if err != nil {
			return nil, fmt.Errorf("where: column %q: %w", name, err)
		}
		for i := range keep {
			keep[i] = keep[i] && match(i)
		}
	}
	var rows []int
	for i, k := range keep {
		if k {
			rows = append(rows, i)
		}
	}
	return fr.Select(rows), nil
}

// matcher tells whether a row's value is one of the given ones. A text that a
// column of texts does not have anywhere is a mistake.
func matcher(c *frame.Column, values Values) (func(i int) bool, error) {
	if c.Kind == frame.Factor {
		var codes []int32
		for _, v := range values {
			s, ok := v.(string)
			if !ok {
				return nil, fmt.Errorf("it holds texts, and %v is none", v)
			}
			k := slices.Index(c.Levels, s)
			if k < 0 {
				return nil, fmt.Errorf("no row has %q: %s", s, frame.Choices(s, c.Levels))
			}
			codes = append(codes, int32(k))
		}
		return func(i int) bool { return slices.Contains(codes, c.Codes[i]) }, nil
	}
	var numbers []float64
	for _, v := range values {
		switch v := v.(type) {
		case float64:
			numbers = append(numbers, v)
		case bool:
			n := 0.0
			if v {
				n = 1
			}
			numbers = append(numbers, n)
		default:
			return nil, fmt.Errorf("it holds numbers, and %q is none", v)
		}
	}
	return func(i int) bool { return slices.Contains(numbers, c.Num[i]) }, nil
}

// key is the text of a row's values in some columns; false where one is
// missing.
func key(columns []*frame.Column, i int) (string, bool) {
	var b strings.Builder
	for _, c := range columns {
		if c.Missing(i) {
			return "", false
		}
		if c.Kind == frame.Factor {
			s := c.Levels[c.Codes[i]]
			fmt.Fprintf(&b, "%d:%s", len(s), s)
		} else {
			fmt.Fprintf(&b, "%x,", math.Float64bits(c.Num[i]+0))
		}
	}
	return b.String(), true
}

func columnsOf(fr *frame.Frame, names []string) ([]*frame.Column, error) {
	out := make([]*frame.Column, len(names))
	for i, n := range names {
		c, ok := fr.Column(n)
		if !ok {
			return nil, fr.Unknown(n)
		}
		out[i] = c
	}
	return out, nil
}

// join adds another table's columns to the rows that it has a partner for; the
// others get missing values. It replaces a column that is missing throughout.
func (t *tables) join(left *frame.Frame, j Join) (*frame.Frame, error) {
	right, err := t.rows(j.File, j.Where)
	if err != nil {
		return nil, err
	}
	by := j.By
	if len(by) == 0 {
		by = []string{t.plan.Participant}
	}
	keys, err := columnsOf(right, by)
	if err != nil {
		return nil, err
	}
	at := map[string]int{}
	for i := range right.Rows() {
		k, ok := key(keys, i)
		if !ok {
			continue
		}
		if _, twice := at[k]; twice {
			return nil, fmt.Errorf("%s has two rows with the same %s (row %d is one): add a column to by, or a where", or(j.File, "the input"), strings.Join(by, " and "), i+1)
		}
		at[k] = i
	}
	if keys, err = columnsOf(left, by); err != nil {
		return nil, err
	}
	partner := make([]int, left.Rows())
	for i := range partner {
		partner[i] = -1 // outside the frame: read as missing
		if k, ok := key(keys, i); ok {
			if r, found := at[k]; found {
				partner[i] = r
			}
		}
	}
	for _, name := range sortedKeys(j.Columns) {
		from, ok := right.Column(j.Columns[name])
		if !ok {
			return nil, right.Unknown(j.Columns[name])
		}
		if old, ok := left.Column(name); ok && !empty(old) {
			return nil, fmt.Errorf("the table has a column %q already: give the joined one another name", name)
		}
		c := from.Select(partner)
		c.Name = name
		if left, err = left.With(c); err != nil {
			return nil, err
		}
	}
	return left, nil
}

func empty(c *frame.Column) bool {
	for i := range c.Len() {
		if !c.Missing(i) {
			return false
		}
	}
	return true
}

func recode(fr *frame.Frame, name string, r Recode) (*frame.Frame, error) {
	c, ok := fr.Column(r.From)
	if !ok {
		return nil, fr.Unknown(r.From)
	}
	if c.Kind != frame.Factor {
		c = c.ToFactor()
	}
	for _, from := range sortedKeys(r.Values) {
		if !slices.Contains(c.Levels, from) {
			return nil, fmt.Errorf("no row of %q has %q: %s", r.From, from, frame.Choices(from, c.Levels))
		}
	}
	// What each level becomes.
	to, numeric := make([]string, len(c.Levels)), false
	for k, level := range c.Levels {
		to[k] = level
		switch v := r.Values[level].(type) {
		case string:
			to[k] = v
		case float64:
			to[k], numeric = strconv.FormatFloat(v, 'g', -1, 64), true
		}
	}
	values, missing := make([]string, fr.Rows()), make([]bool, fr.Rows())
	for i := range values {
		if missing[i] = c.Missing(i); !missing[i] {
			values[i] = to[c.Codes[i]]
		}
	}
	made := frame.New(fr.Rows())
	if err := made.AddStrings(name, values, missing); err != nil {
		return nil, err
	}
	out, _ := made.Column(name)
	if numeric {
		var err error
		if out, err = withoutBlanks(out).DropLevels().ToNumeric(); err != nil {
			return nil, fmt.Errorf("%w: give it one in values, or filter it out by where", err)
		}
	}
	return fr.With(out)
}

// derive evaluates an expression of a model formula; a row with a missing
// value in it is missing.
func derive(fr *frame.Frame, name, expression string) (*frame.Frame, error) {
	f, err := formula.Parse("I(" + expression + ") ~ 1")
	if err != nil {
		return nil, err
	}
	d, err := f.Design(fr, formula.Options{})
	if err != nil {
		return nil, err
	}
	v := make([]float64, fr.Rows())
	for i := range v {
		v[i] = math.NaN()
	}
	for at, row := range d.Rows {
		v[row] = d.Y[at]
	}
	return fr.With(&frame.Column{Name: name, Kind: frame.Numeric, Num: v})
}
