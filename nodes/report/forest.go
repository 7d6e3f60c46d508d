package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// effect is one contrast, slope or coefficient with its interval.
type effect struct {
	study, outcome, test, kind, spec string
	logOdds                          bool    // its model is logistic
	estimate, low, high              float64 // on the outcome's scale, or log odds
	p, corrected                     float64 // NaN: none
}

// effects returns the rows of a table of contrasts that can be drawn: those
// with an estimate and both limits.
func effects(f *frame) []effect {
	var all []effect
	at := func(name string, i int) string {
		if c := f.column(name); c != nil && c[i] != nil {
			return text(c[i])
		}
		return ""
	}
	value := func(i int, names ...string) float64 {
		if v, ok := number(f.column(names...), i); ok {
			return v
		}
		return math.NaN()
	}
	for i := range f.rows() {
		e := effect{study: at("study_type", i), outcome: at("outcome", i), test: at("test", i), kind: at("test_type", i), spec: at("spec", i),
			logOdds:  strings.Contains(strings.ToLower(at("method", i)), "logistic"),
			estimate: value(i, "estimate"), low: value(i, "lower_cl"), high: value(i, "upper_cl"),
			p: value(i, "p_raw"), corrected: value(i, "p_global")}
		if !math.IsNaN(e.estimate + e.low + e.high) {
			all = append(all, e)
		}
	}
	return all
}

// forestGroup is what one forest plot shows: a study, a type of test and a
// scale.
type forestGroup struct {
	study, kind string
	logOdds     bool
	effects     []effect // by outcome, test and spec, each in order of first appearance
}

func forestGroups(all []effect) []forestGroup {
	var groups []forestGroup
	outcomes, tests, specs := map[string]int{}, map[string]int{}, map[string]int{}
	seen := func(m map[string]int, s string) {
		if _, ok := m[s]; !ok {
			m[s] = len(m)
		}
	}
	for _, e := range all {
		seen(outcomes, e.outcome)
		seen(tests, e.test)
		seen(specs, e.spec)
		i := slices.IndexFunc(groups, func(g forestGroup) bool { return g.study == e.study && g.kind == e.kind && g.logOdds == e.logOdds })
		if i < 0 {
			i, groups = len(groups), append(groups, forestGroup{study: e.study, kind: e.kind, logOdds: e.logOdds})
		}
		groups[i].effects = append(groups[i].effects, e)
	}
	for _, g := range groups {
		slices.SortStableFunc(g.effects, func(a, b effect) int {
			return cmp.Or(cmp.Compare(outcomes[a.outcome], outcomes[b.outcome]), cmp.Compare(tests[a.test], tests[b.test]), cmp.Compare(specs[a.spec], specs[b.spec]))
		})
	}
	return groups
}

// Sizes of forest plots, in points. A picture with more lines than fit a
// printed page goes on in another.
const (
	forestLine = 13.5
	forestGap  = 5 // between outcomes
	forestHead = 20
	forestAxis = 40
	forestMost = 60 // lines
)

// drawForests draws a forest plot for each study, type of test and scale: main
// effects open on the page, what explains them on demand.
func drawForests(_ params, f *frame) ([]drawing, error) {
	specs := specLooks(effects(f))
	level := levelWords(f)
	var all []drawing
	for _, g := range forestGroups(effects(f)) {
		parts := forestParts(g.effects)
		for i, part := range parts {
			d, err := forestDrawing(g, part, specs, level)
			if err != nil {
				return nil, err
			}
			if len(parts) > 1 {
				d.title += fmt.Sprintf(" (%d of %d)", i+1, len(parts))
			}
			all = append(all, d)
		}
	}
	return all, nil
}

// forestParts cuts effects into pictures, between outcomes where it can.
func forestParts(all []effect) [][]effect {
	var parts [][]effect
	for len(all) > forestMost {
		cut := forestMost
		for cut > forestMost/2 && all[cut].outcome == all[cut-1].outcome {
			cut--
		}
		if cut == forestMost/2 {
			cut = forestMost
		}
		parts, all = append(parts, all[:cut]), all[cut:]
	}
	return append(parts, all)
}

// specLooks gives each specification its mark: the primary analysis a filled
// blue square, the others marks of their own.
func specLooks(all []effect) map[string]draw.GlyphStyle {
	looks := map[string]draw.GlyphStyle{}
	shapes := []draw.GlyphDrawer{draw.CircleGlyph{}, draw.PyramidGlyph{}, diamond{}, draw.BoxGlyph{}, draw.RingGlyph{}, draw.TriangleGlyph{}, draw.CrossGlyph{}}
	n := 0
	for _, e := range all {
		if _, ok := looks[e.spec]; ok {
			continue
		}
		if e.spec == "primary" {
			looks[e.spec] = draw.GlyphStyle{Color: palette[0], Radius: vg.Points(3.4), Shape: square4{}}
			continue
		}
		looks[e.spec] = draw.GlyphStyle{Color: palette[1+n%(len(palette)-1)], Radius: vg.Points(3), Shape: shapes[n%len(shapes)]}
		n++
	}
	return looks
}

// testKind says in words what a type of test is.
func testKind(kind string) string {
	if of, ok := strings.CutPrefix(kind, "main_effect_"); ok {
		return "Main effect: " + strings.ReplaceAll(of, "_", " ")
	}
	if s, ok := map[string]string{"dose_response": "Dose-response: coefficients of λ's polynomial", "moderation": "Moderation: interactions", "simple_effect": "Simple effects, at each level of another factor",
		"temporal_main": "Change over time", "temporal_interaction": "Effects on the change over time", "temporal_simple": "Effects at the first and the last time",
		"temporal_slope": "Slopes of time by arm", "temporal_coefficient": "Coefficients of time"}[kind]; ok {
		return s
	}
	return human(kind)
}

func forestDrawing(g forestGroup, rows []effect, looks map[string]draw.GlyphStyle, level string) (drawing, error) {
	scale := "Estimate with its " + level + "confidence interval"
	if g.logOdds {
		scale = "Log odds with their " + level + "confidence interval"
	}
	pl := newPlot(scale, "")
	title := strings.TrimSuffix(testKind(g.kind)+", "+human(g.study), ", ")
	name := "forest-" + slug(g.study+" "+g.kind)
	if g.logOdds {
		title, name = title+", log odds", name+"-log-odds"
	}
	f := &forest{plot: pl, rows: rows, looks: looks, heads: [2]string{"Outcome", "Test"}}
	height, err := f.layOut()
	if err != nil {
		return drawing{}, err
	}
	d := drawing{name: name, section: "effects", title: title, columns: 1, width: paperWidth, height: height,
		folded: !strings.HasPrefix(g.kind, "main_effect_"), panels: []panel{{paint: f.paint}}}
	d.caption = "Lines are " + level + "confidence intervals; the dashed line is no effect."
	if tests := distinctOf(rows, func(e effect) string { return e.test }); len(tests) == 1 {
		d.caption = tests[0] + ". " + d.caption
	}
	if slices.ContainsFunc(rows, func(e effect) bool { return e.spec == "primary" }) && len(distinctOf(rows, func(e effect) string { return e.spec })) > 1 {
		d.caption += " The filled square is the primary analysis."
	}
	if f.corrected {
		d.caption += " p (corrected) is corrected for the number of tests, where the plan does so."
	}
	return d, nil
}

func distinctOf(rows []effect, of func(effect) string) []string {
	var all []string
	for _, e := range rows {
		if s := of(e); !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}
