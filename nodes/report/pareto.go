package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// candidate is one row of candidates.
type candidate struct {
	name           string
	x, y           float64 // effect, quality
	pareto, winner bool
}

func candidates(p params, f *frame) []candidate {
	layer, epoch := f.column("layer"), f.column("epoch")
	effect, quality := f.column(p.Effect), f.column(p.Quality)
	var all []candidate
	for i := range f.rows() {
		x, okX := number(effect, i)
		y, okY := number(quality, i)
		if !okX || !okY {
			continue
		}
		all = append(all, candidate{name: fmt.Sprintf("L%s e%s", text(layer[i]), text(epoch[i])), x: x, y: y,
			pareto: truth(f.column("pareto"), i), winner: truth(f.column("winner"), i)})
	}
	return all
}

// drawCandidates draws quality over effect with the Pareto front. Only the
// front and the winner are named; the table below the picture names the rest.
func drawCandidates(p params, f *frame) ([]drawing, error) {
	if parameter, name := p.lacks(f.names); name != "" {
		return nil, fmt.Errorf("column %q is missing: say in parameter %s which column is meant; the columns are %s", name, parameter, strings.Join(f.names, ", "))
	}
	all := candidates(p, f)
	if len(all) == 0 {
		return nil, nil
	}
	pl := newPlot("Effect: "+label(human(p.Effect))+" →", "Quality: "+label(human(p.Quality))+" →")
	var rest, front, best []candidate
	for _, c := range all {
		switch {
		case c.winner:
			best = append(best, c)
		case c.pareto:
			front = append(front, c)
		default:
			rest = append(rest, c)
		}
	}
	slices.SortStableFunc(front, func(a, b candidate) int { return cmp.Compare(a.x, b.x) })
	names := &nameTags{style: words(10)}
	d := drawing{name: "pareto", section: "candidates", title: "Candidates: quality and effect",
		caption: "One point a candidate (L: layer, counted from 0; e: epoch). No candidate is better in both than one on the front.",
		columns: 1, width: 7.8 * vg.Inch, height: 5 * vg.Inch}
	onFront := append(slices.Clone(front), best...)
	slices.SortStableFunc(onFront, func(a, b candidate) int { return cmp.Compare(a.x, b.x) })
	if err := addFront(pl, names, onFront); err != nil {
		return nil, err
	}
	for _, kind := range []struct {
		name   string
		points []candidate
		look   draw.GlyphStyle
	}{
		{"winner", best, draw.GlyphStyle{Color: palette[1], Radius: vg.Points(5.5), Shape: draw.PyramidGlyph{}}},
		{"Pareto front", front, draw.GlyphStyle{Color: palette[0], Radius: vg.Points(3.4), Shape: draw.BoxGlyph{}}},
		{"candidate", rest, draw.GlyphStyle{Color: grey, Radius: vg.Points(2.6), Shape: draw.CircleGlyph{}}},
	} {
		k, err := addCandidates(pl, kind.points, kind.look)
		if err != nil {
			return nil, err
		}
		if k != nil {
			d.keys = append(d.keys, key{kind.name, k})
		}
		for _, c := range kind.points {
			name := label(c.name)
			switch {
			case c.winner:
				name += " (winner)"
			case !c.pareto:
				name = ""
			}
			names.add(c.x, c.y, name, kind.look.Radius)
		}
	}
	pl.Add(names)
	pad(&pl.X, 0.08)
	pad(&pl.Y, 0.08)
	d.panels = []panel{{plot: pl}}
	return []drawing{d}, nil
}

func addFront(pl *plot.Plot, names *nameTags, front []candidate) error {
	if len(front) < 2 {
		return nil
	}
	var points plotter.XYs
	for _, c := range front {
		points = append(points, plotter.XY{X: c.x, Y: c.y})
	}
	l, err := plotter.NewLine(points)
	if err != nil {
		return err
	}
	l.LineStyle = draw.LineStyle{Color: palette[0], Width: vg.Points(1), Dashes: dashes[1]}
	pl.Add(l)
	names.path = points
	return nil
}

// addCandidates adds marks; it returns what stands for them among the keys.
func addCandidates(pl *plot.Plot, points []candidate, look draw.GlyphStyle) (plot.Thumbnailer, error) {
	if len(points) == 0 {
		return nil, nil
	}
	var at plotter.XYs
	for _, c := range points {
		at = append(at, plotter.XY{X: c.x, Y: c.y})
	}
	dots, err := plotter.NewScatter(at)
	if err != nil {
		return nil, err
	}
	dots.GlyphStyle = look
	pl.Add(dots)
	return dots, nil
}
