package main

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// flowBox is one box of a CONSORT flow diagram (Hopewell et al. 2025): who
// came to a stage, all together or of an arm, and why some went no further.
type flowBox struct {
	stage, arm string
	step       float64
	n, lost    float64
	reasons    []string // "12 withdrew"
}

// flowBoxes reads a table of counts: a row a stage and arm, and one for each
// reason of leaving it.
func flowBoxes(f *frame) []*flowBox {
	stage, step, arm, n, lost, reason := f.column("stage"), f.column("step"), f.column("arm"), f.column("n"), f.column("lost"), f.column("reason")
	var all []*flowBox
	for i := range f.rows() {
		b := &flowBox{stage: text(stage[i])}
		if arm != nil && arm[i] != nil {
			b.arm = text(arm[i])
		}
		b.step, _ = number(step, i)
		at := slices.IndexFunc(all, func(o *flowBox) bool { return o.step == b.step && o.stage == b.stage && o.arm == b.arm })
		if at >= 0 {
			b = all[at]
		} else {
			all = append(all, b)
		}
		count, _ := number(lost, i)
		if reason != nil && reason[i] != nil {
			b.reasons = append(b.reasons, short(count)+" "+text(reason[i]))
			continue
		}
		b.n, _ = number(n, i)
		b.lost = count
	}
	slices.SortStableFunc(all, func(a, b *flowBox) int { return cmp.Compare(a.step, b.step) })
	return all
}

// Sizes of flow diagrams, in points.
const (
	flowText    = 9.5
	flowLeading = 12.5
	flowPad     = 6.0
	flowGap     = 16.0 // between boxes
	flowArms    = 5    // side by side
)

// flowChart is a laid out flow diagram. Coordinates are points from the
// picture's upper left, downward.
type flowChart struct {
	boxes         []placedBox
	lines         []flowLine
	width, height float64
}

type placedBox struct {
	x, y, w, h float64
	lines      []string
	head       int // lines in front that are bold
}

type flowLine struct {
	points []vg.Point // downward
	arrow  bool
}

func drawFlow(_ params, f *frame) ([]drawing, error) {
	boxes := flowBoxes(f)
	if len(boxes) == 0 {
		return nil, nil
	}
	c := layFlow(boxes)
	return []drawing{{name: "flow", section: "flow", title: "Flow of participants", columns: 1, width: paperWidth, height: vg.Length(c.height) + vg.Points(24),
		caption: "CONSORT flow: how many participants came to each stage, and how many went no further, with the reasons that the data give.",
		panels:  []panel{{paint: c.paint}}}}, nil
}

// layFlow stacks the stages before randomisation in the middle, those who left
// beside them, and from the first stage with arms on gives each arm a column:
// up to five side by side, further arms in bands below.
func layFlow(boxes []*flowBox) *flowChart {
	c := &flowChart{width: float64(paperWidth.Points()) - 20}
	var arms []string
	var common []*flowBox
	for _, b := range boxes {
		if b.arm == "" {
			common = append(common, b)
		} else if !slices.Contains(arms, b.arm) {
			arms = append(arms, b.arm)
		}
	}
	sortArms(arms)
	y, x := 0.0, c.width/2
	const wide = 230.0
	for i, b := range common {
		main := c.box(x-wide/2, y, wide, stageLines(b), 1)
		y = main.y + main.h
		if b.lost > 0 {
			side := c.box(x+wide/2-40, y+flowGap, wide+40, lostLines(b), 0)
			middle := side.y + side.h/2
			c.line(false, x, y, x, side.y+side.h+flowGap)
			c.line(true, x, middle, side.x, middle)
			y = side.y + side.h
		}
		if i < len(common)-1 || len(arms) > 0 {
			c.line(i < len(common)-1, x, y, x, y+flowGap)
			y += flowGap
		}
	}
	bands := (len(arms) + flowArms - 1) / flowArms
	if bands > 0 {
		c.bands(boxes, arms, bands, y, len(common) > 0)
	} else {
		c.height = y
	}
	for _, b := range c.boxes {
		c.height = max(c.height, b.y+b.h)
	}
	return c
}

