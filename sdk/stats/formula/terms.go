package formula

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
)

// product is a term before coding: the sorted indices of its variables.
type product []int

func (t product) key() string {
	b := make([]byte, 0, 4*len(t))
	for _, v := range t {
		b = binary.AppendUvarint(b, uint64(v))
	}
	return string(b)
}

// cross is the term with the variables of both: a:a is a.
func (t product) cross(u product) product {
	out := append(slices.Clone(t), u...)
	sort.Ints(out)
	return slices.Compact(out)
}

// within says whether every variable of t is in u.
func (t product) within(u product) bool {
	for _, v := range t {
		if !slices.Contains(u, v) {
			return false
		}
	}
	return true
}

// terms are distinct products in the order in which they came. An expansion's
// step owns the terms it is given and may add to them.
type terms struct {
	list []product
	have map[string]bool
}

func (s *terms) add(t product) {
	if s.have == nil {
		s.have = map[string]bool{}
	}
	if k := t.key(); !s.have[k] {
		s.have[k] = true
		s.list = append(s.list, t)
	}
}

func (s *terms) remove(gone func(product) bool) {
	s.list = slices.DeleteFunc(s.list, func(t product) bool {
		if !gone(t) {
			return false
		}
		delete(s.have, t.key())
		return true
	})
}

// expansion is a formula's right side multiplied out.
type expansion struct {
	text      string
	variables []*expr
	index     map[string]int
	terms     []product // ordered by number of variables, then as written
	intercept bool
	number    *expr // the last 0 or 1 read as a term
	offsets   []*expr
	bars      []*expr // the inside of random terms: opBinary "|" or "||"
	dot       []string
	work      int // products made, bounded
}

// expand multiplies out the right side of the formula. dot holds the columns
// that "." stands for, nil while there is no frame.
func (f *Formula) expand(dot []string) (*expansion, error) {
	x := &expansion{text: f.text, index: map[string]int{}, intercept: true, dot: dot}
	all, err := x.sum(f.right, true)
	if err != nil {
		return nil, err
	}
	if f.response != nil { // a response on the right too is no predictor
		if r, ok := x.index[f.response.String()]; ok {
			all.remove(func(t product) bool { return len(t) == 1 && t[0] == r })
		}
	}
	sort.SliceStable(all.list, func(i, j int) bool { return len(all.list[i]) < len(all.list[j]) })
	x.terms = all.list
	return x, nil
}

func (x *expansion) errorf(e *expr, format string, args ...any) error {
	return &Error{x.text, e.pos, fmt.Sprintf(format, args...)}
}

// label is a term's name: its variables in the order in which the formula
// first mentions them, as in R.
func (x *expansion) label(t product) string {
	names := make([]string, len(t))
	for i, v := range t {
		names[i] = x.variables[v].String()
	}
	return strings.Join(names, ":")
}

func (x *expansion) variable(e *expr) product {
	key := e.String()
	i, ok := x.index[key]
	if !ok {
		i = len(x.variables)
		x.index[key] = i
		x.variables = append(x.variables, e)
	}
	return product{i}
}

// one is a single variable as terms.
func (x *expansion) one(e *expr) *terms {
	out := &terms{}
	out.add(x.variable(e))
	return out
}

// union adds to a the terms of b that it lacks.
func (x *expansion) union(e *expr, a, b *terms) (*terms, error) {
	for _, t := range b.list {
		a.add(t)
	}
	if len(a.list) > maxTerms {
		return nil, x.errorf(e, "the formula has more than %d terms", maxTerms)
	}
	return a, nil
}

// crossed multiplies two sets of terms.
func (x *expansion) crossed(e *expr, a, b *terms) (*terms, error) {
	if x.work += len(a.list) * len(b.list); x.work > maxProducts {
		return nil, x.errorf(e, "the formula has more than %d terms, or makes them in too many ways", maxTerms)
	}
	out := &terms{}
	for _, t := range a.list {
		for _, u := range b.list {
			both := t.cross(u)
			if len(both) > maxOrder {
				return nil, x.errorf(e, "a term has more than %d variables", maxOrder)
			}
			out.add(both)
		}
	}
	return x.union(e, &terms{}, out)
}

// sum expands an expression into terms. top says that it is part of the
// outermost sum, where intercepts, offsets and random terms may stand.
func (x *expansion) sum(e *expr, top bool) (*terms, error) {
	switch e.op {
	case opName:
		if e.text == "." {
			return x.others(e)
		}
		return x.one(e), nil
	case opNumber:
		if e.num != 0 && e.num != 1 {
			return nil, x.errorf(e, "the number %s is no term: 1 is the intercept, 0 leaves it out; arithmetic stands in I(...)", e)
		}
		x.intercept, x.number = e.num == 1, e
		return &terms{}, nil
	case opString:
		return nil, x.errorf(e, "a string is no term: a column's name stands without quotes or in backquotes")
	case opParen:
		if in := e.args[0]; in.op == opBinary && (in.text == "|" || in.text == "||") {
			if !top {
				return nil, x.errorf(e, "a random term is added to the others; it cannot be part of an interaction")
			}
			x.bars = append(x.bars, in)
			return &terms{}, nil
		}
		return x.sum(e.args[0], top)
	case opCall:
		if e.text == "offset" {
			if !top {
				return nil, x.errorf(e, "an offset is added to the other terms; it cannot be part of an interaction")
			}
			if len(e.args) != 1 {
				return nil, x.errorf(e, "offset takes one argument, it has %d", len(e.args))
			}
			x.offsets = append(x.offsets, e.args[0])
			return &terms{}, nil
		}
		if err := x.checkCall(e); err != nil {
			return nil, err
		}
		return x.one(e), nil
	case opUnary:
		return x.signed(e)
	}
	return x.binary(e, top)
}

