package lmm

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// satterthwaite holds what the degrees of freedom of any contrast need. By the
// delta method the variance of the estimated variance l'Cov(beta)l is g'Ag,
// with A the covariance of (theta, sigma) and g the gradient of l'Cov(beta)l in
// them; a scaled chi-squared of that mean and variance has
//
//	df = 2 (l'Cov l)^2 / (g'Ag)
//
// degrees of freedom. A is twice the inverse Hessian of the deviance in (theta,
// sigma), not profiled over sigma (Kuznetsova, Brockhoff and Christensen 2017;
// for a singular Hessian the generalised inverse on its positive eigenvalues,
// as there). Cov(beta) = sigma^2 C, so that
//
//	d Cov/d theta_i = sigma^2 C M_i C,  d Cov/d sigma = 2 sigma C
//
// with M_i = X'V^-1 V_i V^-1 X, as dC^-1 = -M_i.
type satterthwaite struct {
	p     int
	sigma float64
	c     []float64   // p x p
	m     [][]float64 // C M_i C, p x p, for the user's theta
	a     *mat.SymDense
}

// satterthwaite makes them on first use.
func (m *Model) satterthwaite() (*satterthwaite, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sat != nil {
		return m.sat, nil
	}
	h, err := m.information()
	if err != nil {
		return nil, err
	}
	p, d := m.q.p, len(m.q.pars)
	s := &satterthwaite{p: p, sigma: m.sigma, c: m.pt.c, m: make([][]float64, d)}
	// In (theta, sigma) at fixed sigma the deviance is
	// log|V| [+ log|X'V^-1X|] + r^2/sigma^2 + nu log(2 pi sigma^2): with
	// d r^2 = -q_i and r^2 = nu sigma^2,
	full := mat.NewSymDense(d+1, nil)
	for i := 0; i < d; i++ {
		for j := i; j < d; j++ {
			full.SetSym(i, j, h.fixed[i*d+j]*m.q.pars[i].scale*m.q.pars[j].scale)
		}
		full.SetSym(i, d, 2*h.q[i]/(m.sigma*m.sigma*m.sigma)*m.q.pars[i].scale)
		mi := make([]float64, p*p)
		for r := 0; r < p; r++ {
			copy(mi[r*p:(r+1)*p], h.m[i][r*m.q.w:])
			for c := range mi[r*p : (r+1)*p] {
				mi[r*p+c] *= m.q.pars[i].scale
			}
		}
		t := make([]float64, p*p)
		multiply(t, m.pt.c, mi, p)
		multiply(mi, t, m.pt.c, p)
		s.m[i] = mi
	}
	full.SetSym(d, d, 4*m.pt.nu/(m.sigma*m.sigma))
	if s.a, err = positiveInverse(full); err != nil {
		return nil, err
	}
	s.a.ScaleSym(2, s.a)
	m.sat = s
	return s, nil
}

// information is the Hessian at the estimate, by differences of the gradient
// where exact traces are too dear.
func (m *Model) information() (second, error) {
	f := m.f
	if _, err := f.at(m.pt.theta); err != nil {
		return second{}, err
	}
	h, err := f.hessian(m.pt, true)
	if err != nil || h.exact {
		return h, err
	}
	d := len(m.pt.theta)
	diff := make([]float64, d*d)
	for i := range m.pt.theta {
		step := 1e-4 * math.Max(0.1, math.Abs(m.pt.theta[i]))
		var g [2][]float64
		for s, sign := range []float64{-1, 1} {
			theta := append([]float64(nil), m.pt.theta...)
			theta[i] += sign * step
			pt, err := f.at(theta)
			if err != nil {
				return h, err
			}
			if err := f.differentiate(pt); err != nil {
				return h, err
			}
			g[s] = pt.grad
		}
		for j := range diff[:d] {
			diff[i*d+j] = (g[1][j] - g[0][j]) / (2 * step)
		}
	}
	for i := 0; i < d; i++ {
		for j := 0; j < d; j++ {
			h.fixed[i*d+j] = (diff[i*d+j]+diff[j*d+i])/2 + m.pt.nu/(m.pt.r2*m.pt.r2)*h.q[i]*h.q[j]
		}
	}
	_, err = f.at(m.pt.theta)
	return h, err
}

// positiveInverse is the Moore-Penrose inverse on the eigenvalues above 1e-8.
func positiveInverse(h *mat.SymDense) (*mat.SymDense, error) {
	n := h.SymmetricDim()
	var eig mat.EigenSym
	if !eig.Factorize(h, true) {
		return nil, fmt.Errorf("the Hessian of the deviance has no eigenvalues")
	}
	var vec mat.Dense
	eig.VectorsTo(&vec)
	out := mat.NewSymDense(n, nil)
	for i, e := range eig.Values(nil) {
		if e > 1e-8 {
			out.SymRankOne(out, 1/e, vec.ColView(i))
		}
	}
	return out, nil
}

// single gives the standard error and degrees of freedom of l'beta, l for the
// centred coefficients.
func (s *satterthwaite) single(l []float64) (se, df float64) {
	v := quadratic(l, s.c, l)
	s2 := s.sigma * s.sigma
	g := mat.NewVecDense(len(s.m)+1, nil)
	for i, m := range s.m {
		g.SetVec(i, s2*quadratic(l, m, l))
	}
	g.SetVec(len(s.m), 2*s.sigma*v)
	return s.sigma * math.Sqrt(v), 2 * s2 * s2 * v * v / mat.Inner(g, s.a, g)
}

// joint gives the denominator degrees of freedom of the F test of independent
// contrasts (Fai and Cornelius 1996, as lmerTest): the sum of q squared t
// statistics of nu_m degrees of freedom has mean E = sum nu_m/(nu_m - 2), and
// q F with ddf that of the same mean where ddf = 2E/(E - q).
func (s *satterthwaite) joint(rows [][]float64) float64 {
	q := float64(len(rows))
	nu := make([]float64, len(rows))
	lo, hi := math.Inf(1), math.Inf(-1)
	e, few := 0.0, false
	for i, l := range rows {
		_, nu[i] = s.single(l)
		lo, hi = math.Min(lo, nu[i]), math.Max(hi, nu[i])
		few = few || nu[i] <= 2
		e += nu[i] / (nu[i] - 2)
	}
	switch {
	case len(rows) == 1:
		return nu[0]
	case hi-lo < 1e-8:
		return (lo + hi) / 2
	case few:
		return 2
	}
	return 2 * e / (e - q)
}
