package main

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-4012077a/flow/plugins/internal/group"
	"github.com/seed-4012077a/flow/plugins/internal/result"
	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"github.com/seed-4012077a/flow/sdk/stats/ranking"
	"gonum.org/v1/gonum/mat"
)

func bradleyTerryOperator() sdk.Operator {
	return sdk.Operator{
		Name: "bradley_terry", Kind: sdk.Table,
		Doc: `The worth of items from paired comparisons, by the Bradley-Terry model, with ties by Davidson's (1970). The winner is a column of names (winner), or a score of the first (score: 1 it won, 0 it lost, 0.5 a tie).
With a table of items and covariates, log-worths are linear in these columns.`,
		Inputs: []sdk.Port{
			{Name: "items", Optional: true, Doc: "a row an item, with its covariates"},
			{Name: "comparisons", Doc: "a row a comparison"}},
		Outputs: outputs(),
		Params: `{"type": "object", "additionalProperties": false, "required": ["first", "second"], "properties": {
			"first": {"type": "string", "minLength": 1, "description": "column of the item shown first"},
			"second": {"type": "string", "minLength": 1, "description": "column of the other"},
			"winner": {"type": "string", "default": "", "description": "column of the winner's name"},
			"tie": {"type": "string", "default": "tie", "description": "what the column winner says of a tie"},
			"score": {"type": "string", "default": "", "description": "column of the first's score: 1, 0 or 0.5"},
			"order": {"type": "boolean", "default": false, "description": "an advantage of the item shown first"},
			"item": {"type": "string", "default": "item", "description": "column of the name in the table of items"},
			"covariates": {"type": "array", "items": {"type": "string"}, "default": [], "description": "columns of the table of items"},` + commonSchema + `}}`,
		Open: openBradleyTerry,
	}
}

type bradleyTerryParams struct {
	common
	First      string   `json:"first"`
	Second     string   `json:"second"`
	Winner     string   `json:"winner"`
	Tie        string   `json:"tie"`
	Score      string   `json:"score"`
	Order      bool     `json:"order"`
	Item       string   `json:"item"`
	Covariates []string `json:"covariates"`
}

// bout is a comparison as it was read.
type bout struct {
	first, second string
	outcome       ranking.Outcome
	weight        float64
}

type bouts struct {
	all     []bout
	dropped int
}

type bradleyTerry struct {
	opening sdk.Opening
	p       bradleyTerryParams
	keys    *group.Keys
	groups  []*bouts
	known   map[string][]float64 // covariates by item
	names   map[string]string    // one copy of each name
}

func openBradleyTerry(o sdk.Opening) (sdk.Task, error) {
	t := &bradleyTerry{opening: o, known: map[string][]float64{}, names: map[string]string{}}
	if err := o.Decode(&t.p); err != nil {
		return nil, err
	}
	in := o.Input("comparisons")
	for _, c := range [][2]string{{"first", t.p.First}, {"second", t.p.Second}} {
		if err := single(in, c[0], c[1]); err != nil {
			return nil, err
		}
	}
	var err error
	switch {
	case (t.p.Winner == "") == (t.p.Score == ""):
		return nil, sdk.ParamError("winner", "say either winner (a column of names) or score (a column of 1, 0 and 0.5)")
	case t.p.Winner != "":
		err = single(in, "winner", t.p.Winner)
	default:
		err = result.Numeric(in, "score", t.p.Score)
	}
	if err == nil && t.p.Weight != "" {
		err = result.Numeric(in, "weight", t.p.Weight)
	}
	if err != nil {
		return nil, err
	}
	if o.Connected("items") != (len(t.p.Covariates) > 0) {
		return nil, sdk.ParamError("covariates", "covariates are columns of the input items: name them and connect it, or neither")
	}
	if len(t.p.Covariates) > 0 {
		if err := single(o.Input("items"), "item", t.p.Item); err != nil {
			return nil, err
		}
		for i, name := range t.p.Covariates {
			if err := result.Numeric(o.Input("items"), fmt.Sprintf("covariates[%d]", i), name); err != nil {
				return nil, err
			}
		}
	}
	if t.keys, err = group.New(in, "group_by", t.p.GroupBy); err != nil {
		return nil, err
	}
	return t, declare(o, t.keys)
}

func (t *bradleyTerry) Process(port string, in *sdk.Batch, _ *sdk.Outputs) error {
	if port == "items" {
		return t.items(in)
	}
	of := t.keys.Rows(in)
	for i := range in.Len() {
		g := of(i)
		if g == len(t.groups) {
			t.groups = append(t.groups, &bouts{})
		}
		b, ok, err := t.bout(in, i)
		if err != nil {
			return err
		}
		if !ok {
			t.groups[g].dropped++
			continue
		}
		t.groups[g].all = append(t.groups[g].all, b)
	}
	return nil
}

