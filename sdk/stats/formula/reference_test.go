package formula_test

import (
	"encoding/json"
	"math"
	"os"
	"reflect"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"github.com/seed-4012077a/flow/sdk/stats/internal/reftest"
)

type reference struct {
	Data  map[string][]any
	Cases []struct {
		Formula  []string
		Contrast []string
		Names    []string
		Kept     []string
		X, New   [][]float64
		Terms    []string
		Assign   []int
		Y        []float64
		Dropped  []int
	}
}

func load(t testing.TB) (reference, *frame.Frame) {
	t.Helper()
	var ref reference
	data, err := os.ReadFile("testdata/design.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &ref); err != nil {
		t.Fatal(err)
	}
	fr := frame.New(len(ref.Data["y"]))
	for _, name := range []string{"y", "x", "z", "week", "f", "g", "h", "id", "odd name"} {
		num := make([]float64, fr.Rows())
		text := make([]string, fr.Rows())
		missing := make([]bool, fr.Rows())
		factor := false
		for i, v := range ref.Data[name] {
			switch v := v.(type) {
			case nil:
				num[i], missing[i] = math.NaN(), true
			case float64:
				num[i] = v
			case string:
				text[i], factor = v, true
			}
		}
		if factor {
			err = fr.AddStrings(name, text, missing)
		} else {
			err = fr.AddNumeric(name, num)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return ref, fr
}

func near(t *testing.T, what string, got *mat.Dense, want [][]float64) {
	t.Helper()
	r, c := got.Dims()
	if r != len(want) || c != len(want[0]) {
		t.Fatalf("%s is %d x %d, want %d x %d", what, r, c, len(want), len(want[0]))
	}
	for i, row := range want {
		for j, v := range row {
			if math.Abs(got.At(i, j)-v) > 1e-11*math.Max(1, math.Abs(v)) {
				t.Errorf("%s[%d,%d] = %.15g, want %.15g", what, i, j, got.At(i, j), v)
				return
			}
		}
	}
}

func TestDesignsAgainstR(t *testing.T) {
	ref, fr := load(t)
	if len(ref.Cases) < 40 {
		t.Fatalf("%d cases", len(ref.Cases))
	}
	for _, c := range ref.Cases {
		t.Run(c.Formula[0], func(t *testing.T) {
			o := formula.Options{Contrasts: map[string]formula.Coding{}}
			for _, f := range c.Contrast {
				o.Contrasts[f] = formula.Sum
			}
			d := reftest.Design(t, fr, c.Formula[0], o)
			if got := d.AllNames(); !reflect.DeepEqual(got, c.Names) {
				t.Fatalf("columns\n%q, want\n%q", got, c.Names)
			}
			if !reflect.DeepEqual(d.Names, c.Kept) {
				t.Errorf("kept %q, want %q", d.Names, c.Kept)
			}
			var gone []string
			for _, n := range c.Names {
				if !slices.Contains(c.Kept, n) {
					gone = append(gone, n)
				}
			}
			if !reflect.DeepEqual(d.Aliased, gone) {
				t.Errorf("aliased %q, want %q", d.Aliased, gone)
			}
			if d.Dropped != c.Dropped[0] {
				t.Errorf("dropped %d, want %d", d.Dropped, c.Dropped[0])
			}
			var labels []string
			for _, term := range d.Terms {
				labels = append(labels, term.Label)
			}
			if len(labels) != len(c.Terms) || len(labels) > 0 && !reflect.DeepEqual(labels, c.Terms) {
				t.Errorf("terms %q, want %q", labels, c.Terms)
			}
			for i, y := range c.Y {
				if math.Abs(d.Y[i]-y) > 1e-12 {
					t.Errorf("y[%d] = %g, want %g", i, d.Y[i], y)
				}
			}
			all, err := d.ModelAll(fr.Select(d.Rows))
			if err != nil {
				t.Fatal(err)
			}
			near(t, "X", all, c.X)
			if all, err = d.ModelAll(fr.Select([]int{15, 0, 8})); err != nil {
				t.Fatal(err)
			}
			near(t, "new X", all, c.New)
			for j, n := range d.Names { // X is the kept columns, Assign theirs
				at := slices.Index(c.Names, n)
				if d.Assign[j] != c.Assign[at]-1 {
					t.Errorf("%s belongs to term %d, want %d", n, d.Assign[j], c.Assign[at]-1)
				}
				for i := range c.X {
					if math.Abs(d.X.At(i, j)-c.X[i][at]) > 1e-11*math.Max(1, math.Abs(c.X[i][at])) {
						t.Fatalf("X[%d, %s] = %g, want %g", i, n, d.X.At(i, j), c.X[i][at])
					}
				}
			}
			if null := d.NullSpace(); null != nil { // all x null = 0
				full, _ := d.ModelAll(fr.Select(d.Rows))
				var zero mat.Dense
				zero.Mul(full, null)
				if worst := mat.Norm(&zero, math.Inf(1)); worst > 1e-9 {
					t.Errorf("null space leaves %g", worst)
				}
			}
		})
	}
}
