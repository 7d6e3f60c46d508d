package trial

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/seed-4012077a/flow/sdk/stats/frame"
)

type analysis struct {
	plan   *Plan
	tables *tables
	result Result
	faults []error // of the plan
	brief  bool    // rows only
}

// Analyse carries out the plan on the input. file names the input's column
// with the file of each row, which tables choose by. progress may be nil.
//
// What cannot be estimated is a row with a note. Mistakes in the plan are an
// error, all of them at once.
func Analyse(p *Plan, input *frame.Frame, file string, progress func(done, total int, text string)) (*Result, error) {
	return analyse(&analysis{plan: p, tables: &tables{plan: p, input: input, file: file, made: map[string]*frame.Frame{}}}, progress)
}

// Contrasts is Analyse for the rows alone, as when many simulated trials are
// analysed: models, means and associations are left out.
func Contrasts(p *Plan, input *frame.Frame) ([]Row, error) {
	brief := *p
	brief.Tests = nil
	result, err := analyse(&analysis{plan: &brief, brief: true, tables: &tables{plan: p, input: input, made: map[string]*frame.Frame{}}}, nil)
	if err != nil {
		return nil, err
	}
	return result.Rows, nil
}

func analyse(a *analysis, progress func(done, total int, text string)) (*Result, error) {
	p := a.plan
	if err := p.CheckColumns(a.tables.input.Names()); err != nil {
		return nil, err
	}
	total, done := 0, 0
	for _, s := range p.Studies {
		for _, o := range p.Outcomes {
			if o.in(s.Name) {
				total++
			}
		}
	}
	for _, s := range p.Studies {
		for _, o := range p.Outcomes {
			if !o.in(s.Name) {
				continue
			}
			if progress != nil {
				progress(done, total, s.Name+" "+o.Name)
			}
			a.outcome(o, s)
			done++
		}
	}
	a.emptyFamilies()
	for _, t := range p.Tests {
		a.associate(t)
	}
	if len(a.faults) > 0 {
		return nil, errors.Join(a.faults...)
	}
	a.correct()
	return &a.result, nil
}

// emptyFamilies gives a row to each family that has no outcome in a study.
func (a *analysis) emptyFamilies() {
	for _, s := range a.plan.Studies {
		for _, family := range sortedKeys(a.plan.Families) {
			if !slices.ContainsFunc(a.plan.Outcomes, func(o Outcome) bool { return o.Family == family && o.in(s.Name) }) {
				e := &estimation{a: a, plan: a.plan, study: s, outcome: Outcome{Family: family}}
				e.fail("all", "failed", "primary", fmt.Errorf("the family %q has no outcome in this study", family))
			}
		}
	}
}

// in reports whether the outcome is analysed in a study.
func (o Outcome) in(study string) bool {
	_, named := o.Studies[study]
	return named || len(o.Studies) == 0
}

// outcome analyses one outcome in one study.
func (a *analysis) outcome(o Outcome, s Study) {
	e := &estimation{a: a, plan: a.plan.timed(o), study: s, outcome: o}
	err := e.run()
	var mistake *PlanError
	switch {
	case errors.As(err, &mistake):
		a.faults = append(a.faults, fmt.Errorf("study %q, outcome %q: %w", s.Name, o.Name, err))
	case err != nil:
		e.fail("all", "failed", "primary", err)
	}
}

// estimation is the analysis of one outcome in one study.
type estimation struct {
	a       *analysis
	plan    *Plan // with the outcome's own time
	study   Study
	outcome Outcome
	rows    *rows
	form    dose
	chosen  *model // of that form, where REML does not fit it otherwise than ML
	note    string // on the form
}

func (e *estimation) run() error {
	r, err := e.a.rowsOf(e.outcome, e.study, nil, nil)
	if err != nil {
		return err
	}
	e.rows = r
	if err := e.chooseForm(); err != nil {
		return err
	}
	p := e.plan
	full := e.chosen
	if full != nil { // no REML: the model that the form was chosen by
		e.record("full", r, full, true)
	} else {
		var err error
		if full, err = e.fit("full", r, p.formula(r, e.form, true, nil), ""); err != nil {
			return err
		}
	}
	coarse, coarseErr := e.fit("coarsened", r, p.formula(r, bySign, true, nil), "")
	e.report(full, coarse, coarseErr)
	if !e.a.brief {
		if err := e.means(full); err != nil {
			return err
		}
	}
	return e.robustness()
}

