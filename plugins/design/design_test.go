package main

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/seed-4012077a/flow/sdk/go/sdktest"
)

func TestRandomise(t *testing.T) {
	out, err := sdktest.Run(t, randomiseOperator(), `{"n": 8, "factors": [{"name": "lambda", "levels": [-1, 0, 1, 2]}, {"name": "domain", "levels": ["a", "b"]}], "strata": [{"name": "site", "levels": ["x", "y"]}]}`, 5, nil)
	if err != nil {
		t.Fatal(err)
	}
	rows := out["list"].Rows
	if len(rows) != 16 {
		t.Fatalf("%d rows", len(rows))
	}
	arms := map[string]int{}
	for i, r := range rows {
		arms[fmt.Sprint(r["site"], r["lambda"], r["domain"])]++
		if want := int64(i/8) + 1; r["stratum"] != want || r["place"] != int64(i%8)+1 || r["block"] != int64(1) {
			t.Errorf("row %d: %v", i, r)
		}
	}
	if len(arms) != 16 {
		t.Errorf("a block of 8 has each of 8 arms once: %v", arms)
	}
	for params, want := range map[string]string{
		`{"n": 8, "factors": [{"name": "place", "levels": ["a"]}]}`:               "two columns",
		`{"n": 8, "factors": [{"name": "a", "levels": ["x", "x"]}]}`:              "twice",
		`{"n": 8, "blocks": [0, 1], "factors": [{"name": "a", "levels": ["x"]}]}`: "block size of 0",
	} {
		if _, err := sdktest.Run(t, randomiseOperator(), params, 5, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", params, err)
		}
	}
}

// oneDose is a trial of two arms, SD 1, and a difference of 0.5 between them.
const oneDose = `{"participants": %d, "factors": [{"name": "lambda", "levels": [-1, 1]}],
	"outcomes": [{"name": "y", "formula": "~ lambda", "coefficients": {"lambda": %g}, "sd": 1}]}`

const onePlan = `{"measure": "m", "participant": "ppt", "lambda": {"column": "lambda", "high": [1], "low": [-1], "specs": [], "forms": ["linear"]}, "studies": [{"name": "all", "tests": ["main"]}], "outcomes": [{"name": "y"}]}`

func TestSimulate(t *testing.T) {
	params := fmt.Sprintf(`{"trial": %s}`, fmt.Sprintf(oneDose, 40, 0.25))
	out, err := sdktest.Run(t, simulateOperator(), params, 5, nil)
	if err != nil {
		t.Fatal(err)
	}
	rows := out["rows"].Rows
	if len(rows) != 40 || rows[0]["simulated"] != "simulated" || rows[0]["ppt"] != "S01" {
		t.Fatalf("%d rows, %v", len(rows), rows[0])
	}
	if _, err := sdktest.Run(t, simulateOperator(), strings.Replace(params, `{"lambda": 0.25}`, `{"lamda": 1}`, 1), 5, nil); err == nil || !strings.Contains(err.Error(), `no coefficient "lamda"`) {
		t.Error(err)
	}
}

