package main

import (
	"fmt"
	"slices"

	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/scale"
)

func scaleColumns() []column {
	return []column{
		{"scale", "utf8", "", true}, {"n", "int64", "rows with an answer", false}, {"items", "int64", "that vary", false},
		{"alpha", "float64", "Cronbach's, from covariances", false}, {"ci_lower", "float64", "Feldt's interval of alpha", false}, {"ci_upper", "float64", "", false},
		{"alpha_standardised", "float64", "from Pearson's correlations", false}, {"alpha_ordinal", "float64", "from polychoric correlations", false},
		{"omega", "float64", "McDonald's, of one factor", false},
		{"omega_hierarchical", "float64", "the general factor's share of the sum's variance", false}, {"omega_total", "float64", "of general and group factors", false},
		{"ecv", "float64", "the general factor's share of the common variance", false},
		{"mean_r", "float64", "of the correlations between items", false}, {"median_r", "float64", "", false},
		{"method", "utf8", "correlations behind omega", true}, {"note", "utf8", "", false}}
}

func scaleItemColumns() []column {
	return []column{
		{"scale", "utf8", "", true}, {"item", "utf8", "", true}, {"reversed", "bool", "", true},
		{"n", "int64", "", false}, {"mean", "float64", "as scored", false}, {"sd", "float64", "", false},
		{"r_drop", "float64", "correlation with the sum of the other items", false}, {"alpha_without", "float64", "alpha of the other items", false},
		{"alpha_standardised_without", "float64", "", false}, {"loading", "float64", "on one factor", false}, {"general_loading", "float64", "on the general factor", false},
		{"note", "utf8", "", false}}
}

func reliabilityOperator() sdk.Operator {
	return sdk.Operator{
		Name: "reliability", Kind: sdk.Table,
		Doc: `Reliability of sums of items: Cronbach's alpha with Feldt's interval, standardised and ordinal alpha, McDonald's omega of one factor and, with group factors, omega hierarchical (Schmid-Leiman).
scales: one row a scale. items: each item's part, and alpha without it. An item that goes against the others is named in a note. What can't be computed is null with a note.`,
		Inputs:  []sdk.Port{answersPort(groups())},
		Outputs: []sdk.Port{port("scales", "one row a group and scale", scaleColumns()), port("items", "one row a group, scale and item", scaleItemColumns())},
		Params: `{"type": "object", "additionalProperties": false, "required": ["scales"], "properties": {
			"scales": {"type": "array", "minItems": 1, "description": "the scales and their items", "items": {"type": "object", "additionalProperties": false, "required": ["name", "items"], "properties": {
				"name": {"type": "string", "minLength": 1, "description": "the scale's name"},
				"items": {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1, "description": "item columns, numbers; * stands for any text"},
				"reverse": {"type": "array", "items": {"type": "string", "minLength": 1}, "default": [], "description": "items keyed the other way: x becomes lowest + highest answer - x"}}}},
			"confidence": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1, "default": 0.95, "description": "level of alpha's interval"},
			"group_factors": {"type": "integer", "minimum": 0, "maximum": 20, "default": 0, "description": "group factors below the general one, mostly 3: gives omega hierarchical; 0: none"},
			` + groupSchema + "," + correlationSchema + `}}`,
		Open: openReliability,
	}
}

type scaleSpec struct {
	Name    string   `json:"name"`
	Items   []string `json:"items"`
	Reverse []string `json:"reverse"`
}

type reliabilityParams struct {
	Scales       []scaleSpec `json:"scales"`
	Confidence   float64     `json:"confidence"`
	GroupFactors int         `json:"group_factors"`
	GroupBy      []string    `json:"group_by"`
	correlating
}

type reliabilityTask struct {
	reliabilityParams
	*answers
}

