package main

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-4012077a/flow/plugins/internal/group"
	"github.com/seed-4012077a/flow/plugins/internal/result"
	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/estimate"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"github.com/seed-4012077a/flow/sdk/stats/proportion"
)

func comparisonColumns() []result.Column {
	return []result.Column{result.Text("comparison", ""), result.Text("event", "level of the outcome; null: all levels together"),
		result.Text("measure", "proportion_treated, proportion_control, difference_test, fisher, odds_ratio, risk_ratio, risk_difference, number_needed, chi_squared"),
		result.Text("method", ""), result.Text("alternative", "of a test"), result.Truth("corrected", "continuity correction; of an odds ratio: 1/2 added to every cell"),
		result.Number("estimate", "proportion, difference, ratio, number needed, or Cramer's V of chi_squared"), result.Number("ci_lower", ""), result.Number("ci_upper", "null where the interval of a number needed passes through infinity: see the note"),
		result.Number("statistic", "chi-squared; z of a ratio or difference"), result.Number("df", ""), result.Number("p_value", ""), result.Number("p_adjusted", "p_value corrected over the comparisons and events of the same test"),
		result.Count("events_treated", ""), result.Count("n_treated", ""), result.Count("events_control", ""), result.Count("n_control", ""), result.Note()}
}

func tableColumns() []result.Column {
	return []result.Column{result.Text("comparison", ""), result.Text("arm", "treated or control"), result.Text("conditions", ""), result.Text("level", "of the outcome"),
		result.Count("n", ""), result.Count("total", ""), result.Number("share", ""), result.Number("expected", "under independence"), result.Number("residual", "adjusted; standard normal under independence")}
}

func compareOperator() sdk.Operator {
	return sdk.Operator{
		Name: "compare", Kind: sdk.Table,
		Doc: `Compares two arms by a categorical outcome, as participants' profiles. An arm is the rows that meet its conditions: lambda = 1 (equal), lambda = [0.5, 1] (one of), lambda = { above = 0 } (also at_least, below, at_most, not); several columns must all fit.
For each level of the outcome as the event: proportions with Wilson limits, tests of equal proportions with and without continuity correction (prop.test) and Fisher's, the odds ratio (Woolf), the risk ratio (Katz), the risk difference (Wald, Newcombe) and its inverse, the number needed to harm or treat; and Pearson's chi-squared over all levels.
Example: with = { outcome = "profile", events = ["Decoupled Dependency"], comparisons = [{ name = "high against low", treated = { lambda = { above = 0 } }, control = { lambda = { below = 0 } } }] }.`,
		Inputs: []sdk.Port{{Name: "rows", Doc: "one row a participant, or what is counted", Columns: []sdk.ColumnSpec{{Name: "{outcome}", Type: "any"}}}},
		Outputs: []sdk.Port{result.Port("comparisons", "one row a comparison, event and measure", comparisonColumns()),
			result.Port("tables", "the counts that are compared", tableColumns())},
		Params: `{"type": "object", "additionalProperties": false, "required": ["outcome", "comparisons"], "properties": {
			"outcome": {"type": "string", "minLength": 1, "description": "column of the categorical outcome"},
			"events": {"type": "array", "items": {"type": ["string", "number", "boolean"]}, "uniqueItems": true, "default": [], "description": "levels of the outcome to compare the arms by, each against the others; empty: every level"},
			"comparisons": {"type": "array", "minItems": 1, "description": "pairs of arms", "items": {"type": "object", "additionalProperties": false, "required": ["name", "treated", "control"], "properties": {
				"name": {"type": "string", "minLength": 1, "description": "name in the results"},
				"treated": {"description": "conditions of the arm whose risk comes first", ` + armSchema + `},
				"control": {"description": "conditions of the arm that it is compared with", ` + armSchema + `}}}},
			"alternatives": {"type": "array", "items": {"enum": ["two.sided", "greater", "less"]}, "minItems": 1, "uniqueItems": true, "default": ["two.sided", "greater"], "description": "alternatives of the tests; greater: more events among the treated"},
			"unwelcome": {"type": "boolean", "default": true, "description": "events are unwelcome: more of them among the treated is harm"},
			"adjust": {"enum": ["none", "bonferroni", "holm", "hochberg", "hommel", "BH", "BY"], "default": "none", "description": "correction of each test's p-values over comparisons and events"},
			"level": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1, "default": 0.95, "description": "confidence level"}}}`,
		Open: openCompare,
	}
}

