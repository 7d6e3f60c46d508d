package main

import (
	"math"
	"slices"
	"strings"

	"github.com/seed-4012077a/flow/plugins/internal/result"
	"github.com/seed-4012077a/flow/plugins/internal/stats"
	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/estimate"
	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/lmm"
)

func fitOutput() output {
	return output{"fit", "one row a model: how it was fitted and how well", []result.Column{
		result.Text("formula", ""), result.Text("family", ""), result.Text("method", ""), result.Count("n", "rows used"), result.Count("dropped", "rows with a missing value"),
		result.Text("groups", "grouping factors of the random terms with their numbers of levels"), result.Count("parameters", "that the likelihood counts"),
		result.Number("criterion", "REML criterion, or -2 log-likelihood"), result.Number("log_lik", ""), result.Number("aic", ""), result.Number("aicc", ""), result.Number("bic", ""),
		result.Number("sigma", "residual standard deviation"), result.Number("r2", "least squares"), result.Number("r2_adjusted", "least squares"),
		result.Number("r2_marginal", "linear mixed models: share of variance by the fixed effects (Nakagawa and Schielzeth)"), result.Number("r2_conditional", "by fixed and random effects"),
		result.Number("deviance", "of a linear model the residual sum of squares"), result.Number("null_deviance", ""), result.Number("dispersion", ""), result.Number("df_residual", ""),
		result.Truth("singular", "a random term has lost a dimension"), result.Text("aliased", "columns dropped as combinations of others"), result.Note()}}
}

// putFit writes a model's row; a model that could not be fitted has the reason.
func putFit(rows *sdk.Rows, s *spec, text string, m *fitted, err error) {
	if m == nil {
		result.Put(rows, "formula", text, "family", s.family.String(), "note", err.Error())
		blank(rows, fitOutput(), "formula", "family", "note")
		return
	}
	d := m.Design()
	result.Put(rows, "formula", d.Formula.String(), "family", m.family.String(), "method", m.method, "n", len(d.Y), "dropped", d.Dropped, "groups", m.groups, "parameters", m.parameters,
		"criterion", m.criterion, "log_lik", m.logLik, "aic", m.aic, "aicc", m.aicc, "bic", m.bic, "sigma", m.sigma, "r2", m.r2, "r2_adjusted", m.r2Adjusted,
		"r2_marginal", m.r2Marginal, "r2_conditional", m.r2Conditional, "deviance", m.deviance, "null_deviance", m.nullDeviance, "dispersion", m.dispersion, "df_residual", m.residualDF,
		"aliased", strings.Join(d.Aliased, ", "), "note", m.note())
	if m.mixed {
		result.Put(rows, "singular", m.singular)
	} else {
		rows.Col("singular").Null()
	}
}

// note says what a reader has to know about the fit, what columns say apart.
func (m *fitted) note() string {
	notes := slices.Clone(m.notes)
	if a := m.Design().Aliased; len(a) > 0 && m.lmm == nil { // a linear mixed model says so itself
		notes = append(notes, "dropped as combinations of others: "+strings.Join(a, ", "))
	}
	return result.Notes(notes...)
}

// blank makes the other columns of a row null.
func blank(rows *sdk.Rows, o output, but ...string) {
	for _, c := range o.columns {
		if !slices.Contains(but, c.Name) {
			rows.Col(c.Name).Null()
		}
	}
}

func coefficientsOutput() output {
	columns := append([]result.Column{result.Text("term", "coefficient, as R names it")}, result.Estimate()...)
	return output{"coefficients", "one row a coefficient of the fixed effects; of a model that could not be fitted, the reason in note alone", append(columns,
		result.Number("ratio", "exp(estimate): odds ratio, rate ratio or ratio of means, where the link is logit or log"), result.Number("ratio_lower", ""), result.Number("ratio_upper", ""), result.Note())}
}

// putCoefficients writes the coefficients, those that were dropped with the
// reason.
func (t *fitting) putCoefficients(next func() *sdk.Rows, m *fitted) {
	d := m.Design()
	kept := d.Kept()
	limits, failed := t.limits(m)
	l := make([]float64, len(kept))
	for j, name := range d.AllNames() {
		rows := next()
		result.Put(rows, "term", name)
		at := slices.Index(kept, j)
		if at < 0 {
			blank(rows, coefficientsOutput(), "term", "note")
			result.Put(rows, "note", "not estimable: a combination of columns before it")
			continue
		}
		l[at] = 1
		e, err := estimate.Of(m, name, l, t.p.Level)
		l[at] = 0
		note := ""
		if err == nil && t.p.Limits == "profile" && m.ols == nil {
			note = failed[at]
			e.Lower, e.Upper = limits[at][0], limits[at][1]
			note = result.Notes(note, unbounded(e, note))
		}
		if err == nil && !stats.Finite(e.SE) {
			note = result.Notes(note, "no standard error: no residual degrees of freedom")
		}
		ratio := estimate.Estimate{Estimate: math.NaN(), Lower: math.NaN(), Upper: math.NaN()}
		if err == nil && m.ratio() != "" {
			ratio.Estimate, ratio.Lower, ratio.Upper = math.Exp(e.Estimate), math.Exp(e.Lower), math.Exp(e.Upper)
		}
		result.Put(rows, "ratio", ratio.Estimate, "ratio_lower", ratio.Lower, "ratio_upper", ratio.Upper)
		result.PutEstimate(rows, e, err, note)
	}
}

