package dist_test

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/seed-4012077a/flow/sdk/stats/dist"
)

type point struct{ Q, K, DF, P float64 }

func TestStudentizedRangeAgainstR(t *testing.T) {
	var ref struct{ Ptukey, Direct, Qtukey []point }
	data, err := os.ReadFile("testdata/tukey.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &ref); err != nil {
		t.Fatal(err)
	}
	make := func(p point) dist.StudentizedRange {
		if p.DF < 0 {
			p.DF = math.Inf(1)
		}
		d, err := dist.NewStudentizedRange(p.K, p.DF)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	worst := func(points []point, within float64, off func(point) float64) {
		t.Helper()
		if len(points) == 0 {
			t.Fatal("no reference points")
		}
		most := 0.0
		for _, p := range points {
			e := off(p)
			most = math.Max(most, e)
			if !(e <= within) {
				t.Errorf("%+v: off by %.3g", p, e)
			}
		}
		t.Logf("largest difference %.3g", most)
	}
	worst(ref.Direct, 1e-12, func(p point) float64 { return math.Abs(make(p).CDF(p.Q) - p.P) })
	// R's ptukey itself is within 3e-7 of the definition from 5 degrees of
	// freedom on (1e-4 below), and its qtukey stops at 1e-4.
	few := func(p point) bool { return p.DF > 0 && p.DF < 5 }
	worst(slices.DeleteFunc(slices.Clone(ref.Ptukey), few), 3e-7, func(p point) float64 { return math.Abs(make(p).CDF(p.Q) - p.P) })
	worst(slices.DeleteFunc(slices.Clone(ref.Qtukey), few), 2e-4, func(p point) float64 { return math.Abs(make(p).Quantile(p.P) - p.Q) })
	worst(ref.Qtukey, 1e-12, func(p point) float64 { d := make(p); return math.Abs(d.CDF(d.Quantile(p.P)) - p.P) })
}

// With two means Q/sqrt 2 is |t|, in the far tail too.
func TestStudentizedRangeOfTwoIsT(t *testing.T) {
	for _, z := range []float64{0.5, 2, 4, 6} {
		d, _ := dist.NewStudentizedRange(2, math.Inf(1))
		want := math.Erfc(z / math.Sqrt2)
		if got := d.Survival(z * math.Sqrt2); math.Abs(got/want-1) > 1e-11 {
			t.Errorf("z = %g: %g, want %g", z, got, want)
		}
		d.DF = 1 // |t| of 1 is Cauchy
		want = 1 - 2/math.Pi*math.Atan(z)
		if got := d.Survival(z * math.Sqrt2); math.Abs(got/want-1) > 1e-11 {
			t.Errorf("t = %g: %g, want %g", z, got, want)
		}
	}
}

func TestStudentizedRangeBounds(t *testing.T) {
	if _, err := dist.NewStudentizedRange(1, 10); err == nil {
		t.Error("one mean has no range")
	}
	if _, err := dist.NewStudentizedRange(3, 0); err == nil {
		t.Error("no degrees of freedom")
	}
	d, _ := dist.NewStudentizedRange(3, 10)
	if d.CDF(0) != 0 || d.Survival(math.Inf(1)) != 0 || d.Quantile(0) != 0 || !math.IsInf(d.Quantile(1), 1) {
		t.Error("the ends")
	}
	big, _ := dist.NewStudentizedRange(4, 1e9)
	inf, _ := dist.NewStudentizedRange(4, math.Inf(1))
	if math.Abs(big.CDF(3)-inf.CDF(3)) > 1e-8 {
		t.Errorf("%g degrees of freedom are nearly infinite: %.12g, %.12g", big.DF, big.CDF(3), inf.CDF(3))
	}
}
func BenchmarkTukey(b *testing.B) {
	d, _ := dist.NewStudentizedRange(6, 50)
	for b.Loop() {
		d.Survival(3.5)
	}
}
func BenchmarkTukeyQuantile(b *testing.B) {
	d, _ := dist.NewStudentizedRange(6, 50)
	for b.Loop() {
		d.Quantile(0.95)
	}
}
