package frame

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Len returns the number of rows of the column.
func (c *Column) Len() int {
	if c.Kind == Factor {
		return len(c.Codes)
	}
	return len(c.Num)
}

// Missing says whether the value of row i is missing.
func (c *Column) Missing(i int) bool {
	if c.Kind == Factor {
		return c.Codes[i] < 0
	}
	return math.IsNaN(c.Num[i])
}

// Select returns the given rows as a new column; rows outside it are missing.
func (c *Column) Select(rows []int) *Column {
	out := &Column{Name: c.Name, Kind: c.Kind, Levels: c.Levels}
	if c.Kind == Factor {
		out.Codes = make([]int32, len(rows))
		for i, r := range rows {
			if uint(r) < uint(len(c.Codes)) {
				out.Codes[i] = c.Codes[r]
			} else {
				out.Codes[i] = -1
			}
		}
		return out
	}
	out.Num = make([]float64, len(rows))
	for i, r := range rows {
		if uint(r) < uint(len(c.Num)) {
			out.Num[i] = c.Num[r]
		} else {
			out.Num[i] = math.NaN()
		}
	}
	return out
}

// DropLevels returns the factor with only the levels that occur, in their
// order. A numeric column, or a factor that uses all levels, is returned as is.
func (c *Column) DropLevels() *Column {
	if c.Kind != Factor {
		return c
	}
	used := make([]bool, len(c.Levels))
	for _, k := range c.Codes {
		if k >= 0 {
			used[k] = true
		}
	}
	if !slices.Contains(used, false) {
		return c
	}
	keep := make([]string, 0, len(c.Levels))
	for i, l := range c.Levels {
		if used[i] {
			keep = append(keep, l)
		}
	}
	return c.relabel(keep)
}

// relabel returns the factor over other levels; a level that is not among them
// becomes missing.
func (c *Column) relabel(levels []string) *Column {
	at := make(map[string]int32, len(levels))
	for i, l := range levels {
		at[l] = int32(i)
	}
	to := make([]int32, len(c.Levels))
	for i, l := range c.Levels {
		to[i] = -1
		if k, ok := at[l]; ok {
			to[i] = k
		}
	}
	codes := make([]int32, len(c.Codes))
	for i, k := range c.Codes {
		codes[i] = -1
		if k >= 0 {
			codes[i] = to[k]
		}
	}
	return &Column{Name: c.Name, Kind: Factor, Codes: codes, Levels: levels}
}

// Relevel returns the factor with the level ref first, the others in their
// order, as R's relevel.
func (c *Column) Relevel(ref string) (*Column, error) {
	if c.Kind != Factor {
		return nil, fmt.Errorf("column %q is numeric and has no levels: make it a factor first", c.Name)
	}
	at := slices.Index(c.Levels, ref)
	if at < 0 {
		return nil, fmt.Errorf("factor %q has no level %q: %s", c.Name, ref, Choices(ref, c.Levels))
	}
	levels := append([]string{ref}, c.Levels[:at]...)
	return c.relabel(append(levels, c.Levels[at+1:]...)), nil
}

// Reorder returns the factor with its levels in the given order. Every level
// of the factor must be named once; names that it does not have are errors.
func (c *Column) Reorder(levels []string) (*Column, error) {
	if c.Kind != Factor {
		return nil, fmt.Errorf("column %q is numeric and has no levels: make it a factor first", c.Name)
	}
	seen := map[string]bool{}
	for _, l := range levels {
		if !slices.Contains(c.Levels, l) {
			return nil, fmt.Errorf("factor %q has no level %q: %s", c.Name, l, Choices(l, c.Levels))
		}
		if seen[l] {
			return nil, fmt.Errorf("factor %q: level %q is named twice", c.Name, l)
		}
		seen[l] = true
	}
	for _, l := range c.Levels {
		if !seen[l] {
			return nil, fmt.Errorf("factor %q: level %q is not among the levels given (%s)", c.Name, l, strings.Join(levels, ", "))
		}
	}
	return c.relabel(slices.Clone(levels)), nil
}

