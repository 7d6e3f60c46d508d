package trial

import (
	"math"
	"slices"

	"github.com/seed-4012077a/flow/sdk/stats/emm"
)

// at fixes variables of a model.
type at = emm.At

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
		out[i].at = out[i].at.With(more)
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

// values are the numbers at which l fixes a variable.
func (l linear) values(name string) (out []float64) {
	for _, t := range l {
		if v, ok := t.at[name].(float64); ok && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// coefficients is l as a function of the model's coefficients. Rounding of the
// sum leaves some 1e-17 where the exact value is 0; it is set to 0, so that a
// contrast does not depend on a coefficient that it has nothing to do with.
func coefficients(s *emm.Surface, l linear) ([]float64, error) {
	var out, size []float64
	for _, t := range l {
		row, err := s.Mean(t.at)
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
	return s.Coefficients(out)
}
