package lmm

import (
	"fmt"

	"github.com/seed-4012077a/flow/sdk/dense"
)

// Bounds on the exact traces tr(V^-1 V_i V^-1 V_j) of crossed factors, in
// multiplications.
const (
	smallWork = 3e7 // done at every step of the search
	mostWork  = 2e11
	mostRest  = 2000 // columns of Z2, of which eight squares are held, 256 MB
)

// traceWork is about the number of multiplications of exactTraces.
func (x *crossed) traceWork() float64 {
	k, q2 := float64(x.k), float64(x.q2)
	met := 0.0
	for g := range x.meets {
		m := float64(len(x.meets[g].cols))
		met += m * m
	}
	d := k * (k + 1) / 2
	return (2+2*d)*q2*q2*q2 + (1+d)*k*met
}

func (x *crossed) curvature(c, b []float64, dirs []direction, exact bool) (curvature, error) {
	mo, err := x.firstAndSecond(dirs)
	if err != nil {
		return curvature{}, err
	}
	work := x.traceWork()
	if work <= x.small || exact && work <= x.most && x.q2 <= mostRest {
		if mo.tt, err = x.exactTraces(dirs); err != nil {
			return curvature{}, err
		}
	}
	return mo.contract(c, b, x.p), nil
}

func (x *crossed) moments(dirs []direction) (moments, error) {
	if work := x.traceWork(); work > x.most || x.q2 > mostRest {
		return moments{}, fmt.Errorf("the Kenward-Roger approximation for these crossed factors takes about %.2g multiplications and %d columns beside the largest factor, more than the bounds of %.2g and %d: ask for Satterthwaite degrees of freedom", work, x.q2, x.most, mostRest)
	}
	mo, err := x.firstAndSecond(dirs)
	if err != nil {
		return mo, err
	}
	if err := x.traces(); err != nil {
		return mo, err
	}
	mo.t = make([]float64, len(dirs))
	for i, d := range dirs {
		mo.t[i] = traceProduct(d.s, x.gram[d.factor].g, x.factors[d.factor].k)
	}
	mo.tt, err = x.exactTraces(dirs)
	return mo, err
}

// firstAndSecond are M_i = U_f'S_i U_f and N_ij = (S_i U_f)' D_fh (S_j U_h)
// with U = Z'V^-1[X y] and D = Z'V^-1Z, which is not formed: D times a matrix
// is a projection.
func (x *crossed) firstAndSecond(dirs []direction) (moments, error) {
	u, err := x.projected()
	if err != nil {
		return moments{}, err
	}
	w, nd := x.w, len(dirs)
	mo := moments{m: make([][]float64, nd), n: make([][][]float64, nd)}
	su := make([][]float64, nd)
	for i, d := range dirs {
		k := x.factors[d.factor].k
		su[i] = make([]float64, len(u[d.factor]))
		for at := 0; at < len(su[i]); at += k * w {
			for r := 0; r < k; r++ {
				for c := 0; c < k; c++ {
					axpy(d.s[r*k+c], u[d.factor][at+c*w:at+(c+1)*w], su[i][at+r*w:at+(r+1)*w])
				}
			}
		}
		mo.m[i] = inner(u[d.factor], su[i], w)
		mo.n[i] = make([][]float64, nd-i)
	}
	for j, d := range dirs {
		t1, t2 := x.timesA(d.factor, su[j], w)
		du, err := x.project(t1, t2, nil, w)
		if err != nil {
			return moments{}, err
		}
		for i := 0; i <= j; i++ {
			mo.n[i][j-i] = inner(su[i], du[dirs[i].factor], w)
		}
	}
	return mo, nil
}

// inner is a'b for matrices of w columns.
func inner(a, b []float64, w int) []float64 {
	out := make([]float64, w*w)
	for at := 0; at < len(a); at += w {
		row := b[at : at+w]
		for r, v := range a[at : at+w] {
			axpy(v, row, out[r*w:(r+1)*w])
		}
	}
	return out
}

// timesA is Z'Z_f r: the rows of factor 1 and the rest.
func (x *crossed) timesA(f int, r []float64, m int) (t1, t2 []float64) {
	k := x.k
	t1, t2 = make([]float64, x.q1*k*m), make([]float64, x.q2*m)
	if f == x.first {
		for g := range x.meets {
			rg := r[g*k*m : (g+1)*k*m]
			copy(t1[g*k*m:], times(nil, x.a[g*k*k:(g+1)*k*k], rg, k, m))
			x.spreadTo(t2, g, rg, m, 1)
		}
		return t1, t2
	}
	full := make([]float64, x.q2*m)
	copy(full[x.at[f]*m:], r)
	x.times22(t2, full, m, 1)
	for g := range x.meets {
		x.gatherFrom(t1[g*k*m:(g+1)*k*m], g, full, m, 1)
	}
	return t1, t2
}

