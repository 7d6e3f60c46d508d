package scale

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// Extraction is a way to find loadings.
type Extraction string

const (
	// MinRes minimises the sum of squared residual correlations off the
	// diagonal (Harman and Jones, Psychometrika 31 (1966) 351). Its minimum is
	// that of unweighted least squares (ULS).
	MinRes Extraction = "minres"
	// ML is maximum likelihood under normality; R must be positive definite.
	ML Extraction = "ml"
)

// leastUniqueness is the bound that keeps uniquenesses positive: 0.005, as in
// psych::fa and stats::factanal.
const leastUniqueness = 0.005

// Both extractions fit R = Lambda Lambda' + Psi. Given Psi the best Lambda has
// a closed form, which leaves a function of psi = diag(Psi) alone (Joreskog,
// "Factor analysis by least-squares and maximum-likelihood methods", 1977).
//
// ULS: let theta_k, omega_k be the eigenvalues, descending, and eigenvectors of
// R - Psi. Lambda has columns omega_k sqrt(theta_k), k <= m, and
//
//	F       = 1/2 sum_{k>m} theta_k^2
//	dF/di   = - sum_{k>m} theta_k omega_ik^2           as dtheta_k = -omega_ik^2 dpsi_i
//	d2F/didj = (sum_{k>m} omega_ik omega_jk)^2
//	          + 2 sum_{k>m} theta_k omega_ik omega_jk sum_{l<=m} omega_il omega_jl / (theta_k - theta_l)
//
// where pairs k, l > m have cancelled their denominators to give the first term
// its products k != l. At a minimum inside, the gradient says that the diagonal
// of Lambda Lambda' + Psi is that of R; so F is half the off-diagonal sum, twice
// counted, that minres minimises.
//
// ML: let theta_k, omega_k be those of Psi^-1/2 R Psi^-1/2 and y_i = log psi_i.
// Lambda has columns Psi^1/2 omega_k sqrt(theta_k - 1), k <= m, and
//
//	F       = sum_{k>m} (theta_k - log theta_k - 1)
//	dF/di   = sum_{k>m} (1 - theta_k) omega_ik^2        as dtheta_k = -theta_k omega_ik^2 dy_i
//	d2F/didj = (sum_{k>m} omega_ik omega_jk) (sum_{k>m} theta_k omega_ik omega_jk)
//	          - sum_{k>m} (1 - theta_k) omega_ik omega_jk sum_{l<=m} (theta_k + theta_l)/(theta_k - theta_l) omega_il omega_jl
//
// by the same cancellation, with the coordinates y of Joreskog (Psychometrika
// 32 (1967) 443), in which F is nearly quadratic.
type discrepancy struct {
	r  *mat.SymDense
	m  int
	ml bool
}

// state is F at one point with what its derivatives need.
type state struct {
	x       []float64 // psi, or log psi
	theta   []float64
	omega   *mat.Dense
	f       float64
	defined bool
}

func (d discrepancy) at(x []float64) (state, error) {
	p := len(x)
	a := mat.NewSymDense(p, nil)
	for i := range p {
		for j := range i + 1 {
			v := d.r.At(i, j)
			if d.ml {
				v *= math.Exp(-(x[i] + x[j]) / 2)
			} else if i == j {
				v -= x[i]
			}
			a.SetSym(i, j, v)
		}
	}
	s := state{x: x, defined: true}
	var err error
	if s.theta, s.omega, err = eigen(a); err != nil {
		return s, err
	}
	for _, th := range s.theta[d.m:] {
		if d.ml {
			s.defined = s.defined && th > 0
			s.f += th - math.Log(th) - 1
		} else {
			s.f += th * th / 2
		}
	}
	return s, nil
}

