package formula

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"gonum.org/v1/gonum/mat"
)

// Random is a random term: each level of a group has its own deviation for
// each of k columns.
type Random struct {
	Text       string     // "1 + session | ppt"
	Group      string     // "ppt"; for a/b "b:a", as lme4 names it
	Levels     []string   // of the group, those that occur
	Index      []int32    // n; the level of each row
	Z          *mat.Dense // n x k
	Names      []string   // k: "(Intercept)", "session"
	Correlated bool       // the k > 1 deviations covary freely; (x||g) is expanded into uncorrelated terms

	coder *coder
	group *expr
}

// bar is a random term while the design is made.
type bar struct {
	text   string
	x      *expansion
	values []*value
	group  *expr
	codes  []int32 // of all rows
	levels []string
	name   string
}

// evaluateBars expands the random terms (nesting, ||) and evaluates them.
func (b *builder) evaluateBars() error {
	for _, e := range b.d.expansion.bars {
		groups, err := b.groups(e.args[1])
		if err != nil {
			return err
		}
		for _, g := range groups {
			left, err := b.barTerms(e)
			if err != nil {
				return err
			}
			for _, x := range left {
				r := &bar{x: x, group: g, text: barText(x) + " | " + g.String(), name: g.String()}
				if err := b.evaluateBar(r); err != nil {
					return err
				}
				b.bars = append(b.bars, r)
			}
		}
	}
	return nil
}

func barText(x *expansion) string {
	s := "0"
	if x.intercept {
		s = "1"
	}
	for _, t := range x.terms {
		s += " + " + x.label(t)
	}
	return s
}

// barTerms expands the left of "|"; "||" gives a part for the intercept and
// for each term (lme4's expandDoubleVert).
func (b *builder) barTerms(e *expr) ([]*expansion, error) {
	f := &Formula{text: b.d.Formula.text, right: e.args[0]}
	x, err := f.expand(nil)
	if err != nil {
		return nil, err
	}
	if len(x.bars) > 0 || len(x.offsets) > 0 {
		return nil, b.ev.errorf(e, "a random term has plain terms left of the bar")
	}
	if !x.intercept && len(x.terms) == 0 {
		return nil, b.ev.errorf(e, "this random term has no columns: write (1 | group)")
	}
	if e.text == "|" {
		return []*expansion{x}, nil
	}
	var out []*expansion
	if x.intercept {
		one := *x
		one.terms = nil
		out = append(out, &one)
	}
	for _, t := range x.terms {
		one := *x
		one.intercept, one.terms = false, []product{t}
		out = append(out, &one)
	}
	return out, nil
}

// groups expands a/b into b:a and a, in lme4's order.
func (b *builder) groups(e *expr) ([]*expr, error) {
	switch {
	case e.op == opParen:
		return b.groups(e.args[0])
	case e.op == opBinary && e.text == "/":
		outer, err := b.groups(e.args[0])
		if err != nil {
			return nil, err
		}
		inner, err := b.groups(e.args[1])
		if err != nil {
			return nil, err
		}
		if len(inner) != 1 {
			return nil, b.ev.errorf(e.args[1], "nesting is written a/b/c, without parentheses on the right")
		}
		within := outer[0]
		if within.op == opBinary {
			within = &expr{op: opParen, args: []*expr{within}, pos: within.pos}
		}
		nested := &expr{op: opBinary, text: ":", args: []*expr{inner[0], within}, pos: e.pos}
		return append([]*expr{nested}, outer...), nil
	case e.op == opBinary && e.text == ":":
		for _, a := range e.args {
			if got, err := b.groups(a); err != nil || len(got) != 1 {
				return nil, b.ev.errorf(e, "a grouping factor is a column, a:b or a/b")
			}
		}
		return []*expr{e}, nil
	case e.op == opName, e.op == opCall:
		return []*expr{e}, nil
	}
	return nil, b.ev.errorf(e, "a grouping factor is a column, a:b or a/b, not %s", e)
}

func (b *builder) evaluateBar(r *bar) error {
	for _, e := range r.x.variables {
		v, err := b.ev.eval(e)
		if err != nil {
			return err
		}
		if err := b.use(e, v); err != nil {
			return err
		}
		r.values = append(r.values, v)
	}
	g, err := b.ev.group(r.group)
	if err != nil {
		return err
	}
	r.codes, r.levels = g.codes, g.levels
	return b.use(r.group, &value{codes: g.codes, levels: g.levels})
}

// group evaluates a grouping factor; the levels of a:b are the pairs "a1:b1",
// the first factor's running slowest, as R's interaction.
func (ev *evaluator) group(e *expr) (*value, error) {
	if e.op == opParen {
		return ev.group(e.args[0])
	}
	if e.op == opBinary && e.text == ":" {
		a, err := ev.group(e.args[0])
		if err != nil {
			return nil, err
		}
		c, err := ev.group(e.args[1])
		if err != nil {
			return nil, err
		}
		return crossFactors(a, c), nil
	}
	v, err := ev.eval(e)
	if err != nil {
		return nil, err
	}
	if v.factor() {
		return v, nil
	}
	num, err := ev.numeric(e)
	if err != nil {
		return nil, err
	}
	c := (&frame.Column{Name: e.String(), Num: num}).ToFactor()
	return &value{codes: c.Codes, levels: c.Levels}, nil
}

