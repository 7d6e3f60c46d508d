package scale

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"
)

// Rotation is a way to choose among loadings that fit alike.
type Rotation string

const (
	Unrotated Rotation = "none"
	Varimax   Rotation = "varimax"
	Quartimax Rotation = "quartimax"
	Oblimin   Rotation = "oblimin"
	Quartimin Rotation = "quartimin" // oblimin with gamma 0
	Promax    Rotation = "promax"
)

// RotationOptions says how to rotate.
type RotationOptions struct {
	Rotation Rotation
	// Gamma is oblimin's: 0 (quartimin) is the default of psych and
	// GPArotation; above 0 the factors correlate more, and near 1 the criterion
	// may have no minimum.
	Gamma float64
	// Kaiser rotates rows scaled to length 1, then scales them back.
	Kaiser bool
	// Power is promax's, 0 for 4.
	Power float64
	// Starts is the number of starting points: the identity, then random
	// orthogonal matrices of Rand. The lowest criterion wins. 0 is 1.
	Starts int
	Rand   *rand.Rand
}

// Rotated are rotated loadings: A = Loadings T', R = Loadings Phi Loadings' + Psi.
type Rotated struct {
	Loadings *mat.Dense
	// Phi holds the factor correlations; the identity after an orthogonal rotation.
	Phi       *mat.SymDense
	Criterion float64
	Converged bool
}

// criterion returns f(L) and its gradient df/dL.
type criterion func(l *mat.Dense) (f float64, gradient *mat.Dense)

// obliminCriterion is f = 1/4 <L^2, (I - gamma C) L^2 N> with C = 11'/p and N =
// 11' - I: it is small where few items load on two factors (Jennrich 1979;
// Bernaards and Jennrich 2005, section 4). Its gradient is L * (I - gamma C) L^2 N.
func obliminCriterion(gamma float64) criterion {
	return func(l *mat.Dense) (float64, *mat.Dense) {
		p, m := l.Dims()
		x := mat.NewDense(p, m, nil)
		for i := range p {
			row := 0.0
			for k := range m {
				row += l.At(i, k) * l.At(i, k)
			}
			for k := range m {
				x.Set(i, k, row-l.At(i, k)*l.At(i, k))
			}
		}
		for k := range m {
			mean := 0.0
			for i := range p {
				mean += x.At(i, k) / float64(p)
			}
			for i := range p {
				x.Set(i, k, x.At(i, k)-gamma*mean)
			}
		}
		f := 0.0
		for i := range p {
			for k := range m {
				v := l.At(i, k)
				f += v * v * x.At(i, k) / 4
				x.Set(i, k, v*x.At(i, k))
			}
		}
		return f, x
	}
}

// varimaxCriterion is f = -1/4 |L^2 - column means|^2, so that its minimum has
// the most varied squared loadings within factors (Kaiser 1958).
func varimaxCriterion(l *mat.Dense) (float64, *mat.Dense) {
	p, m := l.Dims()
	f, g := 0.0, mat.NewDense(p, m, nil)
	for k := range m {
		mean := 0.0
		for i := range p {
			mean += l.At(i, k) * l.At(i, k) / float64(p)
		}
		for i := range p {
			v := l.At(i, k)
			q := v*v - mean
			f -= q * q / 4
			g.Set(i, k, -v*q)
		}
	}
	return f, g
}

// quartimaxCriterion is f = -1/4 sum L^4.
func quartimaxCriterion(l *mat.Dense) (float64, *mat.Dense) {
	f := 0.0
	var g mat.Dense
	g.Apply(func(_, _ int, v float64) float64 {
		f -= v * v * v * v / 4
		return -v * v * v
	}, l)
	return f, &g
}

