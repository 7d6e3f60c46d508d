package scale

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// Reference is what a parallel analysis compares with.
type Reference string

const (
	// Normal are independent standard normal items, as many rows as the data
	// have, Pearson-correlated (Horn, Psychometrika 30 (1965) 179).
	Normal Reference = "normal"
	// Permuted are the items themselves, each with its answers shuffled among
	// the rows that have one, correlated as the data are: it keeps margins,
	// missing answers and the method's own sampling error (Buja and Eyuboglu 1992).
	Permuted Reference = "permuted"
)

// Roots is a kind of eigenvalues.
type Roots string

const (
	Components Roots = "components" // of R
	// CommonFactors are of R with communalities of a one-factor minres solution
	// in its diagonal, psych::fa.parallel's.
	CommonFactors Roots = "factors"
	SMC           Roots = "smc" // of R with squared multiple correlations in its diagonal
)

// ParallelOptions says how to simulate.
type ParallelOptions struct {
	Reference   Reference
	Iterations  int
	Percentile  float64 // an eigenvalue counts while it is above this share of simulated ones: 0.95
	Correlation CorrelationOptions
	Rand        *rand.Rand
}

// Parallel holds the observed and simulated eigenvalues of one kind.
type Parallel struct {
	Roots      Roots
	Observed   []float64 // descending
	Mean       []float64
	Percentile []float64
	// Retain is the number of leading observed eigenvalues above the percentile.
	Retain int
}

// ParallelAnalysis simulates once and compares all kinds asked for.
func ParallelAnalysis(items *Items, o ParallelOptions, kinds ...Roots) ([]Parallel, *Correlation, error) {
	switch {
	case o.Iterations < 1:
		return nil, nil, fmt.Errorf("%d iterations can't be simulated: use 20 or more", o.Iterations)
	case !(o.Percentile > 0 && o.Percentile < 1):
		return nil, nil, fmt.Errorf("the percentile is %g; it is a share between 0 and 1, mostly 0.95", o.Percentile)
	case o.Rand == nil:
		return nil, nil, fmt.Errorf("a parallel analysis needs a seeded generator")
	case o.Reference != Normal && o.Reference != Permuted:
		return nil, nil, fmt.Errorf("there is no reference %q; there are normal, permuted", o.Reference)
	}
	if o.Correlation.Complete {
		items = items.Select(items.complete()) // shuffling must not change which rows are complete
	}
	c, err := Correlate(items, o.Correlation)
	if err != nil {
		return nil, nil, err
	}
	if err := c.Usable(); err != nil {
		return nil, nil, err
	}
	used, err := items.Pick(c.Names)
	if err != nil {
		return nil, nil, err
	}
	out := make([]Parallel, len(kinds))
	simulated := make([][][]float64, len(kinds)) // kind, iteration, root
	for k, kind := range kinds {
		out[k].Roots = kind
		if out[k].Observed, err = roots(c.R, kind); err != nil {
			return nil, nil, err
		}
	}
	for range o.Iterations {
		r, err := o.draw(used, c)
		if err != nil {
			return nil, nil, err
		}
		for k, kind := range kinds {
			values, err := roots(r, kind)
			if err != nil {
				return nil, nil, fmt.Errorf("simulated data: %w", err)
			}
			simulated[k] = append(simulated[k], values)
		}
	}
	for k := range out {
		out[k].summarise(simulated[k], o.Percentile)
	}
	return out, c, nil
}

func (p *Parallel) summarise(simulated [][]float64, share float64) {
	leading := true
	for i, observed := range p.Observed {
		var column []float64
		for _, s := range simulated {
			column = append(column, s[i])
		}
		p.Mean = append(p.Mean, mean(column))
		slices.Sort(column)
		// Linear interpolation between order statistics: R's type 7.
		h := float64(len(column)-1) * share
		lo := int(h)
		v := column[lo]
		if lo+1 < len(column) {
			v += (h - float64(lo)) * (column[lo+1] - column[lo])
		}
		p.Percentile = append(p.Percentile, v)
		leading = leading && observed > v
		if leading {
			p.Retain++
		}
	}
}

