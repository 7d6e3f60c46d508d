package lmm

import (
	"fmt"
	"math"
	"strings"
)

// data is what a model is fitted to, in plain slices: rows without missing
// values, X of full column rank.
type data struct {
	y       []float64
	x       []float64 // n x p, row-major
	p       int
	names   []string  // of the columns of x
	weights []float64 // nil: all 1
	offset  []float64 // nil: all 0
	random  []randomTerm
}

// randomTerm is one term (expression | group) of the formula.
type randomTerm struct {
	text, group string
	levels      []string
	index       []int32   // row -> level
	z           []float64 // n x k, row-major
	names       []string  // of the k columns
	correlated  bool      // k x k covariance, or only its diagonal
}

// factor is a grouping factor with the columns of all the terms that share it.
type factor struct {
	group  string
	levels []string
	index  []int32
	k      int
	z      []float64 // n x k: columns scaled and rows weighted
	scale  []float64 // what each column of Z was divided by
	terms  []int     // in data.random
	start  []int     // first column of each term
}

// parameter places one theta: entry (row, col) of the lower triangular Lambda
// of a factor. The scale turns our theta, that of the scaled Z, into the
// user's: Lambda = diag(1/scale) Lambda~.
type parameter struct {
	factor, term int
	row, col     int
	scale        float64
}

// problem is the model's data made ready for computing: rows multiplied by
// the square root of their weight, columns of X and y centred where there is
// an intercept (X~ = XT with T unit triangular, so that no determinant
// changes but far less is lost to cancellation), columns of Z divided by a
// power of two near their root mean square (exactly, so that equal patterns
// stay equal) which makes every theta of comparable size.
type problem struct {
	n, p, w int       // w = p + 1
	xy      []float64 // n x w: [X y]
	yy      []float64 // y as given, less the offset
	off     []float64 // the offset, nil: all 0
	icpt    int       // column of the intercept, -1: none
	icptVal float64   // its constant value
	mean    []float64 // w means that were taken off
	root    []float64 // square roots of the weights, nil: all 1
	logW    float64   // sum of the weights' logarithms
	factors []*factor
	pars    []parameter
	random  []randomTerm
	names   []string
}

func newProblem(d *data) (*problem, error) {
	n := len(d.y)
	q := &problem{n: n, p: d.p, w: d.p + 1, icpt: -1, random: d.random, names: d.names}
	if err := q.check(d); err != nil {
		return nil, err
	}
	if err := q.weigh(d.weights); err != nil {
		return nil, err
	}
	q.yy = make([]float64, n)
	copy(q.yy, d.y)
	q.off = d.offset
	for i, o := range d.offset {
		q.yy[i] -= o
	}
	q.centre(d)
	if err := q.merge(d.random); err != nil {
		return nil, err
	}
	return q, nil
}

// offset is that of a row.
func (q *problem) offset(i int) float64 {
	if q.off == nil {
		return 0
	}
	return q.off[i]
}

func (q *problem) check(d *data) error {
	n := q.n
	if len(d.random) == 0 {
		return fmt.Errorf("no random term in the formula: add one such as (1 | group), or fit by ordinary least squares")
	}
	if n <= q.p {
		return fmt.Errorf("%d observations for %d fixed effects: a mixed model needs more observations than fixed effects", n, q.p)
	}
	if err := finite("response", d.y); err != nil {
		return err
	}
	if err := finite("offset", d.offset); err != nil {
		return err
	}
	for i, v := range d.x {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("column %q of the fixed effects is %v in row %d: remove or recode such rows", q.names[i%q.p], v, i/q.p+1)
		}
	}
	constant := true
	for _, v := range d.y {
		if v != d.y[0] {
			constant = false
			break
		}
	}
	if constant {
		return fmt.Errorf("the response is %v in every row: without variance there is nothing to model", d.y[0])
	}
	for _, t := range d.random {
		k := len(t.names)
		any := make([]bool, k)
		for i, v := range t.z {
			any[i%k] = any[i%k] || v != 0
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return fmt.Errorf("column %q of random term (%s) is %v in row %d: remove or recode such rows", t.names[i%k], t.text, v, i/k+1)
			}
		}
		for c, some := range any {
			if !some {
				return fmt.Errorf("column %q of random term (%s) is 0 in every row: remove it", t.names[c], t.text)
			}
		}
	}
	return nil
}

