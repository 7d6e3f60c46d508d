package main

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/seed-4012077a/flow/plugins/internal/resulttest"
	"github.com/seed-4012077a/flow/sdk/go/sdktest"
)

// glmTable is a model's coefficients in the formula's order.
type glmTable struct{ Estimate, SE, P []float64 }

func (g glmTable) check(t *testing.T, what string, k int, got sdktest.Row, tolerance float64) {
	t.Helper()
	resulttest.Near(t, what, got["estimate"], g.Estimate[k], tolerance)
	resulttest.Near(t, what+" se", got["se"], g.SE[k], tolerance)
	resulttest.Near(t, what+" p", got["p_value"], g.P[k], 1e-5)
	if got["odds_ratio"] != nil {
		resulttest.Near(t, what+" odds ratio", got["odds_ratio"], math.Exp(g.Estimate[k]), 1e-6)
	}
}

func TestBenchmarksAgainstR(t *testing.T) {
	var ref struct {
		Benchmarks struct {
			Data  []map[string]any
			Tasks map[string]struct {
				Rates []struct {
					Lambda           float64
					Wilson, Newcombe [2]float64
					Difference       float64
					Statistic, P     float64
				}
				Trend          [2]float64
				Logistic       glmTable
				Quasi          glmTable
				LambdaAdjusted glmTable `json:"lambda_adjusted"`
				High           glmTable
				HighAdjusted   glmTable `json:"high_adjusted"`
			}
		}
	}
	resulttest.JSON(t, "testdata/validate.json", &ref)
	r := ref.Benchmarks
	in := sdktest.Tables{"results": resulttest.Table(r.Data, "task", "lambda", "n", "correct", "rate")}
	for _, source := range []string{`"correct": "correct"`, `"rates": [{"column": "rate"}]`} {
		out := resulttest.Run(t, benchmarksOperator(), `{"benchmark": ["task"], "covariate": "flattery", `+source+`}`, 0, in)
		quasi := resulttest.Run(t, benchmarksOperator(), `{"benchmark": ["task"], "overdispersion": true, `+source+`}`, 0, in)
		if len(quasi["effects"].Rows) != 0 {
			t.Errorf("effects without a covariate: %v", quasi["effects"].Rows)
		}
		for task, w := range r.Tasks {
			for _, x := range w.Rates {
				got, what := resulttest.Only(t, out["rates"], sdktest.Row{"task": task, "lambda": x.Lambda}), fmt.Sprint(task, " at ", x.Lambda)
				resulttest.Near(t, what+" Wilson", got["ci_lower"], x.Wilson[0], 1e-9)
				resulttest.Near(t, what+" Wilson", got["ci_upper"], x.Wilson[1], 1e-9)
				resulttest.Near(t, what+" difference", got["difference"], x.Difference, 1e-9)
				resulttest.Near(t, what+" Newcombe", got["difference_lower"], x.Newcombe[0], 1e-9)
				resulttest.Near(t, what+" Newcombe", got["difference_upper"], x.Newcombe[1], 1e-9)
				resulttest.Near(t, what+" statistic", got["statistic"], x.Statistic, 1e-9)
				resulttest.Near(t, what+" p", got["p_value"], x.P, 1e-9)
			}
			ca := resulttest.Only(t, out["trends"], sdktest.Row{"task": task, "method": "Cochran-Armitage"})
			z := ca["statistic"].(float64)
			resulttest.Near(t, task+" trend", z*z, w.Trend[0], 1e-9)
			resulttest.Near(t, task+" trend p", ca["p_value"], w.Trend[1], 1e-9)
			w.Logistic.check(t, task+" logistic", 1, resulttest.Only(t, out["trends"], sdktest.Row{"task": task, "method": "logistic"}), 1e-7)
			w.Quasi.check(t, task+" quasi", 1, resulttest.Only(t, quasi["trends"], sdktest.Row{"task": task, "method": "logistic"}), 1e-7)
			if task == "flattery" {
				continue
			}
			effect := func(effect, adjusted, term string) sdktest.Row {
				row := sdktest.Row{"task": task, "effect": effect, "adjusted_for": adjusted, "term": term}
				if adjusted == "" {
					row["adjusted_for"] = nil
				}
				return resulttest.Only(t, out["effects"], row)
			}
			w.Logistic.check(t, task+" lambda", 1, effect("lambda", "", "lambda"), 1e-7)
			w.LambdaAdjusted.check(t, task+" lambda adjusted", 1, effect("lambda", "flattery", "lambda"), 1e-6)
			w.LambdaAdjusted.check(t, task+" covariate", 2, effect("lambda", "flattery", "flattery"), 1e-6)
			w.High.check(t, task+" high", 1, effect("high", "", "high"), 1e-7)
			w.HighAdjusted.check(t, task+" high adjusted", 1, effect("high", "flattery", "high"), 1e-6)
		}
	}
}

