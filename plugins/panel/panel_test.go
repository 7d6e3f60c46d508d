package main

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/seed-4012077a/flow/plugins/internal/resulttest"
	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/go/sdktest"
)

type coefficient struct {
	Term                           string
	Estimate, SE, DF, Statistic, P float64
}

type fitted struct {
	Coef    []coefficient
	Crit    float64
	Varcomp []float64
	Profile [][2]float64
}

type reference struct {
	Data, Anchors    []map[string]any
	Mixed, Developer fitted
	OLS              []coefficient
	OLSDeveloper     []coefficient `json:"ols_developer"`
	Points           []struct {
		Model              string
		Mean, Lower, Upper float64
		N                  int
	}
	Line       []struct{ Years, Mean, SE, Lower, Upper float64 }
	Equivalent struct {
		N                   int
		Median, Mean, Point float64
		PointMean           float64 `json:"point_mean"`
		Line                float64
		Models              []*float64
		Anchors             []float64
	}
	Bootstrap map[string][2]float64
}

func load(t *testing.T) (reference, sdktest.Tables) {
	var r reference
	resulttest.JSON(t, "testdata/panel.json", &r)
	return r, sdktest.Tables{"scores": resulttest.Table(r.Data, "model", "developer", "year", "prompt", "score"), "anchors": resulttest.Table(r.Anchors, "prompt", "lambda", "score")}
}

func TestTrendAgainstR(t *testing.T) {
	r, in := load(t)
	delete(in, "anchors")
	out := resulttest.Run(t, trendOperator(), `{"time": "year", "developer": "developer", "fits": ["mixed", "developer", "ols", "ols_developer"], "line_points": 2}`, 0, in)
	effect := func(fit, term, interval string) sdktest.Row {
		return resulttest.Only(t, out["effects"], sdktest.Row{"fit": fit, "term": term, "interval": interval})
	}
	for fit, want := range map[string]fitted{"mixed": r.Mixed, "developer": r.Developer} {
		for j, c := range want.Coef {
			got, what := effect(fit, c.Term, "t"), fit+" "+c.Term
			resulttest.Near(t, what, got["estimate"], c.Estimate, 1e-5)
			resulttest.Near(t, what+" se", got["se"], c.SE, 1e-5)
			resulttest.Near(t, what+" df", got["df"], c.DF, 1e-3)
			resulttest.Near(t, what+" p", got["p_value"], c.P, 1e-3)
			w := effect(fit, c.Term, "wald")
			resulttest.Near(t, what+" Wald", w["ci_upper"], c.Estimate+1.959963984540054*c.SE, 1e-5)
			if c.Term != "years" {
				continue
			}
			p := effect(fit, c.Term, "profile")
			for i, limit := range []string{"ci_lower", "ci_upper"} {
				// lme4 interpolates its profile.
				resulttest.Near(t, what+" profile "+limit, p[limit], want.Profile[j][i], 2e-3)
			}
		}
		f := resulttest.Only(t, out["fits"], sdktest.Row{"fit": fit})
		if c := f["criterion"].(float64); math.Abs(c-want.Crit) > 1e-6 {
			t.Errorf("%s: criterion %.9f, want %.9f", fit, c, want.Crit)
		}
		for i, group := range []string{"model", "prompt", "Residual"} {
			resulttest.Near(t, fit+" variance of "+group, resulttest.Only(t, out["components"], sdktest.Row{"fit": fit, "group": group})["covariance"], want.Varcomp[i], 1e-4)
		}
	}
	for fit, want := range map[string][]coefficient{"ols": r.OLS, "ols_developer": r.OLSDeveloper} {
		for _, c := range want {
			resulttest.Near(t, fit+" "+c.Term, effect(fit, c.Term, "t")["estimate"], c.Estimate, 1e-9)
			resulttest.Near(t, fit+" "+c.Term+" se", effect(fit, c.Term, "t")["se"], c.SE, 1e-9)
		}
	}
	for _, p := range r.Points {
		got := resulttest.Only(t, out["points"], sdktest.Row{"model": p.Model})
		resulttest.Near(t, p.Model, got["mean"], p.Mean, 1e-12)
		resulttest.Near(t, p.Model+" lower", got["ci_lower"], p.Lower, 1e-9)
		resulttest.Near(t, p.Model+" upper", got["ci_upper"], p.Upper, 1e-9)
		if got["n"] != int64(p.N) || got["developer"] == nil {
			t.Errorf("%v, want %d scores", got, p.N)
		}
	}
	for i, w := range r.Line {
		got := out["line"].Rows[i]
		resulttest.Near(t, "line", got["mean"], w.Mean, 1e-5)
		resulttest.Near(t, "line se", got["se"], w.SE, 1e-5)
		resulttest.Near(t, "line lower", got["ci_lower"], w.Lower, 1e-4)
		resulttest.Near(t, "line upper", got["ci_upper"], w.Upper, 1e-4)
	}
}

