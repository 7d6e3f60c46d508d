package trial

import (
	"math"
	"slices"

	"github.com/seed-4012077a/flow/sdk/stats/emm"
	"github.com/seed-4012077a/flow/sdk/stats/estimate"
	"github.com/seed-4012077a/flow/sdk/stats/glm"
)

// Mean is a marginal mean of the full model, or the observed mean of an arm.
type Mean struct {
	Study, Outcome string
	// Kind is dose (along lambda), trajectory (along time, at each lambda of
	// the data) or observed (an arm's participants: the mean of their own
	// means, with a t interval between participants).
	Kind          string
	Lambda, Time  float64 // NaN where averaged over
	Factor, Level string  // a dose curve at one level; "" averaged over
	// Of a binary outcome on the scale of probability; of one that is repeated
	// that of a participant whose random effects are 0.
	Estimate, SE    float64
	Lower, Upper    float64
	N, Participants int
	Note            string
}

// means fills in the curves that pictures are drawn from.
func (e *estimation) means(full *model) error {
	p, r := e.plan, e.rows
	s := emm.NewSurface(full)
	nan := math.NaN()
	curve := p.Lambda.Curve
	if len(curve) == 0 {
		curve = slices.Clone(r.lambdas)
		curve = append(curve, between(r.lambdas)...)
		if len(r.lambdas) > mostLambdas {
			curve = between(r.lambdas)
		}
		slices.Sort(curve)
		curve = slices.Compact(curve)
	}
	add := func(m Mean, where at) {
		m.Study, m.Outcome, m.N, m.Participants = e.study.Name, e.outcome.Name, full.N, r.people
		e.a.result.Means = append(e.a.result.Means, e.mean(m, full, s, where))
	}
	for _, v := range curve {
		add(Mean{Kind: "dose", Lambda: v, Time: nan}, at{p.Lambda.Column: v})
	}
	for i, levels := range e.levels() {
		for _, level := range levels {
			for _, v := range curve {
				add(Mean{Kind: "dose", Lambda: v, Time: nan, Factor: p.Factors[i].Column, Level: level}, at{p.Lambda.Column: v, p.Factors[i].Column: level})
			}
		}
	}
	if r.repeated && len(r.lambdas) <= mostLambdas {
		for _, v := range r.lambdas {
			for _, t := range e.occasions() {
				add(Mean{Kind: "trajectory", Lambda: v, Time: t}, at{p.Lambda.Column: v, p.Time.Column: t - r.centre})
			}
		}
	}
	if len(r.lambdas) <= mostLambdas {
		e.observed()
	}
	return nil
}

// between are the tenths from the first to the last of sorted numbers, or 21
// points where that would be more than 40.
func between(sorted []float64) (out []float64) {
	low, high := sorted[0], sorted[len(sorted)-1]
	if high-low > 4 {
		for k := range 21 {
			out = append(out, low+(high-low)*float64(k)/20)
		}
		return out
	}
	for k := math.Ceil(low * 10); k <= high*10; k++ {
		out = append(out, k/10)
	}
	return out
}

// mostLambdas is how many lambdas are taken as arms. Of more, as of a dose that
// everybody has another of, there is the curve alone.
const mostLambdas = 50

// mostTimes is how many times are taken as occasions of measurement. With more,
// as when time is that of a clock, a trajectory has 21 points and arms are not
// averaged at single times.
const mostTimes = 100

// occasions are the times of trajectories.
func (e *estimation) occasions() []float64 {
	t := e.rows.times
	if len(t) <= mostTimes {
		return t
	}
	out := make([]float64, 21)
	for k := range out {
		out[k] = t[0] + (t[len(t)-1]-t[0])*float64(k)/20
	}
	return out
}

// mean estimates one marginal mean. Limits are made on the model's scale.
func (e *estimation) mean(m Mean, full *model, s *emm.Surface, where at) Mean {
	m.Estimate, m.SE, m.Lower, m.Upper = math.NaN(), math.NaN(), math.NaN(), math.NaN()
	note, err := e.supported(mean1(where))
	if m.Kind == "trajectory" {
		m.Note = note // the points of a curve need none
	}
	var l []float64
	if err == nil {
		l, err = coefficients(s, mean1(where))
	}
	var v estimate.Estimate
	if err == nil {
		v, err = estimate.Of(full, "mean", l, e.plan.Level)
	}
	if err != nil {
		m.Note = err.Error()
		return m
	}
	if e.outcome.Kind == "binary" {
		mu := glm.Logit.Mu(v.Estimate)
		// The delta method: d mu / d eta = mu (1 - mu).
		m.Estimate, m.SE, m.Lower, m.Upper = mu, v.SE*mu*(1-mu), glm.Logit.Mu(v.Lower), glm.Logit.Mu(v.Upper)
		return m
	}
	m.Estimate, m.SE, m.Lower, m.Upper = v.Estimate, v.SE, v.Lower, v.Upper
	return m
}

// observed gives each arm's mean over its participants' means, of all times
// and at each time.
func (e *estimation) observed() {
	p, r := e.plan, e.rows
	y, _ := r.fr.Column(r.y)
	lambda, _ := r.fr.Column(p.Lambda.Column)
	person, _ := r.fr.Column(p.Participant)
	times := []float64{math.NaN()}
	if r.repeated && len(r.times) <= mostTimes {
		times = append(times, r.times...)
	}
	for _, v := range r.lambdas {
		for _, t := range times {
			sum, count := make([]float64, len(person.Levels)), make([]float64, len(person.Levels))
			rows := 0
			for i := range y.Num {
				if lambda.Num[i] != v || !math.IsNaN(t) && math.Abs(e.timeAt(i)-t) > 1e-9 {
					continue
				}
				sum[person.Codes[i]] += y.Num[i]
				count[person.Codes[i]]++
				rows++
			}
			m := Mean{Study: e.study.Name, Outcome: e.outcome.Name, Kind: "observed", Lambda: v, Time: t, N: rows}
			e.a.result.Means = append(e.a.result.Means, meanOfMeans(m, sum, count, p.Level))
		}
	}
}

func (e *estimation) timeAt(i int) float64 {
	c, _ := e.rows.fr.Column(e.plan.Time.Column)
	return c.Num[i] + e.rows.centre
}

// meanOfMeans fills in the mean of participants' means.
func meanOfMeans(m Mean, sum, count []float64, level float64) Mean {
	n, mean, m2 := 0.0, 0.0, 0.0
	for i, c := range count {
		if c > 0 {
			n++
			d := sum[i]/c - mean
			mean += d / n
			m2 += d * (sum[i]/c - mean)
		}
	}
	m.Participants = int(n)
	m.Estimate, m.SE, m.Lower, m.Upper = mean, math.NaN(), math.NaN(), math.NaN()
	if n == 0 {
		m.Estimate, m.Note = math.NaN(), "no participant"
		return m
	}
	if n < 2 {
		m.Note = "no interval: one participant"
		return m
	}
	m.SE = math.Sqrt(m2 / (n - 1) / n)
	half := estimate.Quantile((1+level)/2, n-1) * m.SE
	m.Lower, m.Upper = mean-half, mean+half
	return m
}
