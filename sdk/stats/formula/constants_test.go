package formula_test

import (
	"math"
	"testing"

	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
)

// TestConstantsAsColumns: a column with the name of a constant is reached in
// backquotes, and the constant without.
func TestConstantsAsColumns(t *testing.T) {
	fr := frame.New(4)
	for name, v := range map[string][]float64{"y": {1, 2, 4, 3}, "pi": {5, 6, 7, 9}, "TRUE": {1, 0, 0, 1}} {
		if err := fr.AddNumeric(name, v); err != nil {
			t.Fatal(err)
		}
	}
	f, err := formula.Parse("y ~ `pi` + I(pi * `TRUE`) + poly(`pi`, 1, raw = TRUE)")
	if err != nil {
		t.Fatal(err)
	}
	d, err := f.Design(fr, formula.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := d.X.At(3, 1); got != 9 {
		t.Errorf("the column pi is %v", got)
	}
	if got := d.X.At(0, 2); got != math.Pi {
		t.Errorf("pi times the column TRUE is %v", got)
	}
	again, err := formula.Parse(f.String())
	if err != nil || again.String() != f.String() {
		t.Errorf("%q is printed as %q: %v", f.Text(), f.String(), err)
	}
	if got := formula.Quote("pi"); got != "`pi`" {
		t.Errorf("Quote(pi) = %s", got)
	}
}