// items takes the covariates.
func (t *bradleyTerry) items(in *sdk.Batch) error {
	for i := range in.Len() {
		name, ok := t.name(in.Col(t.p.Item), i)
		if !ok {
			continue
		}
		if _, twice := t.known[name]; twice {
			return sdk.ColumnError(t.p.Item, "item %q has two rows", name)
		}
		var v []float64
		for _, c := range t.p.Covariates {
			v = append(v, number(in.Col(c), i))
		}
		t.known[name] = v
	}
	return nil
}

// name is a value as a name that outlives the batch.
func (t *bradleyTerry) name(c *sdk.Column, i int) (string, bool) {
	s, ok := group.Text(c, i)
	if !ok {
		return "", false
	}
	if kept, seen := t.names[s]; seen {
		return kept, true
	}
	kept := string(append([]byte(nil), s...))
	t.names[kept] = kept
	return kept, true
}

// bout reads a row; ok is false where something of it is missing.
func (t *bradleyTerry) bout(in *sdk.Batch, i int) (b bout, ok bool, err error) {
	var both [2]bool
	b.first, both[0] = t.name(in.Col(t.p.First), i)
	b.second, both[1] = t.name(in.Col(t.p.Second), i)
	b.weight = 1
	if t.p.Weight != "" {
		b.weight = number(in.Col(t.p.Weight), i)
		if b.weight < 0 || math.IsInf(b.weight, 1) {
			return b, false, sdk.ColumnError(t.p.Weight, "the weight %v is not a number of times", b.weight)
		}
	}
	if !both[0] || !both[1] || !(b.weight > 0) {
		return b, false, nil
	}
	if t.p.Score != "" {
		switch score := number(in.Col(t.p.Score), i); {
		case math.IsNaN(score):
			return b, false, nil
		case score == 1:
			b.outcome = ranking.FirstWins
		case score == 0:
			b.outcome = ranking.SecondWins
		case score == 0.5:
			b.outcome = ranking.Tie
		default:
			return b, false, sdk.ColumnError(t.p.Score, "the score %v is not 1 (the first won), 0 (the second) or 0.5 (a tie)", score)
		}
		return b, true, nil
	}
	winner, ok := group.Text(in.Col(t.p.Winner), i)
	switch {
	case !ok:
		return b, false, nil
	case winner == b.first:
		b.outcome = ranking.FirstWins
	case winner == b.second:
		b.outcome = ranking.SecondWins
	case winner == t.p.Tie:
		b.outcome = ranking.Tie
	default:
		return b, false, sdk.ColumnError(t.p.Winner, "the winner %q is neither %q nor %q, nor %q (a tie)", winner, b.first, b.second, t.p.Tie)
	}
	return b, true, nil
}

func (t *bradleyTerry) Finish(out *sdk.Outputs) error {
	if len(t.groups) == 0 {
		return sdk.Errorf("the input has no rows")
	}
	for g, b := range t.groups {
		t.p.write(t.opening, out, t.keys, g, t.fit(b))
	}
	return nil
}

func (t *bradleyTerry) fit(b *bouts) outcome {
	r := outcome{method: "Bradley-Terry", n: len(b.all), dropped: b.dropped}
	at := map[string]int{}
	for _, x := range b.all {
		for _, item := range []string{x.first, x.second} {
			if _, ok := at[item]; !ok {
				at[item] = 0
				r.items = append(r.items, item)
			}
		}
		if x.outcome == ranking.Tie {
			r.method = "Davidson"
		}
	}
	slices.Sort(r.items)
	for i, item := range r.items {
		at[item] = i
	}
	r.seen = make([]int, len(r.items))
	var comparisons []ranking.Comparison
	for _, x := range b.all {
		r.seen[at[x.first]]++
		r.seen[at[x.second]]++
		comparisons = append(comparisons, ranking.Comparison{First: at[x.first], Second: at[x.second], Outcome: x.outcome, Weight: x.weight})
	}
	o, err := t.p.options(r.items)
	o.Order = t.p.Order
	if err == nil && len(t.p.Covariates) > 0 {
		o.Covariates, err = t.covariates(r.items)
		o.CovariateNames = t.p.Covariates
		r.method += " with covariates"
	}
	if err == nil {
		r.model, err = ranking.Compare(r.items, comparisons, o)
	}
	r.err = err
	return r
}

// covariates are the items' rows of the table of items.
func (t *bradleyTerry) covariates(items []string) (*mat.Dense, error) {
	out := mat.NewDense(max(1, len(items)), len(t.p.Covariates), nil)
	for i, item := range items {
		v, ok := t.known[item]
		if !ok {
			return nil, fmt.Errorf("the table of items has no row for %q: %s", item, frame.Choices(item, sorted(t.known)))
		}
		for j, x := range v {
			if math.IsNaN(x) {
				return nil, fmt.Errorf("item %q has no %s", item, t.p.Covariates[j])
			}
			out.Set(i, j, x)
		}
	}
	return out, nil
}

func sorted(m map[string][]float64) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
