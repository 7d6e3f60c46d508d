package formula

import (
	"math"
	"slices"
	"strconv"

	"github.com/seed-4012077a/flow/sdk/stats/frame"
)

// call evaluates a function. Its name and number of arguments were checked
// when the formula was read.
func (ev *evaluator) call(e *expr) (*value, error) {
	if err := checkFunction(ev.text, e); err != nil {
		return nil, err
	}
	if e.text == "log" {
		return ev.log(e)
	}
	if f := elementwise(e.text); f != nil {
		in, err := ev.numeric(e.args[0])
		if err != nil {
			return nil, err
		}
		return mapped(in, f), nil
	}
	switch e.text {
	case "I":
		return ev.eval(e.args[0])
	case "factor", "as.factor":
		return ev.factor(e)
	case "relevel":
		return ev.relevel(e)
	case "as.numeric":
		return ev.asNumeric(e)
	case "poly":
		return ev.poly(e)
	case "scale", "center":
		return ev.scale(e)
	case "pmin", "pmax":
		return ev.extreme(e)
	case "ifelse":
		return ev.ifelse(e)
	}
	return nil, ev.errorf(e, "%s() has no meaning here", e.text)
}

func (ev *evaluator) log(e *expr) (*value, error) {
	in, err := ev.numeric(e.args[0])
	if err != nil {
		return nil, err
	}
	if len(e.args) == 1 {
		return mapped(in, math.Log), nil
	}
	base, ok := e.argument("base", 1).number()
	if !ok || base <= 0 || base == 1 {
		return nil, ev.errorf(e, "the base of log() is a positive number other than 1")
	}
	return mapped(in, func(v float64) float64 { return math.Log(v) / math.Log(base) }), nil
}

// factor makes a factor of numbers: its levels are the distinct values of the
// data of the fit in increasing order.
func (ev *evaluator) factor(e *expr) (*value, error) {
	in, err := ev.eval(e.args[0])
	if err != nil {
		return nil, err
	}
	if in.factor() {
		return in, nil
	}
	num, err := ev.numeric(e.args[0])
	if err != nil {
		return nil, err
	}
	c := (&frame.Column{Name: e.args[0].String(), Num: num}).ToFactor()
	key := e.String()
	if ev.learn {
		ev.fit.levels[key] = c.Levels
		return &value{codes: c.Codes, levels: c.Levels}, nil
	}
	// New data: codes over the levels of the fit; a new value keeps a code
	// past them, which the caller reports with its label.
	known := ev.fit.levels[key]
	levels := slices.Clone(known)
	codes := make([]int32, len(c.Codes))
	for i, k := range c.Codes {
		codes[i] = -1
		if k < 0 {
			continue
		}
		at := slices.Index(levels, c.Levels[k])
		if at < 0 {
			at = len(levels)
			levels = append(levels, c.Levels[k])
		}
		codes[i] = int32(at)
	}
	return &value{codes: codes, levels: levels}, nil
}

func (ev *evaluator) relevel(e *expr) (*value, error) {
	in, err := ev.eval(e.args[0])
	if err != nil {
		return nil, err
	}
	ref := e.argument("ref", 1)
	if !in.factor() || ref == nil || ref.op != opString {
		return nil, ev.errorf(e, "relevel() takes a factor and ref = \"level\"")
	}
	c := &frame.Column{Name: e.args[0].String(), Kind: frame.Factor, Codes: in.codes, Levels: in.levels}
	if !ev.learn && !slices.Contains(in.levels, ref.text) {
		return in, nil // new data may lack the level
	}
	if c, err = c.Relevel(ref.text); err != nil {
		return nil, ev.errorf(ref, "%v", err)
	}
	return &value{codes: c.Codes, levels: c.Levels}, nil
}

// asNumeric reads a factor's levels as numbers, which R writes
// as.numeric(as.character(f)): codes of levels are never meant.
func (ev *evaluator) asNumeric(e *expr) (*value, error) {
	in, err := ev.eval(e.args[0])
	if err != nil {
		return nil, err
	}
	if n, ok := in.numbers(); ok {
		return &value{cols: [][]float64{n}}, nil
	}
	c := &frame.Column{Name: e.args[0].String(), Kind: frame.Factor, Codes: in.codes, Levels: in.levels}
	if c, err = c.ToNumeric(); err != nil {
		return nil, ev.errorf(e, "%v", err)
	}
	return &value{cols: [][]float64{c.Num}}, nil
}

