package main

import (
	"fmt"
	"math"
	"strings"

	"github.com/seed-4012077a/flow/plugins/internal/group"
	"github.com/seed-4012077a/flow/plugins/internal/nullable"
	"github.com/seed-4012077a/flow/plugins/internal/stats"
	"github.com/seed-4012077a/flow/sdk/go"
)

func responseOperator() sdk.Operator {
	return sdk.Operator{
		Name: "response", Kind: sdk.Table,
		Doc: `Dose-response of a score to lambda, for the whole table or each group.
curve: at each lambda n, mean, sd and a bootstrap interval of the mean. tests: the least-squares slope (t test; cluster-robust CR1 with clusters), a monotone trend (Jonckheere-Terpstra; Page's L where clusters have every lambda) and contrasts of levels (Welch's t; cluster-robust with clusters), the estimates with bootstrap intervals.
Intervals come from resampling rows within each lambda, or whole clusters; method percentile or bca (bias-corrected and accelerated, falling back to percentile with a note where it is not defined). What cannot be computed (one lambda only, constant scores, one cluster) is null with a note. Null scores are counted and left out; NaN is an error.`,
		Inputs: []sdk.Port{{Name: "scores", Doc: "one row a scored generation or rating", Columns: []sdk.ColumnSpec{
			{Name: "{lambda}", Type: "number"}, {Name: "{score}", Type: "number"}, {Name: "{cluster}", Type: "any", Optional: true}, {Name: "{group_by}", Type: "any"}}}},
		Outputs: []sdk.Port{
			{Name: "curve", Doc: "one row a group and lambda", Columns: []sdk.ColumnSpec{
				{Name: "lambda", Type: "float64"}, {Name: "n", Type: "int64"}, {Name: "n_missing", Type: "int64", Doc: "rows without a score"}, {Name: "n_clusters", Type: "int64"},
				{Name: "mean", Type: "float64"}, {Name: "sd", Type: "float64", Doc: "sample standard deviation"}, {Name: "se", Type: "float64", Doc: "bootstrap standard error of the mean"},
				{Name: "ci_lower", Type: "float64"}, {Name: "ci_upper", Type: "float64"}, {Name: "level", Type: "float64", Doc: "confidence level of the interval"}, {Name: "method", Type: "utf8"}, {Name: "note", Type: "utf8"}}},
			{Name: "tests", Doc: "one row a group and test", Columns: []sdk.ColumnSpec{
				{Name: "test", Type: "utf8", Doc: "slope, trend or contrast"}, {Name: "term", Type: "utf8"},
				{Name: "estimate", Type: "float64", Doc: "slope; difference; for trend the share of rising pairs minus falling ones, or the mean rank correlation"},
				{Name: "se", Type: "float64", Doc: "of the test"}, {Name: "ci_lower", Type: "float64"}, {Name: "ci_upper", Type: "float64"}, {Name: "level", Type: "float64", Doc: "confidence level of the interval"}, {Name: "ci_method", Type: "utf8"},
				{Name: "statistic", Type: "float64", Doc: "t or z"}, {Name: "df", Type: "float64"}, {Name: "p_value", Type: "float64", Doc: "two-sided"},
				{Name: "n", Type: "int64"}, {Name: "method", Type: "utf8"}, {Name: "note", Type: "utf8"}}},
		},
		Params: `{"type": "object", "additionalProperties": false, "properties": {
			"lambda": {"type": "string", "minLength": 1, "default": "lambda", "description": "column of the multiplier"},
			"score": {"type": "string", "minLength": 1, "default": "score", "description": "column of the score"},
			"cluster": {"type": "string", "default": "", "description": "column that names a row's cluster, as prompt_id; empty: rows are independent"},
			"group_by": {"type": "array", "items": {"type": "string"}, "default": [], "description": "columns whose every combination is summarised apart"},
			"resamples": {"type": "integer", "minimum": 100, "maximum": 100000, "default": 2000, "description": "bootstrap resamples"},
			"confidence": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1, "default": 0.95, "description": "confidence level of the intervals"},
			"interval": {"enum": ["percentile", "bca"], "default": "percentile", "description": "kind of bootstrap interval"},
			"contrasts": {"type": "array", "default": [], "description": "contrasts: mean over high minus mean over low; empty: lambda 1 against -1, or the largest against the smallest",
				"items": {"type": "object", "additionalProperties": false, "required": ["high", "low"], "properties": {
					"name": {"type": "string", "description": "term in the output"},
					"high": {"type": "array", "items": {"type": "number"}, "minItems": 1}, "low": {"type": "array", "items": {"type": "number"}, "minItems": 1}}}}}}`,
		Open: openResponse,
	}
}

type responseParams struct {
	Lambda     string     `json:"lambda"`
	Score      string     `json:"score"`
	Cluster    string     `json:"cluster"`
	GroupBy    []string   `json:"group_by"`
	Resamples  int        `json:"resamples"`
	Confidence float64    `json:"confidence"`
	Interval   string     `json:"interval"`
	Contrasts  []contrast `json:"contrasts"`
}

