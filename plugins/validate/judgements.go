package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-4012077a/flow/plugins/internal/group"
	"github.com/seed-4012077a/flow/plugins/internal/result"
	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/ranking"
)

func winColumns() []result.Column {
	return []result.Column{result.Text("level", "lambda, or the name of what is judged"), result.Number("lambda", "the level, where it is a number"), result.Count("n", "judgements"), result.Count("wins", ""), result.Count("ties", ""),
		result.Number("win_rate", "(wins + ties/2) / n"), result.Number("ci_lower", "Wilson"), result.Number("ci_upper", "Wilson"), result.Note()}
}

func judgedSlopeColumns() []result.Column {
	return slices.Concat([]result.Column{result.Text("method", "win rates (least squares over levels), logistic (of a judgement on the difference of lambdas), logistic clustered (by item)"), result.Text("term", "slope for one unit of lambda, intercept; order: the advantage of b")},
		result.Estimate(), []result.Column{result.Number("r_squared", ""), result.Note()})
}

func worthColumns() []result.Column {
	return []result.Column{result.Text("level", ""), result.Number("lambda", ""), result.Number("log_worth", "less the reference's: log odds to be preferred to it"), result.Number("se", ""), result.Number("ci_lower", ""), result.Number("ci_upper", ""),
		result.Number("p_value", "of no difference from the reference"), result.Number("worth", "share in the sum of all worths"), result.Number("quasi_se", "standard error fit for differences of any two levels"), result.Note()}
}

func judgedFitColumns() []result.Column {
	return []result.Column{result.Text("quantity", ""), result.Number("value", ""), result.Number("se", ""), result.Number("p_value", ""), result.Note()}
}

func judgementsOperator() sdk.Operator {
	return sdk.Operator{
		Name: "judgements", Kind: sdk.Table,
		Doc: `Judgements of pairs: which of two answers, made at different lambdas, a judge prefers. win_rates of each lambda, ties counting half; slopes on lambda, of the win rates and of the log odds that b is preferred on lambda b - lambda a (standard errors also by item, as an item's judgements belong together); and Bradley-Terry worths of the lambdas (Davidson's with ties).
The order effect is the advantage of the answer shown second, b. What is judged may also be named by texts; then there are no slopes.`,
		Inputs: []sdk.Port{{Name: "judgements", Doc: "one row a judgement", Columns: []sdk.ColumnSpec{{Name: "{a}", Type: "any"}, {Name: "{b}", Type: "any"}, {Name: "{outcome}", Type: "any"}}}},
		Outputs: []sdk.Port{result.Port("win_rates", "one row a level", winColumns()), result.Port("slopes", "one row a method and term", judgedSlopeColumns()),
			result.Port("worths", "Bradley-Terry: one row a level", worthColumns()), result.Port("bradley_terry", "the model's other quantities", judgedFitColumns())},
		Params: `{"type": "object", "additionalProperties": false, "properties": {` +
			columnSchema("a", "lambda_a", "column of the lambda (or name) of the answer shown first") + `,` + columnSchema("b", "lambda_b", "column of the lambda (or name) of the answer shown second") + `,` +
			columnSchema("outcome", "b_wins", "column of the judgement: true or 1 where b is preferred, false or 0 where a is, 0.5 for a tie; or texts") + `,
			"a_words": {"type": "array", "items": {"type": "string"}, "default": ["a", "A"], "description": "texts of the outcome that prefer a"},
			"b_words": {"type": "array", "items": {"type": "string"}, "default": ["b", "B"], "description": "texts of the outcome that prefer b"},
			"tie_words": {"type": "array", "items": {"type": "string"}, "default": ["tie", "Tie"], "description": "texts of the outcome that prefer neither"},` +
			columnSchema("item", "", "column of the item (the prompt), for standard errors by item; empty: none") + `,
			"reference": {"type": ["string", "number"], "default": "", "description": "level of worth 0; empty: the least"},
			"order_effect": {"type": "boolean", "default": true, "description": "let b have an advantage, or not"},
			"pseudo": {"type": "number", "minimum": 0, "default": 0, "description": "imagined wins and losses of every level, which keep worths finite where a level won or lost all its judgements"},` +
			levelSchema + `}}`,
		Open: openJudgements,
	}
}

type judgements struct {
	A         string   `json:"a"`
	B         string   `json:"b"`
	Outcome   string   `json:"outcome"`
	AWords    []string `json:"a_words"`
	BWords    []string `json:"b_words"`
	TieWords  []string `json:"tie_words"`
	Item      string   `json:"item"`
	Reference any      `json:"reference"`
	Order     bool     `json:"order_effect"`
	Pseudo    float64  `json:"pseudo"`
	Level     float64  `json:"level"`

	opening sdk.Opening
	levels  []string
	index   map[string]int
	items   map[string]int32
	judged  []judgement
	rows    int
	left    int // rows without a, b or outcome
	same    int // rows that compare a level with itself
}

// judgement is one row: levels by number, and how far b is preferred.
type judgement struct {
	a, b int
	b1   float64 // 1, 0, or 0.5 for a tie
	item int32   // -1 without one
}

