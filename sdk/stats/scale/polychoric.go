package scale

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mathext"

	"github.com/seed-4012077a/flow/sdk/stats/dist"
)

// The polychoric correlation of two ordered items (Olsson, Psychometrika 44
// (1979) 443-460, two-step). Traits X, Y are standard bivariate normal with
// correlation rho; item x has category i where tau_(i-1) < X <= tau_i. Step one
// takes the thresholds from the margins, tau_i = Phi^-1(share of answers up to
// category i). Step two maximises, for the counts n_ij of the pair's table,
//
//	l(rho) = sum_ij n_ij log P_ij(rho)
//	P_ij   = Phi2(a_i, b_j) - Phi2(a_(i-1), b_j) - Phi2(a_i, b_(j-1)) + Phi2(a_(i-1), b_(j-1)).
//
// As dPhi2/drho is the bivariate density phi2, D_ij = dP_ij/drho is the same
// difference of phi2, and
//
//	l'(rho)  = sum_ij n_ij D_ij / P_ij            (Olsson's equation 13)
//	I(rho)   = n sum_ij D_ij^2 / P_ij             (expected information)

// coded is an item with its categories numbered.
type coded struct {
	code       []int8 // -1: no answer
	categories int
	thresholds []float64
}

func code(items *Items, most int) ([]coded, error) {
	out := make([]coded, len(items.Names))
	for j, column := range items.Columns {
		values := categories(column)
		if len(values) > most || len(values) > math.MaxInt8 {
			return nil, fmt.Errorf("item %q has %d different answers, and polychoric correlations take at most %d: allow more categories, or use pearson or spearman", items.Names[j], len(values), min(most, math.MaxInt8))
		}
		c := coded{code: make([]int8, len(column)), categories: len(values)}
		margin := make([]float64, len(values))
		for i, v := range column {
			if math.IsNaN(v) {
				c.code[i] = -1
				continue
			}
			k, _ := slices.BinarySearch(values, v)
			c.code[i] = int8(k)
			margin[k]++
		}
		c.thresholds = thresholds(margin, sum(margin))
		out[j] = c
	}
	return out, nil
}

// thresholds are the normal quantiles of the cumulated shares of total, one
// fewer than categories.
func thresholds(margin []float64, total float64) []float64 {
	tau, upTo := make([]float64, len(margin)-1), 0.0
	for k := range tau {
		upTo += margin[k]
		tau[k] = mathext.NormalQuantile(upTo / total)
	}
	return tau
}

func sum(x []float64) float64 {
	s := 0.0
	for _, v := range x {
		s += v
	}
	return s
}

// table is a pair's contingency table, rows by columns.
type table struct {
	n          []float64
	rows, cols int
}

func (t *table) at(i, j int) float64 { return t.n[i*t.cols+j] }

func (t *table) margins() (rows, cols []float64, total float64) {
	rows, cols = make([]float64, t.rows), make([]float64, t.cols)
	for i := range t.rows {
		for j := range t.cols {
			n := t.at(i, j)
			rows[i] += n
			cols[j] += n
			total += n
		}
	}
	return rows, cols, total
}

func cross(x, y coded) *table {
	t := &table{n: make([]float64, x.categories*y.categories), rows: x.categories, cols: y.categories}
	for i, a := range x.code {
		if b := y.code[i]; a >= 0 && b >= 0 {
			t.n[int(a)*t.cols+int(b)]++
		}
	}
	return t
}

// dropEmpty leaves out the categories that no row of the pair has.
func (t *table) dropEmpty() *table {
	rows, cols, _ := t.margins()
	out := &table{}
	for _, n := range cols {
		if n > 0 {
			out.cols++
		}
	}
	for i, n := range rows {
		if n == 0 {
			continue
		}
		out.rows++
		for j, m := range cols {
			if m > 0 {
				out.n = append(out.n, t.at(i, j))
			}
		}
	}
	return out
}

// corrected has correct in place of each empty cell.
func (t *table) corrected(correct float64) *table {
	out := &table{n: slices.Clone(t.n), rows: t.rows, cols: t.cols}
	for k, n := range out.n {
		if n == 0 {
			out.n[k] = correct
		}
	}
	return out
}

