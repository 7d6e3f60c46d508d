package lmm

import (
	"fmt"

	"github.com/seed-4012077a/flow/sdk/dense"
)

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
