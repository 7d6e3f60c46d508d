package scale

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// Eigenvalues of a correlation matrix, descending: the scree.
func Eigenvalues(r mat.Symmetric) ([]float64, error) {
	values, _, err := eigen(r)
	return values, err
}

// eigen returns eigenvalues, descending, and eigenvectors in columns of the
// same order, by cyclic Jacobi rotations (Golub and Van Loan, Matrix
// Computations, 8.5). At the size of a questionnaire inside WebAssembly it is
// several times as fast as LAPACK's QR by way of gonum, whose many small calls
// each cost there, and accurate to rounding for the small eigenvalues too.
func eigen(s mat.Symmetric) ([]float64, *mat.Dense, error) {
	p := s.SymmetricDim()
	a, v := make([]float64, p*p), make([]float64, p*p)
	norm := 0.0
	for i := range p {
		for j := range p {
			x := s.At(i, j)
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return nil, nil, fmt.Errorf("entry %d, %d of the matrix is %g", i, j, x)
			}
			a[i*p+j] = x
			norm += x * x
		}
		v[i*p+i] = 1
	}
	for sweep := 0; ; sweep++ {
		off := 0.0
		for i := range p {
			for _, x := range a[i*p : i*p+i] {
				off += 2 * x * x
			}
		}
		if off <= 1e-32*norm {
			break
		}
		if sweep == 60 {
			return nil, nil, fmt.Errorf("the eigenvalues of a %d by %d matrix did not converge", p, p)
		}
		for i := range p {
			for j := range i {
				rotate(a, v, p, j, i)
			}
		}
	}
	order := make([]int, p)
	for k := range order {
		order[k] = k
	}
	slices.SortStableFunc(order, func(x, y int) int {
		switch dx, dy := a[x*p+x], a[y*p+y]; {
		case dx > dy:
			return -1
		case dx < dy:
			return 1
		}
		return 0
	})
	values, vectors := make([]float64, p), mat.NewDense(p, p, nil)
	for k, from := range order {
		values[k] = a[from*p+from]
		for i := range p {
			vectors.Set(i, k, v[from*p+i])
		}
	}
	return values, vectors, nil
}

// rotate makes a_ij zero by the rotation J(i, j, theta) with
// cot 2 theta = (a_jj - a_ii) / 2 a_ij and |theta| <= pi/4: A <- J'AJ. v holds
// the vectors in rows, so that all passes are along rows but one.
func rotate(a, v []float64, p, i, j int) {
	x := a[i*p+j]
	di, dj := a[i*p+i], a[j*p+j]
	if math.Abs(x) <= 1e-18*math.Sqrt(math.Abs(di*dj)) {
		a[i*p+j], a[j*p+i] = 0, 0
		return
	}
	cot := (dj - di) / (2 * x)
	t := 1 / (math.Abs(cot) + math.Sqrt(cot*cot+1))
	if cot < 0 {
		t = -t
	}
	c := 1 / math.Sqrt(t*t+1)
	s := t * c
	ri, rj := a[i*p:i*p+p], a[j*p:j*p+p]
	for k, y := range ri {
		z := rj[k]
		ri[k], rj[k] = c*y-s*z, s*y+c*z
	}
	for k := range p { // columns i and j are the rows' mirror
		a[k*p+i], a[k*p+j] = ri[k], rj[k]
	}
	ri[i], rj[j] = di-t*x, dj+t*x
	ri[j], rj[i] = 0, 0
	vi, vj := v[i*p:i*p+p], v[j*p:j*p+p]
	for k, y := range vi {
		z := vj[k]
		vi[k], vj[k] = c*y-s*z, s*y+c*z
	}
}