// unbounded says that the profile of a coefficient has no limit on a side.
func unbounded(e estimate.Estimate, failed string) string {
	switch low, up := stats.Finite(e.Lower), stats.Finite(e.Upper); {
	case failed != "" || low && up:
		return ""
	case low:
		return "the profile has no upper limit"
	case up:
		return "the profile has no lower limit"
	}
	return "the profile has no limits"
}

// limits are the profile limits of each coefficient, with the reasons of those
// that have none.
func (t *fitting) limits(m *fitted) (limits [][2]float64, failed []string) {
	p := len(m.Coefficients())
	limits, failed = make([][2]float64, p), make([]string, p)
	if t.p.Limits != "profile" {
		return limits, failed
	}
	nan := math.NaN()
	switch {
	case m.glm != nil:
		l := make([]float64, p)
		for j := range l {
			l[j] = 1
			low, up, err := m.glm.ProfileInterval(l, t.p.Level)
			l[j] = 0
			if limits[j] = [2]float64{low, up}; err != nil {
				limits[j], failed[j] = [2]float64{nan, nan}, "profile limits: "+err.Error()
			}
		}
	case m.lmm != nil:
		all, err := m.lmm.ProfileIntervals(t.p.Level)
		for j := range limits {
			if limits[j] = [2]float64{nan, nan}; err != nil {
				failed[j] = "profile limits: " + err.Error()
			} else if j < len(all) {
				limits[j] = [2]float64{all[j].Lower, all[j].Upper}
			}
		}
	}
	return limits, failed
}

func componentsOutput() output {
	return output{"components", "one row a variance or covariance of a mixed model", []result.Column{
		result.Text("factor", "grouping factor, or Residual"), result.Text("term", ""), result.Text("with", "the other term of a covariance"),
		result.Number("covariance", "variance or covariance"), result.Number("sd_cor", "standard deviation or correlation"),
		result.Number("ci_lower", "profile limits of a standard deviation of a linear mixed model, with limits = profile"), result.Number("ci_upper", ""), result.Note()}}
}

// component is a variance or covariance of either mixed model.
type component struct {
	factor, term, with string
	covariance, sdCor  float64
}

func (m *fitted) components() (out []component) {
	undefined := func(v float64, is bool) float64 {
		if is {
			return math.NaN()
		}
		return v
	}
	if m.lmm != nil {
		for _, c := range m.lmm.VarianceComponents() {
			out = append(out, component{c.Group, c.Column, c.With, c.Covariance, undefined(c.SDCor, c.Undefined)})
		}
	}
	if m.glmm != nil {
		for _, c := range m.glmm.Components() {
			out = append(out, component{c.Group, c.Column, c.With, c.Covariance, undefined(c.SDCor, c.Undefined)})
		}
	}
	return out
}

func (t *fitting) putComponents(next func() *sdk.Rows, m *fitted) {
	var limits []lmm.Interval // of the standard deviations in turn
	failed := ""
	if t.p.Limits == "profile" && m.lmm != nil {
		var err error
		if limits, err = m.lmm.StandardDeviationIntervals(t.p.Level); err != nil {
			failed = "profile limits: " + err.Error()
		}
	}
	for _, c := range m.components() {
		note, low, up := "", math.NaN(), math.NaN()
		if c.with == "" {
			note = failed
			if len(limits) > 0 {
				low, up, limits = limits[0].Lower, limits[0].Upper, limits[1:]
			}
		}
		if math.IsNaN(c.sdCor) {
			note = "no correlation: a variance is 0"
		}
		result.Put(next(), "factor", c.factor, "term", c.term, "with", c.with, "covariance", c.covariance, "sd_cor", c.sdCor, "ci_lower", low, "ci_upper", up, "note", note)
	}
}

func effectsOutput() output {
	return output{"effects", "random effects of a mixed model: one row a level and term", []result.Column{
		result.Text("factor", "grouping factor"), result.Text("level", ""), result.Text("term", ""),
		result.Number("estimate", "conditional mean (best linear unbiased prediction), or mode of a generalised model"), result.Number("sd", "conditional standard deviation given the fixed effects"), result.Note()}}
}

func (t *fitting) putEffects(next func() *sdk.Rows, m *fitted) error {
	put := func(factor, level, term string, v, variance float64) {
		result.Put(next(), "factor", factor, "level", level, "term", term, "estimate", v, "sd", math.Sqrt(math.Max(0, variance)), "note", "")
	}
	if m.lmm != nil {
		all, err := m.lmm.RandomEffects()
		if err != nil {
			return err
		}
		for _, e := range all {
			for g, level := range e.Levels {
				for k, term := range e.Columns {
					put(e.Group, level, term, e.Mean.At(g, k), e.Var[g].At(k, k))
				}
			}
		}
	}
	if m.glmm != nil {
		for _, e := range m.glmm.Effects() {
			for g, level := range e.Levels {
				for k, term := range e.Names {
					put(e.Group, level, term, e.B.At(g, k), e.Var[g].At(k, k))
				}
			}
		}
	}
	return nil
}

// marginal says that a term's test depends on how the factors of a larger term
// are coded, "" where it does not.
func (s *spec) marginal(d *formula.Design, t formula.Term) string {
	for _, big := range d.Terms {
		if big.Order <= t.Order || slices.ContainsFunc(t.Variables, func(v string) bool { return !slices.Contains(big.Variables, v) }) {
			continue
		}
		for _, v := range big.Variables {
			if !slices.Contains(t.Variables, v) && s.Coding[v] != "sum" {
				return "part of " + big.Label + ": tested where " + v + " is at its reference level, or 0 if a number; for an average effect code factors by sum, or ask model#means"
			}
		}
	}
	return ""
}
