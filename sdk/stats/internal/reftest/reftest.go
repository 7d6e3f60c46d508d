// Package reftest has what tests of several models need to be compared with
// R's results: the folder of shared references, tables as frames, designs.
package reftest

import (
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
)

// Shared finds the folder of reference results beside the repository, or skips
// the test.
func Shared(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			path := filepath.Join(dir, "..", "shared", "stats")
			if _, err := os.Stat(path); err != nil {
				t.Skip("the shared reference results (../shared/stats) are not here")
			}
			return path
		}
	}
	t.Skip("no repository root above the test")
	return ""
}

// CSV reads a table: columns of numbers are numeric, others factors, and empty
// cells and NA are missing. change rewrites the texts of some columns first.
func CSV(t testing.TB, path string, change map[string]func(string) string) *frame.Frame {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Skipf("reference data: %v", err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	fr := frame.New(len(rows) - 1)
	for j, name := range rows[0] {
		num, text, missing := make([]float64, fr.Rows()), make([]string, fr.Rows()), make([]bool, fr.Rows())
		numeric := true
		for i, row := range rows[1:] {
			s := row[j]
			if f := change[name]; f != nil {
				s = f(s)
			}
			text[i], missing[i] = s, s == "" || s == "NA"
			v, err := strconv.ParseFloat(s, 64)
			if num[i] = v; missing[i] {
				num[i] = math.NaN()
			}
			numeric = numeric && (err == nil || missing[i])
		}
		add(t, fr, name, numeric, num, text, missing)
	}
	return fr
}

// Rows makes a frame of a JSON list of objects without missing values.
func Rows(t testing.TB, rows []map[string]any) *frame.Frame {
	t.Helper()
	fr := frame.New(len(rows))
	for name, v := range rows[0] {
		num, text := make([]float64, fr.Rows()), make([]string, fr.Rows())
		for i, row := range rows {
			num[i], _ = row[name].(float64)
			text[i], _ = row[name].(string)
		}
		_, words := v.(string)
		add(t, fr, name, !words, num, text, nil)
	}
	return fr
}

func add(t testing.TB, fr *frame.Frame, name string, numeric bool, num []float64, text []string, missing []bool) {
	t.Helper()
	var err error
	if numeric {
		err = fr.AddNumeric(name, num)
	} else {
		err = fr.AddStrings(name, text, missing)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Design parses a formula over a frame.
func Design(t testing.TB, fr *frame.Frame, text string, o formula.Options) *formula.Design {
	t.Helper()
	f, err := formula.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	d, err := f.Design(fr, o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
