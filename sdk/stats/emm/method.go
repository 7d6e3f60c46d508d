package emm

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"gonum.org/v1/gonum/mat"
)

// Weighted is a contrast: a coefficient for each member of a group.
type Weighted struct {
	Label        string
	Coefficients []float64
}

// Method makes the contrasts of a group from the labels of its members.
type Method struct {
	tukey bool
	build func(labels []string) ([]Weighted, error)
}

// Custom are contrasts given by their coefficients, in the order of a group's
// members.
func Custom(c ...Weighted) Method {
	return Method{build: func([]string) ([]Weighted, error) {
		if len(c) == 0 {
			return nil, fmt.Errorf("there is no contrast: give a label and coefficients")
		}
		for _, w := range c {
			for _, v := range w.Coefficients {
				if math.IsNaN(v) || math.IsInf(v, 0) {
					return nil, fmt.Errorf("contrast %q: coefficients are finite numbers", w.Label)
				}
			}
		}
		return c, nil
	}}
}

// Groups is the mean of the members called plus less the mean of those called
// minus: the contrast of positive and negative doses, say.
func Groups(label string, plus, minus []string) Method {
	return Method{build: func(labels []string) ([]Weighted, error) {
		w := make([]float64, len(labels))
		for _, side := range []struct {
			names []string
			sign  float64
		}{{plus, 1}, {minus, -1}} {
			if len(side.names) == 0 {
				return nil, fmt.Errorf("contrast %q: either side needs a member", label)
			}
			for _, n := range side.names {
				k := slices.Index(labels, n)
				if k < 0 {
					return nil, fmt.Errorf("contrast %q: no mean %q: %s", label, n, frame.Choices(n, labels))
				}
				w[k] += side.sign / float64(len(side.names))
			}
		}
		return []Weighted{{label, w}}, nil
	}}
}

// paired makes contrasts a - b.
func paired(labels []string, a, b int) Weighted {
	w := make([]float64, len(labels))
	w[a], w[b] = 1, -1
	side := func(s string) string {
		if strings.ContainsAny(s, " -+") {
			return "(" + s + ")"
		}
		return s
	}
	return Weighted{side(labels[a]) + " - " + side(labels[b]), w}
}

func atLeastTwo(labels []string) error {
	if len(labels) < 2 {
		return fmt.Errorf("a contrast needs at least two means in a group; there is %d (%s)", len(labels), strings.Join(labels, ", "))
	}
	return nil
}

// Pairwise are all differences of an earlier member less a later one.
func Pairwise() Method { return pairs(false) }

// RevPairwise are all differences of a later member less an earlier one.
func RevPairwise() Method { return pairs(true) }

func pairs(reverse bool) Method {
	return Method{tukey: true, build: func(labels []string) ([]Weighted, error) {
		if err := atLeastTwo(labels); err != nil {
			return nil, err
		}
		var out []Weighted
		for i := range labels {
			if reverse {
				for j := range i {
					out = append(out, paired(labels, i, j))
				}
				continue
			}
			for j := i + 1; j < len(labels); j++ {
				out = append(out, paired(labels, i, j))
			}
		}
		return out, nil
	}}
}

// VsControl are the differences of every other member less the control, which
// is the first where its name is "".
func VsControl(control string) Method {
	return Method{build: func(labels []string) ([]Weighted, error) {
		if err := atLeastTwo(labels); err != nil {
			return nil, err
		}
		ref := 0
		if control != "" {
			if ref = slices.Index(labels, control); ref < 0 {
				return nil, fmt.Errorf("no mean %q to be the control: %s", control, frame.Choices(control, labels))
			}
		}
		var out []Weighted
		for i := range labels {
			if i != ref {
				out = append(out, paired(labels, i, ref))
			}
		}
		return out, nil
	}}
}

// Consecutive are the differences of each member less the one before.
func Consecutive() Method {
	return Method{build: func(labels []string) ([]Weighted, error) {
		if err := atLeastTwo(labels); err != nil {
			return nil, err
		}
		var out []Weighted
		for i := 1; i < len(labels); i++ {
			out = append(out, paired(labels, i, i-1))
		}
		return out, nil
	}}
}

// Effects are the differences of each member from the mean of all.
func Effects() Method {
	return Method{build: func(labels []string) ([]Weighted, error) {
		if err := atLeastTwo(labels); err != nil {
			return nil, err
		}
		var out []Weighted
		for i, l := range labels {
			w := make([]float64, len(labels))
			for j := range w {
				w[j] = -1 / float64(len(labels))
			}
			w[i]++
			out = append(out, Weighted{l + " effect", w})
		}
		return out, nil
	}}
}

// Polynomial are the orthogonal polynomial contrasts of evenly spaced members
// (linear, quadratic, ... up to the sixth degree) with whole coefficients, as
// tables print them.
func Polynomial() Method {
	return Method{build: func(labels []string) ([]Weighted, error) {
		if err := atLeastTwo(labels); err != nil {
			return nil, err
		}
		k := len(labels)
		names := []string{"linear", "quadratic", "cubic", "quartic", "degree 5", "degree 6"}
		powers := mat.NewDense(k, min(k, 7), nil)
		for i := range k {
			v := 1.0
			for j := range min(k, 7) {
				powers.Set(i, j, v)
				v *= float64(i) - float64(k-1)/2
			}
		}
		var qr mat.QR
		qr.Factorize(powers)
		var q mat.Dense
		qr.QTo(&q)
		var out []Weighted
		for j := 1; j < min(k, 7); j++ {
			w := mat.Col(nil, j, &q)
			out = append(out, Weighted{names[j-1], whole(w)})
		}
		return out, nil
	}}
}

// whole scales a contrast to whole numbers, positive at the last member, by
// the steps of emmeans' poly.emmc.
func whole(w []float64) []float64 {
	out := slices.Clone(w)
	if out[len(out)-1] < 0 {
		for i := range out {
			out[i] = -out[i]
		}
	}
	least := math.Inf(1)
	for _, v := range out {
		if v > 0.01 {
			least = math.Min(least, v)
		}
	}
	off := func() float64 {
		most := 0.0
		for _, v := range out {
			most = math.Max(most, math.Abs(v-math.Round(v)))
		}
		return most
	}
	by := least
	for range 100 {
		for i := range out {
			out[i] /= by
		}
		if by = off(); by <= 0.05 {
			break
		}
	}
	for i, v := range out {
		out[i] = math.Round(v)
	}
	return out
}

// ParseMethod reads a method by emmeans' name for it; control is used by
// "trt.vs.ctrl".
func ParseMethod(name, control string) (Method, error) {
	switch name {
	case "pairwise":
		return Pairwise(), nil
	case "revpairwise":
		return RevPairwise(), nil
	case "trt.vs.ctrl":
		return VsControl(control), nil
	case "consec":
		return Consecutive(), nil
	case "eff":
		return Effects(), nil
	case "poly":
		return Polynomial(), nil
	}
	return Method{}, fmt.Errorf("no contrasts %q: %s", name, frame.Choices(name, []string{"pairwise", "revpairwise", "trt.vs.ctrl", "consec", "eff", "poly"}))
}
