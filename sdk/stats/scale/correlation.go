package scale

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/mat"
)

// Method is a kind of correlation.
type Method string

const (
	Polychoric Method = "polychoric" // of normal traits behind ordered categories; tetrachoric for two categories
	Pearson    Method = "pearson"
	Spearman   Method = "spearman" // Pearson's of ranks within each pair's rows, ties sharing their mean rank
)

// CorrelationOptions says how to correlate. Start from Defaults.
type CorrelationOptions struct {
	Method Method
	// Complete uses only rows in which every item is answered; otherwise each
	// pair uses the rows that answer both.
	Complete bool
	// PairThresholds estimates a pair's thresholds from the rows that answer
	// both; otherwise an item has one set of thresholds, from all its answers.
	// The first is psych's global=FALSE (to which psych falls back by itself
	// where items differ in their number of categories) and polycor's; the
	// second is psych's global=TRUE. Without missing answers they agree.
	PairThresholds bool
	// Correct is the count that stands in for an empty cell of a pair's table,
	// 0 for none. As in psych it acts with PairThresholds, where it moves the
	// thresholds too (shares are of the count before the correction). With thresholds by item a pair is corrected only where its
	// likelihood would else rise to |rho| = 1; the pair is then listed in Notes.
	Correct float64
	// MaxCategories is the most distinct answers an item may have for a
	// polychoric correlation.
	MaxCategories int
	// Smooth makes a matrix that is not positive definite so (see Smooth).
	Smooth bool
}

// Defaults are polychoric, pairwise, thresholds by item, correction 0.5, at
// most 12 categories, smoothed: psych::polychoric's, whose limit is 8.
func Defaults() CorrelationOptions {
	return CorrelationOptions{Method: Polychoric, Correct: 0.5, MaxCategories: 12, Smooth: true}
}

// Pair names two items of a correlation matrix by index.
type Pair struct {
	I, J int
	Text string
}

// Correlation is a correlation matrix of the items that vary.
type Correlation struct {
	Method Method
	Names  []string
	// R is NaN exactly at the pairs in Undefined.
	R *mat.SymDense
	// N is the number of rows behind each entry.
	N [][]int
	// SE holds standard errors of polychoric correlations with thresholds held
	// fixed, from the expected information; nil for other methods.
	SE *mat.SymDense
	// Thresholds of each item, from all its answers; nil unless polychoric.
	Thresholds [][]float64
	// Rows have an answer to at least one item (to all, if Complete).
	Rows      int
	Excluded  []Exclusion
	Undefined []Pair // pairs without a correlation, and why
	PairNotes []Pair // what was done to get a pair's correlation
	Smoothed  *Smoothing
}

