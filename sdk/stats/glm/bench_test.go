package glm

import (
	"math/rand/v2"
	"testing"

	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
)

// A trial's logistic model: 2000 rows, 12 coefficients.
func benchDesign(b *testing.B) *formula.Design {
	b.Helper()
	const n = 2000
	rng := rand.New(rand.NewPCG(1, 2))
	fr := frame.New(n)
	y := make([]float64, n)
	for i := range y {
		y[i] = float64(rng.IntN(2))
	}
	text := "y ~ 1"
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"} {
		v := make([]float64, n)
		for i := range v {
			v[i] = rng.NormFloat64()
		}
		if err := fr.AddNumeric(name, v); err != nil {
			b.Fatal(err)
		}
		text += " + " + name
	}
	if err := fr.AddNumeric("y", y); err != nil {
		b.Fatal(err)
	}
	f, err := formula.Parse(text)
	if err != nil {
		b.Fatal(err)
	}
	d, err := f.Design(fr, formula.Options{})
	if err != nil {
		b.Fatal(err)
	}
	return d
}

func BenchmarkLogistic(b *testing.B) {
	d := benchDesign(b)
	for b.Loop() {
		if _, err := Fit(d, Binomial(), Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSeparated(b *testing.B) {
	d := benchDesign(b)
	for b.Loop() {
		if _, err := Separated(d, Binomial()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkProfileInterval(b *testing.B) {
	m, err := Fit(benchDesign(b), Binomial(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	l := make([]float64, 12)
	l[3] = 1
	for b.Loop() {
		if _, _, err := m.ProfileInterval(l, 0.95); err != nil {
			b.Fatal(err)
		}
	}
}