func openJudgements(o sdk.Opening) (sdk.Task, error) {
	t := &judgements{opening: o, index: map[string]int{}, items: map[string]int32{}}
	if err := o.Decode(t); err != nil {
		return nil, err
	}
	in := o.Input("judgements")
	for parameter, column := range map[string]string{"a": t.A, "b": t.B, "outcome": t.Outcome} {
		if err := labelled(in, parameter, column); err != nil {
			return nil, err
		}
	}
	if t.Item != "" {
		if err := labelled(in, "item", t.Item); err != nil {
			return nil, err
		}
	}
	for i, w := range t.AWords {
		if slices.Contains(t.BWords, w) || slices.Contains(t.TieWords, w) {
			return nil, sdk.ParamError("a_words["+strconv.Itoa(i)+"]", "%q means two things", w)
		}
	}
	for i, w := range t.BWords {
		if slices.Contains(t.TieWords, w) {
			return nil, sdk.ParamError("b_words["+strconv.Itoa(i)+"]", "%q means two things", w)
		}
	}
	for port, columns := range map[string][]result.Column{"win_rates": winColumns(), "slopes": judgedSlopeColumns(), "worths": worthColumns(), "bradley_terry": judgedFitColumns()} {
		o.Output(port, sdk.Schema{Fields: result.Fields(columns)})
	}
	return t, nil
}

