package trial

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/seed-4012077a/flow/sdk/stats/estimate"
	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
)

// at fixes variables: numbers for covariates, levels for factors.
type at map[string]any

func (a at) with(more at) at {
	out := maps.Clone(a)
	if out == nil {
		out = at{}
	}
	maps.Copy(out, more)
	return out
}

// surface is a model's predictions as linear functions of its coefficients.
type surface struct {
	d          *formula.Design
	factors    []formula.FactorColumn
	covariates []formula.Covariate
}

func surfaceOf(m estimate.Linear) *surface {
	d := m.Design()
	return &surface{d: d, factors: d.Factors(), covariates: d.Covariates()}
}

// mean is the marginal mean where some variables are fixed: l with l'beta the
// prediction averaged with equal weights over all combinations of the other
// factors' levels, the other covariates at their means (Searle, Speed and
// Milliken 1980).
func (s *surface) mean(fixed at) ([]float64, error) {
	size := 1
	var free []formula.FactorColumn
	for _, f := range s.factors {
		if _, ok := fixed[f.Name]; !ok {
			free = append(free, f)
			if size *= len(f.Levels); size > 100_000 {
				return nil, fmt.Errorf("a marginal mean would average over more than 100000 combinations of levels: give fewer factors or levels")
			}
		}
	}
	fr := frame.New(size)
	for _, c := range s.covariates {
		v := c.Mean
		if x, ok := fixed[c.Name].(float64); ok {
			v = x
		}
		if err := fr.AddNumeric(c.Name, slices.Repeat([]float64{v}, size)); err != nil {
			return nil, err
		}
	}
	repeat := 1
	for _, f := range s.factors {
		codes := make([]int32, size)
		if level, ok := fixed[f.Name].(string); ok {
			k := slices.Index(f.Levels, level)
			if k < 0 {
				return nil, fmt.Errorf("no row of the model has %s = %q: %s", f.Name, level, frame.Choices(level, f.Levels))
			}
			for i := range codes {
				codes[i] = int32(k)
			}
		} else {
			for i := range codes {
				codes[i] = int32(i / repeat % len(f.Levels))
			}
			repeat *= len(f.Levels)
		}
		if err := fr.AddFactor(f.Name, codes, slices.Clone(f.Levels)); err != nil {
			return nil, err
		}
	}
	x, err := s.d.Model(fr)
	if err != nil {
		return nil, err
	}
	n, p := x.Dims()
	out := make([]float64, p)
	for i := range n {
		for j := range p {
			out[j] += x.At(i, j) / float64(n)
		}
	}
	return out, nil
}

// linear is a sum of marginal means with weights.
type linear []term

type term struct {
	weight float64
	at     at
}

// mean1 is one marginal mean.
func mean1(a at) linear { return linear{{1, a}} }

// fix fixes further variables in every mean.
func (l linear) fix(more at) linear {
	out := slices.Clone(l)
	for i := range out {
		out[i].at = out[i].at.with(more)
	}
	return out
}

// minus is l - m, plus l + m, times l scaled.
func (l linear) minus(m linear) linear { return l.plus(m.times(-1)) }

func (l linear) plus(m linear) linear { return slices.Concat(l, m) }

func (l linear) times(c float64) linear {
	out := slices.Clone(l)
	for i := range out {
		out[i].weight *= c
	}
	return out
}

// average is the mean of several.
func average(all ...linear) linear {
	var out linear
	for _, l := range all {
		out = out.plus(l.times(1 / float64(len(all))))
	}
	return out
}

// coefficients is l as a function of the model's coefficients. Rounding of the
// sum leaves some 1e-17 where the exact value is 0; it is set to 0, so that a
// contrast does not depend on a coefficient that it has nothing to do with.
func (s *surface) coefficients(l linear) ([]float64, error) {
	var out, size []float64
	for _, t := range l {
		row, err := s.mean(t.at)
		if err != nil {
			return nil, err
		}
		if out == nil {
			out, size = make([]float64, len(row)), make([]float64, len(row))
		}
		for j, v := range row {
			out[j] += t.weight * v
			size[j] += math.Abs(t.weight * v)
		}
	}
	for j := range out {
		if math.Abs(out[j]) <= 1e-13*size[j] {
			out[j] = 0
		}
	}
	return out, nil
}