// derivatives returns the gradient, the Hessian and its first term alone,
// which for ULS is positive semidefinite (a Hadamard square).
func (d discrepancy) derivatives(s state) (g []float64, hessian, first *mat.SymDense) {
	p := len(s.x)
	g = make([]float64, p)
	hessian, first = mat.NewSymDense(p, nil), mat.NewSymDense(p, nil)
	for i := range p {
		for k := d.m; k < p; k++ {
			w := s.omega.At(i, k)
			if d.ml {
				g[i] += (1 - s.theta[k]) * w * w
			} else {
				g[i] -= s.theta[k] * w * w
			}
		}
		for j := range i + 1 {
			var one, weighted, rest float64
			for k := d.m; k < p; k++ {
				tk := s.theta[k]
				ww := s.omega.At(i, k) * s.omega.At(j, k)
				one += ww
				weighted += tk * ww
				head := 0.0
				for l := range d.m {
					tl, gap := s.theta[l], tk-s.theta[l]
					if gap > -1e-10 {
						gap = -1e-10 // equal roots: the choice of factors is not smooth here
					}
					v := s.omega.At(i, l) * s.omega.At(j, l) / gap
					if d.ml {
						v *= tk + tl
					}
					head += v
				}
				if d.ml {
					rest -= (1 - tk) * ww * head
				} else {
					rest += 2 * tk * ww * head
				}
			}
			h := one * one
			if d.ml {
				h = one * weighted
			}
			first.SetSym(i, j, one*one)
			hessian.SetSym(i, j, h+rest)
		}
	}
	return g, hessian, first
}

// extraction is a minimum of F.
type extraction struct {
	loadings   *mat.Dense // p by m, unrotated
	psi        []float64
	atBound    []int // items whose uniqueness is the least allowed
	iterations int
	converged  bool
}

// extract minimises F over psi in [leastUniqueness, 1] by Newton's method on
// the coordinates not held at a bound, with the first term of the Hessian where
// the whole is not positive definite, and step halving. As F has second
// derivatives in closed form it takes some ten eigendecompositions.
func extract(r *mat.SymDense, m int, method Extraction) (*extraction, error) {
	p := r.SymmetricDim()
	d := discrepancy{r: r, m: m, ml: method == ML}
	psi, err := startingUniqueness(r, m, d.ml)
	if err != nil {
		return nil, err
	}
	lower, upper := leastUniqueness, 1.0
	x := psi
	if d.ml {
		lower, upper = math.Log(lower), 0
		for i := range x {
			x[i] = math.Log(x[i])
		}
	}
	s, err := d.at(x)
	if err != nil {
		return nil, err
	}
	if !s.defined {
		return nil, fmt.Errorf("the matrix is not positive definite, which ML needs: use minres or smooth the matrix")
	}
	out := &extraction{}
	for out.iterations = 1; out.iterations <= 500; out.iterations++ {
		g, hessian, first := d.derivatives(s)
		free := make([]int, 0, p)
		size := 0.0
		for i := range p {
			if s.x[i] <= lower && g[i] >= 0 || s.x[i] >= upper && g[i] <= 0 {
				continue
			}
			free = append(free, i)
			size = math.Max(size, math.Abs(g[i]))
		}
		if size < 1e-10 {
			out.converged = true
			break
		}
		direction := newton(g, hessian, first, free)
		if gain := promised(s.x, g, direction, lower, upper); size < 1e-4 && gain < 1e-12*s.f {
			// The last step: F could not show what it gains.
			last, err := d.at(moved(s.x, direction, 1, lower, upper))
			if err != nil {
				return nil, err
			}
			if last.defined && last.f <= s.f*(1+1e-12) {
				s = last
			}
			out.converged = true
			break
		}
		next, ok, err := d.step(s, g, direction, lower, upper)
		if err != nil {
			return nil, err
		}
		if !ok {
			// No descent is left that rounding would show.
			out.converged = size < 1e-6
			break
		}
		s = next
	}
	d.finish(out, s, lower)
	return out, nil
}

