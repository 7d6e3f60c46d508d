package lmm

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// StandardDeviationIntervals are profile-likelihood intervals of the standard
// deviations of the random effects, in the order of VarianceComponents, and of
// the residual, the last one. Like those of the fixed effects they are about
// the maximum likelihood fit. A lower limit is 0 where the likelihood does not
// exclude it.
func (m *Model) StandardDeviationIntervals(level float64) ([]Interval, error) {
	if !(level > 0 && level < 1) {
		return nil, fmt.Errorf("the level of a confidence interval lies between 0 and 1, it is %g", level)
	}
	ml, err := m.ML()
	if err != nil {
		return nil, err
	}
	ml.mu.Lock()
	k := ml.f.k.respond(ml.q)
	ml.mu.Unlock()
	target := math.Sqrt(distuv.ChiSquared{K: 1}.Quantile(level))
	var out []Interval
	for t, r := range ml.q.random {
		_, at, kt := ml.q.block(t)
		cov := ml.termCovariance(t)
		for c := 0; c < kt; c++ {
			s := &spreadProfile{f: &profile{q: ml.q, k: k}, term: t, row: at + c}
			iv, err := s.interval(ml, math.Sqrt(cov[c*kt+c]), target)
			if err != nil {
				return nil, fmt.Errorf("standard deviation of %s in %s: %w", r.names[c], ml.q.termLabel(t), err)
			}
			iv.Label = r.group + " " + r.names[c]
			out = append(out, iv)
		}
	}
	s := &spreadProfile{f: &profile{q: ml.q, k: k}, term: -1}
	iv, err := s.interval(ml, ml.sigma, target)
	if err != nil {
		return nil, fmt.Errorf("residual standard deviation: %w", err)
	}
	iv.Label = "Residual"
	return append(out, iv), nil
}

// spreadProfile is the ML deviance with one standard deviation held at s, as a
// function of theta. With sigma not profiled,
//
//	d(theta, sigma) = log|V| + r^2/sigma^2 + n log(2 pi sigma^2)
//
// and the standard deviation of a column being sigma rho, rho the length of
// its row of Lambda, sigma = s/rho(theta) leaves theta free: no constraint is
// left. For the residual, sigma = s.
type spreadProfile struct {
	f         *profile
	term, row int // term -1: the residual
	s         float64
}

// at is the deviance and its gradient:
//
//	2 ((G - H/sigma^2) Lambda)[row, col] + (2n/sigma - 2r^2/sigma^3) d sigma,
//	d sigma/d theta_i = -sigma theta_i/rho^2 for the entries of the row.
func (p *spreadProfile) at(theta []float64) (dev float64, grad []float64, err error) {
	q := p.f.q
	pt, err := p.f.at(theta)
	if err != nil {
		return 0, nil, err
	}
	if err := p.f.differentiate(pt); err != nil {
		return 0, nil, err
	}
	rho2, scale := 0.0, 1.0
	for i, par := range q.pars {
		if par.term == p.term && par.row == p.row {
			rho2 += theta[i] * theta[i]
			scale = par.scale
		}
	}
	sigma := p.s
	if p.term >= 0 {
		if rho2 == 0 {
			return 0, nil, fmt.Errorf("theta left its range")
		}
		sigma = p.s * scale / math.Sqrt(rho2)
	}
	s2, n := sigma*sigma, float64(q.n)
	dev = pt.logDet - q.logW + pt.r2/s2 + n*math.Log(2*math.Pi*s2)
	grad = make([]float64, len(theta))
	inner := make([][]float64, len(q.factors))
	for i, f := range q.factors {
		g := append([]float64(nil), pt.slopes[i].g...)
		axpy(-1/s2, pt.slopes[i].h, g)
		inner[i] = make([]float64, f.k*f.k)
		multiply(inner[i], g, pt.lambda[i], f.k)
	}
	for i, par := range q.pars {
		grad[i] = 2 * inner[par.factor][par.row*q.factors[par.factor].k+par.col]
		if par.term == p.term && par.row == p.row {
			grad[i] -= (2*n/sigma - 2*pt.r2/(s2*sigma)) * sigma * theta[i] / rho2
		}
	}
	return dev, grad, nil
}

