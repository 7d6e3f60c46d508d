package ols_test

import (
	"encoding/json"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/seed-4012077a/flow/sdk/stats/estimate"
	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"github.com/seed-4012077a/flow/sdk/stats/internal/reftest"
	"github.com/seed-4012077a/flow/sdk/stats/ols"
)

type reference struct {
	Data  []map[string]any
	Cases []struct {
		Formula, Weights                     string
		Names                                []string
		Beta, SE, P                          []float64
		CI                                   [][]float64
		Sigma, DF, R2, Adj, LogLik, AIC, BIC float64
		Residuals, Hat                       []float64
		Terms                                []string
		AnovaDF                              []int
		SS                                   []float64
		F, AnovaP                            []*float64
		HC0, HC1, HC2, HC3, CR0, CR1, CR1S   []float64
		Fit, FitSE, Lower, Plower            []float64
	}
	Type3 struct {
		Terms []string
		F, P  []float64
	}
}

func load(t *testing.T) (reference, *frame.Frame) {
	t.Helper()
	var ref reference
	data, err := os.ReadFile("testdata/ols.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &ref); err != nil {
		t.Fatal(err)
	}
	return ref, reftest.Rows(t, ref.Data)
}

// close compares to a relative 1e-9.
func closeTo(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-9*math.Max(math.Abs(want), 1e-6)) {
		t.Errorf("%s = %.14g, want %.14g", what, got, want)
	}
}

func allClose(t *testing.T, what string, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d numbers, want %d", what, len(got), len(want))
		return
	}
	for i := range want {
		closeTo(t, what, got[i], want[i])
	}
}

func standardErrors(t *testing.T, m *ols.Model, o ols.Options) []float64 {
	t.Helper()
	robust, err := m.With(o)
	if err != nil {
		t.Fatal(err)
	}
	v := robust.Covariance()
	out := make([]float64, v.SymmetricDim())
	for j := range out {
		out[j] = math.Sqrt(v.At(j, j))
	}
	return out
}

