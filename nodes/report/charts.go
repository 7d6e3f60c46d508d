package main

import (
	"fmt"
	"strings"
)

// drawAll draws what the connected tables give. Tables of several nodes that
// came through one port are drawn one after the other.
func drawAll(p params, frames map[string]*frame) ([]drawing, error) {
	p.level = levelWords(frames["contrasts"])
	var all []drawing
	for _, part := range []struct {
		port  string
		draw  func(params, *frame) ([]drawing, error)
		whole bool // takes the sources apart itself
	}{{"flow", drawFlow, false}, {"dose", drawDose, true}, {"means", drawMeans, false}, {"candidates", drawCandidates, false}, {"losses", drawLosses, false},
		{"contrasts", drawForests, false}, {"profiles", drawProfiles, false}, {"profile_counts", drawCounts, false}, {"points", trendOf(frames), false}, {"power", drawPower, false}} {
		f := frames[part.port]
		sources := f.sources()
		if part.whole && f.rows() > 0 {
			sources = []sourced{{frame: f}}
		}
		for _, s := range sources {
			drawn, err := part.draw(p, s.frame)
			if err != nil && s.name != "" {
				return nil, fmt.Errorf("input %s, from %s: %w", part.port, s.name, err)
			}
			if err != nil {
				return nil, fmt.Errorf("input %s: %w", part.port, err)
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
	return all, nil
}
