package main

import (
	"cmp"
	"fmt"
	"image/color"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// estimatePoint is a mean with its interval, over lambda or time.
type estimatePoint struct {
	x, y, low, high float64
	interval        bool
}

// meanRow is a row of a trial's means.
type meanRow struct {
	study, outcome, kind, factor, level string
	lambda, time                        float64
	hasLambda, hasTime                  bool
	estimatePoint
}

func meanRows(f *frame) []meanRow {
	word := func(name string, i int) string {
		if c := f.column(name); c != nil && c[i] != nil {
			return text(c[i])
		}
		return ""
	}
	var all []meanRow
	for i := range f.rows() {
		r := meanRow{study: word("study_type", i), outcome: word("outcome", i), kind: word("kind", i), factor: word("factor", i), level: word("level", i)}
		r.lambda, r.hasLambda = number(f.column("lambda"), i)
		r.time, r.hasTime = number(f.column("time"), i)
		var ok, okLow, okHigh bool
		r.y, ok = number(f.column("mean"), i)
		r.low, okLow = number(f.column("ci_lower", "ci_low"), i)
		r.high, okHigh = number(f.column("ci_upper", "ci_high"), i)
		r.interval = okLow && okHigh
		if ok {
			all = append(all, r)
		}
	}
	return all
}

// over returns rows as points over lambda or time, sorted.
func over(rows []meanRow, x func(meanRow) (float64, bool)) []estimatePoint {
	var points []estimatePoint
	for _, r := range rows {
		if v, ok := x(r); ok {
			p := r.estimatePoint
			p.x = v
			points = append(points, p)
		}
	}
	slices.SortStableFunc(points, byX)
	return points
}

func byX(a, b estimatePoint) int { return cmp.Compare(a.x, b.x) }

func overLambda(r meanRow) (float64, bool) { return r.lambda, r.hasLambda }
func overTime(r meanRow) (float64, bool)   { return r.time, r.hasTime }

// drawMeans draws, for each study, the dose-response of every outcome, the
// same by the levels of each factor, and the trajectories of the arms.
func drawMeans(p params, f *frame) ([]drawing, error) {
	rows := meanRows(f)
	level := levelWords(f)
	if level == "" {
		level = p.level
	}
	var all []drawing
	for _, study := range distinctMeans(rows, func(r meanRow) string { return r.study }) {
		of := keepMeans(rows, func(r meanRow) bool { return r.study == study })
		m := meansPicture{study: study, rows: of, level: level}
		factors := distinctMeans(keepMeans(of, func(r meanRow) bool { return r.kind == "dose" && r.factor != "" }), func(r meanRow) string { return r.factor })
		drawn := []func() (drawing, error){m.dose}
		for _, factor := range factors {
			drawn = append(drawn, func() (drawing, error) { return m.byFactor(factor) })
		}
		drawn = append(drawn, m.trajectories)
		for _, one := range drawn {
			d, err := one()
			if err != nil {
				return nil, err
			}
			if len(d.panels) > 0 {
				all = append(all, d)
			}
		}
	}
	return all, nil
}

func distinctMeans(rows []meanRow, of func(meanRow) string) []string {
	var all []string
	for _, r := range rows {
		if s := of(r); !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

func keepMeans(rows []meanRow, keep func(meanRow) bool) []meanRow {
	var kept []meanRow
	for _, r := range rows {
		if keep(r) {
			kept = append(kept, r)
		}
	}
	return kept
}

// meansPicture makes the pictures of one study's means.
type meansPicture struct {
	study, level string
	rows         []meanRow
}

// panelsOf makes a panel for each outcome of some rows.
func (m meansPicture) panelsOf(d *drawing, rows []meanRow, x string, add func(pl *plot.Plot, of []meanRow) error) error {
	outcomes := distinctMeans(rows, func(r meanRow) string { return r.outcome })
	more := max(0, len(outcomes)-maxPanels)
	outcomes = outcomes[:min(len(outcomes), maxPanels)]
	for _, outcome := range outcomes {
		pl := newPlot(x, "mean")
		if err := add(pl, keepMeans(rows, func(r meanRow) bool { return r.outcome == outcome })); err != nil {
			return fmt.Errorf("%s: %w", outcome, err)
		}
		pad(&pl.X, 0.03)
		pad(&pl.Y, 0.05)
		d.panels = append(d.panels, panel{title: label(human(outcome)), plot: pl})
	}
	d.columns = columnsFor(len(d.panels))
	d.width, d.height = paperWidth, 3.1*vg.Inch
	if d.columns == 1 {
		d.width, d.height = halfWidth, panelHeight
	}
	if len(d.panels) > 1 {
		d.caption += " Each panel has its own vertical axis."
	}
	if more > 0 {
		d.caption += fmt.Sprintf(" %d more outcomes are in the table.", more)
	}
	return nil
}

// of puts the study behind a title.
func (m meansPicture) of(title string) string {
	return strings.TrimSuffix(title+", "+human(m.study), ", ")
}

// dose draws the model's mean over lambda and the arms' observed means.
func (m meansPicture) dose() (drawing, error) {
	curves := keepMeans(m.rows, func(r meanRow) bool { return r.kind == "dose" && r.factor == "" && !r.hasTime })
	d := drawing{name: "means-" + slug(m.study), section: "means", title: m.of("Dose-response")}
	if len(curves) == 0 {
		return d, nil
	}
	d.caption = "Line: marginal mean of the model, with its " + m.level + "confidence interval. Points: observed means of the arms, with theirs."
	keys := map[string]plot.Thumbnailer{}
	err := m.panelsOf(&d, curves, "λ", func(pl *plot.Plot, of []meanRow) error {
		look := curveLook{line: line(0, 0), shape: draw.CircleGlyph{}}
		if err := addMeans(pl, over(of, overLambda), look, keys, "model", false); err != nil {
			return err
		}
		seen := over(keepMeans(m.rows, func(r meanRow) bool { return r.kind == "observed" && r.outcome == of[0].outcome && !r.hasTime }), overLambda)
		if err := addObserved(pl, seen, palette[1], draw.BoxGlyph{}, keys, "observed, by arm"); err != nil {
			return err
		}
		pl.X.Tick.Marker = doseTicks(seen)
		return nil
	})
	d.keys = keysIn([]string{"model", "observed, by arm"}, keys)
	return d, err
}

// byFactor draws the model's means over lambda at each level of a factor.
func (m meansPicture) byFactor(factor string) (drawing, error) {
	rows := keepMeans(m.rows, func(r meanRow) bool { return r.kind == "dose" && r.factor == factor && !r.hasTime })
	levels := distinctMeans(rows, func(r meanRow) string { return r.level })
	d := drawing{name: "means-" + slug(m.study+" by "+factor), section: "means", folded: true, title: m.of("Dose-response by " + strings.ToLower(label(human(factor)))),
		caption: "Marginal means of the model at each level, with their " + m.level + "confidence intervals."}
	keys := map[string]plot.Thumbnailer{}
	err := m.panelsOf(&d, rows, "λ", func(pl *plot.Plot, of []meanRow) error {
		for i, level := range levels {
			points := over(keepMeans(of, func(r meanRow) bool { return r.level == level }), overLambda)
			if err := addMeans(pl, points, curveLook{line: line(i, i), shape: shapes[i%len(shapes)]}, keys, level, false); err != nil {
				return err
			}
		}
		pl.X.Tick.Marker = niceTicks{}
		return nil
	})
	d.keys = keysIn(levels, keys)
	return d, err
}

// trajectories draws the model's means over time for each arm.
func (m meansPicture) trajectories() (drawing, error) {
	rows := keepMeans(m.rows, func(r meanRow) bool { return r.kind == "trajectory" && r.hasTime && r.hasLambda })
	d := drawing{name: "trajectories-" + slug(m.study), section: "trajectories", title: m.of("Trajectories by arm"),
		caption: "Lines: marginal means of the model over time at each λ, with their " + m.level + "confidence intervals. Small marks: observed means of the arms."}
	if len(rows) == 0 {
		return d, nil
	}
	var lambdas []float64
	for _, r := range rows {
		if !slices.Contains(lambdas, r.lambda) {
			lambdas = append(lambdas, r.lambda)
		}
	}
	slices.Sort(lambdas)
	var names []string
	for _, l := range lambdas {
		names = append(names, "λ = "+signed(l))
	}
	keys := map[string]plot.Thumbnailer{}
	err := m.panelsOf(&d, rows, "time", func(pl *plot.Plot, of []meanRow) error {
		var times []estimatePoint
		for i, l := range lambdas {
			look := armLook(i, lambdas)
			arm := func(kind string) func(meanRow) bool {
				return func(r meanRow) bool {
					return r.kind == kind && r.hasTime && r.hasLambda && r.lambda == l && r.outcome == of[0].outcome
				}
			}
			if err := addMeans(pl, over(keepMeans(m.rows, arm("trajectory")), overTime), look, keys, names[i], true); err != nil {
				return err
			}
			seen := over(keepMeans(m.rows, arm("observed")), overTime)
			for k := range seen {
				seen[k].interval = false
			}
			if err := addObserved(pl, seen, look.line.Color, look.shape, nil, ""); err != nil {
				return err
			}
			times = append(times, over(keepMeans(m.rows, arm("trajectory")), overTime)...)
		}
		slices.SortStableFunc(times, byX)
		pl.X.Tick.Marker = doseTicks(times)
		return nil
	})
	d.keys = keysIn(names, keys)
	return d, err
}

// curveLook is how a curve is drawn: no two share colour and dash.
type curveLook struct {
	line  draw.LineStyle
	shape draw.GlyphDrawer
}

var shapes = []draw.GlyphDrawer{draw.CircleGlyph{}, square4{}, draw.PyramidGlyph{}, diamond{}, draw.RingGlyph{}, draw.BoxGlyph{}, draw.TriangleGlyph{}}

// armLook tells arms apart by the sign of lambda (blues below 0, warm colours
// above, black without steering) and by dash and mark within a sign.
func armLook(i int, lambdas []float64) curveLook {
	var below, above int
	for _, l := range lambdas {
		switch {
		case l < 0:
			below++
		case l > 0:
			above++
		}
	}
	if below > 2 || above > 2 {
		return curveLook{line(i, i/len(palette)), shapes[i%len(shapes)]}
	}
	look := draw.LineStyle{Color: palette[6], Width: vg.Points(1.6), Dashes: dashes[2]}
	shape := shapes[0]
	switch l := lambdas[i]; {
	case l < 0:
		look = line([]int{0, 5}[i], 1)
		shape = shapes[1+i]
	case l > 0:
		far := len(lambdas) - 1 - i
		look = line([]int{1, 4}[far], 0)
		shape = shapes[[]int{3, 6}[far]]
	}
	return curveLook{look, shape}
}

// addMeans adds a line with its ribbon, and marks where marked.
func addMeans(pl *plot.Plot, points []estimatePoint, look curveLook, keys map[string]plot.Thumbnailer, name string, marked bool) error {
	if len(points) == 0 {
		return nil
	}
	var upper, lower, middle plotter.XYs
	for _, p := range points {
		middle = append(middle, plotter.XY{X: p.x, Y: p.y})
		if p.interval {
			upper = append(upper, plotter.XY{X: p.x, Y: p.high})
			lower = append(lower, plotter.XY{X: p.x, Y: p.low})
		}
	}
	if len(upper) > 1 {
		slices.Reverse(lower)
		ribbon, err := plotter.NewPolygon(append(upper, lower...))
		if err != nil {
			return err
		}
		ribbon.Color, ribbon.LineStyle.Width = faint(look.line.Color), 0
		pl.Add(ribbon)
	}
	l, err := plotter.NewLine(middle)
	if err != nil {
		return err
	}
	l.LineStyle = look.line
	pl.Add(l)
	keys[name] = curveKey{look, marked}
	return nil
}

// addObserved adds points with their intervals as bars.
func addObserved(pl *plot.Plot, points []estimatePoint, colour color.Color, shape draw.GlyphDrawer, keys map[string]plot.Thumbnailer, name string) error {
	if len(points) == 0 {
		return nil
	}
	at := make(plotter.XYs, len(points))
	var bars []plotter.XYs
	for i, p := range points {
		at[i] = plotter.XY{X: p.x, Y: p.y}
		if p.interval {
			bars = append(bars, plotter.XYs{{X: p.x, Y: p.low}, {X: p.x, Y: p.high}})
		}
	}
	for _, bar := range bars {
		l, err := plotter.NewLine(bar)
		if err != nil {
			return err
		}
		l.LineStyle = draw.LineStyle{Color: colour, Width: vg.Points(1.2)}
		pl.Add(l)
	}
	marks, err := plotter.NewScatter(at)
	if err != nil {
		return err
	}
	marks.GlyphStyle = draw.GlyphStyle{Color: colour, Radius: vg.Points(2.6), Shape: shape}
	pl.Add(marks)
	if keys != nil {
		keys[name] = marks
	}
	return nil
}

// keysIn orders keys.
func keysIn(names []string, keys map[string]plot.Thumbnailer) []key {
	var all []key
	for _, name := range names {
		if k := keys[name]; k != nil {
			all = append(all, key{label(name), k})
		}
	}
	return all
}

// doseTicks marks the values that were measured, where they are few.
func doseTicks(points []estimatePoint) plot.Ticker {
	var ticks []plot.Tick
	for _, p := range points {
		if len(ticks) == 0 || ticks[len(ticks)-1].Value != p.x {
			ticks = append(ticks, plot.Tick{Value: p.x, Label: short(p.x)})
		}
	}
	if len(ticks) == 0 || len(ticks) > 9 {
		return niceTicks{}
	}
	return plot.ConstantTicks(ticks)
}

// faint is a colour for ribbons, through which others are seen.
func faint(c color.Color) color.Color {
	r, g, b, _ := c.RGBA()
	return color.NRGBA{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8), 0x26}
}

// curveKey is a curve among the keys: its line and, where its points are
// marked, its mark.
type curveKey struct {
	curveLook
	marked bool
}

// Thumbnail implements plot.Thumbnailer.
func (k curveKey) Thumbnail(c *draw.Canvas) {
	y := c.Center().Y
	c.StrokeLine2(k.line, c.Min.X, y, c.Max.X, y)
	if k.marked {
		c.DrawGlyph(draw.GlyphStyle{Color: k.line.Color, Radius: vg.Points(3), Shape: k.shape}, c.Center())
	}
}
