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
		return factorColumns(n, first, a)
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

// factorColumns factors column by column, on four chains of one at a time.
func factorColumns(n, first int, a view) error {
	for j := range n {
		row := func(i int) []float64 { return a.data[a.at+i*a.row:][:j+1] }
		lj := row(j)
		d := lj[j]
		for _, x := range lj[:j] {
			d -= float64(x * x)
		}
		if !(d > 0) || math.IsInf(d, 1) {
			return &PivotError{Pivot: first + j, Value: d}
		}
		d = math.Sqrt(d)
		lj[j] = d
		i := j + 1
		for ; i+4 <= n; i += 4 {
			r0, r1, r2, r3 := row(i), row(i+1), row(i+2), row(i+3)
			s0, s1, s2, s3 := r0[j], r1[j], r2[j], r3[j]
			for p, x := range lj[:j] {
				s0 -= float64(r0[p] * x)
				s1 -= float64(r1[p] * x)
				s2 -= float64(r2[p] * x)
				s3 -= float64(r3[p] * x)
			}
			r0[j], r1[j], r2[j], r3[j] = s0/d, s1/d, s2/d, s3/d
		}
		for ; i < n; i++ {
			li := row(i)
			s := li[j]
			for p, x := range lj[:j] {
				s -= float64(li[p] * x)
			}
			li[j] = s / d
		}
	}
	return nil
}
