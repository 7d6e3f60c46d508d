package main

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/seed-4012077a/flow/plugins/internal/resulttest"
	"github.com/seed-4012077a/flow/sdk/go/sdktest"
)

type line5 struct {
	ID                   string
	Slope, Intercept     float64
	SlopeSD, InterceptSD float64
}

func (l *line5) UnmarshalJSON(b []byte) error {
	var v struct {
		ID               string
		Slope, Intercept float64
		SlopeSD          float64 `json:"slope_sd"`
		InterceptSD      float64 `json:"intercept_sd"`
	}
	err := json.Unmarshal(b, &v)
	*l = line5(v)
	return err
}

type comparison struct {
	Event                  string
	X1, N1, X0, N0         int
	Tests                  []ptest
	Fisher                 []float64
	Or, RR, Wald, Newcombe [3]float64
	Wilson1, Wilson0       [2]float64
	Chisq                  struct{ Statistic, DF, P float64 }
}

type ptest struct {
	Alternative  string
	Corrected    bool
	Statistic, P float64
	CI           [2]float64
}

type reference struct {
	Data                                 []map[string]any
	Stacked, Items, Uncorrelated, Single []line5
	AtTwo                                []line5 `json:"at_two"`
	StackedCrit                          float64 `json:"stacked_crit"`
	Centre                               float64
	Fixed                                [2][2]float64
	Profiles                             []map[string]any
	Compare                              map[string]comparison
}

func load(t *testing.T) reference {
	var r reference
	resulttest.JSON(t, "testdata/trajectory.json", &r)
	return r
}

func (r reference) data() sdktest.Table {
	return resulttest.Table(r.Data, "time", "id", "x1", "x2", "w", "lambda", "domain")
}

const both = `"outcomes": ["x1", "x2"], "time": "time", "participant": "id"`

func TestSlopesAgainstLme4(t *testing.T) {
	r := load(t)
	in := sdktest.Tables{"data": r.data()}
	for params, want := range map[string][]line5{
		both:                               r.Stacked,
		both + `, "intercept_at": 2`:       r.AtTwo,
		both + `, "outcome_effects": true`: r.Items,
		both + `, "correlated": false`:     r.Uncorrelated,
		`"outcomes": ["w"], "time": "time", "participant": "id"`: r.Single,
	} {
		out := resulttest.Run(t, slopesOperator(), "{"+params+"}", 0, in)
		if len(out["slopes"].Rows) != 60 {
			t.Errorf("%s: %d participants", params, len(out["slopes"].Rows))
		}
		for _, w := range want {
			got := resulttest.Only(t, out["slopes"], sdktest.Row{"id": w.ID})
			resulttest.Near(t, params+" slope of "+w.ID, got["slope"], w.Slope, 1e-5)
			resulttest.Near(t, params+" intercept of "+w.ID, got["intercept"], w.Intercept, 1e-5)
			resulttest.Near(t, params+" slope_sd of "+w.ID, got["slope_sd"], w.SlopeSD, 1e-4)
			resulttest.Near(t, params+" intercept_sd of "+w.ID, got["intercept_sd"], w.InterceptSD, 1e-4)
		}
		if params == both {
			for j, term := range []string{"(Intercept)", "time"} {
				c := resulttest.Only(t, out["coefficients"], sdktest.Row{"term": term})
				resulttest.Near(t, term, c["estimate"], r.Fixed[j][0], 1e-6)
				resulttest.Near(t, term+" se", c["se"], r.Fixed[j][1], 1e-5)
			}
			f := out["fit"].Rows[0]
			if c := f["criterion"].(float64); math.Abs(c-r.StackedCrit) > 1e-6 {
				t.Errorf("REML criterion %.10g, want %.10g", c, r.StackedCrit)
			}
			resulttest.Near(t, "mean time", f["mean_time"], r.Centre, 1e-12)
			if note := resulttest.Only(t, out["slopes"], sdktest.Row{"id": "P09"})["note"]; !strings.Contains(fmt.Sprint(note), "one time only") {
				t.Errorf("P09 answered once: note %v", note)
			}
		}
		if strings.Contains(params, `["w"]`) {
			if row := resulttest.Only(t, out["slopes"], sdktest.Row{"id": "P07"}); row["slope"] != nil || row["note"] != "no answer with a time" || row["n"] != int64(0) {
				t.Errorf("P07 never answered: %v", row)
			}
		}
	}
}

