package emm

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seed-4012077a/flow/sdk/stats/estimate"
	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
)

// At fixes variables by their columns' names: float64 for a covariate, string
// for a factor's level.
type At map[string]any

// With fixes further variables, or others in their place.
func (a At) With(more At) At {
	out := maps.Clone(a)
	if out == nil {
		out = At{}
	}
	maps.Copy(out, more)
	return out
}

// Surface is a model's predictions as linear functions of its coefficients.
type Surface struct {
	d          *formula.Design
	factors    []formula.FactorColumn
	covariates []formula.Covariate
}

// NewSurface makes a model's surface.
func NewSurface(m estimate.Linear) *Surface {
	d := m.Design()
	s := &Surface{d: d, factors: d.Factors(), covariates: d.Covariates()}
	for i, c := range s.covariates {
		// A covariate of two values is averaged over them and not over the
		// rows, as emmeans has it: it stands for two conditions.
		if len(c.Values) == 2 {
			s.covariates[i].Mean = (c.Values[0] + c.Values[1]) / 2
		}
	}
	return s
}

// Mean is the marginal mean where some variables are fixed: l, over all of the
// design's columns (AllNames), with l'beta the prediction averaged with equal weights over all combinations of the other
// factors' levels, the other covariates at their means (Searle, Speed and
// Milliken 1980).
//
// Factors that are in no term together need not be crossed. With x(a, b) the
// model's columns at levels a of one such group of factors and b of another,
// each column depends on one of them, so x(a, b) = x(0, 0) + [x(a, 0) -
// x(0, 0)] + [x(0, b) - x(0, 0)], and so for the averages.
func (s *Surface) Mean(fixed At) ([]float64, error) {
	parts := s.parts(fixed)
	points := []At{fixed.With(s.reference(fixed))}
	var ends []int
	for _, part := range parts {
		for _, levels := range combinations(part) {
			points = append(points, points[0].With(levels))
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
	x, err := s.d.ModelAll(fr)
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

// Coefficients turns a linear function of all columns, a mean or a sum of
// means, into one of the model's coefficients. Where columns were dropped as
// combinations of others it is an error unless the function has the same value
// for every way to fit them: unless l'N = 0 for the null space N of X.
func (s *Surface) Coefficients(l []float64) ([]float64, error) {
	if from := undetermined(s.d, l); from != nil {
		return nil, fmt.Errorf("not estimable: it depends on %s, which the data do not determine", strings.Join(from, ", "))
	}
	return kept(s.d, l), nil
}

// reference are the first levels of the factors that are not fixed.
func (s *Surface) reference(fixed At) At {
	out := At{}
	for _, f := range s.factors {
		if _, ok := fixed[f.Name]; !ok {
			out[f.Name] = f.Levels[0]
		}
	}
	return out
}

// parts are the factors that are not fixed, those together that a term has
// together.
func (s *Surface) parts(fixed At) [][]formula.FactorColumn {
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
func combinations(factors []formula.FactorColumn) []At {
	all := []At{{}}
	for _, f := range factors {
		var next []At
		for _, a := range all {
			for _, level := range f.Levels {
				next = append(next, a.With(At{f.Name: level}))
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
func (s *Surface) frame(points []At) (*frame.Frame, error) {
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
