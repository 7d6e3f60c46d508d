package proportion

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/distuv"
)

// Alternative is the hypothesis a test sets against the null.
type Alternative uint8

const (
	// TwoSided: the parameter differs from the null value.
	TwoSided Alternative = iota
	// Less: the parameter is below the null value.
	Less
	// Greater: the parameter is above the null value.
	Greater
)

func (a Alternative) String() string {
	switch a {
	case Less:
		return "less"
	case Greater:
		return "greater"
	default:
		return "two.sided"
	}
}

// ParseAlternative reads "two.sided" (or "two-sided", ""), "less" or "greater".
func ParseAlternative(s string) (Alternative, error) {
	switch s {
	case "", "two.sided", "two-sided":
		return TwoSided, nil
	case "less":
		return Less, nil
	case "greater":
		return Greater, nil
	}
	return TwoSided, fmt.Errorf("unknown alternative %q (valid: two.sided, less, greater)", s)
}

// Interval holds confidence limits.
type Interval struct{ Lower, Upper float64 }

// Test is the outcome of a test. Statistic and DF are NaN where the procedure
// has none (exact tests); so are Estimate and its limits. They are absences, not
// results: a caller prints them as empty.
type Test struct {
	Method      string
	Alternative Alternative
	Statistic   float64
	DF          float64
	P           float64
	Estimate    float64 // what the limits are about: a proportion, a difference, an odds ratio
	Interval
	Corrected float64 // the continuity correction that was subtracted from |observed - expected|
}

// Sample is a number of events among N trials.
type Sample struct{ Events, N int }

// P is the observed proportion.
func (s Sample) P() float64 { return float64(s.Events) / float64(s.N) }

func (s Sample) check() error {
	if s.N <= 0 {
		return fmt.Errorf("a proportion needs at least one trial; got %d of %d", s.Events, s.N)
	}
	if s.Events < 0 || s.Events > s.N {
		return fmt.Errorf("events must lie between 0 and the number of trials; got %d of %d", s.Events, s.N)
	}
	return nil
}

func checkLevel(level float64) error {
	if !(level > 0 && level < 1) {
		return fmt.Errorf("confidence level %v is not between 0 and 1 (usual: 0.95)", level)
	}
	return nil
}

// zOf is the normal quantile that leaves the level inside the interval: both
// tails share what is outside when the alternative is two-sided.
func zOf(level float64, a Alternative) float64 {
	if a == TwoSided {
		return normQuantile((1 + level) / 2)
	}
	return normQuantile(level)
}

func normQuantile(p float64) float64 { return distuv.UnitNormal.Quantile(p) }

func normUpper(z float64) float64 { return 0.5 * math.Erfc(z/math.Sqrt2) }

// chiSquareUpper is P(chi-squared with df degrees > x).
func chiSquareUpper(x, df float64) float64 {
	if x <= 0 {
		return 1
	}
	return mathext.GammaIncRegComp(df/2, x/2)
}

// sided turns a signed root z of a chi-squared statistic into a p-value.
func sided(z float64, a Alternative) float64 {
	switch a {
	case Less:
		return normUpper(-z)
	case Greater:
		return normUpper(z)
	default:
		return chiSquareUpper(z*z, 1)
	}
}