// slopesOf runs slopes twice and joins the profiles.
func profilesOf(t *testing.T, liking, wanting sdktest.Table, likingParams, wantingParams, params string, participants sdktest.Table) sdktest.Tables {
	l := resulttest.Run(t, slopesOperator(), likingParams, 0, sdktest.Tables{"data": liking})
	w := resulttest.Run(t, slopesOperator(), wantingParams, 0, sdktest.Tables{"data": wanting})
	return resulttest.Run(t, profilesOperator(), params, 0, sdktest.Tables{"liking": l["slopes"], "wanting": w["slopes"], "participants": participants})
}

func TestProfilesAgainstR(t *testing.T) {
	r := load(t)
	out := profilesOf(t, r.data(), r.data(), "{"+both+"}", `{"outcomes": ["w"], "time": "time", "participant": "id"}`,
		`{"participant": "id", "arms": ["lambda", "domain"], "names": {"both": "both", "liking": "first", "wanting": "second", "neither": "neither"}}`, r.data())
	counts := map[string]int{}
	for _, want := range r.Profiles {
		got := resulttest.Only(t, out["profiles"], sdktest.Row{"participant": want["id"]})
		if got["profile"] != want["profile"] || got["lambda"] != want["lambda"] || got["domain"] != want["domain"] {
			t.Errorf("%v, want %v", got, want)
		}
		counts[want["profile"].(string)]++
	}
	if got := resulttest.Only(t, out["profiles"], sdktest.Row{"participant": "P07"}); got["profile"] != nil || got["note"] != "no slope of wanting" {
		t.Errorf("P07 has no slope of wanting: %v", got)
	}
	for profile, n := range counts {
		row := resulttest.Only(t, out["counts"], sdktest.Row{"by": nil, "profile": profile})
		if row["n"] != int64(n) || row["total"] != int64(len(r.Profiles)) {
			t.Errorf("%s: %v, want %d of %d", profile, row, n, len(r.Profiles))
		}
	}
	if n := len(out["counts"].Rows); n != 4*(1+4+2+8) {
		t.Errorf("%d rows of counts", n)
	}
	compared := resulttest.Run(t, compareOperator(), `{"outcome": "profile", "alternatives": ["two.sided", "greater", "less"], "comparisons": [
		{"name": "sign", "treated": {"lambda": {"above": 0}}, "control": {"lambda": [-0.5, -1]}},
		{"name": "combined", "treated": {"lambda": {"at_least": 0.5, "at_most": 1}, "domain": "b"}, "control": {"lambda": {"below": 0, "not": 0}}}]}`,
		0, sdktest.Tables{"rows": out["profiles"]})
	for name, want := range r.Compare {
		want.check(t, compared["comparisons"], name)
	}
}

