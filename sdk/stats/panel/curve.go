package panel

import (
	"fmt"
	"math"
	"slices"
)

// Method is how a curve goes through the anchors.
type Method uint8

const (
	// Interpolation goes through the anchors' means in straight pieces.
	Interpolation Method = iota
	// Line is the least-squares line of the anchors' rows.
	Line
)

func (m Method) String() string {
	if m == Line {
		return "line"
	}
	return "interpolation"
}

// Curve gives the lambda of a score.
type Curve struct {
	method           Method
	lambda, mean     []float64 // increasing lambda
	intercept, slope float64
}

// NewCurve makes the curve of anchors: their distinct lambdas in increasing
// order, means and numbers of rows. An anchor without rows is left out.
func NewCurve(m Method, lambda, mean, n []float64) (*Curve, error) {
	c := &Curve{method: m}
	var rows, sl, sy float64
	for k, l := range lambda {
		if !(n[k] > 0) {
			continue
		}
		if len(c.lambda) > 0 && l <= c.lambda[len(c.lambda)-1] {
			return nil, fmt.Errorf("the anchors' lambdas must increase; %g comes after %g", l, c.lambda[len(c.lambda)-1])
		}
		c.lambda, c.mean = append(c.lambda, l), append(c.mean, mean[k])
		rows += n[k]
		sl += n[k] * l
		sy += n[k] * mean[k]
	}
	if len(c.lambda) < 2 {
		return nil, fmt.Errorf("a calibration needs anchors at two lambdas at least; there are scores at %d", len(c.lambda))
	}
	if m == Interpolation {
		return c, nil
	}
	// The line of the rows is that of the means weighted by their rows.
	var sxx, sxy float64
	for k, l := range lambda {
		if n[k] > 0 {
			sxx += n[k] * (l - sl/rows) * (l - sl/rows)
			sxy += n[k] * (l - sl/rows) * mean[k]
		}
	}
	c.slope = sxy / sxx
	c.intercept = sy/rows - c.slope*sl/rows
	if c.slope == 0 {
		return nil, fmt.Errorf("the anchors' line is flat: no lambda belongs to a score")
	}
	return c, nil
}

// Score is the curve's score at a lambda; NaN outside the anchors of an
// interpolation.
func (c *Curve) Score(lambda float64) float64 {
	if c.method == Line {
		return c.intercept + c.slope*lambda
	}
	for k := 1; k < len(c.lambda); k++ {
		if lambda >= c.lambda[k-1] && lambda <= c.lambda[k] {
			t := (lambda - c.lambda[k-1]) / (c.lambda[k] - c.lambda[k-1])
			return c.mean[k-1] + t*(c.mean[k]-c.mean[k-1])
		}
	}
	return math.NaN()
}

// Lambda is where the curve has a score. An interpolation gives -Inf or +Inf
// for a score beyond its ends, and NaN where it has the score at several
// places, so that there is no answer.
func (c *Curve) Lambda(score float64) float64 {
	if math.IsNaN(score) {
		return math.NaN()
	}
	if c.method == Line {
		return (score - c.intercept) / c.slope
	}
	at, found := math.NaN(), false
	for k := 1; k < len(c.lambda); k++ {
		a, b := c.mean[k-1], c.mean[k]
		if score < math.Min(a, b) || score > math.Max(a, b) {
			continue
		}
		if a == b {
			return math.NaN() // everywhere on this piece
		}
		var l float64
		switch score { // the ends exactly, as two pieces share them
		case a:
			l = c.lambda[k-1]
		case b:
			l = c.lambda[k]
		default:
			l = c.lambda[k-1] + (score-a)/(b-a)*(c.lambda[k]-c.lambda[k-1])
		}
		if found && l != at {
			return math.NaN()
		}
		at, found = l, true
	}
	if found {
		return at
	}
	rise := c.mean[len(c.mean)-1] - c.mean[0]
	switch {
	case rise == 0:
		return math.NaN()
	case (score > slices.Max(c.mean)) == (rise > 0):
		return math.Inf(1)
	}
	return math.Inf(-1)
}

// Monotone says whether an interpolation rises, or falls, all the way.
func (c *Curve) Monotone() bool {
	if c.method == Line {
		return true
	}
	up, down := true, true
	for k := 1; k < len(c.mean); k++ {
		up = up && c.mean[k] > c.mean[k-1]
		down = down && c.mean[k] < c.mean[k-1]
	}
	return up || down
}
