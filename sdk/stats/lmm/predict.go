package lmm

import (
	"fmt"

	"gonum.org/v1/gonum/mat"

	"github.com/seed-4012077a/flow/sdk/stats/frame"
)

// Prediction says what to predict.
type Prediction struct {
	// Conditional adds the random effects of the rows' levels; else the
	// prediction is for the population, X beta.
	Conditional bool
	// NewLevels allows levels that the fit did not have (and missing ones):
	// their random effects are predicted as 0, their mean. Else they are an
	// error.
	NewLevels bool
}

// Predict gives the expected response for the rows of new data, with the
// offset of the formula.
func (m *Model) Predict(fr *frame.Frame, o Prediction) ([]float64, error) {
	out, err := m.predictFixed(fr)
	if err != nil || !o.Conditional {
		return out, err
	}
	random, err := m.design.NewRandom(fr)
	if err != nil {
		return nil, err
	}
	modes, err := m.modes()
	if err != nil {
		return nil, err
	}
	for t := range m.q.random {
		r := &m.q.random[t]
		fac, at, k := m.q.block(t)
		kf := m.q.factors[fac].k
		z, err := rowMajor(random[t].Z, fr.Rows(), k, "random term ("+r.text+")")
		if err != nil {
			return nil, err
		}
		for i := range out {
			g := random[t].Index[i]
			if g < 0 {
				if !o.NewLevels {
					return nil, fmt.Errorf("row %d has a level of %q that the fit did not have: predict for the population, or allow new levels", i+1, r.group)
				}
				continue
			}
			out[i] += dot(z[i*k:(i+1)*k], modes[fac][int(g)*kf+at:])
		}
	}
	return out, nil
}

// predictFixed is X beta + offset for new data.
func (m *Model) predictFixed(fr *frame.Frame) ([]float64, error) {
	if m.design == nil || fr == nil {
		return nil, fmt.Errorf("prediction needs a table of new data")
	}
	out := make([]float64, fr.Rows())
	if fr.Rows() == 0 {
		return out, nil
	}
	if m.q.p > 0 {
		x, err := m.design.Model(fr)
		if err != nil {
			return nil, err
		}
		if r, c := x.Dims(); r != len(out) || c != m.q.p {
			return nil, fmt.Errorf("the new data give a %d x %d model matrix, not %d x %d", r, c, len(out), m.q.p)
		}
		mat.NewVecDense(len(out), out).MulVec(x, mat.NewVecDense(m.q.p, m.Coefficients()))
	}
	offset, err := m.design.NewOffset(fr)
	if err != nil {
		return nil, err
	}
	for i, v := range offset {
		out[i] += v
	}
	return out, nil
}