// comparing is two arms with their counts by level.
type comparing struct {
	name             string
	treated, control arm
	counts           [2]map[string]int // treated, control
	missing          int               // rows of an arm without an outcome
}

type compareTask struct {
	opening      sdk.Opening
	outcome      string
	events       []string
	alternatives []proportion.Alternative
	unwelcome    bool
	adjust       string
	level        float64
	comparisons  []*comparing
	rows         int
	levels       map[string]bool
	lines        []line
}

func openCompare(o sdk.Opening) (sdk.Task, error) {
	var p struct {
		Outcome     string `json:"outcome"`
		Events      []any  `json:"events"`
		Comparisons []struct {
			Name    string                     `json:"name"`
			Treated map[string]json.RawMessage `json:"treated"`
			Control map[string]json.RawMessage `json:"control"`
		} `json:"comparisons"`
		Alternatives []string `json:"alternatives"`
		Unwelcome    bool     `json:"unwelcome"`
		Adjust       string   `json:"adjust"`
		Level        float64  `json:"level"`
	}
	if err := o.Decode(&p); err != nil {
		return nil, err
	}
	in := o.Input("rows")
	f, err := result.Need(in, "outcome", p.Outcome)
	if err != nil {
		return nil, err
	}
	if !group.Single(f.Type) {
		return nil, sdk.ParamError("outcome", "column %q is %s: a categorical outcome is a number, string or boolean", p.Outcome, f.Type)
	}
	t := &compareTask{opening: o, outcome: p.Outcome, unwelcome: p.Unwelcome, adjust: p.Adjust, level: p.Level, levels: map[string]bool{}}
	for _, e := range p.Events {
		t.events = append(t.events, textOf(e))
	}
	for _, name := range p.Alternatives {
		a, err := proportion.ParseAlternative(name)
		if err != nil {
			return nil, sdk.ParamError("alternatives", "%v", err)
		}
		t.alternatives = append(t.alternatives, a)
	}
	for i, c := range p.Comparisons {
		at := "comparisons[" + strconv.Itoa(i) + "]"
		for _, before := range t.comparisons {
			if before.name == c.Name {
				return nil, sdk.ParamError(at+".name", "%q names two comparisons", c.Name)
			}
		}
		x := &comparing{name: c.Name, counts: [2]map[string]int{{}, {}}}
		if x.treated, err = parseArm(c.Treated, in, at+".treated"); err != nil {
			return nil, err
		}
		if x.control, err = parseArm(c.Control, in, at+".control"); err != nil {
			return nil, err
		}
		t.comparisons = append(t.comparisons, x)
	}
	o.Output("comparisons", sdk.Schema{Fields: result.Fields(comparisonColumns())})
	o.Output("tables", sdk.Schema{Fields: result.Fields(tableColumns())})
	return t, nil
}

func (t *compareTask) Process(_ string, in *sdk.Batch, _ *sdk.Outputs) error {
	col := in.Col(t.outcome)
	for i := range in.Len() {
		level, ok := group.Text(col, i)
		if ok {
			level = strings.Clone(level)
			t.levels[level] = true
		}
		for k, c := range t.comparisons {
			treated, control := c.treated.holds(in, i), c.control.holds(in, i)
			switch {
			case treated && control:
				return sdk.ParamError("comparisons["+strconv.Itoa(k)+"]", "row %d is in both arms: it meets %s, and %s", t.rows+i, c.treated, c.control)
			case !treated && !control:
			case !ok:
				c.missing++
			case treated:
				c.counts[0][level]++
			default:
				c.counts[1][level]++
			}
		}
	}
	t.rows += in.Len()
	return nil
}

// line is a row of the comparisons table.
type line struct {
	comparison, event, measure, method, alternative string
	corrected                                       any // bool or nil
	estimate, lower, upper, statistic, df, p        float64
	adjusted                                        float64
	treated, control                                proportion.Sample
	note                                            string
}

func blank(comparison, event, measure string) line {
	nan := math.NaN()
	return line{comparison: comparison, event: event, measure: measure, estimate: nan, lower: nan, upper: nan, statistic: nan, df: nan, p: nan, adjusted: nan}
}

