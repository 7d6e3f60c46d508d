package lmm

import (
	"fmt"
	"math"
)

// profile is the profiled deviance of a problem as a function of theta (Bates,
// Mächler, Bolker and Walker 2015, equations 39 and 46). With
// V = I + Z Lambda Lambda' Z' and r^2 = min_beta (y-X beta)'V^-1(y-X beta):
//
//	ML:    log|V| + n [1 + log(2 pi r^2/n)]
//	REML:  log|V| + log|X'V^-1X| + nu [1 + log(2 pi r^2/nu)],  nu = n - p
//
// less the sum of the logarithms of the prior weights. It is even in every
// column of Lambda and smooth everywhere, so theta needs no bounds.
type profile struct {
	q    *problem
	k    kernel
	reml bool
	// fixed holds one linear form of beta at a value, for profile likelihood:
	// l'beta = value, in centred coordinates.
	fixed []float64
	value float64
	evals int
}

// point is the profiled deviance at one theta.
type point struct {
	theta  []float64
	lambda [][]float64
	dev    float64
	r2     float64   // penalised residual sum of squares
	nu     float64   // n, or n - p for REML
	beta   []float64 // for the centred columns
	c      []float64 // (X'V^-1X)^-1, p x p
	b      []float64 // e = [X y] b
	slopes []slope
	gamma  [][]float64 // d deviance/d(Lambda Lambda') of each factor, k x k
	grad   []float64
	logDet float64
}

// at evaluates the deviance; the kernel is left decomposed there.
func (f *profile) at(theta []float64) (*point, error) {
	q := f.q
	f.evals++
	pt := &point{theta: append([]float64(nil), theta...), lambda: q.lambda(theta)}
	r := make([]float64, q.w*q.w)
	logDet, ok := f.k.decompose(pt.lambda, r)
	if !ok || math.IsNaN(logDet) || math.IsInf(logDet, 0) {
		return nil, fmt.Errorf("the random effects' covariance is out of floating-point range at theta = %.4g", theta)
	}
	pt.logDet = logDet
	if err := f.solve(pt, r); err != nil {
		return nil, err
	}
	return pt, nil
}

// solve finds beta, r^2 and C from R = [X y]'V^-1[X y].
func (f *profile) solve(pt *point, r []float64) error {
	q := f.q
	p, w := q.p, q.w
	l := make([]float64, p*p)
	rhs := make([]float64, p)
	for i := 0; i < p; i++ {
		for j := 0; j <= i; j++ {
			l[i*p+j] = r[i*w+j]
		}
		rhs[i] = r[p*w+i]
	}
	if j := dependent(l, p); j >= 0 {
		return fmt.Errorf("the fixed effects are rank-deficient: column %q is a linear combination of those before it; remove it from the formula", q.names[j])
	}
	logX := 0.0
	for i := 0; i < p; i++ {
		logX += 2 * math.Log(l[i*p+i])
	}
	forwardSolve(l, p, rhs, 1)
	pt.r2 = r[p*w+p] - dot(rhs, rhs)
	backSolve(l, p, rhs, 1)
	pt.beta = rhs
	pt.c = make([]float64, p*p)
	for i := 0; i < p; i++ {
		pt.c[i*p+i] = 1
	}
	forwardSolve(l, p, pt.c, p)
	inv := make([]float64, p*p)
	tMultiply(inv, pt.c, pt.c, p)
	pt.c = inv
	if f.fixed != nil {
		f.constrain(pt)
	}
	if !(pt.r2 > 1e-14*r[p*w+p]) || !(pt.r2 > 0) {
		return fmt.Errorf("the fixed effects fit the response exactly: no residual variance is left to model")
	}
	n := float64(q.n)
	pt.nu = n
	pt.dev = pt.logDet - q.logW
	if f.reml {
		pt.nu = n - float64(p)
		pt.dev += logX
	}
	pt.dev += pt.nu * (1 + math.Log(2*math.Pi*pt.r2/pt.nu))
	pt.b = make([]float64, w)
	for i, v := range pt.beta {
		pt.b[i] = -v
	}
	pt.b[p] = 1
	return nil
}

// dependent overwrites the lower triangle of X'V^-1X with its Cholesky factor,
// or names the first column whose pivot vanishes.
func dependent(l []float64, p int) int {
	diag := make([]float64, p)
	for i := range diag {
		diag[i] = l[i*p+i]
	}
	for i := 0; i < p; i++ {
		for j := 0; j <= i; j++ {
			s := l[i*p+j]
			for m := 0; m < j; m++ {
				s -= l[i*p+m] * l[j*p+m]
			}
			if i != j {
				l[i*p+j] = s / l[j*p+j]
				continue
			}
			if !(s > 1e-13*diag[i]) {
				return i
			}
			l[i*p+i] = math.Sqrt(s)
		}
	}
	return -1
}

// constrain holds l'beta at the value: with d = (value - l'beta)/(l'Cl),
// beta moves by d C l, r^2 grows by d^2 l'Cl, and the covariance of what is
// left free is C - C l l'C/(l'Cl).
func (f *profile) constrain(pt *point) {
	p := f.q.p
	cl := make([]float64, p)
	for i := range cl {
		cl[i] = dot(pt.c[i*p:i*p+p], f.fixed)
	}
	lcl := dot(f.fixed, cl)
	d := (f.value - dot(f.fixed, pt.beta)) / lcl
	axpy(d, cl, pt.beta)
	pt.r2 += d * d * lcl
	for i := range cl {
		axpy(-cl[i]/lcl, cl, pt.c[i*p:i*p+p])
	}
}

