package lmm

import (
	"math"
	"slices"

	"github.com/seed-4012077a/flow/sdk/dense"
)

// crossed is the kernel of a model with several grouping factors. The factor
// with most random effects, number 1 below, is eliminated level by level, as
// its block of Z'Z is block diagonal; the others, 2, remain together as one
// dense system of q2 unknowns. With V1 = I + Z1 L1 L1' Z1' (L for Lambda) and
// M, W of each level as for one factor,
//
//	S = Z2'V1^-1 Z2    = A22 - A21 M A12
//	c = Z2'V1^-1 [X y] = B2 - A21 M B1
//	E = [X y]'V1^-1[X y]
//	Omega2 = L2'S L2 + I,  N = L2 Omega2^-1 L2'
//	log|V| = sum_g log|Omega_g| + log|Omega2|
//	[X y]'V^-1[X y] = E - c'Nc
//
// since V = V1 + Z2 L2 L2' Z2'. A21 and A12 are sparse (a level of factor 1
// meets few levels of the others), so S costs the sum over the levels of the
// squared number of levels met, and the Cholesky factor of Omega2 q2^3/3.
type crossed struct {
	p, w    int
	k       int       // columns of factor 1
	first   int       // which factor is eliminated
	factors []*factor // all, in the problem's order
	q1, q2  int       // levels of factor 1; columns of Z2
	n       int

	small, most float64 // bounds on exact traces: in the search, ever

	a     []float64 // Z1g'Z1g, q1 x k x k
	b1    []float64 // Z1'[X y], q1*k x w
	b2    []float64 // Z2'[X y], q2 x w
	cross []float64
	meets []meeting
	block []span // of the columns of Z2
	at    []int  // first column in Z2 of each factor (0 for factor 1)
	a22   triple

	// Left by decompose.
	lambda   [][]float64
	m, wm, d []float64    // q1 x k x k
	l2       dense.Matrix // Cholesky factor of Omega2
	z        []float64    // N c, q2 x w
	inv      dense.Matrix // lower triangle of Omega2^-1, then of N
	fresh    bool         // whether inv holds N of this Lambda
	u        [][]float64  // Z_f'V^-1[X y], rows of levels x k, width w
	gram     []slope      // G of this Lambda
}

// meeting is row g of A12: the columns of Z2 met, ascending, and the k x m
// values.
type meeting struct {
	cols []int32
	vals []float64
}

// span is the block of one level of one factor among the columns of Z2.
type span struct{ at, k, factor int }

// triple is the lower triangle of the sparse matrix A22.
type triple struct {
	row, col []int32
	val      []float64
}

func newCrossed(q *problem, first int) *crossed {
	x := &crossed{p: q.p, w: q.w, n: q.n, first: first, factors: q.factors, small: smallWork, most: mostWork, at: make([]int, len(q.factors))}
	one := q.factors[x.first]
	x.k, x.q1 = one.k, len(one.levels)
	for i, f := range q.factors {
		if i == x.first {
			continue
		}
		x.at[i] = x.q2
		for range f.levels {
			x.block = append(x.block, span{x.q2, f.k, i})
			x.q2 += f.k
		}
	}
	x.a = blockGram(q.n, one)
	x.b1, x.cross = crossProducts(q, one, nil)
	x.b2 = make([]float64, x.q2*x.w)
	for f, fac := range q.factors {
		if f == x.first {
			continue
		}
		for i := 0; i < q.n; i++ {
			row := q.xy[i*x.w : (i+1)*x.w]
			to := x.b2[(x.at[f]+int(fac.index[i])*fac.k)*x.w:]
			for c, z := range fac.z[i*fac.k : (i+1)*fac.k] {
				axpy(z, row, to[c*x.w:(c+1)*x.w])
			}
		}
	}
	x.meet(q)
	x.fill22(q)
	kk := x.k * x.k
	x.m, x.wm, x.d = make([]float64, x.q1*kk), make([]float64, x.q1*kk), make([]float64, x.q1*kk)
	x.l2 = dense.New(x.q2, x.q2)
	x.inv = dense.New(x.q2, x.q2)
	return x
}

// meet fills A12 by walking the rows of each level of factor 1.
func (x *crossed) meet(q *problem) {
	one, k := x.factors[x.first], x.k
	rows := byLevel(one.index, x.q1)
	slot := make([]int32, x.q2) // column of Z2 -> its place in the meeting
	for i := range slot {
		slot[i] = -1
	}
	x.meets = make([]meeting, x.q1)
	for g := range x.meets {
		var cols []int32
		for _, i := range rows[g] {
			for f, fac := range x.factors {
				if f == x.first {
					continue
				}
				for c := 0; c < fac.k; c++ {
					col := int32(x.at[f] + int(fac.index[i])*fac.k + c)
					if slot[col] < 0 {
						slot[col] = 0
						cols = append(cols, col)
					}
				}
			}
		}
		slices.Sort(cols)
		for s, c := range cols {
			slot[c] = int32(s)
		}
		m := len(cols)
		vals := make([]float64, k*m)
		for _, i := range rows[g] {
			zi := one.z[int(i)*k : (int(i)+1)*k]
			for f, fac := range x.factors {
				if f == x.first {
					continue
				}
				for c := 0; c < fac.k; c++ {
					s := int(slot[x.at[f]+int(fac.index[i])*fac.k+c])
					z := fac.z[int(i)*fac.k+c]
					for r, v := range zi {
						vals[r*m+s] += v * z
					}
				}
			}
		}
		for _, c := range cols {
			slot[c] = -1
		}
		x.meets[g] = meeting{cols, vals}
	}
}

