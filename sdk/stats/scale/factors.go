package scale

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// FactorOptions says how to factor. Start from FactorDefaults.
type FactorOptions struct {
	Factors    int
	Extraction Extraction
	Rotation   RotationOptions
	// N is the number of persons for the fit; 0 takes the matrix's Rows, as
	// psych takes the rows of pairwise data.
	N int
}

// FactorDefaults are minres and oblimin with gamma 0, as psych::fa.
func FactorDefaults(factors int) FactorOptions {
	return FactorOptions{Factors: factors, Extraction: MinRes, Rotation: RotationOptions{Rotation: Oblimin}}
}

// Solution is an exploratory factor analysis.
//
// Factors are ordered by their sums of squared loadings, diag(Phi Lambda'
// Lambda), largest first; the sign of each makes its loadings' sum positive.
// Both are psych::fa's conventions.
type Solution struct {
	Names       []string
	R           *mat.SymDense // the matrix that was factored
	Unrotated   *mat.Dense    // items by factors, same conventions
	Loadings    *mat.Dense    // pattern: items by factors
	Phi         *mat.SymDense // factor correlations; the identity where orthogonal
	Structure   *mat.Dense    // Loadings Phi: correlations of items with factors
	Communality []float64
	Uniqueness  []float64 // 1 - communality
	Complexity  []float64 // Hofmann's (sum l^2)^2 / sum l^4
	SS          []float64 // sums of squared loadings
	Eigenvalues []float64 // of R, descending
	// Heywood names items whose uniqueness is at its least (0.005) or below it:
	// a factor would explain all of them, or more.
	Heywood []string
	Fit     Fit
	Notes   []string
}

// Factors is the number of factors.
func (s *Solution) Factors() int { _, m := s.Loadings.Dims(); return m }

// MostFactors is the largest number of factors p items can bear: df >= 0.
func MostFactors(p int) int {
	m := 0
	for degrees(p, m+1) >= 0 && m+1 < p {
		m++
	}
	return m
}

// degrees are the moments less the free parameters of m factors: p(p-1)/2 -
// pm + m(m-1)/2.
func degrees(p, m int) int { return p*(p-1)/2 - p*m + m*(m-1)/2 }

// Factor extracts and rotates factors.
func Factor(c *Correlation, o FactorOptions) (*Solution, error) {
	p := len(c.Names)
	if err := c.Usable(); err != nil {
		return nil, err
	}
	switch {
	case p < 3:
		return nil, fmt.Errorf("a factor analysis needs at least three items that vary, and there are %d: %s", p, exclusions(c.Excluded))
	case o.Factors < 1:
		return nil, fmt.Errorf("%d factors can't be extracted: ask for 1 or more", o.Factors)
	case degrees(p, o.Factors) < 0 || o.Factors >= p:
		return nil, fmt.Errorf("%d factors are too many for %d items: at most %d leave degrees of freedom", o.Factors, p, MostFactors(p))
	case o.Extraction != MinRes && o.Extraction != ML:
		return nil, fmt.Errorf("there is no extraction %q; there are minres, ml", o.Extraction)
	}
	if o.N == 0 {
		o.N = c.Rows
	}
	ex, err := extract(c.R, o.Factors, o.Extraction)
	if err != nil {
		return nil, err
	}
	s := &Solution{Names: c.Names, R: c.R, Notes: c.Notes()}
	if s.Eigenvalues, err = Eigenvalues(c.R); err != nil {
		return nil, err
	}
	if !ex.converged {
		s.Notes = append(s.Notes, fmt.Sprintf("the %s extraction did not converge in %d steps: the loadings are not at the optimum; try fewer factors", o.Extraction, ex.iterations-1))
	}
	s.Unrotated, _ = arrange(ex.loadings, identity(o.Factors))
	rotated, err := Rotate(s.Unrotated, o.Rotation)
	if err != nil {
		return nil, err
	}
	if !rotated.Converged {
		s.Notes = append(s.Notes, fmt.Sprintf("the %s rotation did not converge: try another rotation or fewer factors", o.Rotation.Rotation))
	}
	s.Loadings, s.Phi = arrange(rotated.Loadings, rotated.Phi)
	s.describe(ex)
	s.Fit = fitOf(c.R, s.Unrotated, o.N)
	s.Notes = append(s.Notes, s.Fit.Note...)
	return s, nil
}

// arrange orders factors and sets their signs.
func arrange(loadings *mat.Dense, phi *mat.SymDense) (*mat.Dense, *mat.SymDense) {
	p, m := loadings.Dims()
	ss := sumsOfSquares(loadings, phi)
	order, sign := make([]int, m), make([]float64, m)
	for k := range m {
		order[k], sign[k] = k, 1
		sum := 0.0
		for i := range p {
			sum += loadings.At(i, k)
		}
		if sum < 0 {
			sign[k] = -1
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case ss[a] > ss[b]:
			return -1
		case ss[a] < ss[b]:
			return 1
		}
		return 0
	})
	out, outPhi := mat.NewDense(p, m, nil), mat.NewSymDense(m, nil)
	for k, from := range order {
		for i := range p {
			out.Set(i, k, sign[from]*loadings.At(i, from))
		}
		for l, other := range order[:k+1] {
			outPhi.SetSym(k, l, sign[from]*sign[other]*phi.At(from, other))
		}
	}
	return out, outPhi
}

