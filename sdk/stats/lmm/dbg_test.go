package lmm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
)

func randomData(r *rand.Rand, n, p int, ks []int, ls []int) *data {
	d := &data{p: p, y: make([]float64, n), x: make([]float64, n*p)}
	for j := 0; j < p; j++ {
		d.names = append(d.names, fmt.Sprint("x", j))
	}
	for i := range d.y {
		d.y[i] = r.NormFloat64()
		for j := 0; j < p; j++ {
			d.x[i*p+j] = r.NormFloat64()
		}
		d.x[i*p] = 1
	}
	for t, k := range ks {
		term := randomTerm{text: fmt.Sprint("z", t, " | g", t), group: fmt.Sprint("g", t), correlated: true, z: make([]float64, n*k), index: make([]int32, n)}
		for l := 0; l < ls[t]; l++ {
			term.levels = append(term.levels, fmt.Sprint(l))
		}
		for c := 0; c < k; c++ {
			term.names = append(term.names, fmt.Sprint("z", c))
		}
		eff := make([]float64, ls[t]*k)
		for i := range eff {
			eff[i] = r.NormFloat64()
		}
		for i := 0; i < n; i++ {
			term.index[i] = int32(r.IntN(ls[t]))
			for c := 0; c < k; c++ {
				z := 1.0
				if c > 0 {
					z = r.NormFloat64()
				}
				term.z[i*k+c] = z
				d.y[i] += z * eff[int(term.index[i])*k+c]
			}
		}
		d.random = append(d.random, term)
	}
	return d
}

// direct computes the deviance from V itself.
func direct(q *problem, theta []float64, reml bool) float64 {
	n := q.n
	v := mat.NewSymDense(n, nil)
	lam := q.lambda(theta)
	for i := 0; i < n; i++ {
		for j := i; j < n; j++ {
			s := 0.0
			if i == j {
				s = 1
			}
			for f, fac := range q.factors {
				if fac.index[i] != fac.index[j] {
					continue
				}
				k := fac.k
				ll := make([]float64, k*k)
				multiplyT(ll, lam[f], lam[f], k)
				s += quadratic(fac.z[i*k:i*k+k], ll, fac.z[j*k:j*k+k])
			}
			v.SetSym(i, j, s)
		}
	}
	var ch mat.Cholesky
	ch.Factorize(v)
	xy := mat.NewDense(n, q.w, q.xy)
	var s mat.Dense
	ch.SolveTo(&s, xy)
	var r mat.Dense
	r.Mul(xy.T(), &s)
	pt := &point{logDet: ch.LogDet()}
	f := &profile{q: q, reml: reml}
	f.solve(pt, r.RawMatrix().Data)
	return pt.dev
}

func TestDbg(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, c := range [][2][]int{{{1, 1}, {7, 5}}, {{1, 1, 1}, {9, 5, 4}}, {{2, 1}, {7, 5}}, {{1, 2}, {9, 4}}, {{2, 2}, {7, 5}}, {{3}, {7}}, {{2, 1, 3}, {8, 6, 4}}} {
		d := randomData(r, 60, 2, c[0], c[1])
		q, err := newProblem(d)
		if err != nil {
			t.Fatal(err)
		}
		th := make([]float64, len(q.pars))
		for i := range th {
			th[i] = r.NormFloat64()
		}
		f := &profile{q: q, k: newKernel(q), reml: true}
		pt, _ := f.at(th)
		fmt.Println(c, pt.dev, direct(q, th, true))
		h, _ := f.hessian(pt, true)
		bad := 0.0
		for i := range th {
			a := append([]float64(nil), th...)
			b := append([]float64(nil), th...)
			a[i] += 1e-4
			b[i] -= 1e-4
			pa, _ := f.at(a)
			f.differentiate(pa)
			pb, _ := f.at(b)
			f.differentiate(pb)
			fmt.Println("g", pt.grad[i], (pa.dev-pb.dev)/2e-4)
			for j := range th {
				bad = math.Max(bad, math.Abs(h.profiled[i*len(th)+j]-(pa.grad[j]-pb.grad[j])/2e-4))
			}
		}
		fmt.Println(bad)
	}
}
