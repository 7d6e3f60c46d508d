package lmm

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/seed-4012077a/flow/sdk/dense"
)

// oneFactor is the kernel of a model with one grouping factor. V is then block
// diagonal, and for a level g with A = Z_g'Z_g and B_g = Z_g'[X y]
//
//	Omega = Lambda'A Lambda + I,  M = Lambda Omega^-1 Lambda',  W = I - AM
//	log|V_g| = log|Omega|
//	[X y]'V^-1[X y] = [X y]'[X y] - sum_g B_g' M B_g
//	Z_g'V^-1 Z_g = WA = D,   Z_g'V^-1[X y] = W B_g = U_g
//
// (Woodbury). M, W and D depend on the level by A alone. Levels with the same
// A form a cell; all that is needed of them is linear in the products
// B_g[a,:]'B_g[b,:], whose sums T[a,b] are made once. So one evaluation costs
// as much as there are cells, not levels and not rows. Cells of few levels, as
// weights that differ between levels make them, have no sums: their B_g are
// worked on together, by matrix products.
type oneFactor struct {
	k, p, w int
	f       *factor
	cells   []cell    // those with sums first
	cellOf  []int32   // of each level
	slot    []int32   // place of each level among the b, cell by cell
	b       []float64 // levels x k x w, in order of slots
	single  int       // first slot of the cells without sums
	cross   []float64 // w x w: [X y]'[X y]

	// Left by decompose, or made on demand (nil) until the next one.
	u      []float64 // U_g of the slots from single on
	f2     []float64 // F[a,b] = sum_g U_g[a,:]'U_g[b,:], kw x kw
	lambda []float64
}

// cell is the set of levels with one Z'Z.
type cell struct {
	a            []float64 // k x k
	first, count int       // slots
	gram         []float64 // T, kw x kw, or nil
	m, wm, d     []float64 // M, W, D at the last decompose, k x k
}

func newOneFactor(q *problem) *oneFactor {
	f := q.factors[0]
	o := &oneFactor{k: f.k, p: q.p, w: q.w, f: f}
	o.group(blockGram(q.n, f))
	o.sum(q)
	return o
}

// sum makes the cross-products.
func (o *oneFactor) sum(q *problem) {
	o.b, o.cross = crossProducts(q, o.f, o.slot)
	kw := o.k * o.w
	for i := range o.cells {
		c := &o.cells[i]
		if c.gram = nil; c.first >= o.single {
			continue
		}
		c.gram = make([]float64, kw*kw)
		syrk(1, o.b[c.first*kw:(c.first+c.count)*kw], kw, c.gram)
		mirror(c.gram, kw)
	}
}

// syrk adds alpha a'a to the lower triangle of c, for a of m columns.
func syrk(alpha float64, a []float64, m int, c []float64) {
	if len(a) == 0 {
		return
	}
	// The sizes are right by construction, the only error there is.
	_ = dense.Syrk(true, alpha, dense.Matrix{Rows: len(a) / m, Cols: m, Data: a, Stride: m}, dense.Matrix{Rows: m, Cols: m, Data: c, Stride: m})
}

// crossProducts are B_g = Z_g'[X y] of every level, at its slot (nil: its
// number), and [X y]'[X y].
func crossProducts(q *problem, f *factor, slot []int32) (b, cross []float64) {
	k, w := f.k, q.w
	b = make([]float64, len(f.levels)*k*w)
	cross = make([]float64, w*w)
	for i := 0; i < q.n; i++ {
		row := q.xy[i*w : i*w+w]
		g := int(f.index[i])
		if slot != nil {
			g = int(slot[g])
		}
		bg := b[g*k*w : (g+1)*k*w]
		z := f.z[i*k : i*k+k]
		if k == 2 { // one pass over the row
			z0, z1 := z[0], z[1]
			b0, b1 := bg[:len(row)], bg[w:w+len(row)]
			for c, v := range row {
				b0[c] += z0 * v
				b1[c] += z1 * v
			}
			continue
		}
		for c, v := range z {
			axpy(v, row, bg[c*w:c*w+w])
		}
	}
	// In parts: one long sum of rows with few distinct values loses digits in
	// proportion to its length.
	part := make([]float64, w*w)
	for i := 0; i < q.n; i += 256 {
		clear(part)
		syrk(1, q.xy[i*w:min(i+256, q.n)*w], w, part)
		axpy(1, part, cross)
	}
	mirror(cross, w)
	return b, cross
}

