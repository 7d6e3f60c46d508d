package scale

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// chiSquaredTail is P(X > x) of a chi-squared X.
func chiSquaredTail(x, df float64) float64 {
	if x <= 0 {
		return 1
	}
	return mathext.GammaIncRegComp(df/2, x/2)
}

// noncentralTail is P(X > x) of a noncentral chi-squared X: a Poisson(ncp/2)
// mixture of central ones with df + 2j degrees (Johnson, Kotz and Balakrishnan,
// ch. 29), summed both ways from its largest weight. The central tails Q(a, x/2)
// follow from one by Q(a+1, h) = Q(a, h) + h^a exp(-h)/Gamma(a+1).
func noncentralTail(x, df, ncp float64) float64 {
	if ncp == 0 || x <= 0 {
		return chiSquaredTail(x, df)
	}
	half, h := ncp/2, x/2
	top := math.Floor(half)
	g, _ := math.Lgamma(top + 1)
	weight := math.Exp(-half + top*math.Log(half) - g)
	a := df/2 + top
	g, _ = math.Lgamma(a + 1)
	tail, next := chiSquaredTail(x, df+2*top), math.Exp(-h+a*math.Log(h)-g)
	const least = 1e-17
	sum := weight * tail
	for j, w, q, d := top, weight, tail, next; w > least; {
		j++
		w *= half / j
		q += d
		d *= h / (df/2 + j)
		sum += w * q
	}
	for j, w, q, d := top, weight, tail, next; j > 0 && w > least; {
		d *= (df/2 + j) / h
		q -= d
		w *= j / half
		j--
		sum += w * q
	}
	return math.Max(0, math.Min(1, sum))
}

// noncentrality returns the ncp at which x is exceeded with the given
// probability, 0 where none is that low.
func noncentrality(x, df, probability float64) float64 {
	if chiSquaredTail(x, df) >= probability {
		return 0
	}
	lo, hi := 0.0, math.Max(1, x)
	for noncentralTail(x, df, hi) < probability {
		hi *= 2
	}
	for range 200 {
		mid := (lo + hi) / 2
		if noncentralTail(x, df, mid) < probability {
			lo = mid
		} else {
			hi = mid
		}
		if hi-lo <= 1e-10*hi {
			break
		}
	}
	return (lo + hi) / 2
}

// fQuantile is the p-quantile of F with d1 and d2 degrees of freedom: with B
// the beta(d1/2, d2/2) quantile, F = d2 B / (d1 (1-B)).
func fQuantile(p, d1, d2 float64) float64 {
	b := mathext.InvRegIncBeta(d1/2, d2/2, p)
	return d2 * b / (d1 * (1 - b))
}