// polychoric is one entry of the matrix.
func (c *Correlation) polychoric(items []coded, i, j int, o CorrelationOptions) (rho float64, n int, undefined string) {
	x, y := items[i], items[j]
	full := cross(x, y)
	t := full.dropEmpty()
	_, _, total := t.margins()
	n = int(total)
	switch {
	case n < 2:
		return 0, n, fmt.Sprintf("%d rows answer both", n)
	case t.rows < 2 || t.cols < 2:
		return 0, n, fmt.Sprintf("an item is constant in the %d rows that answer both", n)
	}
	a, b := x.thresholds, y.thresholds
	if o.PairThresholds {
		if o.Correct > 0 {
			t = t.corrected(o.Correct)
		}
		rows, cols, all := t.margins()
		// psych takes shares of the answers as they were before the
		// correction, and the last category gives way; so do we, unless there
		// is nothing left of it.
		share := total
		if share <= (1+1e-9)*math.Max(all-rows[len(rows)-1], all-cols[len(cols)-1]) {
			share = all
		}
		a, b = thresholds(rows, share), thresholds(cols, share)
	} else {
		t = full
	}
	fit := fitPair(t, a, b)
	if fit.boundary && !o.PairThresholds && o.Correct > 0 {
		fit = fitPair(t.corrected(o.Correct), a, b)
		c.PairNotes = append(c.PairNotes, Pair{j, i, fmt.Sprintf("empty cells count %g, as the likelihood has no maximum inside (-1, 1) without", o.Correct)})
	}
	switch {
	case fit.boundary:
		return 0, n, "the likelihood has no maximum inside (-1, 1), because of empty cells: merge rare categories or correct for empty cells"
	case !fit.converged:
		return 0, n, "the likelihood's maximum was not found"
	}
	c.SE.SetSym(i, j, fit.se)
	return fit.rho, n, ""
}

// edge is the largest |rho| that counts as inside.
const edge = 0.9999

type pairFit struct {
	rho, se             float64
	boundary, converged bool
}

// fitPair maximises l(rho) by Fisher scoring, kept inside a bracket of the
// root of l' that shrinks with every step and is halved where a step leaves it.
func fitPair(t *table, a, b []float64) pairFit {
	lo, hi := -edge, edge
	if s, _ := score(t, a, b, lo); s <= 0 {
		return pairFit{boundary: true}
	}
	if s, _ := score(t, a, b, hi); s >= 0 {
		return pairFit{boundary: true}
	}
	rho := 0.0
	for range 100 {
		s, info := score(t, a, b, rho)
		switch {
		case s > 0:
			lo = rho
		case s < 0:
			hi = rho
		}
		next := rho + s/info
		if !(next > lo && next < hi) && s != 0 {
			next = (lo + hi) / 2
		}
		if step := math.Abs(next - rho); step < 1e-10 || hi-lo < 1e-12 {
			return pairFit{rho: next, se: 1 / math.Sqrt(info), converged: info > 0}
		}
		rho = next
	}
	return pairFit{}
}

// score returns l'(rho) and the expected information I(rho) of a pair.
func score(t *table, a, b []float64, rho float64) (l1, info float64) {
	// Corners (i, j) of the grid of thresholds; below the first it is 0, above
	// the last it is a margin, whose density is 0.
	last := len(b) + 1
	P, D := make([]float64, 2*(last+1)), make([]float64, 2*(last+1))
	above, aboveD := P[:last+1], D[:last+1]
	here, hereD := P[last+1:], D[last+1:]
	total, impossible := sum(t.n), false
	for i := range t.rows {
		h := math.Inf(1)
		if i < len(a) {
			h = a[i]
		}
		for j := 1; j <= last; j++ {
			k := math.Inf(1)
			if j <= len(b) {
				k = b[j-1]
			}
			here[j], hereD[j] = dist.BivariateNormal(h, k, rho), dist.BivariateNormalDensity(h, k, rho)
		}
		for j := range t.cols {
			p := here[j+1] - here[j] - above[j+1] + above[j]
			d := hereD[j+1] - hereD[j] - aboveD[j+1] + aboveD[j]
			// Differences of probabilities near 1 have no digits below this. A
			// cell with answers can't be that improbable: rho is too far out.
			if p < 1e-15 {
				p = 1e-16
				if t.at(i, j) > 0 {
					impossible = true
				}
			}
			l1 += t.at(i, j) * d / p
			info += total * d * d / p
		}
		above, here = here, above
		aboveD, hereD = hereD, aboveD
	}
	if impossible {
		l1 = math.Inf(1)
		if rho > 0 {
			l1 = math.Inf(-1)
		}
	}
	return l1, info
}
