package wasm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/seed-4012077a/flow/sdk/abi"
)

// BenchmarkNumeric runs products, solves and factors inside a guest: by
// package dense with the host's functions, by the same package within the
// guest, and by gonum within the guest. Package dense's own benchmarks have
// the same sizes outside.
func BenchmarkNumeric(b *testing.B) {
	start := startNumeric(b, Limits{})
	rng := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		fn    string
		n     int
		flops func(n float64) float64
	}{
		{"gemm", 4, gemmFlops}, {"gemm", 8, gemmFlops}, {"gemm", 12, gemmFlops}, {"gemm", 16, gemmFlops}, {"gemm", 24, gemmFlops},
		{"gemm", 32, gemmFlops}, {"gemm", 128, gemmFlops}, {"gemm", 512, gemmFlops},
		{"trsm", 4, trsmFlops}, {"trsm", 8, trsmFlops}, {"trsm", 16, trsmFlops}, {"trsm", 32, trsmFlops}, {"trsm", 512, trsmFlops},
		{"potrf", 32, potrfFlops}, {"potrf", 64, potrfFlops}, {"potrf", 256, potrfFlops}, {"potrf", 1128, potrfFlops},
		{"potri", 1128, func(n float64) float64 { return 2 * n * n * n / 3 }},
	} {
		n := uint64(c.n)
		x := normal(rng, c.n*c.n)
		for i := range c.n {
			x[i*c.n+i] = float64(4 * c.n)
		}
		for how, name := range []string{"host", "guest", "gonum"} {
			if c.fn == "potri" && name == "gonum" {
				continue // testdata/numeric has none
			}
			b.Run(fmt.Sprintf("%s/%d/%s", c.fn, c.n, name), func(b *testing.B) {
				g := start()
				at := g.put(x)
				y, z := g.put(x), g.put(x)
				args := []uint64{uint64(how), n, at, n}
				switch c.fn {
				case "gemm":
					args = []uint64{uint64(how), 0, n, n, n, math.Float64bits(1e-9), y, n, z, n, at, n}
				case "potri":
					args = []uint64{uint64(how), n, y, n, at, n}
				case "trsm":
					args = []uint64{uint64(how), abi.TrsmRight | abi.TrsmTrans, n, n, y, n, at, n}
				}
				for b.Loop() {
					g.set(at, x)
					g.do(c.fn, args...)
				}
				b.ReportMetric(c.flops(float64(n))*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}

func gemmFlops(n float64) float64  { return 2 * n * n * n }
func trsmFlops(n float64) float64  { return n * n * n }
func potrfFlops(n float64) float64 { return n * n * n / 3 }
