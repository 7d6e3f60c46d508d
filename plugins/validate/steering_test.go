package main

import (
	"fmt"
	"math"
	"testing"

	"github.com/seed-4012077a/flow/plugins/internal/resulttest"
	"github.com/seed-4012077a/flow/sdk/go/sdktest"
)

type coefficient struct {
	Term                string
	Estimate, SE, DF, P float64
}

// six are estimate, se, df, lower, upper, p.
type six [6]float64

func (s six) check(t *testing.T, what string, got sdktest.Row) {
	t.Helper()
	resulttest.Near(t, what, got["estimate"], s[0], 1e-5)
	resulttest.Near(t, what+" se", got["se"], s[1], 1e-5)
	resulttest.Near(t, what+" df", got["df"], s[2], 1e-3)
	resulttest.Near(t, what+" lower", got["ci_lower"], s[3], 1e-5)
	resulttest.Near(t, what+" upper", got["ci_upper"], s[4], 1e-5)
	resulttest.Near(t, what+" p", got["p_value"], s[5], 1e-3)
}

type steeringFit struct {
	Coef       []coefficient
	Crit       float64
	MeanLambda float64 `json:"mean_lambda"`
	Slopes     map[string]map[string]six
	Contrasts  map[string]six
	Pair       six
	Means      map[string][5]float64
}

func TestSteeringAgainstR(t *testing.T) {
	var ref struct {
		Steering struct {
			Data              []map[string]any
			Quadratic, Linear steeringFit
		}
	}
	resulttest.JSON(t, "testdata/validate.json", &ref)
	in := sdktest.Tables{"scores": resulttest.Table(ref.Steering.Data, "prompt", "lambda", "arm", "score")}
	for form, want := range map[string]steeringFit{"quadratic": ref.Steering.Quadratic, "linear": ref.Steering.Linear} {
		out := resulttest.Run(t, steeringOperator(), `{"arm": "arm", "reference": "steered", "form": "`+form+`"}`, 0, in)
		for _, c := range want.Coef {
			got := resulttest.Only(t, out["coefficients"], sdktest.Row{"term": c.Term})
			resulttest.Near(t, form+" "+c.Term, got["estimate"], c.Estimate, 1e-5)
			resulttest.Near(t, form+" "+c.Term+" se", got["se"], c.SE, 1e-5)
			resulttest.Near(t, form+" "+c.Term+" df", got["df"], c.DF, 1e-3)
			resulttest.Near(t, form+" "+c.Term+" p", got["p_value"], c.P, 1e-3)
		}
		if c := out["fits"].Rows[0]["criterion"].(float64); math.Abs(c-want.Crit) > 1e-6 {
			t.Errorf("%s: criterion %.9f, want %.9f", form, c, want.Crit)
		}
		if n := out["fits"].Rows[0]["dropped"]; n != int64(2) {
			t.Errorf("%s: %v rows dropped, want 2", form, n)
		}
		for arm, s := range want.Slopes["mean"] {
			got := resulttest.Only(t, out["slopes"], sdktest.Row{"arm": arm})
			resulttest.Near(t, "mean lambda", got["lambda"], want.MeanLambda, 1e-9)
			s.check(t, form+" slope of "+arm, got)
		}
		out = resulttest.Run(t, steeringOperator(), `{"arm": "arm", "reference": "steered", "form": "`+form+`", "at": [0.5, -1]}`, 0, in)
		for arm, s := range want.Slopes["half"] {
			s.check(t, form+" slope at 0.5 of "+arm, resulttest.Only(t, out["slopes"], sdktest.Row{"arm": arm, "lambda": 0.5}))
		}
		for arm, s := range want.Contrasts {
			s.check(t, form+" contrast of "+arm, resulttest.Only(t, out["contrasts"], sdktest.Row{"contrast": arm + " - steered", "lambda": 0.5}))
		}
		for arm, m := range want.Means {
			got := resulttest.Only(t, out["means"], sdktest.Row{"arm": arm, "lambda": 0.5})
			resulttest.Near(t, form+" mean of "+arm, got["mean"], m[0], 1e-5)
			resulttest.Near(t, form+" se of "+arm, got["se"], m[1], 1e-5)
			resulttest.Near(t, form+" lower of "+arm, got["ci_lower"], m[3], 1e-5)
			resulttest.Near(t, form+" upper of "+arm, got["ci_upper"], m[4], 1e-5)
		}
		if len(out["means"].Rows) != 15 {
			t.Errorf("%d means", len(out["means"].Rows))
		}
		out = resulttest.Run(t, steeringOperator(), `{"arm": "arm", "form": "`+form+`", "at": [0.5], "contrasts": "pairwise", "adjust": "tukey"}`, 0, in)
		got := resulttest.Only(t, out["contrasts"], sdktest.Row{"contrast": "mixed - prompted"})
		resulttest.Near(t, form+" pair", got["estimate"], want.Pair[0], 1e-5)
		resulttest.Near(t, form+" pair p", got["p_value"], want.Pair[5], 1e-3)
		if p := got["p_adjusted"].(float64); p <= want.Pair[5] {
			t.Errorf("Tukey's p %g is below the raw one, %g", p, want.Pair[5])
		}
	}
}

