package lmm

import (
	"encoding/json"
	"math"
	"os"
	"sort"
	"strings"
	"testing"

	"github.com/seed-4012077a/flow/sdk/stats/estimate"
	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"gonum.org/v1/gonum/mat"
)

// rModel is a model of testdata/lmm.json, made by testdata/lmm.R.
type rModel struct {
	Formula, Weights              string
	REML                          bool
	Nobs, Npar                    int
	Terms                         []string
	Estimate, Se, Df, P           []float64
	Crit, LogLik, AIC, BIC, Sigma float64
	Vc                            []rComponent
	Fitted                        []float64
	Ranef                         map[string]rEffects
	Joint, Krjoint                *rJoint
	Kr                            *rKR
}

type rComponent struct {
	Grp, Var1, Var2 string
	Vcov            float64
}

type rEffects struct {
	Levels []string
	Mean   [][]float64
	Var    json.RawMessage
}

type rJoint struct {
	L              [][]float64
	F, Ndf, Ddf, P float64
}

type rKR struct {
	Se, Df []float64
	Vcov   [][]float64
}

type rFile struct {
	Data    map[string][]any
	Models  map[string]rModel
	Lrt     struct{ Chisq, Df, P float64 }
	Profile struct{ Lower, Upper, Estimate float64 }
	Sd      map[string]struct{ Lower, Upper, Estimate float64 }
	Predict struct {
		New                     map[string][]any
		Population, Conditional []float64
	}
}

func readR(t testing.TB) (rFile, *frame.Frame) {
	t.Helper()
	b, err := os.ReadFile("testdata/lmm.json")
	if err != nil {
		t.Fatal(err)
	}
	var f rFile
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	return f, toFrame(t, f.Data)
}