// Rotate rotates loadings (items by factors).
func Rotate(loadings *mat.Dense, o RotationOptions) (*Rotated, error) {
	p, m := loadings.Dims()
	if m == 1 || o.Rotation == Unrotated {
		return &Rotated{Loadings: mat.DenseCopyOf(loadings), Phi: identity(m), Converged: true}, nil
	}
	a := mat.DenseCopyOf(loadings)
	weights := make([]float64, p)
	for i := range p {
		weights[i] = 1
		if o.Kaiser {
			if norm := mat.Norm(a.RowView(i), 2); norm > 0 {
				weights[i] = norm
			}
		}
		for k := range m {
			a.Set(i, k, a.At(i, k)/weights[i])
		}
	}
	var out *Rotated
	var err error
	switch o.Rotation {
	case Varimax:
		out, err = bestOf(a, o, varimaxCriterion, orthogonal)
	case Quartimax:
		out, err = bestOf(a, o, quartimaxCriterion, orthogonal)
	case Oblimin:
		out, err = bestOf(a, o, obliminCriterion(o.Gamma), oblique)
	case Quartimin:
		out, err = bestOf(a, o, obliminCriterion(0), oblique)
	case Promax:
		out, err = promax(a, o)
	default:
		return nil, fmt.Errorf("there is no rotation %q; there are none, varimax, quartimax, oblimin, quartimin, promax", o.Rotation)
	}
	if err != nil {
		return nil, err
	}
	for i := range p {
		for k := range m {
			v := out.Loadings.At(i, k) * weights[i]
			if math.IsNaN(v) || math.IsInf(v, 0) || math.Abs(v) > 1e6 {
				return nil, fmt.Errorf("the %s rotation (gamma %g) has no minimum: its loadings grow without limit; use a smaller gamma or another rotation", o.Rotation, o.Gamma)
			}
			out.Loadings.Set(i, k, v)
		}
	}
	return out, nil
}

type descent func(a, start *mat.Dense, c criterion) (*Rotated, error)

// bestOf runs a descent from each starting point.
func bestOf(a *mat.Dense, o RotationOptions, c criterion, run descent) (*Rotated, error) {
	_, m := a.Dims()
	start := mat.NewDense(m, m, nil)
	start.Copy(identity(m))
	best, err := run(a, start, c)
	if err != nil {
		return nil, err
	}
	for range o.Starts - 1 {
		if o.Rand == nil {
			return nil, fmt.Errorf("random starts of a rotation need a generator")
		}
		for i := range m {
			for k := range m {
				start.Set(i, k, o.Rand.NormFloat64())
			}
		}
		turned, err := polar(start)
		if err != nil {
			continue // a random matrix without full rank: no start
		}
		// Only a clearly lower one replaces: which of equals wins must not
		// hang on rounding.
		if next, err := run(a, turned, c); err == nil && next.Criterion < best.Criterion-1e-9*math.Abs(best.Criterion) {
			best = next
		}
	}
	return best, nil
}

// Gradient projection (Bernaards and Jennrich, Educational and Psychological
// Measurement 65 (2005) 676): step from T against the gradient of f(L(T)),
// project back onto the manifold of T, halve the step until f falls by half of
// what the projected gradient's length s promises; stop at s < tolerance.
const (
	rotationTolerance = 1e-8
	rotationSteps     = 5000
)

// oblique minimises over T with columns of length 1, L = A T^-T, Phi = T'T.
// The gradient in T is G = -(L' Gq T^-1)'; its projection on the manifold
// takes from each column its part along T's column.
func oblique(a, start *mat.Dense, c criterion) (*Rotated, error) {
	t := mat.DenseCopyOf(start)
	l, inverse, err := obliqueLoadings(a, t)
	if err != nil {
		return nil, err
	}
	f, gq := c(l)
	out := &Rotated{}
	m, _ := t.Dims()
	for al, iter := 1.0, 0; iter < rotationSteps; iter++ {
		var x, g mat.Dense
		x.Mul(l.T(), gq)
		g.Mul(&x, inverse)
		gp := mat.NewDense(m, m, nil)
		for k := range m {
			along := 0.0
			for i := range m {
				along += t.At(i, k) * -g.At(k, i)
			}
			for i := range m {
				gp.Set(i, k, -g.At(k, i)-t.At(i, k)*along)
			}
		}
		s := mat.Norm(gp, 2)
		if s < rotationTolerance {
			out.Converged = true
			break
		}
		al *= 2
		moved := false
		for range 40 {
			var next mat.Dense
			next.Scale(-al, gp)
			next.Add(&next, t)
			for k := range m {
				norm := mat.Norm(next.ColView(k), 2)
				for i := range m {
					next.Set(i, k, next.At(i, k)/norm)
				}
			}
			nl, ninv, err := obliqueLoadings(a, &next)
			if err == nil {
				if nf, ng := c(nl); f-nf > 0.5*s*s*al {
					t, l, inverse, f, gq, moved = &next, nl, ninv, nf, ng, true
					break
				}
			}
			al /= 2
		}
		if !moved { // what is left to gain is below rounding
			out.Converged = s < 1e-5
			break
		}
	}
	out.Loadings, out.Criterion, out.Phi = l, f, mat.NewSymDense(m, nil)
	for i := range m {
		out.Phi.SetSym(i, i, 1)
		for k := range i {
			out.Phi.SetSym(i, k, mat.Dot(t.ColView(i), t.ColView(k)))
		}
	}
	return out, nil
}