// sortArms puts arms that a number each tells apart in its order; others stay
// in the table's.
func sortArms(arms []string) {
	values := map[string]float64{}
	for _, a := range arms {
		found := armNumber.FindAllString(strings.ReplaceAll(a, "−", "-"), -1)
		if len(found) != 1 {
			return
		}
		v, err := strconv.ParseFloat(found[0], 64)
		if err != nil {
			return
		}
		values[a] = v
	}
	slices.SortStableFunc(arms, func(a, b string) int { return cmp.Compare(values[a], values[b]) })
}

var armNumber = regexp.MustCompile(`[-+]?[0-9]+(\.[0-9]+)?`)

// bands lays the arms out, the same number in each band where that can be.
func (c *flowChart) bands(boxes []*flowBox, arms []string, bands int, y float64, joined bool) {
	each := (len(arms) + bands - 1) / bands
	spine := c.width / 2
	left := 0.0
	if bands > 1 {
		left = 14
		if joined {
			c.line(false, spine, y, 2, y)
		}
		spine = 2
	}
	for len(arms) > 0 {
		here := arms[:min(each, len(arms))]
		arms = arms[len(here):]
		column := (c.width - left) / float64(each)
		w := min(column-14, 250)
		centre := func(i int) float64 { return left + column*(float64(i)+0.5) + (c.width-left-column*float64(each))/2 }
		bar := y + flowGap*0.75
		if joined {
			c.line(false, spine, y, spine, bar)
			if bands > 1 {
				c.line(false, spine, bar, centre(len(here)-1), bar)
			} else {
				c.line(false, centre(0), bar, centre(len(here)-1), bar)
			}
		}
		if joined {
			for i := range here {
				c.line(true, centre(i), bar, centre(i), bar+flowGap)
			}
		}
		low := c.rows(boxes, here, centre, bar+flowGap, w)
		if bands > 1 && joined && len(arms) > 0 {
			c.line(false, spine, bar, spine, low+flowGap)
		}
		y = low + flowGap
	}
}

// rows stacks the boxes of some arms, each stage at one height; it returns the
// lower edge.
func (c *flowChart) rows(boxes []*flowBox, arms []string, centre func(int) float64, y, w float64) float64 {
	lower := make([]float64, len(arms)) // edges of the arms' last boxes; 0: none yet
	low := y
	for k := 0; k < len(boxes); {
		stage := boxes[k]
		top, found := low, false
		for ; k < len(boxes) && boxes[k].step == stage.step && boxes[k].stage == stage.stage; k++ {
			i := slices.Index(arms, boxes[k].arm)
			if i < 0 {
				continue
			}
			if !found && lower[i] != 0 {
				top += flowGap
			}
			found = true
			lines, head := stageLines(boxes[k]), 1
			if lower[i] == 0 {
				lines, head = append([]string{arms[i]}, lines...), 2
			} else {
				c.line(true, centre(i), lower[i], centre(i), top)
			}
			if boxes[k].lost > 0 {
				lines = append(lines, lostLines(boxes[k])...)
			}
			p := c.box(centre(i)-w/2, top, w, lines, head)
			lower[i] = p.y + p.h
			low = max(low, lower[i])
		}
	}
	return low
}

func stageLines(b *flowBox) []string {
	return []string{fmt.Sprintf("%s (n\u00a0=\u00a0%s)", b.stage, short(b.n))}
}

func lostLines(b *flowBox) []string {
	lines := []string{fmt.Sprintf("Went no further (n\u00a0=\u00a0%s)", short(b.lost))}
	for _, r := range b.reasons {
		lines = append(lines, "• "+r)
	}
	return lines
}

