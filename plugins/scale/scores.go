package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-4012077a/flow/plugins/internal/group"
	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/scale"
)

func weightColumns() []column {
	return []column{
		{"item", "utf8", "", true}, {"factor", "utf8", "", true}, {"weight", "float64", "of the standardised answer", false}, {"loading", "float64", "", false},
		{"mean", "float64", "of the item on the baseline", false}, {"sd", "float64", "", false}, {"note", "utf8", "", false}}
}

func scoredColumns() []column {
	return []column{
		{"factor", "utf8", "", true}, {"r_squared", "float64", "squared correlation of score and factor under the model", false}, {"ss_loadings", "float64", "", false},
		{"mean", "float64", "of the scores on the baseline, before standardising", false}, {"sd", "float64", "", false},
		{"n_baseline", "int64", "", true}, {"note", "utf8", "", false}}
}

func scoresOperator() sdk.Operator {
	return sdk.Operator{
		Name: "scores", Kind: sdk.Table,
		Doc: `Factor scores of every row, with loadings, weights and standardisation estimated on the baseline rows alone, so that scores of later times are on the baseline's scale.
scores: the input's rows with a column for each factor. weights: what was applied. factors: how well scores determine factors. With defaults they are R's psych::factor.scores(scale(baseline), fa(polychoric(baseline)), method = "Thurstone").`,
		Inputs: []sdk.Port{answersPort(sdk.ColumnSpec{Name: "{baseline_column}", Type: "any", Optional: true})},
		Outputs: []sdk.Port{
			{Name: "scores", Doc: "the input's rows, each with a column for each factor", Columns: []sdk.ColumnSpec{
				{Name: "n_missing", Type: "int64", Doc: "items without an answer"}, {Name: "note", Type: "utf8"}}},
			port("weights", "one row an item and factor", weightColumns()), port("factors", "one row a factor", scoredColumns())},
		Params: `{"type": "object", "additionalProperties": false, "required": ["items", "factors"], "properties": {` + itemsSchema + "," + factoringSchema + `,
			"baseline_column": {"type": "string", "default": "", "description": "column that tells baseline rows, as the wave; empty: all rows are baseline"},
			"baseline_values": {"type": "array", "items": {"type": ["string", "number", "boolean"]}, "default": [], "description": "its values in baseline rows"},
			"later": {"type": "array", "default": [], "description": "where a row has later times beside the baseline, as columns: their items, in the order of items; their scores are named FACTOR_NAME",
				"items": {"type": "object", "additionalProperties": false, "required": ["name", "items"], "properties": {
					"name": {"type": "string", "minLength": 1, "description": "as \"post\""},
					"items": {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1, "description": "as many columns as items has, in the same order; * stands for any text"}}}},
			"score": {"enum": ["thurstone", "bartlett", "tenberge"], "default": "thurstone", "description": "regression scores (Thurstone), Bartlett's, or ten Berge's that keep the factors' correlations"},
			"weights_from": {"enum": ["answers", "factored"], "default": "answers",
				"description": "correlations behind regression weights: Pearson's of the baseline answers that are weighted (psych::factor.scores of data), or those that were factored (psych::fa)"},
			"standardise": {"type": "boolean", "default": false, "description": "divide scores by their standard deviation on the baseline; else only the answers are standardised"},
			"max_missing": {"type": "integer", "minimum": 0, "default": 0, "description": "most items without an answer in a row that still gets a score; each then counts as the baseline mean"},
			` + correlationSchema + `}}`,
		Open: openScores,
	}
}

type scoresParams struct {
	Items          []string `json:"items"`
	BaselineColumn string   `json:"baseline_column"`
	BaselineValues []any    `json:"baseline_values"`
	Later          []later  `json:"later"`
	Score          string   `json:"score"`
	WeightsFrom    string   `json:"weights_from"`
	Standardise    bool     `json:"standardise"`
	MaxMissing     int      `json:"max_missing"`
	factoring
	correlating
}

// later are the items of a further time in the same rows.
type later struct {
	Name  string   `json:"name"`
	Items []string `json:"items"`
}

type scoresTask struct {
	scoresParams
	*answers
	base     []string       // item columns of the baseline; those of later times are read too
	carried  []*sdk.Builder // the input's columns, as they come
	input    []*sdk.Column  // the same, whole
	baseline []int
	seen     []string // values of the baseline column, for an error
}