type response struct {
	responseParams
	opening sdk.Opening
	keys    *group.Keys
	groups  []*collected
	rows    int
}

// collected is one group's rows.
type collected struct {
	observations []observation
	missing      map[float64]int64
	clusters     map[string]int
}

func openResponse(o sdk.Opening) (sdk.Task, error) {
	t := &response{opening: o}
	if err := o.Decode(&t.responseParams); err != nil {
		return nil, err
	}
	in := o.Input("scores")
	for _, c := range []struct{ param, name string }{{"lambda", t.Lambda}, {"score", t.Score}} {
		f, ok := in.Field(c.name)
		if !ok {
			return nil, sdk.ParamError(c.param, "there is no column %q; the input has %s", c.name, strings.Join(in.Names(), ", "))
		}
		if !f.Type.IsNumber() {
			return nil, sdk.ColumnError(c.name, "is %s, and a number is needed", f.Type)
		}
	}
	if t.Cluster != "" {
		if _, err := group.New(in, "cluster", []string{t.Cluster}); err != nil {
			return nil, err
		}
	}
	keys, err := group.New(in, "group_by", t.GroupBy)
	if err != nil {
		return nil, err
	}
	t.keys = keys
	own := sdk.Schema{Fields: keys.Fields()}
	number := func(names ...string) (out []sdk.Field) {
		for _, n := range names {
			out = append(out, sdk.Field{Name: n, Type: sdk.Float64, Nullable: true})
		}
		return out
	}
	count := func(name string) sdk.Field { return sdk.Field{Name: name, Type: sdk.Int64} }
	word := func(name string, nullable bool) sdk.Field {
		return sdk.Field{Name: name, Type: sdk.Utf8, Nullable: nullable}
	}
	curve := []sdk.Field{{Name: "lambda", Type: sdk.Float64}, count("n"), count("n_missing"), {Name: "n_clusters", Type: sdk.Int64, Nullable: true}}
	curve = append(append(curve, number("mean", "sd", "se", "ci_lower", "ci_upper", "level")...), word("method", true), word("note", true))
	tests := append([]sdk.Field{word("test", false), word("term", false)}, number("estimate", "se", "ci_lower", "ci_upper", "level")...)
	tests = append(append(append(tests, word("ci_method", true)), number("statistic", "df", "p_value")...), count("n"), word("method", false), word("note", true))
	for _, name := range t.GroupBy {
		for _, f := range append(curve[:len(curve):len(curve)], tests...) {
			if f.Name == name {
				return nil, sdk.ParamError("group_by", "column %q has the name of an output column", name)
			}
		}
	}
	o.Output("curve", own.With(curve...))
	o.Output("tests", own.With(tests...))
	return t, nil
}

func (t *response) Process(_ string, in *sdk.Batch, _ *sdk.Outputs) error {
	of := t.keys.Rows(in)
	lambdas, scores := in.Col(t.Lambda), in.Col(t.Score)
	var clusters *sdk.Column
	if t.Cluster != "" {
		clusters = in.Col(t.Cluster)
	}
	for i := range in.Len() {
		g := of(i)
		for len(t.groups) <= g {
			t.groups = append(t.groups, &collected{missing: map[float64]int64{}, clusters: map[string]int{}})
		}
		row := t.rows + i
		if lambdas.IsNull(i) || !stats.Finite(lambdas.Float(i)) {
			return sdk.ColumnError(t.Lambda, "row %d has no lambda", row)
		}
		o := observation{lambda: lambdas.Float(i) + 0} // -0 is 0
		if scores.IsNull(i) {
			t.groups[g].missing[o.lambda]++
			continue
		}
		if o.value = scores.Float(i); !stats.Finite(o.value) {
			return sdk.ColumnError(t.Score, "row %d holds %g, which is no score; make it null or filter the row out", row, o.value)
		}
		if clusters != nil {
			id, ok := group.Text(clusters, i)
			if !ok {
				return sdk.ColumnError(t.Cluster, "row %d has no cluster", row)
			}
			n, seen := t.groups[g].clusters[id]
			if !seen {
				n = len(t.groups[g].clusters)
				t.groups[g].clusters[strings.Clone(id)] = n
			}
			o.cluster = n
		}
		t.groups[g].observations = append(t.groups[g].observations, o)
	}
	t.rows += in.Len()
	return nil
}

func (t *response) Finish(out *sdk.Outputs) error {
	if t.rows == 0 {
		return sdk.Errorf("the scores table has no rows")
	}
	scored := 0
	for _, c := range t.groups {
		scored += len(c.observations)
	}
	if scored == 0 {
		return sdk.ColumnError(t.Score, "all %d rows are null: nothing was scored", t.rows)
	}
	for g, c := range t.groups {
		s := newSample(c.observations, c.missing, t.Cluster != "")
		contrasts := t.Contrasts
		if len(contrasts) == 0 && len(s.levels) > 1 {
			contrasts = []contrast{defaultContrast(s.levels)}
		}
		if err := t.summarise(out, g, s, contrasts); err != nil {
			return err
		}
	}
	return nil
}

