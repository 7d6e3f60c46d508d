package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/seed-4012077a/flow/plugins/internal/group"
	"github.com/seed-4012077a/flow/plugins/internal/result"
	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/emm"
	"github.com/seed-4012077a/flow/sdk/stats/estimate"
	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"github.com/seed-4012077a/flow/sdk/stats/lmm"
)

func shiftColumns() []result.Column {
	return slices.Concat([]result.Column{result.Text("system", ""), result.Count("n", "items"), result.Number("sd", "of the items' shifts"), result.Number("effect_size", "mean / sd")},
		result.Estimate(), []result.Column{adjusted(), result.Note()})
}

func differenceColumns() []result.Column {
	return slices.Concat([]result.Column{result.Text("contrast", "of two systems"), result.Text("method", "paired t, or mixed model"), result.Count("n", "items that both have; of the mixed model: rows")},
		result.Estimate(), []result.Column{adjusted(), result.Note()})
}

func attackOperator() sdk.Operator {
	return sdk.Operator{
		Name: "attack", Kind: sdk.Table,
		Doc: `Persona-attack shifts: how far each system's score moves when its persona is attacked. shifts has each system's mean shift with a one-sample t test against 0; differences compares systems item by item, by paired t tests and by shift ~ system + (1 | item) over all systems.
A shift is a column, or the difference of the columns after and before. Several rows of a system and item are averaged first.`,
		Inputs: []sdk.Port{{Name: "shifts", Doc: "one row an item and system", Columns: []sdk.ColumnSpec{{Name: "{system}", Type: "any"}, {Name: "{item}", Type: "any"}}}},
		Outputs: []sdk.Port{result.Port("shifts", "one row a system", shiftColumns()), result.Port("differences", "one row a pair of systems and method", differenceColumns()),
			result.Port("components", "variances of the mixed model", result.Components()), result.Port("fits", "the mixed model", result.Fit())},
		Params: `{"type": "object", "additionalProperties": false, "properties": {` +
			columnSchema("shift", "shift", "column of the shift; not read where after is given") + `,` +
			columnSchema("before", "", "column of the score before the attack, with after") + `,` + columnSchema("after", "", "column of the score after the attack") + `,` +
			columnSchema("system", "system", "column of the system") + `,` + columnSchema("item", "item", "column of the item, as the prompt that is attacked with") + `,
			"reference": {"type": "string", "default": "", "description": "system that others are compared with; empty: the first in alphabetical order"},
			"contrasts": {"enum": ["reference", "pairwise"], "default": "reference", "description": "each system less the reference, or all pairs"},` +
			adjustSchema("none", "within shifts, and within each method of differences") + `,` + dfSchema + `,` + levelSchema + `}}`,
		Open: openAttack,
	}
}

type attack struct {
	Shift     string  `json:"shift"`
	Before    string  `json:"before"`
	After     string  `json:"after"`
	System    string  `json:"system"`
	Item      string  `json:"item"`
	Reference string  `json:"reference"`
	Contrasts string  `json:"contrasts"`
	Adjust    string  `json:"adjust"`
	DF        string  `json:"df"`
	Level     float64 `json:"level"`

	opening sdk.Opening
	df      lmm.DF
	cells   map[[2]string]*cell // by system and item
	items   []string            // in the order of the data
	systems []string
	rows    int
	left    int
}

// cell is the shifts of a system on an item.
type cell struct{ sum, n float64 }

func openAttack(o sdk.Opening) (sdk.Task, error) {
	t := &attack{opening: o, cells: map[[2]string]*cell{}}
	err := o.Decode(t)
	if err != nil {
		return nil, err
	}
	in := o.Input("shifts")
	if (t.Before == "") != (t.After == "") {
		return nil, sdk.ParamError("after", "before and after are given together, or neither")
	}
	numbers := map[string]string{"shift": t.Shift}
	if t.After != "" {
		numbers = map[string]string{"before": t.Before, "after": t.After}
	}
	for _, parameter := range []string{"shift", "before", "after"} {
		if column, ok := numbers[parameter]; ok {
			if err := result.Numeric(in, parameter, column); err != nil {
				return nil, err
			}
		}
	}
	if err := labelled(in, "system", t.System); err != nil {
		return nil, err
	}
	if err := labelled(in, "item", t.Item); err != nil {
		return nil, err
	}
	if t.df, err = lmm.ParseDF(t.DF); err != nil {
		return nil, sdk.ParamError("df", "%v", err)
	}
	for port, columns := range map[string][]result.Column{"shifts": shiftColumns(), "differences": differenceColumns(), "components": result.Components(), "fits": result.Fit()} {
		o.Output(port, sdk.Schema{Fields: result.Fields(columns)})
	}
	return t, nil
}

