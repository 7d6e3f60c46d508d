package main

import (
	"fmt"
	"math"
	"path"
	"slices"
	"strings"

	"github.com/seed-4012077a/flow/plugins/internal/group"
	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/scale"
)

const itemsSchema = `"items": {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1,
	"description": "item columns, numbers; * stands for any text, as \"phq*\""}`

const groupSchema = `"group_by": {"type": "array", "items": {"type": "string"}, "default": [],
	"description": "columns whose every combination is analysed apart"}`

const correlationSchema = `"method": {"enum": ["polychoric", "pearson", "spearman"], "default": "polychoric",
		"description": "kind of correlation: polychoric for ordered answers (tetrachoric where there are two), by two-step maximum likelihood"},
	"rows": {"enum": ["pairwise", "complete"], "default": "pairwise",
		"description": "pairwise: each pair uses the rows that answer both; complete: only rows that answer every item"},
	"thresholds": {"enum": ["item", "pair"], "default": "item",
		"description": "thresholds of polychoric correlations from all answers of an item (psych's global=TRUE), or from each pair's rows (global=FALSE, which psych takes where items differ in their number of categories)"},
	"correct": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.5,
		"description": "count in place of an empty cell; as in psych with thresholds by pair, else only where a pair's likelihood has no maximum without it; 0: none"},
	"max_categories": {"type": "integer", "minimum": 2, "maximum": 100, "default": 12,
		"description": "most different answers an item may have for polychoric correlations"},
	"smooth": {"type": "boolean", "default": true,
		"description": "make a matrix that is not positive definite so, with a note (psych's cor.smooth)"}`

// correlating are the parameters of correlationSchema.
type correlating struct {
	Method        string  `json:"method"`
	Rows          string  `json:"rows"`
	Thresholds    string  `json:"thresholds"`
	Correct       float64 `json:"correct"`
	MaxCategories int     `json:"max_categories"`
	Smooth        bool    `json:"smooth"`
}

func (c correlating) options() scale.CorrelationOptions {
	return scale.CorrelationOptions{Method: scale.Method(c.Method), Complete: c.Rows == "complete", PairThresholds: c.Thresholds == "pair",
		Correct: c.Correct, MaxCategories: c.MaxCategories, Smooth: c.Smooth}
}

// answers collects item columns by group.
type answers struct {
	opening sdk.Opening
	items   []string
	keys    *group.Keys
	by      []string
	groups  []*collected
	rows    int
}

// collected is one group's answers by item, NaN where there is none.
type collected struct {
	columns [][]float64
	label   string // for the log
}

func (c *collected) of(items []string) *scale.Items {
	return &scale.Items{Names: items, Columns: c.columns}
}

// newAnswers resolves the item columns (of parameter "items") and the groups.
func newAnswers(o sdk.Opening, items, groupBy []string) (*answers, error) {
	names, err := resolve(o.Input("answers"), "items", items)
	if err != nil {
		return nil, err
	}
	if len(names) < 2 {
		return nil, sdk.ParamError("items", "only column %q: at least two items are needed", names[0])
	}
	return answersOf(o, names, groupBy)
}

func answersOf(o sdk.Opening, items, groupBy []string) (*answers, error) {
	keys, err := group.New(o.Input("answers"), "group_by", groupBy)
	if err != nil {
		return nil, err
	}
	for _, g := range groupBy {
		if slices.Contains(items, g) {
			return nil, sdk.ParamError("group_by", "column %q is an item too", g)
		}
	}
	return &answers{opening: o, items: items, keys: keys, by: groupBy}, nil
}

// resolve returns the columns that patterns name, in the order of the patterns
// and of the table within one.
func resolve(in sdk.Schema, parameter string, patterns []string) ([]string, error) {
	literal := strings.NewReplacer("?", `\?`, "[", `\[`, `\`, `\\`, "/", "\x00")
	var out []string
	for i, pattern := range patterns {
		at := fmt.Sprintf("%s[%d]", parameter, i)
		found := false
		for _, f := range in.Fields {
			// Only * is special, and only columns of numbers are found by it.
			match := f.Name == pattern
			if !match && strings.Contains(pattern, "*") {
				ok, err := path.Match(literal.Replace(pattern), strings.ReplaceAll(f.Name, "/", "\x00"))
				match = err == nil && ok && f.Type.IsNumber()
			}
			if !match {
				continue
			}
			found = true
			if !f.Type.IsNumber() {
				return nil, sdk.ColumnError(f.Name, "is %s, and an item is a number; code its answers as 1, 2, 3 ...", f.Type)
			}
			if slices.Contains(out, f.Name) {
				if f.Name == pattern {
					return nil, sdk.ParamError(at, "column %q is named twice", f.Name)
				}
				continue
			}
			out = append(out, f.Name)
		}
		if !found {
			return nil, sdk.ParamError(at, "no column %q; the input has %s", pattern, strings.Join(in.Names(), ", "))
		}
	}
	return out, nil
}

// take reads a batch.
func (a *answers) take(in *sdk.Batch) error {
	of := a.keys.Rows(in)
	columns := make([]*sdk.Column, len(a.items))
	for j, name := range a.items {
		columns[j] = in.Col(name)
	}
	for i := range in.Len() {
		g := of(i)
		if g == len(a.groups) {
			a.groups = append(a.groups, &collected{columns: make([][]float64, len(a.items)), label: a.label(in, i)})
		}
		for j, c := range columns {
			v := math.NaN()
			if !c.IsNull(i) {
				v = c.Float(i)
				if math.IsNaN(v) || math.IsInf(v, 0) {
					return sdk.ColumnError(a.items[j], "row %d holds %g, which is no answer; make it null", a.rows+i, v)
				}
			}
			a.groups[g].columns[j] = append(a.groups[g].columns[j], v)
		}
	}
	a.rows += in.Len()
	return nil
}

// label names a row's group for the log.
func (a *answers) label(in *sdk.Batch, i int) string {
	var parts []string
	for _, name := range a.by {
		text, ok := group.Text(in.Col(name), i)
		if !ok {
			text = "null"
		}
		parts = append(parts, name+" "+text)
	}
	return strings.Join(parts, ", ")
}

// log writes notes, with the group they are about.
func (a *answers) log(g int, notes ...string) {
	for _, n := range notes {
		if label := a.groups[g].label; label != "" {
			n = label + ": " + n
		}
		a.opening.Log("warning: %s", n)
	}
}

func (a *answers) empty() error {
	if a.rows == 0 {
		return sdk.Errorf("the answers table has no rows")
	}
	return nil
}