// differentiate adds the gradient. For a direction V_i = Z S_i Z',
// S_i = L_i Lambda' + Lambda L_i' with L_i the unit matrix of theta_i,
//
//	d log|V|          = tr(V^-1 V_i)
//	d log|X'V^-1X|    = -tr(C X'V^-1 V_i V^-1 X)
//	d nu log r^2      = -(nu/r^2) e'V^-1 V_i V^-1 e
//
// that is tr(Gamma S_i) with Gamma = G - Q - (nu/r^2) H (no Q for ML), the
// derivative in Lambda Lambda'; and tr(Gamma S_i) = 2 (Gamma Lambda)[row, col].
func (f *profile) differentiate(pt *point) error {
	if pt.grad != nil {
		return nil
	}
	var err error
	if pt.slopes, err = f.k.slopes(pt.c, pt.b); err != nil {
		return err
	}
	pt.gamma = make([][]float64, len(pt.slopes))
	gl := make([][]float64, len(pt.slopes))
	for i, s := range pt.slopes {
		k := f.q.factors[i].k
		g := append([]float64(nil), s.g...)
		if f.reml {
			axpy(-1, s.q, g)
		}
		axpy(-pt.nu/pt.r2, s.h, g)
		pt.gamma[i] = g
		gl[i] = make([]float64, k*k)
		multiply(gl[i], g, pt.lambda[i], k)
	}
	pt.grad = make([]float64, len(pt.theta))
	for i, t := range f.q.pars {
		pt.grad[i] = 2 * gl[t.factor][t.row*f.q.factors[t.factor].k+t.col]
	}
	return nil
}

// directions are S_i of every theta.
func (f *profile) directions(pt *point) []direction {
	out := make([]direction, len(f.q.pars))
	for i, t := range f.q.pars {
		k := f.q.factors[t.factor].k
		s := make([]float64, k*k)
		for j := 0; j < k; j++ {
			v := pt.lambda[t.factor][j*k+t.col]
			s[t.row*k+j] += v
			s[j*k+t.row] += v
		}
		out[i] = direction{t.factor, s}
	}
	return out
}

// second are the second derivatives of the deviance: profiled over sigma for
// the search, and at a fixed sigma for the covariance of (theta, sigma).
type second struct {
	profiled []float64 // d x d
	fixed    []float64 // d x d
	q        []float64 // q_i = e'V^-1 V_i V^-1 e = -d r^2
	m        [][]float64
	exact    bool
}

// hessian differentiates once more: with V_ij = Z(L_i L_j' + L_j L_i')Z' and
// P = V^-1 - V^-1 X C X'V^-1,
//
//	d_ij = tr(Gamma S_ij) - tr(P V_i P V_j) + 2 (nu/r^2) e'V^-1 V_i P V_j V^-1 e
//	       - (nu/r^4) q_i q_j
//
// where the last term is due to profiling sigma. For ML the trace has V^-1 in
// the place of P. Where the trace is too dear (tt is nil) it is replaced by its
// estimate (nu/r^2) e'V^-1 V_i P V_j V^-1 e, whose expectation it is: the
// average information (Gilmour, Thompson and Cullis 1995), good enough to
// search with. With exact set the trace is made where at all possible; the
// result says whether it was.
func (f *profile) hessian(pt *point, exact bool) (h second, err error) {
	if err := f.differentiate(pt); err != nil {
		return h, err
	}
	q, d := f.q, len(pt.theta)
	p, w := q.p, q.w
	cu, err := f.k.curvature(pt.c, pt.b, f.directions(pt), exact)
	if err != nil {
		return h, err
	}
	h = second{exact: cu.tt != nil, profiled: make([]float64, d*d), fixed: make([]float64, d*d), q: make([]float64, d), m: cu.m}
	mb := make([][]float64, d) // X'V^-1 V_i V^-1 e
	mc := make([][]float64, d) // (M_i)_XX C
	for i := 0; i < d; i++ {
		h.q[i] = quadratic(pt.b, cu.m[i], pt.b)
		mb[i] = make([]float64, p)
		mc[i] = make([]float64, p*p)
		for r := 0; r < p; r++ {
			mb[i][r] = dot(cu.m[i][r*w:r*w+w], pt.b)
			for s := 0; s < p; s++ {
				axpy(cu.m[i][r*w+s], pt.c[s*p:s*p+p], mc[i][r*p:r*p+p])
			}
		}
	}
	s := pt.nu / pt.r2
	for i := 0; i < d; i++ {
		for j := 0; j <= i; j++ {
			quad := s * (cu.te[i*d+j] - quadratic(mb[i], pt.c, mb[j]))
			tr := quad
			if cu.tt != nil {
				tr = cu.tt[i*d+j]
				if f.reml {
					tr += traceProduct(mc[i], mc[j], p) - 2*cu.tc[i*d+j]
				}
			}
			v := 2*quad - tr
			ti, tj := q.pars[i], q.pars[j]
			if ti.factor == tj.factor && ti.col == tj.col {
				k := q.factors[ti.factor].k
				v += 2 * pt.gamma[ti.factor][ti.row*k+tj.row]
			}
			h.fixed[i*d+j], h.fixed[j*d+i] = v, v
			v -= s / pt.r2 * h.q[i] * h.q[j]
			h.profiled[i*d+j], h.profiled[j*d+i] = v, v
		}
	}
	return h, nil
}
