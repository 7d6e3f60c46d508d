package lmm

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

const (
	maxSteps = 200
	// decrement is the fall in the deviance that a Newton step may still
	// promise where the search ends. The square root of twice it is how far
	// theta then is from the optimum, in standard errors of theta.
	decrement = 1e-11
	// enough is where a search of large crossed factors ends without that last
	// step, which there costs a fifth of the time.
	enough = 1e-10
	// singular is the diagonal entry of Lambda~, whose columns of Z have unit
	// scale, below which a term has lost a dimension.
	singular = 1e-4
)

// search is the outcome of a minimisation.
type search struct {
	pt    *point
	steps int
	gap   float64 // last Newton decrement: predicted fall in the deviance
}

// minimise finds a minimum of the deviance from theta by Newton steps in a
// trust region (Nocedal and Wright 2006, chapter 4). The deviance is even in
// the columns of Lambda, so no bounds are needed: a minimum with a negative
// diagonal is its mirror image with a positive one. theta = 0 is always
// stationary in a diagonal entry; where it is no minimum, Gamma is not
// positive semidefinite, the Hessian shows it, and the search leaves.
func (f *profile) minimise(theta []float64) (*search, error) {
	s, err := f.descend(theta)
	for try := 0; err == nil && try < 10; try++ {
		next := f.escape(s.pt)
		if next == nil {
			return f.settle(s)
		}
		s, err = f.descend(next)
	}
	if err != nil {
		return nil, err
	}
	return f.settle(s)
}

func (f *profile) descend(theta []float64) (*search, error) {
	pt, err := f.at(theta)
	if err != nil {
		return nil, err
	}
	h, err := f.hessian(pt, false)
	if err != nil {
		return nil, err
	}
	radius, d := 1.0, len(theta)
	s := &search{pt: pt}
	for s.steps = 1; s.steps <= maxSteps; s.steps++ {
		step, pred, edge := trustStep(h.profiled, pt.grad, radius)
		s.gap = pred
		if !h.exact && pred < enough {
			return s, nil
		}
		noise := 1e-15 * (float64(f.q.n) + math.Abs(pt.dev))
		if pred <= 1e-15*noise || pred == 0 {
			return s, nil
		}
		next, err := f.at(add(pt.theta, step))
		if err != nil {
			radius = norm(step) / 4
			if radius < 1e-12 {
				return nil, err
			}
			continue
		}
		fall := pt.dev - next.dev
		if pred < decrement {
			// Within rounding of the minimum: one last step, taken unless it
			// visibly climbs.
			if fall > -100*noise {
				s.pt = next
				return s, f.differentiate(next)
			}
			return s, nil
		}
		switch {
		case fall < pred/4 && pred > 100*noise || math.Abs(fall) > 100*noise && fall < 0:
			radius = norm(step) / 4
		case fall > 3*pred/4 && edge:
			radius = math.Min(2*radius, 1e3*math.Sqrt(float64(d)))
		}
		if fall > 1e-4*pred || math.Abs(fall) < 100*noise && pred < 100*noise {
			if h, err = f.hessian(next, false); err != nil {
				return nil, err
			}
			pt = next
			s.pt = pt
			if t := f.unbounded(pt.theta, 1e4); t >= 0 {
				return nil, f.exactFit(t)
			}
		} else if radius < 1e-12 {
			break
		}
	}
	if s.gap > 1e-6 {
		if t := f.unbounded(pt.theta, 100); t >= 0 {
			return nil, f.exactFit(t)
		}
		return nil, fmt.Errorf("no convergence after %d steps: at deviance %.8g a further fall of %.3g is predicted, gradient %.3g at theta %.4g; rescale the covariates of the random terms or simplify them", s.steps, pt.dev, s.gap, pt.grad, pt.theta)
	}
	return s, nil
}

// unbounded finds a term whose standard deviation is so many residual ones, or
// -1. With ten thousand the deviance falls for ever.
func (f *profile) unbounded(theta []float64, ratio float64) int {
	for i, v := range theta {
		if math.Abs(v) > ratio {
			return f.q.pars[i].term
		}
	}
	return -1
}

