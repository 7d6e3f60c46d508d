package proportion

import (
	"encoding/json"
	"math"
	"os"
	"testing"
)

// htest is one R test; absent numbers are null.
type htest struct {
	Statistic, DF, P *float64
	Estimate         json.RawMessage
	CI               []float64
}

type reference struct {
	One, Binom []struct {
		X, N        int
		P0          float64
		Alternative string
		Correct     bool
		htest
	}
	Two []struct {
		K           [4]int
		Alternative string
		Correct     bool
		htest
	}
	Limits []struct {
		X, N               int
		Wald, AC, Jeffreys [2]float64
	}
	Tables []struct {
		M                             [][]int
		Yates, Plain                  htest
		Expected, Residuals, Adjusted [][]float64
		G, Gp, V                      float64
	}
	Fisher []struct {
		M           [][]int
		Alternative string
		P           float64
		Estimate    *float64
		Lower       float64
		Upper       *float64
	}
	McNemar []struct {
		M       [][]int
		Yes, No htest
		Exact   *float64
	}
	Trend struct {
		X, N []int
		S    []float64
		htest
	}
	Effects []struct {
		K          [4]int
		OR, RR, RD float64
		OrSE       float64    `json:"or_se"`
		OrZ        float64    `json:"or_z"`
		OrP        float64    `json:"or_p"`
		OrCI       [2]float64 `json:"or_ci"`
		RrCI       [2]float64 `json:"rr_ci"`
		Newcombe   [2]float64
	}
	GoF htest
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

// near compares to a relative 1e-10 (or absolute 1e-13 about zero).
func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.IsInf(want, 1) && math.IsInf(got, 1) {
		return
	}
	if !(math.Abs(got-want) <= 1e-13+1e-10*math.Abs(want)) {
		t.Errorf("%s: got %.15g, want %.15g", what, got, want)
	}
}

func (h htest) check(t *testing.T, what string, got Test) {
	t.Helper()
	if h.Statistic != nil && !math.IsNaN(got.Statistic) {
		near(t, what+" statistic", got.Statistic, *h.Statistic)
	}
	if h.DF != nil && !math.IsNaN(got.DF) {
		near(t, what+" df", got.DF, *h.DF)
	}
	near(t, what+" p", got.P, *h.P)
	if len(h.CI) == 2 {
		near(t, what+" lower", got.Lower, h.CI[0])
		near(t, what+" upper", got.Upper, h.CI[1])
	}
}

func alternative(t *testing.T, s string) Alternative {
	t.Helper()
	a, err := ParseAlternative(s)
	if err != nil {
		t.Fatal(err)
	}
	if a.String() != s {
		t.Fatalf("%q read and printed as %q", s, a)
	}
	return a
}

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestOneSampleAgainstR(t *testing.T) {
	for _, c := range load(t).One {
		got := must[Test](t)(OneSample(Sample{c.X, c.N}, c.P0, alternative(t, c.Alternative), c.Correct, 0.95))
		c.check(t, "prop.test "+c.Alternative, got)
	}
	for _, c := range load(t).Binom {
		got := must[Test](t)(Exact(Sample{c.X, c.N}, c.P0, alternative(t, c.Alternative), 0.95))
		c.check(t, "binom.test "+c.Alternative, got)
	}
}

func TestTwoSampleAgainstR(t *testing.T) {
	for _, c := range load(t).Two {
		got := must[Test](t)(TwoSample(Sample{c.K[0], c.K[1]}, Sample{c.K[2], c.K[3]}, alternative(t, c.Alternative), c.Correct, 0.95))
		c.check(t, "prop.test "+c.Alternative, got)
	}
}

func TestLimitsAgainstR(t *testing.T) {
	for _, c := range load(t).Limits {
		for m, want := range map[Method][2]float64{AgrestiCoull: c.AC, Wald: c.Wald, Jeffreys: c.Jeffreys} {
			got := must[Interval](t)(Sample{c.X, c.N}.Limits(m, 0.95))
			near(t, m.String()+" lower", got.Lower, math.Max(want[0], 0))
			near(t, m.String()+" upper", got.Upper, math.Min(want[1], 1))
		}
	}
}

