package wasm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/seed-4012077a/flow/engine/internal/node/wasm/cdata"
	"github.com/seed-4012077a/flow/engine/internal/node/wasm/meter"
	"github.com/seed-4012077a/flow/sdk/abi"
	"github.com/seed-4012077a/flow/sdk/dense"
)

const numericPackage = "./testdata/numeric"

// numericGuest is an instance of testdata/numeric.
type numericGuest struct {
	*instance
	t testing.TB
}

// startNumeric compiles testdata/numeric as Load does, without asking it for
// operators, and starts instances of it.
func startNumeric(t testing.TB, limits Limits) func() numericGuest {
	t.Helper()
	ctx := context.Background()
	h := open(t, Config{CacheDir: codeDir, Limits: limits})
	wasm := buildGuest(t, numericPackage)
	metered, info, err := meter.Rewrite(wasm, h.limits.module())
	if err != nil {
		t.Fatal(err)
	}
	if err := checkImports(info); err != nil {
		t.Fatal(err)
	}
	p := &Plugin{name: "numeric", limits: h.limits, alloc: h.alloc}
	if err := h.compile(ctx, p, wasm, metered); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close(ctx) })
	return func() numericGuest {
		in, err := newInstance(ctx, p)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { in.close(ctx) })
		for _, name := range []string{"allocate", "forget", "gemm", "trsm", "potrf", "potri", "raw_gemm", "raw_trsm"} {
			in.fns[name] = in.module.ExportedFunction(name)
		}
		return numericGuest{in, t}
	}
}

// do calls a function that must answer.
func (g numericGuest) do(name string, args ...uint64) uint32 {
	g.t.Helper()
	got, err := g.call(context.Background(), name, args...)
	if err != nil {
		g.t.Fatal(err)
	}
	return got
}

// put copies numbers into the guest and returns where they are.
func (g numericGuest) put(x []float64) uint64 {
	at := g.do("allocate", uint64(len(x)))
	g.set(uint64(at), x)
	return uint64(at)
}

func (g numericGuest) set(at uint64, x []float64) {
	b, err := g.memory().At(uint32(at), int64(8*len(x)))
	if err != nil {
		g.t.Fatal(err)
	}
	copy(b, unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 8*len(x)))
}

// same compares numbers in the guest with want, bit by bit but for NaNs.
func (g numericGuest) same(what string, at uint64, want []float64) {
	g.t.Helper()
	b, err := g.memory().At(uint32(at), int64(8*len(want)))
	if err != nil {
		g.t.Fatal(err)
	}
	for i, w := range want {
		bits := binary.LittleEndian.Uint64(b[8*i:])
		if x := math.Float64frombits(bits); bits != math.Float64bits(w) && !(x != x && w != w) {
			g.t.Fatalf("%s: number %d is %x in the guest and %x outside", what, i, bits, math.Float64bits(w))
		}
	}
}

func normal(rng *rand.Rand, n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = rng.NormFloat64()
	}
	return x
}

// odd puts values into x that are special to arithmetic.
func odd(rng *rand.Rand, x []float64) []float64 {
	values := []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), 5e-324, -3e-310, 1e308, 1e-160}
	for range len(x) / 10 {
		x[rng.IntN(len(x))] = values[rng.IntN(len(values))]
	}
	return x
}