// Correlate correlates all pairs of items. Items without variance are
// excluded; an error means that nothing could be correlated at all or that an
// option does not fit.
func Correlate(items *Items, o CorrelationOptions) (*Correlation, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	c := &Correlation{Method: o.Method}
	if o.Complete {
		rows := items.complete()
		if len(rows) < 2 {
			least, n := "", 0
			for j, name := range items.Names {
				if m := present(items.Columns[j]); j == 0 || m < n {
					least, n = name, m
				}
			}
			return nil, fmt.Errorf("%d of %d rows answer every item, and complete rows were asked for: leave an item out (fewest answers: %q, %d) or use pairwise rows", len(rows), items.Rows(), least, n)
		}
		items = items.Select(rows)
	}
	used := &Items{}
	for j, name := range items.Names {
		if reason := unusable(items.Columns[j]); reason != "" {
			c.Excluded = append(c.Excluded, Exclusion{name, reason})
			continue
		}
		used.Names = append(used.Names, name)
		used.Columns = append(used.Columns, items.Columns[j])
	}
	if len(used.Names) < 2 {
		return nil, fmt.Errorf("a correlation needs two items that vary, and there is %d: %s", len(used.Names), exclusions(c.Excluded))
	}
	c.Names, c.Rows = used.Names, used.answered()
	p := len(c.Names)
	c.R = mat.NewSymDense(p, nil)
	c.N = make([][]int, p)
	for i := range c.N {
		c.N[i] = make([]int, p)
	}
	var pair func(i, j int) (r float64, n int, undefined string)
	switch o.Method {
	case Polychoric:
		coded, err := code(used, o.MaxCategories)
		if err != nil {
			return nil, err
		}
		c.SE = mat.NewSymDense(p, nil)
		for _, it := range coded {
			c.Thresholds = append(c.Thresholds, it.thresholds)
		}
		pair = func(i, j int) (float64, int, string) { return c.polychoric(coded, i, j, o) }
	default:
		pair = func(i, j int) (float64, int, string) {
			return moment(used.Columns[i], used.Columns[j], o.Method == Spearman)
		}
	}
	for i := range p {
		c.R.SetSym(i, i, 1)
		c.N[i][i] = present(used.Columns[i])
		for j := range i {
			r, n, undefined := pair(i, j)
			if undefined != "" {
				c.Undefined = append(c.Undefined, Pair{j, i, undefined})
				r = math.NaN()
			}
			c.R.SetSym(i, j, r)
			c.N[i][j], c.N[j][i] = n, n
		}
	}
	if o.Smooth && len(c.Undefined) == 0 {
		var err error
		if c.R, c.Smoothed, err = Smooth(c.R); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (o CorrelationOptions) check() error {
	switch o.Method {
	case Pearson, Spearman:
		return nil
	case Polychoric:
	default:
		return fmt.Errorf("there is no correlation %q; there are polychoric, pearson, spearman", o.Method)
	}
	if !(o.Correct >= 0 && o.Correct <= 1) {
		return fmt.Errorf("the correction of empty cells is %g; it is a count from 0 (none) to 1, mostly 0.5", o.Correct)
	}
	if o.MaxCategories < 2 {
		return fmt.Errorf("at most %d categories leave no correlation: allow 2 or more", o.MaxCategories)
	}
	return nil
}

func exclusions(ex []Exclusion) string {
	var texts []string
	for _, e := range ex {
		texts = append(texts, e.String())
	}
	return strings.Join(texts, "; ")
}

// Usable returns an error that names the pairs without a correlation, where
// there are any: such a matrix can't be factored.
func (c *Correlation) Usable() error {
	if len(c.Undefined) == 0 {
		return nil
	}
	u := c.Undefined[0]
	return fmt.Errorf("%d pairs of items have no correlation, first %q with %q (%s): leave an item out", len(c.Undefined), c.Names[u.I], c.Names[u.J], u.Text)
}

// Notes says in words what was excluded, corrected and smoothed.
func (c *Correlation) Notes() []string {
	var notes []string
	for _, e := range c.Excluded {
		notes = append(notes, e.String())
	}
	for _, p := range c.PairNotes {
		notes = append(notes, fmt.Sprintf("%q with %q: %s", c.Names[p.I], c.Names[p.J], p.Text))
	}
	if c.Smoothed != nil {
		notes = append(notes, c.Smoothed.String())
	}
	return notes
}

func present(column []float64) int {
	n := 0
	for _, v := range column {
		if !math.IsNaN(v) {
			n++
		}
	}
	return n
}

// moment is Pearson's correlation of the rows that have both, of their ranks
// if ranked.
func moment(x, y []float64, ranked bool) (r float64, n int, undefined string) {
	var a, b []float64
	for i := range x {
		if !math.IsNaN(x[i]) && !math.IsNaN(y[i]) {
			a, b = append(a, x[i]), append(b, y[i])
		}
	}
	if len(a) < 2 {
		return 0, len(a), fmt.Sprintf("%d rows answer both", len(a))
	}
	if unusable(a) != "" || unusable(b) != "" {
		return 0, len(a), fmt.Sprintf("an item is constant in the %d rows that answer both", len(a))
	}
	if ranked {
		a, b = ranks(a), ranks(b)
	}
	ma, mb := mean(a), mean(b)
	var saa, sbb, sab float64
	for i := range a {
		da, db := a[i]-ma, b[i]-mb
		saa += da * da
		sbb += db * db
		sab += da * db
	}
	return math.Max(-1, math.Min(1, sab/math.Sqrt(saa)/math.Sqrt(sbb))), len(a), ""
}

func mean(x []float64) float64 {
	s := 0.0
	for _, v := range x {
		s += v
	}
	m := s / float64(len(x))
	s = 0
	for _, v := range x { // a second pass takes out what rounding left
		s += v - m
	}
	return m + s/float64(len(x))
}

// ranks are 1, 2, ... in ascending order, ties sharing their mean.
func ranks(x []float64) []float64 {
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case x[a] < x[b]:
			return -1
		case x[a] > x[b]:
			return 1
		}
		return 0
	})
	out := make([]float64, len(x))
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && x[order[j]] == x[order[i]] {
			j++
		}
		for _, k := range order[i:j] {
			out[k] = float64(i+j+1) / 2
		}
		i = j
	}
	return out
}
