package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// forest is a forest plot: columns of words on both sides of a plot whose rows
// are theirs.
type forest struct {
	plot        *plot.Plot
	rows        []effect
	looks       map[string]draw.GlyphStyle
	heads       [2]string // of the columns of outcomes and tests; "": no such column
	plain       bool      // outcomes are written as they are
	null        float64   // the value of no effect, marked unless noNull
	noNull      bool
	y           []float64    // of each row, in points from the plot's lower edge
	bands       [][2]float64 // of every other outcome
	total       float64      // the plot's height in points
	left, right []textColumn
	corrected   bool
}

// textColumn is a column of words beside a forest plot.
type textColumn struct {
	head  string
	cells []string
	right bool // aligned
	grey  bool
	width vg.Length
}

// layOut places the rows and fills the columns of words. It returns the
// picture's height.
func (f *forest) layOut() (vg.Length, error) {
	f.place()
	f.columnsLeft()
	f.columnsRight()
	for _, columns := range [][]textColumn{f.left, f.right} {
		for i := range columns {
			c := &columns[i]
			c.width = words(10).Width(c.head)
			for _, s := range c.cells {
				c.width = max(c.width, words(10).Width(s))
			}
			c.width += vg.Points(14)
		}
	}
	low, high := f.null, f.null
	if f.noNull {
		low, high = math.Inf(1), math.Inf(-1)
	}
	for _, e := range f.rows {
		low, high = min(low, e.low), max(high, e.high)
	}
	f.plot.X.Min, f.plot.X.Max = low, high
	pad(&f.plot.X, 0.03)
	f.plot.Y.Min, f.plot.Y.Max = 0, f.total
	f.plot.HideY()
	f.plot.Y.Padding = 0
	f.plot.BackgroundColor = nil
	if !f.noNull {
		null, err := plotter.NewLine(plotter.XYs{{X: f.null, Y: 0}, {X: f.null, Y: f.total}})
		if err != nil {
			return 0, err
		}
		null.LineStyle = draw.LineStyle{Color: ink, Width: vg.Points(0.9), Dashes: dashes[1]}
		f.plot.Add(null)
	}
	f.plot.Add(f)
	return vg.Length(f.total+forestHead+forestAxis) + vg.Points(12), nil
}

// place gives each row its height, from the top, and every other outcome a
// band.
func (f *forest) place() {
	var fromTop []float64
	at, odd := 0.0, false
	var bands [][2]float64
	for i, e := range f.rows {
		if i > 0 && e.outcome != f.rows[i-1].outcome {
			if odd {
				bands[len(bands)-1][1] = at
			}
			at += forestGap
			if odd = !odd; odd {
				bands = append(bands, [2]float64{at - forestGap, 0})
			}
			at += forestGap
		}
		fromTop = append(fromTop, at+forestLine/2)
		at += forestLine
	}
	if odd {
		bands[len(bands)-1][1] = at + forestGap
	}
	f.total = at + forestGap
	for _, y := range fromTop {
		f.y = append(f.y, f.total-y)
	}
	for _, b := range bands {
		f.bands = append(f.bands, [2]float64{f.total - b[1], f.total - b[0]})
	}
}

// columnsLeft names the rows: outcome, test where there are several, and
// specification where there are several. What the row above says is not said
// again.
func (f *forest) columnsLeft() {
	outcome := func(e effect) string {
		if f.plain {
			return e.outcome
		}
		return human(e.outcome)
	}
	parts := []struct {
		head string
		of   func(effect) string
		most int
	}{{f.heads[0], outcome, 36}, {f.heads[1], func(e effect) string { return e.test }, 52}, {"Analysis", func(e effect) string { return strings.ReplaceAll(e.spec, "_", " ") }, 24}}
	above := func(e effect, upTo int) string {
		var s []string
		for _, p := range parts[:upTo+1] {
			s = append(s, p.of(e))
		}
		return strings.Join(s, "\x00")
	}
	for k, p := range parts {
		if p.head == "" || k > 0 && len(f.left) > 0 && len(distinctOf(f.rows, p.of)) == 1 {
			continue
		}
		c := textColumn{head: p.head, grey: k == 2}
		for i, e := range f.rows {
			s := clip(p.of(e), p.most)
			if i > 0 && above(e, k) == above(f.rows[i-1], k) {
				s = ""
			}
			c.cells = append(c.cells, s)
		}
		f.left = append(f.left, c)
	}
}

