package glmm

import (
	"errors"
	"math"

	"gonum.org/v1/gonum/mat"
)

// objective gives a value and its gradient; an error says that the point is
// outside what can be evaluated, and counts as an infinite value.
type objective func(x []float64) (float64, []float64, error)

var errMinimum = errors.New("no minimum was reached")

// point is where a search stands.
type point struct {
	x []float64
	f float64
	g []float64
}

// minimise searches by BFGS from x with the inverse Hessian h to start with,
// until the fall that its quadratic model still expects is below 1e-10. Steps
// meet Wolfe's conditions by bisection (Lewis & Overton 2013).
func minimise(f objective, x []float64, h *mat.SymDense) (point, int, error) {
	d := len(x)
	at := point{x: append([]float64(nil), x...)}
	var err error
	evals := 1
	if at.f, at.g, err = f(at.x); err != nil {
		return at, evals, err
	}
	for range 200 {
		dir := mat.NewVecDense(d, nil)
		dir.MulVec(h, mat.NewVecDense(d, at.g))
		dir.ScaleVec(-1, dir)
		slope := mat.Dot(dir, mat.NewVecDense(d, at.g))
		if -slope < 1e-10 {
			return at, evals, nil
		}
		next, n, ok := wolfe(f, at, dir.RawVector().Data, slope)
		evals += n
		if !ok {
			if -slope < 1e-6 {
				return at, evals, nil // rounding ends the search; Newton's steps judge it
			}
			return at, evals, errMinimum
		}
		update(h, at, next)
		at = next
	}
	return at, evals, errMinimum
}

func wolfe(f objective, at point, dir []float64, slope float64) (point, int, bool) {
	lo, hi, t := 0.0, math.Inf(1), 1.0
	var best point
	found := false
	for n := 1; n <= 40; n++ {
		x := make([]float64, len(dir))
		for j := range x {
			x[j] = at.x[j] + t*dir[j]
		}
		v, g, err := f(x)
		switch {
		case err != nil || math.IsNaN(v) || v > at.f+1e-4*t*slope:
			hi = t
		default:
			s := 0.0
			for j := range g {
				s += g[j] * dir[j]
			}
			best, found = point{x, v, g}, true
			if s >= 0.9*slope {
				return best, n, true
			}
			lo = t
		}
		if math.IsInf(hi, 1) {
			t = 2 * lo
		} else {
			t = (lo + hi) / 2
		}
	}
	return best, 40, found
}

// update is BFGS's of the inverse Hessian, left out where the curvature along
// the step is not positive.
func update(h *mat.SymDense, from, to point) {
	d := len(from.x)
	s, y := mat.NewVecDense(d, nil), mat.NewVecDense(d, nil)
	for j := range d {
		s.SetVec(j, to.x[j]-from.x[j])
		y.SetVec(j, to.g[j]-from.g[j])
	}
	sy := mat.Dot(s, y)
	if sy <= 1e-14*mat.Norm(s, 2)*mat.Norm(y, 2) {
		return
	}
	var hy mat.VecDense
	hy.MulVec(h, y)
	// H <- H + (1 + y'Hy/s'y) ss'/s'y - (Hy s' + s y'H)/s'y
	c := (1 + mat.Dot(y, &hy)/sy) / sy
	for i := range d {
		for j := i; j < d; j++ {
			v := h.At(i, j) + c*s.AtVec(i)*s.AtVec(j) - (hy.AtVec(i)*s.AtVec(j)+s.AtVec(i)*hy.AtVec(j))/sy
			h.SetSym(i, j, v)
		}
	}
}

// hessian by central differences of the gradient, steps in the scales given;
// Richardson's combination of two steps leaves an error of order step^4.
func hessian(f objective, x, scale []float64) (*mat.SymDense, error) {
	d := len(x)
	full := mat.NewDense(d, d, nil)
	for j := range d {
		for _, c := range []struct{ step, weight float64 }{{1, 4.0 / 3}, {2, -1.0 / 3}} {
			e := 1e-3 * scale[j] * c.step
			up, down := append([]float64(nil), x...), append([]float64(nil), x...)
			up[j] += e
			down[j] -= e
			_, gu, err := f(up)
			if err != nil {
				return nil, err
			}
			_, gd, err := f(down)
			if err != nil {
				return nil, err
			}
			for i := range d {
				full.Set(i, j, full.At(i, j)+c.weight*(gu[i]-gd[i])/(2*e))
			}
		}
	}
	h := mat.NewSymDense(d, nil)
	for i := range d {
		for j := i; j < d; j++ {
			h.SetSym(i, j, (full.At(i, j)+full.At(j, i))/2)
		}
	}
	return h, nil
}
