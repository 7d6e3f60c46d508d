package scale

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// Adequacy says whether a matrix is worth factoring.
type Adequacy struct {
	// KMO is the Kaiser-Meyer-Olkin measure (Kaiser 1974): squared correlations
	// as a share of these and squared partial correlations; Items by item.
	KMO   float64
	Items []float64
	// ChiSquared is Bartlett's test (1951) that R is the identity:
	// -(N - 1 - (2p+5)/6) log det R, with DF = p(p-1)/2.
	ChiSquared, P float64
	DF            int
}

// Adequate computes KMO and Bartlett's test; n is the number of persons, 0 for
// the matrix's rows.
func (c *Correlation) Adequate(n int) (*Adequacy, error) {
	if err := c.Usable(); err != nil {
		return nil, err
	}
	if n == 0 {
		n = c.Rows
	}
	p := len(c.Names)
	inverse, logDet, err := inverseOf(c.R, "the correlation matrix")
	if err != nil {
		return nil, err
	}
	a := &Adequacy{DF: p * (p - 1) / 2}
	var r2, q2 float64
	for i := range p {
		var ri, qi float64
		for j := range p {
			if i != j {
				// The partial correlation given all others is, up to sign,
				// the inverse scaled to a unit diagonal.
				ri += c.R.At(i, j) * c.R.At(i, j)
				qi += inverse.At(i, j) * inverse.At(i, j) / (inverse.At(i, i) * inverse.At(j, j))
			}
		}
		if ri+qi == 0 {
			return nil, fmt.Errorf("item %q correlates with no other: KMO is not defined", c.Names[i])
		}
		a.Items = append(a.Items, ri/(ri+qi))
		r2 += ri
		q2 += qi
	}
	a.KMO = r2 / (r2 + q2)
	factor := float64(n-1) - float64(2*p+5)/6
	if factor <= 0 {
		return nil, fmt.Errorf("%d rows are too few for Bartlett's test of %d items", n, p)
	}
	a.ChiSquared = math.Max(0, -factor*logDet)
	a.P = chiSquaredTail(a.ChiSquared, float64(a.DF))
	return a, nil
}

// reduced puts communalities in the diagonal of r.
func reduced(r *mat.SymDense, communality []float64) *mat.SymDense {
	out := mat.NewSymDense(len(communality), nil)
	out.CopySym(r)
	for i, h := range communality {
		out.SetSym(i, i, h)
	}
	return out
}
