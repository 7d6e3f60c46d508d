package scale

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// Smoothing is what Smooth did.
type Smoothing struct {
	Smallest float64 // the smallest eigenvalue before
	Largest  float64 // the largest change of a correlation
}

func (s Smoothing) String() string {
	return fmt.Sprintf("the matrix is not positive definite (smallest eigenvalue %.3g): smoothed, which moved a correlation by at most %.2g", s.Smallest, s.Largest)
}

// Smooth returns r where it is positive definite (smallest eigenvalue at least
// 2.2e-16), and otherwise a positive definite matrix near it, as psych's
// cor.smooth (Wothke 1993): eigenvalues below 1e-12 become 1e-10, all are
// rescaled to their old sum p, and the rebuilt matrix to a unit diagonal.
func Smooth(r *mat.SymDense) (*mat.SymDense, *Smoothing, error) {
	values, vectors, err := eigen(r)
	if err != nil {
		return nil, nil, err
	}
	p := len(values)
	s := &Smoothing{Smallest: values[p-1]}
	if s.Smallest >= 0x1p-52 {
		return r, nil, nil
	}
	sum := 0.0
	for k := range values {
		if values[k] < 1e-12 {
			values[k] = 1e-10
		}
		sum += values[k]
	}
	out := mat.NewSymDense(p, nil)
	for i := range p {
		for j := range i + 1 {
			v := 0.0
			for k := range p {
				v += values[k] * float64(p) / sum * vectors.At(i, k) * vectors.At(j, k)
			}
			out.SetSym(i, j, v)
		}
	}
	scaled := mat.NewSymDense(p, nil)
	for i := range p {
		scaled.SetSym(i, i, 1)
		for j := range i {
			v := out.At(i, j) / math.Sqrt(out.At(i, i)*out.At(j, j))
			scaled.SetSym(i, j, v)
			s.Largest = math.Max(s.Largest, math.Abs(v-r.At(i, j)))
		}
	}
	return scaled, s, nil
}
