package glm

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// problem is one maximisation: a response on columns x (n x p, p may be 0).
type problem struct {
	family    Family
	x         *mat.Dense // nil when p = 0
	y, w, off []float64
	// penalty, when set, is the whole design (n x P) whose information enters
	// Firth's penalty; a fit under constraints has fewer columns in x.
	penalty *mat.Dense
	limit   int // most iterations
	// asR ends the iterations by R's rule, and keeps the weights of the last step
	// taken, as R does; else they go on until a step is shorter than 1e-10
	// standard errors, and the weights are those of the estimate itself.
	asR bool
}

// solution is where the iterations ended.
type solution struct {
	beta, eta, mu []float64
	// score and weight are the rows' dl/deta and expected -d2l/deta2, over phi;
	// under Firth's penalty score holds the penalised one.
	score, weight []float64
	deviance      float64 // sum of w d(y, mu)
	objective     float64 // deviance, less log|X'WX| under the penalty
	iterations    int
	converged     bool
}

// errSingular says that the weighted design lost rank on the way, as it does
// when a separated fit runs off to infinity.
var errSingular = errors.New("the weighted design is singular")

// solve iterates from beta, or else from eta, or else (both nil) from the data. At the current eta, with
// d = dmu/deta, the working response and weight are
//
//	z = eta - offset + (y - mu)/d,   W = w d^2 / V(mu),
//
// and beta moves to the weighted least-squares solution; a step that makes the
// objective worse or a mean impossible is halved.
func (q *problem) solve(beta, eta []float64) (*solution, error) {
	n := len(q.y)
	s := &solution{
		beta: make([]float64, q.cols()), eta: make([]float64, n), mu: make([]float64, n),
		score: make([]float64, n), weight: make([]float64, n), objective: math.Inf(1),
	}
	if err := q.begin(s, beta, eta); err != nil {
		return nil, err
	}
	var qr weighted
	first := beta == nil
	for s.iterations < q.limit {
		s.iterations++
		if err := q.scores(s); err != nil {
			return s, err
		}
		next, step, err := q.step(s, &qr)
		if err != nil {
			return s, err
		}
		if first {
			step = math.Inf(1)
		}
		before := s.deviance
		ok, err := q.advance(s, next, first)
		if err != nil {
			return s, err
		}
		first = false
		if q.asR && math.Abs(s.deviance-before) < 1e-8*(math.Abs(s.deviance)+0.1) {
			s.converged = true
			return s, nil
		}
		if step < 1e-10*q.scale(s) || q.cols() == 0 || (!ok && step < 1e-5) {
			s.converged = true
			break
		}
	}
	return s, q.scores(s)
}

// begin sets the means that the first step starts from.
func (q *problem) begin(s *solution, beta, eta []float64) error {
	switch {
	case beta != nil:
		copy(s.beta, beta)
		q.predict(s.beta, s.eta)
	case eta != nil:
		copy(s.eta, eta)
	default:
		for i := range s.eta {
			s.mu[i] = q.family.start(q.y[i], q.w[i])
			s.eta[i] = q.family.Link.Eta(s.mu[i])
		}
	}
	if (beta != nil || eta != nil) && !q.means(s) {
		return fmt.Errorf("the start values give means outside the range of family %s", q.family)
	}
	q.measure(s)
	return nil
}

// scale is the square root of the dispersion, so that a step's length is in
// standard errors, with a floor where the fit is perfect.
func (q *problem) scale(s *solution) float64 {
	if !q.family.Estimated() {
		return 1
	}
	var size float64
	for i, w := range q.w {
		size += w * q.y[i] * q.y[i]
	}
	return math.Max(math.Sqrt(s.deviance/float64(len(q.y))), 1e-4*math.Sqrt(size))
}

func (q *problem) cols() int {
	if q.x == nil {
		return 0
	}
	_, p := q.x.Dims()
	return p
}

func (q *problem) predict(beta, eta []float64) {
	copy(eta, q.off)
	if q.x == nil {
		return
	}
	for i := range eta {
		row := q.x.RawRowView(i)
		s := 0.0
		for j, b := range beta {
			s += row[j] * b
		}
		eta[i] += s
	}
}

