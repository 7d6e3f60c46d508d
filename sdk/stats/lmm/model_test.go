package lmm

import (
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/seed-4012077a/flow/sdk/stats/estimate"
	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"gonum.org/v1/gonum/mat"
)

var _ estimate.Linear = (*Model)(nil)

func TestRefitIsAFit(t *testing.T) {
	_, fr := readR(t)
	for _, text := range []string{"y~x*f+(1+x|subj)", "y~x*f+(1+x|subj)+(1|item)"} {
		for _, weights := range []string{"", "w"} {
			fo := formula.Options{Weights: weights}
			m := fitFormula(t, text, fr, fo, Options{REML: true})
			before := m.Criterion()
			fresh := fitFormula(t, "z"+text[1:], fr, fo, Options{REML: true})
			again, err := m.Refit(fresh.Design().Y)
			if err != nil {
				t.Fatal(err)
			}
			near(t, "criterion", again.Criterion(), fresh.Criterion(), 1e-8, 1)
			for j, b := range fresh.Coefficients() {
				near(t, "coefficient", again.Coefficients()[j], b, 1e-5, 0.1)
			}
			_, se, df, err := again.Contrast([]float64{0, 1, 0, 0, 0, 0})
			_, se2, df2, err2 := fresh.Contrast([]float64{0, 1, 0, 0, 0, 0})
			if err != nil || err2 != nil {
				t.Fatal(err, err2)
			}
			near(t, "SE", se, se2, 1e-5, 0)
			near(t, "df", df, df2, 1e-3, 0)
			old := fitFormula(t, text, fr, fo, Options{REML: true})
			_, se, _, _ = m.Contrast([]float64{0, 1, 0, 0, 0, 0})
			_, se2, _, _ = old.Contrast([]float64{0, 1, 0, 0, 0, 0})
			if m.Criterion() != before || se != se2 {
				t.Error("refitting changed the model it began from")
			}
		}
	}
}

func TestSimulate(t *testing.T) {
	_, fr := readR(t)
	m := fitFormula(t, "y~x+f+(1+x|subj)+(1|item)", fr, formula.Options{Weights: "w"}, Options{})
	a, err := m.Simulate(3, 9)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := m.Simulate(3, 9)
	c, _ := m.Simulate(3, 10)
	if a[2][5] != b[2][5] || a[2][5] == c[2][5] || a[0][5] == a[1][5] {
		t.Error("the draws do not follow the seed")
	}
	// 400 fits to draws: their mean estimates are those drawn from, their
	// spread the standard errors.
	rows, failed, err := m.Bootstrap(400, 1, func(m *Model) ([]float64, error) {
		return append(m.Coefficients(), m.Sigma()), nil
	})
	if err != nil || failed > 0 {
		t.Fatal(failed, err)
	}
	want := append(m.Coefficients(), m.Sigma())
	cov, _ := m.Covariance()
	for j := range want {
		mean, v := 0.0, 0.0
		for _, r := range rows {
			mean += r[j] / float64(len(rows))
		}
		for _, r := range rows {
			v += (r[j] - mean) * (r[j] - mean) / float64(len(rows)-1)
		}
		se := math.Sqrt(v)
		if math.Abs(mean-want[j]) > 5*se/math.Sqrt(float64(len(rows)))+0.01*math.Abs(want[j]) {
			t.Errorf("%d: drawn from %g, fitted %g on average", j, want[j], mean)
		}
		if j < len(want)-1 && math.Abs(se/math.Sqrt(cov.At(j, j))-1) > 0.2 {
			t.Errorf("%d: standard error %g, spread %g", j, math.Sqrt(cov.At(j, j)), se)
		}
	}
}

func TestBootstrapTest(t *testing.T) {
	_, fr := readR(t)
	null := fitFormula(t, "y~f+(1|subj)", fr, formula.Options{}, Options{REML: true})
	larger := fitFormula(t, "y~f+x+(1|subj)", fr, formula.Options{}, Options{REML: true})
	c, p, err := BootstrapTest(null, larger, 400, 3)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(p-c.P) > 4*math.Sqrt(c.P*(1-c.P)/400)+0.02 {
		t.Errorf("bootstrap p %g, chi-squared %g", p, c.P)
	}
}