func (t *attack) Process(_ string, in *sdk.Batch, _ *sdk.Outputs) error {
	system, item := in.Col(t.System), in.Col(t.Item)
	for i := range in.Len() {
		s, okS := group.Text(system, i)
		q, okQ := group.Text(item, i)
		v, okV, err := t.shift(in, i)
		if err != nil {
			return err
		}
		if !okS || !okQ || !okV {
			t.left++
			continue
		}
		key := [2]string{s, q}
		c := t.cells[key]
		if c == nil {
			key = [2]string{strings.Clone(s), strings.Clone(q)}
			c = &cell{}
			t.cells[key] = c
			if !slices.Contains(t.systems, key[0]) {
				t.systems = append(t.systems, key[0])
			}
			t.items = append(t.items, key[1])
		}
		c.sum += v
		c.n++
	}
	t.rows += in.Len()
	return nil
}

func (t *attack) shift(in *sdk.Batch, i int) (float64, bool, error) {
	if t.After == "" {
		return result.Score(in.Col(t.Shift), i, t.Shift, t.rows+i)
	}
	before, ok1, err := result.Score(in.Col(t.Before), i, t.Before, t.rows+i)
	if err != nil {
		return 0, false, err
	}
	after, ok2, err := result.Score(in.Col(t.After), i, t.After, t.rows+i)
	return after - before, ok1 && ok2, err
}

func (t *attack) Finish(out *sdk.Outputs) error {
	if t.rows == 0 {
		return sdk.Errorf("the shifts table has no rows")
	}
	if len(t.systems) == 0 {
		return sdk.Errorf("no row of %d has a shift, a system and an item", t.rows)
	}
	if t.left > 0 {
		t.opening.Log("%d rows without a shift, system or item are left out", t.left)
	}
	slices.Sort(t.systems)
	slices.Sort(t.items)
	t.items = slices.Compact(t.items)
	var err error
	if t.Reference, err = levelOf("reference", t.Reference, t.systems); err != nil {
		return err
	}
	t.shifts(out)
	t.paired(out)
	t.mixed(out)
	return nil
}

// of are a system's shifts by item, NaN where it has none, and whether any is
// a mean of several rows.
func (t *attack) of(system string) (v []float64, averaged bool) {
	v = make([]float64, len(t.items))
	for i, item := range t.items {
		v[i] = math.NaN()
		if c := t.cells[[2]string{system, item}]; c != nil {
			v[i] = c.sum / c.n
			averaged = averaged || c.n > 1
		}
	}
	return v, averaged
}

// oneSample is the t test that the mean of x is 0: t = mean sqrt(n) / sd with
// n - 1 degrees of freedom. NaN is absent.
func oneSample(x []float64, level float64) (e estimate.Estimate, n int, sd float64, err error) {
	mean := 0.0
	for _, v := range x {
		if !math.IsNaN(v) {
			mean += v
			n++
		}
	}
	mean /= float64(n)
	ss := 0.0
	for _, v := range x {
		if !math.IsNaN(v) {
			ss += (v - mean) * (v - mean)
		}
	}
	switch {
	case n == 0:
		return e, 0, math.NaN(), errors.New("no item")
	case n == 1:
		return e, 1, math.NaN(), errors.New("one item gives no test")
	case ss == 0:
		return e, n, 0, fmt.Errorf("all %d items have the same shift, %g: no test", n, mean)
	}
	sd = math.Sqrt(ss / float64(n-1))
	e, err = estimate.New("mean", mean, sd/math.Sqrt(float64(n)), float64(n-1), level)
	return e, n, sd, err
}

// tested is a row that waits for its corrected p-value.
type tested struct {
	estimate.Estimate
	label, method, note string
	n                   int
	sd                  float64
	err                 error
}

// correct gives the corrected p-values of some tests.
func correct(rows []tested, method string) []float64 {
	p := make([]float64, len(rows))
	for i, r := range rows {
		p[i] = r.P
		if r.err != nil {
			p[i] = math.NaN()
		}
	}
	return estimate.Adjust(p, method)
}

