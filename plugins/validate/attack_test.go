package main

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/seed-4012077a/flow/plugins/internal/resulttest"
	"github.com/seed-4012077a/flow/sdk/go/sdktest"
)

type ttest struct {
	Mean, SD, SE, DF, T, P float64
	CI                     [2]float64
	N                      int
}

func (w ttest) check(t *testing.T, what string, got sdktest.Row) {
	t.Helper()
	resulttest.Near(t, what, got["estimate"], w.Mean, 1e-9)
	if w.SE > 0 {
		resulttest.Near(t, what+" se", got["se"], w.SE, 1e-9)
	}
	resulttest.Near(t, what+" df", got["df"], w.DF, 1e-12)
	resulttest.Near(t, what+" t", got["statistic"], w.T, 1e-9)
	resulttest.Near(t, what+" p", got["p_value"], w.P, 1e-9)
	resulttest.Near(t, what+" lower", got["ci_lower"], w.CI[0], 1e-9)
	resulttest.Near(t, what+" upper", got["ci_upper"], w.CI[1], 1e-9)
	if w.N > 0 && got["n"] != int64(w.N) {
		t.Errorf("%s: n %v, want %d", what, got["n"], w.N)
	}
}

func TestAttackAgainstR(t *testing.T) {
	var ref struct {
		Attack struct {
			Data   []map[string]any
			Shifts map[string]ttest
			Paired map[string]ttest
			Mixed  []map[string]any
			Holm   []float64
			Crit   float64
		}
	}
	resulttest.JSON(t, "testdata/validate.json", &ref)
	r := ref.Attack
	in := sdktest.Tables{"shifts": resulttest.Table(r.Data, "item", "system", "before", "after", "shift")}
	for _, params := range []string{`{"reference": "none", "adjust": "holm"}`, `{"before": "before", "after": "after", "adjust": "holm"}`} {
		out := resulttest.Run(t, attackOperator(), params, 0, in)
		for i, system := range []string{"none", "prompt", "steer"} {
			got := resulttest.Only(t, out["shifts"], sdktest.Row{"system": system})
			r.Shifts[system].check(t, system, got)
			resulttest.Near(t, system+" sd", got["sd"], r.Shifts[system].SD, 1e-9)
			resulttest.Near(t, system+" Holm", got["p_adjusted"], r.Holm[i], 1e-9)
			resulttest.Near(t, system+" effect size", got["effect_size"], r.Shifts[system].Mean/r.Shifts[system].SD, 1e-9)
		}
		for contrast, w := range r.Paired {
			w.check(t, contrast, resulttest.Only(t, out["differences"], sdktest.Row{"contrast": contrast, "method": "paired t"}))
		}
		for _, w := range r.Mixed {
			what := w["contrast"].(string)
			got := resulttest.Only(t, out["differences"], sdktest.Row{"contrast": what, "method": "mixed model"})
			resulttest.Near(t, what, got["estimate"], w["estimate"].(float64), 1e-5)
			resulttest.Near(t, what+" se", got["se"], w["SE"].(float64), 1e-5)
			resulttest.Near(t, what+" df", got["df"], w["df"].(float64), 1e-3)
			resulttest.Near(t, what+" p", got["p_value"], w["p.value"].(float64), 1e-3)
			resulttest.Near(t, what+" lower", got["ci_lower"], w["lower.CL"].(float64), 1e-4)
		}
		if c := out["fits"].Rows[0]["criterion"].(float64); math.Abs(c-r.Crit) > 1e-6 {
			t.Errorf("criterion %.9f, want %.9f", c, r.Crit)
		}
	}
}

func TestAttackAgainstSharedReference(t *testing.T) {
	in := sdktest.Tables{"shifts": resulttest.CSV(t, resulttest.Shared(t, "stats", "sim", "persona_attack.csv"))}
	var ref struct {
		Attack map[string]ttest `json:"persona_attack"`
	}
	resulttest.JSON(t, resulttest.Shared(t, "stats", "ref", "model_eval.json"), &ref)
	out := resulttest.Run(t, attackOperator(), `{"contrasts": "pairwise"}`, 0, in)
	for system, w := range ref.Attack {
		w.N = int(w.DF) + 1
		w.check(t, system, resulttest.Only(t, out["shifts"], sdktest.Row{"system": system}))
	}
	if len(ref.Attack) != 5 || len(out["differences"].Rows) != 20 {
		t.Errorf("%d systems, %d differences", len(ref.Attack), len(out["differences"].Rows))
	}
}

func TestPoorAttacks(t *testing.T) {
	of := func(rows ...sdktest.Row) sdktest.Tables {
		return sdktest.Tables{"shifts": sdktest.Of("item: utf8, system: utf8, shift: float64", rows...)}
	}
	row := func(item, system string, shift any) sdktest.Row {
		return sdktest.Row{"item": item, "system": system, "shift": shift}
	}
	out := resulttest.Run(t, attackOperator(), `{}`, 0, of(row("1", "a", 1.0), row("2", "a", 1.0), row("1", "b", 2.0), row("3", "c", 1.0), row("3", "c", 2.0), row("4", "c", nil)))
	for system, want := range map[string]string{"a": "same shift", "b": "one item", "c": "one item"} {
		if r := resulttest.Only(t, out["shifts"], sdktest.Row{"system": system}); r["p_value"] != nil || !strings.Contains(fmt.Sprint(r["note"]), want) {
			t.Errorf("%s: %v", system, r)
		}
	}
	if r := resulttest.Only(t, out["shifts"], sdktest.Row{"system": "c"}); !strings.Contains(fmt.Sprint(r["note"]), "averaged") {
		t.Errorf("two rows of an item: %v", r)
	}
	if r := resulttest.Only(t, out["differences"], sdktest.Row{"contrast": "c - a", "method": "paired t"}); r["note"] != "no item" || r["n"] != int64(0) {
		t.Errorf("no item in common: %v", r)
	}
	good := of(row("1", "a", 1.0), row("2", "a", 3.0))
	resulttest.Fails(t, attackOperator(), `{"reference": "z"}`, good, `no "z"`)
	resulttest.Fails(t, attackOperator(), `{"before": "shift"}`, good, "given together")
	resulttest.Fails(t, attackOperator(), `{"shift": "shft"}`, good, `"shift"`)
	resulttest.Fails(t, attackOperator(), `{}`, of(row("1", "a", nil)), "no row of 1")
	resulttest.Fails(t, attackOperator(), `{}`, of(row("1", "a", math.Inf(1))), "make it null")
}
