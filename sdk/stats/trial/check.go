package trial

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-4012077a/flow/sdk/stats/frame"
)

// forms are the polynomials of lambda, by degree from 1.
var forms = []string{"linear", "quadratic", "cubic"}

var groups = []string{"main", "dose", "moderation", "time", "slopes"}

func (p *Plan) check() (bad Mistakes) {
	if p.Measure == "" {
		bad.add("measure", "measure is missing: the name of what the outcomes measure")
	}
	if p.Participant == "" {
		bad.add("participant", "participant is missing: the column that identifies participants")
	}
	if !(p.Level > 0 && p.Level < 1) {
		bad.add("level", "level %v is not between 0 and 1", p.Level)
	}
	bad.one("df", "df", p.DF, "kenward-roger", "satterthwaite", "asymptotic")
	bad.one("limits", "limits", p.Limits, "profile", "profile-interpolated", "wald")
	p.checkLambda(&bad)
	p.checkFactors(&bad)
	p.checkStudies(&bad)
	p.checkOutcomes(&bad)
	p.checkAssociations(&bad)
	p.checkRobustness(&bad)
	p.checkConstants(&bad)
	return bad
}

// checkConstants finds the columns of models that a formula would take for a
// constant. (An outcome gets another name.)
func (p *Plan) checkConstants(bad *Mistakes) {
	check := func(at, column string) {
		if slices.Contains(constants, column) {
			bad.add(at, "column %q is the name of a constant in formulas: give it another name, by a join or by recode", column)
		}
	}
	check("participant", p.Participant)
	check("lambda.column", p.Lambda.Column)
	for i, f := range p.Factors {
		check(path("factors", i, "column"), f.Column)
	}
	for i, o := range p.Outcomes {
		check(path("outcomes", i, "baseline"), o.Baseline)
		check(path("outcomes", i, "time.column"), p.timed(o).Time.Column)
		for _, name := range sortedKeys(o.Studies) {
			if s := o.Studies[name]; s.Baseline != nil {
				check(path("outcomes", i, "studies", name, "baseline"), *s.Baseline)
			}
		}
	}
	for i, r := range p.Robustness {
		for k, c := range r.Covariates {
			check(path("robustness", i, "covariates", k), c)
		}
	}
}

func (p *Plan) checkLambda(bad *Mistakes) {
	l := p.Lambda
	if l.Column == "" {
		bad.add("lambda", "lambda: column is missing")
	}
	if len(l.High) == 0 || len(l.Low) == 0 {
		bad.add("lambda", "lambda: high and low are given together, each with at least one lambda")
	}
	for _, v := range l.High {
		if slices.Contains(l.Low, v) {
			bad.add("lambda.high", "lambda: %v is both high and low: nothing to compare", v)
		}
	}
	if len(l.Signs) != 3 || l.Signs[0] == l.Signs[1] || l.Signs[1] == l.Signs[2] || l.Signs[0] == l.Signs[2] {
		bad.add("lambda.signs", "lambda: signs has the names %q; three that differ are needed, for below, at and above 0", l.Signs)
	}
	if len(l.Marks) != 2 || l.Marks[0] == l.Marks[1] {
		bad.add("lambda.marks", "lambda: marks has the names %q; two that differ are needed, for below and above 0", l.Marks)
	}
	for i, f := range l.Forms {
		bad.one(path("lambda.forms", i), fmt.Sprintf("lambda: forms[%d]", i), f, forms...)
		if slices.Contains(l.Forms[:i], f) {
			bad.add(path("lambda.forms", i), "lambda: forms has %s twice", f)
		}
	}
	if len(l.Forms) == 0 {
		bad.add("lambda.forms", "lambda: forms is empty")
	}
	bad.one("lambda.criterion", "lambda: criterion", l.Criterion, "aic", "aicc", "bic")
	var names []string
	for i, s := range l.Specs {
		if s.Name == "" || s.Name == "primary" || s.Name == "coarsened" || s.High == s.Low || slices.Contains(names, s.Name) {
			bad.add(path("lambda.specs", i), "lambda: specs[%d]: a name of its own that is not primary or coarsened, and two lambdas that differ, are needed", i)
		}
		names = append(names, s.Name)
	}
}

