package lmm

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// kenwardRoger is the adjusted covariance of the fixed effects and what the
// degrees of freedom need (Kenward and Roger 1997; Halekoh and Højsgaard 2014).
//
// The variance of y is linear in its parameters: sigma^2 V = sum_i gamma_i G_i
// with G_i = Z S_i Z' for each variance and covariance and G = I for the
// residual. With Phi = Cov(beta), P_i = -M_i and Q_ij = N_ij in the notation
// of the kernel, all in units of sigma,
//
//	I_ij  = tr(V^-1 G_i V^-1 G_j) - 2 tr(C N_ij) + tr(C M_i C M_j)
//	W     = 2 I^-1                      (covariance of gamma)
//	Phi_A = Phi + 2 Phi [sum_ij W_ij (N_ij - M_i C M_j)] Phi
//
// Any other basis of the same space gives the same result, so V itself stands
// here in the place of I: then M_V = C^-1, N_iV = M_i, tr(V^-1 V V^-1 V) = n,
//
//	I_iV = tr(V^-1 G_i) - tr(C M_i),  I_VV = n - p
//
// and V adds nothing to the bracket. No matrix of rows by rows is formed, and
// nothing is lost to the differences that V^-1 I would need.
//
// Cost: with one factor, cells times k^2 p^2 for each pair of parameters; with
// crossed factors the traces of exactTraces.
type kenwardRoger struct {
	p        int
	sigma    float64
	c        []float64   // C, p x p
	adjusted []float64   // Phi_A for the centred coefficients
	m        [][]float64 // C M_i C, the last one C
	w        *mat.SymDense
}

func (m *Model) kenwardRoger() (*kenwardRoger, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kr != nil {
		return m.kr, nil
	}
	if !m.opt.REML {
		return nil, fmt.Errorf("the Kenward-Roger approximation is about REML estimates: fit with REML")
	}
	if _, err := m.f.at(m.pt.theta); err != nil {
		return nil, err
	}
	dirs := m.q.covarianceDirections()
	mo, err := m.f.k.moments(dirs)
	if err != nil {
		return nil, err
	}
	k := &kenwardRoger{p: m.q.p, sigma: m.sigma, c: m.pt.c}
	if err := k.adjust(&mo, m.q.n); err != nil {
		return nil, err
	}
	m.kr = k
	return k, nil
}

// covarianceDirections are G_i of every variance and covariance.
func (q *problem) covarianceDirections() []direction {
	out := make([]direction, len(q.pars))
	for i, t := range q.pars {
		k := q.factors[t.factor].k
		s := make([]float64, k*k)
		s[t.row*k+t.col], s[t.col*k+t.row] = 1, 1
		out[i] = direction{t.factor, s}
	}
	return out
}

func (k *kenwardRoger) adjust(mo *moments, n int) error {
	p, d := k.p, len(mo.m)
	w := p + 1
	c := k.c
	mc := make([][]float64, d) // M_i C
	k.m = make([][]float64, d+1)
	for i := range mc {
		mi := block(mo.m[i], p, w)
		mc[i], k.m[i] = make([]float64, p*p), make([]float64, p*p)
		multiply(mc[i], mi, c, p)
		multiply(k.m[i], c, mc[i], p)
	}
	k.m[d] = c
	info := mat.NewSymDense(d+1, nil)
	rest := make([][]float64, d*d) // N_ij - M_i C M_j
	for i := 0; i < d; i++ {
		tr := 0.0
		for r := 0; r < p; r++ {
			tr += mc[i][r*p+r]
		}
		info.SetSym(i, d, mo.t[i]-tr)
		for j := i; j < d; j++ {
			nij := block(mo.n[i][j-i], p, w)
			info.SetSym(i, j, mo.tt[i*d+j]-2*traceProduct(c, nij, p)+traceProduct(mc[i], mc[j], p))
			t := make([]float64, p*p)
			multiply(t, mc[i], block(mo.m[j], p, w), p)
			axpy(-1, t, nij)
			rest[i*d+j] = nij
		}
	}
	info.SetSym(d, d, float64(n-p))
	var err error
	if k.w, err = scaledInverse(info); err != nil {
		return err
	}
	k.w.ScaleSym(2, k.w)
	u := make([]float64, p*p)
	for i := 0; i < d; i++ {
		for j := i; j < d; j++ {
			v := k.w.At(i, j)
			axpy(v, rest[i*d+j], u)
			if i != j {
				for r := 0; r < p; r++ {
					for s := 0; s < p; s++ {
						u[r*p+s] += v * rest[i*d+j][s*p+r]
					}
				}
			}
		}
	}
	t, s := make([]float64, p*p), make([]float64, p*p)
	multiply(t, c, u, p)
	multiply(s, t, c, p)
	k.adjusted = make([]float64, p*p)
	for r := 0; r < p; r++ {
		for q := 0; q < p; q++ {
			k.adjusted[r*p+q] = k.sigma * k.sigma * (c[r*p+q] + s[r*p+q] + s[q*p+r])
		}
	}
	return nil
}

// block is the leading p x p part of a w x w matrix.
func block(a []float64, p, w int) []float64 {
	out := make([]float64, p*p)
	for r := 0; r < p; r++ {
		copy(out[r*p:(r+1)*p], a[r*w:])
	}
	return out
}

