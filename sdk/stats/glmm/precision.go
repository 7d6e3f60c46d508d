package glmm

import (
	"errors"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// precision is A = B'WB + I in blocks. The first factor's part A11 is block
// diagonal (k x k a level), the others' part A22 dense (r x r), and level g of
// the first touches only some columns S_g of the rest. With A11_g = L_g L_g' and
// Y_g = L_g^{-1} C_g (k x |S_g|), eliminating the first factor leaves the Schur
// complement S = A22 - sum Y_g'Y_g, dense.
type precision struct {
	lay     *layout
	k, r    int
	touched [][]int // by level of the first factor, sorted columns of the rest
	place   [][]int // by row, for each other factor, the position of its first column in touched
	a11     []float64
	c       [][]float64 // k x |S_g|, by rows; Y_g after factor
	a22     *mat.SymDense
	chol    mat.Cholesky
	inverse *mat.SymDense // S^{-1}, made by invert
	logdet  float64
}

var errPrecision = errors.New("the precision of the random effects is not positive definite")

func newPrecision(lay *layout, n int) *precision {
	first := lay.factors[0]
	a := &precision{lay: lay, k: first.k, r: lay.rest, touched: make([][]int, first.levels)}
	a.a11 = make([]float64, first.levels*a.k*a.k)
	a.c = make([][]float64, first.levels)
	if a.r == 0 {
		return a
	}
	base := first.levels * a.k
	seen := make([]map[int]bool, first.levels)
	for i := range n {
		g := first.index[i]
		if seen[g] == nil {
			seen[g] = map[int]bool{}
		}
		for _, f := range lay.factors[1:] {
			col := f.start - base + int(f.index[i])*f.k
			if !seen[g][col] {
				seen[g][col] = true
				for j := range f.k {
					a.touched[g] = append(a.touched[g], col+j)
				}
			}
		}
	}
	for g := range a.touched {
		slices.Sort(a.touched[g])
		a.c[g] = make([]float64, a.k*len(a.touched[g]))
	}
	a.place = make([][]int, n)
	for i := range n {
		g := first.index[i]
		for _, f := range lay.factors[1:] {
			at, _ := slices.BinarySearch(a.touched[g], f.start-base+int(f.index[i])*f.k)
			a.place[i] = append(a.place[i], at)
		}
	}
	a.a22 = mat.NewSymDense(a.r, nil)
	return a
}

// assemble and factor A for rows b (n x K: the factors' k numbers side by side)
// and weights w.
func (a *precision) assemble(b [][]float64, w []float64) error {
	clear(a.a11)
	for _, c := range a.c {
		clear(c)
	}
	if a.r > 0 {
		a.a22.Zero()
	}
	first := a.lay.factors[0]
	kk := a.k * a.k
	for i, wi := range w {
		g := int(first.index[i])
		bi := b[i]
		blk := a.a11[g*kk : (g+1)*kk]
		for x := range a.k {
			for y := 0; y <= x; y++ {
				blk[x*a.k+y] += wi * bi[x] * bi[y]
			}
		}
		if a.r > 0 {
			a.addRest(i, g, wi, bi)
		}
	}
	return a.factor()
}

// addRest adds row i to the coupling C_g and to A22.
func (a *precision) addRest(i, g int, wi float64, bi []float64) {
	s, at := len(a.touched[g]), a.k
	for fi, f := range a.lay.factors[1:] {
		pos := a.place[i][fi]
		for y := range f.k {
			v := wi * bi[at+y]
			for x := range a.k {
				a.c[g][x*s+pos+y] += bi[x] * v
			}
			col := a.touched[g][pos+y]
			to := a.k
			for fj, h := range a.lay.factors[1:] {
				for x := range h.k {
					if other := a.touched[g][a.place[i][fj]+x]; other >= col {
						a.a22.SetSym(col, other, a.a22.At(col, other)+v*bi[to+x])
					}
				}
				to += h.k
			}
		}
		at += f.k
	}
}

func (a *precision) factor() error {
	a.logdet, a.inverse = 0, nil
	kk := a.k * a.k
	for g := range a.touched {
		l := a.a11[g*kk : (g+1)*kk]
		for x := range a.k {
			l[x*a.k+x]++
		}
		if !cholesky(l, a.k) {
			return errPrecision
		}
		for x := range a.k {
			a.logdet += 2 * math.Log(l[x*a.k+x])
		}
		s := len(a.touched[g])
		y := a.c[g]
		for col := range s {
			forward(l, a.k, y[col:], s)
		}
		for p, cp := range a.touched[g] {
			for q := p; q < s; q++ {
				d := 0.0
				for x := range a.k {
					d += y[x*s+p] * y[x*s+q]
				}
				cq := a.touched[g][q]
				a.a22.SetSym(cp, cq, a.a22.At(cp, cq)-d)
			}
		}
	}
	if a.r == 0 {
		return nil
	}
	for j := range a.r {
		a.a22.SetSym(j, j, a.a22.At(j, j)+1)
	}
	if !a.chol.Factorize(a.a22) {
		return errPrecision
	}
	a.logdet += a.chol.LogDet()
	return nil
}

// solve replaces v (q) by A^{-1} v.
func (a *precision) solve(v []float64) error {
	kk, base := a.k*a.k, len(a.touched)*a.k
	rest := v[base:]
	for g, cols := range a.touched {
		t := v[g*a.k : (g+1)*a.k]
		forward(a.a11[g*kk:(g+1)*kk], a.k, t, 1)
		for q, col := range cols {
			for x := range a.k {
				rest[col] -= a.c[g][x*len(cols)+q] * t[x]
			}
		}
	}
	if a.r > 0 {
		x := mat.NewVecDense(a.r, rest)
		if err := a.chol.SolveVecTo(x, x); err != nil {
			return errPrecision
		}
	}
	for g, cols := range a.touched {
		t := v[g*a.k : (g+1)*a.k]
		for q, col := range cols {
			for x := range a.k {
				t[x] -= a.c[g][x*len(cols)+q] * rest[col]
			}
		}
		backward(a.a11[g*kk:(g+1)*kk], a.k, t, 1)
	}
	return nil
}

// part is what a row can see of A^{-1} at level g of the first factor: own is
// k x k, cross k x |S_g|, rest |S_g| x |S_g|, all by rows. With T = L^{-T} Y,
//
//	A^{-1}_gg = L^{-T} L^{-1} + T S^{-1} T',   A^{-1}_gS = -T S^{-1}.
type part struct{ own, cross, rest []float64 }

func (a *precision) invert() ([]part, error) {
	if a.r > 0 && a.inverse == nil {
		a.inverse = mat.NewSymDense(a.r, nil)
		if err := a.chol.InverseTo(a.inverse); err != nil {
			return nil, errPrecision
		}
	}
	kk := a.k * a.k
	parts := make([]part, len(a.touched))
	for g, cols := range a.touched {
		l, s := a.a11[g*kk:(g+1)*kk], len(cols)
		p := part{own: make([]float64, kk), cross: make([]float64, a.k*s), rest: make([]float64, s*s)}
		for x := range a.k {
			p.own[x*a.k+x] = 1
		}
		for x := range a.k { // columns of A11^{-1}
			forward(l, a.k, p.own[x:], a.k)
			backward(l, a.k, p.own[x:], a.k)
		}
		t := slices.Clone(a.c[g])
		for col := range s {
			backward(l, a.k, t[col:], s)
		}
		for i, ci := range cols {
			for j, cj := range cols {
				p.rest[i*s+j] = a.inverse.At(ci, cj)
			}
		}
		for x := range a.k {
			for j := range s {
				for i := range s {
					p.cross[x*s+j] -= t[x*s+i] * p.rest[i*s+j]
				}
			}
			for y := range a.k {
				for j := range s {
					p.own[x*a.k+y] -= p.cross[x*s+j] * t[y*s+j]
				}
			}
		}
		parts[g] = p
	}
	return parts, nil
}

// cholesky replaces the lower triangle of a (k x k, by rows) by L, a = L L'.
func cholesky(a []float64, k int) bool {
	for j := range k {
		d := a[j*k+j]
		for c := range j {
			d -= a[j*k+c] * a[j*k+c]
		}
		if !(d > 0) {
			return false
		}
		d = math.Sqrt(d)
		a[j*k+j] = d
		for i := j + 1; i < k; i++ {
			v := a[i*k+j]
			for c := range j {
				v -= a[i*k+c] * a[j*k+c]
			}
			a[i*k+j] = v / d
		}
	}
	return true
}

// forward solves L x = v in place, v's numbers lying step apart.
func forward(l []float64, k int, v []float64, step int) {
	for i := range k {
		x := v[i*step]
		for j := range i {
			x -= l[i*k+j] * v[j*step]
		}
		v[i*step] = x / l[i*k+i]
	}
}

// backward solves L' x = v in place.
func backward(l []float64, k int, v []float64, step int) {
	for i := k - 1; i >= 0; i-- {
		x := v[i*step]
		for j := i + 1; j < k; j++ {
			x -= l[j*k+i] * v[j*step]
		}
		v[i*step] = x / l[i*k+i]
	}
}
