package main

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/seed-4012077a/flow/sdk/go/sdktest"
)

// shared is a folder of reference results beside the repository.
func shared(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../../shared/stats")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the reference results ../shared/stats are not here")
	}
	return dir
}

// readTable reads a CSV file; a column that is not all numbers is text.
func readTable(t *testing.T, path string) sdktest.Table {
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
	var types []string
	rows := make([]sdktest.Row, len(records)-1)
	for i := range rows {
		rows[i] = sdktest.Row{}
	}
	for j, name := range records[0] {
		number := true
		for _, r := range records[1:] {
			if _, err := strconv.ParseFloat(r[j], 64); err != nil && r[j] != "" {
				number = false
			}
		}
		typ := "utf8"
		if number {
			typ = "float64"
		}
		types = append(types, name+": "+typ)
		for i, r := range records[1:] {
			if r[j] == "" {
				continue
			}
			rows[i][name] = any(r[j])
			if number {
				rows[i][name], _ = strconv.ParseFloat(r[j], 64)
			}
		}
	}
	return sdktest.Of(strings.Join(types, ", "), rows...)
}

// Classic data, as R's lm, glm, lmer and glmer have them.
func TestClassicData(t *testing.T) {
	dir := shared(t)
	var ref map[string]struct {
		Formula           string
		LogLik, AIC, Crit float64
		Terms             []string
		Coef              json.RawMessage
		Varcomp           []struct{ Vcov float64 }
		KR                [][]float64
	}
	data, err := os.ReadFile(filepath.Join(dir, "ref", "real_data.json"))
	if err != nil {
		t.Fatal(err)
	}
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(data, &parts); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, file, params string
		within             float64
	}{
		{"sleepstudy_slope_REML", "sleepstudy", `"formula": "Reaction ~ Days + (Days | Subject)"`, 1e-5},
		{"sleepstudy_uncorr_REML", "sleepstudy", `"formula": "Reaction ~ Days + (Days || Subject)"`, 1e-5},
		{"sleepstudy_slope_ML", "sleepstudy", `"formula": "Reaction ~ Days + (Days | Subject)", "reml": false`, 1e-5},
		{"penicillin_REML", "Penicillin", `"formula": "diameter ~ 1 + (1 | plate) + (1 | sample)"`, 1e-5},
		{"pastes_nested_REML", "Pastes", `"formula": "strength ~ 1 + (1 | batch/cask)"`, 1e-5},
		{"dyestuff_ML", "Dyestuff", `"formula": "Yield ~ 1 + (1 | Batch)", "reml": false`, 1e-5},
		{"cbpp_laplace", "cbpp", `"formula": "cbind(incidence, size - incidence) ~ factor(period) + (1 | herd)", "family": "binomial"`, 1e-5},
		{"birthwt_logit", "birthwt", `"formula": "low ~ age + lwt + factor(race) + smoke + ptl + ht + ui", "family": "binomial"`, 1e-7},
		{"infert_logit", "infert", `"formula": "case ~ spontaneous + induced + age + parity", "family": "binomial"`, 1e-7},
		{"mtcars_ols", "mtcars", `"formula": "mpg ~ wt + hp + factor(cyl)"`, 1e-9},
		{"longley", "longley", `"formula": "Employed ~ ."`, 1e-7},
	} {
		if err := json.Unmarshal([]byte(`{"m": `+string(parts[c.name])+`}`), &ref); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		want := ref["m"]
		out := must(t, fitOperator(), `{`+c.params+`, "fitted": false}`, sdktest.Tables{"data": readTable(t, filepath.Join(dir, "real", c.file+".csv"))})
		fit, coefficients := out["fit"].Rows[0], out["coefficients"].Rows
		near(t, c.name+" logLik", fit["log_lik"], want.LogLik, 1e-7)
		near(t, c.name+" AIC", fit["aic"], want.AIC, 1e-7)
		var byName []struct{ Estimate, SE, DF, P float64 }
		if json.Unmarshal(want.Coef, &byName) != nil {
			var numbers [][]float64
			if err := json.Unmarshal(want.Coef, &numbers); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			byName = nil
			for _, row := range numbers {
				byName = append(byName, struct{ Estimate, SE, DF, P float64 }{row[0], row[1], 0, row[3]})
			}
		}
		if len(coefficients) != len(byName) {
			t.Errorf("%s: %d coefficients", c.name, len(coefficients))
			continue
		}
		for i, w := range byName {
			near(t, c.name+" estimate", coefficients[i]["estimate"], w.Estimate, c.within)
			near(t, c.name+" se", coefficients[i]["se"], w.SE, c.within)
			if w.DF != 0 {
				near(t, c.name+" df", coefficients[i]["df"], w.DF, 1e-3)
			}
		}
		for i, v := range want.Varcomp {
			near(t, c.name+" variance", out["components"].Rows[i]["covariance"], v.Vcov, 1e-4)
		}
	}
}

// Breaks of wool by tension: emmeans' means and pairs.
func TestWarpbreaks(t *testing.T) {
	dir := shared(t)
	data, err := os.ReadFile(filepath.Join(dir, "ref", "real_data.json"))
	if err != nil {
		t.Fatal(err)
	}
	var ref struct {
		Warpbreaks struct{ Emm, Pairs []map[string]any }
	}
	if err := json.Unmarshal(data, &ref); err != nil {
		t.Fatal(err)
	}
	out := must(t, meansOperator(), `{"formula": "breaks ~ wool * tension", "of": ["tension"], "by": ["wool"], "levels": {"tension": ["L", "M", "H"]}, "contrasts": [{"method": "pairwise"}]}`,
		sdktest.Tables{"data": readTable(t, filepath.Join(dir, "real", "warpbreaks.csv"))})
	for i, w := range ref.Warpbreaks.Emm {
		got := out["means"].Rows[i]
		if got["tension"] != w["tension"] || got["wool"] != w["wool"] {
			t.Errorf("mean %v is not %v", got, w)
		}
		for name, from := range map[string]string{"estimate": "emmean", "se": "SE", "ci_lower": "lower.CL", "ci_upper": "upper.CL"} {
			near(t, from, got[name], w[from], 1e-9)
		}
	}
	for i, w := range ref.Warpbreaks.Pairs {
		got := out["contrasts"].Rows[i]
		if got["contrast"] != w["contrast"] || got["wool"] != w["wool"] {
			t.Errorf("contrast %v is not %v", got, w)
		}
		near(t, "estimate", got["estimate"], w["estimate"], 1e-9)
		near(t, "se", got["se"], w["SE"], 1e-9)
		near(t, "p", got["p_value"], w["p.value"], 1e-9)
	}
}
