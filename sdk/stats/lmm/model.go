package lmm

import (
	"fmt"
	"math"
	"strings"
	"sync"

	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"gonum.org/v1/gonum/mat"
)

// DF is the reference distribution of tests and intervals of fixed effects.
type DF uint8

const (
	Satterthwaite DF = iota // t and F with Satterthwaite's degrees of freedom
	KenwardRoger            // with Kenward and Roger's, and their covariance; REML only
	Asymptotic              // normal and chi-squared
)

func (d DF) String() string {
	switch d {
	case KenwardRoger:
		return "Kenward-Roger"
	case Asymptotic:
		return "asymptotic"
	}
	return "Satterthwaite"
}

// ParseDF reads "satterthwaite", "kenward-roger" or "asymptotic".
func ParseDF(text string) (DF, error) {
	for _, d := range []DF{Satterthwaite, KenwardRoger, Asymptotic} {
		if strings.EqualFold(text, d.String()) {
			return d, nil
		}
	}
	return 0, fmt.Errorf("degrees of freedom %q are unknown: use satterthwaite, kenward-roger or asymptotic", text)
}

// Options say how to fit and how to test.
type Options struct {
	REML bool // restricted maximum likelihood; else maximum likelihood
	DF   DF
}

// Model is a fitted linear mixed model. Its methods may be called from several
// goroutines.
type Model struct {
	design *formula.Design
	opt    Options
	q      *problem
	pt     *point
	beta   []float64 // of the design's columns
	cov    []float64 // sigma^2 (X'V^-1X)^-1, p x p, of the design's columns
	sigma  float64
	steps  int
	evals  int
	notes  []string

	mu  sync.Mutex // guards the kernel and what is made on demand
	f   *profile
	sat *satterthwaite
	kr  *kenwardRoger
}

// Fit fits the design's formula. The formula needs at least one random term.
func Fit(d *formula.Design, o Options) (*Model, error) {
	if o.DF == KenwardRoger && !o.REML {
		return nil, fmt.Errorf("the Kenward-Roger approximation is about REML estimates: fit with REML, or ask for Satterthwaite degrees of freedom")
	}
	in, err := fromDesign(d)
	if err != nil {
		return nil, err
	}
	q, err := newProblem(in)
	if err != nil {
		return nil, err
	}
	k, err := newKernel(q)
	if err != nil {
		return nil, err
	}
	return fit(d, q, k, q.marginal(o.REML), o)
}

// fit searches from theta and makes the model.
func fit(d *formula.Design, q *problem, k kernel, theta []float64, o Options) (*Model, error) {
	f := &profile{q: q, k: k, reml: o.REML}
	s, err := f.minimise(theta)
	if err != nil {
		return nil, err
	}
	m := &Model{design: d, opt: o, q: q, f: f, pt: s.pt, steps: s.steps, evals: f.evals}
	m.sigma = math.Sqrt(s.pt.r2 / s.pt.nu)
	m.beta = q.uncentre(s.pt.beta)
	m.cov = q.uncentreCov(s.pt.c)
	for i := range m.cov {
		m.cov[i] *= m.sigma * m.sigma
	}
	for _, v := range append(append([]float64{m.sigma, s.pt.dev}, m.beta...), m.cov...) {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("the estimates left the range of floating point: rescale the response and the covariates")
		}
	}
	m.note()
	return m, nil
}

// note says what a reader of the numbers has to know.
func (m *Model) note() {
	if m.design != nil && m.design.Dropped > 0 {
		m.notes = append(m.notes, fmt.Sprintf("%d rows with a missing value were dropped", m.design.Dropped))
	}
	if m.design != nil && len(m.design.Aliased) > 0 {
		m.notes = append(m.notes, "dropped as linear combinations of other columns: "+strings.Join(m.design.Aliased, ", "))
	}
	m.notes = append(m.notes, m.q.undetermined()...)
	for _, s := range m.singular() {
		m.notes = append(m.notes, "singular fit: "+s)
	}
}

// singular tells, for each term that has lost a dimension, which.
func (m *Model) singular() []string {
	var out []string
	for t, r := range m.q.random {
		var zero []string
		k := 0
		for i, par := range m.q.pars {
			if par.term != t || par.row != par.col {
				continue
			}
			if math.Abs(m.pt.theta[i]) < singular {
				zero = append(zero, r.names[k])
			}
			k++
		}
		switch {
		case len(zero) == 0:
		case len(r.names) == 1:
			out = append(out, fmt.Sprintf("the variance of %s is estimated as zero", m.q.termLabel(t)))
		default:
			out = append(out, fmt.Sprintf("the covariance of %s has fewer than %d dimensions: that of %s given the columns before it is zero", m.q.termLabel(t), len(r.names), strings.Join(zero, ", ")))
		}
	}
	return out
}

