package main

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-4012077a/flow/plugins/internal/group"
	"github.com/seed-4012077a/flow/plugins/internal/result"
	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/ranking"
)

func plackettLuceOperator() sdk.Operator {
	return sdk.Operator{
		Name: "plackett_luce", Kind: sdk.Table,
		Doc: `The worth of items from rankings, by the Plackett-Luce model: the best is chosen from all in proportion to worth, the next from the rest, and so on. Rankings may be of some items only, and have ties (Turner, van Etten, Firth and Kosmidis 2020).
Rankings are rows with a column an item (items), or rows of a ranking, an item and its rank (ranking, item, rank). An item without a rank was not among the alternatives.`,
		Inputs:  []sdk.Port{{Name: "rankings"}},
		Outputs: outputs(),
		Params: `{"type": "object", "additionalProperties": false, "properties": {
			"items": {"type": "array", "items": {"type": "string"}, "default": [], "description": "columns, one an item: its rank in the row's ranking, 1 the best, equal ranks tied, null or 0 not ranked"},
			"ranking": {"type": "string", "default": "", "description": "long form: column that tells rankings apart"},
			"item": {"type": "string", "default": "", "description": "long form: column of the item's name"},
			"rank": {"type": "string", "default": "", "description": "long form: column of its rank"},` + commonSchema + `}}`,
		Open: openPlackettLuce,
	}
}

type plackettLuceParams struct {
	common
	Items   []string `json:"items"`
	Ranking string   `json:"ranking"`
	Item    string   `json:"item"`
	Rank    string   `json:"rank"`
}

// sheet is one ranking as it was read.
type sheet struct {
	items  []string
	ranks  []float64
	weight float64
}

type plackettLuce struct {
	opening sdk.Opening
	p       plackettLuceParams
	keys    *group.Keys
	groups  []*sheets
}

// sheets are a group's rankings.
type sheets struct {
	all     []*sheet
	at      map[string]*sheet // long form: by ranking
	dropped int
}

func openPlackettLuce(o sdk.Opening) (sdk.Task, error) {
	t := &plackettLuce{opening: o}
	if err := o.Decode(&t.p); err != nil {
		return nil, err
	}
	in := o.Input("rankings")
	long := t.p.Ranking != "" || t.p.Item != "" || t.p.Rank != ""
	switch {
	case long == (len(t.p.Items) > 0):
		return nil, sdk.ParamError("items", "say either items (columns of ranks), or ranking, item and rank")
	case long:
		for _, c := range [][2]string{{"ranking", t.p.Ranking}, {"item", t.p.Item}, {"rank", t.p.Rank}} {
			if c[1] == "" {
				return nil, sdk.ParamError(c[0], "rows of single items need ranking, item and rank")
			}
		}
		for _, c := range [][2]string{{"ranking", t.p.Ranking}, {"item", t.p.Item}} {
			if err := single(in, c[0], c[1]); err != nil {
				return nil, err
			}
		}
		if err := result.Numeric(in, "rank", t.p.Rank); err != nil {
			return nil, err
		}
	default:
		for i, name := range t.p.Items {
			if err := result.Numeric(in, fmt.Sprintf("items[%d]", i), name); err != nil {
				return nil, err
			}
			if slices.Contains(t.p.Items[:i], name) {
				return nil, sdk.ParamError("items", "column %q is named twice", name)
			}
		}
	}
	if t.p.Weight != "" {
		if err := result.Numeric(in, "weight", t.p.Weight); err != nil {
			return nil, err
		}
	}
	var err error
	if t.keys, err = group.New(in, "group_by", t.p.GroupBy); err != nil {
		return nil, err
	}
	return t, declare(o, t.keys)
}

// single is a column of single values, whatever they are.
func single(in sdk.Schema, parameter, name string) error {
	f, err := result.Need(in, parameter, name)
	if err == nil && !group.Single(f.Type) {
		return sdk.ParamError(parameter, "column %q is %s: numbers, strings and booleans can be names", name, f.Type)
	}
	return err
}

