package ols

import (
	"math"

	"github.com/seed-4012077a/flow/sdk/stats/estimate"
)

// Row is a line of an analysis of variance. The last has no F: it is the
// residual.
type Row struct {
	Term  string
	DF    int
	SumSq float64
	F, P  float64 // NaN in the residual's row
}

// Anova is the sequential (type I) analysis of variance: what each term adds
// to those before it. A term's sum of squares is that of its columns' effects
// Q'y. It uses the classical error; estimate.TypeIII tests each term given all
// others with the model's covariance.
func (m *Model) Anova() []Row {
	d := m.design
	rows := make([]Row, 0, len(d.Terms)+1)
	within := m.rss / float64(m.ResidualDF())
	for t, term := range d.Terms {
		r := Row{Term: term.Label}
		for j, a := range d.Assign {
			if a == t {
				r.DF++
				r.SumSq += m.effects[j] * m.effects[j]
			}
		}
		if r.DF == 0 {
			continue
		}
		r.F = r.SumSq / float64(r.DF) / within
		r.P = estimate.FTail(r.F, float64(r.DF), float64(m.ResidualDF()))
		rows = append(rows, r)
	}
	return append(rows, Row{Term: "Residuals", DF: m.ResidualDF(), SumSq: m.rss, F: math.NaN(), P: math.NaN()})
}