// means fills mu from eta and says whether all are possible.
func (q *problem) means(s *solution) bool {
	for i, e := range s.eta {
		s.mu[i] = q.family.Link.Mu(e)
		if q.w[i] > 0 && !q.family.valid(s.mu[i]) {
			return false
		}
	}
	return true
}

// measure fills deviance and objective at the current mu.
func (q *problem) measure(s *solution) {
	s.deviance = 0
	for i, w := range q.w {
		if w > 0 {
			s.deviance += w * q.family.Deviance(q.y[i], s.mu[i])
		}
	}
	s.objective = s.deviance
	if q.penalty != nil {
		for i := range s.eta {
			d := q.family.Link.Derivative(s.eta[i])
			s.weight[i] = q.w[i] * d * d / q.family.Variance(s.mu[i])
		}
		l, _, err := information(q.penalty, s.weight, nil)
		if err != nil {
			s.objective = math.Inf(1)
			return
		}
		s.objective -= l
	}
}

// scores fills score and weight. Firth's penalty adds h V'(mu)/2 to a row's
// score, h being its leverage in W^{1/2} X (Firth 1993, for canonical links).
func (q *problem) scores(s *solution) error {
	for i, w := range q.w {
		if w == 0 {
			s.score[i], s.weight[i] = 0, 0
			continue
		}
		d, v := q.family.Link.Derivative(s.eta[i]), q.family.Variance(s.mu[i])
		s.score[i] = w * (q.y[i] - s.mu[i]) * d / v
		s.weight[i] = w * d * d / v
	}
	if q.penalty == nil {
		return nil
	}
	h := make([]float64, len(q.y))
	if _, _, err := information(q.penalty, s.weight, h); err != nil {
		return err
	}
	for i := range h {
		s.score[i] += h[i] * q.family.slope(s.mu[i]) / 2
	}
	return nil
}

// step solves for the next beta and returns the length of the step in standard
// errors (with phi = 1), |W^{1/2} X (next - beta)|.
func (q *problem) step(s *solution, qr *weighted) (next []float64, length float64, err error) {
	p := q.cols()
	if p == 0 {
		return nil, 0, nil
	}
	z := make([]float64, len(q.y))
	for i := range z {
		if s.weight[i] > 0 {
			z[i] = s.eta[i] - q.off[i] + s.score[i]/s.weight[i]
		}
	}
	next, err = qr.solve(q.x, s.weight, z)
	if err != nil {
		return nil, 0, err
	}
	for i := range z {
		row, d := q.x.RawRowView(i), 0.0
		for j := range next {
			d += row[j] * (next[j] - s.beta[j])
		}
		length += s.weight[i] * d * d
	}
	return next, math.Sqrt(length), nil
}

// advance moves to next, halving towards the present beta until the objective is
// no worse; false says that no halving helped, which is where rounding ends a fit.
func (q *problem) advance(s *solution, next []float64, first bool) (bool, error) {
	old := *s
	old.beta = append([]float64(nil), s.beta...)
	copy(s.beta, next)
	for range 40 {
		q.predict(s.beta, s.eta)
		if q.means(s) {
			q.measure(s)
			if !math.IsInf(s.objective, 0) && !math.IsNaN(s.objective) &&
				(first || s.objective <= old.objective+1e-12*(math.Abs(old.objective)+1)) {
				return true, nil
			}
		}
		if first {
			// There is no present beta yet: go towards the one of all zeros.
			for j := range s.beta {
				s.beta[j] /= 2
			}
			continue
		}
		for j := range s.beta {
			s.beta[j] = (s.beta[j] + old.beta[j]) / 2
		}
	}
	if first {
		return false, fmt.Errorf("no start was found at which all means lie in the range of family %s; choose another link, such as log", q.family)
	}
	copy(s.beta, old.beta)
	q.predict(s.beta, s.eta)
	q.means(s)
	q.measure(s)
	return false, nil
}