func TestSingularIsSaid(t *testing.T) {
	_, fr := readR(t)
	for text, want := range map[string]string{
		"y~x+(1|subj)+(1|site)": "the variance of (1 | site) is estimated as zero",
		"z~x+(1+x|subj)":        "(1 + x | subj) has fewer than 2 dimensions",
	} {
		m := fitFormula(t, text, fr, formula.Options{}, Options{REML: true})
		if !m.Singular() || !strings.Contains(strings.Join(m.Notes(), "\n"), want) {
			t.Errorf("%s: notes %q, theta %v", text, m.Notes(), m.Theta())
		}
		for _, c := range m.VarianceComponents() {
			if math.IsNaN(c.SDCor) || math.IsNaN(c.Covariance) {
				t.Errorf("%s: %+v", text, c)
			}
		}
	}
	m := fitFormula(t, "y~x+(1+x|subj)", fr, formula.Options{}, Options{REML: true})
	if m.Singular() || len(m.Notes()) > 0 {
		t.Error(m.Notes())
	}
}

// TestUndetermined: a variance that another gives as well is told of, and one
// that is only hard to tell is not.
func TestUndetermined(t *testing.T) {
	_, fr := readR(t)
	x, _ := fr.Column("x")
	twice, epoch := make([]float64, fr.Rows()), make([]float64, fr.Rows())
	half := make([]int32, fr.Rows())
	for i, v := range x.Num {
		twice[i], epoch[i], half[i] = 2*v-3, 1.7e9+86400*v, int32(i%2)
	}
	for name, v := range map[string][]float64{"twice": twice, "epoch": epoch} {
		if err := fr.AddNumeric(name, v); err != nil {
			t.Fatal(err)
		}
	}
	a, b := make([]float64, fr.Rows()), make([]float64, fr.Rows())
	for i, h := range half {
		a[i], b[i] = float64(h), float64(1-h)
	}
	for name, v := range map[string][]float64{"a": a, "b": b} {
		if err := fr.AddNumeric(name, v); err != nil {
			t.Fatal(err)
		}
	}
	if err := fr.AddFactor("half", half, []string{"a", "b"}); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"y~x+(1+x+twice|subj)":                 "the variance of twice in (1 + x + twice | subj) is not determined: the column is a linear combination of others in (1 + x + twice | subj)",
		"y~x+(1|subj)+(1+x|subj)":              "the variance of (Intercept) in (1 | subj) is not determined: the column is a linear combination of others in (1 + x | subj)",
		"y~x+(0+x|subj)+(0+I(3*x)|subj)":       "in (0 + I(3 * x) | subj) is not determined",
		"y~x+(1|subj)+(0+half|subj)":           "the variance of (Intercept) in (1 | subj) is not determined",
		"y~x+(1|subj)+(0+a||subj)+(0+b||subj)": "", // heterogeneous variances beside a common one
		"y~x+(0+x+twice|subj)+(1|subj)":        "the variance of (Intercept) in (1 | subj) is not determined",
		"y~x+(0+x|subj)+(0+twice|subj)":        "",
		"y~x+(1+epoch|subj)":                   "",
		"y~x+(1+x|subj)+(1|site)":              "",
	} {
		f, err := formula.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		d, err := f.Design(fr, formula.Options{})
		if err != nil {
			t.Fatal(err)
		}
		in, err := fromDesign(d)
		if err != nil {
			t.Fatal(err)
		}
		q, err := newProblem(in)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(q.undetermined(), "\n")
		if want == "" && got != "" || !strings.Contains(got, want) || strings.Count(got, "\n") > 0 {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	m := fitFormula(t, "y~x+(1|subj)+(1+x|subj)", fr, formula.Options{}, Options{REML: true})
	if !strings.Contains(strings.Join(m.Notes(), "\n"), "not determined") {
		t.Error(m.Notes())
	}
}

func small(t *testing.T) *frame.Frame {
	t.Helper()
	fr := frame.New(8)
	add := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	add(fr.AddNumeric("y", []float64{1, 2, 4, 3, 7, 5, 6, 9}))
	add(fr.AddNumeric("same", []float64{3, 3, 3, 3, 3, 3, 3, 3}))
	add(fr.AddNumeric("x", []float64{1, 2, 3, 4, 5, 6, 7, 8}))
	add(fr.AddNumeric("twice", []float64{2, 4, 6, 8, 10, 12, 14, 16}))
	add(fr.AddNumeric("w0", make([]float64, 8)))
	add(fr.AddNumeric("w1", []float64{0, 1, 1, 1, 1, 1, 1, 1}))
	add(fr.AddNumeric("gone", []float64{math.NaN(), 1, 2, 1, 3, 2, 4, 2}))
	add(fr.AddStrings("g", []string{"a", "a", "b", "b", "c", "c", "d", "d"}, nil))
	add(fr.AddStrings("id", []string{"a", "b", "c", "d", "e", "f", "g", "h"}, nil))
	return fr
}

func TestBadInput(t *testing.T) {
	fr := small(t)
	for _, c := range []struct{ text, weights, want string }{
		{"y ~ x", "", "no random term"},
		{"same ~ x + (1 | g)", "", "3 in every row"},
		{"y ~ x + (1 | id)", "", "8 levels for 8 observations"},
		{"y ~ x + (1 + x | g)", "", "8 random effects"},
		{"y ~ x + (1 | g)", "w0", "all 8 weights are zero"},
		{"y ~ x + (1 | g)", "w1", "1 of 8 weights"},
		{"twice ~ x + (1 | g)", "", "fit the response exactly"},
		{"y ~ x + (0 + w0 | g)", "", "0 in every row"},
	} {
		f, err := formula.Parse(c.text)
		if err != nil {
			t.Fatal(err)
		}
		d, err := f.Design(fr, formula.Options{Weights: c.weights})
		if err == nil {
			_, err = Fit(d, Options{REML: true})
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.text, err, c.want)
		}
	}
	if _, err := Fit(nil, Options{}); err == nil {
		t.Error("a nil design was fitted")
	}
	m := fitFormula(t, "y ~ x + twice + gone + (1 | g)", fr, formula.Options{}, Options{REML: true})
	if notes := strings.Join(m.Notes(), "\n"); !strings.Contains(notes, "twice") || !strings.Contains(notes, "1 rows") {
		t.Error(m.Notes())
	}
	if _, err := Fit(m.Design(), Options{DF: KenwardRoger}); err == nil || !strings.Contains(err.Error(), "REML") {
		t.Error(err)
	}
	for _, l := range [][]float64{{1}, {0, 0, 0}, {math.NaN(), 0, 0}} {
		if _, _, _, err := m.Contrast(l); err == nil {
			t.Errorf("contrast %v", l)
		}
	}
	if _, _, _, err := m.Joint(mat.NewDense(2, 3, nil)); err == nil {
		t.Error("zeros were tested")
	}
	if _, err := m.Refit(make([]float64, 7)); err == nil {
		t.Error("refitted to a constant")
	}
	if _, err := m.Refit([]float64{1}); err == nil {
		t.Error("refitted to one row")
	}
	if _, err := m.Refit([]float64{1, 2, math.Inf(1), 1, 2, 3, 4}); err == nil {
		t.Error("refitted to infinity")
	}
	if _, err := ParseDF("kr"); err == nil {
		t.Error("kr")
	}
}

