package main

import (
	"math"
	"slices"

	"github.com/seed-4012077a/flow/plugins/internal/nullable"
	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/trial"
)

// A column of a result: its name, type and meaning.
type column struct {
	name string
	typ  sdk.Type
	doc  string
}

var (
	text, number, count, truth = sdk.Utf8, sdk.Float64, sdk.Int64, sdk.Bool

	contrastColumns = []column{
		{"measure_family", text, "the plan's measure"}, {"study_type", text, "the study"}, {"outcome", text, "its name in the plan"}, {"local_family", text, "the family that p_local is corrected in"},
		{"test", text, "what is compared, as RS: Avg(Pos) - Avg(Neg); all where an outcome failed"}, {"test_type", text, "main_effect_*, dose_response, moderation, simple_effect, temporal_*, association, or failed"},
		{"spec", text, "primary, coarsened, a pair of lambdas, or a robustness run"},
		{"estimate", number, "contrast or coefficient; log odds of a binary outcome; chi-squared of an association"}, {"se", number, "standard error"}, {"df", number, "null: normal"}, {"statistic", number, "t or z"},
		{"lower_cl", number, "confidence limits, at the plan's level"}, {"upper_cl", number, ""}, {"p_raw", number, "two-sided"}, {"p_local", number, "corrected within the family; null where not corrected"}, {"p_global", number, "corrected within the study"},
		{"n", count, "rows of the model"}, {"participants", count, "who have them"}, {"form", text, "polynomial of lambda"}, {"model", text, "its formula"}, {"method", text, "how it was fitted and tested"}, {"coefficient", text, "its name in the model"},
		{"slope_type", text, "1way, 2way or 3way"}, {"lambda_level", text, "of a slope"}, {"note", text, "why a number is missing, and what to know"},
	}
	modelColumns = []column{
		{"study_type", text, "the study"}, {"outcome", text, "its name in the plan"}, {"role", text, "linear, quadratic, cubic (to choose the form), full, additive, coarsened, or a robustness run"}, {"chosen", truth, "of forms: the one that is reported"},
		{"formula", text, "in R's notation"}, {"method", text, "how it was fitted"}, {"n", count, "rows"}, {"participants", count, "who have them"}, {"dropped", count, "rows with a missing value"}, {"parameters", count, "that the likelihood counts"},
		{"log_lik", number, "log-likelihood; of REML where that was maximised"}, {"aic", number, ""}, {"aicc", number, ""}, {"bic", number, ""}, {"sigma", number, "residual standard deviation"}, {"note", text, "what to know, as of a singular fit"},
	}
	coefficientColumns = []column{
		{"study_type", text, "the study"}, {"outcome", text, "its name in the plan"}, {"role", text, "the model, as in models"}, {"term", text, "the coefficient's name, as in R"}, {"estimate", number, ""}, {"se", number, "standard error"}, {"df", number, ""}, {"statistic", number, ""},
		{"lower_cl", number, ""}, {"upper_cl", number, ""}, {"p_value", number, ""},
	}
	componentColumns = []column{
		{"study_type", text, "the study"}, {"outcome", text, "its name in the plan"}, {"role", text, "the model, as in models"}, {"group", text, "whose effects vary; Residual"}, {"term", text, "column of the random part"}, {"with", text, "the other term of a covariance"},
		{"covariance", number, "variance or covariance"}, {"sd_cor", number, "standard deviation or correlation"},
	}
	meanColumns = []column{
		{"study_type", text, "the study"}, {"outcome", text, "its name in the plan"}, {"kind", text, "dose or trajectory (marginal means of the full model), observed (participants' means)"},
		{"lambda", number, ""}, {"time", number, "null: averaged over"}, {"factor", text, "a curve at one level of this factor; null: averaged over"}, {"level", text, ""},
		{"mean", number, "a probability where the outcome is binary (if repeated, of one whose random effects are 0)"}, {"se", number, ""}, {"ci_lower", number, ""}, {"ci_upper", number, ""}, {"n", count, ""}, {"participants", count, ""}, {"note", text, ""},
	}
	associationColumns = []column{
		{"study_type", text, "the study; cross_study where studies are compared"}, {"outcome", text, "column"}, {"treatment", text, "what the groups are"}, {"chi_sq", number, "Pearson's chi-squared"}, {"df", count, ""}, {"p_value", number, ""}, {"min_expected", number, "smallest expected count"}, {"cramers_v", number, "Cramer's V"}, {"corrected", truth, "Yates' continuity correction"},
		{"group", text, ""}, {"level", text, "of the outcome"}, {"n", count, ""}, {"percentage", number, "of the group"}, {"note", text, ""},
	}
)

