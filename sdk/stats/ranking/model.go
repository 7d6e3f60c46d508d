package ranking

import (
	"fmt"
	"math"

	"github.com/seed-4012077a/flow/sdk/stats/estimate"
	"gonum.org/v1/gonum/mat"
)

// Model holds the estimates.
type Model struct {
	Items    []string
	LogWorth []float64 // m, under the constraint asked for
	// Covariance of LogWorth (m x m) from the observed information; it is singular,
	// as the constraint makes one log-worth follow from the others.
	Covariance *mat.SymDense
	// Other parameters with their standard errors: "first" (the advantage of the
	// item shown first), "log tie 2", ... (log delta_k), and the covariates.
	Other  []Parameter
	LogLik float64 // of the choices, each its own event: no binomial constants
	// NullLogLik is that of equal worths, with the other parameters still free.
	NullLogLik float64
	Parameters int
	Choices    float64 // weighted number of choices
	Iterations int

	nuisance int // parameters that the model of equal worths keeps
}

// Parameter is an estimate beside the log-worths.
type Parameter struct {
	Name         string
	Estimate, SE float64
}

func newModel(items []string, l *likelihood, t *mat.Dense, free []float64, cov *mat.SymDense, value float64, steps int, o Options) *Model {
	n, k := t.Dims()
	par := mat.NewVecDense(n, nil)
	par.MulVec(t, mat.NewVecDense(k, free))
	var tc, full mat.Dense
	tc.Mul(t, cov)
	full.Mul(&tc, t.T())
	m := &Model{Items: items, Parameters: k, Iterations: steps}
	// The constraint as a map of log-worths: lambda -> lambda - its mean, or - lambda_ref.
	size := len(items)
	c := mat.NewDense(size, size, nil)
	for i := range size {
		c.Set(i, i, 1)
		for j := range size {
			if o.Constraint == SumToZero {
				c.Set(i, j, c.At(i, j)-1/float64(size))
			} else if j == o.Reference {
				c.Set(i, j, c.At(i, j)-1)
			}
		}
	}
	worth := mat.NewVecDense(size, nil)
	worth.MulVec(c, par.SliceVec(0, size))
	m.LogWorth = worth.RawVector().Data
	var cv, cvc mat.Dense
	cv.Mul(c, full.Slice(0, size, 0, size))
	cvc.Mul(&cv, c.T())
	m.Covariance = mat.NewSymDense(size, nil)
	for i := range size {
		for j := i; j < size; j++ {
			m.Covariance.SetSym(i, j, (cvc.At(i, j)+cvc.At(j, i))/2)
		}
	}
	if o.Covariates != nil {
		for j, name := range o.CovariateNames {
			m.Other = append(m.Other, Parameter{name, free[j], math.Sqrt(cov.At(j, j))})
		}
	}
	at := l.items
	if l.order {
		m.Other = append(m.Other, Parameter{"first", par.AtVec(at), math.Sqrt(full.At(at, at))})
	}
	for s, tied := range l.sizes {
		at := l.tieAt() + s
		m.Other = append(m.Other, Parameter{fmt.Sprintf("log tie %d", tied), par.AtVec(at), math.Sqrt(full.At(at, at))})
	}
	m.likelihoods(l, par, value, o)
	return m
}

// likelihoods without the imagined choices.
func (m *Model) likelihoods(l *likelihood, par *mat.VecDense, value float64, o Options) {
	real := *l
	if o.Pseudo > 0 {
		real.choices = l.choices[:len(l.choices)-2*len(m.Items)]
		value, _, _ = real.evaluate(par.RawVector().Data)
	}
	m.LogLik = value
	for _, c := range real.choices {
		m.Choices += c.weight
	}
	equal, rest := make([]float64, l.parameters()), l.parameters()-l.items
	m.nuisance = rest
	if rest == 0 {
		m.NullLogLik, _, _ = real.evaluate(equal)
		return
	}
	t := mat.NewDense(l.parameters(), rest, nil)
	for j := range rest {
		t.Set(l.items+j, j, 1)
	}
	m.NullLogLik = math.NaN()
	if _, _, v, _, err := real.maximise(t); err == nil {
		m.NullLogLik = v
	}
}

// Worths are exp(LogWorth), scaled to sum to 1.
func (m *Model) Worths() []float64 {
	out, sum := make([]float64, len(m.Items)), 0.0
	top := math.Inf(-1)
	for _, v := range m.LogWorth {
		top = math.Max(top, v)
	}
	for i, v := range m.LogWorth {
		out[i] = math.Exp(v - top)
		sum += out[i]
	}
	for i := range out {
		out[i] /= sum
	}
	return out
}

