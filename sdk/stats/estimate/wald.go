package estimate

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// Wald gives the quadratic form (L beta)' (L V L')^- (L beta) and its rank q:
// a chi-squared of q degrees of freedom under L beta = 0, and q F where V has
// an estimated scale. Rows of L that are combinations of others are not
// counted; a row that is 0 on every side is none.
func Wald(beta []float64, v mat.Symmetric, l *mat.Dense) (chi2 float64, rank int, err error) {
	q, p := l.Dims()
	if p != len(beta) || v.SymmetricDim() != p {
		return 0, 0, fmt.Errorf("the hypothesis has %d columns, the model %d coefficients", p, len(beta))
	}
	var lb, lv, c mat.Dense
	lb.Mul(l, mat.NewDense(p, 1, append([]float64(nil), beta...)))
	lv.Mul(l, v)
	c.Mul(&lv, l.T())
	// Cholesky with the largest pivot first: it stops at the rank of L V L'.
	a := make([][]float64, q)
	x := make([]float64, q)
	scale := make([]float64, q)
	for i := range a {
		a[i] = append([]float64(nil), c.RawRowView(i)...)
		x[i], scale[i] = lb.At(i, 0), c.At(i, i)
		if math.IsNaN(a[i][i]) || math.IsNaN(x[i]) {
			return 0, 0, fmt.Errorf("the hypothesis has no finite variance")
		}
	}
	used := make([]bool, q)
	for range a {
		best := -1
		for i := range a {
			if !used[i] && scale[i] > 0 && a[i][i] > 1e-10*scale[i] && (best < 0 || a[i][i]/scale[i] > a[best][best]/scale[best]) {
				best = i
			}
		}
		if best < 0 {
			break
		}
		used[best] = true
		pivot := a[best][best]
		chi2 += x[best] * x[best] / pivot
		rank++
		for i := range a {
			if used[i] {
				continue
			}
			f := a[i][best] / pivot
			x[i] -= f * x[best]
			for j := range a {
				if !used[j] {
					a[i][j] -= f * a[best][j]
				}
			}
		}
	}
	if rank == 0 {
		return 0, 0, fmt.Errorf("the hypothesis is empty: every row is 0 or has no variance")
	}
	return chi2, rank, nil
}
