package ranking

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// likelihood of choices. Its parameters are the m log-worths, then the advantage
// of being shown first (when order is set), then log delta of each tied size.
//
// A choice's log-probability is phi(S) - log Z, phi(T) = log f(T) linear in the
// parameters and Z = sum over the admissible T of exp phi(T): the sum is concave,
// its gradient the features of S less their mean over T, and its Hessian minus
// their covariance. Sums over sets of k items are elementary symmetric
// polynomials e_k of x_i = exp(lambda_i / k), so no set is listed.
type likelihood struct {
	items   int
	choices []choice
	order   bool
	sizes   []int // tied sizes that occur, ascending, each >= 2
}

func (l *likelihood) parameters() int {
	n := l.items + len(l.sizes)
	if l.order {
		n++
	}
	return n
}

// tieAt is the position of the first log delta.
func (l *likelihood) tieAt() int { return l.parameters() - len(l.sizes) }

// evaluate returns the log-likelihood, its gradient and minus its Hessian.
func (l *likelihood) evaluate(par []float64) (float64, []float64, *mat.SymDense) {
	n := l.parameters()
	value, grad, info := 0.0, make([]float64, n), mat.NewSymDense(n, nil)
	for _, c := range l.choices {
		value += c.weight * l.add(c, par, grad, info)
	}
	return value, grad, info
}

// moments of the features over the admissible sets of one choice: where lies
// which parameter, mean its mean, second the mean of products.
type moments struct {
	where  []int
	mean   []float64
	second []float64
}

func (l *likelihood) add(c choice, par, grad []float64, info *mat.SymDense) float64 {
	eta := make([]float64, len(c.set))
	top := math.Inf(-1)
	for a, i := range c.set {
		eta[a] = par[i]
		if l.order && a == c.lead {
			eta[a] += par[l.items]
		}
		top = math.Max(top, eta[a])
	}
	logZ, m := l.sets(c, eta, top, par)
	// The features of the set taken.
	own := make([]float64, len(m.where))
	phi := 0.0
	for a := range c.taken {
		own[a] += 1 / float64(c.taken)
		phi += eta[a] / float64(c.taken)
		if l.order && a == c.lead {
			own[len(c.set)] += 1 / float64(c.taken)
		}
	}
	for s, k := range l.sizes {
		if k == c.taken {
			own[len(own)-len(l.sizes)+s] = 1
			phi += par[l.tieAt()+s]
		}
	}
	w, d := c.weight, len(m.where)
	for a, p := range m.where {
		grad[p] += w * (own[a] - m.mean[a])
		for b := a; b < d; b++ {
			info.SetSym(p, m.where[b], info.At(p, m.where[b])+w*(m.second[a*d+b]-m.mean[a]*m.mean[b]))
		}
	}
	return phi - logZ
}

// sets sums over the admissible sets. The features are: membership / size for
// each item of the choice, the same for the item shown first, and the size's
// indicator for each tied size.
func (l *likelihood) sets(c choice, eta []float64, top float64, par []float64) (float64, moments) {
	r := len(c.set)
	m := moments{where: append([]int(nil), c.set...)}
	if l.order {
		m.where = append(m.where, l.items)
	}
	for s := range l.sizes {
		m.where = append(m.where, l.tieAt()+s)
	}
	d := len(m.where)
	m.mean, m.second = make([]float64, d), make([]float64, d*d)
	z := 0.0
	x := make([]float64, r)
	for s := -1; s < len(l.sizes); s++ {
		k, delta, feature := 1, 1.0, -1
		if s >= 0 {
			k, delta, feature = l.sizes[s], math.Exp(par[l.tieAt()+s]), d-len(l.sizes)+s
		}
		if k > r {
			continue
		}
		for a := range x {
			x[a] = math.Exp((eta[a] - top) / float64(k)) // so that a set of k has exp(sum/k - top)
		}
		z += l.size(c, x, k, delta, feature, &m)
	}
	for a := range m.mean {
		m.mean[a] /= z
	}
	for a := range m.second {
		m.second[a] /= z
	}
	return math.Log(z) + top, m
}

// size adds the sets of k items, weighted, to the moments and returns their sum.
func (l *likelihood) size(c choice, x []float64, k int, delta float64, feature int, m *moments) float64 {
	r, d, kk := len(x), len(m.where), float64(k)
	add := func(a, b int, v float64) {
		m.second[a*d+b] += v
		if a != b {
			m.second[b*d+a] += v
		}
	}
	sum := delta * elementary(x, k, -1, -1)
	if feature >= 0 {
		m.mean[feature] += sum
		add(feature, feature, sum)
	}
	for a := range r {
		one := delta * x[a] * elementary(x, k-1, a, -1)
		m.mean[a] += one / kk
		add(a, a, one/(kk*kk))
		if feature >= 0 {
			add(a, feature, one/kk)
		}
		if l.order && a == c.lead {
			m.mean[r] += one / kk
			add(r, r, one/(kk*kk))
			add(a, r, one/(kk*kk))
			if feature >= 0 {
				add(r, feature, one/kk)
			}
		}
		if k < 2 {
			continue
		}
		for b := a + 1; b < r; b++ {
			two := delta * x[a] * x[b] * elementary(x, k-2, a, b) / (kk * kk)
			add(a, b, two)
			if l.order && a == c.lead {
				add(b, r, two)
			}
			if l.order && b == c.lead {
				add(a, r, two)
			}
		}
	}
	return sum
}

// elementary is e_k of x without the two positions, by adding one number at a time.
func elementary(x []float64, k, without, nor int) float64 {
	e := make([]float64, k+1)
	e[0] = 1
	for a, v := range x {
		if a == without || a == nor {
			continue
		}
		for j := k; j >= 1; j-- {
			e[j] += v * e[j-1]
		}
	}
	return e[k]
}
