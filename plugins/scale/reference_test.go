package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/seed-4012077a/flow/sdk/go/sdktest"
)

// The simulated trial of the reference results, in long form: factor scores as
// R's.
func TestReferenceScores(t *testing.T) {
	dir, err := filepath.Abs("../../../shared/stats")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the reference results ../shared/stats are not here")
	}
	var ref struct{ EFA struct{ Items []string } }
	data, err := os.ReadFile(filepath.Join(dir, "ref", "end_of_study.json"))
	if err == nil {
		err = json.Unmarshal(data, &ref)
	}
	if err != nil {
		t.Fatal(err)
	}
	people, want := table(t, filepath.Join(dir, "sim", "participants.csv")), table(t, filepath.Join(dir, "ref", "factor_scores.csv"))
	columns, rows := "pid: utf8, wave: int64", []sdktest.Row{}
	for _, item := range ref.EFA.Items {
		columns += ", " + item + ": float64"
	}
	for wave, suffix := range []string{"_pre", "_post"} {
		for _, p := range people {
			r := sdktest.Row{"pid": p["pid"], "wave": wave}
			for _, item := range ref.EFA.Items {
				if v, err := strconv.ParseFloat(p[item+suffix], 64); err == nil {
					r[item] = v
				}
			}
			rows = append(rows, r)
		}
	}
	out := must(t, scoresOperator(), `{"items": ["phq*", "who*", "ucla*", "lub*"], "factors": 2, "baseline_column": "wave", "baseline_values": [0]}`, sdktest.Of(columns, rows...))
	got := map[string]sdktest.Row{}
	for _, r := range out["scores"].Rows {
		got[fmt.Sprint(r["pid"], r["wave"])] = r
	}
	compare(t, want, func(pid string, wave int, factor string) any { return got[fmt.Sprint(pid, wave)][factor] })

	// The same from one row a person, its second wave beside the first.
	columns, rows = "pid: utf8", nil
	for _, suffix := range []string{"_pre", "_post"} {
		for _, item := range ref.EFA.Items {
			columns += ", " + item + suffix + ": float64"
		}
	}
	for _, p := range people {
		r := sdktest.Row{"pid": p["pid"]}
		for _, suffix := range []string{"_pre", "_post"} {
			for _, item := range ref.EFA.Items {
				if v, err := strconv.ParseFloat(p[item+suffix], 64); err == nil {
					r[item+suffix] = v
				}
			}
		}
		rows = append(rows, r)
	}
	out = must(t, scoresOperator(), `{"items": ["*_pre"], "factors": 2, "later": [{"name": "post", "items": ["*_post"]}]}`, sdktest.Of(columns, rows...))
	wide := map[string]sdktest.Row{}
	for _, r := range out["scores"].Rows {
		wide[r["pid"].(string)] = r
	}
	compare(t, want, func(pid string, wave int, factor string) any { return wide[pid][factor+[]string{"", "_post"}[wave]] })
}

// compare holds scores of two waves against R's.
func compare(t *testing.T, want []map[string]string, got func(pid string, wave int, factor string) any) {
	t.Helper()
	worst, n := 0.0, 0
	for _, w := range want {
		for wave, suffix := range []string{"_pre", "_post"} {
			for _, f := range []string{"F1", "F2"} {
				v, err := strconv.ParseFloat(w[f+suffix], 64)
				score := got(w["pid"], wave, f)
				if err != nil {
					if score != nil {
						t.Errorf("%s has a score at wave %d", w["pid"], wave)
					}
					continue
				}
				worst = math.Max(worst, math.Abs(score.(float64)-v))
				n++
			}
		}
	}
	t.Logf("%d scores, off by at most %.2g", n, worst)
	if n < 7000 || worst > 1e-3 {
		t.Errorf("%d scores, off by %g", n, worst)
	}
}

func table(t *testing.T, path string) []map[string]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	records, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]string
	for _, r := range records[1:] {
		m := map[string]string{}
		for j, name := range records[0] {
			m[name] = r[j]
		}
		out = append(out, m)
	}
	return out
}