// obliqueLoadings returns A T^-T and T^-1.
func obliqueLoadings(a, t *mat.Dense) (l, inverse *mat.Dense, err error) {
	inverse = new(mat.Dense)
	if err := inverse.Inverse(t); err != nil {
		return nil, nil, fmt.Errorf("the rotation's factors became the same: %w", err)
	}
	l = new(mat.Dense)
	l.Mul(a, inverse.T())
	return l, inverse, nil
}

// orthogonal minimises over orthogonal T, L = A T. The projected gradient is
// G - T (T'G + G'T)/2 with G = A' Gq; a step returns to the manifold by the
// orthogonal factor of its polar decomposition.
func orthogonal(a, start *mat.Dense, c criterion) (*Rotated, error) {
	t := mat.DenseCopyOf(start)
	m, _ := t.Dims()
	l := new(mat.Dense)
	l.Mul(a, t)
	f, gq := c(l)
	out := &Rotated{Phi: identity(m)}
	for al, iter := 1.0, 0; iter < rotationSteps; iter++ {
		var g, sym, gp mat.Dense
		g.Mul(a.T(), gq)
		sym.Mul(t.T(), &g)
		half := mat.NewDense(m, m, nil)
		for i := range m {
			for k := range m {
				half.Set(i, k, (sym.At(i, k)+sym.At(k, i))/2)
			}
		}
		gp.Mul(t, half)
		gp.Sub(&g, &gp)
		s := mat.Norm(&gp, 2)
		if s < rotationTolerance {
			out.Converged = true
			break
		}
		al *= 2
		moved := false
		for range 40 {
			next := new(mat.Dense)
			next.Scale(-al, &gp)
			next.Add(next, t)
			next, err := polar(next)
			if err == nil {
				nl := new(mat.Dense)
				nl.Mul(a, next)
				if nf, ng := c(nl); f-nf > 0.5*s*s*al {
					t, l, f, gq, moved = next, nl, nf, ng, true
					break
				}
			}
			al /= 2
		}
		if !moved {
			out.Converged = s < 1e-5
			break
		}
	}
	out.Loadings, out.Criterion = l, f
	return out, nil
}

// polar returns the orthogonal factor X (X'X)^-1/2.
func polar(x *mat.Dense) (*mat.Dense, error) {
	var xx, out mat.Dense
	xx.Mul(x.T(), x)
	m, _ := xx.Dims()
	root, err := power(symmetric(&xx), -0.5)
	if err != nil {
		return nil, fmt.Errorf("a %d by %d rotation lost its rank: %w", m, m, err)
	}
	out.Mul(x, root)
	return &out, nil
}

// promax raises varimax loadings to a power, with their signs, and turns the
// factors obliquely toward them by least squares (Hendrickson and White 1964),
// as stats::promax; with o.Kaiser the rows were scaled before.
func promax(a *mat.Dense, o RotationOptions) (*Rotated, error) {
	start, err := bestOf(a, o, varimaxCriterion, orthogonal)
	if err != nil {
		return nil, err
	}
	if o.Power == 0 {
		o.Power = 4
	}
	return promaxTarget(start, o.Power)
}

// promaxTarget does promax from a varimax solution.
func promaxTarget(start *Rotated, power float64) (*Rotated, error) {
	x := start.Loadings
	_, m := x.Dims()
	var q, xx, xq, u mat.Dense
	q.Apply(func(_, _ int, v float64) float64 { return v * math.Pow(math.Abs(v), power-1) }, x)
	xx.Mul(x.T(), x)
	xq.Mul(x.T(), &q)
	if err := u.Solve(&xx, &xq); err != nil {
		return nil, fmt.Errorf("promax: the loadings of two factors are proportional: %w", err)
	}
	// The factors' variances are diag((U'U)^-1); scale them to 1.
	var uu, inverse mat.Dense
	uu.Mul(u.T(), &u)
	if err := inverse.Inverse(&uu); err != nil {
		return nil, fmt.Errorf("promax: two factors became the same: %w", err)
	}
	out := &Rotated{Loadings: new(mat.Dense), Phi: mat.NewSymDense(m, nil), Criterion: start.Criterion, Converged: start.Converged}
	for i := range m {
		out.Phi.SetSym(i, i, 1)
		for k := range i {
			out.Phi.SetSym(i, k, inverse.At(i, k)/math.Sqrt(inverse.At(i, i)*inverse.At(k, k)))
		}
	}
	out.Loadings.Mul(x, &u)
	rows, _ := x.Dims()
	for i := range rows {
		for k := range m {
			out.Loadings.Set(i, k, out.Loadings.At(i, k)*math.Sqrt(inverse.At(k, k)))
		}
	}
	return out, nil
}