// checkFactors also sees that no two things that results tell apart by their
// labels have the same one.
func (p *Plan) checkFactors(bad *Mistakes) {
	type use struct{ what, as string }
	columns := []use{{p.Participant, "participant"}, {p.Lambda.Column, "lambda"}, {p.Time.Column, "time"}}
	labels, shorts := []string{p.Lambda.Label, p.Lambda.Name}, []string{p.Lambda.Label}
	for i, f := range p.Factors {
		place, at := fmt.Sprintf("factors[%d]", i), path("factors", i)
		if f.Column == "" {
			bad.add(at, "%s: column is missing", place)
			continue
		}
		if len(f.Levels) == 1 {
			bad.add(at+".levels", "%s: %q has one level: nothing to compare", place, f.Column)
		}
		for k, l := range f.Levels {
			if slices.Contains(f.Levels[:k], l) {
				bad.add(path(at, "levels", k), "%s: level %q is given twice", place, l)
			}
		}
		if f.Marks != nil && f.Levels == nil {
			bad.add(at+".marks", "%s: marks are the levels' in their order: give levels too", place)
		} else if f.Marks != nil && len(f.Marks) != len(f.Levels) {
			bad.add(at+".marks", "%s: %d marks for %d levels", place, len(f.Marks), len(f.Levels))
		}
		for _, u := range columns {
			if u.what == f.Column {
				bad.add(at+".column", "%s: column %q is given twice, as %s too", place, f.Column, u.as)
			}
		}
		if slices.Contains(labels, f.Label) {
			bad.add(at, "%s: the label %q is another's too, and tests could not be told apart", place, f.Label)
		} else if slices.Contains(shorts, f.Short) {
			bad.add(at, "%s: short is %q, as another's, and their p-values would be corrected together", place, f.Short)
		}
		columns, labels, shorts = append(columns, use{f.Column, "factors"}), append(labels, f.Label), append(shorts, f.Short)
	}
	for i, u := range columns[:3] {
		for _, v := range columns[:i] {
			if u.what != "" && u.what == v.what {
				bad.add(u.as, "%s and %s are both the column %q", v.as, u.as, u.what)
			}
		}
	}
}

func (p *Plan) checkStudies(bad *Mistakes) {
	seen := map[string]bool{}
	for i, s := range p.Studies {
		if s.Name == "" || seen[s.Name] {
			bad.add(path("studies", i), "studies[%d]: the name %q is empty or given twice", i, s.Name)
		}
		seen[s.Name] = true
		for k, t := range s.Tests {
			bad.one(path("studies", i, "tests", k), fmt.Sprintf("study %q: tests", s.Name), t, groups...)
		}
	}
	joins := func(at, place string, all []Join) {
		for i, j := range all {
			if len(j.Columns) == 0 {
				bad.add(path(at, i), "%sjoin[%d]: columns is empty: name the columns to add, as {age = \"age\"}", place, i)
			}
		}
	}
	joins("join", "", p.Join)
	for _, name := range sortedKeys(p.Tables) {
		joins(path("tables", name, "join"), fmt.Sprintf("table %q: ", name), p.Tables[name].Join)
		for _, made := range sortedKeys(p.Tables[name].Recode) {
			p.checkRecode(bad, name, made)
		}
	}
}

func (p *Plan) checkRecode(bad *Mistakes, table, name string) {
	r := p.Tables[table].Recode[name]
	texts, numbers := 0, 0
	for _, from := range sortedKeys(r.Values) {
		switch v := r.Values[from].(type) {
		case string:
			texts++
		case float64:
			numbers++
		default:
			bad.add(path("tables", table, "recode", name, "values", from), "table %q: recode %q: %q becomes %v, which is no text or number", table, name, from, v)
		}
	}
	if texts > 0 && numbers > 0 {
		bad.add(path("tables", table, "recode", name, "values"), "table %q: recode %q: values are texts and numbers: give all as texts, or all as numbers", table, name)
	}
}

