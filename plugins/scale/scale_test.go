package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/go/sdktest"
	"github.com/seed-4012077a/flow/sdk/stats/scale"
)

// questionnaire has six items of two traits in two waves; q7 is constant.
func questionnaire(rows int) sdktest.Table {
	rnd := rand.New(rand.NewPCG(5, 6))
	var out []sdktest.Row
	for i := range rows {
		for _, wave := range []string{"pre", "post"} {
			a, b := rnd.NormFloat64(), rnd.NormFloat64()
			r := sdktest.Row{"id": fmt.Sprint("p", i), "wave": wave, "q7": 3}
			for j := range 6 {
				trait := a
				if j > 2 {
					trait = b + 0.4*a
				}
				v := int(math.Round(2 + 0.9*trait + 0.6*rnd.NormFloat64()))
				r[fmt.Sprint("q", j+1)] = max(0, min(4, v))
			}
			if i%10 == 3 {
				r["q2"] = nil
			}
			out = append(out, r)
		}
	}
	return sdktest.Of("id: utf8, wave: utf8, q1: int64, q2: int64, q3: float64, q4: int32, q5: int64, q6: int64, q7: int64", out...)
}

func run(t *testing.T, op sdk.Operator, params string, in sdktest.Table) (sdktest.Tables, error) {
	t.Helper()
	out, err := sdktest.Run(t, op, params, 1, sdktest.Tables{"answers": in})
	for port, table := range out {
		for i, r := range table.Rows {
			for name, v := range r {
				if f, ok := v.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
					t.Errorf("%s row %d: %s is %g", port, i, name, f)
				}
			}
		}
	}
	return out, err
}

