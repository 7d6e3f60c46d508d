package ranking

import (
	"fmt"
	"math"
	"slices"
)

// Ranking orders items, given as positions in the list of names.
type Ranking struct {
	// Places, the best first; items of one place are tied. Items that appear
	// nowhere were not among the alternatives.
	Places [][]int
	// Below lists alternatives known to come after all Places, in no known order
	// (a "top k" ranking).
	Below []int
	// Weight is how often the ranking was seen; 0 counts as once.
	Weight float64
}

// FromRanks makes a ranking of a row of ranks, one an item: 1 is best, equal ranks
// are ties, NaN and 0 mean that the item was not ranked.
func FromRanks(ranks []float64) (Ranking, error) {
	var order []int
	for i, v := range ranks {
		switch {
		case math.IsNaN(v) || v == 0:
		case v < 0 || math.IsInf(v, 0):
			return Ranking{}, fmt.Errorf("the rank of item %d is %v; ranks are 1 for the best, 2, ..., or missing", i+1, v)
		default:
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case ranks[a] < ranks[b]:
			return -1
		case ranks[a] > ranks[b]:
			return 1
		}
		return 0
	})
	var r Ranking
	for j, i := range order {
		if j == 0 || ranks[i] != ranks[order[j-1]] {
			r.Places = append(r.Places, nil)
		}
		r.Places[len(r.Places)-1] = append(r.Places[len(r.Places)-1], i)
	}
	return r, nil
}

// Outcome of a comparison.
type Outcome uint8

const (
	// FirstWins: the item shown first was preferred.
	FirstWins Outcome = iota
	// SecondWins: the other one was.
	SecondWins
	// Tie: neither was.
	Tie
)

// Comparison is of two items, First shown (or playing) first.
type Comparison struct {
	First, Second int
	Outcome       Outcome
	Weight        float64 // how often it was seen; 0 counts as once
}

// choice is one step: the first taken of set were placed together above the rest.
// lead is the position in set of the item shown first, -1 where order has no
// meaning.
type choice struct {
	set    []int
	taken  int
	lead   int
	weight float64
}

// choices of a ranking; the last item left is no choice.
func (r Ranking) choices(items int) ([]choice, error) {
	w := r.Weight
	if w == 0 {
		w = 1
	}
	if !(w > 0) || math.IsInf(w, 1) {
		return nil, fmt.Errorf("the weight %v is not a positive number", r.Weight)
	}
	seen := make([]bool, items)
	var all []int
	for _, p := range append(slices.Clone(r.Places), r.Below) {
		for _, i := range p {
			if i < 0 || i >= items {
				return nil, fmt.Errorf("item %d does not exist; there are %d items, numbered from 0", i, items)
			}
			if seen[i] {
				return nil, fmt.Errorf("item %d occurs twice", i)
			}
			seen[i] = true
			all = append(all, i)
		}
	}
	var out []choice
	at := 0
	for _, p := range r.Places {
		if len(p) == 0 {
			return nil, fmt.Errorf("a place of the ranking is empty")
		}
		if len(all)-at > 1 {
			out = append(out, choice{set: all[at:], taken: len(p), lead: -1, weight: w})
		}
		at += len(p)
	}
	return out, nil
}

func (c Comparison) choice(items int) (choice, error) {
	w := c.Weight
	if w == 0 {
		w = 1
	}
	switch {
	case c.First < 0 || c.First >= items || c.Second < 0 || c.Second >= items:
		return choice{}, fmt.Errorf("items %d and %d: there are %d items, numbered from 0", c.First, c.Second, items)
	case c.First == c.Second:
		return choice{}, fmt.Errorf("item %d is compared with itself", c.First)
	case !(w > 0) || math.IsInf(w, 1):
		return choice{}, fmt.Errorf("the weight %v is not a positive number", c.Weight)
	}
	switch c.Outcome {
	case FirstWins:
		return choice{[]int{c.First, c.Second}, 1, 0, w}, nil
	case SecondWins:
		return choice{[]int{c.Second, c.First}, 1, 1, w}, nil
	case Tie:
		return choice{[]int{c.First, c.Second}, 2, 0, w}, nil
	}
	return choice{}, fmt.Errorf("unknown outcome %d (valid: FirstWins, SecondWins, Tie)", c.Outcome)
}
