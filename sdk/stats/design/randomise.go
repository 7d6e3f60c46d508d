package design

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
)

// Factor is a factor of a trial and its levels. Ratio has a whole number for
// each level, how often it occurs relative to the others; nil means equally.
type Factor struct {
	Name   string   `json:"name"`
	Levels []string `json:"levels"`
	Ratio  []int    `json:"ratio,omitempty"`
}

// UnmarshalJSON takes levels that are texts or numbers.
func (f *Factor) UnmarshalJSON(data []byte) error {
	var raw struct {
		Name   string            `json:"name"`
		Levels []json.RawMessage `json:"levels"`
		Ratio  []int             `json:"ratio"`
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&raw); err != nil {
		return fmt.Errorf("factor: %w", err)
	}
	*f = Factor{Name: raw.Name, Ratio: raw.Ratio}
	for _, l := range raw.Levels {
		var text string
		var number float64
		if json.Unmarshal(l, &text) != nil {
			if err := json.Unmarshal(l, &number); err != nil {
				return fmt.Errorf("factor %q: the level %s is neither a text nor a number", raw.Name, l)
			}
			text = strconv.FormatFloat(number, 'g', -1, 64)
		}
		f.Levels = append(f.Levels, text)
	}
	return nil
}

// Numbers returns the levels as numbers, and whether all of them are.
func (f Factor) Numbers() ([]float64, bool) {
	out := make([]float64, len(f.Levels))
	for i, l := range f.Levels {
		v, err := strconv.ParseFloat(l, 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, false
		}
		out[i] = v
	}
	return out, true
}

// check says what is wrong with a factor.
func (f Factor) check() error {
	switch {
	case f.Name == "":
		return fmt.Errorf("a factor has no name")
	case len(f.Levels) == 0:
		return fmt.Errorf("factor %q has no levels", f.Name)
	case f.Ratio != nil && len(f.Ratio) != len(f.Levels):
		return fmt.Errorf("factor %q has %d levels and a ratio of %d numbers: give one for each level", f.Name, len(f.Levels), len(f.Ratio))
	}
	for i, l := range f.Levels {
		if slices.Contains(f.Levels[:i], l) {
			return fmt.Errorf("factor %q has the level %q twice", f.Name, l)
		}
		if f.Ratio != nil && f.Ratio[i] < 1 {
			return fmt.Errorf("factor %q: the ratio of level %q is %d; a ratio is a whole number from 1", f.Name, l, f.Ratio[i])
		}
	}
	return nil
}

func (f Factor) ratio(level int) int {
	if f.Ratio == nil {
		return 1
	}
	return f.Ratio[level]
}

// arms returns every combination of the factors' levels, the last factor's
// varying fastest, each as often as its ratio says: the smallest block.
func arms(factors []Factor) ([][]int, error) {
	block := [][]int{{}}
	for i, f := range factors {
		if err := f.check(); err != nil {
			return nil, err
		}
		for _, g := range factors[:i] {
			if g.Name == f.Name {
				return nil, fmt.Errorf("factor %q is given twice", f.Name)
			}
		}
		size := 0
		for level := range f.Levels {
			if size += f.ratio(level); size*len(block) > maxBlock || f.ratio(level) > maxBlock {
				return nil, fmt.Errorf("the factors make a block of more than %d assignments: give fewer levels or smaller ratios", maxBlock)
			}
		}
		var next [][]int
		for _, arm := range block {
			for level := range f.Levels {
				for range f.ratio(level) {
					next = append(next, append(slices.Clone(arm), level))
				}
			}
		}
		block = next
	}
	return block, nil
}

// maxBlock bounds a block: longer ones balance nothing in a trial that can be
// run.
const maxBlock = 100_000

// Assignment is one place of a randomisation list.
type Assignment struct {
	Stratum int   // index into the strata, in the order of Strata
	Block   int   // within the stratum, from 1
	Place   int   // within the stratum, from 1
	Levels  []int // a level of each factor
}

// List is how to make a randomisation list.
type List struct {
	Factors []Factor // what is assigned
	Strata  []Factor // what the list is made apart for; none: one list
	// Blocks are the sizes of the blocks, in multiples of the smallest block
	// that has every arm in its ratio. With several sizes each block's is
	// drawn, so that the end of a block cannot be told from the list's past
	// (ICH E9, section 2.3.2). Nil means 1; 0 alone means no blocks: simple
	// randomisation.
	Blocks []int
	// N is how many places each stratum's list has. Blocks are completed, so
	// a list may be longer by part of one.
	N int
}

// Make draws the list. The same list and seed give the same assignments on
// every machine.
func (l List) Make(seed uint64) ([]Assignment, error) {
	if len(l.Factors) == 0 {
		return nil, fmt.Errorf("there is no factor to assign")
	}
	if l.N < 1 || l.N > 10_000_000 {
		return nil, fmt.Errorf("a list of %d places is asked for; give 1 to 10000000", l.N)
	}
	block, err := arms(l.Factors)
	if err != nil {
		return nil, err
	}
	strata, err := l.strata()
	if err != nil {
		return nil, err
	}
	sizes := l.Blocks
	if sizes == nil {
		sizes = []int{1}
	}
	simple := len(sizes) == 1 && sizes[0] == 0
	for _, s := range sizes {
		if !simple && (s < 1 || s*len(block) > maxBlock) {
			return nil, fmt.Errorf("a block size of %d is asked for; a size is a multiple, from 1, of the %d assignments that hold every arm in its ratio, or 0 alone for no blocks", s, len(block))
		}
	}
	if len(strata)*l.N > 10_000_000 {
		return nil, fmt.Errorf("%d strata of %d places make more than 10000000 assignments", len(strata), l.N)
	}
	var out []Assignment
	for s := range strata {
		// A stream of its own for each stratum: a stratum that is added later
		// leaves the others' lists as they are.
		r := rand.New(rand.NewPCG(seed, uint64(s)+1))
		for place, number := 1, 1; place <= l.N; number++ {
			if simple {
				out = append(out, Assignment{s, 0, place, block[r.IntN(len(block))]})
				place++
				continue
			}
			var places [][]int
			for range sizes[r.IntN(len(sizes))] {
				places = append(places, block...)
			}
			r.Shuffle(len(places), func(i, j int) { places[i], places[j] = places[j], places[i] })
			for _, levels := range places {
				out = append(out, Assignment{s, number, place, levels})
				place++
			}
		}
	}
	return out, nil
}

// StratumLevels returns the level of each factor in Strata that a stratum
// stands for.
func (l List) StratumLevels(stratum int) ([]int, error) {
	strata, err := l.strata()
	if err != nil {
		return nil, err
	}
	if stratum < 0 || stratum >= len(strata) {
		return nil, fmt.Errorf("there are %d strata, and no stratum %d", len(strata), stratum)
	}
	return strata[stratum], nil
}

// strata returns every combination of the strata's levels, once.
func (l List) strata() ([][]int, error) {
	once := slices.Clone(l.Strata)
	for i := range once {
		once[i].Ratio = nil
	}
	strata, err := arms(once)
	if err != nil {
		return nil, fmt.Errorf("strata: %w", err)
	}
	return strata, nil
}
