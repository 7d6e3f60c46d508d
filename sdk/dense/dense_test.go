package dense

import (
	"encoding/binary"
	"errors"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
)

// sizes around the edges of vectors, tiles and blocks.
func size(rng *rand.Rand) int {
	edges := []int{1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 48, 49, 63, 64, 65, 96, 97, 128, 130, 257}
	if rng.IntN(2) == 0 {
		return edges[rng.IntN(len(edges))]
	}
	return rng.IntN(70)
}

func TestGemmBits(t *testing.T) {
	on(t, func(t *testing.T, pl place) {
		rng := rand.New(rand.NewPCG(1, 2))
		for n := range 300 {
			m, n, k, lower := size(rng), size(rng), size(rng), n%3 == 0
			if lower {
				n = m
			}
			transA, transB := rng.IntN(2) == 0, rng.IntN(2) == 0
			a, b, c := random(rng, m, k), random(rng, k, n), random(rng, m, n)
			if transA {
				a = random(rng, k, m)
			}
			if transB {
				b = random(rng, n, k)
			}
			switch rng.IntN(3) {
			case 0:
				odd(rng, a, special...)
				odd(rng, b, special...)
				odd(rng, c, special...)
			case 1:
				odd(rng, a, nonFinite...)
				odd(rng, b, nonFinite...)
				odd(rng, c, nonFinite...)
			}
			alpha := []float64{1, -1, 0.1, 0, 1e-300}[rng.IntN(5)]
			want := clone(c)
			refGemm(transA, transB, lower, alpha, a, b, want)
			if err := pl.gemm("Gemm", transA, transB, lower, alpha, a, b, c); err != nil {
				t.Fatal(err)
			}
			same(t, c, want)
		}
	})
}

// TestGemmBlocks crosses every block size.
func TestGemmBlocks(t *testing.T) {
	on(t, func(t *testing.T, pl place) {
		rng := rand.New(rand.NewPCG(3, 4))
		for _, s := range []struct {
			m, n, k int
			lower   bool
		}{{mcBlock + 5, ncBlock + 9, kcBlock + 3, false}, {3, ncBlock + 9, 2*kcBlock + 1, false}, {ncBlock + mcBlock + 7, ncBlock + mcBlock + 7, 20, true}} {
			a, b, c := random(rng, s.m, s.k), random(rng, s.k, s.n), random(rng, s.m, s.n)
			want := clone(c)
			refGemm(false, false, s.lower, -1, a, b, want)
			if err := pl.gemm("Gemm", false, false, s.lower, -1, a, b, c); err != nil {
				t.Fatal(err)
			}
			same(t, c, want)
		}
	})
}

func TestSyrk(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, trans := range []bool{false, true} {
		a, c := random(rng, 40, 70), random(rng, 40, 40)
		if trans {
			c = random(rng, 70, 70)
		}
		want := clone(c)
		refGemm(trans, !trans, true, 2, a, a, want)
		if err := Syrk(trans, 2, a, c); err != nil {
			t.Fatal(err)
		}
		same(t, c, want)
	}
}

// factorOf is a lower triangle with a diagonal that keeps solutions tame, and
// NaNs above it, which must not be read.
func factorOf(rng *rand.Rand, n int) Matrix {
	l := random(rng, n, n)
	for i := range n {
		for j := range n {
			switch x := &l.Data[i*l.Stride+j]; {
			case j > i:
				*x = math.NaN()
			case j == i:
				*x = math.Sqrt(float64(n)) + rng.Float64()
			}
		}
	}
	return l
}

func TestTrsmBits(t *testing.T) {
	on(t, func(t *testing.T, pl place) {
		rng := rand.New(rand.NewPCG(7, 8))
		for i := range 200 {
			n, m := size(rng), size(rng)
			side, trans := Side(i%2 == 0), i/2%2 == 0
			l, b := factorOf(rng, n), random(rng, n, m)
			if side == Right {
				b = random(rng, m, n)
			}
			if i%5 == 0 {
				odd(rng, b, nonFinite...)
			}
			want, column := clone(b), []float64(nil)
			refTrsm(side, trans, l, want)
			if side == Left && m > 0 {
				for r := range n {
					column = append(column, b.At(r, 0))
				}
			}
			if err := pl.trsm(side, trans, l, b); err != nil {
				t.Fatal(err)
			}
			same(t, b, want)
			if column != nil {
				if err := Trsv(trans, l, column); err != nil {
					t.Fatal(err)
				}
				one, err := want.Slice(0, n, 0, 1)
				if err != nil {
					t.Fatal(err)
				}
				for r, x := range column {
					if x != one.At(r, 0) && !(x != x && one.At(r, 0) != one.At(r, 0)) {
						t.Fatalf("Trsv: element %d of %d is %g, Trsm's is %g", r, n, x, one.At(r, 0))
					}
				}
			}
		}
	})
}

