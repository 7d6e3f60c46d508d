package glmm

import (
	"errors"
	"math"

	"github.com/seed-4012077a/flow/sdk/stats/glm"
	"gonum.org/v1/gonum/mat"
)

// laplace evaluates D and its gradient. It keeps u from call to call as the
// start of the next search for the mode.
type laplace struct {
	family    glm.Family
	lay       *layout
	x         *mat.Dense
	y, w, off []float64
	a         *precision
	u         []float64   // q, the mode of the last evaluation
	b         [][]float64 // n x K, rows of B: the factors' k numbers side by side
	lin       []float64   // X beta + offset
	eta, mu   []float64
	score     []float64 // s
	weight    []float64 // w of A
	k         int       // K
}

var errMode = errors.New("the mode of the random effects was not found")

func newLaplace(family glm.Family, lay *layout, x *mat.Dense, y, w, off []float64) *laplace {
	n := len(y)
	p := &laplace{
		family: family, lay: lay, x: x, y: y, w: w, off: off, a: newPrecision(lay, n), u: make([]float64, lay.effects),
		b: make([][]float64, n), lin: make([]float64, n), eta: make([]float64, n), mu: make([]float64, n),
		score: make([]float64, n), weight: make([]float64, n),
	}
	for _, f := range lay.factors {
		p.k += f.k
	}
	flat := make([]float64, n*p.k)
	for i := range p.b {
		p.b[i] = flat[i*p.k : (i+1)*p.k]
	}
	return p
}

// set fills B and X beta + offset.
func (p *laplace) set(theta, beta []float64) {
	at := 0
	for _, f := range p.lay.factors {
		l := f.lambda(theta)
		for i := range p.b {
			z := f.z[i*f.k : (i+1)*f.k]
			for c := range f.k {
				v := 0.0
				for r := c; r < f.k; r++ {
					v += l[r*f.k+c] * z[r]
				}
				p.b[i][at+c] = v
			}
		}
		at += f.k
	}
	for i := range p.lin {
		s := p.off[i]
		for j, v := range p.x.RawRowView(i) {
			s += v * beta[j]
		}
		p.lin[i] = s
	}
}

// effects gathers what row i takes from the vector v (q), factor by factor.
func (p *laplace) effects(i int, v, to []float64) {
	at := 0
	for _, f := range p.lay.factors {
		g := f.start + int(f.index[i])*f.k
		copy(to[at:at+f.k], v[g:g+f.k])
		at += f.k
	}
}

// scatter adds c b_i to the vector v (q).
func (p *laplace) scatter(i int, c float64, v []float64) {
	at := 0
	for _, f := range p.lay.factors {
		g := f.start + int(f.index[i])*f.k
		for j := range f.k {
			v[g+j] += c * p.b[i][at+j]
		}
		at += f.k
	}
}

// rows fills eta, mu, score and weight at u and returns the deviance + |u|^2.
func (p *laplace) rows(u []float64) float64 {
	own := make([]float64, p.k)
	d := 0.0
	for i := range p.eta {
		p.effects(i, u, own)
		e := p.lin[i]
		for j, v := range own {
			e += p.b[i][j] * v
		}
		m := p.family.Link.Mu(e)
		p.eta[i], p.mu[i] = e, m
		p.score[i] = p.w[i] * (p.y[i] - m)
		p.weight[i] = p.w[i] * p.family.Variance(m)
		if p.w[i] > 0 {
			d += p.w[i] * p.family.Deviance(p.y[i], m)
		}
	}
	for _, v := range u {
		d += v * v
	}
	return d
}

// mode finds u~ by Newton's method, halving steps that do not lower
// deviance + |u|^2, and leaves A factored there. The derivative of half of it is
// u - B's, its second derivative A.
func (p *laplace) mode() (float64, error) {
	d := p.rows(p.u)
	next := make([]float64, len(p.u))
	for range 100 {
		if err := p.a.assemble(p.b, p.weight); err != nil {
			return 0, err
		}
		step := make([]float64, len(p.u))
		for i, s := range p.score {
			p.scatter(i, s, step)
		}
		for j, u := range p.u {
			step[j] -= u
		}
		rhs := append([]float64(nil), step...)
		if err := p.a.solve(step); err != nil {
			return 0, err
		}
		decrement := 0.0
		for j := range step {
			decrement += rhs[j] * step[j]
		}
		if math.IsNaN(decrement) || math.IsInf(d, 0) || math.IsNaN(d) {
			return 0, errMode
		}
		if decrement < 1e-20*(1+math.Abs(d)) {
			return d, nil // A belongs to this u
		}
		t, moved := 1.0, false
		for range 30 {
			for j := range next {
				next[j] = p.u[j] + t*step[j]
			}
			if nd := p.rows(next); nd <= d+1e-13*math.Abs(d) {
				d, moved = nd, true
				break
			}
			t /= 2
		}
		if !moved {
			if p.rows(p.u); decrement < 1e-8 {
				return d, nil
			}
			return 0, errMode
		}
		copy(p.u, next)
	}
	return 0, errMode
}

