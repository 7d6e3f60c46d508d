package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sort"
	"strings"

	"golang.org/x/text/width"
)

// Error is one problem at a place.
type Error struct {
	Place   Pos
	Message string // what is wrong, in the user's words
	Detail  string // lines to show as they are, as a text with a caret under a place in it; may be empty
	Hint    string // the next step: a near name, the valid choices; may be empty
	Also    []Note // other places that belong to it
	Private bool   // the line may hold a secret: it is not shown
}

// Note is a further place of an Error with what it has to do with it.
type Note struct {
	Place   Pos
	Message string
}

// Error returns the place, the message and the hint in one line.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Place.IsValid() {
		b.WriteString(e.place())
		b.WriteString(": ")
	}
	b.WriteString(e.Message)
	if e.Hint != "" {
		b.WriteString("; ")
		b.WriteString(e.Hint)
	}
	return b.String()
}

// place is the place's name, of which a secret flag shows only the key.
func (e *Error) place() string {
	if e.Private && e.Place.Source.Flag {
		name, _, _ := strings.Cut(e.Place.Source.Name, "=")
		return name
	}
	return e.Place.String()
}

// Errors are all problems of a pipeline, sorted by place.
type Errors []*Error

// Error returns the rendering without colour.
func (es Errors) Error() string {
	var b strings.Builder
	_ = es.Render(&b, false) // a Builder does not fail
	return strings.TrimSuffix(b.String(), "\n")
}

// Err returns es as an error, or nil if there are none.
func (es Errors) Err() error {
	if len(es) == 0 {
		return nil
	}
	return es
}

// Join puts the problems of several errors into one, sorted by place. An
// error that is not of this package becomes a problem without a place. It
// returns nil if all are nil.
func Join(errs ...error) error {
	var all Errors
	seen := map[*Error]bool{}
	for _, err := range errs {
		if err == nil {
			continue
		}
		var list Errors
		var one *Error
		switch {
		case errors.As(err, &list):
		case errors.As(err, &one):
			list = Errors{one}
		default:
			list = Errors{{Message: err.Error()}}
		}
		for _, e := range list {
			if !seen[e] {
				seen[e] = true
				all = append(all, e)
			}
		}
	}
	all.Sort(nil)
	return all.Err()
}

// Sort orders by source, those given first and in their order, then those met
// later, and by place within a source. What has no place comes first.
func (es Errors) Sort(sources []*Source) {
	rank := map[*Source]int{nil: -1}
	for _, s := range sources {
		rank[s] = len(rank)
	}
	for _, e := range es {
		if _, ok := rank[e.Place.Source]; !ok {
			rank[e.Place.Source] = len(rank)
		}
	}
	sort.SliceStable(es, func(i, j int) bool {
		a, b := es[i].Place, es[j].Place
		if ra, rb := rank[a.Source], rank[b.Source]; ra != rb {
			return ra < rb
		}
		return a.Start < b.Start
	})
}

// MarshalJSON gives each problem as an object with file, line, column,
// message, hint and the source line.
func (e *Error) MarshalJSON() ([]byte, error) {
	type note struct {
		File    string `json:"file,omitempty"`
		Line    int    `json:"line,omitempty"`
		Column  int    `json:"column,omitempty"`
		Message string `json:"message"`
		Detail  string `json:"detail,omitempty"`
		Hint    string `json:"hint,omitempty"`
		Source  string `json:"source,omitempty"`
		Also    []note `json:"also,omitempty"`
	}
	at := func(p Pos, message string) note {
		n := note{Message: message}
		if p.IsValid() {
			n.File = p.Source.Name
			if e.Private {
				n.File, _, _ = strings.Cut(n.File, "=")
			}
			n.Line, n.Column = p.LineCol()
			if !e.Private {
				n.Source = p.Source.lineText(n.Line - 1)
			}
		}
		return n
	}
	n := at(e.Place, e.Message)
	n.Detail, n.Hint = e.Detail, e.Hint
	for _, a := range e.Also {
		n.Also = append(n.Also, at(a.Place, a.Message))
	}
	return json.Marshal(n)
}

// Render writes each problem with its source line, a caret and its hint.
func (es Errors) Render(w io.Writer, colour bool) error {
	for i, e := range es {
		var b strings.Builder
		if i > 0 {
			b.WriteByte('\n')
		}
		e.render(&b, colour)
		if _, err := io.WriteString(w, b.String()); err != nil {
			return err
		}
	}
	return nil
}

// SGR sequences (ECMA-48): bold, red, cyan, reset.
const (
	bold  = "\x1b[1m"
	red   = "\x1b[1;31m"
	cyan  = "\x1b[36m"
	reset = "\x1b[0m"
)

func (e *Error) render(b *strings.Builder, colour bool) {
	paint := func(code, text string) string {
		if !colour || text == "" {
			return text
		}
		return code + text + reset
	}
	if e.Place.IsValid() {
		b.WriteString(paint(bold, e.place()+":") + " ")
	}
	b.WriteString(paint(red, printable(e.Message)) + "\n")
	if !e.Private {
		snippet(b, e.Place, paint)
	}
	if e.Detail != "" && !e.Private {
		for _, line := range strings.Split(e.Detail, "\n") {
			b.WriteString("  " + printable(line) + "\n")
		}
	}
	if e.Hint != "" {
		b.WriteString("  " + paint(cyan, printable(e.Hint)) + "\n")
	}
	for _, n := range e.Also {
		b.WriteString("  " + n.Place.String() + ": " + printable(n.Message) + "\n")
	}
}

// snippet writes the place's line with carets under the stretch.
func snippet(b *strings.Builder, p Pos, paint func(code, text string) string) {
	if !p.IsValid() {
		return
	}
	line, _ := p.LineCol()
	text := p.Source.lineText(line - 1)
	from := min(max(p.Start-p.Source.lines[line-1], 0), len(text))
	to := min(max(p.End-p.Source.lines[line-1], from), len(text))
	const most = 160 // longer lines are cut around the caret
	if len(text) > most {
		cut := max(0, from-most/2)
		for cut > 0 && cut < len(text) && text[cut]&0xC0 == 0x80 {
			cut--
		}
		end := min(len(text), cut+most)
		for end < len(text) && text[end]&0xC0 == 0x80 {
			end++
		}
		text, from, to = text[cut:end], from-cut, min(to, end)-cut
	}
	gutter := fmt.Sprintf("%5d | ", line)
	if p.Source.Flag {
		gutter = "      | "
	}
	b.WriteString(gutter + printable(text) + "\n")
	b.WriteString("      | " + pad(text[:from]) + paint(red, strings.Repeat("^", max(1, columns(text[from:to])))) + "\n")
}

// pad returns blanks as wide as text on a terminal; tabs stay tabs.
func pad(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r == '\t' {
			b.WriteByte('\t')
		} else {
			b.WriteString(strings.Repeat(" ", columns(string(r))))
		}
	}
	return b.String()
}

// columns returns the width of text in terminal cells.
func columns(text string) int {
	n := 0
	for _, r := range text {
		switch width.LookupRune(r).Kind() {
		case width.EastAsianWide, width.EastAsianFullwidth:
			n += 2
		default:
			n++
		}
	}
	return n
}

// printable replaces control characters: a file must not steer the terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '\uFFFD'
		}
		return r
	}, text)
}
