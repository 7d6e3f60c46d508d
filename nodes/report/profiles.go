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

// profile is the participants of one of the profiles of two slopes.
type profile struct {
	name string
	at   plotter.XYs // slope of liking, slope of wanting
}

func profilesOf(f *frame) []profile {
	liking, wanting, name := f.column("liking"), f.column("wanting"), f.column("profile")
	var all []profile
	for i := range f.rows() {
		x, okX := number(liking, i)
		y, okY := number(wanting, i)
		if !okX || !okY || name[i] == nil {
			continue
		}
		at := slices.IndexFunc(all, func(p profile) bool { return p.name == text(name[i]) })
		if at < 0 {
			at, all = len(all), append(all, profile{name: text(name[i])})
		}
		all[at].at = append(all[at].at, plotter.XY{X: x, Y: y})
	}
	slices.SortStableFunc(all, func(a, b profile) int { return cmp.Compare(a.name, b.name) })
	return all
}

// border is where an axis parts the profiles: 0 where that does, else half
// way between two of them. Profiles that no value parts give none.
func border(all []profile, of func(plotter.XY) float64) (float64, bool) {
	type extent struct{ low, high float64 }
	var extents []extent
	parts := true
	for _, p := range all {
		e := extent{math.Inf(1), math.Inf(-1)}
		for _, q := range p.at {
			e.low, e.high = min(e.low, of(q)), max(e.high, of(q))
		}
		parts = parts && (e.high <= 0 || e.low >= 0)
		extents = append(extents, e)
	}
	if parts {
		return 0, true
	}
	slices.SortFunc(extents, func(a, b extent) int { return cmp.Compare(a.low, b.low) })
	high := math.Inf(-1)
	for i := 0; i+1 < len(extents); i++ {
		if high = max(high, extents[i].high); high <= extents[i+1].low {
			return (high + extents[i+1].low) / 2, true
		}
	}
	return 0, false
}

// drawProfiles draws participants by their two slopes, each quadrant with its
// profile's name and share.
func drawProfiles(_ params, f *frame) ([]drawing, error) {
	all := profilesOf(f)
	if len(all) == 0 {
		return nil, nil
	}
	if len(all) > len(palette) {
		return nil, fmt.Errorf("there are %d profiles; at most %d can be told apart: filter the table", len(all), len(palette))
	}
	pl := newPlot("Slope of liking", "Slope of wanting")
	d := drawing{name: "profiles", section: "profiles", title: "Profiles of liking and wanting", columns: 1, width: 7.8 * vg.Inch, height: 5.4 * vg.Inch,
		caption: "A point is a participant, by how liking and wanting change over time. Counts are of participants with both slopes."}
	total := 0
	for _, p := range all {
		total += len(p.at)
	}
	q := &quadrants{}
	for i, p := range all {
		dots, err := plotter.NewScatter(p.at)
		if err != nil {
			return nil, err
		}
		colour := palette[i]
		legend := draw.GlyphStyle{Color: colour, Radius: vg.Points(3), Shape: shapes[i%len(shapes)]}
		if total > 300 {
			colour.A = 0x80
		}
		dots.GlyphStyle = draw.GlyphStyle{Color: colour, Radius: vg.Points(pointRadius(total)), Shape: shapes[i%len(shapes)]}
		pl.Add(dots)
		share := fmt.Sprintf("%d (%s%%)", len(p.at), fixed(100*float64(len(p.at))/float64(total), 1))
		d.keys = append(d.keys, key{label(p.name) + ": " + share, glyphKey(legend)})
		q.names = append(q.names, label(p.name))
		q.shares = append(q.shares, share)
		q.centres = append(q.centres, centre(p.at))
	}
	pad(&pl.X, 0.06)
	pad(&pl.Y, 0.16)
	x, okX := border(all, func(p plotter.XY) float64 { return p.X })
	y, okY := border(all, func(p plotter.XY) float64 { return p.Y })
	if okX && okY {
		pl.X.Min, pl.X.Max = min(pl.X.Min, x), max(pl.X.Max, x)
		pl.Y.Min, pl.Y.Max = min(pl.Y.Min, y), max(pl.Y.Max, y)
		q.x, q.y = x, y
		pl.Add(q)
	}
	d.panels = []panel{{plot: pl}}
	return []drawing{d}, nil
}

// pointRadius makes points of crowds small, in printer's points.
func pointRadius(n int) float64 { return min(3, max(1.2, 40/math.Sqrt(float64(n)))) }

func centre(points plotter.XYs) plotter.XY {
	var c plotter.XY
	for _, p := range points {
		c.X += p.X / float64(len(points))
		c.Y += p.Y / float64(len(points))
	}
	return c
}

// quadrants is a plotter of the cross that parts profiles, and of their names
// in the corners.
type quadrants struct {
	x, y          float64
	names, shares []string
	centres       []plotter.XY
}

