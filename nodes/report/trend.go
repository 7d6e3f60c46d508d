package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// dateColumns are the names under which a panel's release date comes, as a
// number (a year with its fraction, or any other count of time).
var dateColumns = []string{"year", "date", "release", "release_year", "release_date", "x"}

// trendOf returns the drawing of models by release date, with the trend and
// the steered anchors that come through ports of their own.
func trendOf(frames map[string]*frame) func(params, *frame) ([]drawing, error) {
	return func(p params, points *frame) ([]drawing, error) {
		return drawTrend(p, points, frames["trend"], frames["anchors"])
	}
}

// trendGroup names what a panel's rows are of, where there are several.
func trendGroup(f *frame) string {
	for _, name := range []string{"outcome", "metric", "measure"} {
		if f.column(name) != nil {
			return name
		}
	}
	return ""
}

// drawTrend draws each model's mean over its release date, a panel for each
// outcome.
func drawTrend(p params, points, trend, anchors *frame) ([]drawing, error) {
	by := trendGroup(points)
	outcomes, rows := points.groups(by)
	d := drawing{name: "panel-trend", section: "panel", title: "Models by release date", columns: 1, width: paperWidth, height: 4.8 * vg.Inch}
	keys := map[string]plot.Thumbnailer{}
	for _, outcome := range outcomes[:min(len(outcomes), maxPanels)] {
		of := func(f *frame) *frame {
			if f == nil || by == "" || f.column(by) == nil {
				return f
			}
			_, rows := f.groups(by)
			return f.pick(rows[outcome])
		}
		pl, err := trendPlot(p, points.pick(rows[outcome]), of(trend), of(anchors), keys)
		if err != nil {
			return nil, err
		}
		d.panels = append(d.panels, panel{title: label(human(outcome)), plot: pl})
	}
	if len(d.panels) > 1 {
		d.columns, d.height = 2, 4.2*vg.Inch
	}
	d.keys = keysIn([]string{"a model", "trend", "steered model at λ"}, keys)
	d.caption = "Points: each model’s mean, with its " + levelWords(points) + "interval where there is one."
	if trend.rows() > 0 {
		d.caption += " Line: the trend over release dates, with its " + levelWords(trend) + "confidence interval."
	}
	if anchors.rows() > 0 {
		d.caption += " Level lines: means of the steered model at each λ."
	}
	return []drawing{d}, nil
}

func trendPlot(p params, points, trend, anchors *frame, keys map[string]plot.Thumbnailer) (*plot.Plot, error) {
	pl := newPlot("Release date", label(p.Outcome))
	read := func(f *frame) []estimatePoint {
		x, mean := f.column(dateColumns...), f.column("mean", "fit", "estimate", "score")
		low, high := f.column("ci_lower", "ci_low", "lower_cl"), f.column("ci_upper", "ci_high", "upper_cl")
		var all []estimatePoint
		for i := range f.rows() {
			q := estimatePoint{}
			var okX, okY, okL, okH bool
			q.x, okX = number(x, i)
			q.y, okY = number(mean, i)
			q.low, okL = number(low, i)
			q.high, okH = number(high, i)
			q.interval = okL && okH
			if !okX || !okY {
				q.x = math.NaN()
			}
			all = append(all, q)
		}
		return all
	}
	fit := slices.DeleteFunc(read(trend), func(q estimatePoint) bool { return math.IsNaN(q.x) })
	slices.SortStableFunc(fit, byX)
	if err := addMeans(pl, fit, curveLook{line: line(0, 0), shape: draw.CircleGlyph{}}, keys, "trend", false); err != nil {
		return nil, err
	}
	all := read(points)
	models := points.column("model")
	tags := &nameTags{style: words(9)}
	var seen []estimatePoint
	for i, q := range all {
		if math.IsNaN(q.x) {
			continue
		}
		seen = append(seen, q)
		tags.add(q.x, q.y, clip(text(models[i]), 24), vg.Points(2.8))
	}
	if len(seen) == 0 {
		return nil, fmt.Errorf("no model has a date and a mean: a number is wanted in one of %s", strings.Join(dateColumns, ", "))
	}
	if err := addObserved(pl, seen, palette[1], draw.CircleGlyph{}, keys, "a model"); err != nil {
		return nil, err
	}
	if err := addAnchors(pl, anchors, keys); err != nil {
		return nil, err
	}
	pad(&pl.X, 0.05)
	pad(&pl.Y, 0.06)
	for _, q := range fit {
		tags.path = append(tags.path, plotter.XY{X: q.x, Y: q.y})
	}
	for _, q := range seen {
		if q.interval {
			tags.lines = append(tags.lines, plotter.XYs{{X: q.x, Y: q.low}, {X: q.x, Y: q.high}})
		}
	}
	for i := range anchors.rows() {
		if v, ok := number(anchors.column("mean", "estimate", "score"), i); ok {
			tags.lines = append(tags.lines, plotter.XYs{{X: pl.X.Min, Y: v}, {X: pl.X.Max, Y: v}})
		}
	}
	pl.Add(tags)
	return pl, nil
}

// addAnchors adds a level line for each lambda of a steered model.
func addAnchors(pl *plot.Plot, f *frame, keys map[string]plot.Thumbnailer) error {
	lambda, mean := f.column("lambda"), f.column("mean", "estimate", "score")
	a := &anchorLines{}
	for i := range f.rows() {
		l, okL := number(lambda, i)
		v, ok := number(mean, i)
		if okL && ok {
			a.at, a.names = append(a.at, v), append(a.names, "λ = "+signed(l))
		}
	}
	if len(a.at) == 0 {
		return nil
	}
	pl.Add(a)
	keys["steered model at λ"] = curveKey{curveLook{line: anchorStyle()}, false}
	return nil
}

func anchorStyle() draw.LineStyle {
	return draw.LineStyle{Color: palette[2], Width: vg.Points(1.2), Dashes: dashes[1]}
}

// anchorLines is a plotter of level lines, each with its name at the right
// where the one below leaves room.
type anchorLines struct {
	at    []float64
	names []string
}

// DataRange implements plot.DataRanger: the lines reach over the whole width.
func (a *anchorLines) DataRange() (xmin, xmax, ymin, ymax float64) {
	return math.Inf(1), math.Inf(-1), slices.Min(a.at), slices.Max(a.at)
}

// Plot implements plot.Plotter.
func (a *anchorLines) Plot(c draw.Canvas, p *plot.Plot) {
	_, y := p.Transforms(&c)
	style := words(9)
	style.XAlign, style.YAlign, style.Color = draw.XRight, draw.YBottom, palette[2]
	order := make([]int, len(a.at))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(a.at[i], a.at[j]) })
	last := vg.Length(math.Inf(-1))
	for _, i := range order {
		at := y(a.at[i])
		c.StrokeLine2(anchorStyle(), c.Min.X, at, c.Max.X, at)
		if at-last >= 10 {
			c.FillText(style, vg.Point{X: c.Max.X - 3, Y: at + 1}, a.names[i])
			last = at
		}
	}
}
