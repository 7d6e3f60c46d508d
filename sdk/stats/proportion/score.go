package proportion

import (
	"fmt"
	"math"
)

// OneSample tests whether the proportion of s is p0 by the score test, with
// limits by Wilson, as R's prop.test(x, n, p0). correct subtracts
// min(1/2, |x - n p0|) from |x - n p0|, and uses the same correction in the limits.
func OneSample(s Sample, p0 float64, a Alternative, correct bool, level float64) (Test, error) {
	if err := s.check(); err != nil {
		return Test{}, err
	}
	if err := checkLevel(level); err != nil {
		return Test{}, err
	}
	if !(p0 > 0 && p0 < 1) {
		return Test{}, fmt.Errorf("the proportion under the null is %v; it must lie strictly between 0 and 1", p0)
	}
	n, x := float64(s.N), float64(s.Events)
	d := x - n*p0
	var c float64
	method := "1-sample proportions test without continuity correction"
	if correct {
		c = math.Min(0.5, math.Abs(d))
		if c > 0 {
			method = "1-sample proportions test with continuity correction"
		}
	}
	z := math.Copysign(math.Abs(d)-c, d) / math.Sqrt(n*p0*(1-p0))
	i := wilson(s.P(), n, zOf(level, a), c)
	return Test{
		Method: method, Alternative: a, Statistic: z * z, DF: 1, P: sided(z, a),
		Estimate: s.P(), Interval: clip(i, a, 0, 1), Corrected: c,
	}, nil
}

// TwoSample tests whether two proportions are equal by the pooled score test,
// as R's prop.test(c(x1, x2), c(n1, n2)); the estimate is p1 - p2 and its
// limits are Wald's, widened by the correction min(1/2, |p1 - p2| / (1/n1 + 1/n2)).
func TwoSample(s1, s2 Sample, a Alternative, correct bool, level float64) (Test, error) {
	for _, s := range []Sample{s1, s2} {
		if err := s.check(); err != nil {
			return Test{}, err
		}
	}
	if err := checkLevel(level); err != nil {
		return Test{}, err
	}
	n1, n2 := float64(s1.N), float64(s2.N)
	p1, p2 := s1.P(), s2.P()
	delta, harm := p1-p2, 1/n1+1/n2
	pool := float64(s1.Events+s2.Events) / (n1 + n2)
	if pool == 0 || pool == 1 {
		return Test{}, fmt.Errorf("no variance: the two samples have %d events in %d trials, so equality cannot be tested", s1.Events+s2.Events, s1.N+s2.N)
	}
	var c float64
	method := "2-sample test for equality of proportions without continuity correction"
	if correct {
		c = math.Min(0.5, math.Abs(delta)/harm)
		if c > 0 {
			method = "2-sample test for equality of proportions with continuity correction"
		}
	}
	// |x1 - n1 pool| = |x2 - n2 pool| = |delta| / harm, so the sum of the four
	// cells (|O - E| - c)^2 / E is z^2 with z as follows.
	z := math.Copysign(math.Abs(delta)/harm-c, delta) * math.Sqrt(harm/(pool*(1-pool)))
	w := zOf(level, a)*math.Sqrt(p1*(1-p1)/n1+p2*(1-p2)/n2) + c*harm
	return Test{
		Method: method, Alternative: a, Statistic: z * z, DF: 1, P: sided(z, a),
		Estimate: delta, Interval: clip(Interval{delta - w, delta + w}, a, -1, 1), Corrected: c,
	}, nil
}

// clip keeps limits inside the parameter's range and opens the side that a
// one-sided alternative leaves free.
func clip(i Interval, a Alternative, lo, hi float64) Interval {
	i.Lower, i.Upper = math.Max(i.Lower, lo), math.Min(i.Upper, hi)
	switch a {
	case Less:
		i.Lower = lo
	case Greater:
		i.Upper = hi
	}
	return i
}

// Equal tests whether k >= 2 proportions are all the same (R's prop.test for
// k > 2): Pearson's chi-squared on the k x 2 table, df = k - 1, no correction.
func Equal(samples []Sample) (Test, error) {
	if len(samples) < 2 {
		return Test{}, fmt.Errorf("equality of proportions needs at least two samples; got %d", len(samples))
	}
	t := &Table{Counts: make([][]int, len(samples))}
	for i, s := range samples {
		if err := s.check(); err != nil {
			return Test{}, fmt.Errorf("sample %d: %w", i+1, err)
		}
		t.Counts[i] = []int{s.Events, s.N - s.Events}
	}
	c, err := t.ChiSquared(false)
	if err != nil {
		return Test{}, err
	}
	c.Test.Method = fmt.Sprintf("%d-sample test for equality of proportions without continuity correction", len(samples))
	return c.Test, nil
}

// Trend is the Cochran-Armitage test for a linear trend of proportions over
// scores, as R's prop.trend.test. With T = sum x_i (s_i - sbar),
// sbar = sum n_i s_i / n and p the pooled proportion,
//
//	z = T / sqrt(p (1-p) sum n_i (s_i - sbar)^2).
//
// Greater asks whether proportions grow with the score. Estimate is the
// weighted least-squares slope of the proportion on the score, without limits.
func Trend(samples []Sample, scores []float64, a Alternative) (Test, error) {
	if len(samples) != len(scores) {
		return Test{}, fmt.Errorf("a trend needs a score for every sample; got %d samples, %d scores", len(samples), len(scores))
	}
	var n, x, sn float64
	for i, s := range samples {
		if err := s.check(); err != nil {
			return Test{}, fmt.Errorf("sample %d: %w", i+1, err)
		}
		if math.IsNaN(scores[i]) || math.IsInf(scores[i], 0) {
			return Test{}, fmt.Errorf("score %d is %v; scores must be finite", i+1, scores[i])
		}
		n, x, sn = n+float64(s.N), x+float64(s.Events), sn+float64(s.N)*scores[i]
	}
	sbar, p := sn/n, x/n
	var t, ss float64
	for i, s := range samples {
		d := scores[i] - sbar
		t += float64(s.Events) * d
		ss += float64(s.N) * d * d
	}
	if p == 0 || p == 1 {
		return Test{}, fmt.Errorf("no variance: %v events in %v trials, so no trend can be tested", x, n)
	}
	if ss == 0 {
		return Test{}, fmt.Errorf("all scores are equal, so no trend can be tested")
	}
	z := t / math.Sqrt(p*(1-p)*ss)
	return Test{
		Method: "Cochran-Armitage test for trend in proportions", Alternative: a, Statistic: z * z, DF: 1,
		P: sided(z, a), Estimate: t / ss, Interval: Interval{math.NaN(), math.NaN()},
	}, nil
}
