package trial

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

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
	s := &surface{d: d, factors: d.Factors(), covariates: d.Covariates()}
	for i, c := range s.covariates {
		// A covariate of two values is averaged over them and not over the
		// rows, as emmeans has it: it stands for two conditions.
		if len(c.Values) == 2 {
			s.covariates[i].Mean = (c.Values[0] + c.Values[1]) / 2
		}
	}
	return s
}

// mean is the marginal mean where some variables are fixed: l with l'beta the
// prediction averaged with equal weights over all combinations of the other
// factors' levels, the other covariates at their means (Searle, Speed and
// Milliken 1980).
//
// Factors that are in no term together need not be crossed. With x(a, b) the
// model's columns at levels a of one such group of factors and b of another,
// each column depends on one of them, so x(a, b) = x(0, 0) + [x(a, 0) -
// x(0, 0)] + [x(0, b) - x(0, 0)], and so for the averages.
func (s *surface) mean(fixed at) ([]float64, error) {
	parts := s.parts(fixed)
	points := []at{fixed.with(s.reference(fixed))}
	var ends []int
	for _, part := range parts {
		for _, levels := range combinations(part) {
			points = append(points, points[0].with(levels))
		}
		if len(points) > 100_000 {
			return nil, fmt.Errorf("a marginal mean would average over more than 100000 combinations of levels: give fewer factors or levels")
		}
		ends = append(ends, len(points))
	}
	fr, err := s.frame(points)
	if err != nil {
		return nil, err
	}
	x, err := s.d.Model(fr)
	if err != nil {
		return nil, err
	}
	out := slices.Clone(x.RawRowView(0))
	from := 1
	for _, end := range ends {
		for j, base := range x.RawRowView(0) {
			sum := 0.0
			for i := from; i < end; i++ {
				sum += x.At(i, j) - base
			}
			out[j] += sum / float64(end-from)
		}
		from = end
	}
	return out, nil
}

// reference are the first levels of the factors that are not fixed.
func (s *surface) reference(fixed at) at {
	out := at{}
	for _, f := range s.factors {
		if _, ok := fixed[f.Name]; !ok {
			out[f.Name] = f.Levels[0]
		}
	}
	return out
}

// parts are the factors that are not fixed, those together that a term has
// together.
func (s *surface) parts(fixed at) [][]formula.FactorColumn {
	var free []formula.FactorColumn
	for _, f := range s.factors {
		if _, ok := fixed[f.Name]; !ok {
			free = append(free, f)
		}
	}
	group := make([]int, len(free))
	for i := range group {
		group[i] = i
	}
	for _, t := range s.d.Terms {
		first := -1
		for i, f := range free {
			// A variable may be an expression of the column. To find a name
			// too often costs time only.
			if !slices.ContainsFunc(t.Variables, func(v string) bool { return strings.Contains(v, f.Name) }) {
				continue
			}
			if first < 0 {
				first = group[i]
				continue
			}
			old := group[i]
			for k := range group {
				if group[k] == old {
					group[k] = first
				}
			}
		}
	}
	var parts [][]formula.FactorColumn
	for g := range free {
		var part []formula.FactorColumn
		for i, f := range free {
			if group[i] == g {
				part = append(part, f)
			}
		}
		if part != nil {
			parts = append(parts, part)
		}
	}
	return parts
}

// combinations are all combinations of some factors' levels.
func combinations(factors []formula.FactorColumn) []at {
	all := []at{{}}
	for _, f := range factors {
		var next []at
		for _, a := range all {
			for _, level := range f.Levels {
				next = append(next, a.with(at{f.Name: level}))
			}
			if len(next) > 100_000 {
				return next // the caller says that these are too many
			}
		}
		all = next
	}
	return all
}

// frame has a row for each point, with every column that the model needs.
func (s *surface) frame(points []at) (*frame.Frame, error) {
	fr := frame.New(len(points))
	for _, c := range s.covariates {
		values := make([]float64, len(points))
		for i, p := range points {
			values[i] = c.Mean
			if x, ok := p[c.Name].(float64); ok {
				values[i] = x
			}
		}
		if err := fr.AddNumeric(c.Name, values); err != nil {
			return nil, err
		}
	}
	for _, f := range s.factors {
		codes := make([]int32, len(points))
		for i, p := range points {
			level, _ := p[f.Name].(string)
			k := slices.Index(f.Levels, level)
			if k < 0 {
				return nil, fmt.Errorf("no row of the model has %s = %q: %s", f.Name, level, frame.Choices(level, f.Levels))
			}
			codes[i] = int32(k)
		}
		if err := fr.AddFactor(f.Name, codes, slices.Clone(f.Levels)); err != nil {
			return nil, err
		}
	}
	return fr, nil
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