func TestTablesAgainstR(t *testing.T) {
	for _, c := range load(t).Tables {
		tab := &Table{Counts: c.M}
		y := must[*Independence](t)(tab.ChiSquared(true))
		p := must[*Independence](t)(tab.ChiSquared(false))
		g := must[*Independence](t)(tab.G())
		c.Yates.check(t, "chisq.test", y.Test)
		c.Plain.check(t, "chisq.test uncorrected", p.Test)
		near(t, "G", g.Statistic, c.G)
		near(t, "G p", g.P, c.Gp)
		near(t, "V", p.CramerV, c.V)
		least := math.Inf(1)
		for i := range c.M {
			for j := range c.M[i] {
				near(t, "expected", p.Expected[i][j], c.Expected[i][j])
				near(t, "residual", p.Residuals[i][j], c.Residuals[i][j])
				near(t, "adjusted residual", p.Adjusted[i][j], c.Adjusted[i][j])
				least = math.Min(least, c.Expected[i][j])
			}
		}
		near(t, "least expected", p.MinExpected, least)
	}
	near(t, "goodness of fit", must[Test](t)(GoodnessOfFit([]int{20, 30, 15, 35}, []float64{.2, .3, .2, .3})).P, *load(t).GoF.P)
}

func TestFisherAgainstR(t *testing.T) {
	inf := func(p *float64) float64 {
		if p == nil {
			return math.Inf(1)
		}
		return *p
	}
	for _, c := range load(t).Fisher {
		got := must[Test](t)((&Table{Counts: c.M}).Fisher(1, alternative(t, c.Alternative), 0.95))
		near(t, "fisher p", got.P, c.P)
		near(t, "fisher estimate", got.Estimate, inf(c.Estimate))
		near(t, "fisher lower", got.Lower, c.Lower)
		near(t, "fisher upper", got.Upper, inf(c.Upper))
	}
}

func TestPairsAndTrendAgainstR(t *testing.T) {
	for _, c := range load(t).McNemar {
		tab := &Table{Counts: c.M}
		c.Yes.check(t, "mcnemar.test", must[Test](t)(tab.McNemar(true, 0.95)))
		c.No.check(t, "mcnemar.test uncorrected", must[Test](t)(tab.McNemar(false, 0.95)))
		if c.Exact != nil {
			near(t, "exact McNemar", must[Test](t)(tab.McNemarExact(TwoSided, 0.95)).P, *c.Exact)
		}
	}
	c := load(t).Trend
	var s []Sample
	for i := range c.X {
		s = append(s, Sample{c.X[i], c.N[i]})
	}
	c.check(t, "prop.trend.test", must[Test](t)(Trend(s, c.S, TwoSided)))
	two := must[Test](t)(Equal(s[:2]))
	near(t, "two equal", two.P, must[Test](t)(TwoSample(s[0], s[1], TwoSided, false, 0.95)).P)
}

func TestEffectsAgainstR(t *testing.T) {
	for _, c := range load(t).Effects {
		a, b := Sample{c.K[0], c.K[1]}, Sample{c.K[2], c.K[3]}
		o := must[Effect](t)(OddsRatio(a, b, 0.95))
		near(t, "odds ratio", o.Estimate, c.OR)
		near(t, "odds ratio SE", o.SE, c.OrSE)
		near(t, "odds ratio z", o.Statistic, c.OrZ)
		near(t, "odds ratio p", o.P, c.OrP)
		near(t, "odds ratio lower", o.Lower, c.OrCI[0])
		near(t, "odds ratio upper", o.Upper, c.OrCI[1])
		r := must[Effect](t)(RiskRatio(a, b, 0.95))
		near(t, "risk ratio", r.Estimate, c.RR)
		near(t, "risk ratio lower", r.Lower, c.RrCI[0])
		near(t, "risk ratio upper", r.Upper, c.RrCI[1])
		d := must[Effect](t)(RiskDifference(a, b, Wilson, 0.95))
		near(t, "difference", d.Estimate, c.RD)
		near(t, "Newcombe lower", d.Lower, c.Newcombe[0])
		near(t, "Newcombe upper", d.Upper, c.Newcombe[1])
	}
}
