package main

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/seed-4012077a/flow/sdk/go/sdktest"
)

func run(t *testing.T, params string, rows ...sdktest.Row) (sdktest.Tables, error) {
	t.Helper()
	return sdktest.Run(t, responseOperator(), params, 1, sdktest.Tables{
		"scores": sdktest.Of("lambda: float64, score: float64, prompt_id: utf8, model: utf8", rows...)})
}

func grid(f func(lambda float64, prompt int) any) []sdktest.Row {
	var rows []sdktest.Row
	for p := range 12 {
		for _, l := range []float64{-1, 0, 1} {
			rows = append(rows, sdktest.Row{"lambda": l, "score": f(l, p), "prompt_id": fmt.Sprint("p", p), "model": "m"})
		}
	}
	return rows
}

func find(t *testing.T, table sdktest.Table, test string) sdktest.Row {
	t.Helper()
	for _, r := range table.Rows {
		if r["test"] == test {
			return r
		}
	}
	t.Fatalf("no %s in %v", test, table.Rows)
	return nil
}

func TestResponse(t *testing.T) {
	for _, interval := range []string{"percentile", "bca"} {
		for _, cluster := range []string{"", "prompt_id"} {
			params := fmt.Sprintf(`{"interval": %q, "cluster": %q, "group_by": ["model"]}`, interval, cluster)
			out, err := run(t, params, grid(func(l float64, p int) any { return 5 + 2*l + math.Sin(float64(7*p)+l*l*3) })...)
			if err != nil {
				t.Fatal(err)
			}
			if n := len(out["curve"].Rows); n != 3 {
				t.Fatalf("%d rows in the curve", n)
			}
			for _, r := range append(out["curve"].Rows, find(t, out["tests"], "slope"), find(t, out["tests"], "contrast")) {
				value := r["mean"]
				if value == nil {
					value = r["estimate"]
				}
				if lo, hi := r["ci_lower"].(float64), r["ci_upper"].(float64); !(lo < value.(float64) && value.(float64) < hi) {
					t.Errorf("%s: %v is not inside [%g, %g]", params, value, lo, hi)
				}
				if r["level"] != 0.95 {
					t.Errorf("%s: level %v", params, r["level"])
				}
			}
			slope := find(t, out["tests"], "slope")
			if got := slope["estimate"].(float64); math.Abs(got-2) > 1e-12 || slope["p_value"].(float64) > 1e-3 {
				t.Errorf("slope %v", slope)
			}
			contrast := find(t, out["tests"], "contrast")
			if got := contrast["estimate"].(float64); math.Abs(got-4) > 1e-12 || contrast["term"] != "1 - -1" {
				t.Errorf("contrast %v", contrast)
			}
			if trend := find(t, out["tests"], "trend"); trend["level"] != nil || trend["p_value"].(float64) > 0.01 || trend["estimate"].(float64) <= 0 {
				t.Errorf("trend %v", trend)
			}
		}
	}
}

func TestResponseIsSeeded(t *testing.T) {
	rows := grid(func(l float64, p int) any { return l + math.Cos(float64(p)) })
	a, err := run(t, `{}`, rows...)
	if err != nil {
		t.Fatal(err)
	}
	b, err := run(t, `{}`, rows...)
	if err != nil {
		t.Fatal(err)
	}
	if d := sdktest.Diff(a["curve"].Rows, b["curve"].Rows); d != "" {
		t.Error("the same seed gives other intervals:\n", d)
	}
}

func TestResponseOfPoorInput(t *testing.T) {
	one := []sdktest.Row{{"lambda": 1, "score": 3.0, "prompt_id": "a"}, {"lambda": 1, "score": 4.0, "prompt_id": "b"}}
	for _, c := range []struct {
		name, params string
		rows         []sdktest.Row
		err          string            // in the error, if there is one
		notes        map[string]string // by test: in the note
	}{
		{"no rows", `{}`, nil, "no rows", nil},
		{"all null", `{}`, grid(func(float64, int) any { return nil }), "nothing was scored", nil},
		{"NaN", `{}`, grid(func(float64, int) any { return math.NaN() }), "holds NaN", nil},
		{"no lambda", `{}`, []sdktest.Row{{"score": 1.0}}, "has no lambda", nil},
		{"no cluster", `{"cluster": "prompt_id"}`, []sdktest.Row{{"lambda": 1, "score": 1.0}}, "has no cluster", nil},
		{"unknown lambda", `{"contrasts": [{"high": [3], "low": [0]}]}`, grid(func(l float64, _ int) any { return l }), "lambda 3 is not in the table; it has -1, 0, 1", nil},
		{"unknown column", `{"score": "scor"}`, one, `no column "scor"`, nil},
		{"unknown parameter", `{"boot": 1}`, one, "boot", nil},
		{"one lambda", `{}`, one, "", map[string]string{"slope": "only one lambda", "trend": "only one lambda"}},
		{"constant", `{}`, grid(func(float64, int) any { return 7 }), "", map[string]string{"slope": "all values are the same", "trend": "all values are the same", "contrast": "no spread"}},
		{"one cluster", `{"cluster": "model"}`, grid(func(l float64, p int) any { return l * float64(p) }), "", map[string]string{"slope": "fewer than two clusters", "contrast": "fewer than two"}},
		{"single scores", `{}`, []sdktest.Row{{"lambda": -1, "score": 1}, {"lambda": 1, "score": 2}}, "", map[string]string{"contrast": "only one"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := run(t, c.params, c.rows...)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error %v, want %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for test, note := range c.notes {
				r := find(t, out["tests"], test)
				if text, _ := r["note"].(string); !strings.Contains(text, note) || r["p_value"] != nil {
					t.Errorf("%s: note %v, p %v; want %q", test, r["note"], r["p_value"], note)
				}
			}
			for _, table := range out {
				for _, r := range table.Rows {
					for name, v := range r {
						if f, ok := v.(float64); ok && math.IsNaN(f) {
							t.Errorf("%s is NaN", name)
						}
					}
				}
			}
		})
	}
}

func TestMissingScoresAreCounted(t *testing.T) {
	out, err := run(t, `{}`, grid(func(l float64, p int) any {
		if l == 0 && p < 5 {
			return nil
		}
		return l + float64(p)
	})...)
	if err != nil {
		t.Fatal(err)
	}
	if r := out["curve"].Rows[1]; r["n"] != int64(7) || r["n_missing"] != int64(5) {
		t.Errorf("lambda 0: %v", r)
	}
}
