package trial

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-4012077a/flow/sdk/stats/formula"
)

// Kinds of tests, by what they are about.
const (
	mainEffect     = "main_effect_" // and the factor's short label
	doseResponse   = "dose_response"
	moderation     = "moderation"
	simpleEffect   = "simple_effect"
	temporalMain   = "temporal_main"
	temporalInter  = "temporal_interaction"
	temporalSimple = "temporal_simple"
	temporalSlope  = "temporal_slope"
	temporalCoef   = "temporal_coefficient"
)

// test is a quantity to estimate from a model.
type test struct {
	name, kind  string
	contrast    linear
	coefficient []string // instead of a contrast: the variables of its column
	levels      []string
	slope       string // 1way, 2way, 3way
	byLambda    bool   // compares lambdas: it has narrow and full specs
}

// comparison is a factor, lambda's sides or a further factor, with what its
// effect and its levels are in marginal means.
type comparison struct {
	name   string             // in the names of time effects
	short  string             // in test types
	label  string             // in the names of moderations
	levels []linear           // mean at each level
	names  []string           // of the levels
	marks  []string           // of the levels, in slopes
	title  func(k int) string // of the main effect of level k against the first
}

// effect is the mean at level k less that at the first.
func (c comparison) effect(k int) linear { return c.levels[k].minus(c.levels[0]) }

// lambdaSides compares the high with the low lambdas.
func (p *Plan) lambdaSides(high, low []float64) comparison {
	side := func(values []float64) linear {
		var all []linear
		for _, v := range values {
			all = append(all, mean1(at{p.Lambda.Column: v}))
		}
		return average(all...)
	}
	return p.sides(side(low), side(high))
}

// signSides compares the signs of the high and low lambdas: the means over
// those levels of lambda's sign that they have.
func (p *Plan) signSides() comparison {
	side := func(values []float64) linear {
		var levels []int
		for _, v := range values {
			if k := signOf(v); !slices.Contains(levels, k) {
				levels = append(levels, k)
			}
		}
		var all []linear
		for _, k := range levels {
			all = append(all, mean1(at{p.sign(): p.Lambda.Signs[k]}))
		}
		return average(all...)
	}
	return p.sides(side(p.Lambda.Low), side(p.Lambda.High))
}

// signOf is the level of lambda's sign: below, at or above 0.
func signOf(v float64) int {
	switch {
	case v < 0:
		return 0
	case v > 0:
		return 2
	}
	return 1
}

func (p *Plan) sides(low, high linear) comparison {
	l := p.Lambda
	return comparison{
		name: l.Name, short: l.Label, label: l.Label, levels: []linear{low, high}, names: l.Marks, marks: l.Marks,
		title: func(int) string { return l.Label + ": " + l.contrast() },
	}
}

// contrast names the primary contrast: by sign where high and low are the two
// sides of 0, else by the values.
func (l Lambda) contrast() string {
	all := func(values []float64, sign int) bool {
		return !slices.ContainsFunc(values, func(v float64) bool { return signOf(v) != sign })
	}
	if all(l.High, 2) && all(l.Low, 0) {
		return "Avg(Pos) - Avg(Neg)"
	}
	list := func(values []float64) string {
		var texts []string
		for _, v := range values {
			texts = append(texts, fmt.Sprint(v))
		}
		return "Avg(" + strings.Join(texts, ", ") + ")"
	}
	return list(l.High) + " - " + list(l.Low)
}

// factor compares the levels of a randomised factor with the first.
func (p *Plan) factor(f Factor, levels []string) comparison {
	c := comparison{name: f.Label, short: f.Short, label: f.Label, names: levels, marks: slices.Clone(levels)}
	for k, l := range levels {
		if i := slices.Index(f.Levels, l); i >= 0 && i < len(f.Marks) {
			c.marks[k] = f.Marks[i]
		}
		c.levels = append(c.levels, mean1(at{f.Column: l}))
	}
	c.title = func(k int) string { return f.Label + ": " + operand(levels[k]) + " - " + operand(levels[0]) }
	return c
}

// operand writes a level's name in a difference: in parentheses where it has
// an operator in it.
func operand(level string) string {
	if strings.ContainsAny(level, "-+*/") {
		return "(" + level + ")"
	}
	return level
}

// suffix tells the levels of a factor apart where it has more than two.
func (c comparison) suffix(k int) string {
	if len(c.levels) == 2 {
		return ""
	}
	return " (" + operand(c.names[k]) + " - " + operand(c.names[0]) + ")"
}

// mainTests are the effects of lambda and the factors.
func mainTests(all []comparison) (out []test) {
	for i, c := range all {
		for k := 1; k < len(c.levels); k++ {
			out = append(out, test{name: c.title(k), kind: mainEffect + c.short, contrast: c.effect(k), byLambda: i == 0})
		}
	}
	return out
}

// moderations are how the effect of lambda differs between the levels of a
// factor, with the effects at each level.
func moderations(all []comparison, p *Plan) (out []test) {
	lambda := all[0]
	for i, c := range all[1:] {
		column := p.Factors[i].Column
		effect := func(k int) linear { return lambda.effect(1).fix(at{column: c.names[k]}) }
		for k := 1; k < len(c.levels); k++ {
			out = append(out, test{name: lambda.label + " × " + c.label + ": Interaction" + c.suffix(k), kind: moderation, contrast: effect(k).minus(effect(0))})
		}
		for k, name := range c.names {
			out = append(out, test{name: lambda.label + " at " + c.label + " = " + name, kind: simpleEffect, contrast: effect(k)})
		}
	}
	return out
}

