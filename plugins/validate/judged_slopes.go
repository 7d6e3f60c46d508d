package main

import (
	"errors"
	"math"

	"github.com/seed-4012077a/flow/plugins/internal/result"
	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/estimate"
	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"github.com/seed-4012077a/flow/sdk/stats/glm"
	"github.com/seed-4012077a/flow/sdk/stats/ols"
)

// quantile is the two-sided normal quantile of a level.
func quantile(level float64) float64 { return estimate.Quantile(1-(1-level)/2, math.Inf(1)) }

func normal(z float64) float64 { return estimate.TwoSided(z, math.Inf(1)) }

// design parses a formula over columns of numbers.
func design(text string, rows int, columns map[string][]float64) (*formula.Design, error) {
	data := frame.New(rows)
	for name, v := range columns {
		if err := data.AddNumeric(name, v); err != nil {
			return nil, err
		}
	}
	f, err := formula.Parse(text)
	if err != nil {
		return nil, err
	}
	return f.Design(data, formula.Options{})
}

func (t *judgements) slope(out *sdk.Outputs, method, term string, e estimate.Estimate, err error, r2 float64, note string) {
	rows := out.Port("slopes")
	result.Put(rows, "method", method, "term", term, "r_squared", r2)
	result.PutEstimate(rows, e, err, note)
}

// slopes writes those of the win rates and of the judgements.
func (t *judgements) slopes(out *sdk.Outputs, values, rates []float64) {
	d, err := design("rate ~ lambda", len(values), map[string][]float64{"rate": rates, "lambda": values})
	var line *ols.Model
	if err == nil {
		line, err = ols.Fit(d, ols.Options{})
	}
	for k, term := range []string{"intercept", "slope"} {
		e, errOf, r2 := estimate.Estimate{}, err, math.NaN()
		if err == nil {
			l := []float64{0, 0}
			l[k] = 1
			e, errOf = estimate.Of(line, term, l, t.Level)
			r2, _ = line.RSquared()
		}
		t.slope(out, "win rates", term, e, errOf, r2, "")
	}
	m, err := t.logistic(values)
	t.logisticRows(out, "logistic", m, err, "")
	if t.Item == "" {
		return
	}
	note := ""
	if err == nil {
		cluster := make([]int32, len(t.judged))
		next := int32(len(t.items))
		for i, j := range t.judged {
			cluster[i] = j.item
			if j.item < 0 { // a judgement without an item stands alone
				cluster[i], next = next, next+1
				note = "judgements without an item stand alone"
			}
		}
		m, err = m.WithCluster(glm.HC0, cluster)
	}
	t.logisticRows(out, "logistic clustered", m, err, note)
}

// logistic is b preferred ~ lambda b - lambda a.
func (t *judgements) logistic(values []float64) (*glm.Model, error) {
	y, x := make([]float64, len(t.judged)), make([]float64, len(t.judged))
	for i, j := range t.judged {
		y[i], x[i] = j.b1, values[j.b]-values[j.a]
	}
	text := "b ~ difference"
	if !t.Order {
		text += " - 1"
	}
	d, err := design(text, len(y), map[string][]float64{"b": y, "difference": x})
	if err != nil {
		return nil, err
	}
	if len(d.Aliased) > 0 {
		return nil, errors.New("all judgements are of the same difference of lambdas: order and slope can't be told apart")
	}
	return glm.Fit(d, glm.Binomial(), glm.Options{Exact: true})
}

func (t *judgements) logisticRows(out *sdk.Outputs, method string, m *glm.Model, err error, note string) {
	terms := []string{"order", "slope"}
	if !t.Order {
		terms = terms[1:]
	}
	for k, term := range terms {
		e, errOf := estimate.Estimate{}, err
		if err == nil {
			l := make([]float64, len(terms))
			l[k] = 1
			e, errOf = estimate.Of(m, term, l, t.Level)
		}
		t.slope(out, method, term, e, errOf, math.NaN(), note)
	}
}