func (t *compareTask) Finish(out *sdk.Outputs) error {
	if t.rows == 0 {
		return sdk.Errorf("the rows table has no rows")
	}
	if len(t.levels) == 0 {
		return sdk.ColumnError(t.outcome, "is null in all %d rows", t.rows)
	}
	levels := sortedLevels(t.levels)
	events := levels
	if len(t.events) > 0 {
		events = nil
		for _, e := range t.events {
			level, ok := match(e, levels)
			if !ok {
				return sdk.ParamError("events", "the outcome %q has no level %q: %s", t.outcome, e, frame.Choices(e, levels))
			}
			events = append(events, level)
		}
	}
	for _, c := range t.comparisons {
		note := ""
		if c.missing > 0 {
			note = fmt.Sprintf("%d rows without an outcome are left out", c.missing)
		}
		for side, a := range []arm{c.treated, c.control} {
			if c.sample(side, "").N > 0 {
				continue
			}
			nobody := fmt.Sprintf("no row with an outcome is in the %s arm (%s)", []string{"treated", "control"}[side], a)
			t.opening.Log("warning: %s: %s", c.name, nobody)
			note = result.Notes(note, nobody)
		}
		for _, e := range events {
			t.event(c, e, note)
		}
		t.whole(out, c, levels, note)
	}
	t.correct()
	rows := out.Port("comparisons")
	for _, l := range t.lines {
		var treated, control any = l.treated.Events, l.control.Events
		if l.event == "" {
			treated, control = nil, nil
		}
		result.Put(rows, "comparison", l.comparison, "event", l.event, "measure", l.measure, "method", l.method, "alternative", l.alternative, "corrected", l.corrected,
			"estimate", l.estimate, "ci_lower", l.lower, "ci_upper", l.upper, "statistic", l.statistic, "df", l.df, "p_value", l.p, "p_adjusted", l.adjusted,
			"events_treated", treated, "n_treated", l.treated.N, "events_control", control, "n_control", l.control.N, "note", l.note)
	}
	return nil
}

// match finds a level written as text or as another writing of the number.
func match(event string, levels []string) (string, bool) {
	if slices.Contains(levels, event) {
		return event, true
	}
	if v, err := strconv.ParseFloat(event, 64); err == nil {
		for _, l := range levels {
			if w, err := strconv.ParseFloat(l, 64); err == nil && v == w {
				return l, true
			}
		}
	}
	return "", false
}

func (c *comparing) sample(side int, event string) proportion.Sample {
	s := proportion.Sample{}
	for level, n := range c.counts[side] {
		s.N += n
		if event != "" && level == event {
			s.Events = n
		}
	}
	return s
}

// add appends a measure, or the reason why there is none.
func (t *compareTask) add(l line, treated, control proportion.Sample, err error, note string) {
	l.treated, l.control = treated, control
	l.note = result.Notes(l.note, note)
	if err != nil {
		corrected, method, alternative := l.corrected, l.method, l.alternative
		l = blank(l.comparison, l.event, l.measure)
		l.corrected, l.method, l.alternative, l.treated, l.control = corrected, method, alternative, treated, control
		l.note = result.Notes(err.Error(), note)
	}
	t.lines = append(t.lines, l)
}

// event adds all measures of one level of the outcome.
func (t *compareTask) event(c *comparing, event, note string) {
	x, y := c.sample(0, event), c.sample(1, event)
	for i, s := range []proportion.Sample{x, y} {
		l := blank(c.name, event, []string{"proportion_treated", "proportion_control"}[i])
		ci, err := s.Limits(proportion.Wilson, t.level)
		l.method, l.estimate, l.lower, l.upper = "Wilson limits", float64(s.Events)/float64(s.N), ci.Lower, ci.Upper
		t.add(l, x, y, err, note)
	}
	for _, a := range t.alternatives {
		for _, correct := range []bool{true, false} {
			l := blank(c.name, event, "difference_test")
			l.method, l.alternative, l.corrected = "test of equal proportions, pooled", a.String(), correct
			test, err := proportion.TwoSample(x, y, a, correct, t.level)
			l.estimate, l.lower, l.upper, l.statistic, l.df, l.p = test.Estimate, test.Lower, test.Upper, test.Statistic, test.DF, test.P
			t.add(l, x, y, err, note)
		}
		l := blank(c.name, event, "fisher")
		l.method, l.alternative = "Fisher's exact test, conditional odds ratio", a.String()
		table := &proportion.Table{Counts: [][]int{{x.Events, x.N - x.Events}, {y.Events, y.N - y.Events}}}
		test, err := table.Fisher(1, a, t.level)
		l.estimate, l.lower, l.upper, l.p = test.Estimate, test.Lower, test.Upper, test.P
		if err == nil && (math.IsInf(test.Estimate, 0) || math.IsInf(test.Upper, 0)) {
			l.note = "a null estimate or limit is infinite"
		}
		t.add(l, x, y, err, note)
	}
	t.effects(c, event, x, y, note)
}