// fromDesign takes the parts of a design that are computed with.
func fromDesign(d *formula.Design) (*data, error) {
	if d == nil || len(d.Y) == 0 {
		return nil, fmt.Errorf("the design has no response: write the formula as y ~ x + (1 | group)")
	}
	if d.Trials != nil {
		return nil, fmt.Errorf("the response %s counts successes and failures: that is a generalised mixed model", d.Response)
	}
	n := len(d.Y)
	in := &data{y: d.Y, p: len(d.Names), names: d.Names, weights: d.Weights, offset: d.Offset}
	var err error
	if in.x, err = rowMajor(d.X, n, in.p, "the model matrix"); err != nil {
		return nil, err
	}
	if d.Weights != nil && len(d.Weights) != n || d.Offset != nil && len(d.Offset) != n {
		return nil, fmt.Errorf("%d observations, %d weights and %d offsets", n, len(d.Weights), len(d.Offset))
	}
	for i := range d.Random {
		r := &d.Random[i]
		if len(r.Index) != n {
			return nil, fmt.Errorf("random term (%s) has %d rows of %d", r.Text, len(r.Index), n)
		}
		z, err := rowMajor(r.Z, n, len(r.Names), "random term ("+r.Text+")")
		if err != nil {
			return nil, err
		}
		t := randomTerm{text: r.Text, group: r.Group, levels: r.Levels, index: r.Index, z: z, names: r.Names, correlated: r.Correlated}
		if err := t.occupied(); err != nil {
			return nil, err
		}
		in.random = append(in.random, t)
	}
	return in, nil
}

// rowMajor is the matrix as one slice, its own where it is without gaps.
func rowMajor(x *mat.Dense, n, p int, what string) ([]float64, error) {
	if p == 0 {
		return nil, nil
	}
	if x == nil || x.IsEmpty() {
		return nil, fmt.Errorf("%s is empty", what)
	}
	if r, c := x.Dims(); r != n || c != p {
		return nil, fmt.Errorf("%s is %d x %d and should be %d x %d", what, r, c, n, p)
	}
	raw := x.RawMatrix()
	if raw.Stride == p {
		return raw.Data[:n*p], nil
	}
	out := make([]float64, 0, n*p)
	for i := 0; i < n; i++ {
		out = append(out, x.RawRowView(i)...)
	}
	return out, nil
}

// occupied checks the index and drops levels without a row.
func (t *randomTerm) occupied() error {
	used := make([]int32, len(t.levels))
	for i, g := range t.index {
		if g < 0 || int(g) >= len(t.levels) {
			return fmt.Errorf("random term (%s): row %d has no level of %q", t.text, i+1, t.group)
		}
		used[g] = 1
	}
	var levels []string
	for g, u := range used {
		used[g] = int32(len(levels))
		if u == 1 {
			levels = append(levels, t.levels[g])
		}
	}
	if len(levels) == len(t.levels) {
		return nil
	}
	index := make([]int32, len(t.index))
	for i, g := range t.index {
		index[i] = used[g]
	}
	t.levels, t.index = levels, index
	return nil
}

// Design is what was fitted.
func (m *Model) Design() *formula.Design { return m.design }

// Options are those of Fit.
func (m *Model) Options() Options { return m.opt }

// Coefficients are the fixed effects, in the order of the design's names.
func (m *Model) Coefficients() []float64 { return append([]float64(nil), m.beta...) }

// Covariance is that of the fixed effects: sigma^2 (X'V^-1X)^-1, with
// KenwardRoger their adjusted one.
func (m *Model) Covariance() (*mat.SymDense, error) {
	p := m.q.p
	if p == 0 {
		return nil, fmt.Errorf("the model has no fixed effects")
	}
	c := m.cov
	if m.opt.DF == KenwardRoger {
		k, err := m.kenwardRoger()
		if err != nil {
			return nil, err
		}
		c = m.q.uncentreCov(k.adjusted)
	}
	return mat.NewSymDense(p, append([]float64(nil), c...)), nil
}

// Sigma is the residual standard deviation.
func (m *Model) Sigma() float64 { return m.sigma }

// Theta are the entries of Lambda, term by term in the formula's order, each
// term's lower triangle column by column.
func (m *Model) Theta() []float64 {
	out := make([]float64, len(m.q.pars))
	for i, p := range m.q.pars {
		out[i] = m.pt.theta[i] / p.scale
	}
	return out
}

// Notes say what a reader of the numbers has to know: rows dropped, columns
// aliased, singular terms.
func (m *Model) Notes() []string { return append([]string(nil), m.notes...) }

// Singular tells whether a term has lost a dimension; Notes say which.
func (m *Model) Singular() bool { return len(m.singular()) > 0 }

// Evaluations is how often the deviance was computed to find its minimum.
func (m *Model) Evaluations() int { return m.evals }

// Gradient is the largest absolute derivative of the deviance in theta (of
// columns of Z scaled to unit mean square) at the estimate.
func (m *Model) Gradient() float64 {
	g := 0.0
	for _, v := range m.pt.grad {
		g = math.Max(g, math.Abs(v))
	}
	return g
}

// NObs is the number of observations.
func (m *Model) NObs() int { return m.q.n }

// Group is a grouping factor and its number of levels.
type Group struct {
	Name   string
	Levels int
}

// Groups are the grouping factors in the formula's order.
func (m *Model) Groups() []Group {
	out := make([]Group, len(m.q.factors))
	for i, f := range m.q.factors {
		out[i] = Group{f.group, len(f.levels)}
	}
	return out
}