// fit fits by REML and records the model.
func (e *estimation) fit(role string, r *rows, text, weights string) (*model, error) {
	m, err := e.plan.fit(r, text, weights, true)
	if err != nil {
		return nil, err
	}
	e.record(role, r, m, true)
	return m, nil
}

func (e *estimation) record(role string, r *rows, m *model, chosen bool) {
	f := Fit{
		Study: e.study.Name, Outcome: e.outcome.Name, Role: role, Formula: m.Formula, Method: m.Method, Note: m.Note,
		N: m.N, Participants: m.People, Dropped: r.dropped + m.Dropped, Parameters: m.parameters,
		LogLik: m.LogLik, AIC: m.aic, AICc: m.aicc, BIC: m.bic, Sigma: m.Sigma, Chosen: chosen,
	}
	if m.lmm != nil {
		for _, c := range m.lmm.VarianceComponents() {
			f.Components = append(f.Components, Component{c.Group, c.Column, c.With, c.Covariance, c.SDCor})
		}
	}
	if !isForm(role) && !e.a.brief {
		for at := range m.Design().Names {
			if c, err := m.coefficientAt(e.plan, at, "wald"); err == nil {
				f.Coefficients = append(f.Coefficients, c)
			}
		}
	}
	e.a.result.Fits = append(e.a.result.Fits, f)
}

func isForm(role string) bool { return slices.Contains(forms, role) }

// chooseForm takes the polynomial of least AIC under ML of the full model,
// unless the plan fixes it. A polynomial needs more lambdas than its degree.
func (e *estimation) chooseForm() error {
	p, r := e.plan, e.rows
	if r.form != "" {
		e.form, e.note = degree(r.form), "form fixed by the plan"
		if len(r.lambdas) <= int(e.form) {
			return inPlan(fmt.Errorf("the form %s needs %d lambdas, and there are %v", r.form, int(e.form)+1, r.lambdas))
		}
	}
	best, first := math.Inf(1), len(e.a.result.Fits)
	var last error
	var failed string
	for _, name := range p.Lambda.Forms {
		d := degree(name)
		if len(r.lambdas) <= int(d) {
			continue
		}
		m, err := p.fit(r, p.formula(r, d, true, nil), "", false)
		if err != nil {
			last = err
			failed = join(failed, fmt.Sprintf("the %s form was left out, as it cannot be fitted: %v", name, err))
			continue
		}
		e.record(name, r, m, false)
		if v := m.criterion(p.Lambda.Criterion); r.form == "" && v < best {
			best, e.form = v, d
		}
		if d == e.form && m.lmm == nil {
			e.chosen = m
		}
	}
	if e.form == bySign {
		switch {
		case last != nil:
			return last
		case len(e.a.result.Fits) > first:
			return fmt.Errorf("no form has a finite %s: there are too few rows", p.Lambda.Criterion)
		}
		return fmt.Errorf("%s has %d values, too few for any form of %v", p.Lambda.Column, len(r.lambdas), p.Lambda.Forms)
	}
	e.note = join(e.note, failed)
	for i := first; i < len(e.a.result.Fits); i++ {
		e.a.result.Fits[i].Chosen = degree(e.a.result.Fits[i].Role) == e.form
	}
	return nil
}

// comparisons are lambda's sides and the factors.
func (e *estimation) comparisons(lambda comparison) []comparison {
	all := []comparison{lambda}
	for i, levels := range e.levels() {
		all = append(all, e.plan.factor(e.plan.Factors[i], levels))
	}
	return all
}

func (e *estimation) levels() (out [][]string) {
	for _, f := range e.plan.Factors {
		c, _ := e.rows.fr.Column(f.Column)
		out = append(out, c.Levels)
	}
	return out
}

func (e *estimation) reports(group string) bool {
	return len(e.study.Tests) == 0 || slices.Contains(e.study.Tests, group)
}

// tests are all tests of contrasts for one way of comparing lambdas, in the
// order in which they are reported.
func (e *estimation) tests(lambda comparison) (out []test) {
	p, r, all := e.plan, e.rows, e.comparisons(lambda)
	if e.reports("main") {
		out = append(out, mainTests(all)...)
	}
	if e.reports("dose") {
		out = append(out, p.doseTests(e.form)...)
	}
	if e.reports("moderation") {
		out = append(out, moderations(all, p)...)
	}
	if !r.repeated {
		return out
	}
	if e.reports("time") {
		out = append(out, p.timeTests(all, r)...)
	}
	if e.reports("slopes") {
		out = append(out, p.slopes(all, r)...)
	}
	if e.reports("time") {
		out = append(out, p.timeCoefficients(e.levels())...)
	}
	return out
}
