package main

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"regexp"
	"strconv"
	"strings"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// drawing is a picture before it has a format: one panel or several of one
// size, row by row, under one line of keys. Keys never lie over a panel.
type drawing struct {
	name      string // of its files
	section   string // id of the page's section that shows it
	title     string
	caption   string
	folded    bool // the page shows it on demand
	simulated bool // says so in the picture
	panels    []panel
	keys      []key
	columns   int // of panels
	width     vg.Length
	height    vg.Length // of a row of panels
}

// panel is one plot of a drawing, or what paints itself.
type panel struct {
	title string
	plot  *plot.Plot
	paint func(draw.Canvas) // in place of plot
}

// key says what a mark or a line means.
type key struct {
	name string
	mark plot.Thumbnailer
}

// figure is a drawn picture. narrow is the same with its panels one below the
// other, for small screens; nil where it would be no different.
type figure struct {
	drawing
	svg, png, narrow []byte
}

// Sizes of pictures: the page shows two halves or one whole in its width.
const (
	halfWidth   = 5.9 * vg.Inch
	wholeWidth  = 12.1 * vg.Inch
	paperWidth  = 10.2 * vg.Inch // its letters are still 7 points high on A4
	panelHeight = 4.0 * vg.Inch
	keyHeight   = 17 * vg.Length(1)
	stampHeight = 18 * vg.Length(1)
	keyMark     = 24 * vg.Length(1)
)

// palette is Okabe and Ito's, which colour-blind readers tell apart
// (https://jfly.uni-koeln.de/color/), without its yellow, too pale on white.
var palette = []color.NRGBA{
	{0x00, 0x72, 0xB2, 0xff}, // blue
	{0xD5, 0x5E, 0x00, 0xff}, // vermilion
	{0x00, 0x9E, 0x73, 0xff}, // green
	{0xCC, 0x79, 0xA7, 0xff}, // purple
	{0xE6, 0x9F, 0x00, 0xff}, // orange
	{0x56, 0xB4, 0xE9, 0xff}, // sky
	{0x1A, 0x1A, 0x1A, 0xff}, // black
}

var (
	ink  = color.NRGBA{0x1a, 0x1a, 0x1a, 0xff}
	pale = color.NRGBA{0xe2, 0xe2, 0xe2, 0xff}
	grey = color.NRGBA{0x8a, 0x8a, 0x8a, 0xff}
	soft = color.NRGBA{0x55, 0x55, 0x55, 0xff}
	wash = color.NRGBA{0xf6, 0xf6, 0xf4, 0xff}
	veil = color.NRGBA{0xff, 0xff, 0xff, 0xd0}
)

// dashes tell lines apart where colours come round again, and in print.
var dashes = [][]vg.Length{nil, {vg.Points(5), vg.Points(2)}, {vg.Points(1.5), vg.Points(2)}, {vg.Points(7), vg.Points(2), vg.Points(1.5), vg.Points(2)}}

// line is a look: the colour tells one thing, the dash another.
func line(colour, dash int) draw.LineStyle {
	return draw.LineStyle{Color: palette[colour%len(palette)], Width: vg.Points(1.8), Dashes: dashes[dash%len(dashes)]}
}

const boldWeight = xfont.WeightBold

func sans(size float64) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Points(size)}
}

// words is a text style of pictures.
func words(size float64) draw.TextStyle {
	return draw.TextStyle{Color: ink, Font: sans(size), Handler: plot.DefaultTextHandler}
}

// newPlot is an empty plot in the report's look.
func newPlot(x, y string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = color.White
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Color, axis.Label.TextStyle.Color, axis.Tick.Label.Color = ink, ink, ink
		axis.Label.TextStyle.Font, axis.Tick.Label.Font = sans(11), sans(10)
		axis.Tick.Color, axis.Padding = ink, vg.Points(4)
		axis.LineStyle.Width = vg.Points(0.6)
		axis.Tick.LineStyle.Width = vg.Points(0.6)
		axis.Tick.Marker = niceTicks{}
	}
	p.X.Label.Text, p.Y.Label.Text = x, y
	p.X.Label.Padding, p.Y.Label.Padding = vg.Points(3), vg.Points(4)
	p.Title.TextStyle.Font, p.Title.TextStyle.Color = sans(11.5), ink
	p.Title.Padding = vg.Points(4)
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = pale, pale
	p.Add(grid)
	return p
}

// render draws the picture as SVG, and as PNG where that is wanted.
func (d drawing) render(wantPNG bool) (figure, error) {
	f := figure{drawing: d}
	for _, p := range d.panels {
		if p.plot != nil {
			p.plot.Title.Text = p.title
		}
	}
	var err error
	if f.svg, err = d.svg(); err != nil {
		return f, err
	}
	if d.columns > 1 {
		n := d
		n.columns, n.width = 1, halfWidth
		n.height = 3.4 * vg.Inch
		if f.narrow, err = n.svg(); err != nil {
			return f, err
		}
	}
	if !wantPNG {
		return f, nil
	}
	img := vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(d.width, d.total()), vgimg.UseDPI(192), vgimg.UseBackgroundColor(color.White))}
	d.draw(draw.New(img))
	var b bytes.Buffer
	if _, err := img.WriteTo(&b); err != nil {
		return f, fmt.Errorf("png: %w", err)
	}
	f.png = b.Bytes()
	return f, nil
}

