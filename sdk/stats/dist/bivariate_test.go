package dist

import (
	"encoding/json"
	"math"
	"os"
	"testing"
)

func TestBivariateNormalAgainstMpmath(t *testing.T) {
	data, err := os.ReadFile("testdata/bivariate.json")
	if err != nil {
		t.Fatal(err)
	}
	var points []struct{ H, K, Rho, P float64 }
	if err := json.Unmarshal(data, &points); err != nil {
		t.Fatal(err)
	}
	if len(points) < 100 {
		t.Fatalf("only %d points", len(points))
	}
	for _, p := range points {
		if got := BivariateNormal(p.H, p.K, p.Rho); !(math.Abs(got-p.P) <= 1e-14) {
			t.Errorf("Phi2(%g, %g, %g) = %.17g, want %.17g (off by %.1e)", p.H, p.K, p.Rho, got, p.P, got-p.P)
		}
		if a, b := BivariateNormal(p.H, p.K, p.Rho), BivariateNormal(p.K, p.H, p.Rho); math.Abs(a-b) > 2e-16 {
			t.Errorf("Phi2(%g, %g, %g) is not symmetric", p.H, p.K, p.Rho)
		}
		// P(X <= h) = P(X <= h, Y <= k) + P(X <= h, -Y <= -k).
		if sum := BivariateNormal(p.H, p.K, p.Rho) + BivariateNormal(p.H, -p.K, -p.Rho); !(math.Abs(sum-phi(p.H)) <= 2e-14) {
			t.Errorf("the margin of (%g, %g, %g) is off by %g", p.H, p.K, p.Rho, sum-phi(p.H))
		}
	}
}

func TestBivariateNormalClosedForms(t *testing.T) {
	inf := math.Inf(1)
	for rho := -1.0; rho <= 1; rho += 1.0 / 64 {
		// Sheppard 1898.
		if got, want := BivariateNormal(0, 0, rho), 0.25+math.Asin(rho)/(2*math.Pi); math.Abs(got-want) > 1e-15 {
			t.Errorf("orthant at rho %g: %.17g, want %.17g", rho, got, want)
		}
		if got := BivariateNormal(0.7, inf, rho); got != phi(0.7) {
			t.Errorf("rho %g: margin %g", rho, got)
		}
		if got := BivariateNormal(-inf, 0.7, rho); got != 0 {
			t.Errorf("rho %g: empty quadrant %g", rho, got)
		}
	}
	if got, want := BivariateNormal(0.4, 1.3, 1), phi(0.4); math.Abs(got-want) > 1e-16 {
		t.Errorf("rho 1: %g, want %g", got, want)
	}
	if got, want := BivariateNormal(0.4, 1.3, -1), phi(0.4)+phi(1.3)-1; math.Abs(got-want) > 1e-15 {
		t.Errorf("rho -1: %g, want %g", got, want)
	}
	for _, bad := range [][3]float64{{math.NaN(), 0, 0}, {0, math.NaN(), 0}, {0, 0, math.NaN()}, {0, 0, 1.1}} {
		if got := BivariateNormal(bad[0], bad[1], bad[2]); !math.IsNaN(got) {
			t.Errorf("Phi2(%v) = %g", bad, got)
		}
	}
}

// The density is the derivative in rho (Plackett's identity).
func TestBivariateNormalDensity(t *testing.T) {
	const step = 1e-5
	for _, p := range [][3]float64{{0.3, -0.8, 0.4}, {1.1, 1.4, 0.95}, {-2, 0.5, -0.7}} {
		d := (BivariateNormal(p[0], p[1], p[2]+step) - BivariateNormal(p[0], p[1], p[2]-step)) / (2 * step)
		if got := BivariateNormalDensity(p[0], p[1], p[2]); math.Abs(got-d) > 1e-7 {
			t.Errorf("density at %v: %g, want %g", p, got, d)
		}
	}
	if BivariateNormalDensity(math.Inf(1), 0, 0.2) != 0 {
		t.Error("density at infinity")
	}
}

func FuzzBivariateNormal(f *testing.F) {
	f.Add(0.1, 0.2, 0.3)
	f.Add(8.0, -9.0, -0.99999999)
	f.Fuzz(func(t *testing.T, h, k, rho float64) {
		p := BivariateNormal(h, k, rho)
		if math.IsNaN(h) || math.IsNaN(k) || !(math.Abs(rho) <= 1) {
			if !math.IsNaN(p) {
				t.Fatalf("%g", p)
			}
			return
		}
		if !(p >= 0 && p <= math.Min(phi(h), phi(k))+1e-14) {
			t.Fatalf("Phi2(%g, %g, %g) = %g is outside [0, min of the margins]", h, k, rho, p)
		}
	})
}

func BenchmarkBivariateNormal(b *testing.B) {
	for _, rho := range []float64{0.2, 0.6, 0.9, 0.97} {
		b.Run("", func(b *testing.B) {
			for b.Loop() {
				BivariateNormal(0.3, -0.4, rho)
			}
		})
	}
}