// A shift and scale of the columns must not cost digits, nor change what is
// estimated.
func TestInvariance(t *testing.T) {
	_, fr := readR(t)
	shifted := frame.New(fr.Rows())
	for _, n := range fr.Names() {
		c, _ := fr.Column(n)
		if n == "x" || n == "y" {
			v := make([]float64, fr.Rows())
			for i := range v {
				v[i] = 1e4 + 10*c.Num[i]
			}
			if err := shifted.AddNumeric(n, v); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := shifted.Add(c); err != nil {
			t.Fatal(err)
		}
	}
	for _, text := range []string{"y~x+f+(1|subj)", "y~x+f+(1|subj)+(1|item)"} {
		a := fitFormula(t, text, fr, formula.Options{}, Options{})
		b := fitFormula(t, text, shifted, formula.Options{}, Options{})
		near(t, "criterion", b.Criterion(), a.Criterion()+2*math.Log(10)*float64(a.NObs()), 1e-9, 0)
		near(t, "slope", b.Coefficients()[1], a.Coefficients()[1], 1e-7, 0)
		near(t, "f", b.Coefficients()[2], 10*a.Coefficients()[2], 1e-6, 0)
	}
}

// Without exact traces the search has the average information, and the degrees
// of freedom differences of the gradient; the results are the same.
func TestWithoutExactTraces(t *testing.T) {
	_, fr := readR(t)
	m := fitFormula(t, "y~x+f+(1+x|subj)+(1+x|item)", fr, formula.Options{}, Options{REML: true})
	in, err := fromDesign(m.Design())
	if err != nil {
		t.Fatal(err)
	}
	q, err := newProblem(in)
	if err != nil {
		t.Fatal(err)
	}
	k := newCrossed(q, 0)
	k.small, k.most = 0, 0
	o, err := fit(m.Design(), q, k, q.start(), m.Options())
	if err != nil {
		t.Fatal(err)
	}
	near(t, "criterion", o.Criterion(), m.Criterion(), 1e-9, 1)
	for _, l := range [][]float64{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, -1}} {
		est, se, df, err := m.Contrast(l)
		est2, se2, df2, err2 := o.Contrast(l)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		near(t, "estimate", est2, est, 1e-5, se)
		near(t, "SE", se2, se, 1e-5, 0)
		near(t, "df", df2, df, 1e-4, 0)
	}
	o.opt.DF = KenwardRoger
	if _, _, _, err := o.Contrast([]float64{1, 0, 0, 0}); err == nil || !strings.Contains(err.Error(), "Satterthwaite") {
		t.Error("Kenward-Roger beyond its bounds: ", err)
	}
}