func (p *Plan) studyNames() (names []string) {
	for _, s := range p.Studies {
		names = append(names, s.Name)
	}
	return names
}

func (p *Plan) checkTable(bad *Mistakes, at, place, name string) {
	switch {
	case len(p.Tables) > 0 && name == "":
		bad.add(at, "%s: table is missing: valid are %s", place, strings.Join(sortedKeys(p.Tables), ", "))
	case name != "":
		bad.one(at+".table", place+": table", name, sortedKeys(p.Tables)...)
	}
}

func (p *Plan) checkOutcomes(bad *Mistakes) {
	if len(p.Outcomes) == 0 && len(p.Tests) == 0 {
		bad.add("outcomes", "there are no outcomes")
	}
	used, seen := map[string]string{}, map[string]bool{}
	for i, o := range p.Outcomes {
		place, at := fmt.Sprintf("outcome %q", o.Name), path("outcomes", i)
		if o.Name == "" {
			place = fmt.Sprintf("outcomes[%d]", i)
			bad.add(at, "%s: name is missing", place)
		}
		if seen[o.Name] {
			bad.add(at+".name", "%s is given twice", place)
		}
		seen[o.Name] = true
		if _, ok := used[o.Family]; !ok {
			used[o.Family] = at
		}
		p.checkItems(bad, at, place, o)
		bad.one(at+".kind", place+": kind", o.Kind, "gaussian", "binary")
		if o.Form != "" {
			bad.one(at+".form", place+": form", o.Form, forms...)
		}
		if o.Random != "" {
			bad.one(at+".random", place+": random", o.Random, "slope", "intercept", "none")
		}
		p.checkTable(bad, at, place, o.Table)
		p.checkBaseline(bad, at+".baseline", place, o, o.Baseline)
		if o.Once && (o.Time != nil || o.Several) {
			bad.add(at+".once", "%s: once says that it has no time, and no several rows either", place)
		}
		if o.Time != nil {
			p.checkTime(bad, at+".time.column", place, o.Time.Column)
		}
		for _, name := range sortedKeys(o.Studies) {
			s, at := o.Studies[name], path(at, "studies", name)
			bad.one(at, place+": studies", name, p.studyNames()...)
			if s.Form != "" {
				bad.one(at+".form", place+": studies: form", s.Form, forms...)
			}
			if s.Table != "" {
				p.checkTable(bad, at, place+": studies", s.Table)
			}
			if s.Baseline != nil {
				p.checkBaseline(bad, at+".baseline", place, o, *s.Baseline)
			}
		}
	}
	if len(p.Families) > 0 {
		for _, name := range sortedKeys(used) {
			if _, ok := p.Families[name]; !ok {
				bad.add(used[name], "outcomes name the family %q, which families does not list: %s", name, frame.Choices(name, sortedKeys(p.Families)))
			}
		}
	}
}

// checkTime sees that an outcome's time is a column of its own.
func (p *Plan) checkTime(bad *Mistakes, at, place, column string) {
	if column == "" || column == p.Participant || column == p.Lambda.Column || slices.ContainsFunc(p.Factors, func(f Factor) bool { return f.Column == column }) {
		bad.add(at, "%s: its time is the column %q, which is none or the participant, lambda or a factor", place, column)
	}
}

func (p *Plan) checkItems(bad *Mistakes, at, place string, o Outcome) {
	if len(o.Items) > 0 && o.Column != "" {
		bad.add(at, "%s: it is a column or a construct of items: give one of the two", place)
	}
	if len(o.Items) == 1 {
		bad.add(at+".items", "%s: one item is a column, not a construct", place)
	}
	for k, x := range o.Items {
		if slices.Contains(o.Items[:k], x) {
			bad.add(path(at, "items", k), "%s: item %q is given twice", place, x)
		}
	}
	if o.Kind == "binary" && len(o.Items) > 0 {
		bad.add(at+".kind", "%s: a construct of items is gaussian", place)
	}
	for _, c := range append([]string{o.Column}, o.Items...) {
		if c != "" && (c == p.Participant || c == p.Lambda.Column || c == p.timed(o).Time.Column || slices.ContainsFunc(p.Factors, func(f Factor) bool { return f.Column == c })) {
			bad.add(at, "%s: column %q is the participant, lambda, time or a factor", place, c)
		}
	}
}

