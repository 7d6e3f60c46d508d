package proportion

import (
	"fmt"
	"math"
)

// Effect compares a treated sample with a control sample.
type Effect struct {
	Measure  string
	Estimate float64
	SE       float64 // of Estimate for a difference, of its logarithm for a ratio; NaN where the limits use none
	Interval
	Statistic, P float64 // Wald z on the scale of SE; NaN where SE is
	Corrected    bool    // 1/2 was added to every cell, because one was empty
}

// OddsRatio is ad/bc of the 2 x 2 table (events, no events) with Wald limits on
// the log scale, SE = sqrt(1/a + 1/b + 1/c + 1/d) (Woolf 1955). Where a cell is
// empty 1/2 is added to each (Haldane 1956, Anscombe 1956) and Corrected says so.
// For the conditional estimate with exact limits see Table.Fisher.
func OddsRatio(treated, control Sample, level float64) (Effect, error) {
	if err := pair(treated, control, level); err != nil {
		return Effect{}, err
	}
	a, b, c, d := cells(treated, control)
	e := Effect{Measure: "odds ratio"}
	if (a == 0 && c == 0) || (b == 0 && d == 0) {
		return Effect{}, fmt.Errorf("both samples have the same outcome throughout (%d of %d, %d of %d), so the odds ratio is not determined", treated.Events, treated.N, control.Events, control.N)
	}
	if a == 0 || b == 0 || c == 0 || d == 0 {
		a, b, c, d = a+0.5, b+0.5, c+0.5, d+0.5
		e.Corrected = true
	}
	e.ratio(math.Log(a)+math.Log(d)-math.Log(b)-math.Log(c), math.Sqrt(1/a+1/b+1/c+1/d), level)
	return e, nil
}

// RiskRatio is p1/p2 with limits on the log scale,
// SE = sqrt(1/a - 1/n1 + 1/c - 1/n2) (Katz et al. 1978). With no event in one
// sample 1/2 is added to the events and 1 to the trials of both.
func RiskRatio(treated, control Sample, level float64) (Effect, error) {
	if err := pair(treated, control, level); err != nil {
		return Effect{}, err
	}
	a, _, c, _ := cells(treated, control)
	n1, n2 := float64(treated.N), float64(control.N)
	e := Effect{Measure: "risk ratio"}
	if a == 0 && c == 0 {
		return Effect{}, fmt.Errorf("neither sample has an event (of %d and %d trials), so the risk ratio is not determined", treated.N, control.N)
	}
	if a == 0 || c == 0 || (a == n1 && c == n2) {
		a, c, n1, n2 = a+0.5, c+0.5, n1+1, n2+1
		e.Corrected = true
	}
	e.ratio(math.Log(a)-math.Log(n1)-math.Log(c)+math.Log(n2), math.Sqrt(1/a-1/n1+1/c-1/n2), level)
	return e, nil
}

func (e *Effect) ratio(logEstimate, se, level float64) {
	h := zOf(level, TwoSided) * se
	e.Estimate, e.SE = math.Exp(logEstimate), se
	e.Interval = Interval{math.Exp(logEstimate - h), math.Exp(logEstimate + h)}
	e.Statistic = logEstimate / se
	e.P = 2 * normUpper(math.Abs(e.Statistic))
}