// ToFactor returns the column as a factor. The levels of a numeric column are
// its distinct values in increasing order, written as R writes them.
func (c *Column) ToFactor() *Column {
	if c.Kind == Factor {
		return c
	}
	values, codes := distinct(c.Num)
	// Numbers that print alike are one level, as in R's factor().
	levels := make([]string, 0, len(values))
	to := make([]int32, len(values))
	for i, v := range values {
		s := Format(v)
		if len(levels) == 0 || levels[len(levels)-1] != s {
			levels = append(levels, s)
		}
		to[i] = int32(len(levels) - 1)
	}
	for i, k := range codes {
		if k >= 0 {
			codes[i] = to[k]
		}
	}
	return &Column{Name: c.Name, Kind: Factor, Codes: codes, Levels: levels}
}

// ToNumeric returns the column as numbers: the levels of a factor are read as
// numbers. A level that is not one is an error.
func (c *Column) ToNumeric() (*Column, error) {
	if c.Kind == Numeric {
		return c, nil
	}
	value := make([]float64, len(c.Levels))
	for i, l := range c.Levels {
		v, err := strconv.ParseFloat(strings.TrimSpace(l), 64)
		if err != nil {
			return nil, fmt.Errorf("factor %q: level %q is not a number", c.Name, l)
		}
		value[i] = v
	}
	out := make([]float64, len(c.Codes))
	for i, k := range c.Codes {
		out[i] = math.NaN()
		if k >= 0 {
			out[i] = value[k]
		}
	}
	return &Column{Name: c.Name, Kind: Numeric, Num: out}, nil
}

// Distinct returns the distinct values of a numeric column that are not
// missing, in increasing order; nil for a factor.
func (c *Column) Distinct() []float64 {
	if c.Kind == Factor {
		return nil
	}
	v, _ := distinct(c.Num)
	return v
}

// Counts returns how often each level of a factor occurs.
func (c *Column) Counts() []int {
	n := make([]int, len(c.Levels))
	for _, k := range c.Codes {
		if k >= 0 {
			n[k]++
		}
	}
	return n
}

// distinct returns the sorted distinct values and, for each row, the index of
// its value (-1 where it is NaN).
//
// Few values are found by looking through them and many by sorting: both are
// several times as fast inside WebAssembly as hashing every row.
func distinct(v []float64) (values []float64, codes []int32) {
	const few = 24
	for i, x := range v {
		if math.IsNaN(x) || i > 0 && x == v[i-1] || slices.Contains(values, x) {
			continue
		}
		if len(values) == few {
			values = slices.DeleteFunc(slices.Clone(v), math.IsNaN)
			break
		}
		values = append(values, x)
	}
	slices.Sort(values)
	values = slices.Compact(values)
	codes = make([]int32, len(v))
	for i, x := range v {
		switch {
		case math.IsNaN(x):
			codes[i] = -1
		case i > 0 && x == v[i-1]:
			codes[i] = codes[i-1]
		default:
			at, _ := slices.BinarySearch(values, x)
			codes[i] = int32(at)
		}
	}
	return values, codes
}

// Format writes a number as R's as.character does: the fewest digits, at most
// 15, that give the value to 15 digits, in fixed notation unless the
// scientific one is shorter.
func Format(v float64) string {
	switch {
	case math.IsNaN(v):
		return "NA"
	case math.IsInf(v, 1):
		return "Inf"
	case math.IsInf(v, -1):
		return "-Inf"
	case v == 0:
		return "0"
	}
	sci := strconv.FormatFloat(v, 'e', 14, 64)
	mantissa, exponent, _ := strings.Cut(sci, "e")
	mantissa = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".")
	e, _ := strconv.Atoi(exponent)
	digits := len(strings.NewReplacer("-", "", ".", "").Replace(mantissa))
	fixed := strconv.FormatFloat(v, 'f', max(0, digits-1-e), 64)
	if digits-1-e < 0 {
		// Digits past the 15th are R's to drop only in its choice of
		// notation; the integer itself is printed whole.
		fixed = strconv.FormatFloat(v, 'f', 0, 64)
	}
	scientific := mantissa + "e" + exponent
	if len(fixed) <= len(scientific) {
		return fixed
	}
	return scientific
}
