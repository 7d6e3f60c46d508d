package trial

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/seed-4012077a/flow/sdk/stats/frame"
)

type shapes struct {
	Weekly, Once []map[string]any
	Form         string
	Rows         []struct {
		Outcome, Test, Spec           string
		Estimate, SE, Lower, Upper, P *float64
	}
	Means []struct{ Lambda, Mean, SE, Lower, Upper float64 }
}

func shapesInput(t testing.TB) (*frame.Frame, shapes) {
	t.Helper()
	data, err := os.ReadFile("testdata/shapes.json")
	if err != nil {
		t.Fatal(err)
	}
	var ref shapes
	if err := json.Unmarshal(data, &ref); err != nil {
		t.Fatal(err)
	}
	var rows []map[string]any
	var double []map[string]any // two rows a participant and week, the week under another name
	for _, row := range ref.Weekly {
		for _, item := range []string{"p1", "p2"} {
			double = append(double, map[string]any{"id": row["id"], "lambda": row["lambda"], "arm": row["arm"], "session": row["week"], "both": row[item]})
		}
	}
	for name, table := range map[string][]map[string]any{"weekly": ref.Weekly, "once": ref.Once, "double": double} {
		for _, row := range table {
			row["file"] = name
			rows = append(rows, row)
		}
	}
	return frameOf(t, rows), ref
}

const shapesPlan = `{"measure": "shapes", "participant": "id", "lambda": {"column": "lambda", "high": [1], "low": [-1]},
	"factors": [{"column": "arm"}], "time": {"column": "week"},
	"tables": {"weekly": {"file": "weekly"}, "once": {"file": "once"}, "double": {"file": "double"}},
	"outcomes": [{"name": "y", "table": "weekly"}, {"name": "both", "table": "double", "several": true, "time": {"column": "session"}, "form": "quadratic"},
		{"name": "first", "table": "double", "column": "both", "several": true, "time": {"column": "session"}, "where": {"session": 0}, "form": "quadratic"}, {"name": "pool", "table": "weekly", "items": ["p2", "p1"], "form": "quadratic"},
		{"name": "two", "table": "weekly", "form": "quadratic"}, {"name": "same", "table": "weekly", "form": "linear"}, {"name": "said", "table": "weekly", "kind": "binary", "form": "linear"},
		{"name": "after", "table": "once", "baseline": "before", "form": "linear"}, {"name": "left", "table": "once", "kind": "binary", "form": "linear"}]}`

// fourLambdas has neither 0 nor a factor.
const fourLambdas = `{"measure": "shapes", "participant": "id", "lambda": {"column": "gain"}, "time": {"column": "week"}, "df": "DF",
	"tables": {"weekly": {"file": "weekly"}}, "outcomes": [{"name": "z", "table": "weekly", "form": "quadratic"}],
	"weights": {"w": {"column": "w"}}, "robustness": [{"name": "weighted", "weights": "w"}]}`

const threeFactors = `{"measure": "shapes", "participant": "id", "lambda": {"column": "lambda", "high": [1], "low": [-1]},
	"factors": [{"column": "arm"}, {"column": "sex"}, {"column": "site"}], "tables": {"once": {"file": "once"}},
	"outcomes": [{"name": "three", "column": "after", "table": "once", "baseline": "before", "form": "linear"}]}`

