package trial

import (
	"fmt"
	"math"
	"strings"

	"github.com/seed-4012077a/flow/sdk/stats/estimate"
	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/glm"
	"github.com/seed-4012077a/flow/sdk/stats/glmm"
	"github.com/seed-4012077a/flow/sdk/stats/lmm"
	"github.com/seed-4012077a/flow/sdk/stats/ols"
)

// model is one fitted model.
type model struct {
	estimate.Linear
	Method  string // what was fitted and how its tests are made
	Formula string
	N       int // rows
	Dropped int // rows with a missing covariate or weight
	LogLik  float64
	Sigma   float64 // residual standard deviation; NaN where there is none
	Note    string

	parameters int // that the likelihood counts
	aic        float64
	aicc       float64
	bic        float64
	lmm        *lmm.Model
	glm        *glm.Model
}

// criterion is what the form is chosen by.
func (m *model) criterion(name string) float64 {
	switch name {
	case "aicc":
		return m.aicc
	case "bic":
		return m.bic
	}
	return m.aic
}

// fit fits a formula to an outcome's rows: a mixed model where it has a random
// part, else least squares, or logistic regression for a binary outcome. reml
// is false where models with other fixed effects are compared.
func (p *Plan) fit(r *rows, text string, weights string, reml bool) (*model, error) {
	f, err := formula.Parse(text)
	if err != nil {
		return nil, err
	}
	d, err := f.Design(r.fr, formula.Options{Weights: weights})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", text, err)
	}
	m := &model{Formula: text, N: len(d.Y), Dropped: d.Dropped, Sigma: math.NaN()}
	binary, mixed := r.outcome.Kind == "binary", len(d.Random) > 0
	switch {
	case binary && mixed:
		err = m.fitGLMM(d)
	case binary:
		err = m.fitGLM(d)
	case mixed:
		err = m.fitLMM(d, p.DF, reml)
	default:
		err = m.fitOLS(d)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", text, err)
	}
	if len(d.Aliased) > 0 && m.lmm == nil { // a mixed model says so itself
		m.Note = join(m.Note, fmt.Sprintf("dropped as combinations of others: %v", d.Aliased))
	}
	return m, nil
}

// join puts notes after each other.
func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}

func (m *model) fitOLS(d *formula.Design) error {
	fit, err := ols.Fit(d, ols.Options{})
	if err != nil {
		return err
	}
	m.Linear, m.Method, m.Sigma = fit, "least squares", fit.Sigma()
	m.LogLik, m.parameters = fit.LogLik()
	m.aic, m.aicc, m.bic = fit.AIC(), fit.AICc(), fit.BIC()
	return nil
}

func (m *model) fitGLM(d *formula.Design) error {
	for i, y := range d.Y {
		if y != 0 && y != 1 {
			return fmt.Errorf("row %d is %v; a binary outcome is 0 or 1", i+1, y)
		}
	}
	family := glm.Binomial()
	family.Quasi = d.Weights != nil && !whole(d.Weights)
	fit, err := glm.Fit(d, family, glm.Options{})
	if err != nil {
		return err
	}
	m.Linear, m.glm, m.Method, m.LogLik, m.parameters = fit, fit, "logistic regression", fit.LogLik, len(fit.Coefficients())
	if family.Quasi {
		m.Method = "logistic regression, quasi-likelihood"
	}
	m.aic, m.aicc, m.bic = fit.AIC(), fit.AICc(), fit.BIC()
	return nil
}

// whole reports whether weights can be counts.
func whole(w []float64) bool {
	for _, v := range w {
		if v != math.Trunc(v) {
			return false
		}
	}
	return true
}

func (m *model) fitGLMM(d *formula.Design) error {
	fit, err := glmm.Fit(d, glm.Binomial(), glmm.Options{})
	if err != nil {
		return err
	}
	m.Linear, m.Method = fit, "mixed logistic regression, Laplace"
	m.LogLik, m.parameters = fit.LogLik, fit.Parameters()
	m.aic, m.aicc, m.bic = fit.AIC(), fit.AICc(), fit.BIC()
	return nil
}

func (m *model) fitLMM(d *formula.Design, df string, reml bool) error {
	o := lmm.Options{REML: reml, DF: lmm.Asymptotic}
	m.Method = "linear mixed model, ML"
	if reml {
		var err error
		if o.DF, err = lmm.ParseDF(df); err != nil {
			return err
		}
		m.Method = "linear mixed model, REML, " + o.DF.String()
	}
	fit, err := lmm.Fit(d, o)
	if err != nil {
		return err
	}
	m.Linear, m.lmm = fit, fit
	m.LogLik, m.Sigma = fit.LogLik(), fit.Sigma()
	m.aic, m.aicc, m.bic = fit.AIC(), fit.AICc(), fit.BIC()
	m.parameters = fit.Parameters()
	m.Note = strings.Join(fit.Notes(), "; ")
	return nil
}

// coefficient estimates one coefficient. Those of a mixed model have their
// Wald standard errors and a t of as many degrees of freedom as rows are left
// after all parameters: what is printed beside a model's coefficients, where
// no contrast is asked for. Those of a logistic model have limits by limits:
// wald, profile or profile-interpolated.
func (m *model) coefficient(p *Plan, name, limits string) (estimate.Estimate, error) {
	names := m.Design().Names
	at := -1
	for j, n := range names {
		if sameTerm(n, name) {
			at = j
		}
	}
	if at < 0 {
		return estimate.Estimate{}, fmt.Errorf("the model has no coefficient %q: it was dropped, or its levels do not occur", name)
	}
	l := make([]float64, len(names))
	l[at] = 1
	switch {
	case m.lmm != nil:
		est, se, err := m.lmm.Wald(l)
		if err != nil {
			return estimate.Estimate{}, err
		}
		return estimate.New(name, est, se, float64(m.N-m.parameters), p.Level)
	case m.glm != nil && limits != "wald":
		e, err := estimate.Of(m, name, l, p.Level)
		if err != nil {
			return e, err
		}
		if limits == "profile-interpolated" {
			e.Lower, e.Upper, err = m.glm.InterpolatedInterval(at, p.Level)
		} else {
			e.Lower, e.Upper, err = m.glm.ProfileInterval(l, p.Level)
		}
		return e, err
	}
	return estimate.Of(m, name, l, p.Level)
}

// sameTerm reports whether two names of columns are the same product of
// variables, whatever the order.
func sameTerm(a, b string) bool {
	if a == b {
		return true
	}
	count := map[string]int{}
	for _, x := range splitTerm(a) {
		count[x]++
	}
	for _, x := range splitTerm(b) {
		count[x]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

// splitTerm cuts a column's name at the colons that are in no parentheses.
func splitTerm(s string) (parts []string) {
	depth, from := 0, 0
	for i := range len(s) {
		switch s[i] {
		case '(':
			depth++
		case ')':
			depth--
		case ':':
			if depth == 0 {
				parts = append(parts, s[from:i])
				from = i + 1
			}
		}
	}
	return append(parts, s[from:])
}