// box adds a box as high as its text, of which the first head paragraphs are
// bold.
func (c *flowChart) box(x, y, w float64, paragraphs []string, head int) placedBox {
	b := placedBox{x: x, y: y, w: w}
	for i, p := range paragraphs {
		wrapped := wrap(p, vg.Length(w-2*flowPad), i < head)
		b.lines = append(b.lines, wrapped...)
		if i < head {
			b.head += len(wrapped)
		}
	}
	b.h = float64(len(b.lines))*flowLeading + 2*flowPad
	c.boxes = append(c.boxes, b)
	return b
}

func (c *flowChart) line(arrow bool, xy ...float64) {
	l := flowLine{arrow: arrow}
	for i := 0; i+1 < len(xy); i += 2 {
		l.points = append(l.points, vg.Point{X: vg.Length(xy[i]), Y: vg.Length(xy[i+1])})
	}
	c.lines = append(c.lines, l)
}

// wrap breaks a text into lines of a width, words that are too long too; at
// nbsp is a space that no line ends at.
const nbsp = '\u00a0'

// most six lines.
func wrap(s string, width vg.Length, bold bool) []string {
	style := flowStyle(bold)
	var lines []string
	now := ""
	for _, word := range strings.FieldsFunc(s, func(r rune) bool { return r != nbsp && unicode.IsSpace(r) }) {
		for {
			next := strings.TrimSpace(now + " " + word)
			if style.Width(next) <= width || now == "" && len([]rune(word)) < 2 {
				now = next
				break
			}
			if now != "" {
				lines, now = append(lines, now), ""
				continue
			}
			r := []rune(word)
			n := max(1, len(r)-1)
			for n > 1 && style.Width(string(r[:n])) > width {
				n--
			}
			lines, word = append(lines, string(r[:n])), string(r[n:])
		}
	}
	lines = append(lines, now)
	if len(lines) > 6 {
		lines = append(lines[:5], lines[5]+" …")
	}
	return lines
}

func flowStyle(bold bool) draw.TextStyle {
	style := words(flowText)
	if bold {
		style.Font.Weight = boldWeight
	}
	return style
}

func (c *flowChart) paint(to draw.Canvas) {
	at := func(x, y float64) vg.Point { return vg.Point{X: to.Min.X + vg.Length(x), Y: to.Max.Y - vg.Length(y)} }
	stroke := draw.LineStyle{Color: ink, Width: vg.Points(0.9)}
	for _, l := range c.lines {
		var points []vg.Point
		for _, p := range l.points {
			points = append(points, at(float64(p.X), float64(p.Y)))
		}
		to.StrokeLines(stroke, points)
		if l.arrow {
			arrowHead(&to, points[len(points)-2], points[len(points)-1])
		}
	}
	for _, b := range c.boxes {
		corners := []vg.Point{at(b.x, b.y), at(b.x+b.w, b.y), at(b.x+b.w, b.y+b.h), at(b.x, b.y+b.h)}
		to.FillPolygon(wash, corners)
		to.StrokeLines(stroke, append(corners, corners[0]))
		for i, s := range b.lines {
			style := flowStyle(i < b.head)
			style.YAlign = draw.YCenter
			to.FillText(style, at(b.x+flowPad, b.y+flowPad+flowLeading*(float64(i)+0.5)), s)
		}
	}
}

// arrowHead ends an upright or level line.
func arrowHead(c *draw.Canvas, from, to vg.Point) {
	const size = 4.5
	switch {
	case to.Y < from.Y:
		c.FillPolygon(ink, []vg.Point{to, {X: to.X - size*0.6, Y: to.Y + size}, {X: to.X + size*0.6, Y: to.Y + size}})
	case to.X > from.X:
		c.FillPolygon(ink, []vg.Point{to, {X: to.X - size, Y: to.Y - size*0.6}, {X: to.X - size, Y: to.Y + size*0.6}})
	}
}
