package lmm

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Interval is a confidence interval.
type Interval struct {
	Label                  string
	Estimate, Lower, Upper float64
}

// ProfileIntervals are profile-likelihood intervals of the fixed effects: the
// values b at which the deviance, at its minimum over everything else, is the
// chi-squared quantile of one degree of freedom above its minimum. They are
// about the maximum likelihood fit, as in lme4, also where the model was fitted
// by REML; Estimate is that of maximum likelihood.
func (m *Model) ProfileIntervals(level float64) ([]Interval, error) {
	out := make([]Interval, m.q.p)
	l := make([]float64, m.q.p)
	for j, name := range m.q.names {
		l[j] = 1
		iv, err := m.ProfileInterval(name, l, level)
		if err != nil {
			return nil, err
		}
		out[j], l[j] = iv, 0
	}
	return out, nil
}

// ProfileInterval is the one of l'beta.
func (m *Model) ProfileInterval(label string, l []float64, level float64) (Interval, error) {
	if err := m.checkContrast(l); err != nil {
		return Interval{}, fmt.Errorf("%s: %w", label, err)
	}
	if !(level > 0 && level < 1) {
		return Interval{}, fmt.Errorf("%s: the level of a confidence interval lies between 0 and 1, it is %g", label, level)
	}
	ml, err := m.ML()
	if err != nil {
		return Interval{}, err
	}
	ml.mu.Lock()
	k := ml.f.k.respond(ml.q)
	ml.mu.Unlock()
	// l'beta = c'beta~ + shift.
	c := ml.q.centredContrast(l)
	est := dot(l, ml.beta)
	shift := est - dot(c, ml.pt.beta)
	f := &profile{q: ml.q, k: k, fixed: c}
	limit := distuv.ChiSquared{K: 1}.Quantile(level)
	se := ml.sigma * math.Sqrt(quadratic(c, ml.pt.c, c))
	iv := Interval{Label: label, Estimate: est}
	for _, side := range []float64{-1, 1} {
		end, err := f.crossing(ml.pt, est-shift, side, se, math.Sqrt(limit))
		if err != nil {
			return iv, fmt.Errorf("%s: %w", label, err)
		}
		if side < 0 {
			iv.Lower = end + shift
		} else {
			iv.Upper = end + shift
		}
	}
	return iv, nil
}

// crossing finds the value on one side of the estimate whose signed root
// zeta = sqrt(deviance - minimum) reaches the target. zeta is nearly linear in
// the value, so secants on it converge in a few steps; a bracket keeps them in.
func (f *profile) crossing(best *point, at, side, se, target float64) (float64, error) {
	theta := best.theta
	zeta := func(step float64) (float64, error) {
		f.value = at + side*step
		s, err := f.minimise(theta)
		if err != nil {
			return 0, err
		}
		if !nearSingular(s.pt.theta, f.q) {
			theta = s.pt.theta
		}
		return math.Sqrt(math.Max(0, s.pt.dev-best.dev)), nil
	}
	lo, zlo := 0.0, 0.0
	hi, zhi := math.Inf(1), 0.0
	step := target * se
	for i := 0; i < 100; i++ {
		z, err := zeta(step)
		if err != nil {
			return 0, err
		}
		if math.Abs(z-target) < 1e-8*target {
			return at + side*step, nil
		}
		if z < target {
			lo, zlo = step, z
		} else {
			hi, zhi = step, z
		}
		switch {
		case math.IsInf(hi, 1):
			step = lo * math.Min(4, math.Max(1.01, 1.02*target/math.Max(zlo, 1e-3)))
		default:
			step = lo + (hi-lo)*(target-zlo)/(zhi-zlo)
			if i > 20 {
				step = (lo + hi) / 2
			}
		}
		if hi-lo < 1e-12*hi {
			return at + side*step, nil
		}
	}
	return 0, fmt.Errorf("the profile likelihood does not reach its limit on the side of %g", side)
}

// nearSingular tells a theta from which a search had better not start.
func nearSingular(theta []float64, q *problem) bool {
	for i, par := range q.pars {
		if par.row == par.col && math.Abs(theta[i]) < 0.05 {
			return true
		}
	}
	return false
}
