package main

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"slices"
)

//go:embed page.html
var pageSource string

// view is what the page's template sees.
type view struct {
	Title, Description string
	Simulated          string // says so, or ""
	Winner             *fact
	Glance             []glanceMetric
	Level              string // of their intervals: "95% ", or ""
	Reading            []string
	Sections           []section
	Replies            *replyView
	Method             []string
	Provenance         []fact
	Folds              bool     // something is shown on demand
	Files              []string // which lie beside the page
}

type fact struct{ Name, Value, Note string }

// glanceMetric is one metric's few large numbers.
type glanceMetric struct {
	Name, Outcome string
	Doses         []glanceDose
}

type glanceDose struct{ Lambda, Mean, Interval string }

// section is a part of the page: its pictures and tables, and those that are
// shown on demand.
type section struct {
	ID, Title       string
	Figures, Folded []figureView
	Tables          []exhibitView
}

// Open says whether the section shows anything that is not on demand.
func (s section) Open() bool {
	return len(s.Figures) > 0 || slices.ContainsFunc(s.Tables, func(e exhibitView) bool { return !e.Folded })
}

type exhibitView struct {
	Title  string // "" where the section's says it
	Folded bool
	*tableView
}

// sections are the page's parts, in order.
func sections() []section {
	return []section{{ID: "summary", Title: "Summary"}, {ID: "flow", Title: "Flow of participants"}, {ID: "dose", Title: "Dose-response"}, {ID: "candidates", Title: "Selection"}, {ID: "losses", Title: "Training"},
		{ID: "means", Title: "Dose-response by outcome"}, {ID: "trajectories", Title: "Trajectories"}, {ID: "effects", Title: "Contrasts"}, {ID: "associations", Title: "Associations"},
		{ID: "profiles", Title: "Profiles of liking and wanting"}, {ID: "panel", Title: "Models by release date"}, {ID: "power", Title: "Power by simulation"}, {ID: "tests", Title: "Tests"}, {ID: "tables", Title: "Further results"}, {ID: "models", Title: "Models behind the results"}}
}

type figureView struct {
	Title, Caption, File string
	Whole                bool   // has a row of the page for itself
	Scrolls              bool   // a small screen shows a part of it at a time
	Width                string // at most, in px
	Picture              template.HTML
}

func renderPage(p params, frames map[string]*frame, figures []figure, shown []exhibit, undrawn []undrawable) ([]byte, error) {
	page, err := template.New("page").Parse(pageSource)
	if err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	v := view{Title: p.Title, Description: p.Description, Winner: winner(p, frames["candidates"]), Glance: glance(p, frames["dose"]), Level: levelWords(frames["dose"]),
		Reading: reading(p, frames), Replies: repliesOf(p, frames["replies"]), Method: method(p, frames), Provenance: provenance(p, frames), Files: filesBeside(p)}
	for _, u := range undrawn {
		v.Reading = append(v.Reading, "Not drawn: "+u.Error()+".")
	}
	if p.Simulated {
		v.Simulated = simulatedWords
	}
	for _, s := range sections() {
		for _, f := range figures {
			if f.section != s.ID {
				continue
			}
			seen := figureView{Title: f.title, Caption: f.caption, Whole: f.width > halfWidth, Scrolls: f.width > halfWidth && f.narrow == nil, Width: fmt.Sprintf("%.0f", f.width.Points()*96/72), Picture: inline(f)}
			switch {
			case p.wants("svg"):
				seen.File = "figures/" + f.name + ".svg"
			case p.wants("png"):
				seen.File = "figures/" + f.name + ".png"
			}
			v.Folds = v.Folds || f.folded
			if f.folded {
				s.Folded = append(s.Folded, seen)
			} else {
				s.Figures = append(s.Figures, seen)
			}
		}
		for _, e := range shown {
			if e.section == s.ID {
				v.Folds = v.Folds || e.folded
				s.Tables = append(s.Tables, exhibitView{e.title, e.folded, e.view})
			}
		}
		if len(s.Tables) == 1 && !s.Tables[0].Folded && len(s.Figures)+len(s.Folded) == 0 {
			s.Tables[0].Title = "" // the heading says it
		}
		if len(s.Figures)+len(s.Folded)+len(s.Tables) > 0 {
			v.Sections = append(v.Sections, s)
		}
	}
	var b bytes.Buffer
	if err := page.Execute(&b, v); err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	return b.Bytes(), nil
}

// filesBeside says what is written beside the page.
func filesBeside(p params) []string {
	var all []string
	for _, f := range []struct{ format, words string }{{"json", "all numbers in results.json"}, {"svg", "the pictures in figures/ as SVG"}, {"png", "the pictures in figures/ as PNG"},
		{"csv", "the tables in tables/ as CSV"}, {"tex", "the tables in tables/ for LaTeX"}} {
		if p.wants(f.format) {
			all = append(all, f.words)
		}
	}
	return all
}

// inline puts a picture into the page as an image of its own: nothing that is
// in it, names of metrics say, can act on the page, and no id clashes. A small
// screen gets the narrow form.
func inline(f figure) template.HTML {
	source := func(svg []byte) string { return "data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString(svg) }
	img := fmt.Sprintf(`<img alt="%s" width="%.0f" src="%s">`, template.HTMLEscapeString(f.title), f.width.Points()*96/72, source(f.svg))
	if f.narrow != nil {
		img = fmt.Sprintf(`<picture><source media="screen and (max-width: 760px)" srcset="%s">%s</picture>`, source(f.narrow), img)
	}
	return template.HTML(img)
}

// winner is the chosen candidate, or nil.
func winner(p params, f *frame) *fact {
	if f == nil {
		return nil
	}
	if _, missing := p.lacks(f.names); missing != "" {
		return nil
	}
	for i := range f.rows() {
		if !truth(f.column("winner"), i) {
			continue
		}
		q, e := f.column(p.Quality), f.column(p.Effect)
		w := &fact{"Winner", "layer " + text(f.column("layer")[i]) + ", epoch " + text(f.column("epoch")[i]),
			fmt.Sprintf("%s %s; %s %s", human(p.Quality), rounded(q[i]), human(p.Effect), rounded(e[i]))}
		if rows := f.rows(); rows > 1 {
			w.Note += fmt.Sprintf("; of %d candidates", rows)
		}
		return w
	}
	return nil
}

func rounded(v any) string {
	if x, ok := v.(float64); ok {
		return short(round(x))
	}
	return text(v)
}

// glance is each metric's mean at lambda -1, 0 and 1, or where two of these
// were not run, at the least lambda, 0 and the greatest.
func glance(p params, f *frame) []glanceMetric {
	if f.rows() == 0 {
		return nil
	}
	var all []glanceMetric
	for _, c := range doseCurves(p, f) {
		var doses []dosePoint
		for _, d := range c.points {
			if slices.Contains([]float64{-1, 0, 1}, d.lambda) {
				doses = append(doses, d)
			}
		}
		if len(doses) < 2 {
			doses = nil
			for i, d := range c.points {
				if d.lambda == 0 || i == 0 || i == len(c.points)-1 {
					doses = append(doses, d)
				}
			}
		}
		m := glanceMetric{Name: human(c.metric), Outcome: c.outcome(p)}
		for _, d := range doses {
			digits := min(2, decimals(max(d.mean, -d.mean)))
			g := glanceDose{Lambda: signed(d.lambda), Mean: fixed(d.mean, digits)}
			if d.interval {
				g.Interval = fixed(d.low, digits) + " to " + fixed(d.high, digits)
			}
			m.Doses = append(m.Doses, g)
		}
		all = append(all, m)
	}
	return all
}