// minimise is Newton's method in a trust region, its Hessian by differences of
// the gradient.
func (p *spreadProfile) minimise(theta []float64) (float64, []float64, error) {
	dev, grad, err := p.at(theta)
	if err != nil {
		return 0, nil, err
	}
	radius, d := 0.5, len(theta)
	for step := 0; step < 60; step++ {
		h := make([]float64, d*d)
		for i := range theta {
			e := 1e-5 * math.Max(0.1, math.Abs(theta[i]))
			var g [2][]float64
			for side, sign := range []float64{-1, 1} {
				moved := append([]float64(nil), theta...)
				moved[i] += sign * e
				if _, g[side], err = p.at(moved); err != nil {
					return 0, nil, err
				}
			}
			for j := range theta {
				v := (g[1][j] - g[0][j]) / (4 * e)
				h[i*d+j] += v
				h[j*d+i] += v
			}
		}
		for {
			s, pred, _ := trustStep(h, grad, radius)
			if pred < 1e-9 {
				return dev, theta, nil
			}
			next := add(theta, s)
			nextDev, nextGrad, err := p.at(next)
			if err == nil && dev-nextDev > 1e-4*pred {
				if dev-nextDev > 0.75*pred {
					radius *= 2
				}
				dev, theta, grad = nextDev, next, nextGrad
				break
			}
			if radius = norm(s) / 4; radius < 1e-10 {
				return dev, theta, nil
			}
		}
	}
	return 0, nil, fmt.Errorf("the profile likelihood did not converge at %g", p.s)
}

// interval finds where the root of the rise in deviance reaches the target, by
// bisection of secants on the logarithm of s.
func (p *spreadProfile) interval(ml *Model, est, target float64) (Interval, error) {
	iv := Interval{Estimate: est}
	start := append([]float64(nil), ml.pt.theta...)
	if nearSingular(start, ml.q) {
		start = ml.q.start()
	}
	unit := est
	if est == 0 {
		unit = ml.sigma / 100
	}
	for _, side := range []float64{-1, 1} {
		theta := start
		zeta := func(s float64) (float64, error) {
			p.s = s
			dev, at, err := p.minimise(theta)
			if err != nil {
				return 0, err
			}
			theta = at
			return math.Sqrt(math.Max(0, dev-ml.pt.dev)), nil
		}
		end, err := p.limit(zeta, unit, side, target, est == 0)
		if err != nil {
			return iv, err
		}
		if side < 0 {
			iv.Lower = end
		} else {
			iv.Upper = end
		}
	}
	return iv, nil
}

func (p *spreadProfile) limit(zeta func(float64) (float64, error), unit, side, target float64, zero bool) (float64, error) {
	if zero && side < 0 {
		return 0, nil
	}
	lo, zlo, hi, zhi := unit, 0.0, math.NaN(), 0.0
	s := unit * math.Pow(1.3, side)
	for i := 0; i < 200; i++ {
		z, err := zeta(s)
		if err != nil {
			return 0, err
		}
		if math.Abs(z-target) < 1e-7*target {
			return s, nil
		}
		if z < target {
			lo, zlo = s, z
		} else {
			hi, zhi = s, z
		}
		switch {
		case math.IsNaN(hi):
			if side < 0 && s < 1e-3*unit {
				return 0, nil // not excluded
			}
			s *= math.Pow(1.3+0.1*float64(i), side)
		case i%3 == 2:
			s = math.Sqrt(lo * hi)
		default:
			s = math.Exp(math.Log(lo) + (math.Log(hi)-math.Log(lo))*(target-zlo)/(zhi-zlo))
		}
		if math.Abs(hi-lo) < 1e-9*lo {
			return s, nil
		}
	}
	return 0, fmt.Errorf("the profile likelihood does not reach its limit")
}
