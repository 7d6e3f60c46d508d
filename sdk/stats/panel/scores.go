package panel

import (
	"fmt"
	"math"

	"github.com/seed-4012077a/flow/sdk/stats/estimate"
)

// Scores holds sums and numbers of scores by unit and prompt.
type Scores struct {
	prompts int
	sum, n  []float64 // units x prompts
}

// NewScores returns scores without any.
func NewScores(units, prompts int) *Scores {
	return &Scores{prompts: prompts, sum: make([]float64, units*prompts), n: make([]float64, units*prompts)}
}

// Add adds a unit's score on a prompt, both counted from 0.
func (s *Scores) Add(unit, prompt int, score float64) {
	s.sum[unit*s.prompts+prompt] += score
	s.n[unit*s.prompts+prompt]++
}

// Units is the number of units.
func (s *Scores) Units() int { return len(s.sum) / max(1, s.prompts) }

// Select is the scores of some units, in that order.
func (s *Scores) Select(units []int) *Scores {
	out := NewScores(len(units), s.prompts)
	for k, u := range units {
		copy(out.sum[k*s.prompts:(k+1)*s.prompts], s.sum[u*s.prompts:])
		copy(out.n[k*s.prompts:(k+1)*s.prompts], s.n[u*s.prompts:])
	}
	return out
}

// used tells which prompts have a score of any unit.
func (s *Scores) used() []bool {
	out := make([]bool, s.prompts)
	for k, n := range s.n {
		if n > 0 {
			out[k%s.prompts] = true
		}
	}
	return out
}

// totals are each unit's sum and number of scores, prompt j counted weight[j]
// times (nil: once). Units whose use is false are passed over (nil: none), and
// a number of scores that all cells have (each; 0: they differ) saves half the
// work.
func (s *Scores) totals(weight []float64, use []bool, each float64, sum, n []float64) {
	all := 0.0
	for _, w := range weight {
		all += w
	}
	for u := range sum {
		if use != nil && !use[u] {
			continue
		}
		x, c := s.sum[u*s.prompts:(u+1)*s.prompts], s.n[u*s.prompts:(u+1)*s.prompts]
		a, b := 0.0, 0.0
		switch {
		case weight == nil:
			for j := range x {
				a += x[j]
				b += c[j]
			}
		case each > 0:
			for j, w := range weight {
				a += w * x[j]
			}
			b = each * all
		default:
			for j, w := range weight {
				a += w * x[j]
				b += w * c[j]
			}
		}
		sum[u], n[u] = a, b
	}
}

// each is the number of scores in every cell, 0 where cells differ.
func (s *Scores) each() float64 {
	for _, c := range s.n {
		if c != s.n[0] {
			return 0
		}
	}
	if len(s.n) == 0 {
		return 0
	}
	return s.n[0]
}

// Means are the units' mean scores, NaN for a unit without any.
func (s *Scores) Means() []float64 {
	sum, n := make([]float64, s.Units()), make([]float64, s.Units())
	s.totals(nil, nil, 0, sum, n)
	for u := range sum {
		sum[u] /= n[u]
	}
	return sum
}

// Mean is a unit's mean with a t interval over its m prompts: the rows of one
// prompt belong together, so with S_j the sum and n_j the number of them,
//
//	Var(mean) = m/(m-1) sum_j (S_j - n_j mean)^2 / N^2,
//
// which is s^2/N where each prompt has one row.
func (s *Scores) Mean(unit int, level float64) (e estimate.Estimate, rows, prompts int, err error) {
	total, n := 0.0, 0.0
	x, c := s.sum[unit*s.prompts:(unit+1)*s.prompts], s.n[unit*s.prompts:(unit+1)*s.prompts]
	for j := range x {
		total += x[j]
		n += c[j]
		if c[j] > 0 {
			prompts++
		}
	}
	rows = int(n)
	if rows == 0 {
		return estimate.Estimate{Estimate: math.NaN()}, 0, 0, fmt.Errorf("no score")
	}
	mean, ss := total/n, 0.0
	for j := range x {
		d := x[j] - c[j]*mean
		ss += d * d
	}
	if prompts < 2 {
		return estimate.Estimate{Estimate: mean}, rows, prompts, fmt.Errorf("one prompt gives no interval")
	}
	m := float64(prompts)
	e, err = estimate.New("mean", mean, math.Sqrt(m/(m-1)*ss)/n, m-1, level)
	if err != nil && ss == 0 {
		return estimate.Estimate{Estimate: mean}, rows, prompts, fmt.Errorf("all prompts have the same mean score: no interval")
	}
	return e, rows, prompts, err
}

// Rows is a unit's number of scores.
func (s *Scores) Rows(unit int) int {
	n := 0.0
	for _, c := range s.n[unit*s.prompts : (unit+1)*s.prompts] {
		n += c
	}
	return int(n)
}

// Prompts is the number of prompts with a score.
func (s *Scores) Prompts() int {
	n := 0
	for _, used := range s.used() {
		if used {
			n++
		}
	}
	return n
}