// definite is a symmetric matrix whose diagonal outweighs the rest, so that it
// is positive definite, with NaNs above it.
func definite(rng *rand.Rand, n int) Matrix {
	a := random(rng, n, n)
	for i := range n {
		a.Data[i*a.Stride+i] = float64(4*n) + rng.Float64()
		for j := i + 1; j < n; j++ {
			a.Data[i*a.Stride+j] = math.NaN()
		}
	}
	return a
}

func TestPotrfBits(t *testing.T) {
	on(t, func(t *testing.T, pl place) {
		rng := rand.New(rand.NewPCG(9, 10))
		for _, n := range []int{0, 1, 2, 5, 31, 32, 33, 64, 65, 100, 129, 200, 301} {
			a := definite(rng, n)
			want, source := clone(a), clone(a)
			if p := refPotrf(want); p >= 0 {
				t.Fatalf("the reference fails at %d of %d", p, n)
			}
			if err := pl.potrf(a); err != nil {
				t.Fatal(err)
			}
			same(t, a, want)

			x, wantX := random(rng, n, n), Matrix{}
			wantX = clone(x)
			refTrtri(a, wantX)
			if err := pl.trtri("Trtri", a, x); err != nil {
				t.Fatal(err)
			}
			same(t, x, wantX)

			c := random(rng, n, n)
			wantC := clone(c)
			refPotri(x, wantC)
			if err := pl.potri(a, c); err != nil {
				t.Fatal(err)
			}
			same(t, c, wantC)

			// A^-1 A is the identity, and Potrs solves with A.
			for i := range n {
				for j := range i {
					c.Data[j*c.Stride+i] = c.At(i, j)
					source.Data[j*source.Stride+i] = source.At(i, j)
				}
			}
			b := clone(source)
			if err := Potrs(a, b); err != nil {
				t.Fatal(err)
			}
			id := New(n, n)
			if err := pl.gemm("Gemm", false, false, false, 1, c, source, id); err != nil {
				t.Fatal(err)
			}
			for i := range n {
				for j := range n {
					want := 0.0
					if i == j {
						want = 1
					}
					if math.Abs(id.At(i, j)-want) > 1e-12 || math.Abs(b.At(i, j)-want) > 1e-12 {
						t.Fatalf("element (%d, %d) of A^-1 A is %g and %g", i, j, id.At(i, j), b.At(i, j))
					}
				}
			}
		}
	})
}

// TestPotrfFails checks the pivot, and that what a failed factor looks like
// does not depend on the kernels.
func TestPotrfFails(t *testing.T) {
	const n = 150
	for _, bad := range []struct {
		pivot int
		value float64
	}{{0, -1}, {7, 0}, {64, -3}, {90, math.NaN()}, {149, -1e300}, {100, math.Inf(1)}} {
		var first Matrix
		for _, be := range backends() {
			a := definite(rand.New(rand.NewPCG(11, 12)), n)
			a.Data[bad.pivot*a.Stride+bad.pivot] = bad.value
			want := clone(a)
			if p := refPotrf(want); p != bad.pivot {
				t.Fatalf("the reference fails at %d, not %d", p, bad.pivot)
			}
			err := place{backend: be}.potrf(a)
			var pe *PivotError
			if !errors.As(err, &pe) || pe.Pivot != bad.pivot || pe.Value > 0 && !math.IsInf(pe.Value, 1) {
				t.Fatalf("%s: %v, want pivot %d", be.name, err, bad.pivot)
			}
			for i := range bad.pivot {
				for j := 0; j <= i; j++ {
					if a.At(i, j) != want.At(i, j) {
						t.Fatalf("%s: element (%d, %d) is %g, want %g", be.name, i, j, a.At(i, j), want.At(i, j))
					}
				}
			}
			if first.Data == nil {
				first = a
			}
			same(t, a, first)
		}
	}
}