// TestFlow counts a simulated trial's flow from its participants, and finds
// at each time as many as there are rows.
func TestFlow(t *testing.T) {
	out, err := sdktest.Run(t, simulateOperator(), `{"trial": {"participants": 60, "factors": [{"name": "lambda", "levels": [-1, 1]}], "covariates": [{"name": "age", "levels": ["young", "old"]}],
		"time": "week", "times": [1, 2.5, 4], "attrition": {"formula": "~ lambda", "coefficients": {"(Intercept)": -1}},
		"outcomes": [{"name": "y", "formula": "~ lambda", "coefficients": {}, "sd": 1}]}}`, 5, nil)
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]int{}
	for _, r := range out["rows"].Rows {
		there[fmt.Sprint(r["week"], " ", r["lambda"])]++
	}
	people := out["participants"]
	if len(people.Rows) != 60 || people.Rows[0]["simulated"] != "simulated" || people.Rows[0]["age"] == nil {
		t.Fatalf("%d participants, %v", len(people.Rows), people.Rows[0])
	}
	out, err = sdktest.Run(t, consortOperator(), `{"arms": ["lambda"], "stages": [{"name": "1", "lost": "left_after", "lost_values": ["1"]}, {"name": "2.5", "lost": "left_after", "lost_values": ["2.5"]}, {"name": "4"}]}`, 1, sdktest.Tables{"participants": people})
	if err != nil {
		t.Fatal(err)
	}
	counted := 0
	for _, r := range out["flow"].Rows {
		if r["simulated"] != "simulated" {
			t.Fatalf("not marked as simulated: %v", r)
		}
		if r["reason"] != nil {
			continue
		}
		counted++
		if want := there[fmt.Sprint(r["stage"], " ", strings.TrimPrefix(r["arm"].(string), "lambda "))]; r["n"] != int64(want) || want == 0 {
			t.Errorf("stage %v, arm %v: %v, and %d have rows", r["stage"], r["arm"], r["n"], want)
		}
	}
	if counted != 6 || there["4 -1"] == 30 {
		t.Errorf("%d boxes, %v", counted, there)
	}
}

// TestPower compares power by simulation with the noncentral t distribution:
// n = 64 an arm and d = 0.5 give 0.8015 (R: power.t.test(64, 0.5)), and no
// effect gives alpha. The limits are four standard errors.
func TestPower(t *testing.T) {
	for _, c := range []struct{ slope, want float64 }{{0.25, 0.8015}, {0, 0.05}} {
		out, err := sdktest.Run(t, replicatesOperator(), `{"participants": [128], "replicates": 600}`, 3, nil)
		if err != nil {
			t.Fatal(err)
		}
		out, err = sdktest.Run(t, testOperator(), fmt.Sprintf(`{"trial": %s, "plan": %s}`, fmt.Sprintf(oneDose, 1, c.slope), onePlan), 1, sdktest.Tables{"replicates": out["replicates"]})
		if err != nil {
			t.Fatal(err)
		}
		out, err = sdktest.Run(t, powerOperator(), `{}`, 1, sdktest.Tables{"results": out["results"]})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range out["power"].Rows {
			if r["spec"] != "primary" {
				continue
			}
			got := r["power"].(float64)
			if se := math.Sqrt(c.want * (1 - c.want) / 600); math.Abs(got-c.want) > 4*se || r["trials"] != int64(600) || r["participants"] != int64(128) {
				t.Errorf("power %v, want %v: %v", got, c.want, r)
			}
			if mean := r["mean_estimate"].(float64); math.Abs(mean-2*c.slope) > 4*math.Sqrt(2.0/64/600) {
				t.Errorf("mean estimate %v", mean)
			}
			if !(r["ci_lower"].(float64) < got && got < r["ci_upper"].(float64)) {
				t.Errorf("limits: %v", r)
			}
		}
	}
}

