package dense

import "fmt"

// Side is the side of the unknown matrix on which the factor stands.
type Side bool

// The sides.
const (
	Left  Side = false // op(L) X = B
	Right Side = true  // X op(L) = B
)

// Trsm solves op(L) X = B or X op(L) = B for X, which replaces B. L is lower
// triangular, n x n; B has n rows (Left) or n columns (Right). A zero on L's
// diagonal gives infinities and NaNs, as division does; factors made by Potrf
// have none.
func Trsm(side Side, trans bool, l, b Matrix) error { return outside.trsm(side, trans, l, b) }

// Trsm is the function of that name.
func (p Poll) Trsm(side Side, trans bool, l, b Matrix) error {
	return here(p).trsm(side, trans, l, b)
}

// Trsv solves op(L) x = b for x, which replaces b: Trsm for one column.
func Trsv(trans bool, l Matrix, x []float64) error {
	b := Matrix{Rows: len(x), Cols: 1, Data: x, Stride: 1}
	if err := checkTrsm(Left, l, b); err != nil {
		return fmt.Errorf("dense: Trsv: %w", err)
	}
	return outside.trsm(Left, trans, l, b)
}

// solve is one triangular system, op(L) X = B or X op(L) = B, of n unknowns
// for each of m columns or rows of B.
type solve struct {
	side  Side
	trans bool
	n, m  int
	l, b  view
}

func (pl place) trsm(side Side, trans bool, l, b Matrix) error {
	if err := checkTrsm(side, l, b); err != nil {
		return fmt.Errorf("dense: Trsm: %w", err)
	}
	if b.empty() {
		return nil
	}
	s := solve{side: side, trans: trans, n: l.Rows, m: b.Cols, l: l.view(), b: b.view()}
	if side == Right {
		s.m = b.Rows
	}
	return pl.solve(s)
}

func checkTrsm(side Side, l, b Matrix) error {
	if err := l.square("L"); err != nil {
		return err
	}
	if err := b.check("B"); err != nil {
		return err
	}
	switch {
	case side == Left && b.Rows != l.Rows:
		return fmt.Errorf("matrix B has %d rows for an L of %d", b.Rows, l.Rows)
	case side == Right && b.Cols != l.Rows:
		return fmt.Errorf("matrix B has %d columns for an L of %d", b.Cols, l.Rows)
	case b.overlaps(l):
		return fmt.Errorf("matrix B overlaps L")
	}
	return nil
}

// solve does a system here or at the host.
func (pl place) solve(s solve) error {
	if pl.away && s.worthHost() {
		hostTrsm(s)
		return nil
	}
	if s.n <= plainSize && s.m <= plainSize {
		s.plain()
		return nil
	}
	ws := pl.workspace()
	defer ws.release()
	switch {
	case s.m == 1:
		return ws.vector(s)
	case s.side == Right:
		return ws.right(s.n, s.m, s.l, s.b, s.trans)
	}
	return ws.left(s.n, s.m, s.l, s.b, s.trans)
}

// Sizes at which the recursion changes its way.
const (
	leafSize  = 64  // unknowns that are solved with all of L in L1
	leafWidth = 128 // right-hand sides that are solved together there
	rowsAlone = 8   // unknowns that are solved row by row
)

// half is about half of n, a multiple of unit, and less than n.
func half(n, unit int) int { return (n/2 + unit - 1) / unit * unit }

