package glm

import (
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"gonum.org/v1/gonum/mat"
)

// In a saturated 2 x 2 table Firth's estimate is the log odds ratio after adding
// 1/2 to every cell (Heinze & Schemper 2002), also with an empty cell.
func TestFirthInATwoByTwoTable(t *testing.T) {
	fr := frame.New(4)
	must(t, fr.AddNumeric("y", []float64{1, 0, 1, 0}))
	must(t, fr.AddNumeric("x", []float64{1, 1, 0, 0}))
	must(t, fr.AddNumeric("n", []float64{7, 0, 3, 9}))
	m, err := Fit(design(t, fr, "y ~ x", "n"), Binomial(), Options{Firth: true})
	must(t, err)
	near(t, "log odds ratio", m.Coefficients()[1], math.Log(7.5*9.5/(0.5*3.5)), 1e-9)
	near(t, "log odds", m.Coefficients()[0], math.Log(3.5/9.5), 1e-9)
	var s *SeparationError
	if _, err := Fit(design(t, fr, "y ~ x", "n"), Binomial(), Options{}); !errors.As(err, &s) || s.Complete || strings.Join(s.Columns, "") != "x" || !slices.Equal(s.Rows, []int{1}) {
		t.Errorf("an empty cell: got %v", err)
	}
}

// Separated and overlapping data made at random: the named direction must
// separate the named rows and no other, and an overlapping fit must solve the
// score equations.
func TestSeparationAgainstItsDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 9))
	found, overlap := 0, 0
	for range 300 {
		n := 6 + rng.IntN(20)
		y, a, b, c := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
		for i := range n {
			a[i], b[i], c[i] = float64(rng.IntN(3)), 2000+float64(rng.IntN(2)), math.Round(1e4*rng.NormFloat64())
			if a[i]+2*(b[i]-2000)+1.2*rng.NormFloat64() > 1.3 {
				y[i] = 1
			}
		}
		fr := frame.New(n)
		for k, v := range map[string][]float64{"y": y, "a": a, "b": b, "c": c} {
			must(t, fr.AddNumeric(k, v))
		}
		d := design(t, fr, "y ~ a + b + c", "")
		if s := d.Y; slices.Min(s) == slices.Max(s) || len(d.Aliased) > 0 {
			continue
		}
		sep, err := Separated(d, Binomial())
		must(t, err)
		m, fitErr := Fit(d, Binomial(), Options{})
		var named *SeparationError
		if errors.As(fitErr, &named) != (sep != nil) {
			t.Fatalf("Fit says %v, Separated says %+v", fitErr, sep)
		}
		if sep == nil {
			must(t, fitErr)
			overlap++
			for j := range 4 {
				g := 0.0
				for i := range n {
					g += (y[i] - m.Fitted[i]) * d.X.At(i, j) / mat.Norm(d.X.ColView(j), 2)
				}
				if math.Abs(g) > 1e-7 {
					t.Fatalf("score %v at the fit", g)
				}
			}
			continue
		}
		found++
		eta, top := make([]float64, n), 0.0
		for i := range n {
			for j, v := range sep.Direction {
				eta[i] += v * d.X.At(i, j) * (2*y[i] - 1)
			}
			top = math.Max(top, math.Abs(eta[i]))
		}
		for i, e := range eta {
			in := slices.Contains(sep.Rows, i+1)
			if in != (e > 1e-9*top) || e < -1e-9*top {
				t.Fatalf("row %d: separated %v, but the direction gives it %v of %v", i+1, in, e, top)
			}
		}
	}
	if found < 50 || overlap < 50 {
		t.Errorf("the data had %d separated and %d overlapping cases; too few to tell", found, overlap)
	}
}

func TestBadInputNamesTheCause(t *testing.T) {
	fr := frame.New(5)
	must(t, fr.AddNumeric("y", []float64{0, 1, 2, 1, 0}))
	must(t, fr.AddNumeric("one", []float64{1, 1, 1, 1, 1}))
	must(t, fr.AddNumeric("x", []float64{1, 2, 3, 4, 6}))
	must(t, fr.AddNumeric("neg", []float64{1, 2, -1, 4, 5}))
	for _, c := range []struct {
		formula, weights string
		family           Family
		o                Options
		want             string
	}{
		{"y ~ x", "", Binomial(), Options{}, "the response y of row 3 is 2; a binomial response"},
		{"neg ~ x", "", Poisson(), Options{}, "the response neg of row 3 is -1; a Poisson"},
		{"y ~ x", "", Gamma(), Options{}, "row 1 is 0; a Gamma response is positive"},
		{"one ~ x", "", Binomial(), Options{}, "no variance"},
		{"x ~ y", "", Gaussian().With(Probit), Options{}, "valid: identity, log, inverse"},
		{"x ~ y", "", Gamma(), Options{Firth: true}, "binomial(logit) and poisson(log)"},
	} {
		if _, err := Fit(design(t, fr, c.formula, c.weights), c.family, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.formula, err, c.want)
		}
	}
	for _, s := range []string{"binomal", "binomial(log)", ""} {
		if _, err := ParseFamily(s); err == nil || !strings.Contains(err.Error(), "valid:") {
			t.Errorf("family %q: %v", s, err)
		}
	}
}

