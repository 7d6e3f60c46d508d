package trial

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/seed-4012077a/flow/sdk/stats/frame"
)

type reference struct {
	Estimate, SE, Lower, Upper, P *float64
}

type references struct {
	Weekly, Once, Single []map[string]any
	Results              map[string]struct {
		AIC  map[string]float64
		Best string
		NObs int
		// By test, then spec.
		Main, Arm, Moderation, Time, Interaction map[string]reference
		SlopePosB                                map[string]reference `json:"slope_pos_b"`
		Coefficient, Linear                      map[string]reference
	}
}

// input is the reference's three tables as one frame, with each row's file.
func input(t testing.TB) (*frame.Frame, references) {
	t.Helper()
	data, err := os.ReadFile("testdata/trial.json")
	if err != nil {
		t.Fatal(err)
	}
	var ref references
	if err := json.Unmarshal(data, &ref); err != nil {
		t.Fatal(err)
	}
	var rows []map[string]any
	for name, table := range map[string][]map[string]any{"weekly": ref.Weekly, "once": ref.Once, "single": ref.Single} {
		for _, row := range table {
			row["file"] = name
			rows = append(rows, row)
		}
	}
	return frameOf(t, rows), ref
}

const smallPlan = `{"measure": "small", "participant": "id", "lambda": {"column": "lambda"},
	"factors": [{"column": "arm"}, {"column": "mode", "levels": ["off", "on"]}], "time": {"column": "week", "mark": "W"},
	"tables": {"weekly": {"file": "weekly"}, "once": {"file": "once"}, "single": {"file": "single"}},
	"outcomes": [
		{"name": "liking", "table": "weekly"}, {"name": "construct", "table": "weekly", "items": ["first", "second"]},
		{"name": "after", "table": "once", "baseline": "before"}, {"name": "left", "table": "once", "kind": "binary"},
		{"name": "pair", "table": "single", "items": ["second", "first"]}],
	"robustness": [{"name": "adjusted", "covariates": ["age"], "outcomes": ["liking", "after"]}]}`