// checkBaseline sees that an outcome is not explained by itself.
func (p *Plan) checkBaseline(bad *Mistakes, at, place string, o Outcome, baseline string) {
	if baseline != "" && (baseline == o.Column || slices.Contains(o.Items, baseline)) {
		bad.add(at, "%s: its baseline is its own column %q: join the value before treatment under a name of its own", place, baseline)
	}
}

func (p *Plan) checkAssociations(bad *Mistakes) {
	for i, a := range p.Tests {
		place, at := fmt.Sprintf("associations[%d]", i), path("associations", i)
		if a.Outcome == "" {
			bad.add(at, "%s: outcome is missing", place)
		}
		p.checkTable(bad, at, place, a.Table)
		for k, s := range a.Studies {
			bad.one(path(at, "studies", k), place+": studies", s, p.studyNames()...)
		}
	}
}

func (p *Plan) checkRobustness(bad *Mistakes) {
	var outcomes []string
	for _, name := range sortedKeys(p.Weights) {
		w, at := p.Weights[name], path("weights", name)
		if (w.Column == "") == (w.Dropout == "") {
			bad.add(at, "weights %q: give a column, or dropout: a formula of leaving", name)
		}
		if w.Dropout != "" {
			p.checkTable(bad, at, fmt.Sprintf("weights %q", name), w.Table)
		} else if w.Stabilised || w.Max != 0 || w.Quantile != 0 {
			bad.add(at, "weights %q: stabilised, max and quantile are of weights from dropout; those of a column are taken as they are", name)
		}
		if w.Max < 0 || w.Quantile != 0 && !(w.Quantile > 0.5 && w.Quantile < 1) {
			bad.add(at, "weights %q: max is from 0, and quantile between 0.5 and 1", name)
		}
	}
	for _, o := range p.Outcomes {
		outcomes = append(outcomes, o.Name)
	}
	taken := append([]string{"primary", "coarsened", "full", "additive", "failed"}, forms...)
	for _, s := range p.Lambda.Specs {
		taken = append(taken, s.Name)
	}
	for i, r := range p.Robustness {
		place, at := fmt.Sprintf("robustness[%d]", i), path("robustness", i)
		if r.Name == "" || slices.Contains(taken, r.Name) {
			bad.add(at+".name", "%s: the name %q is empty or taken: it becomes the spec of rows", place, r.Name)
		}
		taken = append(taken, r.Name)
		if len(r.Covariates) == 0 && r.Weights == "" && len(r.Where) == 0 {
			bad.add(at, "%s: covariates, weights or where are needed: it would be the primary analysis again", place)
		}
		if r.Weights != "" {
			bad.one(at+".weights", place+": weights", r.Weights, sortedKeys(p.Weights)...)
		}
		for k, s := range r.Studies {
			bad.one(path(at, "studies", k), place+": studies", s, p.studyNames()...)
		}
		for k, o := range r.Outcomes {
			bad.one(path(at, "outcomes", k), place+": outcomes", o, outcomes...)
		}
		p.checkCovariates(bad, at, place, r)
	}
}

func (p *Plan) checkCovariates(bad *Mistakes, at, place string, r Robustness) {
	for k, c := range r.Covariates {
		if c == p.Participant {
			bad.add(path(at, "covariates", k), "%s: a covariate is the participant, whom every model knows", place)
		}
		for _, o := range p.Outcomes {
			if (len(r.Outcomes) == 0 || slices.Contains(r.Outcomes, o.Name)) && (o.Column == c || slices.Contains(o.Items, c)) {
				bad.add(path(at, "covariates", k), "%s: the covariate %q is the outcome %q itself: say in outcomes which ones it is for", place, c, o.Name)
			}
		}
	}
}
