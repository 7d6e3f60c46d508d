package trial

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"

	"github.com/seed-4012077a/flow/sdk/stats/frame"
)

const root = "../../.."

// released reads the study's released tables, or skips the test.
func released(t testing.TB) (*frame.Frame, string) {
	t.Helper()
	dir := filepath.Join(root, "../shared/kirk2025")
	files, _ := filepath.Glob(filepath.Join(dir, "trial/*.jsonl"))
	if len(files) == 0 {
		t.Skip("the study's released data are not at ../shared/kirk2025")
	}
	return readJSONL(t, files), dir
}

// readJSONL reads JSON Lines files as one frame, with each row's file.
func readJSONL(t testing.TB, files []string) *frame.Frame {
	t.Helper()
	var rows []map[string]any
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		for s := bufio.NewScanner(f); s.Scan(); {
			row := map[string]any{}
			if err := json.Unmarshal(s.Bytes(), &row); err != nil {
				t.Fatal(err)
			}
			row["file"] = filepath.Base(file)
			rows = append(rows, row)
		}
		f.Close()
	}
	return frameOf(t, rows)
}

// frameOf makes a frame of rows: numbers and booleans are numeric, and nil is
// missing.
func frameOf(t testing.TB, rows []map[string]any) *frame.Frame {
	t.Helper()
	names := map[string]bool{}
	for _, row := range rows {
		for k := range row {
			names[k] = true
		}
	}
	fr := frame.New(len(rows))
	for _, k := range sortedKeys(names) {
		num, text, missing, numeric := make([]float64, len(rows)), make([]string, len(rows)), make([]bool, len(rows)), true
		for i, row := range rows {
			switch v := row[k].(type) {
			case nil:
				num[i], missing[i] = math.NaN(), true
			case float64:
				num[i], text[i] = v, fmt.Sprint(v)
			case bool:
				text[i] = fmt.Sprint(v)
				if v {
					num[i] = 1
				}
			default:
				text[i], numeric = fmt.Sprint(v), false
			}
		}
		err := error(nil)
		if numeric {
			err = fr.AddNumeric(k, num)
		} else {
			err = fr.AddStrings(k, text, missing)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return fr
}

func readPlan(t testing.TB, path string) *Plan {
	t.Helper()
	var raw map[string]any
	if _, err := toml.DecodeFile(path, &raw); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(raw)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

type printed struct {
	Test    string `json:"test"`
	Kind    string `json:"test_type"`
	Family  string `json:"local_family"`
	Study   string `json:"study_type"`
	Outcome string `json:"outcome"`
	Specs   map[string]map[string]any
}

func readPrinted(t *testing.T, path string) (out []printed) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Contrasts []json.RawMessage `json:"contrasts"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	for _, raw := range doc.Contrasts {
		var p printed
		if err := json.Unmarshal(raw, &p); err != nil {
			t.Fatal(err)
		}
		all := map[string]json.RawMessage{}
		if err := json.Unmarshal(raw, &all); err != nil {
			t.Fatal(err)
		}
		p.Specs = map[string]map[string]any{}
		for _, spec := range []string{"primary", "coarsened", "narrow", "full"} {
			var numbers map[string]any
			if json.Unmarshal(all[spec], &numbers) == nil && len(numbers) > 0 {
				p.Specs[spec] = numbers
			}
		}
		out = append(out, p)
	}
	return out
}

// TestPrinted compares the analysis of the released data with every number
// that the study's authors printed for it.
func TestPrinted(t *testing.T) {
	input, dir := released(t)
	for _, c := range []struct {
		plan  string
		files []string
	}{
		{"attachment", []string{"attachment_contrasts", "attachment_contrasts_cs"}},
		{"psychosocial", []string{"psychosocial_contrasts"}},
	} {
		result, err := Analyse(readPlan(t, filepath.Join(root, "pipelines/kirk2025-trial", c.plan+".toml")), input, "file", nil)
		if err != nil {
			t.Fatal(err)
		}
		rows := map[string]Row{}
		for _, r := range result.Rows {
			rows[strings.Join([]string{r.Study, r.Outcome, r.Kind, r.Test, r.Spec}, "|")] = r
		}
		for _, file := range c.files {
			cells, exact, near := 0, 0, 0
			for _, want := range readPrinted(t, filepath.Join(dir, "expected", file+".json")) {
				for spec, numbers := range want.Specs {
					id := strings.Join([]string{want.Study, want.Outcome, want.Kind, want.Test, spec}, "|")
					got, ok := rows[id]
					if !ok || got.Family != want.Family {
						t.Errorf("%s: no row %s", file, id)
						continue
					}
					for name, v := range map[string]float64{"estimate": got.Estimate.Estimate, "se": got.SE, "lower_cl": got.Lower, "upper_cl": got.Upper, "p_raw": got.P, "p_local": got.Local, "p_global": got.Global} {
						w, ok := numbers[name].(float64)
						if !ok {
							continue
						}
						cells++
						switch {
						case digits(v) == digits(w):
							exact++
						case closeTo(v, w):
							near++
							t.Logf("%s %s: %.10g, printed %v", id, name, v, w)
						default:
							t.Errorf("%s %s: %.10g, printed %v", id, name, v, w)
						}
					}
				}
			}
			t.Logf("%s: %d numbers, %d to the digits printed, %d a rounding away", file, cells, exact, near)
		}
	}
}

// digits prints as the authors' files do: four decimals, or five significant
// digits where that is less than 1e-5.
func digits(v float64) string {
	if math.Abs(v) < 1e-5 && v != 0 {
		return fmt.Sprintf("%.4e", v)
	}
	return fmt.Sprintf("%.4f", v+0)
}

// closeTo reports whether v would print as w with an optimiser that stopped a
// little earlier: it is within 3e-6 of the numbers that round to w, or within
// 5e-5 of a small p.
func closeTo(v, w float64) bool {
	if math.Abs(w) < 1e-4 {
		return math.Abs(v-w) <= 5e-5*math.Abs(w)+1e-12 || math.Abs(v-w) <= 0.5e-4 && w == 0
	}
	return math.Abs(v-w) <= 0.5e-4+3e-6
}

// TestPrintedAssociations compares the chi-squared tests with those that the
// authors printed.
func TestPrintedAssociations(t *testing.T) {
	input, dir := released(t)
	p := readPlan(t, filepath.Join(root, "pipelines/kirk2025-trial/attachment.toml"))
	p.Outcomes = nil
	result, err := Analyse(p, input, "file", nil)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "expected/goodbye_treatment_tests.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]map[string]map[string]struct {
		ChiSquared  []float64 `json:"chi_sq"`
		DF          []int     `json:"df"`
		P           []float64 `json:"p_value"`
		MinExpected []float64 `json:"min_expected"`
		Breakdown   json.RawMessage
	}
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	n := 0
	for s, outcomes := range want {
		for outcome, treatments := range outcomes {
			for name, w := range treatments {
				n++
				i := slices.IndexFunc(result.Associations, func(a Associated) bool {
					return a.Study == s && a.Outcome == outcome && a.Treatment == name
				})
				if i < 0 {
					t.Errorf("no test of %s on %s in %s", outcome, name, s)
					continue
				}
				got := result.Associations[i]
				if digits(got.ChiSquared) != digits(w.ChiSquared[0]) || got.DF != w.DF[0] || digits(got.P) != digits(w.P[0]) && w.P[0] != 0 || digits(got.MinExpected) != digits(w.MinExpected[0]) {
					t.Errorf("%s on %s in %s: %+v, printed %+v", outcome, name, s, got, w)
				}
				type cell struct {
					N          int
					Percentage float64
				}
				var cells []cell
				if json.Unmarshal(w.Breakdown, &cells) == nil {
					for k, c := range cells {
						if k >= len(got.Cells) || got.Cells[k].N != c.N || digits(got.Cells[k].Percentage) != digits(c.Percentage) {
							t.Errorf("%s on %s in %s: cells %+v, printed %+v", outcome, name, s, got.Cells, cells)
							break
						}
					}
				}
			}
		}
	}
	if n != 13 {
		t.Errorf("%d tests were printed, 13 are known of", n)
	}
}
