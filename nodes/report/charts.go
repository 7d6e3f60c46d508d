package main

import (
	"fmt"
	"strings"
)

// drawAll draws what the connected tables give. Tables of several nodes that
// came through one port are drawn one after the other. One that cannot be
// drawn ends it with an error; or, if p says so, the others are drawn.
func drawAll(p params, frames map[string]*frame) (all []drawing, undrawn []undrawable, err error) {
	p.level = levelWords(frames["contrasts"])
	for _, part := range []struct {
		port  string
		draw  func(params, *frame) ([]drawing, error)
		whole bool // takes the sources apart itself
	}{{"flow", drawFlow, false}, {"dose", drawDose, true}, {"means", drawMeans, false}, {"candidates", drawCandidates, false}, {"losses", drawLosses, false},
		{"contrasts", drawForests, false}, {"profiles", drawProfiles, false}, {"profile_counts", drawCounts, false}, {"points", trendOf(frames), false}, {"power", drawPower, false},
		{"coefficients", estimatesOf("coefficients"), false}, {"tables", estimatesOf("tables"), false}} {
		f := frames[part.port]
		sources := f.sources()
		if part.whole && f.rows() > 0 {
			// Where one of several spoils the whole, each is tried by itself.
			if _, err := part.draw(p, f); err == nil || p.Undrawable != undrawableNote || len(sources) < 2 {
				name := ""
				if len(sources) == 1 {
					name = sources[0].name
				}
				sources = []sourced{{name, f}}
			}
		}
		for _, s := range sources {
			drawn, err := part.draw(p, s.frame)
			if err != nil {
				u := undrawable{part.port, s.name, err}
				if p.Undrawable != undrawableNote {
					return nil, nil, u
				}
				undrawn = append(undrawn, u)
				continue
			}
			for _, d := range drawn {
				d.simulated = p.Simulated
				if len(sources) > 1 {
					d.title, d.name = d.title+" ("+label(s.name)+")", d.name+"-"+slug(s.name)
				}
				all = append(all, d)
			}
		}
	}
	used := map[string]int{}
	for i := range all {
		all[i].name = strings.Trim(all[i].name, "-")
		used[all[i].name]++
		if n := used[all[i].name]; n > 1 {
			all[i].name = fmt.Sprintf("%s-%d", all[i].name, n)
		}
	}
	return all, undrawn, nil
}

// undrawable is a table that cannot be drawn, and why.
type undrawable struct {
	input, source string
	why           error
}

func (u undrawable) Error() string {
	if u.source != "" {
		return fmt.Sprintf("input %s, from %s: %v", u.input, u.source, u.why)
	}
	return fmt.Sprintf("input %s: %v", u.input, u.why)
}

func (u undrawable) Unwrap() error { return u.why }