// number is a numeric column's value, NaN where it is null.
func number(c *sdk.Column, i int) float64 {
	switch {
	case c.IsNull(i):
		return math.NaN()
	case c.Type().Equal(sdk.Bool):
		if c.Bool(i) {
			return 1
		}
		return 0
	}
	return c.Float(i)
}

func (t *plackettLuce) Process(_ string, in *sdk.Batch, _ *sdk.Outputs) error {
	of := t.keys.Rows(in)
	for i := range in.Len() {
		g := of(i)
		if g == len(t.groups) {
			t.groups = append(t.groups, &sheets{at: map[string]*sheet{}})
		}
		weight := 1.0
		if t.p.Weight != "" {
			if weight = number(in.Col(t.p.Weight), i); !(weight > 0) || math.IsInf(weight, 1) {
				if weight < 0 || math.IsInf(weight, 1) {
					return sdk.ColumnError(t.p.Weight, "the weight %v is not a number of times", weight)
				}
				t.groups[g].dropped++ // missing, or seen 0 times
				continue
			}
		}
		if len(t.p.Items) == 0 {
			if err := t.groups[g].long(t.p, in, i, weight); err != nil {
				return err
			}
			continue
		}
		s := &sheet{items: t.p.Items, weight: weight}
		for _, name := range t.p.Items {
			s.ranks = append(s.ranks, number(in.Col(name), i))
		}
		t.groups[g].all = append(t.groups[g].all, s)
	}
	return nil
}

// long takes a row of a ranking, an item and a rank.
func (s *sheets) long(p plackettLuceParams, in *sdk.Batch, i int, weight float64) error {
	id, ok := group.Text(in.Col(p.Ranking), i)
	item, named := group.Text(in.Col(p.Item), i)
	rank := number(in.Col(p.Rank), i)
	if !ok || !named || math.IsNaN(rank) {
		s.dropped++
		return nil
	}
	r := s.at[id]
	if r == nil {
		id, r = string(append([]byte(nil), id...)), &sheet{weight: weight} // the batch's memory is its own
		s.at[id] = r
		s.all = append(s.all, r)
	}
	if r.weight != weight {
		return sdk.ColumnError(p.Weight, "ranking %q has rows with the weights %v and %v; a ranking has one", id, r.weight, weight)
	}
	if slices.Contains(r.items, item) {
		return sdk.ColumnError(p.Item, "ranking %q has item %q twice", id, item)
	}
	r.items, r.ranks = append(r.items, string(append([]byte(nil), item...))), append(r.ranks, rank)
	return nil
}

func (t *plackettLuce) Finish(out *sdk.Outputs) error {
	if len(t.groups) == 0 {
		return sdk.Errorf("the input has no rows")
	}
	for g, s := range t.groups {
		t.p.write(t.opening, out, t.keys, g, t.fit(s))
	}
	return nil
}

func (t *plackettLuce) fit(s *sheets) outcome {
	r := outcome{method: "Plackett-Luce", dropped: s.dropped}
	at := map[string]int{}
	for _, one := range s.all {
		for k, item := range one.items {
			if _, ok := at[item]; !ok && !math.IsNaN(one.ranks[k]) && one.ranks[k] != 0 {
				at[item] = 0
				r.items = append(r.items, item)
			}
		}
	}
	slices.Sort(r.items)
	for i, item := range r.items {
		at[item] = i
	}
	r.seen = make([]int, len(r.items))
	var rankings []ranking.Ranking
	for k, one := range s.all {
		ranks := make([]float64, len(r.items))
		n := 0
		for j, item := range one.items {
			if v := one.ranks[j]; !math.IsNaN(v) && v != 0 {
				ranks[at[item]] = v
				n++
			}
		}
		if n < 2 { // one item alone says nothing
			r.dropped++
			continue
		}
		for i, v := range ranks {
			if v != 0 {
				r.seen[i]++
			}
		}
		q, err := ranking.FromRanks(ranks)
		if err != nil {
			r.err = fmt.Errorf("ranking %d: %w", k+1, err)
			return r
		}
		q.Weight = one.weight
		rankings = append(rankings, q)
	}
	r.n = len(rankings)
	o, err := t.p.options(r.items)
	if err == nil {
		r.model, err = ranking.Rank(r.items, rankings, o)
	}
	r.err = err
	return r
}
