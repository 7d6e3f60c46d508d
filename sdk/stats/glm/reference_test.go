package glm

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/seed-4012077a/flow/sdk/stats/estimate"
	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"gonum.org/v1/gonum/mat"
)

type columns map[string]json.RawMessage

type fitted struct {
	Name, Formula, Family, Link, Weights            string
	Terms                                           []string
	Coef, SE, P                                     []float64
	Vcov                                            [][]float64
	Deviance, Null, DF, DFNull, Dispersion          float64
	LogLik, AIC, BIC                                *float64
	LinkFit, LinkSE, RespFit, RespSE                []float64
	Residuals                                       [][]float64
	Hat                                             []float64
	HC, Cl                                          [][]float64
	ProfileLast, Contrast, ProfileContrast, Confint []float64
	DropLast                                        float64
}

func (f *fitted) UnmarshalJSON(b []byte) error {
	type plain fitted
	var m map[string]json.RawMessage
	if err := json.Unmarshal(b, &m); err != nil {
		return err
	}
	flat := map[string]json.RawMessage{}
	for k, v := range m {
		flat[strings.ReplaceAll(k, "_", "")] = v
	}
	b, err := json.Marshal(flat)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, (*plain)(f))
}

type reference struct {
	Data      columns
	Fits      []fitted
	Separated struct {
		Data                       columns
		Overlap, Complete, Poisson struct {
			Coef, SE  []float64
			Penalised float64
		}
	}
}

