package glmm

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-4012077a/flow/sdk/stats/estimate"
	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/glm"
	"gonum.org/v1/gonum/mat"
)

// Options of a fit.
type Options struct {
	// Quadrature is the number of adaptive Gauss-Hermite points, for a model with
	// one random intercept; 0 or 1 is the Laplace approximation.
	Quadrature int
}

// Model is a fitted generalised linear mixed model.
type Model struct {
	Family     glm.Family
	LogLik     float64
	Theta      []float64 // entries of Lambda by term, each triangle by columns
	Singular   bool      // a random term has an effect of no variance, or of correlation 1
	Notes      []string  // what a reader should know about the fit
	Quadrature int       // points used; 1 is Laplace
	Iterations int       // evaluations of the criterion and its gradient
	Gradient   float64   // the fall of the deviance that a last Newton step would still bring
	Fitted     []float64 // mu at the conditional modes
	Eta        []float64

	design *formula.Design
	lay    *layout
	beta   []float64
	u      []float64
	parts  []part
	rest   *mat.SymDense
	cov    *mat.SymDense
}

// Fit maximises the likelihood of the design, which must have random terms.
// Errors name separation (*glm.SeparationError), a family or a term that cannot
// be fitted, and a search that found no minimum.
func Fit(d *formula.Design, family glm.Family, o Options) (*Model, error) {
	start, lay, err := prepare(d, family, o)
	if err != nil {
		return nil, err
	}
	n := len(d.Y)
	w, off := d.Weights, d.Offset
	if w == nil {
		w = slices.Repeat([]float64{1}, n)
	}
	if off == nil {
		off = make([]float64, n)
	}
	p := newLaplace(family, lay, d.X, d.Y, w, off)
	m := &Model{Family: family, design: d, lay: lay, Quadrature: 1}
	x, h0, scale := origin(lay, start)
	f := p.objective()
	at, evals, err := minimise(f, x, h0)
	m.Iterations = evals
	if err == nil && o.Quadrature > 1 {
		m.Quadrature = o.Quadrature
		f = p.quadratureObjective(o.Quadrature, scale)
		at, evals, err = minimise(f, at.x, h0)
		m.Iterations += evals
	}
	if err != nil {
		return nil, fmt.Errorf("the likelihood of %s with random terms has no minimum that was reached in %d evaluations: drop a random term, or centre and scale the covariates (%w)", family, m.Iterations, err)
	}
	lay.upright(at.x)
	h, err := m.polish(f, &at, scale)
	if err != nil {
		return nil, err
	}
	return m, m.finish(p, f, at, h)
}

// prepare checks the design and fits the model without random terms, from which
// the search starts.
func prepare(d *formula.Design, family glm.Family, o Options) (*glm.Model, *layout, error) {
	if family != glm.Binomial() && family != glm.Poisson() {
		return nil, nil, fmt.Errorf("a generalised mixed model is fitted for binomial(logit) and poisson(log); the family is %s", family)
	}
	if d == nil || d.X == nil || d.Y == nil || len(d.Random) == 0 {
		return nil, nil, fmt.Errorf("the formula has no random term; write one such as (1 | participant), or use a generalised linear model without")
	}
	lay, err := newLayout(d.Random, len(d.Y))
	if err != nil {
		return nil, nil, err
	}
	if o.Quadrature < 0 || o.Quadrature > 100 {
		return nil, nil, fmt.Errorf("%d quadrature points: choose 1 (Laplace) to 100", o.Quadrature)
	}
	if o.Quadrature > 1 && (len(lay.factors) > 1 || lay.factors[0].k > 1) {
		return nil, nil, fmt.Errorf("quadrature with more than one point is for a single random intercept; use 1 (Laplace) for %d random columns", len(lay.factors)+lay.factors[0].k-1)
	}
	start, err := glm.Fit(d, family, glm.Options{})
	if err != nil {
		return nil, nil, fmt.Errorf("the model without its random terms: %w", err)
	}
	return start, lay, nil
}