// TestPinnedBits holds the results to bits that were once computed. Every
// machine, processor, build tag and compiler must give them.
func TestPinnedBits(t *testing.T) {
	const n, want = 301, 0x11f8c9beb6fba9a7
	on(t, func(t *testing.T, pl place) {
		rng := rand.New(rand.NewPCG(17, 18))
		uniform := func() Matrix {
			m := New(n, n)
			for i := range m.Data {
				m.Data[i] = rng.Float64() - 0.5
			}
			return m
		}
		a, b, c := uniform(), uniform(), New(n, n)
		for i := range n {
			c.Data[i*n+i] = 1
		}
		h := fnv.New64a()
		for _, err := range []error{
			pl.gemm("Syrk", false, true, true, 0.1, a, a, c),
			pl.potrf(c),
			pl.trsm(Left, false, c, a),
			pl.trsm(Right, false, c, b),
			pl.gemm("Gemm", true, false, false, -1.0/3, a, c, b),
			pl.potri(c, a),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, m := range []Matrix{a, b, c} {
			for _, x := range m.Data {
				h.Write(binary.LittleEndian.AppendUint64(nil, math.Float64bits(x)))
			}
		}
		if got := h.Sum64(); got != want {
			t.Errorf("the results' hash is %#x, want %#x", got, uint64(want))
		}
	})
}

// TestPoll lets each function ask some times and then stops it.
func TestPoll(t *testing.T) {
	stop := errors.New("stop")
	for _, n := range []int{1, 9, 300, 700} {
		rng := rand.New(rand.NewPCG(13, 14))
		l, b, a := factorOf(rng, n), random(rng, n, n), definite(rng, min(n, 100))
		one, err := b.Slice(0, n, 0, 1)
		if err != nil {
			t.Fatal(err)
		}
		for name, call := range map[string]func(p Poll) error{
			"Gemm":         func(p Poll) error { return p.Gemm(false, false, 1, b, b, New(n, n)) },
			"a vector":     func(p Poll) error { return p.Gemm(false, false, 1, b, one, New(n, 1)) },
			"a number":     func(p Poll) error { return p.Gemm(false, false, 1, New(1, 60*n), New(60*n, 1), New(1, 1)) },
			"Syrk":         func(p Poll) error { return p.Syrk(true, 1, b, New(n, n)) },
			"Trsm, left":   func(p Poll) error { return p.Trsm(Left, false, l, b) },
			"Trsm, right":  func(p Poll) error { return p.Trsm(Right, true, l, b) },
			"Trsm, vector": func(p Poll) error { return p.Trsm(Left, true, l, one) },
			"Potrf":        func(p Poll) error { return p.Potrf(a) },
			"Potri":        func(p Poll) error { return p.Potri(l, New(n, n)) },
		} {
			for after := range 3 {
				asked := 0
				err := call(func() error {
					if asked++; asked > after {
						return stop
					}
					return nil
				})
				switch {
				case asked > after && !errors.Is(err, stop):
					t.Errorf("%s of %d, stopped after %d: %v", name, n, after, err)
				case asked > after+1:
					t.Errorf("%s of %d went on after it was stopped", name, n)
				case asked == 0 && n >= 300:
					t.Errorf("%s of %d does not ask", name, n)
				}
			}
		}
	}
}

// TestAtOnce makes the same calls from several goroutines.
func TestAtOnce(t *testing.T) {
	var wg sync.WaitGroup
	results := make([]Matrix, 8)
	for g := range results {
		wg.Add(1)
		go func() {
			defer wg.Done()
			rng := rand.New(rand.NewPCG(19, 20))
			for n := 20; n < 200; n += 45 {
				a, b, c := definite(rng, n), random(rng, n, n), random(rng, n, n)
				for _, err := range []error{Potrf(a), Trsm(Right, true, a, b), Trsm(Left, true, a, c), Gemm(false, true, 1, b, b, c)} {
					if err != nil {
						t.Error(err)
					}
				}
				results[g] = c
			}
		}()
	}
	wg.Wait()
	for _, r := range results {
		same(t, r, results[0])
	}
}

func TestErrors(t *testing.T) {
	m := func(rows, cols int) Matrix { return New(rows, cols) }
	big := New(10, 10)
	part := func(i0, i1, j0, j1 int) Matrix {
		s, err := big.Slice(i0, i1, j0, j1)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	huge := Matrix{Rows: math.MaxInt, Cols: 2, Stride: math.MaxInt / 2, Data: make([]float64, 10)}
	for name, c := range map[string]struct {
		err  error
		want string // "" for none
	}{
		"inner":           {Gemm(false, false, 1, m(2, 3), m(4, 5), m(2, 5)), "op(A) has 3 columns and op(B) 4 rows"},
		"outer":           {Gemm(true, false, 1, m(3, 2), m(3, 5), m(2, 4)), "C is 2 x 4, and op(A) op(B) is 2 x 5"},
		"not square":      {GemmLower(false, false, 1, m(3, 2), m(2, 5), m(3, 5)), "lower triangle"},
		"stride":          {Syrk(false, 1, Matrix{Rows: 2, Cols: 3, Stride: 2, Data: make([]float64, 9)}, m(2, 2)), "A has stride 2"},
		"short":           {Syrk(false, 1, m(2, 2), Matrix{Rows: 2, Cols: 2, Stride: 3, Data: make([]float64, 4)}), "does not fit into 4"},
		"negative":        {Potrf(Matrix{Rows: -1, Cols: -1}), "sizes are 0 or more"},
		"overflow":        {Gemm(false, false, 1, huge, m(2, 2), m(2, 2)), "does not fit into 10"},
		"no data":         {Potrf(Matrix{Rows: 2, Cols: 2, Stride: 2}), "does not fit into 0"},
		"wide":            {Potrf(m(2, 3)), "2 x 3, not square"},
		"left rows":       {Trsm(Left, false, m(3, 3), m(4, 3)), "B has 4 rows for an L of 3"},
		"right columns":   {Trsm(Right, false, m(3, 3), m(3, 4)), "B has 4 columns for an L of 3"},
		"vector":          {Trsv(false, m(3, 3), make([]float64, 4)), "Trsv: matrix B has 4 rows"},
		"inverse":         {Trtri(m(3, 3), m(4, 4)), "X is 4 x 4 for an L of 3 x 3"},
		"itself":          {Potri(big, big), "C overlaps L"},
		"C is A":          {Gemm(false, false, 1, big, m(10, 10), big), "C overlaps A"},
		"C meets B":       {Gemm(false, false, 1, m(5, 5), part(0, 5, 0, 5), part(4, 9, 4, 9)), "C overlaps B"},
		"C wraps":         {Gemm(false, false, 1, m(2, 2), part(0, 2, 8, 10), part(1, 3, 8, 10)), "C overlaps B"},
		"other stride":    {Gemm(false, false, 1, m(2, 2), part(0, 2, 0, 2), Matrix{Rows: 2, Cols: 2, Stride: 3, Data: big.Data[5:]}), "C overlaps B"},
		"beside":          {Gemm(false, false, 1, m(5, 5), part(0, 5, 0, 5), part(0, 5, 5, 10)), ""},
		"beside the left": {Gemm(false, false, 1, m(5, 5), part(0, 5, 5, 10), part(1, 6, 0, 5)), ""},
		"below":           {Trsm(Right, true, part(0, 4, 0, 4), part(4, 10, 0, 4)), ""},
		"empty":           {Gemm(false, false, 1, m(0, 3), m(3, 0), m(0, 0)), ""},
		"no terms":        {Gemm(false, false, 1, m(2, 0), m(0, 2), m(2, 2)), ""},
	} {
		if c.want == "" && c.err != nil || c.want != "" && (c.err == nil || !strings.Contains(c.err.Error(), c.want) || !strings.HasPrefix(c.err.Error(), "dense: ")) {
			t.Errorf("%s: %v, want %q", name, c.err, c.want)
		}
	}
	if _, err := big.Slice(0, 11, 0, 1); err == nil {
		t.Error("a slice past the end")
	}
}

// TestOverlaps compares with the elements themselves.
func TestOverlaps(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 16))
	data := make([]float64, 120)
	some := func(stride int) (Matrix, map[int]bool) {
		m := Matrix{Rows: 1 + rng.IntN(4), Stride: stride}
		m.Cols = 1 + rng.IntN(stride)
		at, set := rng.IntN(len(data)-4*stride), map[int]bool{}
		m.Data = data[at:]
		for i := range m.Rows {
			for j := range m.Cols {
				set[at+i*stride+j] = true
			}
		}
		return m, set
	}
	for range 20000 {
		stride := 1 + rng.IntN(12)
		m, ms := some(stride)
		o, os := some(stride)
		want := false
		for e := range ms {
			want = want || os[e]
		}
		if got := m.overlaps(o); got != want {
			t.Fatalf("%v for %d x %d at %d and %d x %d at %d, stride %d", got, m.Rows, m.Cols, len(data)-len(m.Data), o.Rows, o.Cols, len(data)-len(o.Data), stride)
		}
	}
}
