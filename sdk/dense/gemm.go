package dense

import "fmt"

// Gemm computes C <- C + alpha op(A) op(B), where op(A) is m x k, op(B) is
// k x n and C is m x n; op transposes where its flag is set, so that A itself
// is k x m then. alpha = 0 leaves C as it is and reads neither A nor B.
func Gemm(transA, transB bool, alpha float64, a, b, c Matrix) error {
	return outside.gemm("Gemm", transA, transB, false, alpha, a, b, c)
}

// GemmLower is Gemm for a square C of which only the lower triangle, with the
// diagonal, is read and written.
func GemmLower(transA, transB bool, alpha float64, a, b, c Matrix) error {
	return outside.gemm("GemmLower", transA, transB, true, alpha, a, b, c)
}

// Syrk computes the lower triangle of C <- C + alpha op(A) op(A)', where op(A)
// is n x k; with trans A itself is k x n, and C <- C + alpha A'A.
func Syrk(trans bool, alpha float64, a, c Matrix) error {
	return outside.gemm("Syrk", trans, !trans, true, alpha, a, a, c)
}

// Poll is asked between blocks of work, of some milliseconds at most, whether
// to go on; an error ends the call and is returned, with the result half
// made. Its methods do the package's work where they are called: inside a
// guest they do not go to the host. Poll(nil) is not asked.
type Poll func() error

// Gemm is the function of that name.
func (p Poll) Gemm(transA, transB bool, alpha float64, a, b, c Matrix) error {
	return here(p).gemm("Gemm", transA, transB, false, alpha, a, b, c)
}

// GemmLower is the function of that name.
func (p Poll) GemmLower(transA, transB bool, alpha float64, a, b, c Matrix) error {
	return here(p).gemm("GemmLower", transA, transB, true, alpha, a, b, c)
}

// Syrk is the function of that name.
func (p Poll) Syrk(trans bool, alpha float64, a, c Matrix) error {
	return here(p).gemm("Syrk", trans, !trans, true, alpha, a, a, c)
}

// place is where work is done, and how.
type place struct {
	*backend
	poll Poll
	away bool // large pieces go to the host
}

// outside is where the package's functions work: with the host where there is
// one.
var outside = place{backend: best, away: hasHost}

func here(p Poll) place { return place{backend: best, poll: p} }

func (pl place) ask() error {
	if pl.poll == nil {
		return nil
	}
	return pl.poll()
}

// product is one matrix product C <- C + alpha A B, or the lower triangle of
// it.
type product struct {
	m, n, k int
	alpha   float64
	a, b, c view
	lower   bool
}

func (pl place) gemm(name string, transA, transB, lower bool, alpha float64, a, b, c Matrix) error {
	p, err := checkGemm(transA, transB, lower, alpha, a, b, c)
	if err != nil {
		return fmt.Errorf("dense: %s: %w", name, err)
	}
	if p.m == 0 || p.n == 0 || p.k == 0 || alpha == 0 {
		return nil
	}
	return pl.product(p)
}

func checkGemm(transA, transB, lower bool, alpha float64, a, b, c Matrix) (p product, err error) {
	if err := a.check("A"); err != nil {
		return p, err
	}
	if err := b.check("B"); err != nil {
		return p, err
	}
	if err := c.check("C"); err != nil {
		return p, err
	}
	m, k := a.Rows, a.Cols
	if transA {
		m, k = k, m
	}
	kb, n := b.Rows, b.Cols
	if transB {
		kb, n = n, kb
	}
	switch {
	case k != kb:
		return p, fmt.Errorf("op(A) has %d columns and op(B) %d rows; they must be as many", k, kb)
	case c.Rows != m || c.Cols != n:
		return p, fmt.Errorf("matrix C is %d x %d, and op(A) op(B) is %d x %d", c.Rows, c.Cols, m, n)
	case lower && m != n:
		return p, fmt.Errorf("matrix C is %d x %d, and only a square matrix has a lower triangle to update", m, n)
	case c.overlaps(a):
		return p, fmt.Errorf("matrix C overlaps A")
	case c.overlaps(b):
		return p, fmt.Errorf("matrix C overlaps B")
	}
	return product{m: m, n: n, k: k, alpha: alpha, lower: lower,
		a: a.view().op(transA), b: b.view().op(transB), c: c.view()}, nil
}

// product does a product here or at the host.
func (pl place) product(p product) error {
	if pl.away && p.worthHost() {
		hostGemm(p)
		return nil
	}
	if p.m*p.n <= plainWork/p.k || p.n == 1 {
		return pl.plainProduct(p)
	}
	ws := pl.workspace()
	defer ws.release()
	return ws.product(p)
}

// plainWork is the number of multiplications up to which packing costs more
// than it saves.
const plainWork = 128

// plainLength and plainRows bound the work between two questions of plain
// products, which may have any k.
const (
	plainLength = 4096
	plainRows   = 64
)

// plainProduct works on the operands where they lie, on four chains of a
// column at a time.
func (pl place) plainProduct(p product) error {
	for q := 0; q < p.k; q += plainLength {
		part := p
		part.a, part.b, part.k = p.a.from(0, q), p.b.from(q, 0), min(plainLength, p.k-q)
		for i := 0; i < p.m; i += 4 {
			if i%plainRows == 0 {
				if err := pl.ask(); err != nil {
					return err
				}
			}
			part.rows4(i)
		}
	}
	return nil
}

