package pipeline

import (
	"slices"
	"strings"
)

// Template is a string that waits for a matrix cell: literal text and
// ${matrix.axis} by turns.
type Template struct {
	Parts []TemplatePart
}

// TemplatePart is literal text, or the value of an axis.
type TemplatePart struct {
	Text string
	Axis string // not empty: the axis
}

// Expand puts the cell's values in. A template that is one ${matrix.axis} and
// nothing more keeps the value's type. The axes are known to exist: Load
// checks them.
func (t *Template) Expand(cell func(axis string) any) any {
	if len(t.Parts) == 1 && t.Parts[0].Axis != "" {
		return cell(t.Parts[0].Axis)
	}
	var b strings.Builder
	for _, p := range t.Parts {
		if p.Axis != "" {
			b.WriteString(FormatScalar(cell(p.Axis)))
		} else {
			b.WriteString(p.Text)
		}
	}
	return b.String()
}

// expansion is how far a string with ${...} is.
type expansion uint8

const (
	untouched expansion = iota
	expanding           // on the way: met again, it refers to itself
	expanded
	spoilt // there was a problem, which is reported already
)

// Interpolation can make much out of little: these bound it.
const (
	maxVisits   = 4_000_000
	maxExpanded = 1 << 20 // bytes of one string
)

// expander puts values in the place of ${vars.x} and ${models.x.y}.
type expander struct {
	*loader
	root  *Table
	state map[*Value]expansion
	trail []string // the references on the way, for the message about a circle

	// axes are those of the node whose values are being expanded; nil
	// elsewhere.
	axes   []string
	inNode bool
	failed bool // set by any problem; the caller resets it
	visits int
}

// all expands vars, models and rubrics. Nodes are expanded one by one, with
// their own axes.
func (x *expander) all() {
	for _, name := range []string{"vars", "models", "rubrics"} {
		if v := x.root.Get(name); v != nil {
			x.value(v)
		}
	}
}

// node expands what a node may interpolate, and tells whether all went well.
func (x *expander) node(axes []string, values ...*Value) bool {
	x.inNode, x.axes, x.failed = true, axes, false
	for _, v := range values {
		if v != nil {
			x.value(v)
		}
	}
	ok := !x.failed
	x.inNode, x.axes, x.failed = false, nil, false
	return ok
}

func (x *expander) value(v *Value) {
	if x.visits++; x.visits > maxVisits {
		if x.visits == maxVisits+1 {
			x.fail(v, "", "${...} makes more than 4,000,000 values out of this pipeline")
		}
		x.failed = true
		return
	}
	switch d := v.V.(type) {
	case string:
		if strings.Contains(d, "${") {
			x.text(v, d)
		}
	case *Table:
		for i := range d.Entries {
			x.value(d.Entries[i].Value)
		}
	case []*Value:
		for _, item := range d {
			x.value(item)
		}
	}
}

func (x *expander) text(v *Value, text string) {
	switch x.state[v] {
	case expanded:
		return
	case spoilt:
		x.failed = true
		return
	case expanding:
		x.fail(v, "", "refers to itself: "+circle(x.trail))
		return
	}
	x.state[v] = expanding
	before := x.failed
	x.failed = false
	defer func() {
		x.state[v] = expanded
		if x.failed {
			x.state[v] = spoilt
		}
		x.failed = x.failed || before
	}()
	x.fill(v, text)
}

// fill puts the values that a string refers to in their places. A string that
// is one reference becomes the value itself; one that names an axis becomes a
// Template.
func (x *expander) fill(v *Value, text string) {
	var parts []TemplatePart
	literal := func(s string) {
		if s == "" {
			return
		}
		if n := len(parts); n > 0 && parts[n-1].Axis == "" {
			parts[n-1].Text += s
			return
		}
		parts = append(parts, TemplatePart{Text: s})
	}
	for rest := text; rest != ""; {
		i := strings.Index(rest, "${")
		if i < 0 {
			literal(rest)
			break
		}
		if i > 0 && rest[i-1] == '$' { // $${ is a literal ${
			literal(rest[:i-1] + "${")
			rest = rest[i+2:]
			continue
		}
		literal(rest[:i])
		end := strings.IndexByte(rest[i:], '}')
		if end < 0 {
			x.fail(v, rest[i:], `"${" without "}"`).Hint = `write "$${" for a literal "${"`
			return
		}
		whole := rest[i : i+end+1]
		rest = rest[i+end+1:]
		ref := strings.TrimSpace(whole[2 : len(whole)-1])
		if axis, ok := strings.CutPrefix(ref, "matrix."); ok {
			if !x.axis(v, whole, axis) {
				return
			}
			parts = append(parts, TemplatePart{Axis: axis})
			continue
		}
		target := x.lookup(v, whole, ref)
		if target == nil {
			return
		}
		if whole == text {
			v.V, v.head = target.V, target.origin()
			return
		}
		switch target.V.(type) {
		case *Table, []*Value:
			x.fail(v, whole, whole+" is "+kindOf(target.V)+" and cannot stand within a string").Hint = "use it as the whole string, or name a value within it"
			return
		}
		value := FormatScalar(target.V)
		if len(parts) == 0 && value != "" {
			v.head = target.origin()
		}
		literal(value)
		if n := len(parts); n > 0 && len(parts[n-1].Text) > maxExpanded {
			x.fail(v, whole, "the string grows past 1 MB")
			return
		}
	}
	if slices.ContainsFunc(parts, func(p TemplatePart) bool { return p.Axis != "" }) {
		v.V = &Template{Parts: parts}
		return
	}
	v.V = ""
	if len(parts) > 0 {
		v.V = parts[0].Text
	}
}

