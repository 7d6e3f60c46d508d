package estimate_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/seed-4012077a/flow/sdk/stats/estimate"
	"gonum.org/v1/gonum/mat"
)

type tail struct{ T, DF, F, N, D, P, Q float64 }

type reference struct {
	Cases []struct {
		P        []*float64
		Adjusted map[string][]*float64
	}
	T, F, Chi, Z, Q []tail
}

func load(t *testing.T) reference {
	t.Helper()
	var ref reference
	data, err := os.ReadFile("testdata/adjust.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &ref); err != nil {
		t.Fatal(err)
	}
	return ref
}

func orNaN(v *float64) float64 {
	if v == nil {
		return math.NaN()
	}
	return *v
}

func TestAdjustAgainstR(t *testing.T) {
	ref := load(t)
	if len(ref.Cases) < 6 {
		t.Fatal("cases are missing")
	}
	for _, c := range ref.Cases {
		p := make([]float64, len(c.P))
		for i, v := range c.P {
			p[i] = orNaN(v)
		}
		for _, method := range estimate.Methods() {
			got := estimate.Adjust(p, method)
			want := c.Adjusted[method]
			if len(want) != len(got) {
				t.Fatalf("%s: %d values, want %d", method, len(got), len(want))
			}
			for i := range got {
				w := orNaN(want[i])
				if !(math.IsNaN(w) && math.IsNaN(got[i])) && !(math.Abs(got[i]-w) <= 1e-14) {
					t.Errorf("%s of %v: [%d] = %.16g, want %.16g", method, p, i, got[i], w)
				}
			}
		}
	}
	if err := estimate.CheckMethod("bonferoni"); err == nil {
		t.Error("a misspelt method is accepted")
	}
	if got := estimate.Adjust([]float64{0.01}, "bonferoni"); !math.IsNaN(got[0]) {
		t.Errorf("a misspelt method corrects to %g", got[0])
	}
	if estimate.CheckMethod("fdr") != nil || estimate.Adjust([]float64{.01, .5}, "fdr")[0] != .02 {
		t.Error("fdr is BH")
	}
}

func TestTailsAgainstR(t *testing.T) {
	ref := load(t)
	near := func(what string, got, want float64) {
		t.Helper()
		if !(math.Abs(got/want-1) < 1e-11) {
			t.Errorf("%s = %.15g, want %.15g", what, got, want)
		}
	}
	for _, v := range ref.T {
		near("two-sided t", estimate.TwoSided(-v.T, v.DF), v.P)
	}
	for _, v := range ref.F {
		near("F", estimate.FTail(v.F, v.N, v.D), v.P)
	}
	for _, v := range ref.Chi {
		near("chi-squared", estimate.FTail(v.F, v.N, math.Inf(1)), v.P)
	}
	for _, v := range ref.Z {
		near("two-sided z", estimate.TwoSided(v.T, math.Inf(1)), v.P)
	}
	for _, v := range ref.Q {
		near("t quantile", estimate.Quantile(v.P, v.DF), v.Q)
	}
}

func TestNewRefusesWhatIsNoEstimate(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, c := range [][4]float64{{nan, 1, 5, .95}, {inf, 1, 5, .95}, {1, nan, 5, .95}, {1, -1, 5, .95}, {1, 0, 5, .95}, {1, 1, 0, .95}, {1, 1, nan, .95}, {1, 1, 5, 1}, {1, 1, 5, 0}, {1, inf, 5, .95}} {
		if e, err := estimate.New("x", c[0], c[1], c[2], c[3]); err == nil {
			t.Errorf("%v gives %+v", c, e)
		}
	}
}

// The quadratic form does not change when dependent rows are added, and equals
// the squared t of a single row.
func TestWald(t *testing.T) {
	v := mat.NewSymDense(3, []float64{2, .5, .1, .5, 1, .3, .1, .3, 3})
	beta := []float64{1, -2, .5}
	one, rank, err := estimate.Wald(beta, v, mat.NewDense(1, 3, []float64{0, 1, -1}))
	if err != nil || rank != 1 || math.Abs(one-6.25/(1+3-.6)) > 1e-12 {
		t.Errorf("%g of rank %d, %v", one, rank, err)
	}
	two, _, _ := estimate.Wald(beta, v, mat.NewDense(2, 3, []float64{1, 0, 0, 0, 1, 0}))
	more, rank, _ := estimate.Wald(beta, v, mat.NewDense(4, 3, []float64{1, 0, 0, 0, 1, 0, 1, 1, 0, 0, 0, 0}))
	if rank != 2 || math.Abs(two-more) > 1e-12 {
		t.Errorf("%g and, with dependent rows, %g of rank %d", two, more, rank)
	}
	// (b1, b2) V^-1 (b1, b2)' by hand
	if want := (1*1 - 2*.5*-2*1 + 2*4) / (2*1 - .25); math.Abs(two-want) > 1e-12 {
		t.Errorf("%g, want %g", two, want)
	}
	if _, _, err := estimate.Wald(beta, v, mat.NewDense(1, 3, nil)); err == nil {
		t.Error("an empty hypothesis is tested")
	}
	if _, _, err := estimate.Wald(beta, v, mat.NewDense(1, 2, nil)); err == nil {
		t.Error("a hypothesis of another size is tested")
	}
}