// blockGram is Z_g'Z_g of every level: levels x k x k.
func blockGram(n int, f *factor) []float64 {
	k := f.k
	a := make([]float64, len(f.levels)*k*k)
	for i := 0; i < n; i++ {
		z := f.z[i*k : i*k+k]
		ag := a[int(f.index[i])*k*k:]
		for r, v := range z {
			for c := 0; c <= r; c++ {
				ag[r*k+c] += v * z[c]
			}
		}
	}
	for g := range f.levels {
		mirror(a[g*k*k:(g+1)*k*k], k)
	}
	return a
}

// group makes the cells: in order of their first level, those large enough for
// sums before the others.
func (o *oneFactor) group(a []float64) {
	k, levels := o.k, len(o.f.levels)
	seen := make(map[string]int32)
	key := make([]byte, 0, 8*k*k)
	var cells []cell
	of := make([]int32, levels)
	for g := 0; g < levels; g++ {
		ag := a[g*k*k : (g+1)*k*k]
		key = key[:0]
		for _, v := range ag {
			key = binary.LittleEndian.AppendUint64(key, math.Float64bits(v))
		}
		at, ok := seen[string(key)]
		if !ok {
			at = int32(len(cells))
			seen[string(key)] = at
			cells = append(cells, cell{a: ag})
		}
		cells[at].count++
		of[g] = at
	}
	place := make([]int32, len(cells)) // old number -> new
	first := 0
	for _, large := range []bool{true, false} {
		for i, c := range cells {
			if (c.count > k) == large {
				place[i] = int32(len(o.cells))
				c.first = first
				first += c.count
				o.cells = append(o.cells, c)
			}
		}
		if large {
			o.single = first
		}
	}
	o.cellOf, o.slot = make([]int32, levels), make([]int32, levels)
	next := make([]int32, len(cells))
	for g, at := range of {
		at = place[at]
		o.cellOf[g] = at
		o.slot[g] = int32(o.cells[at].first) + next[at]
		next[at]++
	}
	o.place()
}

// place gives each cell memory of its own for what decompose leaves.
func (o *oneFactor) place() {
	kk := o.k * o.k
	buf := make([]float64, 3*kk*len(o.cells))
	for i := range o.cells {
		at := buf[3*kk*i:]
		o.cells[i].m, o.cells[i].wm, o.cells[i].d = at[:kk:kk], at[kk:2*kk:2*kk], at[2*kk:3*kk:3*kk]
	}
}

// at is B_g of a slot.
func (o *oneFactor) at(slot int) []float64 {
	n := o.k * o.w
	return o.b[slot*n : (slot+1)*n]
}

// chunk is how many rows are gathered for a matrix product.
const chunk = 1024

func (o *oneFactor) decompose(lambda [][]float64, r []float64) (float64, bool) {
	k, w := o.k, o.w
	o.lambda = append(o.lambda[:0], lambda[0]...)
	o.u, o.f2 = nil, nil
	copy(r, o.cross)
	logDet := 0.0
	tmp := make([]float64, 2*k*k)
	y := tmp[k*k:] // L^-1 Lambda', M = Y'Y
	var rows []float64
	if o.single < len(o.slot) {
		rows = make([]float64, 0, (chunk+k)*w)
	}
	for i := range o.cells {
		c := &o.cells[i]
		ld, ok := shrink(c.a, o.lambda, k, c.m, c.wm, c.d, tmp)
		if !ok {
			return 0, false
		}
		logDet += float64(c.count) * ld
		if c.gram != nil {
			o.outer(c, -1, c.m, r)
			continue
		}
		for s := c.first; s < c.first+c.count; s++ {
			at := len(rows)
			rows = rows[:at+k*w]
			clear(rows[at:])
			addTimes(rows[at:], y, o.at(s), k, w)
			if len(rows) >= chunk*w {
				syrk(-1, rows, w, r)
				rows = rows[:0]
			}
		}
	}
	syrk(-1, rows, w, r)
	mirror(r, w)
	return logDet, true
}

// addTimes adds the k x m product ab of a k x k matrix to out.
func addTimes(out, a, b []float64, k, m int) {
	for i := 0; i < k; i++ {
		row := out[i*m : (i+1)*m]
		for j := 0; j < k; j++ {
			axpy(a[i*k+j], b[j*m:(j+1)*m], row)
		}
	}
}