func TestCompareAgainstDrop(t *testing.T) {
	fr := table(t, load(t).Data)
	big, err := Fit(design(t, fr, "y ~ x + z + g", ""), Binomial(), Options{})
	must(t, err)
	small, err := Fit(design(t, fr, "y ~ x + z", ""), Binomial(), Options{})
	must(t, err)
	a, err := big.Compare(small)
	must(t, err)
	l := mat.NewDense(2, 5, nil)
	l.Set(0, 3, 1)
	l.Set(1, 4, -2)
	b, err := big.Drop(l)
	must(t, err)
	near(t, "statistic", a.Statistic, b.Statistic, 1e-8)
	near(t, "p", a.P, b.P, 1e-8)
	if a.DF != 2 || b.DF != 2 {
		t.Errorf("df %v and %v, want 2", a.DF, b.DF)
	}
	if _, err := small.Compare(big); err == nil {
		t.Error("the larger model passed for the smaller")
	}
	l.Set(1, 4, 0)
	l.Set(1, 3, 7)
	if _, err := big.Drop(l); err == nil || !strings.Contains(err.Error(), "rank 1") {
		t.Errorf("dependent rows: %v", err)
	}
}

func TestDropoutWeights(t *testing.T) {
	fr := table(t, load(t).Data)
	m, err := Fit(design(t, fr, "y ~ x + z", ""), Binomial(), Options{})
	must(t, err)
	w, cut, err := DropoutWeights(m, false, Truncation{})
	must(t, err)
	y := m.Design().Y
	var kept []float64
	for i := range w {
		switch {
		case y[i] == 1 && w[i] != 0:
			t.Fatalf("row %d left and has weight %v", i, w[i])
		case y[i] == 0:
			near(t, "weight", w[i]*(1-m.Fitted[i]), 1, 1e-12)
			kept = append(kept, w[i])
		}
	}
	if cut != 0 {
		t.Errorf("%d weights cut without a bound", cut)
	}
	slices.Sort(kept)
	top := quantile(kept, 0.9)
	v, cut, err := DropoutWeights(m, true, Truncation{Quantile: 0.9})
	must(t, err)
	share := float64(len(kept)) / float64(len(y))
	near(t, "largest", slices.Max(v), top*share, 1e-12)
	if want := 2 * int(math.Ceil(0.1*float64(len(kept)-1)-1e-9)); cut != want {
		t.Errorf("%d weights cut, want %d of %d", cut, want, len(kept))
	}
}

// shared opens a file of the reference folder beside the repository, or skips.
func shared(t *testing.T, name string) []byte {
	t.Helper()
	dir, err := os.Getwd()
	must(t, err)
	for dir != filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		dir = filepath.Dir(dir)
	}
	b, err := os.ReadFile(filepath.Join(filepath.Dir(dir), "shared", name))
	if err != nil {
		t.Skipf("the shared references are not beside this checkout (%s)", name)
	}
	return b
}

// csv makes a frame of a comma-separated file: numbers where all values are.
func csv(t *testing.T, b []byte, factors ...string) *frame.Frame {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	head := strings.Split(lines[0], ",")
	fr := frame.New(len(lines) - 1)
	for c, name := range head {
		text, miss := make([]string, len(lines)-1), make([]bool, len(lines)-1)
		num := make([]float64, len(lines)-1)
		numeric := !slices.Contains(factors, name)
		for i, l := range lines[1:] {
			text[i] = strings.Split(l, ",")[c]
			miss[i] = text[i] == "" || text[i] == "NA"
			num[i] = math.NaN()
			if !miss[i] && numeric {
				numeric = json.Unmarshal([]byte(text[i]), &num[i]) == nil
			}
		}
		if numeric {
			must(t, fr.AddNumeric(name, num))
		} else {
			must(t, fr.AddStrings(name, text, miss))
		}
	}
	return fr
}

func TestSharedClassics(t *testing.T) {
	var ref map[string]json.RawMessage
	must(t, json.Unmarshal(shared(t, "stats/ref/real_data.json"), &ref))
	type fit struct {
		Formula                   string
		Coef, Vcov                [][]float64
		ProfileCI                 [][]float64 `json:"profile_ci"`
		LogLik, AIC, Deviance, DF float64
	}
	for name, file := range map[string]string{"birthwt_logit": "birthwt", "infert_logit": "infert"} {
		var want fit
		must(t, json.Unmarshal(ref[name], &want))
		m, err := Fit(design(t, csv(t, shared(t, "stats/real/"+file+".csv"), "race", "education"), want.Formula, ""), Binomial(), Options{})
		must(t, err)
		for j, c := range want.Coef { // R's rule repeats R's digits
			near(t, name+" coefficient", m.Coefficients()[j], c[0], 1e-9)
			near(t, name+" SE", diagonal(m)[j], c[1], 1e-9)
		}
		near(t, name+" logLik", m.LogLik, want.LogLik, 1e-9)
		near(t, name+" AIC", m.AIC(), want.AIC, 1e-9)
		near(t, name+" deviance", m.Deviance, want.Deviance, 1e-9)
		for j, ci := range want.ProfileCI {
			lo, hi, err := m.InterpolatedInterval(j, 0.95)
			must(t, err)
			near(t, name+" confint lower", lo, ci[0], 1e-5)
			near(t, name+" confint upper", hi, ci[1], 1e-5)
			xl, xh, err := m.ProfileInterval(unit(len(want.Coef), j), 0.95)
			must(t, err)
			if s := hi - lo; math.Abs(xl-lo) > 1e-3*s || math.Abs(xh-hi) > 1e-3*s {
				t.Errorf("%s: exact profile %v to %v, R's %v", name, xl, xh, ci)
			}
		}
	}
}
