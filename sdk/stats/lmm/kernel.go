package lmm

import "fmt"

// A kernel holds the cross-products of a model's columns, made once, and does
// with them what depends on Lambda. With V = I + Z Lambda Lambda' Z' in units
// of the residual variance and the columns of [X y] beside each other,
// everything that the likelihood, its derivatives and the approximate degrees
// of freedom need are these sums:
//
//	log|V|                              decompose
//	R   = [X y]' V^-1 [X y]             decompose
//	G_f = sum_g Z_g' V^-1 Z_g           slopes (k x k, over the levels g of factor f)
//	Q_f = sum_g Z_g' V^-1 X C X' V^-1 Z_g
//	H_f = sum_g Z_g' V^-1 e e' V^-1 Z_g,  e = [X y] b
//	M_i  = [X y]' V^-1 V_i V^-1 [X y]         moments
//	N_ij = [X y]' V^-1 V_i V^-1 V_j V^-1 [X y]
//	tr(V^-1 V_i), tr(V^-1 V_i V^-1 V_j)
//
// where V_i = sum_g Z_g S_i Z_g' is a direction: the derivative of V in a
// parameter, S_i symmetric.
type kernel interface {
	likelihood
	predictor
	// moments are the full matrices, at the last decompose.
	moments(dirs []direction) (moments, error)
	// respond gives a kernel of the same columns with another last column.
	respond(q *problem) kernel
}

// likelihood is what the search needs.
type likelihood interface {
	// decompose factors at Lambda, one k x k block a factor; r is w x w.
	// It reports false where a block is not positive definite (overflow).
	decompose(lambda [][]float64, r []float64) (logDet float64, ok bool)
	// slopes are sums at the last decompose; c is p x p, b has length w.
	slopes(c, b []float64) ([]slope, error)
	// curvature is what the Hessian needs, at the last decompose. Without
	// exact, tt may be left out where it is dear.
	curvature(c, b []float64, dirs []direction, exact bool) (curvature, error)
}

// predictor is what the random effects need, at the last decompose.
type predictor interface {
	// modes are u_g = Z_g' V^-1 e for every level: levels x k a factor.
	modes(b []float64) ([][]float64, error)
	// spread is Lambda (Lambda'Z'Z Lambda + I)^-1 Lambda' of one level: k x k.
	spread(factor, level int) ([]float64, error)
}

// slope are the sums over a factor's levels, k x k each.
type slope struct{ g, q, h []float64 }

// direction is S of one factor, k x k, symmetric.
type direction struct {
	factor int
	s      []float64
}

// curvature holds, for directions i and j (row-major, d x d):
// tt = tr(V^-1 V_i V^-1 V_j), or nil where that is too dear;
// tc = tr(C X' V^-1 V_i V^-1 V_j V^-1 X);
// te = e' V^-1 V_i V^-1 V_j V^-1 e;
// and m[i] = M_i, w x w.
type curvature struct {
	tt, tc, te []float64
	m          [][]float64
}

// moments holds t[i] = tr(V^-1 V_i), tt as above, m[i] = M_i and
// n[i][j] = N_ij for j >= i, N_ji = N_ij'.
type moments struct {
	t, tt []float64
	m     [][]float64
	n     [][][]float64
}

// contract makes the Hessian's sums of the full matrices.
func (mo *moments) contract(c, b []float64, p int) curvature {
	d, w := len(mo.m), p+1
	out := curvature{tt: mo.tt, tc: make([]float64, d*d), te: make([]float64, d*d), m: mo.m}
	for i := 0; i < d; i++ {
		for j := i; j < d; j++ {
			nij, s := mo.n[i][j-i], 0.0
			for r := 0; r < p; r++ {
				for k := 0; k < p; k++ {
					s += c[r*p+k] * nij[r*w+k]
				}
			}
			out.tc[i*d+j], out.tc[j*d+i] = s, s
			e := quadratic(b, nij, b)
			out.te[i*d+j], out.te[j*d+i] = e, e
		}
	}
	return out
}

// mostDense bounds the random effects of all factors but the largest: two
// squares of so many numbers are held, 1 GB.
const mostDense = 8000

func newKernel(q *problem) (kernel, error) {
	if len(q.factors) == 1 {
		return newOneFactor(q), nil
	}
	first, all, largest := 0, 0, 0
	for i, f := range q.factors {
		n := len(f.levels) * f.k
		all += n
		if n > largest {
			first, largest = i, n
		}
	}
	if rest := all - largest; rest > mostDense {
		return nil, fmt.Errorf("%d random effects beside those of the largest factor %q: more than the %d that can be solved for together; drop or simplify a random term", rest, q.factors[first].group, mostDense)
	}
	return newCrossed(q, first), nil
}
