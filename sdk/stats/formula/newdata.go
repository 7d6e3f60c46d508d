package formula

import (
	"math"
	"slices"

	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"gonum.org/v1/gonum/mat"
)

// Model makes the rows of X for new data: the same columns, levels, contrasts
// and poly() or scale() bases. A level that the fit did not have, and a
// missing value, is an error that names the row.
func (d *Design) Model(fr *frame.Frame) (*mat.Dense, error) {
	all, err := d.ModelAll(fr)
	if err != nil || len(d.kept) == len(d.allNames) {
		return all, err
	}
	n, _ := all.Dims()
	if n == 0 || len(d.kept) == 0 {
		return &mat.Dense{}, nil
	}
	x := mat.NewDense(n, len(d.kept), nil)
	for i := 0; i < n; i++ {
		for at, j := range d.kept {
			x.Set(i, at, all.At(i, j))
		}
	}
	return x, nil
}

// ModelAll is Model with the aliased columns too, in the order of AllNames.
func (d *Design) ModelAll(fr *frame.Frame) (*mat.Dense, error) {
	ev := &evaluator{text: d.Formula.text, fr: fr, fit: d.fitted}
	values, err := ev.again(d.coder)
	if err != nil {
		return nil, err
	}
	n, p := fr.Rows(), len(d.allNames)
	if n == 0 || p == 0 {
		return &mat.Dense{}, nil
	}
	out := make([]float64, n*p)
	d.coder.fill(values, sequence(n), out)
	return mat.NewDense(n, p, out), nil
}

// AllNames are the columns of the model matrix before aliased ones were
// dropped.
func (d *Design) AllNames() []string { return slices.Clone(d.allNames) }

// Kept are the indices into AllNames of the columns of X.
func (d *Design) Kept() []int { return slices.Clone(d.kept) }

// NullSpace is a basis of the combinations of AllNames that are zero in every
// row: AllNames x Aliased; nil when nothing is aliased. A linear function of
// all coefficients can be estimated only if it is orthogonal to it.
func (d *Design) NullSpace() *mat.Dense { return d.null }

// NewOffset is the offset for new data, nil where the model has none.
func (d *Design) NewOffset(fr *frame.Frame) ([]float64, error) {
	ev := &evaluator{text: d.Formula.text, fr: fr, fit: d.fitted}
	parts := slices.Clip(d.expansion.offsets)
	if d.options.Offset != "" {
		parts = append(parts, &expr{op: opName, text: d.options.Offset})
	}
	var out []float64
	for _, e := range parts {
		v, err := ev.numeric(e)
		if err != nil {
			return nil, err
		}
		if out == nil {
			out = make([]float64, fr.Rows())
		}
		for i := range out {
			out[i] += v[i]
		}
	}
	return out, nil
}

// Data are the rows of the frame that the design uses.
func (d *Design) Data() *frame.Frame { return d.data.Select(d.Rows) }

// Source is the frame that the design was made of.
func (d *Design) Source() *frame.Frame { return d.data }

// FactorColumn is a column that the fixed terms use as a factor.
type FactorColumn struct {
	Name   string
	Levels []string  // of the rows used, the reference first
	Values []float64 // the levels' numbers, where the column is numeric and the formula makes it a factor; else nil
}

// Covariate is a column that the fixed terms use as numbers.
type Covariate struct {
	Name           string
	Mean, Min, Max float64   // over the rows used
	Values         []float64 // its distinct values, if it has at most two
}

// Factors lists the factor columns of the fixed terms in the order in which
// the formula mentions them. A numeric column inside factor() is one.
func (d *Design) Factors() []FactorColumn {
	factors, _ := d.predictorsOnce()
	return slices.Clone(factors)
}

// Covariates lists the numeric columns of the fixed terms.
func (d *Design) Covariates() []Covariate {
	_, covariates := d.predictorsOnce()
	return slices.Clone(covariates)
}

func (d *Design) predictors() ([]FactorColumn, []Covariate) {
	coerced := map[string]bool{}
	var names []string
	inTerm := map[int]bool{}
	for _, t := range d.expansion.terms {
		for _, v := range t {
			inTerm[v] = true
		}
	}
	for i, e := range d.expansion.variables {
		if !inTerm[i] {
			continue
		}
		_ = walk(e, func(n *expr) error {
			if n.op == opCall && (n.text == "factor" || n.text == "as.factor") && n.args[0].op == opName {
				coerced[n.args[0].text] = true
			}
			return nil
		})
		for _, c := range e.columns() {
			if !slices.Contains(names, c.text) {
				names = append(names, c.text)
			}
		}
	}
	var factors []FactorColumn
	var covariates []Covariate
	for _, name := range names {
		c, ok := d.data.Column(name)
		if !ok {
			continue
		}
		used := c.Select(d.Rows)
		switch {
		case c.Kind == frame.Factor:
			factors = append(factors, FactorColumn{Name: name, Levels: d.levelsOf(name, used)})
		case coerced[name]:
			factors = append(factors, FactorColumn{Name: name, Levels: d.levelsOf(name, used.ToFactor()), Values: used.Distinct()})
		default:
			covariates = append(covariates, covariate(used))
		}
	}
	return factors, covariates
}

// OffsetColumns lists the numeric columns that the offset reads.
func (d *Design) OffsetColumns() []Covariate {
	parts := slices.Clip(d.expansion.offsets)
	if d.options.Offset != "" {
		parts = append(parts, &expr{op: opName, text: d.options.Offset})
	}
	var out []Covariate
	seen := map[string]bool{}
	for _, e := range parts {
		for _, name := range e.columns() {
			if c, ok := d.data.Column(name.text); ok && c.Kind == frame.Numeric && !seen[name.text] {
				seen[name.text] = true
				out = append(out, covariate(c.Select(d.Rows)))
			}
		}
	}
	return out
}

// levelsOf are a column's levels in the order of the variable made of it.
func (d *Design) levelsOf(name string, used *frame.Column) []string {
	for _, v := range d.coder.variables {
		if v.factor && v.e.op == opName && v.e.text == name {
			return v.levels
		}
	}
	return used.DropLevels().Levels
}

func covariate(c *frame.Column) Covariate {
	out := Covariate{Name: c.Name, Mean: mean(c.Num), Min: math.Inf(1), Max: math.Inf(-1)}
	two := make([]float64, 0, 3)
	for _, v := range c.Num {
		out.Min, out.Max = min(out.Min, v), max(out.Max, v)
		if len(two) <= 2 && !slices.Contains(two, v) && !math.IsNaN(v) {
			two = append(two, v)
		}
	}
	if len(two) <= 2 {
		slices.Sort(two)
		out.Values = two
	}
	return out
}
