package lmm

import (
	"encoding/binary"
	"math"
)

// oneFactor is the kernel of a model with one grouping factor. V is then block
// diagonal, and for a level g with A = Z_g'Z_g and B_g = Z_g'[X y]
//
//	Omega = Lambda'A Lambda + I,  M = Lambda Omega^-1 Lambda',  W = I - AM
//	log|V_g| = log|Omega|
//	[X y]'V^-1[X y] = [X y]'[X y] - sum_g B_g' M B_g
//	Z_g'V^-1 Z_g = WA = D,   Z_g'V^-1[X y] = W B_g
//
// (Woodbury). M, W and D depend on the level by A alone. Levels with the same
// A form a cell; all that is needed of them is linear in the outer products
// B_g[a,:]'B_g[b,:], a <= b, whose sums are made once. So one evaluation costs
// as much as there are cells, not levels and not rows.
type oneFactor struct {
	k, p, w int
	f       *factor
	cells   []cell
	cellOf  []int32
	b       []float64 // levels x k x w
	cross   []float64 // w x w: [X y]'[X y]
	lambda  []float64
}

// cell is the set of levels with one Z'Z.
type cell struct {
	a      []float64 // k x k
	levels []int32
	// gram holds, where there are more levels than a few, the sums of
	// B_g[a,:]'B_g[b,:]: (a,b) with a <= b in row-major order, w x w each.
	gram []float64
	m    []float64 // M, W, D at the last decompose
	wm   []float64
	d    []float64
}

func newOneFactor(q *problem) *oneFactor {
	f := q.factors[0]
	o := &oneFactor{k: f.k, p: q.p, w: q.w, f: f}
	o.b, o.cross = crossProducts(q, f)
	a := blockGram(q.n, f)
	o.group(a)
	for i := range o.cells {
		c := &o.cells[i]
		if len(c.levels) > f.k {
			c.gram = make([]float64, f.k*(f.k+1)/2*q.w*q.w)
			for _, g := range c.levels {
				o.addGram(c, g)
			}
		}
	}
	return o
}

// crossProducts are B_g = Z_g'[X y] of every level and [X y]'[X y].
func crossProducts(q *problem, f *factor) (b, cross []float64) {
	k, w := f.k, q.w
	b = make([]float64, len(f.levels)*k*w)
	cross = make([]float64, w*w)
	for i := 0; i < q.n; i++ {
		row := q.xy[i*w : i*w+w]
		bg := b[int(f.index[i])*k*w:]
		for c, z := range f.z[i*k : i*k+k] {
			axpy(z, row, bg[c*w:c*w+w])
		}
	}
	crossLower(cross, q.xy, q.n, w)
	mirror(cross, w)
	return b, cross
}