func TestFitsAgainstR(t *testing.T) {
	ref, fr := load(t)
	if len(ref.Cases) < 10 {
		t.Fatalf("%d cases", len(ref.Cases))
	}
	for _, c := range ref.Cases {
		t.Run(c.Formula+" "+c.Weights, func(t *testing.T) {
			m, err := ols.Fit(reftest.Design(t, fr, c.Formula, formula.Options{Weights: c.Weights}), ols.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(m.Design().Names, c.Names) {
				t.Fatalf("coefficients %q, want %q", m.Design().Names, c.Names)
			}
			table, err := estimate.Coefficients(m, 0.95)
			if err != nil {
				t.Fatal(err)
			}
			for j, e := range table {
				closeTo(t, "beta", e.Estimate, c.Beta[j])
				closeTo(t, "se", e.SE, c.SE[j])
				closeTo(t, "p", e.P, c.P[j])
				closeTo(t, "lower", e.Lower, c.CI[j][0])
				closeTo(t, "upper", e.Upper, c.CI[j][1])
				closeTo(t, "df", e.DF, c.DF)
			}
			r2, adj := m.RSquared()
			ll, _ := m.LogLik()
			allClose(t, "sigma, R2, adjusted, logLik, AIC, BIC", []float64{m.Sigma(), r2, adj, ll, m.AIC(), m.BIC()}, []float64{c.Sigma, c.R2, c.Adj, c.LogLik, c.AIC, c.BIC})
			allClose(t, "residuals", m.Residuals(), c.Residuals)
			if c.Hat != nil {
				allClose(t, "hat", m.Leverage(), c.Hat)
			}
			anova := m.Anova()
			if len(anova) != len(c.Terms) {
				t.Fatalf("anova %v, want terms %q", anova, c.Terms)
			}
			for i, row := range anova {
				if row.Term != c.Terms[i] || row.DF != c.AnovaDF[i] {
					t.Errorf("anova %v, want %s with %d", row, c.Terms[i], c.AnovaDF[i])
				}
				closeTo(t, "sum of squares", row.SumSq, c.SS[i])
				if i < len(c.F) && c.F[i] != nil {
					closeTo(t, "F", row.F, *c.F[i])
					closeTo(t, "p of F", row.P, *c.AnovaP[i])
				}
			}
			if c.HC0 != nil {
				for kind, want := range map[ols.Covariance][]float64{ols.HC0: c.HC0, ols.HC1: c.HC1, ols.HC2: c.HC2, ols.HC3: c.HC3} {
					allClose(t, kind.String(), standardErrors(t, m, ols.Options{Covariance: kind}), want)
				}
				for kind, want := range map[ols.Covariance][]float64{ols.CR0: c.CR0, ols.CR1: c.CR1, ols.CR1S: c.CR1S} {
					allClose(t, kind.String(), standardErrors(t, m, ols.Options{Covariance: kind, Cluster: "cl"}), want)
				}
			}
			mean, err := m.Predict(fr.Select([]int{1, 4, 18}), 0.9, false)
			if err != nil {
				t.Fatal(err)
			}
			single, err := m.Predict(fr.Select([]int{1, 4, 18}), 0.9, true)
			if err != nil {
				t.Fatal(err)
			}
			for i := range mean {
				allClose(t, "prediction", []float64{mean[i].Fit, mean[i].SE, mean[i].Lower, single[i].Lower}, []float64{c.Fit[i], c.FitSE[i], c.Lower[i], c.Plower[i]})
			}
		})
	}
}

func TestTypeIII(t *testing.T) {
	ref, fr := load(t)
	m, err := ols.Fit(reftest.Design(t, fr, "y ~ x * f", formula.Options{Contrasts: map[string]formula.Coding{"f": formula.Sum}}), ols.Options{})
	if err != nil {
		t.Fatal(err)
	}
	tests, err := estimate.TypeIII(m)
	if err != nil {
		t.Fatal(err)
	}
	for i, test := range tests {
		if test.Label != ref.Type3.Terms[i] {
			t.Errorf("term %q, want %q", test.Label, ref.Type3.Terms[i])
		}
		closeTo(t, "F", test.F, ref.Type3.F[i])
		closeTo(t, "p", test.P, ref.Type3.P[i])
	}
	if len(tests) != 3 {
		t.Errorf("%d tests", len(tests))
	}
}

func TestClusterDegreesOfFreedom(t *testing.T) {
	_, fr := load(t)
	m, err := ols.Fit(reftest.Design(t, fr, "y ~ x", formula.Options{}), ols.Options{Covariance: ols.CR1S, Cluster: "cl"})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, df, _ := m.Contrast([]float64{0, 1}); df != 7 || m.Clusters() != 8 {
		t.Errorf("df %g of %d clusters", df, m.Clusters())
	}
}

func TestBadInput(t *testing.T) {
	_, fr := load(t)
	same := make([]float64, fr.Rows())
	if err := fr.AddNumeric("same", same); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"same ~ x":              "no variance",
		"y ~ x + (1|cl)":        "mixed model",
		"~ x":                   "no response",
		"cbind(w, z) ~ x":       "binomial",
		"I(x + z) ~ x + z":      "exact combination",
		"y ~ factor(x) + z * w": "cannot estimate",
	} {
		_, err := ols.Fit(reftest.Design(t, fr, text, formula.Options{}), ols.Options{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	d := reftest.Design(t, fr, "y ~ x", formula.Options{})
	for _, o := range []ols.Options{{Covariance: ols.CR1}, {Covariance: ols.HC3, Cluster: "cl"}, {Covariance: ols.CR0, Cluster: "clu"}, {Covariance: 99}} {
		if _, err := ols.Fit(d, o); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
	if _, err := ols.Fit(reftest.Design(t, fr, "y ~ x + I(f == \"a\" & x > 0.5 & z > 4.5)", formula.Options{}), ols.Options{Covariance: ols.HC3}); err != nil && !strings.Contains(err.Error(), "leverage") {
		t.Error(err)
	}
}
