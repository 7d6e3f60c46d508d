package trial

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-4012077a/flow/sdk/stats/frame"
)

// rows are the data of one outcome in one study, a row a participant, time and
// item, complete in all that every model needs.
type rows struct {
	outcome Outcome
	study   string
	fr      *frame.Frame
	dropped int // rows of the table with a missing value

	y        string // the outcome's column
	items    bool
	repeated bool
	timed    bool      // the table has times
	times    []float64 // distinct, sorted
	centre   float64   // mean time: the time column holds time less it
	lambdas  []float64 // distinct, sorted
	people   int
	baseline string
	form     string // fixed by the plan, or ""
	random   string // slope, intercept or none
	note     string // what a reader should know about the rows
}

// wide are the columns of one outcome before items are stacked.
type wide struct {
	participant, lambda, time, baseline *frame.Column
	factors                             []*frame.Column
	values                              []*frame.Column // the outcome, or one for each item
	extra                               []*frame.Column // covariates and weights of a robustness run
}

// rowsOf collects an outcome's data in a study. extra names further columns.
func (a *analysis) rowsOf(o Outcome, s Study, where Where, extra []string) (*rows, error) {
	in := o.Studies[s.Name]
	fr, err := a.tables.get(or(in.Table, o.Table))
	if err != nil {
		return nil, inPlan(err)
	}
	for _, w := range []Where{s.Where, o.Where, where} {
		if fr, err = filter(fr, w); err != nil {
			return nil, inPlan(err)
		}
	}
	if fr.Rows() == 0 {
		return nil, fmt.Errorf("no row of the table is in this study")
	}
	r := &rows{outcome: o, study: s.Name, items: len(o.Items) > 0, baseline: o.Baseline, form: or(in.Form, o.Form)}
	if in.Baseline != nil {
		r.baseline = *in.Baseline
	}
	p := a.plan.timed(o)
	taken := append([]string{p.Participant, p.Lambda.Column, p.Time.Column, r.baseline, p.sign(), p.item()}, extra...)
	for _, f := range p.Factors {
		taken = append(taken, f.Column)
	}
	r.y = free(taken, o.Name, o.Column, "value of "+o.Name)
	w, err := a.wide(r, fr, extra)
	if err != nil {
		return nil, err
	}
	if err := r.stack(p, w); err != nil {
		return nil, err
	}
	return r, nil
}

// wide finds the columns and brings them into the form that models take.
func (a *analysis) wide(r *rows, fr *frame.Frame, extra []string) (*wide, error) {
	p := a.plan.timed(r.outcome)
	need := func(name string, kind frame.Kind) (*frame.Column, error) {
		c, ok := fr.Column(name)
		if !ok {
			return nil, inPlan(fr.Unknown(name))
		}
		c = withoutBlanks(c)
		switch {
		case empty(c):
			return nil, fmt.Errorf("column %q is missing in all %d rows", name, fr.Rows())
		case kind == frame.Numeric && c.Kind == frame.Factor:
			return numbers(c)
		case kind == frame.Factor && c.Kind == frame.Numeric:
			return c.ToFactor(), nil
		}
		return c, nil
	}
	var w wide
	var err error
	if w.participant, err = need(p.Participant, frame.Factor); err != nil {
		return nil, err
	}
	if w.lambda, err = need(p.Lambda.Column, frame.Numeric); err != nil {
		return nil, err
	}
	for _, f := range p.Factors {
		c, err := need(f.Column, frame.Factor)
		if err != nil {
			return nil, err
		}
		if c, err = f.inOrder(c); err != nil {
			return nil, err
		}
		w.factors = append(w.factors, c)
	}
	for _, name := range append(slices.Clone(r.outcome.Items), r.outcome.Column) {
		if name == "" {
			continue
		}
		c, err := need(name, frame.Numeric)
		if err != nil {
			return nil, err
		}
		w.values = append(w.values, c)
	}
	if r.baseline != "" {
		if w.baseline, err = need(r.baseline, frame.Numeric); err != nil {
			return nil, err
		}
	}
	if p.Time.Column != "" && !r.outcome.Once {
		if c, ok := fr.Column(p.Time.Column); ok && !empty(withoutBlanks(c)) {
			if w.time, err = timeOf(withoutBlanks(c).DropLevels()); err != nil {
				return nil, inPlan(err)
			}
			r.timed = true
		}
	}
	for _, name := range extra {
		c, ok := fr.Column(name)
		if !ok {
			return nil, inPlan(fr.Unknown(name))
		}
		if c = withoutBlanks(c); empty(c) {
			return nil, fmt.Errorf("column %q is missing in all %d rows", name, fr.Rows())
		}
		w.extra = append(w.extra, c)
	}
	return &w, nil
}