func finite(what string, v []float64) error {
	for i, x := range v {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return fmt.Errorf("the %s is %v in row %d: remove or recode such rows", what, x, i+1)
		}
	}
	return nil
}

// weigh keeps the square roots of the prior weights. The residual variance of
// a row is sigma^2/w.
func (q *problem) weigh(weights []float64) error {
	if weights == nil {
		return nil
	}
	q.root = make([]float64, q.n)
	zero, unit := 0, true
	for i, w := range weights {
		switch {
		case math.IsNaN(w) || math.IsInf(w, 0) || w < 0:
			return fmt.Errorf("the weight is %v in row %d: weights are finite and positive", w, i+1)
		case w == 0:
			zero++
			continue
		}
		unit = unit && w == 1
		q.root[i] = math.Sqrt(w)
		q.logW += math.Log(w)
	}
	if zero == q.n {
		return fmt.Errorf("all %d weights are zero: no observation is left", q.n)
	}
	if zero > 0 {
		return fmt.Errorf("%d of %d weights are zero: leave those rows out, a weight is the inverse of a variance", zero, q.n)
	}
	if unit {
		q.root, q.logW = nil, 0
	}
	return nil
}

// centre fills [X y].
func (q *problem) centre(d *data) {
	n, p, w := q.n, q.p, q.w
	q.mean = make([]float64, w)
	for j := 0; j < p && q.icpt < 0; j++ {
		c := d.x[j]
		same := c != 0
		for i := 1; i < n && same; i++ {
			same = d.x[i*p+j] == c
		}
		if same {
			q.icpt, q.icptVal = j, c
		}
	}
	if q.icpt >= 0 {
		total := 0.0
		for i := 0; i < n; i++ {
			wt := 1.0
			if q.root != nil {
				wt = q.root[i] * q.root[i]
			}
			total += wt
			for j, v := range d.x[i*p : i*p+p] {
				q.mean[j] += wt * v
			}
			q.mean[p] += wt * q.yy[i]
		}
		for j := range q.mean {
			q.mean[j] /= total
		}
		q.mean[q.icpt] = 0
	}
	q.xy = make([]float64, n*w)
	for i := 0; i < n; i++ {
		row, r := q.xy[i*w:i*w+w], 1.0
		if q.root != nil {
			r = q.root[i]
		}
		for j, v := range d.x[i*p : i*p+p] {
			row[j] = r * (v - q.mean[j])
		}
		row[p] = r * (q.yy[i] - q.mean[p])
	}
}

// merge joins the terms that share a grouping factor.
func (q *problem) merge(terms []randomTerm) error {
	for t := range terms {
		term := &terms[t]
		k := len(term.names)
		if len(term.levels) < 2 {
			return fmt.Errorf("grouping factor %q of random term (%s) has %d level: its variance cannot be estimated from fewer than two; drop the term", term.group, term.text, len(term.levels))
		}
		if len(term.levels) >= q.n {
			return fmt.Errorf("grouping factor %q has %d levels for %d observations: with a level for each observation the term (%s) and the residual cannot be told apart; drop the term", term.group, len(term.levels), q.n, term.text)
		}
		if k*len(term.levels) >= q.n {
			return fmt.Errorf("random term (%s) has %d random effects (%d levels of %q with %d columns) for %d observations: they and the residual variance cannot both be estimated; simplify the term", term.text, k*len(term.levels), len(term.levels), term.group, k, q.n)
		}
		f := q.sharing(term)
		if f < 0 {
			f = len(q.factors)
			q.factors = append(q.factors, &factor{group: term.group, levels: term.levels, index: term.index})
		}
		fac := q.factors[f]
		fac.terms = append(fac.terms, t)
		fac.start = append(fac.start, fac.k)
		for c := 0; c < k; c++ {
			fac.scale = append(fac.scale, columnScale(term.z, k, c))
		}
		for c := 0; c < k; c++ {
			for r := c; r < k; r++ {
				if r == c || term.correlated {
					q.pars = append(q.pars, parameter{factor: f, term: t, row: fac.k + r, col: fac.k + c, scale: fac.scale[fac.k+r]})
				}
			}
		}
		fac.k += k
	}
	for _, f := range q.factors {
		f.z = make([]float64, q.n*f.k)
		for t, term := range f.terms {
			k, z := len(terms[term].names), terms[term].z
			for i := 0; i < q.n; i++ {
				r := 1.0
				if q.root != nil {
					r = q.root[i]
				}
				for c := 0; c < k; c++ {
					f.z[i*f.k+f.start[t]+c] = r * z[i*k+c] / f.scale[f.start[t]+c]
				}
			}
		}
	}
	return nil
}

