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
	Score          string   `json:"score"`
	WeightsFrom    string   `json:"weights_from"`
	Standardise    bool     `json:"standardise"`
	MaxMissing     int      `json:"max_missing"`
	factoring
	correlating
}

type scoresTask struct {
	scoresParams
	*answers
	carried  []*sdk.Builder // the input's columns
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
	if err := t.check(len(t.items)); err != nil {
		return nil, err
	}
	in := o.Input("answers")
	if err := t.checkBaseline(in); err != nil {
		return nil, err
	}
	if t.MaxMissing >= len(t.items) {
		return nil, sdk.ParamError("max_missing", "%d missing answers of %d items leave nothing to score; at most %d", t.MaxMissing, len(t.items), len(t.items)-1)
	}
	own := []sdk.Field{}
	for _, name := range append(slices.Clone(t.Names), "n_missing", "note") {
		if in.Index(name) >= 0 {
			return nil, sdk.ParamError("names", "the input has a column %q already; name the factors otherwise or leave it out before", name)
		}
		own = append(own, sdk.Field{Name: name, Type: sdk.Float64, Nullable: true})
	}
	own[len(own)-2] = sdk.Field{Name: "n_missing", Type: sdk.Int64}
	own[len(own)-1] = sdk.Field{Name: "note", Type: sdk.Utf8, Nullable: true}
	o.Output("scores", in.With(own...))
	for _, f := range in.Fields {
		t.carried = append(t.carried, sdk.NewBuilder(f.Type))
	}
	if err := declare(o, "weights", t.keys, weightColumns()); err != nil {
		return nil, err
	}
	return t, declare(o, "factors", t.keys, scoredColumns())
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
	items := t.groups[0].of(t.items)
	baseline := items.Select(t.baseline)
	s, c, err := t.factor(baseline, t.correlating, 0, t.opening, 0)
	var sc *scale.Scorer
	if err == nil {
		// Excluded items do not count as missing, and are not scored.
		sc, err = s.Scorer(baseline, scale.ScoreOptions{Method: scale.ScoreMethod(t.Score), Factored: t.WeightsFrom == "factored",
			Standardise: t.Standardise, MaxMissing: min(t.MaxMissing, len(s.Names)-1)})
	}
	if err != nil {
		t.log(0, err.Error())
		t.failed(out, err.Error())
		return nil
	}
	t.log(0, append(slices.Clone(s.Notes), sc.Notes...)...)
	used, err := items.Pick(sc.Names)
	if err != nil {
		return err
	}
	scores, missing := sc.Score(used)
	t.scores(out, scores, missing, sc)
	t.weights(out, s, c, sc)
	return t.factorsOf(out, baseline, s, sc)
}

func (t *scoresTask) scores(out *sdk.Outputs, scores [][]float64, missing []int, sc *scale.Scorer) {
	for i := range missing {
		note := ""
		if missing[i] > sc.MaxMissing {
			note = fmt.Sprintf("%d of %d items without an answer", missing[i], len(sc.Names))
		}
		t.scored(out, i, func(k int) (float64, bool) { return scores[k][i], !math.IsNaN(scores[k][i]) }, missing[i], note)
	}
}

// scored writes row i with its scores.
func (t *scoresTask) scored(out *sdk.Outputs, i int, score func(k int) (float64, bool), missing int, note string) {
	r := row{out.Port("scores")}
	for c, f := range t.opening.Input("answers").Fields {
		r.rows.Col(f.Name).Copy(t.carried[c].Column(), i)
	}
	for k, name := range t.Names {
		v, ok := score(k)
		r.number(name, v, ok)
	}
	r.count("n_missing", missing).text("note", note)
}

func (t *scoresTask) weights(out *sdk.Outputs, s *scale.Solution, c *scale.Correlation, sc *scale.Scorer) {
	for _, item := range t.items {
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
func (t *scoresTask) failed(out *sdk.Outputs, note string) {
	items := t.groups[0].of(t.items)
	for i := range items.Rows() {
		missing := 0
		for _, c := range items.Columns {
			if math.IsNaN(c[i]) {
				missing++
			}
		}
		t.scored(out, i, func(int) (float64, bool) { return 0, false }, missing, note)
	}
	for _, name := range t.Names {
		for _, item := range t.items {
			t.row(out, "weights", 0).text("item", item).text("factor", name).null("weight", "loading", "mean", "sd").text("note", note)
		}
		t.row(out, "factors", 0).text("factor", name).null("r_squared", "ss_loadings", "mean", "sd").count("n_baseline", len(t.baseline)).text("note", note)
	}
}
