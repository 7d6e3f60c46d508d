package dense

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The chains of the package comment, as they are written there.

func refGemm(transA, transB, lower bool, alpha float64, a, b, c Matrix) {
	k := a.Cols
	if transA {
		k = a.Rows
	}
	at := func(m Matrix, trans bool, i, j int) float64 {
		if trans {
			i, j = j, i
		}
		return m.At(i, j)
	}
	for i := range c.Rows {
		for j := range c.Cols {
			if lower && j > i || alpha == 0 {
				continue
			}
			s := &c.Data[i*c.Stride+j]
			for p := range k {
				*s += float64(float64(alpha*at(a, transA, i, p)) * at(b, transB, p, j))
			}
		}
	}
}

func refTrsm(side Side, trans bool, l, b Matrix) {
	n := l.Rows
	m := b.Cols
	x := func(i, r int) *float64 { return &b.Data[i*b.Stride+r] } // unknown i of right-hand side r
	if side == Right {
		m = b.Rows
		x = func(i, r int) *float64 { return &b.Data[r*b.Stride+i] }
	}
	// L X = B and X L' = B go forward.
	for r := range m {
		if trans == bool(side) {
			for i := range n {
				for p := range i {
					*x(i, r) -= float64(l.At(i, p) * *x(p, r))
				}
				*x(i, r) /= l.At(i, i)
			}
			continue
		}
		for i := n - 1; i >= 0; i-- {
			for p := n - 1; p > i; p-- {
				*x(i, r) -= float64(l.At(p, i) * *x(p, r))
			}
			*x(i, r) /= l.At(i, i)
		}
	}
}

// refPotrf returns the first pivot that has no root, or -1.
func refPotrf(a Matrix) int {
	for j := range a.Rows {
		for i := j; i < a.Rows; i++ {
			s := a.At(i, j)
			for p := range j {
				s -= float64(a.At(i, p) * a.At(j, p))
			}
			if i == j {
				if !(s > 0) || math.IsInf(s, 1) {
					return j
				}
				s = math.Sqrt(s)
			} else {
				s /= a.At(j, j)
			}
			a.Data[i*a.Stride+j] = s
		}
	}
	return -1
}

func refTrtri(l, x Matrix) {
	for j := range l.Rows {
		for i := range l.Rows {
			s := 0.0
			if i == j {
				s = 1
			}
			for p := j; p < i; p++ {
				s -= float64(l.At(i, p) * x.At(p, j))
			}
			if i >= j {
				s /= l.At(i, i)
			}
			x.Data[i*x.Stride+j] = s
		}
	}
}

func refPotri(x, c Matrix) {
	for i := range x.Rows {
		for j := 0; j <= i; j++ {
			s := 0.0
			for p := i; p < x.Rows; p++ {
				s += float64(x.At(p, i) * x.At(p, j))
			}
			c.Data[i*c.Stride+j] = s
		}
	}
}

func backends() []*backend { return append(accelerated(), portable()) }

// on runs f for every backend.
func on(t *testing.T, f func(t *testing.T, pl place)) {
	for _, be := range backends() {
		t.Run(be.name, func(t *testing.T) { f(t, place{backend: be}) })
	}
}

// random is a matrix of the given size with a stride of its own and elements
// of very different sizes around the matrix, too, so that a stray write shows.
func random(rng *rand.Rand, rows, cols int) Matrix {
	m := Matrix{Rows: rows, Cols: cols, Stride: cols + rng.IntN(4)}
	m.Data = make([]float64, rows*m.Stride+3)
	for i := range m.Data {
		m.Data[i] = rng.NormFloat64()
	}
	return m
}

// odd puts some values into m that are special to arithmetic.
func odd(rng *rand.Rand, m Matrix, values ...float64) {
	for range len(m.Data) / 10 {
		m.Data[rng.IntN(len(m.Data))] = values[rng.IntN(len(values))]
	}
}

func clone(m Matrix) Matrix {
	m.Data = append([]float64(nil), m.Data...)
	return m
}

// same compares all elements of the slices, those around the matrix too: bit
// by bit, but for NaNs.
func same(t *testing.T, got, want Matrix) {
	t.Helper()
	for i := range want.Data {
		g, w := got.Data[i], want.Data[i]
		if math.Float64bits(g) != math.Float64bits(w) && !(g != g && w != w) {
			t.Fatalf("element (%d, %d) of %d x %d is %x, want %x (%g, %g)",
				i/max(1, want.Stride), i%max(1, want.Stride), want.Rows, want.Cols, math.Float64bits(g), math.Float64bits(w), g, w)
		}
	}
}

var special = []float64{0, math.Copysign(0, -1), 5e-324, -3e-310, 1e-160, 1e308, -1e308, 1e-308}
var nonFinite = append([]float64{math.NaN(), math.Inf(1), math.Inf(-1)}, special...)
