package lmm

import "math"

// Wald estimates l'beta with the standard error that sigma^2 (X'V^-1X)^-1
// gives it: what the options say of degrees of freedom, and of an adjusted
// covariance, plays no part.
func (m *Model) Wald(l []float64) (est, se float64, err error) {
	if err := m.checkContrast(l); err != nil {
		return 0, 0, err
	}
	c := m.q.centredContrast(l)
	return dot(l, m.beta), m.sigma * math.Sqrt(quadratic(c, m.pt.c, c)), nil
}
