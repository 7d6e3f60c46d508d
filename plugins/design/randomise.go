package main

import (
	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/design"
)

// factorSchema is the JSON Schema of a list of factors.
const factorSchema = `"type": "array", "items": {"type": "object", "additionalProperties": false, "required": ["name", "levels"], "properties": {
	"name": {"type": "string", "minLength": 1, "description": "column"},
	"levels": {"type": "array", "minItems": 1, "items": {"type": ["string", "number"]}, "description": "levels; where all are numbers so is the column"},
	"ratio": {"type": "array", "items": {"type": "integer", "minimum": 1}, "description": "how often each level occurs, relative to the others; left out: equally"}}}`

func randomiseOperator() sdk.Operator {
	return sdk.Operator{
		Name: "randomise", Kind: sdk.Source,
		Doc: `Randomisation list in permuted blocks, apart for every stratum.
A block holds every arm (combination of the factors' levels) in its ratio, in random order; blocks are multiples of the smallest one, drawn from blocks, and 0 alone means simple randomisation without blocks. The last block is completed, so a list may be longer than n. The same seed gives the same list, and a stratum added at the end leaves the lists before it as they are.`,
		Outputs: []sdk.Port{{Name: "list", Doc: "one row an assignment, in order", Columns: []sdk.ColumnSpec{
			{Name: "stratum", Type: "int64", Doc: "number of the stratum, from 1"}, {Name: "place", Type: "int64", Doc: "within the stratum, from 1"},
			{Name: "block", Type: "int64", Doc: "within the stratum, from 1; null without blocks"}}}},
		Params: `{"type": "object", "additionalProperties": false, "required": ["factors", "n"], "properties": {
			"factors": {"description": "what is assigned", "minItems": 1, ` + factorSchema + `},
			"strata": {"description": "what the list is made apart for", "default": [], ` + factorSchema + `},
			"blocks": {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1, "default": [1], "description": "sizes of blocks, in multiples of the smallest that holds all arms; with several, each block's is drawn; [0]: none"},
			"n": {"type": "integer", "minimum": 1, "description": "places in each stratum's list"}}}`,
		Open: openRandomise,
	}
}

type randomise struct {
	sdk.NoProcess
	list  design.List
	seed  uint64
	done  []design.Assignment
	drawn bool
}

func openRandomise(o sdk.Opening) (sdk.Task, error) {
	var p struct {
		Factors []design.Factor `json:"factors"`
		Strata  []design.Factor `json:"strata"`
		Blocks  []int           `json:"blocks"`
		N       int             `json:"n"`
	}
	if err := o.Decode(&p); err != nil {
		return nil, err
	}
	t := &randomise{list: design.List{Factors: p.Factors, Strata: p.Strata, Blocks: p.Blocks, N: p.N}, seed: o.Seed()}
	small := t.list
	small.N = 1
	if _, err := small.Make(0); err != nil { // a list of one place has the same mistakes
		return nil, sdk.Errorf("%v", err)
	}
	fields := []sdk.Field{{Name: "stratum", Type: sdk.Int64}, {Name: "place", Type: sdk.Int64}, {Name: "block", Type: sdk.Int64, Nullable: true}}
	for _, f := range append(append([]design.Factor(nil), p.Strata...), p.Factors...) {
		typ := sdk.Utf8
		if _, numeric := f.Numbers(); numeric {
			typ = sdk.Float64
		}
		for _, g := range fields {
			if g.Name == f.Name {
				return nil, sdk.ParamError("factors", "%q is the name of two columns", f.Name)
			}
		}
		fields = append(fields, sdk.Field{Name: f.Name, Type: typ})
	}
	o.Output("list", sdk.Schema{Fields: fields})
	return t, nil
}

func (t *randomise) Next(out *sdk.Outputs) (bool, error) {
	if !t.drawn {
		list, err := t.list.Make(t.seed)
		if err != nil {
			return false, sdk.Errorf("%v", err)
		}
		t.done, t.drawn = list, true
	}
	rows := out.Port("list")
	n := min(len(t.done), 8192)
	for _, a := range t.done[:n] {
		rows.Col("stratum").Int(int64(a.Stratum) + 1)
		rows.Col("place").Int(int64(a.Place))
		if a.Block == 0 {
			rows.Col("block").Null()
		} else {
			rows.Col("block").Int(int64(a.Block))
		}
		levels, err := t.list.StratumLevels(a.Stratum)
		if err != nil {
			return false, sdk.Errorf("%v", err)
		}
		for i, f := range t.list.Strata {
			level(rows.Col(f.Name), f, levels[i])
		}
		for i, f := range t.list.Factors {
			level(rows.Col(f.Name), f, a.Levels[i])
		}
	}
	t.done = t.done[n:]
	return len(t.done) > 0, nil
}

func level(b *sdk.Builder, f design.Factor, at int) {
	if v, numeric := f.Numbers(); numeric {
		b.Float(v[at])
		return
	}
	b.Str(f.Levels[at])
}
