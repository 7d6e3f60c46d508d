package dense

import "fmt"

// inverseBlock is the number of columns or rows that are inverted together.
const inverseBlock = 64

// Trtri computes X = L^-1 of a lower triangular L into x, of which all is
// written: what lies above the diagonal becomes 0. L has no zero on its
// diagonal where Potrf made it; where it has one, X has infinities and NaNs.
func Trtri(l, x Matrix) error { return outside.trtri("Trtri", l, x) }

// Trtri is the function of that name.
func (p Poll) Trtri(l, x Matrix) error { return here(p).trtri("Trtri", l, x) }

// Potri computes the lower triangle of A^-1 into c, given the factor L of
// A = L L': A^-1 = X'X with X = L^-1. It needs memory for X.
func Potri(l, c Matrix) error { return outside.potri(l, c) }

// Potri is the function of that name.
func (p Poll) Potri(l, c Matrix) error { return here(p).potri(l, c) }

func (pl place) trtri(name string, l, x Matrix) error {
	if err := checkPair(l, x, "X"); err != nil {
		return fmt.Errorf("dense: %s: %w", name, err)
	}
	n := l.Rows
	for i := range n {
		row := x.Data[i*x.Stride:][:n]
		clear(row)
		row[i] = 1
	}
	// Columns j to j+w of X are zero above row j.
	for j := 0; j < n; j += inverseBlock {
		w := min(inverseBlock, n-j)
		s := solve{side: Left, n: n - j, m: w, l: l.view().from(j, j), b: x.view().from(j, j)}
		if err := pl.solve(s); err != nil {
			return err
		}
	}
	return nil
}

func (pl place) potri(l, c Matrix) error {
	if err := checkPair(l, c, "C"); err != nil {
		return fmt.Errorf("dense: Potri: %w", err)
	}
	n := l.Rows
	x := New(n, n)
	if err := pl.trtri("Potri", l, x); err != nil {
		return err
	}
	for i := range n {
		clear(c.Data[i*c.Stride:][:i+1])
	}
	// Rows p to p+w of X are zero right of column p+w.
	for p := 0; p < n; p += inverseBlock {
		w := min(inverseBlock, n-p)
		b := x.view().from(p, 0)
		err := pl.product(product{m: p + w, n: p + w, k: w, alpha: 1, a: b.op(true), b: b, c: c.view(), lower: true})
		if err != nil {
			return err
		}
	}
	return nil
}

func checkPair(l, x Matrix, name string) error {
	if err := l.square("L"); err != nil {
		return err
	}
	if err := x.square(name); err != nil {
		return err
	}
	if l.Rows != x.Rows {
		return fmt.Errorf("%s is %d x %d for an L of %d x %d", name, x.Rows, x.Cols, l.Rows, l.Cols)
	}
	if x.overlaps(l) {
		return fmt.Errorf("%s overlaps L", name)
	}
	return nil
}
