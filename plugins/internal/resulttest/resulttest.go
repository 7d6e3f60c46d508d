// Package resulttest is for the tests of plugins that make tables of results:
// it reads reference tables, runs an operator with the checks that hold for
// every result, and finds and compares rows.
package resulttest

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/go/sdktest"
)

// Run runs an operator; a NaN or an infinity in its outputs fails the test.
func Run(t testing.TB, op sdk.Operator, params string, seed uint64, in sdktest.Tables) sdktest.Tables {
	t.Helper()
	out, err := sdktest.Run(t, op, params, seed, in)
	if err != nil {
		t.Fatal(err)
	}
	for port, table := range out {
		for i, r := range table.Rows {
			for name, v := range r {
				if f, ok := v.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
					t.Errorf("%s row %d: %s is %g", port, i, name, f)
				}
			}
		}
	}
	return out
}

// Fails wants an error that contains a text.
func Fails(t testing.TB, op sdk.Operator, params string, in sdktest.Tables, want string) {
	t.Helper()
	_, err := sdktest.Run(t, op, params, 0, in)
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%s %s: error %v, want %q", op.Name, params, err, want)
	}
}

// Only returns the one row with these values.
func Only(t testing.TB, table sdktest.Table, want sdktest.Row) sdktest.Row {
	t.Helper()
	var found []sdktest.Row
	for _, r := range table.Rows {
		ok := true
		for k, v := range want {
			ok = ok && fmt.Sprint(r[k]) == fmt.Sprint(v)
		}
		if ok {
			found = append(found, r)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d rows are %v", len(found), want)
	}
	return found[0]
}

// Near compares with a relative tolerance (absolute below 1e-3).
func Near(t testing.TB, what string, got any, want, tolerance float64) {
	t.Helper()
	v, ok := got.(float64)
	if n, whole := got.(int64); whole {
		v, ok = float64(n), true
	}
	if !ok || !(math.Abs(v-want) <= tolerance*math.Max(1e-3, math.Abs(want))) {
		t.Errorf("%s: %v, want %.15g (relative difference %.2g)", what, got, want, (v-want)/want)
	}
}

// Shared is the path of a reference that is not part of the repository: of the
// folder shared beside it. The test is skipped where there is none.
func Shared(t testing.TB, parts ...string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if filepath.Dir(dir) == dir {
			t.Fatal("no go.mod above the test's folder")
		}
		dir = filepath.Dir(dir)
	}
	path := filepath.Join(append([]string{filepath.Dir(dir), "shared"}, parts...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the reference %s is not here", filepath.Join(append([]string{"../shared"}, parts...)...))
	}
	return path
}

// JSON reads a JSON file.
func JSON(t testing.TB, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// CSV reads a table with a header: a column is of numbers where all its values
// are, and empty fields and NA are null.
func CSV(t testing.TB, path string) sdktest.Table {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	records, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	rows := make([]map[string]any, len(records)-1)
	for i, r := range records[1:] {
		rows[i] = map[string]any{}
		for j, v := range r {
			switch x, err := strconv.ParseFloat(v, 64); {
			case v == "" || v == "NA":
			case err == nil:
				rows[i][records[0][j]] = x
			default:
				rows[i][records[0][j]] = v
			}
		}
	}
	return Table(rows, records[0]...)
}

// Table makes a table of rows of numbers and texts.
func Table(rows []map[string]any, columns ...string) sdktest.Table {
	var fields []string
	for _, name := range columns {
		typ := "float64"
		for _, r := range rows {
			if _, text := r[name].(string); text {
				typ = "utf8"
			}
		}
		fields = append(fields, name+": "+typ)
		for _, r := range rows {
			if v, number := r[name].(float64); number && typ == "utf8" {
				r[name] = strconv.FormatFloat(v, 'g', -1, 64)
			}
		}
	}
	return sdktest.Of(strings.Join(fields, ", "), rows...)
}
