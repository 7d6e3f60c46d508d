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

// maxCurves bounds the pictures of dose curves.
const maxCurves = 24

// dosePoint is one row of a dose curve.
type dosePoint struct {
	lambda, mean, low, high float64
	interval                bool
}

// doseCurve is a metric's points by lambda. onScale: all of it lies within
// params.Scale, so that its axis can be the whole scale.
type doseCurve struct {
	metric  string // its name
	of      string // what it shares a picture with: curves of one metric and node
	alone   string // the picture's name
	part    string // its name among them, "" where it is alone
	points  []dosePoint
	onScale bool
}

// curve returns the finite points of some rows, by lambda.
func curve(f *frame, rows []int) []dosePoint {
	lambda, mean := f.column("lambda"), f.column(meanColumns()...)
	low, high := f.column("ci_low", "ci_lower"), f.column("ci_high", "ci_upper")
	var points []dosePoint
	for _, i := range rows {
		x, okX := number(lambda, i)
		y, okY := number(mean, i)
		if !okX || !okY {
			continue
		}
		d := dosePoint{lambda: x, mean: y}
		var okLow, okHigh bool
		d.low, okLow = number(low, i)
		d.high, okHigh = number(high, i)
		d.interval = okLow && okHigh
		points = append(points, d)
	}
	slices.SortStableFunc(points, func(a, b dosePoint) int { return cmp.Compare(a.lambda, b.lambda) })
	return points
}

// doseCurves returns the curve of each metric that has one, of each node that
// gave some. Where a metric has several rows at a lambda, further columns that
// name groups (a layer, a model) tell its curves apart.
func doseCurves(p params, f *frame) []doseCurve {
	var all []doseCurve
	sources := f.sources()
	for _, s := range sources {
		metrics, rows := s.groups("metric")
		for _, metric := range metrics {
			for _, part := range s.curvesOf(rows[metric]) {
				c := doseCurve{metric: metric, points: curve(s.frame, part.rows), onScale: true}
				name := []string{}
				for _, n := range []string{metric, part.name, s.name} {
					if n != "" && (n != s.name || len(sources) > 1) {
						name = append(name, n)
					}
				}
				c.metric, c.part = strings.Join(name, ", "), part.name
				c.of = s.name + "\x00" + metric
				c.alone = strings.Join(slices.DeleteFunc(slices.Clone(name), func(n string) bool { return n == part.name }), ", ")
				for _, d := range c.points {
					c.onScale = c.onScale && p.onScale(d.mean) && (!d.interval || p.onScale(d.low) && p.onScale(d.high))
				}
				if len(c.points) > 0 {
					all = append(all, c)
				}
			}
		}
	}
	return all
}

// curveRows are the rows of one curve of several of a metric.
type curveRows struct {
	name string // "layer 3, model small"
	rows []int
}

// curvesOf takes rows apart where several are at one lambda.
func (f *frame) curvesOf(rows []int) []curveRows {
	lambda := f.column("lambda")
	seen := map[float64]bool{}
	double := false
	for _, i := range rows {
		if x, ok := number(lambda, i); ok {
			double = double || seen[x]
			seen[x] = true
		}
	}
	if !double {
		return []curveRows{{rows: rows}}
	}
	var parts []curveRows
	for _, i := range rows {
		var name []string
		for c, column := range f.names {
			if v := f.cells[c][i]; !slices.Contains(doseColumns, column) && v != nil {
				if _, isFloat := v.(float64); !isFloat {
					name = append(name, strings.ReplaceAll(column, "_", " ")+" "+text(v))
				}
			}
		}
		key := strings.Join(name, ", ")
		at := slices.IndexFunc(parts, func(p curveRows) bool { return p.name == key })
		if at < 0 {
			at, parts = len(parts), append(parts, curveRows{name: key})
		}
		parts[at].rows = append(parts[at].rows, i)
	}
	return parts
}

// doseColumns are those of a curve that name no group.
var doseColumns = []string{"lambda", "metric", "n", "n_missing", "n_clusters", "mean", "sd", "se", "ci_lower", "ci_upper", "ci_low", "ci_high", "level", "method", "note", "simulated", "rate", "win_rate", "correct", "wins", "ties", sourceColumn}

