package trajectory

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"github.com/seed-4012077a/flow/sdk/stats/lmm"
)

// Options say which columns of a frame are what, and how to fit.
type Options struct {
	Outcomes    []string // columns of numbers, stacked
	Time        string   // column of numbers
	Participant string   // factor, or numbers that name participants
	// OutcomeEffects gives each outcome a fixed effect of its own: outcomes of
	// different levels, of which not every participant has all, would otherwise
	// pass for change.
	OutcomeEffects bool
	// Uncorrelated fits independent intercepts and slopes; they then depend on
	// the time that is centred on.
	Uncorrelated bool
	At           float64 // time of the intercepts; NaN: the mean time
	DF           lmm.DF  // of the fixed effects' tests
}

// Slope is a participant's line.
type Slope struct {
	Participant          string
	Intercept, Slope     float64
	InterceptSD, SlopeSD float64 // conditional standard deviations, the fixed effects and variances being as estimated
	Answers, Times       int     // answers, and different times with one
}

// Fit is the model and what it says of each participant.
type Fit struct {
	Model   *lmm.Model
	Centre  float64 // mean time of the rows
	At      float64 // time of the intercepts
	Slopes  []Slope // participants with an answer, in the order of the factor's levels
	Dropped int     // answers missing, or without time or participant
}

// stacked are the answers, one a row.
type stacked struct {
	value, time []float64
	who, item   []int32
	levels      []string
	dropped     int
}

func stack(fr *frame.Frame, o Options) (*stacked, error) {
	if len(o.Outcomes) == 0 {
		return nil, errors.New("no outcome is named")
	}
	numeric := func(name string) ([]float64, error) {
		c, ok := fr.Column(name)
		if !ok {
			return nil, fr.Unknown(name)
		}
		if c.Kind != frame.Numeric {
			return nil, fmt.Errorf("column %q is a factor, and numbers are needed", name)
		}
		return c.Num, nil
	}
	time, err := numeric(o.Time)
	if err != nil {
		return nil, fmt.Errorf("time: %w", err)
	}
	who, ok := fr.Column(o.Participant)
	if !ok {
		return nil, fmt.Errorf("participant: %w", fr.Unknown(o.Participant))
	}
	who = who.ToFactor()
	s := &stacked{levels: who.Levels}
	for k, name := range o.Outcomes {
		y, err := numeric(name)
		if err != nil {
			return nil, fmt.Errorf("outcome: %w", err)
		}
		for i, v := range y {
			if math.IsNaN(v) || math.IsNaN(time[i]) || who.Codes[i] < 0 {
				s.dropped++
				continue
			}
			s.value = append(s.value, v)
			s.time = append(s.time, time[i])
			s.who = append(s.who, who.Codes[i])
			s.item = append(s.item, int32(k))
		}
	}
	if len(s.value) == 0 {
		return nil, fmt.Errorf("no row has an answer in %v with a time and a participant", o.Outcomes)
	}
	if slices.Min(s.time) == slices.Max(s.time) {
		return nil, fmt.Errorf("time: column %q is %g in all %d rows with an answer: there is no slope over time", o.Time, s.time[0], len(s.time))
	}
	return s, nil
}

// design makes the model's frame and formula.
func (s *stacked) design(o Options, centre float64) (*formula.Design, error) {
	taken := []string{}
	unique := func(name string) string {
		for slices.Contains(taken, name) {
			name += "_"
		}
		taken = append(taken, name)
		return name
	}
	time, who := unique(o.Time), unique(o.Participant)
	y := o.Outcomes[0]
	if len(o.Outcomes) > 1 {
		y = "answer"
	}
	y = unique(y)
	fr := frame.New(len(s.value))
	centred := make([]float64, len(s.time))
	for i, t := range s.time {
		centred[i] = t - centre
	}
	if err := errors.Join(fr.AddNumeric(y, s.value), fr.AddNumeric(time, centred), fr.AddFactor(who, s.who, s.levels)); err != nil {
		return nil, err
	}
	q := formula.Quote
	text := q(y) + " ~ " + q(time)
	if o.OutcomeEffects && len(o.Outcomes) > 1 {
		item := unique("outcome")
		if err := fr.AddFactor(item, s.item, o.Outcomes); err != nil {
			return nil, err
		}
		text += " + " + q(item)
	}
	bar := " | "
	if o.Uncorrelated {
		bar = " || "
	}
	f, err := formula.Parse(text + " + (1 + " + q(time) + bar + q(who) + ")")
	if err != nil {
		return nil, err
	}
	return f.Design(fr, formula.Options{})
}

// Slopes fits the model by REML and gives each participant's line.
func Slopes(fr *frame.Frame, o Options) (*Fit, error) {
	s, err := stack(fr, o)
	if err != nil {
		return nil, err
	}
	fit := &Fit{Dropped: s.dropped, At: o.At}
	for _, t := range s.time {
		fit.Centre += t
	}
	fit.Centre /= float64(len(s.time))
	if math.IsNaN(fit.At) {
		fit.At = fit.Centre
	}
	d, err := s.design(o, fit.Centre)
	if err != nil {
		return nil, err
	}
	if fit.Model, err = lmm.Fit(d, lmm.Options{REML: true, DF: o.DF}); err != nil {
		return nil, err
	}
	return fit, fit.lines(s)
}

// lines moves each participant's effects from the centred time to At: with
// d = At - centre the intercept is a + d s and its variance
// v_aa + 2 d v_as + d^2 v_ss.
func (fit *Fit) lines(s *stacked) error {
	levels, columns, coef, err := fit.Model.LevelCoefficients(fit.Model.Groups()[0].Name)
	if err != nil {
		return err
	}
	effects, err := fit.Model.RandomEffects()
	if err != nil {
		return err
	}
	if len(columns) != 2 {
		return fmt.Errorf("the model has the random effects %v, and an intercept and a slope were expected", columns)
	}
	answers := make([]int, len(s.levels))
	times := make([][]float64, len(s.levels))
	for i, g := range s.who {
		answers[g]++
		if !slices.Contains(times[g], s.time[i]) {
			times[g] = append(times[g], s.time[i])
		}
	}
	code := make(map[string]int, len(s.levels))
	for g, name := range s.levels {
		code[name] = g
	}
	at := fit.At - fit.Centre
	for k, name := range levels {
		v, g := effects[0].Var[k], code[name]
		spread := v.At(0, 0) + 2*at*v.At(0, 1) + at*at*v.At(1, 1)
		fit.Slopes = append(fit.Slopes, Slope{Participant: name, Slope: coef.At(k, 1), Intercept: coef.At(k, 0) + at*coef.At(k, 1),
			SlopeSD: math.Sqrt(math.Max(0, v.At(1, 1))), InterceptSD: math.Sqrt(math.Max(0, spread)), Answers: answers[g], Times: len(times[g])})
	}
	return nil
}