// columns describes a result's columns to the port's readers.
func columns(all []column) (out []sdk.ColumnSpec) {
	for _, c := range all {
		out = append(out, sdk.ColumnSpec{Name: c.name, Type: c.typ.String(), Doc: c.doc})
	}
	return out
}

func fields(all []column) (out []sdk.Field) {
	for _, c := range all {
		out = append(out, sdk.Field{Name: c.name, Type: c.typ, Nullable: true})
	}
	return out
}

// levelColumn holds a factor's level in the rows of slopes.
func levelColumn(f trial.Factor) string { return f.Column + "_level" }

func (t *analyse) declare(o sdk.Opening) {
	contrasts := fields(contrastColumns)
	at := slices.IndexFunc(contrasts, func(f sdk.Field) bool { return f.Name == "note" })
	for _, f := range t.plan.Factors {
		contrasts = slices.Insert(contrasts, at, sdk.Field{Name: levelColumn(f), Type: sdk.Utf8, Nullable: true})
		at++
	}
	o.Output("contrasts", sdk.Schema{Fields: contrasts})
	for port, all := range map[string][]column{"models": modelColumns, "coefficients": coefficientColumns, "components": componentColumns, "means": meanColumns, "associations": associationColumns} {
		o.Output(port, sdk.Schema{Fields: fields(all)})
	}
}

// put writes one row, a value for each name in turn. Absent are "", NaN and
// infinities.
func put(rows *sdk.Rows, namesAndValues ...any) {
	for i := 0; i+1 < len(namesAndValues); i += 2 {
		b := rows.Col(namesAndValues[i].(string))
		switch v := namesAndValues[i+1].(type) {
		case string:
			nullable.Text(b, v)
		case float64:
			nullable.Float(b, v)
		case int:
			b.Int(int64(v))
		case bool:
			b.Bool(v)
		default:
			b.Null()
		}
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
		put(out.Port("models"), "study_type", f.Study, "outcome", f.Outcome, "role", f.Role, "chosen", f.Chosen, "formula", f.Formula, "method", f.Method,
			"n", f.N, "participants", f.Participants, "dropped", f.Dropped, "parameters", f.Parameters,
			"log_lik", f.LogLik, "aic", f.AIC, "aicc", f.AICc, "bic", f.BIC, "sigma", f.Sigma, "note", f.Note)
		for _, c := range f.Coefficients {
			put(out.Port("coefficients"), "study_type", f.Study, "outcome", f.Outcome, "role", f.Role, "term", c.Label, "estimate", c.Estimate, "se", c.SE, "df", c.DF,
				"statistic", c.Statistic, "lower_cl", c.Lower, "upper_cl", c.Upper, "p_value", c.P)
		}
		for _, c := range f.Components {
			put(out.Port("components"), "study_type", f.Study, "outcome", f.Outcome, "role", f.Role, "group", c.Group, "term", c.Column, "with", c.With, "covariance", c.Covariance, "sd_cor", c.SDCor)
		}
	}
	for _, m := range r.Means {
		put(out.Port("means"), "study_type", m.Study, "outcome", m.Outcome, "kind", m.Kind, "lambda", m.Lambda, "time", m.Time, "factor", m.Factor, "level", m.Level,
			"mean", m.Estimate, "se", m.SE, "ci_lower", m.Lower, "ci_upper", m.Upper, "n", m.N, "participants", m.Participants, "note", m.Note)
	}
	for _, a := range r.Associations {
		t.association(out, a)
	}
}

func (t *analyse) contrast(rows *sdk.Rows, r trial.Row) {
	put(rows, "measure_family", r.Measure, "study_type", r.Study, "outcome", r.Outcome, "local_family", r.Family, "test", r.Test, "test_type", r.Kind, "spec", r.Spec,
		"estimate", r.Estimate.Estimate, "se", r.SE, "df", r.DF, "statistic", r.Statistic, "lower_cl", r.Lower, "upper_cl", r.Upper, "p_raw", r.P, "p_local", r.Local, "p_global", r.Global,
		"n", r.N, "participants", r.Participants, "form", r.Form, "model", r.Model, "method", r.Method, "coefficient", r.Label, "slope_type", r.Slope, "note", r.Note)
	level := func(k int) string {
		if k < len(r.Levels) {
			return r.Levels[k]
		}
		return ""
	}
	put(rows, "lambda_level", level(0))
	for i, f := range t.plan.Factors {
		put(rows, levelColumn(f), level(i+1))
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
		put(out.Port("associations"), "study_type", a.Study, "outcome", a.Outcome, "treatment", a.Treatment, "chi_sq", a.ChiSquared, "df", a.DF, "p_value", a.P,
			"min_expected", a.MinExpected, "cramers_v", a.CramersV, "corrected", a.Corrected, "group", c.Group, "level", c.Level, "n", c.N, "percentage", c.Percentage, "note", a.Note)
	}
}
