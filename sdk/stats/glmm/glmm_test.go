package glmm

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"github.com/seed-4012077a/flow/sdk/stats/glm"
)

type fitted struct {
	Name, Formula, Family string
	Coef, SE, Theta       []float64
	Vcov                  [][]float64
	LogLik, AIC, BIC      float64
	SDCor                 []float64
	Groups                []string
	Modes                 [][][]float64
	CondVar               [][]float64
	Fitted                []float64
}

type reference struct {
	Data     map[string]json.RawMessage
	Fits     []fitted
	AGQ9     struct{ Coef, Theta []float64 }
	Integral float64
}

func load(t testing.TB) reference {
	t.Helper()
	b, err := os.ReadFile("testdata/reference.json")
	must(t, err)
	var r reference
	must(t, json.Unmarshal(b, &r))
	return r
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func table(t testing.TB, c map[string]json.RawMessage) *frame.Frame {
	t.Helper()
	var fr *frame.Frame
	for name, raw := range c {
		var num []float64
		var text []string
		numeric := json.Unmarshal(raw, &num) == nil
		if !numeric {
			must(t, json.Unmarshal(raw, &text))
		}
		if fr == nil {
			fr = frame.New(max(len(num), len(text)))
		}
		if numeric {
			must(t, fr.AddNumeric(name, num))
		} else {
			must(t, fr.AddStrings(name, text, nil))
		}
	}
	return fr
}

func design(t testing.TB, fr *frame.Frame, text string) *formula.Design {
	t.Helper()
	f, err := formula.Parse(text)
	must(t, err)
	d, err := f.Design(fr, formula.Options{})
	must(t, err)
	return d
}

func near(t *testing.T, what string, got, want, rel float64) {
	t.Helper()
	if !(math.Abs(got-want) <= rel*math.Max(0.1, math.Abs(want))) {
		t.Errorf("%s: got %.10g, want %.10g", what, got, want)
	}
}

func all(t *testing.T, what string, got, want []float64, rel float64) {
	t.Helper()
	if len(got) < len(want) {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
	for i := range want {
		near(t, fmt.Sprintf("%s[%d]", what, i), got[i], want[i], rel)
	}
}

func TestAgainstGlmer(t *testing.T) {
	r := load(t)
	fr := table(t, r.Data)
	for _, want := range r.Fits {
		t.Run(want.Name, func(t *testing.T) {
			family, err := glm.ParseFamily(want.Family)
			must(t, err)
			m, err := Fit(design(t, fr, want.Formula), family, Options{})
			must(t, err)
			t.Logf("%d evaluations, %.1e left", m.Iterations, m.Gradient)
			all(t, "coefficients", m.Coefficients(), want.Coef, 1e-5)
			near(t, "logLik", m.LogLik, want.LogLik, 1e-8)
			near(t, "AIC", m.AIC(), want.AIC, 1e-8)
			near(t, "BIC", m.BIC(), want.BIC, 1e-8)
			all(t, "fitted", m.Fitted, want.Fitted, 1e-5)
			if m.Singular != (want.Name == "singular") {
				t.Errorf("singular: %v", m.Singular)
			}
			if m.Singular {
				return
			}
			for i, row := range want.Vcov {
				for j, v := range row {
					s := math.Sqrt(want.Vcov[i][i] * want.Vcov[j][j])
					near(t, fmt.Sprintf("covariance[%d,%d]", i, j), m.Covariance().At(i, j)/s, v/s, 1e-5)
				}
				near(t, "SE as lme4 differences it", math.Sqrt(m.Covariance().At(i, i)), want.SE[i], 5e-4)
			}
			compareRandom(t, m, want)
		})
	}
}

func compareRandom(t *testing.T, m *Model, want fitted) {
	t.Helper()
	// lme4 lists the terms by falling number of levels; here they keep the formula's order.
	sd := map[string][]float64{}
	for _, c := range m.Components() {
		sd[c.Group] = append(sd[c.Group], c.SDCor)
	}
	var flat []float64
	for _, g := range want.Groups {
		flat = append(flat, sd[g]...)
	}
	all(t, "sd and correlations", flat, want.SDCor, 1e-5)
	for k, g := range want.Groups {
		col := 0
		for _, e := range m.Effects() {
			if e.Group != g {
				continue
			}
			for j := range e.Names {
				for i, row := range want.Modes[k] {
					near(t, "mode of "+g, e.B.At(i, j), row[col], 1e-5)
				}
				if j == 0 && col < len(want.CondVar[k]) {
					near(t, "conditional variance of "+g, e.Var[0].At(0, 0), want.CondVar[k][col], 1e-5)
				}
				col++
			}
		}
	}
}

func TestQuadrature(t *testing.T) {
	r := load(t)
	m, err := Fit(design(t, table(t, r.Data), "y ~ x + t + (1 | g)"), glm.Binomial(), Options{Quadrature: 9})
	must(t, err)
	all(t, "coefficients", m.Coefficients(), r.AGQ9.Coef, 1e-5)
	all(t, "theta", m.Theta, r.AGQ9.Theta, 1e-5)
	// Nine points leave little to the integral itself.
	near(t, "log-likelihood against direct integration", m.LogLik, r.Integral, 1e-6)
}

// The gradient against differences of the value, with two crossed factors and a
// slope, away from the optimum.
func TestGradient(t *testing.T) {
	r := load(t)
	d := design(t, table(t, r.Data), "cbind(s, f) ~ x + (1 + t | g) + (1 | item) + (1 | class)")
	start, lay, err := prepare(d, glm.Binomial(), Options{})
	must(t, err)
	p := newLaplace(glm.Binomial(), lay, d.X, d.Y, d.Weights, make([]float64, len(d.Y)))
	x, _, _ := origin(lay, start)
	for j := range x {
		x[j] += 0.1 * math.Sin(float64(3*j+1))
	}
	f := p.objective()
	_, g, err := f(x)
	must(t, err)
	for j := range x {
		const h = 1e-4
		y := append([]float64(nil), x...)
		y[j] = x[j] + h
		up, _, err := f(y)
		must(t, err)
		y[j] = x[j] - h
		down, _, err := f(y)
		must(t, err)
		near(t, fmt.Sprintf("derivative %d", j), g[j], (up-down)/(2*h), 1e-5)
	}
}

func TestBadInputNamesTheCause(t *testing.T) {
	fr := table(t, load(t).Data)
	for _, c := range []struct {
		formula string
		family  glm.Family
		o       Options
		want    string
	}{
		{"y ~ x", glm.Binomial(), Options{}, "has no random term"},
		{"y ~ x + (1 | g)", glm.Gamma(), Options{}, "binomial(logit) and poisson(log)"},
		{"y ~ x + (1 + t | g)", glm.Binomial(), Options{Quadrature: 7}, "single random intercept"},
		{"k ~ x + (1 | g)", glm.Binomial(), Options{}, "a binomial response"},
	} {
		if _, err := Fit(design(t, fr, c.formula), c.family, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.formula, err, c.want)
		}
	}
	n := fr.Rows()
	x, _ := fr.Column("x")
	sep := make([]float64, n)
	for i := range sep {
		if x.Num[i] > 0 {
			sep[i] = 1
		}
	}
	must(t, fr.AddNumeric("sep", sep))
	var s *glm.SeparationError
	if _, err := Fit(design(t, fr, "sep ~ x + (1 | g)"), glm.Binomial(), Options{}); !errors.As(err, &s) {
		t.Errorf("separation: got %v", err)
	}
}

// lme4's fit of its data set cbpp, when the references lie beside the checkout.
func TestSharedCbpp(t *testing.T) {
	dir, err := os.Getwd()
	must(t, err)
	for dir != filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		dir = filepath.Dir(dir)
	}
	root := filepath.Join(filepath.Dir(dir), "shared", "stats")
	b, err := os.ReadFile(filepath.Join(root, "ref", "real_data.json"))
	if err != nil {
		t.Skip("the shared references are not beside this checkout")
	}
	var ref struct {
		Laplace struct {
			Coef        []struct{ Estimate, SE float64 }
			Vcov        [][]float64
			Theta       float64
			LogLik, AIC float64
		} `json:"cbpp_laplace"`
		AGQ struct {
			Coef  []struct{ Estimate, SE float64 }
			Theta float64
		} `json:"cbpp_agq9"`
	}
	must(t, json.Unmarshal(b, &ref))
	b, err = os.ReadFile(filepath.Join(root, "real", "cbpp.csv"))
	must(t, err)
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")[1:]
	var herd, period []string
	var incidence, size []float64
	for _, l := range lines {
		v := strings.Split(l, ",")
		var a, c float64
		must(t, json.Unmarshal([]byte(v[1]), &a))
		must(t, json.Unmarshal([]byte(v[2]), &c))
		herd, period, incidence, size = append(herd, v[0]), append(period, v[3]), append(incidence, a), append(size, c)
	}
	fr := frame.New(len(lines))
	must(t, fr.AddStrings("herd", herd, nil))
	must(t, fr.AddStrings("period", period, nil))
	must(t, fr.AddNumeric("incidence", incidence))
	must(t, fr.AddNumeric("size", size))
	d := design(t, fr, "cbind(incidence, size - incidence) ~ period + (1 | herd)")
	m, err := Fit(d, glm.Binomial(), Options{})
	must(t, err)
	for j, c := range ref.Laplace.Coef {
		near(t, "coefficient", m.Coefficients()[j], c.Estimate, 1e-5)
		near(t, "SE", math.Sqrt(m.Covariance().At(j, j)), c.SE, 1e-4)
	}
	near(t, "theta", m.Theta[0], ref.Laplace.Theta, 1e-5)
	near(t, "logLik", m.LogLik, ref.Laplace.LogLik, 1e-9)
	near(t, "AIC", m.AIC(), ref.Laplace.AIC, 1e-9)
	q, err := Fit(d, glm.Binomial(), Options{Quadrature: 9})
	must(t, err)
	for j, c := range ref.AGQ.Coef {
		near(t, "quadrature coefficient", q.Coefficients()[j], c.Estimate, 1e-5)
		near(t, "quadrature SE", math.Sqrt(q.Covariance().At(j, j)), c.SE, 1e-4)
	}
	near(t, "quadrature theta", q.Theta[0], ref.AGQ.Theta, 1e-5)
}
