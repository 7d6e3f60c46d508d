package stats_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Numbers that R gives again may differ by this from those that are kept:
// versions of R, its packages and BLAS differ between machines, and what an
// optimiser finds differs with them. A difference below absolute is rounding,
// as of a coefficient that is zero. A script whose numbers R itself does not
// give again so closely says so in a line "# Tolerance 1e-4: why".
const (
	relative = 1e-6
	absolute = 1e-9
)

var ownTolerance = regexp.MustCompile(`(?m)^# Tolerance (\S+): \S`)

func toleranceOf(script []byte) (float64, error) {
	m := ownTolerance.FindSubmatch(script)
	if m == nil {
		return relative, nil
	}
	v, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil || v <= 0 || v > 1e-3 {
		return 0, fmt.Errorf("its tolerance %s is not a number up to 1e-3", m[1])
	}
	return v, nil
}

// TestReferencesFromR runs every R script below sdk/stats and plugins again
// (NAME.R OUT.json) and compares what it writes with NAME.json beside it.
// FLOW_RSCRIPT names the interpreter; `make test-r` sets it.
func TestReferencesFromR(t *testing.T) {
	rscript := os.Getenv("FLOW_RSCRIPT")
	if rscript == "" {
		t.Skip("FLOW_RSCRIPT names no Rscript: `make test-r` installs R and sets it")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, script := range scripts(t, filepath.Join(root, "sdk", "stats"), filepath.Join(root, "plugins")) {
		name, err := filepath.Rel(root, script)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(script)
			if err != nil {
				t.Fatal(err)
			}
			tolerance, err := toleranceOf(text)
			if err != nil {
				t.Fatal(err)
			}
			kept, err := os.ReadFile(strings.TrimSuffix(script, ".R") + ".json")
			if err != nil {
				t.Fatalf("%v: a script NAME.R stands beside the NAME.json that it wrote", err)
			}
			out := filepath.Join(t.TempDir(), "out.json")
			cmd := exec.Command(rscript, "--vanilla", filepath.Base(script), out)
			cmd.Dir = filepath.Dir(script)
			if text, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%s %s OUT.json: %v\n%s", rscript, name, err, text)
			}
			again, err := os.ReadFile(out)
			if err != nil {
				t.Fatalf("it wrote nothing to the path that is its argument: %v", err)
			}
			c := compareJSON(kept, again, tolerance)
			t.Logf("%s: %d numbers, %d differ, by at most %.2g relative (%s)", name, c.numbers, c.unequal, c.worst, c.at)
			for _, d := range c.differences {
				t.Error(d)
			}
			if c.more > 0 {
				t.Errorf("and %d more", c.more)
			}
		})
	}
}