func openScores(o sdk.Opening) (sdk.Task, error) {
	t := &scoresTask{}
	err := o.Decode(&t.scoresParams)
	if err != nil {
		return nil, err
	}
	if t.answers, err = newAnswers(o, t.Items, nil); err != nil {
		return nil, err
	}
	t.base = t.items
	if err := t.check(len(t.base)); err != nil {
		return nil, err
	}
	in := o.Input("answers")
	if err := t.checkBaseline(in); err != nil {
		return nil, err
	}
	if err := t.addLater(in); err != nil {
		return nil, err
	}
	if t.MaxMissing >= len(t.base) {
		return nil, sdk.ParamError("max_missing", "%d missing answers of %d items leave nothing to score; at most %d", t.MaxMissing, len(t.base), len(t.base)-1)
	}
	own := t.scoreFields()
	for i, f := range own {
		if in.Index(f.Name) >= 0 {
			return nil, sdk.ParamError("names", "the input has a column %q already; name the factors otherwise or leave it out before", f.Name)
		}
		if slices.ContainsFunc(own[:i], func(o sdk.Field) bool { return o.Name == f.Name }) {
			return nil, sdk.ParamError("names", "two columns of scores would be named %q", f.Name)
		}
	}
	o.Output("scores", in.With(own...))
	for _, f := range in.Fields {
		t.carried = append(t.carried, sdk.NewBuilder(f.Type))
	}
	if err := declare(o, "weights", t.keys, weightColumns()); err != nil {
		return nil, err
	}
	return t, declare(o, "factors", t.keys, scoredColumns())
}

// scoreFields are the columns that rows gain.
func (t *scoresTask) scoreFields() []sdk.Field {
	var out []sdk.Field
	for _, suffix := range t.suffixes() {
		for _, name := range t.Names {
			out = append(out, sdk.Field{Name: name + suffix, Type: sdk.Float64, Nullable: true})
		}
		out = append(out, sdk.Field{Name: "n_missing" + suffix, Type: sdk.Int64})
	}
	return append(out, sdk.Field{Name: "note", Type: sdk.Utf8, Nullable: true})
}

// suffixes tell the times' columns apart: none for the baseline's.
func (t *scoresTask) suffixes() []string {
	out := []string{""}
	for _, l := range t.Later {
		out = append(out, "_"+l.Name)
	}
	return out
}

// addLater resolves the items of later times.
func (t *scoresTask) addLater(in sdk.Schema) error {
	t.items = slices.Clone(t.base)
	for i := range t.Later {
		l, at := &t.Later[i], fmt.Sprintf("later[%d].items", i)
		var err error
		if l.Items, err = resolve(in, at, l.Items); err != nil {
			return err
		}
		if len(l.Items) != len(t.base) {
			return sdk.ParamError(at, "%d columns for the %d items of the baseline: %s", len(l.Items), len(t.base), strings.Join(l.Items, ", "))
		}
		for _, name := range l.Items {
			if !slices.Contains(t.items, name) {
				t.items = append(t.items, name)
			}
		}
	}
	return nil
}

func (t *scoresTask) checkBaseline(in sdk.Schema) error {
	switch {
	case t.BaselineColumn == "" && len(t.BaselineValues) > 0:
		return sdk.ParamError("baseline_column", "baseline_values need the column that has them; the input has %s", strings.Join(in.Names(), ", "))
	case t.BaselineColumn == "":
		return nil
	case len(t.BaselineValues) == 0:
		return sdk.ParamError("baseline_values", "which values of column %q are the baseline?", t.BaselineColumn)
	}
	f, ok := in.Field(t.BaselineColumn)
	if !ok {
		return sdk.ParamError("baseline_column", "there is no column %q; the input has %s", t.BaselineColumn, strings.Join(in.Names(), ", "))
	}
	if !group.Single(f.Type) {
		return sdk.ParamError("baseline_column", "column %q is %s; single values are needed", f.Name, f.Type)
	}
	return nil
}

func (t *scoresTask) Process(_ string, in *sdk.Batch, _ *sdk.Outputs) error {
	first := t.rows
	if err := t.take(in); err != nil {
		return err
	}
	for c, b := range t.carried {
		for i := range in.Len() {
			b.Copy(in.ColAt(c), i)
		}
	}
	for i := range in.Len() {
		if t.BaselineColumn == "" || t.isBaseline(in.Col(t.BaselineColumn), i) {
			t.baseline = append(t.baseline, first+i)
		}
	}
	return nil
}

func (t *scoresTask) isBaseline(col *sdk.Column, i int) bool {
	text, ok := group.Text(col, i)
	if !ok {
		return false
	}
	if !slices.Contains(t.seen, text) && len(t.seen) < 20 {
		t.seen = append(t.seen, strings.Clone(text))
	}
	for _, v := range t.BaselineValues {
		switch v := v.(type) {
		case float64:
			if col.Type().IsNumber() && col.Float(i) == v || text == strconv.FormatFloat(v, 'f', -1, 64) {
				return true
			}
		default:
			if fmt.Sprint(v) == text {
				return true
			}
		}
	}
	return false
}

func (t *scoresTask) Finish(out *sdk.Outputs) error {
	if err := t.empty(); err != nil {
		return err
	}
	if len(t.baseline) == 0 {
		return sdk.ParamError("baseline_values", "no row has one of them in column %q; it has %s", t.BaselineColumn, strings.Join(t.seen, ", "))
	}
	for _, b := range t.carried {
		t.input = append(t.input, b.Column())
	}
	times, err := t.times()
	if err != nil {
		return err
	}
	baseline := times[0].Select(t.baseline)
	s, c, err := t.factor(baseline, t.correlating, 0, t.opening, 0)
	var sc *scale.Scorer
	if err == nil {
		// Excluded items do not count as missing, and are not scored.
		sc, err = s.Scorer(baseline, scale.ScoreOptions{Method: scale.ScoreMethod(t.Score), Factored: t.WeightsFrom == "factored",
			Standardise: t.Standardise, MaxMissing: min(t.MaxMissing, len(s.Names)-1)})
	}
	if err != nil {
		t.log(0, err.Error())
		t.failed(out, times, err.Error())
		return nil
	}
	t.log(0, append(slices.Clone(s.Notes), sc.Notes...)...)
	if err := t.scores(out, times, sc); err != nil {
		return err
	}
	t.weights(out, s, c, sc)
	return t.factorsOf(out, baseline, s, sc)
}

