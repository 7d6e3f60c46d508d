package scale

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

func median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	n := len(x)
	if n%2 == 1 {
		return x[n/2]
	}
	return (x[n/2-1] + x[n/2]) / 2
}

// Omega is McDonald's omega of a sum of standardised items.
type Omega struct {
	// Total is from one factor (McDonald 1999, ch. 6):
	// (sum lambda)^2 / ((sum lambda)^2 + sum psi).
	Total    float64
	Loadings []float64
	Notes    []string
}

// McDonaldOmega fits one minres factor. Items must be keyed the same way.
func McDonaldOmega(c *Correlation) (*Omega, error) {
	s, err := Factor(c, FactorDefaults(1))
	if err != nil {
		return nil, err
	}
	o := &Omega{Notes: s.Notes}
	var sum, unique float64
	for i := range s.Names {
		l := s.Loadings.At(i, 0)
		o.Loadings = append(o.Loadings, l)
		sum += l
		unique += math.Max(0, 1-l*l)
	}
	o.Total = sum * sum / (sum*sum + unique)
	return o, nil
}

// Hierarchical is omega from a Schmid-Leiman transformation.
type Hierarchical struct {
	// OmegaH is the general factor's share of the sum's variance, OmegaTotal
	// that of all common factors, ECV the general factor's share of the common
	// variance (explained common variance).
	OmegaH, OmegaTotal, ECV float64
	General                 []float64  // item loadings on the general factor
	Group                   *mat.Dense // items by group factors, residualised
	Reversed                []string   // items turned, as their general loading is negative
	Notes                   []string
}

// SchmidLeiman splits oblique factors into a general factor and group factors
// that are orthogonal to it and to each other (Schmid and Leiman 1957; Zinbarg
// et al. 2005, as psych::omega): with oblimin loadings Lambda and factor
// correlations Phi, one factor of Phi has loadings gamma. The general loadings
// are Lambda gamma, group loadings Lambda_ik sqrt(1 - gamma_k^2). Of two group
// factors only the product of the gammas is known; they are taken equal.
func SchmidLeiman(c *Correlation, groups int) (*Hierarchical, error) {
	if groups < 2 {
		return nil, fmt.Errorf("a general factor above %d group factors is not defined: ask for 2 or more, mostly 3", groups)
	}
	s, err := Factor(c, FactorDefaults(groups))
	if err != nil {
		return nil, err
	}
	h := &Hierarchical{Notes: s.Notes}
	gamma := make([]float64, groups)
	if groups == 2 {
		phi := s.Phi.At(0, 1)
		gamma[0] = math.Sqrt(math.Abs(phi))
		gamma[1] = math.Copysign(gamma[0], phi)
		h.Notes = append(h.Notes, "two group factors do not determine the general factor: their loadings on it are taken equal")
	} else {
		ex, err := extract(s.Phi, 1, MinRes)
		if err != nil {
			return nil, fmt.Errorf("the general factor: %w", err)
		}
		for k := range gamma {
			gamma[k] = ex.loadings.At(k, 0)
		}
		if len(ex.atBound) > 0 || !ex.converged {
			h.Notes = append(h.Notes, "the general factor of the factor correlations is improper (a Heywood case or not converged): read omega hierarchical with care")
		}
	}
	p := len(s.Names)
	h.Group = mat.NewDense(p, groups, nil)
	var general, common, unique, total float64
	sign := make([]float64, p)
	for i := range p {
		g := 0.0
		for k := range groups {
			l := s.Loadings.At(i, k)
			g += l * gamma[k]
			rest := l * math.Sqrt(math.Max(0, 1-gamma[k]*gamma[k]))
			h.Group.Set(i, k, rest)
			common += rest * rest
		}
		sign[i] = 1
		if g < 0 {
			sign[i] = -1
			h.Reversed = append(h.Reversed, s.Names[i])
		}
		h.General = append(h.General, g)
		general += math.Abs(g)
		common += g * g
		unique += s.Uniqueness[i]
	}
	if len(h.Reversed) > p/2 { // the general factor's sign is free: keep most items as they are
		h.Reversed = slices.DeleteFunc(slices.Clone(s.Names), func(n string) bool { return slices.Contains(h.Reversed, n) })
		for i := range h.General {
			h.General[i] = -h.General[i]
		}
	}
	squares := 0.0
	for i := range p {
		squares += h.General[i] * h.General[i]
		for j := range p {
			total += sign[i] * sign[j] * c.R.At(i, j)
		}
	}
	if total <= 0 || common <= 0 {
		return nil, fmt.Errorf("the items' sum has no variance or nothing in common")
	}
	h.OmegaH, h.OmegaTotal, h.ECV = general*general/total, (total-unique)/total, squares/common
	return h, nil
}
