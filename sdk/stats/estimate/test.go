package estimate

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/distuv"
)

// Test is a joint test that several linear functions of beta are 0. F has NDF
// and DDF degrees of freedom; where DDF is +Inf, F * NDF is a Wald chi-squared.
type Test struct {
	Label       string
	F, NDF, DDF float64
	P           float64
}

// FTail is the probability of an F of ndf and ddf degrees of freedom above f;
// with ddf +Inf that of a chi-squared of ndf above f * ndf.
func FTail(f, ndf, ddf float64) float64 {
	switch {
	case math.IsNaN(f) || math.IsNaN(ndf) || math.IsNaN(ddf):
		return math.NaN()
	case f <= 0:
		return 1
	case math.IsInf(f, 1):
		return 0
	case math.IsInf(ddf, 1):
		return distuv.ChiSquared{K: ndf}.Survival(f * ndf)
	}
	// P(F > f) = I_x(ddf/2, ndf/2), x = ddf / (ddf + ndf f).
	return mathext.RegIncBeta(ddf/2, ndf/2, ddf/(ddf+ndf*f))
}

// Hypothesis tests L beta = 0.
func Hypothesis(m Linear, label string, l *mat.Dense) (Test, error) {
	if _, c := l.Dims(); c != len(m.Coefficients()) {
		return Test{}, fmt.Errorf("%s: the hypothesis has %d columns, the model %d coefficients", label, c, len(m.Coefficients()))
	}
	f, ndf, ddf, err := m.Joint(l)
	if err != nil {
		return Test{}, fmt.Errorf("%s: %w", label, err)
	}
	return Test{Label: label, F: f, NDF: ndf, DDF: ddf, P: FTail(f, ndf, ddf)}, nil
}

// TypeIII tests each term: that all its columns' coefficients are 0 given all
// other terms. With interactions the tests of main effects are of interest
// under sum contrasts only, as in R's car::Anova(type = 3).
func TypeIII(m Linear) ([]Test, error) {
	d := m.Design()
	var out []Test
	for t, term := range d.Terms {
		var columns []int
		for j, a := range d.Assign {
			if a == t {
				columns = append(columns, j)
			}
		}
		if len(columns) == 0 { // all aliased
			continue
		}
		l := mat.NewDense(len(columns), len(d.Names), nil)
		for i, j := range columns {
			l.Set(i, j, 1)
		}
		test, err := Hypothesis(m, term.Label, l)
		if err != nil {
			return nil, err
		}
		out = append(out, test)
	}
	return out, nil
}
