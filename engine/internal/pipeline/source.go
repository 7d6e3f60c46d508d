package pipeline

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Source is a text that declarations come from.
type Source struct {
	Name string // what messages call it: a path as the user wrote it, or a flag such as --set vars.data=x
	Path string // absolute path; empty for a flag
	Text string
	Mark string // the byte order mark that stands before Text, or ""
	Flag bool   // a command line flag: its places are the flag itself

	lines []int // byte offset of each line's start
}

// NewSource makes a source of text. A byte order mark is left out, as the
// decoder does, so that its offsets and ours are the same.
func NewSource(name, path, text string) *Source {
	mark := markOf(text)
	text = text[len(mark):]
	s := &Source{Name: name, Path: path, Text: text, Mark: mark, lines: []int{0}}
	for i := 0; ; {
		n := strings.IndexByte(text[i:], '\n')
		if n < 0 {
			return s
		}
		i += n + 1
		s.lines = append(s.lines, i)
	}
}

// markOf returns the byte order mark that a text begins with, or "".
func markOf(text string) string {
	for _, mark := range []string{"\xff\xfe", "\xfe\xff", "\xef\xbb\xbf"} {
		if strings.HasPrefix(text, mark) {
			return mark
		}
	}
	return ""
}

// Pos is a place: a stretch of a source. The zero Pos is no place.
type Pos struct {
	Source *Source
	Start  int // byte offset
	End    int // byte offset after the stretch; Start when only a point is known
}

// IsValid tells whether p is a place.
func (p Pos) IsValid() bool { return p.Source != nil }

// LineCol returns the place's line and column, both from 1. Columns count
// characters (runes), as editors do.
func (p Pos) LineCol() (line, col int) {
	if p.Source == nil {
		return 0, 0
	}
	line = p.Source.line(p.Start)
	start := p.Source.lines[line]
	return line + 1, utf8.RuneCountInString(p.Source.Text[start:min(p.Start, len(p.Source.Text))]) + 1
}

// String returns file:line:col, or the flag.
func (p Pos) String() string {
	if p.Source == nil {
		return ""
	}
	if p.Source.Flag {
		return p.Source.Name
	}
	line, col := p.LineCol()
	return fmt.Sprintf("%s:%d:%d", p.Source.Name, line, col)
}

// line returns the index of the line that holds the byte offset.
func (s *Source) line(offset int) int {
	lo, hi := 0, len(s.lines)
	for hi-lo > 1 {
		mid := (lo + hi) / 2
		if s.lines[mid] <= offset {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo
}

// lineText returns the text of the line with that index, without its end.
func (s *Source) lineText(line int) string {
	end := len(s.Text)
	if line+1 < len(s.lines) {
		end = s.lines[line+1] - 1
	}
	return strings.TrimSuffix(s.Text[s.lines[line]:end], "\r")
}
