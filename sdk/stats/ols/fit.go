package ols

import (
	"errors"
	"fmt"
	"math"

	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"gonum.org/v1/gonum/mat"
)

// Options choose the covariance of the coefficients.
type Options struct {
	Covariance Covariance
	Cluster    string // column of the clusters, for CR0, CR1 and CR1S
}

// Model is a fitted linear model.
type Model struct {
	design     *formula.Design
	beta       []float64
	residuals  []float64     // y - offset - X beta
	weights    []float64     // nil for none
	unscaled   *mat.SymDense // (X'WX)^-1
	effects    []float64     // the first p of Q'sqrt(W)y
	leverage   []float64     // diagonal of the hat matrix
	n          int           // rows of weight above 0
	rss        float64       // sum w r^2
	covariance *mat.SymDense
	kind       Covariance
	df         float64 // of t for the covariance
	clusters   int
}

// Fit fits the model of a design. It refuses a design with random terms, a
// response without variance and more coefficients than rows.
func Fit(d *formula.Design, o Options) (*Model, error) {
	if err := check(d); err != nil {
		return nil, err
	}
	m := &Model{design: d, weights: d.Weights, n: len(d.Y)}
	n, p := d.X.Dims()
	x := mat.DenseCopyOf(d.X)
	y := mat.NewDense(n, 1, nil)
	for i := 0; i < n; i++ {
		v := d.Y[i]
		if d.Offset != nil {
			v -= d.Offset[i]
		}
		s := m.root(i)
		if s == 0 {
			m.n--
		}
		y.Set(i, 0, s*v)
		if s != 1 {
			for j := 0; j < p; j++ {
				x.Set(i, j, s*x.At(i, j))
			}
		}
	}
	if m.n <= p {
		return nil, fmt.Errorf("%s: %d rows cannot estimate %d coefficients and their error", d.Formula, m.n, p)
	}
	if err := m.solve(x, y); err != nil {
		return nil, fmt.Errorf("%s: %w", d.Formula, err)
	}
	total := 0.0
	for i := 0; i < n; i++ {
		total += y.At(i, 0) * y.At(i, 0)
	}
	// What is left is rounding: the response is a combination of the columns.
	if m.rss <= 1e-28*total {
		return nil, fmt.Errorf("%s: the fit leaves no error (residual sum of squares %.3g of %.3g): the response is an exact combination of the terms, so nothing can be tested", d.Formula, m.rss, total)
	}
	var err error
	if m.covariance, m.df, m.clusters, err = m.vcov(o); err != nil {
		return nil, err
	}
	m.kind = o.Covariance
	return m, nil
}

func check(d *formula.Design) error {
	switch {
	case d.Y == nil:
		return fmt.Errorf("%s: there is no response left of \"~\"", d.Formula)
	case d.Trials != nil:
		return fmt.Errorf("%s: cbind(successes, failures) is a response of a binomial model, not of least squares", d.Formula)
	case len(d.Random) > 0:
		return fmt.Errorf("%s: least squares has no random terms; (%s) needs a mixed model", d.Formula, d.Random[0].Text)
	case len(d.Names) == 0:
		return fmt.Errorf("%s: the model has no coefficients", d.Formula)
	}
	first, same := math.NaN(), true
	for i, v := range d.Y {
		if d.Weights != nil && d.Weights[i] == 0 {
			continue
		}
		if math.IsNaN(first) {
			first = v
		}
		same = same && v == first
	}
	if same {
		return fmt.Errorf("%s: the response has no variance: it is %s in all %d rows", d.Formula, frame.Format(first), len(d.Y))
	}
	return nil
}

// root is the square root of a row's weight.
func (m *Model) root(i int) float64 {
	if m.weights == nil {
		return 1
	}
	return math.Sqrt(m.weights[i])
}

// solve finds beta from the QR decomposition of x = sqrt(W) X:
//
//	beta = R^-1 Q'y, (X'WX)^-1 = R^-1 R^-T, h_i = |R^-T x_i|^2
//
// and improves beta once by the solution for its residuals (Bjorck 1967).
func (m *Model) solve(x, y *mat.Dense) error {
	n, p := x.Dims()
	// Columns of unit length: the scale of a covariate is no reason to lose
	// digits.
	scale := make([]float64, p)
	for j := range scale {
		scale[j] = mat.Norm(x.ColView(j), 2)
		for i := 0; i < n; i++ {
			x.Set(i, j, x.At(i, j)/scale[j])
		}
	}
	var qr mat.QR
	qr.Factorize(x)
	var r mat.Dense
	qr.RTo(&r)
	b := mat.NewDense(p, 1, nil)
	rest := mat.DenseCopyOf(y)
	for pass := 0; pass < 2; pass++ {
		var step mat.Dense
		if err := qr.SolveTo(&step, false, rest); err != nil {
			var c mat.Condition
			if !errors.As(err, &c) {
				return err
			}
		}
		b.Add(b, &step)
		rest.Mul(x, b)
		rest.Sub(y, rest)
	}
	tri := mat.NewTriDense(p, mat.Upper, nil)
	for i := 0; i < p; i++ {
		for j := i; j < p; j++ {
			tri.SetTri(i, j, r.At(i, j))
		}
	}
	var inverse mat.TriDense
	if err := inverse.InverseTri(tri); err != nil {
		var c mat.Condition
		if !errors.As(err, &c) {
			return err
		}
	}
	var effects mat.Dense
	effects.Mul(tri, b)
	m.beta, m.effects = make([]float64, p), make([]float64, p)
	m.unscaled = mat.NewSymDense(p, nil)
	for j := 0; j < p; j++ {
		m.beta[j], m.effects[j] = b.At(j, 0)/scale[j], effects.At(j, 0)
		for k := j; k < p; k++ {
			v := 0.0
			for i := k; i < p; i++ {
				v += inverse.At(j, i) * inverse.At(k, i)
			}
			m.unscaled.SetSym(j, k, v/(scale[j]*scale[k]))
		}
	}
	m.leverage = make([]float64, n)
	var u mat.Dense
	u.Mul(x, &inverse)
	for i := range m.leverage {
		row := u.RawRowView(i)
		for _, v := range row {
			m.leverage[i] += v * v
		}
	}
	m.fillResiduals(rest)
	return nil
}

func (m *Model) fillResiduals(weighted *mat.Dense) {
	d := m.design
	m.residuals = make([]float64, len(d.Y))
	for i := range m.residuals {
		if s := m.root(i); s > 0 {
			m.residuals[i] = weighted.At(i, 0) / s
		} else {
			fit := 0.0
			for j, b := range m.beta {
				fit += d.X.At(i, j) * b
			}
			if d.Offset != nil {
				fit += d.Offset[i]
			}
			m.residuals[i] = d.Y[i] - fit
		}
		v := weighted.At(i, 0)
		m.rss += v * v
	}
}