// TestNumericBits compares the same calls done in a guest by the host (0), in a
// guest by itself (1), and outside.
func TestNumericBits(t *testing.T) {
	g := startNumeric(t, Limits{})()
	rng := rand.New(rand.NewPCG(1, 2))
	sizes := []int{1, 2, 5, 16, 17, 33, 64, 100, 150}
	pick := func() int { return sizes[rng.IntN(len(sizes))] }
	for i := range 60 {
		m, n, k, flags := pick(), pick(), pick(), i%8
		if flags&abi.GemmLower != 0 {
			n = m
		}
		am, ak, bk, bn := m, k, k, n
		if flags&abi.GemmTransA != 0 {
			am, ak = k, m
		}
		if flags&abi.GemmTransB != 0 {
			bk, bn = n, k
		}
		lda, ldb, ldc := ak+rng.IntN(3), bn+rng.IntN(3), n+rng.IntN(3)
		a, b, c := normal(rng, am*lda), normal(rng, bk*ldb), normal(rng, m*ldc)
		if i%3 == 0 {
			a, b = odd(rng, a), odd(rng, b)
		}
		alpha := []float64{1, -1, 0.3}[i%3]
		what := fmt.Sprintf("gemm %d, flags %d, %d x %d x %d", i, flags, m, n, k)
		pa, pb, pc := g.put(a), g.put(b), []uint64{g.put(c), g.put(c)}
		x, y, z := dense.Matrix{Rows: am, Cols: ak, Stride: lda, Data: a}, dense.Matrix{Rows: bk, Cols: bn, Stride: ldb, Data: b}, dense.Matrix{Rows: m, Cols: n, Stride: ldc, Data: c}
		do := dense.Gemm
		if flags&abi.GemmLower != 0 {
			do = dense.GemmLower
		}
		if err := do(flags&abi.GemmTransA != 0, flags&abi.GemmTransB != 0, alpha, x, y, z); err != nil {
			t.Fatal(err)
		}
		u := func(n int) uint64 { return uint64(n) }
		for how, at := range pc {
			if got := g.do("gemm", u(how), u(flags), u(m), u(n), u(k), math.Float64bits(alpha), pa, u(lda), pb, u(ldb), at, u(ldc)); got != 0 {
				t.Fatalf("%s: the guest answers %d", what, got)
			}
			g.same(fmt.Sprintf("%s, by %d", what, how), at, c)
		}
		g.do("forget")
	}
	for i := range 40 {
		m, n, flags := pick(), pick(), i%4
		side, size := dense.Left, m
		if flags&abi.TrsmRight != 0 {
			side, size = dense.Right, n
		}
		ldl, ldb := size+rng.IntN(3), n+rng.IntN(3)
		l, b := normal(rng, size*ldl), normal(rng, m*ldb)
		for j := range size {
			l[j*ldl+j] = float64(size)
		}
		what := fmt.Sprintf("trsm %d, flags %d, %d x %d", i, flags, m, n)
		pl, pb := g.put(l), []uint64{g.put(b), g.put(b)}
		err := dense.Trsm(side, flags&abi.TrsmTrans != 0, dense.Matrix{Rows: size, Cols: size, Stride: ldl, Data: l}, dense.Matrix{Rows: m, Cols: n, Stride: ldb, Data: b})
		if err != nil {
			t.Fatal(err)
		}
		for how, at := range pb {
			if got := g.do("trsm", uint64(how), uint64(flags), uint64(m), uint64(n), pl, uint64(ldl), at, uint64(ldb)); got != 0 {
				t.Fatalf("%s: the guest answers %d", what, got)
			}
			g.same(fmt.Sprintf("%s, by %d", what, how), at, b)
		}
		g.do("forget")
	}
}

// TestNumericFactors compares factors, inverses and pivots likewise.
func TestNumericFactors(t *testing.T) {
	g := startNumeric(t, Limits{})()
	rng := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{1, 31, 70, 200, 333} {
		for _, pivot := range []int{-1, n / 2} {
			a := normal(rng, n*n)
			for i := range n {
				a[i*n+i] = float64(2 * n)
			}
			want := uint32(0)
			if pivot >= 0 {
				a[pivot*n+pivot] = -1
				want = uint32(pivot) + 1
			}
			at, inverse := []uint64{g.put(a), g.put(a)}, []uint64{g.put(make([]float64, n*n)), g.put(make([]float64, n*n))}
			l := dense.Matrix{Rows: n, Cols: n, Stride: n, Data: a}
			var pe *dense.PivotError
			if err := dense.Potrf(l); errors.As(err, &pe) != (pivot >= 0) || pe != nil && pe.Pivot != pivot {
				t.Fatal(err)
			}
			c := dense.New(n, n)
			if err := dense.Potri(l, c); err != nil {
				t.Fatal(err)
			}
			for how := range at {
				if got := g.do("potrf", uint64(how), uint64(n), at[how], uint64(n)); got != want {
					t.Fatalf("potrf of %d by %d: %d, want %d", n, how, got, want)
				}
				g.same(fmt.Sprintf("potrf of %d by %d", n, how), at[how], a)
				if pivot < 0 {
					g.do("potri", uint64(how), uint64(n), at[how], uint64(n), inverse[how], uint64(n))
					g.same(fmt.Sprintf("potri of %d by %d", n, how), inverse[how], c.Data)
				}
			}
			g.do("forget")
		}
	}
}