func openReliability(o sdk.Opening) (sdk.Task, error) {
	t := &reliabilityTask{}
	err := o.Decode(&t.reliabilityParams)
	if err != nil {
		return nil, err
	}
	if t.GroupFactors == 1 {
		return nil, sdk.ParamError("group_factors", "a general factor above one group factor is not defined: use 0, or 2 or more")
	}
	in := o.Input("answers")
	var all []string
	for i := range t.Scales {
		s, at := &t.Scales[i], fmt.Sprintf("scales[%d]", i)
		if slices.ContainsFunc(t.Scales[:i], func(o scaleSpec) bool { return o.Name == s.Name }) {
			return nil, sdk.ParamError(at+".name", "scale %q is named twice", s.Name)
		}
		if s.Items, err = resolve(in, at+".items", s.Items); err != nil {
			return nil, err
		}
		if len(s.Items) < 2 {
			return nil, sdk.ParamError(at+".items", "only column %q: a scale is a sum of two items or more", s.Items[0])
		}
		if s.Reverse, err = resolve(in, at+".reverse", s.Reverse); err != nil {
			return nil, err
		}
		for _, name := range s.Reverse {
			if !slices.Contains(s.Items, name) {
				return nil, sdk.ParamError(at+".reverse", "column %q is not an item of scale %q", name, s.Name)
			}
		}
		for _, name := range s.Items {
			if !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	if t.answers, err = answersOf(o, all, t.GroupBy); err != nil {
		return nil, err
	}
	if err := declare(o, "scales", t.keys, scaleColumns()); err != nil {
		return nil, err
	}
	return t, declare(o, "items", t.keys, scaleItemColumns())
}

func (t *reliabilityTask) Process(_ string, in *sdk.Batch, _ *sdk.Outputs) error { return t.take(in) }

func (t *reliabilityTask) Finish(out *sdk.Outputs) error {
	if err := t.empty(); err != nil {
		return err
	}
	for g := range t.groups {
		all := t.groups[g].of(t.items)
		for _, s := range t.Scales {
			items, err := all.Pick(s.Items)
			if err != nil {
				return err
			}
			if items, err = items.Reverse(s.Reverse); err != nil {
				return err
			}
			m := t.measure(items)
			for _, n := range m.notes {
				t.log(g, "scale "+s.Name+": "+n)
			}
			t.write(out, g, s, items, m)
		}
	}
	return nil
}

// measured is what could be computed of one scale.
type measured struct {
	raw, ordinal *scale.Alpha
	omega        *scale.Omega
	hierarchical *scale.Hierarchical
	names        []string // items behind omega
	notes        []string
}

func (m *measured) note(notes ...string) {
	for _, n := range notes {
		if !slices.Contains(m.notes, n) {
			m.notes = append(m.notes, n)
		}
	}
}

func (t *reliabilityTask) measure(items *scale.Items) *measured {
	m := &measured{}
	o := t.options()
	pearson := o
	pearson.Method = scale.Pearson
	var err error
	if m.raw, err = scale.CronbachAlpha(items, pearson, t.Confidence); err != nil {
		m.note("no alpha: " + err.Error())
	} else {
		m.note(m.raw.Notes...)
	}
	if o.Method == scale.Polychoric {
		if m.ordinal, err = scale.CronbachAlpha(items, o, t.Confidence); err != nil {
			m.note("no ordinal alpha: " + err.Error())
		} else {
			m.note(m.ordinal.Notes...)
		}
	}
	c, err := scale.Correlate(items, o)
	if err != nil {
		m.note("no omega: " + err.Error())
		return m
	}
	m.names = c.Names
	if m.omega, err = scale.McDonaldOmega(c); err != nil {
		m.note("no omega: " + err.Error())
	}
	if t.GroupFactors > 0 {
		if m.hierarchical, err = scale.SchmidLeiman(c, t.GroupFactors); err != nil {
			m.note("no omega hierarchical: " + err.Error())
		} else {
			m.note(m.hierarchical.Notes...)
		}
	}
	return m
}

func (t *reliabilityTask) write(out *sdk.Outputs, g int, s scaleSpec, items *scale.Items, m *measured) {
	r := t.row(out, "scales", g).text("scale", s.Name)
	if a := m.raw; a != nil {
		r.count("n", a.Rows).count("items", len(a.Items)).number("alpha", a.Raw, true).number("ci_lower", a.Lower, true).number("ci_upper", a.Upper, true).
			number("alpha_standardised", a.Standardised, true).number("mean_r", a.MeanR, true).number("median_r", a.MedianR, true)
	} else {
		r.null("n", "items", "alpha", "ci_lower", "ci_upper", "alpha_standardised", "mean_r", "median_r")
	}
	if m.ordinal != nil {
		r.number("alpha_ordinal", m.ordinal.Standardised, true)
	} else {
		r.null("alpha_ordinal")
	}
	if m.omega != nil {
		r.number("omega", m.omega.Total, true)
	} else {
		r.null("omega")
	}
	if h := m.hierarchical; h != nil {
		r.number("omega_hierarchical", h.OmegaH, true).number("omega_total", h.OmegaTotal, true).number("ecv", h.ECV, true)
	} else {
		r.null("omega_hierarchical", "omega_total", "ecv")
	}
	r.text("method", t.Method).text("note", joined(m.notes))
	for j, name := range s.Items {
		t.item(out, g, s, name, scale.Describe(items.Columns[j]), m)
	}
}

func (t *reliabilityTask) item(out *sdk.Outputs, g int, s scaleSpec, name string, d scale.Description, m *measured) {
	r := t.row(out, "items", g).text("scale", s.Name).text("item", name).truth("reversed", slices.Contains(s.Reverse, name)).
		count("n", d.N).number("mean", d.Mean, d.N > 0).number("sd", d.SD, d.N > 1)
	var e scale.ItemReliability
	if m.raw != nil {
		for _, x := range m.raw.Each {
			if x.Item == name {
				e = x
			}
		}
	}
	r.number("r_drop", e.RDrop, e.HasRDrop).number("alpha_without", e.WithoutRaw, e.Without).number("alpha_standardised_without", e.WithoutStandardised, e.Without)
	at := slices.Index(m.names, name)
	if at >= 0 && m.omega != nil {
		r.number("loading", m.omega.Loadings[at], true)
	} else {
		r.null("loading")
	}
	if at >= 0 && m.hierarchical != nil {
		r.number("general_loading", m.hierarchical.General[at], true)
	} else {
		r.null("general_loading")
	}
	r.text("note", d.Unusable)
}
