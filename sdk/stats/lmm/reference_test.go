package lmm

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/seed-4012077a/flow/sdk/stats/estimate"
	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"github.com/seed-4012077a/flow/sdk/stats/internal/reftest"
)

// readFrame reads a CSV: a column is numeric if all its values are numbers or
// empty, and its name is not among the factors.
func readFrame(t testing.TB, path string, factors ...string) *frame.Frame {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	fr := frame.New(len(rows) - 1)
	for j, name := range rows[0] {
		num, numeric := make([]float64, len(rows)-1), true
		text, missing := make([]string, len(rows)-1), make([]bool, len(rows)-1)
		for _, f := range factors {
			numeric = numeric && f != name
		}
		for i, r := range rows[1:] {
			text[i] = r[j]
			missing[i] = r[j] == "" || r[j] == "NA"
			num[i] = math.NaN()
			if !missing[i] {
				v, err := strconv.ParseFloat(r[j], 64)
				num[i], numeric = v, numeric && err == nil
			}
		}
		if numeric {
			err = fr.AddNumeric(name, num)
		} else {
			err = fr.AddStrings(name, text, missing)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return fr
}

func numbers(t testing.TB, fr *frame.Frame, name string) []float64 {
	t.Helper()
	c, ok := fr.Column(name)
	if !ok || c.Kind != frame.Numeric {
		t.Fatalf("no numeric column %q", name)
	}
	return c.Num
}

// merged is a fitted model as the scripts write it.
type merged struct {
	Formula string
	REML    bool
	Nobs    int
	Coef    []struct {
		Term                      string
		Estimate, Se, Stat, Df, P *float64
	}
	Vcov    [][]float64
	Sigma   float64
	Varcomp []struct {
		Grp, Var1, Var2 string
		Vcov            float64
		Sdcor           *float64
	}
	LogLik, Crit, AIC, BIC float64
	Npar                   int
}

func readRef(t testing.TB, name string, into any) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(reftest.Shared(t), "ref", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatal(err)
	}
}

// each finds the fitted models in a file of references.
func each(v any, path string, f func(path string, m merged)) {
	switch x := v.(type) {
	case map[string]any:
		if _, ok := x["varcomp"]; ok {
			b, _ := json.Marshal(x)
			var m merged
			if json.Unmarshal(b, &m) == nil {
				f(path, m)
			}
		}
		keys := make([]string, 0, len(x))
		for k := range x {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		for _, k := range keys {
			each(x[k], path+"/"+k, f)
		}
	case []any:
		for i, e := range x {
			each(e, fmt.Sprint(path, "/", i), f)
		}
	}
}

// worst collects the largest differences of a file.
type worst map[string]float64

func (w worst) at(what string, got, want, bound float64, relative bool) error {
	d := math.Abs(got - want)
	if relative {
		d /= math.Max(math.Abs(want), 1e-12)
	}
	w[what] = math.Max(w[what], d)
	if !(d <= bound) {
		return fmt.Errorf("%s: %.12g, R has %.12g", what, got, want)
	}
	return nil
}

func fitFormula(t testing.TB, text string, fr *frame.Frame, fo formula.Options, o Options) *Model {
	t.Helper()
	f, err := formula.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	d, err := f.Design(fr, fo)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Fit(d, o)
	if err != nil {
		t.Fatal(text, ": ", err)
	}
	return m
}

// compare holds a model against R's.
func compare(t *testing.T, w worst, m *Model, ref merged) {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	if m.NObs() != ref.Nobs || m.Parameters() != ref.Npar {
		t.Errorf("%d observations, %d parameters; R has %d and %d", m.NObs(), m.Parameters(), ref.Nobs, ref.Npar)
	}
	check(w.at("criterion", m.Criterion(), ref.Crit, 1e-6, false))
	check(w.at("logLik", m.LogLik(), ref.LogLik, 1e-6, false))
	check(w.at("AIC", m.AIC(), ref.AIC, 2e-6, false))
	check(w.at("BIC", m.BIC(), ref.BIC, 2e-6, false))
	check(w.at("sigma", m.Sigma(), ref.Sigma, 1e-4, true))
	names := map[string]int{}
	for j, n := range m.Design().Names {
		names[n] = j
	}
	for _, c := range ref.Coef {
		j, ok := names[c.Term]
		if !ok {
			t.Errorf("no coefficient %q among %q", c.Term, m.Design().Names)
			continue
		}
		l := make([]float64, len(names))
		l[j] = 1
		e, err := estimate.Of(m, c.Term, l, 0.95)
		if err != nil {
			t.Error(err)
			continue
		}
		// A coefficient that is zero but for noise has no relative precision.
		check(w.at("coefficient", (e.Estimate-*c.Estimate)/math.Max(math.Abs(*c.Estimate), *c.Se), 0, 1e-5, false))
		check(w.at("SE", e.SE, *c.Se, 1e-5, true))
		if c.Df != nil {
			check(w.at("df", e.DF, *c.Df, 1e-3, true))
			check(w.at("p", e.P, *c.P, 1e-3, false))
		}
	}
	for _, v := range ref.Varcomp {
		found := false
		for _, c := range m.VarianceComponents() {
			grp := strings.TrimSuffix(v.Grp, ".1")
			if c.Group == grp && c.Column == v.Var1 && c.With == v.Var2 {
				found = true
				scale := 1.0
				if v.Var2 != "" {
					scale = math.Abs(v.Vcov) / math.Max(math.Abs(*v.Sdcor), 0.1)
					check(w.at("correlation", c.SDCor, *v.Sdcor, 1e-4, false))
				} else {
					scale = math.Max(v.Vcov, 1e-6*ref.Sigma*ref.Sigma)
				}
				check(w.at("variance", (c.Covariance-v.Vcov)/scale, 0, 1e-4, false))
			}
		}
		if !found {
			t.Errorf("no component %s %s %s", v.Grp, v.Var1, v.Var2)
		}
	}
}

func (w worst) report(t *testing.T) {
	var s []string
	for k, v := range w {
		s = append(s, fmt.Sprintf("%s %.1e", k, v))
	}
	sort.Strings(s)
	t.Log(strings.Join(s, ", "))
}
