// Package estimate says what was estimated and how surely. A Linear is a
// fitted model seen through its coefficients beta; an Estimate is l'beta with
// its standard error, t or z statistic, confidence interval and p; a Test is a
// joint hypothesis L beta = 0. Adjust corrects p-values for their number.
package estimate

import (
	"fmt"
	"math"

	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Linear is a fitted model seen through its coefficients.
type Linear interface {
	Design() *formula.Design
	Coefficients() []float64
	// Contrast estimates l'beta: estimate, standard error, degrees of freedom
	// (+Inf: normal).
	Contrast(l []float64) (est, se, df float64, err error)
	// Joint tests L beta = 0 (rows of L): F, numerator and denominator degrees
	// of freedom (+Inf: F is a Wald chi-squared / ndf).
	Joint(l *mat.Dense) (f, ndf, ddf float64, err error)
}

// Estimate is one number with its uncertainty. Lower and Upper bound its
// confidence interval; Statistic is t, or z where DF is +Inf; P is two-sided.
type Estimate struct {
	Label        string
	Estimate     float64
	SE           float64
	DF           float64
	Lower, Upper float64
	Statistic    float64
	P            float64
}

// Of estimates l'beta with a confidence interval of the given level, 0.95 for
// 95 %.
func Of(m Linear, label string, l []float64, level float64) (Estimate, error) {
	if p := len(m.Coefficients()); len(l) != p {
		return Estimate{}, fmt.Errorf("%s: the contrast has %d numbers, the model %d coefficients", label, len(l), p)
	}
	est, se, df, err := m.Contrast(l)
	if err != nil {
		return Estimate{}, fmt.Errorf("%s: %w", label, err)
	}
	return New(label, est, se, df, level)
}

// New makes an Estimate of its parts: statistic, interval and p of a test
// against 0.
func New(label string, est, se, df, level float64) (Estimate, error) {
	e := Estimate{Label: label, Estimate: est, SE: se, DF: df}
	switch {
	case !(level > 0 && level < 1):
		return e, fmt.Errorf("%s: the level of a confidence interval lies between 0 and 1, it is %g", label, level)
	case math.IsNaN(est) || math.IsInf(est, 0):
		return e, fmt.Errorf("%s: the estimate is not a finite number", label)
	case !(se >= 0) || math.IsInf(se, 0):
		return e, fmt.Errorf("%s: the standard error is not a finite number", label)
	case !(df > 0):
		return e, fmt.Errorf("%s: there are no degrees of freedom left for an interval or a test", label)
	case se == 0:
		return e, fmt.Errorf("%s: the standard error is 0: the model fits without error, or the contrast is empty", label)
	}
	half := Quantile(1-(1-level)/2, df) * se
	e.Lower, e.Upper = est-half, est+half
	e.Statistic = est / se
	e.P = TwoSided(e.Statistic, df)
	return e, nil
}

// Quantile is the p quantile of Student's t, of the normal where df is +Inf.
func Quantile(p, df float64) float64 {
	if math.IsInf(df, 1) {
		return distuv.UnitNormal.Quantile(p)
	}
	return distuv.StudentsT{Mu: 0, Sigma: 1, Nu: df}.Quantile(p)
}

// TwoSided is the probability of a t (z where df is +Inf) at least this far
// from 0. It keeps its relative precision in the tails.
func TwoSided(t, df float64) float64 {
	if math.IsInf(df, 1) {
		return math.Erfc(math.Abs(t) / math.Sqrt2)
	}
	// P(|T| > t) = I_{df/(df+t^2)}(df/2, 1/2); written with F's survival it
	// needs no difference from 1.
	return FTail(t*t, 1, df)
}

// Coefficients gives the estimate of each coefficient of the model.
func Coefficients(m Linear, level float64) ([]Estimate, error) {
	names := m.Design().Names
	out := make([]Estimate, len(names))
	l := make([]float64, len(names))
	for j, name := range names {
		l[j] = 1
		e, err := Of(m, name, l, level)
		if err != nil {
			return nil, err
		}
		out[j], l[j] = e, 0
	}
	return out, nil
}