func TestEquivalentAgainstR(t *testing.T) {
	r, in := load(t)
	out := resulttest.Run(t, equivalentOperator(), `{"time": "year", "from": 2023.85, "draws": 40000}`, 5, in)
	for resampled, want := range r.Bootstrap {
		got := resulttest.Only(t, out["equivalents"], sdktest.Row{"method": "interpolation", "resampled": resampled})
		resulttest.Near(t, "median", got["centre"], r.Equivalent.Median, 1e-12)
		resulttest.Near(t, "lambda", got["lambda"], r.Equivalent.Point, 1e-9)
		if got["n_models"] != int64(r.Equivalent.N) {
			t.Errorf("%v models, want %d", got["n_models"], r.Equivalent.N)
		}
		// Both are bootstraps of 40,000 draws.
		for i, limit := range []string{"ci_lower", "ci_upper"} {
			if v, ok := got[limit].(float64); !ok || math.Abs(v-want[i]) > 0.015 {
				t.Errorf("%s: %s %v, want %.4f", resampled, limit, got[limit], want[i])
			}
		}
	}
	line := resulttest.Only(t, out["equivalents"], sdktest.Row{"method": "line", "resampled": "models"})
	resulttest.Near(t, "line", line["lambda"], r.Equivalent.Line, 1e-9)
	for k, want := range r.Equivalent.Models {
		got := resulttest.Only(t, out["models"], sdktest.Row{"model": fmt.Sprintf("m%02d", k+1)})
		if want == nil {
			if got["lambda"] != nil || got["note"] != "scores beyond the anchors" {
				t.Errorf("model %d is beyond the anchors: %v", k+1, got)
			}
			continue
		}
		resulttest.Near(t, "model's lambda", got["lambda"], *want, 1e-9)
	}
	for k, want := range r.Equivalent.Anchors {
		resulttest.Near(t, "anchor", out["anchors"].Rows[k]["mean"], want, 1e-12)
	}
	mean := resulttest.Run(t, equivalentOperator(), `{"time": "year", "from": "2023-11-07", "statistic": "mean", "draws": 100}`, 5, in)["equivalents"].Rows[0]
	resulttest.Near(t, "lambda of the mean", mean["lambda"], r.Equivalent.PointMean, 1e-9)
	again := resulttest.Run(t, equivalentOperator(), `{"time": "year", "from": 2023.85, "draws": 40000}`, 5, in)
	if d := sdktest.Diff(again["equivalents"].Rows, out["equivalents"].Rows); d != "" {
		t.Errorf("the same seed gives other numbers: %s", d)
	}
}

