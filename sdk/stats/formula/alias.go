package formula

import (
	"math"

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
	columns := make([][]float64, p)
	for j := range columns {
		col := make([]float64, n)
		norm := 0.0
		for i := range col {
			if weights == nil || weights[i] > 0 {
				col[i] = x.At(i, j)
			}
			norm += col[i] * col[i]
		}
		norm = math.Sqrt(norm)
		if norm > 0 {
			for i := range col {
				col[i] /= norm
			}
		}
		columns[j] = col
	}
	if clearlyIndependent(columns) {
		all := make([]int, p)
		for j := range all {
			all[j] = j
		}
		return all
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

// clearlyIndependent decomposes the Gram matrix of unit columns and says
// whether every squared pivot is far above rounding and the tolerance.
func clearlyIndependent(columns [][]float64) bool {
	const clear = 1e-8
	p := len(columns)
	l := make([][]float64, p)
	for j := range l {
		l[j] = make([]float64, j+1)
		for k := 0; k <= j; k++ {
			v := dot(columns[j], columns[k])
			for m := 0; m < k; m++ {
				v -= l[j][m] * l[k][m]
			}
			if k < j {
				l[j][k] = v / l[k][k]
				continue
			}
			if !(v > clear) {
				return false
			}
			l[j][j] = math.Sqrt(v)
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
