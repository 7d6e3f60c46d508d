package proportion

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mathext"
)

// relErr lets outcomes that are equally likely up to rounding count as equally
// likely, as R's binom.test and fisher.test do.
const relErr = 1 + 1e-7

// Exact is the exact binomial test that the proportion of s is p0, as R's
// binom.test: two-sided, it sums every outcome no more likely than the one seen.
// Limits are Clopper and Pearson's.
func Exact(s Sample, p0 float64, a Alternative, level float64) (Test, error) {
	i, err := s.OneSided(ClopperPearson, level, a)
	if err != nil {
		return Test{}, err
	}
	if !(p0 >= 0 && p0 <= 1) {
		return Test{}, fmt.Errorf("the proportion under the null is %v; it must lie between 0 and 1", p0)
	}
	t := Test{
		Method: "exact binomial test", Alternative: a, Statistic: math.NaN(), DF: math.NaN(),
		Estimate: s.P(), Interval: i,
	}
	switch a {
	case Less:
		t.P = binomLower(s.Events, s.N, p0)
	case Greater:
		t.P = binomUpper(s.Events, s.N, p0)
	default:
		t.P = exactTwoSided(s, p0)
	}
	return t, nil
}

func exactTwoSided(s Sample, p0 float64) float64 {
	if p0 == 0 || p0 == 1 {
		if (p0 == 0 && s.Events == 0) || (p0 == 1 && s.Events == s.N) {
			return 1
		}
		return 0
	}
	limit, mean := binomLog(s.Events, s.N, p0)+math.Log(relErr), float64(s.N)*p0
	x := float64(s.Events)
	switch {
	case x == mean:
		return 1
	case x < mean:
		y := 0
		for i := int(math.Ceil(mean)); i <= s.N; i++ {
			if binomLog(i, s.N, p0) <= limit {
				y++
			}
		}
		return math.Min(1, binomLower(s.Events, s.N, p0)+binomUpper(s.N-y+1, s.N, p0))
	default:
		y := 0
		for i := 0; i <= int(math.Floor(mean)); i++ {
			if binomLog(i, s.N, p0) <= limit {
				y++
			}
		}
		return math.Min(1, binomLower(y-1, s.N, p0)+binomUpper(s.Events, s.N, p0))
	}
}

// binomLower is P(X <= x), binomUpper P(X >= x) for X binomial (n, p).
func binomLower(x, n int, p float64) float64 {
	switch {
	case x < 0:
		return 0
	case x >= n:
		return 1
	}
	return mathext.RegIncBeta(float64(n-x), float64(x)+1, 1-p)
}

func binomUpper(x, n int, p float64) float64 {
	switch {
	case x <= 0:
		return 1
	case x > n:
		return 0
	}
	return mathext.RegIncBeta(float64(x), float64(n-x)+1, p)
}

func binomLog(x, n int, p float64) float64 {
	l := logChoose(n, x)
	if x > 0 {
		l += float64(x) * math.Log(p)
	}
	if x < n {
		l += float64(n-x) * math.Log1p(-p)
	}
	return l
}

func logChoose(n, k int) float64 {
	a, _ := math.Lgamma(float64(n) + 1)
	b, _ := math.Lgamma(float64(k) + 1)
	c, _ := math.Lgamma(float64(n-k) + 1)
	return a - b - c
}