// Plot implements plot.Plotter.
func (q *quadrants) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	style := draw.LineStyle{Color: ink, Width: vg.Points(0.9)}
	c.StrokeLine2(style, x(q.x), c.Min.Y, x(q.x), c.Max.Y)
	c.StrokeLine2(style, c.Min.X, y(q.y), c.Max.X, y(q.y))
	for i, name := range q.names {
		at := vg.Point{X: c.Max.X - 4, Y: c.Max.Y - 3}
		text := words(10)
		text.Font.Weight, text.XAlign, text.YAlign = boldWeight, draw.XRight, draw.YTop
		if q.centres[i].X < q.x {
			at.X, text.XAlign = c.Min.X+4, draw.XLeft
		}
		below := q.centres[i].Y < q.y
		if below {
			at.Y, text.YAlign = c.Min.Y+16, draw.YBottom
		}
		width := max(text.Width(name), text.Width(q.shares[i]))
		left := at.X
		if text.XAlign == draw.XRight {
			left -= width
		}
		low := at.Y - 26
		if below {
			low = at.Y - 14
		}
		// Points in a corner must not make its words unreadable.
		c.FillPolygon(veil, []vg.Point{{X: left - 2, Y: low}, {X: left + width + 2, Y: low}, {X: left + width + 2, Y: low + 28}, {X: left - 2, Y: low + 28}})
		c.FillText(text, at, name)
		text.Font.Weight = 0
		at.Y -= 13
		c.FillText(text, at, q.shares[i])
	}
}

// glyphKey is a mark among the keys.
type glyphKey draw.GlyphStyle

// Thumbnail implements plot.Thumbnailer.
func (k glyphKey) Thumbnail(c *draw.Canvas) { c.DrawGlyph(draw.GlyphStyle(k), c.Center()) }

// share is a profile's part of an arm, with its interval.
type share struct {
	by, arm, profile string
	estimatePoint
}

// drawCounts draws, for each grouping of participants, each profile's share in
// every group with its interval.
func drawCounts(_ params, f *frame) ([]drawing, error) {
	by, arm, name, part := f.column("by"), f.column("arm"), f.column("profile"), f.column("share")
	var rows []share
	var groupings, profiles []string
	for i := range f.rows() {
		v, ok := number(part, i)
		if !ok || by[i] == nil || arm[i] == nil || name[i] == nil {
			continue
		}
		s := share{by: text(by[i]), arm: text(arm[i]), profile: text(name[i])}
		s.y = 100 * v
		low, okL := number(f.column("ci_lower"), i)
		high, okH := number(f.column("ci_upper"), i)
		s.low, s.high, s.interval = 100*low, 100*high, okL && okH
		rows = append(rows, s)
		if !slices.Contains(groupings, s.by) {
			groupings = append(groupings, s.by)
		}
		if !slices.Contains(profiles, s.profile) {
			profiles = append(profiles, s.profile)
		}
	}
	slices.Sort(profiles)
	d := drawing{name: "profile-shares", section: "profiles", title: "Profiles by arm", width: paperWidth, height: 3.6 * vg.Inch,
		caption: "Share of each profile among an arm's participants, with its " + levelWords(f) + "Wilson interval."}
	keys := map[string]plot.Thumbnailer{}
	for _, grouping := range groupings {
		pl := newPlot("", "% of participants")
		var arms []string
		for _, r := range rows {
			if r.by == grouping && !slices.Contains(arms, r.arm) {
				arms = append(arms, r.arm)
			}
		}
		if len(arms) > 8 || len(d.panels) >= maxPanels {
			continue // the table has them; words under so many would run into each other
		}
		for k, p := range profiles {
			var points []estimatePoint
			for _, r := range rows {
				if r.by == grouping && r.profile == p {
					q := r.estimatePoint
					q.x = float64(slices.Index(arms, r.arm)) + 0.16*(float64(k)-float64(len(profiles)-1)/2)
					points = append(points, q)
				}
			}
			if err := addObserved(pl, points, palette[k%len(palette)], shapes[k%len(shapes)], keys, p); err != nil {
				return nil, err
			}
		}
		var ticks []plot.Tick
		for i, a := range arms {
			ticks = append(ticks, plot.Tick{Value: float64(i), Label: clip(a, 18)})
		}
		pl.X.Tick.Marker = plot.ConstantTicks(ticks)
		pl.X.Min, pl.X.Max = -0.6, float64(len(arms))-0.4
		pl.Y.Min = 0
		pl.Y.Max *= 1.05
		d.panels = append(d.panels, panel{title: label(strings.ReplaceAll(grouping, "_", " ")), plot: pl})
	}
	if len(d.panels) == 0 {
		return nil, nil
	}
	d.columns = min(2, len(d.panels))
	if d.columns == 1 {
		d.width, d.height = halfWidth, panelHeight
	}
	d.keys = keysIn(profiles, keys)
	return []drawing{d}, nil
}
