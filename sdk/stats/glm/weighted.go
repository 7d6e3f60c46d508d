package glm

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// weighted solves weighted least-squares problems by Householder QR of W^{1/2} X,
// which keeps the condition of X where the cross-products would square it. The
// work space is kept between solves of one shape.
type weighted struct {
	a  *mat.Dense
	qr mat.QR
}

// factor decomposes W^{1/2} X; its error is errSingular.
func (k *weighted) factor(x *mat.Dense, w []float64) error {
	n, p := x.Dims()
	if n < p {
		return errSingular
	}
	if k.a == nil {
		k.a = mat.NewDense(n, p, nil)
	}
	for i, v := range w {
		r := math.Sqrt(v)
		from, to := x.RawRowView(i), k.a.RawRowView(i)
		for j := range from {
			to[j] = r * from[j]
		}
	}
	k.qr.Factorize(k.a)
	if c := k.qr.Cond(); !(c < 1e14) {
		return errSingular
	}
	return nil
}

// solve returns the beta that minimises sum w (z - X beta)^2.
func (k *weighted) solve(x *mat.Dense, w, z []float64) ([]float64, error) {
	if err := k.factor(x, w); err != nil {
		return nil, err
	}
	n, p := x.Dims()
	b := mat.NewVecDense(n, nil)
	for i, v := range w {
		b.SetVec(i, math.Sqrt(v)*z[i])
	}
	out := mat.NewVecDense(p, nil)
	if err := k.qr.SolveVecTo(out, false, b); err != nil {
		return nil, errSingular
	}
	return out.RawVector().Data, nil
}

// triangle is the p x p factor R of W^{1/2} X = Q R.
func (k *weighted) triangle() *mat.TriDense {
	_, p := k.a.Dims()
	var r mat.Dense
	k.qr.RTo(&r)
	t := mat.NewTriDense(p, mat.Upper, nil)
	for i := range p {
		for j := i; j < p; j++ {
			t.SetTri(i, j, r.At(i, j))
		}
	}
	return t
}

// information returns log|X'WX| and its inverse, and where h (n) is given fills
// it with the leverages w x'(X'WX)^{-1} x.
func information(x *mat.Dense, w, h []float64) (logdet float64, inverse *mat.SymDense, err error) {
	var k weighted
	if err := k.factor(x, w); err != nil {
		return 0, nil, err
	}
	r := k.triangle()
	p, _ := r.Dims()
	var ri mat.TriDense
	if err := ri.InverseTri(r); err != nil {
		return 0, nil, errSingular
	}
	for j := range p {
		logdet += 2 * math.Log(math.Abs(r.At(j, j)))
	}
	inverse = mat.NewSymDense(p, nil)
	for i := range p {
		for j := i; j < p; j++ {
			s := 0.0
			for c := j; c < p; c++ {
				s += ri.At(i, c) * ri.At(j, c)
			}
			inverse.SetSym(i, j, s)
		}
	}
	for i := range h {
		row := k.a.RawRowView(i)
		for c := range p {
			s := 0.0
			for j := 0; j <= c; j++ {
				s += row[j] * ri.At(j, c)
			}
			h[i] += s * s
		}
	}
	return logdet, inverse, nil
}
