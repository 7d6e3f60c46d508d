package main

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/seed-4012077a/flow/sdk/stats/estimate"
	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"github.com/seed-4012077a/flow/sdk/stats/glm"
	"github.com/seed-4012077a/flow/sdk/stats/glmm"
	"github.com/seed-4012077a/flow/sdk/stats/lmm"
	"github.com/seed-4012077a/flow/sdk/stats/ols"
)

// fitted is a fit of any kind: one of ols, glm, lmm and glmm is set, and
// Linear is that one. Numbers that its kind does not have are NaN.
type fitted struct {
	estimate.Linear
	ols  *ols.Model
	glm  *glm.Model
	lmm  *lmm.Model
	glmm *glmm.Model

	method                    string
	family                    glm.Family
	parameters                int
	criterion, logLik         float64
	aic, aicc, bic            float64
	sigma                     float64 // residual standard deviation
	r2, r2Adjusted            float64
	r2Marginal, r2Conditional float64
	deviance, nullDeviance    float64
	dispersion, residualDF    float64
	groups                    string // "subject: 18"
	singular, mixed           bool
	notes                     []string
}

// fit fits the formula to a frame.
func (s *spec) fit(text string, fr *frame.Frame) (*fitted, error) {
	f, err := formula.Parse(text)
	if err != nil {
		return nil, err
	}
	d, err := f.Design(fr, s.options())
	if err != nil {
		return nil, err
	}
	if d.Response == "" {
		return nil, errors.New("the formula has no response: write it before the ~")
	}
	if len(d.Names) == 0 && !s.linear() {
		return nil, errors.New("the model has no coefficients: leave the intercept in, or add a predictor")
	}
	nan := math.NaN()
	m := &fitted{family: s.family, mixed: len(d.Random) > 0, criterion: nan, logLik: nan, aic: nan, aicc: nan, bic: nan, sigma: nan, r2: nan, r2Adjusted: nan,
		r2Marginal: nan, r2Conditional: nan, deviance: nan, nullDeviance: nan, dispersion: nan, residualDF: nan}
	switch {
	case m.mixed && s.linear():
		err = m.fitLMM(d, s)
	case m.mixed:
		err = m.fitGLMM(d, s)
	case s.linear():
		err = m.fitOLS(d, s)
	default:
		err = m.fitGLM(d, s)
	}
	if err != nil {
		return nil, err
	}
	var groups []string
	for _, r := range d.Random {
		text := fmt.Sprintf("%s: %d", r.Group, len(r.Levels))
		if len(groups) == 0 || groups[len(groups)-1] != text {
			groups = append(groups, text)
		}
	}
	m.groups = strings.Join(groups, "; ")
	return m, nil
}

func (m *fitted) fitOLS(d *formula.Design, s *spec) error {
	o := ols.Options{Cluster: s.Cluster}
	if s.Robust != "" && s.Robust != "none" {
		var err error
		if o.Covariance, err = ols.ParseCovariance(s.Robust); err != nil {
			return err
		}
	}
	fit, err := ols.Fit(d, o)
	if err != nil {
		return err
	}
	m.Linear, m.ols, m.method = fit, fit, "least squares"
	switch {
	case fit.Clusters() > 0:
		m.method += fmt.Sprintf(", %s by %s (%d clusters)", fit.Kind(), s.Cluster, fit.Clusters())
	case fit.Kind() != ols.Classical:
		m.method += ", " + fit.Kind().String()
	}
	m.logLik, m.parameters = fit.LogLik()
	m.criterion = -2 * m.logLik
	m.aic, m.aicc, m.bic = fit.AIC(), fit.AICc(), fit.BIC()
	m.sigma, m.deviance, m.residualDF = fit.Sigma(), fit.RSS(), float64(fit.ResidualDF())
	m.dispersion = m.sigma * m.sigma
	m.r2, m.r2Adjusted = fit.RSquared()
	if fit.ResidualDF() == 0 {
		m.notes = append(m.notes, "as many coefficients as rows: no residual degrees of freedom, so no standard errors")
	}
	return nil
}

func (m *fitted) fitGLM(d *formula.Design, s *spec) error {
	fit, err := glm.Fit(d, s.family, glm.Options{Firth: s.Firth})
	if err != nil {
		return err
	}
	m.method = "maximum likelihood (IRLS)"
	switch {
	case s.Firth:
		m.method = "penalised likelihood (Firth)"
		m.notes = append(m.notes, "log-likelihood and criteria are penalised")
	case s.family.Quasi:
		m.method = "quasi-likelihood (IRLS)"
	}
	n := len(d.Y)
	m.parameters, m.logLik, m.criterion = len(fit.Coefficients()), fit.LogLik, -2*fit.LogLik
	if s.family.Estimated() && !s.family.Quasi {
		m.parameters++
	}
	m.aic, m.aicc, m.bic = fit.AIC(), fit.AICc(), fit.BIC()
	m.deviance, m.nullDeviance, m.dispersion, m.residualDF = fit.Deviance, fit.NullDeviance, fit.Dispersion, float64(fit.DFResidual)
	if fit, err = m.robust(fit, d, s, n); err != nil {
		return err
	}
	m.Linear, m.glm = fit, fit
	return nil
}

