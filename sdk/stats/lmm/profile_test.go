package lmm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// randomData has n rows, p covariates and terms of ks columns over ls levels.
func randomData(r *rand.Rand, n, p int, ks, ls []int, correlated bool) *data {
	d := &data{p: p, y: make([]float64, n), x: make([]float64, n*p)}
	for j := 0; j < p; j++ {
		d.names = append(d.names, fmt.Sprint("x", j))
	}
	for i := range d.y {
		d.y[i] = r.NormFloat64()
		for j := 0; j < p; j++ {
			d.x[i*p+j] = 100 + r.NormFloat64()
		}
		if p > 0 {
			d.x[i*p] = 2
		}
	}
	for t, k := range ks {
		term := randomTerm{text: fmt.Sprint("z", t, " | g", t), group: fmt.Sprint("g", t), correlated: correlated, z: make([]float64, n*k), index: make([]int32, n)}
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
					z = float64(r.IntN(3))
				}
				term.z[i*k+c] = z
				d.y[i] += z * eff[int(term.index[i])*k+c]
			}
		}
		d.random = append(d.random, term)
	}
	return d
}

// textbook forms V and what follows from it: the textbook, n x n.
type textbook struct {
	q    *problem
	vinv *mat.SymDense
	dev  float64
	c    *mat.SymDense
}

func newTextbook(q *problem, theta []float64, reml bool) *textbook {
	n, p := q.n, q.p
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
	if !ch.Factorize(v) {
		panic("V")
	}
	out := &textbook{q: q, vinv: mat.NewSymDense(n, nil)}
	if err := ch.InverseTo(out.vinv); err != nil {
		panic(err)
	}
	xy := mat.NewDense(n, q.w, q.xy)
	var s, r mat.Dense
	s.Mul(out.vinv, xy)
	r.Mul(xy.T(), &s)
	out.dev = ch.LogDet() - q.logW
	nu := float64(n)
	r2 := r.At(p, p)
	if p > 0 {
		xx := mat.NewSymDense(p, nil)
		for i := 0; i < p; i++ {
			for j := i; j < p; j++ {
				xx.SetSym(i, j, r.At(i, j))
			}
		}
		var cx mat.Cholesky
		cx.Factorize(xx)
		b := mat.NewVecDense(p, mat.Col(nil, p, &r)[:p])
		var beta mat.VecDense
		if err := cx.SolveVecTo(&beta, b); err != nil {
			panic(err)
		}
		r2 -= mat.Dot(&beta, b)
		out.c = mat.NewSymDense(p, nil)
		if err := cx.InverseTo(out.c); err != nil {
			panic(err)
		}
		if reml {
			nu -= float64(p)
			out.dev += cx.LogDet()
		}
	}
	out.dev += nu * (1 + math.Log(2*math.Pi*r2/nu))
	return out
}