func (f *forest) columnsRight() {
	digits := 0
	for _, e := range f.rows {
		digits = max(digits, min(4, digitsFor(e.low, e.high)))
	}
	write := func(v float64) string { return fixed(v, digits) }
	estimate := textColumn{head: "Estimate (interval)", right: true}
	p, corrected := textColumn{head: "p", right: true}, textColumn{head: "p (corrected)", right: true}
	for _, e := range f.rows {
		estimate.cells = append(estimate.cells, fmt.Sprintf("%s (%s to %s)", write(e.estimate), write(e.low), write(e.high)))
		p.cells = append(p.cells, pValue(e.p))
		q := ""
		if !math.IsNaN(e.corrected) {
			q, f.corrected = pValue(e.corrected), true
		}
		corrected.cells = append(corrected.cells, q)
	}
	f.right = []textColumn{estimate}
	if slices.ContainsFunc(f.rows, func(e effect) bool { return !math.IsNaN(e.p) }) {
		f.right = append(f.right, p)
	}
	if f.corrected {
		f.right = append(f.right, corrected)
	}
}

// DataRange implements plot.DataRanger.
func (f *forest) DataRange() (xmin, xmax, ymin, ymax float64) {
	return f.plot.X.Min, f.plot.X.Max, 0, f.total
}

// Plot draws the estimates and their intervals.
func (f *forest) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	for i, e := range f.rows {
		look := f.looks[e.spec]
		style := draw.LineStyle{Color: look.Color, Width: vg.Points(1.4)}
		at := y(f.y[i])
		c.StrokeLine2(style, x(e.low), at, x(e.high), at)
		for _, end := range []float64{e.low, e.high} {
			c.StrokeLine2(style, x(end), at-2.2, x(end), at+2.2)
		}
		c.DrawGlyph(look, vg.Point{X: x(e.estimate), Y: at})
	}
}

// paint draws the picture.
func (f *forest) paint(c draw.Canvas) {
	var left, right vg.Length
	for _, col := range f.left {
		left += col.width
	}
	for _, col := range f.right {
		right += col.width
	}
	at := draw.Crop(c, left, -right-vg.Points(4), 0, -forestHead)
	data := f.plot.DataCanvas(at)
	_, y := f.plot.Transforms(&data)
	for _, b := range f.bands {
		box := []vg.Point{{X: c.Min.X, Y: y(b[0])}, {X: c.Max.X, Y: y(b[0])}, {X: c.Max.X, Y: y(b[1])}, {X: c.Min.X, Y: y(b[1])}}
		c.FillPolygon(wash, box)
	}
	f.plot.Draw(at)
	f.write(c, f.left, c.Min.X, y)
	f.write(c, f.right, c.Max.X-right, y)
}

func (f *forest) write(c draw.Canvas, columns []textColumn, from vg.Length, y func(float64) vg.Length) {
	for _, col := range columns {
		style := words(10)
		style.YAlign = draw.YCenter
		x := from
		if col.right {
			style.XAlign, x = draw.XRight, from+col.width
		}
		head := style
		head.Color = soft
		c.FillText(head, vg.Point{X: x, Y: c.Max.Y - forestHead/2}, col.head)
		if col.grey {
			style.Color = soft
		}
		for i, s := range col.cells {
			c.FillText(style, vg.Point{X: x, Y: y(f.y[i]) + 1.2}, s) // letters with and without tails look centred so
		}
		from += col.width
	}
}

// square4 is a filled square.
type square4 struct{}

// DrawGlyph implements draw.GlyphDrawer.
func (square4) DrawGlyph(c *draw.Canvas, s draw.GlyphStyle, at vg.Point) {
	r := s.Radius
	c.FillPolygon(s.Color, []vg.Point{{X: at.X - r, Y: at.Y - r}, {X: at.X + r, Y: at.Y - r}, {X: at.X + r, Y: at.Y + r}, {X: at.X - r, Y: at.Y + r}})
}

// diamond is a filled square on its corner.
type diamond struct{}

// DrawGlyph implements draw.GlyphDrawer.
func (diamond) DrawGlyph(c *draw.Canvas, s draw.GlyphStyle, at vg.Point) {
	r := s.Radius * 1.3
	c.FillPolygon(s.Color, []vg.Point{{X: at.X - r, Y: at.Y}, {X: at.X, Y: at.Y - r}, {X: at.X + r, Y: at.Y}, {X: at.X, Y: at.Y + r}})
}
