package scale

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// Alpha is Cronbach's coefficient alpha (Psychometrika 16 (1951) 297) of the
// sum of k items with covariance matrix C:
//
//	alpha = k/(k-1) (1 - tr C / sum C).
//
// The standardised alpha takes the correlation matrix for C; with polychoric
// correlations it is the ordinal alpha (Zumbo, Gadermann and Zeisser 2007).
type Alpha struct {
	Items []string
	Rows  int
	// Raw, with Feldt's interval Lower, Upper. HasRaw is false with polychoric
	// or rank correlations, which have no covariances.
	Raw, Lower, Upper float64
	HasRaw            bool
	Standardised      float64
	MeanR, MedianR    float64 // of the correlations between items
	Each              []ItemReliability
	Notes             []string
}

// ItemReliability is one item's part. WithoutRaw and WithoutStandardised are
// alpha of the other items, which need be two or more (Without says so);
// RDrop is the item's correlation with the sum of the others, from the same
// covariances as alpha (from correlations where there are none).
type ItemReliability struct {
	Item                            string
	N                               int
	Mean, SD                        float64
	RDrop                           float64
	HasRDrop                        bool
	WithoutRaw, WithoutStandardised float64
	Without                         bool
}

// alphaOf is k/(k-1) (1 - tr C/sum C) of the items kept; ok is false where
// their sum has no variance.
func alphaOf(c *mat.SymDense, without int) (alpha float64, ok bool) {
	k, trace, sum := 0.0, 0.0, 0.0
	for i := range c.SymmetricDim() {
		if i == without {
			continue
		}
		k++
		trace += c.At(i, i)
		for j := range c.SymmetricDim() {
			if j != without {
				sum += c.At(i, j)
			}
		}
	}
	if k < 2 || sum <= 1e-12*trace {
		return 0, false
	}
	return k / (k - 1) * (1 - trace/sum), true
}

// CronbachAlpha computes alpha of items, turned around as need be (see
// Items.Reverse), with an interval of the given level, and how it changes
// without each item. The method of o decides between raw alpha with
// standardised beside it (pearson) and standardised alone.
func CronbachAlpha(items *Items, o CorrelationOptions, level float64) (*Alpha, error) {
	if !(level > 0 && level < 1) {
		return nil, fmt.Errorf("the confidence level is %g; it lies between 0 and 1, mostly 0.95", level)
	}
	c, err := Correlate(items, o)
	if err != nil {
		return nil, err
	}
	if err := c.Usable(); err != nil {
		return nil, err
	}
	used, err := items.Pick(c.Names)
	if err != nil {
		return nil, err
	}
	if o.Complete {
		used = used.Select(items.complete())
	}
	a := &Alpha{Items: c.Names, Rows: c.Rows, Notes: c.Notes(), HasRaw: o.Method == Pearson}
	r, cov := c.R, (*mat.SymDense)(nil)
	if a.HasRaw {
		cov = covariances(used)
		// As psych::alpha, so that raw and standardised rest on the same
		// moments where answers are missing.
		r = scaled(cov)
		var ok bool
		if a.Raw, ok = alphaOf(cov, -1); !ok {
			return nil, fmt.Errorf("the sum of the items has no variance, so alpha is not defined: reverse the items that are keyed the other way")
		}
		a.feldt(len(c.Names), level)
	}
	var ok bool
	if a.Standardised, ok = alphaOf(r, -1); !ok {
		return nil, fmt.Errorf("the sum of the standardised items has no variance, so alpha is not defined: reverse the items that are keyed the other way")
	}
	a.between(r)
	a.items(used, r, cov)
	return a, a.keying(c.R)
}

// feldt sets the interval of raw alpha (Feldt, Psychometrika 30 (1965) 357):
// (1 - alpha) over its estimate is F with n-1 and (n-1)(k-1) degrees.
func (a *Alpha) feldt(k int, level float64) {
	n1 := float64(a.Rows - 1)
	n2 := n1 * float64(k-1)
	if n1 < 1 {
		a.Lower, a.Upper = math.Inf(-1), 1
		return
	}
	a.Lower = 1 - (1-a.Raw)*fQuantile((1+level)/2, n1, n2)
	a.Upper = 1 - (1-a.Raw)*fQuantile((1-level)/2, n1, n2)
}

func (a *Alpha) between(r *mat.SymDense) {
	var rs []float64
	for i := range r.SymmetricDim() {
		for j := range i {
			rs = append(rs, r.At(i, j))
		}
	}
	a.MeanR, a.MedianR = mean(rs), median(rs)
}

func (a *Alpha) items(items *Items, r, cov *mat.SymDense) {
	c := cov
	if c == nil {
		c = r
	}
	k := len(a.Items)
	for j, name := range a.Items {
		e := ItemReliability{Item: name, N: present(items.Columns[j])}
		e.Mean, e.SD = moments(items.Columns[j])
		var with, rest float64
		for i := range k {
			if i == j {
				continue
			}
			with += c.At(i, j)
			for l := range k {
				if l != j {
					rest += c.At(i, l)
				}
			}
		}
		if rest > 0 {
			e.RDrop, e.HasRDrop = with/math.Sqrt(c.At(j, j)*rest), true
		}
		raw := true
		if cov != nil {
			e.WithoutRaw, raw = alphaOf(cov, j)
		}
		var std bool
		e.WithoutStandardised, std = alphaOf(r, j)
		e.Without = raw && std
		a.Each = append(a.Each, e)
	}
}

// keying notes the items that go against the first component.
func (a *Alpha) keying(r *mat.SymDense) error {
	_, v, err := eigen(r)
	if err != nil {
		return err
	}
	sum := 0.0
	for i := range a.Items {
		sum += v.At(i, 0)
	}
	for i, name := range a.Items {
		if v.At(i, 0)*sum < 0 {
			a.Notes = append(a.Notes, fmt.Sprintf("item %q goes against the others: reverse it if it is keyed the other way", name))
		}
	}
	return nil
}

// covariances are pairwise, n-1.
func covariances(items *Items) *mat.SymDense {
	k := len(items.Names)
	out := mat.NewSymDense(k, nil)
	for i := range k {
		for j := range i + 1 {
			var x, y []float64
			for row, v := range items.Columns[i] {
				if w := items.Columns[j][row]; !math.IsNaN(v) && !math.IsNaN(w) {
					x, y = append(x, v), append(y, w)
				}
			}
			mx, my, s := mean(x), mean(y), 0.0
			for t := range x {
				s += (x[t] - mx) * (y[t] - my)
			}
			out.SetSym(i, j, s/float64(len(x)-1))
		}
	}
	return out
}

// scaled turns covariances into correlations.
func scaled(c *mat.SymDense) *mat.SymDense {
	k := c.SymmetricDim()
	out := mat.NewSymDense(k, nil)
	for i := range k {
		out.SetSym(i, i, 1)
		for j := range i {
			out.SetSym(i, j, c.At(i, j)/math.Sqrt(c.At(i, i)*c.At(j, j)))
		}
	}
	return out
}
