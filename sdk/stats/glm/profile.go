package glm

import (
	"fmt"
	"math"

	"github.com/seed-4012077a/flow/sdk/stats/estimate"
	"gonum.org/v1/gonum/mat"
)

// ProfileInterval is the profile-likelihood interval of l'beta: all values t for
// which the likelihood-ratio test of l'beta = t does not reject,
//
//	(D(t) - D(beta^)) / phi <= q^2,   D(t) = min { deviance(beta) : l'beta = t },
//
// q being the two-sided normal quantile, or Student's where phi is estimated (R's
// confint uses the normal there too). R interpolates D between a dozen points of
// t; here each limit is the root itself, so the two may differ in the fourth
// digit: InterpolatedInterval repeats R's arithmetic. Under Firth's penalty the
// penalised likelihood is profiled (Heinze & Schemper 2002). A limit is infinite
// where the profile never reaches q^2.
func (m *Model) ProfileInterval(l []float64, level float64) (lower, upper float64, err error) {
	if !(level > 0 && level < 1) {
		return 0, 0, fmt.Errorf("confidence level %v is not between 0 and 1 (usual: 0.95)", level)
	}
	_, se, df, err := m.modelContrast(l)
	if err != nil {
		return 0, 0, err
	}
	pr, err := m.profile(l)
	if err != nil {
		return 0, 0, err
	}
	q := estimate.Quantile((1+level)/2, df)
	if lower, err = pr.limit(pr.est, -se, q); err != nil {
		return 0, 0, err
	}
	upper, err = pr.limit(pr.est, se, q)
	return lower, upper, err
}

// modelContrast is Contrast with the model's own covariance, whatever robust one
// has taken its place.
func (m *Model) modelContrast(l []float64) (est, se, df float64, err error) {
	own := *m
	own.cov = mat.NewSymDense(len(m.beta), nil)
	own.cov.ScaleSym(m.Dispersion, m.unscaled)
	est, se, df, err = own.Contrast(l)
	if err == nil && !(se > 0) {
		err = fmt.Errorf("the contrast is zero or its standard error is: there is nothing to profile")
	}
	return est, se, df, err
}

// profile holds a model under the constraint l'beta = t. With k the position of
// the largest |l_j|, beta_k = (t - sum l_j beta_j) / l_k, so the other columns
// become x_j - (l_j / l_k) x_k and the offset gains x_k t / l_k.
type profile struct {
	m       *Model
	k       int
	lk      float64
	problem problem
	base    []float64 // the model's offset
	column  []float64 // x_k / l_k
	gamma   []float64 // the other coefficients, where the last fit ended
	est     float64   // l'beta at the maximum
	least   float64   // the objective there
}

func (m *Model) profile(l []float64) (*profile, error) {
	pr := &profile{m: m, problem: m.problem, base: m.problem.off}
	for j, v := range l {
		// In standard errors, so that the column solved for matters to the contrast.
		if math.Abs(v)*math.Sqrt(m.unscaled.At(j, j)) > math.Abs(pr.lk)*math.Sqrt(m.unscaled.At(pr.k, pr.k)) {
			pr.k, pr.lk = j, v
		}
	}
	if pr.lk == 0 {
		return nil, fmt.Errorf("the contrast is all zeros: there is nothing to profile")
	}
	n, p := m.problem.x.Dims()
	pr.column = make([]float64, n)
	pr.problem.x = nil
	if p > 1 {
		pr.problem.x = mat.NewDense(n, p-1, nil)
	}
	for i := range n {
		row := m.problem.x.RawRowView(i)
		pr.column[i] = row[pr.k] / pr.lk
		c := 0
		for j, v := range row {
			if j != pr.k {
				pr.problem.x.Set(i, c, v-l[j]*pr.column[i])
				c++
			}
		}
	}
	pr.problem.off = make([]float64, n)
	s, err := m.exact()
	if err != nil {
		return nil, err
	}
	pr.est, pr.least = dot(l, s.beta), s.objective
	for j, b := range s.beta {
		if j != pr.k {
			pr.gamma = append(pr.gamma, b)
		}
	}
	return pr, nil
}

// at fits under l'beta = t and returns the rise of the objective over phi with
// its derivative in t: by the envelope theorem only the offset's part remains,
// dD/dt = -2 sum score_i x_ik / l_k.
func (pr *profile) at(t float64) (rise, slope float64, err error) {
	for i, o := range pr.base {
		pr.problem.off[i] = o + pr.column[i]*t
	}
	s, err := pr.problem.solve(pr.gamma, nil)
	if err != nil {
		// The warm start may be impossible here; the model's own means are not.
		if s, err = pr.problem.solve(nil, pr.m.Eta); err != nil {
			return 0, 0, fmt.Errorf("the profile at %.6g: %w", t, err)
		}
	}
	if !s.converged {
		return 0, 0, fmt.Errorf("the profile at %.6g did not converge", t)
	}
	copy(pr.gamma, s.beta)
	for i, v := range s.score {
		slope -= 2 * v * pr.column[i]
	}
	phi := pr.m.Dispersion
	return (s.objective - pr.least) / phi, slope / phi, nil
}

// exact continues the fit to the maximum itself, where R's rule stopped short.
func (m *Model) exact() (*solution, error) {
	s, err := m.problem.solve(m.beta, nil)
	if err != nil {
		return nil, fmt.Errorf("the model at its own estimate: %w", err)
	}
	return s, nil
}