func parse(t testing.TB, text string) *Plan {
	t.Helper()
	p, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestAgainstR compares a small trial's analysis with lme4, pbkrtest and
// emmeans (testdata/trial.R).
func TestAgainstR(t *testing.T) {
	fr, ref := input(t)
	result, err := Analyse(parse(t, smallPlan), fr, "file", nil)
	if err != nil {
		t.Fatal(err)
	}
	find := func(outcome, test, spec string) Row {
		t.Helper()
		for _, r := range result.Rows {
			if r.Outcome == outcome && r.Test == test && r.Spec == spec {
				return r
			}
		}
		t.Fatalf("no row %s, %q, %s", outcome, test, spec)
		return Row{}
	}
	compared := 0
	for outcome, want := range ref.Results {
		for _, c := range []struct {
			test  string
			specs map[string]reference
		}{
			{"RS: Avg(Pos) - Avg(Neg)", want.Main}, {"arm: b - a", want.Arm}, {"RS × arm: Interaction", want.Moderation},
			{"Time: W4 - W1", want.Time}, {"RS × Time: Δ (W4 - W1)", want.Interaction}, {"Slope: pos_λ × b", want.SlopePosB},
			{"Coefficient: RS × Time", want.Coefficient}, {"Polynomial: λ (linear)", want.Linear},
		} {
			for spec, w := range c.specs {
				got := find(outcome, c.test, spec)
				for name, pair := range map[string][2]*float64{"estimate": {&got.Estimate.Estimate, w.Estimate}, "se": {&got.SE, w.SE}, "lower": {&got.Lower, w.Lower}, "upper": {&got.Upper, w.Upper}, "p": {&got.P, w.P}} {
					if pair[1] == nil {
						continue
					}
					compared++
					tolerance := 1e-5 * math.Max(*w.SE, math.Abs(*pair[1]))
					if name == "p" {
						tolerance = 1e-3 * *pair[1]
					}
					if !(math.Abs(*pair[0]-*pair[1]) <= tolerance) {
						t.Errorf("%s, %s, %s: %s %.10g, R has %.10g", outcome, c.test, spec, name, *pair[0], *pair[1])
					}
				}
				if spec == "primary" && got.N != want.NObs || got.Form != want.Best {
					t.Errorf("%s: %d rows and the form %s, R has %d and %s", outcome, got.N, got.Form, want.NObs, want.Best)
				}
			}
		}
		for _, f := range result.Fits {
			if aic, ok := want.AIC[f.Role]; ok && f.Outcome == outcome {
				compared++
				if math.Abs(f.AIC-aic) > 1e-6*math.Abs(aic) || f.Chosen != (f.Role == want.Best) {
					t.Errorf("%s, %s: AIC %.9g (chosen: %v), R has %.9g", outcome, f.Role, f.AIC, f.Chosen, aic)
				}
			}
		}
	}
	t.Logf("%d numbers compared", compared)
}

// TestCorrected checks the families of the corrected p-values: all primary
// tests of one kind, together and by family.
func TestCorrected(t *testing.T) {
	fr, _ := input(t)
	p := parse(t, strings.Replace(smallPlan, `{"name": "liking", "table"`, `{"name": "liking", "family": "own", "table"`, 1))
	result, err := Analyse(p, fr, "file", nil)
	if err != nil {
		t.Fatal(err)
	}
	var main []Row
	for _, r := range result.Rows {
		switch {
		case r.Kind == "main_effect_RS" && r.Spec == "primary":
			main = append(main, r)
		case (r.Spec != "primary" || r.Kind == simpleEffect || r.Kind == temporalSimple) && (!math.IsNaN(r.Local) || !math.IsNaN(r.Global)):
			t.Errorf("%s %s %s has a corrected p", r.Outcome, r.Test, r.Spec)
		}
	}
	if len(main) != 5 {
		t.Fatalf("%d main effects", len(main))
	}
	for _, r := range main {
		// Benjamini and Hochberg by its definition: min over p_(j) >= p of m p_(j) / j.
		want := func(same func(Row) bool) float64 {
			best, m := 1.0, 0.0
			for _, x := range main {
				if same(x) {
					m++
				}
			}
			for _, x := range main {
				rank := 0.0
				for _, y := range main {
					if same(y) && y.P <= x.P {
						rank++
					}
				}
				if same(x) && x.P >= r.P {
					best = math.Min(best, m*x.P/rank)
				}
			}
			return best
		}
		if g := want(func(Row) bool { return true }); math.Abs(r.Global-g) > 1e-12 {
			t.Errorf("%s: global %v, want %v", r.Outcome, r.Global, g)
		}
		if l := want(func(x Row) bool { return x.Family == r.Family }); math.Abs(r.Local-l) > 1e-12 {
			t.Errorf("%s: local %v, want %v", r.Outcome, r.Local, l)
		}
	}
}

// TestWhatCannotBeEstimated: a note, never a NaN passed off as a result.
func TestWhatCannotBeEstimated(t *testing.T) {
	fr, _ := input(t)
	n := fr.Rows()
	constant, missing, few := make([]float64, n), make([]float64, n), make([]float64, n)
	lambda, _ := fr.Column("lambda")
	for i := range n {
		constant[i], missing[i], few[i] = 3, math.NaN(), math.NaN()
		if lambda.Num[i] == 1 {
			few[i] = float64(i)
		}
	}
	for name, v := range map[string][]float64{"constant": constant, "missing": missing, "few": few} {
		if err := fr.AddNumeric(name, v); err != nil {
			t.Fatal(err)
		}
	}
	p := parse(t, `{"measure": "bad", "participant": "id", "lambda": {"column": "lambda"}, "factors": [{"column": "arm"}], "time": {"column": "week"},
		"tables": {"weekly": {"file": "weekly"}, "once": {"file": "once"}}, "families": {"bad": {}, "lonely": {}},
		"outcomes": [{"name": "constant", "table": "weekly"}, {"name": "missing", "table": "weekly"}, {"name": "few", "table": "once"}, {"name": "liking", "table": "weekly"}]}`)
	result, err := Analyse(p, fr, "file", nil)
	if err != nil {
		t.Fatal(err)
	}
	notes := map[string]string{}
	for _, r := range result.Rows {
		if math.IsNaN(r.Estimate.Estimate) {
			if r.Note == "" {
				t.Errorf("%+v has neither an estimate nor a note", r)
			}
			notes[r.Outcome+r.Family] += r.Note
		} else if r.Outcome != "liking" {
			t.Errorf("%s has an estimate: %+v", r.Outcome, r)
		}
	}
	for key, want := range map[string]string{"constantbad": "", "missingbad": "missing in all", "fewbad": "one value", "lonely": "has no outcome"} {
		if got, ok := notes[key]; !ok || !strings.Contains(got, want) {
			t.Errorf("%s: notes %q", key, got)
		}
	}
}

// TestPlanMistakes: all mistakes at once, each with what would be right.
func TestPlanMistakes(t *testing.T) {
	_, err := Parse([]byte(`{"measure": "m", "lambda": {"column": "l", "forms": ["linaer"], "criterion": "cic"}, "df": "kr",
		"studies": [{"name": "one"}, {"name": "one"}], "outcomes": [{"name": "a", "items": ["x"]}, {"name": "a", "kind": "ordinal"}, {"name": "c", "studies": {"two": {}}}],
		"robustness": [{"name": "primary", "covariates": ["x"]}, {"name": "empty"}, {"name": "w", "weights": "none"}]}`))
	if err == nil {
		t.Fatal("a plan with a dozen mistakes passes")
	}
	for _, want := range []string{"participant is missing", `did you mean "linear"`, "criterion", "df", "given twice", "one item", "kind", `unknown "two"`, "taken", "the primary analysis again", `unknown "none"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in\n%v", want, err)
		}
	}
	fr, _ := input(t)
	for change, want := range map[[2]string]string{
		{`"column": "lambda"`, `"column": "lamda"`}:                       `did you mean "lambda"`,
		{`{"file": "weekly"}`, `{"file": "weakly"}`}:                      `did you mean "weekly"`,
		{`"levels": ["off", "on"]`, `"levels": ["off", "none"]`}:          `which is none of its levels`,
		{`"time": {"column": "week", "mark": "W"},`, ``}:                  "has several rows",
		{`"covariates": ["age"]`, `"covariates": ["aeg"]`}:                `did you mean "age"`,
		{`"baseline": "before"`, `"baseline": "mode"`}:                    "holds texts",
		{`{"file": "once"}`, `{"file": "once", "where": {"mode": "of"}}`}: `did you mean "off"`,
	} {
		p := parse(t, strings.ReplaceAll(smallPlan, change[0], change[1]))
		if _, err := Analyse(p, fr, "file", nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", change[1], err, want)
		}
	}
}

// TestTables: joins, recoded and derived columns.
func TestTables(t *testing.T) {
	fr := frameOf(t, []map[string]any{
		{"file": "people", "id": "a", "age": 30.0}, {"file": "people", "id": "b", "age": 40.0},
		{"file": "scores", "id": "b", "x": 1.0, "y": 4.0, "mood": "very good"}, {"file": "scores", "id": "c", "x": 2.0, "mood": "bad"},
	})
	p := &Plan{Participant: "id", Join: []Join{{File: "people", Columns: map[string]string{"age": "age"}}}, Tables: map[string]Table{
		"s": {File: "scores", Recode: map[string]Recode{"mood2": {From: "mood", Values: map[string]any{"very good": "good"}}}, Derive: map[string]string{"sum": "x + 2*y"}},
		"d": {File: "scores", Join: []Join{{File: "people", By: []string{"file"}, Columns: map[string]string{"old": "age"}}}},
	}}
	tb := &tables{plan: p, input: fr, file: "file", made: map[string]*frame.Frame{}}
	got, err := tb.get("s")
	if err != nil {
		t.Fatal(err)
	}
	age, _ := got.Column("age")
	sum, _ := got.Column("sum")
	mood, _ := got.Column("mood2")
	if s := fmt.Sprint(age.Num, sum.Num, mood.Levels, mood.Codes); s != "[40 NaN] [9 NaN] [bad good] [1 0]" {
		t.Error(s)
	}
	if _, err := tb.get("d"); err == nil || !strings.Contains(err.Error(), "two rows with the same file") {
		t.Error(err)
	}
}