func roots(r *mat.SymDense, kind Roots) ([]float64, error) {
	switch kind {
	case Components:
		return Eigenvalues(r)
	case SMC:
		h, err := smc(r)
		if err != nil {
			return nil, err
		}
		return Eigenvalues(reduced(r, h))
	case CommonFactors:
		ex, err := extract(r, 1, MinRes)
		if err != nil {
			return nil, err
		}
		h := make([]float64, r.SymmetricDim())
		for i := range h {
			h[i] = ex.loadings.At(i, 0) * ex.loadings.At(i, 0)
		}
		return Eigenvalues(reduced(r, h))
	}
	return nil, fmt.Errorf("there are no eigenvalues of %q; there are components, factors, smc", kind)
}

// draw makes one simulated correlation matrix.
func (o ParallelOptions) draw(items *Items, c *Correlation) (*mat.SymDense, error) {
	if o.Reference == Normal {
		if c.Rows <= len(items.Names) {
			return nil, fmt.Errorf("%d rows are too few for %d items: there must be more rows than items", c.Rows, len(items.Names))
		}
		return wishart(len(items.Names), c.Rows-1, o.Rand), nil
	}
	shuffled := &Items{Names: items.Names}
	for _, column := range items.Columns {
		column = slices.Clone(column)
		var at []int
		for i, v := range column {
			if !math.IsNaN(v) {
				at = append(at, i)
			}
		}
		o.Rand.Shuffle(len(at), func(a, b int) { column[at[a]], column[at[b]] = column[at[b]], column[at[a]] })
		shuffled.Columns = append(shuffled.Columns, column)
	}
	again, err := Correlate(shuffled, o.Correlation)
	if err != nil {
		return nil, fmt.Errorf("shuffled answers: %w", err)
	}
	if err := again.Usable(); err != nil {
		return nil, fmt.Errorf("shuffled answers: %w", err)
	}
	if len(again.Names) != len(items.Names) {
		return nil, fmt.Errorf("shuffled answers: %s", exclusions(again.Excluded))
	}
	return again.R, nil
}

// wishart returns the correlation matrix of a Wishart(df, I) matrix, which is
// distributed as that of df + 1 rows of independent normal items. By Bartlett's
// decomposition (1933) it is A A' with A lower triangular, A_ii^2 chi-squared
// with df - i degrees of freedom and normal entries below: p(p+1)/2 draws in
// place of p times the rows.
func wishart(p, df int, rnd *rand.Rand) *mat.SymDense {
	a := mat.NewTriDense(p, mat.Lower, nil)
	for i := range p {
		a.SetTri(i, i, math.Sqrt(chiSquaredDraw(float64(df-i), rnd)))
		for j := range i {
			a.SetTri(i, j, rnd.NormFloat64())
		}
	}
	var w mat.Dense
	w.Mul(a, a.T())
	out := mat.NewSymDense(p, nil)
	for i := range p {
		out.SetSym(i, i, 1)
		for j := range i {
			out.SetSym(i, j, w.At(i, j)/math.Sqrt(w.At(i, i)*w.At(j, j)))
		}
	}
	return out
}

// chiSquaredDraw is twice a gamma(df/2) draw by Marsaglia and Tsang (ACM TOMS
// 26 (2000) 363); df is at least 1.
func chiSquaredDraw(df float64, rnd *rand.Rand) float64 {
	shape, boost := df/2, 1.0
	if shape < 1 {
		boost = math.Pow(1-rnd.Float64(), 1/shape) // gamma(a) = gamma(a+1) U^(1/a)
		shape++
	}
	d := shape - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := rnd.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(1-rnd.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return 2 * boost * d * v
		}
	}
}
