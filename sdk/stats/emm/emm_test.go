package emm_test

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/seed-4012077a/flow/sdk/stats/emm"
	"github.com/seed-4012077a/flow/sdk/stats/estimate"
	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"github.com/seed-4012077a/flow/sdk/stats/glm"
	"github.com/seed-4012077a/flow/sdk/stats/internal/reftest"
	"github.com/seed-4012077a/flow/sdk/stats/ols"
)

type result struct{ Estimate, SE, DF, Lower, Upper, T, P numbers }

// numbers are numbers of R's JSON: one or a list, null or "Inf" among them.
type numbers []float64

func (n *numbers) UnmarshalJSON(b []byte) error {
	var list []any
	if b[0] != '[' {
		b = append(append([]byte{'['}, b...), ']')
	}
	if err := json.Unmarshal(b, &list); err != nil {
		return err
	}
	for _, v := range list {
		switch v := v.(type) {
		case float64:
			*n = append(*n, v)
		case string:
			*n = append(*n, math.Inf(1))
		default:
			*n = append(*n, math.NaN())
		}
	}
	return nil
}

type reference struct {
	Data    []map[string]any
	Results map[string]json.RawMessage
}

func load(t *testing.T) (reference, *frame.Frame) {
	t.Helper()
	var ref reference
	data, err := os.ReadFile("testdata/emm.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &ref); err != nil {
		t.Fatal(err)
	}
	return ref, reftest.Rows(t, ref.Data)
}

func (r reference) result(t *testing.T, name string) result {
	t.Helper()
	var out result
	if err := json.Unmarshal(r.Results[name], &out); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return out
}

