package glmm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"github.com/seed-4012077a/flow/sdk/stats/glm"
)

// 4000 rows of 400 participants by 10 items.
func BenchmarkLogistic(b *testing.B) {
	const people, items = 400, 10
	rng := rand.New(rand.NewPCG(5, 6))
	var y, x, t []float64
	var who, item []string
	effect := make([]float64, items)
	for i := range effect {
		effect[i] = 0.7 * rng.NormFloat64()
	}
	for p := range people {
		a, s, arm := rng.NormFloat64(), 0.5*rng.NormFloat64(), float64(rng.IntN(5))/2-1
		for i := range items {
			time := float64(i)/5 - 1
			v := 0.0
			if rng.Float64() < 1/(1+math.Exp(-(a+0.4*arm+(0.3+s)*time+effect[i]))) {
				v = 1
			}
			y, x, t = append(y, v), append(x, arm), append(t, time)
			who, item = append(who, fmt.Sprint("p", p)), append(item, fmt.Sprint("i", (i*7+p)%items))
		}
	}
	fr := frame.New(len(y))
	for k, v := range map[string][]float64{"y": y, "x": x, "t": t} {
		must(b, fr.AddNumeric(k, v))
	}
	must(b, fr.AddStrings("who", who, nil))
	must(b, fr.AddStrings("item", item, nil))
	for _, text := range []string{"y ~ x * t + (1 | who)", "y ~ x * t + (1 + t | who)", "y ~ x * t + (1 + t | who) + (1 | item)"} {
		d := design(b, fr, text)
		b.Run(text, func(b *testing.B) {
			for b.Loop() {
				if _, err := Fit(d, glm.Binomial(), Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
