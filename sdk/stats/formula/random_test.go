package formula_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"github.com/seed-4012077a/flow/sdk/stats/internal/reftest"
)

type randomTerm struct {
	Group  string
	Names  []string
	Levels []string
	Index  []int32
	Z      []float64
}

func loadRandom(t *testing.T) (map[string][]randomTerm, *frame.Frame) {
	t.Helper()
	var ref struct {
		Data  map[string][]any
		Cases []struct {
			Formula string
			Terms   []randomTerm
		}
	}
	data, err := os.ReadFile("testdata/random.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &ref); err != nil {
		t.Fatal(err)
	}
	fr := frame.New(len(ref.Data["y"]))
	for name, values := range ref.Data {
		num, text := make([]float64, fr.Rows()), make([]string, fr.Rows())
		letters := false
		for i, v := range values {
			switch v := v.(type) {
			case float64:
				num[i] = v
			case string:
				text[i], letters = v, true
			default:
				num[i] = math.NaN()
			}
		}
		if letters {
			err = fr.AddStrings(name, text, nil)
		} else {
			err = fr.AddNumeric(name, num)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	out := map[string][]randomTerm{}
	for _, c := range ref.Cases {
		out[c.Formula] = c.Terms
	}
	return out, fr
}

// lme4 orders random terms by their number of levels and numbers terms of one
// group ("a.1"): they are compared as sets.
func TestRandomTermsAgainstLme4(t *testing.T) {
	ref, fr := loadRandom(t)
	if len(ref) < 12 {
		t.Fatalf("%d cases", len(ref))
	}
	key := func(group string, names []string) string { return strings.Split(group, ".")[0] + fmt.Sprint(names) }
	for text, want := range ref {
		d := reftest.Design(t, fr, text, formula.Options{})
		if len(d.Random) != len(want) {
			t.Errorf("%s: %d random terms, want %d", text, len(d.Random), len(want))
			continue
		}
		again, err := d.NewRandom(fr.Select(d.Rows))
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range d.Random {
			at := slices.IndexFunc(want, func(w randomTerm) bool { return key(w.Group, w.Names) == key(r.Group, r.Names) })
			if at < 0 {
				t.Errorf("%s: no term %s %v among %+v", text, r.Group, r.Names, want)
				continue
			}
			w := want[at]
			if !reflect.DeepEqual(r.Levels, w.Levels) || !reflect.DeepEqual(r.Index, w.Index) || !reflect.DeepEqual(again[i].Index, w.Index) {
				t.Errorf("%s: levels %v %v, want %v %v", text, r.Levels, r.Index, w.Levels, w.Index)
			}
			for j, z := range r.Z.RawMatrix().Data {
				if math.Abs(z-w.Z[j]) > 1e-12 || math.Abs(again[i].Z.RawMatrix().Data[j]-w.Z[j]) > 1e-12 {
					t.Errorf("%s: Z[%d] = %g, want %g", text, j, z, w.Z[j])
					break
				}
			}
			if r.Correlated != (len(r.Names) > 1) {
				t.Errorf("%s: %s correlated: %v", text, r.Text, r.Correlated)
			}
		}
	}
}

func TestNewRandomLevels(t *testing.T) {
	_, fr := loadRandom(t)
	d := reftest.Design(t, fr, "y ~ 1 + (1 | a)", formula.Options{})
	fresh := frame.New(2)
	if err := fresh.AddStrings("a", []string{"zz", "q"}, nil); err != nil {
		t.Fatal(err)
	}
	r, err := d.NewRandom(fresh)
	if err != nil || r[0].Index[0] != -1 || r[0].Index[1] != 1 {
		t.Errorf("%+v %v", r, err)
	}
}
