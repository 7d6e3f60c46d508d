package lmm

import (
	"fmt"

	"github.com/seed-4012077a/flow/sdk/dense"
)

// Bounds on the exact traces tr(V^-1 V_i V^-1 V_j) of crossed factors, whose
// cost grows with the square of the levels.
const (
	smallWork = 3e7 // done at every step of the search
	mostWork  = 4e10
	mostRest  = 3000 // columns of Z2, of which four squares are held
)

// traceWork is about the number of multiplications of exactTraces.
func (x *crossed) traceWork() float64 {
	k, q1, q2 := float64(x.k), float64(x.q1), float64(x.q2)
	met := 0.0
	for g := range x.meets {
		met += float64(len(x.meets[g].cols))
	}
	return 2*q2*q2*q2 + met*k*(2*q2+q1*k) + q1*k*(q2+q1*k)*k*k
}

func (x *crossed) curvature(c, b []float64, dirs []direction, exact bool) (curvature, error) {
	mo, err := x.firstAndSecond(dirs)
	if err != nil {
		return curvature{}, err
	}
	work := x.traceWork()
	if work <= smallWork || exact && work <= mostWork && x.q2 <= mostRest {
		if mo.tt, err = x.exactTraces(dirs); err != nil {
			return curvature{}, err
		}
	}
	return mo.contract(c, b, x.p), nil
}

func (x *crossed) moments(dirs []direction) (moments, error) {
	if work := x.traceWork(); work > mostWork || x.q2 > mostRest {
		return moments{}, fmt.Errorf("the Kenward-Roger approximation for these crossed factors takes about %.2g multiplications and %d columns beside the largest factor, more than the bounds of %.2g and %d: ask for Satterthwaite degrees of freedom", work, x.q2, mostWork, mostRest)
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
// of h of tr(S_i D_ab S_j D_ab'), D = Z'V^-1 Z:
//
//	D11 = W A - W A12 N A21 W'      (block of levels g, h)
//	D12 = W A12 (I - NS)
//	D22 = S (I - NS)
func (x *crossed) exactTraces(dirs []direction) ([]float64, error) {
	if err := x.traces(); err != nil {
		return nil, err
	}
	q2 := x.q2
	s, n := dense.New(q2, q2), dense.New(q2, q2)
	x.schur(s)
	for i := 0; i < q2; i++ {
		copy(n.Data[i*q2:i*q2+i+1], x.inv.Data[i*x.inv.Stride:i*x.inv.Stride+i+1])
	}
	for i := 0; i < q2; i++ {
		for j := 0; j < i; j++ {
			s.Data[j*q2+i], n.Data[j*q2+i] = s.Data[i*q2+j], n.Data[i*q2+j]
		}
	}
	rest := dense.New(q2, q2)
	for i := 0; i < q2; i++ {
		rest.Data[i*q2+i] = 1
	}
	if err := dense.Gemm(false, false, -1, n, s, rest); err != nil {
		return nil, err
	}
	d22 := dense.New(q2, q2)
	if err := dense.Gemm(false, false, 1, s, rest, d22); err != nil {
		return nil, err
	}
	t := newTensors(x.factors)
	for _, bi := range x.block {
		for _, bj := range x.block {
			t.add(bi.factor, bj.factor, d22.Data[bi.at*q2+bj.at:], q2)
		}
	}
	x.firstTraces(t, n, rest)
	return t.contract(dirs), nil
}

// firstTraces adds the blocks of D11 and D12.
func (x *crossed) firstTraces(t *tensors, n, rest dense.Matrix) {
	k, q2 := x.k, x.q2
	kk := k * k
	an, row := make([]float64, k*q2), make([]float64, k*q2)
	var wan, wrow []float64
	b, bw := make([]float64, kk), make([]float64, kk)
	for g := range x.meets {
		clear(an)
		clear(row)
		x.gatherFrom(an, g, n.Data, q2, 1)
		x.gatherFrom(row, g, rest.Data, q2, 1)
		wg := x.wm[g*kk : (g+1)*kk]
		wan = times(wan, wg, an, k, q2)
		wrow = times(wrow, wg, row, k, q2)
		for _, bj := range x.block {
			t.add(x.first, bj.factor, wrow[bj.at:], q2)
		}
		for h := range x.meets {
			me := &x.meets[h]
			m := len(me.cols)
			for r := 0; r < k; r++ {
				for c := 0; c < k; c++ {
					v := 0.0
					vals, src := me.vals[c*m:(c+1)*m], wan[r*q2:(r+1)*q2]
					for i, col := range me.cols {
						v -= src[col] * vals[i]
					}
					b[r*k+c] = v
				}
			}
			multiplyT(bw, b, x.wm[h*kk:(h+1)*kk], k)
			if h == g {
				axpy(1, x.d[g*kk:(g+1)*kk], bw)
			}
			t.add(x.first, x.first, bw, k)
		}
	}
}

// tensors are sum_ab D_ab (x) D_ab for each pair of factors: element
// [r,s,u,v] is the sum of D[r,s] D[u,v].
type tensors struct {
	factors []*factor
	sums    [][][]float64
}

func newTensors(factors []*factor) *tensors {
	t := &tensors{factors: factors, sums: make([][][]float64, len(factors))}
	for f := range factors {
		t.sums[f] = make([][]float64, len(factors))
		for h := range factors {
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

// contract is sum S_i[u,r] D[r,s] S_j[s,v] D[u,v] for every pair of directions.
// D_hf = D_fh', so only pairs that were added one way are looked up.
func (t *tensors) contract(dirs []direction) []float64 {
	nd := len(dirs)
	out := make([]float64, nd*nd)
	for i := range dirs {
		for j := 0; j <= i; j++ {
			a, b := dirs[i], dirs[j]
			sum := t.sums[a.factor][b.factor]
			if allZero(sum) {
				a, b = b, a
				sum = t.sums[a.factor][b.factor]
			}
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
			out[i*nd+j], out[j*nd+i] = v, v
		}
	}
	return out
}

func allZero(v []float64) bool {
	for _, x := range v {
		if x != 0 {
			return false
		}
	}
	return true
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