// TestShapes compares trials of other shapes with lme4, lmerTest, pbkrtest and
// emmeans (testdata/shapes.R): a factor of three levels, three lambdas, two
// times, three factors and none, no lambda of 0, weights, a singular fit, a repeated binary outcome, and
// profile limits.
func TestShapes(t *testing.T) {
	fr, ref := shapesInput(t)
	got := map[[3]string]Row{}
	analyse := func(plan string, specs string) *Result {
		result, err := Analyse(parse(t, plan), fr, "file", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range result.Rows {
			if (specs == "") == (r.Spec != "weighted") {
				got[[3]string{r.Outcome, r.Test, r.Spec}] = r
			}
			if math.IsNaN(r.Estimate.Estimate) {
				t.Errorf("%s, %s, %s: %s", r.Outcome, r.Test, r.Spec, r.Note)
			}
		}
		return result
	}
	first := analyse(shapesPlan, "")
	for change, want := range map[[2]string]string{
		{`"several": true, "time"`, `"time"`}:                             "several rows at session",
		{`"session"}, "form"`, `"sesion"}, "form"`}:                       `did you mean "session"`,
		{`"time": {"column": "session"}, "form"`, `"once": true, "form"`}: "once says",
	} {
		p, err := Parse([]byte(strings.Replace(shapesPlan, change[0], change[1], 1)))
		if err == nil {
			_, err = Analyse(p, fr, "file", nil)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", change[1], err, want)
		}
	}
	analyse(strings.Replace(fourLambdas, "DF", "kenward-roger", 1), "")
	analyse(threeFactors, "")
	// pbkrtest takes no weights: lmerTest's Satterthwaite tests do.
	analyse(strings.Replace(fourLambdas, "DF", "satterthwaite", 1), "weighted")
	for _, w := range ref.Rows {
		r, ok := got[[3]string{w.Outcome, w.Test, w.Spec}]
		if !ok {
			t.Errorf("no row %s, %q, %s", w.Outcome, w.Test, w.Spec)
			continue
		}
		tolerance := 1e-5
		if w.Outcome == "said" {
			tolerance = 2e-4 // where glmer stops
		}
		for name, pair := range map[string][2]*float64{"estimate": {&r.Estimate.Estimate, w.Estimate}, "se": {&r.SE, w.SE}, "lower": {&r.Lower, w.Lower}, "upper": {&r.Upper, w.Upper}, "p": {&r.P, w.P}} {
			if pair[1] == nil {
				continue
			}
			limit := tolerance * math.Max(*w.SE, math.Abs(*pair[1]))
			if name == "p" {
				limit = 1e-3 * *pair[1]
			}
			if !(math.Abs(*pair[0]-*pair[1]) <= limit) {
				t.Errorf("%s, %s, %s: %s %.10g, R has %.10g", w.Outcome, w.Test, w.Spec, name, *pair[0], *pair[1])
			}
		}
	}
	for _, f := range first.Fits {
		if f.Outcome == "y" && f.Chosen != (f.Role == ref.Form || !isForm(f.Role)) {
			t.Errorf("%s: chosen %v, R chooses %s", f.Role, f.Chosen, ref.Form)
		}
	}
	if r := got[[3]string{"two", "Time: T3 - T0", "primary"}]; !strings.Contains(r.Note, "random intercept and no slope") || !strings.Contains(r.Model, "(1 | id)") {
		t.Errorf("two times: %s; %s", r.Model, r.Note)
	}
	if r := got[[3]string{"same", "Time: T3 - T0", "primary"}]; !strings.Contains(r.Note, "singular fit") {
		t.Errorf("slopes that do not differ: %q", r.Note)
	}
	if r := got[[3]string{"y", "RS: Avg(Pos) - Avg(Neg)", "narrow"}]; !strings.Contains(r.Note, "no row has lambda 0.5") {
		t.Errorf("a lambda between the data's: %q", r.Note)
	}
	for _, w := range ref.Means {
		for _, m := range first.Means {
			if m.Outcome == "said" && m.Kind == "dose" && m.Factor == "" && m.Lambda == w.Lambda {
				for _, pair := range [][2]float64{{m.Estimate, w.Mean}, {m.SE, w.SE}, {m.Lower, w.Lower}, {m.Upper, w.Upper}} {
					if !(math.Abs(pair[0]-pair[1]) <= 2e-4) {
						t.Errorf("probability at lambda %v: %v, R has %v", w.Lambda, pair[0], pair[1])
					}
				}
			}
		}
	}
}
