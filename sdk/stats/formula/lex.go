package formula

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokEnd tokenKind = iota
	tokName
	tokNumber
	tokString
	tokOp // an operator, a parenthesis, a comma, "="
)

type token struct {
	kind tokenKind
	text string  // the name without backquotes, the string's value, the operator
	num  float64 // of tokNumber
	pos  int
	back bool // a name in backquotes: a column, whatever R calls so
}

// operators, longest first.
var operators = []string{"||", "&&", "<=", ">=", "==", "!=", "%%", "~", "+", "-", "*", "/", "^", ":", "|", "&", "<", ">", "!", "(", ")", ",", "="}

// lex cuts a formula into tokens; the last is tokEnd.
func lex(text string) ([]token, error) {
	var out []token
	for pos := 0; ; {
		for pos < len(text) && strings.IndexByte(" \t\r\n", text[pos]) >= 0 {
			pos++
		}
		if pos == len(text) {
			return append(out, token{kind: tokEnd, pos: pos}), nil
		}
		t, n, err := next(text, pos)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
		pos += n
	}
}

// next reads the token at pos and says how many bytes it takes.
func next(text string, pos int) (token, int, error) {
	rest := text[pos:]
	r, _ := utf8.DecodeRuneInString(rest)
	switch {
	case r == '`':
		return quoted(text, pos, '`', tokName)
	case r == '"' || r == '\'':
		return quoted(text, pos, byte(r), tokString)
	case r >= '0' && r <= '9' || r == '.' && len(rest) > 1 && rest[1] >= '0' && rest[1] <= '9':
		return number(text, pos)
	case nameStart(r):
		n := 0
		for n < len(rest) {
			c, w := utf8.DecodeRuneInString(rest[n:])
			if !nameStart(c) && !unicode.IsDigit(c) {
				break
			}
			n += w
		}
		return token{kind: tokName, text: rest[:n], pos: pos}, n, nil
	case strings.HasPrefix(rest, "%in%"):
		return token{kind: tokOp, text: "%in%", pos: pos}, 4, nil
	case r == utf8.RuneError:
		return token{}, 0, &Error{text, pos, "this is not text in UTF-8"}
	}
	for _, op := range operators {
		if strings.HasPrefix(rest, op) {
			return token{kind: tokOp, text: op, pos: pos}, len(op), nil
		}
	}
	return token{}, 0, &Error{text, pos, fmt.Sprintf("%q has no meaning in a formula; a name with such characters stands in backquotes", string(r))}
}

func nameStart(r rune) bool {
	return r == '.' || r == '_' || r != utf8.RuneError && unicode.IsLetter(r)
}

// quoted reads a name in backquotes or a string, with backslash escapes of the
// quote and the backslash.
func quoted(text string, pos int, quote byte, kind tokenKind) (token, int, error) {
	var b strings.Builder
	for i := pos + 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == quote:
			if b.Len() == 0 && kind == tokName {
				return token{}, 0, &Error{text, pos, "this name is empty"}
			}
			if !utf8.ValidString(b.String()) {
				return token{}, 0, &Error{text, pos, "this is not text in UTF-8"}
			}
			return token{kind: kind, text: b.String(), pos: pos, back: kind == tokName}, i + 1 - pos, nil
		case c == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		default:
			b.WriteByte(c)
		}
	}
	return token{}, 0, &Error{text, pos, fmt.Sprintf("this %c is never closed", quote)}
}

func number(text string, pos int) (token, int, error) {
	i := pos
	digits := func() {
		for i < len(text) && text[i] >= '0' && text[i] <= '9' {
			i++
		}
	}
	digits()
	if i < len(text) && text[i] == '.' {
		i++
		digits()
	}
	if i < len(text) && (text[i] == 'e' || text[i] == 'E') {
		mark := i
		i++
		if i < len(text) && (text[i] == '+' || text[i] == '-') {
			i++
		}
		from := i
		digits()
		if i == from {
			i = mark
		}
	}
	v, err := strconv.ParseFloat(text[pos:i], 64)
	if err != nil {
		return token{}, 0, &Error{text, pos, fmt.Sprintf("%q is not a number", text[pos:i])}
	}
	n := i - pos
	if i < len(text) && text[i] == 'L' { // R's integer suffix
		n++
	}
	return token{kind: tokNumber, num: v, text: text[pos:i], pos: pos}, n, nil
}
