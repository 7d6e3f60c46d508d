package trial

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"github.com/seed-4012077a/flow/sdk/stats/proportion"
)

// Associated is a chi-squared test of an outcome on a treatment, with its
// table.
type Associated struct {
	Study, Treatment, Outcome string
	ChiSquared, P             float64
	DF                        int
	MinExpected               float64
	CramersV                  float64
	Corrected                 bool // Yates' continuity correction, of 2 x 2 tables
	Cells                     []Cell
	Note                      string
}

// Cell is a count of an outcome's level in a group, with its share of the
// group.
type Cell struct {
	Group, Level string
	N            int
	Percentage   float64
}

// associate makes the tests of one association.
func (a *analysis) associate(t Association) {
	fail := func(study string, err error) {
		a.faults = append(a.faults, fmt.Errorf("association of %q, study %q: %w", t.Outcome, study, err))
	}
	fr, err := a.tables.get(t.Table)
	if err == nil {
		fr, err = filter(fr, t.Where)
	}
	if err != nil {
		fail("all", err)
		return
	}
	if t.Across != "" {
		group, err := a.treatment(fr, t.Across)
		if err == nil {
			err = a.independence(acrossStudies, t.Across, t.Outcome, fr, group)
		}
		if err != nil {
			fail(acrossStudies, err)
		}
	}
	for _, s := range a.plan.Studies {
		if len(t.Studies) > 0 && !slices.Contains(t.Studies, s.Name) {
			continue
		}
		part, err := filter(fr, s.Where)
		if err != nil {
			fail(s.Name, err)
			continue
		}
		for _, treatment := range a.treatments(t) {
			group, err := a.treatment(part, treatment.Column)
			if err == nil {
				err = a.independence(s.Name, treatment.Name, t.Outcome, part, group)
			}
			if err != nil {
				fail(s.Name, err)
			}
		}
	}
}

// acrossStudies stands for a study where the studies are compared.
const acrossStudies = "cross_study"

// treatments are what an association is tested with.
func (a *analysis) treatments(t Association) Names {
	if len(t.Treatments) > 0 {
		return t.Treatments
	}
	var all Names
	for _, f := range a.plan.Factors {
		all = append(all, Named{f.Column, f.Column})
	}
	return append(all, Named{"sign", "sign"}, Named{"lambda", "lambda"})
}

// treatment is a column as groups: a factor in its order, lambda by its
// values, or its sign.
func (a *analysis) treatment(fr *frame.Frame, name string) (*frame.Column, error) {
	p := a.plan
	column := name
	if name == "sign" || name == "lambda" {
		column = p.Lambda.Column
	}
	c, ok := fr.Column(column)
	if !ok {
		return nil, inPlan(fr.Unknown(column))
	}
	c = withoutBlanks(c)
	if name == "sign" {
		if c.Kind != frame.Numeric {
			return nil, inPlan(fmt.Errorf("column %q holds texts and has no sign", column))
		}
		codes := make([]int32, c.Len())
		for i, v := range c.Num {
			if codes[i] = int32(signOf(v)); math.IsNaN(v) {
				codes[i] = -1
			}
		}
		return (&frame.Column{Name: name, Kind: frame.Factor, Codes: codes, Levels: slices.Clone(p.Lambda.Signs)}).DropLevels(), nil
	}
	if c.Kind == frame.Numeric {
		c = c.ToFactor()
	}
	c = c.DropLevels()
	for _, f := range p.Factors {
		if f.Column == name && f.Levels != nil {
			there := slices.DeleteFunc(slices.Clone(f.Levels), func(l string) bool { return !slices.Contains(c.Levels, l) })
			return c.Reorder(there)
		}
	}
	return c, nil
}

// independence is Pearson's chi-squared test, with Yates' correction for a
// 2 x 2 table.
func (a *analysis) independence(study, treatment, outcome string, fr *frame.Frame, group *frame.Column) error {
	y, ok := fr.Column(outcome)
	if !ok {
		return inPlan(fr.Unknown(outcome))
	}
	if y = withoutBlanks(y); y.Kind == frame.Numeric {
		y = y.ToFactor()
	}
	r := Associated{Study: study, Treatment: treatment, Outcome: outcome, ChiSquared: math.NaN(), P: math.NaN(), MinExpected: math.NaN(), CramersV: math.NaN()}
	table, _, err := proportion.Cross(group.Codes, y.Codes, group.Levels, y.Levels)
	if err == nil {
		r.Corrected = len(table.Rows) == 2 && len(table.Cols) == 2
		var test *proportion.Independence
		if test, err = table.ChiSquared(r.Corrected); err == nil {
			r.ChiSquared, r.P, r.DF, r.MinExpected, r.CramersV = test.Statistic, test.P, int(test.DF), test.MinExpected, test.CramerV
			r.cells(table)
		}
	}
	if err != nil {
		r.Note = err.Error()
	}
	a.result.Associations = append(a.result.Associations, r)
	return nil
}

func (r *Associated) cells(t *proportion.Table) {
	for i, row := range t.Counts {
		total := 0
		for _, n := range row {
			total += n
		}
		for j, n := range row {
			r.Cells = append(r.Cells, Cell{t.Rows[i], t.Cols[j], n, 100 * float64(n) / float64(total)})
		}
	}
}
