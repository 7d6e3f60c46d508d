package glmm

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// Component is a variance (With == "") or a covariance of a random term.
type Component struct {
	Group, Column, With string
	Covariance          float64
	// SDCor is the square root of a variance, or the correlation; 0 and Undefined
	// where a correlation's variance is zero.
	SDCor     float64
	Undefined bool
}

// Components lists Cov(b) = Lambda Lambda' of every random term: variances first,
// then covariances, in the formula's order.
func (m *Model) Components() []Component {
	var out []Component
	for t, r := range m.design.Random {
		cov := m.termCovariance(t)
		for i, name := range r.Names {
			out = append(out, Component{Group: r.Group, Column: name, Covariance: cov.At(i, i), SDCor: math.Sqrt(cov.At(i, i))})
		}
		if !r.Correlated {
			continue
		}
		for i := range r.Names {
			for j := i + 1; j < len(r.Names); j++ {
				c := Component{Group: r.Group, Column: r.Names[i], With: r.Names[j], Covariance: cov.At(i, j)}
				if v := cov.At(i, i) * cov.At(j, j); v > 0 {
					c.SDCor = c.Covariance / math.Sqrt(v)
				} else {
					c.Undefined = true
				}
				out = append(out, c)
			}
		}
	}
	return out
}

// find is the factor and the span of random term t.
func (m *Model) find(t int) (*factor, span) {
	for _, f := range m.lay.factors {
		for _, s := range f.terms {
			if s.term == t {
				return f, s
			}
		}
	}
	return nil, span{}
}

func (m *Model) termCovariance(t int) *mat.SymDense {
	f, s := m.find(t)
	l := f.lambda(m.Theta)
	return sandwich(l, f.k, s, func(a, b int) float64 {
		if a == b {
			return 1
		}
		return 0
	})
}

// sandwich is the span's block of Lambda V Lambda'.
func sandwich(l []float64, k int, s span, v func(a, b int) float64) *mat.SymDense {
	out := mat.NewSymDense(s.k, nil)
	for i := range s.k {
		for j := i; j < s.k; j++ {
			x := 0.0
			for a := range k {
				for b := range k {
					x += l[(s.first+i)*k+a] * v(a, b) * l[(s.first+j)*k+b]
				}
			}
			out.SetSym(i, j, x)
		}
	}
	return out
}

// Modes are the predicted random effects of one term.
type Modes struct {
	Group  string
	Names  []string
	Levels []string
	B      *mat.Dense      // levels x names: conditional modes Lambda u~
	Var    []*mat.SymDense // by level: their conditional covariance Lambda A^{-1} Lambda'
}

// Effects gives the conditional modes of every random term, in the formula's order.
func (m *Model) Effects() []Modes {
	var out []Modes
	for t, r := range m.design.Random {
		f, s := m.find(t)
		l := f.lambda(m.Theta)
		e := Modes{Group: r.Group, Names: r.Names, Levels: r.Levels, B: mat.NewDense(len(r.Levels), s.k, nil)}
		base := m.lay.factors[0].levels * m.lay.factors[0].k
		for g := range r.Levels {
			u := m.u[f.start+g*f.k : f.start+(g+1)*f.k]
			for i := range s.k {
				v := 0.0
				for a := range f.k {
					v += l[(s.first+i)*f.k+a] * u[a]
				}
				e.B.Set(g, i, v)
			}
			e.Var = append(e.Var, sandwich(l, f.k, s, func(a, b int) float64 {
				if f == m.lay.factors[0] {
					return m.parts[g].own[a*f.k+b]
				}
				at := f.start - base + g*f.k
				return m.rest.At(at+a, at+b)
			}))
		}
		out = append(out, e)
	}
	return out
}
