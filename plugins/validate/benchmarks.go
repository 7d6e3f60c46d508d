package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/seed-4012077a/flow/plugins/internal/group"
	"github.com/seed-4012077a/flow/plugins/internal/result"
	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/estimate"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"github.com/seed-4012077a/flow/sdk/stats/proportion"
)

func rateColumns() []result.Column {
	return []result.Column{result.Number("lambda", ""), result.Count("n", "answers"), result.Count("correct", ""), result.Number("rate", ""), result.Number("ci_lower", "Wilson"), result.Number("ci_upper", "Wilson"),
		result.Number("difference", "from the rate at the reference lambda"), result.Number("difference_lower", "Newcombe"), result.Number("difference_upper", "Newcombe"),
		result.Number("statistic", "chi-squared of one degree of freedom, test of equal proportions"), result.Number("p_value", ""), adjusted(), result.Note()}
}

func trendColumns() []result.Column {
	return slices.Concat([]result.Column{result.Text("method", "Cochran-Armitage (estimate: rate for one unit of lambda) or logistic (log odds for one unit)")}, result.Estimate(),
		[]result.Column{adjusted(), result.Number("odds_ratio", "for one unit of lambda"), result.Number("dispersion", "Pearson's; about 1 where the line fits"), result.Note()})
}

func effectColumns() []result.Column {
	return slices.Concat([]result.Column{result.Text("effect", "lambda: for one unit; high: at the high lambdas against the others"), result.Text("adjusted_for", "the covariate; null: without it"), result.Text("term", "the effect or the covariate")},
		result.Estimate(), []result.Column{result.Number("odds_ratio", ""), result.Number("correlation", "of effect and covariate over the rows, weighted by answers"), result.Count("n", "answers"), result.Note()})
}

func benchmarksOperator() sdk.Operator {
	return sdk.Operator{
		Name: "benchmarks", Kind: sdk.Table,
		Doc: `Benchmark change with lambda: rates with Wilson limits, their differences from the reference lambda (test of equal proportions, Newcombe limits), the Cochran-Armitage trend and the logistic slope.
With a covariate, a benchmark whose rate moves with lambda (as sycophancy) or a column, effects has each other benchmark's logistic effect of lambda, and of the high lambdas against the others, without and with the covariate: what remains of the effect among answers with the same covariate. With a benchmark's rates as covariate there are only as many of its values as lambdas, so correlation says how far the two can be told apart.
The tests take answers as independent between lambdas; the same questions at every lambda make them conservative. Example: with = { benchmark = ["task"], n = "n", correct = "correct", covariate = "sycophancy" }.`,
		Inputs: []sdk.Port{{Name: "results", Doc: "one row a benchmark and lambda (or more, which are added up)", Columns: []sdk.ColumnSpec{
			{Name: "{benchmark}", Type: "any"}, {Name: "{lambda}", Type: "number"}, {Name: "{n}", Type: "number"}}}},
		Outputs: []sdk.Port{{Name: "rates", Doc: "one row a benchmark and lambda, with the benchmark columns", Columns: specs(rateColumns())},
			{Name: "trends", Doc: "one row a benchmark and method", Columns: specs(trendColumns())}, {Name: "effects", Doc: "with a covariate: one row a benchmark, effect, adjustment and term", Columns: specs(effectColumns())}},
		Params: `{"type": "object", "additionalProperties": false, "properties": {
			"benchmark": {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1, "default": ["benchmark"], "description": "columns that together name a benchmark"},` +
			columnSchema("lambda", "lambda", "column of lambda") + `,` + columnSchema("n", "n", "column of the number of answers") + `,` +
			columnSchema("correct", "correct", "column of the number of correct (or counted) answers; not read where rates is given") + `,
			"rates": {"type": "array", "default": [], "description": "columns of rates in place of correct: the first that is not null, over its scale, times n, rounded", "items": {"type": "object", "additionalProperties": false, "required": ["column"], "properties": {
				"column": {"type": "string", "minLength": 1, "description": "column of a rate"}, "scale": {"type": "number", "exclusiveMinimum": 0, "default": 1, "description": "what a rate of all is; 100 for percentages"}}}},
			"reference": {"type": "number", "default": 0, "description": "lambda that others are compared with"},
			"continuity": {"type": "boolean", "default": true, "description": "continuity correction of the differences' tests"},
			"high": {"type": "number", "default": 1, "description": "lambdas from here on are high"},
			"covariate": {"type": "string", "default": "", "description": "benchmark (its names joined by a blank) whose rate at each lambda is the covariate; empty: none"},` +
			columnSchema("covariate_column", "", "column of the covariate, by row, in place of a benchmark") + `,
			"overdispersion": {"type": "boolean", "default": false, "description": "estimate the dispersion of logistic models (quasi-binomial, t tests)"},` +
			adjustSchema("BH", "over all benchmarks, of differences and of each method's trends") + `,` + levelSchema + `}}`,
		Open: openBenchmarks,
	}
}

