package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/seed-4012077a/flow/plugins/internal/group"
	"github.com/seed-4012077a/flow/plugins/internal/result"
	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/estimate"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"github.com/seed-4012077a/flow/sdk/stats/ranking"
)

// common are the parameters of both operators.
type common struct {
	GroupBy     []string `json:"group_by"`
	Reference   string   `json:"reference"`
	Weight      string   `json:"weight"`
	Pseudo      float64  `json:"pseudo"`
	Level       float64  `json:"level"`
	Differences bool     `json:"differences"`
	Adjust      string   `json:"adjust"`
}

const commonSchema = `
	"group_by": {"type": "array", "items": {"type": "string"}, "default": [], "description": "columns: worths apart for each combination of their values"},
	"reference": {"type": "string", "default": "", "description": "item whose log-worth is 0; left out: log-worths average 0"},
	"weight": {"type": "string", "default": "", "description": "column with how often a row was seen"},
	"pseudo": {"type": "number", "minimum": 0, "default": 0, "description": "imagined wins and losses of every item against one of worth 1: estimates stay finite where an item always won, and shrink a little (0.5 is usual)"},
	"level": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1, "default": 0.95, "description": "confidence level"},
	"differences": {"type": "boolean", "default": true, "description": "all pairs of items in the output differences"},
	"adjust": {"enum": ["none", "bonferroni", "holm", "hochberg", "hommel", "BH", "BY"], "default": "holm", "description": "correction of the differences' p-values"}`

// outputs are the ports of both operators, in order.
func outputs() []sdk.Port {
	return []sdk.Port{
		result.Port("worths", "one row an item, the best first", worthColumns()),
		result.Port("differences", "one row a pair of items: the log odds that the first is placed above the second", differenceColumns()),
		result.Port("parameters", "what is estimated beside log-worths: first (the advantage of the item shown first), log tie 2, ... (how often items tie), covariates", parameterColumns()),
		result.Port("fit", "one row a model", fitColumns())}
}

func worthColumns() []result.Column {
	return []result.Column{result.Text("item", ""), result.Count("place", "1 is the best"), result.Number("log_worth", ""), result.Number("se", "null for the reference"), result.Number("ci_lower", ""), result.Number("ci_upper", ""),
		result.Number("worth", "exp(log_worth), scaled to sum to 1"), result.Number("quasi_se", "of every item: sqrt(a^2 + b^2) is close to the standard error of a difference (Firth and de Menezes)"), result.Count("n", "rankings or comparisons that it is in"), result.Note()}
}

func differenceColumns() []result.Column {
	return append(append([]result.Column{result.Text("item", ""), result.Text("against", "")}, result.Estimate()...), result.Number("p_adjusted", ""), result.Number("probability", "that item is placed above against, ties apart"), result.Note())
}

func parameterColumns() []result.Column {
	return []result.Column{result.Text("parameter", ""), result.Number("estimate", ""), result.Number("se", ""), result.Number("statistic", "z"), result.Number("p_value", "two-sided")}
}

func fitColumns() []result.Column {
	return []result.Column{result.Text("method", ""), result.Count("items", ""), result.Count("n", "rankings or comparisons"), result.Count("dropped", "rows with a missing value"), result.Number("choices", "weighted"), result.Count("parameters", ""),
		result.Number("log_lik", ""), result.Number("aic", ""), result.Number("chi_squared", "likelihood ratio against equal worths"), result.Number("df", ""), result.Number("p_value", ""), result.Note()}
}

// outcome is a group's fit, or why there is none.
type outcome struct {
	method     string
	items      []string
	n, dropped int
	seen       []int // by item
	model      *ranking.Model
	err        error
}

// options are those of a fit to the named items.
func (c *common) options(items []string) (ranking.Options, error) {
	o := ranking.Options{Pseudo: c.Pseudo}
	if c.Reference != "" {
		at := slices.Index(items, c.Reference)
		if at < 0 {
			return o, fmt.Errorf("there is no item %q to be the reference: %s", c.Reference, frame.Choices(c.Reference, items))
		}
		o.Constraint, o.Reference = ranking.ReferenceItem, at
	}
	return o, nil
}

