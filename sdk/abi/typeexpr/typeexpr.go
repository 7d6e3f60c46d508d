// Package typeexpr reads type expressions: how describe, SDKs and pipelines
// write what type a column has or may have.
//
//	expr  = term { "|" term }
//	term  = name | "list<" expr ">" | "large_list<" expr ">"
//	      | "fixed_size_list<" expr "," n ">" | "struct<" [ name ":" expr { "," name ":" expr } ] ">"
//	      | "dictionary<" expr "," expr ">" | "timestamp" [ "[" unit [ "," zone ] "]" ]
//
// A name is a primitive type's or a class's, which stands for several types:
// "integer" is any int or uint, "number" any integer or float, "string" utf8,
// large_utf8 or a dictionary of either, "any" everything. A timestamp without
// a unit is a class too.
package typeexpr

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// An Expr is what a type may be: one of its terms, of which there is at least
// one.
type Expr []Term

// A Term is one type or class.
type Term struct {
	Name   string   // as written: "int64", "list", "timestamp", "any"
	Elems  []Expr   // of lists: 1; of a dictionary: index and value; of a struct: by member
	Fields []string // a struct's members
	Size   int      // of a fixed_size_list, elements
	Unit   string   // of a timestamp: s, ms, us, ns, or "" for any
	Zone   string   // of a timestamp
}

// What an expression may be at most.
const (
	maxText  = 4096 // bytes
	maxDepth = 16
	maxSize  = 1 << 24 // elements of a fixed_size_list
)

// Primitives returns the names of the types without parts.
func Primitives() []string {
	return []string{"null", "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
		"float16", "float32", "float64", "utf8", "large_utf8", "binary", "large_binary", "date32", "date64"}
}

// IsClass says whether the term stands for several types by its name.
func (t Term) IsClass() bool {
	switch t.Name {
	case "integer", "number", "string", "any":
		return true
	}
	return t.Name == "timestamp" && t.Unit == ""
}

const names = "int8..int64, uint8..uint64, float32, float64, bool, utf8, large_utf8, binary, large_binary, date32, date64, null, " +
	"timestamp[s|ms|us|ns], list<T>, large_list<T>, fixed_size_list<T, n>, struct<name: T>, dictionary<index, value>, " +
	"or a class: integer, number, string, timestamp, any"

// Parse reads an expression. Its errors list what there is.
func Parse(s string) (Expr, error) {
	if len(s) > maxText {
		return nil, fmt.Errorf("a type expression of %d bytes; at most %d are allowed", len(s), maxText)
	}
	p := parser{rest: s}
	e, err := p.expr(0)
	if err == nil && p.skip() != "" {
		err = fmt.Errorf("%q is left over", p.rest)
	}
	if err != nil {
		return nil, fmt.Errorf("type %q: %w; a type is one of %s", s, err, names)
	}
	return e, nil
}

type parser struct{ rest string }

func (p *parser) skip() string {
	p.rest = strings.TrimLeft(p.rest, " \t\n")
	return p.rest
}

func (p *parser) eat(tok string) bool {
	if strings.HasPrefix(p.skip(), tok) {
		p.rest = p.rest[len(tok):]
		return true
	}
	return false
}

func (p *parser) need(tok string) error {
	if !p.eat(tok) {
		return fmt.Errorf("%q is missing before %q", tok, p.rest)
	}
	return nil
}

func (p *parser) until(stops string) string {
	p.skip()
	i := strings.IndexAny(p.rest, stops)
	if i < 0 {
		i = len(p.rest)
	}
	w := p.rest[:i]
	p.rest = p.rest[i:]
	return strings.TrimSpace(w)
}

func (p *parser) expr(depth int) (Expr, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("it is nested more than %d deep", maxDepth)
	}
	var e Expr
	for {
		t, err := p.term(depth)
		if err != nil {
			return nil, err
		}
		e = append(e, t)
		if !p.eat("|") {
			return e, nil
		}
	}
}

func (p *parser) term(depth int) (Term, error) {
	t := Term{Name: p.until("<>[]|,: ")}
	switch t.Name {
	case "integer", "number", "string", "any":
		return t, nil
	case "timestamp":
		return t, p.timestamp(&t)
	case "list", "large_list":
		return t, p.elems(&t, depth, 1)
	case "dictionary":
		return t, p.elems(&t, depth, 2)
	case "fixed_size_list":
		return t, p.fixedSize(&t, depth)
	case "struct":
		return t, p.structure(&t, depth)
	}
	if !slices.Contains(Primitives(), t.Name) {
		return t, fmt.Errorf("there is no type %q", t.Name)
	}
	return t, nil
}

func (p *parser) timestamp(t *Term) error {
	if !p.eat("[") {
		return nil
	}
	t.Unit = p.until(",]")
	switch t.Unit {
	case "s", "ms", "us", "ns":
	default:
		return fmt.Errorf("a timestamp's unit is s, ms, us or ns, not %q", t.Unit)
	}
	if p.eat(",") {
		t.Zone = p.until("]")
	}
	return p.need("]")
}

// elem reads an element's expression.
func (p *parser) elem(t *Term, depth int) error {
	e, err := p.expr(depth + 1)
	t.Elems = append(t.Elems, e)
	return err
}

func (p *parser) elems(t *Term, depth, n int) error {
	before := "<"
	for range n {
		if err := p.need(before); err != nil {
			return err
		}
		if err := p.elem(t, depth); err != nil {
			return err
		}
		before = ","
	}
	return p.need(">")
}

func (p *parser) fixedSize(t *Term, depth int) error {
	if err := p.need("<"); err != nil {
		return err
	}
	if err := p.elem(t, depth); err != nil {
		return err
	}
	if err := p.need(","); err != nil {
		return err
	}
	word := p.until(">")
	n, err := strconv.Atoi(word)
	if err != nil || n < 0 || n > maxSize {
		return fmt.Errorf("a fixed_size_list's length is a number from 0 to %d, not %q", maxSize, word)
	}
	t.Size = n
	return p.need(">")
}

func (p *parser) structure(t *Term, depth int) error {
	if err := p.need("<"); err != nil {
		return err
	}
	for !p.eat(">") {
		if len(t.Fields) > 0 {
			if err := p.need(","); err != nil {
				return err
			}
		}
		name := p.until(":<>,")
		if name == "" {
			return fmt.Errorf("a field's name is missing before %q", p.rest)
		}
		if err := p.need(":"); err != nil {
			return err
		}
		if err := p.elem(t, depth); err != nil {
			return err
		}
		t.Fields = append(t.Fields, name)
	}
	return nil
}