// crossLower adds the lower triangle of xy'xy to out, four rows at a time as
// one row has too little to do for each sum that is loaded and stored.
func crossLower(out, xy []float64, n, w int) {
	i := 0
	for ; i+4 <= n; i += 4 {
		r0, r1 := xy[i*w:i*w+w], xy[(i+1)*w:(i+1)*w+w]
		r2, r3 := xy[(i+2)*w:(i+2)*w+w], xy[(i+3)*w:(i+3)*w+w]
		for r := 0; r < w; r++ {
			v0, v1, v2, v3 := r0[r], r1[r], r2[r], r3[r]
			o := out[r*w : r*w+r+1]
			s0, s1, s2, s3 := r0[:len(o)], r1[:len(o)], r2[:len(o)], r3[:len(o)]
			for c := range o {
				o[c] += (v0*s0[c] + v1*s1[c]) + (v2*s2[c] + v3*s3[c])
			}
		}
	}
	for ; i < n; i++ {
		row := xy[i*w : i*w+w]
		for r, v := range row {
			axpy(v, row[:r+1], out[r*w:r*w+r+1])
		}
	}
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

// group makes the cells, in order of their first level.
func (o *oneFactor) group(a []float64) {
	k := o.k
	seen := make(map[string]int32)
	key := make([]byte, 0, 8*k*k)
	o.cellOf = make([]int32, len(o.f.levels))
	for g := range o.f.levels {
		ag := a[g*k*k : (g+1)*k*k]
		key = key[:0]
		for _, v := range ag {
			key = binary.LittleEndian.AppendUint64(key, math.Float64bits(v))
		}
		at, ok := seen[string(key)]
		if !ok {
			at = int32(len(o.cells))
			seen[string(key)] = at
			o.cells = append(o.cells, cell{a: ag})
		}
		o.cells[at].levels = append(o.cells[at].levels, int32(g))
		o.cellOf[g] = at
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

func (o *oneFactor) level(g int32) []float64 {
	n := o.k * o.w
	return o.b[int(g)*n : int(g)*n+n]
}

func (o *oneFactor) addGram(c *cell, g int32) {
	w, at := o.w, 0
	bg := o.level(g)
	for i := 0; i < o.k; i++ {
		for j := i; j < o.k; j++ {
			t := c.gram[at : at+w*w]
			bj := bg[j*w : j*w+w]
			for r, v := range bg[i*w : i*w+w] {
				axpy(v, bj, t[r*w:r*w+w])
			}
			at += w * w
		}
	}
}

// bilinear is sum_g B_g[i,:p] C B_g[j,:p]' for a symmetric C: k x k.
func (o *oneFactor) bilinear(c *cell, cc, out, tmp []float64) {
	k, p, w := o.k, o.p, o.w
	for i := range out {
		out[i] = 0
	}
	if c.gram != nil {
		at := 0
		for i := 0; i < k; i++ {
			for j := i; j < k; j++ {
				s := 0.0
				for r := 0; r < p; r++ {
					s += dot(cc[r*p:r*p+p], c.gram[at+r*w:])
				}
				out[i*k+j], out[j*k+i] = s, s
				at += w * w
			}
		}
		return
	}
	for _, g := range c.levels {
		bg := o.level(g)
		for i := 0; i < k; i++ {
			bi := bg[i*w : i*w+p]
			for r := range bi {
				tmp[r] = dot(cc[r*p:r*p+p], bi)
			}
			for j := 0; j <= i; j++ {
				out[i*k+j] += dot(tmp[:p], bg[j*w:])
			}
		}
	}
	mirror(out, k)
}

// square is sum_g (B_g b)(B_g b)': k x k.
func (o *oneFactor) square(c *cell, b, out, tmp []float64) {
	k, w := o.k, o.w
	for i := range out {
		out[i] = 0
	}
	if c.gram != nil {
		at := 0
		for i := 0; i < k; i++ {
			for j := i; j < k; j++ {
				s := quadratic(b, c.gram[at:at+w*w], b)
				out[i*k+j], out[j*k+i] = s, s
				at += w * w
			}
		}
		return
	}
	for _, g := range c.levels {
		bg := o.level(g)
		for i := 0; i < k; i++ {
			tmp[i] = dot(b, bg[i*w:])
			for j := 0; j <= i; j++ {
				out[i*k+j] += tmp[i] * tmp[j]
			}
		}
	}
	mirror(out, k)
}

// outer adds v sum_g B_g' S B_g to the w x w matrix out, for any k x k S.
func (o *oneFactor) outer(c *cell, v float64, s, out, tmp []float64) {
	k, w := o.k, o.w
	if c.gram != nil {
		at := 0
		for i := 0; i < k; i++ {
			for j := i; j < k; j++ {
				t := c.gram[at : at+w*w]
				at += w * w
				axpy(v*s[i*k+j], t, out)
				if u := v * s[j*k+i]; i != j && u != 0 {
					for r := 0; r < w; r++ {
						for q := 0; q < w; q++ {
							out[r*w+q] += u * t[q*w+r]
						}
					}
				}
			}
		}
		return
	}
	for _, g := range c.levels {
		bg := o.level(g)
		for i := 0; i < k; i++ {
			row := tmp[:w]
			for r := range row {
				row[r] = 0
			}
			for j := 0; j < k; j++ {
				axpy(v*s[i*k+j], bg[j*w:j*w+w], row)
			}
			for r, u := range bg[i*w : i*w+w] {
				axpy(u, row, out[r*w:r*w+w])
			}
		}
	}
}

func (o *oneFactor) decompose(lambda [][]float64, r []float64) (float64, bool) {
	k, w := o.k, o.w
	o.lambda = append(o.lambda[:0], lambda[0]...)
	copy(r, o.cross)
	logDet := 0.0
	tmp := make([]float64, 2*k*k+w)
	for i := range o.cells {
		c := &o.cells[i]
		ld, ok := shrink(c.a, o.lambda, k, c.m, c.wm, c.d, tmp)
		if !ok {
			return 0, false
		}
		logDet += float64(len(c.levels)) * ld
		o.outer(c, -1, c.m, r, tmp[2*k*k:])
	}
	return logDet, true
}

// shrink computes log|Omega|, M, W and D of one block A; tmp has 2 k^2.
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
	forwardSolve(om, k, y, k) // L^-1 Lambda'
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

func (o *oneFactor) slopes(c, b []float64) ([]slope, error) {
	k := o.k
	kk := k * k
	s := slope{make([]float64, kk), make([]float64, kk), make([]float64, kk)}
	buf := make([]float64, 3*kk+o.w)
	j, u, t, tmp := buf[:kk], buf[kk:2*kk], buf[2*kk:3*kk], buf[3*kk:]
	for i := range o.cells {
		ce := &o.cells[i]
		axpy(float64(len(ce.levels)), ce.d, s.g)
		o.bilinear(ce, c, j, tmp)
		sandwich(u, ce.wm, j, t, k)
		axpy(1, u, s.q)
		o.square(ce, b, j, tmp)
		sandwich(u, ce.wm, j, t, k)
		axpy(1, u, s.h)
	}
	return []slope{s}, nil
}

func (o *oneFactor) curvature(c, b []float64, dirs []direction, _ bool) (curvature, error) {
	k, w, nd := o.k, o.w, len(dirs)
	kk := k * k
	out := curvature{tt: make([]float64, nd*nd), tc: make([]float64, nd*nd), te: make([]float64, nd*nd)}
	buf := make([]float64, (6+nd)*kk+w)
	j, q, h, t, v, x, tmp := buf[:kk], buf[kk:2*kk], buf[2*kk:3*kk], buf[3*kk:4*kk], buf[4*kk:5*kk], buf[5*kk:6*kk], buf[(6+nd)*kk:]
	sd := buf[6*kk : (6+nd)*kk]
	out.m = o.firstMoments(dirs)
	for i := range o.cells {
		ce := &o.cells[i]
		m := float64(len(ce.levels))
		o.bilinear(ce, c, j, tmp)
		sandwich(q, ce.wm, j, t, k)
		o.square(ce, b, j, tmp)
		sandwich(h, ce.wm, j, t, k)
		for d := range dirs {
			multiply(sd[d*kk:(d+1)*kk], dirs[d].s, ce.d, k) // S_i D
		}
		for d := range dirs {
			for e := 0; e <= d; e++ {
				multiply(v, sd[d*kk:(d+1)*kk], dirs[e].s, k) // S_i D S_j
				multiply(x, v, ce.d, k)
				tr := 0.0
				for r := 0; r < k; r++ {
					tr += x[r*k+r]
				}
				out.tt[d*nd+e] += m * tr
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

// firstMoments are M_i = sum_g B_g' W'S_i W B_g.
func (o *oneFactor) firstMoments(dirs []direction) [][]float64 {
	k, w := o.k, o.w
	buf := make([]float64, 2*k*k+w)
	s, t, tmp := buf[:k*k], buf[k*k:2*k*k], buf[2*k*k:]
	out := make([][]float64, len(dirs))
	for d := range dirs {
		out[d] = make([]float64, w*w)
		for i := range o.cells {
			ce := &o.cells[i]
			multiply(t, dirs[d].s, ce.wm, k)
			tMultiply(s, ce.wm, t, k)
			o.outer(ce, 1, s, out[d], tmp)
		}
	}
	return out
}

func (o *oneFactor) moments(dirs []direction) (moments, error) {
	k, w, nd := o.k, o.w, len(dirs)
	kk := k * k
	mo := moments{t: make([]float64, nd), tt: make([]float64, nd*nd), m: o.firstMoments(dirs), n: make([][][]float64, nd)}
	buf := make([]float64, 4*kk+w)
	sd, v, t, s, tmp := buf[:kk], buf[kk:2*kk], buf[2*kk:3*kk], buf[3*kk:4*kk], buf[4*kk:]
	for d := range dirs {
		mo.n[d] = make([][]float64, nd-d)
		for e := range mo.n[d] {
			mo.n[d][e] = make([]float64, w*w)
		}
		for i := range o.cells {
			ce := &o.cells[i]
			m := float64(len(ce.levels))
			mo.t[d] += m * traceProduct(dirs[d].s, ce.d, k)
			multiply(sd, dirs[d].s, ce.d, k)
			for e := d; e < nd; e++ {
				multiply(v, sd, dirs[e].s, k)
				mo.tt[e*nd+d] += m * traceProduct(v, ce.d, k)
				multiply(t, v, ce.wm, k)
				tMultiply(s, ce.wm, t, k)
				o.outer(ce, 1, s, mo.n[d][e-d], tmp)
			}
		}
	}
	mirror(mo.tt, nd)
	return mo, nil
}

func (o *oneFactor) modes(b []float64) ([][]float64, error) {
	k, w := o.k, o.w
	out := make([]float64, len(o.f.levels)*k)
	tmp := make([]float64, k)
	for g := range o.f.levels {
		bg := o.level(int32(g))
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

// respond makes the sums that hold y again and shares the rest.
func (o *oneFactor) respond(q *problem) kernel {
	k, p, w := o.k, o.p, o.w
	n := *o
	n.f = q.factors[0]
	n.lambda = nil
	n.b = append([]float64(nil), o.b...)
	for g := range n.f.levels {
		for i := 0; i < k; i++ {
			n.b[(g*k+i)*w+p] = 0
		}
	}
	n.cross = append([]float64(nil), o.cross...)
	last := n.cross[p*w : p*w+w]
	for i := range last {
		last[i] = 0
	}
	for i := 0; i < q.n; i++ {
		row := q.xy[i*w : i*w+w]
		y := row[p]
		bg := n.b[int(n.f.index[i])*k*w:]
		for c, z := range n.f.z[i*k : i*k+k] {
			bg[c*w+p] += z * y
		}
		axpy(y, row, last)
	}
	for i := 0; i < p; i++ {
		n.cross[i*w+p] = last[i]
	}
	n.cells = append([]cell(nil), o.cells...)
	for i := range n.cells {
		n.cells[i].gram = n.regram(&n.cells[i])
	}
	n.place()
	return &n
}

// regram copies a cell's sums with the row and column of y made anew.
func (o *oneFactor) regram(c *cell) []float64 {
	if c.gram == nil {
		return nil
	}
	k, p, w := o.k, o.p, o.w
	out := append([]float64(nil), c.gram...)
	at := 0
	for i := 0; i < k; i++ {
		for j := i; j < k; j++ {
			t := out[at : at+w*w]
			at += w * w
			for r := 0; r < w; r++ {
				t[r*w+p], t[p*w+r] = 0, 0
			}
			for _, g := range c.levels {
				bg := o.level(g)
				bi, bj := bg[i*w:i*w+w], bg[j*w:j*w+w]
				axpy(bi[p], bj, t[p*w:p*w+w])
				for r := 0; r < p; r++ {
					t[r*w+p] += bi[r] * bj[p]
				}
			}
		}
	}
	return out
}
