package formula

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Error is a mistake at a place in a formula's text.
type Error struct {
	Text string // the formula
	Pos  int    // byte offset of the mistake
	Msg  string // what is wrong and what would be right
}

// Error gives the message with the formula and a caret under the place.
func (e *Error) Error() string {
	pos := min(max(e.Pos, 0), len(e.Text))
	start := strings.LastIndexByte(e.Text[:pos], '\n') + 1
	line := e.Text[start:]
	if end := strings.IndexByte(line, '\n'); end >= 0 {
		line = line[:end]
	}
	col := utf8.RuneCountInString(e.Text[start:pos])
	row := strings.Count(e.Text[:start], "\n") + 1
	const wide = 160
	if r := []rune(line); len(r) > wide {
		from := max(0, col-wide/2)
		line = string(r[from:min(len(r), from+wide)])
		return fmt.Sprintf("formula:%d:%d: %s\n  %s\n  %s^", row, col+1, e.Msg, line, strings.Repeat(" ", col-from))
	}
	return fmt.Sprintf("formula:%d:%d: %s\n  %s\n  %s^", row, col+1, e.Msg, line, strings.Repeat(" ", col))
}
