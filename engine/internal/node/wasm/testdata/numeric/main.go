//go:build wasip1

// Command numeric is a guest with no operators: it exports the functions of
// package dense, so that tests can compare what they give inside a guest, with
// the host's help and without, and call the host's functions with any
// arguments.
package main

import (
	"errors"
	"unsafe"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
	lapack "gonum.org/v1/gonum/lapack/gonum"

	"github.com/seed-4012077a/flow/sdk/abi"
	"github.com/seed-4012077a/flow/sdk/dense"
)

func main() {}

//go:wasmexport flow_abi_version
func version() uint32 { return abi.Version }

// kept holds what allocate gave.
var kept [][]float64

//go:wasmexport allocate
func allocate(n uint32) uint32 {
	kept = append(kept, make([]float64, n))
	return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(kept[len(kept)-1]))))
}

//go:wasmexport forget
func forget() { kept = nil }

// how says who does the work.
const (
	byDense = 0 // dense, with the host where that pays
	alone   = 1 // dense, in the guest
	byGonum = 2
)

func matrix(at, rows, cols, stride uint32) dense.Matrix {
	m := dense.Matrix{Rows: int(rows), Cols: int(cols), Stride: int(stride)}
	if rows > 0 && cols > 0 {
		m.Data = unsafe.Slice((*float64)(unsafe.Pointer(uintptr(at))), (rows-1)*stride+cols)
	}
	return m
}

// answer is 0 for no error, pivot + 1, or the highest number.
func answer(err error) uint32 {
	var p *dense.PivotError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &p):
		return uint32(p.Pivot) + 1
	}
	return ^uint32(0)
}

//go:wasmexport gemm
func gemm(how, flags, m, n, k uint32, alpha float64, a, lda, b, ldb, c, ldc uint32) uint32 {
	transA, transB := flags&abi.GemmTransA != 0, flags&abi.GemmTransB != 0
	am, bm := [2]uint32{m, k}, [2]uint32{k, n}
	if transA {
		am = [2]uint32{k, m}
	}
	if transB {
		bm = [2]uint32{n, k}
	}
	x, y, z := matrix(a, am[0], am[1], lda), matrix(b, bm[0], bm[1], ldb), matrix(c, m, n, ldc)
	do := dense.Gemm
	switch {
	case how == byGonum:
		gonum.Implementation{}.Dgemm(blas.NoTrans, blas.NoTrans, int(m), int(n), int(k), alpha, x.Data, int(lda), y.Data, int(ldb), 1, z.Data, int(ldc))
		return 0
	case how == alone && flags&abi.GemmLower != 0:
		do = dense.Poll(nil).GemmLower
	case how == alone:
		do = dense.Poll(nil).Gemm
	case flags&abi.GemmLower != 0:
		do = dense.GemmLower
	}
	return answer(do(transA, transB, alpha, x, y, z))
}

//go:wasmexport trsm
func trsm(how, flags, m, n, l, ldl, b, ldb uint32) uint32 {
	size := m
	if flags&abi.TrsmRight != 0 {
		size = n
	}
	x, y := matrix(l, size, size, ldl), matrix(b, m, n, ldb)
	do := dense.Trsm
	switch how {
	case byGonum:
		gonum.Implementation{}.Dtrsm(blas.Right, blas.Lower, blas.Trans, blas.NonUnit, int(m), int(n), 1, x.Data, int(ldl), y.Data, int(ldb))
		return 0
	case alone:
		do = dense.Poll(nil).Trsm
	}
	return answer(do(dense.Side(flags&abi.TrsmRight != 0), flags&abi.TrsmTrans != 0, x, y))
}

//go:wasmexport potrf
func potrf(how, n, a, lda uint32) uint32 {
	m := matrix(a, n, n, lda)
	switch how {
	case byGonum:
		if ok := (lapack.Implementation{}).Dpotrf(blas.Lower, int(n), m.Data, int(lda)); !ok {
			return ^uint32(0)
		}
		return 0
	case alone:
		return answer(dense.Poll(nil).Potrf(m))
	}
	return answer(dense.Potrf(m))
}

//go:wasmexport potri
func potri(how, n, l, ldl, c, ldc uint32) uint32 {
	x, y := matrix(l, n, n, ldl), matrix(c, n, n, ldc)
	if how == alone {
		return answer(dense.Poll(nil).Potri(x, y))
	}
	return answer(dense.Potri(x, y))
}

//go:wasmimport flow num_gemm
func numGemm(flags, m, n, k uint32, alpha float64, a, lda, b, ldb, c, ldc uint32)

//go:wasmimport flow num_trsm
func numTrsm(flags, m, n, l, ldl, b, ldb uint32)

//go:wasmexport raw_gemm
func rawGemm(flags, m, n, k uint32, alpha float64, a, lda, b, ldb, c, ldc uint32) {
	numGemm(flags, m, n, k, alpha, a, lda, b, ldb, c, ldc)
}

//go:wasmexport raw_trsm
func rawTrsm(flags, m, n, l, ldl, b, ldb uint32) { numTrsm(flags, m, n, l, ldl, b, ldb) }