// left solves op(L) X = B for m columns of B: half of the unknowns, then what
// they add to the others, then those. Transposed, the last come first, and
// sums run down from the last too.
func (ws *workspace) left(n, m int, l, b view, trans bool) error {
	if n <= leafSize {
		for j := 0; j < m; j += leafWidth {
			if err := ws.ask(); err != nil {
				return err
			}
			ws.leaf(n, min(leafWidth, m-j), l, b.from(0, j), trans)
		}
		return nil
	}
	h := half(n, leafSize)
	for _, step := range halves(trans) {
		var err error
		switch step {
		case upper:
			err = ws.left(h, m, l, b, trans)
		case lower:
			err = ws.left(n-h, m, l.from(h, h), b.from(h, 0), trans)
		case between:
			err = ws.product(leftUpdate(n, m, h, l, b, trans))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// The steps of a recursion over the unknowns, and their order.
const (
	upper   = iota // the first unknowns
	between        // what the ones that are known add to the others
	lower          // the last unknowns
)

func halves(trans bool) [3]int {
	if trans {
		return [3]int{lower, between, upper}
	}
	return [3]int{upper, between, lower}
}

// leftUpdate is B2 -= L21 X1 or, transposed, B1 -= L21' X2.
func leftUpdate(n, m, h int, l, b view, trans bool) product {
	l21 := l.from(h, 0)
	if trans {
		return product{m: h, n: m, k: n - h, alpha: -1,
			a: l21.op(true).lastColFirst(n - h), b: b.from(h, 0).lastRowFirst(n - h), c: b}
	}
	return product{m: n - h, n: m, k: h, alpha: -1, a: l21, b: b, c: b.from(h, 0)}
}

// leaf is left for few unknowns and columns.
func (ws *workspace) leaf(n, m int, l, b view, trans bool) {
	if n <= rowsAlone {
		ws.alone(n, m, l, b, trans)
		return
	}
	h := half(n, rowsAlone)
	for _, step := range halves(trans) {
		switch step {
		case upper:
			ws.leaf(h, m, l, b, trans)
		case lower:
			ws.leaf(n-h, m, l.from(h, h), b.from(h, 0), trans)
		case between:
			ws.update(leftUpdate(n, m, h, l, b, trans))
		}
	}
}

// update is product for few rows of A and row-major B, without asking.
func (ws *workspace) update(p product) {
	ws.packA(p.a, p.m, p.k, p.alpha)
	ws.sweep(p.m, p.k, panels{view: p.b, cols: p.n, step: ws.nr}, p.c, noDiagonal)
}

// alone solves row by row.
func (ws *workspace) alone(n, m int, l, b view, trans bool) {
	for q := range n {
		i, p := q, product{m: 1, n: m, k: q, alpha: -1}
		if trans {
			i = n - 1 - q
			p.a = l.from(i+1, i).op(true).lastColFirst(q)
			p.b = b.from(i+1, 0).lastRowFirst(q)
		} else {
			p.a, p.b = l.from(i, 0), b
		}
		p.c = b.from(i, 0)
		if q > 0 {
			ws.update(p)
		}
		d, at := l.data[l.at+i*(l.row+l.col)], b.at+i*b.row
		row := b.data[at : at+m]
		for j := range row {
			row[j] /= d
		}
	}
}

// right solves X op(L) = B for m rows of B. The leaves are turned, so that
// vectors run over the rows: X op(L) = B is op(L)' X' = B'.
func (ws *workspace) right(n, m int, l, b view, trans bool) error {
	if n <= leafSize {
		return ws.turned(n, m, l, b, trans)
	}
	h := half(n, leafSize)
	l21 := l.from(h, 0)
	// X L' = B goes forward, X L = B backward.
	for _, step := range halves(!trans) {
		var err error
		switch step {
		case upper:
			err = ws.right(h, m, l, b, trans)
		case lower:
			err = ws.right(n-h, m, l.from(h, h), b.from(0, h), trans)
		case between:
			p := product{m: m, n: n - h, k: h, alpha: -1, a: b, b: l21.op(true), c: b.from(0, h)}
			if !trans {
				p = product{m: m, n: h, k: n - h, alpha: -1,
					a: b.from(0, h).lastColFirst(n - h), b: l21.lastRowFirst(n - h), c: b}
			}
			err = ws.product(p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (ws *workspace) turned(n, m int, l, b view, trans bool) error {
	buf := sized(&ws.turn, n*leafWidth)
	t := view{data: buf, row: leafWidth, col: 1}
	for i := 0; i < m; i += leafWidth {
		if err := ws.ask(); err != nil {
			return err
		}
		rows := min(leafWidth, m-i)
		for r := range rows {
			at := b.at + (i+r)*b.row
			for j, x := range b.data[at : at+n] {
				buf[j*leafWidth+r] = x
			}
		}
		ws.leaf(n, rows, l, t, !trans)
		for r := range rows {
			at := b.at + (i+r)*b.row
			row := b.data[at : at+n]
			for j := range row {
				row[j] = buf[j*leafWidth+r]
			}
		}
	}
	return nil
}
