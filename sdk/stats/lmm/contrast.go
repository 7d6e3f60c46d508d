package lmm

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// Contrast estimates l'beta with its standard error and degrees of freedom,
// those of the model's options.
func (m *Model) Contrast(l []float64) (est, se, df float64, err error) {
	if err := m.checkContrast(l); err != nil {
		return 0, 0, 0, err
	}
	est = dot(l, m.beta)
	c := m.q.centredContrast(l)
	switch m.opt.DF {
	case Asymptotic:
		return est, m.sigma * math.Sqrt(quadratic(c, m.pt.c, c)), math.Inf(1), nil
	case KenwardRoger:
		k, err := m.kenwardRoger()
		if err != nil {
			return 0, 0, 0, err
		}
		se, df = k.single(c)
	default:
		s, err := m.satterthwaite()
		if err != nil {
			return 0, 0, 0, err
		}
		se, df = s.single(c)
	}
	if math.IsNaN(se) {
		return 0, 0, 0, fmt.Errorf("the %s covariance of this contrast is not positive; ask for Satterthwaite degrees of freedom", m.opt.DF)
	}
	return est, se, df, m.checkDF(df)
}

// leastDF is where an interval's limits are of the order of 1e25 standard
// errors: there is none to speak of.
const leastDF = 0.05

func (m *Model) checkDF(df float64) error {
	if !(df >= leastDF) || math.IsInf(df, 0) {
		return fmt.Errorf("there are no usable %s degrees of freedom for this contrast (%.3g): the data say next to nothing about its variance; ask for asymptotic tests", m.opt.DF, df)
	}
	return nil
}

func (m *Model) checkContrast(l []float64) error {
	if len(l) != m.q.p {
		return fmt.Errorf("a contrast has %d entries and the model %d fixed effects", len(l), m.q.p)
	}
	if err := finite("contrast", l); err != nil {
		return err
	}
	for _, v := range l {
		if v != 0 {
			return nil
		}
	}
	return fmt.Errorf("a contrast of zeros estimates nothing")
}

// Joint tests L beta = 0 for the rows of L: F with its degrees of freedom.
// Rows that depend on others do not count.
func (m *Model) Joint(l *mat.Dense) (f, ndf, ddf float64, err error) {
	if l == nil || l.IsEmpty() {
		return 0, 0, 0, fmt.Errorf("a joint test needs at least one contrast")
	}
	r, c := l.Dims()
	if c != m.q.p {
		return 0, 0, 0, fmt.Errorf("the contrasts have %d columns and the model %d fixed effects", c, m.q.p)
	}
	rows := make([][]float64, r)
	for i := range rows {
		row := mat.Row(nil, i, l)
		if err := finite("contrast", row); err != nil {
			return 0, 0, 0, err
		}
		rows[i] = m.q.centredContrast(row)
	}
	dir, val, err := m.independent(rows)
	if err != nil {
		return 0, 0, 0, err
	}
	// beta~ differs from beta by a constant in the intercept, so the rows are
	// applied to beta itself.
	shift := make([]float64, len(dir))
	for i, w := range dir {
		for j, x := range w {
			shift[i] += x * dot(mat.Row(nil, j, l), m.beta)
		}
	}
	combined := make([][]float64, len(dir))
	for i, w := range dir {
		combined[i] = make([]float64, m.q.p)
		for j, x := range w {
			axpy(x, rows[j], combined[i])
		}
	}
	ndf = float64(len(dir))
	if m.opt.DF == KenwardRoger {
		k, err := m.kenwardRoger()
		if err != nil {
			return 0, 0, 0, err
		}
		if f, ddf, err = k.joint(combined, shift); err != nil {
			return 0, 0, 0, err
		}
		return f, ndf, ddf, m.checkDF(ddf)
	}
	for i := range dir {
		f += shift[i] * shift[i] / (m.sigma * m.sigma * val[i])
	}
	f /= ndf
	if m.opt.DF == Asymptotic {
		return f, ndf, math.Inf(1), nil
	}
	s, err := m.satterthwaite()
	if err != nil {
		return 0, 0, 0, err
	}
	ddf = s.joint(combined)
	return f, ndf, ddf, m.checkDF(ddf)
}

// independent turns the contrasts (rows, for centred coefficients) by the
// eigenvectors of L C L' into independent ones: weights of the rows and
// variances in units of sigma^2, those of zero variance left out.
func (m *Model) independent(rows [][]float64) (weights [][]float64, variance []float64, err error) {
	r := len(rows)
	v := mat.NewSymDense(r, nil)
	for i := range rows {
		for j := i; j < r; j++ {
			v.SetSym(i, j, quadratic(rows[i], m.pt.c, rows[j]))
		}
	}
	var eig mat.EigenSym
	if !eig.Factorize(v, true) {
		return nil, nil, fmt.Errorf("the contrasts' covariance has no eigenvalues")
	}
	var vec mat.Dense
	eig.VectorsTo(&vec)
	val := eig.Values(nil)
	tol := math.Max(1e-12*val[r-1], 0)
	for i := r - 1; i >= 0; i-- {
		if val[i] > tol {
			weights = append(weights, mat.Col(nil, i, &vec))
			variance = append(variance, val[i])
		}
	}
	if len(weights) == 0 {
		return nil, nil, fmt.Errorf("contrasts of zeros test nothing")
	}
	return weights, variance, nil
}
