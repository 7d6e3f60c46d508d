package lmm

import (
	"encoding/binary"
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
