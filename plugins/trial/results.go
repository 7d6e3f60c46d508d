package main

import (
	"math"
	"slices"

	"github.com/seed-4012077a/flow/plugins/internal/result"
	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/trial"
)

var (
	contrastColumns = []result.Column{
		result.Text("measure_family", "the plan's measure"), result.Text("study_type", "the study"), result.Text("outcome", "its name in the plan"), result.Text("local_family", "the family that p_local is corrected in"),
		result.Text("test", "what is compared, as RS: Avg(Pos) - Avg(Neg); all where an outcome failed"), result.Text("test_type", "main_effect_*, dose_response, moderation, simple_effect, temporal_*, association, or failed"),
		result.Text("spec", "primary, coarsened, a pair of lambdas, or a robustness run"),
		result.Number("estimate", "contrast or coefficient; log odds of a binary outcome; chi-squared of an association"), result.Number("se", "standard error"), result.Number("df", "null: normal"), result.Number("statistic", "t or z"),
		result.Number("lower_cl", "confidence limits, at the plan's level"), result.Number("upper_cl", ""), result.Number("p_raw", "two-sided"), result.Number("p_local", "corrected within the family; null where not corrected"), result.Number("p_global", "corrected within the study"),
		result.Count("n", "rows of the model"), result.Count("participants", "who have them"), result.Text("form", "polynomial of lambda"), result.Text("model", "its formula"), result.Text("method", "how it was fitted and tested"), result.Text("coefficient", "its name in the model"),
		result.Text("slope_type", "1way, 2way or 3way"), result.Text("lambda_level", "of a slope"), result.Text("note", "why a number is missing, and what to know"),
	}
	modelColumns = []result.Column{
		result.Text("study_type", "the study"), result.Text("outcome", "its name in the plan"), result.Text("role", "linear, quadratic, cubic (to choose the form), full, additive, coarsened, or a robustness run"), result.Truth("chosen", "of forms: the one that is reported"),
		result.Text("formula", "in R's notation"), result.Text("method", "how it was fitted"), result.Count("n", "rows"), result.Count("participants", "who have them"), result.Count("dropped", "rows with a missing value"), result.Count("parameters", "that the likelihood counts"),
		result.Number("log_lik", "log-likelihood; of REML where that was maximised"), result.Number("aic", ""), result.Number("aicc", ""), result.Number("bic", ""), result.Number("sigma", "residual standard deviation"), result.Text("note", "what to know, as of a singular fit"),
	}
	coefficientColumns = []result.Column{
		result.Text("study_type", "the study"), result.Text("outcome", "its name in the plan"), result.Text("role", "the model, as in models"), result.Text("term", "the coefficient's name, as in R"), result.Number("estimate", "of a model in which time is less its mean over the rows: intercepts, and terms that meet time, are those at the mean time"), result.Number("se", "standard error"), result.Number("df", ""), result.Number("statistic", ""),
		result.Number("lower_cl", ""), result.Number("upper_cl", ""), result.Number("p_value", ""),
	}
	componentColumns = []result.Column{
		result.Text("study_type", "the study"), result.Text("outcome", "its name in the plan"), result.Text("role", "the model, as in models"), result.Text("group", "whose effects vary; Residual. Intercepts are those at the mean time"), result.Text("term", "column of the random part"), result.Text("with", "the other term of a covariance"),
		result.Number("covariance", "variance or covariance"), result.Number("sd_cor", "standard deviation or correlation"),
	}
	meanColumns = []result.Column{
		result.Text("study_type", "the study"), result.Text("outcome", "its name in the plan"), result.Text("kind", "dose or trajectory (marginal means of the full model), observed (participants' means)"),
		result.Number("lambda", ""), result.Number("time", "null: averaged over"), result.Text("factor", "a curve at one level of this factor; null: averaged over"), result.Text("level", ""),
		result.Number("mean", "a probability where the outcome is binary (if repeated, of one whose random effects are 0)"), result.Number("se", ""), result.Number("ci_lower", ""), result.Number("ci_upper", ""), result.Count("n", ""), result.Count("participants", ""), result.Text("note", ""),
	}
	associationColumns = []result.Column{
		result.Text("study_type", "the study; cross_study where studies are compared"), result.Text("outcome", "column"), result.Text("treatment", "what the groups are"), result.Number("chi_sq", "Pearson's chi-squared"), result.Count("df", ""), result.Number("p_value", ""), result.Number("min_expected", "smallest expected count"), result.Number("cramers_v", "Cramer's V"), result.Truth("corrected", "Yates' continuity correction"),
		result.Text("group", ""), result.Text("level", "of the outcome"), result.Count("n", ""), result.Number("percentage", "of the group"), result.Text("note", ""),
	}
)

// levelColumn holds a factor's level in the rows of slopes.
func levelColumn(f trial.Factor) string { return f.Column + "_level" }

func (t *analyse) declare(o sdk.Opening) {
	contrasts := result.Fields(contrastColumns)
	at := slices.IndexFunc(contrasts, func(f sdk.Field) bool { return f.Name == "note" })
	for _, f := range t.plan.Factors {
		contrasts = slices.Insert(contrasts, at, sdk.Field{Name: levelColumn(f), Type: sdk.Utf8, Nullable: true})
		at++
	}
	o.Output("contrasts", sdk.Schema{Fields: append(contrasts, t.mark.Fields()...)})
	for port, all := range map[string][]result.Column{"models": modelColumns, "coefficients": coefficientColumns, "components": componentColumns, "means": meanColumns, "associations": associationColumns} {
		o.Output(port, sdk.Schema{Fields: append(result.Fields(all), t.mark.Fields()...)})
	}
}