// circle writes the trail from a name back to itself.
func circle(trail []string) string {
	last := trail[len(trail)-1]
	if i := slices.Index(trail, last); i < len(trail)-1 {
		trail = trail[i:]
	} else {
		trail = append([]string{last}, trail...)
	}
	return strings.Join(trail, " → ")
}

// axis checks a reference to the matrix.
func (x *expander) axis(v *Value, whole, axis string) bool {
	switch {
	case !x.inNode:
		x.fail(v, whole, whole+" has a value only within a node").Hint = "use it in the node's with"
	case len(x.axes) == 0:
		x.fail(v, whole, whole+": this node has no matrix").Hint = "add matrix = { " + axis + " = [...] } to the node"
	case !slices.Contains(x.axes, axis):
		x.fail(v, whole, "the matrix has no axis "+quoteName(axis)).Hint = Suggest(axis, x.axes)
	default:
		return true
	}
	return false
}

// lookup returns the value that ref names, itself expanded, or nil after a
// complaint.
func (x *expander) lookup(v *Value, whole, ref string) *Value {
	names := strings.Split(ref, ".")
	if names[0] != "vars" && names[0] != "models" || len(names) < 2 {
		e := x.fail(v, whole, "unknown reference "+whole)
		e.Hint = `references are ${vars.NAME}, ${models.NAME.KEY} and, within a node, ${matrix.AXIS}; "$${" is a literal "${"`
		if x.root.Get("vars") != nil {
			if t, _ := tableOf(x.root.Get("vars")); t.Get(ref) != nil {
				e.Hint = "did you mean ${vars." + ref + "}?"
			}
		}
		return nil
	}
	at := x.root.Get(names[0])
	for i, name := range names[1:] {
		if at != nil {
			if _, isText := at.V.(string); isText {
				x.enter(ref, at)
			}
		}
		t, ok := tableOf(at)
		if !ok && at != nil {
			x.fail(v, whole, strings.Join(names[:i+1], ".")+" is "+kindOf(at.V)+" and has no "+quoteName(name))
			return nil
		}
		next := t.Get(name)
		if next == nil {
			what := "variable"
			if names[0] == "models" {
				what = "model"
			}
			if i > 0 {
				what = "key"
			}
			x.fail(v, whole, "unknown "+what+" "+quoteName(name)+" in "+whole).Hint = Suggest(name, t.Names())
			return nil
		}
		at = next
	}
	inNode, axes := x.inNode, x.axes
	x.inNode, x.axes = false, nil // what a variable says does not depend on who asks
	failed := x.failed
	x.failed = false
	x.enter(ref, at)
	bad := x.failed
	x.inNode, x.axes, x.failed = inNode, axes, failed || bad
	if bad {
		return nil
	}
	return at
}

// enter expands a value that a reference leads to.
func (x *expander) enter(ref string, at *Value) {
	x.trail = append(x.trail, ref)
	x.value(at)
	x.trail = x.trail[:len(x.trail)-1]
}

// fail reports a problem with the part of the string that is ${...}.
func (x *expander) fail(v *Value, part, message string) *Error {
	x.failed = true
	at := v.At()
	if part != "" && at.IsValid() && at.End <= len(at.Source.Text) {
		if i := strings.LastIndex(at.Source.Text[at.Start:at.End], part); i >= 0 {
			at.Start, at.End = at.Start+i, at.Start+i+len(part)
		}
	}
	return x.errorf(at, "%s", message)
}
