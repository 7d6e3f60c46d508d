package emm

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"gonum.org/v1/gonum/floats"
)

// Weights say how the grid's points are averaged over the variables that are
// not asked for.
type Weights uint8

const (
	Equal        Weights = iota // every combination counts the same: a balanced experiment
	Proportional                // combinations count as often as they occur in the data: a population like the sample
	Outer                       // the product of each variable's own frequencies
	Cells                       // as often as they occur together with the mean's own levels: near the raw means
)

var weightNames = []string{"equal", "proportional", "outer", "cells"}

func (w Weights) String() string { return weightNames[min(int(w), len(weightNames)-1)] }

// ParseWeights reads weights by their name.
func ParseWeights(name string) (Weights, error) {
	if name == "" {
		return Equal, nil
	}
	if i := slices.Index(weightNames, name); i >= 0 {
		return Weights(i), nil
	}
	return 0, fmt.Errorf("no weights %q: %s", name, frame.Choices(name, weightNames))
}

// Means are the marginal means for every combination of the variables of and
// by, averaged over the others. Contrasts and corrections stay within the
// groups of by. With neither there is one mean, over the whole grid.
func (g *Grid) Means(of, by []string, w Weights) (*Set, error) {
	vars := slices.Concat(of, by)
	at := make([]int, len(vars))
	for i, name := range vars {
		var err error
		if at[i], err = g.index(name); err != nil {
			return nil, err
		}
		if slices.Contains(vars[:i], name) {
			return nil, fmt.Errorf("marginal means: %q is named twice", name)
		}
	}
	weights, err := g.weights(at, w)
	if err != nil {
		return nil, err
	}
	s := &Set{model: g.model, Variables: slices.Clone(of), By: slices.Clone(by)}
	cells := 1
	for _, j := range at {
		cells *= len(g.variables[j].levels)
	}
	width := len(g.design.AllNames())
	s.Rows = make([]Row, cells)
	total := make([]float64, cells)
	for k := range s.Rows {
		r := &s.Rows[k]
		r.l = make([]float64, width)
		rest := k
		for i, j := range at {
			v := g.variables[j]
			name := v.levels[rest%len(v.levels)]
			rest /= len(v.levels)
			if i < len(of) {
				r.Levels = append(r.Levels, name)
			} else {
				r.Group = append(r.Group, name)
			}
		}
		r.Label = strings.Join(r.Levels, " ")
		if len(of) == 0 {
			r.Label = "overall"
		}
	}
	for i, p := range g.rows {
		k, size := 0, 1
		for _, j := range at {
			k += p.at[j] * size
			size *= len(g.variables[j].levels)
		}
		total[k] += weights[i]
		floats.AddScaled(s.Rows[k].l, weights[i], p.l)
		s.Rows[k].shift += weights[i] * p.shift
	}
	for k := range s.Rows {
		r := &s.Rows[k]
		if total[k] == 0 {
			r.reason = fmt.Sprintf("%s weights: no row of the data has these levels", w)
			continue
		}
		floats.Scale(1/total[k], r.l)
		r.shift /= total[k]
	}
	return s, nil
}

// weights gives each point its weight among those averaged into one mean.
func (g *Grid) weights(at []int, w Weights) ([]float64, error) {
	out := make([]float64, len(g.rows))
	var over []int
	for j := range g.variables {
		if !slices.Contains(at, j) {
			over = append(over, j)
		}
	}
	key := func(p point, axes []int) int {
		k, size := 0, 1
		for _, j := range axes {
			k += p.at[j] * size
			size *= len(g.variables[j].levels)
		}
		return k
	}
	if w != Equal {
		sum := 0.0
		for _, p := range g.rows {
			sum += p.weight
		}
		if sum == 0 {
			return nil, fmt.Errorf("%s weights: no row of the data has the values of the reference grid; use equal weights, or values that occur", w)
		}
	}
	share := func(axes []int) []float64 {
		sums := map[int]float64{}
		for _, p := range g.rows {
			sums[key(p, axes)] += p.weight
		}
		part := make([]float64, len(g.rows))
		for i, p := range g.rows {
			part[i] = sums[key(p, axes)]
		}
		return part
	}
	switch w {
	case Equal:
		for i := range out {
			out[i] = 1
		}
	case Cells:
		for i, p := range g.rows {
			out[i] = p.weight
		}
	case Proportional:
		return share(over), nil
	case Outer:
		for i := range out {
			out[i] = 1
		}
		for _, j := range over {
			floats.Mul(out, share([]int{j}))
		}
	default:
		return nil, fmt.Errorf("no such weights: %s", frame.Choices("", weightNames))
	}
	return out, nil
}
