package formula_test

import (
	"testing"

	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
)

func TestDesignCommon(t *testing.T) {
	fr := frame.New(6)
	fr.AddNumeric("y", []float64{1, 2, 3, 4, 5, 7})
	fr.AddNumeric("x", []float64{-1, 0, 1, 2, 3, 4})
	fr.AddStrings("f", []string{"a", "b", "c", "a", "b", "c"}, nil)
	fr.AddStrings("g", []string{"u", "v", "u", "v", "u", "v"}, nil)
	f, err := formula.Parse("y ~ x + I(x^2) + f + x:g + (1 + x | g) + (0 + f | g)")
	if err != nil {
		t.Fatal(err)
	}
	d, err := f.Design(fr, formula.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(d.Names, d.Aliased, d.Assign, d.Terms)
	for _, r := range d.Random {
		t.Log(r.Text, r.Group, r.Levels, r.Index, r.Names)
	}
	t.Log(d.X)
}
