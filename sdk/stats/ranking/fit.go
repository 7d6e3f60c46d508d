package ranking

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// Constraint fixes the level of the log-worths.
type Constraint uint8

const (
	// SumToZero: the log-worths average 0.
	SumToZero Constraint = iota
	// ReferenceItem: the log-worth of Options.Reference is 0.
	ReferenceItem
)

// Options of a fit.
type Options struct {
	Constraint Constraint
	Reference  int // the item of log-worth 0 under ReferenceItem
	// Order adds an advantage of the item shown first, a constant added to its
	// log-worth; for comparisons only.
	Order bool
	// Pseudo is the number of imagined wins and of losses of every item against an
	// item of worth 1, which keep all estimates finite and shrink them a little
	// (Turner et al. 2020 use 0.5); 0 for none.
	Pseudo float64
	// Covariates (m x c) makes the log-worths linear, lambda = Z beta, in c columns
	// named by CovariateNames; none may be constant over the items.
	Covariates     *mat.Dense
	CovariateNames []string
}

// Rank fits the Plackett-Luce model to rankings of the named items.
func Rank(items []string, rankings []Ranking, o Options) (*Model, error) {
	if o.Order {
		return nil, fmt.Errorf("an advantage of the item shown first is for comparisons; rankings do not say how items were shown")
	}
	var all []choice
	for i, r := range rankings {
		c, err := r.choices(len(items))
		if err != nil {
			return nil, fmt.Errorf("ranking %d: %w", i+1, err)
		}
		all = append(all, c...)
	}
	return fit(items, all, o)
}

// Compare fits the Bradley-Terry model to comparisons of the named items; with
// ties it is Davidson's.
func Compare(items []string, comparisons []Comparison, o Options) (*Model, error) {
	all := make([]choice, len(comparisons))
	for i, c := range comparisons {
		var err error
		if all[i], err = c.choice(len(items)); err != nil {
			return nil, fmt.Errorf("comparison %d: %w", i+1, err)
		}
	}
	return fit(items, all, o)
}

func fit(items []string, all []choice, o Options) (*Model, error) {
	if err := o.check(items, all); err != nil {
		return nil, err
	}
	l := &likelihood{items: len(items), choices: all, order: o.Order}
	for _, c := range all {
		if c.taken > 1 && !slices.Contains(l.sizes, c.taken) {
			l.sizes = append(l.sizes, c.taken)
		}
	}
	slices.Sort(l.sizes)
	if err := l.checkTies(); err != nil {
		return nil, err
	}
	if o.Pseudo > 0 {
		l.items++ // the imagined item comes last
		ghost := len(items)
		for i := range items {
			l.choices = append(l.choices[:len(l.choices):len(l.choices)],
				choice{[]int{i, ghost}, 1, -1, o.Pseudo}, choice{[]int{ghost, i}, 1, -1, o.Pseudo})
		}
	} else if o.Covariates == nil {
		if err := connected(all, items); err != nil {
			return nil, err
		}
	}
	t := transform(l, len(items), o)
	free, cov, value, steps, err := l.maximise(t)
	if err != nil {
		return nil, err
	}
	return newModel(items, l, t, free, cov, value, steps, o), nil
}

func (o Options) check(items []string, all []choice) error {
	switch {
	case len(items) < 2:
		return fmt.Errorf("a worth needs at least two items to compare; there are %d", len(items))
	case len(all) == 0:
		return fmt.Errorf("nothing was compared: no ranking has two items or more")
	case o.Reference < 0 || o.Reference >= len(items):
		return fmt.Errorf("the reference item %d does not exist; there are %d items, numbered from 0", o.Reference, len(items))
	case o.Constraint > ReferenceItem:
		return fmt.Errorf("unknown constraint %d (valid: SumToZero, ReferenceItem)", o.Constraint)
	case o.Pseudo < 0 || math.IsNaN(o.Pseudo) || math.IsInf(o.Pseudo, 0):
		return fmt.Errorf("the number of pseudo-comparisons is %v; it must be 0 or positive", o.Pseudo)
	}
	if o.Covariates == nil {
		return nil
	}
	r, c := o.Covariates.Dims()
	if r != len(items) || c != len(o.CovariateNames) {
		return fmt.Errorf("the covariates are %d x %d; they need a row for each of the %d items and a name for each of the columns (there are %d)", r, c, len(items), len(o.CovariateNames))
	}
	for j := range c {
		col := mat.Col(nil, j, o.Covariates)
		if slices.Min(col) == slices.Max(col) {
			return fmt.Errorf("covariate %q is the same for all items, so it cannot tell them apart", o.CovariateNames[j])
		}
		for _, v := range col {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return fmt.Errorf("covariate %q has the value %v", o.CovariateNames[j], v)
			}
		}
	}
	return nil
}