func (f *profile) exactFit(term int) error {
	return fmt.Errorf("the residual variance goes to zero beside that of %s: the random effects fit the response (almost) exactly, and nothing is left to estimate sigma from; simplify the term or take it out", f.q.termLabel(term))
}

// trustStep minimises g's + s'Hs/2 in the ball of the radius by the
// eigenvalues of H, and returns the predicted fall and whether the step ends
// on the ball.
func trustStep(h, g []float64, radius float64) (step []float64, pred float64, edge bool) {
	d := len(g)
	var eig mat.EigenSym
	if !eig.Factorize(mat.NewSymDense(d, append([]float64(nil), h...)), true) {
		step = make([]float64, d) // no eigenvalues: steepest descent
		axpy(-radius/math.Max(norm(g), 1e-300), g, step)
		return step, -dot(step, g), true
	}
	var vec mat.Dense
	eig.VectorsTo(&vec)
	val := eig.Values(nil)
	gt := make([]float64, d)
	for i := range gt {
		for j := range g {
			gt[i] += vec.At(j, i) * g[j]
		}
	}
	top := math.Max(math.Abs(val[0]), math.Abs(val[d-1]))
	floor := 1e-12 * top
	coord := func(mu float64) []float64 {
		c := make([]float64, d)
		for i := range c {
			if v := val[i] + mu; v > floor {
				c[i] = -gt[i] / v
			} else if math.Abs(gt[i]) > 1e-10*(1+top) {
				c[i] = -math.Copysign(2*radius, gt[i])
			}
		}
		return c
	}
	c := coord(0)
	if val[0] < -floor || norm(c) > radius {
		edge = true
		lo, hi := math.Max(0, -val[0]), math.Max(0, -val[0])+norm(g)/radius
		for i := 0; i < 200 && hi-lo > 1e-14*hi; i++ {
			mu := (lo + hi) / 2
			if norm(coord(mu)) > radius {
				lo = mu
			} else {
				hi = mu
			}
		}
		c = coord(hi)
		if short := radius*radius - dot(c, c); val[0] < -floor && short > 1e-6*radius*radius {
			// The hard case: the gradient has nothing along the direction of
			// negative curvature, as at theta = 0.
			c[0] += math.Copysign(math.Sqrt(short), c[0])
		}
	}
	step = make([]float64, d)
	for i, v := range c {
		pred -= gt[i]*v + val[i]*v*v/2
		for j := range step {
			step[j] += vec.At(j, i) * v
		}
	}
	return step, pred, edge
}

// escape proves that a singular point is a minimum over the covariances, or
// leaves it. The deviance as a function of Sigma = Lambda Lambda' of a term has
// the derivative Gamma; on the cone of positive semidefinite Sigma a minimum
// needs Gamma positive semidefinite. If v'Gamma v < 0, the deviance falls along
// Sigma + t vv', and nil is not returned but a theta from there.
func (f *profile) escape(pt *point) []float64 {
	for t := range f.q.random {
		fac, at, k := f.q.block(t)
		kf := f.q.factors[fac].k
		l := make([]float64, k*k)
		low := false
		for i := 0; i < k; i++ {
			for j := 0; j <= i; j++ {
				l[i*k+j] = pt.lambda[fac][(at+i)*kf+at+j]
			}
			low = low || math.Abs(l[i*k+i]) < singular
		}
		if !low {
			continue
		}
		for _, v := range f.descents(pt, t, fac, at, k) {
			for _, size := range []float64{0.1, 1e-2, 1e-3, 1e-4} {
				sigma := make([]float64, k*k)
				multiplyT(sigma, l, l, k)
				for i := 0; i < k; i++ {
					for j := 0; j < k; j++ {
						sigma[i*k+j] += size * v[i] * v[j]
					}
					sigma[i*k+i] += 1e-14
				}
				if !cholesky(sigma, k) {
					continue
				}
				theta := append([]float64(nil), pt.theta...)
				for i, par := range f.q.pars {
					if par.term == t {
						theta[i] = sigma[(par.row-at)*k+par.col-at]
					}
				}
				if next, err := f.at(theta); err == nil && next.dev < pt.dev-1e-8 {
					return theta
				}
			}
		}
	}
	return nil
}