// exactTraces are tr(V^-1 V_i V^-1 V_j) = sum over pairs of levels a of f and b
// of h of tr(S_i D_ab S_j D_ab'), D = Z'V^-1 Z. With P = I - NS,
//
//	D11 = W A - W A12 N A21 W'
//	D12 = W A12 P
//	D22 = S P
//
// D11 and D12 have as many rows as there are random effects; by
// B_i = A21 W' S_i W A12 their sums need matrices of Z2's columns only:
//
//	both of factor 1:  sum_g tr(S_i D S_j D) - tr(S_i D S_j E) - tr(S_i E S_j D)
//	                   + tr(N B_i N B_j),  D = W_g A_g, E = (W A12 N A21 W')_gg
//	i of factor 1:     sum over levels l of h of tr(S_j (P'B_i P)_ll)
func (x *crossed) exactTraces(dirs []direction) ([]float64, error) {
	if err := x.traces(); err != nil {
		return nil, err
	}
	q2, nd := x.q2, len(dirs)
	s, n := dense.New(q2, q2), dense.New(q2, q2)
	x.schur(s)
	for i := 0; i < q2; i++ {
		copy(n.Data[i*q2:i*q2+i+1], x.inv.Data[i*x.inv.Stride:i*x.inv.Stride+i+1])
	}
	mirror(s.Data, q2)
	mirror(n.Data, q2)
	p := dense.New(q2, q2)
	for i := 0; i < q2; i++ {
		p.Data[i*q2+i] = 1
	}
	if err := dense.Gemm(false, false, -1, n, s, p); err != nil {
		return nil, fmt.Errorf("the traces of %d random effects: %w", q2, err)
	}
	d22 := dense.New(q2, q2)
	if err := dense.Gemm(false, false, 1, s, p, d22); err != nil {
		return nil, fmt.Errorf("the traces of %d random effects: %w", q2, err)
	}
	out := make([]float64, nd*nd)
	x.restTraces(d22, dirs, out)
	nb := make([][]float64, nd)
	buf := s // S is not needed any more
	for i := range dirs {
		if dirs[i].factor != x.first {
			continue
		}
		x.inward(dirs[i].s, buf)
		q := dense.New(q2, q2)
		clear(d22.Data)
		err := dense.Gemm(false, false, 1, n, buf, q)
		if err == nil {
			err = dense.Gemm(false, false, 1, buf, p, d22)
		}
		if err != nil {
			return nil, fmt.Errorf("the traces of %d random effects: %w", q2, err)
		}
		nb[i] = q.Data
		for j := range dirs {
			if dirs[j].factor != x.first {
				v := x.diagonalTrace(dirs[j], p.Data, d22.Data)
				out[i*nd+j], out[j*nd+i] = v, v
			}
		}
	}
	x.firstTraces(dirs, nb, out)
	return out, nil
}

// inward sets b = A21 W' S W A12, q2 x q2.
func (x *crossed) inward(s []float64, b dense.Matrix) {
	k, kk := x.k, x.k*x.k
	clear(b.Data)
	var v, sv []float64
	for g := range x.meets {
		me := &x.meets[g]
		m := len(me.cols)
		v = times(v, x.wm[g*kk:(g+1)*kk], me.vals, k, m)
		sv = times(sv, s, v, k, m)
		for i, ci := range me.cols {
			row := b.Data[int(ci)*b.Stride : int(ci)*b.Stride+int(ci)+1]
			for r := 0; r < k; r++ {
				t, src := v[r*m+i], sv[r*m:r*m+i+1]
				for j, cj := range me.cols[:i+1] {
					row[cj] += t * src[j]
				}
			}
		}
	}
	mirror(b.Data, x.q2)
}

// restTraces are those of pairs of directions of the factors that remain.
func (x *crossed) restTraces(d22 dense.Matrix, dirs []direction, out []float64) {
	nd := len(dirs)
	t := newTensors(x.factors)
	for _, bi := range x.block {
		for _, bj := range x.block {
			if bj.factor <= bi.factor {
				t.add(bi.factor, bj.factor, d22.Data[bi.at*x.q2+bj.at:], x.q2)
			}
		}
	}
	for i := range dirs {
		for j := range dirs {
			if dirs[i].factor != x.first && dirs[j].factor != x.first && dirs[j].factor <= dirs[i].factor {
				v := t.contract(dirs[i], dirs[j])
				out[i*nd+j], out[j*nd+i] = v, v
			}
		}
	}
}

// diagonalTrace is sum_l tr(S (P'Y)_ll) over the levels l of the direction's
// factor.
func (x *crossed) diagonalTrace(d direction, p, y []float64) float64 {
	k, q2, sum := x.factors[d.factor].k, x.q2, 0.0
	lo := x.at[d.factor]
	hi := lo + len(x.factors[d.factor].levels)*k
	for a := 0; a < q2; a++ {
		pa, ya := p[a*q2:(a+1)*q2], y[a*q2:(a+1)*q2]
		for l := lo; l < hi; l += k {
			for r := 0; r < k; r++ {
				for c := 0; c < k; c++ {
					sum += d.s[c*k+r] * pa[l+r] * ya[l+c]
				}
			}
		}
	}
	return sum
}