// specs describes columns that follow an input's.
func specs(columns []result.Column) []sdk.ColumnSpec { return result.Port("", "", columns).Columns }

type benchmarks struct {
	Benchmark []string `json:"benchmark"`
	Lambda    string   `json:"lambda"`
	N         string   `json:"n"`
	Correct   string   `json:"correct"`
	Rates     []struct {
		Column string  `json:"column"`
		Scale  float64 `json:"scale"`
	} `json:"rates"`
	Reference       float64 `json:"reference"`
	Continuity      bool    `json:"continuity"`
	High            float64 `json:"high"`
	Covariate       string  `json:"covariate"`
	CovariateColumn string  `json:"covariate_column"`
	Overdispersion  bool    `json:"overdispersion"`
	Adjust          string  `json:"adjust"`
	Level           float64 `json:"level"`

	opening sdk.Opening
	keys    *group.Keys
	found   []*benchmark
	rows    int
}

// benchmark is one benchmark's rows.
type benchmark struct {
	label   string
	counts  []counted
	rounded bool // a rate is no whole count
	left    int  // rows without lambda, n or count
}

type counted struct {
	lambda     float64
	n, correct int
	covariate  float64 // NaN where there is none
}

func openBenchmarks(o sdk.Opening) (sdk.Task, error) {
	t := &benchmarks{opening: o}
	err := o.Decode(t)
	if err != nil {
		return nil, err
	}
	in := o.Input("results")
	if t.keys, err = group.New(in, "benchmark", t.Benchmark); err != nil {
		return nil, err
	}
	numbers := [][2]string{{"lambda", t.Lambda}, {"n", t.N}}
	for i := range t.Rates {
		numbers = append(numbers, [2]string{fmt.Sprintf("rates[%d].column", i), t.Rates[i].Column})
		if t.Rates[i].Scale == 0 {
			t.Rates[i].Scale = 1
		}
	}
	if len(t.Rates) == 0 {
		numbers = append(numbers, [2]string{"correct", t.Correct})
	}
	if t.CovariateColumn != "" {
		numbers = append(numbers, [2]string{"covariate_column", t.CovariateColumn})
		if t.Covariate != "" {
			return nil, sdk.ParamError("covariate", "the covariate is a benchmark or a column, not both")
		}
	}
	for _, c := range numbers {
		if err := result.Numeric(in, c[0], c[1]); err != nil {
			return nil, err
		}
	}
	for port, columns := range map[string][]result.Column{"rates": rateColumns(), "trends": trendColumns(), "effects": effectColumns()} {
		if err := result.Declare(o, port, "benchmark", t.keys.Fields(), columns); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (t *benchmarks) Process(_ string, in *sdk.Batch, _ *sdk.Outputs) error {
	of := t.keys.Rows(in)
	for i := range in.Len() {
		g := of(i)
		if g == len(t.found) {
			var parts []string
			for _, name := range t.Benchmark {
				if text, ok := group.Text(in.Col(name), i); ok && text != "" {
					parts = append(parts, text)
				}
			}
			t.found = append(t.found, &benchmark{label: strings.Join(parts, " ")})
		}
		if err := t.row(t.found[g], in, i); err != nil {
			return err
		}
	}
	t.rows += in.Len()
	return nil
}

func (t *benchmarks) row(b *benchmark, in *sdk.Batch, i int) error {
	at := t.rows + i
	lambda, okLambda, err := result.Score(in.Col(t.Lambda), i, t.Lambda, at)
	if err != nil {
		return err
	}
	n, okN, err := result.Score(in.Col(t.N), i, t.N, at)
	if err != nil {
		return err
	}
	c := counted{lambda: lambda, covariate: math.NaN()}
	if t.CovariateColumn != "" {
		v, ok, err := result.Score(in.Col(t.CovariateColumn), i, t.CovariateColumn, at)
		if err != nil {
			return err
		}
		if ok {
			c.covariate = v
		}
	}
	if !okLambda || !okN {
		b.left++
		return nil
	}
	if n < 0 || n != math.Trunc(n) || n > 1<<31 {
		return sdk.ColumnError(t.N, "row %d has %g answers; a number of answers is whole and not negative", at, n)
	}
	correct, ok, err := t.count(b, in, i, n)
	if err != nil {
		return err
	}
	if !ok {
		b.left++
		return nil
	}
	c.n, c.correct = int(n), correct
	b.counts = append(b.counts, c)
	return nil
}

// count is the row's number of correct answers.
func (t *benchmarks) count(b *benchmark, in *sdk.Batch, i int, n float64) (int, bool, error) {
	at := t.rows + i
	if len(t.Rates) == 0 {
		v, ok, err := result.Score(in.Col(t.Correct), i, t.Correct, at)
		if err != nil || !ok {
			return 0, false, err
		}
		if v < 0 || v > n || v != math.Trunc(v) {
			return 0, false, sdk.ColumnError(t.Correct, "row %d has %g correct of %g answers; name columns of rates in the parameter rates", at, v, n)
		}
		return int(v), true, nil
	}
	for _, r := range t.Rates {
		v, ok, err := result.Score(in.Col(r.Column), i, r.Column, at)
		if err != nil {
			return 0, false, err
		}
		if !ok {
			continue
		}
		rate := v / r.Scale
		if rate < 0 || rate > 1+1e-9 {
			return 0, false, sdk.ColumnError(r.Column, "row %d has the rate %g over a scale of %g; set its scale (100 for percentages)", at, v, r.Scale)
		}
		k := math.Round(rate * n)
		if math.Abs(k-rate*n) > 0.01 {
			b.rounded = true
		}
		return int(math.Min(k, n)), true, nil
	}
	return 0, false, nil
}

// at adds up a benchmark's rows by lambda, in increasing order.
func (b *benchmark) at() (lambdas []float64, samples []proportion.Sample) {
	for _, c := range b.counts {
		if !slices.Contains(lambdas, c.lambda) {
			lambdas = append(lambdas, c.lambda)
		}
	}
	slices.Sort(lambdas)
	samples = make([]proportion.Sample, len(lambdas))
	for _, c := range b.counts {
		k, _ := slices.BinarySearch(lambdas, c.lambda)
		samples[k].N += c.n
		samples[k].Events += c.correct
	}
	return lambdas, samples
}

func (b *benchmark) note() string {
	note := ""
	if b.rounded {
		note = "counts are rounded from rates: the rates are no simple shares of n"
	}
	if b.left > 0 {
		note = result.Notes(note, fmt.Sprintf("%d rows without lambda, number or rate are left out", b.left))
	}
	return note
}

func (t *benchmarks) Finish(out *sdk.Outputs) error {
	if t.rows == 0 {
		return sdk.Errorf("the results table has no rows")
	}
	var covariate *benchmark
	if t.Covariate != "" {
		var labels []string
		for _, b := range t.found {
			labels = append(labels, b.label)
			if b.label == t.Covariate {
				covariate = b
			}
		}
		if covariate == nil {
			return sdk.ParamError("covariate", "there is no benchmark %q: %s", t.Covariate, frame.Choices(t.Covariate, labels))
		}
	}
	t.rates(out)
	t.trends(out)
	if covariate != nil || t.CovariateColumn != "" {
		t.effects(out, covariate)
	}
	return nil
}

// compared is a rate beside the reference's.
type compared struct {
	g      int
	lambda float64
	sample proportion.Sample
	ci     proportion.Interval
	diff   proportion.Effect
	test   proportion.Test
	tested bool
	note   string
}

func (t *benchmarks) rates(out *sdk.Outputs) {
	var all []compared
	for g, b := range t.found {
		lambdas, samples := b.at()
		ref := slices.Index(lambdas, t.Reference)
		if len(lambdas) == 0 {
			all = append(all, compared{g: g, lambda: math.NaN(), note: "no row has lambda, a number and a rate"})
		}
		for k, s := range samples {
			c := compared{g: g, lambda: lambdas[k], sample: s, note: b.note()}
			var err error
			if c.ci, err = s.Limits(proportion.Wilson, t.Level); err != nil {
				c.note = result.Notes(c.note, err.Error())
				c.ci = proportion.Interval{Lower: math.NaN(), Upper: math.NaN()}
			}
			switch {
			case ref < 0:
				c.note = result.Notes(c.note, fmt.Sprintf("no difference: the benchmark has no lambda %g", t.Reference))
			case k != ref:
				if c.diff, err = proportion.RiskDifference(s, samples[ref], proportion.Wilson, t.Level); err == nil {
					c.test, err = proportion.TwoSample(s, samples[ref], proportion.TwoSided, t.Continuity, t.Level)
				}
				if c.tested = err == nil; !c.tested {
					c.note = result.Notes(c.note, err.Error())
				}
			}
			all = append(all, c)
		}
	}
	p := make([]float64, len(all))
	for i, c := range all {
		p[i] = math.NaN()
		if c.tested {
			p[i] = c.test.P
		}
	}
	adjusted := estimate.Adjust(p, t.Adjust)
	rows := out.Port("rates")
	for i, c := range all {
		t.keys.Copy(rows, c.g)
		result.Put(rows, "lambda", c.lambda, "n", c.sample.N, "correct", c.sample.Events, "rate", float64(c.sample.Events)/float64(c.sample.N), "ci_lower", c.ci.Lower, "ci_upper", c.ci.Upper,
			"p_adjusted", adjusted[i], "note", c.note)
		if c.tested {
			result.Put(rows, "difference", c.diff.Estimate, "difference_lower", c.diff.Lower, "difference_upper", c.diff.Upper, "statistic", c.test.Statistic, "p_value", c.test.P)
		} else {
			result.Put(rows, "difference", nil, "difference_lower", nil, "difference_upper", nil, "statistic", nil, "p_value", nil)
		}
	}
}