// TestNumericHostile calls with arguments that must trap, say why, and change
// nothing.
func TestNumericHostile(t *testing.T) {
	start := startNumeric(t, Limits{Memory: 32 << 20})
	const end = 1<<32 - 8
	one := math.Float64bits(1)
	for name, c := range map[string]struct {
		fn   string
		args func(at, size uint64) []uint64 // at: 64 numbers of the guest's; size: bytes of its memory
		want string
	}{
		"past the end": {"raw_gemm", func(at, size uint64) []uint64 {
			return []uint64{0, 4, 4, 4, one, size - 8, 4, at, 4, at + 256, 4}
		}, "A of 4 x 4 with leading dimension 4: 128 bytes at address"},
		"last number of the address space": {"raw_gemm", func(at, _ uint64) []uint64 {
			return []uint64{0, 1, 1, 1, one, at, 1, end, 1, at + 8, 1}
		}, "B of 1 x 1"},
		"around the end": {"raw_gemm", func(at, _ uint64) []uint64 {
			return []uint64{0, 2, 2, 2, one, at, 2, at, 2, end, 2}
		}, "C of 2 x 2"},
		"rows by stride pass 32 bits": {"raw_gemm", func(at, _ uint64) []uint64 {
			return []uint64{0, 1 << 16, 1, 1, one, at, 1 << 16, at, 1, at, 1}
		}, "A of 65536 x 1 with leading dimension 65536"},
		"products of 64 bits": {"raw_gemm", func(at, _ uint64) []uint64 {
			return []uint64{0, 1 << 29, 1, 1 << 29, one, at, 1 << 29, at, 1, at, 1}
		}, "A of 536870912 x 536870912"},
		"the largest numbers": {"raw_gemm", func(at, _ uint64) []uint64 {
			return []uint64{0, 1<<32 - 1, 1<<32 - 1, 1<<32 - 1, one, at, 1<<32 - 1, at, 1<<32 - 1, at, 1<<32 - 1}
		}, "larger than any memory"},
		"a stride of nothing": {"raw_gemm", func(at, _ uint64) []uint64 {
			return []uint64{0, 2, 2, 2, one, at, 0, at, 2, at + 64, 2}
		}, "A has leading dimension 0, less than its 2 columns"},
		"a stride below 0": {"raw_trsm", func(at, _ uint64) []uint64 {
			return []uint64{0, 2, 2, at, 1<<32 - 2, at + 64, 2}
		}, "larger than any memory"},
		"an odd address": {"raw_gemm", func(at, _ uint64) []uint64 {
			return []uint64{0, 2, 2, 2, one, at + 4, 2, at + 64, 2, at + 128, 2}
		}, "no multiple of 8"},
		"C is A": {"raw_gemm", func(at, _ uint64) []uint64 {
			return []uint64{0, 2, 2, 2, one, at, 2, at + 64, 2, at, 2}
		}, "C overlaps A"},
		"C within B": {"raw_gemm", func(at, _ uint64) []uint64 {
			return []uint64{0, 2, 4, 4, one, at + 256, 4, at, 4, at + 72, 5}
		}, "C overlaps B"},
		"B meets L": {"raw_trsm", func(at, _ uint64) []uint64 {
			return []uint64{0, 4, 2, at, 4, at + 8, 4}
		}, "B overlaps L"},
		"a flag of gemm": {"raw_gemm", func(at, _ uint64) []uint64 {
			return []uint64{8, 1, 1, 1, one, at, 1, at, 1, at + 8, 1}
		}, "num_gemm: its flags are 0x8"},
		"a flag of trsm": {"raw_trsm", func(at, _ uint64) []uint64 {
			return []uint64{0x80000001, 1, 1, at, 1, at + 8, 1}
		}, "num_trsm: its flags are 0x80000001, of which 0x80000000 is not known"},
		"a triangle of what is not square": {"raw_gemm", func(at, _ uint64) []uint64 {
			return []uint64{4, 2, 3, 1, one, at, 1, at + 64, 3, at + 128, 3}
		}, "lower triangle"},
	} {
		t.Run(name, func(t *testing.T) {
			g := start()
			at := g.put(make([]float64, 64))
			size := uint64(g.module.Memory().Size())
			before := string(g.memory())
			_, err := g.call(context.Background(), c.fn, c.args(at, size)...)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "it gave a bad answer: a call of num_") {
				t.Errorf("%v, want %q", err, c.want)
			}
			if !g.dead {
				t.Error("the instance would be used again")
			}
			if b, err := g.memory().At(uint32(at), 8*64); err != nil || string(b) != before[at:at+8*64] {
				t.Error("its numbers have changed")
			}
		})
	}
}