func (d drawing) svg() ([]byte, error) {
	canvas := vgsvg.New(d.width, d.total())
	d.draw(draw.New(canvas))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("svg: %w", err)
	}
	// Liberation Sans is as wide as Arial and Helvetica, letter by letter: where
	// it is not installed these take its place.
	return bytes.ReplaceAll(b.Bytes(), []byte("font-family:Liberation Sans;"), []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;")), nil
}

// rows is the number of rows of panels.
func (d drawing) rows() int { return (len(d.panels) + d.columns - 1) / d.columns }

func (d drawing) total() vg.Length {
	h := d.height*vg.Length(d.rows()) + keyHeight*vg.Length(len(d.keyLines()))
	if d.simulated {
		h += stampHeight
	}
	return h
}

// keyLines breaks the keys into lines that fit the width.
func (d drawing) keyLines() [][]key {
	var lines [][]key
	used := d.width
	for _, k := range d.keys {
		if used+keyWidth(k) > d.width {
			lines, used = append(lines, nil), vg.Points(8)
		}
		lines[len(lines)-1] = append(lines[len(lines)-1], k)
		used += keyWidth(k)
	}
	return lines
}

func keyWidth(k key) vg.Length {
	return keyMark + vg.Points(6) + words(10).Width(k.name) + vg.Points(18)
}

func (d drawing) draw(c draw.Canvas) {
	c.SetColor(color.White)
	c.Fill(c.Rectangle.Path())
	y := c.Max.Y
	if d.simulated {
		style := words(10.5)
		style.Font.Weight, style.Color, style.YAlign = boldWeight, palette[1], draw.YCenter
		c.FillText(style, vg.Point{X: c.Min.X + vg.Points(8), Y: y - stampHeight/2}, simulatedWords)
		y -= stampHeight
	}
	for _, keys := range d.keyLines() {
		x := c.Min.X + vg.Points(8)
		for _, k := range keys {
			at := draw.Canvas{Canvas: c.Canvas, Rectangle: vg.Rectangle{Min: vg.Point{X: x, Y: y - 14}, Max: vg.Point{X: x + keyMark, Y: y - 4}}}
			k.mark.Thumbnail(&at)
			style := words(10)
			style.YAlign = draw.YCenter
			c.FillText(style, vg.Point{X: x + keyMark + vg.Points(6), Y: y - 9}, k.name)
			x += keyWidth(k)
		}
		y -= keyHeight
	}
	width := d.width / vg.Length(d.columns)
	for i, p := range d.panels {
		left, top := c.Min.X+width*vg.Length(i%d.columns), y-d.height*vg.Length(i/d.columns)
		at := inner(draw.Canvas{Canvas: c.Canvas, Rectangle: vg.Rectangle{
			Min: vg.Point{X: left, Y: top - d.height}, Max: vg.Point{X: left + width, Y: top}}})
		if p.paint != nil {
			p.paint(at)
			continue
		}
		p.plot.Draw(at)
	}
}

// simulatedWords stand in every picture of simulated data and on the page.
const simulatedWords = "Simulated data: not the result of a study"

// inner leaves a margin: labels of ticks at the ends reach over the axes.
func inner(c draw.Canvas) draw.Canvas {
	return draw.Crop(c, vg.Points(4), -vg.Points(14), vg.Points(4), -vg.Points(8))
}

// niceTicks marks multiples of 1, 2 or 5 times a power of ten: four to eight
// of them. Whole marks no fractions.
type niceTicks struct{ whole bool }

// Ticks returns the marks from low to high.
func (n niceTicks) Ticks(low, high float64) []plot.Tick {
	if !(high > low) {
		return []plot.Tick{{Value: low, Label: short(low)}}
	}
	step := math.Pow(10, math.Floor(math.Log10((high-low)/4)))
	for _, m := range []float64{5, 2} {
		if (high-low)/(step*m) >= 4 {
			step *= m
			break
		}
	}
	if n.whole {
		step = max(1, step)
	}
	var ticks []plot.Tick
	for k := math.Ceil(low/step - 1e-9); k*step <= high+step*1e-9; k++ {
		v := k * step
		digits := max(0, int(-math.Floor(math.Log10(step)+1e-9)))
		ticks = append(ticks, plot.Tick{Value: v, Label: minus(strconv.FormatFloat(v+0, 'f', digits, 64))})
	}
	return ticks
}

func pad(a *plot.Axis, share float64) {
	d := (a.Max - a.Min) * share
	a.Min, a.Max = a.Min-d, a.Max+d
}

var notSlug = regexp.MustCompile(`[^a-z0-9]+`)

// slug makes a name fit for a file.
func slug(s string) string {
	s = strings.Trim(notSlug.ReplaceAllString(strings.ToLower(s), "-"), "-")
	if len(s) > 40 {
		s = s[:40]
	}
	return s
}

// label bounds a stranger's text in a picture to one short line.
func label(s string) string { return clip(s, 48) }

// clip makes a stranger's text one line of at most n runes.
func clip(s string, n int) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
