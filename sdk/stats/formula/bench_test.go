package formula_test

import (
	"math/rand/v2"
	"testing"

	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
)

// The trial's daily model: 42,588 rows of 2,028 participants.
func BenchmarkDesign(b *testing.B) {
	const n, people = 42588, 2028
	r := rand.New(rand.NewPCG(1, 2))
	y, lambda, session := make([]float64, n), make([]float64, n), make([]float64, n)
	domain, ppt, names := make([]int32, n), make([]int32, n), make([]string, people)
	for i := range n {
		y[i], session[i] = r.NormFloat64(), float64(i/people)
		ppt[i] = int32(i % people)
		lambda[i], domain[i] = float64(ppt[i]%5)/2-1, ppt[i]%2
	}
	for i := range names {
		names[i] = frame.Format(float64(i) + 10000)
	}
	fr := frame.New(n)
	for _, err := range []error{
		fr.AddNumeric("y", y), fr.AddNumeric("lambda", lambda), fr.AddNumeric("session", session),
		fr.AddFactor("domain", domain, []string{"political", "emotional"}), fr.AddFactor("ppt", ppt, names),
	} {
		if err != nil {
			b.Fatal(err)
		}
	}
	f, err := formula.Parse("y ~ (lambda + I(lambda^2) + I(lambda^3)) * domain + lambda:session + session + (1 + session | ppt)")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := f.Design(fr, formula.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