func TestAgainstSharedReference(t *testing.T) {
	panel := resulttest.CSV(t, resulttest.Shared(t, "stats", "sim", "frontier.csv"))
	steered := resulttest.CSV(t, resulttest.Shared(t, "stats", "sim", "frontier_steered.csv"))
	var ref struct {
		Frontier struct {
			Coef      []coefficient
			Crit      float64
			Varcomp   []struct{ Vcov float64 }
			OLS       [][4]float64
			Developer [4]float64 `json:"developer_fe"`
			Wald      [2]float64 `json:"ci_wald"`
			Profile   [2]float64 `json:"profile_ci"`
		}
		Equivalent struct {
			N             int                `json:"n_models_2025"`
			Median        float64            `json:"median_2025"`
			Point         float64            `json:"point"`
			Models        [2]float64         `json:"ci_models_only"`
			ModelsPrompts [2]float64         `json:"ci_models_and_prompts"`
			Line          float64            `json:"linear_calibration"`
			Steered       map[string]float64 `json:"steered_means"`
		} `json:"lambda_equivalent"`
	}
	resulttest.JSON(t, resulttest.Shared(t, "stats", "ref", "model_eval.json"), &ref)
	out := resulttest.Run(t, trendOperator(), `{"score": "rs", "time": "year", "developer": "developer", "fits": ["mixed", "ols", "ols_developer"]}`, 0, sdktest.Tables{"scores": panel})
	effect := func(fit, term, interval string) sdktest.Row {
		return resulttest.Only(t, out["effects"], sdktest.Row{"fit": fit, "term": term, "interval": interval})
	}
	f := ref.Frontier
	for i, c := range f.Coef {
		got := effect("mixed", c.Term, "t")
		resulttest.Near(t, c.Term, got["estimate"], c.Estimate, 1e-5)
		resulttest.Near(t, c.Term+" se", got["se"], c.SE, 1e-5)
		resulttest.Near(t, c.Term+" df", got["df"], c.DF, 1e-3)
		resulttest.Near(t, c.Term+" p", got["p_value"], c.P, 1e-3)
		resulttest.Near(t, c.Term+" OLS", effect("ols", c.Term, "t")["estimate"], f.OLS[i][0], 1e-9)
		resulttest.Near(t, c.Term+" OLS se", effect("ols", c.Term, "t")["se"], f.OLS[i][1], 1e-9)
	}
	resulttest.Near(t, "developers", effect("ols_developer", "years", "t")["estimate"], f.Developer[0], 1e-9)
	resulttest.Near(t, "developers se", effect("ols_developer", "years", "t")["se"], f.Developer[1], 1e-9)
	fit := out["fits"].Rows[0]
	if c := fit["criterion"].(float64); math.Abs(c-f.Crit) > 1e-6 {
		t.Errorf("criterion %.9f, want %.9f", c, f.Crit)
	}
	for i, c := range out["components"].Rows {
		resulttest.Near(t, "variance", c["covariance"], f.Varcomp[i].Vcov, 1e-4)
	}
	for i, limit := range []string{"ci_lower", "ci_upper"} {
		// The reference has 1.96 for the quantile, and its profile is of lme4's
		// default optimiser.
		resulttest.Near(t, "Wald", effect("mixed", "years", "wald")[limit], f.Wald[i], 1e-4)
		resulttest.Near(t, "profile", effect("mixed", "years", "profile")[limit], f.Profile[i], 1e-3)
	}

	e := resulttest.Run(t, equivalentOperator(), `{"score": "rs", "time": "year", "from": 2}`, 1, sdktest.Tables{"scores": panel, "anchors": steered})
	w := ref.Equivalent
	only := resulttest.Only(t, e["equivalents"], sdktest.Row{"method": "interpolation", "resampled": "models"})
	resulttest.Near(t, "median", only["centre"], w.Median, 1e-12)
	resulttest.Near(t, "lambda", only["lambda"], w.Point, 1e-9)
	if only["n_models"] != int64(w.N) {
		t.Errorf("%v models, want %d", only["n_models"], w.N)
	}
	both := resulttest.Only(t, e["equivalents"], sdktest.Row{"method": "interpolation", "resampled": "models, prompts, anchors"})
	for i, limit := range []string{"ci_lower", "ci_upper"} {
		for _, c := range []struct{ got, want float64 }{{only[limit].(float64), w.Models[i]}, {both[limit].(float64), w.ModelsPrompts[i]}} {
			t.Logf("%s %.4f, reference %.4f", limit, c.got, c.want)
			if math.Abs(c.got-c.want) > 0.02 {
				t.Errorf("%s %.4f, want %.4f", limit, c.got, c.want)
			}
		}
	}
	resulttest.Near(t, "linear calibration", resulttest.Only(t, e["equivalents"], sdktest.Row{"method": "line", "resampled": "models"})["lambda"], w.Line, 1e-9)
	for lambda, mean := range w.Steered {
		resulttest.Near(t, "anchor", resulttest.Only(t, e["anchors"], sdktest.Row{"lambda": lambda})["mean"], mean, 1e-12)
	}
}

// Times are read from whatever a column holds.
func TestTimes(t *testing.T) {
	for typ, values := range map[string][2]any{"utf8": {"2024-01-01", "2025-07-02"}, "date32": {19723, 20271}, "timestamp[ms]": {19723 * 86400000, 20271 * 86400000}, "float64": {2024.0, 2025 + 182.0/365}} {
		var rows []sdktest.Row
		for i, when := range values {
			for q := range 3 {
				rows = append(rows, sdktest.Row{"model": fmt.Sprint("m", i), "prompt": q, "date": when, "score": float64(i + q%2)})
			}
		}
		out := resulttest.Run(t, trendOperator(), `{"profile": false, "origin": "2024"}`, 0, sdktest.Tables{"scores": sdktest.Of("model: utf8, prompt: int64, score: float64, date: "+typ, rows...)})
		for i, want := range []float64{2024, 2025 + 182.0/365} {
			got := out["points"].Rows[i]
			resulttest.Near(t, typ, got["year"], want, 1e-9)
			resulttest.Near(t, typ, got["years"], want-2024, 1e-9)
		}
	}
}

