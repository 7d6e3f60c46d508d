package dense

import (
	"fmt"
	"math"
)

// PivotError says that a matrix is not positive definite: what the rows
// before leave of diagonal element Pivot, counted from 0, is Value, which has
// no positive square root. A NaN in the matrix shows as a NaN here.
type PivotError struct {
	Pivot int
	Value float64
}

func (e *PivotError) Error() string {
	return fmt.Sprintf("the matrix is not positive definite: pivot %d (counted from 0) is %g", e.Pivot, e.Value)
}

// Potrf replaces the lower triangle of a symmetric positive definite A by its
// Cholesky factor L, A = L L'. Where A is not positive definite the error is a
// *PivotError; of the columns before its Pivot, the rows before it hold L
// then, and the rest of the triangle is half made, alike on every machine.
func Potrf(a Matrix) error { return outside.potrf(a) }

// Potrf is the function of that name.
func (p Poll) Potrf(a Matrix) error { return here(p).potrf(a) }

// Potrs solves A X = B for X, which replaces B, given the factor L of A: two
// triangular solves.
func Potrs(l, b Matrix) error {
	if err := checkTrsm(Left, l, b); err != nil {
		return fmt.Errorf("dense: Potrs: %w", err)
	}
	if err := Trsm(Left, false, l, b); err != nil {
		return err
	}
	return Trsm(Left, true, l, b)
}

func (pl place) potrf(a Matrix) error {
	if err := a.square("A"); err != nil {
		return fmt.Errorf("dense: Potrf: %w", err)
	}
	if a.empty() {
		return nil
	}
	return pl.factor(a.Rows, 0, a.view())
}

// factorLeaf is the size of what is factored without blocks. It decides what a
// failed factor looks like, so it is the same for every backend.
const factorLeaf = 32

// factor is recursive: with A in four parts, of which A12 is not read,
//
//	L11 = chol(A11),  L21 = A21 L11'^-1,  L22 = chol(A22 - L21 L21').
//
// first is the index of the first row in the whole matrix.
func (pl place) factor(n, first int, a view) error {
	if err := pl.ask(); err != nil {
		return err
	}
	if n <= factorLeaf {
		return factorRows(n, first, a)
	}
	h := half(n, factorLeaf)
	if err := pl.factor(h, first, a); err != nil {
		return err
	}
	a21, a22 := a.from(h, 0), a.from(h, h)
	if err := pl.solve(solve{side: Right, trans: true, n: h, m: n - h, l: a, b: a21}); err != nil {
		return err
	}
	if err := pl.product(product{m: n - h, n: n - h, k: h, alpha: -1, a: a21, b: a21.op(true), c: a22, lower: true}); err != nil {
		return err
	}
	return pl.factor(n-h, first+h, a22)
}

// factorRows factors row by row.
func factorRows(n, first int, a view) error {
	row := func(i int) []float64 { return a.data[a.at+i*a.row:][:i+1] }
	for i := range n {
		li := row(i)
		for j := range i {
			lj, s := row(j), li[j]
			for p, x := range lj[:j] {
				s -= float64(li[p] * x)
			}
			li[j] = s / lj[j]
		}
		d := li[i]
		for _, x := range li[:i] {
			d -= float64(x * x)
		}
		if !(d > 0) || math.IsInf(d, 1) {
			return &PivotError{Pivot: first + i, Value: d}
		}
		li[i] = math.Sqrt(d)
	}
	return nil
}
