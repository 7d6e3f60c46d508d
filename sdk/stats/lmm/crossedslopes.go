package lmm

import (
	"fmt"
	"math"

	"github.com/seed-4012077a/flow/sdk/dense"
)

// The sums below rest on V^-1 = V1^-1 - V1^-1 Z2 N Z2'V1^-1 and
// Z1'V1^-1 = W Z1'.

// project is Z_f'V^-1 T for every factor, given t1 = Z1'T and t2 = Z2'T of m
// columns. With c = t2 - A21 M t1 and z = Nc,
//
//	Z1'V^-1 T = W (t1 - A12 z)
//	Z2'V^-1 T = c - Sz = t2 - A22 z - A21 M (t1 - A12 z)
//
// z may be given; else it is solved for.
func (x *crossed) project(t1, t2, z []float64, m int) ([][]float64, error) {
	if z == nil {
		z = x.reduce(t1, t2, m)
		x.rotate(z, m, true)
		if !x.triangular(z, m, false) || !x.triangular(z, m, true) {
			return nil, fmt.Errorf("solving with the %d random effects that remain failed", x.q2)
		}
		x.rotate(z, m, false)
	}
	k := x.k
	u1 := append([]float64(nil), t1...)
	u2 := append([]float64(nil), t2...)
	x.times22(u2, z, m, -1)
	var t []float64
	for g := range x.meets {
		s := u1[g*k*m : (g+1)*k*m]
		x.gatherFrom(s, g, z, m, -1)
		t = times(t, x.m[g*k*k:(g+1)*k*k], s, k, m)
		x.spreadTo(u2, g, t, m, -1)
		copy(s, times(t, x.wm[g*k*k:(g+1)*k*k], s, k, m))
	}
	return x.split(u1, u2, m), nil
}

// split gives each factor its rows.
func (x *crossed) split(u1, u2 []float64, m int) [][]float64 {
	out := make([][]float64, len(x.factors))
	for f, fac := range x.factors {
		if f == x.first {
			out[f] = u1
		} else {
			out[f] = u2[x.at[f]*m : (x.at[f]+len(fac.levels)*fac.k)*m]
		}
	}
	return out
}

// projected are Z_f'V^-1 [X y], once a decompose.
func (x *crossed) projected() ([][]float64, error) {
	if x.u == nil {
		u, err := x.project(x.b1, x.b2, x.z, x.w)
		if err != nil {
			return nil, err
		}
		x.u = u
	}
	return x.u, nil
}

func (x *crossed) slopes(c, b []float64) ([]slope, error) {
	u, err := x.projected()
	if err != nil {
		return nil, err
	}
	if err := x.traces(); err != nil {
		return nil, err
	}
	p, w := x.p, x.w
	out := make([]slope, len(x.factors))
	uc := make([]float64, p)
	for f, fac := range x.factors {
		k := fac.k
		s := slope{x.gram[f].g, make([]float64, k*k), make([]float64, k*k)}
		e := make([]float64, k)
		for l := range fac.levels {
			ul := u[f][l*k*w : (l+1)*k*w]
			for i := 0; i < k; i++ {
				ui := ul[i*w : (i+1)*w]
				e[i] = dot(ui, b)
				for r := range uc {
					uc[r] = dot(c[r*p:(r+1)*p], ui)
				}
				for j := 0; j <= i; j++ {
					s.h[i*k+j] += e[i] * e[j]
					s.q[i*k+j] += dot(uc, ul[j*w:])
				}
			}
		}
		mirror(s.h, k)
		mirror(s.q, k)
		out[f] = s
	}
	return out, nil
}

// invert leaves the lower triangle of Omega2^-1 in inv.
func (x *crossed) invert() error {
	if err := dense.Potri(x.l2, x.inv); err != nil {
		return fmt.Errorf("inverting the system of %d random effects: %w", x.q2, err)
	}
	return nil
}

// traces fills G of every factor and leaves N in inv.
//
// For the factors that remain, D22 = Z2'V^-1Z2 = S - SNS. As
// L2'SL2 = Omega2 - I, L2'D22L2 = I - Omega2^-1, so the blocks on its diagonal
// are L^-T (I - Omega2^-1) L^-1 where L can be inverted without loss; else they
// are made from S itself. For factor 1, D11 = W A - W A12 N A21 W'.
func (x *crossed) traces() error {
	if x.gram != nil {
		return nil
	}
	if err := x.invert(); err != nil {
		return err
	}
	gram := make([]slope, len(x.factors))
	for f, fac := range x.factors {
		gram[f].g = make([]float64, fac.k*fac.k)
		if f == x.first {
			continue
		}
		if invertible(x.lambda[f], fac.k) {
			x.tracesByInverse(f, gram[f].g)
		} else if err := x.tracesBySolve(f, gram[f].g); err != nil {
			return err
		}
	}
	x.scale(x.inv, false) // N
	x.fresh = true
	k, kk := x.k, x.k*x.k
	buf := make([]float64, 3*kk)
	an, t, s := buf[:kk], buf[kk:2*kk], buf[2*kk:]
	g1 := gram[x.first].g
	for g := range x.meets {
		axpy(1, x.d[g*kk:(g+1)*kk], g1)
		x.innerN(g, an)
		sandwich(s, x.wm[g*kk:(g+1)*kk], an, t, k)
		axpy(-1, s, g1)
	}
	x.gram = gram
	return nil
}

