package emm

import (
	"math"
	"strings"
	"testing"

	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"github.com/seed-4012077a/flow/sdk/stats/ols"
)

// TestSurface compares means that cross only what interacts with those of the
// whole reference grid.
func TestSurface(t *testing.T) {
	const n = 120
	fr := frame.New(n)
	y, x := make([]float64, n), make([]float64, n)
	letters := func(k, every int) []string {
		out := make([]string, n)
		for i := range out {
			out[i] = string(rune('a' + i/every%k))
		}
		return out
	}
	for i := range n {
		x[i], y[i] = math.Sin(float64(3*i)), math.Cos(float64(i*i))
	}
	for name, v := range map[string][]float64{"y": y, "x": x} {
		if err := fr.AddNumeric(name, v); err != nil {
			t.Fatal(err)
		}
	}
	for name, v := range map[string][]string{"f": letters(2, 1), "g": letters(3, 2), "h": letters(4, 6), "k": letters(2, 24)} {
		if err := fr.AddStrings(name, v, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, text := range []string{"y ~ x*f + g*h + k", "y ~ x + I(x^2) + f + g + h + k", "y ~ f*g*h + x:k"} {
		f, err := formula.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		d, err := f.Design(fr, formula.Options{})
		if err != nil {
			t.Fatal(err)
		}
		m, err := ols.Fit(d, ols.Options{})
		if err != nil {
			t.Fatal(err)
		}
		grid, err := NewGrid(m, GridOptions{At: map[string][]float64{"x": {0.5}}})
		if err != nil {
			t.Fatal(err)
		}
		set, err := grid.Means([]string{"f"}, nil, Equal)
		if err != nil {
			t.Fatal(err)
		}
		want, err := set.Estimates(Report{Level: 0.95})
		if err != nil {
			t.Fatal(err)
		}
		s := NewSurface(m)
		for i, level := range []string{"a", "b"} {
			all, err := s.Mean(At{"x": 0.5, "f": level})
			if err != nil {
				t.Fatal(err)
			}
			l, err := s.Coefficients(all)
			if err != nil {
				t.Fatal(err)
			}
			est, se, _, err := m.Contrast(l)
			if err != nil || math.Abs(est-want[i].Estimate.Estimate) > 1e-12 || math.Abs(se-want[i].SE) > 1e-12 {
				t.Errorf("%s, f = %s: %v (%v), the grid has %v (%v): %v", text, level, est, se, want[i].Estimate.Estimate, want[i].SE, err)
			}
		}
		if _, err := s.Mean(At{"f": "z"}); err == nil || !strings.Contains(err.Error(), `f = "z"`) {
			t.Error(err)
		}
	}
}

// TestSurfaceNotEstimable: a level of one factor that occurs with one level of
// the other only leaves the mean over both unknown, and the difference within
// that level known.
func TestSurfaceNotEstimable(t *testing.T) {
	fr := frame.New(9)
	if err := fr.AddNumeric("y", []float64{1, 2, 3, 2, 4, 5, 4, 3, 8}); err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]string{"f": "aaabbbccc", "g": "uvuvuvuuu"} {
		if err := fr.AddStrings(name, strings.Split(v, ""), nil); err != nil {
			t.Fatal(err)
		}
	}
	f, err := formula.Parse("y ~ f * g")
	if err != nil {
		t.Fatal(err)
	}
	d, err := f.Design(fr, formula.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := ols.Fit(d, ols.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := NewSurface(m)
	overall, err := s.Mean(At{"f": "c"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Coefficients(overall); err == nil || !strings.Contains(err.Error(), "not estimable") {
		t.Errorf("the mean over an empty cell: %v", err)
	}
	cell, _ := s.Mean(At{"f": "c", "g": "u"})
	l, err := s.Coefficients(cell)
	if err != nil {
		t.Fatal(err)
	}
	if est, _, _, err := m.Contrast(l); err != nil || math.Abs(est-5) > 1e-12 {
		t.Errorf("the cell's mean is %v, want 5: %v", est, err)
	}
}
