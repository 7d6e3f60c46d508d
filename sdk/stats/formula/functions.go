package formula

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-4012077a/flow/sdk/stats/frame"
)

// elementwise gives the functions of one number, by R's names; nil for others.
func elementwise(name string) func(float64) float64 {
	switch name {
	case "log":
		return math.Log
	case "log2":
		return math.Log2
	case "log10":
		return math.Log10
	case "log1p":
		return math.Log1p
	case "exp":
		return math.Exp
	case "expm1":
		return math.Expm1
	case "sqrt":
		return math.Sqrt
	case "abs":
		return math.Abs
	case "sign":
		return func(v float64) float64 {
			switch {
			case v > 0:
				return 1
			case v < 0:
				return -1
			}
			return v
		}
	case "floor":
		return math.Floor
	case "ceiling":
		return math.Ceil
	case "round":
		return math.RoundToEven
	case "trunc":
		return math.Trunc
	case "sin":
		return math.Sin
	case "cos":
		return math.Cos
	case "tan":
		return math.Tan
	case "tanh":
		return math.Tanh
	}
	return nil
}

// arity is the number of positional arguments and the names of further ones.
type arity struct {
	least, most int
	tags        []string
}

// arityOf gives the arity of what a formula may call.
func arityOf(name string) (a arity, ok bool) {
	switch name {
	case "I", "factor", "as.factor", "as.numeric", "center", "offset":
		return arity{1, 1, nil}, true
	case "log":
		return arity{1, 2, []string{"base"}}, true
	case "poly":
		return arity{1, 2, []string{"degree", "raw"}}, true
	case "scale":
		return arity{1, 3, []string{"center", "scale"}}, true
	case "relevel":
		return arity{1, 2, []string{"ref"}}, true
	case "pmin", "pmax", "cbind":
		return arity{2, 2, nil}, true
	case "ifelse":
		return arity{3, 3, nil}, true
	}
	return arity{1, 1, nil}, elementwise(name) != nil
}

// functionNames lists what a formula may call, sorted.
func functionNames() []string {
	return []string{"I", "abs", "as.factor", "as.numeric", "cbind", "ceiling", "center", "cos", "exp", "expm1", "factor", "floor", "ifelse",
		"log", "log10", "log1p", "log2", "offset", "pmax", "pmin", "poly", "relevel", "round", "scale", "sign", "sin", "sqrt", "tan", "tanh", "trunc"}
}

// checkFunction verifies that a call's function exists and its arguments fit.
func checkFunction(text string, e *expr) error {
	a, ok := arityOf(e.text)
	if !ok {
		return &Error{text, e.pos, fmt.Sprintf("no function %s(): %s", e.text, frame.Choices(e.text, functionNames()))}
	}
	if len(e.args) < a.least || len(e.args) > max(a.most, 1+len(a.tags)) {
		return &Error{text, e.pos, fmt.Sprintf("%s() takes %d argument(s), it has %d", e.text, a.most, len(e.args))}
	}
	for i, tag := range e.tags {
		if tag != "" && !slices.Contains(a.tags, tag) {
			if len(a.tags) == 0 {
				return &Error{text, e.args[i].pos, fmt.Sprintf("%s() has no argument %q: it has no named ones", e.text, tag)}
			}
			return &Error{text, e.args[i].pos, fmt.Sprintf("%s() has no argument %q: %s", e.text, tag, frame.Choices(tag, a.tags))}
		}
	}
	if e.tags[0] != "" {
		return &Error{text, e.args[0].pos, fmt.Sprintf("the first argument of %s() is what it is applied to and has no name", e.text)}
	}
	return nil
}

// argument finds a call's argument by its name or by its position among those
// without a name.
func (e *expr) argument(tag string, position int) *expr {
	at := 0
	for i, a := range e.args {
		if e.tags[i] == tag {
			return a
		}
		if e.tags[i] == "" {
			if at == position {
				return a
			}
			at++
		}
	}
	return nil
}

// number reads a constant, perhaps with a sign.
func (e *expr) number() (float64, bool) {
	switch {
	case e == nil:
		return 0, false
	case e.op == opNumber:
		return e.num, true
	case e.op == opUnary && e.text == "-":
		v, ok := e.args[0].number()
		return -v, ok
	}
	return 0, false
}

// truth reads TRUE or FALSE; absent is otherwise.
func (e *expr) truth(otherwise bool) (bool, bool) {
	if e == nil {
		return otherwise, true
	}
	if e.op == opConstant && e.text != "pi" {
		return e.text == "TRUE", true
	}
	return false, false
}