func must(t *testing.T, op sdk.Operator, params string, in sdktest.Table) sdktest.Tables {
	t.Helper()
	out, err := run(t, op, params, in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// only returns the one row with these values.
func only(t *testing.T, table sdktest.Table, want sdktest.Row) sdktest.Row {
	t.Helper()
	var found []sdktest.Row
	for _, r := range table.Rows {
		ok := true
		for k, v := range want {
			ok = ok && r[k] == v
		}
		if ok {
			found = append(found, r)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d rows are %v", len(found), want)
	}
	return found[0]
}

// library gives the same answers as scale.Items.
func library(table sdktest.Table, names []string, keep func(sdktest.Row) bool) *scale.Items {
	it := &scale.Items{Names: names, Columns: make([][]float64, len(names))}
	for _, r := range table.Rows {
		if !keep(r) {
			continue
		}
		for j, n := range names {
			v := math.NaN()
			switch x := r[n].(type) {
			case int:
				v = float64(x)
			case float64:
				v = x
			}
			it.Columns[j] = append(it.Columns[j], v)
		}
	}
	return it
}

var six = []string{"q1", "q2", "q3", "q4", "q5", "q6"}

func TestCorrelations(t *testing.T) {
	in := questionnaire(150)
	out := must(t, correlationsOperator(), `{"items": ["q*"], "group_by": ["wave"]}`, in)
	if n := len(out["pairs"].Rows); n != 2*21 {
		t.Fatalf("%d pairs", n)
	}
	for _, wave := range []string{"pre", "post"} {
		c, err := scale.Correlate(library(in, six, func(r sdktest.Row) bool { return r["wave"] == wave }), scale.Defaults())
		if err != nil {
			t.Fatal(err)
		}
		for i, a := range six {
			for j := i + 1; j < 6; j++ {
				r := only(t, out["pairs"], sdktest.Row{"wave": wave, "item_a": a, "item_b": six[j]})
				if r["correlation"] != c.R.At(i, j) || r["se"] != c.SE.At(i, j) || r["n"] != int64(c.N[i][j]) || r["note"] != nil {
					t.Errorf("%v, want %g", r, c.R.At(i, j))
				}
			}
		}
		r := only(t, out["pairs"], sdktest.Row{"wave": wave, "item_a": "q1", "item_b": "q7"})
		if note, _ := r["note"].(string); r["correlation"] != nil || !strings.Contains(note, `"q7" is left out: all 150 answers are 3`) {
			t.Errorf("%v", r)
		}
		if r := only(t, out["items"], sdktest.Row{"wave": wave, "item": "q2"}); r["n"] != int64(135) || r["n_missing"] != int64(15) || len(r["thresholds"].([]any)) != 4 {
			t.Errorf("%v", r)
		}
		if r := only(t, out["summary"], sdktest.Row{"wave": wave}); r["items"] != int64(6) || r["smoothed"] != false || !strings.Contains(r["note"].(string), "q7") {
			t.Errorf("%v", r)
		}
	}
	for _, method := range []string{"pearson", "spearman"} {
		out := must(t, correlationsOperator(), fmt.Sprintf(`{"items": ["q1", "q4"], "method": %q, "rows": "complete"}`, method), in)
		if r := out["pairs"].Rows[0]; r["correlation"] == nil || r["se"] != nil || r["method"] != method {
			t.Errorf("%v", r)
		}
	}
	// Nothing to correlate: rows are there, null, with a note.
	out = must(t, correlationsOperator(), `{"items": ["q1", "q7"]}`, in)
	if r := out["pairs"].Rows[0]; r["correlation"] != nil || !strings.Contains(r["note"].(string), "q7") {
		t.Errorf("%v", r)
	}
}

func TestParallel(t *testing.T) {
	in := questionnaire(200)
	out := must(t, parallelOperator(), `{"items": ["q?", "q1", "q[1-3]", "q*"], "iterations": 20}`, sdktest.Of("q?: int64, q[1-3]: int64, q1: int64, qx: utf8",
		func() (rows []sdktest.Row) {
			for _, r := range in.Rows {
				rows = append(rows, sdktest.Row{"q?": r["q1"], "q[1-3]": r["q3"], "q1": r["q2"]})
			}
			return rows
		}()...))
	if n := len(out["suggested"].Rows); n != 2 {
		t.Fatalf("%d kinds", n)
	}
	params := `{"items": ["q1", "q2", "q3", "q4", "q5", "q6"], "kinds": ["components", "factors", "smc"], "iterations": 50, "reference": %q}`
	for _, reference := range []string{"normal", "permuted"} {
		p := fmt.Sprintf(params, reference)
		out := must(t, parallelOperator(), p, in)
		for _, r := range out["suggested"].Rows {
			if r["suggested"] != int64(2) {
				t.Errorf("%s: %v", reference, r)
			}
		}
		if n := len(out["eigenvalues"].Rows); n != 18 {
			t.Errorf("%d eigenvalues", n)
		}
		if d := sdktest.Diff(out["eigenvalues"].Rows, must(t, parallelOperator(), p, in)["eigenvalues"].Rows); d != "" {
			t.Error("the same seed gives another result:\n", d)
		}
	}
}

func TestFactors(t *testing.T) {
	in := questionnaire(200)
	out := must(t, factorsOperator(), `{"items": ["q*"], "factors": 2, "group_by": ["wave"], "names": ["second", "first"], "flip": ["first"]}`, in)
	for _, wave := range []string{"pre", "post"} {
		c, err := scale.Correlate(library(in, six, func(r sdktest.Row) bool { return r["wave"] == wave }), scale.Defaults())
		if err != nil {
			t.Fatal(err)
		}
		s, err := scale.Factor(c, scale.FactorDefaults(2))
		if err != nil {
			t.Fatal(err)
		}
		for i, item := range six {
			for k, name := range []string{"second", "first"} {
				r := only(t, out["loadings"], sdktest.Row{"wave": wave, "item": item, "factor": name})
				want := s.Loadings.At(i, k)
				if name == "first" {
					want = -want
				}
				if r["loading"] != want || r["communality"] != s.Communality[i] || r["note"] != nil {
					t.Errorf("%v, want %g", r, want)
				}
			}
		}
		if r := only(t, out["loadings"], sdktest.Row{"wave": wave, "item": "q7", "factor": "first"}); r["loading"] != nil || !strings.Contains(r["note"].(string), "q7") {
			t.Errorf("%v", r)
		}
		if r := only(t, out["correlations"], sdktest.Row{"wave": wave}); r["correlation"] != -s.Phi.At(0, 1) {
			t.Errorf("%v, want %g", r, -s.Phi.At(0, 1))
		}
		if r := only(t, out["fit"], sdktest.Row{"wave": wave}); r["chi_squared"] != s.Fit.ChiSquared || r["df"] != int64(4) || r["n"] != int64(200) {
			t.Errorf("%v", r)
		}
	}
	for _, rotation := range []string{"quartimin", "promax", "varimax", "quartimax", "none"} {
		must(t, factorsOperator(), fmt.Sprintf(`{"items": ["q1", "q2", "q3", "q4", "q5", "q6"], "factors": 2, "rotation": %q, "extraction": "ml", "kaiser": true, "starts": 5}`, rotation), in)
	}
	// A group without enough answers is null with a note; the other stands.
	in.Rows = in.Rows[:len(in.Rows)-1]
	poor := in
	poor.Rows = slices.Clone(in.Rows)
	for i, r := range poor.Rows {
		if r["wave"] == "post" {
			blank := sdktest.Row{"id": r["id"], "wave": "post"}
			poor.Rows[i] = blank
		}
	}
	out = must(t, factorsOperator(), `{"items": ["q*"], "factors": 2, "group_by": ["wave"]}`, poor)
	if r := only(t, out["fit"], sdktest.Row{"wave": "post"}); r["chi_squared"] != nil || !strings.Contains(r["note"].(string), `item "q1" is left out: no row has an answer`) {
		t.Errorf("%v", r)
	}
	if r := only(t, out["fit"], sdktest.Row{"wave": "pre"}); r["chi_squared"] == nil {
		t.Errorf("%v", r)
	}
}

func TestScores(t *testing.T) {
	in := questionnaire(200)
	params := `{"items": ["q*"], "factors": 2, "baseline_column": "wave", "baseline_values": ["pre"], "names": ["A", "B"]%s}`
	out := must(t, scoresOperator(), fmt.Sprintf(params, ""), in)
	pre := library(in, six, func(r sdktest.Row) bool { return r["wave"] == "pre" })
	all := library(in, six, func(sdktest.Row) bool { return true })
	c, err := scale.Correlate(pre, scale.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	s, err := scale.Factor(c, scale.FactorDefaults(2))
	if err != nil {
		t.Fatal(err)
	}
	sc, err := s.Scorer(pre, scale.ScoreOptions{Method: scale.Thurstone})
	if err != nil {
		t.Fatal(err)
	}
	want, missing := sc.Score(all)
	for i, r := range out["scores"].Rows {
		if r["id"] != in.Rows[i]["id"] || r["wave"] != in.Rows[i]["wave"] || r["n_missing"] != int64(missing[i]) {
			t.Fatalf("row %d: %v", i, r)
		}
		if missing[i] > 0 {
			if r["A"] != nil || r["note"] != "1 of 6 items without an answer" {
				t.Errorf("row %d: %v", i, r)
			}
		} else if r["A"] != want[0][i] || r["B"] != want[1][i] || r["note"] != nil {
			t.Errorf("row %d: %v, want %g %g", i, r, want[0][i], want[1][i])
		}
	}
	if r := only(t, out["weights"], sdktest.Row{"item": "q5", "factor": "B"}); r["weight"] != sc.Weights.At(4, 1) || r["mean"] != sc.Mean[4] {
		t.Errorf("%v", r)
	}
	if r := only(t, out["factors"], sdktest.Row{"factor": "A"}); r["r_squared"] != sc.R2[0] || r["n_baseline"] != int64(180) {
		t.Errorf("%v", r)
	}
	for _, score := range []string{"thurstone", "bartlett", "tenberge"} {
		for _, from := range []string{"answers", "factored"} {
			out := must(t, scoresOperator(), fmt.Sprintf(params, fmt.Sprintf(`, "standardise": true, "max_missing": 1, "score": %q, "weights_from": %q`, score, from)), in)
			var m, m2, n float64
			for _, r := range out["scores"].Rows {
				v, ok := r["A"].(float64)
				if !ok {
					t.Fatalf("%v", r)
				}
				if r["wave"] == "pre" {
					m, m2, n = m+v, m2+v*v, n+1
				}
			}
			if math.Abs(m/n) > 1e-12 || math.Abs(m2/(n-1)-1) > 1e-12 {
				t.Errorf("%s: mean %g, variance %g on the baseline", score, m/n, m2/(n-1))
			}
		}
	}
	// The baseline can't be factored: every row is there, without a score.
	out = must(t, scoresOperator(), `{"items": ["q1", "q2", "q3", "q7"], "factors": 1, "baseline_column": "id", "baseline_values": ["p0"]}`, in)
	if r := out["scores"].Rows[5]; len(out["scores"].Rows) != 400 || r["F1"] != nil || r["note"] == nil {
		t.Errorf("%d rows, %v", len(out["scores"].Rows), r)
	}
}

func TestReliability(t *testing.T) {
	in := questionnaire(200)
	out := must(t, reliabilityOperator(), `{"scales": [{"name": "a", "items": ["q1", "q2", "q3"]}, {"name": "all", "items": ["q1", "q2", "q3", "q4", "q5", "q6"], "reverse": ["q4"]}, {"name": "none", "items": ["q1", "q7"]}], "group_factors": 2}`, in)
	items := library(in, six[:3], func(sdktest.Row) bool { return true })
	a, err := scale.CronbachAlpha(items, scale.CorrelationOptions{Method: scale.Pearson}, 0.95)
	if err != nil {
		t.Fatal(err)
	}
	r := only(t, out["scales"], sdktest.Row{"scale": "a"})
	if r["alpha"] != a.Raw || r["ci_lower"] != a.Lower || r["alpha_ordinal"] == nil || r["omega"] == nil || r["n"] != int64(400) || r["omega_hierarchical"] != nil {
		t.Errorf("%v", r)
	}
	if note, _ := r["note"].(string); !strings.Contains(note, "no omega hierarchical: 2 factors are too many for 3 items") {
		t.Errorf("%v", note)
	}
	r = only(t, out["scales"], sdktest.Row{"scale": "all"})
	if r["omega_hierarchical"] == nil || !strings.Contains(r["note"].(string), `item "q4" goes against the others`) {
		t.Errorf("%v", r)
	}
	if r := only(t, out["items"], sdktest.Row{"scale": "all", "item": "q4"}); r["reversed"] != true || r["r_drop"].(float64) >= 0 {
		t.Errorf("%v", r)
	}
	if r := only(t, out["items"], sdktest.Row{"scale": "a", "item": "q2"}); r["alpha_without"] != a.Each[1].WithoutRaw {
		t.Errorf("%v", r)
	}
	if r := only(t, out["scales"], sdktest.Row{"scale": "none"}); r["alpha"] != nil || !strings.Contains(r["note"].(string), `"q7" is left out`) {
		t.Errorf("%v", r)
	}
}

func TestErrorsNameTheParameter(t *testing.T) {
	in := questionnaire(20)
	for _, x := range []struct {
		op           sdk.Operator
		params, want string
		edit         func(*sdktest.Table)
	}{
		{correlationsOperator(), `{"items": ["q1", "nosuch*"]}`, `parameter items[1]: no column "nosuch*"; the input has id, wave`, nil},
		{correlationsOperator(), `{"items": ["q1*"]}`, "at least two items", nil},
		{reliabilityOperator(), `{"scales": [{"name": "a", "items": ["q1"]}]}`, "scales[0].items", nil},
		{correlationsOperator(), `{"items": ["q1", "id"]}`, `column "id": is utf8`, nil},
		{correlationsOperator(), `{"items": ["q1", "q1"]}`, "named twice", nil},
		{correlationsOperator(), `{"items": ["q1", "q2"], "group_by": ["q2"]}`, "is an item too", nil},
		{correlationsOperator(), `{"items": ["q1", "q2"], "method": "kendall"}`, "method", nil},
		{correlationsOperator(), `{"items": ["q1", "q2"]}`, "no rows", func(in *sdktest.Table) { in.Rows = nil }},
		{correlationsOperator(), `{"items": ["q1", "q3"]}`, "holds NaN", func(in *sdktest.Table) { in.Rows[3] = sdktest.Row{"q3": math.NaN()} }},
		{factorsOperator(), `{"items": ["q1", "q2", "q3"], "factors": 2}`, "parameter factors: 2 factors are too many for 3 items", nil},
		{factorsOperator(), `{"items": ["q*"]}`, "factors", nil},
		{factorsOperator(), `{"items": ["q*"], "factors": 2, "names": ["x"]}`, "parameter names: 1 names for 2 factors", nil},
		{factorsOperator(), `{"items": ["q*"], "factors": 2, "flip": ["x"]}`, "parameter flip[0]", nil},
		{scoresOperator(), `{"items": ["q*"], "factors": 2, "baseline_column": "wave"}`, "parameter baseline_values", nil},
		{scoresOperator(), `{"items": ["q*"], "factors": 2, "baseline_values": ["x"]}`, "parameter baseline_column", nil},
		{scoresOperator(), `{"items": ["q*"], "factors": 2, "baseline_column": "wave", "baseline_values": ["x"]}`, "it has pre, post", nil},
		{scoresOperator(), `{"items": ["q*"], "factors": 2, "names": ["id", "b"]}`, `the input has a column "id" already`, nil},
		{scoresOperator(), `{"items": ["q*"], "factors": 2, "max_missing": 7}`, "parameter max_missing", nil},
		{scoresOperator(), `{"items": ["q1", "q2", "q3"], "factors": 1, "later": [{"name": "post", "items": ["q4", "q5"]}]}`, "parameter later[0].items: 2 columns for the 3 items", nil},
		{scoresOperator(), `{"items": ["q1", "q2", "q3"], "factors": 1, "later": [{"name": "x", "items": ["q4", "q5", "q6"]}, {"name": "x", "items": ["q4", "q5", "q6"]}]}`, `would be named "F1_x"`, nil},
		{reliabilityOperator(), `{"scales": [{"name": "a", "items": ["q1", "q2"], "reverse": ["q3"]}]}`, "is not an item of scale", nil},
		{reliabilityOperator(), `{"scales": [{"name": "a", "items": ["q1", "q2"]}, {"name": "a", "items": ["q1", "q2"]}]}`, "scales[1].name", nil},
		{reliabilityOperator(), `{"scales": [{"name": "a", "items": ["q1", "q2"]}], "group_factors": 1}`, "parameter group_factors", nil},
	} {
		table := in
		table.Rows = slices.Clone(in.Rows)
		if x.edit != nil {
			x.edit(&table)
		}
		if _, err := sdktest.Run(t, x.op, x.params, 1, sdktest.Tables{"answers": table}); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s %s: error %v, want %q", x.op.Name, x.params, err, x.want)
		}
	}
}
