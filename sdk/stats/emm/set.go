package emm

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/seed-4012077a/flow/sdk/stats/estimate"
	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Set is a list of linear functions of a model's coefficients.
type Set struct {
	Variables []string // what the rows' Levels are levels of; "contrast" after Contrast
	By        []string // what the rows' Groups are levels of
	Rows      []Row

	model     estimate.Linear
	slope     bool // of a covariate
	contrast  bool // differences: a back-transformation gives ratios
	tukey     bool // all pairs of a group's members
	unit      bool // a contrast whose coefficients are 1 and -1, so that exp makes a ratio
	members   int  // the number of members of each group that were contrasted
	regridded bool // on the scale of the response already
}

// Row is one linear function: shift + l'beta.
type Row struct {
	Label  string
	Levels []string // of the set's Variables
	Group  []string // of the set's By

	l      []float64 // over all columns of the design, aliased ones too
	shift  float64
	reason string // why it cannot be estimated, "" where it can
}

// group is the rows of one combination of the by variables.
func (s *Set) groups() [][]int {
	at := map[string]int{}
	var out [][]int
	for i, r := range s.Rows {
		key := strings.Join(r.Group, "\x00")
		k, ok := at[key]
		if !ok {
			k = len(out)
			at[key] = k
			out = append(out, nil)
		}
		out[k] = append(out[k], i)
	}
	return out
}

// estimable says why a linear function cannot be estimated, "" if it can: it
// must be orthogonal to the null space of the model matrix (Searle 1971).
func (s *Set) estimable(r Row) string {
	if r.reason != "" {
		return r.reason
	}
	if from := undetermined(s.model.Design(), r.l); from != nil {
		return "not estimable: it depends on " + strings.Join(from, ", ") + ", which the data do not determine"
	}
	return ""
}

// undetermined names the dropped columns that a linear function of all columns
// depends on: those whose part of the null space it is not orthogonal to.
func undetermined(d *formula.Design, l []float64) (from []string) {
	null := d.NullSpace()
	if null == nil {
		return nil
	}
	size := floats.Norm(l, 2)
	_, c := null.Dims()
	for k := range c {
		v := mat.Col(nil, k, null)
		if math.Abs(floats.Dot(v, l)) > 1e-8*size*floats.Norm(v, 2) {
			from = append(from, d.Aliased[k])
		}
	}
	return from
}

// kept reduces a linear function to the columns that were estimated.
func kept(d *formula.Design, l []float64) []float64 {
	kept := d.Kept()
	out := make([]float64, len(kept))
	for i, j := range kept {
		out[i] = l[j]
	}
	return out
}

// Contrast applies a method's contrasts within each group of the set's by
// variables.
func (s *Set) Contrast(m Method) (*Set, error) {
	return s.contrastOver(m, nil)
}

// ContrastOver applies a method's contrasts with other groups: those of by,
// which are variables of the set. Nil makes one group of all rows. It is for
// contrasts of contrasts: the difference between groups of a contrast made
// within them.
func (s *Set) ContrastOver(m Method, by ...string) (*Set, error) {
	next, err := s.Regroup(by...)
	if err != nil {
		return nil, err
	}
	return next.contrastOver(m, nil)
}

// Regroup makes by the set's grouping variables; those that were are variables
// of the rows then.
func (s *Set) Regroup(by ...string) (*Set, error) {
	all := slices.Concat(s.Variables, s.By)
	for i, name := range by {
		if !slices.Contains(all, name) {
			return nil, fmt.Errorf("there is no variable %q to group by; the set has %s", name, strings.Join(all, ", "))
		}
		if slices.Contains(by[:i], name) {
			return nil, fmt.Errorf("%q is named twice", name)
		}
	}
	out := *s
	out.tukey = false
	out.By = slices.Clone(by)
	out.Variables = slices.DeleteFunc(slices.Clone(all), func(n string) bool { return slices.Contains(by, n) })
	out.Rows = make([]Row, len(s.Rows))
	for i, r := range s.Rows {
		value := slices.Concat(r.Levels, r.Group)
		next := r
		next.Levels, next.Group = nil, nil
		for _, n := range out.Variables {
			next.Levels = append(next.Levels, value[slices.Index(all, n)])
		}
		for _, n := range by {
			next.Group = append(next.Group, value[slices.Index(all, n)])
		}
		next.Label = strings.Join(next.Levels, " ")
		out.Rows[i] = next
	}
	return &out, nil
}