func TestSteeringAgainstSharedReference(t *testing.T) {
	in := sdktest.Tables{"scores": resulttest.CSV(t, resulttest.Shared(t, "stats", "sim", "validation.csv"))}
	type fit struct {
		Coef []coefficient
		Crit float64
	}
	var ref struct {
		Linear    fit              `json:"validation_linear"`
		Quadratic fit              `json:"validation_quadratic"`
		Coherence fit              `json:"validation_coherence"`
		Slopes    []map[string]any `json:"validation_slopes"`
		Contrasts []map[string]any `json:"validation_slope_contrasts"`
	}
	resulttest.JSON(t, resulttest.Shared(t, "stats", "ref", "model_eval.json"), &ref)
	with := `"lambda": "level", "prompt": "item", "reference": "steered_llama"`
	linear := resulttest.Run(t, steeringOperator(), `{"outcomes": ["rs", "coherence"], "form": "linear", `+with+`}`, 0, in)
	quadratic := resulttest.Run(t, steeringOperator(), `{"outcomes": ["rs"], `+with+`}`, 0, in)
	check := func(out sdktest.Tables, outcome string, want fit) {
		for _, c := range want.Coef {
			got := resulttest.Only(t, out["coefficients"], sdktest.Row{"outcome": outcome, "term": c.Term})
			resulttest.Near(t, c.Term, got["estimate"], c.Estimate, 1e-5)
			resulttest.Near(t, c.Term+" se", got["se"], c.SE, 1e-5)
			resulttest.Near(t, c.Term+" df", got["df"], c.DF, 1e-3)
			if c.P > 1e-300 {
				resulttest.Near(t, c.Term+" p", got["p_value"], c.P, 1e-3)
			}
		}
		if c := resulttest.Only(t, out["fits"], sdktest.Row{"outcome": outcome})["criterion"].(float64); math.Abs(c-want.Crit) > 1e-6 {
			t.Errorf("%s: criterion %.9f, want %.9f", outcome, c, want.Crit)
		}
	}
	check(linear, "rs", ref.Linear)
	check(linear, "coherence", ref.Coherence)
	check(quadratic, "rs", ref.Quadratic)
	for port, rows := range map[string][]map[string]any{"slopes": ref.Slopes, "contrasts": ref.Contrasts} {
		for _, w := range rows {
			label, value := sdktest.Row{"outcome": "rs", "arm": w["model"]}, w["level.trend"]
			if port == "contrasts" {
				label, value = sdktest.Row{"outcome": "rs", "contrast": w["contrast"]}, w["estimate"]
			}
			got := resulttest.Only(t, linear[port], label)
			what := fmt.Sprint(port, " ", label)
			resulttest.Near(t, what, got["estimate"], value.(float64), 1e-5)
			resulttest.Near(t, what+" se", got["se"], w["SE"].(float64), 1e-5)
			resulttest.Near(t, what+" df", got["df"], w["df"].(float64), 1e-3)
			resulttest.Near(t, what+" lower", got["ci_lower"], w["lower.CL"].(float64), 1e-5)
			resulttest.Near(t, what+" upper", got["ci_upper"], w["upper.CL"].(float64), 1e-5)
		}
	}
}

func TestPoorSteering(t *testing.T) {
	var rows []sdktest.Row
	for p := range 4 {
		for _, l := range []float64{-1, 1} {
			rows = append(rows, sdktest.Row{"prompt": p, "lambda": l, "model": "a", "score": l + float64(p%2), "same": 2.0}, sdktest.Row{"prompt": p, "lambda": l, "model": "b", "score": float64(p) - l*float64(p%3), "same": 2.0})
		}
	}
	in := sdktest.Tables{"scores": sdktest.Of("prompt: int64, lambda: float64, model: utf8, score: float64, same: float64, word: utf8", rows...)}
	// Two lambdas cannot carry a square: it is aliased, and said so.
	out := resulttest.Run(t, steeringOperator(), `{"outcomes": ["score", "same"]}`, 0, in)
	if f := resulttest.Only(t, out["fits"], sdktest.Row{"outcome": "score"}); f["note"] == nil {
		t.Errorf("an aliased square has no note: %v", f)
	}
	if f := resulttest.Only(t, out["fits"], sdktest.Row{"outcome": "same"}); f["criterion"] != nil || f["note"] == nil {
		t.Errorf("a constant outcome: %v", f)
	}
	resulttest.Fails(t, steeringOperator(), `{"reference": "c"}`, in, `no "c"`)
	resulttest.Fails(t, steeringOperator(), `{"arm": "modle"}`, in, `"model"`)
	resulttest.Fails(t, steeringOperator(), `{"outcomes": ["word"]}`, in, "a number is needed")
	resulttest.Fails(t, steeringOperator(), `{"outcomes": ["lambda"]}`, in, "two parts")
	resulttest.Fails(t, steeringOperator(), `{"adjust": "tukey"}`, in, "all pairs")
	resulttest.Fails(t, steeringOperator(), `{}`, sdktest.Tables{"scores": sdktest.Of("prompt: int64, lambda: float64, model: utf8, score: float64")}, "no rows")
}
