package main

import (
	"fmt"
	"slices"

	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/scale"
)

func answersPort(columns ...sdk.ColumnSpec) sdk.Port {
	return sdk.Port{Name: "answers", Doc: "one row a person (and time): item columns hold answers as numbers, null where there is none", Columns: columns}
}

func groups() sdk.ColumnSpec { return sdk.ColumnSpec{Name: "{group_by}", Type: "any"} }

func pairColumns() []column {
	return []column{
		{"item_a", "utf8", "", true}, {"item_b", "utf8", "", true},
		{"correlation", "float64", "", false},
		{"se", "float64", "standard error of a polychoric correlation, thresholds held fixed", false},
		{"n", "int64", "rows behind it", false}, {"method", "utf8", "", true}, {"note", "utf8", "", false}}
}

func itemColumns() []column {
	return []column{
		{"item", "utf8", "", true}, {"n", "int64", "rows with an answer", true}, {"n_missing", "int64", "", true},
		{"categories", "int64", "different answers", true}, {"mean", "float64", "", false}, {"sd", "float64", "", false},
		{"thresholds", "list<float64>", "of the normal trait behind the answers (polychoric)", false},
		{"kmo", "float64", "measure of sampling adequacy", false}, {"note", "utf8", "", false}}
}

func summaryColumns() []column {
	return []column{
		{"rows", "int64", "with an answer", true}, {"items", "int64", "that vary", true},
		{"kmo", "float64", "Kaiser-Meyer-Olkin measure of sampling adequacy", false},
		{"bartlett_chi_squared", "float64", "Bartlett's test that no items correlate", false}, {"df", "int64", "", false}, {"p_value", "float64", "", false},
		{"smallest_eigenvalue", "float64", "before smoothing", false}, {"smoothed", "bool", "", true}, {"note", "utf8", "", false}}
}

func correlationsOperator() sdk.Operator {
	return sdk.Operator{
		Name: "correlations", Kind: sdk.Table,
		Doc: `Correlations of all pairs of items: polychoric (Olsson 1979, two-step maximum likelihood), Pearson or Spearman.
pairs: one row a pair. items: answers, thresholds and sampling adequacy of each item. summary: KMO, Bartlett's test, whether the matrix was smoothed. A constant or empty item, and a pair without enough rows, is null with a note.`,
		Inputs: []sdk.Port{answersPort(groups())},
		Outputs: []sdk.Port{port("pairs", "one row a group and pair of items", pairColumns()), port("items", "one row a group and item", itemColumns()),
			port("summary", "one row a group", summaryColumns())},
		Params: `{"type": "object", "additionalProperties": false, "required": ["items"], "properties": {` + itemsSchema + "," + groupSchema + "," + correlationSchema + `}}`,
		Open:   openCorrelations,
	}
}

type correlationsParams struct {
	Items   []string `json:"items"`
	GroupBy []string `json:"group_by"`
	correlating
}

type correlationsTask struct {
	correlationsParams
	*answers
}

