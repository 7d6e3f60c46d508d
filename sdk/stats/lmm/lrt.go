package lmm

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Comparison is a likelihood-ratio test of a model against one with more
// parameters.
type Comparison struct {
	ChiSquared float64
	DF         int
	P          float64
	// Boundary is set where the larger model adds variances: the null
	// hypothesis lies on the boundary of the parameters, and P is too large
	// (Self and Liang 1987), up to twice for one variance.
	Boundary bool
}

// Compare tests two nested models of the same response and rows. Models that
// differ in fixed effects have to be fitted by maximum likelihood (ML gives
// that fit); of models that differ in random terms only, both may be by REML.
func Compare(a, b *Model) (Comparison, error) {
	if a.Parameters() > b.Parameters() {
		a, b = b, a
	}
	if a.Parameters() == b.Parameters() {
		return Comparison{}, fmt.Errorf("both models have %d parameters: a likelihood-ratio test needs nested models", a.Parameters())
	}
	if a.q.n != b.q.n {
		return Comparison{}, fmt.Errorf("the models have %d and %d observations: fit both to the rows that are complete for both", a.q.n, b.q.n)
	}
	for i := range a.q.yy {
		if ya, yb := a.q.yy[i]+a.q.offset(i), b.q.yy[i]+b.q.offset(i); math.Abs(ya-yb) > 1e-9*(1+math.Abs(ya)) {
			return Comparison{}, fmt.Errorf("the models' responses differ in row %d: a likelihood-ratio test needs the same rows of the same response", i+1)
		}
	}
	if a.opt.REML != b.opt.REML {
		return Comparison{}, fmt.Errorf("one model is fitted by REML and one by maximum likelihood: fit both by maximum likelihood")
	}
	if a.opt.REML && !sameNames(a.q.names, b.q.names) {
		return Comparison{}, fmt.Errorf("REML criteria of models with different fixed effects cannot be compared: fit both by maximum likelihood")
	}
	for _, name := range a.q.names {
		if !contains(b.q.names, name) {
			return Comparison{}, fmt.Errorf("the models are not nested: the larger one has no coefficient %q", name)
		}
	}
	c := Comparison{ChiSquared: math.Max(0, a.pt.dev-b.pt.dev), DF: b.Parameters() - a.Parameters()}
	c.P = distuv.ChiSquared{K: float64(c.DF)}.Survival(c.ChiSquared)
	c.Boundary = variances(b) > variances(a)
	return c, nil
}

func variances(m *Model) int {
	n := 0
	for _, p := range m.q.pars {
		if p.row == p.col {
			n++
		}
	}
	return n
}

func sameNames(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for _, n := range a {
		if !contains(b, n) {
			return false
		}
	}
	return true
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}
