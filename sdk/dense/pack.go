package dense

import "sync"

// workspace is what a piece of work needs besides its operands: bounded, and
// as large as the largest piece so far.
type workspace struct {
	place
	a, b []float64 // packed blocks
	edge []float64 // a tile of C that sticks out over what is to be written
	last []float64 // a panel of unpacked B that sticks out likewise, padded
	turn []float64 // rows of a right-hand side, turned into columns
}

// workspaces keeps workspaces between calls: a fresh one costs more in page
// faults than a small product does.
var workspaces sync.Pool

func (pl place) workspace() *workspace {
	ws, ok := workspaces.Get().(*workspace)
	if !ok {
		ws = &workspace{edge: make([]float64, maxTile)}
	}
	ws.place = pl
	return ws
}

func (ws *workspace) release() {
	ws.poll = nil
	workspaces.Put(ws)
}

// sized returns n elements, those of *buf where they are enough.
func sized(buf *[]float64, n int) []float64 {
	if cap(*buf) < n {
		*buf = make([]float64, n)
	}
	*buf = (*buf)[:cap(*buf)]
	return (*buf)[:n]
}

// packA copies alpha times the mc x kc view into ws.a in groups of mr rows:
// element (i, p) of a group lies at p*mr + i. Rows that the last group lacks
// are left as they are: its micro-kernel has fewer rows and does not read
// them.
func (ws *workspace) packA(a view, mc, kc int, alpha float64) {
	mr := ws.mr
	dst := sized(&ws.a, (mc+mr-1)/mr*mr*kc)
	for i := 0; i < mc; i += mr {
		interleave(dst[i*kc:], a.from(i, 0), min(mr, mc-i), kc, mr)
	}
	switch {
	case alpha == -1:
		for i, x := range dst {
			dst[i] = -x
		}
	case alpha != 1:
		for i, x := range dst {
			dst[i] = alpha * x
		}
	}
}

// packB copies the kc x nc view into panels of nr columns: element (p, j) of
// a panel lies at p*nr + j. Columns that the last panel lacks are zero.
func (ws *workspace) packB(b view, kc, nc int) panels {
	nr := ws.nr
	dst := sized(&ws.b, (nc+nr-1)/nr*nr*kc)
	for j := 0; j < nc; j += nr {
		cols, panel := min(nr, nc-j), dst[j*kc:(j+nr)*kc]
		if cols < nr {
			clear(panel)
		}
		interleave(panel, b.from(0, j).op(true), cols, kc, nr)
	}
	return panels{view: view{data: dst, row: nr, col: 1}, cols: nc, step: nr * kc, packed: true}
}

// lastPanel is a copy of cols < nr columns, padded to nr.
func (ws *workspace) lastPanel(b view, kc, cols int) []float64 {
	dst := sized(&ws.last, kc*ws.nr)
	clear(dst)
	interleave(dst, b.op(true), cols, kc, ws.nr)
	return dst
}

// interleave stores element (i, p) of src at dst[p*width+i], for i < lines and
// p < length.
func interleave(dst []float64, src view, lines, length, width int) {
	if src.row == 1 {
		// The lines are neighbours in memory: copy across them.
		at := src.at
		for p := range length {
			copy(dst[p*width:p*width+lines], src.data[at:at+lines])
			at += src.col
		}
		return
	}
	i := 0
	for ; i+4 <= lines && src.col == 1; i += 4 {
		interleave4(dst[i:], src.from(i, 0), length, width)
	}
	for ; i < lines; i++ {
		at := src.at + i*src.row
		for p := range length {
			dst[p*width+i] = src.data[at]
			at += src.col
		}
	}
}

// interleave4 is interleave for four lines of neighbouring elements.
func interleave4(dst []float64, src view, length, width int) {
	s0 := src.data[src.at:][:length]
	s1 := src.data[src.at+src.row:][:length]
	s2 := src.data[src.at+2*src.row:][:length]
	s3 := src.data[src.at+3*src.row:][:length]
	at := 0
	for p := range s0 {
		d := dst[at : at+4 : at+4]
		d[0], d[1], d[2], d[3] = s0[p], s1[p], s2[p], s3[p]
		at += width
	}
}
