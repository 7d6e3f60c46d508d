package glm

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-4012077a/flow/sdk/stats/estimate"
	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"gonum.org/v1/gonum/mat"
)

// Options of a fit; the zero value is R's glm with separation refused.
type Options struct {
	// Firth adds the penalty log|X'WX|/2 to the log-likelihood (Firth 1993;
	// Heinze & Schemper 2002), which keeps every estimate finite under separation.
	// For the canonical links of binomial and Poisson families.
	Firth bool
	// Exact iterates until steps vanish and takes the standard errors at the
	// estimate. Without it the fit stops by R's rule (the deviance changes by less
	// than 1e-8 of itself) and its standard errors are, as R's, those of the
	// weights one step before the last: all digits that R prints are repeated,
	// but the standard errors may be off by 1e-5 of themselves. Firth's fits,
	// profiles and likelihood-ratio tests are always exact.
	Exact bool
	// MaxIterations bounds the iterations, 100 unless told (500 under Firth).
	MaxIterations int
}

// Model is a fitted generalised linear model.
type Model struct {
	Family       Family
	Deviance     float64
	NullDeviance float64 // of the intercept alone (with the offset); of eta = offset without an intercept
	DFResidual   int     // rows of positive weight less coefficients
	DFNull       int
	Dispersion   float64 // phi; 1 where the family knows it
	LogLik       float64 // NaN for quasi families, which have none; penalised under Firth, see Penalised
	Penalised    bool    // Firth's penalty was used
	Iterations   int
	Robust       string // kind of the covariance, "" for the model's own
	Fitted       []float64
	Eta          []float64

	design    *formula.Design
	problem   problem // ends its fits exactly
	beta      []float64
	unscaled  *mat.SymDense // (X'WX)^{-1}
	cov       *mat.SymDense
	leverages []float64
}

// Fit fits the design by maximum likelihood. Errors name an impossible response,
// a fit that did not converge, or separation (*SeparationError, with the columns
// and rows it concerns).
func Fit(d *formula.Design, family Family, o Options) (*Model, error) {
	if len(d.Names) == 0 {
		return nil, fmt.Errorf("model %s has no coefficients: leave the intercept in, or add a predictor", family)
	}
	q, err := newProblem(d, family, o)
	if err != nil {
		return nil, err
	}
	s, err := q.solve(nil, nil)
	if separated := q.separated(d, s, err); separated != nil {
		return nil, separated
	}
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", family, err)
	}
	if !s.converged {
		return nil, fmt.Errorf("model %s did not converge in %d iterations (deviance %.10g): scale the covariates, raise the iterations, or choose another link", family, s.iterations, s.deviance)
	}
	m := &Model{
		Family: family, Deviance: s.deviance, Penalised: o.Firth, Iterations: s.iterations,
		Fitted: s.mu, Eta: s.eta, design: d, problem: *q, beta: s.beta,
		leverages: make([]float64, len(q.y)),
	}
	logdet, unscaled, err := information(d.X, s.weight, m.leverages)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", family, err)
	}
	m.unscaled, m.problem.asR = unscaled, false
	m.dispersion(s.weight)
	m.LogLik = math.NaN()
	if !family.Quasi {
		m.LogLik = family.LogLik(q.y, s.mu, q.w)
		if o.Firth {
			m.LogLik += logdet / 2
		}
	}
	return m, m.null()
}

func newProblem(d *formula.Design, family Family, o Options) (*problem, error) {
	if err := family.check(); err != nil {
		return nil, err
	}
	if d == nil || d.X == nil || d.Y == nil {
		return nil, fmt.Errorf("a model needs a design with a response and columns; write the formula as response ~ terms")
	}
	n, p := d.X.Dims()
	q := &problem{family: family, x: d.X, y: d.Y, w: d.Weights, off: d.Offset, limit: o.MaxIterations, asR: !o.Exact && !o.Firth}
	if q.w == nil {
		q.w = slices.Repeat([]float64{1}, n)
	}
	if q.off == nil {
		q.off = make([]float64, n)
	}
	if q.limit <= 0 {
		q.limit = 100
		if o.Firth {
			q.limit = 500
		}
	}
	if o.Firth {
		canonical := family.Link == admitted[family.Distribution][0]
		if family.Quasi || !canonical || (family.Distribution != BinomialDist && family.Distribution != PoissonDist) {
			return nil, fmt.Errorf("the penalty of Firth is for binomial(logit) and poisson(log); the family is %s", family)
		}
		q.penalty = d.X
	}
	return q, q.check(d, p)
}

// check looks at the rows before any number is made of them.
func (q *problem) check(d *formula.Design, p int) error {
	used, varied, first := 0, false, math.NaN()
	for i, w := range q.w {
		if !(w >= 0) || math.IsInf(w, 1) {
			return fmt.Errorf("row %d has weight %v; weights are finite and not negative", rowOf(d, i), w)
		}
		if w == 0 {
			continue
		}
		if err := q.family.checkResponse(q.y[i], w); err != nil {
			return fmt.Errorf("the response %s of row %d %w", d.Response, rowOf(d, i), err)
		}
		if used == 0 {
			first = q.y[i]
		}
		used++
		varied = varied || q.y[i] != first
	}
	if used < p {
		return fmt.Errorf("%d rows of positive weight cannot determine %d coefficients", used, p)
	}
	constant := (q.family.Distribution == BinomialDist && (first == 0 || first == 1)) || (q.family.Distribution == PoissonDist && first == 0)
	if !varied && (constant || q.family.Estimated()) && q.penalty == nil {
		return fmt.Errorf("the response %s is %v in all %d rows: no variance, nothing to fit", d.Response, first, used)
	}
	return nil
}