// FuzzFit gives Fit arbitrary small tables: it answers with an error or with
// finite numbers.
func FuzzFit(f *testing.F) {
	f.Add([]byte("aAbBcCdDeEfFgGhHiIjJkKlLmMnNoOpP"), false, true)
	f.Add([]byte{0, 0, 0, 1, 1, 1, 2, 2, 2, 0, 1, 2, 255, 254, 128, 7, 9, 1, 77, 3, 3, 3, 1, 1, 9, 8, 7, 6, 5, 4}, true, false)
	f.Fuzz(func(t *testing.T, b []byte, crossed, slope bool) {
		n := len(b) / 3
		if n < 1 || n > 60 {
			return
		}
		y, x := make([]float64, n), make([]float64, n)
		g, h := make([]string, n), make([]string, n)
		for i := range y {
			y[i], x[i] = float64(int8(b[3*i]))*math.Pow(10, float64(b[0]%9)-4), float64(b[3*i+1]%16)
			g[i], h[i] = string(rune('a'+b[3*i+2]%7)), string(rune('a'+b[3*i+2]/8%5))
		}
		fr := frame.New(n)
		for _, err := range []error{fr.AddNumeric("y", y), fr.AddNumeric("x", x), fr.AddStrings("g", g, nil), fr.AddStrings("h", h, nil)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		text := "y ~ x + (1 | g)"
		if slope {
			text = "y ~ x + (1 + x | g)"
		}
		if crossed {
			text += " + (1 | h)"
		}
		fm, err := formula.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		d, err := fm.Design(fr, formula.Options{})
		if err != nil {
			return
		}
		m, err := Fit(d, Options{REML: true, DF: DF(b[0] % 3)})
		if err != nil {
			if strings.Contains(err.Error(), "no convergence") {
				t.Errorf("%v: %v", b, err)
			}
			return
		}
		co, err := estimate.Coefficients(m, 0.95)
		if err != nil {
			return
		}
		for _, e := range co {
			for _, v := range []float64{e.Estimate, e.SE, e.Lower, e.Upper, e.P, m.Criterion(), m.Sigma()} {
				if math.IsNaN(v) || math.IsInf(v, 0) {
					t.Fatalf("%+v, %g, %g", e, m.Criterion(), m.Sigma())
				}
			}
		}
		if _, err := m.RandomEffects(); err != nil {
			t.Error(err)
		}
	})
}

func TestConcurrentUse(t *testing.T) {
	_, fr := readR(t)
	m := fitFormula(t, "y~x+f+(1+x|subj)+(1|item)", fr, formula.Options{}, Options{REML: true, DF: KenwardRoger})
	var wg sync.WaitGroup
	for i := 0; i < 4; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if _, _, _, err := m.Contrast([]float64{0, 1, 0, 0}); err != nil {
				t.Error(err)
			}
			if _, err := m.RandomEffects(); err != nil {
				t.Error(err)
			}
			if _, err := m.ProfileInterval("x", []float64{0, 1, 0, 0}, 0.9); err != nil {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
}