// origin is the start (theta of the identity, beta without random terms), the
// first inverse Hessian of D = -2 log-likelihood and the scale of each parameter.
func origin(lay *layout, start *glm.Model) (x []float64, h *mat.SymDense, scale []float64) {
	for _, diagonal := range lay.diagonal() {
		v := 0.0
		if diagonal {
			v = 1
		}
		x = append(x, v)
	}
	beta, cov := start.Coefficients(), start.Covariance()
	x = append(x, beta...)
	k := lay.thetas
	h = mat.NewSymDense(len(x), nil)
	scale = make([]float64, len(x))
	for j := range k {
		h.SetSym(j, j, 0.02)
		scale[j] = 0.5
	}
	for i := range beta {
		for j := i; j < len(beta); j++ {
			h.SetSym(k+i, k+j, cov.At(i, j))
		}
		scale[k+i] = math.Sqrt(cov.At(i, i))
	}
	return x, h, scale
}

func (p *laplace) objective() objective {
	return func(x []float64) (float64, []float64, error) {
		k := p.lay.thetas
		v, err := p.value(x[:k], x[k:])
		if err != nil {
			return 0, nil, err
		}
		g, err := p.gradient()
		return v, g, err
	}
}

// upright makes the diagonal of every triangle non-negative by turning the signs
// of whole columns, under which D does not change.
func (lay *layout) upright(x []float64) {
	for _, f := range lay.factors {
		for _, e := range f.free {
			if e.row != e.col || x[e.at] >= 0 {
				continue
			}
			for _, o := range f.free {
				if o.col == e.col {
					x[o.at] = -x[o.at]
				}
			}
		}
	}
}

// polish takes Newton steps until one would lower D by less than 1e-12, and
// returns the Hessian there. A Hessian takes many evaluations: that of a point
// from which a step would lower D by less than 1e-9, which is 3e-5 standard
// errors away, serves for the minimum too.
func (m *Model) polish(f objective, at *point, scale []float64) (*mat.SymDense, error) {
	var h *mat.SymDense
	d, steps := len(at.x), 0
	for steps < 6 {
		var err error
		if h, err = hessian(f, at.x, scale); err != nil {
			return nil, fmt.Errorf("the curvature at the minimum: %w", err)
		}
		var c mat.Cholesky
		if !c.Factorize(h) {
			return h, nil // finish says so
		}
		for near := true; near; {
			step := mat.NewVecDense(d, nil)
			if err := c.SolveVecTo(step, mat.NewVecDense(d, at.g)); err != nil {
				return h, nil
			}
			m.Gradient = mat.Dot(step, mat.NewVecDense(d, at.g)) / 2
			if m.Gradient < 1e-12 {
				return h, nil
			}
			x := make([]float64, d)
			for j := range x {
				x[j] = at.x[j] - step.AtVec(j)
			}
			v, g, err := f(x)
			if m.Iterations++; err != nil || v > at.f+1e-9 {
				return h, nil
			}
			near = m.Gradient < 1e-9 && steps < 6
			steps++
			*at = point{x, v, g}
		}
	}
	return h, nil
}

// finish fills the model at the minimum. The covariance of beta is the block of
// 2 H^{-1}, H the Hessian of D in (theta, beta), as lme4's vcov has it.
func (m *Model) finish(p *laplace, f objective, at point, h *mat.SymDense) error {
	if m.Gradient > 1e-6 {
		return fmt.Errorf("the fit did not converge: a further step would lower the deviance by %.2g; centre and scale the covariates, or drop a random term", m.Gradient)
	}
	v, _, err := f(at.x)
	if err != nil {
		return err
	}
	k := m.lay.thetas
	m.lay.upright(at.x)
	p.set(at.x[:k], at.x[k:])
	if _, err := p.mode(); err != nil {
		return err
	}
	m.Theta, m.beta = at.x[:k:k], at.x[k:]
	m.u, m.Fitted, m.Eta = p.u, p.mu, p.eta
	if m.parts, err = p.a.invert(); err != nil {
		return err
	}
	m.rest = p.a.inverse
	dev := 0.0
	for i, w := range p.w {
		if w > 0 {
			dev += w * m.Family.Deviance(p.y[i], p.mu[i])
		}
	}
	// v lacks the log-likelihood of a perfect fit.
	m.LogLik = -v/2 + m.Family.LogLik(p.y, p.mu, p.w) + dev/2
	m.singular()
	return m.covariance(h)
}