// shrink computes log|Omega|, M, W and D of one block A; tmp has 2 k^2, of
// which the second half is L^-1 Lambda' afterwards, L L' = Omega.
func shrink(a, lambda []float64, k int, m, w, d, tmp []float64) (float64, bool) {
	om, y := tmp[:k*k], tmp[k*k:2*k*k]
	multiply(y, a, lambda, k)
	tMultiply(om, lambda, y, k)
	for i := 0; i < k; i++ {
		om[i*k+i]++
	}
	if !cholesky(om, k) {
		return 0, false
	}
	logDet := 0.0
	for i := 0; i < k; i++ {
		logDet += 2 * math.Log(om[i*k+i])
		for j := 0; j < k; j++ {
			y[i*k+j] = lambda[j*k+i]
		}
	}
	forwardSolve(om, k, y, k)
	tMultiply(m, y, y, k)
	multiply(w, a, m, k)
	for i := range w {
		w[i] = -w[i]
	}
	for i := 0; i < k; i++ {
		w[i*k+i]++
	}
	multiply(d, w, a, k)
	for i := 0; i < k; i++ { // symmetric up to rounding: make it so
		for j := 0; j < i; j++ {
			v := (d[i*k+j] + d[j*k+i]) / 2
			d[i*k+j], d[j*k+i] = v, v
		}
	}
	return logDet, true
}

// sandwich sets out = W s W'.
func sandwich(out, w, s, tmp []float64, k int) {
	multiply(tmp, w, s, k)
	multiplyT(out, tmp, w, k)
}

// outer adds v sum_g B_g' S B_g to the w x w matrix out, for any k x k S.
func (o *oneFactor) outer(c *cell, v float64, s, out []float64) {
	k, w := o.k, o.w
	for i := 0; i < k; i++ {
		for j := 0; j < k; j++ {
			if u := v * s[i*k+j]; u != 0 {
				for r := 0; r < w; r++ {
					at := (i*w+r)*k*w + j*w
					axpy(u, c.gram[at:at+w], out[r*w:r*w+w])
				}
			}
		}
	}
}

// project makes U of the single levels and F of all.
func (o *oneFactor) project() {
	if o.f2 != nil {
		return
	}
	k, w := o.k, o.w
	kw := k * w
	o.f2 = make([]float64, kw*kw)
	o.u = make([]float64, (len(o.slot)-o.single)*kw)
	t := make([]float64, kw*kw)
	for i := range o.cells {
		c := &o.cells[i]
		if c.gram == nil {
			for s := c.first; s < c.first+c.count; s++ {
				addTimes(o.u[(s-o.single)*kw:(s-o.single+1)*kw], c.wm, o.at(s), k, w)
			}
			continue
		}
		clear(t)
		addTimes(t, c.wm, c.gram, k, w*kw) // (W x I) T
		for a := 0; a < k; a++ {           // ... (W x I)'
			for r := 0; r < w; r++ {
				row, src := o.f2[(a*w+r)*kw:(a*w+r+1)*kw], t[(a*w+r)*kw:(a*w+r+1)*kw]
				for b := 0; b <= a; b++ {
					for d := 0; d < k; d++ {
						axpy(c.wm[b*k+d], src[d*w:(d+1)*w], row[b*w:(b+1)*w])
					}
				}
			}
		}
	}
	syrk(1, o.u, kw, o.f2)
	mirror(o.f2, kw)
}

// blockTrace is tr(C F[a,b]) over the first p columns.
func blockTrace(c, f []float64, a, b, p, w, kw int) float64 {
	s := 0.0
	for r := 0; r < p; r++ {
		at := (a*w+r)*kw + b*w
		s += dot(c[r*p:r*p+p], f[at:])
	}
	return s
}

// blockSquare is b'F[i,j]b.
func blockSquare(b, f []float64, i, j, kw int) float64 {
	w, s := len(b), 0.0
	for r, v := range b {
		s += v * dot(b, f[(i*w+r)*kw+j*w:])
	}
	return s
}

func (o *oneFactor) slopes(c, b []float64) ([]slope, error) {
	o.project()
	k, kw := o.k, o.k*o.w
	s := slope{make([]float64, k*k), make([]float64, k*k), make([]float64, k*k)}
	for i := range o.cells {
		axpy(float64(o.cells[i].count), o.cells[i].d, s.g)
	}
	for i := 0; i < k; i++ {
		for j := 0; j <= i; j++ {
			s.q[i*k+j] = blockTrace(c, o.f2, i, j, o.p, o.w, kw)
			s.h[i*k+j] = blockSquare(b, o.f2, i, j, kw)
		}
	}
	mirror(s.q, k)
	mirror(s.h, k)
	return []slope{s}, nil
}