func (c comparison) check(t *testing.T, table sdktest.Table, name string) {
	t.Helper()
	at := func(measure string, more sdktest.Row) sdktest.Row {
		row := sdktest.Row{"comparison": name, "event": c.Event, "measure": measure}
		for k, v := range more {
			row[k] = v
		}
		return resulttest.Only(t, table, row)
	}
	three := func(measure, method string, want [3]float64) {
		got := at(measure, sdktest.Row{"method": method})
		resulttest.Near(t, name+" "+measure+" "+method, got["estimate"], want[0], 1e-9)
		resulttest.Near(t, name+" "+measure+" "+method+" lower", got["ci_lower"], want[1], 1e-9)
		resulttest.Near(t, name+" "+measure+" "+method+" upper", got["ci_upper"], want[2], 1e-9)
	}
	for _, p := range c.Tests {
		got := at("difference_test", sdktest.Row{"alternative": p.Alternative, "corrected": p.Corrected})
		resulttest.Near(t, name+" p "+p.Alternative, got["p_value"], p.P, 1e-9)
		resulttest.Near(t, name+" statistic "+p.Alternative, got["statistic"], p.Statistic, 1e-9)
		resulttest.Near(t, name+" lower "+p.Alternative, got["ci_lower"], p.CI[0], 1e-9)
		resulttest.Near(t, name+" upper "+p.Alternative, got["ci_upper"], p.CI[1], 1e-9)
		if got["events_treated"] != int64(c.X1) || got["n_treated"] != int64(c.N1) || got["events_control"] != int64(c.X0) || got["n_control"] != int64(c.N0) {
			t.Errorf("%s: counts %v, want %d/%d and %d/%d", name, got, c.X1, c.N1, c.X0, c.N0)
		}
	}
	for i, a := range []string{"two.sided", "greater", "less"}[:min(3, len(c.Fisher))] {
		resulttest.Near(t, name+" Fisher "+a, at("fisher", sdktest.Row{"alternative": a})["p_value"], c.Fisher[i], 1e-9)
	}
	three("odds_ratio", "Woolf", c.Or)
	three("risk_ratio", "Katz", c.RR)
	three("risk_difference", "Wald", c.Wald)
	three("risk_difference", "Newcombe", c.Newcombe)
	three("proportion_treated", "Wilson limits", [3]float64{float64(c.X1) / float64(c.N1), c.Wilson1[0], c.Wilson1[1]})
	three("proportion_control", "Wilson limits", [3]float64{float64(c.X0) / float64(c.N0), c.Wilson0[0], c.Wilson0[1]})
	for method, d := range map[string][3]float64{"Wald": c.Wald, "Newcombe": c.Newcombe} {
		n := at("number_needed", sdktest.Row{"method": "inverse of the risk difference, " + method})
		resulttest.Near(t, name+" number needed", n["estimate"], 1/math.Abs(d[0]), 1e-9)
		strongest := d[2]
		if d[0] < 0 {
			strongest = d[1]
		}
		resulttest.Near(t, name+" number needed, limit", n["ci_lower"], 1/math.Abs(strongest), 1e-9)
		if through := d[1]*d[2] < 0; through != (n["ci_upper"] == nil) || through != strings.Contains(n["note"].(string), "∞") {
			t.Errorf("%s: number needed %v of the difference %v", name, n, d)
		}
	}
	x := resulttest.Only(t, table, sdktest.Row{"comparison": name, "measure": "chi_squared"})
	resulttest.Near(t, name+" chi-squared", x["statistic"], c.Chisq.Statistic, 1e-9)
	resulttest.Near(t, name+" chi-squared p", x["p_value"], c.Chisq.P, 1e-9)
	resulttest.Near(t, name+" chi-squared df", x["df"], c.Chisq.DF, 0)
}

// shared is a comparison of the shared reference.
type shared struct {
	X1, N1, X0, N0 int
	Chisq          float64
	Corrected      float64 `json:"p_one_sided_corrected"`
	Uncorrected    float64 `json:"p_one_sided_uncorrected"`
	Or             float64
	OrLo           float64 `json:"or_lo"`
	OrHi           float64 `json:"or_hi"`
	NNH            float64
	Fisher         float64    `json:"fisher_p"`
	Diff           float64    `json:"risk_diff"`
	Wald           [2]float64 `json:"rd_wald"`
}

