package formula

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-4012077a/flow/sdk/stats/frame"
)

// Coding is how a factor of k levels becomes k-1 columns.
type Coding uint8

const (
	// Treatment gives each level but the reference (the first) a 0/1 column:
	// coefficients are differences from the reference. R's contr.treatment.
	Treatment Coding = iota
	// Sum gives each level but the last a column with -1 in the rows of the
	// last: coefficients are differences from the mean of levels. R's
	// contr.sum.
	Sum
)

// ParseCoding reads "treatment" or "sum".
func ParseCoding(name string) (Coding, error) {
	switch name {
	case "", "treatment":
		return Treatment, nil
	case "sum":
		return Sum, nil
	}
	return 0, fmt.Errorf("no contrasts %q: %s", name, frame.Choices(name, []string{"treatment", "sum"}))
}

func (c Coding) String() string {
	if c == Sum {
		return "sum"
	}
	return "treatment"
}

// variable is one variable of a design and how it is coded.
type variable struct {
	e      *expr
	label  string
	factor bool
	levels []string // of the rows used
	coding Coding
	suffix []string // of the columns of a numeric variable: [""] but for poly
}

// columns is the number of columns of the variable, coded by contrasts or by
// a dummy for every level.
func (v *variable) columns(full bool) int {
	switch {
	case !v.factor:
		return len(v.suffix)
	case full:
		return len(v.levels)
	}
	return len(v.levels) - 1
}

func (v *variable) names(full bool) []string {
	out := make([]string, v.columns(full))
	for j := range out {
		switch {
		case !v.factor:
			out[j] = v.label + v.suffix[j]
		case full:
			out[j] = v.label + v.levels[j]
		case v.coding == Sum:
			out[j] = v.label + strconv.Itoa(j+1)
		default:
			out[j] = v.label + v.levels[j+1]
		}
	}
	return out
}

// code is the entry of column j for level k.
func (v *variable) code(k int32, j int, full bool) float64 {
	at := int(k)
	if !full {
		switch {
		case v.coding == Treatment:
			at--
		case at == len(v.levels)-1:
			return -1
		}
	}
	if at == j {
		return 1
	}
	return 0
}

// factorOf is a variable's part in one term.
type factorOf struct {
	variable int
	full     bool // a dummy for every level
}

// coder makes the columns of an expansion's terms.
type coder struct {
	variables []*variable
	intercept bool
	terms     [][]factorOf
	names     []string // of the columns
	assign    []int    // the term of each column, -1 the intercept
}

// newCoder decides each term's coding. A factor in a term is coded by
// contrasts where the term without it (the margin) is in the model, alone or
// within an earlier term, and by dummies otherwise; without an intercept the
// first factor of all is coded by dummies (R's TermCode and modelmatrix).
func newCoder(x *expansion, variables []*variable) *coder {
	c := &coder{variables: variables, intercept: x.intercept}
	freed := x.intercept
	for i, t := range x.terms {
		parts := make([]factorOf, len(t))
		for j, v := range t {
			parts[j] = factorOf{variable: v}
			if !variables[v].factor {
				continue
			}
			margin := slices.Delete(slices.Clone(t), j, j+1)
			present := len(margin) == 0
			for _, earlier := range x.terms[:i] {
				present = present || margin.within(earlier)
			}
			parts[j].full = !present
			if !freed {
				freed, parts[j].full = true, true
			}
		}
		c.terms = append(c.terms, parts)
	}
	if c.intercept {
		c.names, c.assign = append(c.names, "(Intercept)"), append(c.assign, -1)
	}
	for i, parts := range c.terms {
		names := []string{""}
		for _, p := range parts { // the first variable's columns run fastest
			next := make([]string, 0, len(names))
			for _, own := range variables[p.variable].names(p.full) {
				for _, n := range names {
					if n != "" {
						n += ":"
					}
					next = append(next, n+own)
				}
			}
			names = next
		}
		for _, n := range names {
			c.names, c.assign = append(c.names, n), append(c.assign, i)
		}
	}
	return c
}

// width is the number of columns, without making their names.
func width(x *expansion, variables []*variable) int {
	n := 1
	for _, t := range x.terms {
		w := 1
		for _, v := range t {
			w *= max(1, variables[v].columns(true))
			if w > 1<<24 {
				return w
			}
		}
		n += w
	}
	return n
}

// learn makes a variable of its value on the rows used: drops levels without
// rows and recodes the value to the levels left.
func learn(text string, e *expr, v *value, rows []int, o Options) (*variable, error) {
	out := &variable{e: e, label: e.String(), factor: v.factor()}
	if v.isText {
		return nil, &Error{text, e.pos, "a string is no variable"}
	}
	if !out.factor {
		out.suffix = v.suffix
		if out.suffix == nil {
			out.suffix = []string{""}
		}
		return out, nil
	}
	out.coding = o.coding(e)
	c := &frame.Column{Name: out.label, Kind: frame.Factor, Codes: v.codes, Levels: v.levels}
	used := c.Select(rows).DropLevels()
	if ref := o.reference(e); ref != "" {
		var err error
		if used, err = used.Relevel(ref); err != nil {
			return nil, &Error{text, e.pos, "reference level: " + err.Error()}
		}
	}
	out.levels = used.Levels
	if err := recode(text, out, v, nil); err != nil {
		return nil, err
	}
	return out, nil
}

// recode turns a value's codes into codes over the variable's levels. A level
// that the variable lacks is an error in the rows of need and -1 elsewhere.
func recode(text string, own *variable, v *value, need []int) error {
	to := make([]int32, len(v.levels))
	for i, l := range v.levels {
		to[i] = int32(slices.Index(own.levels, l))
	}
	codes := make([]int32, len(v.codes))
	for i, k := range v.codes {
		codes[i] = -1
		if k >= 0 {
			codes[i] = to[k]
		}
	}
	for _, r := range need {
		if k := v.codes[r]; k >= 0 && codes[r] < 0 {
			return &Error{text, own.e.pos, fmt.Sprintf("row %d: %s has no level %q in the data of the fit: %s", r+1, own.label, v.levels[k], frame.Choices(v.levels[k], own.levels))}
		}
	}
	v.codes, v.levels = codes, own.levels
	return nil
}

// whole says that no entry is missing or infinite.
func (v *value) whole() bool {
	for _, k := range v.codes {
		if k < 0 {
			return false
		}
	}
	for _, c := range v.cols {
		sum := 0.0 // NaN where a term is NaN or infinite
		for _, a := range c {
			sum += 0 * a
		}
		if sum != 0 {
			return false
		}
	}
	return true
}

// missing marks the rows where a value is missing.
func (v *value) missing(mark []bool) {
	if v.factor() {
		for i, k := range v.codes {
			mark[i] = mark[i] || k < 0
		}
	}
	for _, c := range v.cols {
		for i, a := range c {
			mark[i] = mark[i] || math.IsNaN(a)
		}
	}
}

// called says whether a name is the expression itself or the only column it
// reads, so that options may name either.
func (e *expr) called(name string) bool {
	if e.String() == name || e.op == opName && e.text == name {
		return true
	}
	cols := e.columns()
	return len(cols) == 1 && cols[0].text == name && (strings.HasPrefix(e.text, "factor") || e.text == "as.factor")
}
