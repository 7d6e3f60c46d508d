package lmm

import "github.com/seed-4012077a/flow/sdk/dense"

// scale turns the lower triangle of a symmetric q2 x q2 matrix s into that of
// L2' s L2 (transposed) or L2 s L2'. The blocks on the diagonal are filled.
func (x *crossed) scale(s dense.Matrix, transposed bool) {
	if len(x.block) == x.q2 { // every block is one number
		l := make([]float64, x.q2)
		for _, b := range x.block {
			l[b.at] = x.lambda[b.factor][0]
		}
		for r, lr := range l {
			row := s.Data[r*s.Stride : r*s.Stride+r+1]
			for c, lc := range l[:len(row)] {
				row[c] *= lr * lc
			}
		}
		return
	}
	tmp := make([]float64, 64)
	for _, b := range x.block {
		for r := 0; r < b.k; r++ {
			for c := r + 1; c < b.k; c++ {
				s.Data[(b.at+r)*s.Stride+b.at+c] = s.Data[(b.at+c)*s.Stride+b.at+r]
			}
		}
	}
	for _, b := range x.block {
		end := b.at + b.k
		for r := b.at; r < end; r++ {
			row := s.Data[r*s.Stride : r*s.Stride+end]
			for _, o := range x.block {
				if o.at >= end {
					break
				}
				l := x.lambda[o.factor]
				if o.k == 1 {
					row[o.at] *= l[0]
					continue
				}
				seg := row[o.at : o.at+o.k]
				tmp = append(tmp[:0], seg...)
				for c := range seg { // seg L or seg L'
					v := 0.0
					for j, t := range tmp {
						if transposed {
							v += t * l[j*o.k+c]
						} else {
							v += t * l[c*o.k+j]
						}
					}
					seg[c] = v
				}
			}
		}
		x.rotateBlock(s.Data[b.at*s.Stride:], s.Stride, end, b, transposed)
	}
}

// rotateBlock multiplies b.k rows of m columns by L' (transposed) or L.
func (x *crossed) rotateBlock(rows []float64, stride, m int, b span, transposed bool) {
	l, k := x.lambda[b.factor], b.k
	if k == 1 {
		for c := range rows[:m] {
			rows[c] *= l[0]
		}
		return
	}
	// L is lower triangular: row r of L'v needs v[r:], of Lv v[:r+1], so in the
	// right order the rows can be replaced in place.
	for i := 0; i < k; i++ {
		r := i
		if !transposed {
			r = k - 1 - i
		}
		row := rows[r*stride : r*stride+m]
		d := l[r*k+r]
		for c := range row {
			row[c] *= d
		}
		for j := 0; j < k; j++ {
			switch {
			case transposed && j > r:
				axpy(l[j*k+r], rows[j*stride:j*stride+m], row)
			case !transposed && j < r:
				axpy(l[r*k+j], rows[j*stride:j*stride+m], row)
			}
		}
	}
}

// rotate multiplies a q2 x m matrix by L2' or L2.
func (x *crossed) rotate(v []float64, m int, transposed bool) {
	for _, b := range x.block {
		x.rotateBlock(v[b.at*m:], m, m, b, transposed)
	}
}

// triangular solves with the Cholesky factor of Omega2.
func (x *crossed) triangular(v []float64, m int, trans bool) bool {
	return dense.Trsm(dense.Left, trans, x.l2, dense.Matrix{Rows: x.q2, Cols: m, Data: v, Stride: m}) == nil
}

// reduce is t2 - A21 M t1, q2 x m.
func (x *crossed) reduce(t1, t2 []float64, m int) []float64 {
	out := append([]float64(nil), t2...)
	k := x.k
	var t []float64
	for g := range x.meets {
		t = times(t, x.m[g*k*k:(g+1)*k*k], t1[g*k*m:(g+1)*k*m], k, m)
		x.spreadTo(out, g, t, m, -1)
	}
	return out
}

// spreadTo adds v A21_g t to a q2 x m matrix, t being k x m.
func (x *crossed) spreadTo(out []float64, g int, t []float64, m int, v float64) {
	me := &x.meets[g]
	n := len(me.cols)
	for i, c := range me.cols {
		for r := 0; r < x.k; r++ {
			axpy(v*me.vals[r*n+i], t[r*m:(r+1)*m], out[int(c)*m:(int(c)+1)*m])
		}
	}
}

// gatherFrom adds v A12_g t to a k x m matrix, t being q2 x m.
func (x *crossed) gatherFrom(out []float64, g int, t []float64, m int, v float64) {
	me := &x.meets[g]
	n := len(me.cols)
	for r := 0; r < x.k; r++ {
		for i, c := range me.cols {
			axpy(v*me.vals[r*n+i], t[int(c)*m:(int(c)+1)*m], out[r*m:(r+1)*m])
		}
	}
}

// times22 adds v A22 t to a q2 x m matrix.
func (x *crossed) times22(out, t []float64, m int, v float64) {
	for i, a := range x.a22.val {
		r, c := int(x.a22.row[i]), int(x.a22.col[i])
		axpy(v*a, t[c*m:(c+1)*m], out[r*m:(r+1)*m])
		if r != c {
			axpy(v*a, t[r*m:(r+1)*m], out[c*m:(c+1)*m])
		}
	}
}
