package design

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
)

// Simulated is the name of the column that marks every row of a simulated
// trial; its one level is the same word.
const Simulated = "simulated"

// LeftAfter is the name of the column of People that says when someone left.
const LeftAfter = "left_after"

// Mean is a linear predictor: a one-sided formula and its coefficients by the
// names of the model matrix's columns ("(Intercept)", "lambda",
// "I(lambda^2)", "domainpolitical:time"). A column without a coefficient has
// 0.
type Mean struct {
	Formula      string             `json:"formula"`
	Coefficients map[string]float64 `json:"coefficients"`
}

// Outcome is what is measured at each time.
type Outcome struct {
	Name string `json:"name"`
	Mean
	// Family is "gaussian" (the default) or "binomial": 0 or 1 with
	// probability logit^-1 of the predictor.
	Family string `json:"family,omitempty"`
	// SDs of a participant's own intercept and slope of time, in units of the
	// predictor, and their correlation. Time counts as its values in Times
	// less their mean, so that the intercept is at mid-trial.
	SDIntercept float64 `json:"sd_intercept,omitempty"`
	SDSlope     float64 `json:"sd_slope,omitempty"`
	Correlation float64 `json:"correlation,omitempty"`
	// SD is the residual standard deviation of a gaussian outcome.
	SD float64 `json:"sd,omitempty"`
	// Min and Max bound a gaussian outcome, as a slider does; Step rounds it
	// to multiples of itself from Min or 0.
	Min  *float64 `json:"min,omitempty"`
	Max  *float64 `json:"max,omitempty"`
	Step float64  `json:"step,omitempty"`
	// Last says that it is measured at the last time only.
	Last bool `json:"last,omitempty"`
}

// Trial is a trial to simulate.
type Trial struct {
	Participants int    `json:"participants"`
	ID           string `json:"id"` // column of participants; "ppt" if empty
	// Factors are assigned by permuted blocks (List with the smallest block).
	// Where all levels of a factor are numbers its column is numeric.
	Factors []Factor `json:"factors"`
	// Covariates are drawn for each participant, a level with the
	// probability that the ratio gives it.
	Covariates []Factor `json:"covariates,omitempty"`
	// Time is the column of measurement times and Times their values; nil
	// means one measurement and no such column.
	Time     string    `json:"time,omitempty"`
	Times    []float64 `json:"times,omitempty"`
	Outcomes []Outcome `json:"outcomes"`
	// Attrition is the log odds of leaving after each measurement but the
	// last; an empty formula means that nobody leaves. Rows after that do not
	// exist.
	Attrition Mean `json:"attrition,omitzero"`
	// Missing is the probability that one outcome's value is missing at
	// random though the participant is there.
	Missing float64 `json:"missing,omitempty"`
}

// Simulate makes the trial's data: one row a participant and time, sorted by
// both, with columns for the participant, factors, covariates, time and
// outcomes, and the mark Simulated.
func (t Trial) Simulate(seed uint64) (*frame.Frame, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	full, err := t.people(seed)
	if err != nil {
		return nil, err
	}
	times := max(len(t.Times), 1)
	r := rand.New(rand.NewPCG(seed, 1<<63))
	rows, err := t.stay(full, times, r)
	if err != nil {
		return nil, err
	}
	for _, o := range t.Outcomes {
		y, err := t.measure(o, full, times, r)
		if err != nil {
			return nil, fmt.Errorf("outcome %q: %w", o.Name, err)
		}
		if err := full.AddNumeric(o.Name, y); err != nil {
			return nil, err
		}
	}
	if err := full.AddFactor(Simulated, make([]int32, full.Rows()), []string{Simulated}); err != nil {
		return nil, err
	}
	return full.Select(rows), nil
}

// people makes the columns that are known without measuring, a row a
// participant and time.
func (t Trial) people(seed uint64) (*frame.Frame, error) {
	times := max(len(t.Times), 1)
	rows := t.Participants * times
	fr := frame.New(rows)
	name := t.ID
	if name == "" {
		name = "ppt"
	}
	codes, ids := make([]int32, rows), make([]string, t.Participants)
	width := len(strconv.Itoa(t.Participants))
	for i := range ids {
		ids[i] = fmt.Sprintf("S%0*d", width, i+1)
		for k := range times {
			codes[i*times+k] = int32(i)
		}
	}
	if err := fr.AddFactor(name, codes, ids); err != nil {
		return nil, err
	}
	if len(t.Factors) > 0 {
		list, err := List{Factors: t.Factors, N: t.Participants}.Make(seed)
		if err != nil {
			return nil, err
		}
		for k, f := range t.Factors {
			if err := spread(fr, f, times, func(i int) int { return list[i].Levels[k] }); err != nil {
				return nil, err
			}
		}
	}
	r := rand.New(rand.NewPCG(seed, 1<<62))
	for _, f := range t.Covariates {
		if err := f.check(); err != nil {
			return nil, fmt.Errorf("covariates: %w", err)
		}
		total := 0
		for level := range f.Levels {
			total += f.ratio(level)
		}
		draw := func(int) int {
			at := r.IntN(total)
			for level := range f.Levels {
				if at -= f.ratio(level); at < 0 {
					return level
				}
			}
			return len(f.Levels) - 1
		}
		if err := spread(fr, f, times, draw); err != nil {
			return nil, err
		}
	}
	if t.Time != "" {
		v := make([]float64, rows)
		for i := range v {
			v[i] = t.Times[i%times]
		}
		if err := fr.AddNumeric(t.Time, v); err != nil {
			return nil, err
		}
	}
	return fr, nil
}

