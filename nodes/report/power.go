package main

import (
	"fmt"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// usualPower is the power that trials are most often planned for.
const usualPower = 0.8

// drawPower draws each test's power over the number of participants, a panel
// for each outcome.
func drawPower(_ params, f *frame) ([]drawing, error) {
	word := func(name string, i int) string {
		if c := f.column(name); c != nil && c[i] != nil {
			return text(c[i])
		}
		return ""
	}
	outcomes, rows := f.groups("outcome")
	d := drawing{name: "power", section: "power", title: "Power", columns: 1, width: 7.8 * vg.Inch, height: panelHeight,
		caption: fmt.Sprintf("Share of simulated trials in which a test was significant, with its %sconfidence interval; the dashed line is a power of %s.", levelWords(f), percent(usualPower))}
	keys := map[string]plot.Thumbnailer{}
	var names []string
	for _, outcome := range outcomes[:min(len(outcomes), maxPanels)] {
		pl := newPlot("participants", "power")
		curves := map[string][]estimatePoint{}
		var seen []estimatePoint
		for _, i := range rows[outcome] {
			q := estimatePoint{}
			var ok, okX, okL, okH bool
			q.x, okX = number(f.column("participants"), i)
			q.y, ok = number(f.column("power"), i)
			q.low, okL = number(f.column("ci_lower"), i)
			q.high, okH = number(f.column("ci_upper"), i)
			if !ok || !okX {
				continue
			}
			q.interval = okL && okH
			name := strings.TrimSuffix(clip(word("test", i), 40)+", "+word("spec", i), ", ")
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
			curves[name] = append(curves[name], q)
			seen = append(seen, q)
		}
		if len(names) > 2*len(palette) {
			return nil, fmt.Errorf("power of %d tests; at most %d can be told apart: filter the table", len(names), 2*len(palette))
		}
		for k, name := range names {
			points := curves[name]
			slices.SortStableFunc(points, byX)
			look := curveLook{line(k, k), shapes[k%len(shapes)]}
			if err := addMeans(pl, points, look, keys, name, true); err != nil {
				return nil, err
			}
			for i := range points {
				points[i].interval = false // the ribbon shows it
			}
			if err := addObserved(pl, points, look.line.Color, look.shape, nil, ""); err != nil {
				return nil, err
			}
		}
		slices.SortStableFunc(seen, byX)
		pl.X.Tick.Marker = doseTicks(seen)
		pad(&pl.X, 0.04)
		usual, err := plotter.NewLine(plotter.XYs{{X: pl.X.Min, Y: usualPower}, {X: pl.X.Max, Y: usualPower}})
		if err != nil {
			return nil, err
		}
		usual.LineStyle = draw.LineStyle{Color: grey, Width: vg.Points(1), Dashes: dashes[1]}
		pl.Add(usual)
		pl.Y.Min, pl.Y.Max = 0, 1
		d.panels = append(d.panels, panel{title: label(human(outcome)), plot: pl})
	}
	if len(d.panels) > 1 {
		d.columns, d.width, d.height = 2, paperWidth, 3.6*vg.Inch
	}
	d.keys = keysIn(names, keys)
	return []drawing{d}, nil
}