// scaledInverse inverts a positive semidefinite matrix after scaling its
// diagonal to 1, without the directions in which it is singular.
func scaledInverse(a *mat.SymDense) (*mat.SymDense, error) {
	n := a.SymmetricDim()
	s := make([]float64, n)
	for i := range s {
		if v := a.At(i, i); v > 0 {
			s[i] = 1 / math.Sqrt(v)
		}
	}
	b := mat.NewSymDense(n, nil)
	for i := 0; i < n; i++ {
		for j := i; j < n; j++ {
			b.SetSym(i, j, a.At(i, j)*s[i]*s[j])
		}
	}
	var eig mat.EigenSym
	if !eig.Factorize(b, true) {
		return nil, fmt.Errorf("the information on the variances has no eigenvalues")
	}
	var vec mat.Dense
	eig.VectorsTo(&vec)
	out := mat.NewSymDense(n, nil)
	for i, e := range eig.Values(nil) {
		if e > 1e-10 {
			out.SymRankOne(out, 1/e, vec.ColView(i))
		}
	}
	for i := 0; i < n; i++ {
		for j := i; j < n; j++ {
			out.SetSym(i, j, out.At(i, j)*s[i]*s[j])
		}
	}
	return out, nil
}

// single gives standard error and degrees of freedom of l'beta. For one
// contrast the F statistic is not scaled and
// df = 2/A, A = sum_ij W_ij (l'C M_i C l)(l'C M_j C l)/(l'Cl)^2.
func (k *kenwardRoger) single(l []float64) (se, df float64) {
	g := mat.NewVecDense(len(k.m), nil)
	for i, m := range k.m {
		g.SetVec(i, quadratic(l, m, l))
	}
	v := quadratic(l, k.c, l)
	return math.Sqrt(quadratic(l, k.adjusted, l)), 2 * v * v / mat.Inner(g, k.w, g)
}

// joint is the scaled F statistic and its denominator degrees of freedom for
// q independent contrasts with the estimates given (Kenward and Roger 1997,
// section 3, in Halekoh and Højsgaard's form).
func (k *kenwardRoger) joint(rows [][]float64, est []float64) (f, ddf float64, err error) {
	n := len(rows)
	q := float64(n)
	phi, adj := mat.NewSymDense(n, nil), mat.NewSymDense(n, nil)
	u := make([]*mat.Dense, len(k.m))
	for i := range u {
		u[i] = mat.NewDense(n, n, nil)
	}
	for a := range rows {
		for b := a; b < n; b++ {
			phi.SetSym(a, b, quadratic(rows[a], k.c, rows[b]))
			adj.SetSym(a, b, quadratic(rows[a], k.adjusted, rows[b]))
			for i, m := range k.m {
				v := quadratic(rows[a], m, rows[b])
				u[i].Set(a, b, v)
				u[i].Set(b, a, v)
			}
		}
	}
	var ch, ca mat.Cholesky
	if !ch.Factorize(phi) || !ca.Factorize(adj) {
		return 0, 0, fmt.Errorf("the Kenward-Roger covariance of these contrasts is not positive definite; ask for Satterthwaite degrees of freedom")
	}
	e := mat.NewVecDense(n, est)
	var x mat.VecDense
	if err := ca.SolveVecTo(&x, e); err != nil {
		return 0, 0, fmt.Errorf("the Kenward-Roger covariance of these contrasts is ill-conditioned: %w", err)
	}
	f = mat.Dot(e, &x) / q
	tr := make([]float64, len(u))
	for i := range u {
		var s mat.Dense
		if err := ch.SolveTo(&s, u[i]); err != nil {
			return 0, 0, fmt.Errorf("the covariance of these contrasts is ill-conditioned: %w", err)
		}
		u[i].Copy(&s)
		tr[i] = mat.Trace(u[i])
	}
	a1, a2 := 0.0, 0.0
	for i := range u {
		for j := range u {
			var t mat.Dense
			t.Mul(u[i], u[j])
			a1 += k.w.At(i, j) * tr[i] * tr[j]
			a2 += k.w.At(i, j) * mat.Trace(&t)
		}
	}
	ddf, scale := krScale(q, a1, a2)
	if !(ddf > 0) {
		return 0, 0, fmt.Errorf("the Kenward-Roger degrees of freedom do not exist for these contrasts (%.3g); ask for Satterthwaite's", ddf)
	}
	return f * scale, ddf, nil
}

func krScale(q, a1, a2 float64) (ddf, scale float64) {
	b := (a1 + 6*a2) / (2 * q)
	g := ((q+1)*a1 - (q+4)*a2) / ((q + 2) * a2)
	d := 3*q + 2*(1-g)
	c1, c2, c3 := g/d, (q-g)/d, (q+2-g)/d
	v0, v1, v2 := 1+c1*b, 1-c2*b, 1-c3*b
	if math.Abs(v0) < 1e-10 {
		v0 = 0
	}
	ratio := 1.0 // (1 - A2/q)/V1, 1 where both vanish
	if math.Abs(1-a2/q) > 1e-14 || math.Abs(v1) > 1e-14 {
		ratio = (1 - a2/q) / v1
	}
	rho := ratio * ratio * v0 / v2 / q
	ddf = 4 + (q+2)/(q*rho-1)
	if math.Abs(ddf-2) < 1e-2 {
		return ddf, 1
	}
	return ddf, ddf * (1 - a2/q) / (ddf - 2)
}