// startingUniqueness is psych's for ULS (1 - SMC) and factanal's for ML,
// (1 - m/2p)/r^ii, both from the inverse of R; 0.5 where R has none.
func startingUniqueness(r *mat.SymDense, m int, ml bool) ([]float64, error) {
	p := r.SymmetricDim()
	psi := make([]float64, p)
	var chol mat.Cholesky
	var inverse mat.SymDense
	if !chol.Factorize(r) || chol.InverseTo(&inverse) != nil {
		for i := range psi {
			psi[i] = 0.5
		}
		return psi, nil
	}
	for i := range psi {
		psi[i] = 1 / inverse.At(i, i)
		if ml {
			psi[i] *= 1 - 0.5*float64(m)/float64(p)
		}
		psi[i] = math.Min(1, math.Max(2*leastUniqueness, psi[i]))
	}
	return psi, nil
}

// newton solves H_free step = -g_free; other coordinates stay.
func newton(g []float64, hessian, first *mat.SymDense, free []int) []float64 {
	n := len(free)
	for attempt, h := range []*mat.SymDense{hessian, first, first} {
		sub := mat.NewSymDense(n, nil)
		for a, i := range free {
			for b, j := range free[:a+1] {
				sub.SetSym(a, b, h.At(i, j))
			}
			if attempt == 2 {
				sub.SetSym(a, a, h.At(i, i)+1e-3)
			}
		}
		var chol mat.Cholesky
		if !chol.Factorize(sub) || chol.Cond() > 1e12 {
			continue
		}
		rhs, sol := mat.NewVecDense(n, nil), mat.NewVecDense(n, nil)
		for a, i := range free {
			rhs.SetVec(a, -g[i])
		}
		if chol.SolveVecTo(sol, rhs) != nil {
			continue
		}
		step := make([]float64, len(g))
		for a, i := range free {
			step[i] = sol.AtVec(a)
		}
		return step
	}
	step := make([]float64, len(g))
	for _, i := range free {
		step[i] = -g[i]
	}
	return step
}

// step goes along a direction, cut to the bounds, until F falls enough.
func (d discrepancy) step(s state, g, direction []float64, lower, upper float64) (state, bool, error) {
	for t := 1.0; t > 1e-12; t /= 2 {
		x := moved(s.x, direction, t, lower, upper)
		slope := 0.0
		for i := range x {
			slope += g[i] * (x[i] - s.x[i])
		}
		next, err := d.at(x)
		if err != nil {
			return s, false, err
		}
		if next.defined && next.f <= s.f+1e-4*slope && next.f < s.f {
			return next, true, nil
		}
	}
	return s, false, nil
}

// moved is x + t direction, cut to the bounds.
func moved(x, direction []float64, t, lower, upper float64) []float64 {
	out := make([]float64, len(x))
	for i := range x {
		out[i] = math.Min(upper, math.Max(lower, x[i]+t*direction[i]))
	}
	return out
}

// promised is the fall of F that its gradient promises along a whole step.
func promised(x, g, direction []float64, lower, upper float64) float64 {
	gain := 0.0
	for i, y := range moved(x, direction, 1, lower, upper) {
		gain -= g[i] * (y - x[i])
	}
	return gain
}

func (d discrepancy) finish(out *extraction, s state, lower float64) {
	p := len(s.x)
	out.psi = make([]float64, p)
	out.loadings = mat.NewDense(p, d.m, nil)
	for i, x := range s.x {
		if x <= lower {
			out.atBound = append(out.atBound, i)
		}
		out.psi[i] = x
		scale := 1.0
		if d.ml {
			out.psi[i] = math.Exp(x)
			scale = math.Sqrt(out.psi[i])
		}
		for k := range d.m {
			v := s.theta[k]
			if d.ml {
				v--
			}
			out.loadings.Set(i, k, scale*s.omega.At(i, k)*math.Sqrt(math.Max(0, v)))
		}
	}
}
