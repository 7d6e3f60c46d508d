package main

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/go/sdktest"
)

const columns = "id: utf8, arm: utf8, sex: utf8, time: float64, x: float64, y: float64, event: bool, count: int64, exposure: float64, w: float64"

// reference are testdata/model.R's data and results.
type reference struct {
	table sdktest.Table
	want  map[string]any
}

func load(t *testing.T) reference {
	t.Helper()
	data, err := os.ReadFile("testdata/model.json")
	if err != nil {
		t.Fatal(err)
	}
	r := reference{want: map[string]any{}}
	if err := json.Unmarshal(data, &r.want); err != nil {
		t.Fatal(err)
	}
	r.table = sdktest.Of(columns)
	for _, row := range r.want["data"].([]any) {
		row := row.(map[string]any)
		row["event"] = row["event"].(float64) == 1
		row["count"] = int64(row["count"].(float64))
		r.table.Rows = append(r.table.Rows, row)
	}
	return r
}

// at walks into the reference: names of members.
func (r reference) at(path ...string) any {
	var v any = r.want
	for _, name := range path {
		v = v.(map[string]any)[name]
	}
	return v
}

func must(t *testing.T, op sdk.Operator, params string, inputs sdktest.Tables) sdktest.Tables {
	t.Helper()
	out, err := sdktest.Run(t, op, params, 7, inputs)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (r reference) run(t *testing.T, op sdk.Operator, params string) sdktest.Tables {
	t.Helper()
	return must(t, op, params, sdktest.Tables{"data": r.table})
}

// off is how far a number is off, relative to their size or 1e-3.
func off(got, want any) float64 {
	g, ok := got.(float64)
	w, isNumber := want.(float64)
	if !ok || !isNumber {
		if got == want || want == "" && got == nil || want == nil && got == nil {
			return 0
		}
		return math.Inf(1)
	}
	return math.Abs(g-w) / math.Max(math.Abs(w), 1e-3)
}

// tolerances of columns; others are texts, which are equal.
type tolerances map[string]float64

// same holds rows against a reference's, in order.
func same(t *testing.T, what string, got []sdktest.Row, want any, within tolerances) {
	t.Helper()
	all := want.([]any)
	if len(got) != len(all) {
		t.Errorf("%s: %d rows, not %d", what, len(got), len(all))
		return
	}
	worst := map[string]float64{}
	for i, w := range all {
		for name, v := range w.(map[string]any) {
			if name == "p" {
				name = "p_adjusted"
			}
			d := off(got[i][name], v)
			worst[name] = math.Max(worst[name], d)
			if d > within[name] {
				t.Errorf("%s, row %d: %s is %v, not %v (off by %.2g)", what, i+1, name, got[i][name], v, d)
			}
		}
	}
	t.Logf("%s: off by at most %v", what, worst)
}

func near(t *testing.T, what string, got, want any, within float64) {
	t.Helper()
	if d := off(got, want); !(d <= within) {
		t.Errorf("%s is %v, not %v (off by %.2g)", what, got, want, d)
	}
}

func column(rows []sdktest.Row, name string, n int) []any {
	var out []any
	for _, r := range rows {
		if r[name] != nil && len(out) < n {
			out = append(out, r[name])
		}
	}
	return out
}

func each(t *testing.T, what string, got []any, want any, within float64) {
	t.Helper()
	w := want.([]any)
	if len(got) != len(w) {
		t.Fatalf("%s: %d values, not %d", what, len(got), len(w))
	}
	for i := range w {
		near(t, what, got[i], w[i], within)
	}
}

var exact = tolerances{"estimate": 1e-9, "se": 1e-9, "p_value": 1e-9, "statistic": 1e-9}

func TestLeastSquares(t *testing.T) {
	r := load(t)
	out := r.run(t, fitOperator(), `{"formula": "y ~ arm * x + sex", "weights": "w", "keep": ["id"]}`)
	same(t, "coefficients", out["coefficients"].Rows, r.at("ls", "coefficients"), exact)
	fit := out["fit"].Rows[0]
	for name, want := range map[string]string{"sigma": "sigma", "r2": "r2", "r2_adjusted": "adj", "aic": "aic", "bic": "bic", "log_lik": "loglik"} {
		near(t, name, fit[name], r.at("ls", want), 1e-10)
	}
	if fit["n"] != int64(139) || fit["dropped"] != int64(5) || fit["singular"] != nil {
		t.Errorf("fit %v", fit)
	}
	each(t, "leverage", column(out["fitted"].Rows, "leverage", 5), r.at("ls", "hat"), 1e-9)
	each(t, "fitted", column(out["fitted"].Rows, "fitted", 5), r.at("ls", "fitted"), 1e-9)
	if rows := out["fitted"].Rows; len(rows) != 144 || rows[2]["note"] != "a missing value" || rows[2]["fitted"] != nil || rows[143]["id"] != "p36" {
		t.Errorf("fitted values: %d rows, %v", len(rows), rows[2])
	}
	for kind, name := range map[string]string{`"robust": "HC3"`: "hc3", `"cluster": "id"`: "cr1s"} {
		out := r.run(t, fitOperator(), `{"formula": "y ~ arm * x + sex", "weights": "w", `+kind+`}`)
		each(t, name, column(out["coefficients"].Rows, "se", 99), r.at("ls", name), 1e-9)
	}
	out = r.run(t, fitOperator(), `{"formula": "y ~ arm * x + sex", "weights": "w", "coding": {"arm": "sum", "sex": "sum"}}`)
	same(t, "type III", out["anova"].Rows, r.at("type3"), exact)
	for _, row := range out["anova"].Rows {
		if row["term"] == "x" && row["note"] != nil || row["term"] == "arm" && row["note"] == nil {
			t.Errorf("notes of type III: %v", row) // the slope is an average; the arms are compared at x = 0
		}
	}
}

func TestGeneralised(t *testing.T) {
	r := load(t)
	out := r.run(t, fitOperator(), `{"formula": "event ~ arm + x", "family": "binomial", "limits": "profile", "tests": "lr"}`)
	coefficients := out["coefficients"].Rows
	same(t, "logistic", coefficients, r.at("logit", "coefficients"), tolerances{"estimate": 1e-7, "se": 1e-7})
	same(t, "likelihood ratios", out["anova"].Rows, r.at("lr"), tolerances{"statistic": 1e-7, "p_value": 1e-7})
	for i, limits := range r.at("logit", "limits").([]any) {
		// R interpolates its profile.
		near(t, "lower", coefficients[i]["ci_lower"], limits.([]any)[0], 2e-3)
		near(t, "upper", coefficients[i]["ci_upper"], limits.([]any)[1], 2e-3)
		near(t, "ratio", coefficients[i]["ratio"], math.Exp(coefficients[i]["estimate"].(float64)), 1e-12)
	}
	near(t, "deviance", out["fit"].Rows[0]["deviance"], r.at("logit", "deviance"), 1e-9)
	near(t, "null deviance", out["fit"].Rows[0]["null_deviance"], r.at("logit", "null"), 1e-9)
	out = r.run(t, fitOperator(), `{"formula": "event ~ arm + x", "family": "binomial", "robust": "HC0"}`)
	each(t, "HC0", column(out["coefficients"].Rows, "se", 9), r.at("logit", "hc0"), 1e-6) // R stops a step earlier
	out = r.run(t, fitOperator(), `{"formula": "count ~ arm + x + offset(log(exposure))", "family": "poisson", "reference": {"arm": "b"}}`)
	same(t, "Poisson", out["coefficients"].Rows, r.at("rate", "coefficients"), tolerances{"estimate": 1e-7, "se": 1e-6})
	near(t, "AIC", out["fit"].Rows[0]["aic"], r.at("rate", "aic"), 1e-9)
	// The same by an order of levels in place of a reference.
	ordered := r.run(t, fitOperator(), `{"formula": "count ~ arm + x + offset(log(exposure))", "family": "poisson", "levels": {"arm": ["b", "a", "c"]}}`)
	sdktest.Equal(t, ordered["coefficients"], out["coefficients"].Rows...)
}

func TestMixed(t *testing.T) {
	r := load(t)
	within := tolerances{"estimate": 1e-5, "se": 1e-5, "df": 1e-3, "p_value": 1e-3, "statistic": 1e-4, "ndf": 0, "ddf": 1e-3, "covariance": 1e-4, "sd_cor": 1e-4, "sd": 1e-4}
	out := r.run(t, fitOperator(), `{"formula": "y ~ arm * time + x + (1 + time | id)"}`)
	same(t, "Satterthwaite", out["coefficients"].Rows, r.at("mixed", "satterthwaite"), within)
	// lmerTest's type III tests do not depend on the coding; ours are its under sum coding.
	sum := r.run(t, fitOperator(), `{"formula": "y ~ arm * time + x + (1 + time | id)", "coding": {"arm": "sum"}}`)
	same(t, "type III", sum["anova"].Rows, r.at("mixed", "anova"), within)
	same(t, "components", out["components"].Rows, r.at("mixed", "components"), within)
	near(t, "criterion", out["fit"].Rows[0]["criterion"], r.at("mixed", "criterion"), 1e-8)
	near(t, "AIC", out["fit"].Rows[0]["aic"], r.at("mixed", "aic"), 1e-8)
	near(t, "marginal R2", out["fit"].Rows[0]["r2_marginal"], r.at("mixed", "r2m"), 1e-5)
	near(t, "conditional R2", out["fit"].Rows[0]["r2_conditional"], r.at("mixed", "r2c"), 1e-5)
	each(t, "fitted", column(out["fitted"].Rows, "fitted", 5), r.at("mixed", "fitted"), 1e-4)
	if out["fit"].Rows[0]["singular"] != false || out["fit"].Rows[0]["groups"] != "id: 36" {
		t.Errorf("fit %v", out["fit"].Rows[0])
	}
	effects := map[any]sdktest.Row{}
	for _, e := range out["effects"].Rows {
		effects[e["level"].(string)+e["term"].(string)] = e
	}
	for _, w := range r.at("mixed", "effects").([]any) {
		w := w.(map[string]any)
		got := effects[w["level"].(string)+w["term"].(string)]
		near(t, "effect", got["estimate"], w["estimate"], 1e-3)
		near(t, "its sd", got["sd"], w["sd"], 1e-4)
	}
	out = r.run(t, fitOperator(), `{"formula": "y ~ arm * time + x + (1 + time | id)", "df": "kenward-roger"}`)
	same(t, "Kenward-Roger", out["coefficients"].Rows, r.at("mixed", "kr"), within)

	out = r.run(t, fitOperator(), `{"formula": "y ~ time + x + (1 | id)", "limits": "profile"}`)
	for port, name := range map[string]string{"components": "sd", "coefficients": "coef"} {
		for i, limits := range r.at("profile", name).([]any) {
			near(t, "lower", out[port].Rows[i]["ci_lower"], limits.([]any)[0], 1e-3) // R interpolates its profile
			near(t, "upper", out[port].Rows[i]["ci_upper"], limits.([]any)[1], 1e-3)
		}
	}

	out = r.run(t, fitOperator(), `{"formula": "event ~ x + (1 | id)", "family": "binomial"}`)
	same(t, "glmer", out["coefficients"].Rows, r.at("glmer", "coefficients"), tolerances{"estimate": 1e-5, "se": 1e-5})
	near(t, "log-likelihood", out["fit"].Rows[0]["log_lik"], r.at("glmer", "loglik"), 1e-6)
	near(t, "sd", out["components"].Rows[0]["sd_cor"], r.at("glmer", "sd"), 1e-5)
}

func TestMarginalMeans(t *testing.T) {
	r := load(t)
	within := tolerances{"estimate": 1e-5, "se": 1e-5, "df": 1e-3, "ci_lower": 1e-4, "ci_upper": 1e-4, "p_adjusted": 1e-3, "time": 0}
	mixed := `{"formula": "y ~ arm * time + x + (1 + time | id)", "df": "kenward-roger", "of": ["arm"], "by": ["time"], "at": {"time": [0, 3]}, `
	numbers := func(v any) any { // R's frame gives the grid's times as texts
		for _, row := range v.([]any) {
			if row := row.(map[string]any); row["time"] == "0" {
				row["time"] = 0.0
			} else if row["time"] == "3" {
				row["time"] = 3.0
			}
		}
		return v
	}
	out := r.run(t, meansOperator(), mixed+`"contrasts": [{"method": "pairwise"}]}`)
	same(t, "means", out["means"].Rows, numbers(r.at("means", "kr")), within)
	same(t, "Tukey", out["contrasts"].Rows, numbers(r.at("means", "tukey")), within)
	out = r.run(t, meansOperator(), mixed+`"contrasts": [{"method": "consec"}]}`)
	same(t, "Holm", out["contrasts"].Rows, numbers(r.at("means", "holm")), within)
	if out["contrasts"].Rows[0]["adjust"] != "holm" || len(out["tests"].Rows) != 2 || out["tests"].Rows[0]["ndf"] != 2.0 {
		t.Errorf("tests %v", out["tests"].Rows)
	}
	out = r.run(t, meansOperator(), `{"formula": "y ~ arm * time + x + (1 + time | id)", "of": ["arm"], "slopes": "time"}`)
	same(t, "slopes", out["means"].Rows, r.at("means", "slopes"), within)

	ls := tolerances{"estimate": 1e-9, "se": 1e-9, "df": 0, "ci_lower": 1e-9, "ci_upper": 1e-9, "p_adjusted": 1e-9}
	out = r.run(t, meansOperator(), `{"formula": "y ~ arm * x + sex", "of": ["arm"], "averaging": "proportional", "contrasts": [
		{"name": "bc - a", "plus": ["b", "c"], "minus": ["a"]}, {"name": "c - b", "weights": [0, -1, 1]}]}`)
	same(t, "proportional", out["means"].Rows, r.at("means", "proportional"), ls)
	same(t, "named", out["contrasts"].Rows, r.at("means", "named"), ls)
	if out["contrasts"].Rows[1]["family"] != "named" || len(out["tests"].Rows) != 1 {
		t.Errorf("named contrasts are one family: %v", out["tests"].Rows)
	}

	logit := `{"formula": "event ~ arm + x", "family": "binomial", "of": ["arm"], `
	glm := tolerances{"estimate": 1e-6, "se": 1e-6, "ci_lower": 1e-6, "ci_upper": 1e-6, "p_adjusted": 1e-6}
	out = r.run(t, meansOperator(), logit+`"scale": "response", "contrasts": [{"method": "trt.vs.ctrl", "control": "a"}]}`)
	same(t, "response", out["means"].Rows, r.at("means", "response"), glm)
	ratio := r.at("means", "ratio").([]any)
	for i, row := range out["contrasts"].Rows { // emmeans writes b / a
		row["contrast"] = ratio[i].(map[string]any)["contrast"]
		if row["scale"] != "odds ratio" || row["adjust"] != "holm" {
			t.Errorf("ratio %v", row)
		}
	}
	same(t, "odds ratios", out["contrasts"].Rows, ratio, glm)
	out = r.run(t, meansOperator(), logit+`"scale": "difference", "adjust": "none", "contrasts": [{"method": "revpairwise"}]}`)
	same(t, "risk differences", out["contrasts"].Rows, r.at("means", "difference"), glm)
}

func TestComparison(t *testing.T) {
	r := load(t)
	out := r.run(t, compareOperator(), `{"formulas": ["y ~ arm + time + x + (1 + time | id)", "y ~ arm * time + x + (1 + time | id)"], "names": ["additive", "full"]}`)
	rows := out["models"].Rows
	each(t, "AIC", column(rows, "aic", 2), r.at("compare", "aic"), 1e-7)
	each(t, "BIC", column(rows, "bic", 2), r.at("compare", "bic"), 1e-7)
	near(t, "chi-squared", rows[1]["statistic"], r.at("compare", "chisq"), 1e-5)
	near(t, "p", rows[1]["p_value"], r.at("compare", "p"), 1e-5)
	near(t, "df", rows[1]["df"], r.at("compare", "df"), 0)
	if rows[0]["chosen"] != true || rows[1]["chosen"] != false || rows[1]["against"] != "additive" || rows[0]["p_value"] != nil {
		t.Errorf("models %v", rows)
	}
}

func TestPrediction(t *testing.T) {
	r := load(t)
	rows := sdktest.Of("arm: utf8, x: float64, sex: utf8, id: utf8", sdktest.Row{"arm": "b", "x": 0.5, "sex": "m", "id": "p02"}, sdktest.Row{"arm": "c", "x": -1, "sex": "f", "id": "new"},
		sdktest.Row{"arm": "d", "x": 0, "sex": "f"}, sdktest.Row{"arm": "a", "sex": "f"})
	in := sdktest.Tables{"data": r.table, "new": rows}
	out := must(t, predictOperator(), `{"formula": "y ~ arm * x + sex", "weights": "w"}`, in)
	got := out["rows"].Rows
	for name, from := range map[string]string{"predicted": "fit", "predicted_se": "se", "predicted_lower": "lower", "predicted_upper": "upper"} {
		each(t, name, column(got, name, 9), r.at("predict", "ls", from), 1e-9)
	}
	if got[2]["predicted"] != nil || got[2]["predicted_note"] != `arm "d" is not in the data of the fit` || got[3]["predicted_note"] != "no x" {
		t.Errorf("notes %v, %v", got[2], got[3])
	}
	out = must(t, predictOperator(), `{"formula": "event ~ arm + x", "family": "binomial", "name": "risk"}`, in)
	each(t, "risk", column(out["rows"].Rows, "risk", 9), r.at("predict", "logit", "fit"), 1e-7)
	each(t, "its se", column(out["rows"].Rows, "risk_se", 9), r.at("predict", "logit", "se"), 1e-6)
}

// The prediction of the data's own rows with their random effects is what the
// fit says of them.
func TestConditionalPrediction(t *testing.T) {
	r := load(t)
	for _, model := range []string{`"formula": "y ~ arm * time + (1 + time | id)"`, `"formula": "event ~ x + (1 | id)", "family": "binomial"`} {
		fit := r.run(t, fitOperator(), `{`+model+`}`)["fitted"].Rows
		got := must(t, predictOperator(), `{`+model+`, "conditional": true}`, sdktest.Tables{"data": r.table, "new": r.table})["rows"].Rows
		n := 0
		for i := range fit {
			if fit[i]["fitted"] != nil {
				near(t, "conditional mean", got[i]["predicted"], fit[i]["fitted"], 1e-9)
				n++
			}
		}
		if n < 140 {
			t.Errorf("%d rows compared", n)
		}
		population := must(t, predictOperator(), `{`+model+`}`, sdktest.Tables{"data": r.table, "new": r.table})["rows"].Rows
		near(t, "population", population[0]["predicted"], fit[0]["population"], 1e-9)
	}
}
