package main

import (
	"fmt"

	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
)

// complete is the rows that every one of the formulas can use, and how many
// some cannot: models are compared on the same rows. Formulas of different
// responses are an error of a parameter.
func (s *spec) complete(fr *frame.Frame, formulas, names []string) (*frame.Frame, int, error) {
	used := make([]int, fr.Rows())
	response := ""
	for i, text := range formulas {
		f, err := formula.Parse(text)
		if err != nil {
			return nil, 0, err
		}
		d, err := f.Design(fr, s.options())
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", names[i], err)
		}
		if i > 0 && d.Response != response {
			return nil, 0, sdk.ParamError(names[i], "the response is %s, not %s: likelihoods of different responses cannot be compared", d.Response, response)
		}
		response = d.Response
		for _, r := range d.Rows {
			used[r]++
		}
	}
	var rows []int
	for r, n := range used {
		if n == len(formulas) {
			rows = append(rows, r)
		}
	}
	if len(rows) == len(used) {
		return fr, 0, nil
	}
	return fr.Select(rows), len(used) - len(rows), nil
}
