package scale

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// Against LAPACK's algorithm, on matrices with equal, zero and negative
// eigenvalues too.
func TestEigenAgainstLAPACK(t *testing.T) {
	rnd := rand.New(rand.NewPCG(8, 9))
	for p := 1; p <= 40; p += 3 {
		for _, kind := range []string{"full", "rank 1", "diagonal", "zero"} {
			a := mat.NewSymDense(p, nil)
			for i := range p {
				for j := range i + 1 {
					switch {
					case kind == "full":
						a.SetSym(i, j, rnd.NormFloat64())
					case kind == "rank 1":
						a.SetSym(i, j, float64((i+1)*(j+1)))
					case kind == "diagonal" && i == j:
						a.SetSym(i, j, float64(i%3))
					}
				}
			}
			values, vectors, err := eigen(a)
			if err != nil {
				t.Fatal(err)
			}
			var e mat.EigenSym
			if !e.Factorize(a, false) {
				t.Fatal("LAPACK failed")
			}
			scale := math.Max(1, mat.Norm(a, 2))
			for k, want := range e.Values(nil) {
				near(t, kind, values[p-1-k], want, 1e-13*scale)
			}
			// A V = V D and V'V = I.
			var av, vd, vv mat.Dense
			av.Mul(a, vectors)
			vd.Mul(vectors, mat.NewDiagDense(p, values))
			vv.Mul(vectors.T(), vectors)
			av.Sub(&av, &vd)
			vv.Sub(&vv, identity(p))
			if d := mat.Norm(&av, 2); d > 1e-12*scale {
				t.Errorf("%s %d: AV - VD is %g", kind, p, d)
			}
			if d := mat.Norm(&vv, 2); d > 1e-12 {
				t.Errorf("%s %d: V'V - I is %g", kind, p, d)
			}
		}
	}
	if _, _, err := eigen(mat.NewSymDense(2, []float64{1, nan, nan, 1})); err == nil {
		t.Error("NaN was accepted")
	}
}
