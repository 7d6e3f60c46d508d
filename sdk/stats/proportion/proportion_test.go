package proportion

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Newcombe (1998, Statist. Med. 17:873) prints his limits for 56/70 and 48/80 to
// four digits: method 10 gives 0.0524 to 0.3339, method 11 0.0428 to 0.3422.
func TestNewcombeAgainstHisTable(t *testing.T) {
	for m, want := range map[Method]Interval{Wilson: {0.0524, 0.3339}, WilsonCorrected: {0.0428, 0.3422}} {
		e := must[Effect](t)(RiskDifference(Sample{56, 70}, Sample{48, 80}, m, 0.95))
		if math.Abs(e.Lower-want.Lower) > 5e-5 || math.Abs(e.Upper-want.Upper) > 5e-5 {
			t.Errorf("%v: got %.4f to %.4f, want %.4f to %.4f", m, e.Lower, e.Upper, want.Lower, want.Upper)
		}
	}
}

func TestNumberNeeded(t *testing.T) {
	d := Effect{Measure: "risk difference", Estimate: 0.05, Interval: Interval{-0.025, 0.125}}
	for _, c := range []struct {
		est, lo, hi float64
		bad         bool
		want        string
	}{
		{0.05, -0.025, 0.125, true, "NNTH 20.0 (NNTH 8.0 to ∞ to NNTB 40.0)"},
		{0.05, -0.025, 0.125, false, "NNTB 20.0 (NNTB 8.0 to ∞ to NNTH 40.0)"},
		{-0.05, -0.125, 0.025, true, "NNTB 20.0 (NNTB 8.0 to ∞ to NNTH 40.0)"},
		{0.2, 0.1, 0.25, true, "NNTH 5.0 (4.0 to 10.0)"},
		{-0.2, -0.25, -0.1, true, "NNTB 5.0 (4.0 to 10.0)"},
		{0, -0.1, 0.1, true, "NNTH ∞ (NNTH 10.0 to ∞ to NNTB 10.0)"},
	} {
		d.Estimate, d.Interval = c.est, Interval{c.lo, c.hi}
		if got := must[Needed](t)(NumberNeeded(d, c.bad, 0.95)).String(); got != c.want {
			t.Errorf("difference %v (%v, %v): got %q, want %q", c.est, c.lo, c.hi, got, c.want)
		}
	}
	if _, err := NumberNeeded(Effect{Measure: "odds ratio"}, true, 0.95); err == nil {
		t.Error("a number needed to treat was made from an odds ratio")
	}
}

func TestBadInputNamesTheCause(t *testing.T) {
	for _, c := range []struct {
		want string
		call func() error
	}{
		{"at least one trial", func() error { _, err := Sample{0, 0}.Limits(Wilson, 0.95); return err }},
		{"between 0 and the number of trials", func() error { _, err := Exact(Sample{5, 4}, 0.5, TwoSided, 0.95); return err }},
		{"confidence level 95", func() error { _, err := Sample{1, 4}.Limits(Wald, 95); return err }},
		{"no variance", func() error { _, err := TwoSample(Sample{0, 4}, Sample{0, 9}, TwoSided, true, 0.95); return err }},
		{`column "b" of the table is empty`, func() error {
			_, err := (&Table{Cols: []string{"a", "b"}, Counts: [][]int{{1, 0}, {4, 0}}}).ChiSquared(true)
			return err
		}},
		{"at least two rows", func() error { _, err := (&Table{Counts: [][]int{{1, 2}}}).G(); return err }},
		{"no discordant pair", func() error {
			_, err := (&Table{Counts: [][]int{{9, 0}, {0, 4}}}).McNemar(true, 0.95)
			return err
		}},
		{"all scores are equal", func() error { _, err := Trend([]Sample{{1, 3}, {2, 3}}, []float64{1, 1}, TwoSided); return err }},
		{"not determined", func() error { _, err := OddsRatio(Sample{0, 3}, Sample{0, 5}, 0.95); return err }},
		{"valid: wilson, wilson-corrected", func() error { _, err := ParseMethod("score"); return err }},
		{"valid: two.sided, less, greater", func() error { _, err := ParseAlternative("up"); return err }},
	} {
		if err := c.call(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got error %v, want one with %q", err, c.want)
		}
	}
}

