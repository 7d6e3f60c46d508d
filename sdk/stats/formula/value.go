package formula

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-4012077a/flow/sdk/stats/frame"
)

// value is what an expression is for every row: one or more columns of
// numbers, a factor, or a constant. Comparisons give a factor of FALSE and
// TRUE, as R's logicals enter a model matrix.
type value struct {
	cols    [][]float64 // numbers; one column but for poly and cbind
	suffix  []string    // of the columns' names, where there are several
	levels  []string    // of a factor; nil for numbers
	codes   []int32
	logical bool
	isText  bool // a string constant
	text    string
}

func (v *value) factor() bool { return v.codes != nil }

// numbers reads the value as one number for each row; logicals are 0 and 1.
func (v *value) numbers() ([]float64, bool) {
	switch {
	case v.logical:
		out := make([]float64, len(v.codes))
		for i, k := range v.codes {
			out[i] = float64(k)
			if k < 0 {
				out[i] = math.NaN()
			}
		}
		return out, true
	case v.factor() || v.isText || len(v.cols) != 1:
		return nil, false
	}
	return v.cols[0], true
}

// fitted holds what data-dependent functions learnt from the data of the fit,
// by the text of their call, so that new data are treated alike.
type fitted struct {
	poly   map[string]*polynomial
	scale  map[string][2]float64 // center, scale
	levels map[string][]string   // of factor(numeric)
}

func newFitted() *fitted {
	return &fitted{poly: map[string]*polynomial{}, scale: map[string][2]float64{}, levels: map[string][]string{}}
}

// evaluator computes expressions over a frame. While learn is set it fills
// fit; afterwards it reads it.
type evaluator struct {
	text  string
	fr    *frame.Frame
	fit   *fitted
	learn bool
}

func (ev *evaluator) errorf(e *expr, format string, args ...any) error {
	return &Error{ev.text, e.pos, fmt.Sprintf(format, args...)}
}

func (ev *evaluator) constant(v float64) *value {
	col := make([]float64, ev.fr.Rows())
	for i := range col {
		col[i] = v
	}
	return &value{cols: [][]float64{col}}
}

func (ev *evaluator) eval(e *expr) (*value, error) {
	switch e.op {
	case opNumber:
		return ev.constant(e.num), nil
	case opString:
		return &value{isText: true, text: e.text}, nil
	case opParen:
		return ev.eval(e.args[0])
	case opName:
		return ev.name(e)
	case opConstant:
		return ev.constant(map[string]float64{"TRUE": 1, "FALSE": 0, "pi": math.Pi}[e.text]), nil
	case opUnary:
		if e.text == "!" {
			in, err := ev.numeric(e.args[0])
			if err != nil {
				return nil, err
			}
			return truth(in, in, func(a, _ float64) bool { return a == 0 }), nil
		}
		in, err := ev.numeric(e.args[0])
		if err != nil || e.text == "+" {
			return &value{cols: [][]float64{in}}, err
		}
		return mapped(in, func(a float64) float64 { return -a }), nil
	case opBinary:
		return ev.binary(e)
	}
	return ev.call(e)
}

func (ev *evaluator) name(e *expr) (*value, error) {
	c, ok := ev.fr.Column(e.text)
	if !ok {
		return nil, &Error{ev.text, e.pos, ev.fr.Unknown(e.text).Error()}
	}
	if c.Kind == frame.Factor {
		codes := c.Codes
		if codes == nil {
			codes = []int32{}
		}
		return &value{codes: codes, levels: c.Levels}, nil
	}
	return &value{cols: [][]float64{c.Num}}, nil
}

// numeric evaluates an expression that has to be one number for each row.
func (ev *evaluator) numeric(e *expr) ([]float64, error) {
	v, err := ev.eval(e)
	if err != nil {
		return nil, err
	}
	out, ok := v.numbers()
	if !ok {
		what := "a factor"
		switch {
		case v.isText:
			what = "a string"
		case !v.factor():
			what = fmt.Sprintf("%d columns", len(v.cols))
		}
		return nil, ev.errorf(e, "%s is %s where numbers are needed", e, what)
	}
	return out, nil
}

func mapped(in []float64, f func(float64) float64) *value {
	out := make([]float64, len(in))
	for i, a := range in {
		if out[i] = a; !math.IsNaN(a) {
			out[i] = f(a)
		}
	}
	return &value{cols: [][]float64{out}}
}

