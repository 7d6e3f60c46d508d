package trial

import (
	"fmt"
	"slices"

	"github.com/seed-4012077a/flow/sdk/stats/frame"
)

// reserve chooses the names of the columns that the analysis adds, lambda's
// sign and a construct's item, so that no column of the data has them.
func (p *Plan) reserve() {
	taken := []string{p.Participant, p.Lambda.Column, p.Time.Column}
	for _, f := range p.Factors {
		taken = append(taken, f.Column)
	}
	for _, o := range p.Outcomes {
		taken = append(taken, o.Name, o.Column, o.Baseline, p.timed(o).Time.Column)
		for _, s := range o.Studies {
			if s.Baseline != nil {
				taken = append(taken, *s.Baseline)
			}
		}
	}
	for _, r := range p.Robustness {
		taken = append(taken, r.Covariates...)
	}
	for _, w := range p.Weights {
		taken = append(taken, w.Column)
	}
	p.signName = free(taken, p.Lambda.Label, "sign of "+p.Lambda.Column)
	p.itemName = free(append(taken, p.signName), "item", "item of the construct")
}

// constants are names that formulas read as R's constants.
var constants = []string{"pi", "TRUE", "FALSE"}

// free is the first name that is not taken.
func free(taken []string, names ...string) string {
	for _, n := range names {
		if n != "" && !slices.Contains(taken, n) && !slices.Contains(constants, n) {
			return n
		}
	}
	last := names[len(names)-1]
	for slices.Contains(taken, last) {
		last += "'"
	}
	return last
}

// sign is the name of the factor of lambda's sign.
func (p *Plan) sign() string { return or(p.signName, p.Lambda.Label) }

// item is the name of the factor that tells a construct's items apart.
func (p *Plan) item() string { return or(p.itemName, "item") }

// CheckColumns sees that the input has every column that the plan names, but
// those that its tables join, recode and derive. Its error is Mistakes.
func (p *Plan) CheckColumns(input []string) error {
	c := columnCheck{plan: p, input: input, made: map[string][]string{"": input}}
	if len(p.Tables) == 0 {
		c.made[""] = c.joined("join", input, p.Join)
	}
	for _, name := range sortedKeys(p.Tables) {
		c.made[name] = c.table(name, p.Tables[name])
	}
	for i, o := range p.Outcomes {
		c.outcome(path("outcomes", i), o)
	}
	for i, t := range p.Tests {
		at, have := path("associations", i), c.made[t.Table]
		c.need(at+".outcome", fmt.Sprintf("associations[%d]", i), have, t.Outcome)
		c.where(at+".where", fmt.Sprintf("associations[%d]", i), have, t.Where)
		if t.Across != "" {
			c.need(at+".across", fmt.Sprintf("associations[%d]", i), have, t.Across)
		}
		for _, x := range t.Treatments {
			if x.Column != "sign" && x.Column != "lambda" {
				c.need(at+".treatments", fmt.Sprintf("associations[%d]", i), have, x.Column)
			}
		}
	}
	if len(c.bad) > 0 {
		return c.bad
	}
	return nil
}

// columnCheck holds the columns of each table that the plan makes.
type columnCheck struct {
	plan  *Plan
	input []string
	made  map[string][]string
	bad   Mistakes
}

// need complains, once a key, about a column that is not there.
func (c *columnCheck) need(at, place string, have []string, column string) {
	if column == "" || slices.Contains(have, column) {
		return
	}
	text := fmt.Sprintf("%s: no column %q: %s", place, column, frame.Choices(column, have))
	if !slices.ContainsFunc(c.bad, func(m Mistake) bool { return m.Path == at }) {
		c.bad = append(c.bad, Mistake{at, text})
	}
}

func (c *columnCheck) where(at, place string, have []string, w Where) {
	for _, name := range sortedKeys(w) {
		c.need(path(at, name), place+": where", have, name)
	}
}

// joined adds the columns of joins to those of a table.
func (c *columnCheck) joined(at string, have []string, joins []Join) []string {
	have = slices.Clone(have)
	for i, j := range joins {
		at, place := path(at, i), fmt.Sprintf("join[%d]", i)
		c.where(at+".where", place, c.input, j.Where)
		for k, by := range j.By {
			c.need(path(at, "by", k), place+": by", c.input, by)
		}
		for _, name := range sortedKeys(j.Columns) {
			c.need(path(at, "columns", name), place, c.input, j.Columns[name])
			have = append(have, name)
		}
	}
	return have
}

func (c *columnCheck) table(name string, t Table) []string {
	at, place := path("tables", name), fmt.Sprintf("table %q", name)
	c.where(at+".where", place, c.input, t.Where)
	have := c.joined(at+".join", c.joined("join", c.input, c.plan.Join), t.Join)
	for _, made := range sortedKeys(t.Recode) {
		c.need(path(at, "recode", made, "from"), place+": recode", have, t.Recode[made].From)
		have = append(have, made)
	}
	// The columns of derived ones are known when their expressions are read.
	return append(have, sortedKeys(t.Derive)...)
}

func (c *columnCheck) outcome(at string, o Outcome) {
	p, place := c.plan, fmt.Sprintf("outcome %q", o.Name)
	for i, s := range p.Studies {
		if !o.in(s.Name) {
			continue
		}
		in := o.Studies[s.Name]
		have := c.made[or(in.Table, o.Table)]
		c.need("participant", "participant", have, p.Participant)
		c.need("lambda.column", "lambda", have, p.Lambda.Column)
		switch {
		case o.Once:
		case o.Time != nil:
			c.need(at+".time.column", place+": time", have, o.Time.Column)
		default:
			c.need("time.column", "time", have, p.Time.Column)
		}
		for k, f := range p.Factors {
			c.need(path("factors", k, "column"), fmt.Sprintf("factors[%d]", k), have, f.Column)
		}
		c.where(path("studies", i, "where"), fmt.Sprintf("study %q", s.Name), have, s.Where)
		c.where(at+".where", place, have, o.Where)
		column := at + ".column"
		if o.Column == o.Name {
			column = at + ".name"
		}
		c.need(column, place, have, o.Column)
		for k, x := range o.Items {
			c.need(path(at, "items", k), place+": items", have, x)
		}
		if in.Baseline != nil {
			c.need(path(at, "studies", s.Name, "baseline"), place+": baseline", have, *in.Baseline)
		} else {
			c.need(at+".baseline", place+": baseline", have, o.Baseline)
		}
		for k, r := range p.Robustness {
			if r.of(s.Name, o.Name) {
				c.robustness(path("robustness", k), fmt.Sprintf("robustness %q", r.Name), have, r)
			}
		}
	}
}

func (c *columnCheck) robustness(at, place string, have []string, r Robustness) {
	c.where(at+".where", place, have, r.Where)
	for k, x := range r.Covariates {
		c.need(path(at, "covariates", k), place+": covariates", have, x)
	}
	if w := c.plan.Weights[r.Weights]; w.Column != "" {
		c.need(path("weights", r.Weights, "column"), fmt.Sprintf("weights %q", r.Weights), have, w.Column)
	}
}