// inOrder is a factor's column with its levels as the plan has them. Levels
// that a study or outcome does not have are left out; stack notes them.
func (f Factor) inOrder(c *frame.Column) (*frame.Column, error) {
	if f.Levels == nil {
		return c, nil
	}
	for i := range c.Len() {
		if !c.Missing(i) && !slices.Contains(f.Levels, c.Levels[c.Codes[i]]) {
			return nil, inPlan(fmt.Errorf("factor %q has rows with %q, which is none of its levels: %s", f.Column, c.Levels[c.Codes[i]], frame.Choices(c.Levels[c.Codes[i]], f.Levels)))
		}
	}
	c = c.DropLevels()
	there := slices.DeleteFunc(slices.Clone(f.Levels), func(l string) bool { return !slices.Contains(c.Levels, l) })
	return c.Reorder(there)
}

// withoutBlanks is a column in which empty texts are missing.
func withoutBlanks(c *frame.Column) *frame.Column {
	k := slices.IndexFunc(c.Levels, func(l string) bool { return strings.TrimSpace(l) == "" })
	if k < 0 {
		return c
	}
	out := &frame.Column{Name: c.Name, Kind: frame.Factor, Codes: slices.Clone(c.Codes), Levels: c.Levels}
	for i, code := range out.Codes {
		if code >= 0 && strings.TrimSpace(c.Levels[code]) == "" {
			out.Codes[i] = -1
		}
	}
	return out
}

// numbers reads a column of texts that all are numbers.
func numbers(c *frame.Column) (*frame.Column, error) {
	c = c.DropLevels()
	for _, l := range c.Levels {
		if _, err := strconv.ParseFloat(strings.TrimSpace(l), 64); err != nil {
			return nil, inPlan(fmt.Errorf("column %q holds texts, as %q; numbers are needed (a table's recode can give them)", c.Name, l))
		}
	}
	return c.ToNumeric()
}

// long are the stacked values of the outcome: for each the row that it is from
// and the item that it answers.
type long struct {
	from  []int
	codes []int32 // into items
	y     []float64
	items []string // in the order of their names
}

// pile stacks the values of the rows that are complete, and counts the others.
func (r *rows) pile(w *wide) long {
	needed := slices.Concat([]*frame.Column{w.participant, w.lambda, w.time, w.baseline}, w.factors, w.extra)
	needed = slices.DeleteFunc(needed, func(c *frame.Column) bool { return c == nil })
	order := make([]int, len(w.values))
	for k := range order {
		order[k] = k
	}
	var l long
	if r.items {
		slices.SortFunc(order, func(x, y int) int { return strings.Compare(r.outcome.Items[x], r.outcome.Items[y]) })
		for _, k := range order {
			l.items = append(l.items, r.outcome.Items[k])
		}
	}
	for i := range w.lambda.Len() {
		complete := !slices.ContainsFunc(needed, func(c *frame.Column) bool { return c.Missing(i) })
		for at, k := range order {
			if c := w.values[k]; !complete || c.Missing(i) {
				r.dropped++
			} else {
				l.from, l.y, l.codes = append(l.from, i), append(l.y, c.Num[i]), append(l.codes, int32(at))
			}
		}
	}
	return l
}

// stack makes the long frame of complete rows.
func (r *rows) stack(p *Plan, w *wide) error {
	l := r.pile(w)
	switch {
	case len(l.from) == 0:
		return fmt.Errorf("no row has all of its values: every one of %d lacks the outcome, %s, or another variable of the model", w.lambda.Len(), p.Lambda.Column)
	case slices.ContainsFunc(l.y, func(v float64) bool { return math.IsInf(v, 0) }):
		return fmt.Errorf("the outcome has an infinite value")
	}
	r.fr = frame.New(len(l.from))
	if err := r.fr.AddNumeric(r.y, l.y); err != nil {
		return err
	}
	if r.items {
		if err := r.addItems(p, l); err != nil {
			return err
		}
	}
	if err := r.addPredictors(p, w, l.from); err != nil {
		return err
	}
	if err := r.signs(p); err != nil {
		return err
	}
	if err := r.setTime(p, w.time, l.from); err != nil {
		return err
	}
	r.chooseRandom()
	return nil
}