// TestPowerCounts: trials whose outcome could not be analysed are failures of
// each of its tests, and tests that are not corrected have no corrected power.
func TestPowerCounts(t *testing.T) {
	results := sdktest.Of("participants: int64, study_type: utf8, outcome: utf8, test: utf8, spec: utf8, estimate: float64, lower_cl: float64, upper_cl: float64, p_raw: float64, p_local: float64, note: utf8")
	add := func(test, spec string, p, local any, note any) {
		r := sdktest.Row{"participants": 10, "study_type": "s", "outcome": "y", "test": test, "spec": spec, "note": note, "p_raw": p, "p_local": local}
		if p != nil {
			r["estimate"], r["lower_cl"], r["upper_cl"] = 1.0, 0.0, 2.0
		}
		results.Rows = append(results.Rows, r)
	}
	add("effect", "primary", 0.01, 0.06, "singular fit")
	add("effect", "coarsened", 0.01, nil, "singular fit")
	add("all", "primary", nil, nil, "one value")
	add("effect", "primary", 0.02, 0.04, nil)
	add("effect", "coarsened", nil, nil, "not estimable")
	add("all", "adjusted", nil, nil, "missing")
	for p, want := range map[string][]string{
		"p_raw":   {"effect primary 2 1 1 one value", "effect coarsened 1 2 1 not estimable", "all adjusted 0 1 <nil> missing"},
		"p_local": {"effect primary 2 1 0.5 one value", "all adjusted 0 1 <nil> missing"},
	} {
		out, err := sdktest.Run(t, powerOperator(), `{"p": "`+p+`"}`, 1, sdktest.Tables{"results": results})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range out["power"].Rows {
			got = append(got, fmt.Sprint(r["test"], " ", r["spec"], " ", r["trials"], " ", r["failed"], " ", r["power"], " ", r["note"]))
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s: %q, want %q", p, got, want)
		}
	}
	if _, err := sdktest.Run(t, replicatesOperator(), `{"participants": [10, 20, 10]}`, 3, nil); err == nil || !strings.Contains(err.Error(), "given twice") {
		t.Error(err)
	}
	plan := strings.Replace(onePlan, `"y"`, `"z"`, 1)
	if _, err := sdktest.Run(t, testOperator(), fmt.Sprintf(`{"trial": %s, "plan": %s}`, fmt.Sprintf(oneDose, 1, 1.0), plan), 1, sdktest.Tables{"replicates": sdktest.Of("participants: int64, replicate: int64, seed: uint64")}); err == nil || !strings.Contains(err.Error(), `no column "z"`) {
		t.Error(err)
	}
}

func TestConsort(t *testing.T) {
	people := sdktest.Of("arm: utf8, dose: float64, withdrew: bool, end: utf8, why: utf8",
		sdktest.Row{"withdrew": true, "why": "declined"},
		sdktest.Row{"arm": "a", "dose": 1.0, "withdrew": false, "end": "lost", "why": "moved"},
		sdktest.Row{"arm": "a", "dose": 1.0, "withdrew": nil, "end": "stayed"},
		sdktest.Row{"arm": "b", "dose": 1.0, "withdrew": false, "end": "stayed"})
	params := `{"arms": ["arm", "dose"], "randomised": "randomised", "stages": [
		{"name": "assessed", "lost": "withdrew", "reason": "why"}, {"name": "randomised", "lost": "end", "lost_values": ["lost"], "reason": "why"}, {"name": "analysed"}]}`
	out, err := sdktest.Run(t, consortOperator(), params, 0, sdktest.Tables{"participants": people})
	if err != nil {
		t.Fatal(err)
	}
	row := func(stage string, step int, arm any, n, lost int, reason any) sdktest.Row {
		return sdktest.Row{"stage": stage, "step": step, "arm": arm, "n": n, "lost": lost, "reason": reason}
	}
	sdktest.Equal(t, out["flow"],
		row("assessed", 1, nil, 4, 1, nil), row("assessed", 1, nil, 4, 1, "declined"),
		row("randomised", 2, "a dose 1", 2, 1, nil), row("randomised", 2, "a dose 1", 2, 1, "moved"), row("randomised", 2, "b dose 1", 1, 0, nil),
		row("analysed", 3, "a dose 1", 1, 0, nil), row("analysed", 3, "b dose 1", 1, 0, nil))
	for change, want := range map[[2]string]string{
		{`"arm", "dose"`, `"amr"`}:                                           `did you mean "arm"`,
		{`"lost_values": ["lost"], `, ``}:                                    "lost_values",
		{`"randomised": "randomised"`, `"randomised": "treated"`}:            "none of",
		{`"lost": "withdrew", `, ``}:                                         "assessed",
		{`{"name": "analysed"}`, `{"name": "analysed", "lost": "withdrew"}`}: "after the last stage",
	} {
		if _, err := sdktest.Run(t, consortOperator(), strings.Replace(params, change[0], change[1], 1), 0, sdktest.Tables{"participants": people}); err == nil {
			t.Errorf("%s passes, want %q", change[1], want)
		} else if !strings.Contains(err.Error(), want) && !strings.Contains(err.Error(), "names a reason") {
			t.Errorf("%s: %v, want %q", change[1], err, want)
		}
	}
}