// crossFactors makes the factor of pairs that occur.
func crossFactors(a, b *value) *value {
	type pair struct{ a, b int32 }
	at := map[pair]int32{}
	var pairs []pair
	for i, k := range a.codes {
		p := pair{k, b.codes[i]}
		if _, ok := at[p]; !ok && p.a >= 0 && p.b >= 0 {
			at[p] = 0
			pairs = append(pairs, p)
		}
	}
	slices.SortFunc(pairs, func(x, y pair) int {
		if x.a != y.a {
			return int(x.a - y.a)
		}
		return int(x.b - y.b)
	})
	out := &value{codes: make([]int32, len(a.codes))}
	for i, p := range pairs {
		at[p] = int32(i)
		out.levels = append(out.levels, a.levels[p.a]+":"+b.levels[p.b])
	}
	for i, k := range a.codes {
		out.codes[i] = -1
		if code, ok := at[pair{k, b.codes[i]}]; ok {
			out.codes[i] = code
		}
	}
	return out
}

// random makes Z and the index of each random term.
func (b *builder) random() error {
	d := b.d
	for _, r := range b.bars {
		c, err := b.code(r.x, r.values)
		if err != nil {
			return err
		}
		g := (&frame.Column{Kind: frame.Factor, Codes: r.codes, Levels: r.levels}).Select(d.Rows).DropLevels()
		if len(g.Levels) < 2 {
			return b.ev.errorf(r.group, "grouping factor %s has one level in the %d rows used: its variance cannot be estimated", r.name, len(d.Rows))
		}
		z := make([]float64, len(d.Rows)*len(c.names))
		c.fill(r.values, d.Rows, z)
		d.Random = append(d.Random, Random{
			Text: r.text, Group: r.name, Levels: g.Levels, Index: g.Codes,
			Z: mat.NewDense(len(d.Rows), len(c.names), z), Names: c.names,
			Correlated: len(c.names) > 1, coder: c, group: r.group,
		})
	}
	return nil
}

// NewRandom gives the random terms' Z and Index for new data. A row whose
// group is missing or was not in the data of the fit has Index -1.
func (d *Design) NewRandom(fr *frame.Frame) ([]Random, error) {
	ev := &evaluator{text: d.Formula.text, fr: fr, fit: d.fitted}
	out := make([]Random, 0, len(d.Random))
	for _, r := range d.Random {
		values, err := ev.again(r.coder)
		if err != nil {
			return nil, err
		}
		next := r
		k := len(r.Names)
		z := make([]float64, fr.Rows()*k)
		if fr.Rows() > 0 {
			r.coder.fill(values, sequence(fr.Rows()), z)
			next.Z = mat.NewDense(fr.Rows(), k, z)
		} else {
			next.Z = &mat.Dense{}
		}
		g, err := ev.group(r.group)
		if err != nil {
			return nil, err
		}
		at := make(map[string]int32, len(r.Levels))
		for i, l := range r.Levels {
			at[l] = int32(i)
		}
		next.Index = make([]int32, fr.Rows())
		for i, code := range g.codes {
			next.Index[i] = -1
			if code >= 0 {
				if known, ok := at[g.levels[code]]; ok {
					next.Index[i] = known
				}
			}
		}
		out = append(out, next)
	}
	return out, nil
}

// again evaluates a coder's variables on new data and maps their levels.
func (ev *evaluator) again(c *coder) ([]*value, error) {
	n := ev.fr.Rows()
	used := make([]bool, len(c.variables))
	for _, t := range c.terms {
		for _, p := range t {
			used[p.variable] = true
		}
	}
	values := make([]*value, len(c.variables))
	for i, own := range c.variables {
		if !used[i] {
			continue
		}
		v, err := ev.eval(own.e)
		if err != nil {
			return nil, err
		}
		if own.factor != v.factor() {
			is, was := "numeric", "a factor"
			if v.factor() {
				is, was = was, is
			}
			return nil, ev.errorf(own.e, "%s is %s here and was %s in the data of the fit", own.label, is, was)
		}
		for r := 0; r < n; r++ {
			bad := v.factor() && v.codes[r] < 0
			for _, c := range v.cols {
				bad = bad || math.IsNaN(c[r]) || math.IsInf(c[r], 0)
			}
			if bad {
				return nil, fmt.Errorf("row %d of the new data: %s is missing or not finite", r+1, own.label)
			}
		}
		if own.factor {
			if err := recode(ev.text, own, v, sequence(n)); err != nil {
				return nil, err
			}
		}
		values[i] = v
	}
	return values, nil
}

func sequence(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}