// scripts lists the R scripts below folders.
func scripts(t *testing.T, folders ...string) (paths []string) {
	t.Helper()
	for _, dir := range folders {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && filepath.Ext(path) == ".R" {
				paths = append(paths, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(paths) == 0 {
		t.Fatal("no R script found")
	}
	return paths
}

// comparison is how two JSON values differ.
type comparison struct {
	tolerance        float64
	numbers, unequal int
	worst            float64 // relative, of the differences above absolute
	at               string  // where it is
	differences      []string
	more             int // differences beyond those listed
}

// listed is how many differences of a file are told one by one.
const listed = 20

func compareJSON(kept, again []byte, tolerance float64) *comparison {
	c := &comparison{tolerance: tolerance, at: "-"}
	var a, b any
	for _, x := range []struct {
		what string
		text []byte
		into *any
	}{{"the kept file", kept, &a}, {"what R wrote", again, &b}} {
		d := json.NewDecoder(bytes.NewReader(x.text))
		d.UseNumber()
		if err := d.Decode(x.into); err != nil {
			c.say("%s is not JSON: %v", x.what, err)
			return c
		}
	}
	c.value("", a, b)
	return c
}

func (c *comparison) say(format string, args ...any) {
	if len(c.differences) == listed {
		c.more++
		return
	}
	c.differences = append(c.differences, fmt.Sprintf(format, args...))
}

func (c *comparison) value(path string, a, b any) {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok {
			c.say("%s: kept an object, now %s", path, brief(b))
			return
		}
		c.object(path, a, b)
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			c.say("%s: kept an array of %d, now %s", path, len(a), brief(b))
			return
		}
		for i := range a {
			c.value(fmt.Sprintf("%s[%d]", path, i), a[i], b[i])
		}
	case json.Number:
		b, ok := b.(json.Number)
		if !ok {
			c.say("%s: kept %s, now %s", path, a, brief(b))
			return
		}
		c.number(path, a, b)
	default:
		if a != b {
			c.say("%s: kept %s, now %s", path, brief(a), brief(b))
		}
	}
}

func (c *comparison) object(path string, a, b map[string]any) {
	var keys []string
	for k := range a {
		keys = append(keys, k)
	}
	for k := range b {
		if _, ok := a[k]; !ok {
			c.say("%s: %q is new", path, k)
		}
	}
	slices.Sort(keys)
	for _, k := range keys {
		if v, ok := b[k]; ok {
			c.value(path+"."+k, a[k], v)
		} else {
			c.say("%s: %q is no longer there", path, k)
		}
	}
}

func (c *comparison) number(path string, a, b json.Number) {
	c.numbers++
	if a == b {
		return
	}
	c.unequal++
	x, errX := a.Float64()
	y, errY := b.Float64()
	if errX != nil || errY != nil {
		c.say("%s: kept %s, now %s", path, a, b)
		return
	}
	off, size := math.Abs(x-y), max(math.Abs(x), math.Abs(y))
	if off <= absolute {
		return
	}
	if off/size > c.worst {
		c.worst, c.at = off/size, path
	}
	if off > c.tolerance*size {
		c.say("%s: kept %s, now %s (relative %.2g)", path, a, b, off/size)
	}
}

func brief(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	if len(b) > 60 {
		return string(b[:60]) + "..."
	}
	return string(b)
}

// TestComparisonSees holds the comparison itself to what must be told.
func TestComparisonSees(t *testing.T) {
	const kept = `{"a": [1, 2.5, null, "x"], "b": {"c": 1e-12}}`
	for again, want := range map[string]string{
		kept: "",
		`{"a": [1.0000000001, 2.5, null, "x"], "b": {"c": 3e-12}}`:     "",
		`{"a": [1.00001, 2.5, null, "x"], "b": {"c": 1e-12}}`:          ".a[0]: kept 1, now 1.00001",
		`{"a": [1, 2.5, 0, "x"], "b": {"c": 1e-12}}`:                   ".a[2]: kept null, now 0",
		`{"a": [1, 2.5, null, "y"], "b": {"c": 1e-12}}`:                `.a[3]: kept "x", now "y"`,
		`{"a": [1, 2.5, null], "b": {"c": 1e-12}}`:                     ".a: kept an array of 4",
		`{"a": [1, 2.5, null, "x"], "b": {"c": "NaN"}}`:                ".b.c: kept 1e-12, now",
		`{"a": [1, 2.5, null, "x"], "b": {}}`:                          `.b: "c" is no longer there`,
		`{"a": [1, 2.5, null, "x"], "b": {"c": 1e-12}, "d": 1}`:        `"d" is new`,
		`{"a": {"1": 1}, "b": {"c": 1e-12}}`:                           ".a: kept an array of 4",
		`{"a": [1, 2.5, null, "x"], "b": [1e-12]}`:                     ".b: kept an object",
		`{"a": [1, 2.5, null, "x"], "b": {"c": 1e-12`:                  "is not JSON",
		`{"a": [1, 2.5, null, "x"], "b": {"c": 1e400}}`:                ".b.c: kept 1e-12, now 1e400",
		`{"a": [-1, 2.5, null, "x"], "b": {"c": 1e-12}}`:               "relative 2",
		`{"a": [1, 2.5, null, "x", 5], "b": {"c": 1e-12}, "a2": [[]]}`: "of 4",
	} {
		got := strings.Join(compareJSON([]byte(kept), []byte(again), relative).differences, "\n")
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", again, got, want)
		}
	}
}