// rowOf is the 1-based row of the data that row i of the design came from.
func rowOf(d *formula.Design, i int) int {
	if i < len(d.Rows) {
		return d.Rows[i] + 1
	}
	return i + 1
}

// dispersion fills phi by Pearson's X^2 / (n - p), written as R's summary.glm does
// with the fit's weights, W ((y - mu) deta/dmu)^2, and the covariance of the
// coefficients phi (X'WX)^{-1}.
func (m *Model) dispersion(weight []float64) {
	used, x2 := 0, 0.0
	for i, w := range m.problem.w {
		if w > 0 {
			used++
			r := (m.problem.y[i] - m.Fitted[i]) / m.Family.Link.Derivative(m.Eta[i])
			x2 += weight[i] * r * r
		}
	}
	p := len(m.beta)
	m.DFResidual, m.DFNull = used-p, used
	if m.intercept() {
		m.DFNull--
	}
	m.Dispersion = 1
	if m.Family.Estimated() {
		m.Dispersion = math.NaN()
		if m.DFResidual > 0 {
			m.Dispersion = x2 / float64(m.DFResidual)
		}
	}
	m.cov = mat.NewSymDense(p, nil)
	m.cov.ScaleSym(m.Dispersion, m.unscaled)
}

func (m *Model) intercept() bool { return slices.Contains(m.design.Assign, -1) }

// null fills the null deviance.
func (m *Model) null() error {
	q := m.problem
	q.penalty, q.asR = nil, false
	s := &solution{mu: make([]float64, len(q.y)), eta: make([]float64, len(q.y))}
	var sum, total float64
	shifted := false
	for i, w := range q.w {
		sum, total = sum+w*q.y[i], total+w
		shifted = shifted || q.off[i] != 0
	}
	switch {
	case m.intercept() && !shifted:
		for i := range s.mu {
			s.mu[i] = sum / total
		}
	case m.intercept():
		one := mat.NewDense(len(q.y), 1, slices.Repeat([]float64{1}, len(q.y)))
		q.x = one
		fit, err := q.solve(nil, nil)
		if err != nil {
			return fmt.Errorf("null model: %w", err)
		}
		s = fit
	default:
		copy(s.eta, q.off)
		if !q.means(s) {
			m.NullDeviance = math.NaN() // no such model in this family, as R says NaN
			return nil
		}
	}
	q.measure(s)
	m.NullDeviance = s.deviance
	return nil
}

// Design is what was fitted.
func (m *Model) Design() *formula.Design { return m.design }

// Coefficients is beta (p), on the link's scale.
func (m *Model) Coefficients() []float64 { return slices.Clone(m.beta) }

// Covariance of the coefficients (p x p).
func (m *Model) Covariance() *mat.SymDense {
	return mat.NewSymDense(len(m.beta), slices.Clone(m.cov.RawSymmetric().Data))
}

// df of a contrast: the normal where phi is known or the covariance is robust.
func (m *Model) df() float64 {
	if m.Family.Estimated() {
		return float64(m.DFResidual)
	}
	return math.Inf(1)
}

// Contrast estimates l'beta on the link's scale, as estimate.Linear says.
func (m *Model) Contrast(l []float64) (est, se, df float64, err error) {
	if len(l) != len(m.beta) {
		return 0, 0, 0, fmt.Errorf("the contrast has %d numbers, the model %d coefficients", len(l), len(m.beta))
	}
	if m.Family.Estimated() && m.DFResidual <= 0 {
		return 0, 0, 0, fmt.Errorf("no degrees of freedom are left to estimate the dispersion: %d coefficients for as many rows", len(m.beta))
	}
	v := mat.NewVecDense(len(l), slices.Clone(l))
	for j, b := range m.beta {
		est += l[j] * b
	}
	return est, math.Sqrt(math.Max(mat.Inner(v, m.cov, v), 0)), m.df(), nil
}

// Joint is Wald's test of L beta = 0, F = (L beta)'(L V L')^{-1}(L beta) / rows.
func (m *Model) Joint(l *mat.Dense) (f, ndf, ddf float64, err error) {
	if m.Family.Estimated() && m.DFResidual <= 0 {
		return 0, 0, 0, fmt.Errorf("no degrees of freedom are left to estimate the dispersion")
	}
	chi2, rank, err := estimate.Wald(m.beta, m.cov, l)
	if err != nil {
		return 0, 0, 0, err
	}
	return chi2 / float64(rank), float64(rank), m.df(), nil
}

// parameters that the likelihood has: coefficients, and phi where it is estimated.
func (m *Model) parameters() float64 {
	k := float64(len(m.beta))
	if m.Family.Estimated() {
		k++
	}
	return k
}

// AIC is -2 log-likelihood + 2 k; NaN for quasi families.
func (m *Model) AIC() float64 { return -2*m.LogLik + 2*m.parameters() }

// AICc adds 2 k (k+1) / (n - k - 1) (Hurvich & Tsai 1989); +Inf where n <= k + 1.
func (m *Model) AICc() float64 {
	k, n := m.parameters(), float64(m.DFResidual+len(m.beta))
	if n <= k+1 {
		return math.Inf(1)
	}
	return m.AIC() + 2*k*(k+1)/(n-k-1)
}

// BIC is -2 log-likelihood + k log n, n counting rows of positive weight (R up
// to 4.2 counts the others as well).
func (m *Model) BIC() float64 {
	return -2*m.LogLik + m.parameters()*math.Log(float64(m.DFResidual+len(m.beta)))
}

var _ estimate.Linear = (*Model)(nil)
