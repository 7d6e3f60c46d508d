package lmm

import (
	"fmt"

	"gonum.org/v1/gonum/mat"
)

// Effects are the random effects of one grouping factor: their conditional
// means given the data (best linear unbiased predictions) and conditional
// variances given beta, as lme4's ranef with condVar.
type Effects struct {
	Group   string
	Columns []string // k, those of all the factor's terms
	Levels  []string // q
	Mean    *mat.Dense
	Var     []*mat.SymDense // q matrices of k x k
}

// RandomEffects are those of every grouping factor, in the formula's order.
//
// With u_g = Z_g'V^-1(y - X beta), the conditional mean of a level's b is
// Lambda Lambda'u_g, as Cov(b, y) = sigma^2 Lambda Lambda'Z'; the conditional
// variance is the level's block of sigma^2 Lambda (Lambda'Z'Z Lambda + I)^-1
// Lambda'.
func (m *Model) RandomEffects() ([]Effects, error) {
	modes, err := m.modes()
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.f.at(m.pt.theta); err != nil {
		return nil, err
	}
	out := make([]Effects, len(m.q.factors))
	for i, f := range m.q.factors {
		k := f.k
		e := Effects{Group: f.group, Levels: append([]string(nil), f.levels...), Mean: mat.NewDense(len(f.levels), k, modes[i]), Var: make([]*mat.SymDense, len(f.levels))}
		for _, t := range f.terms {
			e.Columns = append(e.Columns, m.q.random[t].names...)
		}
		for g := range f.levels {
			s, err := m.f.k.spread(i, g)
			if err != nil {
				return nil, err
			}
			v := mat.NewSymDense(k, nil)
			for r := 0; r < k; r++ {
				for c := r; c < k; c++ {
					v.SetSym(r, c, m.sigma*m.sigma*s[r*k+c]/(f.scale[r]*f.scale[c]))
				}
			}
			e.Var[g] = v
		}
		out[i] = e
	}
	return out, nil
}

// modes are the conditional means of each factor, levels x k.
func (m *Model) modes() ([][]float64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.f.at(m.pt.theta); err != nil {
		return nil, err
	}
	u, err := m.f.k.modes(m.pt.b)
	if err != nil {
		return nil, err
	}
	for i, f := range m.q.factors {
		k, l := f.k, m.pt.lambda[i]
		s := make([]float64, k*k)
		multiplyT(s, l, l, k)
		b := make([]float64, k)
		for at := 0; at < len(u[i]); at += k {
			for r := range b {
				b[r] = dot(s[r*k:r*k+k], u[i][at:]) / f.scale[r]
			}
			copy(u[i][at:], b)
		}
	}
	return u, nil
}

// LevelCoefficients are the sums of fixed and random effects of each level of
// a grouping factor, as lme4's coef: levels x columns, for the columns of the
// factor's terms. A column without a fixed effect of its name has that of 0.
func (m *Model) LevelCoefficients(group string) (levels, columns []string, coef *mat.Dense, err error) {
	modes, err := m.modes()
	if err != nil {
		return nil, nil, nil, err
	}
	for i, f := range m.q.factors {
		if f.group != group {
			continue
		}
		for _, t := range f.terms {
			columns = append(columns, m.q.random[t].names...)
		}
		coef = mat.NewDense(len(f.levels), f.k, modes[i])
		for c, name := range columns {
			for j, n := range m.q.names {
				if n != name {
					continue
				}
				for g := range f.levels {
					coef.Set(g, c, coef.At(g, c)+m.beta[j])
				}
			}
		}
		return append([]string(nil), f.levels...), columns, coef, nil
	}
	var names []string
	for _, f := range m.q.factors {
		names = append(names, fmt.Sprintf("%q", f.group))
	}
	return nil, nil, nil, fmt.Errorf("no grouping factor %q; the model has %v", group, names)
}

// Fitted are the conditional means X beta + Z b + offset of the rows.
func (m *Model) Fitted() ([]float64, error) {
	modes, err := m.modes()
	if err != nil {
		return nil, err
	}
	out := m.population()
	m.addEffects(out, modes)
	return out, nil
}

// Residuals are y minus the conditional means.
func (m *Model) Residuals() ([]float64, error) {
	fit, err := m.Fitted()
	if err != nil {
		return nil, err
	}
	for i := range fit {
		fit[i] = m.q.yy[i] + m.q.offset(i) - fit[i]
	}
	return fit, nil
}

// population is X beta + offset of the rows that were fitted: the rows of
// [X y] are centred and weighted, so y - X beta = row b / root.
func (m *Model) population() []float64 {
	q := m.q
	out := make([]float64, q.n)
	for i := range out {
		e := dot(q.xy[i*q.w:(i+1)*q.w], m.pt.b)
		if q.root != nil {
			e /= q.root[i]
		}
		out[i] = q.yy[i] - e + q.offset(i)
	}
	return out
}

// addEffects adds Zb for effects b of the user's columns, levels x k a factor.
func (m *Model) addEffects(out []float64, b [][]float64) {
	for t := range m.q.random {
		r := &m.q.random[t]
		fac, at, k := m.q.block(t)
		kf := m.q.factors[fac].k
		for i := range out {
			out[i] += dot(r.z[i*k:(i+1)*k], b[fac][int(r.index[i])*kf+at:])
		}
	}
}