// declare declares the outputs after the grouping columns.
func declare(o sdk.Opening, keys *group.Keys) error {
	for i, columns := range [][]result.Column{worthColumns(), differenceColumns(), parameterColumns(), fitColumns()} {
		if err := result.Declare(o, outputs()[i].Name, "group_by", keys.Fields(), columns); err != nil {
			return err
		}
	}
	return nil
}

// write writes a group's tables.
func (c *common) write(o sdk.Opening, out *sdk.Outputs, keys *group.Keys, g int, r outcome) {
	lead := func(port string) *sdk.Rows {
		rows := out.Port(port)
		keys.Copy(rows, g)
		return rows
	}
	fit := lead("fit")
	result.Put(fit, "method", r.method, "items", len(r.items), "n", r.n, "dropped", r.dropped)
	if r.err != nil {
		o.Log("warning: no worths: %v", r.err)
		note := r.err.Error()
		var connection *ranking.ConnectionError
		if errors.As(r.err, &connection) && !connection.Apart && c.Pseudo == 0 {
			note += "; pseudo = 0.5 keeps estimates finite"
		}
		result.Put(fit, "choices", nil, "parameters", nil, "log_lik", nil, "aic", nil, "chi_squared", nil, "df", nil, "p_value", nil, "note", note)
		return
	}
	m := r.model
	chi, df, p, err := m.Equal()
	note := ""
	if err != nil {
		chi, df, p, note = math.NaN(), math.NaN(), math.NaN(), "no test of equal worths: "+err.Error()
	}
	result.Put(fit, "choices", m.Choices, "parameters", m.Parameters, "log_lik", m.LogLik, "aic", m.AIC(), "chi_squared", chi, "df", df, "p_value", p, "note", note)
	c.worths(lead, r)
	if c.Differences {
		c.differences(lead, m)
	}
	for _, q := range m.Other {
		z := q.Estimate / q.SE
		result.Put(lead("parameters"), "parameter", q.Name, "estimate", q.Estimate, "se", q.SE, "statistic", z, "p_value", estimate.TwoSided(z, math.Inf(1)))
	}
}

// byWorth are the items from the best, equal ones by name.
func byWorth(m *ranking.Model) []int {
	order := make([]int, len(m.Items))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case m.LogWorth[a] > m.LogWorth[b]:
			return -1
		case m.LogWorth[a] < m.LogWorth[b]:
			return 1
		}
		return strings.Compare(m.Items[a], m.Items[b])
	})
	return order
}

func (c *common) worths(lead func(string) *sdk.Rows, r outcome) {
	m := r.model
	quasi, _, err := m.QuasiSE()
	note := ""
	if err != nil {
		note = "no quasi-standard errors: " + err.Error()
		quasi = make([]float64, len(m.Items))
		for i := range quasi {
			quasi[i] = math.NaN()
		}
	}
	worth := m.Worths()
	q := estimate.Quantile((1+c.Level)/2, math.Inf(1))
	for place, i := range byWorth(m) {
		v, se := m.LogWorth[i], math.Sqrt(math.Max(0, m.Covariance.At(i, i)))
		if m.Items[i] == c.Reference {
			se = math.NaN()
		}
		result.Put(lead("worths"), "item", m.Items[i], "place", place+1, "log_worth", v, "se", se, "ci_lower", v-q*se, "ci_upper", v+q*se, "worth", worth[i], "quasi_se", quasi[i], "n", r.seen[i], "note", note)
	}
}

func (c *common) differences(lead func(string) *sdk.Rows, m *ranking.Model) {
	type pair struct {
		a, b int
		e    estimate.Estimate
		err  error
	}
	var pairs []pair
	var p []float64
	order := byWorth(m)
	for i, a := range order {
		for _, b := range order[i+1:] {
			e, err := m.Difference(a, b, c.Level)
			if err != nil {
				e.P = math.NaN()
			}
			pairs = append(pairs, pair{a, b, e, err})
			p = append(p, e.P)
		}
	}
	adjusted := estimate.Adjust(p, c.Adjust)
	for k, d := range pairs {
		rows := lead("differences")
		probability := math.NaN()
		if d.err == nil {
			probability = 1 / (1 + math.Exp(-d.e.Estimate))
		}
		result.Put(rows, "item", m.Items[d.a], "against", m.Items[d.b], "p_adjusted", adjusted[k], "probability", probability)
		result.PutEstimate(rows, d.e, d.err, "")
	}
}
