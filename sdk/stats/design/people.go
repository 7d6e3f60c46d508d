package design

import (
	"fmt"
	"math"

	"github.com/seed-4012077a/flow/sdk/stats/frame"
)

// People makes one row a participant of what Simulate made of the trial, in
// its order: the participant, factors, covariates and the mark Simulated, and,
// where there are times, LeftAfter: the time of the last row of who left
// before the last of them, NaN for who stayed. A flow diagram is counted from
// it (Flow).
func (t Trial) People(rows *frame.Frame) (*frame.Frame, error) {
	id := t.ID
	if id == "" {
		id = "ppt"
	}
	who, ok := rows.Column(id)
	if !ok {
		return nil, fmt.Errorf("the rows have no column %q", id)
	}
	var first, last []int // rows of each participant
	for i, code := range who.Codes {
		if i == 0 || code != who.Codes[i-1] {
			first, last = append(first, i), append(last, i)
		}
		last[len(last)-1] = i
	}
	names := []string{id}
	for _, f := range t.Factors {
		names = append(names, f.Name)
	}
	for _, f := range t.Covariates {
		names = append(names, f.Name)
	}
	out := frame.New(len(first))
	begun := rows.Select(first)
	for _, name := range append(names, Simulated) {
		c, ok := begun.Column(name)
		if !ok {
			return nil, fmt.Errorf("the rows have no column %q", name)
		}
		if err := out.Add(c); err != nil {
			return nil, err
		}
	}
	if t.Time == "" {
		return out, nil
	}
	at, ok := rows.Column(t.Time)
	if !ok {
		return nil, fmt.Errorf("the rows have no column %q", t.Time)
	}
	left := make([]float64, len(last))
	for i, row := range last {
		if left[i] = at.Num[row]; left[i] == t.Times[len(t.Times)-1] {
			left[i] = math.NaN()
		}
	}
	return out, out.AddNumeric(LeftAfter, left)
}