// rows4 updates rows i to i+3, as far as there are any.
func (p product) rows4(i int) {
	for j := range p.n {
		if i+4 <= p.m && !(p.lower && i < j) {
			p.chains4(i, j)
			continue
		}
		for r := i; r < min(i+4, p.m); r++ {
			if !p.lower || r >= j {
				p.chain(r, j)
			}
		}
	}
}

func (p product) chain(i, j int) {
	a, b := p.a.from(i, 0), p.b.from(0, j)
	c := &p.c.data[p.c.at+i*p.c.row+j]
	s := *c
	for range p.k {
		s += float64(float64(p.alpha*a.data[a.at]) * b.data[b.at])
		a.at += a.col
		b.at += b.row
	}
	*c = s
}

func (p product) chains4(i, j int) {
	a, b, c := p.a.from(i, 0), p.b.from(0, j), p.c.from(i, j)
	c0, c1, c2, c3 := &c.data[c.at], &c.data[c.at+c.row], &c.data[c.at+2*c.row], &c.data[c.at+3*c.row]
	s0, s1, s2, s3 := *c0, *c1, *c2, *c3
	x, at, row := a.data, a.at, a.row
	for range p.k {
		y := b.data[b.at]
		s0 += float64(float64(p.alpha*x[at]) * y)
		s1 += float64(float64(p.alpha*x[at+row]) * y)
		s2 += float64(float64(p.alpha*x[at+2*row]) * y)
		s3 += float64(float64(p.alpha*x[at+3*row]) * y)
		at += a.col
		b.at += b.row
	}
	*c0, *c1, *c2, *c3 = s0, s1, s2, s3
}

// Block sizes in elements. They decide nothing but speed.
const (
	kcBlock = 256 // a panel of kcBlock x 16 float64 is 32 KiB, in L1
	mcBlock = 96  // a block of A, mcBlock x kcBlock, is 192 KiB, in L2
	ncBlock = 512 // a block of B, kcBlock x ncBlock, is 1 MiB, in L2 or L3
)

// fewRows is the number of rows of C up to which B is read where it lies,
// because packing it would cost more than it saves.
const fewRows = 48

// product is the algorithm of Goto: blocks of B, then of A, are packed and
// multiplied tile by tile, p ascending for each tile.
func (ws *workspace) product(p product) error {
	direct := p.b.col == 1 && p.m <= fewRows
	for j := 0; j < p.n; j += ncBlock {
		nc, first := min(ncBlock, p.n-j), 0
		if p.lower {
			first = j // the rows before it lie above the diagonal
		}
		for q := 0; q < p.k; q += kcBlock {
			kc := min(kcBlock, p.k-q)
			b := panels{view: p.b.from(q, j), cols: nc, step: ws.nr}
			if !direct {
				b = ws.packB(b.view, kc, nc)
			}
			for i := first; i < p.m; i += mcBlock {
				if err := ws.ask(); err != nil {
					return err
				}
				mc := min(mcBlock, p.m-i)
				ws.packA(p.a.from(i, q), mc, kc, p.alpha)
				diagonal := noDiagonal
				if p.lower {
					diagonal = j - i
				}
				ws.sweep(mc, kc, b, p.c.from(i, j), diagonal)
			}
		}
	}
	return nil
}

// noDiagonal is a diagonal to the left of every row: all is below it.
const noDiagonal = -1 << 30

// panels is a block of op(B): panel q starts at element q*step and has nr
// columns, rows a stride of view.row apart. The last panel may lack columns,
// but not where the block is packed.
type panels struct {
	view
	cols, step int
	packed     bool
}

// sweep adds the packed block of A times b to the part of C that starts at c,
// in which only elements of row i >= column j + diagonal are touched.
func (ws *workspace) sweep(mc, kc int, b panels, c view, diagonal int) {
	for j := 0; j < b.cols; j += ws.nr {
		cols := min(ws.nr, b.cols-j)
		at, ld, data := b.at+j/ws.nr*b.step, b.row, b.data
		if cols < ws.nr && !b.packed {
			data, at, ld = ws.lastPanel(b.from(0, j), kc, cols), 0, ws.nr
		}
		for i := 0; i < mc; i += ws.mr {
			rows := min(ws.mr, mc-i)
			tile, a, cij := ws.tiles[rows-1], ws.a[i*kc:], c.at+i*c.row+j
			switch above := j + diagonal - i; { // columns at or right of -above are
			case rows-1 < above:
			case cols == ws.nr && above+cols-1 <= 0:
				tile(kc, a, data, at, ld, c.data, cij, c.row)
			default:
				ws.edgeTile(tile, kc, a, data, at, ld, c.data[cij:], c.row, rows, cols, above)
			}
		}
	}
}

// edgeTile is a tile of which only the first cols columns lie in C, and of
// row i no more than i-above+1 of them.
func (ws *workspace) edgeTile(tile tileFunc, kc int, a, b []float64, at, ld int, c []float64, ldc, rows, cols, above int) {
	width := func(i int) int { return max(0, min(cols, i-above+1)) }
	for i := range rows {
		if w := width(i); w > 0 {
			copy(ws.edge[i*ws.nr:], c[i*ldc:i*ldc+w])
		}
	}
	tile(kc, a, b, at, ld, ws.edge, 0, ws.nr)
	for i := range rows {
		if w := width(i); w > 0 {
			copy(c[i*ldc:], ws.edge[i*ws.nr:i*ws.nr+w])
		}
	}
}
