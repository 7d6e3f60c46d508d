package formula

import (
	"fmt"
	"math"
)

// polynomial is the basis of poly(x, degree): polynomials orthogonal over the
// x of the fit, without the constant. Kennedy and Gentle (1980, pp. 343-4),
// as R's poly: with p_0 = 1, p_1 = x - alpha_1,
//
//	p_{k+1} = (x - alpha_{k+1}) p_k - (n_k / n_{k-1}) p_{k-1}
//	alpha_{k+1} = sum x p_k^2 / n_k,  n_k = sum p_k^2
//
// and the columns are p_k / sqrt(n_k). It is kept with the design so that new
// data get the values of the same polynomials.
type polynomial struct {
	degree int
	raw    bool
	alpha  []float64 // alpha_1 ... alpha_degree
	norm2  []float64 // n_0 ... n_degree
}

// fitPolynomial finds the basis over the values of x that are not missing.
func fitPolynomial(x []float64, degree int, raw bool) (*polynomial, error) {
	p := &polynomial{degree: degree, raw: raw}
	if raw {
		return p, nil
	}
	var v []float64
	seen := map[float64]bool{}
	for _, a := range x {
		if !math.IsNaN(a) {
			v = append(v, a)
			seen[a] = true
		}
	}
	if degree >= len(seen) {
		return nil, fmt.Errorf("a polynomial of degree %d needs at least %d distinct values, there are %d", degree, degree+1, len(seen))
	}
	n := len(v)
	// The centred x keeps the recurrence exact for x far from zero; it is
	// what R's QR of outer(x - mean, 0:degree, "^") gives.
	before, at := make([]float64, n), make([]float64, n)
	for i := range at {
		at[i] = 1
	}
	norm := float64(n)
	p.norm2 = []float64{norm}
	last := 1.0
	for k := 0; k < degree; k++ {
		alpha := 0.0
		for i, a := range at {
			alpha += a * a * v[i]
		}
		alpha /= norm
		ratio := norm / last
		if k == 0 {
			ratio = 0
		}
		next := 0.0
		for i := range at {
			at[i], before[i] = (v[i]-alpha)*at[i]-ratio*before[i], at[i]
			next += at[i] * at[i]
		}
		p.alpha = append(p.alpha, alpha)
		p.norm2 = append(p.norm2, next)
		last, norm = norm, next
	}
	return p, nil
}

// columns evaluates the basis.
func (p *polynomial) columns(x []float64) [][]float64 {
	out := make([][]float64, p.degree)
	for k := range out {
		out[k] = make([]float64, len(x))
	}
	for i, v := range x {
		if p.raw {
			power := 1.0
			for k := range out {
				power *= v
				out[k][i] = power
			}
			continue
		}
		before, at := 0.0, 1.0
		for k := range out {
			ratio := 0.0
			if k > 0 {
				ratio = p.norm2[k] / p.norm2[k-1]
			}
			before, at = at, (v-p.alpha[k])*at-ratio*before
			out[k][i] = at / math.Sqrt(p.norm2[k+1])
		}
	}
	return out
}