// invertible tells whether Lambda may be inverted with ten digits left.
func invertible(l []float64, k int) bool {
	top := 1.0
	for _, v := range l {
		top = math.Max(top, math.Abs(v))
	}
	for i := 0; i < k; i++ {
		if math.Abs(l[i*k+i]) < 1e-2*top {
			return false
		}
	}
	return true
}

// tracesByInverse adds L^-T (I - Omega2^-1)_ll L^-1 of every level l.
func (x *crossed) tracesByInverse(f int, g []float64) {
	fac := x.factors[f]
	k := fac.k
	s := make([]float64, k*k)
	for l := range fac.levels {
		at := x.at[f] + l*k
		for r := 0; r < k; r++ {
			for c := 0; c <= r; c++ {
				s[r*k+c] -= x.inv.Data[(at+r)*x.inv.Stride+at+c]
			}
			s[r*k+r]++
		}
	}
	mirror(s, k)
	lam := x.lambda[f]
	backSolve(lam, k, s, k) // L^-T s
	t := make([]float64, k*k)
	for r := 0; r < k; r++ {
		for c := 0; c < k; c++ {
			t[c*k+r] = s[r*k+c]
		}
	}
	backSolve(lam, k, t, k) // L^-T (L^-T s)' = (L^-T s L^-1)'
	axpy(1, t, g)
}

// tracesBySolve adds the diagonal blocks of S_ff - Y'Y, Y = L^-1 L2' S_f, where
// S_f are the columns of S that belong to factor f.
func (x *crossed) tracesBySolve(f int, g []float64) error {
	fac := x.factors[f]
	k, m := fac.k, len(fac.levels)*fac.k
	lo := x.at[f]
	s := x.columns(lo, lo+m)
	for l := range fac.levels {
		for r := 0; r < k; r++ {
			for c := 0; c < k; c++ {
				g[r*k+c] += s[(lo+l*k+r)*m+l*k+c]
			}
		}
	}
	x.rotate(s, m, true)
	if !x.triangular(s, m, false) {
		return fmt.Errorf("solving with the %d random effects that remain failed", x.q2)
	}
	for i := 0; i < x.q2; i++ {
		row := s[i*m : (i+1)*m]
		for l := 0; l < m; l += k {
			for r := 0; r < k; r++ {
				for c := 0; c < k; c++ {
					g[r*k+c] -= row[l+r] * row[l+c]
				}
			}
		}
	}
	return nil
}

// columns are those from lo to hi of S, q2 x (hi-lo).
func (x *crossed) columns(lo, hi int) []float64 {
	m, k := hi-lo, x.k
	s := make([]float64, x.q2*m)
	for i, v := range x.a22.val {
		r, c := int(x.a22.row[i]), int(x.a22.col[i])
		if c >= lo && c < hi {
			s[r*m+c-lo] = v
		}
		if r >= lo && r < hi {
			s[c*m+r-lo] = v
		}
	}
	var t []float64
	for g := range x.meets {
		me := &x.meets[g]
		n := len(me.cols)
		t = times(t, x.m[g*k*k:(g+1)*k*k], me.vals, k, n)
		for i, ci := range me.cols {
			row := s[int(ci)*m : (int(ci)+1)*m]
			for r := 0; r < k; r++ {
				v := me.vals[r*n+i]
				for j, cj := range me.cols {
					if int(cj) >= lo && int(cj) < hi {
						row[int(cj)-lo] -= v * t[r*n+j]
					}
				}
			}
		}
	}
	return s
}

// innerN is A12_g N A21_g, k x k.
func (x *crossed) innerN(g int, out []float64) {
	me, k := &x.meets[g], x.k
	n := len(me.cols)
	clear(out)
	for i, ci := range me.cols {
		row := x.inv.Data[int(ci)*x.inv.Stride : int(ci)*x.inv.Stride+int(ci)+1]
		for c := 0; c < k; c++ {
			vals := me.vals[c*n : c*n+n]
			s := 0.0
			for j, cj := range me.cols[:i] {
				s += row[cj] * vals[j]
			}
			diag := row[ci] * vals[i]
			for r := 0; r < k; r++ {
				v := me.vals[r*n+i]
				out[r*k+c] += v * s // pairs i > j, and their mirror images
				out[c*k+r] += v * s
				out[r*k+c] += v * diag
			}
		}
	}
}

func (x *crossed) modes(b []float64) ([][]float64, error) {
	u, err := x.projected()
	if err != nil {
		return nil, err
	}
	out := make([][]float64, len(u))
	for f := range u {
		out[f] = make([]float64, len(u[f])/x.w)
		for i := range out[f] {
			out[f][i] = dot(u[f][i*x.w:(i+1)*x.w], b)
		}
	}
	return out, nil
}

// spread is the level's block of N, or for factor 1 of the inverse of the
// whole system: M + M A12 N A21 M.
func (x *crossed) spread(f, level int) ([]float64, error) {
	if err := x.traces(); err != nil {
		return nil, err
	}
	k := x.factors[f].k
	out := make([]float64, k*k)
	if f != x.first {
		at := x.at[f] + level*k
		for r := 0; r < k; r++ {
			for c := 0; c <= r; c++ {
				out[r*k+c] = x.inv.Data[(at+r)*x.inv.Stride+at+c]
			}
		}
		mirror(out, k)
		return out, nil
	}
	an, t := make([]float64, k*k), make([]float64, k*k)
	m := x.m[level*k*k : (level+1)*k*k]
	x.innerN(level, an)
	sandwich(out, m, an, t, k)
	axpy(1, m, out)
	return out, nil
}
