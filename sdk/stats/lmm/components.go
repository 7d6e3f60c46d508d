package lmm

import "math"

// Component is one entry of the random effects' covariance, as a row of lme4's
// as.data.frame(VarCorr(m)).
type Component struct {
	Group  string // "Residual" for the residual
	Column string
	With   string // the other column of a covariance, "" for a variance
	// Covariance is the variance or covariance; SDCor its square root or the
	// correlation. A correlation with a column of zero variance is undefined:
	// SDCor is 0 and Undefined set.
	Covariance, SDCor float64
	Undefined         bool
}

// VarianceComponents are the variances and covariances of each term, in the
// formula's order, and the residual variance.
func (m *Model) VarianceComponents() []Component {
	var out []Component
	for t, r := range m.q.random {
		k := len(r.names)
		s := m.termCovariance(t)
		for i := 0; i < k; i++ {
			out = append(out, Component{Group: r.group, Column: r.names[i], Covariance: s[i*k+i], SDCor: math.Sqrt(s[i*k+i])})
		}
		if !r.correlated {
			continue
		}
		for i := 0; i < k; i++ {
			for j := i + 1; j < k; j++ {
				c := Component{Group: r.group, Column: r.names[i], With: r.names[j], Covariance: s[i*k+j]}
				if d := math.Sqrt(s[i*k+i]) * math.Sqrt(s[j*k+j]); d > 0 {
					c.SDCor = math.Max(-1, math.Min(1, s[i*k+j]/d))
				} else {
					c.Undefined = true
				}
				out = append(out, c)
			}
		}
	}
	return append(out, Component{Group: "Residual", Covariance: m.sigma * m.sigma, SDCor: m.sigma})
}

// termCovariance is sigma^2 Lambda Lambda' of a term, k x k.
func (m *Model) termCovariance(t int) []float64 {
	fac, at, k := m.q.block(t)
	f := m.q.factors[fac]
	out := make([]float64, k*k)
	for i := 0; i < k; i++ {
		for j := 0; j < k; j++ {
			li := m.pt.lambda[fac][(at+i)*f.k : (at+i+1)*f.k]
			lj := m.pt.lambda[fac][(at+j)*f.k : (at+j+1)*f.k]
			out[i*k+j] = m.sigma * m.sigma * dot(li, lj) / (f.scale[at+i] * f.scale[at+j])
		}
	}
	return out
}