func (ev *evaluator) poly(e *expr) (*value, error) {
	x, err := ev.numeric(e.args[0])
	if err != nil {
		return nil, err
	}
	degree := 1.0
	if d := e.argument("degree", 1); d != nil {
		var ok bool
		if degree, ok = d.number(); !ok || degree < 1 || degree > 25 || degree != math.Trunc(degree) {
			return nil, ev.errorf(d, "the degree of poly() is a whole number from 1 to 25")
		}
	}
	raw, ok := e.argument("raw", 2).truth(false)
	if !ok {
		return nil, ev.errorf(e, "raw of poly() is TRUE or FALSE")
	}
	key := e.String()
	if ev.learn {
		p, err := fitPolynomial(x, int(degree), raw)
		if err != nil {
			return nil, ev.errorf(e, "%v", err)
		}
		ev.fit.poly[key] = p
	}
	v := &value{cols: ev.fit.poly[key].columns(x)}
	for k := range v.cols {
		v.suffix = append(v.suffix, strconv.Itoa(k+1))
	}
	return v, nil
}

// scale is (x - mean) / sd over the data of the fit; center only takes away
// the mean.
func (ev *evaluator) scale(e *expr) (*value, error) {
	x, err := ev.numeric(e.args[0])
	if err != nil {
		return nil, err
	}
	doCenter, ok1 := e.argument("center", 1).truth(true)
	doScale, ok2 := e.argument("scale", 2).truth(e.text == "scale")
	if !ok1 || !ok2 {
		return nil, ev.errorf(e, "center and scale of scale() are TRUE or FALSE")
	}
	key := e.String()
	if ev.learn {
		center, sd := 0.0, 1.0
		if doCenter {
			center = mean(x)
		}
		if doScale { // about zero when not centred, as R's scale
			sum, n := 0.0, 0.0
			for _, v := range x {
				if !math.IsNaN(v) {
					sum += (v - center) * (v - center)
					n++
				}
			}
			sd = math.Sqrt(sum / max(1, n-1))
			if sd == 0 || math.IsNaN(sd) {
				return nil, ev.errorf(e, "%s has no variance: it cannot be scaled", e.args[0])
			}
		}
		ev.fit.scale[key] = [2]float64{center, sd}
	}
	p := ev.fit.scale[key]
	return mapped(x, func(v float64) float64 { return (v - p[0]) / p[1] }), nil
}

// mean is the mean of the values that are not missing, in two passes.
func mean(x []float64) float64 {
	sum, n := 0.0, 0.0
	for _, v := range x {
		if !math.IsNaN(v) {
			sum += v
			n++
		}
	}
	if n == 0 {
		return math.NaN()
	}
	m, rest := sum/n, 0.0
	for _, v := range x {
		if !math.IsNaN(v) {
			rest += v - m
		}
	}
	return m + rest/n
}

func (ev *evaluator) extreme(e *expr) (*value, error) {
	a, err := ev.numeric(e.args[0])
	if err != nil {
		return nil, err
	}
	b, err := ev.numeric(e.args[1])
	if err != nil {
		return nil, err
	}
	out := make([]float64, len(a))
	for i := range a {
		if out[i] = math.Min(a[i], b[i]); e.text == "pmax" {
			out[i] = math.Max(a[i], b[i])
		}
	}
	return &value{cols: [][]float64{out}}, nil
}

func (ev *evaluator) ifelse(e *expr) (*value, error) {
	var in [3][]float64
	for i := range in {
		v, err := ev.numeric(e.args[i])
		if err != nil {
			return nil, err
		}
		in[i] = v
	}
	out := make([]float64, len(in[0]))
	for i, test := range in[0] {
		switch {
		case math.IsNaN(test):
			out[i] = math.NaN()
		case test != 0:
			out[i] = in[1][i]
		default:
			out[i] = in[2][i]
		}
	}
	return &value{cols: [][]float64{out}}, nil
}
