package formula

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"gonum.org/v1/gonum/mat"
)

// Design is a formula applied to data: n rows, p coefficients.
type Design struct {
	Formula  *Formula
	Response string    // as written: "y", "log(y)"; "" for a one-sided formula
	Y        []float64 // n; nil for a one-sided formula. For cbind(successes, failures) the proportion of successes
	Trials   []float64 // n; successes + failures of cbind, nil otherwise

	X       *mat.Dense // n x p, of full column rank
	Names   []string   // p, as R's model.matrix names them
	Aliased []string   // columns dropped because they are combinations of earlier ones
	Terms   []Term
	Assign  []int // p; index into Terms, -1 the intercept

	Weights []float64 // n prior weights, nil for none; for cbind they are the trials times the prior weights
	Offset  []float64 // n, nil for none
	Random  []Random

	Rows    []int // n rows of the frame that are used
	Dropped int   // rows with a missing value

	options Options
	data    *frame.Frame
	// predictorsOnce is predictors, made when it is first asked for: marginal
	// means ask for it again and again.
	predictorsOnce func() ([]FactorColumn, []Covariate)

	expansion *expansion
	coder     *coder
	fitted    *fitted
	allNames  []string   // with the aliased ones, in the formula's order
	allAssign []int      // their terms
	kept      []int      // columns of all that are in X
	null      *mat.Dense // all x aliased; nil without
}

// Term is a product of variables.
type Term struct {
	Label     string   // "a", "a:b"
	Variables []string // the labels of its variables
	Order     int      // the number of its variables
}

// Design evaluates the formula over a frame. Rows in which a variable, the
// response, a weight, an offset or a group is missing are dropped and counted.
// Errors name the column, level or function and the valid ones.
func (f *Formula) Design(fr *frame.Frame, o Options) (*Design, error) {
	d := &Design{Formula: f, options: o, data: fr, fitted: newFitted()}
	d.predictorsOnce = sync.OnceValues(d.predictors)
	if err := o.check(fr); err != nil {
		return nil, err
	}
	var err error
	if d.expansion, err = f.expand(f.rest(fr, o)); err != nil {
		return nil, err
	}
	b := &builder{d: d, ev: &evaluator{text: f.text, fr: fr, fit: d.fitted, learn: true}, mark: make([]bool, fr.Rows())}
	if err := b.evaluate(); err != nil {
		return nil, err
	}
	if err := b.rows(); err != nil {
		return nil, err
	}
	if err := b.left(); err != nil {
		return nil, err
	}
	if err := b.fixed(); err != nil {
		return nil, err
	}
	if err := b.random(); err != nil {
		return nil, err
	}
	return d, nil
}

// rest lists the columns that "." stands for.
func (f *Formula) rest(fr *frame.Frame, o Options) []string {
	taken := map[string]bool{o.Weights: true, o.Offset: true}
	if f.response != nil {
		for _, c := range f.response.columns() {
			taken[c.text] = true
		}
	}
	return slices.DeleteFunc(fr.Names(), func(n string) bool { return taken[n] })
}

// builder carries the evaluated parts while a design is made.
type builder struct {
	d        *Design
	ev       *evaluator
	mark     []bool // rows with a missing value
	response []*value
	values   []*value // of the fixed terms' variables
	offsets  [][]float64
	weights  []float64
	bars     []*bar
	missing  []string // what has missing values, for the message when no row is left
}

// use marks missing rows, and reports a number that the data do not explain:
// log of a negative number, a division by zero.
func (b *builder) use(e *expr, v *value) error {
	if v.whole() {
		return nil
	}
	n := b.ev.fr.Rows()
	own := make([]bool, n)
	v.missing(own)
	count := 0
	for i := range own {
		if own[i] {
			count++
			b.mark[i] = true
		}
	}
	if count > 0 {
		b.missing = append(b.missing, fmt.Sprintf("%s (%d)", e, count))
	}
	if e.op == opName {
		count = 0 // the data's own missing values
	}
	for i := 0; i < n && (count > 0 || len(v.cols) > 0); i++ {
		bad := false
		for _, c := range v.cols {
			bad = bad || math.IsInf(c[i], 0)
		}
		if !bad && (!own[i] || e.op == opName) {
			continue
		}
		known := true
		var from []string
		for _, name := range e.columns() {
			if c, ok := b.ev.fr.Column(name.text); ok {
				known = known && !c.Missing(i)
				if c.Kind == frame.Numeric {
					from = append(from, fmt.Sprintf("%s = %s", name.text, frame.Format(c.Num[i])))
				}
			}
		}
		if known {
			return b.ev.errorf(e, "row %d: %s is not a finite number (%s): correct the value or make it missing", i+1, e, strings.Join(from, ", "))
		}
	}
	return nil
}

// evaluate computes every part of the formula on all rows.
func (b *builder) evaluate() error {
	d, f := b.d, b.d.Formula
	if f.response != nil {
		parts := []*expr{f.response}
		if f.response.op == opCall && f.response.text == "cbind" {
			if err := checkFunction(f.text, f.response); err != nil {
				return err
			}
			parts = f.response.args
		}
		for _, e := range parts {
			v, err := b.numeric(e, "the response")
			if err != nil {
				return err
			}
			b.response = append(b.response, v)
		}
	}
	for _, e := range d.expansion.variables {
		v, err := b.ev.eval(e)
		if err != nil {
			return err
		}
		if err := b.use(e, v); err != nil {
			return err
		}
		b.values = append(b.values, v)
	}
	offsets := d.expansion.offsets
	if d.options.Offset != "" {
		offsets = append(slices.Clip(offsets), &expr{op: opName, text: d.options.Offset})
	}
	for _, e := range offsets {
		v, err := b.numeric(e, "an offset")
		if err != nil {
			return err
		}
		b.offsets = append(b.offsets, v.cols[0])
	}
	if d.options.Weights != "" {
		v, err := b.numeric(&expr{op: opName, text: d.options.Weights}, "the weights column")
		if err != nil {
			return err
		}
		b.weights = v.cols[0]
	}
	return b.evaluateBars()
}

