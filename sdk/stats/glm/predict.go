package glm

import (
	"fmt"
	"math"

	"github.com/seed-4012077a/flow/sdk/stats/estimate"
	"gonum.org/v1/gonum/mat"
)

// Prediction is the mean of one new row, with its standard error and limits. On
// the response scale SE is by the delta method, |dmu/deta| se(eta), as R's
// predict gives it, and the limits are those of the link scale taken back, so
// that they stay within the response's range.
type Prediction struct {
	Fit, SE, Lower, Upper float64
}

// Predict gives the means of new rows x (rows x p, from Design.Model) with an
// offset (nil: none), on the response scale or else the link's.
func (m *Model) Predict(x *mat.Dense, offset []float64, response bool, level float64) ([]Prediction, error) {
	n, p := x.Dims()
	if p != len(m.beta) {
		return nil, fmt.Errorf("the new rows have %d columns, the model %d coefficients", p, len(m.beta))
	}
	if offset != nil && len(offset) != n {
		return nil, fmt.Errorf("%d offsets for %d new rows", len(offset), n)
	}
	if !(level > 0 && level < 1) {
		return nil, fmt.Errorf("confidence level %v is not between 0 and 1 (usual: 0.95)", level)
	}
	out := make([]Prediction, n)
	for i := range out {
		eta, se, df, err := m.Contrast(x.RawRowView(i))
		if err != nil {
			return nil, err
		}
		if offset != nil {
			eta += offset[i]
		}
		h := estimate.Quantile((1+level)/2, df) * se
		out[i] = Prediction{eta, se, eta - h, eta + h}
		if response {
			out[i] = m.response(eta, se, h)
		}
	}
	return out, nil
}

func (m *Model) response(eta, se, h float64) Prediction {
	k := m.Family.Link
	lo, hi := k.Mu(eta-h), k.Mu(eta+h)
	if k == Inverse && (eta-h) <= 0 && (eta+h) >= 0 {
		// 1/eta runs through infinity inside the limits.
		lo, hi = k.Mu(eta+h), math.Inf(1)
		if eta < 0 {
			lo, hi = math.Inf(-1), k.Mu(eta-h)
		}
	} else if k == Sqrt && eta-h < 0 {
		lo = 0
	}
	if lo > hi {
		lo, hi = hi, lo
	}
	return Prediction{k.Mu(eta), math.Abs(k.Derivative(eta)) * se, lo, hi}
}