func TestBenchmarksAgainstSharedReference(t *testing.T) {
	in := sdktest.Tables{"results": resulttest.CSV(t, resulttest.Shared(t, "stats", "sim", "benchmarks.csv"))}
	var ref struct {
		Sycophancy struct {
			Coef   [2][4]float64
			Wilson [][2]float64
			CA     struct {
				Statistic float64
				P         float64 `json:"p.value"`
			} `json:"cochran_armitage"`
		}
	}
	resulttest.JSON(t, resulttest.Shared(t, "stats", "ref", "model_eval.json"), &ref)
	out := resulttest.Run(t, benchmarksOperator(), `{"covariate": "sycophancy"}`, 0, in)
	w := ref.Sycophancy
	for i, l := range []float64{-1.5, -1, -0.5, 0, 0.5, 1, 1.5} {
		got := resulttest.Only(t, out["rates"], sdktest.Row{"benchmark": "sycophancy", "lambda": l})
		resulttest.Near(t, "Wilson", got["ci_lower"], w.Wilson[i][0], 1e-9)
		resulttest.Near(t, "Wilson", got["ci_upper"], w.Wilson[i][1], 1e-9)
	}
	ca := resulttest.Only(t, out["trends"], sdktest.Row{"benchmark": "sycophancy", "method": "Cochran-Armitage"})
	z := ca["statistic"].(float64)
	resulttest.Near(t, "trend", z*z, w.CA.Statistic, 1e-9)
	resulttest.Near(t, "trend p", ca["p_value"], w.CA.P, 1e-6)
	got := resulttest.Only(t, out["trends"], sdktest.Row{"benchmark": "sycophancy", "method": "logistic"})
	resulttest.Near(t, "logistic", got["estimate"], w.Coef[1][0], 1e-7)
	// R's glm takes its standard errors one step before the last.
	resulttest.Near(t, "logistic se", got["se"], w.Coef[1][1], 1e-5)
	if n := len(out["effects"].Rows); n != 11*6 {
		t.Errorf("%d effects, want 6 of each of 11 benchmarks", n)
	}
}

// The released table of the study has other columns of rates for other
// benchmarks, some in percent.
func TestReleasedBenchmarks(t *testing.T) {
	in := sdktest.Tables{"results": resulttest.CSV(t, resulttest.Shared(t, "kirk2025", "benchmarks", "aggregated_inspect_logs.csv"))}
	out := resulttest.Run(t, benchmarksOperator(), `{"benchmark": ["benchmark", "subset"], "lambda": "multiplier", "n": "n_samples", "covariate": "sycophancy",
		"rates": [{"column": "accuracy"}, {"column": "refusal_rate", "scale": 100}, {"column": "final_acc"}, {"column": "mean"}]}`, 0, in)
	if len(out["rates"].Rows) != 90 || len(out["trends"].Rows) != 26 {
		t.Errorf("%d rates, %d trends", len(out["rates"].Rows), len(out["trends"].Rows))
	}
	unsafe := resulttest.Only(t, out["rates"], sdktest.Row{"benchmark": "xstest", "subset": "unsafe", "lambda": -1.5})
	if unsafe["correct"] != int64(131) || unsafe["note"] != nil {
		t.Errorf("65.5 %% of 200: %v", unsafe)
	}
	if r := resulttest.Only(t, out["rates"], sdktest.Row{"benchmark": "ifeval", "lambda": 0.0}); !strings.Contains(fmt.Sprint(r["note"]), "rounded") {
		t.Errorf("a mean of four rates is no count: %v", r)
	}
}