// sharing finds the factor that groups the rows as the term does, or -1.
func (q *problem) sharing(term *randomTerm) int {
	for f, fac := range q.factors {
		if fac.group != term.group || len(fac.levels) != len(term.levels) {
			continue
		}
		same := true
		for i, v := range term.index {
			if fac.index[i] != v {
				same = false
				break
			}
		}
		if same {
			return f
		}
	}
	return -1
}

// columnScale is the power of two nearest the root mean square of a column.
func columnScale(z []float64, k, c int) float64 {
	s := 0.0
	for i := c; i < len(z); i += k {
		s += z[i] * z[i]
	}
	rms := math.Sqrt(s * float64(k) / float64(len(z)))
	if rms == 0 || math.IsInf(rms, 0) {
		return 1
	}
	return math.Exp2(math.Round(math.Log2(rms)))
}

// lambda fills the k x k block Lambda of every factor from theta.
func (q *problem) lambda(theta []float64) [][]float64 {
	l := make([][]float64, len(q.factors))
	for f, fac := range q.factors {
		l[f] = make([]float64, fac.k*fac.k)
	}
	for i, t := range q.pars {
		l[t.factor][t.row*q.factors[t.factor].k+t.col] = theta[i]
	}
	return l
}

// uncentre turns coefficients for the centred columns into those of the given
// ones: y - m_y = sum_j b_j (x_j - m_j) + b_0, so only the intercept moves.
func (q *problem) uncentre(b []float64) []float64 {
	out := append([]float64(nil), b...)
	if q.icpt >= 0 {
		shift := q.mean[q.p]
		for j, v := range b {
			shift -= v * q.mean[j]
		}
		out[q.icpt] += shift / q.icptVal
	}
	return out
}

// centredContrast is the vector l~ with l'beta = l~'beta~ + constant: as
// beta_0 = beta~_0 + (m_y - sum_j m_j beta~_j)/c, l~_j = l_j - l_0 m_j/c.
func (q *problem) centredContrast(l []float64) []float64 {
	out := append([]float64(nil), l...)
	if q.icpt >= 0 && l[q.icpt] != 0 {
		v := l[q.icpt] / q.icptVal
		for j := range out {
			if j != q.icpt {
				out[j] -= v * q.mean[j]
			}
		}
	}
	return out
}

// uncentreCov is T C T' for the covariance of centred coefficients.
func (q *problem) uncentreCov(c []float64) []float64 {
	p := q.p
	out := make([]float64, p*p)
	rows := make([][]float64, p)
	for i := range rows {
		e := make([]float64, p)
		e[i] = 1
		rows[i] = q.centredContrast(e)
	}
	for i := range rows {
		for j := 0; j <= i; j++ {
			v := quadratic(rows[i], c, rows[j])
			out[i*p+j], out[j*p+i] = v, v
		}
	}
	return out
}

func (q *problem) termLabel(t int) string {
	r := q.random[t]
	if strings.Contains(r.text, "|") {
		return "(" + r.text + ")"
	}
	return r.text
}
