package frame

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestDistinct holds both ways of finding distinct values to a map's.
func TestDistinct(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, kinds := range []int{0, 1, 2, 23, 24, 25, 26, 400} {
		t.Run(fmt.Sprint(kinds), func(t *testing.T) {
			v := make([]float64, 1000)
			seen := map[float64]bool{}
			for i := range v {
				v[i] = math.NaN()
				if kinds > 0 && r.IntN(9) > 0 {
					v[i] = float64(r.IntN(kinds)-kinds/2) / 3
					seen[v[i]] = true
				}
			}
			values, codes := distinct(v)
			if len(values) != len(seen) || !slices.IsSorted(values) {
				t.Fatalf("%d values, want %d: %v", len(values), len(seen), values)
			}
			for i, x := range v {
				switch k := codes[i]; {
				case math.IsNaN(x) != (k == -1):
					t.Fatalf("row %d: %v has code %d", i, x, k)
				case k >= 0 && values[k] != x:
					t.Fatalf("row %d: %v has the value %v", i, x, values[k])
				}
			}
		})
	}
}