// times are the answers of the baseline's columns and of each later time's,
// all under the baseline's names.
func (t *scoresTask) times() ([]*scale.Items, error) {
	all := t.groups[0].of(t.items)
	first, err := all.Pick(t.base)
	if err != nil {
		return nil, err
	}
	out := []*scale.Items{first}
	for _, l := range t.Later {
		next, err := all.Pick(l.Items)
		if err != nil {
			return nil, err
		}
		out = append(out, &scale.Items{Names: t.base, Columns: next.Columns})
	}
	return out, nil
}

// scored is one time's scores and missing answers by row.
type scored struct {
	scores  [][]float64
	missing []int
}

func (t *scoresTask) scores(out *sdk.Outputs, times []*scale.Items, sc *scale.Scorer) error {
	var all []scored
	for _, items := range times {
		used, err := items.Pick(sc.Names)
		if err != nil {
			return err
		}
		scores, missing := sc.Score(used)
		all = append(all, scored{scores, missing})
	}
	for i := range t.rows {
		var notes []string
		for at, s := range all {
			if s.missing[i] > sc.MaxMissing {
				notes = append(notes, fmt.Sprintf("%s%d of %d items without an answer", t.at(at), s.missing[i], len(sc.Names)))
			}
		}
		t.write(out, i, all, joined(notes))
	}
	return nil
}

// at names a later time in a note.
func (t *scoresTask) at(time int) string {
	if time == 0 {
		return ""
	}
	return t.Later[time-1].Name + ": "
}

// write writes row i with its scores; a time without scores has nulls.
func (t *scoresTask) write(out *sdk.Outputs, i int, all []scored, note string) {
	r := row{out.Port("scores")}
	for c, column := range t.input {
		r.rows.ColAt(c).Copy(column, i)
	}
	for at, suffix := range t.suffixes() {
		for k, name := range t.Names {
			if all[at].scores == nil {
				r.null(name + suffix)
			} else {
				r.number(name+suffix, all[at].scores[k][i], true)
			}
		}
		r.count("n_missing"+suffix, all[at].missing[i])
	}
	r.text("note", note)
}

func (t *scoresTask) weights(out *sdk.Outputs, s *scale.Solution, c *scale.Correlation, sc *scale.Scorer) {
	for _, item := range t.base {
		j := slices.Index(sc.Names, item)
		for k, name := range t.Names {
			r := t.row(out, "weights", 0).text("item", item).text("factor", name)
			if j < 0 {
				r.null("weight", "loading", "mean", "sd").text("note", reason(c.Excluded, item))
				continue
			}
			r.number("weight", sc.Weights.At(j, k), true).number("loading", s.Loadings.At(j, k), true).
				number("mean", sc.Mean[j], true).number("sd", sc.SD[j], true).text("note", "")
		}
	}
}

func (t *scoresTask) factorsOf(out *sdk.Outputs, baseline *scale.Items, s *scale.Solution, sc *scale.Scorer) error {
	used, err := baseline.Pick(sc.Names)
	if err != nil {
		return err
	}
	scores, _ := sc.Score(used)
	notes := joined(append(slices.Clone(s.Notes), sc.Notes...))
	for k, name := range t.Names {
		d := scale.Describe(scores[k])
		mean, sd := d.Mean, d.SD
		if sc.ScoreSD != nil {
			mean, sd = sc.ScoreMean[k], sc.ScoreSD[k]
		}
		t.row(out, "factors", 0).text("factor", name).number("r_squared", sc.R2[k], true).number("ss_loadings", s.SS[k], true).
			number("mean", mean, d.N > 0).number("sd", sd, d.N > 1).count("n_baseline", d.N).text("note", notes)
	}
	return nil
}

// failed writes rows without scores.
func (t *scoresTask) failed(out *sdk.Outputs, times []*scale.Items, note string) {
	var all []scored
	for _, items := range times {
		s := scored{missing: make([]int, t.rows)}
		for _, c := range items.Columns {
			for i, v := range c {
				if math.IsNaN(v) {
					s.missing[i]++
				}
			}
		}
		all = append(all, s)
	}
	for i := range t.rows {
		t.write(out, i, all, note)
	}
	for _, name := range t.Names {
		for _, item := range t.base {
			t.row(out, "weights", 0).text("item", item).text("factor", name).null("weight", "loading", "mean", "sd").text("note", note)
		}
		t.row(out, "factors", 0).text("factor", name).null("r_squared", "ss_loadings", "mean", "sd").count("n_baseline", len(t.baseline)).text("note", note)
	}
}
