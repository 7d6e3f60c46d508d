package panel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s: %.15g, want %.15g", what, got, want)
	}
}

func TestCurve(t *testing.T) {
	one := []float64{1, 1, 1, 1}
	c, err := NewCurve(Interpolation, []float64{-1, 0, 1, 2}, []float64{2, 4, 3, 6}, one)
	if err != nil {
		t.Fatal(err)
	}
	if c.Monotone() {
		t.Error("2, 4, 3, 6 is monotone")
	}
	inf, nan := math.Inf(1), math.NaN()
	for score, want := range map[float64]float64{2: -1, 2.5: -0.75, 3: nan, 3.5: nan, 4: nan, 4.5: 1.5, 6: 2, 6.1: inf, 1.9: -inf} {
		if got := c.Lambda(score); got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Errorf("lambda of %g: %g, want %g", score, got, want)
		}
	}
	falling, err := NewCurve(Interpolation, []float64{0, 1}, []float64{5, 1}, one[:2])
	if err != nil {
		t.Fatal(err)
	}
	if l := falling.Lambda(7); !math.IsInf(l, -1) {
		t.Errorf("above a falling curve: %g", l)
	}
	// R: lm(y ~ x, weights = n) with n = 2, 1, 1 gives 2.0909..., 1.2727...
	line, err := NewCurve(Line, []float64{0, 1, 2}, []float64{2, 4, 4}, []float64{2, 1, 1})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "intercept", line.intercept, 24.0/11, 1e-12)
	near(t, "slope", line.slope, 12.0/11, 1e-12)
	near(t, "inverse", line.Lambda(line.Score(0.3)), 0.3, 1e-12)
	for _, bad := range []struct{ lambda, mean, n []float64 }{
		{[]float64{0}, []float64{1}, []float64{1}}, {[]float64{0, 1}, []float64{1, 2}, []float64{1, 0}}, {[]float64{1, 0}, []float64{1, 2}, []float64{1, 1}}} {
		if _, err := NewCurve(Interpolation, bad.lambda, bad.mean, bad.n); err == nil {
			t.Errorf("%+v makes a curve", bad)
		}
	}
	if _, err := NewCurve(Line, []float64{0, 1}, []float64{3, 3}, one[:2]); err == nil {
		t.Error("a flat line makes a curve")
	}
}

// With three models every resample can be listed: the limits are quantiles of
// the 27 centres.
func TestBootstrapAgainstAllResamples(t *testing.T) {
	means := []float64{1, 2, 4}
	panel, anchors := NewScores(3, 2), NewScores(2, 2)
	for k, m := range means {
		panel.Add(k, 0, m-1)
		panel.Add(k, 1, m+1)
	}
	for k, m := range []float64{0, 5} {
		anchors.Add(k, 0, m)
		anchors.Add(k, 1, m)
	}
	for _, mean := range []bool{false, true} {
		var all []float64
		for i := range 27 {
			d := []float64{means[i%3], means[i/3%3], means[i/9]}
			slices.Sort(d)
			if mean {
				d[1] = (d[0] + d[1] + d[2]) / 3
			}
			all = append(all, d[1]/5)
		}
		slices.Sort(all)
		got, err := Equivalents(panel, anchors, []float64{0, 1}, []Resampling{{}, {Anchors: true}}, Options{Mean: mean, Draws: 60000, Level: 0.8}, rand.New(rand.NewPCG(1, 2)))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range got { // the anchors of both prompts are the same
			near(t, e.Method.String()+" lower", e.Lower, all[2], 1e-9)
			near(t, e.Method.String()+" upper", e.Upper, all[24], 1e-9)
			if e.Draws != 60000 || e.Below+e.Above+e.Undefined > 0 {
				t.Errorf("%+v", e)
			}
		}
	}
}

// The bootstrap's spread over prompts is the plug-in's: one model, so that
// only prompts vary.
func TestPromptsSpread(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	const m = 40
	panel, anchors := NewScores(1, m), NewScores(2, m)
	ss, mean := 0.0, 0.0
	x := make([]float64, m)
	for j := range x {
		x[j] = rng.NormFloat64()
		mean += x[j] / m
		panel.Add(0, j, x[j])
		anchors.Add(0, j, -10)
		anchors.Add(1, j, 10)
	}
	for _, v := range x {
		ss += (v - mean) * (v - mean)
	}
	e, err := Equivalents(panel, anchors, []float64{-10, 10}, []Resampling{{Prompts: true}}, Options{Draws: 40000, Level: 0.95}, rng)
	if err != nil {
		t.Fatal(err)
	}
	se := math.Sqrt(ss) / m
	near(t, "half width", (e[0].Upper-e[0].Lower)/2, 1.96*se, 0.04*se*1.96)
	est, rows, prompts, err := panel.Mean(0, 0.95)
	if err != nil || rows != m || prompts != m {
		t.Fatal(rows, prompts, err)
	}
	near(t, "se of the mean", est.SE, math.Sqrt(ss/(m-1)/m), 1e-12)
}

func TestRefusals(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	anchors := NewScores(2, 1)
	anchors.Add(0, 0, 1)
	o := Options{Draws: 10, Level: 0.9}
	panel := NewScores(1, 1)
	panel.Add(0, 0, 1)
	for what, err := range map[string]error{
		"one anchor has scores": second(Equivalents(panel, anchors, []float64{0, 1}, []Resampling{{}}, o, rng)),
		"no models":             second(Equivalents(NewScores(0, 1), anchors, []float64{0, 1}, []Resampling{{}}, o, rng)),
		"other prompts":         second(Equivalents(NewScores(1, 2), anchors, []float64{0, 1}, []Resampling{{}}, o, rng)),
		"no draws":              second(Equivalents(panel, anchors, []float64{0, 1}, []Resampling{{}}, Options{Level: 0.9}, rng)),
		"lambdas missing":       second(Equivalents(panel, anchors, []float64{0}, []Resampling{{}}, o, rng)),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}

func second(_ []Equivalent, err error) error { return err }

// A score that is found at a lambda is the curve's score there.
func FuzzLambda(f *testing.F) {
	f.Add(1.0, 2.0, 3.0, 2.5)
	f.Add(1.0, 1.0, 3.0, 1.0)
	f.Fuzz(func(t *testing.T, a, b, c, score float64) {
		for _, v := range []float64{a, b, c, score} {
			if math.IsNaN(v) || math.Abs(v) > 1e100 {
				t.Skip()
			}
		}
		curve, err := NewCurve(Interpolation, []float64{-1, 0.5, 1}, []float64{a, b, c}, []float64{1, 1, 1})
		if err != nil {
			t.Fatal(err)
		}
		l := curve.Lambda(score)
		if math.IsNaN(l) || math.IsInf(l, 0) {
			return
		}
		size := math.Max(math.Max(math.Abs(a), math.Abs(b)), math.Abs(c))
		if l < -1 || l > 1 || math.Abs(curve.Score(l)-score) > 1e-9*size {
			t.Errorf("lambda %g of %g, where the curve has %g", l, score, curve.Score(l))
		}
	})
}
