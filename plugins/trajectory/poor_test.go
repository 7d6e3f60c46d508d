package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seed-4012077a/flow/plugins/internal/resulttest"
	"github.com/seed-4012077a/flow/sdk/go/sdktest"
)

// few is a table of two participants at two times, with an outcome that is
// never answered and one that never varies.
func few() sdktest.Table {
	return sdktest.Of("id: int64, day: int64, mood: float64, empty: float64, same: int64, word: utf8",
		sdktest.Row{"id": 1, "day": 0, "mood": 3.0, "same": 1, "word": "a"}, sdktest.Row{"id": 1, "day": 1, "mood": 4.0, "same": 1, "word": "a"},
		sdktest.Row{"id": 2, "day": 0, "mood": 1.0, "same": 1, "word": "b"}, sdktest.Row{"id": 2, "day": 1, "mood": 2.5, "same": 1, "word": "b"},
		sdktest.Row{"id": nil, "day": 1, "mood": 2.5, "same": 1, "word": "b"})
}

func TestSlopesThatCannotBe(t *testing.T) {
	in := sdktest.Tables{"data": few()}
	for column, want := range map[string]string{"empty": "no row has an answer", "same": ""} {
		out := resulttest.Run(t, slopesOperator(), `{"outcomes": ["`+column+`"], "time": "day", "participant": "id"}`, 0, in)
		if len(out["slopes"].Rows) != 2 {
			t.Errorf("%s: %d rows, want a row for each participant", column, len(out["slopes"].Rows))
		}
		for _, r := range out["slopes"].Rows {
			if r["slope"] != nil || r["note"] == nil || !strings.Contains(fmt.Sprint(r["note"]), want) {
				t.Errorf("%s: %v", column, r)
			}
		}
		if f := out["fit"].Rows[0]; f["note"] == nil || f["criterion"] != nil {
			t.Errorf("%s: fit %v", column, f)
		}
	}
}

// One time alone has no slope.
func TestOneTime(t *testing.T) {
	out := resulttest.Run(t, slopesOperator(), `{"outcomes": ["mood"], "time": "same", "participant": "id"}`, 0, sdktest.Tables{"data": few()})
	for _, r := range out["slopes"].Rows {
		if !strings.Contains(fmt.Sprint(r["note"]), `column "same" is 1 in all 4 rows`) {
			t.Errorf("%v", r)
		}
	}
}

// An arm that no row is in, a misspelt level say, is named.
func TestEmptyArm(t *testing.T) {
	out := resulttest.Run(t, compareOperator(), `{"outcome": "same", "comparisons": [{"name": "x", "treated": {"word": "aa"}, "control": {"word": "b"}}]}`, 0, sdktest.Tables{"rows": few()})
	for _, r := range out["comparisons"].Rows {
		if !strings.Contains(fmt.Sprint(r["note"]), "no row with an outcome is in the treated arm (word = aa)") {
			t.Errorf("%v", r)
		}
	}
}

// Participants who all change alike have one slope, and are told so.
func TestSingularSlopes(t *testing.T) {
	var rows []sdktest.Row
	for p := range 6 {
		for day := range 4 {
			rows = append(rows, sdktest.Row{"id": p, "day": day, "mood": float64(10*p+2*day) + float64((p+day)%2*2-1)})
		}
	}
	out := resulttest.Run(t, slopesOperator(), `{"outcomes": ["mood"], "time": "day", "participant": "id"}`, 0, sdktest.Tables{"data": sdktest.Of("id: int64, day: int64, mood: float64", rows...)})
	if out["fit"].Rows[0]["singular"] != true {
		t.Fatalf("fit %v", out["fit"].Rows[0])
	}
	for _, r := range out["slopes"].Rows {
		if !strings.Contains(fmt.Sprint(r["note"]), "singular") {
			t.Errorf("%v has no note", r)
		}
	}
}