func kernelOf(t testing.TB, q *problem) kernel {
	t.Helper()
	k, err := newKernel(q)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// shapes are factors' columns and levels: one factor, several, vectors.
var shapes = [][2][]int{
	{{1}, {8}}, {{2}, {9}}, {{3}, {7}}, {{1, 1}, {9, 5}}, {{1, 1}, {5, 9}}, {{2, 1}, {8, 5}},
	{{1, 2}, {9, 4}}, {{2, 2}, {7, 5}}, {{1, 1, 1}, {9, 5, 4}}, {{2, 1, 3}, {8, 6, 4}},
}

func randomTheta(r *rand.Rand, q *problem) []float64 {
	theta := make([]float64, len(q.pars))
	for i := range theta {
		theta[i] = r.NormFloat64()
	}
	return theta
}

func TestDevianceOfTheTextbook(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, s := range shapes {
		for p := 0; p < 4; p += 3 {
			for _, reml := range []bool{false, true} {
				d := randomData(r, 70, p, s[0], s[1], true)
				d.weights = make([]float64, 70)
				for i := range d.weights {
					d.weights[i] = 0.5 + r.Float64()
				}
				q, err := newProblem(d)
				if err != nil {
					t.Fatal(err)
				}
				f := &profile{q: q, k: kernelOf(t, q), reml: reml}
				theta := randomTheta(r, q)
				pt, err := f.at(theta)
				if err != nil {
					t.Fatal(err)
				}
				if want := newTextbook(q, theta, reml).dev; math.Abs(pt.dev-want) > 1e-9*math.Abs(want) {
					t.Errorf("%v p=%d REML=%v: deviance %.12g, textbook %.12g", s, p, reml, pt.dev, want)
				}
			}
		}
	}
}

// The derivatives against central differences of the deviance and gradient,
// also near and at a singular Lambda, and of constrained profiles.
func TestDerivatives(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, s := range shapes {
		for kind := 0; kind < 4; kind++ {
			d := randomData(r, 70, 3, s[0], s[1], kind != 3)
			q, err := newProblem(d)
			if err != nil {
				t.Fatal(err)
			}
			f := &profile{q: q, k: kernelOf(t, q), reml: kind != 1}
			if kind == 1 {
				f.fixed, f.value = []float64{0.5, 1, -1}, 0.3
			}
			theta := randomTheta(r, q)
			if kind == 2 {
				theta[len(theta)-1] = 1e-4
			}
			checkDerivatives(t, fmt.Sprint(s, kind), f, theta)
		}
	}
}

func checkDerivatives(t *testing.T, name string, f *profile, theta []float64) {
	t.Helper()
	d := len(theta)
	pt, err := f.at(theta)
	if err != nil {
		t.Fatal(err)
	}
	h, err := f.hessian(pt, true)
	if err != nil || !h.exact {
		t.Fatal(h.exact, err)
	}
	const step = 1e-4
	for i := range theta {
		var dev [2]float64
		var grad [2][]float64
		for s, sign := range []float64{-1, 1} {
			moved := append([]float64(nil), theta...)
			moved[i] += sign * step
			next, err := f.at(moved)
			if err != nil {
				t.Fatal(err)
			}
			if err := f.differentiate(next); err != nil {
				t.Fatal(err)
			}
			dev[s], grad[s] = next.dev, next.grad
		}
		scale := 1 + math.Abs(h.profiled[i*d+i]) + math.Abs(pt.grad[i])
		if got, want := pt.grad[i], (dev[1]-dev[0])/(2*step); math.Abs(got-want) > 1e-6*scale {
			t.Errorf("%s: gradient %d is %.10g, differences give %.10g", name, i, got, want)
		}
		for j := range theta {
			if got, want := h.profiled[i*d+j], (grad[1][j]-grad[0][j])/(2*step); math.Abs(got-want) > 1e-5*scale {
				t.Errorf("%s: Hessian %d,%d is %.10g, differences give %.10g", name, i, j, got, want)
			}
		}
	}
}

// Kenward and Roger's sums against the matrices they stand for.
func TestMomentsOfTheTextbook(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, s := range shapes {
		q, err := newProblem(randomData(r, 60, 2, s[0], s[1], true))
		if err != nil {
			t.Fatal(err)
		}
		theta := randomTheta(r, q)
		if s[0][0] == 2 {
			theta[0] = 0
		}
		f := &profile{q: q, k: kernelOf(t, q), reml: true}
		if _, err := f.at(theta); err != nil {
			t.Fatal(err)
		}
		dirs := q.covarianceDirections()
		mo, err := f.k.moments(dirs)
		if err != nil {
			t.Fatal(err)
		}
		tb := newTextbook(q, theta, true)
		xy := mat.NewDense(q.n, q.w, q.xy)
		vg := make([]*mat.Dense, len(dirs)) // V^-1 G
		for i, d := range dirs {
			g := mat.NewDense(q.n, q.n, nil)
			fac := q.factors[d.factor]
			for a := 0; a < q.n; a++ {
				for b := 0; b < q.n; b++ {
					if fac.index[a] == fac.index[b] {
						g.Set(a, b, quadratic(fac.z[a*fac.k:(a+1)*fac.k], d.s, fac.z[b*fac.k:(b+1)*fac.k]))
					}
				}
			}
			vg[i] = new(mat.Dense)
			vg[i].Mul(tb.vinv, g)
		}
		same := func(what string, got, want float64) {
			if math.Abs(got-want) > 1e-8*(1+math.Abs(want)) {
				t.Errorf("%v %s: %.12g, textbook %.12g", s, what, got, want)
			}
		}
		for i := range dirs {
			same("trace", mo.t[i], mat.Trace(vg[i]))
			var m, a mat.Dense
			a.Mul(vg[i], tb.vinv)
			m.Product(xy.T(), &a, xy)
			for k, v := range mo.m[i] {
				same("M", v, m.RawMatrix().Data[k])
			}
			for j := i; j < len(dirs); j++ {
				var p, n mat.Dense
				p.Mul(vg[i], vg[j])
				same("trace of two", mo.tt[i*len(dirs)+j], mat.Trace(&p))
				n.Product(xy.T(), &p, tb.vinv, xy)
				for k, v := range mo.n[i][j-i] {
					same("N", v, n.RawMatrix().Data[k])
				}
			}
		}
	}
}

// A theta of zeros is stationary; where the data vary between levels the
// search has to leave it, and where they do not it has to stay.
func TestLeavesZero(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, s := range shapes {
		for _, flat := range []bool{false, true} {
			d := randomData(r, 90, 2, s[0], s[1], true)
			if flat {
				for i := range d.y {
					d.y[i] = r.NormFloat64()
				}
			}
			q, err := newProblem(d)
			if err != nil {
				t.Fatal(err)
			}
			f := &profile{q: q, k: kernelOf(t, q), reml: true}
			a, err := f.minimise(make([]float64, len(q.pars)))
			if err != nil {
				t.Fatal(err)
			}
			b, err := f.minimise(q.start())
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(a.pt.dev-b.pt.dev) > 1e-7 {
				t.Errorf("%v flat=%v: %.10g from zero, %.10g from the usual start", s, flat, a.pt.dev, b.pt.dev)
			}
			for try := 0; try < 20; try++ {
				pt, err := f.at(add(b.pt.theta, randomTheta(r, q)))
				if err != nil {
					t.Fatal(err)
				}
				if pt.dev < b.pt.dev-1e-7 {
					t.Errorf("%v: %.10g is below the minimum %.10g", s, pt.dev, b.pt.dev)
				}
			}
		}
	}
}