func (o *oneFactor) curvature(c, b []float64, dirs []direction, _ bool) (curvature, error) {
	o.project()
	k, w, nd := o.k, o.w, len(dirs)
	kk, kw := k*k, k*w
	out := curvature{tt: make([]float64, nd*nd), tc: make([]float64, nd*nd), te: make([]float64, nd*nd), m: o.firstMoments(dirs)}
	uc, err := o.timesC(c)
	if err != nil {
		return out, err
	}
	buf := make([]float64, (6+nd)*kk+k)
	j, q, h, t, v, x := buf[:kk], buf[kk:2*kk], buf[2*kk:3*kk], buf[3*kk:4*kk], buf[4*kk:5*kk], buf[5*kk:6*kk]
	sd, e := buf[6*kk:(6+nd)*kk], buf[(6+nd)*kk:]
	for i := range o.cells {
		ce := &o.cells[i]
		if ce.gram != nil {
			for r := 0; r < k; r++ {
				for s := 0; s <= r; s++ {
					j[r*k+s] = blockTrace(c, ce.gram, r, s, o.p, w, kw)
					x[r*k+s] = blockSquare(b, ce.gram, r, s, kw)
				}
			}
			mirror(j, k)
			mirror(x, k)
			sandwich(q, ce.wm, j, t, k)
			sandwich(h, ce.wm, x, t, k)
		} else {
			clear(q)
			clear(h)
			for s := ce.first - o.single; s < ce.first-o.single+ce.count; s++ {
				u := o.u[s*kw : (s+1)*kw]
				for r := 0; r < k; r++ {
					e[r] = dot(b, u[r*w:])
					for s2 := 0; s2 <= r; s2++ {
						q[r*k+s2] += dot(uc[(s*k+r)*o.p:(s*k+r+1)*o.p], u[s2*w:])
						h[r*k+s2] += e[r] * e[s2]
					}
				}
			}
			mirror(q, k)
			mirror(h, k)
		}
		for d := range dirs {
			multiply(sd[d*kk:(d+1)*kk], dirs[d].s, ce.d, k) // S_i D
		}
		for d := range dirs {
			for e := 0; e <= d; e++ {
				multiply(v, sd[d*kk:(d+1)*kk], dirs[e].s, k) // S_i D S_j
				out.tt[d*nd+e] += float64(ce.count) * traceProduct(sd[d*kk:(d+1)*kk], sd[e*kk:(e+1)*kk], k)
				out.tc[d*nd+e] += traceProduct(v, q, k)
				out.te[d*nd+e] += traceProduct(v, h, k)
			}
		}
	}
	mirror(out.tt, nd)
	mirror(out.tc, nd)
	mirror(out.te, nd)
	return out, nil
}

// timesC is U_X C of the single levels, rows of p.
func (o *oneFactor) timesC(c []float64) ([]float64, error) {
	rows := len(o.u) / o.w
	out := make([]float64, rows*o.p)
	if rows == 0 || o.p == 0 {
		return out, nil
	}
	u := dense.Matrix{Rows: rows, Cols: o.p, Data: o.u, Stride: o.w}
	cm := dense.Matrix{Rows: o.p, Cols: o.p, Data: c, Stride: o.p}
	if err := dense.Gemm(false, false, 1, u, cm, dense.Matrix{Rows: rows, Cols: o.p, Data: out, Stride: o.p}); err != nil {
		return nil, fmt.Errorf("the products of %d levels: %w", len(o.slot)-o.single, err)
	}
	return out, nil
}

// firstMoments are M_i = sum_g U_g' S_i U_g = sum_ab S_i[a,b] F[a,b].
func (o *oneFactor) firstMoments(dirs []direction) [][]float64 {
	o.project()
	k, w := o.k, o.w
	all := cell{gram: o.f2}
	out := make([][]float64, len(dirs))
	for d := range dirs {
		out[d] = make([]float64, w*w)
		if k > 0 {
			o.outer(&all, 1, dirs[d].s, out[d])
		}
	}
	return out
}

