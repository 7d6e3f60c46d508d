package emm

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/seed-4012077a/flow/sdk/stats/estimate"
	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"gonum.org/v1/gonum/mat"
)

// GridOptions choose the points of a reference grid.
type GridOptions struct {
	At     map[string][]float64 // values of a covariate, or of a numeric column in factor()
	Levels map[string][]string  // levels of a factor, in this order; all where absent
	Names  map[string][]string  // labels of the values in At, else the numbers

	// Data are the rows whose means and frequencies the grid takes: those of
	// the fit where nil. With other rows than the fit's (those without an
	// outcome too, say, as emmeans' data argument does) all with complete
	// predictors count, each once.
	Data *frame.Frame
}

// variable is an axis of the grid.
type variable struct {
	name   string
	factor bool      // a factor column of the frame
	levels []string  // labels
	values []float64 // of a numeric column
}

// Grid is a model's reference grid.
type Grid struct {
	model     estimate.Linear
	design    *formula.Design
	variables []variable
	rows      []point // the first variable runs fastest
	data      *frame.Frame
	prior     []float64 // prior weights of the rows of data, nil for none
}

// point is one combination of the variables' levels.
type point struct {
	at     []int     // the level of each variable
	l      []float64 // over all columns, aliased ones too
	shift  float64   // the offset
	weight float64   // sum of the prior weights of the rows in the cell
}

// maxPoints bounds a grid.
const maxPoints = 1 << 20

// NewGrid makes the reference grid of a model. Unknown names, levels that the
// data do not have and values for factors are errors.
func NewGrid(m estimate.Linear, o GridOptions) (*Grid, error) {
	d := m.Design()
	if d == nil {
		return nil, fmt.Errorf("the model has no design to make a reference grid of")
	}
	g := &Grid{model: m, design: d}
	if err := g.source(o.Data); err != nil {
		return nil, err
	}
	if err := g.axes(o); err != nil {
		return nil, err
	}
	points := 1
	for _, v := range g.variables {
		if points *= len(v.levels); points > maxPoints {
			return nil, fmt.Errorf("the reference grid has more than %d points: give fewer levels or values", maxPoints)
		}
	}
	g.rows = make([]point, points)
	for i := range g.rows {
		g.rows[i].at = make([]int, len(g.variables))
		rest := i
		for j, v := range g.variables {
			g.rows[i].at[j] = rest % len(v.levels)
			rest /= len(v.levels)
		}
	}
	if err := g.linear(nil); err != nil {
		return nil, err
	}
	g.count()
	return g, nil
}

// source chooses the rows that means and frequencies are taken over.
func (g *Grid) source(data *frame.Frame) error {
	d := g.design
	if data == nil {
		g.data = d.Data()
		if d.Weights != nil {
			g.prior = slices.Clone(d.Weights)
			for i, n := range d.Trials { // cases are weighted, not their trials
				if n > 0 {
					g.prior[i] /= n
				}
			}
		}
		return nil
	}
	var columns []*frame.Column
	add := func(name string) error {
		c, ok := data.Column(name)
		if !ok {
			return fmt.Errorf("reference grid: %w", data.Unknown(name))
		}
		columns = append(columns, c)
		return nil
	}
	for _, f := range d.Factors() {
		if err := add(f.Name); err != nil {
			return err
		}
	}
	for _, c := range slices.Concat(d.Covariates(), d.OffsetColumns()) {
		if err := add(c.Name); err != nil {
			return err
		}
	}
	var rows []int
	for i := range data.Rows() {
		if !slices.ContainsFunc(columns, func(c *frame.Column) bool { return c.Missing(i) }) {
			rows = append(rows, i)
		}
	}
	if len(rows) == 0 {
		return fmt.Errorf("reference grid: no row of the data has all predictors")
	}
	g.data = data.Select(rows)
	return nil
}

// average is a covariate's mean over the grid's data, and its two values
// where it has no more.
func (g *Grid) average(name string) (mean float64, two []float64, err error) {
	c, ok := g.data.Column(name)
	if !ok || c.Kind != frame.Numeric {
		return 0, nil, fmt.Errorf("reference grid: %s is not numeric in the data", name)
	}
	n := float64(len(c.Num))
	for _, v := range c.Num {
		mean += v / n
	}
	rest := 0.0
	for _, v := range c.Num {
		rest += (v - mean) / n
	}
	if v := c.Distinct(); len(v) == 2 {
		two = v
	}
	return mean + rest, two, nil
}

// axes makes the grid's variables from the design and the options.
func (g *Grid) axes(o GridOptions) error {
	var known []string
	for _, f := range g.design.Factors() {
		known = append(known, f.Name)
		v := variable{name: f.Name, factor: f.Values == nil, levels: f.Levels, values: f.Values}
		if err := v.restrict(o, f.Values); err != nil {
			return err
		}
		g.variables = append(g.variables, v)
	}
	covariates := g.design.Covariates()
	inTerms := len(covariates)
	covariates = append(covariates, g.design.OffsetColumns()...)
	for i, c := range covariates {
		if slices.Contains(known, c.Name) {
			continue
		}
		known = append(known, c.Name)
		mean, two, err := g.average(c.Name)
		if err != nil {
			return err
		}
		v := variable{name: c.Name, values: []float64{mean}}
		if two != nil && i < inTerms {
			v.values = two
		}
		if at, ok := o.At[c.Name]; ok {
			v.values = slices.Clone(at)
		}
		for _, x := range v.values {
			v.levels = append(v.levels, label(x))
		}
		if err := v.restrict(o, nil); err != nil {
			return err
		}
		g.variables = append(g.variables, v)
	}
	for _, given := range []map[string]bool{keys(o.At), keys(o.Levels), keys(o.Names)} {
		for name := range given {
			if !slices.Contains(known, name) {
				return fmt.Errorf("reference grid: the model has no predictor %q: %s", name, frame.Choices(name, known))
			}
		}
	}
	return nil
}

