package trial

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/seed-4012077a/flow/sdk/stats/emm"
	"github.com/seed-4012077a/flow/sdk/stats/estimate"
)

// report estimates every test with its specs.
func (e *estimation) report(full, coarse *model, coarseErr error) {
	p := e.plan
	fullSurface := emm.NewSurface(full)
	var coarseSurface *emm.Surface
	if coarseErr == nil {
		coarseSurface = emm.NewSurface(coarse)
	}
	var additive *model
	var additiveErr error
	if e.reports("dose") {
		additive, additiveErr = e.fit("additive", e.rows, p.formula(e.rows, e.form, false, nil), "")
	}
	// What differs between specs is the comparison of lambdas alone, so that the
	// lists of tests are parallel.
	coarseTests := e.tests(p.signSides())
	specs := make([][]test, len(p.Lambda.Specs))
	for i, s := range p.Lambda.Specs {
		specs[i] = e.tests(p.lambdaSides([]float64{s.High}, []float64{s.Low}))
	}
	for k, t := range e.tests(p.lambdaSides(p.Lambda.High, p.Lambda.Low)) {
		switch {
		case t.kind == doseResponse:
			e.coefficient(t, additive, additiveErr)
			continue
		case t.coefficient != nil:
			e.coefficient(t, full, nil)
			continue
		}
		e.contrast(t, "primary", full, fullSurface)
		if t.kind != simpleEffect && t.kind != temporalSimple {
			if coarseErr != nil {
				e.fail(t.name, t.kind, "coarsened", coarseErr)
			} else {
				e.contrast(coarseTests[k], "coarsened", coarse, coarseSurface)
			}
		}
		if t.byLambda {
			for i, s := range p.Lambda.Specs {
				e.contrast(specs[i][k], s.Name, full, fullSurface)
			}
		}
	}
}

// row begins a row.
func (e *estimation) row(t test, spec string, m *model) Row {
	nan := math.NaN()
	r := Row{
		Measure: e.plan.Measure, Study: e.study.Name, Outcome: e.outcome.Name, Family: e.outcome.Family,
		Test: t.name, Kind: t.kind, Spec: spec, Slope: t.slope, Levels: t.levels,
		Estimate: estimate.Estimate{Estimate: nan, SE: nan, DF: nan, Lower: nan, Upper: nan, Statistic: nan, P: nan},
		Local:    nan, Global: nan, Note: e.note,
	}
	if e.rows != nil {
		r.N, r.Participants, r.Note = e.rows.fr.Rows(), e.rows.people, join(e.note, e.rows.note)
	}
	if e.form != bySign {
		r.Form = e.form.String()
	}
	if m != nil {
		r.Model, r.Method, r.Note, r.N, r.Participants = m.Formula, m.Method, join(r.Note, m.Note), m.N, m.People
	}
	return r
}

func (e *estimation) fail(name, kind, spec string, err error) {
	r := e.row(test{name: name, kind: kind}, spec, nil)
	r.Note = join(r.Note, err.Error())
	e.a.result.Rows = append(e.a.result.Rows, r)
}

func (e *estimation) contrast(t test, spec string, m *model, s *emm.Surface) {
	r := e.row(t, spec, m)
	note, err := e.supported(t.contrast)
	r.Note = join(r.Note, note)
	var l []float64
	if err == nil {
		l, err = coefficients(s, t.contrast)
	}
	if err == nil {
		var est estimate.Estimate
		if est, err = estimate.Of(m, t.name, l, e.plan.Level); err == nil {
			r.Estimate = est
			r.Label = ""
		}
	}
	if err != nil {
		r.Note = join(r.Note, err.Error())
	}
	e.a.result.Rows = append(e.a.result.Rows, r)
}

func (e *estimation) coefficient(t test, m *model, err error) {
	if err != nil {
		e.fail(t.name, t.kind, "primary", err)
		return
	}
	r := e.row(t, "primary", m)
	r.Method = m.ofCoefficients(e.plan.Limits)
	est, err := m.coefficient(e.plan, t.coefficient, e.plan.Limits)
	var limits *limitsError
	if err == nil || errors.As(err, &limits) {
		r.Estimate = est
	}
	if err != nil {
		r.Note = join(r.Note, err.Error())
	}
	e.a.result.Rows = append(e.a.result.Rows, r)
}

// supported says whether the data bear on the lambdas of a contrast: outside
// their range a polynomial tells nothing, and between them a note says that it
// is read off the curve.
func (e *estimation) supported(l linear) (note string, err error) {
	have := e.rows.lambdas
	low, high := have[0], have[len(have)-1]
	for _, v := range l.values(e.plan.Lambda.Column) {
		switch {
		case v < low || v > high:
			return "", fmt.Errorf("lambda %v is outside the data, which go from %v to %v: name others in the plan's lambda (high, low, specs)", v, low, high)
		case !slices.Contains(have, v):
			note = join(note, fmt.Sprintf("no row has lambda %v: it is read off the polynomial", v))
		}
	}
	return note, nil
}