func TestCrossCountsAndSkipsMissing(t *testing.T) {
	tab, missing, err := Cross([]int32{0, 0, 1, 1, -1, 2}, []int32{0, 2, 2, 2, 0, -1}, []string{"a", "b", "c"}, []string{"x", "y", "z"})
	if err != nil {
		t.Fatal(err)
	}
	if missing != 2 || strings.Join(tab.Rows, "") != "ab" || strings.Join(tab.Cols, "") != "xz" {
		t.Fatalf("got %+v with %d missing", tab, missing)
	}
	rows := must[[]Row](t)(tab.Groups(Wilson, 0.95))
	if len(rows) != 4 || rows[3].Group != "b" || rows[3].Level != "z" || rows[3].N != 2 || rows[3].Percentage != 100 {
		t.Errorf("group table: %+v", rows)
	}
}

// The study's own chi-squared tests, when its release lies beside the checkout:
// 1506 and 1820 rows of two levels, compared to the four decimals printed.
func TestStudyCrossTable(t *testing.T) {
	path := shared("kirk2025/expected/goodbye_treatment_tests.json")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Skip("the study's released data are not beside this checkout")
	}
	var f map[string]map[string]map[string]struct {
		ChiSq       []float64 `json:"chi_sq"`
		DF          []float64 `json:"df"`
		P           []float64 `json:"p_value"`
		MinExpected []float64 `json:"min_expected"`
		Breakdown   json.RawMessage
	}
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	done := 0
	for _, outcomes := range f {
		for _, tests := range outcomes {
			for name, want := range tests {
				var rows []struct {
					Group string
					Level int
					N     int
				}
				if json.Unmarshal(want.Breakdown, &rows) != nil || len(rows) == 0 {
					continue
				}
				tab := &Table{}
				for _, r := range rows {
					if len(tab.Rows) == 0 || tab.Rows[len(tab.Rows)-1] != r.Group {
						tab.Rows, tab.Counts = append(tab.Rows, r.Group), append(tab.Counts, []int{0, 0})
					}
					tab.Counts[len(tab.Counts)-1][r.Level] = r.N
				}
				got := must[*Independence](t)(tab.ChiSquared(true))
				if math.Abs(got.Statistic-want.ChiSq[0]) > 5.1e-5 || got.DF != want.DF[0] || math.Abs(got.MinExpected-want.MinExpected[0]) > 5.1e-5 || math.Abs(got.P-want.P[0]) > 5.1e-5 {
					t.Errorf("%s: got X2 %.5f df %v p %.5g least %.5f, want %v %v %v %v", name, got.Statistic, got.DF, got.P, got.MinExpected, want.ChiSq, want.DF, want.P, want.MinExpected)
				}
				done++
			}
		}
	}
	if done == 0 {
		t.Error("no test of the file carried its counts")
	}
}

// shared finds a file in the folder beside the repository that holds material
// not part of it.
func shared(name string) string {
	dir, err := os.Getwd()
	for err == nil && dir != filepath.Dir(dir) {
		if _, e := os.Stat(filepath.Join(dir, "go.mod")); e == nil {
			return filepath.Join(filepath.Dir(dir), "shared", name)
		}
		dir = filepath.Dir(dir)
	}
	return ""
}

func FuzzLimitsHoldTheEstimate(f *testing.F) {
	f.Add(3, 10, 0.95)
	f.Add(0, 1, 0.5)
	f.Fuzz(func(t *testing.T, x, n int, level float64) {
		if n > 1<<20 {
			t.Skip()
		}
		s := Sample{x, n}
		for m := Wilson; m <= Jeffreys; m++ {
			i, err := s.Limits(m, level)
			if err != nil {
				continue
			}
			if math.IsNaN(i.Lower) || math.IsNaN(i.Upper) || i.Lower < 0 || i.Upper > 1 || i.Lower > i.Upper+1e-12 {
				t.Errorf("%v of %+v at %v: %+v", m, s, level, i)
			}
		}
	})
}
