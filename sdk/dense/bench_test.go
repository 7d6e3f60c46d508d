package dense

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
	lapack "gonum.org/v1/gonum/lapack/gonum"
)

// Each benchmark also runs gonum's function of the same name.

func rate(b *testing.B, flops float64) {
	b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}

func square(rng *rand.Rand, n int) Matrix {
	m := New(n, n)
	for i := range m.Data {
		m.Data[i] = rng.NormFloat64()
	}
	return m
}

func BenchmarkGemm(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{8, 32, 128, 512} {
		x, y, z := square(rng, n), square(rng, n), New(n, n)
		flops := 2 * float64(n) * float64(n) * float64(n)
		for _, be := range backends() {
			for flags := range 4 {
				b.Run(fmt.Sprintf("%d/%02b/%s", n, flags, be.name), func(b *testing.B) {
					for b.Loop() {
						_ = place{backend: be}.gemm("", flags&2 != 0, flags&1 != 0, false, 1e-9, x, y, z)
					}
					rate(b, flops)
				})
			}
		}
		b.Run(fmt.Sprintf("%d/00/gonum", n), func(b *testing.B) {
			for b.Loop() {
				gonum.Implementation{}.Dgemm(blas.NoTrans, blas.NoTrans, n, n, n, 1e-9, x.Data, n, y.Data, n, 1, z.Data, n)
			}
			rate(b, flops)
		})
	}
}

// dominant is a well conditioned positive definite matrix.
func dominant(rng *rand.Rand, n int) Matrix {
	m := square(rng, n)
	for i := range n {
		m.Data[i*n+i] = float64(4 * n)
	}
	return m
}

func BenchmarkTrsm(b *testing.B) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{32, 512, 1128} {
		l, x := dominant(rng, n), square(rng, n)
		flops := float64(n) * float64(n) * float64(n)
		for _, be := range backends() {
			for flags := range 4 {
				side, trans := Side(flags&2 != 0), flags&1 != 0
				b.Run(fmt.Sprintf("%d/right=%t,trans=%t/%s", n, side, trans, be.name), func(b *testing.B) {
					y := clone(x)
					for b.Loop() {
						copy(y.Data, x.Data)
						_ = place{backend: be}.trsm(side, trans, l, y)
					}
					rate(b, flops)
				})
			}
		}
		b.Run(fmt.Sprintf("%d/right=true,trans=true/gonum", n), func(b *testing.B) {
			y := clone(x)
			for b.Loop() {
				copy(y.Data, x.Data)
				gonum.Implementation{}.Dtrsm(blas.Right, blas.Lower, blas.Trans, blas.NonUnit, n, n, 1, l.Data, n, y.Data, n)
			}
			rate(b, flops)
		})
	}
}

func BenchmarkPotrf(b *testing.B) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, n := range []int{32, 256, 1128} {
		a := dominant(rng, n)
		flops := float64(n) * float64(n) * float64(n) / 3
		work := clone(a)
		for _, be := range backends() {
			b.Run(fmt.Sprintf("%d/%s", n, be.name), func(b *testing.B) {
				for b.Loop() {
					copy(work.Data, a.Data)
					_ = place{backend: be}.potrf(work)
				}
				rate(b, flops)
			})
		}
		b.Run(fmt.Sprintf("%d/gonum", n), func(b *testing.B) {
			for b.Loop() {
				copy(work.Data, a.Data)
				lapack.Implementation{}.Dpotrf(blas.Lower, n, work.Data, n)
			}
			rate(b, flops)
		})
	}
}

func BenchmarkPotri(b *testing.B) {
	rng := rand.New(rand.NewPCG(7, 8))
	const n = 1128
	a := dominant(rng, n)
	if err := Potrf(a); err != nil {
		b.Fatal(err)
	}
	c := New(n, n)
	for _, be := range backends() {
		b.Run(be.name, func(b *testing.B) {
			for b.Loop() {
				_ = place{backend: be}.potri(a, c)
			}
			rate(b, 2*float64(n)*float64(n)*float64(n)/3)
		})
	}
}