// outcome says what a curve's mean is, with the ends of its scale.
func (c doseCurve) outcome(p params) string {
	if c.onScale {
		return fmt.Sprintf("%s (%s to %s)", p.Outcome, short(p.Scale[0]), short(p.Scale[1]))
	}
	return p.Outcome
}

// drawDose draws one picture for each metric: the mean over lambda with its
// interval as a ribbon. Metrics on the scale share its range as their y axis,
// so that they can be compared by eye. A metric with several rows at a lambda
// is several curves (of several models, say) that nothing tells apart: an
// error.
func drawDose(p params, f *frame) ([]drawing, error) {
	curves := doseCurves(p, f)
	more := max(0, len(curves)-maxCurves)
	curves = curves[:len(curves)-more]
	level := levelWords(f)
	var all []drawing
	for _, c := range curves {
		for j := 1; j < len(c.points); j++ {
			if c.points[j].lambda == c.points[j-1].lambda {
				of := ""
				if c.metric != "" {
					of = fmt.Sprintf("metric %q has ", c.metric)
				}
				return nil, fmt.Errorf("%sseveral rows at lambda %g: filter the table, or name each curve in the column metric", of, c.points[j].lambda)
			}
		}
	}
	for i := 0; i < len(curves); {
		n := 1
		for i+n < len(curves) && curves[i+n].of == curves[i].of && n < len(palette) {
			n++
		}
		draw := func() (drawing, error) { return doseDrawing(p, curves[i], len(all), level) }
		if n > 1 {
			draw = func() (drawing, error) { return doseTogether(p, curves[i:i+n], level) }
		}
		d, err := draw()
		if err != nil {
			return nil, err
		}
		i += n
		if i == len(curves) && more > 0 {
			d.caption += fmt.Sprintf(" %d more curves are in the table.", more)
		}
		all = append(all, d)
	}
	return all, nil
}

// doseTogether draws several curves of one metric, of layers or models say, in
// one picture.
func doseTogether(p params, curves []doseCurve, level string) (drawing, error) {
	first := curves[0]
	pl, title := newPlot("λ, multiplier of the steering vector", label(first.outcome(p))), "Dose-response"
	if first.alone != "" {
		title = label(human(first.alone))
	}
	d := drawing{name: strings.Trim("dose-"+slug(first.alone), "-"), section: "dose", title: title, columns: 1, width: 7.8 * vg.Inch, height: panelHeight,
		caption: "Mean at each λ that was run; ribbons are the " + level + "confidence intervals of the means."}
	keys := map[string]plot.Thumbnailer{}
	var names []string
	onScale := true
	var all []dosePoint
	for k, c := range curves {
		points := make([]estimatePoint, len(c.points))
		for i, q := range c.points {
			points[i] = estimatePoint{x: q.lambda, y: q.mean, low: q.low, high: q.high, interval: q.interval}
			if !slices.ContainsFunc(all, func(o dosePoint) bool { return o.lambda == q.lambda }) {
				all = append(all, q)
			}
		}
		look := curveLook{line(k, k), shapes[k%len(shapes)]}
		if err := addMeans(pl, points, look, keys, c.part, true); err != nil {
			return d, err
		}
		for i := range points {
			points[i].interval = false
		}
		if err := addObserved(pl, points, look.line.Color, look.shape, nil, ""); err != nil {
			return d, err
		}
		names, onScale = append(names, c.part), onScale && c.onScale
	}
	if onScale {
		pl.Y.Min, pl.Y.Max = p.Scale[0], p.Scale[1]
		pl.Y.Tick.Marker = scaleTicks(p.Scale)
	} else {
		pad(&pl.Y, 0.05)
		pl.Y.Label.Text = label(p.Outcome)
	}
	pl.X.Tick.Marker = lambdaTicks(all)
	d.panels, d.keys = []panel{{plot: pl}}, keysIn(names, keys)
	return d, nil
}

