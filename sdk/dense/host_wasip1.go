//go:build wasip1

package dense

import "unsafe"

// A guest has a host.
const hasHost = true

// worthwhile is the number of multiplications from which crossing over to the
// host pays (measured: 2 to 3 us for an 8 x 8 product or solve, against 6 in
// the guest; at 4 x 4 they are even).
const worthwhile = 256

// Flags of the plugin ABI (sdk/abi).
const (
	gemmTransA = 1
	gemmTransB = 2
	gemmLower  = 4
	trsmRight  = 1
	trsmTrans  = 2
)

//go:wasmimport flow num_gemm
//go:noescape
func numGemm(flags, m, n, k uint32, alpha float64, a unsafe.Pointer, lda uint32, b unsafe.Pointer, ldb uint32, c unsafe.Pointer, ldc uint32)

//go:wasmimport flow num_trsm
//go:noescape
func numTrsm(flags, m, n uint32, l unsafe.Pointer, ldl uint32, b unsafe.Pointer, ldb uint32)

func (p product) worthHost() bool { return int64(p.m)*int64(p.n)*int64(p.k) >= worthwhile }
func (s solve) worthHost() bool   { return int64(s.n)*int64(s.n)*int64(s.m) >= worthwhile }

// operand is where the matrix of a rows x cols view starts, its stride, and
// whether the view is its transpose.
func (v view) operand(cols int) (at unsafe.Pointer, stride uint32, trans bool) {
	at = unsafe.Pointer(&v.data[v.at])
	if v.col != 1 {
		return at, uint32(v.col), true
	}
	// A column seen as a row has stride 1.
	return at, uint32(max(v.row, cols)), false
}

func hostGemm(p product) {
	a, lda, transA := p.a.operand(p.k)
	b, ldb, transB := p.b.operand(p.n)
	c, ldc, _ := p.c.operand(p.n)
	var flags uint32
	if transA {
		flags |= gemmTransA
	}
	if transB {
		flags |= gemmTransB
	}
	if p.lower {
		flags |= gemmLower
	}
	numGemm(flags, uint32(p.m), uint32(p.n), uint32(p.k), p.alpha, a, lda, b, ldb, c, ldc)
}

func hostTrsm(s solve) {
	var flags uint32
	rows, cols := s.n, s.m
	if s.side == Right {
		flags |= trsmRight
		rows, cols = cols, rows
	}
	if s.trans {
		flags |= trsmTrans
	}
	l, ldl, _ := s.l.operand(s.n)
	b, ldb, _ := s.b.operand(cols)
	numTrsm(flags, uint32(rows), uint32(cols), l, ldl, b, ldb)
}
