package formula

import (
	"fmt"
)

// Bounds of what Parse accepts, so that a formula from a stranger cannot cost
// more than it is worth.
const (
	maxLength = 1 << 16 // bytes of text
	maxDepth  = 200     // nested parentheses, calls and operators
	maxTerms  = 5000    // fixed terms after expansion
	maxOrder  = 64      // variables of a term

	maxProducts = 1 << 18 // terms multiplied on the way
)

type op uint8

const (
	opName     op = iota
	opConstant    // TRUE, FALSE, pi
	opNumber
	opString
	opCall
	opParen
	opUnary
	opBinary
)

// expr is a node of the parsed formula. Parentheses are kept, as R keeps them,
// so that the text printed back has the meaning of the text read.
type expr struct {
	op   op
	text string // name, string, function, operator
	num  float64
	args []*expr
	tags []string // of a call: names of its arguments, "" where positional
	pos  int
}

// Formula is a parsed model formula.
type Formula struct {
	text     string
	response *expr // nil for a one-sided formula
	right    *expr
}

// Parse reads a formula such as "y ~ a*b + (1 + x | g)". The error, an
// [*Error], has the position of the mistake and shows it with a caret. Names
// of columns are checked when the formula meets a frame (Design).
func Parse(text string) (*Formula, error) {
	if len(text) > maxLength {
		return nil, fmt.Errorf("a formula may have %d bytes, this one has %d", maxLength, len(text))
	}
	tokens, err := lex(text)
	if err != nil {
		return nil, err
	}
	p := &parser{text: text, tokens: tokens}
	f := &Formula{text: text}
	if p.peek().text != "~" || p.peek().kind != tokOp {
		if f.response, err = p.expression(0, 0); err != nil {
			return nil, err
		}
	}
	if t := p.peek(); t.kind != tokOp || t.text != "~" {
		return nil, p.errorf(t, "a formula is \"response ~ terms\": there is no \"~\"; %s", p.describe(t))
	}
	p.at++
	if f.right, err = p.expression(0, 0); err != nil {
		return nil, err
	}
	if t := p.peek(); t.kind != tokEnd {
		return nil, p.errorf(t, "%s after the end of the formula", p.describe(t))
	}
	// Expansion without a frame finds what is wrong with the terms early.
	if _, err := f.expand(nil); err != nil {
		return nil, err
	}
	return f, nil
}

// Text returns the formula as it was written.
func (f *Formula) Text() string { return f.text }

type parser struct {
	text   string
	tokens []token
	at     int
}

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) errorf(t token, format string, args ...any) error {
	return &Error{p.text, t.pos, fmt.Sprintf(format, args...)}
}

func (p *parser) describe(t token) string {
	switch t.kind {
	case tokEnd:
		return "the formula ends here"
	case tokName:
		return fmt.Sprintf("found the name %s", t.text)
	case tokNumber:
		return fmt.Sprintf("found the number %s", t.text)
	case tokString:
		return fmt.Sprintf("found the string %q", t.text)
	}
	return fmt.Sprintf("found %q", t.text)
}

// binding gives the strength of a binary operator (R's ?Syntax), 0 for what is
// none. "^" alone groups to the right.
func binding(op string) int {
	switch op {
	case "|", "||":
		return 1
	case "&", "&&":
		return 2
	case "<", ">", "<=", ">=", "==", "!=":
		return 4
	case "+", "-":
		return 5
	case "*", "/":
		return 6
	case "%in%", "%%":
		return 7
	case ":":
		return 8
	case "^":
		return 10
	}
	return 0
}

const (
	bindNot   = 3 // "!"
	bindUnary = 9 // unary minus: weaker than "^", stronger than ":"
)

// expression reads operators that bind stronger than least.
func (p *parser) expression(least, depth int) (*expr, error) {
	left, err := p.operand(depth)
	if err != nil {
		return nil, err
	}
	for chain := 0; ; chain++ {
		t := p.peek()
		b := 0
		if t.kind == tokOp {
			b = binding(t.text)
		}
		if b <= least {
			return left, nil
		}
		// A chain a + b + c... nests to the left: bound it as depth.
		if chain > maxTerms {
			return nil, p.errorf(t, "the formula has more than %d operators in a row", maxTerms)
		}
		p.at++
		next := b
		if t.text == "^" {
			next = b - 1
		}
		right, err := p.expression(next, depth+1)
		if err != nil {
			return nil, err
		}
		left = &expr{op: opBinary, text: t.text, args: []*expr{left, right}, pos: t.pos}
	}
}

func (p *parser) operand(depth int) (*expr, error) {
	t := p.peek()
	if depth > maxDepth {
		return nil, p.errorf(t, "the formula is nested more than %d deep", maxDepth)
	}
	p.at++
	switch t.kind {
	case tokNumber:
		return &expr{op: opNumber, num: t.num, pos: t.pos}, nil
	case tokString:
		return &expr{op: opString, text: t.text, pos: t.pos}, nil
	case tokName:
		if n := p.peek(); n.kind == tokOp && n.text == "(" && p.text[t.pos] != '`' {
			p.at++
			return p.call(t, depth)
		}
		if !t.back && constant(t.text) {
			return &expr{op: opConstant, text: t.text, pos: t.pos}, nil
		}
		return &expr{op: opName, text: t.text, pos: t.pos}, nil
	case tokOp:
		switch t.text {
		case "(":
			inner, err := p.expression(0, depth+1)
			if err != nil {
				return nil, err
			}
			if c := p.peek(); c.kind != tokOp || c.text != ")" {
				return nil, p.errorf(t, "this \"(\" is never closed: %s where \")\" or an operator was expected", p.describe(c))
			}
			p.at++
			return &expr{op: opParen, args: []*expr{inner}, pos: t.pos}, nil
		case "-", "+", "!":
			bind := bindUnary
			if t.text == "!" {
				bind = bindNot
			}
			inner, err := p.expression(bind-1, depth+1)
			if err != nil {
				return nil, err
			}
			return &expr{op: opUnary, text: t.text, args: []*expr{inner}, pos: t.pos}, nil
		}
	}
	p.at--
	return nil, p.errorf(t, "expected a column, a function or \"(\", %s", p.describe(t))
}

// call reads the arguments of a function; its "(" has been read.
func (p *parser) call(name token, depth int) (*expr, error) {
	e := &expr{op: opCall, text: name.text, pos: name.pos}
	if c := p.peek(); c.kind == tokOp && c.text == ")" {
		p.at++
		return e, nil
	}
	for {
		tag := ""
		if t, eq := p.peek(), p.tokens[min(p.at+1, len(p.tokens)-1)]; t.kind == tokName && eq.kind == tokOp && eq.text == "=" {
			tag = t.text
			p.at += 2
		}
		arg, err := p.expression(0, depth+1)
		if err != nil {
			return nil, err
		}
		e.args, e.tags = append(e.args, arg), append(e.tags, tag)
		t := p.peek()
		p.at++
		switch {
		case t.kind == tokOp && t.text == ",":
		case t.kind == tokOp && t.text == ")":
			return e, nil
		default:
			return nil, p.errorf(t, "the arguments of %s( end with \")\": %s", name.text, p.describe(t))
		}
	}
}
