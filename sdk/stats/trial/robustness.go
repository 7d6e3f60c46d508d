package trial

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/seed-4012077a/flow/sdk/stats/emm"
	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"github.com/seed-4012077a/flow/sdk/stats/glm"
)

// robustness refits the full model for each robustness run, with the primary
// lambdas and the primary form. A run that fails is a row; a mistake in the
// plan is an error.
func (e *estimation) robustness() error {
	for _, run := range e.plan.Robustness {
		if !run.of(e.study.Name, e.outcome.Name) {
			continue
		}
		err := e.rerun(run)
		var mistake *PlanError
		if errors.As(err, &mistake) {
			return fmt.Errorf("robustness %q: %w", run.Name, err)
		}
		if err != nil {
			e.fail("all", "failed", run.Name, err)
		}
	}
	return nil
}

// of reports whether the run is made of an outcome in a study.
func (r Robustness) of(study, outcome string) bool {
	return (len(r.Studies) == 0 || slices.Contains(r.Studies, study)) && (len(r.Outcomes) == 0 || slices.Contains(r.Outcomes, outcome))
}

func (e *estimation) rerun(run Robustness) error {
	p := e.plan
	extra, column := slices.Clone(run.Covariates), ""
	w := p.Weights[run.Weights]
	if run.Weights != "" && w.Column != "" {
		column = w.Column
		extra = append(extra, column)
	}
	r, err := e.a.rowsOf(e.outcome, e.study, run.Where, extra)
	if err != nil {
		return err
	}
	if run.Weights != "" && w.Dropout != "" {
		if column, err = e.a.dropoutWeights(run.Weights, w, e.study, r); err != nil {
			return err
		}
	}
	// What differs is the data: tests are those of the primary analysis.
	other := &estimation{a: e.a, plan: e.plan, study: e.study, outcome: e.outcome, rows: r, form: e.form, note: e.note}
	if len(r.lambdas) <= int(e.form) {
		return fmt.Errorf("%s has the values %v here, too few for the %s form", p.Lambda.Column, r.lambdas, e.form)
	}
	m, err := other.fit(run.Name, r, p.formula(r, e.form, true, run.Covariates), column)
	if err != nil {
		return err
	}
	s := emm.NewSurface(m)
	for _, t := range other.tests(p.lambdaSides(p.Lambda.High, p.Lambda.Low)) {
		if t.contrast != nil && t.kind != simpleEffect && t.kind != temporalSimple && t.kind != temporalSlope {
			other.contrast(t, run.Name, m, s)
		}
	}
	return nil
}

// dropoutWeights fits the model of leaving on its table, in this study, and
// adds each participant's weight to the rows.
func (a *analysis) dropoutWeights(name string, w Weight, s Study, r *rows) (column string, err error) {
	fr, err := a.tables.get(w.Table)
	if err == nil {
		fr, err = filter(fr, s.Where)
	}
	if err != nil {
		return "", inPlan(err)
	}
	f, err := formula.Parse(w.Dropout)
	if err != nil {
		return "", inPlan(fmt.Errorf("weights %q: %w", name, err))
	}
	d, err := f.Design(fr, formula.Options{})
	if err != nil {
		return "", fmt.Errorf("weights %q: %w", name, err)
	}
	m, err := glm.Fit(d, glm.Binomial(), glm.Options{})
	var separated *glm.SeparationError
	if errors.As(err, &separated) {
		r.note = join(r.note, fmt.Sprintf("weights %q: the model of leaving is fitted with Firth's penalty, as it is separated (%s)", name, strings.Join(separated.Columns, ", ")))
		m, err = glm.Fit(d, glm.Binomial(), glm.Options{Firth: true})
	}
	if err != nil {
		return "", fmt.Errorf("weights %q: %w", name, err)
	}
	values, _, err := glm.DropoutWeights(m, w.Stabilised, glm.Truncation{Max: w.Max, Quantile: w.Quantile})
	if err != nil {
		return "", fmt.Errorf("weights %q: %w", name, err)
	}
	ids, ok := fr.Column(a.plan.Participant)
	if !ok {
		return "", inPlan(fmt.Errorf("weights %q: %w", name, fr.Unknown(a.plan.Participant)))
	}
	if ids.Kind == frame.Numeric {
		ids = ids.ToFactor()
	}
	of := map[string]float64{}
	for at, row := range d.Rows {
		if ids.Missing(row) {
			continue
		}
		id := ids.Levels[ids.Codes[row]]
		if _, twice := of[id]; twice {
			return "", fmt.Errorf("weights %q: participant %q has several rows in its table", name, id)
		}
		of[id] = values[at]
	}
	person, _ := r.fr.Column(a.plan.Participant)
	out := make([]float64, r.fr.Rows())
	for i, k := range person.Codes {
		v, ok := of[person.Levels[k]]
		if !ok || v == 0 {
			v = math.NaN() // the weight of one who left, or who lacks a covariate
		}
		out[i] = v
	}
	column = "weight " + name
	return column, r.fr.AddNumeric(column, out)
}