func (t *attack) shifts(out *sdk.Outputs) {
	var all []tested
	for _, s := range t.systems {
		v, averaged := t.of(s)
		r := tested{label: s}
		r.Estimate, r.n, r.sd, r.err = oneSample(v, t.Level)
		if averaged {
			r.note = "rows of one item are averaged"
		}
		all = append(all, r)
	}
	p := correct(all, t.Adjust)
	rows := out.Port("shifts")
	for i, r := range all {
		size := math.NaN()
		if r.err == nil {
			size = r.Estimate.Estimate / r.sd
		}
		result.Put(rows, "system", r.label, "n", r.n, "sd", r.sd, "effect_size", size, "p_adjusted", p[i])
		result.PutEstimate(rows, r.Estimate, r.err, r.note)
	}
}

// pairs are the systems that are compared: the first less the second.
func (t *attack) pairs() (out [][2]string) {
	for i, a := range t.systems {
		if t.Contrasts == "reference" {
			if a != t.Reference {
				out = append(out, [2]string{a, t.Reference})
			}
			continue
		}
		for _, b := range t.systems[i+1:] {
			out = append(out, [2]string{a, b})
		}
	}
	return out
}

func (t *attack) paired(out *sdk.Outputs) {
	var all []tested
	for _, pair := range t.pairs() {
		a, _ := t.of(pair[0])
		b, _ := t.of(pair[1])
		for i := range a {
			a[i] -= b[i]
		}
		r := tested{label: pair[0] + " - " + pair[1], method: "paired t"}
		r.Estimate, r.n, r.sd, r.err = oneSample(a, t.Level)
		all = append(all, r)
	}
	t.differences(out, all)
}

func (t *attack) differences(out *sdk.Outputs, all []tested) {
	p := correct(all, t.Adjust)
	rows := out.Port("differences")
	for i, r := range all {
		result.Put(rows, "contrast", r.label, "method", r.method, "n", r.n, "p_adjusted", p[i])
		result.PutEstimate(rows, r.Estimate, r.err, r.note)
	}
}

// mixed compares the systems by one model of all rows.
func (t *attack) mixed(out *sdk.Outputs) {
	if len(t.systems) < 2 {
		return
	}
	var y []float64
	var system, item []string
	for _, s := range t.systems {
		v, _ := t.of(s)
		for i, x := range v {
			if !math.IsNaN(x) {
				y, system, item = append(y, x), append(system, s), append(item, t.items[i])
			}
		}
	}
	const text = "shift ~ system + (1 | item)"
	m, err := fitShifts(text, y, system, item, t.df)
	var found []emm.Result
	if err == nil {
		found, err = t.contrasts(m)
	}
	if err != nil {
		t.opening.Log("warning: mixed model: %v", err)
		var all []tested
		for _, pair := range t.pairs() {
			all = append(all, tested{label: pair[0] + " - " + pair[1], method: "mixed model", n: len(y), err: err})
		}
		t.differences(out, all)
		result.PutNoFit(out.Port("fits"), text, err)
		return
	}
	var all []tested
	for _, r := range found {
		all = append(all, tested{label: r.Label, method: "mixed model", n: len(y), Estimate: r.Estimate, note: r.NotEstimable})
	}
	t.differences(out, all)
	result.PutComponents(out.Port("components"), m)
	result.PutFit(out.Port("fits"), m)
}

func fitShifts(text string, y []float64, system, item []string, df lmm.DF) (*lmm.Model, error) {
	data := frame.New(len(y))
	if err := errors.Join(data.AddNumeric("shift", y), data.AddStrings("system", system, nil), data.AddStrings("item", item, nil)); err != nil {
		return nil, err
	}
	f, err := formula.Parse(text)
	if err != nil {
		return nil, err
	}
	d, err := f.Design(data, formula.Options{})
	if err != nil {
		return nil, err
	}
	return lmm.Fit(d, lmm.Options{REML: true, DF: df})
}

func (t *attack) contrasts(m *lmm.Model) ([]emm.Result, error) {
	grid, err := emm.NewGrid(m, emm.GridOptions{})
	if err != nil {
		return nil, err
	}
	means, err := grid.Means([]string{"system"}, nil, emm.Equal)
	if err != nil {
		return nil, err
	}
	method := emm.VsControl(t.Reference)
	if t.Contrasts == "pairwise" {
		method = emm.Pairwise()
	}
	set, err := means.Contrast(method)
	if err != nil {
		return nil, err
	}
	return set.Estimates(emm.Report{Level: t.Level})
}