// Difference estimates lambda_i - lambda_j, the log odds that i is placed above j
// when the two are compared without a tie.
func (m *Model) Difference(i, j int, level float64) (estimate.Estimate, error) {
	if i < 0 || j < 0 || i >= len(m.Items) || j >= len(m.Items) || i == j {
		return estimate.Estimate{}, fmt.Errorf("items %d and %d: a difference is of two of the %d items, numbered from 0", i, j, len(m.Items))
	}
	v := m.Covariance.At(i, i) + m.Covariance.At(j, j) - 2*m.Covariance.At(i, j)
	return estimate.New(m.Items[i]+" - "+m.Items[j], m.LogWorth[i]-m.LogWorth[j], math.Sqrt(math.Max(v, 0)), math.Inf(1), level)
}

// Equal tests that all items have the same worth, by likelihood ratio: twice the
// rise of the log-likelihood, chi-squared with df degrees of freedom. An error
// says that the equal-worth model could not be fitted.
func (m *Model) Equal() (statistic, df, p float64, err error) {
	if math.IsNaN(m.NullLogLik) {
		return 0, 0, 0, fmt.Errorf("the model of equal worths has no finite estimates")
	}
	df = float64(m.Parameters - m.nuisance)
	statistic = math.Max(2*(m.LogLik-m.NullLogLik), 0)
	return statistic, df, estimate.FTail(statistic/df, df, math.Inf(1)), nil
}

// AIC is -2 log-likelihood + 2 k.
func (m *Model) AIC() float64 { return -2*m.LogLik + 2*float64(m.Parameters) }

// QuasiSE gives a standard error to every item, the reference too, such that
// sqrt(q_i^2 + q_j^2) is close to the standard error of each difference (Firth &
// de Menezes 2004): the quasi-variances q minimise
// sum_{i<j} (log(q_i + q_j) - log Var(lambda_i - lambda_j))^2. worst is the
// largest relative error of such a standard error.
func (m *Model) QuasiSE() (se []float64, worst float64, err error) {
	n := len(m.Items)
	if n < 3 {
		return nil, 0, fmt.Errorf("quasi-standard errors need at least three items; there are %d", n)
	}
	v := func(i, j int) float64 {
		return m.Covariance.At(i, i) + m.Covariance.At(j, j) - 2*m.Covariance.At(i, j)
	}
	q := make([]float64, n)
	for i := range q { // q_i + q_j = v_ij in the mean over j
		sum := 0.0
		for j := range q {
			if j != i {
				sum += v(i, j)
			}
		}
		q[i] = sum / float64(2*(n-1))
	}
	loss := func(q []float64) float64 {
		s := 0.0
		for i := range n {
			for j := i + 1; j < n; j++ {
				if q[i]+q[j] <= 0 {
					return math.Inf(1)
				}
				d := math.Log(v(i, j)) - math.Log(q[i]+q[j])
				s += d * d
			}
		}
		return s
	}
	if err := gaussNewton(q, v, loss); err != nil {
		return nil, 0, err
	}
	for _, x := range q {
		if x < 0 {
			return nil, 0, fmt.Errorf("a quasi-variance is negative; give the standard errors of differences instead")
		}
		se = append(se, math.Sqrt(x))
	}
	for i := range n {
		for j := i + 1; j < n; j++ {
			worst = math.Max(worst, math.Abs(math.Sqrt((q[i]+q[j])/v(i, j))-1))
		}
	}
	return se, worst, nil
}

// gaussNewton lowers the loss of the quasi-variances in place; the derivative of
// log(q_i + q_j) in q_i is 1 / (q_i + q_j).
func gaussNewton(q []float64, v func(i, j int) float64, loss func([]float64) float64) error {
	n := len(q)
	for range 200 {
		a, b := mat.NewSymDense(n, nil), mat.NewVecDense(n, nil)
		for i := range n {
			for j := i + 1; j < n; j++ {
				s := q[i] + q[j]
				r := math.Log(v(i, j)) - math.Log(s)
				b.SetVec(i, b.AtVec(i)+r/s)
				b.SetVec(j, b.AtVec(j)+r/s)
				a.SetSym(i, i, a.At(i, i)+1/(s*s))
				a.SetSym(j, j, a.At(j, j)+1/(s*s))
				a.SetSym(i, j, 1/(s*s))
			}
		}
		var c mat.Cholesky
		step := mat.NewVecDense(n, nil)
		if !c.Factorize(a) {
			return fmt.Errorf("the quasi-variances are not determined")
		}
		if err := c.SolveVecTo(step, b); err != nil {
			return fmt.Errorf("the quasi-variances are not determined: %w", err)
		}
		if mat.Dot(step, b) < 1e-20 {
			return nil
		}
		now, size, moved := loss(q), 1.0, false
		next := make([]float64, n)
		for range 40 {
			for i := range next {
				next[i] = q[i] + size*step.AtVec(i)
			}
			if loss(next) < now {
				moved = true
				break
			}
			size /= 2
		}
		if !moved {
			return nil // rounding: no step is downhill any more
		}
		copy(q, next)
	}
	return fmt.Errorf("the quasi-variances did not converge")
}