func (t *analyse) write(out *sdk.Outputs, r *trial.Result) {
	said := map[string]bool{}
	for _, row := range r.Rows {
		t.contrast(out.Port("contrasts"), row)
		// What could not be estimated, once for each reason.
		key := row.Study + "\x00" + row.Outcome + "\x00" + row.Spec + "\x00" + row.Note
		if math.IsNaN(row.Estimate.Estimate) && !said[key] {
			said[key] = true
			t.opening.Log("warning: %s %s, %s, %s: %s", row.Study, row.Outcome, row.Spec, row.Test, row.Note)
		}
	}
	for _, f := range r.Fits {
		t.put(out.Port("models"), "study_type", f.Study, "outcome", f.Outcome, "role", f.Role, "chosen", f.Chosen, "formula", f.Formula, "method", f.Method,
			"n", f.N, "participants", f.Participants, "dropped", f.Dropped, "parameters", f.Parameters,
			"log_lik", f.LogLik, "aic", f.AIC, "aicc", f.AICc, "bic", f.BIC, "sigma", f.Sigma, "note", f.Note)
		for _, c := range f.Coefficients {
			t.put(out.Port("coefficients"), "study_type", f.Study, "outcome", f.Outcome, "role", f.Role, "term", c.Label, "estimate", c.Estimate, "se", c.SE, "df", c.DF,
				"statistic", c.Statistic, "lower_cl", c.Lower, "upper_cl", c.Upper, "p_value", c.P)
		}
		for _, c := range f.Components {
			t.put(out.Port("components"), "study_type", f.Study, "outcome", f.Outcome, "role", f.Role, "group", c.Group, "term", c.Column, "with", c.With, "covariance", c.Covariance, "sd_cor", c.SDCor)
		}
	}
	for _, m := range r.Means {
		t.put(out.Port("means"), "study_type", m.Study, "outcome", m.Outcome, "kind", m.Kind, "lambda", m.Lambda, "time", m.Time, "factor", m.Factor, "level", m.Level,
			"mean", m.Estimate, "se", m.SE, "ci_lower", m.Lower, "ci_upper", m.Upper, "n", m.N, "participants", m.Participants, "note", m.Note)
	}
	for _, a := range r.Associations {
		t.association(out, a)
	}
}

// put writes a row, or the first part of one, and its mark.
func (t *analyse) put(rows *sdk.Rows, namesAndValues ...any) {
	result.Put(rows, namesAndValues...)
	t.mark.Put(rows)
}

func (t *analyse) contrast(rows *sdk.Rows, r trial.Row) {
	t.put(rows, "measure_family", r.Measure, "study_type", r.Study, "outcome", r.Outcome, "local_family", r.Family, "test", r.Test, "test_type", r.Kind, "spec", r.Spec,
		"estimate", r.Estimate.Estimate, "se", r.SE, "df", r.DF, "statistic", r.Statistic, "lower_cl", r.Lower, "upper_cl", r.Upper, "p_raw", r.P, "p_local", r.Local, "p_global", r.Global,
		"n", r.N, "participants", r.Participants, "form", r.Form, "model", r.Model, "method", r.Method, "coefficient", r.Label, "slope_type", r.Slope, "note", r.Note)
	level := func(k int) string {
		if k < len(r.Levels) {
			return r.Levels[k]
		}
		return ""
	}
	result.Put(rows, "lambda_level", level(0))
	for i, f := range t.plan.Factors {
		result.Put(rows, levelColumn(f), level(i+1))
	}
}

// association writes a test's table, and the test among the contrasts, so that
// one table has every p-value.
func (t *analyse) association(out *sdk.Outputs, a trial.Associated) {
	total := 0
	for _, c := range a.Cells {
		total += c.N
	}
	nan := math.NaN()
	r := trial.Row{Measure: t.plan.Measure, Study: a.Study, Outcome: a.Outcome, Test: a.Outcome + " by " + a.Treatment, Kind: "association", Spec: "primary",
		N: total, Participants: total, Method: "Pearson's chi-squared test", Local: nan, Global: nan, Note: a.Note}
	if a.Corrected {
		r.Method += ", Yates' correction"
	}
	r.Estimate.Estimate, r.DF, r.P = a.ChiSquared, float64(a.DF), a.P
	if math.IsNaN(a.ChiSquared) {
		r.DF = nan
	}
	r.SE, r.Statistic, r.Lower, r.Upper = nan, a.ChiSquared, nan, nan
	t.contrast(out.Port("contrasts"), r)
	cells := a.Cells
	if len(cells) == 0 {
		cells = []trial.Cell{{Percentage: nan}}
	}
	for _, c := range cells {
		t.put(out.Port("associations"), "study_type", a.Study, "outcome", a.Outcome, "treatment", a.Treatment, "chi_sq", a.ChiSquared, "df", a.DF, "p_value", a.P,
			"min_expected", a.MinExpected, "cramers_v", a.CramersV, "corrected", a.Corrected, "group", c.Group, "level", c.Level, "n", c.N, "percentage", c.Percentage, "note", a.Note)
	}
}