// summarise writes a group's curve and tests. All intervals come from the same
// resamples.
func (t *response) summarise(out *sdk.Outputs, g int, s *sample, contrasts []contrast) error {
	var statistics []statistic
	for l := range s.levels {
		statistics = append(statistics, meanAt(l))
	}
	statistics = append(statistics, slope(s.levels))
	var weights [][]float64
	for i, c := range contrasts {
		w, err := c.weights(s)
		if err != nil {
			return sdk.ParamError(fmt.Sprintf("contrasts[%d]", i), "%v", err)
		}
		weights = append(weights, w)
		statistics = append(statistics, weighted(w))
	}
	r := &resampler{s: s, draws: t.Resamples, level: t.Confidence, bca: t.Interval == "bca"}
	intervals := r.intervals(statistics, t.opening.Rand(uint64(g)))
	for i, w := range weights {
		if s.single(w) {
			intervals[len(s.levels)+1+i] = interval{note: "no interval: a lambda of the contrast has only one score"}
		}
	}
	t.curve(out.Port("curve"), g, s, intervals)

	cells := s.cells()
	rows := out.Port("tests")
	estimate, ok := slope(s.levels)(cells)
	t.test(rows, g, s, "slope", "lambda", number{estimate, ok}, intervals[len(s.levels)], slopeTest(s))
	effect, o := trendTest(s)
	t.test(rows, g, s, "trend", "lambda", number{effect, !math.IsNaN(effect)}, interval{}, o)
	for i, c := range contrasts {
		value, ok := weighted(weights[i])(cells)
		t.test(rows, g, s, "contrast", c.label(), number{value, ok}, intervals[len(s.levels)+1+i], contrastTest(s, weights[i]))
	}
	return nil
}

// orNaN is v, or NaN where it is not defined.
func orNaN(v float64, ok bool) float64 {
	if !ok {
		return math.NaN()
	}
	return v
}

// number is a value that may not be defined.
type number struct {
	value float64
	ok    bool
}

func (t *response) curve(rows *sdk.Rows, g int, s *sample, intervals []interval) {
	for l, lambda := range s.levels {
		var m stats.Moments
		distinct := map[int]bool{}
		for i, v := range s.values[l] {
			m.Add(v)
			if s.clusters != nil {
				distinct[s.clusters[l][i]] = true
			}
		}
		mean, any := m.Mean()
		variance, spread := m.Variance()
		ci := intervals[l]
		note := ci.note
		// Fewer than two values at this level leave nothing to resample
		// here, whatever the other levels have.
		if m.N() < 2 || s.clusters != nil && len(distinct) < 2 {
			ci = interval{}
			note = "no interval: fewer than two " + map[bool]string{true: "clusters", false: "scores"}[s.clusters != nil]
		}
		if m.N() == 0 {
			note = "no scores"
		}
		t.keys.Copy(rows, g)
		rows.Col("lambda").Float(lambda)
		rows.Col("n").Int(m.N())
		rows.Col("n_missing").Int(s.missing[l])
		if s.clusters == nil {
			rows.Col("n_clusters").Null()
		} else {
			rows.Col("n_clusters").Int(int64(len(distinct)))
		}
		nullable.Float(rows.Col("mean"), orNaN(mean, any))
		nullable.Float(rows.Col("sd"), orNaN(math.Sqrt(variance), spread))
		nullable.Float(rows.Col("se"), orNaN(ci.se, ci.ok))
		nullable.Float(rows.Col("ci_lower"), orNaN(ci.lower, ci.ok))
		nullable.Float(rows.Col("ci_upper"), orNaN(ci.upper, ci.ok))
		nullable.Float(rows.Col("level"), orNaN(t.Confidence, ci.ok))
		nullable.Text(rows.Col("method"), ci.method)
		nullable.Text(rows.Col("note"), note)
	}
}

func (t *response) test(rows *sdk.Rows, g int, s *sample, test, term string, estimate number, ci interval, o outcome) {
	n := 0
	for _, vs := range s.values {
		n += len(vs)
	}
	note := o.note
	if ci.note != "" {
		note = strings.TrimPrefix(note+"; "+ci.note, "; ")
	}
	t.keys.Copy(rows, g)
	rows.Col("test").Str(test)
	rows.Col("term").Str(term)
	nullable.Float(rows.Col("estimate"), orNaN(estimate.value, estimate.ok))
	nullable.Float(rows.Col("se"), o.se)
	nullable.Float(rows.Col("ci_lower"), orNaN(ci.lower, ci.ok))
	nullable.Float(rows.Col("ci_upper"), orNaN(ci.upper, ci.ok))
	nullable.Float(rows.Col("level"), orNaN(t.Confidence, ci.ok))
	nullable.Text(rows.Col("ci_method"), ci.method)
	nullable.Float(rows.Col("statistic"), o.statistic)
	nullable.Float(rows.Col("df"), o.df)
	nullable.Float(rows.Col("p_value"), o.p)
	rows.Col("n").Int(int64(n))
	rows.Col("method").Str(o.method)
	nullable.Text(rows.Col("note"), note)
}