// value is D, less the constant -2 l of a perfect fit.
func (p *laplace) value(theta, beta []float64) (float64, error) {
	p.set(theta, beta)
	d, err := p.mode()
	if err != nil {
		clear(p.u) // a lost mode is a bad start for the next
		return 0, err
	}
	return d + p.a.logdet, nil
}

// gradient is dD/d(theta, beta) at the point of the last value. u~ is stationary
// for the first two parts of D, so that only the log-determinant feels it move.
// With h_i = b_i'A^{-1}b_i, g_i = (dw_i/deta_i) h_i, p = A^{-1}B'g and
// r = -2s + g - W B p,
//
//	dD/dbeta = X'r,   dD/dLambda[a,b] = sum_i z_ia (2 w_i (A^{-1}b_i)_b + r_i u_b + s_i p_b).
//
// The first follows from du/dbeta = -A^{-1}B'WX; the second from
// A du = dB's - B'W dB u.
func (p *laplace) gradient() ([]float64, error) {
	parts, err := p.a.invert()
	if err != nil {
		return nil, err
	}
	n := len(p.y)
	c := make([]float64, n*p.k) // A^{-1} b_i where row i can see it
	slope := make([]float64, n) // g
	pv := make([]float64, len(p.u))
	for i := range n {
		ci := c[i*p.k : (i+1)*p.k]
		p.inverseRow(i, parts, ci)
		h := 0.0
		for j, v := range ci {
			h += v * p.b[i][j]
		}
		slope[i] = h * p.w[i] * p.thirdDerivative(p.mu[i])
		p.scatter(i, slope[i], pv)
	}
	if err := p.a.solve(pv); err != nil {
		return nil, err
	}
	_, cols := p.x.Dims()
	out := make([]float64, p.lay.thetas+cols)
	own, pr := make([]float64, p.k), make([]float64, p.k)
	for i := range n {
		p.effects(i, p.u, own)
		p.effects(i, pv, pr)
		bp := 0.0
		for j, v := range pr {
			bp += p.b[i][j] * v
		}
		r := -2*p.score[i] + slope[i] - p.weight[i]*bp
		for j, v := range p.x.RawRowView(i) {
			out[p.lay.thetas+j] += v * r
		}
		at := 0
		for _, f := range p.lay.factors {
			z := f.z[i*f.k : (i+1)*f.k]
			for _, e := range f.free {
				b := at + e.col
				out[e.at] += z[e.row] * (2*p.weight[i]*c[i*p.k+b] + r*own[b] + p.score[i]*pr[b])
			}
			at += f.k
		}
	}
	return out, nil
}

// thirdDerivative is dV/deta at mu for the canonical link: V'(mu) V(mu).
func (p *laplace) thirdDerivative(mu float64) float64 {
	if p.family.Distribution == glm.BinomialDist {
		return mu * (1 - mu) * (1 - 2*mu)
	}
	return mu
}

// inverseRow is A^{-1} b_i at the effects of row i.
func (p *laplace) inverseRow(i int, parts []part, to []float64) {
	first := p.lay.factors[0]
	g := int(first.index[i])
	pt, k, b := parts[g], first.k, p.b[i]
	for x := range k {
		for y := range k {
			to[x] += pt.own[x*k+y] * b[y]
		}
	}
	s := len(p.a.touched[g])
	at := k
	for fi, f := range p.lay.factors[1:] {
		pos := p.a.place[i][fi]
		for y := range f.k {
			for x := range k {
				v := pt.cross[x*s+pos+y]
				to[x] += v * b[at+y]
				to[at+y] += v * b[x]
			}
			to2 := k
			for fj, h := range p.lay.factors[1:] {
				for x := range h.k {
					to[at+y] += pt.rest[(pos+y)*s+p.a.place[i][fj]+x] * b[to2+x]
				}
				to2 += h.k
			}
		}
		at += f.k
	}
}