func TestPoorBenchmarks(t *testing.T) {
	of := func(rows ...sdktest.Row) sdktest.Tables {
		return sdktest.Tables{"results": sdktest.Of("benchmark: utf8, lambda: float64, n: int64, correct: int64, rate: float64", rows...)}
	}
	row := func(b string, l float64, n, c any) sdktest.Row {
		return sdktest.Row{"benchmark": b, "lambda": l, "n": n, "correct": c}
	}
	out := resulttest.Run(t, benchmarksOperator(), `{"covariate": "s"}`, 0, of(row("s", 0, 10, 5), row("s", 1, 10, 5), row("all", 0, 10, 10), row("all", 1, 10, 10),
		row("none", 1, 10, 3), row("void", 0, 0, 0), row("gone", 0, nil, 1), row("split", 0, 10, 0), row("split", 1, 10, 10)))
	note := func(port string, want sdktest.Row, text string) {
		t.Helper()
		r := resulttest.Only(t, out[port], want)
		if r["p_value"] != nil || !strings.Contains(fmt.Sprint(r["note"]), text) {
			t.Errorf("%v, want a note with %q", r, text)
		}
	}
	note("trends", sdktest.Row{"benchmark": "all", "method": "Cochran-Armitage"}, "no variance")
	note("trends", sdktest.Row{"benchmark": "none", "method": "logistic"}, "answers at 1 lambdas")
	note("rates", sdktest.Row{"benchmark": "none"}, "no lambda 0")
	note("rates", sdktest.Row{"benchmark": "gone"}, "no row has lambda")
	note("trends", sdktest.Row{"benchmark": "split", "method": "logistic"}, "separa")
	note("effects", sdktest.Row{"benchmark": "split", "effect": "lambda", "adjusted_for": "s", "term": "lambda"}, "can't be told apart")
	good := of(row("a", 0, 10, 5), row("a", 1, 10, 6))
	resulttest.Fails(t, benchmarksOperator(), `{"covariate": "b"}`, good, `no benchmark "b"`)
	resulttest.Fails(t, benchmarksOperator(), `{"benchmark": ["bench"]}`, good, "no column")
	resulttest.Fails(t, benchmarksOperator(), `{"correct": "corect"}`, good, `"correct"`)
	resulttest.Fails(t, benchmarksOperator(), `{"rates": [{"column": "n"}]}`, good, "set its scale")
	resulttest.Fails(t, benchmarksOperator(), `{"covariate": "a", "covariate_column": "n"}`, good, "not both")
	resulttest.Fails(t, benchmarksOperator(), `{}`, of(row("a", 0, 10, 11)), "11 correct of 10")
	// Rows with a covariate of their own.
	item := func(l float64, n, c int, v float64) sdktest.Row {
		return sdktest.Row{"benchmark": "a", "lambda": l, "n": n, "correct": c, "rate": v}
	}
	own := resulttest.Run(t, benchmarksOperator(), `{"covariate_column": "rate"}`, 0, of(item(0, 10, 5, 0.1), item(0, 10, 7, 0.5), item(1, 10, 4, 0.2), item(1, 10, 8, 0.9)))
	if r := resulttest.Only(t, own["effects"], sdktest.Row{"effect": "high", "adjusted_for": "rate", "term": "high"}); r["estimate"] == nil || r["n"] != int64(40) {
		t.Errorf("a covariate by row: %v", r)
	}
}
