package frame_test

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/seed-4012077a/flow/sdk/stats/frame"
)

var nan = math.NaN()

func column(t *testing.T, f *frame.Frame, name string) *frame.Column {
	t.Helper()
	c, ok := f.Column(name)
	if !ok {
		t.Fatalf("no column %q", name)
	}
	return c
}

// The numbers as R 4.2 prints them by as.character.
func TestFormatAsR(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 1: "1", -1: "-1", 0.5: "0.5", 0.1 + 0.2: "0.3", 1.0 / 3: "0.333333333333333", 2.0 / 3: "0.666666666666667",
		100000: "1e+05", 123456: "123456", 1e15: "1e+15", 0.0001: "1e-04", 0.00012: "0.00012", 0.00001234: "1.234e-05", 1e-20: "1e-20",
		150000: "150000", 1200000: "1200000", 1e5 + 0.5: "100000.5", -0.00001: "-1e-05", 3e10: "3e+10", 1e300: "1e+300",
	} {
		if got := frame.Format(v); got != want {
			t.Errorf("Format(%v) = %q, want %q", v, got, want)
		}
	}
	if frame.Format(nan) != "NA" || frame.Format(math.Inf(-1)) != "-Inf" {
		t.Error("values that are no numbers")
	}
}

func TestFactors(t *testing.T) {
	f := frame.New(5)
	if err := f.AddStrings("s", []string{"b", "a", "", "c", "a"}, []bool{false, false, true, false, false}); err != nil {
		t.Fatal(err)
	}
	if err := f.AddNumeric("x", []float64{10, 2, nan, 10, -1}); err != nil {
		t.Fatal(err)
	}
	s := column(t, f, "s")
	if !reflect.DeepEqual(s.Levels, []string{"a", "b", "c"}) || !reflect.DeepEqual(s.Codes, []int32{1, 0, -1, 2, 0}) {
		t.Errorf("%v %v", s.Levels, s.Codes)
	}
	r, err := s.Relevel("c")
	if err != nil || !reflect.DeepEqual(r.Levels, []string{"c", "a", "b"}) || !reflect.DeepEqual(r.Codes, []int32{2, 1, -1, 0, 1}) {
		t.Errorf("%v %v", r, err)
	}
	if _, err := s.Relevel("d"); err == nil || !strings.Contains(err.Error(), "a, b, c") {
		t.Error(err)
	}
	o, err := s.Reorder([]string{"b", "c", "a"})
	if err != nil || !reflect.DeepEqual(o.Codes, []int32{0, 2, -1, 1, 2}) {
		t.Errorf("%v %v", o, err)
	}
	for _, bad := range [][]string{{"a", "b"}, {"a", "b", "c", "d"}, {"a", "a", "b", "c"}} {
		if _, err := s.Reorder(bad); err == nil {
			t.Errorf("levels %v are accepted", bad)
		}
	}
	x := column(t, f, "x").ToFactor() // by value, not by text
	if !reflect.DeepEqual(x.Levels, []string{"-1", "2", "10"}) || !reflect.DeepEqual(x.Codes, []int32{2, 1, -1, 2, 0}) {
		t.Errorf("%v %v", x.Levels, x.Codes)
	}
	back, err := x.ToNumeric()
	if err != nil || back.Num[0] != 10 || !math.IsNaN(back.Num[2]) || back.Num[4] != -1 {
		t.Errorf("%v %v", back, err)
	}
	if _, err := s.ToNumeric(); err == nil {
		t.Error("letters are no numbers")
	}
	part := f.Select([]int{4, 0, 99})
	if c := column(t, part, "s"); len(c.Levels) != 3 || !c.Missing(2) || c.Codes[0] != 0 {
		t.Errorf("%+v", c)
	}
	if c := column(t, part.DropLevels(), "s"); !reflect.DeepEqual(c.Levels, []string{"a", "b"}) {
		t.Errorf("%+v", c)
	}
	if !reflect.DeepEqual(s.Counts(), []int{2, 1, 1}) || !reflect.DeepEqual(column(t, f, "x").Distinct(), []float64{-1, 2, 10}) {
		t.Error("counts")
	}
	g, err := f.With(&frame.Column{Name: "x", Num: make([]float64, 5)})
	if err != nil || column(t, g, "x").Num[0] != 0 || column(t, f, "x").Num[0] != 10 {
		t.Error("With changes its frame")
	}
}

func TestBadColumns(t *testing.T) {
	f := frame.New(2)
	for name, err := range map[string]error{
		"no name":   f.AddNumeric("", []float64{1, 2}),
		"length":    f.AddNumeric("x", []float64{1}),
		"code":      f.AddFactor("f", []int32{0, 2}, []string{"a", "b"}),
		"minus two": f.AddFactor("f", []int32{0, -2}, []string{"a", "b"}),
		"levels":    f.AddFactor("f", []int32{0, 1}, []string{"a", "a"}),
		"marks":     f.AddStrings("f", []string{"a", "b"}, []bool{true}),
	} {
		if err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if f.AddNumeric("lambda", []float64{1, 2}) != nil || f.AddNumeric("lambda", []float64{1, 2}) == nil {
		t.Error("a name twice")
	}
	if err := f.Unknown("lamda"); !strings.Contains(err.Error(), `did you mean "lambda"`) {
		t.Error(err)
	}
}

func TestChoices(t *testing.T) {
	columns := []string{"week", "person_id", "age", "age"}
	for word, want := range map[string]string{
		"wek":     `did you mean "week"? (valid are age, person_id, week)`,
		"person":  `did you mean "person_id"? (valid are age, person_id, week)`,
		"country": `valid are age, person_id, week`,
	} {
		if got := frame.Choices(word, columns); got != want {
			t.Errorf("Choices(%q) = %s; want %s", word, got, want)
		}
	}
}