// robust gives a generalised linear model the covariance asked for.
func (m *fitted) robust(fit *glm.Model, d *formula.Design, s *spec, n int) (*glm.Model, error) {
	switch s.Robust {
	case "", "none":
		return fit, nil
	case "CR1", "CR1S":
		c, ok := d.Data().Column(s.Cluster)
		if !ok {
			return nil, fmt.Errorf("there is no column %q of clusters", s.Cluster)
		}
		codes := c.ToFactor().Codes
		seen := map[int32]bool{}
		for i, k := range codes {
			if k < 0 {
				return nil, fmt.Errorf("row %d has no cluster (%s): leave such rows out, or give them one", d.Rows[i]+1, s.Cluster)
			}
			seen[k] = true
		}
		m.method += fmt.Sprintf(", %s by %s (%d clusters)", s.Robust, s.Cluster, len(seen))
		if s.Robust == "CR1" {
			return fit.WithCluster(glm.HC0, codes)
		}
		return fit.WithCluster(glm.HC1, codes)
	}
	kind, err := glm.ParseHC(s.Robust)
	if err != nil {
		return nil, err
	}
	m.method += ", " + s.Robust
	return fit.WithRobust(kind)
}

func (m *fitted) fitLMM(d *formula.Design, s *spec) error {
	df, err := lmm.ParseDF(s.DF)
	if err != nil {
		return err
	}
	fit, err := lmm.Fit(d, lmm.Options{REML: s.REML, DF: df})
	if err != nil {
		return err
	}
	m.Linear, m.lmm, m.method = fit, fit, "maximum likelihood, "+df.String()
	if s.REML {
		m.method = "REML, " + df.String()
	}
	m.parameters, m.criterion, m.logLik = fit.Parameters(), fit.Criterion(), fit.LogLik()
	m.aic, m.aicc, m.bic = fit.AIC(), fit.AICc(), fit.BIC()
	m.sigma, m.singular, m.notes = fit.Sigma(), fit.Singular(), fit.Notes()
	m.r2Marginal, m.r2Conditional = m.explained()
	return nil
}

func (m *fitted) fitGLMM(d *formula.Design, s *spec) error {
	fit, err := glmm.Fit(d, s.family, glmm.Options{Quadrature: s.Quadrature})
	if err != nil {
		return err
	}
	m.Linear, m.glmm, m.method = fit, fit, "Laplace approximation"
	if fit.Quadrature > 1 {
		m.method = fmt.Sprintf("adaptive Gauss-Hermite quadrature, %d points", fit.Quadrature)
	}
	m.parameters, m.criterion, m.logLik = fit.Parameters(), -2*fit.LogLik, fit.LogLik
	m.aic, m.aicc, m.bic = fit.AIC(), fit.AICc(), fit.BIC()
	m.dispersion, m.singular, m.notes = 1, fit.Singular, fit.Notes
	return nil
}

// linked shows marginal means the link of a generalised linear model.
type linked struct {
	estimate.Linear
	family glm.Family
}

// InverseLink is mu(eta) and its derivative.
func (l linked) InverseLink(eta float64) (mu, derivative float64) {
	return l.family.Link.Mu(eta), l.family.Link.Derivative(eta)
}

// Ratio names what the exponential of a difference of linear predictors is.
func (l linked) Ratio() string {
	switch {
	case l.family.Link == glm.Logit:
		return "odds ratio"
	case l.family.Link == glm.Log && l.family.Distribution == glm.PoissonDist:
		return "rate ratio"
	case l.family.Link == glm.Log:
		return "ratio of means"
	}
	return ""
}

// responding is the model as marginal means see it.
func (m *fitted) responding() estimate.Linear {
	switch {
	case m.ols != nil || m.lmm != nil || m.family.Link == glm.Identity:
		return m.Linear
	}
	return linked{m.Linear, m.family}
}

// ratio is linked's, "" where the link is no logarithm.
func (m *fitted) ratio() string { return linked{family: m.family}.Ratio() }

// population is the linear predictor and the mean at the fixed effects of every row.
func (m *fitted) population() (eta, mu []float64) {
	d := m.Design()
	beta := m.Coefficients()
	eta, mu = make([]float64, len(d.Y)), make([]float64, len(d.Y))
	for i := range eta {
		if len(beta) > 0 {
			for j, x := range d.X.RawRowView(i) {
				eta[i] += x * beta[j]
			}
		}
		if d.Offset != nil {
			eta[i] += d.Offset[i]
		}
		mu[i] = m.family.Link.Mu(eta[i])
	}
	return eta, mu
}

// means are the fitted values on the response's scale, with the random effects
// of a mixed model.
func (m *fitted) means() ([]float64, error) {
	switch {
	case m.ols != nil:
		return m.ols.Fitted(), nil
	case m.glm != nil:
		return m.glm.Fitted, nil
	case m.lmm != nil:
		return m.lmm.Fitted()
	}
	return m.glmm.Fitted, nil
}

// leverages are the diagonal of the hat matrix; nil for mixed models.
func (m *fitted) leverages() []float64 {
	switch {
	case m.ols != nil:
		return m.ols.Leverage()
	case m.glm != nil:
		return m.glm.Leverages()
	}
	return nil
}
