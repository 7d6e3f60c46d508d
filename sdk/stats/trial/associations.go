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
	if t.Across {
		if err := a.across(t, fr); err != nil {
			fail("across", err)
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
		treatments := t.Treatments
		if len(treatments) == 0 {
			for _, f := range a.plan.Factors {
				treatments = append(treatments, f.Column)
			}
			treatments = append(treatments, "sign", "lambda")
		}
		for _, name := range treatments {
			group, err := a.treatment(part, name)
			if err == nil {
				err = a.independence(s.Name, name, t.Outcome, part, group)
			}
			if err != nil {
				fail(s.Name, err)
			}
		}
	}
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
	if name == "sign" {
		if c.Kind != frame.Numeric {
			return nil, inPlan(fmt.Errorf("column %q holds texts and has no sign", column))
		}
		codes := make([]int32, c.Len())
		for i, v := range c.Num {
			switch {
			case math.IsNaN(v):
				codes[i] = -1
			case v == 0:
				codes[i] = 1
			case v > 0:
				codes[i] = 2
			}
		}
		return (&frame.Column{Name: name, Kind: frame.Factor, Codes: codes, Levels: slices.Clone(p.Lambda.Signs)}).DropLevels(), nil
	}
	if c.Kind == frame.Numeric {
		c = c.ToFactor()
	}
	c = c.DropLevels()
	for _, f := range p.Factors {
		if f.Column == name && f.Levels != nil && len(f.Levels) == len(c.Levels) {
			return c.Reorder(f.Levels)
		}
	}
	return c, nil
}

// across compares the studies with each other.
func (a *analysis) across(t Association, fr *frame.Frame) error {
	codes := slices.Repeat([]int32{-1}, fr.Rows())
	names := a.plan.studyNames()
	for k, s := range a.plan.Studies {
		if len(t.Studies) > 0 && !slices.Contains(t.Studies, s.Name) {
			continue
		}
		for _, w := range sortedKeys(s.Where) {
			if _, ok := fr.Column(w); !ok {
				return inPlan(fr.Unknown(w))
			}
		}
		in := slices.Repeat([]bool{true}, fr.Rows())
		for w, values := range s.Where {
			c, _ := fr.Column(w)
			match, err := matcher(c, values)
			if err != nil {
				return inPlan(err)
			}
			for i := range in {
				in[i] = in[i] && match(i)
			}
		}
		for i, yes := range in {
			if yes {
				codes[i] = int32(k)
			}
		}
	}
	group := (&frame.Column{Name: "study", Kind: frame.Factor, Codes: codes, Levels: names}).DropLevels()
	return a.independence("across", "study", t.Outcome, fr, group)
}

// independence is Pearson's chi-squared test, with Yates' correction for a
// 2 x 2 table.
func (a *analysis) independence(study, treatment, outcome string, fr *frame.Frame, group *frame.Column) error {
	y, ok := fr.Column(outcome)
	if !ok {
		return inPlan(fr.Unknown(outcome))
	}
	if y.Kind == frame.Numeric {
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
