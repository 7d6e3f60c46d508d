package scale

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

func identity(n int) *mat.SymDense {
	out := mat.NewSymDense(n, nil)
	for i := range n {
		out.SetSym(i, i, 1)
	}
	return out
}

// symmetric takes the mean of a square matrix and its transpose.
func symmetric(a mat.Matrix) *mat.SymDense {
	n, _ := a.Dims()
	out := mat.NewSymDense(n, nil)
	for i := range n {
		for j := range i + 1 {
			out.SetSym(i, j, (a.At(i, j)+a.At(j, i))/2)
		}
	}
	return out
}

// power returns A^e of a positive definite A by its eigenvalues.
func power(a mat.Symmetric, e float64) (*mat.SymDense, error) {
	values, vectors, err := eigen(a)
	if err != nil {
		return nil, err
	}
	n := len(values)
	if values[n-1] <= 1e-14*math.Abs(values[0]) {
		return nil, fmt.Errorf("a matrix is not positive definite (smallest eigenvalue %.3g)", values[n-1])
	}
	out := mat.NewSymDense(n, nil)
	for i := range n {
		for j := range i + 1 {
			v := 0.0
			for k := range n {
				v += math.Pow(values[k], e) * vectors.At(i, k) * vectors.At(j, k)
			}
			out.SetSym(i, j, v)
		}
	}
	return out, nil
}

// inverseOf is the inverse of a positive definite matrix.
func inverseOf(a *mat.SymDense, what string) (*mat.SymDense, float64, error) {
	var chol mat.Cholesky
	if !chol.Factorize(a) {
		return nil, 0, fmt.Errorf("%s is not positive definite: smooth it, or leave out items that others determine", what)
	}
	inverse := new(mat.SymDense)
	if err := chol.InverseTo(inverse); err != nil {
		return nil, 0, fmt.Errorf("%s is close to singular: leave out items that others determine (%w)", what, err)
	}
	return inverse, chol.LogDet(), nil
}

// Squared multiple correlation of each item with the others: 1 - 1/r^ii.
func smc(r *mat.SymDense) ([]float64, error) {
	inverse, _, err := inverseOf(r, "the correlation matrix")
	if err != nil {
		return nil, err
	}
	out := make([]float64, r.SymmetricDim())
	for i := range out {
		out[i] = 1 - 1/inverse.At(i, i)
	}
	return out, nil
}