// limit finds t on the side of the sign of step where z(t) = sqrt(rise) reaches
// q: Newton's method on z, which is nearly a straight line, inside a bracket.
func (pr *profile) limit(est, step, q float64) (float64, error) {
	saved := append([]float64(nil), pr.gamma...)
	defer func() { copy(pr.gamma, saved) }()
	in, out := 0.0, math.Inf(1) // distances from est, in standard errors
	u, flat := q, 0.0
	for range 100 {
		rise, slope, err := pr.at(est + u*step)
		if err != nil {
			return 0, err
		}
		z := math.Sqrt(math.Max(rise, 0))
		dz := slope * step / (2 * z)
		if math.Abs(z-q) < 1e-10*q {
			return est + u*step, nil
		}
		if z < q {
			in = u
			if u > 50*q && z-flat < 1e-3 {
				return math.Copysign(math.Inf(1), step), nil
			}
			flat = z
		} else {
			out = u
		}
		next := u + (q-z)/dz
		switch {
		case !math.IsInf(out, 1) && !(next > in && next < out):
			next = (in + out) / 2
		case math.IsInf(out, 1) && !(next > in && next < 3*u):
			next = 2 * u
		}
		if next == u || out-in < 1e-12*out {
			return est + next*step, nil
		}
		u = next
	}
	return 0, fmt.Errorf("the profile limit was not found within 100 fits")
}

// LikelihoodRatio is a likelihood-ratio test: twice the rise of the
// log-likelihood, chi-squared with DF degrees of freedom under the null. Where
// phi is estimated, Statistic is R's F = (D0 - D1) / DF / phi with DDF degrees
// below; else DDF is +Inf.
type LikelihoodRatio struct {
	Statistic, DF, DDF, P float64
}

// Drop tests L beta = 0 (rows of L independent) by refitting under it.
func (m *Model) Drop(l *mat.Dense) (LikelihoodRatio, error) {
	k, p := l.Dims()
	if p != len(m.beta) {
		return LikelihoodRatio{}, fmt.Errorf("the hypothesis has %d columns, the model %d coefficients", p, len(m.beta))
	}
	cross := mat.NewSymDense(p, nil)
	for i := range k {
		row := mat.NewVecDense(p, mat.Row(nil, i, l))
		if size := mat.Norm(row, 2); size > 0 {
			row.ScaleVec(1/size, row)
		}
		cross.SymRankOne(cross, 1, row)
	}
	null := eigenspace(cross, false)
	rest := 0
	if null != nil {
		_, rest = null.Dims()
	}
	if p-rest != k {
		return LikelihoodRatio{}, fmt.Errorf("the %d rows of the hypothesis have rank %d; leave out those that follow from others", k, p-rest)
	}
	q := m.problem
	q.x = nil
	if null != nil {
		q.x = new(mat.Dense)
		q.x.Mul(m.problem.x, null)
	}
	s, err := q.solve(nil, nil)
	if err != nil {
		return LikelihoodRatio{}, fmt.Errorf("the model under the hypothesis: %w", err)
	}
	if !s.converged {
		return LikelihoodRatio{}, fmt.Errorf("the model under the hypothesis did not converge in %d iterations", s.iterations)
	}
	top, err := m.exact()
	if err != nil {
		return LikelihoodRatio{}, err
	}
	return m.ratio(s.objective-top.objective, float64(k))
}

// Compare tests a small model nested in m (fitted to the same rows), as R's
// anova(small, m, test = "Chisq") or, with an estimated phi, test = "F".
func (m *Model) Compare(small *Model) (LikelihoodRatio, error) {
	switch {
	case small.Family != m.Family || small.Penalised != m.Penalised:
		return LikelihoodRatio{}, fmt.Errorf("models of family %s and %s cannot be compared", small.Family, m.Family)
	case m.Penalised:
		return LikelihoodRatio{}, fmt.Errorf("fits under Firth's penalty have different penalties; test the coefficients with Drop")
	case len(small.problem.y) != len(m.problem.y):
		return LikelihoodRatio{}, fmt.Errorf("the models were fitted to different rows (%d and %d); drop the rows with missing values first", len(small.problem.y), len(m.problem.y))
	case small.DFResidual <= m.DFResidual:
		return LikelihoodRatio{}, fmt.Errorf("the smaller model must have fewer coefficients than the larger; they have %d and %d", len(small.beta), len(m.beta))
	}
	for i, y := range m.problem.y {
		if small.problem.y[i] != y || small.problem.w[i] != m.problem.w[i] {
			return LikelihoodRatio{}, fmt.Errorf("the models were fitted to different responses or weights (first in row %d)", rowOf(m.design, i))
		}
	}
	return m.ratio(small.Deviance-m.Deviance, float64(small.DFResidual-m.DFResidual))
}

func (m *Model) ratio(rise, k float64) (LikelihoodRatio, error) {
	t := LikelihoodRatio{Statistic: math.Max(rise, 0), DF: k, DDF: m.df()}
	f := t.Statistic / k
	if m.Family.Estimated() {
		if m.DFResidual <= 0 {
			return t, fmt.Errorf("no degrees of freedom are left to estimate the dispersion")
		}
		f /= m.Dispersion
		t.Statistic = f
	}
	t.P = estimate.FTail(f, k, t.DDF)
	return t, nil
}