func doseDrawing(p params, c doseCurve, i int, level string) (drawing, error) {
	pl, title := newPlot("λ, multiplier of the steering vector", label(c.outcome(p))), "Dose-response"
	if c.metric != "" {
		title = label(human(c.metric))
		pl.Y.Label.Text = title + ": " + label(c.outcome(p))
	}
	keys, err := addCurve(pl, c.points, i)
	if err != nil {
		return drawing{}, err
	}
	if c.onScale {
		pl.Y.Min, pl.Y.Max = p.Scale[0], p.Scale[1]
		pl.Y.Tick.Marker = scaleTicks(p.Scale)
	} else {
		pad(&pl.Y, 0.05)
	}
	pl.X.Tick.Marker = lambdaTicks(c.points)
	zero, err := addZero(pl, c.points, i)
	if err != nil {
		return drawing{}, err
	}
	caption := "Mean at each λ that was run."
	if len(keys) > 1 {
		caption = "Mean at each λ that was run; the ribbon is the " + level + "confidence interval of the mean."
	}
	return drawing{name: strings.Trim("dose-"+slug(c.metric), "-"), section: "dose", title: title, caption: caption,
		panels: []panel{{plot: pl}}, keys: append(keys, zero...), columns: 1, width: halfWidth, height: panelHeight}, nil
}

// addCurve adds the means and, where they have intervals, the ribbon.
func addCurve(pl *plot.Plot, points []dosePoint, i int) ([]key, error) {
	style := line(i, 0)
	var upper, lower, middle plotter.XYs
	for _, d := range points {
		middle = append(middle, plotter.XY{X: d.lambda, Y: d.mean})
		if d.interval {
			upper = append(upper, plotter.XY{X: d.lambda, Y: d.high})
			lower = append(lower, plotter.XY{X: d.lambda, Y: d.low})
		}
	}
	var keys []key
	if len(upper) > 1 {
		slices.Reverse(lower)
		ribbon, err := plotter.NewPolygon(append(upper, lower...))
		if err != nil {
			return nil, err
		}
		fill := palette[i%len(palette)]
		fill.A = 0x38
		ribbon.Color, ribbon.LineStyle.Width = fill, 0
		pl.Add(ribbon)
		keys = append(keys, key{"confidence interval", ribbon})
	}
	means, dots, err := plotter.NewLinePoints(middle)
	if err != nil {
		return nil, err
	}
	means.LineStyle = style
	dots.GlyphStyle = draw.GlyphStyle{Color: style.Color, Radius: vg.Points(2.8), Shape: draw.CircleGlyph{}}
	pl.Add(means, dots)
	return append([]key{{"mean", means}}, keys...), nil
}

// addZero marks lambda 0, the model without steering: a line upright, and a
// ring about its mean.
func addZero(pl *plot.Plot, points []dosePoint, i int) ([]key, error) {
	at := slices.IndexFunc(points, func(d dosePoint) bool { return d.lambda == 0 })
	if at < 0 {
		return nil, nil
	}
	upright, err := plotter.NewLine(plotter.XYs{{X: 0, Y: pl.Y.Min}, {X: 0, Y: pl.Y.Max}})
	if err != nil {
		return nil, err
	}
	upright.LineStyle = draw.LineStyle{Color: grey, Width: vg.Points(1), Dashes: dashes[1]}
	ring, err := plotter.NewScatter(plotter.XYs{{X: 0, Y: points[at].mean}})
	if err != nil {
		return nil, err
	}
	ring.GlyphStyle = draw.GlyphStyle{Color: palette[i%len(palette)], Radius: vg.Points(5.5), Shape: draw.RingGlyph{}}
	pl.Add(upright, ring)
	return []key{{"λ = 0, no steering", ring}}, nil
}

// scaleTicks marks both ends of a scale, and the whole numbers between them
// where they fit.
func scaleTicks(scale [2]float64) plot.Ticker {
	span := scale[1] - scale[0]
	if span > 10 || span != math.Trunc(span) {
		return niceTicks{}
	}
	var ticks []plot.Tick
	for v := scale[0]; v <= scale[1]; v++ {
		ticks = append(ticks, plot.Tick{Value: v, Label: short(v)})
	}
	return plot.ConstantTicks(ticks)
}

// lambdaTicks marks the lambdas that were measured, where they fit.
func lambdaTicks(points []dosePoint) plot.Ticker {
	if len(points) > 13 {
		return niceTicks{}
	}
	var ticks []plot.Tick
	for _, d := range points {
		ticks = append(ticks, plot.Tick{Value: d.lambda, Label: short(d.lambda)})
	}
	return plot.ConstantTicks(ticks)
}