// truth is a logical made from two columns; missing where either is.
func truth(a, b []float64, f func(a, b float64) bool) *value {
	codes := make([]int32, len(a))
	for i := range a {
		switch {
		case math.IsNaN(a[i]) || math.IsNaN(b[i]):
			codes[i] = -1
		case f(a[i], b[i]):
			codes[i] = 1
		}
	}
	return &value{codes: codes, levels: []string{"FALSE", "TRUE"}, logical: true}
}

func (ev *evaluator) binary(e *expr) (*value, error) {
	if e.text == "==" || e.text == "!=" {
		if v, err := ev.sameLevel(e); v != nil || err != nil {
			return v, err
		}
	}
	a, err := ev.numeric(e.args[0])
	if err != nil {
		return nil, err
	}
	b, err := ev.numeric(e.args[1])
	if err != nil {
		return nil, err
	}
	compare := map[string]func(a, b float64) bool{
		"<": func(a, b float64) bool { return a < b }, ">": func(a, b float64) bool { return a > b },
		"<=": func(a, b float64) bool { return a <= b }, ">=": func(a, b float64) bool { return a >= b },
		"==": func(a, b float64) bool { return a == b }, "!=": func(a, b float64) bool { return a != b },
		"&": func(a, b float64) bool { return a != 0 && b != 0 }, "&&": func(a, b float64) bool { return a != 0 && b != 0 },
		"|": func(a, b float64) bool { return a != 0 || b != 0 }, "||": func(a, b float64) bool { return a != 0 || b != 0 },
	}
	if f := compare[e.text]; f != nil {
		return truth(a, b, f), nil
	}
	arith := map[string]func(a, b float64) float64{
		"+": func(a, b float64) float64 { return a + b }, "-": func(a, b float64) float64 { return a - b },
		"*": func(a, b float64) float64 { return a * b }, "/": func(a, b float64) float64 { return a / b },
		"^": math.Pow, "%%": func(a, b float64) float64 { return a - b*math.Floor(a/b) },
	}
	f := arith[e.text]
	if f == nil {
		return nil, ev.errorf(e, "%q has no meaning inside a function", e.text)
	}
	if e.text == "^" {
		f = repeated(math.Pow)
		if k, ok := e.args[1].number(); ok && k == 2 { // exact
			f = func(a, _ float64) float64 { return a * a }
		}
	}
	out := make([]float64, len(a))
	for i := range out {
		out[i] = f(a[i], b[i])
		if math.IsNaN(a[i]) || math.IsNaN(b[i]) {
			out[i] = math.NaN()
		}
	}
	return &value{cols: [][]float64{out}}, nil
}

// repeated is f with its last result remembered: rows of one participant
// mostly share a covariate, and a power costs as much as fifty products.
func repeated(f func(a, b float64) float64) func(a, b float64) float64 {
	var lastA, lastB uint64
	last := f(0, 0)
	return func(a, b float64) float64 {
		if x, y := math.Float64bits(a), math.Float64bits(b); x != lastA || y != lastB {
			last, lastA, lastB = f(a, b), x, y
		}
		return last
	}
}

// sameLevel is factor == "level"; nil where no string is compared.
func (ev *evaluator) sameLevel(e *expr) (*value, error) {
	left, right := e.args[0], e.args[1]
	if left.op == opString {
		left, right = right, left
	}
	if right.op != opString {
		return nil, nil
	}
	v, err := ev.eval(left)
	if err != nil {
		return nil, err
	}
	if !v.factor() {
		return nil, ev.errorf(e, "%s is no factor: it cannot be compared with a string", left)
	}
	at := slices.Index(v.levels, right.text)
	if at < 0 && ev.learn {
		return nil, ev.errorf(right, "%s has no level %q: %s", left, right.text, frame.Choices(right.text, v.levels))
	}
	codes := make([]int32, len(v.codes))
	for i, k := range v.codes {
		switch {
		case k < 0:
			codes[i] = -1
		case (int(k) == at) == (e.text == "=="):
			codes[i] = 1
		}
	}
	return &value{codes: codes, levels: []string{"FALSE", "TRUE"}, logical: true}, nil
}
