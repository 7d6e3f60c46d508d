package formula

import (
	"math"
	"slices"

	"github.com/seed-4012077a/flow/sdk/dense"
	"gonum.org/v1/gonum/mat"
)

// aliasTolerance is R's: a column whose part orthogonal to those before it is
// shorter than this share of its length is a combination of them (dqrdc2).
const aliasTolerance = 1e-7

// dropAliased keeps in X the columns of all that are no combination of earlier
// ones, names the others, and remembers how they depend on those kept.
func (d *Design) dropAliased(all *mat.Dense) {
	n, p := all.Dims()
	d.kept = independent(all, d.Weights)
	if len(d.kept) == p {
		d.X, d.Names, d.Assign = all, d.allNames, d.allAssign
		return
	}
	k := len(d.kept)
	x := mat.NewDense(n, max(1, k), nil)
	isKept := make([]bool, p)
	for at, j := range d.kept {
		isKept[j] = true
		d.Names = append(d.Names, d.allNames[j])
		d.Assign = append(d.Assign, d.allAssign[j])
		for i := 0; i < n; i++ {
			x.Set(i, at, all.At(i, j))
		}
	}
	if k == 0 {
		x = &mat.Dense{}
	}
	d.X = x
	d.null = mat.NewDense(p, p-k, nil)
	at := 0
	for j := 0; j < p; j++ {
		if isKept[j] {
			continue
		}
		d.Aliased = append(d.Aliased, d.allNames[j])
		d.null.Set(j, at, 1)
		at++
	}
	if k == 0 {
		return
	}
	// x_j = X b: the vector with 1 at j and -b at the kept columns is in the
	// null space of all.
	var qr mat.QR
	qr.Factorize(scaledRows(x, d.Weights))
	at = 0
	for j := 0; j < p; j++ {
		if isKept[j] {
			continue
		}
		target := mat.NewDense(n, 1, nil)
		for i := 0; i < n; i++ {
			target.Set(i, 0, all.At(i, j))
		}
		var b mat.Dense
		if err := qr.SolveTo(&b, false, scaledRows(target, d.Weights)); err == nil || b.RawMatrix().Rows == k {
			for i, kept := range d.kept {
				d.null.Set(kept, at, -b.At(i, 0))
			}
		}
		at++
	}
}

// scaledRows leaves out what has no weight: rows of weight 0 become zero.
func scaledRows(x *mat.Dense, weights []float64) *mat.Dense {
	if weights == nil {
		return x
	}
	out := mat.DenseCopyOf(x)
	r, c := out.Dims()
	for i := 0; i < r; i++ {
		for j := 0; j < c; j++ {
			if weights[i] == 0 {
				out.Set(i, j, 0)
			}
		}
	}
	return out
}

// independent lists the columns that are no combination of earlier ones, by
// the test of R's dqrdc2 (LINPACK, limited pivoting): the norm of what is left
// of a column after the kept ones are taken out, against its own norm. Rows of
// weight 0 do not count.
//
// A Cholesky decomposition of the normalised cross-products decides quickly
// when no column comes near dependence; otherwise Gram-Schmidt, applied twice
// (Giraud et al. 2005: twice is enough), decides precisely.
func independent(x *mat.Dense, weights []float64) []int {
	n, p := x.Dims()
	if slices.Contains(weights, 0) {
		x = scaledRows(x, weights)
	}
	if clearlyIndependent(x) {
		return sequence(p)
	}
	columns := make([][]float64, p)
	for j := range columns {
		col := mat.Col(nil, j, x)
		if norm := math.Sqrt(dot(col, col)); norm > 0 {
			for i := range col {
				col[i] /= norm
			}
		}
		columns[j] = col
	}
	var kept []int
	var basis [][]float64
	for j, col := range columns {
		if len(basis) == n {
			break
		}
		rest := append([]float64(nil), col...)
		for pass := 0; pass < 2; pass++ {
			for _, q := range basis {
				axpy(-dot(q, rest), q, rest)
			}
		}
		norm := math.Sqrt(dot(rest, rest))
		if norm < aliasTolerance || norm == 0 {
			continue
		}
		for i := range rest {
			rest[i] /= norm
		}
		basis, kept = append(basis, rest), append(kept, j)
	}
	return kept
}

// clearlyIndependent decomposes the cross-products of the columns, divided by
// their lengths, and says whether every squared pivot is far above rounding
// and the tolerance. It is what a design costs most, so the products are made
// by dense, a few thousand rows at a time to keep their sums short.
func clearlyIndependent(x *mat.Dense) bool {
	const clear, chunk = 1e-8, 4096
	n, p := x.Dims()
	g := dense.New(p, p)
	all := dense.Matrix(x.RawMatrix())
	for from := 0; from < n; from += chunk {
		part := dense.New(p, p)
		rows := dense.Matrix{Rows: min(chunk, n-from), Cols: p, Data: all.Data[from*all.Stride:], Stride: all.Stride}
		if dense.Syrk(true, 1, rows, part) != nil {
			return false
		}
		for i := range g.Data {
			g.Data[i] += part.Data[i]
		}
	}
	for j := range p {
		for k := range j {
			g.Data[j*p+k] /= math.Sqrt(g.Data[j*p+j] * g.Data[k*p+k])
		}
	}
	for j := range p {
		g.Data[j*p+j] = 1
		for k := range j + 1 {
			v := g.Data[j*p+k]
			for m := range k {
				v -= g.Data[j*p+m] * g.Data[k*p+m]
			}
			if k < j {
				g.Data[j*p+k] = v / g.Data[k*p+k]
				continue
			}
			if !(v > clear) {
				return false
			}
			g.Data[j*p+j] = math.Sqrt(v)
		}
	}
	return true
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}

func axpy(alpha float64, x, y []float64) {
	for i, v := range x {
		y[i] += alpha * v
	}
}