func (o *oneFactor) moments(dirs []direction) (moments, error) {
	k, w, nd := o.k, o.w, len(dirs)
	kk := k * k
	mo := moments{t: make([]float64, nd), tt: make([]float64, nd*nd), m: o.firstMoments(dirs), n: make([][][]float64, nd)}
	buf := make([]float64, (3+nd)*kk)
	v, t, s, sd := buf[:kk], buf[kk:2*kk], buf[2*kk:3*kk], buf[3*kk:]
	for d := range dirs {
		mo.n[d] = make([][]float64, nd-d)
		for e := range mo.n[d] {
			mo.n[d][e] = make([]float64, w*w)
		}
	}
	for i := range o.cells {
		ce := &o.cells[i]
		m := float64(ce.count)
		for d := range dirs {
			mo.t[d] += m * traceProduct(dirs[d].s, ce.d, k)
			multiply(sd[d*kk:(d+1)*kk], dirs[d].s, ce.d, k)
		}
		for d := range dirs {
			for e := d; e < nd; e++ {
				mo.tt[e*nd+d] += m * traceProduct(sd[d*kk:(d+1)*kk], sd[e*kk:(e+1)*kk], k)
				if ce.gram == nil {
					continue
				}
				multiply(v, sd[d*kk:(d+1)*kk], dirs[e].s, k)
				multiply(t, v, ce.wm, k)
				tMultiply(s, ce.wm, t, k)
				o.outer(ce, 1, s, mo.n[d][e-d])
			}
		}
	}
	mirror(mo.tt, nd)
	return mo, o.singleMoments(dirs, &mo)
}

// singleMoments adds N_ij of the levels without sums: with the rows D S_i U_g
// of all directions beside each other, and the rows S_j U_g, it is one matrix
// product.
func (o *oneFactor) singleMoments(dirs []direction, mo *moments) error {
	k, w, nd := o.k, o.w, len(dirs)
	kw, wide := k*w, nd*w
	if len(o.u) == 0 {
		return nil
	}
	left, right, sum := make([]float64, 0, (chunk+k)*wide), make([]float64, 0, (chunk+k)*wide), make([]float64, wide*wide)
	flush := func() error {
		n := len(left) / wide
		err := dense.Gemm(true, false, 1, dense.Matrix{Rows: n, Cols: wide, Data: left, Stride: wide},
			dense.Matrix{Rows: n, Cols: wide, Data: right, Stride: wide}, dense.Matrix{Rows: wide, Cols: wide, Data: sum, Stride: wide})
		left, right = left[:0], right[:0]
		if err != nil {
			return fmt.Errorf("the products of %d levels: %w", len(o.slot)-o.single, err)
		}
		return nil
	}
	su, dsu := make([]float64, kw), make([]float64, kw)
	for i := range o.cells {
		ce := &o.cells[i]
		if ce.gram != nil {
			continue
		}
		for s := ce.first - o.single; s < ce.first-o.single+ce.count; s++ {
			at := len(left)
			left, right = left[:at+k*wide], right[:at+k*wide]
			for d := range dirs {
				clear(su)
				clear(dsu)
				addTimes(su, dirs[d].s, o.u[s*kw:(s+1)*kw], k, w)
				addTimes(dsu, ce.d, su, k, w)
				for r := 0; r < k; r++ {
					copy(right[at+r*wide+d*w:], su[r*w:(r+1)*w])
					copy(left[at+r*wide+d*w:], dsu[r*w:(r+1)*w])
				}
			}
			if len(left) >= chunk*wide {
				if err := flush(); err != nil {
					return err
				}
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	for d := range dirs {
		for e := d; e < nd; e++ {
			for r := 0; r < w; r++ {
				at := (d*w+r)*wide + e*w
				axpy(1, sum[at:at+w], mo.n[d][e-d][r*w:(r+1)*w])
			}
		}
	}
	return nil
}

func (o *oneFactor) modes(b []float64) ([][]float64, error) {
	k, w := o.k, o.w
	out := make([]float64, len(o.f.levels)*k)
	tmp := make([]float64, k)
	for g := range o.f.levels {
		bg := o.at(int(o.slot[g]))
		for i := range tmp {
			tmp[i] = dot(b, bg[i*w:])
		}
		wm := o.cells[o.cellOf[g]].wm
		for i := 0; i < k; i++ {
			out[g*k+i] = dot(tmp, wm[i*k:])
		}
	}
	return [][]float64{out}, nil
}

func (o *oneFactor) spread(_, level int) ([]float64, error) {
	return append([]float64(nil), o.cells[o.cellOf[level]].m...), nil
}

// respond shares the cells and makes the cross-products again.
func (o *oneFactor) respond(q *problem) kernel {
	n := *o
	n.f = q.factors[0]
	n.lambda, n.u, n.f2 = nil, nil, nil
	n.cells = append([]cell(nil), o.cells...)
	n.sum(q)
	n.place()
	return &n
}
