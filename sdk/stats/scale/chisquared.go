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
// ch. 29), summed both ways from its largest weight.
func noncentralTail(x, df, ncp float64) float64 {
	if ncp == 0 {
		return chiSquaredTail(x, df)
	}
	half := ncp / 2
	weight := func(j float64) float64 {
		g, _ := math.Lgamma(j + 1)
		return math.Exp(-half + j*math.Log(half) - g)
	}
	top := math.Floor(half)
	sum := 0.0
	for j := top; j >= 0; j-- {
		w := weight(j)
		sum += w * chiSquaredTail(x, df+2*j)
		if w < 1e-17 {
			break
		}
	}
	for j := top + 1; ; j++ {
		w := weight(j)
		sum += w * chiSquaredTail(x, df+2*j)
		if w < 1e-17 {
			break
		}
	}
	return math.Min(1, sum)
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
