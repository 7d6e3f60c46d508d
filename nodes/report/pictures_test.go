package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// frameOf makes a frame of rows.
func frameOf(names []string, rows ...[]any) *frame {
	f := &frame{names: names, cells: make([][]any, len(names))}
	for _, row := range rows {
		for c, v := range row {
			f.cells[c] = append(f.cells[c], v)
		}
	}
	return f
}

// A level is read, or solved from limits. The quantiles are R's qt(0.975, 10),
// qnorm(0.975) and qnorm(0.995).
func TestLevel(t *testing.T) {
	limits := []string{"estimate", "se", "df", "lower_cl", "upper_cl"}
	row := func(estimate, se float64, df any, q float64) []any {
		return []any{estimate, se, df, estimate - q*se, estimate + q*se}
	}
	for want, f := range map[string]*frame{
		"90% ": frameOf([]string{"level", "ci_lower"}, []any{0.9, 1.0}, []any{nil, nil}, []any{0.9, 2.0}),
		"95% ": frameOf(limits, row(2, 0.5, 10.0, 2.228138851964939), row(-1, 0.25, nil, 1.959963984540054), []any{1.0, 0.1, 5.0, nil, nil}),
		"99% ": frameOf(limits, row(2, 3, nil, 2.5758293035489004)),
		"":     frameOf(limits, row(2, 0.5, nil, 1.96), row(2, 0.5, nil, 2.58)),
		" ":    frameOf(limits, []any{1.0, 0.5, nil, 0.2, 2.9}), // as profiled limits lie: uneven
		"  ":   frameOf([]string{"level", "mean"}, []any{"emotional", 1.0}),
	} {
		if got := levelWords(f); strings.TrimSpace(got) != strings.TrimSpace(want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// A table of estimates names its rows by the words that differ, leaves the
// intercept out, and knows the value of no effect.
func TestEstimates(t *testing.T) {
	names := []string{sourceColumn, "site", "week", "contrast", "scale", "n", "lists", "estimate", "se", "p_value", "ci_lower", "ci_upper", "p_adjusted", "adjust", "note"}
	row := func(scale, contrast string, estimate float64) []any {
		return []any{"arms", "north", 2.0, contrast, scale, int64(estimate * 10), []any{"x"}, estimate, 0.1, 0.5, estimate - 0.2, estimate + 0.2, 0.9, "tukey", nil}
	}
	f := frameOf(names, row("odds ratio", "a - b", 1.5), row("odds ratio", "a - c", 0.8), row("difference", "a - b", 0.2))
	groups := estimateGroups(f)
	if len(groups) != 2 || groups[0].null != 1 || groups[1].null != 0 || !groups[0].adjusted || groups[0].heads != [2]string{"", "Contrast"} {
		t.Fatalf("groups %+v", groups)
	}
	if e := groups[0].rows[1]; e.test != "a - c" || e.outcome != "" || e.corrected != 0.9 || math.Abs(e.low-0.6) > 1e-12 {
		t.Errorf("a row %+v", e)
	}

	terms := frameOf([]string{"model", "term", "estimate", "se", "p_value", "ci_lower", "ci_upper", "ratio"},
		[]any{"m", "(Intercept)", 1.0, 0.1, 0.01, 0.8, 1.2, 2.7}, []any{"m", "dose", 0.5, 0.1, 0.01, 0.3, 0.7, 1.6}, []any{"n", "dose", 0.4, nil, nil, nil, nil, nil})
	groups = estimateGroups(terms)
	if len(groups) != 1 || !groups[0].intercept || !groups[0].link || len(groups[0].rows) != 1 || groups[0].rows[0].outcome != "m" || groups[0].rows[0].test != "dose" {
		t.Fatalf("groups %+v", groups)
	}
	drawn, err := estimatesOf("coefficients")(params{}, terms)
	if err != nil || len(drawn) != 1 || drawn[0].section != "models" || !strings.Contains(drawn[0].caption, "log odds") || !strings.Contains(drawn[0].caption, "Intercepts") {
		t.Errorf("drawn %+v, %v", drawn, err)
	}

	means := frameOf([]string{"arm", "quantity", "scale", "estimate", "ci_lower", "ci_upper", "p_value"}, []any{"a", "mean", "response", 5.0, 4.0, 6.0, 0.0}, []any{"b", "mean", "response", 5.5, 4.5, 6.5, 0.0})
	if groups = estimateGroups(means); len(groups) != 1 || !groups[0].means || !math.IsNaN(groups[0].rows[0].p) {
		t.Errorf("means %+v", groups)
	}
	// A trial's coefficients have other names for their limits: their contrasts are drawn.
	if drawn, err := estimatesOf("coefficients")(params{}, frameOf([]string{"term", "estimate", "lower_cl"}, []any{"x", 1.0, 0.5})); err != nil || drawn != nil {
		t.Errorf("drawn %v, %v", drawn, err)
	}
}

func TestDigitsFor(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		want      int
	}{{0.2, 5.2, 2}, {-0.4686, 0.3499, 3}, {-30, 30, 1}, {-400, 400, 0}, {0.010, 0.012, 5}, {1, 1, 4}, {0, math.Inf(1), 4}} {
		if got := digitsFor(c.low, c.high); got != c.want {
			t.Errorf("[%g, %g]: %d digits, want %d", c.low, c.high, got, c.want)
		}
	}
}

// A forest plot has a row for each estimate that can be drawn, the outcomes
// apart from each other, none over another, and all within the plot.
func TestForestRows(t *testing.T) {
	var rows [][]any
	for k := range 30 {
		for _, spec := range []string{"primary", "coarsened", "narrow", "full"} {
			rows = append(rows, []any{fmt.Sprint("outcome ", k), "test", "main_effect_x", spec, 1.0, 0.5, 1.5})
		}
	}
	rows = append(rows, []any{"outcome 0", "test", "main_effect_x", "weighted", 2.0, nil, nil}, []any{"outcome 0", "test", "main_effect_x", "preference", 2.0, 1.0, 3.0})
	f := frameOf([]string{"outcome", "test", "test_type", "spec", "estimate", "lower_cl", "upper_cl"}, rows...)
	all := effects(f)
	if len(all) != 121 {
		t.Fatalf("%d effects", len(all))
	}
	groups := forestGroups(all)
	if len(groups) != 1 || groups[0].effects[4].spec != "preference" || groups[0].effects[4].outcome != "outcome 0" {
		t.Fatalf("groups %v", groups)
	}
	parts := forestParts(groups[0].effects)
	n := 0
	for i, part := range parts {
		n += len(part)
		if len(part) > forestMost || i > 0 && part[0].outcome == parts[i-1][len(parts[i-1])-1].outcome {
			t.Errorf("part %d: %d rows, from %s", i, len(part), part[0].outcome)
		}
		fo := &forest{plot: newPlot("", ""), heads: [2]string{"Outcome", "Test"}, rows: part, looks: specLooks(all)}
		if _, err := fo.layOut(); err != nil {
			t.Fatal(err)
		}
		for j, y := range fo.y {
			if y < forestLine/2 || y > fo.total-forestLine/2 {
				t.Errorf("row %d at %g leaves the plot of %g", j, y, fo.total)
			}
			if j > 0 && fo.y[j-1]-y < forestLine-1e-9 {
				t.Errorf("rows %d and %d: %g and %g", j-1, j, fo.y[j-1], y)
			}
		}
		if fo.left[0].cells[0] == "" || fo.left[0].cells[1] != "" || len(fo.left) != 2 {
			t.Errorf("columns on the left: %v", fo.left)
		}
	}
	if n != 121 {
		t.Errorf("%d rows in parts", n)
	}
	drawn, err := drawForests(defaults(), f)
	if err != nil || len(drawn) != 3 || drawn[0].folded || drawn[2].title != "Main effect: x (3 of 3)" {
		t.Errorf("%v: %d pictures", err, len(drawn))
	}
}

// Specifications are told apart by colour and by mark; models on the scale of
// log odds have a picture of their own.
func TestForestScales(t *testing.T) {
	f := frameOf([]string{"outcome", "test", "test_type", "spec", "method", "estimate", "lower_cl", "upper_cl"},
		[]any{"a", "x", "moderation", "primary", "linear mixed model", 10.0, 5.0, 15.0}, []any{"b", "x", "moderation", "primary", "logistic regression", 0.1, -0.1, 0.3},
		[]any{"a", "x", "moderation", "narrow", "linear mixed model", 11.0, 5.0, 17.0})
	drawn, err := drawForests(defaults(), f)
	if err != nil || len(drawn) != 2 || !drawn[0].folded || drawn[1].title != "Moderation: interactions, log odds" {
		t.Fatalf("%v: %v", err, drawn)
	}
	looks := specLooks(effects(f))
	if a, b := looks["primary"], looks["narrow"]; a.Color == b.Color || a.Shape == b.Shape {
		t.Errorf("looks %v and %v", a, b)
	}
}

func TestArmLooksDiffer(t *testing.T) {
	for _, lambdas := range [][]float64{{-1, -0.5, 0, 0.5, 1}, {-1, 0, 1}, {0, 1}, {-1, 1}, {-2, -1.5, -1, 0, 1, 1.5, 2}} {
		var seen []string
		for i := range lambdas {
			l := armLook(i, lambdas)
			key := fmt.Sprint(l.line.Color)
			if slices.Contains(seen, key) {
				t.Errorf("%v: two arms in one colour", lambdas)
			}
			seen = append(seen, key)
			for j := range i {
				if len(lambdas) <= 5 && armLook(j, lambdas).shape == l.shape {
					t.Errorf("%v: arms %d and %d have one mark", lambdas, j, i)
				}
			}
		}
	}
}

// Rows of several groups at a lambda are several curves; those that nothing
// tells apart are an error elsewhere.
func TestCurvesOfGroups(t *testing.T) {
	f := frameOf([]string{"layer", "lambda", "n", "mean", "from_node"},
		[]any{int64(3), 0.0, int64(5), 1.0, "a"}, []any{int64(3), 1.0, int64(5), 2.0, "a"}, []any{int64(4), 0.0, int64(5), 1.0, "a"}, []any{int64(4), 1.0, int64(5), 3.0, "a"},
		[]any{int64(3), 0.0, int64(5), 7.0, "b"})
	var names []string
	for _, c := range doseCurves(defaults(), f) {
		names = append(names, fmt.Sprintf("%s:%d", c.metric, len(c.points)))
	}
	if got := strings.Join(names, "; "); got != "layer 3, a:2; layer 4, a:2; b:1" {
		t.Errorf("curves %s", got)
	}
}

// Curves of one metric share a picture, with a line of its own for each; those
// of another have another.
func TestDoseTogether(t *testing.T) {
	var rows [][]any
	for _, l := range []float64{-1, 0, 1} {
		rows = append(rows, []any{"steered", "warmth", l, 5 + l, 4.0, 7.0}, []any{"prompted <b>", "warmth", l, 5.0, 4.0, 6.0}, []any{"steered", "sense", l, 30.0, 20.0, 40.0}, []any{"prompted <b>", "sense", l, 31.0, 20.0, 40.0})
	}
	f := frameOf([]string{"arm", "metric", "lambda", "mean", "ci_lower", "ci_upper"}, rows...)
	drawn, err := drawDose(defaults(), f)
	if err != nil || len(drawn) != 2 {
		t.Fatalf("%v: %d pictures", err, len(drawn))
	}
	d := drawn[0]
	if d.name != "dose-warmth" || len(d.keys) != 2 || d.keys[0].name != "arm steered" || d.panels[0].plot.Y.Min != 1 || drawn[1].panels[0].plot.Y.Max < 40 {
		t.Errorf("%s: keys %v, %g", d.name, d.keys, d.panels[0].plot.Y.Min)
	}
	figure, err := d.render(false)
	if err != nil {
		t.Fatal(err)
	}
	wellFormed(t, "dose", figure.svg)
	rates := frameOf([]string{"lambda", "rate", "ci_lower", "ci_upper"}, []any{0.0, 0.5, 0.4, 0.6}, []any{1.0, 0.7, 0.6, 0.8})
	if drawn, err := drawDose(defaults(), rates); err != nil || len(drawn) != 1 {
		t.Errorf("%v: %d pictures of rates", err, len(drawn))
	}
}

func TestPickMeasures(t *testing.T) {
	for want, c := range map[string]struct {
		p       params
		columns []string
	}{
		"auc slope2":          {params{}, []string{"layer", "auc", "slope2", "z_auc", "z_slope2"}},
		"coherence_auc slope": {params{}, []string{"layer", "z_what"}},
		"mine auc":            {params{Quality: "mine"}, []string{"auc", "z_auc"}},
	} {
		c.p.pickMeasures(c.columns)
		if got := c.p.Quality + " " + c.p.Effect; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestBorder(t *testing.T) {
	x := func(p plotter.XY) float64 { return p.X }
	group := func(values ...float64) profile {
		var p profile
		for _, v := range values {
			p.at = append(p.at, plotter.XY{X: v})
		}
		return p
	}
	for _, c := range []struct {
		all  []profile
		want float64
		ok   bool
	}{
		{[]profile{group(-2, -1), group(1, 3), group(-1, 0), group(2)}, 0, true},
		{[]profile{group(-2, 0.4), group(0.6, 3), group(-1), group(0.7)}, 0.5, true},
		{[]profile{group(-2, 2), group(-1, 3)}, 0, false},
	} {
		if got, ok := border(c.all, x); ok != c.ok || math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%v: %v %v", c.all, got, ok)
		}
	}
}

// Boxes of a flow diagram do not overlap, lie within the picture, and arms of
// a stage stand at one height, whatever the number of arms.
func TestFlowBoxes(t *testing.T) {
	for arms := range 14 {
		rows := [][]any{{"Assessed", int64(1), nil, int64(1000), int64(10), nil}, {"Assessed", int64(1), nil, int64(1000), int64(10), "long words " + strings.Repeat("wörd ", 60)}}
		for a := range arms {
			arm := fmt.Sprint("arm ", a, strings.Repeat("x", 3*a))
			rows = append(rows, []any{"Randomised", int64(2), arm, int64(50), int64(a), nil}, []any{"Randomised", int64(2), arm, int64(50), int64(a), strings.Repeat("unbreakable", 12)}, []any{"Analysed", int64(3), arm, int64(50 - a), int64(0), nil})
		}
		f := frameOf([]string{"stage", "step", "arm", "n", "lost", "reason"}, rows...)
		boxes := flowBoxes(f)
		if len(boxes) != 1+2*arms {
			t.Fatalf("%d arms: %d boxes", arms, len(boxes))
		}
		c := layFlow(boxes)
		for i, a := range c.boxes {
			if a.x < 0 || a.x+a.w > c.width+0.5 || a.y < 0 || a.y+a.h > c.height {
				t.Errorf("%d arms: box %v leaves %g by %g", arms, a, c.width, c.height)
			}
			for k, s := range a.lines {
				if w := flowStyle(k < a.head).Width(s); float64(w) > a.w-2*flowPad+0.5 && !strings.HasSuffix(s, "…") {
					t.Errorf("%d arms: %q is wider than its box", arms, s)
				}
			}
			for _, b := range c.boxes[:i] {
				if a.x < b.x+b.w && b.x < a.x+a.w && a.y < b.y+b.h && b.y < a.y+a.h {
					t.Errorf("%d arms: boxes %v and %v overlap", arms, a.lines, b.lines)
				}
			}
		}
		if arms > 1 && arms <= flowArms && c.boxes[2].y != c.boxes[3].y {
			t.Errorf("%d arms: stages at %g and %g", arms, c.boxes[2].y, c.boxes[3].y)
		}
	}
}

func TestSortArms(t *testing.T) {
	for want, arms := range map[string][]string{
		"λ = −1|λ = −0.5|λ = 0|λ = +0.5|λ = +1": {"λ = +0.5", "λ = +1", "λ = 0", "λ = −0.5", "λ = −1"},
		"10|9 b|x":      {"10", "9 b", "x"},
		"1 of 2|0 of 2": {"1 of 2", "0 of 2"},
	} {
		sortArms(arms)
		if got := strings.Join(arms, "|"); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestSources(t *testing.T) {
	f := frameOf([]string{"from_node", "a", "b"}, []any{"x", 1.0, nil}, []any{"y", nil, "t"}, []any{"x", 2.0, nil})
	parts := f.sources()
	if len(parts) != 2 || parts[0].name != "x" || strings.Join(parts[0].names, " ") != "a" || len(parts[0].cells[0]) != 2 || strings.Join(parts[1].names, " ") != "b" {
		t.Errorf("parts %v", parts)
	}
	if f.names[0] != "from_node" || len(f.cells) != 3 {
		t.Error("the table was changed")
	}
	var none *frame
	if none.sources() != nil {
		t.Error("no table has parts")
	}
}

func TestSimulatedColumn(t *testing.T) {
	for v, want := range map[any]bool{true: true, false: false, "simulated": true, "": false, "false": false, int64(1): true, int64(0): false, 1.0: true} {
		if got := frameOf([]string{"simulated"}, []any{nil}, []any{v}).simulated(); got != want {
			t.Errorf("%v: %v", v, got)
		}
	}
}

func TestLatexTable(t *testing.T) {
	f := frameOf([]string{"name_of", "p_value", "value"}, []any{"a & b", 0.0004, 1.25}, []any{`\input{/etc/passwd}`, 0.5, -2.5}, []any{strings.Repeat("long ", 10), nil, 0.125})
	e := exhibit{title: "A 100% table, λ ≥ 1", view: tableOf(f)}
	got := string(latexTable(e, false))
	for _, want := range []string{`\begin{tabular}{>{\raggedright\arraybackslash}p{5.6cm}rr}`, `\caption{A 100\% table, $\lambda$ $\geq$ 1}`, `Name of & p & Value \\`, `a \& b & \textless{}0.001 & 1.250 \\`,
		`\textbackslash{}input\{/etc/passwd\} & 0.500 & $-$2.500 \\`, `\textendash{} & 0.125`, "\\bottomrule\n\\end{tabular}"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s lacks %s", got, want)
		}
	}
	for range 50 {
		f.cells[0], f.cells[1], f.cells[2] = append(f.cells[0], "x"), append(f.cells[1], 0.1), append(f.cells[2], 1.0)
	}
	long := string(latexTable(exhibit{title: "t", view: tableOf(f)}, false))
	if !strings.Contains(long, `\begin{longtable}`) || strings.Contains(long, `\begin{tabular}`) || strings.Count(long, "x & 0.100") != 50 {
		t.Errorf("no long table: %s", long)
	}
	balanced(t, "long", long)
}

// FuzzLatexEscape: whatever the text, it stays on one line, its braces match,
// and every backslash begins one of the commands that the escape writes.
func FuzzLatexEscape(f *testing.F) {
	for _, s := range []string{"", `\end{tabular}`, "50% of $x^2$ & ~\"'`", "a\nb\x00c\u2028", "λ−²[*]", "\xff\xfe", `\\[1cm]`} {
		f.Add(s)
	}
	var commands []string
	for r := 'Α'; r <= 'ω'; r++ {
		if set, ok := greek(r); ok {
			commands = append(commands, set)
		}
	}
	commands = append(commands, `$\infty$`, `$\to$`, `\textbullet{}`, `\textbackslash{}`, `\textasciicircum{}`, `\textasciitilde{}`, `\textless{}`, `\textgreater{}`, `\textbar{}`, `\textquotedblright{}`, `\textquoteleft{}`, `\textendash{}`, `\ldots{}`,
		`$\times$`, `$\pm$`, `$\leq$`, `$\geq$`, `$-$`, `$^2$`, `$^3$`, "{[}", "{]}", "{*}", `\{`, `\}`, `\$`, `\&`, `\#`, `\%`, `\_\allowbreak{}`, `:\allowbreak{}`)
	f.Fuzz(func(t *testing.T, s string) {
		got := latexEscape(s)
		if strings.ToValidUTF8(got, "") != got || strings.ContainsAny(got, "\n\r\x00") {
			t.Errorf("%q becomes %q", s, got)
		}
		for rest := got; rest != ""; {
			if at := slices.IndexFunc(commands, func(c string) bool { return strings.HasPrefix(rest, c) }); at >= 0 {
				rest = rest[len(commands[at]):]
				continue
			}
			if strings.ContainsRune(`\{}$&#%_^~`, rune(rest[0])) {
				t.Fatalf("%q becomes %q, with a live %q", s, got, rest[0])
			}
			rest = rest[1:]
		}
	})
}

// FuzzWrap: wrapping ends, loses no letter but where it says so, and gives
// lines that fit.
func FuzzWrap(f *testing.F) {
	f.Add("some words to wrap", 60.0, true)
	f.Add(strings.Repeat("w", 200), 20.0, false)
	f.Add("   ", 1.0, false)
	f.Fuzz(func(t *testing.T, s string, width float64, bold bool) {
		if len(s) > 2000 || strings.ToValidUTF8(s, "") != s || !(width > -1e6 && width < 1e6) {
			return
		}
		lines := wrap(s, vg.Length(width), bold)
		if len(lines) == 0 || len(lines) > 6 {
			t.Fatalf("%d lines", len(lines))
		}
		squeeze := func(s string) string { return strings.Join(strings.Fields(s), "") }
		all := squeeze(strings.Join(lines, ""))
		if !strings.HasSuffix(lines[len(lines)-1], "…") && all != squeeze(s) {
			t.Errorf("%q becomes %q", s, lines)
		}
	})
}
