package trial

import (
	"fmt"
	"math"
	"slices"
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
	People  int // participants who have them
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
	m := &model{Formula: text, N: len(d.Y), People: r.participants(p, d.Rows), Dropped: d.Dropped, Sigma: math.NaN()}
	binary, mixed := r.outcome.Kind == "binary", len(d.Random) > 0
	if other := slices.IndexFunc(d.Y, func(y float64) bool { return y != 0 && y != 1 }); binary && other >= 0 {
		return nil, fmt.Errorf("a binary outcome is 0 or 1, and a row has %v", d.Y[other])
	}
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
		if strings.HasPrefix(err.Error(), text) {
			return nil, err
		}
		return nil, fmt.Errorf("%s: %w", text, err)
	}
	if len(d.Aliased) > 0 && m.lmm == nil { // a mixed model says so itself
		m.Note = join(m.Note, fmt.Sprintf("dropped as combinations of others: %v", d.Aliased))
	}
	return m, nil
}

// participants counts those who have the given rows.
func (r *rows) participants(p *Plan, of []int) (n int) {
	person, _ := r.fr.Column(p.Participant)
	seen := make([]bool, len(person.Levels))
	for _, i := range of {
		if k := person.Codes[i]; !seen[k] {
			seen[k] = true
			n++
		}
	}
	return n
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
	m.Linear, m.Method, m.Note = fit, "mixed logistic regression, Laplace", strings.Join(fit.Notes, "; ")
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
func (m *model) coefficient(p *Plan, variables []string, limits string) (estimate.Estimate, error) {
	names := m.Design().Names
	name := strings.Join(variables, ":")
	at := slices.Index(names, name)
	if at < 0 && len(variables) == 2 { // the formula may have them the other way round
		at = slices.Index(names, variables[1]+":"+variables[0])
	}
	if at < 0 {
		return estimate.Estimate{}, fmt.Errorf("the model has no coefficient %q: it was dropped, or its levels do not occur", name)
	}
	return m.coefficientAt(p, at, limits)
}

func (m *model) coefficientAt(p *Plan, at int, limits string) (estimate.Estimate, error) {
	names := m.Design().Names
	l := make([]float64, len(names))
	l[at] = 1
	if m.lmm != nil {
		est, se, err := m.lmm.Wald(l)
		if err != nil {
			return estimate.Estimate{}, err
		}
		return estimate.New(names[at], est, se, float64(m.N-m.parameters), p.Level)
	}
	e, err := estimate.Of(m, names[at], l, p.Level)
	if err != nil || m.glm == nil || limits == "wald" {
		return e, err
	}
	if limits == "profile-interpolated" {
		e.Lower, e.Upper, err = m.glm.InterpolatedInterval(at, p.Level)
	} else {
		e.Lower, e.Upper, err = m.glm.ProfileInterval(l, p.Level)
	}
	if err != nil { // the estimate stands
		e.Lower, e.Upper = math.NaN(), math.NaN()
		err = &limitsError{err}
	}
	return e, err
}

// ofCoefficients is the method of a coefficient's row: what coefficient does.
func (m *model) ofCoefficients(limits string) string {
	switch {
	case m.lmm != nil:
		method, _, _ := strings.Cut(m.Method, ", "+m.lmm.Options().DF.String())
		return method + ", Wald t with residual degrees of freedom"
	case m.glm != nil && limits != "wald":
		return m.Method + ", Wald z, " + limits + " limits"
	}
	return m.Method
}

// limitsError is why an estimate has no limits.
type limitsError struct{ err error }

func (e *limitsError) Error() string { return "no limits: " + e.err.Error() }
