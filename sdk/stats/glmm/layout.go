package glmm

import (
	"fmt"
	"slices"

	"github.com/seed-4012077a/flow/sdk/stats/formula"
)

// factor is one grouping factor with all random terms that have it: level g owns
// the k spherical effects u[start + g k ...].
type factor struct {
	group  string
	levels int
	k      int
	index  []int32   // n; the level of each row
	z      []float64 // n x k
	free   []entry   // the entries of its Lambda that are parameters
	start  int
	terms  []span
}

// span says where a random term's columns lie in its factor.
type span struct{ term, first, k int }

// entry is Lambda[row, col] = theta[at].
type entry struct{ row, col, at int }

// layout is how random effects lie in u: the factor with most effects first,
// which is eliminated block by block; the rest is dense.
type layout struct {
	factors []*factor
	thetas  int
	effects int // q
	rest    int // effects of all factors but the first
}

// newLayout groups the terms by factor. Theta runs through the terms in the
// formula's order, and through each triangle by columns, as lme4's does.
func newLayout(random []formula.Random, n int) (*layout, error) {
	lay := &layout{}
	byGroup := map[string]*factor{}
	columns := map[*factor][][]float64{}
	for t, r := range random {
		if len(r.Levels) < 2 {
			return nil, fmt.Errorf("random term (%s): the group %s has %d level; a variance between groups needs at least two", r.Text, r.Group, len(r.Levels))
		}
		if len(r.Index) != n {
			return nil, fmt.Errorf("random term (%s) has %d rows, the response %d", r.Text, len(r.Index), n)
		}
		f := byGroup[r.Group]
		if f == nil {
			f = &factor{group: r.Group, levels: len(r.Levels), index: r.Index}
			byGroup[r.Group] = f
			lay.factors = append(lay.factors, f)
		}
		_, k := r.Z.Dims()
		first := f.k
		f.terms = append(f.terms, span{t, first, k})
		for j := range k {
			col := make([]float64, n)
			for i := range col {
				col[i] = r.Z.At(i, j)
			}
			columns[f] = append(columns[f], col)
			for i := j; i < k; i++ {
				if i == j || r.Correlated {
					f.free = append(f.free, entry{first + i, first + j, lay.thetas})
					lay.thetas++
				}
			}
		}
		f.k += k
	}
	slices.SortStableFunc(lay.factors, func(a, b *factor) int { return b.levels*b.k - a.levels*a.k })
	for _, f := range lay.factors {
		f.z = make([]float64, n*f.k)
		for j, col := range columns[f] {
			for i, v := range col {
				f.z[i*f.k+j] = v
			}
		}
		f.start = lay.effects
		lay.effects += f.levels * f.k
	}
	lay.rest = lay.effects - lay.factors[0].levels*lay.factors[0].k
	return lay, nil
}

// lambda is the factor's k x k lower triangle, by rows.
func (f *factor) lambda(theta []float64) []float64 {
	l := make([]float64, f.k*f.k)
	for _, e := range f.free {
		l[e.row*f.k+e.col] = theta[e.at]
	}
	return l
}

// diagonal marks the thetas on the diagonal of their triangles.
func (lay *layout) diagonal() []bool {
	d := make([]bool, lay.thetas)
	for _, f := range lay.factors {
		for _, e := range f.free {
			d[e.at] = e.row == e.col
		}
	}
	return d
}