// checkTies refuses data in which every choice that could be a tie is one.
func (l *likelihood) checkTies() error {
	if len(l.sizes) == 0 {
		return nil
	}
	for _, c := range l.choices {
		if c.taken == 1 {
			return nil
		}
	}
	return fmt.Errorf("every comparison is a tie: no item was ever placed above another, so there is nothing to tell them apart by")
}

// transform maps the free parameters to all: par = T free. The log-worths are
// free but for one (the pseudo item, or the reference), or linear in covariates.
func transform(l *likelihood, items int, o Options) *mat.Dense {
	rest := l.parameters() - l.items
	if o.Covariates != nil {
		_, c := o.Covariates.Dims()
		t := mat.NewDense(l.parameters(), c+rest, nil)
		for i := range items {
			for j := range c {
				t.Set(i, j, o.Covariates.At(i, j))
			}
		}
		for j := range rest {
			t.Set(l.items+j, c+j, 1)
		}
		return t
	}
	fixed := o.Reference
	if o.Pseudo > 0 {
		fixed = items
	}
	t := mat.NewDense(l.parameters(), l.parameters()-1, nil)
	j := 0
	for i := range l.parameters() {
		if i != fixed {
			t.Set(i, j, 1)
			j++
		}
	}
	return t
}

var errDiverged = errors.New("the worths have no finite estimates: some outcome is always the same along a combination of the parameters; drop a covariate, or ask for pseudo-comparisons")

// maximise by Newton's method with halving from all zeros. The log-likelihood is
// concave, so the limit is the maximum.
func (l *likelihood) maximise(t *mat.Dense) (free []float64, cov *mat.SymDense, value float64, steps int, err error) {
	n, k := t.Dims()
	free = make([]float64, k)
	at := func(x []float64) []float64 {
		par := mat.NewVecDense(n, nil)
		par.MulVec(t, mat.NewVecDense(k, x))
		return par.RawVector().Data
	}
	value, grad, info := l.evaluate(at(free))
	for steps = 1; steps <= 200; steps++ {
		var g mat.VecDense
		g.MulVec(t.T(), mat.NewVecDense(n, grad))
		var ti, tit mat.Dense
		ti.Mul(t.T(), info)
		tit.Mul(&ti, t)
		h := mat.NewSymDense(k, nil)
		for i := range k {
			for j := i; j < k; j++ {
				h.SetSym(i, j, (tit.At(i, j)+tit.At(j, i))/2)
			}
		}
		var c mat.Cholesky
		if !c.Factorize(h) || c.Cond() > 1e13 {
			return nil, nil, 0, steps, errDiverged
		}
		step := mat.NewVecDense(k, nil)
		if err := c.SolveVecTo(step, &g); err != nil {
			return nil, nil, 0, steps, errDiverged
		}
		if gain := mat.Dot(step, &g); gain < 1e-18*(1+math.Abs(value)) {
			cov = mat.NewSymDense(k, nil)
			return free, cov, value, steps, c.InverseTo(cov)
		}
		next, size, moved := make([]float64, k), 1.0, false
		for range 50 {
			for j := range next {
				next[j] = free[j] + size*step.AtVec(j)
			}
			v, ng, ni := l.evaluate(at(next))
			if v >= value-1e-13*math.Abs(value) && !math.IsNaN(v) {
				value, grad, info, moved = v, ng, ni, true
				break
			}
			size /= 2
		}
		if !moved {
			return nil, nil, 0, steps, fmt.Errorf("the search for the worths stopped before the maximum, at log-likelihood %.10g", value)
		}
		copy(free, next)
		for _, v := range at(free)[:l.items] {
			if math.Abs(v) > 60 {
				return nil, nil, 0, steps, errDiverged
			}
		}
	}
	return nil, nil, 0, steps, fmt.Errorf("the search for the worths did not converge in %d steps", steps-1)
}
