package dist

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// StudentizedRange is the distribution of (max - min) / s of K independent
// standard normals, with DF s^2 an independent chi-squared of DF degrees of
// freedom (+Inf: s = 1). It is R's ptukey with nranges = 1, and the
// distribution behind Tukey's comparisons of all pairs (Tukey 1953).
//
// Given s, with phi and Phi of the normal,
//
//	P(range > w) = K Int phi(z) { Phi(z)^(K-1) - [Phi(z) - Phi(z-w)]^(K-1) } dz,
//
// z being the largest. Over s with density f(s) the range is w = q s. Both
// integrals are of analytic functions that vanish at either end (over log s
// for the outer one), for which the trapezoidal rule converges exponentially
// (Trefethen and Weideman 2014): its steps below leave less than 1e-14. The
// upper tail is integrated itself, so that small p keep their digits.
type StudentizedRange struct {
	K  float64 // number of means, at least 2
	DF float64 // degrees of freedom, above 0
}

// NewStudentizedRange checks the parameters.
func NewStudentizedRange(k, df float64) (StudentizedRange, error) {
	switch {
	case !(k >= 2 && k <= 1e4):
		return StudentizedRange{}, fmt.Errorf("a studentized range has 2 to 10000 means, not %g", k)
	case !(df > 0):
		return StudentizedRange{}, fmt.Errorf("a studentized range has degrees of freedom above 0, not %g", df)
	}
	return StudentizedRange{K: k, DF: df}, nil
}

// CDF is P(Q <= q).
func (d StudentizedRange) CDF(q float64) float64 {
	if math.IsNaN(q) {
		return q
	}
	lower, _ := d.tails(q)
	return lower
}

// Survival is P(Q > q).
func (d StudentizedRange) Survival(q float64) float64 {
	if math.IsNaN(q) {
		return q
	}
	_, upper := d.tails(q)
	return upper
}

func (d StudentizedRange) tails(q float64) (lower, upper float64) {
	switch {
	case q <= 0:
		return 0, 1
	case math.IsInf(q, 1):
		return 1, 0
	}
	r := newNormalRange(d.K)
	if math.IsInf(d.DF, 1) {
		return r.tails(q)
	}
	// u = log s has the density exp(top + v (u - (exp(2u) - 1) / 2)),
	// top = log 2 + (v/2) log(v/2) - v/2 - lgamma(v/2),
	// of standard deviation about 1/sqrt(2v) about 0.
	v := d.DF
	a := v / 2
	gamma, _ := math.Lgamma(a)
	top := math.Ln2 + a*math.Log(a) - a - gamma
	if a > 500 { // these cancel: Stirling's series for the difference
		top = math.Ln2 + math.Log(a/(2*math.Pi))/2 - 1/(12*a) + 1/(360*a*a*a)
	}
	step := math.Min(0.08, 0.45/math.Sqrt(v))
	// Either side ends where the terms no longer count in either tail. Both
	// integrands have one peak, so a small term means that it has passed.
	add := func(u float64) bool {
		l, h := r.tails(q * math.Exp(u))
		weight := math.Exp(top+v*(u-math.Expm1(2*u)/2)) * step
		l, h = weight*l, weight*h
		lower += l
		upper += h
		return l > 1e-17*lower || h > 1e-17*upper
	}
	add(0)
	for u := step; add(u); u += step {
	}
	for u := -step; add(u); u -= step {
	}
	return math.Min(1, lower), math.Min(1, upper)
}

// normalRange holds the nodes of the inner integral for ranges of k normals.
type normalRange struct {
	k      float64
	z, cdf []float64
	weight []float64 // k phi(z) Phi(z)^(k-1) times the step
}

func newNormalRange(k float64) *normalRange {
	r := &normalRange{k: k}
	step := math.Min(0.15, 0.6/math.Sqrt(k))
	const far = 9.5 // phi(9.5) < 1e-20
	for z := -far; z <= far; z += step {
		p := normal(z)
		weight := step * k * math.Exp(-z*z/2) / math.Sqrt(2*math.Pi) * math.Pow(p, k-1)
		if weight > 1e-25 {
			r.z, r.cdf, r.weight = append(r.z, z), append(r.cdf, p), append(r.weight, weight)
		}
	}
	return r
}

func normal(z float64) float64 { return math.Erfc(-z/math.Sqrt2) / 2 }

// tails are P(range <= w) and P(range > w).
func (r *normalRange) tails(w float64) (lower, upper float64) {
	for i, z := range r.z {
		below := normal(z - w) // the part of Phi(z) that is further than w
		// ([Phi(z) - below] / Phi(z))^(k-1) - 1, without cancellation
		e := math.Expm1((r.k - 1) * math.Log1p(-below/r.cdf[i]))
		lower += r.weight[i] * (1 + e)
		upper -= r.weight[i] * e
	}
	return lower, upper
}

// Quantile is the q with P(Q <= q) = p, for p in [0, 1).
func (d StudentizedRange) Quantile(p float64) float64 {
	switch {
	case !(p >= 0 && p <= 1):
		return math.NaN()
	case p == 0:
		return 0
	case p == 1:
		return math.Inf(1)
	}
	// The smaller tail decides, on the log scale, where it is nearly
	// straight: the root is bracketed and then found by the Illinois rule.
	f := func(q float64) float64 {
		lower, upper := d.tails(q)
		if p < 0.5 {
			return math.Log(lower) - math.Log(p)
		}
		return math.Log1p(-p) - math.Log(upper)
	}
	lo, hi := 0.0, math.Max(1, math.Sqrt2*distuv.UnitNormal.Quantile(1-(1-p)/2))
	flo, fhi := math.Inf(-1), f(hi)
	for fhi < 0 {
		lo, flo = hi, fhi
		hi *= 2
		if fhi = f(hi); math.IsNaN(fhi) || hi > 1e150 {
			return math.Inf(1)
		}
	}
	for range 200 {
		mid := (lo + hi) / 2
		if !math.IsInf(flo, 0) && !math.IsInf(fhi, 0) {
			mid = hi - fhi*(hi-lo)/(fhi-flo)
		}
		if !(mid > lo && mid < hi) {
			mid = (lo + hi) / 2
		}
		fm := f(mid)
		switch {
		case fm == 0 || hi-lo < 1e-13*hi:
			return mid
		case (fm > 0) == (fhi > 0):
			hi, fhi, flo = mid, fm, flo/2
		default:
			lo, flo, fhi = mid, fm, fhi/2
		}
	}
	return (lo + hi) / 2
}
