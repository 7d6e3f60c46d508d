package trial

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/seed-4012077a/flow/sdk/stats/frame"
)

// renamed is a frame with other names of columns.
func renamed(t testing.TB, fr *frame.Frame, names map[string]string) *frame.Frame {
	t.Helper()
	out := frame.New(fr.Rows())
	for _, name := range fr.Names() {
		c, _ := fr.Column(name)
		d := *c
		d.Name = or(names[name], name)
		if err := out.Add(&d); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// sameNumbers compares results row by row.
func sameNumbers(t *testing.T, got, want []Row) {
	t.Helper()
	if len(got) != len(want) {
		for _, r := range got {
			if r.Kind == "failed" {
				t.Logf("%s %s: %s", r.Outcome, r.Spec, r.Note)
			}
		}
		t.Fatalf("%d rows, want %d", len(got), len(want))
	}
	for i, g := range got {
		w := want[i]
		for _, pair := range [][2]float64{{g.Estimate.Estimate, w.Estimate.Estimate}, {g.SE, w.SE}, {g.Lower, w.Lower}, {g.P, w.P}, {g.Local, w.Local}} {
			if math.Abs(pair[0]-pair[1]) > 1e-9*math.Max(1, math.Abs(pair[1])) || math.IsNaN(pair[0]) != math.IsNaN(pair[1]) {
				t.Errorf("%s, %s, %s: %v, want %v (%s)", g.Outcome, g.Test, g.Spec, pair[0], pair[1], g.Note)
				break
			}
		}
	}
}

const plainPlan = `{"measure": "m", "participant": "id", "lambda": {"column": "lambda"}, "factors": [{"column": "arm"}, {"column": "mode", "levels": ["off", "on"]}],
	"time": {"column": "week"}, "tables": {"weekly": {"file": "weekly"}, "once": {"file": "once"}},
	"outcomes": [{"name": "liking", "table": "weekly"}, {"name": "pair", "table": "weekly", "items": ["first", "second"]}, {"name": "after", "table": "once", "baseline": "before"}],
	"robustness": [{"name": "adjusted", "covariates": ["age"]}]}`

// TestNames: whatever columns are called, the numbers are the same.
func TestNames(t *testing.T) {
	fr, _ := input(t)
	want, err := Analyse(parse(t, plainPlan), fr, "file", nil)
	if err != nil {
		t.Fatal(err)
	}
	if i := slices.IndexFunc(want.Rows, func(r Row) bool { return math.IsNaN(r.P) }); i >= 0 {
		t.Fatalf("%+v", want.Rows[i])
	}
	odd := map[string]string{"id": "participant id", "lambda": "λ-dose", "arm": "treat:arm", "mode": "a`b", "week": "sess ion", "liking": "liké (0-100)", "first": "1st", "second": "I(x)", "before": "if", "age": "age*2", "after": "TRUE"}
	// Names that the analysis uses itself.
	same := map[string]string{"arm": "RS", "age": "item", "lambda": "Time", "first": "pair"}
	for _, names := range []map[string]string{odd, same} {
		text := plainPlan
		for from, to := range names {
			key := strings.ReplaceAll(text, `"`+from+`":`, "KEY")
			text = strings.ReplaceAll(strings.ReplaceAll(key, `"`+from+`"`, `"`+to+`"`), "KEY", `"`+from+`":`)
		}
		text = strings.Replace(text, `{"column": "`+or(names["arm"], "arm")+`"}`, `{"column": "`+or(names["arm"], "arm")+`", "label": "arm"}`, 1)
		got, err := Analyse(parse(t, text), renamed(t, fr, names), "file", nil)
		if err != nil {
			t.Fatal(err)
		}
		sameNumbers(t, got.Rows, want.Rows)
	}
	// An outcome that is called as its own baseline, lambda's label as its column.
	text := strings.Replace(plainPlan, `{"name": "after",`, `{"name": "before", "column": "after",`, 1)
	text = strings.Replace(text, `"lambda": {"column": "lambda"}`, `"lambda": {"column": "lambda", "label": "lambda"}`, 1)
	got, err := Analyse(parse(t, text), fr, "file", nil)
	if err != nil {
		t.Fatal(err)
	}
	sameNumbers(t, got.Rows, want.Rows)
}

// TestEqualLevels: factors whose levels have the same names.
func TestEqualLevels(t *testing.T) {
	fr, _ := input(t)
	want, err := Analyse(parse(t, plainPlan), fr, "file", nil)
	if err != nil {
		t.Fatal(err)
	}
	arm, _ := fr.Column("arm")
	if fr, err = fr.With(&frame.Column{Name: "arm", Kind: frame.Factor, Codes: arm.Codes, Levels: []string{"off", "on"}}); err != nil {
		t.Fatal(err)
	}
	got, err := Analyse(parse(t, plainPlan), fr, "file", nil)
	if err != nil {
		t.Fatal(err)
	}
	sameNumbers(t, got.Rows, want.Rows)
	names := map[string]int{}
	for _, r := range got.Rows {
		names[r.Outcome+r.Test+r.Spec]++
	}
	for name, n := range names {
		if n > 1 {
			t.Errorf("%d rows are called %s", n, name)
		}
	}
}

// TestTextsAndBlanks: numbers that are texts, times that are texts among other
// texts, and blanks that are missing values.
func TestTextsAndBlanks(t *testing.T) {
	fr, _ := input(t)
	plan := `{"measure": "m", "participant": "id", "lambda": {"column": "lambda"}, "factors": [{"column": "arm"}], "time": {"column": "week"},
		"tables": {"weekly": {"file": "weekly"}}, "outcomes": [{"name": "liking", "table": "weekly"WHERE}]}`
	want, err := Analyse(parse(t, strings.Replace(plan, "WHERE", "", 1)), fr, "file", nil)
	if err != nil {
		t.Fatal(err)
	}
	// Four more rows: blank participant, arm and week, and a week before.
	rows := make([]int, fr.Rows()+4)
	weekly, _ := fr.Column("file")
	from := slices.Index(weekly.Codes, int32(slices.Index(weekly.Levels, "weekly")))
	for i := range rows {
		if rows[i] = i; i >= fr.Rows() {
			rows[i] = from
		}
	}
	long := fr.Select(rows)
	for name, value := range map[string][4]string{"id": {"", "x", "y", "z"}, "arm": {"a", " ", "a", "a"}, "week": {"week 1", "week 1", "", "before"}, "lambda": {"1", "1", "1", "1"}} {
		c, _ := long.Column(name)
		text, missing := make([]string, long.Rows()), make([]bool, long.Rows())
		for i := range text {
			if missing[i] = c.Missing(i); missing[i] {
				continue
			}
			if text[i] = c.ToFactor().Levels[c.ToFactor().Codes[i]]; name == "week" {
				text[i] = "week " + text[i]
			}
		}
		for k, v := range value {
			text[fr.Rows()+k] = v
		}
		made := frame.New(long.Rows())
		if err := made.AddStrings(name, text, missing); err != nil {
			t.Fatal(err)
		}
		column, _ := made.Column(name)
		if long, err = long.With(column); err != nil {
			t.Fatal(err)
		}
	}
	_, err = Analyse(parse(t, strings.Replace(plan, "WHERE", "", 1)), long, "file", nil)
	if err == nil || !strings.Contains(err.Error(), `"before" does not end in a number`) {
		t.Errorf("a week without a number: %v", err)
	}
	got, err := Analyse(parse(t, strings.Replace(plan, "WHERE", `, "where": {"week": ["", "week 1", "week 2", "week 3", "week 4"]}`, 1)), long, "file", nil)
	if err != nil {
		t.Fatal(err)
	}
	sameNumbers(t, got.Rows, want.Rows)
	for text, want := range map[string]string{"am1 pm1": "would both be the time 1", "one": "does not end in a number", "2025-01-31 2025-02-28": "cannot be told", "day-3 day0": "cannot be told"} {
		f := frame.New(2)
		if err := f.AddStrings("t", []string{strings.Fields(text)[0], text[strings.LastIndex(text, " ")+1:]}, nil); err != nil {
			t.Fatal(err)
		}
		c, _ := f.Column("t")
		if _, err := timeOf(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestSupport: contrasts of lambdas that the data do not have, and of lambdas
// that are not the two sides of 0.
func TestSupport(t *testing.T) {
	fr, _ := input(t)
	plan := `{"measure": "m", "participant": "id", "lambda": {"column": "lambda"HIGH}, "tables": {"once": {"file": "once"}},
		"outcomes": [{"name": "after", "table": "once", "where": {"lambda": [0, 0.5, 1]}, "form": "linear"}]}`
	result, err := Analyse(parse(t, strings.Replace(plan, "HIGH", "", 1)), fr, "file", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range result.Rows {
		if r.Kind == "main_effect_RS" && (!math.IsNaN(r.Estimate.Estimate) || r.Spec != "coarsened" && !strings.Contains(r.Note, "outside the data") || r.Note == "") {
			t.Errorf("%s: %v, %q", r.Spec, r.Estimate, r.Note)
		}
	}
	result, err = Analyse(parse(t, strings.Replace(plan, "HIGH", `, "high": [0.5, 1], "low": [0], "specs": [{"name": "top", "high": 1, "low": 0}]`, 1)), fr, "file", nil)
	if err != nil {
		t.Fatal(err)
	}
	y := map[string]float64{}
	for _, r := range result.Rows {
		if math.IsNaN(r.Estimate.Estimate) {
			t.Errorf("%s %s: %s", r.Test, r.Spec, r.Note)
		}
		if r.Kind == "main_effect_RS" {
			if r.Test != "RS: Avg(0.5, 1) - Avg(0)" {
				t.Errorf("test %q", r.Test)
			}
			y[r.Spec] = r.Estimate.Estimate
		}
	}
	// A line: 0.75 and 1 times its slope. The factor of sign: means of arms.
	if math.Abs(y["primary"]/y["top"]-0.75) > 1e-9 || y["coarsened"] == 0 || y["coarsened"] == y["primary"] {
		t.Errorf("%v", y)
	}
}

// TestWeightedParticipants: those without a weight are not counted.
func TestWeightedParticipants(t *testing.T) {
	fr, _ := input(t)
	p := parse(t, `{"measure": "m", "participant": "id", "lambda": {"column": "lambda"}, "level": 0.9,
		"tables": {"once": {"file": "once"}}, "outcomes": [{"name": "after", "table": "once", "form": "linear"}],
		"weights": {"stay": {"dropout": "left ~ age", "table": "once", "max": 5}}, "robustness": [{"name": "ipw", "weights": "stay"}]}`)
	result, err := Analyse(p, fr, "file", nil)
	if err != nil {
		t.Fatal(err)
	}
	left, _ := fr.Column("left")
	file, _ := fr.Column("file")
	stayed := 0
	for i, v := range left.Num {
		if v == 0 && file.Levels[file.Codes[i]] == "once" {
			stayed++
		}
	}
	for _, r := range result.Rows {
		want := 60
		if r.Spec == "ipw" {
			want = stayed
		}
		if r.N != want || r.Participants != want {
			t.Errorf("%s %s: %d rows, %d participants, want %d", r.Test, r.Spec, r.N, r.Participants, want)
		}
		// qt(0.95, 58) = 1.6715528: limits at 90%, of as many df as the model has.
		if r.Spec == "narrow" && math.Abs((r.Upper-r.Estimate.Estimate)/r.SE-1.671552762) > 1e-7 {
			t.Errorf("half width of a 90%% interval: %v standard errors", (r.Upper-r.Estimate.Estimate)/r.SE)
		}
	}
}

// TestRecodeNumbers: texts become a binary outcome.
func TestRecodeNumbers(t *testing.T) {
	fr := frameOf(t, []map[string]any{{"a": "yes"}, {"a": "no"}, {"a": nil}, {"a": "7"}})
	made, err := recode(fr, "b", Recode{From: "a", Values: map[string]any{"yes": 1.0, "no": 0.0}})
	if err != nil {
		t.Fatal(err)
	}
	b, _ := made.Column("b")
	if b.Kind != frame.Numeric || b.Num[0] != 1 || b.Num[1] != 0 || !math.IsNaN(b.Num[2]) || b.Num[3] != 7 {
		t.Errorf("%+v", b)
	}
	if _, err := recode(fr, "b", Recode{From: "a", Values: map[string]any{"yes": 1.0}}); err == nil || !strings.Contains(err.Error(), `"no" is not a number`) {
		t.Error(err)
	}
}

// TestSeparated: a logistic model without finite estimates is a row that says
// which coefficients; a dropout model is fitted with a penalty and noted.
func TestSeparated(t *testing.T) {
	fr, _ := input(t)
	lambda, _ := fr.Column("lambda")
	age, _ := fr.Column("age")
	said, gone := make([]float64, fr.Rows()), make([]float64, fr.Rows())
	for i := range said {
		if lambda.Num[i] > 0 {
			said[i] = 1
		}
		if age.Num[i] > 45 {
			gone[i] = 1
		}
	}
	for name, v := range map[string][]float64{"said": said, "gone": gone} {
		if err := fr.AddNumeric(name, v); err != nil {
			t.Fatal(err)
		}
	}
	p := parse(t, `{"measure": "m", "participant": "id", "lambda": {"column": "lambda"}, "tables": {"once": {"file": "once"}},
		"outcomes": [{"name": "said", "table": "once", "kind": "binary"}, {"name": "after", "table": "once", "form": "linear"}],
		"weights": {"stay": {"dropout": "gone ~ age", "table": "once"}}, "robustness": [{"name": "ipw", "weights": "stay", "outcomes": ["after"]}]}`)
	result, err := Analyse(p, fr, "file", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range result.Rows {
		if r.Outcome == "said" && (!strings.Contains(r.Note, "separation") || !strings.Contains(r.Note, "lambda") || r.Kind != "failed") {
			t.Errorf("%s %s: %q", r.Test, r.Kind, r.Note)
		}
		if r.Spec == "ipw" && (!strings.Contains(r.Note, "Firth") || math.IsNaN(r.Estimate.Estimate)) {
			t.Errorf("%s: %v %q", r.Test, r.Estimate, r.Note)
		}
	}
}

// TestManyDoses: a dose that everybody has another of, and a construct with an
// item that is constant.
func TestManyDoses(t *testing.T) {
	fr, _ := input(t)
	n := fr.Rows()
	dose, flat := make([]float64, n), make([]float64, n)
	for i := range dose {
		dose[i], flat[i] = float64(i%60), 4
	}
	for name, v := range map[string][]float64{"dose": dose, "flat": flat} {
		if err := fr.AddNumeric(name, v); err != nil {
			t.Fatal(err)
		}
	}
	result, err := Analyse(parse(t, `{"measure": "m", "participant": "id", "lambda": {"column": "dose", "high": [45], "low": [15], "specs": []}, "tables": {"once": {"file": "once"}, "single": {"file": "single"}},
		"outcomes": [{"name": "after", "table": "once"}, {"name": "pair", "table": "single", "items": ["first", "flat"]}]}`), fr, "file", nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Means) > 2*21 {
		t.Errorf("%d means of two outcomes", len(result.Means))
	}
	for _, r := range result.Rows {
		if r.Outcome == "pair" && !strings.Contains(r.Note, `the item "flat" is 4 in every row`) {
			t.Errorf("%s: %q", r.Test, r.Note)
		}
		if r.Kind == "main_effect_RS" && r.Spec == "primary" && (r.Test != "RS: Avg(45) - Avg(15)" || math.IsNaN(r.Estimate.Estimate)) {
			t.Errorf("%s: %v %s", r.Test, r.Estimate, r.Note)
		}
	}
}

// TestAliased: an effect that another column has too is not estimable, and the
// others are.
func TestAliased(t *testing.T) {
	fr, _ := input(t)
	arm, _ := fr.Column("arm")
	if err := fr.AddFactor("copy", arm.Codes, []string{"x", "y"}); err != nil {
		t.Fatal(err)
	}
	result, err := Analyse(parse(t, strings.Replace(plainPlan, `["age"]`, `["copy"]`, 1)), fr, "file", nil)
	if err != nil {
		t.Fatal(err)
	}
	effect := map[string]float64{}
	for _, r := range result.Rows {
		if r.Spec == "adjusted" && r.Test == "arm: b - a" && (!math.IsNaN(r.Estimate.Estimate) || !strings.Contains(r.Note, "not estimable") || !strings.Contains(r.Note, "copyy")) {
			t.Errorf("%s: %v %q", r.Outcome, r.Estimate, r.Note)
		}
		if r.Kind == "main_effect_RS" && r.Spec == "primary" {
			effect[r.Outcome] = r.Estimate.Estimate
		}
		if r.Kind == "main_effect_RS" && r.Spec == "adjusted" && math.Abs(r.Estimate.Estimate-effect[r.Outcome]) > 1e-6 {
			t.Errorf("%s: %v beside a copy of a factor, %v without", r.Outcome, r.Estimate.Estimate, effect[r.Outcome])
		}
	}
}

// TestMistakePaths: every mistake is at its key.
func TestMistakePaths(t *testing.T) {
	for change, want := range map[[2]string][2]string{
		{`"name": "liking"`, `"name": "likin"`}:                                       {"outcomes.0.name", `did you mean "liking"`},
		{`"column": "arm"`, `"column": "armm"`}:                                       {"factors.0.column", `did you mean "arm"`},
		{`"baseline": "before"`, `"baseline": "befor"`}:                               {"outcomes.2.baseline", `did you mean "before"`},
		{`"baseline": "before"`, `"baseline": "after"`}:                               {"outcomes.2.baseline", "its own column"},
		{`"column": "week"`, `"column": "weeek"`}:                                     {"time.column", `did you mean "week"`},
		{`["first", "second"]`, `["first", "secnd"]`}:                                 {"outcomes.1.items.1", `did you mean "second"`},
		{`"covariates": ["age"]`, `"covariates": ["aeg"]`}:                            {"robustness.0.covariates.0", `did you mean "age"`},
		{`"covariates": ["age"]`, `"covariates": ["liking"]`}:                         {"robustness.0.covariates.0", "is the outcome"},
		{`"column": "lambda"`, `"column": "lambda", "high": [1], "low": [1]`}:         {"lambda.high", "both high and low"},
		{`{"column": "arm"}`, `{"column": "arm", "marks": ["x", "y"]}`}:               {"factors.0.marks", "give levels too"},
		{`"covariates": ["age"]`, `"covariates": ["pi"]`}:                             {"robustness.0.covariates.0", "constant in formulas"},
		{`{"column": "arm"}`, `{"column": "mode", "label": "x"}`}:                     {"factors.1.column", "given twice"},
		{`{"column": "arm"}`, `{"column": "arm", "label": "RS"}`}:                     {"factors.0", "another's too"},
		{`"name": "adjusted"`, `"name": "full"`}:                                      {"robustness.0.name", "taken"},
		{`"table": "weekly"}, {"name": "pair"`, `"table": "wekly"}, {"name": "pair"`}: {"outcomes.0.table", `did you mean "weekly"`},
	} {
		fr, _ := input(t)
		p, err := Parse([]byte(strings.Replace(plainPlan, change[0], change[1], 1)))
		if err == nil {
			err = p.CheckColumns(fr.Names())
		}
		bad, ok := err.(Mistakes)
		if !ok || bad[0].Path != want[0] || !strings.Contains(err.Error(), want[1]) {
			t.Errorf("%s: %+v, want %v", change[1], err, want)
		}
	}
}
