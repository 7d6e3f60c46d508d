package glm

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// nonnegative minimises |G a - b| over a >= 0 for the rows g_i (m x q) of g as
// the columns of G, by the active-set method of Lawson & Hanson (1974, chapter
// 23), and returns the residual b - G a (q). At the minimum g_i'(b - G a) <= 0
// for all i.
func nonnegative(g [][]float64, b []float64) []float64 {
	const tol = 1e-11
	q := len(b)
	r := append([]float64(nil), b...)
	var set []int   // rows with a > 0
	var a []float64 // their values
	in := map[int]bool{}
	barred := map[int]bool{} // entered and left again without progress
	for range 50 * (q + 1) {
		best, at := tol, -1
		for i, row := range g {
			if in[i] || barred[i] {
				continue
			}
			if d := dot(row, r); d > best {
				best, at = d, i
			}
		}
		if at < 0 || len(set) == q {
			break
		}
		before := dot(r, r)
		set, a, in[at] = append(set, at), append(a, 0), true
		for len(set) > 0 {
			z, ok := leastSquares(g, set, b)
			if !ok {
				// Dependent on those already in: it can add nothing.
				set, a = set[:len(set)-1], a[:len(a)-1]
				delete(in, at)
				barred[at] = true
				break
			}
			if positive(z) {
				a = z
				break
			}
			set, a = retreat(set, a, z, in)
		}
		copy(r, b)
		for k, i := range set {
			for j := range r {
				r[j] -= a[k] * g[i][j]
			}
		}
		if dot(r, r) >= before {
			barred[at] = true
		} else {
			clear(barred)
		}
	}
	return r
}

func positive(z []float64) bool {
	for _, v := range z {
		if v <= 0 {
			return false
		}
	}
	return true
}

// retreat goes from a towards z as far as all stay non-negative and drops those
// that reach zero.
func retreat(set []int, a, z []float64, in map[int]bool) ([]int, []float64) {
	t := 1.0
	for k := range z {
		if z[k] <= 0 {
			t = math.Min(t, a[k]/(a[k]-z[k]))
		}
	}
	if math.IsNaN(t) {
		t = 0
	}
	keep, vals := set[:0], a[:0]
	for k, i := range set {
		v := a[k] + t*(z[k]-a[k])
		if v > 1e-15 && !(z[k] <= 0 && a[k]/(a[k]-z[k]) <= t) {
			keep, vals = append(keep, i), append(vals, v)
		} else {
			delete(in, i)
		}
	}
	return keep, vals
}

// leastSquares solves min |sum_k z_k g_set[k] - b|.
func leastSquares(g [][]float64, set []int, b []float64) ([]float64, bool) {
	q, k := len(b), len(set)
	if k > q {
		return nil, false
	}
	m := mat.NewDense(q, k, nil)
	for c, i := range set {
		m.SetCol(c, g[i])
	}
	var qr mat.QR
	qr.Factorize(m)
	if !(qr.Cond() < 1e12) {
		return nil, false
	}
	var z mat.VecDense
	if err := qr.SolveVecTo(&z, false, mat.NewVecDense(q, b)); err != nil {
		return nil, false
	}
	return z.RawVector().Data, true
}

func dot(a, b []float64) float64 {
	s := 0.0
	for i, v := range a {
		s += v * b[i]
	}
	return s
}