// spread adds a factor's column from one level for each participant.
func spread(fr *frame.Frame, f Factor, times int, level func(participant int) int) error {
	numbers, numeric := f.Numbers()
	codes, values := make([]int32, fr.Rows()), make([]float64, fr.Rows())
	for i := 0; i < fr.Rows(); i += times {
		l := level(i / times)
		for k := range times {
			codes[i+k] = int32(l)
			if numeric {
				values[i+k] = numbers[l]
			}
		}
	}
	if numeric {
		return fr.AddNumeric(f.Name, values)
	}
	return fr.AddFactor(f.Name, codes, slices.Clone(f.Levels))
}

// predictor returns X times the coefficients. What a coefficient means does
// not depend on who was drawn: a level that nobody has keeps its column, and
// the first level stays the reference.
func (m Mean) predictor(fr *frame.Frame) ([]float64, error) {
	f, err := formula.Parse(m.Formula)
	if err != nil {
		return nil, err
	}
	every, err := withEveryLevel(fr)
	if err != nil {
		return nil, err
	}
	d, err := f.Design(every, formula.Options{})
	if err != nil {
		return nil, err
	}
	if d.Response != "" || len(d.Random) > 0 {
		return nil, fmt.Errorf("the formula %q of simulated data has the fixed effects only, as \"~ lambda * time\"", m.Formula)
	}
	if len(d.Rows) != every.Rows() {
		return nil, fmt.Errorf("%d rows have missing values", d.Dropped)
	}
	x, names := d.X, d.Names
	if every != fr || len(d.Aliased) > 0 {
		if x, err = d.ModelAll(fr); err != nil {
			return nil, err
		}
		names = d.AllNames()
	}
	b := make([]float64, len(names))
	for _, name := range slices.Sorted(maps.Keys(m.Coefficients)) {
		v, i := m.Coefficients[name], slices.Index(names, name)
		if i < 0 {
			return nil, fmt.Errorf("the formula has no coefficient %q: %s", name, frame.Choices(name, names))
		}
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("coefficient %q is %v", name, v)
		}
		b[i] = v
	}
	out := make([]float64, fr.Rows())
	for i := range out {
		for j, v := range b {
			out[i] += float64(x.At(i, j) * v)
		}
	}
	return out, nil
}

// withEveryLevel is the frame with one more row for each level of a factor
// that no row has; the same frame where there is none.
func withEveryLevel(fr *frame.Frame) (*frame.Frame, error) {
	type absent struct {
		factor string
		code   int32
	}
	var all []absent
	for _, name := range fr.Names() {
		c, _ := fr.Column(name)
		if c.Kind != frame.Factor {
			continue
		}
		for k, n := range c.Counts() {
			if n == 0 {
				all = append(all, absent{name, int32(k)})
			}
		}
	}
	if len(all) == 0 {
		return fr, nil
	}
	rows := make([]int, fr.Rows(), fr.Rows()+len(all))
	for i := range rows {
		rows[i] = i
	}
	out := fr.Select(append(rows, make([]int, len(all))...)) // copies of the first row
	for at, a := range all {
		c, _ := out.Column(a.factor)
		codes := slices.Clone(c.Codes)
		codes[fr.Rows()+at] = a.code
		var err error
		if out, err = out.With(&frame.Column{Name: c.Name, Kind: frame.Factor, Codes: codes, Levels: c.Levels}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// stay draws who is there when, and returns the rows that exist.
func (t Trial) stay(fr *frame.Frame, times int, r *rand.Rand) ([]int, error) {
	var odds []float64
	if t.Attrition.Formula != "" {
		var err error
		if odds, err = t.Attrition.predictor(fr); err != nil {
			return nil, fmt.Errorf("attrition: %w", err)
		}
	}
	rows := make([]int, 0, fr.Rows())
	for i := 0; i < fr.Rows(); i += times {
		for k := range times {
			rows = append(rows, i+k)
			if odds != nil && k < times-1 && r.Float64() < 1/(1+math.Exp(-odds[i+k])) {
				break
			}
		}
	}
	return rows, nil
}

// measure draws one outcome:
//
//	eta_ij = x_ij'b + u_0i + u_1i (t_j - mean t),   (u_0, u_1) normal,
//
// and y = eta + e with e normal, or Bernoulli(logit^-1 eta).
func (t Trial) measure(o Outcome, fr *frame.Frame, times int, r *rand.Rand) ([]float64, error) {
	eta, err := o.predictor(fr)
	if err != nil {
		return nil, err
	}
	mean := 0.0
	for _, v := range t.Times {
		mean += v / float64(times)
	}
	for i := 0; i < len(eta); i += times {
		z0, z1 := r.NormFloat64(), r.NormFloat64()
		u0 := o.SDIntercept * z0
		u1 := o.SDSlope * (o.Correlation*z0 + math.Sqrt(1-o.Correlation*o.Correlation)*z1)
		for k := range times {
			v := eta[i+k] + u0
			if len(t.Times) > 0 {
				v += u1 * (t.Times[k] - mean)
			}
			eta[i+k] = o.draw(v, r)
			gone := t.Missing > 0 && r.Float64() < t.Missing
			if gone || o.Last && k < times-1 {
				eta[i+k] = math.NaN()
			}
		}
	}
	return eta, nil
}

func (o Outcome) draw(eta float64, r *rand.Rand) float64 {
	if o.Family == "binomial" {
		if r.Float64() < 1/(1+math.Exp(-eta)) {
			return 1
		}
		return 0
	}
	y := eta + o.SD*r.NormFloat64()
	if o.Step > 0 {
		from := 0.0
		if o.Min != nil {
			from = *o.Min
		}
		y = from + o.Step*math.Round((y-from)/o.Step)
	}
	if o.Min != nil {
		y = max(y, *o.Min)
	}
	if o.Max != nil {
		y = min(y, *o.Max)
	}
	return y
}
