package main

import (
	"fmt"

	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/scale"
)

func eigenvalueColumns() []column {
	return []column{
		{"kind", "utf8", "components, factors or smc", true}, {"number", "int64", "from 1, largest first", true},
		{"eigenvalue", "float64", "of the answers: the scree", false}, {"simulated_mean", "float64", "", false}, {"simulated_percentile", "float64", "", false},
		{"retained", "bool", "this and all before are above the percentile", false}, {"note", "utf8", "", false}}
}

func suggestedColumns() []column {
	return []column{
		{"kind", "utf8", "", true}, {"suggested", "int64", "number to keep", false}, {"rows", "int64", "", false}, {"items", "int64", "", false},
		{"iterations", "int64", "", true}, {"percentile", "float64", "", true}, {"note", "utf8", "", false}}
}

func parallelOperator() sdk.Operator {
	return sdk.Operator{
		Name: "parallel", Kind: sdk.Table,
		Doc: `How many factors or components items have, by parallel analysis (Horn 1965): those whose eigenvalues are above a percentile of simulated ones.
eigenvalues: the scree beside the simulation. suggested: the number for each kind. Seeded by the node's seed.`,
		Inputs: []sdk.Port{answersPort(groups())},
		Outputs: []sdk.Port{port("eigenvalues", "one row a group, kind and eigenvalue", eigenvalueColumns()),
			port("suggested", "one row a group and kind", suggestedColumns())},
		Params: `{"type": "object", "additionalProperties": false, "required": ["items"], "properties": {` + itemsSchema + "," + groupSchema + `,
			"kinds": {"type": "array", "items": {"enum": ["components", "factors", "smc"]}, "minItems": 1, "uniqueItems": true, "default": ["factors", "components"],
				"description": "eigenvalues compared: of the correlations (components), or with communalities of a one-factor solution (factors) or squared multiple correlations (smc) in the diagonal"},
			"reference": {"enum": ["normal", "permuted"], "default": "normal",
				"description": "simulated items: independent normal ones with Pearson correlations, or the items with their answers shuffled, correlated as the answers are"},
			"iterations": {"type": "integer", "minimum": 1, "maximum": 100000, "default": 100, "description": "simulated data sets"},
			"percentile": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1, "default": 0.95, "description": "share of simulated eigenvalues that one must exceed"},
			` + correlationSchema + `}}`,
		Open: openParallel,
	}
}

type parallelParams struct {
	Items      []string      `json:"items"`
	GroupBy    []string      `json:"group_by"`
	Kinds      []scale.Roots `json:"kinds"`
	Reference  string        `json:"reference"`
	Iterations int           `json:"iterations"`
	Percentile float64       `json:"percentile"`
	correlating
}

type parallelTask struct {
	parallelParams
	*answers
}

func openParallel(o sdk.Opening) (sdk.Task, error) {
	t := &parallelTask{}
	err := o.Decode(&t.parallelParams)
	if err != nil {
		return nil, err
	}
	if t.answers, err = newAnswers(o, t.Items, t.GroupBy); err != nil {
		return nil, err
	}
	if err := declare(o, "eigenvalues", t.keys, eigenvalueColumns()); err != nil {
		return nil, err
	}
	return t, declare(o, "suggested", t.keys, suggestedColumns())
}

func (t *parallelTask) Process(_ string, in *sdk.Batch, _ *sdk.Outputs) error { return t.take(in) }

func (t *parallelTask) Finish(out *sdk.Outputs) error {
	if err := t.empty(); err != nil {
		return err
	}
	for g := range t.groups {
		o := scale.ParallelOptions{Reference: scale.Reference(t.Reference), Iterations: t.Iterations, Percentile: t.Percentile,
			Correlation: t.options(), Rand: t.opening.Rand(uint64(g))}
		results, c, err := scale.ParallelAnalysis(t.groups[g].of(t.items), o, t.Kinds...)
		if err != nil {
			t.log(g, err.Error())
			for _, kind := range t.Kinds {
				t.row(out, "suggested", g).text("kind", string(kind)).null("suggested", "rows", "items").
					count("iterations", t.Iterations).number("percentile", t.Percentile, true).text("note", err.Error())
			}
			continue
		}
		t.log(g, c.Notes()...)
		for _, p := range results {
			t.write(out, g, p, c)
		}
	}
	return nil
}

func (t *parallelTask) write(out *sdk.Outputs, g int, p scale.Parallel, c *scale.Correlation) {
	notes := c.Notes()
	if p.Retain == 0 {
		notes = append(notes, fmt.Sprintf("no eigenvalue is above the %g percentile of simulated ones: the items may have nothing in common", t.Percentile))
	}
	for i, v := range p.Observed {
		t.row(out, "eigenvalues", g).text("kind", string(p.Roots)).count("number", i+1).number("eigenvalue", v, true).
			number("simulated_mean", p.Mean[i], true).number("simulated_percentile", p.Percentile[i], true).truth("retained", i < p.Retain).text("note", "")
	}
	t.row(out, "suggested", g).text("kind", string(p.Roots)).count("suggested", p.Retain).count("rows", c.Rows).count("items", len(c.Names)).
		count("iterations", t.Iterations).number("percentile", t.Percentile, true).text("note", joined(notes))
}