// firstTraces are those of pairs of directions of factor 1; nb are N B_i.
func (x *crossed) firstTraces(dirs []direction, nb [][]float64, out []float64) {
	k, kk, nd := x.k, x.k*x.k, len(dirs)
	buf := make([]float64, 7*kk)
	e, t, an, sd, se, sd2, se2 := buf[:kk], buf[kk:2*kk], buf[2*kk:3*kk], buf[3*kk:4*kk], buf[4*kk:5*kk], buf[5*kk:6*kk], buf[6*kk:]
	for g := range x.meets {
		d := x.d[g*kk : (g+1)*kk]
		x.innerN(g, an)
		sandwich(e, x.wm[g*kk:(g+1)*kk], an, t, k)
		for i := range dirs {
			if nb[i] == nil {
				continue
			}
			multiply(sd, dirs[i].s, d, k)
			multiply(se, dirs[i].s, e, k)
			for j := 0; j <= i; j++ {
				if nb[j] == nil {
					continue
				}
				multiply(sd2, dirs[j].s, d, k)
				multiply(se2, dirs[j].s, e, k)
				out[i*nd+j] += traceProduct(sd, sd2, k) - traceProduct(sd, se2, k) - traceProduct(se, sd2, k)
			}
		}
	}
	for i := range dirs {
		for j := 0; j <= i; j++ {
			if nb[i] != nil && nb[j] != nil {
				out[i*nd+j] += traceProduct(nb[i], nb[j], x.q2)
				out[j*nd+i] = out[i*nd+j]
			}
		}
	}
}

// tensors are sum_ab D_ab (x) D_ab for pairs of factors: element [r,s,u,v] is
// the sum of D[r,s] D[u,v].
type tensors struct {
	factors []*factor
	sums    [][][]float64
}

func newTensors(factors []*factor) *tensors {
	t := &tensors{factors: factors, sums: make([][][]float64, len(factors))}
	for f := range factors {
		t.sums[f] = make([][]float64, f+1)
		for h := range t.sums[f] {
			n := factors[f].k * factors[h].k
			t.sums[f][h] = make([]float64, n*n)
		}
	}
	return t
}

func (t *tensors) add(f, h int, d []float64, stride int) {
	kf, kh := t.factors[f].k, t.factors[h].k
	sum := t.sums[f][h]
	if kf == 1 && kh == 1 {
		sum[0] += d[0] * d[0]
		return
	}
	n := kf * kh
	for r := 0; r < kf; r++ {
		for s := 0; s < kh; s++ {
			v := d[r*stride+s]
			for u := 0; u < kf; u++ {
				axpy(v, d[u*stride:u*stride+kh], sum[(r*kh+s)*n+u*kh:(r*kh+s)*n+(u+1)*kh])
			}
		}
	}
}

// contract is sum S_a[u,r] D[r,s] S_b[s,v] D[u,v].
func (t *tensors) contract(a, b direction) float64 {
	sum := t.sums[a.factor][b.factor]
	kf, kh := t.factors[a.factor].k, t.factors[b.factor].k
	n, v := kf*kh, 0.0
	for r := 0; r < kf; r++ {
		for s := 0; s < kh; s++ {
			for u := 0; u < kf; u++ {
				for w := 0; w < kh; w++ {
					v += a.s[u*kf+r] * b.s[s*kh+w] * sum[(r*kh+s)*n+u*kh+w]
				}
			}
		}
	}
	return v
}

// respond makes the products that hold y again and shares the rest.
func (x *crossed) respond(q *problem) kernel {
	n := *x
	p, w := x.p, x.w
	n.factors = q.factors
	n.b1 = append([]float64(nil), x.b1...)
	n.b2 = append([]float64(nil), x.b2...)
	n.cross = append([]float64(nil), x.cross...)
	for i := p; i < len(n.b1); i += w {
		n.b1[i] = 0
	}
	for i := p; i < len(n.b2); i += w {
		n.b2[i] = 0
	}
	last := n.cross[p*w : p*w+w]
	clear(last)
	for i := 0; i < q.n; i++ {
		row := q.xy[i*w : (i+1)*w]
		y := row[p]
		axpy(y, row, last)
		for f, fac := range n.factors {
			to, at := n.b1, int(fac.index[i])*fac.k
			if f != x.first {
				to, at = n.b2, at+x.at[f]
			}
			for c, z := range fac.z[i*fac.k : (i+1)*fac.k] {
				to[(at+c)*w+p] += z * y
			}
		}
	}
	for i := 0; i < p; i++ {
		n.cross[i*w+p] = last[i]
	}
	n.m, n.wm, n.d = make([]float64, len(x.m)), make([]float64, len(x.wm)), make([]float64, len(x.d))
	n.l2, n.inv = dense.New(x.q2, x.q2), dense.New(x.q2, x.q2)
	n.fresh, n.u, n.gram = false, nil, nil
	return &n
}
