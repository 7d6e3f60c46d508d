package lmm

import (
	"fmt"
	"slices"
)

// covarying are columns of a factor's Z whose covariances are all free.
type covarying struct {
	term    int // in problem.random
	columns []int
}

// blocks are those of a factor: the columns of a term, or each of them by
// itself where the term has no covariances.
func (q *problem) blocks(f *factor) []covarying {
	var out []covarying
	for i, t := range f.terms {
		var all []int
		for c := range q.random[t].names {
			all = append(all, f.start[i]+c)
		}
		if q.random[t].correlated {
			out = append(out, covarying{t, all})
			continue
		}
		for _, c := range all {
			out = append(out, covarying{t, []int{c}})
		}
	}
	return out
}

// undetermined tells of variances that the data do not determine, as a column
// of Z is a linear combination of a block's: of its own, or of another's on
// the same factor. With z = Bw, what the column adds to the variance of the
// response is
//
//	psi zz' = psi Bww'B',
//
// which the block's own covariance gives as well, so that the likelihood has
// no single maximum. A fixed effect loses such a column; a random one keeps
// it, as which variance to leave out is the model's to say.
func (q *problem) undetermined() []string {
	var out []string
	for _, f := range q.factors {
		if f.k == 1 {
			continue
		}
		gram := f.gram(q.n)
		tell := func(own, in covarying, c int) {
			name := q.random[own.term].names[c-f.start[slices.Index(f.terms, own.term)]]
			out = append(out, fmt.Sprintf("the variance of %s in %s is not determined: the column is a linear combination of others in %s; simplify the random terms", name, q.termLabel(own.term), q.termLabel(in.term)))
		}
		blocks := q.blocks(f)
		for a, own := range blocks {
			for i, c := range own.columns {
				if gram.within(own.columns[:i], c) {
					tell(own, own, c)
				}
			}
			for _, other := range blocks[:a] {
				// Of two that give each other the smaller is told of, or the later.
				small, large := own, other
				if len(small.columns) > len(large.columns) {
					small, large = large, small
				}
				said := false
				for _, pair := range [][2]covarying{{small, large}, {large, small}} {
					for _, c := range pair[0].columns {
						if !said && gram.within(pair[1].columns, c) {
							tell(pair[0], pair[1], c)
							said = true
						}
					}
				}
			}
		}
	}
	return out
}

// gram is Z'Z of a factor.
type gram struct {
	k int
	v []float64 // k x k
}

func (f *factor) gram(n int) gram {
	k := f.k
	g := gram{k, make([]float64, k*k)}
	for i := 0; i < n; i++ {
		z := f.z[i*k : i*k+k]
		for r, v := range z {
			for c, w := range z {
				g.v[r*k+c] += v * w
			}
		}
	}
	return g
}

// within tells whether a column is a linear combination of others.
func (g gram) within(others []int, column int) bool {
	others = slices.Clone(others)
	for len(others) > 0 {
		all := append(slices.Clone(others), column)
		m := len(all)
		l := make([]float64, m*m)
		for i, r := range all {
			for j, c := range all {
				l[i*m+j] = g.v[r*g.k+c]
			}
		}
		j := dependent(l, m)
		if j < 0 || j == m-1 {
			return j == m-1
		}
		others = slices.Delete(others, j, j+1) // it adds nothing to those before it
	}
	return false
}