// sumsOfSquares are diag(Phi Lambda' Lambda).
func sumsOfSquares(loadings *mat.Dense, phi *mat.SymDense) []float64 {
	var ll, v mat.Dense
	ll.Mul(loadings.T(), loadings)
	v.Mul(phi, &ll)
	m, _ := v.Dims()
	out := make([]float64, m)
	for k := range out {
		out[k] = v.At(k, k)
	}
	return out
}

func (s *Solution) describe(ex *extraction) {
	p, m := s.Loadings.Dims()
	s.SS = sumsOfSquares(s.Loadings, s.Phi)
	s.Structure = new(mat.Dense)
	s.Structure.Mul(s.Loadings, s.Phi)
	for i := range p {
		var h2, two, four float64
		for k := range m {
			v := s.Unrotated.At(i, k)
			h2 += v * v
			v = s.Loadings.At(i, k)
			two += v * v
			four += v * v * v * v
		}
		s.Communality = append(s.Communality, h2)
		s.Uniqueness = append(s.Uniqueness, 1-h2)
		complexity := 0.0
		if four > 0 {
			complexity = two * two / four
		}
		s.Complexity = append(s.Complexity, complexity)
		if slices.Contains(ex.atBound, i) || h2 >= 1-leastUniqueness {
			s.Heywood = append(s.Heywood, s.Names[i])
			s.Notes = append(s.Notes, fmt.Sprintf("Heywood case: the factors explain item %q almost wholly (communality %.3f); fewer factors, or leaving it out, may help", s.Names[i], h2))
		}
	}
}

// Fit says how well Lambda Lambda' + Psi reproduces R. Formulas are those of
// psych's factor.stats.
type Fit struct {
	N, DF     int
	Objective float64 // F_ML = tr(M^-1 R) - log det(M^-1 R) - p, M with the diagonal of R
	// ChiSquared is (N - 1 - (2p+5)/6 - 2m/3) F_ML (Bartlett 1950), P its tail.
	ChiSquared, P float64
	// RMSEA = sqrt(max(0, chi2/(df N) - 1/(N-1))) with its 90% interval.
	RMSEA, RMSEALower, RMSEAUpper float64
	TLI                           float64 // Tucker and Lewis 1973
	BIC                           float64 // chi2 - df log N
	RMSR                          float64 // root mean square of residual correlations off the diagonal
	// Tested and Indexed say whether the chi-squared, and the indices that
	// divide by df, could be computed; Note says why not.
	Tested, Indexed bool
	Note            []string
}

func fitOf(r *mat.SymDense, unrotated *mat.Dense, n int) Fit {
	p, m := unrotated.Dims()
	fit := Fit{N: n, DF: degrees(p, m)}
	var model mat.Dense
	model.Mul(unrotated, unrotated.T())
	implied := mat.NewSymDense(p, nil)
	for i := range p {
		implied.SetSym(i, i, 1)
		for j := range i {
			implied.SetSym(i, j, model.At(i, j))
			d := r.At(i, j) - model.At(i, j)
			fit.RMSR += 2 * d * d
		}
	}
	fit.RMSR = math.Sqrt(fit.RMSR / float64(p*(p-1)))
	smoothed, _, err := Smooth(implied)
	if err != nil {
		fit.Note = append(fit.Note, "no chi-squared: "+err.Error())
		return fit
	}
	inverse, logModel, err := inverseOf(smoothed, "the implied matrix")
	if err != nil {
		fit.Note = append(fit.Note, "no chi-squared: "+err.Error())
		return fit
	}
	_, logR, err := inverseOf(r, "the correlation matrix")
	if err != nil {
		fit.Note = append(fit.Note, "no chi-squared: "+err.Error())
		return fit
	}
	trace := 0.0
	for i := range p {
		for j := range p {
			trace += inverse.At(i, j) * r.At(i, j)
		}
	}
	fit.Objective = math.Max(0, trace-(logR-logModel)-float64(p))
	scale := float64(n-1) - float64(2*p+5)/6 - 2*float64(m)/3
	if scale <= 0 {
		fit.Note = append(fit.Note, fmt.Sprintf("no chi-squared: %d rows are too few for %d items", n, p))
		return fit
	}
	fit.ChiSquared, fit.Tested = scale*fit.Objective, true
	if fit.DF == 0 {
		fit.Note = append(fit.Note, "no fit indices: no degrees of freedom are left, the model fits any matrix")
		return fit
	}
	fit.Indexed = true
	df, nn := float64(fit.DF), float64(n)
	fit.P = chiSquaredTail(fit.ChiSquared, df)
	fit.RMSEA = math.Sqrt(math.Max(0, fit.ChiSquared/(df*nn)-1/(nn-1)))
	fit.RMSEALower = math.Sqrt(noncentrality(fit.ChiSquared, df, 0.05) / (nn - 1) / df)
	fit.RMSEAUpper = math.Sqrt(noncentrality(fit.ChiSquared, df, 0.95) / (nn - 1) / df)
	null := -logR * 2 / float64(p*(p-1)) // F of independence by df
	fit.TLI = (null - fit.Objective/df) / (null - 1/scale)
	fit.BIC = fit.ChiSquared - df*math.Log(nn)
	return fit
}

// Flip turns factor k around: its loadings and its correlations with the other
// factors change sign. Unrotated factors are others, and stay.
func (s *Solution) Flip(k int) {
	for _, l := range []*mat.Dense{s.Loadings, s.Structure} {
		p, _ := l.Dims()
		for i := range p {
			l.Set(i, k, -l.At(i, k))
		}
	}
	for l := range s.Factors() {
		if l != k {
			s.Phi.SetSym(k, l, -s.Phi.At(k, l))
		}
	}
}
