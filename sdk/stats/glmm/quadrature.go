package glmm

import (
	"math"

	"gonum.org/v1/gonum/integrate/quad"
)

// nodes are the points and weights of n-point Gauss-Hermite quadrature for the
// standard normal density.
func nodes(n int) (z, w []float64) {
	z, w = make([]float64, n), make([]float64, n)
	quad.Hermite{}.FixedLocations(z, w, math.Inf(-1), math.Inf(1))
	for j := range z {
		// from exp(-x^2) to exp(-z^2/2) / sqrt(2 pi)
		z[j] *= math.Sqrt2
		w[j] /= math.Sqrt(math.Pi)
	}
	return z, w
}

// quadratureValue is D by adaptive Gauss-Hermite quadrature for one random
// intercept (Pinheiro & Bates 1995): with d_g(u) the level's part of deviance +
// u^2, the nodes u_j = u~ + z_j / sqrt(A_g) give
//
//	-2 log L_g = log A_g - 2 log sum_j w_j exp(z_j^2/2 - d_g(u_j)/2),
//
// which with one node is the Laplace approximation.
func (p *laplace) quadratureValue(theta, beta, z, w []float64) (float64, error) {
	base, err := p.value(theta, beta)
	if err != nil {
		return 0, err
	}
	f := p.lay.factors[0]
	mode := append([]float64(nil), p.u...)
	root := make([]float64, f.levels) // sqrt(A_g)
	copy(root, p.a.a11)
	at := make([]float64, f.levels) // d_g(u~)
	p.byLevel(mode, at)
	sum, d, u := make([]float64, f.levels), make([]float64, f.levels), make([]float64, f.levels)
	for j := range z {
		for g := range u {
			u[g] = mode[g] + z[j]/root[g]
		}
		p.byLevel(u, d)
		for g := range sum {
			sum[g] += w[j] * math.Exp(z[j]*z[j]/2-(d[g]-at[g])/2)
		}
	}
	for _, s := range sum {
		base -= 2 * math.Log(s)
	}
	return base, nil
}

// byLevel fills d (levels) with deviance + u^2 of every level.
func (p *laplace) byLevel(u, d []float64) {
	f := p.lay.factors[0]
	for g, v := range u {
		d[g] = v * v
	}
	for i, g := range f.index {
		if p.w[i] > 0 {
			d[g] += p.w[i] * p.family.Deviance(p.y[i], p.family.Link.Mu(p.lin[i]+p.b[i][0]*u[g]))
		}
	}
}

// quadratureObjective has a gradient by central differences with Richardson's
// combination, steps of 1e-3 of the scales: the nodes move with the parameters,
// and one intercept's model is cheap to evaluate.
func (p *laplace) quadratureObjective(n int, scale []float64) objective {
	z, w := nodes(n)
	k := p.lay.thetas
	return func(x []float64) (float64, []float64, error) {
		v, err := p.quadratureValue(x[:k], x[k:], z, w)
		if err != nil {
			return 0, nil, err
		}
		g := make([]float64, len(x))
		y := append([]float64(nil), x...)
		for j := range x {
			e := 2e-3 * scale[j]
			var d [2]float64
			for c := range d {
				h := e * float64(c+1)
				y[j] = x[j] + h
				up, err := p.quadratureValue(y[:k], y[k:], z, w)
				if err != nil {
					return 0, nil, err
				}
				y[j] = x[j] - h
				down, err := p.quadratureValue(y[:k], y[k:], z, w)
				if err != nil {
					return 0, nil, err
				}
				d[c] = (up - down) / (2 * h)
			}
			y[j] = x[j]
			g[j] = (4*d[0] - d[1]) / 3
		}
		return v, g, nil
	}
}