func load(t *testing.T) reference {
	t.Helper()
	b, err := os.ReadFile("testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	var r reference
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// table makes a frame of JSON columns of numbers or strings.
func table(t *testing.T, c columns) *frame.Frame {
	t.Helper()
	var fr *frame.Frame
	for name, raw := range c {
		var num []float64
		var text []string
		if json.Unmarshal(raw, &num) == nil {
			if fr == nil {
				fr = frame.New(len(num))
			}
			must(t, fr.AddNumeric(name, num))
			continue
		}
		must(t, json.Unmarshal(raw, &text))
		if fr == nil {
			fr = frame.New(len(text))
		}
		must(t, fr.AddStrings(name, text, nil))
	}
	return fr
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func design(t *testing.T, fr *frame.Frame, text, weights string) *formula.Design {
	t.Helper()
	f, err := formula.Parse(text)
	must(t, err)
	d, err := f.Design(fr, formula.Options{Weights: weights})
	must(t, err)
	return d
}

func near(t *testing.T, what string, got, want, tol float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tol*math.Max(1e-3, math.Abs(want))) {
		t.Errorf("%s: got %.12g, want %.12g", what, got, want)
	}
}

func all(t *testing.T, what string, got, want []float64, tol float64) {
	t.Helper()
	if len(got) < len(want) {
		t.Fatalf("%s: got %d numbers, want %d", what, len(got), len(want))
	}
	for i := range want {
		near(t, fmt.Sprintf("%s[%d]", what, i), got[i], want[i], tol)
	}
}

func diagonal(m *Model) []float64 {
	v := m.Covariance()
	var out []float64
	for j := range v.SymmetricDim() {
		out = append(out, math.Sqrt(v.At(j, j)))
	}
	return out
}

func unit(p, j int) []float64 { l := make([]float64, p); l[j] = 1; return l }

func TestAgainstR(t *testing.T) {
	r := load(t)
	fr := table(t, r.Data)
	for _, want := range r.Fits {
		t.Run(want.Name, func(t *testing.T) {
			family, err := ParseFamily(want.Family + "(" + want.Link + ")")
			must(t, err)
			m, err := Fit(design(t, fr, want.Formula, want.Weights), family, Options{Exact: true})
			must(t, err)
			compare(t, m, want)
			compareRobust(t, m, want)
			compareProfiles(t, m, want)
			x, err := m.Design().Model(fr.Select([]int{2, 49, 96}))
			must(t, err)
			off, err := m.Design().NewOffset(fr.Select([]int{2, 49, 96}))
			must(t, err)
			for _, response := range []bool{false, true} {
				ps, err := m.Predict(x, off, response, 0.95)
				must(t, err)
				fit, se := want.LinkFit, want.LinkSE
				if response {
					fit, se = want.RespFit, want.RespSE
				}
				for i, p := range ps {
					near(t, "prediction", p.Fit, fit[i], 1e-7)
					near(t, "its SE", p.SE, se[i], 1e-7)
					if !(p.Lower < p.Fit && p.Fit < p.Upper) {
						t.Errorf("prediction %v lies outside its limits %v, %v", p.Fit, p.Lower, p.Upper)
					}
				}
			}
		})
	}
}

func compare(t *testing.T, m *Model, want fitted) {
	t.Helper()
	const tol = 1e-7 // R's own tightest rule leaves 1e-8 to coefficients of non-canonical links
	if got := strings.Join(m.Design().Names, " "); got != strings.Join(want.Terms, " ") {
		t.Errorf("terms %s, want %v", got, want.Terms)
	}
	all(t, "coefficients", m.Coefficients(), want.Coef, tol)
	all(t, "SE", diagonal(m), want.SE, tol)
	near(t, "deviance", m.Deviance, want.Deviance, tol)
	near(t, "null deviance", m.NullDeviance, want.Null, tol)
	near(t, "df", float64(m.DFResidual), want.DF, 0)
	near(t, "null df", float64(m.DFNull), want.DFNull, 0)
	near(t, "dispersion", m.Dispersion, want.Dispersion, tol)
	if want.LogLik != nil {
		near(t, "logLik", m.LogLik, *want.LogLik, tol)
		near(t, "AIC", m.AIC(), *want.AIC, tol)
		if want.Weights != "v" { // has zeros, whose rows R 4.2 counts
			near(t, "BIC", m.BIC(), *want.BIC, tol)
		}
	} else if !math.IsNaN(m.LogLik) {
		t.Errorf("a quasi family has log-likelihood %v", m.LogLik)
	}
	es, err := estimate.Coefficients(m, 0.95)
	must(t, err)
	for j, e := range es {
		near(t, "p of "+e.Label, e.P, want.P[j], 1e-6)
	}
	for k, res := range want.Residuals {
		got, err := m.Residuals([]Residual{DevianceResidual, PearsonResidual, ResponseResidual, WorkingResidual}[k])
		must(t, err)
		all(t, fmt.Sprintf("residuals of kind %d", k), got, res, 1e-7)
	}
	if want.Weights != "v" { // R leaves rows of weight zero out
		all(t, "leverages", m.Leverages(), want.Hat, 1e-7)
	}
}

func compareRobust(t *testing.T, m *Model, want fitted) {
	t.Helper()
	for k, se := range want.HC {
		r, err := m.WithRobust(HC(k))
		must(t, err)
		all(t, r.Robust, diagonal(r), se, 1e-7)
	}
	cluster := make([]int32, len(m.Fitted))
	for i := range cluster {
		cluster[i] = int32(i / 5)
	}
	for k, se := range want.Cl {
		r, err := m.WithCluster(HC(k), cluster)
		must(t, err)
		all(t, r.Robust, diagonal(r), se, 1e-7)
	}
}

func compareProfiles(t *testing.T, m *Model, want fitted) {
	t.Helper()
	p := len(want.Coef)
	for _, c := range []struct{ l, want []float64 }{{unit(p, p-1), want.ProfileLast}, {want.Contrast, want.ProfileContrast}} {
		lo, hi, err := m.ProfileInterval(c.l, 0.95)
		must(t, err)
		near(t, "profile lower", lo, c.want[0], 1e-7)
		near(t, "profile upper", hi, c.want[1], 1e-7)
	}
	if want.Confint != nil {
		lo, hi, err := m.InterpolatedInterval(p-1, 0.95)
		must(t, err)
		near(t, "confint lower", lo, want.Confint[0], 1e-6)
		near(t, "confint upper", hi, want.Confint[1], 1e-6)
	}
	drop, err := m.Drop(mat.NewDense(1, p, unit(p, p-1)))
	must(t, err)
	rise := drop.Statistic
	if m.Family.Estimated() {
		rise *= m.Dispersion
	}
	near(t, "likelihood ratio", rise, want.DropLast, 1e-7)
}

func TestFirthAgainstAMaximisedFunction(t *testing.T) {
	r := load(t).Separated
	fr := table(t, r.Data)
	for _, c := range []struct {
		formula string
		family  Family
		want    struct {
			Coef, SE  []float64
			Penalised float64
		}
	}{{"y ~ x", Binomial(), r.Overlap}, {"y2 ~ x + t", Binomial(), r.Complete}, {"k ~ t + x", Poisson(), r.Poisson}} {
		m, err := Fit(design(t, fr, c.formula, ""), c.family, Options{Firth: true})
		must(t, err)
		all(t, c.formula, m.Coefficients(), c.want.Coef, 1e-7)
		all(t, c.formula+" SE", diagonal(m), c.want.SE, 1e-7)
		if c.family == Binomial() {
			near(t, "penalised log-likelihood", m.LogLik, c.want.Penalised, 1e-9)
		}
		lo, hi, err := m.ProfileInterval(unit(len(c.want.Coef), 1), 0.95)
		must(t, err)
		if !(lo < c.want.Coef[1] && c.want.Coef[1] < hi) || math.IsInf(hi, 0) {
			t.Errorf("%s: penalised profile %v to %v", c.formula, lo, hi)
		}
	}
}

func TestSeparationIsNamed(t *testing.T) {
	r := load(t).Separated
	fr := table(t, r.Data)
	for _, c := range []struct {
		formula  string
		family   Family
		complete bool
		columns  string
		rows     string
	}{
		{"y2 ~ x + t", Binomial(), true, "(Intercept) x t", "[1 2 3 4 5 6 7 8 9 10 11 12]"},
		{"y2 ~ x + t", Binomial().With(CLogLog), true, "(Intercept) x t", "[1 2 3 4 5 6 7 8 9 10 11 12]"},
		// Every row of t = 0 has k = 0; the rows of t = 1 determine x and no more.
		{"k ~ t + x", Poisson(), false, "(Intercept) t", "[1 2 3 5 6 8 11]"},
	} {
		_, err := Fit(design(t, fr, c.formula, ""), c.family, Options{})
		var s *SeparationError
		if !errors.As(err, &s) {
			t.Fatalf("%s: got %v, want a separation", c.formula, err)
		}
		if s.Complete != c.complete || strings.Join(s.Columns, " ") != c.columns || fmt.Sprint(s.Rows) != c.rows {
			t.Errorf("%s: got complete=%v columns %v rows %v", c.formula, s.Complete, s.Columns, s.Rows)
		}
	}
	sep, err := Separated(design(t, fr, "y ~ x", ""), Binomial())
	must(t, err)
	if sep != nil {
		t.Errorf("overlapping rows are called separated: %+v", sep)
	}
}
