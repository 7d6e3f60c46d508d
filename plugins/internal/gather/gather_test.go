package gather

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/seed-4012077a/flow/sdk/go/sdktest"
)

func TestFrame(t *testing.T) {
	table := sdktest.Of("x: float64, n: int64, b: bool, s: utf8, l: list<int64>",
		sdktest.Row{"x": 1.5, "n": 3, "b": true, "s": "z"},
		sdktest.Row{"x": nil, "n": nil, "b": false, "s": nil},
		sdktest.Row{"x": 2.0, "n": 4, "b": nil, "s": "a"})
	b, err := sdktest.Batch(table.Schema, table.Rows)
	if err != nil {
		t.Fatal(err)
	}
	all := All(table.Schema)
	all.Add(b)
	all.Add(b)
	fr, err := all.Frame()
	if err != nil {
		t.Fatal(err)
	}
	if got := fr.Names(); !slices.Equal(got, []string{"x", "n", "b", "s"}) || fr.Rows() != 6 || all.Rows() != 6 {
		t.Fatalf("%q, %d rows", got, fr.Rows())
	}
	s, _ := fr.Column("s")
	if !slices.Equal(s.Levels, []string{"a", "z"}) || !slices.Equal(s.Codes, []int32{1, -1, 0, 1, -1, 0}) {
		t.Errorf("s: %q %v", s.Levels, s.Codes)
	}
	for name, want := range map[string][]float64{"x": {1.5, math.NaN(), 2}, "n": {3, math.NaN(), 4}, "b": {1, 0, math.NaN()}} {
		c, _ := fr.Column(name)
		for i, w := range want {
			if got := c.Num[i]; got != w && !(math.IsNaN(got) && math.IsNaN(w)) {
				t.Errorf("%s[%d] = %v, want %v", name, i, got, w)
			}
		}
	}
	if _, err := Of(table.Schema, "score", "xx"); err == nil || !strings.Contains(err.Error(), `did you mean "x"`) {
		t.Error(err)
	}
	if _, err := Of(table.Schema, "score", "l"); err == nil || !strings.Contains(err.Error(), "can be analysed") {
		t.Error(err)
	}
	if two, err := Of(table.Schema, "score", "s", "x", "s"); err != nil || len(two.columns) != 2 {
		t.Error(err)
	}
}