func (t *compareTask) effects(c *comparing, event string, x, y proportion.Sample, note string) {
	effect := func(measure, method string, e proportion.Effect, err error) {
		l := blank(c.name, event, measure)
		l.method, l.corrected = method, nil
		if strings.HasSuffix(measure, "_ratio") {
			l.corrected = e.Corrected
		}
		l.estimate, l.lower, l.upper, l.statistic, l.p = e.Estimate, e.Lower, e.Upper, e.Statistic, e.P
		t.add(l, x, y, err, note)
	}
	e, err := proportion.OddsRatio(x, y, t.level)
	effect("odds_ratio", "Woolf", e, err)
	e, err = proportion.RiskRatio(x, y, t.level)
	effect("risk_ratio", "Katz", e, err)
	for _, m := range []proportion.Method{proportion.Wald, proportion.Wilson} {
		name := "Wald"
		if m == proportion.Wilson {
			name = "Newcombe"
		}
		d, err := proportion.RiskDifference(x, y, m, t.level)
		effect("risk_difference", name, d, err)
		l := blank(c.name, event, "number_needed")
		l.method = "inverse of the risk difference, " + name
		if err == nil {
			var n proportion.Needed
			n, err = proportion.NumberNeeded(d, t.unwelcome, t.level)
			if err == nil {
				l.note = n.String()
				l.estimate, l.lower = n.Number, n.Lower
				// An interval through infinity has no upper limit in the
				// estimate's own direction: the note has the other one's.
				if !n.Through {
					l.upper = n.Upper
				}
			}
		}
		t.add(l, x, y, err, note)
	}
}

// whole adds the chi-squared test of all levels and writes their counts.
func (t *compareTask) whole(out *sdk.Outputs, c *comparing, levels []string, note string) {
	var used []string
	counts := [][]int{nil, nil}
	for _, l := range levels {
		if c.counts[0][l]+c.counts[1][l] > 0 {
			used = append(used, l)
			counts[0] = append(counts[0], c.counts[0][l])
			counts[1] = append(counts[1], c.counts[1][l])
		}
	}
	x, y := c.sample(0, ""), c.sample(1, "")
	table := &proportion.Table{Counts: counts}
	corrections := []bool{false}
	if len(used) == 2 {
		corrections = []bool{true, false}
	}
	var test *proportion.Independence
	var err error
	for _, correct := range corrections {
		l := blank(c.name, "", "chi_squared")
		l.method, l.corrected = "Pearson's chi-squared over all levels, Cramer's V", correct
		if x.N == 0 || y.N == 0 || len(used) < 2 {
			err = fmt.Errorf("no test: %d treated and %d control rows with %d levels of the outcome", x.N, y.N, len(used))
		} else {
			test, err = table.ChiSquared(correct)
		}
		if err == nil {
			l.estimate, l.statistic, l.df, l.p = test.CramerV, test.Statistic, test.DF, test.P
			if test.MinExpected < 5 {
				l.note = fmt.Sprintf("the least expected count is %.3g: the approximation is in doubt", test.MinExpected)
			}
		}
		t.add(l, proportion.Sample{N: x.N}, proportion.Sample{N: y.N}, err, note)
	}
	rows := out.Port("tables")
	for side, a := range []arm{c.treated, c.control} {
		total := []proportion.Sample{x, y}[side].N
		for j, level := range used {
			expected, residual := math.NaN(), math.NaN()
			if test != nil && err == nil {
				expected, residual = test.Expected[side][j], test.Adjusted[side][j]
			}
			result.Put(rows, "comparison", c.name, "arm", []string{"treated", "control"}[side], "conditions", a.String(), "level", level,
				"n", counts[side][j], "total", total, "share", float64(counts[side][j])/float64(total), "expected", expected, "residual", residual)
		}
	}
}

// correct adjusts the p-values of each kind of test over comparisons and
// events.
func (t *compareTask) correct() {
	if t.adjust == "none" {
		return
	}
	families := map[string][]int{}
	for i, l := range t.lines {
		key := fmt.Sprint(l.measure, l.method, l.alternative, l.corrected)
		families[key] = append(families[key], i)
	}
	for _, at := range families {
		p := make([]float64, len(at))
		for k, i := range at {
			p[k] = t.lines[i].p
		}
		for k, v := range estimate.Adjust(p, t.adjust) {
			t.lines[at[k]].adjusted = v
		}
	}
}