// descents are unit vectors v with v'Gamma v < 0 among those that the term's
// covariance may grow along: any for a correlated term, the axes for one
// without correlations.
func (f *profile) descents(pt *point, t, fac, at, k int) [][]float64 {
	kf := f.q.factors[fac].k
	g := mat.NewSymDense(k, nil)
	for i := 0; i < k; i++ {
		for j := i; j < k; j++ {
			g.SetSym(i, j, pt.gamma[fac][(at+i)*kf+at+j])
		}
	}
	var out [][]float64
	if !f.q.random[t].correlated {
		for i := 0; i < k; i++ {
			if g.At(i, i) < 0 {
				v := make([]float64, k)
				v[i] = 1
				out = append(out, v)
			}
		}
		return out
	}
	var eig mat.EigenSym
	if !eig.Factorize(g, true) {
		return nil
	}
	var vec mat.Dense
	eig.VectorsTo(&vec)
	for i, e := range eig.Values(nil) {
		if e < 0 {
			out = append(out, mat.Col(nil, i, &vec))
		}
	}
	return out
}

// settle turns every column of Lambda to a positive diagonal and takes entries
// that are zero up to rounding for zero. The kernel may be left elsewhere.
func (f *profile) settle(s *search) (*search, error) {
	if err := f.differentiate(s.pt); err != nil {
		return nil, err
	}
	theta := s.pt.theta
	for i, par := range f.q.pars {
		if par.row == par.col && theta[i] < 0 {
			for j, other := range f.q.pars {
				if other.term == par.term && other.col == par.col {
					theta[j] = -theta[j]
					s.pt.grad[j] = -s.pt.grad[j]
				}
			}
		}
	}
	// The deviance is even in a column, its derivatives odd.
	snapped, changed := append([]float64(nil), theta...), false
	for i, par := range f.q.pars {
		if par.row == par.col && theta[i] != 0 && theta[i] < singular {
			snapped[i], changed = 0, true
		}
	}
	if changed {
		pt, err := f.at(snapped)
		if err == nil && pt.dev <= s.pt.dev+1e-10*(1+1e-4*math.Abs(s.pt.dev)) {
			s.pt = pt
			return s, f.differentiate(pt)
		}
	}
	s.pt.lambda = f.q.lambda(theta)
	return s, nil
}

// block places a term: its factor, first column there and number of columns.
func (q *problem) block(t int) (fac, at, k int) {
	for i, f := range q.factors {
		for j, term := range f.terms {
			if term == t {
				return i, f.start[j], len(q.random[t].names)
			}
		}
	}
	return -1, 0, 0
}

// start is where the search begins: a random intercept of half the residual
// variance, other columns of a tenth, no correlation.
func (q *problem) start() []float64 {
	theta := make([]float64, len(q.pars))
	for i, p := range q.pars {
		if p.row == p.col {
			_, at, _ := q.block(p.term)
			theta[i] = 0.3
			if p.row == at {
				theta[i] = 0.7
			}
		}
	}
	return theta
}

// marginal improves the start of several factors: each factor's theta when the
// others are left out of the model, which one factor's kernel finds in next to
// no time.
func (q *problem) marginal(reml bool) []float64 {
	theta := q.start()
	if len(q.factors) == 1 {
		return theta
	}
	for i, fac := range q.factors {
		one := *q
		one.factors, one.pars = []*factor{fac}, nil
		var of []int
		for j, p := range q.pars {
			if p.factor == i {
				p.factor = 0
				one.pars = append(one.pars, p)
				of = append(of, j)
			}
		}
		f := &profile{q: &one, k: newOneFactor(&one), reml: reml}
		s, err := f.descend(one.start())
		if err != nil || nearSingular(s.pt.theta, &one) {
			continue
		}
		for j, v := range s.pt.theta {
			theta[of[j]] = v
		}
	}
	return theta
}

func add(a, b []float64) []float64 {
	out := append([]float64(nil), a...)
	axpy(1, b, out)
	return out
}

func norm(v []float64) float64 { return math.Sqrt(dot(v, v)) }