// numeric evaluates what has to be one number a row.
func (b *builder) numeric(e *expr, what string) (*value, error) {
	v, err := b.ev.eval(e)
	if err != nil {
		return nil, err
	}
	num, ok := v.numbers()
	if !ok {
		if v.factor() {
			return nil, b.ev.errorf(e, "%s %s is not numeric: it is a factor with the levels %s; for a 0/1 response write I(%s == \"level\")", what, e, strings.Join(v.levels[:min(8, len(v.levels))], ", "), e)
		}
		return nil, b.ev.errorf(e, "%s %s is not one number a row", what, e)
	}
	v = &value{cols: [][]float64{num}}
	return v, b.use(e, v)
}

// rows chooses the rows without missing values.
func (b *builder) rows() error {
	d := b.d
	for i, m := range b.mark {
		if !m {
			d.Rows = append(d.Rows, i)
		}
	}
	d.Dropped = len(b.mark) - len(d.Rows)
	if len(d.Rows) == 0 {
		if len(b.mark) == 0 {
			return fmt.Errorf("%s: the data have no rows", d.Formula)
		}
		return fmt.Errorf("%s: every one of the %d rows has a missing value; missing are %s", d.Formula, len(b.mark), strings.Join(b.missing, ", "))
	}
	return nil
}

func pick(v []float64, rows []int) []float64 {
	out := make([]float64, len(rows))
	for i, r := range rows {
		out[i] = v[r]
	}
	return out
}

// left fills the response, weights and offset.
func (b *builder) left() error {
	d := b.d
	if b.weights != nil {
		d.Weights = pick(b.weights, d.Rows)
		for i, w := range d.Weights {
			if w < 0 {
				return fmt.Errorf("weights %s: row %d is negative (%s)", d.options.Weights, d.Rows[i]+1, frame.Format(w))
			}
		}
	}
	for _, o := range b.offsets {
		if d.Offset == nil {
			d.Offset = make([]float64, len(d.Rows))
		}
		for i, r := range d.Rows {
			d.Offset[i] += o[r]
		}
	}
	if len(b.response) == 0 {
		return nil
	}
	d.Response = d.Formula.response.String()
	d.Y = pick(b.response[0].cols[0], d.Rows)
	if len(b.response) == 1 {
		return nil
	}
	failures := pick(b.response[1].cols[0], d.Rows)
	d.Trials = make([]float64, len(d.Y))
	if d.Weights == nil {
		d.Weights = make([]float64, len(d.Y))
		for i := range d.Weights {
			d.Weights[i] = 1
		}
	}
	for i, s := range d.Y {
		if s < 0 || failures[i] < 0 {
			return fmt.Errorf("%s: row %d has a negative count", d.Response, d.Rows[i]+1)
		}
		d.Trials[i] = s + failures[i]
		d.Weights[i] *= d.Trials[i]
		if d.Trials[i] > 0 {
			d.Y[i] = s / d.Trials[i]
		}
	}
	return nil
}

// fixed makes X and drops its aliased columns.
func (b *builder) fixed() error {
	d := b.d
	c, err := b.code(d.expansion, b.values)
	if err != nil {
		return err
	}
	d.coder, d.allNames, d.allAssign = c, c.names, c.assign
	for _, t := range d.expansion.terms {
		term := Term{Label: d.expansion.label(t), Order: len(t)}
		for _, v := range t {
			term.Variables = append(term.Variables, c.variables[v].label)
		}
		d.Terms = append(d.Terms, term)
	}
	n, p := len(d.Rows), len(c.names)
	if p == 0 {
		d.X = &mat.Dense{}
		return nil
	}
	all := make([]float64, n*p)
	c.fill(b.values, d.Rows, all)
	d.dropAliased(mat.NewDense(n, p, all))
	return nil
}

// maxCells bounds the model matrix: a factor of thousands of levels among the
// fixed terms is a mistake, not a model.
const maxCells = 1 << 28

// code makes variables of values and decides how terms are coded.
func (b *builder) code(x *expansion, values []*value) (*coder, error) {
	variables := make([]*variable, len(x.variables))
	for i, e := range x.variables {
		v, err := learn(b.d.Formula.text, e, values[i], b.d.Rows, b.d.options)
		if err != nil {
			return nil, err
		}
		variables[i] = v
	}
	used := map[int]bool{}
	for _, t := range x.terms {
		for _, v := range t {
			used[v] = true
		}
	}
	for i, v := range variables {
		if used[i] && v.factor && len(v.levels) < 2 {
			return nil, b.ev.errorf(v.e, "factor %s has one level (%s) in the %d rows used: it cannot have an effect; leave it out", v.label, strings.Join(v.levels, ""), len(b.d.Rows))
		}
	}
	if w := width(x, variables); w > maxCells/max(1, len(b.d.Rows)) {
		return nil, fmt.Errorf("%s: the model matrix would have %d rows and %d columns; a factor with so many levels is a random term (1 | g)", b.d.Formula, len(b.d.Rows), w)
	}
	return newCoder(x, variables), nil
}