func openCorrelations(o sdk.Opening) (sdk.Task, error) {
	t := &correlationsTask{}
	err := o.Decode(&t.correlationsParams)
	if err != nil {
		return nil, err
	}
	if t.answers, err = newAnswers(o, t.Items, t.GroupBy); err != nil {
		return nil, err
	}
	for port, columns := range map[string][]column{"pairs": pairColumns(), "items": itemColumns(), "summary": summaryColumns()} {
		if err := declare(o, port, t.keys, columns); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (t *correlationsTask) Process(_ string, in *sdk.Batch, _ *sdk.Outputs) error { return t.take(in) }

func (t *correlationsTask) Finish(out *sdk.Outputs) error {
	if err := t.empty(); err != nil {
		return err
	}
	for g := range t.groups {
		items := t.groups[g].of(t.items)
		c, err := scale.Correlate(items, t.options())
		if err != nil {
			t.log(g, err.Error())
			t.failed(out, g, items, err.Error())
			continue
		}
		t.log(g, c.Notes()...)
		var adequacy *scale.Adequacy
		note := ""
		if adequacy, err = c.Adequate(0); err != nil {
			note = err.Error()
			adequacy = nil
		}
		t.pairs(out, g, c)
		t.eachItem(out, g, items, c, adequacy)
		if err := t.summary(out, g, c, adequacy, note); err != nil {
			return err
		}
	}
	return nil
}

// failed writes a group of which nothing could be correlated.
func (t *correlationsTask) failed(out *sdk.Outputs, g int, items *scale.Items, note string) {
	for i, a := range t.items {
		for _, b := range t.items[i+1:] {
			t.row(out, "pairs", g).text("item_a", a).text("item_b", b).null("correlation", "se", "n").text("method", t.Method).text("note", note)
		}
	}
	t.eachItem(out, g, items, &scale.Correlation{}, nil)
	t.row(out, "summary", g).count("rows", 0).count("items", 0).null("kmo", "bartlett_chi_squared", "df", "p_value", "smallest_eigenvalue").
		truth("smoothed", false).text("note", note)
}

func (t *correlationsTask) pairs(out *sdk.Outputs, g int, c *scale.Correlation) {
	excluded := map[string]string{}
	for _, e := range c.Excluded {
		excluded[e.Item] = e.String()
	}
	notes := map[[2]int]string{}
	for _, list := range [][]scale.Pair{c.Undefined, c.PairNotes} {
		for _, p := range list {
			notes[[2]int{p.I, p.J}] = p.Text
		}
	}
	for x, a := range t.items {
		for _, b := range t.items[x+1:] {
			r := t.row(out, "pairs", g).text("item_a", a).text("item_b", b)
			i, j := slices.Index(c.Names, a), slices.Index(c.Names, b)
			if i < 0 || j < 0 {
				note := excluded[a]
				if i >= 0 {
					note = excluded[b]
				}
				r.null("correlation", "se", "n").text("method", t.Method).text("note", note)
				continue
			}
			if i > j {
				i, j = j, i
			}
			v := c.R.At(i, j)
			r.number("correlation", v, true)
			if c.SE != nil {
				r.number("se", c.SE.At(i, j), v == v && c.SE.At(i, j) > 0)
			} else {
				r.null("se")
			}
			r.count("n", c.N[i][j]).text("method", t.Method).text("note", notes[[2]int{i, j}])
		}
	}
}

func (t *correlationsTask) eachItem(out *sdk.Outputs, g int, items *scale.Items, c *scale.Correlation, a *scale.Adequacy) {
	for j, name := range t.items {
		d := scale.Describe(items.Columns[j])
		r := t.row(out, "items", g).text("item", name).count("n", d.N).count("n_missing", d.Missing).count("categories", d.Categories).
			number("mean", d.Mean, d.N > 0).number("sd", d.SD, d.N > 1)
		at := slices.Index(c.Names, name)
		if at >= 0 && c.Thresholds != nil {
			r.rows.Col("thresholds").List(func(elem *sdk.Builder) {
				for _, tau := range c.Thresholds[at] {
					elem.Float(tau)
				}
			})
		} else {
			r.null("thresholds")
		}
		if at >= 0 && a != nil {
			r.number("kmo", a.Items[at], true)
		} else {
			r.null("kmo")
		}
		r.text("note", d.Unusable)
	}
}

func (t *correlationsTask) summary(out *sdk.Outputs, g int, c *scale.Correlation, a *scale.Adequacy, note string) error {
	r := t.row(out, "summary", g).count("rows", c.Rows).count("items", len(c.Names))
	if a == nil {
		r.null("kmo", "bartlett_chi_squared", "df", "p_value")
	} else {
		r.number("kmo", a.KMO, true).number("bartlett_chi_squared", a.ChiSquared, true).count("df", a.DF).number("p_value", a.P, true)
	}
	notes := c.Notes()
	if note != "" {
		notes = append(notes, note)
	}
	switch {
	case c.Smoothed != nil:
		r.number("smallest_eigenvalue", c.Smoothed.Smallest, true)
	case len(c.Undefined) > 0:
		r.null("smallest_eigenvalue")
	default:
		values, err := scale.Eigenvalues(c.R)
		if err != nil {
			return fmt.Errorf("the scree: %w", err)
		}
		r.number("smallest_eigenvalue", values[len(values)-1], true)
	}
	r.truth("smoothed", c.Smoothed != nil).text("note", joined(notes))
	return nil
}