func TestErrors(t *testing.T) {
	in := sdktest.Tables{"data": few()}
	slopes := slopesOperator()
	resulttest.Fails(t, slopes, `{"outcomes": ["moood"], "time": "day", "participant": "id"}`, in, `"mood"`)
	resulttest.Fails(t, slopes, `{"outcomes": ["word"], "time": "day", "participant": "id"}`, in, "a number is needed")
	resulttest.Fails(t, slopes, `{"outcomes": ["mood"], "time": "day", "participant": "idd"}`, in, `parameter participant`)
	resulttest.Fails(t, slopes, `{"outcomes": ["day"], "time": "day", "participant": "id"}`, in, "two parts")
	resulttest.Fails(t, slopes, `{"outcomes": ["mood"], "time": "day", "participant": "id"}`, sdktest.Tables{"data": sdktest.Of("id: int64, day: int64, mood: float64")}, "no rows")

	s := sdktest.Of("id: int64, slope: float64", sdktest.Row{"id": 1, "slope": 0.5}, sdktest.Row{"id": 2, "slope": -0.5})
	twice := sdktest.Of("id: int64, slope: float64", sdktest.Row{"id": 1, "slope": 0.5}, sdktest.Row{"id": 1, "slope": 0.4})
	profiles := profilesOperator()
	resulttest.Fails(t, profiles, `{"participant": "id"}`, sdktest.Tables{"liking": s, "wanting": twice}, "two rows")
	resulttest.Fails(t, profiles, `{"participant": "id", "arms": ["lambda"]}`, sdktest.Tables{"liking": s, "wanting": s}, "not connected")
	resulttest.Fails(t, profiles, `{"participant": "id", "liking_slope": "slop"}`, sdktest.Tables{"liking": s, "wanting": s}, `"slope"`)
	resulttest.Fails(t, profiles, `{"participant": "id", "names": {"both": "x", "liking": "x"}}`, sdktest.Tables{"liking": s, "wanting": s}, "two profiles")
	resulttest.Fails(t, profiles, `{"participant": "id", "arms": ["arm"]}`, sdktest.Tables{"liking": s, "wanting": s,
		"participants": sdktest.Of("id: int64, arm: utf8", sdktest.Row{"id": 1, "arm": "a"}, sdktest.Row{"id": 1, "arm": "b"})}, `"a" in one row and "b"`)

	rows := sdktest.Tables{"rows": sdktest.Of("lambda: float64, profile: utf8, seen: list<int64>", sdktest.Row{"lambda": 1.0, "profile": "a"}, sdktest.Row{"lambda": -1.0, "profile": "b"})}
	arms := func(treated, control string) string {
		return `{"outcome": "profile", "comparisons": [{"name": "x", "treated": ` + treated + `, "control": ` + control + `}]}`
	}
	compare := compareOperator()
	resulttest.Fails(t, compare, arms(`{"lambda": {"above": 0}}`, `{"lambda": 1}`), rows, "both arms")
	resulttest.Fails(t, compare, arms(`{"lamda": 1}`, `{"lambda": -1}`), rows, `"lambda"`)
	resulttest.Fails(t, compare, arms(`{"profile": {"above": 1}}`, `{"lambda": -1}`), rows, "only numbers are above")
	resulttest.Fails(t, compare, arms(`{"seen": 1}`, `{"lambda": -1}`), rows, "conditions are about")
	resulttest.Fails(t, compare, strings.Replace(arms(`{"lambda": 1}`, `{"lambda": -1}`), `"outcome"`, `"events": ["c"], "outcome"`, 1), rows, `no level "c"`)
	out := resulttest.Run(t, compare, arms(`{"lambda": 3}`, `{"lambda": -1}`), 0, rows)
	for _, r := range out["comparisons"].Rows {
		if r["measure"] != "proportion_control" && (r["p_value"] != nil || r["estimate"] != nil || r["note"] == nil) {
			t.Errorf("nobody is treated: %v", r)
		}
	}
}

// Numbers that are read as text, and the other way round, are the same level.
func TestConditionsByValue(t *testing.T) {
	rows := sdktest.Of("wave: utf8, lambda: int64, heavy: bool, seen: int64",
		sdktest.Row{"wave": "1", "lambda": 1, "heavy": true, "seen": 1}, sdktest.Row{"wave": "1.0", "lambda": 1, "heavy": true, "seen": 0},
		sdktest.Row{"wave": "2", "lambda": 0, "heavy": false, "seen": 1}, sdktest.Row{"wave": nil, "lambda": 0, "heavy": false, "seen": 1})
	out := resulttest.Run(t, compareOperator(), `{"outcome": "seen", "events": [1.0], "adjust": "holm", "comparisons": [
		{"name": "wave", "treated": {"wave": 1}, "control": {"wave": [2, 3]}},
		{"name": "heavy", "treated": {"heavy": true, "lambda": 1.0}, "control": {"heavy": false}}]}`, 0, sdktest.Tables{"rows": rows})
	for name, n := range map[string]int{"wave": 1, "heavy": 2} {
		row := resulttest.Only(t, out["comparisons"], sdktest.Row{"comparison": name, "measure": "proportion_control"})
		if row["n_treated"] != int64(2) || row["n_control"] != int64(n) || row["events_treated"] != int64(1) {
			t.Errorf("%s: %v", name, row)
		}
		f := resulttest.Only(t, out["comparisons"], sdktest.Row{"comparison": name, "measure": "fisher", "alternative": "two.sided"})
		if f["p_adjusted"] == nil {
			t.Errorf("%s: %v", name, f)
		}
	}
}