// Interaction contrasts one variable after another: with pairwise methods for
// A and B it gives differences of differences.
func (s *Set) Interaction(methods map[string]Method) (*Set, error) {
	out := s
	by := slices.Clone(s.By)
	for name := range methods {
		if !slices.Contains(s.Variables, name) {
			return nil, fmt.Errorf("there is no variable %q to contrast; the set has %s", name, strings.Join(s.Variables, ", "))
		}
	}
	for _, name := range s.Variables { // in the set's order, so that rows are too
		m, ok := methods[name]
		if !ok {
			continue
		}
		others := slices.DeleteFunc(slices.Concat(out.Variables, out.By), func(n string) bool { return n == name })
		next, err := out.Regroup(others...)
		if err != nil {
			return nil, err
		}
		if next, err = next.contrastOver(m, &name); err != nil {
			return nil, err
		}
		if out, err = next.Regroup(by...); err != nil {
			return nil, err
		}
		out.tukey = false
	}
	return out, nil
}

// contrastOver makes the contrasts; name is what the result's variable is
// called, "contrast" where nil.
func (s *Set) contrastOver(m Method, name *string) (*Set, error) {
	called := "contrast"
	if name != nil {
		called = *name
	}
	out := &Set{
		model: s.model, slope: s.slope, contrast: true, regridded: s.regridded,
		Variables: []string{called}, By: slices.Clone(s.By), tukey: m.tukey, unit: !s.contrast,
	}
	for _, rows := range s.groups() {
		labels := make([]string, len(rows))
		for i, k := range rows {
			labels[i] = s.Rows[k].Label
		}
		if out.members != 0 && out.members != len(rows) {
			out.tukey = false
		}
		out.members = len(rows)
		made, err := m.build(labels)
		if err != nil {
			return nil, err
		}
		for _, c := range made {
			if len(c.Coefficients) != len(rows) {
				return nil, fmt.Errorf("contrast %q has %d coefficients for %d means (%s)", c.Label, len(c.Coefficients), len(rows), strings.Join(labels, ", "))
			}
			r := Row{Label: c.Label, Levels: []string{c.Label}, Group: slices.Clone(s.Rows[rows[0]].Group), l: make([]float64, len(s.Rows[rows[0]].l))}
			for i, k := range rows {
				w := c.Coefficients[i]
				if w == 0 {
					continue
				}
				floats.AddScaled(r.l, w, s.Rows[k].l)
				r.shift += w * s.Rows[k].shift
				if r.reason == "" {
					r.reason = s.Rows[k].reason
				}
			}
			if math.Abs(floats.Sum(c.Coefficients)) > 1e-9 {
				out.unit = false
			}
			out.Rows = append(out.Rows, r)
		}
	}
	if s.contrast {
		out.unit = s.unit
	}
	return out, nil
}

// Joint tests that all functions of each group are 0 (of a group's contrasts:
// that the members are alike). The groups are in the rows' order.
func (s *Set) Joint() ([]estimate.Test, error) {
	var out []estimate.Test
	for _, rows := range s.groups() {
		label := strings.Join(s.Rows[rows[0]].Group, " ")
		var l [][]float64
		for _, k := range rows {
			r := s.Rows[k]
			if why := s.estimable(r); why != "" {
				return nil, fmt.Errorf("joint test of %s: %s: %s", label, r.Label, why)
			}
			if r.shift != 0 {
				return nil, fmt.Errorf("joint test of %s: %s has an offset and is no linear function of the coefficients alone", label, r.Label)
			}
			l = append(l, kept(s.model.Design(), r.l))
		}
		m := mat.NewDense(len(l), len(l[0]), nil)
		for i, row := range l {
			m.SetRow(i, row)
		}
		t, err := estimate.Hypothesis(s.model, label, m)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}