// TestNumericImports checks that other names and types are refused.
func TestNumericImports(t *testing.T) {
	h := open(t, Config{})
	for name, want := range map[string]string{
		"num_gemm":  "flow.num_gemm as ( -> ); it is (i32 i32 i32 i32 f64 i32 i32 i32 i32 i32 i32 -> )",
		"num_trsm":  "flow.num_trsm as ( -> ); it is (i32 i32 i32 i32 i32 i32 i32 -> )",
		"num_gemmm": "flow.num_gemmm (did you mean num_gemm?)",
		"num_potrf": "flow.num_potrf",
	} {
		if _, err := h.Load(context.Background(), importing("flow", name), "x.wasm"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}

// TestNumericDeadline ends calls that would take seconds, by the context.
func TestNumericDeadline(t *testing.T) {
	start := startNumeric(t, Limits{Memory: 512 << 20})
	const n = 4096
	one := math.Float64bits(1)
	for name, args := range map[string]func(at uint64) []uint64{
		"raw_gemm": func(at uint64) []uint64 { return []uint64{0, n, n, n, one, at, n, at, n, at + 8*n*n, n} },
		"raw_trsm": func(at uint64) []uint64 { return []uint64{0, n, n, at, n, at + 8*n*n, n} },
	} {
		g := start()
		at := g.put(make([]float64, 2*n*n))
		for _, limit := range []time.Duration{0, 30 * time.Millisecond} {
			ctx, cancel := context.WithTimeout(context.Background(), limit)
			begin := time.Now()
			_, err := g.call(ctx, name, args(at)...)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s within %v: %v", name, limit, err)
			}
			t.Logf("%s within %v ended after %v", name, limit, time.Since(begin))
			cancel()
			g.dead, g.fault = false, nil // nothing was cut off within the guest
		}
	}
}

// FuzzNumeric calls the host's functions with any arguments on a small memory.
// They must return, and write nothing but what they may.
func FuzzNumeric(f *testing.F) {
	for _, seed := range []struct {
		trsm bool
		args [11]uint64
	}{
		{false, [11]uint64{0, 2, 2, 2, 0, 0, 2, 32, 2, 64, 2}},
		{false, [11]uint64{7, 4, 4, 4, 0, 0, 5, 0, 4, 512, 4}},
		{false, [11]uint64{0, 1 << 29, 1 << 29, 1 << 29, 0, 8, 1 << 29, 8, 1 << 29, 8, 1 << 29}},
		{true, [11]uint64{3, 4, 4, 0, 4, 256, 4}},
		{true, [11]uint64{1, 1<<32 - 1, 0, 0, 1<<32 - 1, 8, 4}},
	} {
		b := []byte{0}
		if seed.trsm {
			b[0] = 1
		}
		for _, x := range seed.args {
			b = binary.LittleEndian.AppendUint32(b, uint32(x))
		}
		f.Add(b)
	}
	const words = 1 << 10
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) < 45 {
			return
		}
		backing := make([]float64, words)
		for i := range backing {
			backing[i] = float64(i)
		}
		all := unsafe.Slice((*byte)(unsafe.Pointer(&backing[0])), 8*words)
		mem := cdata.Memory(all[: 4*words : 4*words]) // the second half is not the guest's
		stack := make([]uint64, 11)
		for i := range stack {
			stack[i] = uint64(binary.LittleEndian.Uint32(in[1+4*i:])) | 0xabcd<<32
		}
		at, rows, cols, stride := stack[9], stack[1], stack[2], stack[10]
		call := numGemm
		if in[0]&1 == 1 {
			call, at, stride = numTrsm, stack[5], stack[6]
		} else {
			stack[4] = math.Float64bits(1)
		}
		err := call(mem, nil, stack)
		for i, x := range backing {
			row, col := -1, -1
			if w := int64(i) - int64(uint32(at)/8); w >= 0 && uint32(stride) > 0 {
				row, col = int(w/int64(uint32(stride))), int(w%int64(uint32(stride)))
			}
			inside := row >= 0 && int64(row) < int64(uint32(rows)) && int64(col) < int64(uint32(cols))
			if x != float64(i) && (err != nil || !inside || i >= words/2) {
				t.Fatalf("number %d was written to; error %v", i, err)
			}
		}
	})
}
