package emm

import (
	"fmt"

	"github.com/seed-4012077a/flow/sdk/stats/estimate"
	"gonum.org/v1/gonum/floats"
)

// Slopes are the derivatives of the linear predictor by a covariate at the
// grid's points, averaged as marginal means are: R's emtrends. The derivative
// of a point's row of the model matrix is the five-point difference
//
//	f'(x) = [f(x-2h) - 8 f(x-h) + 8 f(x+h) - f(x+2h)] / 12h + O(h^4)
//
// with h = 0.001 of the covariate's range: exact for polynomials up to the
// fourth degree, and to about 1e-11 for smooth functions. (emtrends takes
// [f(x+h) - f(x)]/h, which for curves is off by h f”/2; ForwardSlopes does as
// emtrends does.)
func Slopes(m estimate.Linear, covariate string, o GridOptions, of, by []string, w Weights) (*Set, error) {
	h, err := step(m, covariate)
	if err != nil {
		return nil, err
	}
	return slopes(m, covariate, o, of, by, w, []float64{-2 * h, -h, h, 2 * h}, []float64{1 / (12 * h), -8 / (12 * h), 8 / (12 * h), -1 / (12 * h)})
}

// ForwardSlopes are Slopes by emtrends' own difference quotient
// [f(x+h) - f(x)]/h, h = 0.001 of the covariate's range.
func ForwardSlopes(m estimate.Linear, covariate string, o GridOptions, of, by []string, w Weights) (*Set, error) {
	h, err := step(m, covariate)
	if err != nil {
		return nil, err
	}
	return slopes(m, covariate, o, of, by, w, []float64{0, h}, []float64{-1 / h, 1 / h})
}

func step(m estimate.Linear, covariate string) (float64, error) {
	for _, c := range m.Design().Covariates() {
		if c.Name == covariate {
			if c.Max == c.Min {
				return 0, fmt.Errorf("slopes: %s does not vary", covariate)
			}
			return 0.001 * (c.Max - c.Min), nil
		}
	}
	for _, f := range m.Design().Factors() {
		if f.Name == covariate {
			return 0, fmt.Errorf("slopes: %s is a factor; a slope is by a numeric column", covariate)
		}
	}
	g, err := NewGrid(m, GridOptions{})
	if err == nil {
		_, err = g.index(covariate)
	}
	if err == nil {
		err = fmt.Errorf("%s is in the offset only", covariate)
	}
	return 0, fmt.Errorf("slopes: %w", err)
}

func slopes(m estimate.Linear, covariate string, o GridOptions, of, by []string, w Weights, at, coefficient []float64) (*Set, error) {
	g, err := NewGrid(m, o)
	if err != nil {
		return nil, err
	}
	for i := range g.rows {
		g.rows[i].l, g.rows[i].shift = make([]float64, len(g.rows[i].l)), 0
	}
	for k, d := range at {
		x, shift, err := g.matrix(map[string]float64{covariate: d})
		if err != nil {
			return nil, fmt.Errorf("slopes: %w", err)
		}
		for i := range g.rows {
			floats.AddScaled(g.rows[i].l, coefficient[k], x.RawRowView(i))
			if shift != nil {
				g.rows[i].shift += coefficient[k] * shift[i]
			}
		}
	}
	s, err := g.Means(of, by, w)
	if err != nil {
		return nil, err
	}
	s.slope = true
	return s, nil
}