// byLevel lists the rows of each level.
func byLevel(index []int32, levels int) [][]int32 {
	count := make([]int, levels+1)
	for _, g := range index {
		count[g+1]++
	}
	for g := 0; g < levels; g++ {
		count[g+1] += count[g]
	}
	all := make([]int32, len(index))
	next := append([]int(nil), count...)
	for i, g := range index {
		all[next[g]] = int32(i)
		next[g]++
	}
	out := make([][]int32, levels)
	for g := range out {
		out[g] = all[count[g]:count[g+1]]
	}
	return out
}

// fill22 sums A22 = Z2'Z2, sparse.
func (x *crossed) fill22(q *problem) {
	place := make(map[uint64]int32)
	add := func(r, c int, v float64) {
		if r < c {
			return
		}
		key := uint64(r)<<32 | uint64(c)
		i, ok := place[key]
		if !ok {
			i = int32(len(x.a22.val))
			place[key] = i
			x.a22.row = append(x.a22.row, int32(r))
			x.a22.col = append(x.a22.col, int32(c))
			x.a22.val = append(x.a22.val, 0)
		}
		x.a22.val[i] += v
	}
	for f, fac := range x.factors {
		if f == x.first {
			continue
		}
		a, k := blockGram(q.n, fac), fac.k
		for g := range fac.levels {
			for r := 0; r < k; r++ {
				for c := 0; c <= r; c++ {
					add(x.at[f]+g*k+r, x.at[f]+g*k+c, a[g*k*k+r*k+c])
				}
			}
		}
		for h := 0; h < f; h++ {
			if h == x.first {
				continue
			}
			other := x.factors[h]
			for i := 0; i < q.n; i++ {
				for r, v := range fac.z[i*k : (i+1)*k] {
					for c, u := range other.z[i*other.k : (i+1)*other.k] {
						add(x.at[f]+int(fac.index[i])*k+r, x.at[h]+int(other.index[i])*other.k+c, v*u)
					}
				}
			}
		}
	}
}

func (x *crossed) decompose(lambda [][]float64, r []float64) (float64, bool) {
	x.fresh, x.u, x.gram = false, nil, nil
	x.lambda = lambda
	k, kk := x.k, x.k*x.k
	copy(r, x.cross)
	logDet := 0.0
	tmp := make([]float64, 2*kk+k*x.w)
	for g := 0; g < x.q1; g++ {
		m := x.m[g*kk : (g+1)*kk]
		ld, ok := shrink(x.a[g*kk:(g+1)*kk], lambda[x.first], k, m, x.wm[g*kk:(g+1)*kk], x.d[g*kk:(g+1)*kk], tmp)
		if !ok {
			return 0, false
		}
		logDet += ld
		x.subtractOuter(g, m, r, tmp[2*kk:])
	}
	x.schur(x.l2)
	x.scale(x.l2, true)
	for i := 0; i < x.q2; i++ {
		x.l2.Data[i*x.l2.Stride+i]++
	}
	if dense.Potrf(x.l2) != nil {
		return 0, false
	}
	for i := 0; i < x.q2; i++ {
		logDet += 2 * math.Log(x.l2.Data[i*x.l2.Stride+i])
	}
	// Y = L^-1 Lambda2'c, R = E - Y'Y, z = Lambda2 L'^-1 Y.
	y := x.reduce(x.b1, x.b2, x.w)
	x.rotate(y, x.w, true)
	if !x.triangular(y, x.w, false) {
		return 0, false
	}
	for i := 0; i < x.q2; i++ {
		yi := y[i*x.w : (i+1)*x.w]
		for c, v := range yi {
			axpy(-v, yi, r[c*x.w:(c+1)*x.w])
		}
	}
	if !x.triangular(y, x.w, true) {
		return 0, false
	}
	x.rotate(y, x.w, false)
	x.z = y
	return logDet, true
}

// subtractOuter takes B1g' M B1g off r.
func (x *crossed) subtractOuter(g int, m, r, tmp []float64) {
	k, w := x.k, x.w
	b := x.b1[g*k*w : (g+1)*k*w]
	for i := 0; i < k; i++ {
		row := tmp[:w]
		clear(row)
		for j := 0; j < k; j++ {
			axpy(m[i*k+j], b[j*w:(j+1)*w], row)
		}
		for c, v := range b[i*w : (i+1)*w] {
			axpy(-v, row, r[c*w:(c+1)*w])
		}
	}
}

// schur writes the lower triangle of S = A22 - A21 M A12.
func (x *crossed) schur(s dense.Matrix) {
	for i := 0; i < x.q2; i++ {
		clear(s.Data[i*s.Stride : i*s.Stride+i+1])
	}
	for i, v := range x.a22.val {
		s.Data[int(x.a22.row[i])*s.Stride+int(x.a22.col[i])] = v
	}
	k := x.k
	var t []float64
	for g := range x.meets {
		me := &x.meets[g]
		m := len(me.cols)
		t = times(t, x.m[g*k*k:(g+1)*k*k], me.vals, k, m)
		for i, ci := range me.cols {
			row := s.Data[int(ci)*s.Stride : int(ci)*s.Stride+int(ci)+1]
			for r := 0; r < k; r++ {
				v := me.vals[r*m+i]
				if v == 0 {
					continue
				}
				tr := t[r*m : r*m+i+1]
				for j, cj := range me.cols[:i+1] {
					row[cj] -= v * tr[j]
				}
			}
		}
	}
}

// times is the k x m product ab of a k x k matrix, in out if that is large
// enough.
func times(out, a, b []float64, k, m int) []float64 {
	out = slices.Grow(out[:0], k*m)[:k*m]
	clear(out)
	for i := 0; i < k; i++ {
		for j := 0; j < k; j++ {
			axpy(a[i*k+j], b[j*m:(j+1)*m], out[i*m:(i+1)*m])
		}
	}
	return out
}