func TestAgainstSharedReference(t *testing.T) {
	csv := resulttest.CSV(t, resulttest.Shared(t, "stats", "ref", "profiles_slopes.csv"))
	daily := resulttest.CSV(t, resulttest.Shared(t, "stats", "sim", "daily.csv"))
	weekly := resulttest.CSV(t, resulttest.Shared(t, "stats", "sim", "weekly.csv"))
	people := resulttest.CSV(t, resulttest.Shared(t, "stats", "sim", "participants.csv"))
	var ref struct {
		Profiles struct {
			Counts               map[string]int
			N                    int
			RS, Domain, Combined shared
			ChisqRS              map[string]float64 `json:"chisq_rs"`
		}
	}
	resulttest.JSON(t, resulttest.Shared(t, "stats", "ref", "weekly_attachment.json"), &ref)
	out := profilesOf(t, daily, weekly, `{"outcomes": ["likeable", "engaging"], "time": "session", "participant": "pid"}`,
		`{"outcomes": ["sep_distress"], "time": "week", "participant": "pid"}`, `{"participant": "pid", "arms": ["lambda", "domain"]}`, people)
	got := map[any]sdktest.Row{}
	for _, r := range out["profiles"].Rows {
		got[r["participant"]] = r
	}
	// lme4's slopes carry what its optimiser left of theta: a tenth of the
	// slopes' standard deviation is where their relative error is taken from.
	spread := map[string]float64{"liking": 0.821, "wanting": 5.31}
	worst := 0.0
	for _, w := range csv.Rows {
		g := got[w["pid"]]
		if g == nil || g["profile"] != w["profile"] || g["lambda"] != w["lambda"] || g["domain"] != w["domain"] {
			t.Fatalf("%v, want %v", g, w)
		}
		for _, k := range []string{"liking", "wanting"} {
			v, want := g[k].(float64), w[k].(float64)
			worst = max(worst, math.Abs(v-want)/math.Max(math.Abs(want), 0.1*spread[k]))
		}
	}
	t.Logf("%d slopes; largest relative difference %.2g", 2*len(csv.Rows), worst)
	if worst > 1e-5 {
		t.Errorf("slopes differ by %.2g", worst)
	}
	for profile, n := range ref.Profiles.Counts {
		row := resulttest.Only(t, out["counts"], sdktest.Row{"by": nil, "profile": profile})
		if row["n"] != int64(n) || row["total"] != int64(ref.Profiles.N) {
			t.Errorf("%s: %v, want %d of %d", profile, row, n, ref.Profiles.N)
		}
	}
	compared := resulttest.Run(t, compareOperator(), `{"outcome": "profile", "events": ["Decoupled Dependency"], "comparisons": [
		{"name": "rs", "treated": {"lambda": {"above": 0}}, "control": {"lambda": {"below": 0}}},
		{"name": "domain", "treated": {"domain": "emotional"}, "control": {"domain": "political"}},
		{"name": "combined", "treated": {"lambda": {"above": 0}, "domain": "emotional"}, "control": {"lambda": {"below": 0}, "domain": "political"}}]}`,
		0, sdktest.Tables{"rows": out["profiles"]})["comparisons"]
	for name, w := range map[string]shared{"rs": ref.Profiles.RS, "domain": ref.Profiles.Domain, "combined": ref.Profiles.Combined} {
		at := func(measure string, more sdktest.Row) sdktest.Row {
			row := sdktest.Row{"comparison": name, "measure": measure}
			for k, v := range more {
				row[k] = v
			}
			return resulttest.Only(t, compared, row)
		}
		one := at("difference_test", sdktest.Row{"alternative": "greater", "corrected": true})
		if one["events_treated"] != int64(w.X1) || one["n_treated"] != int64(w.N1) || one["events_control"] != int64(w.X0) || one["n_control"] != int64(w.N0) {
			t.Errorf("%s: %v, want %+v", name, one, w)
		}
		resulttest.Near(t, name+" chi-squared", one["statistic"], w.Chisq, 1e-9)
		resulttest.Near(t, name+" p corrected", one["p_value"], w.Corrected, 1e-9)
		resulttest.Near(t, name+" p", at("difference_test", sdktest.Row{"alternative": "greater", "corrected": false})["p_value"], w.Uncorrected, 1e-9)
		or := at("odds_ratio", nil)
		resulttest.Near(t, name+" OR", or["estimate"], w.Or, 1e-9)
		resulttest.Near(t, name+" OR lower", or["ci_lower"], w.OrLo, 1e-9)
		resulttest.Near(t, name+" OR upper", or["ci_upper"], w.OrHi, 1e-9)
		resulttest.Near(t, name+" Fisher", at("fisher", sdktest.Row{"alternative": "greater"})["p_value"], w.Fisher, 1e-9)
		rd := at("risk_difference", sdktest.Row{"method": "Wald"})
		resulttest.Near(t, name+" RD", rd["estimate"], w.Diff, 1e-9)
		resulttest.Near(t, name+" RD lower", rd["ci_lower"], w.Wald[0], 1e-9)
		resulttest.Near(t, name+" RD upper", rd["ci_upper"], w.Wald[1], 1e-9)
		resulttest.Near(t, name+" NNH", at("number_needed", sdktest.Row{"method": "inverse of the risk difference, Wald"})["estimate"], w.NNH, 1e-9)
	}
	x := resulttest.Only(t, compared, sdktest.Row{"comparison": "rs", "measure": "chi_squared"})
	resulttest.Near(t, "chi-squared over profiles", x["statistic"], ref.Profiles.ChisqRS["statistic"], 1e-9)
	resulttest.Near(t, "its p", x["p_value"], ref.Profiles.ChisqRS["p.value"], 1e-9)
}