func keys[V any](m map[string]V) map[string]bool {
	out := make(map[string]bool, len(m))
	for k := range m {
		out[k] = true
	}
	return out
}

// label writes a value with the digits that tell it apart in a table.
func label(x float64) string {
	v, err := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 7, 64), 64)
	if err != nil {
		v = x
	}
	return frame.Format(v)
}

// restrict applies the options to one variable. only lists the values that a
// numeric column inside factor() may take.
func (v *variable) restrict(o GridOptions, only []float64) error {
	at, hasAt := o.At[v.name]
	levels, hasLevels := o.Levels[v.name]
	switch {
	case hasAt && v.factor:
		return fmt.Errorf("reference grid: %s is a factor: choose among its levels (%v), not by values", v.name, v.levels)
	case hasLevels && v.values != nil && only == nil:
		return fmt.Errorf("reference grid: %s is numeric: give its values by At", v.name)
	case hasAt && len(at) == 0 || hasLevels && len(levels) == 0:
		return fmt.Errorf("reference grid: %s is given no values", v.name)
	}
	for i, x := range at {
		if math.IsNaN(x) || math.IsInf(x, 0) || slices.Contains(at[:i], x) {
			return fmt.Errorf("reference grid: the values of %s are distinct finite numbers, not %v", v.name, at)
		}
		if only != nil {
			levels = append(levels, frame.Format(x))
		}
	}
	if len(levels) > 0 {
		var values []float64
		for i, l := range levels {
			k := slices.Index(v.levels, l)
			if k < 0 {
				return fmt.Errorf("reference grid: %s has no level %q: %s", v.name, l, frame.Choices(l, v.levels))
			}
			if slices.Contains(levels[:i], l) {
				return fmt.Errorf("reference grid: level %q of %s is given twice", l, v.name)
			}
			if v.values != nil {
				values = append(values, v.values[k])
			}
		}
		v.levels, v.values = slices.Clone(levels), values
	}
	if names, ok := o.Names[v.name]; ok {
		if len(names) != len(v.levels) {
			return fmt.Errorf("reference grid: %s has %d levels and %d names", v.name, len(v.levels), len(names))
		}
		v.levels = slices.Clone(names)
		if v.factor {
			return fmt.Errorf("reference grid: %s is a factor and has names already", v.name)
		}
	}
	return nil
}

// frameOf makes the grid's points a frame, with values added to covariates.
func (g *Grid) frameOf(add map[string]float64) (*frame.Frame, error) {
	fr := frame.New(len(g.rows))
	for j, v := range g.variables {
		if v.factor {
			codes := make([]int32, len(g.rows))
			for i, r := range g.rows {
				codes[i] = int32(r.at[j])
			}
			if err := fr.AddFactor(v.name, codes, v.levels); err != nil {
				return nil, err
			}
			continue
		}
		num := make([]float64, len(g.rows))
		for i, r := range g.rows {
			num[i] = v.values[r.at[j]] + add[v.name]
		}
		if err := fr.AddNumeric(v.name, num); err != nil {
			return nil, err
		}
	}
	return fr, nil
}

// linear fills the points' linear functions.
func (g *Grid) linear(add map[string]float64) error {
	x, shift, err := g.matrix(add)
	if err != nil {
		return err
	}
	for i := range g.rows {
		g.rows[i].l = slices.Clone(x.RawRowView(i))
		if shift != nil {
			g.rows[i].shift = shift[i]
		}
	}
	return nil
}

func (g *Grid) matrix(add map[string]float64) (*mat.Dense, []float64, error) {
	fr, err := g.frameOf(add)
	if err != nil {
		return nil, nil, err
	}
	x, err := g.design.ModelAll(fr)
	if err != nil {
		return nil, nil, fmt.Errorf("reference grid: %w", err)
	}
	shift, err := g.design.NewOffset(fr)
	if err != nil {
		return nil, nil, fmt.Errorf("reference grid: %w", err)
	}
	return x, shift, nil
}

// count sums the rows' prior weights in each point's cell. A covariate with
// one value in the grid does not divide the rows.
func (g *Grid) count() {
	data := g.data
	cell := make([]int, data.Rows())
	size := 1
	for _, v := range g.variables {
		c, ok := data.Column(v.name)
		if ok && (len(v.levels) > 1 || v.factor) {
			for i := range cell {
				k := -1
				if v.factor {
					if code := c.Codes[i]; code >= 0 {
						k = slices.Index(v.levels, c.Levels[code])
					}
				} else {
					k = slices.Index(v.values, c.Num[i])
				}
				if k < 0 {
					cell[i] = -1 << 40
				}
				cell[i] += k * size
			}
		}
		size *= len(v.levels)
	}
	for i, k := range cell {
		if k < 0 {
			continue
		}
		w := 1.0
		if g.prior != nil {
			w = g.prior[i]
		}
		g.rows[k].weight += w
	}
}

// index finds a variable by its name.
func (g *Grid) index(name string) (int, error) {
	names := make([]string, len(g.variables))
	for i, v := range g.variables {
		if names[i] = v.name; v.name == name {
			return i, nil
		}
	}
	return 0, fmt.Errorf("the model has no predictor %q: %s", name, frame.Choices(name, names))
}
