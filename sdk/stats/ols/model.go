package ols

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-4012077a/flow/sdk/stats/estimate"
	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"gonum.org/v1/gonum/mat"
)

var _ estimate.Linear = (*Model)(nil)

// Design is the design that was fitted.
func (m *Model) Design() *formula.Design { return m.design }

// Coefficients are beta, in the order of Design().Names.
func (m *Model) Coefficients() []float64 { return slices.Clone(m.beta) }

// Covariance is the covariance of beta of the chosen kind, p x p.
func (m *Model) Covariance() *mat.SymDense {
	return mat.NewSymDense(m.covariance.SymmetricDim(), slices.Clone(m.covariance.RawSymmetric().Data))
}

// Kind says which covariance it is.
func (m *Model) Kind() Covariance { return m.kind }

// Clusters is the number of clusters of a cluster-robust covariance, else 0.
func (m *Model) Clusters() int { return m.clusters }

// N is the number of rows with a weight above 0.
func (m *Model) N() int { return m.n }

// ResidualDF is n - p.
func (m *Model) ResidualDF() int { return m.n - len(m.beta) }

// RSS is the residual sum of squares, sum w r^2.
func (m *Model) RSS() float64 { return m.rss }

// Sigma is the residual standard deviation, sqrt(RSS / (n - p)).
func (m *Model) Sigma() float64 { return math.Sqrt(m.rss / float64(m.ResidualDF())) }

// Residuals are y less the fitted values, for each row of the design.
func (m *Model) Residuals() []float64 { return slices.Clone(m.residuals) }

// Fitted are X beta + offset.
func (m *Model) Fitted() []float64 {
	out := make([]float64, len(m.residuals))
	for i, r := range m.residuals {
		out[i] = m.design.Y[i] - r
	}
	return out
}

// Leverage is the diagonal of the hat matrix, R's hatvalues.
func (m *Model) Leverage() []float64 { return slices.Clone(m.leverage) }

// Contrast estimates l'beta.
func (m *Model) Contrast(l []float64) (est, se, df float64, err error) {
	if len(l) != len(m.beta) {
		return 0, 0, 0, fmt.Errorf("the contrast has %d numbers, the model %d coefficients", len(l), len(m.beta))
	}
	variance := 0.0
	for i, a := range l {
		est += a * m.beta[i]
		for j, b := range l {
			variance += a * b * m.covariance.At(i, j)
		}
	}
	return est, math.Sqrt(math.Max(0, variance)), m.df, nil
}

// Joint tests L beta = 0 by F = (L b)'(L V L')^-1(L b) / q.
func (m *Model) Joint(l *mat.Dense) (f, ndf, ddf float64, err error) {
	chi2, q, err := estimate.Wald(m.beta, m.covariance, l)
	if err != nil {
		return 0, 0, 0, err
	}
	return chi2 / float64(q), float64(q), m.df, nil
}

// hasIntercept says whether the constant is a column of the model.
func (m *Model) hasIntercept() bool { return slices.Contains(m.design.Assign, -1) }

// RSquared is the share of the (weighted) variance about the mean that the
// model explains, and the same adjusted for p; about 0 where there is no
// intercept. The fitted values are with the offset, as in R.
func (m *Model) RSquared() (r2, adjusted float64) {
	fit := m.Fitted()
	sum, total := 0.0, 0.0
	weight := func(i int) float64 { s := m.root(i); return s * s }
	for i := range fit {
		sum += weight(i) * fit[i]
		total += weight(i)
	}
	center, df := 0.0, 0.0
	if m.hasIntercept() {
		center, df = sum/total, 1
	}
	explained := 0.0
	for i, f := range fit {
		explained += weight(i) * (f - center) * (f - center)
	}
	r2 = explained / (explained + m.rss)
	adjusted = 1 - (1-r2)*(float64(m.n)-df)/float64(m.ResidualDF())
	return r2, adjusted
}

// LogLik is the log-likelihood at the maximum likelihood estimate of sigma,
//
//	(sum log w - n (log 2 pi + 1 - log n + log RSS)) / 2,
//
// and the number of its parameters, p + 1.
func (m *Model) LogLik() (ll float64, parameters int) {
	n := float64(m.n)
	logs := 0.0
	for _, w := range m.weights {
		if w > 0 {
			logs += math.Log(w)
		}
	}
	return (logs - n*(math.Log(2*math.Pi)+1-math.Log(n)+math.Log(m.rss))) / 2, len(m.beta) + 1
}

// AIC is -2 logLik + 2 k (Akaike 1974).
func (m *Model) AIC() float64 {
	ll, k := m.LogLik()
	return -2*ll + 2*float64(k)
}

// AICc is AIC + 2k(k+1)/(n-k-1) (Hurvich and Tsai 1989); +Inf where n <= k+1.
func (m *Model) AICc() float64 {
	_, k := m.LogLik()
	rest := float64(m.n - k - 1)
	if rest <= 0 {
		return math.Inf(1)
	}
	return m.AIC() + 2*float64(k)*float64(k+1)/rest
}

// BIC is -2 logLik + k log n (Schwarz 1978).
func (m *Model) BIC() float64 {
	ll, k := m.LogLik()
	return -2*ll + float64(k)*math.Log(float64(m.n))
}

// Prediction is a model's value at one row of new data. SE is of the mean;
// Lower and Upper bound the mean, or a new observation of weight 1.
type Prediction struct{ Fit, SE, Lower, Upper float64 }

// Predict gives the mean at each row of new data with an interval of the given
// level: for the mean, or, with observation set, for a new observation.
func (m *Model) Predict(fr *frame.Frame, level float64, observation bool) ([]Prediction, error) {
	if !(level > 0 && level < 1) {
		return nil, fmt.Errorf("the level of an interval lies between 0 and 1, it is %g", level)
	}
	x, err := m.design.Model(fr)
	if err != nil {
		return nil, err
	}
	offset, err := m.design.NewOffset(fr)
	if err != nil {
		return nil, err
	}
	t := estimate.Quantile(1-(1-level)/2, m.df)
	out := make([]Prediction, fr.Rows())
	for i := range out {
		fit, se, _, err := m.Contrast(x.RawRowView(i))
		if err != nil {
			return nil, err
		}
		if offset != nil {
			fit += offset[i]
		}
		half := se
		if observation {
			half = math.Hypot(se, m.Sigma())
		}
		out[i] = Prediction{Fit: fit, SE: se, Lower: fit - t*half, Upper: fit + t*half}
	}
	return out, nil
}
