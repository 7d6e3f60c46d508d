package glm

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat/distuv"
)

// InterpolatedInterval repeats the arithmetic of R's confint.glm (package MASS,
// and stats since 4.4) for coefficient j: fits at steps of a fifth of the
// largest z of interest until z passes it, a cubic spline of the coefficient's
// value through the signed roots z, and linear interpolation between three times
// as many points of that spline. It exists to compare with published limits;
// ProfileInterval solves the equation that this approximates.
func (m *Model) InterpolatedInterval(j int, level float64) (lower, upper float64, err error) {
	if j < 0 || j >= len(m.beta) {
		return 0, 0, fmt.Errorf("the model has %d coefficients; there is no coefficient %d", len(m.beta), j+1)
	}
	if !(level > 0 && level < 1) {
		return 0, 0, fmt.Errorf("confidence level %v is not between 0 and 1 (usual: 0.95)", level)
	}
	l := make([]float64, len(m.beta))
	l[j] = 1
	est, se, df, err := m.modelContrast(l)
	if err != nil {
		return 0, 0, err
	}
	pr, err := m.profile(l)
	if err != nil {
		return 0, 0, err
	}
	// confint asks profile for alpha = (1 - level)/4, a bit beyond its own limits.
	alpha := (1 - level) / 4
	zmax := distuv.UnitNormal.Quantile(1 - alpha/2)
	if !math.IsInf(df, 1) {
		zmax = math.Sqrt(distuv.F{D1: 1, D2: df}.Quantile(1 - alpha))
	}
	zs, vs := []float64{0}, []float64{est}
	for _, sign := range []float64{-1, 1} {
		copy(pr.gamma, others(m.beta, j))
		z := 0.0
		for step := 1.0; step < 10 && math.Abs(z) < zmax; step++ {
			v := est + sign*step*zmax/5*se
			rise, _, err := pr.at(v)
			if err != nil {
				return 0, 0, err
			}
			z = sign * math.Sqrt(math.Max(rise, 0))
			if sign < 0 {
				zs, vs = append([]float64{z}, zs...), append([]float64{v}, vs...)
			} else {
				zs, vs = append(zs, z), append(vs, v)
			}
		}
	}
	cut := distuv.UnitNormal.Quantile((1 + level) / 2)
	s, err := newSpline(vs, zs)
	if err != nil {
		return 0, 0, err
	}
	n := 3 * len(vs)
	xs, ys := make([]float64, n), make([]float64, n)
	for i := range n {
		xs[i] = vs[0] + (vs[len(vs)-1]-vs[0])*float64(i)/float64(n-1)
		ys[i] = s.at(xs[i])
	}
	return linear(ys, xs, -cut), linear(ys, xs, cut), nil
}

func others(beta []float64, j int) []float64 {
	out := append([]float64(nil), beta[:j]...)
	return append(out, beta[j+1:]...)
}

// linear interpolates y at x, both along the increasing xs; infinite beyond them,
// where the profile never reached the cut.
func linear(xs, ys []float64, x float64) float64 {
	if x < xs[0] {
		return math.Inf(-1)
	}
	for i := 1; i < len(xs); i++ {
		if x <= xs[i] {
			return ys[i-1] + (ys[i]-ys[i-1])*(x-xs[i-1])/(xs[i]-xs[i-1])
		}
	}
	return math.Inf(1)
}

// spline is the cubic spline through (x, y) whose end conditions are those of
// Forsythe, Malcolm & Moler (1977): the third derivative at either end is that
// of the cubic through the four outermost points.
type spline struct{ x, y, m []float64 } // m: second derivatives

func newSpline(x, y []float64) (*spline, error) {
	n := len(x)
	if n < 4 {
		return nil, fmt.Errorf("a profile of %d points is too short for a spline", n)
	}
	a, b := mat.NewDense(n, n, nil), mat.NewVecDense(n, nil)
	third := func(i int) float64 { // of the cubic through points i..i+3
		d := append([]float64(nil), y[i:i+4]...)
		for k := 1; k < 4; k++ {
			for j := 3; j >= k; j-- {
				d[j] = (d[j] - d[j-1]) / (x[i+j] - x[i+j-k])
			}
		}
		return 6 * d[3]
	}
	a.Set(0, 0, -1)
	a.Set(0, 1, 1)
	b.SetVec(0, third(0)*(x[1]-x[0]))
	a.Set(n-1, n-2, -1)
	a.Set(n-1, n-1, 1)
	b.SetVec(n-1, third(n-4)*(x[n-1]-x[n-2]))
	for i := 1; i < n-1; i++ {
		h0, h1 := x[i]-x[i-1], x[i+1]-x[i]
		a.Set(i, i-1, h0)
		a.Set(i, i, 2*(h0+h1))
		a.Set(i, i+1, h1)
		b.SetVec(i, 6*((y[i+1]-y[i])/h1-(y[i]-y[i-1])/h0))
	}
	var m mat.VecDense
	if err := m.SolveVec(a, b); err != nil {
		return nil, fmt.Errorf("the profile's spline: %w", err)
	}
	return &spline{x, y, m.RawVector().Data}, nil
}

func (s *spline) at(t float64) float64 {
	i := 1
	for i < len(s.x)-1 && t > s.x[i] {
		i++
	}
	h := s.x[i] - s.x[i-1]
	a, b := (s.x[i]-t)/h, (t-s.x[i-1])/h
	return a*s.y[i-1] + b*s.y[i] + ((a*a*a-a)*s.m[i-1]+(b*b*b-b)*s.m[i])*h*h/6
}
