package emm

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-4012077a/flow/sdk/stats/estimate"
	"gonum.org/v1/gonum/floats"
)

// Responder is a model whose mean is a function of its linear predictor: it
// gives the inverse link mu(eta) and its derivative.
type Responder interface {
	InverseLink(eta float64) (mu, derivative float64)
}

// Ratioer is a model whose link is a logarithm of something: differences of
// linear predictors are then logarithms of ratios. It names the ratio ("odds
// ratio", "rate ratio"), "" where there is none.
type Ratioer interface {
	Ratio() string
}

// Link is a link function seen from the linear predictor: mu(eta) and its
// derivative. glm.Link is one.
type Link interface {
	Mu(eta float64) float64
	Derivative(eta float64) float64
}

// Linked gives a model its link, so that means can be taken to the scale of the
// response. ratio names what the exponential of a difference is ("odds ratio"
// under the logit, "rate ratio" under the log), "" under other links.
func Linked(m estimate.Linear, link Link, ratio string) estimate.Linear {
	return linked{m, link, ratio}
}

type linked struct {
	estimate.Linear
	link  Link
	ratio string
}

func (l linked) InverseLink(eta float64) (mu, derivative float64) {
	return l.link.Mu(eta), l.link.Derivative(eta)
}

func (l linked) Ratio() string { return l.ratio }

// ResponseEstimates are Estimates on the scale of the response: the estimate
// and the limits of the interval through the inverse link, the standard error
// by the delta method, SE |dmu/deta|; statistic and p stay those of the linear
// predictor. Contrasts become ratios where the link is a logarithm (odds
// ratios under the logit) and are refused otherwise: contrast Response() then.
func (s *Set) ResponseEstimates(o Report) ([]Result, error) {
	back, err := s.inverse()
	if err != nil {
		return nil, err
	}
	out, err := s.Estimates(o)
	if err != nil {
		return nil, err
	}
	for i := range out {
		r := &out[i]
		if r.NotEstimable != "" {
			continue
		}
		mu, slope := back(r.Estimate.Estimate)
		lower, _ := back(r.Lower)
		upper, _ := back(r.Upper)
		r.Estimate.Estimate, r.SE = mu, r.SE*math.Abs(slope)
		r.Lower, r.Upper = min(lower, upper), max(lower, upper)
	}
	return out, nil
}

// inverse is the transformation back from the set's scale.
func (s *Set) inverse() (func(float64) (float64, float64), error) {
	m, ok := s.model.(Responder)
	switch {
	case s.regridded:
		return nil, fmt.Errorf("the set is on the scale of the response already")
	case !ok:
		return nil, fmt.Errorf("the model states no link: its estimates are on the scale of the response, or Linked gives it one")
	case s.slope:
		return nil, fmt.Errorf("slopes are of the linear predictor; they have no value on the scale of the response")
	case !s.contrast:
		return m.InverseLink, nil
	}
	if r, ok := s.model.(Ratioer); ok && r.Ratio() != "" && s.unit {
		return func(eta float64) (float64, float64) { return math.Exp(eta), math.Exp(eta) }, nil
	}
	return nil, fmt.Errorf("a difference of linear predictors has no value on the scale of the response here: take the means to it first (Response), then contrast")
}

// Response takes a set of means to the scale of the response, where contrasts
// are differences of responses (risk differences, say). By the delta method a
// mean mu(eta) has the gradient mu'(eta) l; emmeans calls it regrid.
func (s *Set) Response() (*Set, error) {
	if s.contrast {
		return nil, fmt.Errorf("contrasts cannot be taken to the scale of the response: take the means, then contrast")
	}
	back, err := s.inverse()
	if err != nil {
		return nil, err
	}
	out := *s
	out.regridded = true
	out.Rows = slices.Clone(s.Rows)
	for i := range out.Rows {
		r := &out.Rows[i]
		if r.reason = s.estimable(*r); r.reason != "" {
			continue
		}
		beta := s.model.Coefficients()
		eta := r.shift + floats.Dot(beta, kept(s.model.Design(), r.l))
		mu, slope := back(eta)
		r.l = slices.Clone(r.l)
		floats.Scale(slope, r.l)
		r.shift = mu - floats.Dot(beta, kept(s.model.Design(), r.l))
	}
	return &out, nil
}
