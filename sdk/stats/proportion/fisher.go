package proportion

import (
	"fmt"
	"math"
)

// noncentral is Fisher's noncentral hypergeometric distribution: the first cell
// of a 2 x 2 table given its margins, when the odds ratio is w,
//
//	P(x) ~ C(m, x) C(n, k - x) w^x,   lo <= x <= hi.
//
// It is kept in logs and shifted by its maximum, so no margin overflows it.
type noncentral struct {
	lo, hi int
	logd   []float64 // log of C(m, x) C(n, k - x)
}

func newNoncentral(m, n, k int) noncentral {
	h := noncentral{lo: max(0, k-n), hi: min(k, m)}
	for x := h.lo; x <= h.hi; x++ {
		h.logd = append(h.logd, logChoose(m, x)+logChoose(n, k-x))
	}
	return h
}

// density at odds ratio w (0 and +Inf are point masses at the ends).
func (h noncentral) density(w float64) []float64 {
	d := make([]float64, len(h.logd))
	switch {
	case w == 0:
		d[0] = 1
		return d
	case math.IsInf(w, 1):
		d[len(d)-1] = 1
		return d
	}
	top := math.Inf(-1)
	for i := range d {
		d[i] = h.logd[i] + math.Log(w)*float64(h.lo+i)
		top = math.Max(top, d[i])
	}
	sum := 0.0
	for i := range d {
		d[i] = math.Exp(d[i] - top)
		sum += d[i]
	}
	for i := range d {
		d[i] /= sum
	}
	return d
}

func (h noncentral) mean(w float64) float64 {
	s := 0.0
	for i, p := range h.density(w) {
		s += p * float64(h.lo+i)
	}
	return s
}

// tail is P(X <= x) or, upper, P(X >= x).
func (h noncentral) tail(x int, w float64, upper bool) float64 {
	s := 0.0
	for i, p := range h.density(w) {
		if (upper && h.lo+i >= x) || (!upper && h.lo+i <= x) {
			s += p
		}
	}
	return math.Min(s, 1)
}

// Fisher is Fisher's exact test of a 2 x 2 table, as R's fisher.test: the null
// is an odds ratio of or0 (1 unless told); the estimate is the conditional
// maximum-likelihood odds ratio, the w at which the mean of the noncentral
// hypergeometric equals the first cell; the limits invert its tails.
func (t *Table) Fisher(or0 float64, a Alternative, level float64) (Test, error) {
	if len(t.Counts) != 2 || len(t.Counts[0]) != 2 || len(t.Counts[1]) != 2 {
		return Test{}, fmt.Errorf("the exact test of Fisher is for 2 x 2 tables; for a larger one use ChiSquared or G")
	}
	if _, _, _, err := t.margins(); err != nil {
		return Test{}, err
	}
	if err := checkLevel(level); err != nil {
		return Test{}, err
	}
	if !(or0 > 0) || math.IsInf(or0, 0) {
		return Test{}, fmt.Errorf("the odds ratio under the null is %v; it must be positive and finite", or0)
	}
	c := t.Counts
	x := c[0][0]
	h := newNoncentral(c[0][0]+c[1][0], c[0][1]+c[1][1], c[0][0]+c[0][1])
	r := Test{Method: "Fisher's exact test", Alternative: a, Statistic: math.NaN(), DF: math.NaN()}
	switch a {
	case Less:
		r.P = h.tail(x, or0, false)
	case Greater:
		r.P = h.tail(x, or0, true)
	default:
		d := h.density(or0)
		for _, p := range d {
			if p <= d[x-h.lo]*relErr {
				r.P += p
			}
		}
		r.P = math.Min(r.P, 1)
	}
	r.Estimate = solveOdds(func(w float64) float64 { return h.mean(w) - float64(x) }, x == h.lo, x == h.hi)
	tail := 1 - level
	if a == TwoSided {
		tail /= 2
	}
	r.Interval = Interval{0, math.Inf(1)}
	if a != Less {
		r.Lower = solveOdds(func(w float64) float64 { return h.tail(x, w, true) - tail }, x == h.lo, false)
	}
	if a != Greater {
		r.Upper = solveOdds(func(w float64) float64 { return tail - h.tail(x, w, false) }, false, x == h.hi)
	}
	return r, nil
}

// solveOdds finds the odds ratio at which the increasing function f crosses zero,
// by bisection on its logarithm after bracketing; zero and inf say that the root
// lies at an end of the range.
func solveOdds(f func(w float64) float64, zero, inf bool) float64 {
	switch {
	case zero:
		return 0
	case inf:
		return math.Inf(1)
	}
	lo, hi := -1.0, 1.0
	for f(math.Exp(lo)) > 0 && lo > -700 {
		lo *= 2
	}
	for f(math.Exp(hi)) < 0 && hi < 700 {
		hi *= 2
	}
	for range 200 {
		mid := lo + (hi-lo)/2
		if mid == lo || mid == hi {
			break
		}
		if f(math.Exp(mid)) < 0 {
			lo = mid
		} else {
			hi = mid
		}
	}
	return math.Exp(lo + (hi-lo)/2)
}