func TestPoorPanels(t *testing.T) {
	scores := func(rows ...sdktest.Row) sdktest.Table {
		return sdktest.Of("model: utf8, prompt: utf8, score: float64, date: utf8", rows...)
	}
	one := sdktest.Row{"model": "a", "prompt": "p", "score": 1.0, "date": "2024"}
	anchors := sdktest.Of("lambda: float64, prompt: utf8, score: float64", sdktest.Row{"lambda": 0.0, "prompt": "p", "score": 2.0}, sdktest.Row{"lambda": 1.0, "prompt": "p", "score": 4.0})
	out := resulttest.Run(t, trendOperator(), `{}`, 0, sdktest.Tables{"scores": scores(one)})
	if r := out["effects"].Rows[0]; r["estimate"] != nil || r["note"] == nil {
		t.Errorf("a trend of one score: %v", r)
	}
	out = resulttest.Run(t, equivalentOperator(), `{"draws": 100, "resampled": ["models"]}`, 0, sdktest.Tables{"scores": scores(one), "anchors": anchors})
	r := resulttest.Only(t, out["equivalents"], sdktest.Row{"method": "interpolation"})
	if r["lambda"] != nil || r["ci_lower"] != nil || !strings.Contains(fmt.Sprint(r["note"]), "the centre lies below lambda 0") || r["below"] != int64(100) {
		t.Errorf("a score below the anchors: %v", r)
	}
	if r := resulttest.Only(t, out["equivalents"], sdktest.Row{"method": "line"}); r["lambda"] != -0.5 || !strings.Contains(fmt.Sprint(r["note"]), "extrapolated") {
		t.Errorf("the line below the anchors: %v", r)
	}
	single := sdktest.Of("lambda: float64, prompt: utf8, score: float64", sdktest.Row{"lambda": 0.0, "prompt": "p", "score": 2.0})
	out = resulttest.Run(t, equivalentOperator(), `{}`, 0, sdktest.Tables{"scores": scores(one), "anchors": single})
	if r := out["equivalents"].Rows[0]; r["lambda"] != nil || !strings.Contains(fmt.Sprint(r["note"]), "two lambdas") {
		t.Errorf("one anchor: %v", r)
	}
	both := func(table sdktest.Table) sdktest.Tables { return sdktest.Tables{"scores": table, "anchors": anchors} }
	for _, c := range []struct {
		op     sdk.Operator
		params string
		in     sdktest.Tables
		want   string
	}{
		{trendOperator(), `{"time": "dat"}`, sdktest.Tables{"scores": scores(one)}, `"date"`},
		{trendOperator(), `{"score": "model"}`, sdktest.Tables{"scores": scores(one)}, "a number is needed"},
		{trendOperator(), `{"fits": ["developer"]}`, sdktest.Tables{"scores": scores(one)}, "name their column"},
		{trendOperator(), `{"origin": "soon"}`, sdktest.Tables{"scores": scores(one)}, `"soon" is no date`},
		{trendOperator(), `{}`, sdktest.Tables{"scores": scores(sdktest.Row{"model": "a", "prompt": "p", "score": 1.0, "date": "June"})}, `"June" is no date`},
		{trendOperator(), `{}`, sdktest.Tables{"scores": scores(one, sdktest.Row{"model": "a", "prompt": "q", "score": 1.0, "date": "2025"})}, "a model has one release"},
		{trendOperator(), `{}`, sdktest.Tables{"scores": scores()}, "no rows"},
		{trendOperator(), `{}`, sdktest.Tables{"scores": scores(sdktest.Row{"model": "a"})}, "no row has a score"},
		{equivalentOperator(), `{"from": 2030}`, both(scores(one)), "no model is of the window"},
		{equivalentOperator(), `{"from": 2030, "to": 2020}`, both(scores(one)), "no time is"},
		{equivalentOperator(), `{"lambda": "lamda"}`, both(scores(one)), `"lambda"`},
		{equivalentOperator(), `{"anchor_score": "prompt"}`, both(scores(one)), "a number is needed"},
	} {
		resulttest.Fails(t, c.op, c.params, c.in, c.want)
	}
}