func fit(t *testing.T, fr *frame.Frame, text string, o formula.Options) *ols.Model {
	t.Helper()
	m, err := ols.Fit(reftest.Design(t, fr, text, o), ols.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// must ends a test on an error.
func must[V any](v V, err error) func(*testing.T) V {
	return func(t *testing.T) V {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func means(t *testing.T, m estimate.Linear, o emm.GridOptions, of, by []string, w emm.Weights) *emm.Set {
	t.Helper()
	g := must(emm.NewGrid(m, o))(t)
	return must(g.Means(of, by, w))(t)
}

func (r reference) compare(t *testing.T, name string, s *emm.Set, o emm.Report, response bool) {
	t.Helper()
	var got []emm.Result
	if response {
		got = must(s.ResponseEstimates(o))(t)
	} else {
		got = must(s.Estimates(o))(t)
	}
	want := r.result(t, name)
	if len(got) != len(want.Estimate) {
		t.Errorf("%s: %d rows, want %d", name, len(got), len(want.Estimate))
		return
	}
	near := func(what string, i int, a, b, within float64) {
		t.Helper()
		if !(a == b || math.Abs(a-b) <= within*math.Max(math.Abs(b), 1e-3)) {
			t.Errorf("%s: %s of %s = %.12g, want %.12g", name, what, got[i].Label, a, b)
		}
	}
	limits := 1e-8
	if o.Adjust == "tukey" {
		limits = 1e-5 // R's qtukey stops at 1e-4
	}
	for i, g := range got {
		near("estimate", i, g.Estimate.Estimate, want.Estimate[i], 1e-8)
		near("SE", i, g.SE, want.SE[i], 1e-8)
		if df := want.DF[i]; !(math.IsNaN(df) && math.IsInf(g.DF, 1)) { // JSON has no infinity
			near("df", i, g.DF, df, 1e-9)
		}
		near("lower", i, g.Lower, want.Lower[i], limits)
		near("upper", i, g.Upper, want.Upper[i], limits)
		near("statistic", i, g.Statistic, want.T[i], 1e-8)
		near("p", i, g.Adjusted, want.P[i], 2e-7)
	}
}

func TestMeansAndContrastsAgainstEmmeans(t *testing.T) {
	ref, fr := load(t)
	m := fit(t, fr, "y ~ x + I(x^2) + z + f * g", formula.Options{})
	none := emm.GridOptions{}
	dose := emm.GridOptions{At: map[string][]float64{"x": {-1, -0.5, 0.5, 1}}}
	f := means(t, m, none, []string{"f"}, nil, emm.Equal)
	fg := means(t, m, none, []string{"f"}, []string{"g"}, emm.Equal)
	x := means(t, m, dose, []string{"x"}, nil, emm.Equal)
	plain := emm.Report{}
	ref.compare(t, "mean_f", f, plain, false)
	ref.compare(t, "mean_fg", fg, plain, false)
	ref.compare(t, "mean_f_prop", means(t, m, none, []string{"f"}, nil, emm.Proportional), plain, false)
	ref.compare(t, "mean_f_cells", means(t, m, none, []string{"f"}, nil, emm.Cells), plain, false)
	ref.compare(t, "mean_f_outer", means(t, m, none, []string{"f"}, nil, emm.Outer), plain, false)
	ref.compare(t, "mean_x", x, plain, false)
	ref.compare(t, "overall", means(t, m, none, nil, nil, emm.Equal), plain, false)
	ref.compare(t, "primary", must(x.Contrast(emm.Custom(emm.Weighted{Label: "c", Coefficients: []float64{-.5, -.5, .5, .5}})))(t), plain, false)
	ref.compare(t, "primary", must(x.Contrast(emm.Groups("c", []string{"0.5", "1"}, []string{"-0.5", "-1"})))(t), plain, false)
	pairs := must(f.Contrast(emm.Pairwise()))(t)
	for _, a := range []string{"none", "tukey", "holm", "bonferroni", "BH", "sidak"} {
		ref.compare(t, "pairs_"+a, pairs, emm.Report{Adjust: a}, false)
	}
	ref.compare(t, "pairs_by", must(fg.Contrast(emm.Pairwise()))(t), emm.Report{Adjust: "tukey", Level: 0.9}, false)
	for name, c := range map[string]*emm.Set{
		"ctrl": must(f.Contrast(emm.VsControl("b")))(t), "eff": must(f.Contrast(emm.Effects()))(t), "rev": must(f.Contrast(emm.RevPairwise()))(t),
		"poly": must(x.Contrast(emm.Polynomial()))(t), "consec": must(x.Contrast(emm.Consecutive()))(t),
	} {
		ref.compare(t, name, c, plain, false)
	}
	both := means(t, m, none, []string{"f", "g"}, nil, emm.Equal)
	ref.compare(t, "interaction", must(both.Interaction(map[string]emm.Method{"f": emm.Pairwise(), "g": emm.RevPairwise()}))(t), plain, false)
	helmert := must(fg.Contrast(emm.Custom(emm.Weighted{Label: "h", Coefficients: []float64{-1, .5, .5}})))(t)
	ref.compare(t, "of_contrasts", must(helmert.ContrastOver(emm.RevPairwise()))(t), plain, false)

	var joint struct{ F, P, DF1, DF2 numbers }
	if err := json.Unmarshal(ref.Results["joint"], &joint); err != nil {
		t.Fatal(err)
	}
	for i, test := range must(must(fg.Contrast(emm.Pairwise()))(t).Joint())(t) {
		// emmeans prints F and p of joint tests to three and four decimals
		if math.Abs(test.F-joint.F[i]) > 6e-4 || math.Abs(test.P-joint.P[i]) > 6e-5 || test.NDF != joint.DF1[i] || test.DDF != joint.DF2[i] {
			t.Errorf("joint test %+v, want %+v", test, joint)
		}
	}
}

func TestWeightedModelsAndSlopes(t *testing.T) {
	ref, fr := load(t)
	m := fit(t, fr, "y ~ x * g + poly(z, 2) + factor(k) + b", formula.Options{Weights: "w"})
	none, plain := emm.GridOptions{}, emm.Report{}
	ref.compare(t, "w_k", means(t, m, none, []string{"k"}, nil, emm.Equal), plain, false)
	ref.compare(t, "w_b", means(t, m, none, []string{"b"}, nil, emm.Equal), plain, false)
	ref.compare(t, "w_g_prop", means(t, m, none, []string{"g"}, nil, emm.Proportional), plain, false)
	at := emm.GridOptions{At: map[string][]float64{"x": {-1, 1}, "z": {2}}}
	ref.compare(t, "w_at", means(t, m, at, []string{"g"}, []string{"x"}, emm.Equal), plain, false)

	slopes := must(emm.Slopes(m, "x", none, []string{"g"}, nil, emm.Equal))(t)
	ref.compare(t, "trend", slopes, plain, false)
	ref.compare(t, "trend_pairs", must(slopes.Contrast(emm.Pairwise()))(t), plain, false)
	twice := emm.GridOptions{At: map[string][]float64{"z": {2, 4}}}
	ref.compare(t, "trend_z", must(emm.ForwardSlopes(m, "z", twice, []string{"z"}, nil, emm.Equal))(t), plain, false)
	var exact struct{ Estimate []float64 }
	if err := json.Unmarshal(ref.Results["exact_z"], &exact); err != nil {
		t.Fatal(err)
	}
	for i, r := range must(must(emm.Slopes(m, "z", twice, []string{"z"}, nil, emm.Equal))(t).Estimates(plain))(t) {
		if math.Abs(r.Estimate.Estimate-exact.Estimate[i]) > 1e-8 {
			t.Errorf("slope %s = %.12g, want %.12g", r.Label, r.Estimate.Estimate, exact.Estimate[i])
		}
	}
}

func TestOtherCodingsAndTransformations(t *testing.T) {
	ref, fr := load(t)
	none, plain := emm.GridOptions{}, emm.Report{}
	sum := map[string]formula.Coding{"f": formula.Sum, "g": formula.Sum}
	ref.compare(t, "sum_f", means(t, fit(t, fr, "y ~ f * g + z", formula.Options{Contrasts: sum}), none, []string{"f"}, nil, emm.Equal), plain, false)
	ref.compare(t, "offset_f", means(t, fit(t, fr, "y ~ f + offset(z)", formula.Options{}), none, []string{"f"}, nil, emm.Equal), plain, false)
	ref.compare(t, "logz", means(t, fit(t, fr, "log(y + 10) ~ f * log(z)", formula.Options{}), emm.GridOptions{At: map[string][]float64{"z": {3}}}, []string{"f"}, nil, emm.Equal), plain, false)
}

func TestEmptyCellIsNotEstimable(t *testing.T) {
	ref, fr := load(t)
	m := fit(t, fr, "y ~ f2 * g + z", formula.Options{})
	want := ref.result(t, "nonest")
	for i, r := range must(means(t, m, emm.GridOptions{}, []string{"f2", "g"}, nil, emm.Equal).Estimates(emm.Report{}))(t) {
		if math.IsNaN(want.Estimate[i]) != (r.NotEstimable != "") {
			t.Errorf("%s: %+v, want %g", r.Label, r, want.Estimate[i])
		}
		if r.NotEstimable == "" && math.Abs(r.Estimate.Estimate-want.Estimate[i]) > 1e-9 {
			t.Errorf("%s = %.12g, want %.12g", r.Label, r.Estimate.Estimate, want.Estimate[i])
		}
		if r.NotEstimable != "" && !strings.Contains(r.NotEstimable, "f2c:gv") {
			t.Errorf("the reason names no column: %s", r.NotEstimable)
		}
	}
}

// known is a model given by its coefficients and their covariance.
type known struct {
	design *formula.Design
	beta   []float64
	v      *mat.SymDense
}

func (k known) Design() *formula.Design { return k.design }
func (k known) Coefficients() []float64 { return k.beta }
func (k known) Contrast(l []float64) (est, se, df float64, err error) {
	for i, a := range l {
		est += a * k.beta[i]
		for j, b := range l {
			se += a * b * k.v.At(i, j)
		}
	}
	return est, math.Sqrt(se), math.Inf(1), nil
}
func (k known) Joint(l *mat.Dense) (f, ndf, ddf float64, err error) {
	c, q, err := estimate.Wald(k.beta, k.v, l)
	return c / float64(q), float64(q), math.Inf(1), err
}
func (known) InverseLink(eta float64) (mu, derivative float64) {
	mu = 1 / (1 + math.Exp(-eta))
	return mu, mu * (1 - mu)
}
func (known) Ratio() string { return "odds ratio" }

func TestResponseScale(t *testing.T) {
	ref, fr := load(t)
	var logit struct {
		Beta []float64
		Vcov [][]float64
	}
	if err := json.Unmarshal(ref.Results["logit"], &logit); err != nil {
		t.Fatal(err)
	}
	m := known{design: reftest.Design(t, fr, "I(y > 1.5) ~ x + f + z", formula.Options{}), beta: logit.Beta, v: mat.NewSymDense(5, nil)}
	for i, row := range logit.Vcov {
		for j, v := range row {
			m.v.SetSym(i, j, v)
		}
	}
	f := means(t, m, emm.GridOptions{}, []string{"f"}, nil, emm.Equal)
	ref.compare(t, "prob", f, emm.Report{}, true)
	pairs := must(f.Contrast(emm.Pairwise()))(t)
	ref.compare(t, "odds", pairs, emm.Report{}, true)
	response := must(f.Response())(t)
	ref.compare(t, "risk", must(response.Contrast(emm.Pairwise()))(t), emm.Report{}, false)
	if _, err := must(f.Contrast(emm.Custom(emm.Weighted{Label: "sum", Coefficients: []float64{1, 1, 0}})))(t).ResponseEstimates(emm.Report{}); err == nil {
		t.Error("a sum of logits is no ratio")
	}
	if _, err := response.ResponseEstimates(emm.Report{}); err == nil {
		t.Error("twice to the response")
	}
	if _, err := pairs.Response(); err == nil {
		t.Error("contrasts have no response")
	}
}

// A fitted logistic model with its link gives what R's does.
func TestResponseScaleOfGLM(t *testing.T) {
	ref, fr := load(t)
	d := reftest.Design(t, fr, "I(y > 1.5) ~ x + f + z", formula.Options{})
	m := must(glm.Fit(d, glm.Binomial(), glm.Options{}))(t)
	f := means(t, emm.Linked(m, glm.Logit, "odds ratio"), emm.GridOptions{}, []string{"f"}, nil, emm.Equal)
	ref.compare(t, "prob", f, emm.Report{}, true)
	ref.compare(t, "odds", must(f.Contrast(emm.Pairwise()))(t), emm.Report{}, true)
	if _, err := means(t, m, emm.GridOptions{}, []string{"f"}, nil, emm.Equal).ResponseEstimates(emm.Report{}); err == nil || !strings.Contains(err.Error(), "Linked") {
		t.Error(err)
	}
}

func TestBadInput(t *testing.T) {
	_, fr := load(t)
	m := fit(t, fr, "y ~ x + f + factor(k)", formula.Options{})
	for _, c := range []struct {
		o    emm.GridOptions
		want string
	}{
		{emm.GridOptions{At: map[string][]float64{"lambda": {1}}}, `no predictor "lambda"`},
		{emm.GridOptions{At: map[string][]float64{"f": {1}}}, "is a factor"},
		{emm.GridOptions{At: map[string][]float64{"k": {5}}}, `no level "5"`},
		{emm.GridOptions{At: map[string][]float64{"x": {}}}, "no values"},
		{emm.GridOptions{At: map[string][]float64{"x": {1, 1}}}, "distinct"},
		{emm.GridOptions{Levels: map[string][]string{"f": {"A"}}}, `did you mean "a"`},
		{emm.GridOptions{Levels: map[string][]string{"x": {"1"}}}, "by At"},
	} {
		if _, err := emm.NewGrid(m, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.o, err, c.want)
		}
	}
	g := must(emm.NewGrid(m, emm.GridOptions{}))(t)
	if _, err := g.Means([]string{"ff"}, nil, emm.Equal); err == nil || !strings.Contains(err.Error(), "did you mean") {
		t.Error(err)
	}
	s := must(g.Means([]string{"f"}, nil, emm.Equal))(t)
	if _, err := s.Estimates(emm.Report{Adjust: "tukey"}); err == nil {
		t.Error("Tukey's correction of means")
	}
	if _, err := s.Estimates(emm.Report{Adjust: "holmes"}); err == nil || !strings.Contains(err.Error(), `"holm"`) {
		t.Error(err)
	}
	if _, err := s.Contrast(emm.Custom(emm.Weighted{Label: "c", Coefficients: []float64{1, -1}})); err == nil {
		t.Error("two coefficients for three means")
	}
	if _, err := s.Contrast(emm.VsControl("z")); err == nil {
		t.Error("no such control")
	}
	if _, err := emm.Slopes(m, "f", emm.GridOptions{}, nil, nil, emm.Equal); err == nil || !strings.Contains(err.Error(), "factor") {
		t.Error(err)
	}
	// The model has no x:f term: a difference of slopes is no estimate.
	slopes := must(emm.Slopes(m, "x", emm.GridOptions{}, []string{"f"}, nil, emm.Equal))(t)
	for _, r := range must(must(slopes.Contrast(emm.Pairwise()))(t).Estimates(emm.Report{}))(t) {
		if r.NotEstimable == "" {
			t.Errorf("%s = %g", r.Label, r.Estimate.Estimate)
		}
	}
}