// timeTests are the change from the first to the last time, and how effects
// change. first and last are on the scale of the model.
func (p *Plan) timeTests(all []comparison, r *rows) (out []test) {
	t := p.Time
	first, last := r.times[0], r.times[len(r.times)-1]
	when := func(v float64) at { return at{t.Column: v - r.centre} }
	mark := func(v float64) string { return fmt.Sprintf("%s%g", t.Mark, v) }
	change := mark(last) + " - " + mark(first)
	out = append(out, test{name: t.Name + ": " + change, kind: temporalMain, contrast: mean1(when(last)).minus(mean1(when(first)))})
	for _, c := range all {
		for k := 1; k < len(c.levels); k++ {
			e := c.effect(k)
			out = append(out,
				test{name: c.name + c.suffix(k) + " × " + t.Name + ": Δ (" + change + ")", kind: temporalInter, contrast: e.fix(when(last)).minus(e.fix(when(first)))},
				test{name: c.name + c.suffix(k) + " at " + mark(first), kind: temporalSimple, contrast: e.fix(when(first))},
				test{name: c.name + c.suffix(k) + " at " + mark(last), kind: temporalSimple, contrast: e.fix(when(last))})
		}
	}
	return out
}

// slopes are the slopes of time at the levels of lambda's sides and the
// factors, of one, two and three of them.
func (p *Plan) slopes(all []comparison, r *rows) (out []test) {
	// Time enters linearly: the difference over one unit is the slope.
	slope := func(l linear) linear {
		return l.fix(at{p.Time.Column: 0.5}).minus(l.fix(at{p.Time.Column: -0.5}))
	}
	for size := 1; size <= min(3, len(all)); size++ {
		for _, which := range subsets(len(all), size) {
			out = append(out, p.slopesOf(all, which, slope)...)
		}
	}
	return out
}

// subsets are the ascending index sets of one size, in order.
func subsets(n, size int) (out [][]int) {
	var grow func(from int, have []int)
	grow = func(from int, have []int) {
		if len(have) == size {
			out = append(out, slices.Clone(have))
			return
		}
		for i := from; i < n; i++ {
			grow(i+1, append(have, i))
		}
	}
	grow(0, nil)
	return out
}

// slopesOf are the slopes at each combination of some factors' levels, the
// first factor's varying fastest.
func (p *Plan) slopesOf(all []comparison, which []int, slope func(linear) linear) (out []test) {
	count := 1
	for _, i := range which {
		count *= len(all[i].levels)
	}
	for n := range count {
		t := test{kind: temporalSlope, slope: fmt.Sprintf("%dway", len(which)), levels: make([]string, len(all)), byLambda: which[0] == 0}
		var where linear
		rest, fixed := n, at{}
		var marks []string
		for _, i := range which {
			c := all[i]
			k := rest % len(c.levels)
			rest /= len(c.levels)
			t.levels[i] = c.marks[k]
			marks = append(marks, distinctMark(all, i, k))
			if i == 0 {
				where = c.levels[k]
			} else {
				fixed[p.Factors[i-1].Column] = c.names[k]
			}
		}
		if where == nil {
			where = mean1(nil)
		}
		t.contrast = slope(where.fix(fixed))
		t.name = "Slope: " + strings.Join(marks, " × ")
		out = append(out, t)
	}
	return out
}

// distinctMark is a level's short name, with its factor's label where another
// has a level of the same name.
func distinctMark(all []comparison, i, k int) string {
	mark := all[i].marks[k]
	for j, c := range all {
		if j != i && slices.Contains(c.marks, mark) {
			return all[i].label + " " + mark
		}
	}
	return mark
}

// doseTests are the coefficients of lambda's polynomial, of the additive
// model.
func (p *Plan) doseTests(d dose) (out []test) {
	names := []string{p.Lambda.Symbol + " (linear)", p.Lambda.Symbol + "² (quadratic)", p.Lambda.Symbol + "³ (cubic)"}
	for k := 1; k <= int(d); k++ {
		out = append(out, test{name: "Polynomial: " + names[k-1], kind: doseResponse, coefficient: []string{p.power(k)}})
	}
	return out
}

// timeCoefficients are the coefficients of time and of its products, of the
// full model, at the reference levels of what they do not name.
func (p *Plan) timeCoefficients(levels [][]string) (out []test) {
	t := p.Time
	time := formula.Quote(t.Column)
	add := func(name string, coefficient ...string) {
		out = append(out, test{name: "Coefficient: " + name, kind: temporalCoef, coefficient: coefficient})
	}
	add(t.Name, time)
	add(p.Lambda.Name+" × "+t.Name, p.power(1), time)
	for i, f := range p.Factors {
		for _, l := range levels[i][1:] {
			name := f.Label
			if len(levels[i]) > 2 {
				name += " (" + l + ")"
			}
			add(name+" × "+t.Name, formula.Quote(f.Column)+l, time)
		}
	}
	return out
}
