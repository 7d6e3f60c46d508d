package glm

import (
	"fmt"
	"math"
	"slices"
)

// Truncation bounds inverse probability weights; the zero value does not.
type Truncation struct {
	// Max is the largest weight; 0 for none.
	Max float64
	// Quantile of the weights of those who stayed, above which a weight is set
	// to it (0.99 say), and the same below 1 - Quantile; 0 for none. By R's
	// quantile of type 7.
	Quantile float64
}

// DropoutWeights turns a model of dropout (binomial, response 1 for those who
// left) into weights that let those who stayed stand for all: 1 / (1 - p_i), p_i
// the fitted probability of leaving (Robins, Rotnitzky & Zhao 1995). stabilised
// multiplies them by the share that stayed, so that they average about 1. Those
// who left get weight 0. The weights come in the order of the design's rows (n);
// cut counts those that truncation changed.
func DropoutWeights(m *Model, stabilised bool, t Truncation) (weights []float64, cut int, err error) {
	if m.Family.Distribution != BinomialDist {
		return nil, 0, fmt.Errorf("dropout weights come from a binomial model; this one is %s", m.Family)
	}
	if t.Max < 0 || t.Quantile < 0 || t.Quantile >= 1 || (t.Quantile > 0 && t.Quantile <= 0.5) {
		return nil, 0, fmt.Errorf("truncation at weight %v, quantile %v: the weight must be positive and the quantile between 0.5 and 1", t.Max, t.Quantile)
	}
	weights = make([]float64, len(m.Fitted))
	var stayed []float64
	var left, total float64
	for i, y := range m.problem.y {
		if y != 0 && y != 1 {
			return nil, 0, fmt.Errorf("row %d of the dropout model is %v; it must be 1 (left) or 0 (stayed)", rowOf(m.design, i), y)
		}
		left, total = left+m.problem.w[i]*y, total+m.problem.w[i]
		if y == 0 {
			weights[i] = 1 / (1 - m.Fitted[i])
			stayed = append(stayed, weights[i])
		}
	}
	if stabilised {
		share := 1 - left/total
		for i := range weights {
			weights[i] *= share
		}
		for i := range stayed {
			stayed[i] *= share
		}
	}
	lo, hi := 0.0, math.Inf(1)
	if t.Quantile > 0 {
		slices.Sort(stayed)
		lo, hi = quantile(stayed, 1-t.Quantile), quantile(stayed, t.Quantile)
	}
	if t.Max > 0 {
		hi = math.Min(hi, t.Max)
	}
	for i, y := range m.problem.y {
		if y == 1 {
			continue
		}
		if w := math.Min(math.Max(weights[i], lo), hi); w != weights[i] {
			weights[i] = w
			cut++
		}
	}
	return weights, cut, nil
}

// quantile of sorted values by linear interpolation at (n - 1) q (type 7).
func quantile(sorted []float64, q float64) float64 {
	h := float64(len(sorted)-1) * q
	i := int(h)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (h-float64(i))*(sorted[i+1]-sorted[i])
}
