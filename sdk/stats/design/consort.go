package design

import (
	"fmt"
	"slices"
)

// Box is one box of a CONSORT flow diagram (Hopewell et al. 2025, CONSORT
// 2025 statement): how many participants of an arm came to a stage, and what
// became of those who went no further.
type Box struct {
	Stage string
	Arm   string // "" where participants have no arm yet
	N     int    // came to this stage
	Lost  int    // of them, did not come to the next
	// Reasons counts the lost by reason, the most frequent first; "" is "no
	// reason given".
	Reasons []Reason
}

// Reason is why participants went no further, and how many.
type Reason struct {
	Text string
	N    int
}

// Participant is one person's way through a trial.
type Participant struct {
	Arm     string // "" before or without assignment
	Reached int    // index of the last stage that was reached
	Reason  string // why it was the last; "" not given
}

// Flow counts participants at each stage: before the stage named from, all
// together, and from there on by arm, in the order of arms. Every participant
// counts in each stage up to the one that was reached, so that the numbers of
// one stage are those of the stage before less its losses: Flow returns an
// error rather than boxes of which this is not true.
func Flow(stages []string, from string, arms []string, people []Participant) ([]Box, error) {
	if len(stages) == 0 {
		return nil, fmt.Errorf("there are no stages")
	}
	for i, s := range stages {
		if s == "" || slices.Contains(stages[:i], s) {
			return nil, fmt.Errorf("stage %d: %q is empty or named twice", i+1, s)
		}
	}
	split := slices.Index(stages, from)
	if split < 0 {
		return nil, fmt.Errorf("arms begin at the stage %q, which is none of %q", from, stages)
	}
	for i, p := range people {
		if p.Reached < 0 || p.Reached >= len(stages) {
			return nil, fmt.Errorf("participant %d reached stage %d of %d", i+1, p.Reached+1, len(stages))
		}
		if p.Reached >= split && !slices.Contains(arms, p.Arm) {
			return nil, fmt.Errorf("participant %d came to the stage %q with the arm %q, which is none of %q", i+1, from, p.Arm, arms)
		}
	}
	var out []Box
	for s, stage := range stages {
		groups := []string{""}
		if s >= split {
			groups = arms
		}
		for _, arm := range groups {
			b := Box{Stage: stage, Arm: arm}
			reasons := map[string]int{}
			for _, p := range people {
				if p.Reached < s || s >= split && p.Arm != arm {
					continue
				}
				b.N++
				if p.Reached == s && s < len(stages)-1 {
					b.Lost++
					reasons[p.Reason]++
				}
			}
			for text, n := range reasons {
				b.Reasons = append(b.Reasons, Reason{text, n})
			}
			slices.SortFunc(b.Reasons, func(x, y Reason) int {
				switch {
				case x.N != y.N:
					return y.N - x.N
				case x.Text < y.Text:
					return -1
				}
				return 1
			})
			out = append(out, b)
		}
	}
	return out, nil
}
