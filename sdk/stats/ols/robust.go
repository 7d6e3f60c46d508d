package ols

import (
	"fmt"

	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"gonum.org/v1/gonum/mat"
)

// Covariance is a kind of covariance of the coefficients.
type Covariance uint8

const (
	Classical Covariance = iota // sigma^2 (X'WX)^-1
	HC0                         // White (1980)
	HC1                         // HC0 times n/(n-p)
	HC2                         // squared residuals over 1-h
	HC3                         // squared residuals over (1-h)^2
	CR0                         // clusters, no correction
	CR1                         // CR0 times G/(G-1)
	CR1S                        // CR1 times (n-1)/(n-p): Stata's, and the default of R's sandwich::vcovCL
)

var covarianceNames = [...]string{"classical", "HC0", "HC1", "HC2", "HC3", "CR0", "CR1", "CR1S"}

func (c Covariance) String() string {
	if int(c) < len(covarianceNames) {
		return covarianceNames[c]
	}
	return fmt.Sprintf("Covariance(%d)", uint8(c))
}

// ParseCovariance reads a covariance by its name.
func ParseCovariance(name string) (Covariance, error) {
	for i, n := range covarianceNames {
		if n == name {
			return Covariance(i), nil
		}
	}
	return 0, fmt.Errorf("no covariance %q: %s", name, frame.Choices(name, covarianceNames[:]))
}

// With returns the same fit with another covariance of its coefficients.
func (m *Model) With(o Options) (*Model, error) {
	out := *m
	var err error
	if out.covariance, out.df, out.clusters, err = m.vcov(o); err != nil {
		return nil, err
	}
	out.kind = o.Covariance
	return &out, nil
}

// vcov is B M B with B = (X'WX)^-1 and the middle M of the kind; for the
// classical one sigma^2 B. It gives the degrees of freedom of t too.
func (m *Model) vcov(o Options) (*mat.SymDense, float64, int, error) {
	n, p := float64(m.n), float64(len(m.beta))
	clustered := o.Covariance == CR0 || o.Covariance == CR1 || o.Covariance == CR1S
	switch {
	case clustered && o.Cluster == "":
		return nil, 0, 0, fmt.Errorf("covariance %s needs the column of the clusters", o.Covariance)
	case !clustered && o.Cluster != "":
		return nil, 0, 0, fmt.Errorf("covariance %s has no clusters; CR0, CR1 and CR1S do", o.Covariance)
	case o.Covariance > CR1S:
		return nil, 0, 0, fmt.Errorf("no covariance %s: %s", o.Covariance, frame.Choices("", covarianceNames[:]))
	case o.Covariance == Classical:
		v := mat.NewSymDense(len(m.beta), nil)
		v.ScaleSym(m.rss/(n-p), m.unscaled)
		return v, n - p, 0, nil
	}
	if !clustered {
		middle, err := m.squares(o.Covariance)
		if err != nil {
			return nil, 0, 0, err
		}
		scale := 1.0
		if o.Covariance == HC1 {
			scale = n / (n - p)
		}
		return m.sandwich(middle, scale), n - p, 0, nil
	}
	middle, groups, err := m.sums(o.Cluster)
	if err != nil {
		return nil, 0, 0, err
	}
	g, scale := float64(groups), 1.0
	if o.Covariance != CR0 {
		scale = g / (g - 1)
	}
	if o.Covariance == CR1S {
		scale *= (n - 1) / (n - p)
	}
	return m.sandwich(middle, scale), g - 1, groups, nil
}

// squares is sum u_i^2 x_i x_i' with u = w r, over the power of 1-h that the
// kind takes.
func (m *Model) squares(kind Covariance) (*mat.SymDense, error) {
	d := m.design
	out := mat.NewSymDense(len(m.beta), nil)
	for i, r := range m.residuals {
		w := 1.0
		if m.weights != nil {
			w = m.weights[i]
		}
		if w == 0 {
			continue
		}
		u2 := w * r * w * r
		if rest := 1 - m.leverage[i]; kind == HC2 || kind == HC3 {
			if rest < 1e-10 {
				return nil, fmt.Errorf("%s: row %d has leverage 1 (it alone decides a coefficient): %s is not defined; HC1 is", d.Formula, d.Rows[i]+1, kind)
			}
			u2 /= rest
			if kind == HC3 {
				u2 /= rest
			}
		}
		out.SymRankOne(out, u2, mat.NewVecDense(len(m.beta), d.X.RawRowView(i)))
	}
	return out, nil
}

// sums is the sum over clusters of s_g s_g', s_g = sum of w_i r_i x_i in g.
func (m *Model) sums(column string) (*mat.SymDense, int, error) {
	d := m.design
	c, ok := d.Source().Column(column)
	if !ok {
		return nil, 0, fmt.Errorf("clusters: %w", d.Source().Unknown(column))
	}
	c = c.Select(d.Rows).ToFactor()
	p := len(m.beta)
	score := make(map[int32][]float64, len(c.Levels))
	for i, r := range m.residuals {
		k := c.Codes[i]
		if k < 0 {
			return nil, 0, fmt.Errorf("clusters %s: row %d is missing; drop such rows before the fit", column, d.Rows[i]+1)
		}
		w := 1.0
		if m.weights != nil {
			w = m.weights[i]
		}
		if w == 0 {
			continue
		}
		s := score[k]
		if s == nil {
			s = make([]float64, p)
			score[k] = s
		}
		for j, x := range d.X.RawRowView(i) {
			s[j] += w * r * x
		}
	}
	if len(score) < 2 {
		return nil, 0, fmt.Errorf("clusters %s: there is one cluster; a cluster-robust covariance needs many", column)
	}
	out := mat.NewSymDense(p, nil)
	for k := range c.Levels { // in the order of levels, so that sums have the same bits each time
		if s := score[int32(k)]; s != nil {
			out.SymRankOne(out, 1, mat.NewVecDense(p, s))
		}
	}
	return out, len(score), nil
}

func (m *Model) sandwich(middle *mat.SymDense, scale float64) *mat.SymDense {
	p := len(m.beta)
	var left, all mat.Dense
	left.Mul(m.unscaled, middle)
	all.Mul(&left, m.unscaled)
	out := mat.NewSymDense(p, nil)
	for i := 0; i < p; i++ {
		for j := i; j < p; j++ {
			out.SetSym(i, j, scale*(all.At(i, j)+all.At(j, i))/2)
		}
	}
	return out
}
