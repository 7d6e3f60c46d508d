package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
)

// buildStrings measures a guest that makes strings beside Arrow's builders.
func buildStrings(ctx context.Context, _ *bench) ([]line, error) {
	const repeats = "7"
	cmd := command(ctx, "go", "test", "-run", "^$", "-bench", "^BenchmarkBuildStrings$", "-benchtime", "20x", "-count", repeats, "./engine/internal/node/wasm")
	var out bytes.Buffer
	cmd.Stdout = &out
	if _, err := measure(cmd); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, out.Bytes())
	}
	all := medians(out.String())
	native, err := need(all, "BuildStrings/native", "ns/op")
	if err != nil {
		return nil, err
	}
	var lines []line
	for name, what := range map[string]string{
		"guest_in_place,_warm":       "a warm metered Go guest",
		"guest_in_place,_whole_task": "the same with a task around it",
		"guest,_warm":                "a warm guest that makes each string first",
	} {
		ns, err := need(all, "BuildStrings/"+name, "ns/op")
		if err != nil {
			return nil, err
		}
		l := line{"65,536 rows with strings, 14 MB, " + what, ms(dur(ns)), "Arrow builders " + ms(dur(native)) + ", medians of " + repeats, times(ns, native), ""}
		if name == "guest_in_place,_warm" {
			l.target = "1x"
		}
		lines = append(lines, l)
	}
	sortLines(lines)
	return lines, nil
}

// medians gives the middle one of a benchmark's repeats, where parseBench
// gives the best: a time that others' work has stretched on both sides is
// fairer by its middle.
func medians(text string) map[string]result {
	runs := map[string]map[string][]float64{}
	for _, l := range strings.Split(text, "\n") {
		for name, r := range parseBench(l) {
			if runs[name] == nil {
				runs[name] = map[string][]float64{}
			}
			for unit, v := range r {
				runs[name][unit] = append(runs[name][unit], v)
			}
		}
	}
	all := map[string]result{}
	for name, units := range runs {
		all[name] = result{}
		for unit, v := range units {
			slices.Sort(v)
			all[name][unit] = v[len(v)/2]
		}
	}
	return all
}