func toFrame(t testing.TB, data map[string][]any) *frame.Frame {
	t.Helper()
	var names []string
	for n := range data {
		names = append(names, n)
	}
	sort.Strings(names)
	fr := frame.New(len(data[names[0]]))
	for _, n := range names {
		var num []float64
		var text []string
		for _, v := range data[n] {
			switch x := v.(type) {
			case float64:
				num = append(num, x)
			case string:
				text = append(text, x)
			}
		}
		err := error(nil)
		if num != nil {
			err = fr.AddNumeric(n, num)
		} else {
			err = fr.AddStrings(n, text, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return fr
}

// near fails where got is not want within a relative bound, or an absolute
// one below the floor.
func near(t *testing.T, what string, got, want, rel, floor float64) {
	t.Helper()
	if d := math.Abs(got - want); !(d <= rel*math.Max(math.Abs(want), floor)) {
		t.Errorf("%s: %.12g, R has %.12g", what, got, want)
	}
}

func TestAgainstR(t *testing.T) {
	file, fr := readR(t)
	for name, r := range file.Models {
		t.Run(name, func(t *testing.T) {
			m := fitFormula(t, r.Formula, fr, formula.Options{Weights: r.Weights}, Options{REML: r.REML})
			againstR(t, m, r)
			if r.Kr != nil {
				k := fitFormula(t, r.Formula, fr, formula.Options{Weights: r.Weights}, Options{REML: true, DF: KenwardRoger})
				againstKR(t, k, r)
			}
		})
	}
}

func againstR(t *testing.T, m *Model, r rModel) {
	if m.NObs() != r.Nobs || m.Parameters() != r.Npar {
		t.Errorf("%d observations and %d parameters, R has %d and %d", m.NObs(), m.Parameters(), r.Nobs, r.Npar)
	}
	near(t, "criterion", m.Criterion(), r.Crit, 1e-6/math.Abs(r.Crit), 0)
	near(t, "logLik", m.LogLik(), r.LogLik, 1e-6, 1)
	near(t, "AIC", m.AIC(), r.AIC, 1e-8, 1)
	near(t, "BIC", m.BIC(), r.BIC, 1e-8, 1)
	near(t, "sigma", m.Sigma(), r.Sigma, 1e-5, 0)
	co, err := estimate.Coefficients(m, 0.95)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range co {
		if e.Label != r.Terms[i] {
			t.Fatalf("coefficient %q, R has %q", e.Label, r.Terms[i])
		}
		near(t, e.Label, e.Estimate, r.Estimate[i], 1e-5, r.Se[i])
		near(t, e.Label+" SE", e.SE, r.Se[i], 1e-5, 0)
		near(t, e.Label+" df", e.DF, r.Df[i], 1e-3, 0)
		near(t, e.Label+" p", e.P, r.P[i], 1e-3, 1e-4)
	}
	components := m.VarianceComponents()
	for _, v := range r.Vc {
		var got *Component
		for i := range components {
			if c := &components[i]; c.Group == strings.TrimSuffix(v.Grp, ".1") && c.Column == v.Var1 && c.With == v.Var2 {
				got = c
			}
		}
		if got == nil {
			t.Fatalf("no component %v among %v", v, components)
		}
		near(t, v.Grp+" "+v.Var1+" "+v.Var2, got.Covariance, v.Vcov, 1e-4, 1e-2*r.Sigma*r.Sigma)
	}
	fit, err := m.Fitted()
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range fit {
		near(t, "fitted", f, r.Fitted[i], 1e-4, r.Sigma)
	}
	againstEffects(t, m, r)
	if r.Joint != nil {
		l := mat.NewDense(len(r.Joint.L), len(co), nil)
		for i, row := range r.Joint.L {
			l.SetRow(i, row)
		}
		f, ndf, ddf, err := m.Joint(l)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "F", f, r.Joint.F, 1e-5, 0)
		near(t, "ndf", ndf, r.Joint.Ndf, 0, 0)
		near(t, "ddf", ddf, r.Joint.Ddf, 1e-3, 0)
		near(t, "p of F", estimate.FTail(f, ndf, ddf), r.Joint.P, 1e-3, 1e-4)
	}
}

func againstEffects(t *testing.T, m *Model, r rModel) {
	effects, err := m.RandomEffects()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range effects {
		want, ok := r.Ranef[e.Group]
		if !ok {
			t.Fatalf("no group %q", e.Group)
		}
		at := map[string]int{}
		for i, l := range want.Levels {
			at[l] = i
		}
		var vars [][][]float64
		_ = json.Unmarshal(want.Var, &vars)
		for g, l := range e.Levels {
			i, ok := at[l]
			if !ok {
				t.Fatalf("level %q of %q is not among R's", l, e.Group)
			}
			for c := range e.Columns {
				near(t, "ranef "+l, e.Mean.At(g, c), want.Mean[i][c], 1e-4, r.Sigma)
				for k := range e.Columns {
					if vars != nil {
						near(t, "condVar "+l, e.Var[g].At(c, k), vars[i][c][k], 1e-4, r.Sigma*r.Sigma)
					}
				}
			}
		}
	}
}

func againstKR(t *testing.T, m *Model, r rModel) {
	cov, err := m.Covariance()
	if err != nil {
		t.Fatal(err)
	}
	co, err := estimate.Coefficients(m, 0.95)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range co {
		near(t, e.Label+" KR SE", e.SE, r.Kr.Se[i], 1e-5, 0)
		near(t, e.Label+" KR df", e.DF, r.Kr.Df[i], 1e-3, 0)
		for j := range co {
			near(t, "KR covariance", cov.At(i, j), r.Kr.Vcov[i][j], 1e-5, r.Kr.Se[i]*r.Kr.Se[j])
		}
	}
	l := mat.NewDense(len(r.Joint.L), len(co), nil)
	for i, row := range r.Joint.L {
		l.SetRow(i, row)
	}
	f, ndf, ddf, err := m.Joint(l)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "KR F", f, r.Krjoint.F, 1e-5, 0)
	near(t, "KR ndf", ndf, r.Krjoint.Ndf, 0, 0)
	near(t, "KR ddf", ddf, r.Krjoint.Ddf, 1e-3, 0)
	near(t, "KR p", estimate.FTail(f, ndf, ddf), r.Krjoint.P, 1e-3, 1e-4)
}

func TestComparison(t *testing.T) {
	file, fr := readR(t)
	small := fitFormula(t, "y~x+f+(1+x|subj)+(1|item)", fr, formula.Options{}, Options{REML: true})
	big := fitFormula(t, "y~x*f+(1+x|subj)+(1|item)", fr, formula.Options{}, Options{})
	if _, err := Compare(small, big); err == nil || !strings.Contains(err.Error(), "REML") {
		t.Error("REML and ML compared: ", err)
	}
	ml, err := small.ML()
	if err != nil {
		t.Fatal(err)
	}
	c, err := Compare(ml, big)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "chi-squared", c.ChiSquared, file.Lrt.Chisq, 1e-6, 1)
	near(t, "df", float64(c.DF), file.Lrt.Df, 0, 0)
	near(t, "p", c.P, file.Lrt.P, 1e-5, 0)
	if c.Boundary {
		t.Error("fixed effects are on no boundary")
	}
}

