package trial

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/seed-4012077a/flow/sdk/stats/frame"
)

// timeOf reads a time column: numbers, or texts that end in one, as "week 3".
// A text with another number before it (a date), or with a dash there (day-3:
// the third day, or three days before), is refused rather than guessed at.
func timeOf(c *frame.Column) (*frame.Column, error) {
	if c.Kind == frame.Numeric {
		return c, nil
	}
	values, text := make([]float64, len(c.Levels)), map[float64]string{}
	for i, l := range c.Levels {
		trimmed := strings.TrimSpace(l)
		v, err := strconv.ParseFloat(trimmed, 64)
		if err != nil {
			before := strings.TrimRight(trimmed, "0123456789.")
			if strings.ContainsAny(before, "0123456789") || strings.HasSuffix(before, "-") || strings.HasSuffix(before, "\u2212") {
				return nil, fmt.Errorf("time column %q: what time %q is cannot be told: make a column of numbers by recode or derive", c.Name, l)
			}
			v, err = strconv.ParseFloat(trimmed[len(before):], 64)
		}
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("time column %q: %q does not end in a number: filter such rows out by where, or make a column of numbers by recode", c.Name, l)
		}
		if other, twice := text[v]; twice {
			return nil, fmt.Errorf("time column %q: %q and %q would both be the time %v: make a column of numbers by recode", c.Name, other, l, v)
		}
		values[i], text[v] = v, l
	}
	out := &frame.Column{Name: c.Name, Kind: frame.Numeric, Num: make([]float64, c.Len())}
	for i, k := range c.Codes {
		out.Num[i] = math.NaN()
		if k >= 0 {
			out.Num[i] = values[k]
		}
	}
	return out, nil
}

// setTime decides whether the outcome is repeated, and then adds time, centred
// at its mean so that intercepts and slopes are nearly uncorrelated and the
// fit well conditioned. A participant may have one row a time and item, unless
// the outcome says that there are several.
func (r *rows) setTime(p *Plan, c *frame.Column, from []int) error {
	var t *frame.Column
	if c != nil {
		t = c.Select(from)
		r.times = t.Distinct()
		r.repeated = len(r.times) > 1
	}
	person, _ := r.fr.Column(p.Participant)
	which, _ := r.fr.Column(p.item())
	type cell struct {
		person, item int32
		time         float64
	}
	seen := map[cell]bool{}
	for i := range r.fr.Rows() {
		k := cell{person: person.Codes[i]}
		if which != nil {
			k.item = which.Codes[i]
		}
		if r.repeated {
			k.time = t.Num[i]
		}
		if seen[k] && !r.outcome.Several {
			at := ""
			if r.repeated {
				at = fmt.Sprintf(" at %s %v", p.Time.Column, k.time)
			}
			return inPlan(fmt.Errorf("participant %q has several rows%s: name the time column, keep one of them by where, pool them as items, or say several = true", person.Levels[k.person], at))
		}
		seen[k] = true
	}
	if !r.repeated {
		return nil
	}
	for _, v := range t.Num {
		r.centre += v / float64(len(t.Num))
	}
	centred := make([]float64, len(t.Num))
	for i, v := range t.Num {
		centred[i] = v - r.centre
	}
	return r.fr.AddNumeric(p.Time.Column, centred)
}
