package formula

import (
	"fmt"
	"math"
	"slices"
	"sort"

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

// functions lists what a formula may call.
func functions() map[string]arity {
	m := map[string]arity{
		"I": {1, 1, nil}, "factor": {1, 1, nil}, "as.factor": {1, 1, nil}, "as.numeric": {1, 1, nil},
		"poly": {1, 2, []string{"degree", "raw"}}, "scale": {1, 3, []string{"center", "scale"}}, "center": {1, 1, nil},
		"relevel": {1, 2, []string{"ref"}}, "pmin": {2, 2, nil}, "pmax": {2, 2, nil},
		"ifelse": {3, 3, nil}, "cbind": {2, 2, nil}, "offset": {1, 1, nil},
	}
	for _, name := range []string{"log", "log2", "log10", "log1p", "exp", "expm1", "sqrt", "abs", "sign", "floor", "ceiling", "round", "trunc", "sin", "cos", "tan", "tanh"} {
		m[name] = arity{1, 1, nil}
	}
	m["log"] = arity{1, 2, []string{"base"}}
	return m
}

// checkFunction verifies that a call's function exists and its arguments fit.
func checkFunction(text string, e *expr) error {
	known := functions()
	a, ok := known[e.text]
	if !ok {
		names := make([]string, 0, len(known))
		for n := range known {
			names = append(names, n)
		}
		sort.Strings(names)
		return &Error{text, e.pos, fmt.Sprintf("no function %s(): %s", e.text, frame.Choices(e.text, names))}
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
	if e.op == opName && (e.text == "TRUE" || e.text == "FALSE") {
		return e.text == "TRUE", true
	}
	return false, false
}
