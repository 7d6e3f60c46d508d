package formula

import (
	"strings"
	"unicode"

	"github.com/seed-4012077a/flow/sdk/stats/frame"
)

// String prints the formula as R's deparse would: "y ~ a + b:c + (1 | g)".
// Parsed again it is the same formula.
func (f *Formula) String() string {
	left := ""
	if f.response != nil {
		left = f.response.String() + " "
	}
	return left + "~ " + f.right.String()
}

// String prints an expression as R's deparse would. Columns of a design are
// named by it.
func (e *expr) String() string {
	var b strings.Builder
	e.print(&b)
	return b.String()
}

func (e *expr) print(b *strings.Builder) {
	switch e.op {
	case opName:
		b.WriteString(quoteName(e.text))
	case opConstant:
		b.WriteString(e.text)
	case opNumber:
		b.WriteString(frame.Format(e.num))
	case opString:
		b.WriteByte('"')
		b.WriteString(strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(e.text))
		b.WriteByte('"')
	case opParen:
		b.WriteByte('(')
		e.args[0].print(b)
		b.WriteByte(')')
	case opUnary:
		b.WriteString(e.text)
		e.args[0].print(b)
	case opBinary:
		e.args[0].print(b)
		switch e.text {
		case "^", ":", "/", "%%":
			b.WriteString(e.text)
		default:
			b.WriteString(" " + e.text + " ")
		}
		e.args[1].print(b)
	case opCall:
		b.WriteString(e.text + "(")
		for i, a := range e.args {
			if i > 0 {
				b.WriteString(", ")
			}
			if e.tags[i] != "" {
				b.WriteString(quoteName(e.tags[i]) + " = ")
			}
			a.print(b)
		}
		b.WriteByte(')')
	}
}

// quoteName sets a name in backquotes where R would.
func quoteName(s string) string {
	plain := s != ""
	for i, r := range s {
		if !nameStart(r) && (i == 0 || !unicode.IsDigit(r)) || i == 0 && r == '_' {
			plain = false
		}
	}
	if len(s) > 1 && s[0] == '.' && s[1] >= '0' && s[1] <= '9' {
		plain = false
	}
	if plain && !constant(s) || s == "." {
		return s
	}
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(s) + "`"
}
