package design

import (
	"fmt"
	"math"

	"github.com/seed-4012077a/flow/sdk/stats/proportion"
)

// Result is one test in one simulated trial.
type Result struct {
	Test     string
	Estimate float64
	Lower    float64 // confidence limits
	Upper    float64
	P        float64
	Fault    string // why there is no estimate; the numbers are not looked at
}

// Power is how one test did over many simulated trials.
type Power struct {
	Test     string
	Trials   int     // with an estimate
	Failed   int     // without one; they are not in the other numbers
	Fault    string  // the first of them
	Rejected int     // trials with p below alpha
	Power    float64 // Rejected / Trials
	Lower    float64 // Wilson limits of the power: its Monte Carlo error
	Upper    float64
	Mean     float64 // of the estimates
	SD       float64 // of the estimates; NaN with one trial
	MeanP    float64
	Width    float64 // mean width of the confidence intervals
}

// Summarise counts results by test, in the order in which tests are first
// seen. alpha is the level of the tests, confidence that of the limits of the
// power.
func Summarise(results []Result, alpha, confidence float64) ([]Power, error) {
	if !(alpha > 0 && alpha < 1) || !(confidence > 0 && confidence < 1) {
		return nil, fmt.Errorf("alpha %v and confidence %v lie between 0 and 1", alpha, confidence)
	}
	at := map[string]int{}
	var out []Power
	var m2 []float64
	for _, r := range results {
		i, ok := at[r.Test]
		if !ok {
			i = len(out)
			at[r.Test] = i
			out, m2 = append(out, Power{Test: r.Test}), append(m2, 0)
		}
		p := &out[i]
		if r.Fault != "" || math.IsNaN(r.Estimate) || math.IsNaN(r.P) {
			if p.Failed++; p.Failed == 1 {
				p.Fault = r.Fault
			}
			continue
		}
		p.Trials++
		if r.P < alpha {
			p.Rejected++
		}
		// Welford's recurrences, so that a large mean costs no digits.
		n := float64(p.Trials)
		d := r.Estimate - p.Mean
		p.Mean += d / n
		m2[i] += d * (r.Estimate - p.Mean)
		p.MeanP += (r.P - p.MeanP) / n
		p.Width += (r.Upper - r.Lower - p.Width) / n
	}
	for i := range out {
		p := &out[i]
		n := float64(p.Trials)
		p.SD = math.Sqrt(m2[i] / (n - 1))
		if p.Trials < 2 {
			p.SD = math.NaN()
		}
		if p.Trials == 0 {
			p.Power, p.Lower, p.Upper, p.Mean, p.MeanP, p.Width = math.NaN(), math.NaN(), math.NaN(), math.NaN(), math.NaN(), math.NaN()
			continue
		}
		p.Power = float64(p.Rejected) / n
		limits, err := proportion.Sample{Events: p.Rejected, N: p.Trials}.Limits(proportion.Wilson, confidence)
		if err != nil {
			return nil, err
		}
		p.Lower, p.Upper = limits.Lower, limits.Upper
	}
	return out, nil
}
