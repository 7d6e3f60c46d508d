package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	sdk "github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/go/sdktest"
)

// weekly is a table of the library's reference trial.
func weekly(t *testing.T) sdktest.Table {
	t.Helper()
	data, err := os.ReadFile("../../sdk/stats/trial/testdata/trial.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct{ Weekly []sdktest.Row }
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	table := sdktest.Of("id: utf8, lambda: float64, arm: utf8, mode: utf8, week: float64, liking: float64, other: utf8")
	for _, row := range doc.Weekly {
		r := sdktest.Row{"other": "x"}
		for _, f := range table.Schema.Fields {
			if v, ok := row[f.Name]; ok {
				r[f.Name] = v
			}
		}
		table.Rows = append(table.Rows, r)
	}
	return table
}

const weeklyPlan = `{"plan": {"measure": "small", "participant": "id", "lambda": {"column": "lambda"}, "factors": [{"column": "arm"}, {"column": "mode"}], "time": {"column": "week"},
	"outcomes": [{"name": "liking"}], "associations": [{"outcome": "mode", "treatments": ["arm"]}]}}`

// TestAnalyse: the library's numbers (its own tests compare them with R) in
// the tables' columns.
func TestAnalyse(t *testing.T) {
	out, err := sdktest.Run(t, analyseOperator(), weeklyPlan, 0, sdktest.Tables{"data": weekly(t)})
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, r := range out["contrasts"].Rows {
		counts[r["test_type"].(string)]++
		if r["test"] == "Slope: pos_λ × b" && r["spec"] == "primary" && (r["lambda_level"] != "pos_λ" || r["arm_level"] != "b" || r["mode_level"] != nil || r["slope_type"] != "2way") {
			t.Errorf("levels of a slope: %v", r)
		}
		if r["test_type"] == "main_effect_RS" && r["spec"] == "primary" {
			// lme4, pbkrtest and emmeans: 8.1260502, [2.7544410, 13.4976594].
			if e := r["estimate"].(float64); e < 8.12605 || e > 8.12606 || r["form"] != "cubic" || r["p_global"] == nil || r["df"] == nil || r["measure_family"] != "small" {
				t.Errorf("primary contrast: %v", r)
			}
		}
	}
	for kind, want := range map[string]int{"main_effect_RS": 4, "main_effect_arm": 2, "dose_response": 3, "moderation": 4, "simple_effect": 4, "temporal_main": 2, "temporal_interaction": 6, "temporal_simple": 6, "temporal_coefficient": 4, "association": 1} {
		if counts[kind] != want {
			t.Errorf("%d rows of %s, want %d", counts[kind], kind, want)
		}
	}
	roles := map[string]bool{}
	for _, r := range out["models"].Rows {
		roles[r["role"].(string)] = true
	}
	for _, want := range []string{"linear", "quadratic", "cubic", "full", "additive", "coarsened"} {
		if !roles[want] {
			t.Errorf("no model %s among %v", want, roles)
		}
	}
	if n := len(out["components"].Rows); n != 6*4 {
		t.Errorf("%d components: two variances, their covariance and the residual's, of three forms and three models", n)
	}
	kinds := map[any]int{}
	for _, r := range out["means"].Rows {
		kinds[r["kind"]]++
	}
	if kinds["trajectory"] != 20 || kinds["observed"] != 25 || kinds["dose"] != 5*21 {
		t.Errorf("means %v", kinds)
	}
	if n := len(out["associations"].Rows); n != 4 {
		t.Errorf("%d cells of a 2 x 2 table", n)
	}
}

func TestPlanErrors(t *testing.T) {
	for change, want := range map[[2]string]string{
		{`"column": "lambda"`, `"column": "lamda"`}:                     `did you mean "lambda"`,
		{`{"column": "mode"}`, `{"column": "moed"}`}:                    `did you mean "mode"`,
		{`"measure": "small", `, `"measure": "small", "df": "kr", `}:    "df",
		{`{"name": "liking"}`, `{"name": "liking", "column": "other"}`}: "holds texts",
	} {
		_, err := sdktest.Run(t, analyseOperator(), strings.Replace(weeklyPlan, change[0], change[1], 1), 0, sdktest.Tables{"data": weekly(t)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", change[1], err)
		}
	}
}

// TestMistakesAtOpening: what is wrong with a plan is said at its key before
// anything runs, and ids that floating point cannot tell apart are an error.
func TestMistakesAtOpening(t *testing.T) {
	empty := sdktest.Tables{"data": sdktest.Of("id: utf8, lambda: float64, arm: utf8, mode: utf8, week: float64, liking: float64")}
	for change, want := range map[[2]string][2]string{
		{`{"name": "liking"}`, `{"name": "liking"}, {"name": "likin"}`}: {"plan.outcomes.1.name", `did you mean "liking"`},
		{`{"column": "mode"}`, `{"column": "moed"}`}:                    {"plan.factors.1.column", `did you mean "mode"`},
		{`"treatments": ["arm"]`, `"treatments": ["amr"]`}:              {"plan.associations.0.treatments", `did you mean "arm"`},
	} {
		_, err := sdktest.Run(t, analyseOperator(), strings.Replace(weeklyPlan, change[0], change[1], 1), 0, empty)
		if err == nil || !strings.Contains(err.Error(), want[0]) || !strings.Contains(err.Error(), want[1]) {
			t.Errorf("%s: %v", change[1], err)
		}
	}
	large := sdktest.Of("id: int64, lambda: float64, arm: utf8, mode: utf8, week: float64, liking: float64",
		sdktest.Row{"id": 9007199254740993, "lambda": 1.0, "arm": "a", "mode": "on", "week": 1.0, "liking": 2.0})
	if _, err := sdktest.Run(t, analyseOperator(), weeklyPlan, 0, sdktest.Tables{"data": large}); err == nil || !strings.Contains(err.Error(), "give them as texts") {
		t.Error(err)
	}
}

// TestMadeParticipant: the participants' column may be one that a table makes,
// and a plan may have associations alone.
func TestMadeParticipant(t *testing.T) {
	made := strings.Replace(weeklyPlan, `"participant": "id"`, `"participant": "who", "tables": {"t": {"recode": {"who": {"from": "id", "values": {}}}}}`, 1)
	made = strings.Replace(strings.Replace(made, `{"name": "liking"`, `{"name": "liking", "table": "t"`, 1), `{"outcome": "mode"`, `{"outcome": "mode", "table": "t"`, 1)
	for _, plan := range []string{made, strings.Replace(strings.Replace(made, `"outcomes": [{"name": "liking", "table": "t"}], `, ``, 1), `"who", `, `"nobody", `, 1)} {
		out, err := sdktest.Run(t, analyseOperator(), plan, 0, sdktest.Tables{"data": weekly(t)})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(out["associations"].Rows); n != 4 {
			t.Errorf("%d cells", n)
		}
		for _, r := range out["contrasts"].Rows {
			if r["estimate"] == nil {
				t.Errorf("%v", r)
			}
		}
	}
}

// TestMark: what was found in simulated rows says so in every table.
func TestMark(t *testing.T) {
	data := weekly(t)
	data.Schema = data.Schema.With(sdk.Field{Name: "simulated", Type: sdk.Utf8, Nullable: true})
	for i := range data.Rows {
		data.Rows[i]["simulated"] = "simulated"
	}
	out, err := sdktest.Run(t, analyseOperator(), weeklyPlan, 0, sdktest.Tables{"data": data})
	if err != nil {
		t.Fatal(err)
	}
	for port, table := range out {
		if len(table.Rows) == 0 {
			t.Errorf("no %s", port)
		}
		for _, r := range table.Rows {
			if r["simulated"] != "simulated" {
				t.Fatalf("%s: a row without its mark: %v", port, r)
			}
		}
	}
}

// TestLargeIDs: participants whose numbers floating point cannot tell apart are
// refused, whole numbers of 64 bits and greater ones that come as floats.
func TestLargeIDs(t *testing.T) {
	for typ, id := range map[string]any{"int64": int64(1e17), "float64": 1e19} {
		data := weekly(t)
		data.Schema = sdktest.Of("id: " + typ).Schema.With(data.Schema.Without("id").Fields...)
		for i := range data.Rows {
			data.Rows[i]["id"] = id
		}
		if _, err := sdktest.Run(t, analyseOperator(), weeklyPlan, 0, sdktest.Tables{"data": data}); err == nil || !strings.Contains(err.Error(), "more than 15 digits") {
			t.Errorf("%s: %v", typ, err)
		}
	}
}
