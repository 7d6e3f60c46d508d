package ols_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/seed-4012077a/flow/sdk/stats/estimate"
	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/internal/reftest"
	"github.com/seed-4012077a/flow/sdk/stats/ols"
)

// Longley's data are nearly collinear: the least squares that forms X'X loses
// half of its digits.
func TestClassicData(t *testing.T) {
	dir := reftest.Shared(t)
	var ref map[string]json.RawMessage
	data, err := os.ReadFile(filepath.Join(dir, "ref", "real_data.json"))
	if err != nil {
		t.Skipf("reference results: %v", err)
	}
	if err := json.Unmarshal(data, &ref); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, file, formula string
		within              float64
	}{
		{"longley", "longley.csv", "Employed ~ .", 1e-9},
		{"mtcars_ols", "mtcars.csv", "mpg ~ wt + hp + factor(cyl)", 1e-9},
	} {
		var want struct {
			Terms       []string
			Coef        [][]float64
			LogLik, AIC float64
		}
		if err := json.Unmarshal(ref[c.name], &want); err != nil {
			t.Fatal(err)
		}
		m, err := ols.Fit(reftest.Design(t, reftest.CSV(t, filepath.Join(dir, "real", c.file), nil), c.formula, formula.Options{}), ols.Options{})
		if err != nil {
			t.Fatal(err)
		}
		table, err := estimate.Coefficients(m, 0.95)
		if err != nil {
			t.Fatal(err)
		}
		worst := 0.0
		for j, e := range table {
			if e.Label != want.Terms[j] {
				t.Fatalf("coefficient %q, want %q", e.Label, want.Terms[j])
			}
			for k, got := range []float64{e.Estimate, e.SE, e.Statistic, e.P} {
				worst = math.Max(worst, math.Abs(got/want.Coef[j][k]-1))
			}
		}
		ll, _ := m.LogLik()
		worst = math.Max(worst, math.Max(math.Abs(ll/want.LogLik-1), math.Abs(m.AIC()/want.AIC-1)))
		t.Logf("%s: largest relative difference %.2g", c.name, worst)
		if worst > c.within {
			t.Errorf("%s: largest relative difference %.2g, allowed %.2g", c.name, worst, c.within)
		}
	}
}

// Longley's coefficients as certified by NIST.
func TestLongleyCertified(t *testing.T) {
	m, err := ols.Fit(reftest.Design(t, reftest.CSV(t, filepath.Join(reftest.Shared(t), "real", "longley.csv"), nil), "I(1000*Employed) ~ I(10*GNP.deflator) + I(1000*GNP) + I(10*Unemployed) + I(10*Armed.Forces) + I(1000*Population) + Year", formula.Options{}), ols.Options{})
	if err != nil {
		t.Fatal(err)
	}
	certified := []float64{-3482258.63459582, 15.0618722713733 / 10 * 10, -0.358191792925910e-01, -2.02022980381683, -1.03322686717359, -0.511041056535807e-01, 1829.15146461355}
	worst := 0.0
	for j, b := range m.Coefficients() {
		want := certified[j]
		if j == 1 {
			want = 1.50618722713733 // the deflator times 10
		}
		worst = math.Max(worst, math.Abs(b/want-1))
	}
	t.Logf("largest relative difference %.2g", worst)
	if worst > 1e-9 {
		t.Errorf("largest relative difference %.2g", worst)
	}
}