// numberText writes a number as group.Text does.
func numberText(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

func (t *judgements) level(text string) int {
	// 1 and 1.0 are one lambda, however they are written.
	if v, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(v) && !math.IsInf(v, 0) {
		text = numberText(v + 0) // -0 is 0
	}
	k, ok := t.index[text]
	if !ok {
		k = len(t.levels)
		text = strings.Clone(text)
		t.index[text] = k
		t.levels = append(t.levels, text)
	}
	return k
}

func (t *judgements) Process(_ string, in *sdk.Batch, _ *sdk.Outputs) error {
	a, b, outcome := in.Col(t.A), in.Col(t.B), in.Col(t.Outcome)
	for i := range in.Len() {
		first, okA := group.Text(a, i)
		second, okB := group.Text(b, i)
		if !okA || !okB || outcome.IsNull(i) {
			t.left++
			continue
		}
		v, err := t.preferred(outcome, i)
		if err != nil {
			return err
		}
		j := judgement{a: t.level(first), b: t.level(second), b1: v, item: -1}
		if j.a == j.b {
			t.same++
			continue
		}
		if t.Item != "" {
			if text, ok := group.Text(in.Col(t.Item), i); ok {
				k, seen := t.items[text]
				if !seen {
					k = int32(len(t.items))
					t.items[strings.Clone(text)] = k
				}
				j.item = k
			}
		}
		t.judged = append(t.judged, j)
	}
	t.rows += in.Len()
	return nil
}

// preferred reads a judgement.
func (t *judgements) preferred(c *sdk.Column, i int) (float64, error) {
	if c.Type().IsString() {
		word := c.Str(i)
		switch {
		case slices.Contains(t.AWords, word):
			return 0, nil
		case slices.Contains(t.BWords, word):
			return 1, nil
		case slices.Contains(t.TieWords, word):
			return 0.5, nil
		}
		return 0, sdk.ColumnError(t.Outcome, "row %d holds %q, which is none of a_words %v, b_words %v and tie_words %v", t.rows+i, word, t.AWords, t.BWords, t.TieWords)
	}
	v, _, err := result.Score(c, i, t.Outcome, t.rows+i)
	if err == nil && v != 0 && v != 1 && v != 0.5 {
		err = sdk.ColumnError(t.Outcome, "row %d holds %g; a judgement is 0 (a), 1 (b) or 0.5 (tie)", t.rows+i, v)
	}
	return v, err
}

// sort puts the levels in order, numbers by value before texts.
func (t *judgements) sort() (values []float64, numeric bool) {
	order := slices.Clone(t.levels)
	slices.SortFunc(order, group.Compare)
	to := make([]int, len(order))
	numeric = true
	for k, l := range order {
		to[t.index[l]] = k
		v, ok := group.Number(l)
		numeric = numeric && ok
		if !ok {
			v = math.NaN()
		}
		values = append(values, v)
	}
	for i := range t.judged {
		t.judged[i].a, t.judged[i].b = to[t.judged[i].a], to[t.judged[i].b]
	}
	t.levels = order
	return values, numeric
}

func (t *judgements) Finish(out *sdk.Outputs) error {
	switch {
	case t.rows == 0:
		return sdk.Errorf("the judgements table has no rows")
	case len(t.judged) == 0 && t.same > 0:
		return sdk.Errorf("all %d judgements compare a level with itself", t.same)
	case len(t.judged) == 0:
		return sdk.Errorf("no row of %d has both levels and an outcome", t.rows)
	}
	if t.left+t.same > 0 {
		t.opening.Log("%d rows without both levels or an outcome and %d that compare a level with itself are left out", t.left, t.same)
	}
	values, numeric := t.sort()
	reference := 0
	if text := fmt.Sprint(t.Reference); text != "" {
		if v, ok := t.Reference.(float64); ok {
			text = numberText(v)
		}
		name, err := levelOf("reference", text, t.levels)
		if err != nil {
			return err
		}
		reference = slices.Index(t.levels, name)
	}
	rates := t.winRates(out, values)
	if numeric {
		t.slopes(out, values, rates)
	}
	t.bradleyTerry(out, values, reference)
	return nil
}

// wilson is the score interval of a rate p of n judgements (Wilson 1927),
// which ties may make no share of whole wins.
func wilson(p, n, z float64) (lower, upper float64) {
	c, h := (p+z*z/(2*n))/(1+z*z/n), z/(1+z*z/n)*math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return math.Max(0, c-h), math.Min(1, c+h)
}

// winRates writes each level's rate and returns them.
func (t *judgements) winRates(out *sdk.Outputs, values []float64) []float64 {
	wins, ties, n := make([]int, len(values)), make([]int, len(values)), make([]int, len(values))
	for _, j := range t.judged {
		n[j.a]++
		n[j.b]++
		switch j.b1 {
		case 0:
			wins[j.a]++
		case 1:
			wins[j.b]++
		default:
			ties[j.a]++
			ties[j.b]++
		}
	}
	z := quantile(t.Level)
	rates := make([]float64, len(values))
	for k := range values {
		rates[k] = (float64(wins[k]) + float64(ties[k])/2) / float64(n[k])
		lower, upper := wilson(rates[k], float64(n[k]), z)
		note := ""
		if ties[k] > 0 {
			note = "ties count half, as a fractional win in the limits"
		}
		result.Put(out.Port("win_rates"), "level", t.levels[k], "lambda", values[k], "n", n[k], "wins", wins[k], "ties", ties[k],
			"win_rate", rates[k], "ci_lower", lower, "ci_upper", upper, "note", note)
	}
	return rates
}

func (t *judgements) bradleyTerry(out *sdk.Outputs, values []float64, reference int) {
	var all []ranking.Comparison
	for _, j := range t.judged {
		outcome := ranking.Tie
		switch j.b1 {
		case 0:
			outcome = ranking.FirstWins
		case 1:
			outcome = ranking.SecondWins
		}
		all = append(all, ranking.Comparison{First: j.a, Second: j.b, Outcome: outcome})
	}
	m, err := ranking.Compare(t.levels, all, ranking.Options{Constraint: ranking.ReferenceItem, Reference: reference, Order: t.Order, Pseudo: t.Pseudo})
	if err != nil {
		t.opening.Log("warning: Bradley-Terry: %v", err)
		for k := range values {
			result.Put(out.Port("worths"), "level", t.levels[k], "lambda", values[k], "log_worth", nil, "se", nil, "ci_lower", nil, "ci_upper", nil, "p_value", nil, "worth", nil, "quasi_se", nil, "note", err.Error())
		}
		return
	}
	quasi, worst, err := m.QuasiSE()
	worths := m.Worths()
	for k := range values {
		q, note := math.NaN(), ""
		if err == nil {
			q = quasi[k]
		}
		log, se, lower, upper, p := 0.0, math.NaN(), math.NaN(), math.NaN(), math.NaN()
		if k == reference {
			note = "the reference"
		} else if e, errOf := m.Difference(k, reference, t.Level); errOf != nil {
			log, note = m.LogWorth[k], errOf.Error()
		} else {
			log, se, lower, upper, p = e.Estimate, e.SE, e.Lower, e.Upper, e.P
		}
		result.Put(out.Port("worths"), "level", t.levels[k], "lambda", values[k], "log_worth", log, "se", se, "ci_lower", lower, "ci_upper", upper, "p_value", p, "worth", worths[k], "quasi_se", q, "note", note)
	}
	t.fit(out, m, worst, err)
}

func (t *judgements) fit(out *sdk.Outputs, m *ranking.Model, worst float64, quasi error) {
	rows := out.Port("bradley_terry")
	row := func(quantity string, value, se, p float64, note string) {
		result.Put(rows, "quantity", quantity, "value", value, "se", se, "p_value", p, "note", note)
	}
	nan := math.NaN()
	for _, p := range m.Other {
		if p.Name == "first" { // the advantage of b is the other way round
			row("order", -p.Estimate, p.SE, normal(p.Estimate/p.SE), "advantage of b, log odds")
			continue
		}
		row(p.Name, p.Estimate, p.SE, nan, "")
	}
	row("judgements", m.Choices, nan, nan, "")
	row("log_lik", m.LogLik, nan, nan, "")
	row("aic", m.AIC(), nan, nan, "")
	if s, df, p, err := m.Equal(); err == nil {
		row("likelihood ratio of equal worths", s, nan, p, fmt.Sprintf("chi-squared with %g degrees of freedom", df))
	}
	if quasi != nil {
		row("quasi_se error", nan, nan, nan, quasi.Error())
		return
	}
	row("quasi_se error", worst, nan, nan, "largest relative error of a difference's standard error from quasi_se")
}
