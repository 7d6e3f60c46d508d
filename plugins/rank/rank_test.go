package main

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/go/sdktest"
)

type estimates struct {
	Coef, SE   []float64
	Difference float64
	LogLik     float64
}

type reference struct {
	Rankings    []sdktest.Row
	Comparisons []sdktest.Row
	Items       []string
	Height      []float64
	PL, BT      estimates
	Order       estimates
	Covariate   struct{ Coef, SE, LogLik float64 }
}

func load(t *testing.T) reference {
	t.Helper()
	data, err := os.ReadFile("testdata/rank.json")
	if err != nil {
		t.Fatal(err)
	}
	var r reference
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func must(t *testing.T, op sdk.Operator, params string, in sdktest.Tables) sdktest.Tables {
	t.Helper()
	out, err := sdktest.Run(t, op, params, 0, in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func near(t *testing.T, what string, got any, want float64) {
	t.Helper()
	g, ok := got.(float64)
	if !ok || !(math.Abs(g-want) <= 1e-7*math.Max(1, math.Abs(want))) {
		t.Errorf("%s is %v, not %v", what, got, want)
	}
}

// check holds log-worths with the first item as reference.
func (r reference) check(t *testing.T, what string, rows []sdktest.Row, e estimates) {
	t.Helper()
	if len(rows) != len(r.Items) {
		t.Fatalf("%s: %d items", what, len(rows))
	}
	last := math.Inf(1)
	total := 0.0
	for _, row := range rows {
		if v := row["log_worth"].(float64); v > last {
			t.Errorf("%s: %v is out of order", what, row)
		} else {
			last = v
		}
		total += row["worth"].(float64)
		for i, item := range r.Items {
			switch {
			case row["item"] != item:
			case i == 0 && (row["log_worth"] != 0.0 || row["se"] != nil):
				t.Errorf("%s: the reference is %v", what, row)
			case i > 0:
				near(t, what+" "+item, row["log_worth"], e.Coef[i-1])
				near(t, what+" se of "+item, row["se"], e.SE[i-1])
			}
		}
	}
	near(t, what+": worths sum to", total, 1)
}

func TestPlackettLuceAsCox(t *testing.T) {
	r := load(t)
	long := sdktest.Of("ranking: utf8, item: utf8, rank: float64, times: float64", r.Rankings...)
	out := must(t, plackettLuceOperator(), `{"ranking": "ranking", "item": "item", "rank": "rank", "weight": "times", "reference": "amber"}`, sdktest.Tables{"rankings": long})
	r.check(t, "Plackett-Luce", out["worths"].Rows, r.PL)
	near(t, "log-likelihood", out["fit"].Rows[0]["log_lik"], r.PL.LogLik)
	found := false
	for _, d := range out["differences"].Rows {
		if d["item"] == "dahlia" && d["against"] == "birch" {
			near(t, "difference", d["estimate"], r.PL.Coef[2]-r.PL.Coef[0])
			near(t, "its se", d["se"], r.PL.Difference)
			near(t, "probability", d["probability"], 1/(1+math.Exp(r.PL.Coef[0]-r.PL.Coef[2])))
			found = d["p_adjusted"].(float64) >= d["p_value"].(float64)
		}
	}
	if !found || len(out["differences"].Rows) != 10 {
		t.Errorf("differences %v", out["differences"].Rows)
	}
	// The same rankings as a row each.
	wide := sdktest.Of("times: float64, " + strings.Join(r.Items, ": float64, ") + ": float64")
	rows := map[any]sdktest.Row{}
	for _, row := range r.Rankings {
		if rows[row["ranking"]] == nil {
			rows[row["ranking"]] = sdktest.Row{"times": row["times"]}
			wide.Rows = append(wide.Rows, rows[row["ranking"]])
		}
		rows[row["ranking"]][row["item"].(string)] = row["rank"]
	}
	same := must(t, plackettLuceOperator(), `{"items": ["elm", "amber", "birch", "cedar", "dahlia"], "weight": "times", "reference": "amber"}`, sdktest.Tables{"rankings": wide})
	sdktest.Equal(t, same["worths"], out["worths"].Rows...)
}

func TestBradleyTerryAsLogistic(t *testing.T) {
	r := load(t)
	in := sdktest.Tables{"comparisons": sdktest.Of("first: utf8, second: utf8, winner: utf8", r.Comparisons...)}
	columns := `"first": "first", "second": "second", "winner": "winner"`
	out := must(t, bradleyTerryOperator(), `{`+columns+`, "reference": "amber"}`, in)
	r.check(t, "Bradley-Terry", out["worths"].Rows, r.BT)
	near(t, "log-likelihood", out["fit"].Rows[0]["log_lik"], r.BT.LogLik)

	out = must(t, bradleyTerryOperator(), `{`+columns+`, "reference": "amber", "order": true}`, in)
	r.check(t, "with order", out["worths"].Rows, estimates{Coef: r.Order.Coef[1:], SE: r.Order.SE[1:]})
	first := out["parameters"].Rows[0]
	near(t, first["parameter"].(string), first["estimate"], r.Order.Coef[0])
	near(t, "its se", first["se"], r.Order.SE[0])

	items := sdktest.Of("item: utf8, height: float64")
	for i, name := range r.Items {
		items.Rows = append(items.Rows, sdktest.Row{"item": name, "height": r.Height[i]})
	}
	in["items"] = items
	out = must(t, bradleyTerryOperator(), `{`+columns+`, "covariates": ["height"]}`, in)
	height := out["parameters"].Rows[0]
	if height["parameter"] != "height" {
		t.Fatalf("parameters %v", height)
	}
	near(t, "height", height["estimate"], r.Covariate.Coef)
	near(t, "its se", height["se"], r.Covariate.SE)
	near(t, "log-likelihood", out["fit"].Rows[0]["log_lik"], r.Covariate.LogLik)
}

func TestTiesAndScores(t *testing.T) {
	in := sdktest.Of("a: utf8, b: utf8, winner: utf8, score: float64, n: int64")
	for _, x := range []struct {
		a, b, winner string
		score        float64
		n            int
	}{{"x", "y", "x", 1, 6}, {"x", "y", "y", 0, 3}, {"y", "z", "y", 1, 5}, {"y", "z", "z", 0, 2}, {"x", "z", "even", 0.5, 4}, {"z", "x", "x", 0, 4}, {"z", "x", "z", 1, 1}} {
		in.Rows = append(in.Rows, sdktest.Row{"a": x.a, "b": x.b, "winner": x.winner, "score": x.score, "n": x.n})
	}
	in.Rows = append(in.Rows, sdktest.Row{"a": "x", "b": "y", "n": 3}, sdktest.Row{"a": "x", "b": "y", "winner": "x", "score": 1.0, "n": 0})
	tables := sdktest.Tables{"comparisons": in}
	byName := must(t, bradleyTerryOperator(), `{"first": "a", "second": "b", "winner": "winner", "tie": "even", "weight": "n"}`, tables)
	byScore := must(t, bradleyTerryOperator(), `{"first": "a", "second": "b", "score": "score", "weight": "n"}`, tables)
	sdktest.Equal(t, byScore["worths"], byName["worths"].Rows...)
	fit := byName["fit"].Rows[0]
	if fit["method"] != "Davidson" || fit["n"] != int64(7) || fit["dropped"] != int64(2) || fit["choices"] != 25.0 {
		t.Errorf("fit %v", fit)
	}
	total := 0.0
	for _, w := range byName["worths"].Rows {
		total += w["log_worth"].(float64)
	}
	if math.Abs(total) > 1e-9 || byName["parameters"].Rows[0]["parameter"] != "log tie 2" {
		t.Errorf("log-worths sum to %v; %v", total, byName["parameters"].Rows)
	}
}

func TestWhatCannotBe(t *testing.T) {
	in := sdktest.Of("g: utf8, a: utf8, b: utf8, w: utf8",
		sdktest.Row{"g": "good", "a": "x", "b": "y", "w": "x"}, sdktest.Row{"g": "good", "a": "x", "b": "y", "w": "y"},
		sdktest.Row{"g": "beaten", "a": "x", "b": "y", "w": "x"},
		sdktest.Row{"g": "apart", "a": "x", "b": "y", "w": "x"}, sdktest.Row{"g": "apart", "a": "x", "b": "y", "w": "y"}, sdktest.Row{"g": "apart", "a": "u", "b": "v", "w": "u"}, sdktest.Row{"g": "apart", "a": "u", "b": "v", "w": "v"})
	tables := sdktest.Tables{"comparisons": in}
	columns := `"first": "a", "second": "b", "winner": "w"`
	out := must(t, bradleyTerryOperator(), `{`+columns+`, "group_by": ["g"]}`, tables)
	for i, want := range []string{"", "pseudo = 0.5", "never compared"} {
		note, _ := out["fit"].Rows[i]["note"].(string)
		if !strings.Contains(note, want) || (want == "") != (note == "") {
			t.Errorf("%s: %q lacks %q", out["fit"].Rows[i]["g"], note, want)
		}
	}
	for _, w := range out["worths"].Rows {
		if w["g"] != "good" {
			t.Errorf("a worth without a fit: %v", w)
		}
	}
	out = must(t, bradleyTerryOperator(), `{`+columns+`, "group_by": ["g"], "pseudo": 0.5}`, tables)
	if out["fit"].Rows[1]["note"] != nil && out["fit"].Rows[1]["log_lik"] == nil {
		t.Errorf("pseudo: %v", out["fit"].Rows[1])
	}
	rankings := sdktest.Of("r: utf8, i: utf8, k: float64", sdktest.Row{"r": "1", "i": "x", "k": 1}, sdktest.Row{"r": "1", "i": "x", "k": 2})
	for _, c := range []struct {
		op     sdk.Operator
		params string
		in     sdktest.Tables
		want   string
	}{
		{bradleyTerryOperator(), `{"first": "a", "second": "c", "winner": "w"}`, tables, "parameter second"},
		{bradleyTerryOperator(), `{"first": "a", "second": "b"}`, tables, "parameter winner"},
		{bradleyTerryOperator(), `{"first": "a", "second": "b", "winner": "g"}`, tables, `the winner "good" is neither`},
		{bradleyTerryOperator(), `{` + columns + `, "covariates": ["h"]}`, tables, "parameter covariates"},
		{plackettLuceOperator(), `{}`, sdktest.Tables{"rankings": rankings}, "parameter items"},
		{plackettLuceOperator(), `{"ranking": "r", "item": "i"}`, sdktest.Tables{"rankings": rankings}, "parameter rank"},
		{plackettLuceOperator(), `{"ranking": "r", "item": "i", "rank": "k"}`, sdktest.Tables{"rankings": rankings}, `item "x" twice`},
		{plackettLuceOperator(), `{"items": ["k", "j"]}`, sdktest.Tables{"rankings": rankings}, "parameter items[1]"},
	} {
		if _, err := sdktest.Run(t, c.op, c.params, 0, c.in); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: %v lacks %q", c.op.Name, c.params, err, c.want)
		}
	}
	// A reference that no item is called is said with the items.
	out = must(t, bradleyTerryOperator(), `{`+columns+`, "reference": "q"}`, tables)
	if note := out["fit"].Rows[0]["note"]; note == nil || !strings.Contains(note.(string), `no item "q"`) {
		t.Errorf("reference: %v", out["fit"].Rows[0])
	}
}