// RiskDifference is p1 - p2 with limits by Wald or by Wilson (Newcombe 1998,
// method 10: the squares of the two Wilson half widths add; WilsonCorrected is
// his method 11).
func RiskDifference(treated, control Sample, m Method, level float64) (Effect, error) {
	if err := pair(treated, control, level); err != nil {
		return Effect{}, err
	}
	p1, p2 := treated.P(), control.P()
	e := Effect{Measure: "risk difference", Estimate: p1 - p2, SE: math.NaN(), Statistic: math.NaN(), P: math.NaN()}
	switch m {
	case Wald:
		se := math.Sqrt(p1*(1-p1)/float64(treated.N) + p2*(1-p2)/float64(control.N))
		if se == 0 {
			return Effect{}, fmt.Errorf("no variance inside either sample (%d of %d, %d of %d): Wald limits do not exist; use wilson", treated.Events, treated.N, control.Events, control.N)
		}
		h := zOf(level, TwoSided) * se
		e.SE, e.Interval = se, Interval{math.Max(e.Estimate-h, -1), math.Min(e.Estimate+h, 1)}
		e.Statistic = e.Estimate / se
		e.P = 2 * normUpper(math.Abs(e.Statistic))
	case Wilson, WilsonCorrected:
		i1, err := treated.Limits(m, level)
		if err != nil {
			return Effect{}, err
		}
		i2, err := control.Limits(m, level)
		if err != nil {
			return Effect{}, err
		}
		e.Interval = Interval{
			e.Estimate - math.Hypot(p1-i1.Lower, i2.Upper-p2),
			e.Estimate + math.Hypot(i1.Upper-p1, p2-i2.Lower),
		}
	default:
		return Effect{}, fmt.Errorf("a risk difference has no %v limits (valid: wilson, wilson-corrected, wald)", m)
	}
	return e, nil
}

func pair(treated, control Sample, level float64) error {
	if err := treated.check(); err != nil {
		return fmt.Errorf("treated: %w", err)
	}
	if err := control.check(); err != nil {
		return fmt.Errorf("control: %w", err)
	}
	return checkLevel(level)
}

func cells(t, c Sample) (a, b, cc, d float64) {
	return float64(t.Events), float64(t.N - t.Events), float64(c.Events), float64(c.N - c.Events)
}

// Needed is a number needed to treat for one more benefit (NNTB) or one more
// harm (NNTH): the inverse of a risk difference. Its limits are the inverses of
// the difference's limits; where these lie on both sides of zero the interval
// goes through infinity: from the lower limit of harm up to infinity, and on
// from infinity down to that of benefit (Altman 1998, BMJ 317:1309). Through
// says so, and then Lower belongs to the estimate's own direction and Upper to
// the other one.
type Needed struct {
	Harm    bool    // the estimate is a number needed to harm
	Number  float64 // >= 1; +Inf for a difference of exactly zero
	Lower   float64 // the strongest effect that the data allow in the estimate's direction
	Upper   float64 // the weakest in that direction or, Through, the strongest in the other
	Through bool
	Level   float64
}

// NumberNeeded inverts a risk difference (treated minus control). bad says that
// the event is unwelcome, so that a positive difference means harm.
func NumberNeeded(d Effect, bad bool, level float64) (Needed, error) {
	if d.Measure != "risk difference" {
		return Needed{}, fmt.Errorf("a number needed to treat comes from a risk difference, not from a %s", d.Measure)
	}
	if math.IsNaN(d.Estimate) || math.IsNaN(d.Lower) || math.IsNaN(d.Upper) {
		return Needed{}, fmt.Errorf("the risk difference has no estimate or no limits")
	}
	est, lo, hi := d.Estimate, d.Lower, d.Upper
	n := Needed{Harm: bad, Level: level}
	if est < 0 {
		est, lo, hi = -est, -hi, -lo
		n.Harm = !bad
	}
	n.Number, n.Lower = 1/est, 1/hi
	if lo < 0 {
		n.Through, n.Upper = true, -1/lo
	} else {
		n.Upper = 1 / lo
	}
	return n, nil
}

// String writes the number as Altman does: "NNTH 12.3 (NNTH 7.1 to ∞ to NNTB 40.2)".
func (n Needed) String() string {
	own, other := "NNTB", "NNTH"
	if n.Harm {
		own, other = other, own
	}
	f := func(x float64) string {
		if math.IsInf(x, 1) {
			return "∞"
		}
		return fmt.Sprintf("%.1f", x)
	}
	if n.Through {
		return fmt.Sprintf("%s %s (%s %s to ∞ to %s %s)", own, f(n.Number), own, f(n.Lower), other, f(n.Upper))
	}
	return fmt.Sprintf("%s %s (%s to %s)", own, f(n.Number), f(n.Lower), f(n.Upper))
}
