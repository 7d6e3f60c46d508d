package main

import "math"

// explained is Nakagawa and Schielzeth's (2013) R^2 of a linear mixed model:
// the share of variance due to the fixed effects (marginal), and to fixed and
// random effects together (conditional),
//
//	R2m = v_f / (v_f + v_r + sigma^2),   R2c = (v_f + v_r) / (v_f + v_r + sigma^2),
//
// with v_f the variance of X beta over the rows and v_r the mean over the rows
// of z' Cov(b) z, summed over the random terms (Johnson 2014, eq. 10).
func (m *fitted) explained() (marginal, conditional float64) {
	d := m.Design()
	eta, _ := m.population()
	n := float64(len(eta))
	mean, vf, vr := 0.0, 0.0, 0.0
	for i := range eta {
		if d.Offset != nil {
			eta[i] -= d.Offset[i]
		}
		mean += eta[i] / n
	}
	for _, f := range eta {
		vf += (f - mean) * (f - mean) / (n - 1)
	}
	type entry struct{ group, a, b string }
	cov := map[entry]float64{}
	for _, c := range m.components() {
		a, b := c.term, c.with
		if b == "" {
			b = a
		}
		cov[entry{c.factor, a, b}], cov[entry{c.factor, b, a}] = c.covariance, c.covariance
	}
	for _, r := range d.Random {
		for j, a := range r.Names {
			for k, b := range r.Names {
				if j != k && !r.Correlated {
					continue
				}
				zz := 0.0
				for i := range eta {
					zz += r.Z.At(i, j) * r.Z.At(i, k) / n
				}
				vr += cov[entry{r.Group, a, b}] * zz
			}
		}
	}
	all := vf + vr + m.sigma*m.sigma
	return vf / all, math.Min(1, (vf+vr)/all)
}