func TestProfileInterval(t *testing.T) {
	file, fr := readR(t)
	m := fitFormula(t, "y~f+x+(1+x|subj)", fr, formula.Options{}, Options{REML: true})
	all, err := m.ProfileIntervals(0.95)
	if err != nil {
		t.Fatal(err)
	}
	iv := all[3]
	near(t, "estimate", iv.Estimate, file.Profile.Estimate, 1e-6, 1)
	near(t, "lower", iv.Lower, file.Profile.Lower, 1e-6, 1)
	near(t, "upper", iv.Upper, file.Profile.Upper, 1e-6, 1)
	if all[0].Label != "(Intercept)" || !(all[0].Lower < all[0].Estimate && all[0].Estimate < all[0].Upper) {
		t.Error(all[0])
	}
}

func TestStandardDeviationIntervals(t *testing.T) {
	file, fr := readR(t)
	m := fitFormula(t, "y~x+(1|subj)+(1|item)", fr, formula.Options{}, Options{REML: true})
	sd, err := m.StandardDeviationIntervals(0.95)
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"subj", "item", "sigma"} {
		near(t, name, sd[i].Estimate, file.Sd[name].Estimate, 1e-5, 0)
		near(t, name+" lower", sd[i].Lower, file.Sd[name].Lower, 1e-5, 0)
		near(t, name+" upper", sd[i].Upper, file.Sd[name].Upper, 1e-5, 0)
	}
	// A variance estimated as zero: its interval begins there.
	m = fitFormula(t, "y~x+(1|subj)+(1|site)", fr, formula.Options{}, Options{})
	if sd, err = m.StandardDeviationIntervals(0.9); err != nil {
		t.Fatal(err)
	}
	if sd[1].Label != "site (Intercept)" || sd[1].Estimate != 0 || sd[1].Lower != 0 || !(sd[1].Upper > 0.05 && sd[1].Upper < 2) {
		t.Error(sd[1])
	}
}

func TestPredict(t *testing.T) {
	file, fr := readR(t)
	m := fitFormula(t, "y~x+f+(1+x|subj)+(1|item)", fr, formula.Options{}, Options{REML: true})
	nd := toFrame(t, file.Predict.New)
	pop, err := m.Predict(nd, Prediction{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Predict(nd, Prediction{Conditional: true}); err == nil || !strings.Contains(err.Error(), "subj") {
		t.Error("a new level went unnoticed: ", err)
	}
	con, err := m.Predict(nd, Prediction{Conditional: true, NewLevels: true})
	if err != nil {
		t.Fatal(err)
	}
	for i := range pop {
		near(t, "population", pop[i], file.Predict.Population[i], 1e-5, 1)
		near(t, "conditional", con[i], file.Predict.Conditional[i], 1e-5, 1)
	}
}
