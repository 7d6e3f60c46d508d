package main

import (
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// nameTags is a plotter that writes names beside points so that no name lies
// over another name, a point or, where it can be helped, the path. A name that
// stands off its point is joined to it by a thin line; one for which there is
// no room is left out. Names are placed in the order in which they were added.
type nameTags struct {
	style  draw.TextStyle
	points []tagged
	path   plotter.XYs
	lines  []plotter.XYs // further lines that names keep off where they can
}

// tagged is a point with its mark's radius; its name may be empty.
type tagged struct {
	at     plotter.XY
	name   string
	radius vg.Length
}

func (t *nameTags) add(x, y float64, name string, radius vg.Length) {
	t.points = append(t.points, tagged{plotter.XY{X: x, Y: y}, name, radius})
}

// DataRange returns the range of the points.
func (t *nameTags) DataRange() (xmin, xmax, ymin, ymax float64) {
	var xys plotter.XYs
	for _, p := range t.points {
		xys = append(xys, p.at)
	}
	return plotter.XYRange(xys)
}

// Plot writes the names.
func (t *nameTags) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	room := tagRoom{bounds: c.Rectangle}
	for i := range t.path {
		at := vg.Point{X: x(t.path[i].X), Y: y(t.path[i].Y)}
		if i > 0 {
			room.path = append(room.path, segment{room.last, at})
		}
		room.last = at
	}
	for _, line := range t.lines {
		for i := 1; i < len(line); i++ {
			room.path = append(room.path, segment{vg.Point{X: x(line[i-1].X), Y: y(line[i-1].Y)}, vg.Point{X: x(line[i].X), Y: y(line[i].Y)}})
		}
	}
	for _, q := range t.points {
		room.marks = append(room.marks, square(vg.Point{X: x(q.at.X), Y: y(q.at.Y)}, q.radius+0.5))
	}
	for i, q := range t.points {
		if q.name == "" {
			continue
		}
		tag, ok := room.place(i, t.style.Rectangle(q.name).Size())
		if !ok {
			continue
		}
		if tag.joined {
			c.StrokeLine2(draw.LineStyle{Color: grey, Width: vg.Points(0.6)}, tag.line.a.X, tag.line.a.Y, tag.line.b.X, tag.line.b.Y)
		}
		style := t.style
		style.XAlign, style.YAlign = draw.XCenter, draw.YCenter
		c.FillText(style, vg.Point{X: (tag.box.Min.X + tag.box.Max.X) / 2, Y: (tag.box.Min.Y + tag.box.Max.Y) / 2}, q.name)
	}
}

type segment struct{ a, b vg.Point }

// tag is where a name is written, and the line to its point.
type tag struct {
	box    vg.Rectangle
	line   segment
	joined bool
}

// tagRoom is what names must keep clear of.
type tagRoom struct {
	bounds vg.Rectangle
	marks  []vg.Rectangle
	path   []segment
	last   vg.Point
	tags   []tag
}

// Distances from a mark at which a name is tried, in points, and from which on
// a line joins the two.
var tagDistances = []vg.Length{3, 7, 12, 18, 26, 36, 48, 64}

const joinedFrom vg.Length = 9

// place finds the nearest room for a name of this size at mark i: first clear
// of the path, then over it.
func (r *tagRoom) place(i int, size vg.Point) (tag, bool) {
	for _, overPath := range []bool{false, true} {
		for _, distance := range tagDistances {
			for k := range 16 {
				t := r.tagAt(i, size, distance, tagAngle(k))
				if r.free(i, t, overPath) {
					r.tags = append(r.tags, t)
					return t, true
				}
			}
		}
	}
	return tag{}, false
}

// tagAngle is the k-th direction to try: the upper right first, where a front
// that falls to the right leaves room, then outward from it to both sides.
func tagAngle(k int) float64 {
	turn := float64((k + 1) / 2)
	if k%2 == 1 {
		turn = -turn
	}
	return math.Pi/4 + turn*math.Pi/8
}

// tagAt is the name's box at a distance from its mark in a direction.
func (r *tagRoom) tagAt(i int, size vg.Point, distance vg.Length, angle float64) tag {
	mark := r.marks[i]
	centre := vg.Point{X: (mark.Min.X + mark.Max.X) / 2, Y: (mark.Min.Y + mark.Max.Y) / 2}
	reach := (mark.Max.X-mark.Min.X)/2 + distance
	cos, sin := vg.Length(math.Cos(angle)), vg.Length(math.Sin(angle))
	edge := vg.Point{X: centre.X + reach*cos, Y: centre.Y + reach*sin}
	// The box lies beyond the edge: to the right of it when going right, and
	// so on, centred when going straight up or down.
	at := vg.Point{X: edge.X - size.X/2*(1-cos), Y: edge.Y - size.Y/2*(1-sin)}
	box := vg.Rectangle{Min: at, Max: at.Add(size)}
	near := vg.Point{X: min(max(centre.X, box.Min.X), box.Max.X), Y: min(max(centre.Y, box.Min.Y), box.Max.Y)}
	return tag{box: box, line: segment{centre, near}, joined: distance >= joinedFrom}
}

// free says whether a name may stand there.
func (r *tagRoom) free(i int, t tag, overPath bool) bool {
	box := vg.Rectangle{Min: vg.Point{X: t.box.Min.X - 1.5, Y: t.box.Min.Y - 0.5}, Max: vg.Point{X: t.box.Max.X + 1.5, Y: t.box.Max.Y + 0.5}}
	if box.Min.X < r.bounds.Min.X || box.Max.X > r.bounds.Max.X || box.Min.Y < r.bounds.Min.Y || box.Max.Y > r.bounds.Max.Y {
		return false
	}
	for j, m := range r.marks {
		if overlap(box, m) || t.joined && j != i && crosses(t.line, m) {
			return false
		}
	}
	for _, other := range r.tags {
		if overlap(box, other.box) || other.joined && crosses(other.line, box) || t.joined && crosses(t.line, other.box) {
			return false
		}
	}
	if !overPath {
		for _, s := range r.path {
			if crosses(s, box) {
				return false
			}
		}
	}
	return true
}

func square(centre vg.Point, radius vg.Length) vg.Rectangle {
	return vg.Rectangle{Min: vg.Point{X: centre.X - radius, Y: centre.Y - radius}, Max: vg.Point{X: centre.X + radius, Y: centre.Y + radius}}
}

func overlap(a, b vg.Rectangle) bool {
	return a.Min.X < b.Max.X && b.Min.X < a.Max.X && a.Min.Y < b.Max.Y && b.Min.Y < a.Max.Y
}

// crosses says whether any of a segment lies in a rectangle: Liang and Barsky's
// clipping leaves something of it.
func crosses(s segment, r vg.Rectangle) bool {
	from, to := 0.0, 1.0
	dx, dy := float64(s.b.X-s.a.X), float64(s.b.Y-s.a.Y)
	for _, side := range [][2]float64{
		{-dx, float64(s.a.X - r.Min.X)}, {dx, float64(r.Max.X - s.a.X)},
		{-dy, float64(s.a.Y - r.Min.Y)}, {dy, float64(r.Max.Y - s.a.Y)},
	} {
		p, q := side[0], side[1]
		switch {
		case p == 0 && q < 0:
			return false
		case p < 0:
			from = max(from, q/p)
		case p > 0:
			to = min(to, q/p)
		}
	}
	return from <= to
}