func (x *expansion) signed(e *expr) (*terms, error) {
	switch {
	case e.text == "+":
		return x.sum(e.args[0], true)
	case e.text == "-":
		return x.minus(&terms{}, e.args[0])
	}
	return nil, x.errorf(e, "\"!\" has no meaning between terms: write I(!...)")
}

func (x *expansion) minus(left *terms, right *expr) (*terms, error) {
	intercept, number := x.intercept, x.number
	x.number = nil
	drop, err := x.sum(right, false)
	if err != nil {
		return nil, err
	}
	// "- 1" takes the intercept away, "- 0" adds it.
	if x.number != nil {
		x.intercept = !x.intercept
	} else {
		x.intercept, x.number = intercept, number
	}
	left.remove(func(t product) bool { return drop.have[t.key()] })
	return left, nil
}

func (x *expansion) binary(e *expr, top bool) (*terms, error) {
	switch e.text {
	case "|", "||":
		return nil, x.errorf(e, "a random term stands in parentheses: (1 | group)")
	case "+", "-", "*", ":", "/", "%in%", "^":
	default:
		return nil, x.errorf(e, "%q has no meaning between terms: write I(%s)", e.text, e)
	}
	inSum := top && (e.text == "+" || e.text == "-")
	left, err := x.sum(e.args[0], inSum)
	if err != nil {
		return nil, err
	}
	switch e.text {
	case "-":
		return x.minus(left, e.args[1])
	case "^":
		return x.power(e, left)
	}
	right, err := x.sum(e.args[1], inSum)
	if err != nil {
		return nil, err
	}
	switch e.text {
	case "+":
		return x.union(e, left, right)
	case ":", "%in%":
		return x.crossed(e, left, right)
	case "*":
		both, err := x.crossed(e, left, right)
		if err != nil {
			return nil, err
		}
		if left, err = x.union(e, left, right); err != nil {
			return nil, err
		}
		return x.union(e, left, both)
	default: // a/b: b within every combination of a
		all := product{}
		for _, t := range left.list {
			if all = all.cross(t); len(all) > maxOrder {
				return nil, x.errorf(e, "a term has more than %d variables", maxOrder)
			}
		}
		outer := &terms{}
		outer.add(all)
		inside, err := x.crossed(e, outer, right)
		if err != nil {
			return nil, err
		}
		return x.union(e, left, inside)
	}
}

// power is (a+b)^k: all products of up to k of the terms.
func (x *expansion) power(e *expr, base *terms) (*terms, error) {
	k := e.args[1]
	if k.op != opNumber || k.num < 1 || k.num != math.Trunc(k.num) {
		return nil, x.errorf(k, "between terms \"^\" takes a whole number from 1; to square a column write I(%s)", e)
	}
	out := &terms{}
	if _, err := x.union(e, out, base); err != nil {
		return nil, err
	}
	for i := 1; i < int(min(k.num, float64(len(x.variables)+1))); i++ {
		more, err := x.crossed(e, out, base)
		if err != nil {
			return nil, err
		}
		if out, err = x.union(e, out, more); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// others expands ".": every column that the left side does not use.
func (x *expansion) others(e *expr) (*terms, error) {
	out := &terms{}
	for _, name := range x.dot {
		out.add(x.variable(&expr{op: opName, text: name, pos: e.pos}))
	}
	return out, nil
}

// checkCall verifies a call's function and number of arguments, so that a
// mistake is found when the formula is read.
func (x *expansion) checkCall(e *expr) error {
	return walk(e, func(n *expr) error {
		switch n.op {
		case opCall:
			return checkFunction(x.text, n)
		case opBinary:
			if n.text == "%in%" || n.text == "~" {
				return x.errorf(n, "%q has no meaning inside a function", n.text)
			}
		case opName:
			if n.text == "." {
				return x.errorf(n, "\".\" stands for all other columns between terms only")
			}
		}
		return nil
	})
}

// walk visits an expression and its parts.
func walk(e *expr, visit func(*expr) error) error {
	if err := visit(e); err != nil {
		return err
	}
	for _, a := range e.args {
		if err := walk(a, visit); err != nil {
			return err
		}
	}
	return nil
}

// columns lists the names that an expression reads, in order, each once. The
// second argument of C(), a coding, is no column.
func (e *expr) columns() []*expr {
	var out []*expr
	seen := map[string]bool{}
	_ = walk(e, func(n *expr) error {
		if n.op == opName && !seen[n.text] {
			seen[n.text] = true
			out = append(out, n)
		}
		return nil
	})
	return out
}

// constant says whether a name, without backquotes, is one of R's constants.
func constant(name string) bool {
	return name == "TRUE" || name == "FALSE" || name == "pi"
}