// addItems adds the factor that tells the items apart.
func (r *rows) addItems(p *Plan, l long) error {
	c := &frame.Column{Name: p.item(), Kind: frame.Factor, Codes: l.codes, Levels: l.items}
	if c = c.DropLevels(); len(c.Levels) < 2 {
		return fmt.Errorf("of its items only %q has values", c.Levels[0])
	}
	r.absent("of the items", l.items, c.Levels)
	r.constantItems(c, l.y)
	return r.fr.Add(c)
}

// addPredictors adds what the outcome is predicted by, but for lambda's sign
// and time.
func (r *rows) addPredictors(p *Plan, w *wide, from []int) error {
	add := func(c *frame.Column, name string) error {
		s := c.Select(from).DropLevels()
		s.Name = name
		if slices.ContainsFunc(s.Num, func(v float64) bool { return math.IsInf(v, 0) }) {
			return fmt.Errorf("column %q has an infinite value", name)
		}
		if s.Kind == frame.Factor && len(s.Levels) < 2 {
			return fmt.Errorf("column %q has the one value %q in this study: nothing to compare", name, s.Levels[0])
		}
		return r.fr.Add(s)
	}
	for _, c := range []*frame.Column{w.participant, w.lambda} {
		if err := add(c, c.Name); err != nil {
			return err
		}
	}
	for i, f := range p.Factors {
		if err := add(w.factors[i], f.Column); err != nil {
			return err
		}
		used, _ := r.fr.Column(f.Column)
		r.absent("of "+f.Column, f.Levels, used.Levels)
	}
	if w.baseline != nil {
		if err := add(w.baseline, r.baseline); err != nil {
			return err
		}
	}
	for _, c := range w.extra {
		if _, there := r.fr.Column(c.Name); !there && !(w.time != nil && c.Name == p.Time.Column) {
			if err := add(c, c.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// absent notes the levels that a plan names and no row has.
func (r *rows) absent(of string, named, there []string) {
	for _, l := range named {
		if !slices.Contains(there, l) {
			r.note = join(r.note, fmt.Sprintf("%s none is %q", of, l))
		}
	}
}

// constantItems notes items that everybody answers alike: they add rows and
// nothing that varies.
func (r *rows) constantItems(items *frame.Column, y []float64) {
	low, high := make([]float64, len(items.Levels)), make([]float64, len(items.Levels))
	for k := range low {
		low[k], high[k] = math.Inf(1), math.Inf(-1)
	}
	for i, k := range items.Codes {
		low[k], high[k] = min(low[k], y[i]), max(high[k], y[i])
	}
	for k, name := range items.Levels {
		if low[k] == high[k] {
			r.note = join(r.note, fmt.Sprintf("the item %q is %v in every row", name, low[k]))
		}
	}
}

// chooseRandom takes the outcome's random part or the largest that its rows
// can tell from the residual: there need to be more rows than random effects.
// Two measurements of each participant, say, have a slope each, and nothing is
// left over to be residual. A single column that is measured once has none.
func (r *rows) chooseRandom() {
	n := r.fr.Rows()
	switch r.random = r.outcome.Random; {
	case r.random == "slope" && !r.repeated:
		r.random = "intercept"
		r.note = join(r.note, "a random slope needs several times: there is one, and the random part is an intercept")
	case r.random != "":
	case r.repeated && n > 2*r.people:
		r.random = "slope"
	case !r.repeated && !r.items && !r.outcome.Several:
		r.random = "none"
	case n > r.people:
		r.random = "intercept"
		if r.repeated {
			r.note = join(r.note, fmt.Sprintf("random intercept and no slope: %d rows of %d participants do not tell a slope of each from the residual", n, r.people))
		}
	default:
		r.random = "none"
		r.note = join(r.note, "no random part: one row a participant")
	}
}

// signs adds the factor of lambda's sign.
func (r *rows) signs(p *Plan) error {
	lambda, _ := r.fr.Column(p.Lambda.Column)
	r.lambdas = lambda.Distinct()
	if len(r.lambdas) < 2 {
		return fmt.Errorf("%s has the one value %v in this study: nothing to compare", p.Lambda.Column, r.lambdas)
	}
	codes := make([]int32, len(lambda.Num))
	for i, v := range lambda.Num {
		codes[i] = int32(signOf(v))
	}
	c := (&frame.Column{Name: p.sign(), Kind: frame.Factor, Codes: codes, Levels: slices.Clone(p.Lambda.Signs)}).DropLevels()
	if err := r.fr.Add(c); err != nil {
		return err
	}
	person, _ := r.fr.Column(p.Participant)
	r.people = len(person.Levels)
	return nil
}