func (m *Model) covariance(h *mat.SymDense) error {
	k, d := m.lay.thetas, len(m.Theta)+len(m.beta)
	var c mat.Cholesky
	m.cov = mat.NewSymDense(d-k, nil)
	if c.Factorize(h) {
		var inv mat.SymDense
		if err := c.InverseTo(&inv); err == nil {
			for i := k; i < d; i++ {
				for j := i; j < d; j++ {
					m.cov.SetSym(i-k, j-k, 2*inv.At(i, j))
				}
			}
			return nil
		}
	}
	// On the edge of the variances D may be flat in theta; then beta's own block
	// of H, theta taken as known, still gives its covariance.
	own := mat.NewSymDense(d-k, nil)
	for i := k; i < d; i++ {
		for j := i; j < d; j++ {
			own.SetSym(i-k, j-k, h.At(i, j)/2)
		}
	}
	if !c.Factorize(own) {
		return fmt.Errorf("the fit ended where the likelihood is not curved in the coefficients; it is no maximum: drop a random term or centre and scale the covariates")
	}
	m.Notes = append(m.Notes, "the likelihood is flat in a variance component; the standard errors take the variance components as known")
	return c.InverseTo(m.cov)
}

// singular marks a Lambda with a (relatively) zero diagonal, as lme4's isSingular
// with its tolerance 1e-4.
func (m *Model) singular() {
	for _, f := range m.lay.factors {
		for _, e := range f.free {
			if e.row == e.col && m.Theta[e.at] < 1e-4 {
				m.Singular = true
			}
		}
	}
	if m.Singular {
		m.Notes = append(m.Notes, "singular fit: a random effect has no variance, or is a combination of others")
	}
}

// Design is what was fitted.
func (m *Model) Design() *formula.Design { return m.design }

// Coefficients is beta (p), on the link's scale.
func (m *Model) Coefficients() []float64 { return slices.Clone(m.beta) }

// Covariance of the fixed coefficients (p x p).
func (m *Model) Covariance() *mat.SymDense {
	return mat.NewSymDense(len(m.beta), slices.Clone(m.cov.RawSymmetric().Data))
}

// Contrast estimates l'beta on the link's scale; df is +Inf.
func (m *Model) Contrast(l []float64) (est, se, df float64, err error) {
	if len(l) != len(m.beta) {
		return 0, 0, 0, fmt.Errorf("the contrast has %d numbers, the model %d coefficients", len(l), len(m.beta))
	}
	for j, b := range m.beta {
		est += l[j] * b
	}
	v := mat.NewVecDense(len(l), slices.Clone(l))
	return est, math.Sqrt(math.Max(mat.Inner(v, m.cov, v), 0)), math.Inf(1), nil
}

// Joint is Wald's chi-squared test of L beta = 0 over its rows.
func (m *Model) Joint(l *mat.Dense) (f, ndf, ddf float64, err error) {
	chi2, rank, err := estimate.Wald(m.beta, m.cov, l)
	if err != nil {
		return 0, 0, 0, err
	}
	return chi2 / float64(rank), float64(rank), math.Inf(1), nil
}

// Parameters counts theta and beta.
func (m *Model) Parameters() int { return len(m.Theta) + len(m.beta) }

// AIC is -2 log-likelihood + 2 k.
func (m *Model) AIC() float64 { return -2*m.LogLik + 2*float64(m.Parameters()) }

// AICc adds 2 k (k+1) / (n - k - 1); +Inf where n <= k + 1.
func (m *Model) AICc() float64 {
	k, n := float64(m.Parameters()), float64(len(m.Fitted))
	if n <= k+1 {
		return math.Inf(1)
	}
	return m.AIC() + 2*k*(k+1)/(n-k-1)
}

// BIC is -2 log-likelihood + k log n.
func (m *Model) BIC() float64 {
	return -2*m.LogLik + float64(m.Parameters())*math.Log(float64(len(m.Fitted)))
}

var _ estimate.Linear = (*Model)(nil)
