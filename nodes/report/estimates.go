package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot/vg/draw"
)

// estimatesMost is how many estimates are drawn; a longer table is only shown
// as a table.
const estimatesMost = 2 * forestMost

// estimatesOf draws forest plots of tables of estimates that come through a
// port: a model's coefficients, contrasts of means. A table without limits is
// not drawn.
func estimatesOf(port string) func(params, *frame) ([]drawing, error) {
	section, title := port, human(port)
	switch port {
	case "coefficients":
		section = "models"
	case "tables":
		title = "Estimates"
	}
	return func(_ params, f *frame) ([]drawing, error) {
		var all []drawing
		level := levelWords(f)
		for _, g := range estimateGroups(f) {
			if len(g.rows) == 0 || len(g.rows) > estimatesMost {
				continue
			}
			for i, rows := range forestParts(g.rows) {
				d, err := g.draw(rows, level)
				if err != nil {
					return nil, err
				}
				d.name, d.section, d.title = strings.Trim("estimates-"+slug(strings.TrimPrefix(port, "tables")+" "+g.scale), "-"), section, title
				if g.scale != "" {
					d.title += ", " + human(g.scale)
				}
				if i > 0 {
					d.title += " (continued)"
				}
				all = append(all, d)
			}
		}
		return all, nil
	}
}

// estimateGroup is the estimates of one scale.
type estimateGroup struct {
	scale     string
	heads     [2]string
	rows      []effect
	means     bool    // estimates are means: none is a difference
	null      float64 // the value of no effect
	adjusted  bool    // the limits hold for several estimates at once
	link      bool    // ratios are given beside the estimates
	intercept bool    // an intercept was left out
}

// wordColumns are the columns that say what a row's estimate is of: those
// before it that are not the same in every row, but for what else is known of
// the estimate. One is kept anyway.
func wordColumns(f *frame) (words []string) {
	other := []string{sourceColumn, "scale", "simulated", "note", "adjust", "family", "n", "sd", "effect_size"}
	same := ""
	for _, name := range f.names[:max(0, slices.Index(f.names, "estimate"))] {
		cells := f.column(name)
		single := !slices.ContainsFunc(cells, func(v any) bool {
			switch v.(type) {
			case nil, string, bool, int64, float64:
				return false
			}
			return true
		})
		if !single || slices.Contains(other, name) {
			continue
		}
		if slices.ContainsFunc(cells, func(v any) bool { return v != cells[0] }) {
			words = append(words, name)
		} else if same == "" || cells[0] != nil {
			same = name
		}
	}
	if len(words) == 0 && same != "" {
		words = []string{same}
	}
	return words
}

func estimateGroups(f *frame) []estimateGroup {
	words := wordColumns(f)
	if f.rows() == 0 || len(words) == 0 || f.column("ci_lower") == nil {
		return nil
	}
	var groups []estimateGroup
	value := func(i int, name string) float64 {
		if v, ok := number(f.column(name), i); ok {
			return v
		}
		return math.NaN()
	}
	said := func(i int, names ...string) string {
		var s []string
		for _, name := range names {
			if v := f.column(name)[i]; v != nil {
				s = append(s, text(v))
			}
		}
		return strings.Join(s, ", ")
	}
	for i := range f.rows() {
		scale := ""
		if c := f.column("scale"); c != nil && c[i] != nil {
			scale = text(c[i])
		}
		at := slices.IndexFunc(groups, func(g estimateGroup) bool { return g.scale == scale })
		if at < 0 {
			g := estimateGroup{scale: scale, heads: [2]string{"", human(words[len(words)-1])}, means: slices.Contains(f.names, "quantity")}
			if len(words) > 1 {
				g.heads[0] = human(words[0])
			}
			if strings.Contains(scale, "ratio") {
				g.null = 1
			}
			at, groups = len(groups), append(groups, g)
		}
		g := &groups[at]
		last := len(words) - 1
		e := effect{outcome: said(i, words[:last]...), test: said(i, words[last]), estimate: value(i, "estimate"), low: value(i, "ci_lower"), high: value(i, "ci_upper"),
			p: value(i, "p_value"), corrected: value(i, "p_adjusted")}
		if g.means {
			e.p = math.NaN() // of a mean of 0, which nobody asks
		}
		g.adjusted = g.adjusted || said(i, optional(f, "adjust")...) != ""
		g.link = g.link || !math.IsNaN(value(i, "ratio"))
		if words[last] == "term" && e.test == "(Intercept)" {
			g.intercept = true
			continue
		}
		if !math.IsNaN(e.estimate + e.low + e.high) {
			g.rows = append(g.rows, e)
		}
	}
	return groups
}

// optional is a column's name where there is such a column.
func optional(f *frame, name string) []string {
	if f.column(name) == nil {
		return nil
	}
	return []string{name}
}

// draw draws some of the group's rows.
func (g estimateGroup) draw(rows []effect, level string) (drawing, error) {
	if g.adjusted {
		level = "" // it cannot be read off the limits
	}
	what := "Estimate"
	if g.means {
		what = "Mean"
	}
	f := &forest{plot: newPlot(what+" with its "+level+"confidence interval", ""), rows: rows, heads: g.heads, plain: true, null: g.null, noNull: g.means,
		looks: map[string]draw.GlyphStyle{"": {Color: palette[0], Radius: 3.4, Shape: square4{}}}}
	height, err := f.layOut()
	if err != nil {
		return drawing{}, err
	}
	d := drawing{columns: 1, width: paperWidth, height: height, panels: []panel{{paint: f.paint}}}
	d.caption = fmt.Sprintf("Lines are %sconfidence intervals.", level)
	if !g.means {
		d.caption = fmt.Sprintf("Lines are %sconfidence intervals; the dashed line is no effect.", level)
	}
	if g.link {
		d.caption += " Estimates are on the scale of the link (log odds, log rates); the table has their ratios."
	}
	if g.intercept {
		d.caption += " Intercepts are in the table only."
	}
	if f.corrected {
		d.caption += " p (corrected) is corrected for the number of tests."
	}
	return d, nil
}
