package panel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Resampling says what is drawn again beside the models.
type Resampling struct {
	Prompts bool // the panel's prompts
	Anchors bool // the anchors' prompts
}

func (r Resampling) String() string {
	s := "models"
	if r.Prompts {
		s += ", prompts"
	}
	if r.Anchors {
		s += ", anchors"
	}
	return s
}

// Options of a lambda equivalent.
type Options struct {
	Mean  bool // the centre is the mean of the models' means; else their median
	Draws int  // of the bootstrap
	Level float64
}

// Equivalent is the lambda at which the steered model scores as the panel's
// centre. Lambda, Lower and Upper are infinite beyond the anchors, and NaN
// where the anchors give no answer.
type Equivalent struct {
	Method       Method
	Resampled    Resampling
	Centre       float64
	Lambda       float64
	Lower, Upper float64
	Draws        int // that gave a lambda, the infinite ones among them
	Below, Above int // draws beyond the anchors
	Undefined    int // draws whose anchors gave no single lambda
}

// Equivalents finds the lambda equivalents of a panel by both methods for each
// way of resampling. Panel and anchors number the same prompts; the units of
// anchors are at the lambdas given, in increasing order.
func Equivalents(panel, anchors *Scores, lambda []float64, ways []Resampling, o Options, rng *rand.Rand) ([]Equivalent, error) {
	if panel.prompts != anchors.prompts {
		return nil, fmt.Errorf("the panel numbers %d prompts and the anchors %d", panel.prompts, anchors.prompts)
	}
	if panel.Units() == 0 {
		return nil, fmt.Errorf("the panel has no models")
	}
	if anchors.Units() != len(lambda) {
		return nil, fmt.Errorf("%d anchors have %d lambdas", anchors.Units(), len(lambda))
	}
	if o.Draws < 1 || !(o.Level > 0 && o.Level < 1) {
		return nil, fmt.Errorf("a bootstrap needs draws and a level between 0 and 1; they are %d and %g", o.Draws, o.Level)
	}
	b := &bootstrap{panel: panel, anchors: anchors, lambda: lambda, o: o, rng: rng, strata: strata(panel.used(), anchors.used())}
	b.means, b.each, b.eachAnchor = panel.Means(), panel.each(), anchors.each()
	b.centres = make([]float64, 0, len(b.means))
	var out []Equivalent
	for _, way := range ways {
		two, err := b.run(way)
		if err != nil {
			return nil, err
		}
		out = append(out, two...)
	}
	return out, nil
}

// strata are the prompts that panel and anchors share, and those of one alone.
func strata(panel, anchors []bool) [3][]int {
	var out [3][]int
	for j := range panel {
		switch {
		case panel[j] && anchors[j]:
			out[0] = append(out[0], j)
		case panel[j]:
			out[1] = append(out[1], j)
		case anchors[j]:
			out[2] = append(out[2], j)
		}
	}
	return out
}

type bootstrap struct {
	panel, anchors *Scores
	lambda         []float64
	o              Options
	rng            *rand.Rand
	strata         [3][]int
	means          []float64 // the models', all prompts once
	each           float64   // scores in every cell of the panel, 0 where they differ
	eachAnchor     float64
	centres        []float64 // scratch
}

// centre of the means of the models drawn (nil: each once); models without a
// score do not count.
func (b *bootstrap) centre(means []float64, drawn []int) float64 {
	b.centres = b.centres[:0]
	for k := range means {
		m := means[k]
		if drawn != nil {
			m = means[drawn[k]]
		}
		if !math.IsNaN(m) {
			b.centres = append(b.centres, m)
		}
	}
	n := len(b.centres)
	if n == 0 {
		return math.NaN()
	}
	if b.o.Mean {
		s := 0.0
		for _, m := range b.centres {
			s += m
		}
		return s / float64(n)
	}
	slices.Sort(b.centres)
	return (b.centres[(n-1)/2] + b.centres[n/2]) / 2
}

// weights draws each stratum's prompts with replacement.
func (b *bootstrap) weights(weight []float64) {
	clear(weight)
	for _, s := range b.strata {
		for range s {
			weight[s[b.rng.IntN(len(s))]]++
		}
	}
}

// curves are those of both methods, nil where there is none.
func (b *bootstrap) curves(weight []float64) [2]*Curve {
	mean, n := make([]float64, len(b.lambda)), make([]float64, len(b.lambda))
	b.anchors.totals(weight, nil, b.eachAnchor, mean, n)
	for k := range mean {
		mean[k] /= n[k]
	}
	var out [2]*Curve
	for m := range out {
		if c, err := NewCurve(Method(m), b.lambda, mean, n); err == nil {
			out[m] = c
		}
	}
	return out
}

func (b *bootstrap) run(way Resampling) ([]Equivalent, error) {
	units, prompts := b.panel.Units(), b.panel.prompts
	fixed := b.curves(nil)
	for m := range fixed {
		if fixed[m] == nil {
			sum, n := make([]float64, len(b.lambda)), make([]float64, len(b.lambda))
			b.anchors.totals(nil, nil, 0, sum, n)
			for k := range sum {
				sum[k] /= n[k]
			}
			_, err := NewCurve(Method(m), b.lambda, sum, n)
			return nil, err
		}
	}
	weight, drawn := make([]float64, prompts), make([]int, units)
	sum, n, use := make([]float64, units), make([]float64, units), make([]bool, units)
	var draws [2][]float64
	for range b.o.Draws {
		for k := range drawn {
			drawn[k] = b.rng.IntN(units)
		}
		if way.Prompts || way.Anchors {
			b.weights(weight)
		}
		means, curves := b.means, fixed
		if way.Prompts {
			clear(use)
			for _, k := range drawn {
				use[k] = true
			}
			b.panel.totals(weight, use, b.each, sum, n)
			for k := range sum {
				sum[k] /= n[k] // NaN for a model none of whose prompts was drawn
			}
			means = sum
		}
		if way.Anchors {
			curves = b.curves(weight)
		}
		centre := b.centre(means, drawn)
		for m, c := range curves {
			v := math.NaN()
			if c != nil {
				v = c.Lambda(centre)
			}
			draws[m] = append(draws[m], v)
		}
	}
	var out []Equivalent
	for m, c := range fixed {
		e := Equivalent{Method: Method(m), Resampled: way, Centre: b.centre(b.means, nil)}
		e.Lambda = c.Lambda(e.Centre)
		e.limits(draws[m], b.o.Level)
		out = append(out, e)
	}
	return out, nil
}

// limits takes the percentile interval of the draws.
func (e *Equivalent) limits(draws []float64, level float64) {
	var kept []float64
	for _, v := range draws {
		switch {
		case math.IsNaN(v):
			e.Undefined++
			continue
		case math.IsInf(v, -1):
			e.Below++
		case math.IsInf(v, 1):
			e.Above++
		}
		kept = append(kept, v)
	}
	e.Draws = len(kept)
	slices.Sort(kept)
	e.Lower, e.Upper = quantile(kept, (1-level)/2), quantile(kept, 1-(1-level)/2)
}

// quantile is R's type 7, with infinite values at the ends.
func quantile(sorted []float64, p float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	h := p * float64(len(sorted)-1)
	k := min(int(h), len(sorted)-1)
	a, b := sorted[k], sorted[min(k+1, len(sorted)-1)]
	switch {
	case h == float64(k) || a == b:
		return a
	case math.IsInf(a, 0):
		return a
	case math.IsInf(b, 0):
		return b
	}
	return a + (h-float64(k))*(b-a)
}
