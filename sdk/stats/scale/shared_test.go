package scale

import (
	"encoding/csv"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// shared finds the reference results that lie beside the checkout; tests skip
// where they do not.
func shared(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Skip("no go.mod above the test")
		}
		dir = up
	}
	dir = filepath.Join(dir, "..", "shared", "stats")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the reference results ../shared/stats are not here")
	}
	return dir
}

// readCSV returns the columns that keep accepts, and the first column.
func readCSV(t testing.TB, path string, keep func(name string) bool) (*Items, []string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	records, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	it := &Items{}
	for j, name := range records[0] {
		if !keep(name) {
			continue
		}
		var column []float64
		for _, r := range records[1:] {
			v, err := strconv.ParseFloat(r[j], 64)
			if err != nil {
				v = math.NaN()
			}
			column = append(column, v)
		}
		it.Names, it.Columns = append(it.Names, name), append(it.Columns, column)
	}
	for _, r := range records[1:] {
		ids = append(ids, r[0])
	}
	return it, ids
}

func readJSON(t testing.TB, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

type sharedFactors struct {
	Loadings, Phi, Unrotated, Weights [][]float64
	Tight                             struct{ Loadings, Phi [][]float64 } `json:"oblimin_tight"`
	Objective, Chi, RMS, RMSEA        float64
	TLI, BIC                          float64
	DOF                               int
	Communality                       []float64
}

func TestBigFive(t *testing.T) {
	dir := shared(t)
	items, _ := readCSV(t, filepath.Join(dir, "real", "bfi25.csv"), func(string) bool { return true })
	var ref struct {
		Poly struct {
			Psych        [][]float64  `json:"rho_psych"`
			Lavaan       [][]float64  `json:"rho_lavaan_pairwise"`
			Polycor      []float64    `json:"polycor_two_step_A1_vs"`
			Tau          [][]*float64 `json:"tau_psych"`
			Pearson      [][]float64
			KMO          float64
			MLUniqueness []float64 `json:"ml_uniqueness"`
		} `json:"bfi_polychoric"`
		Two  sharedFactors `json:"bfi_fa2"`
		Five sharedFactors `json:"bfi_fa5"`
	}
	readJSON(t, filepath.Join(dir, "ref", "real_data.json"), &ref)
	c, err := Correlate(items, Defaults())
	if err != nil {
		t.Fatal(err)
	}
	nearMatrix(t, "psych", c.R, ref.Poly.Psych, 1e-4)
	nearMatrix(t, "lavaan", c.R, ref.Poly.Lavaan, 1e-4)
	for i, row := range ref.Poly.Tau {
		for k, want := range row {
			near(t, "threshold", c.Thresholds[i][k], *want, 1e-12)
		}
	}
	o := Defaults()
	o.PairThresholds, o.Correct = true, 0
	byPair, err := Correlate(items, o)
	if err != nil {
		t.Fatal(err)
	}
	for j, want := range ref.Poly.Polycor {
		near(t, "polycor, by pair", byPair.R.At(0, j+1), want, 1e-4)
	}
	pearson, err := Correlate(items, CorrelationOptions{Method: Pearson})
	if err != nil {
		t.Fatal(err)
	}
	nearMatrix(t, "Pearson", pearson.R, ref.Poly.Pearson, 1e-12)

	// From psych's own matrix: what differs is the factoring alone.
	given := given(items.Names, ref.Poly.Psych, items.Rows())
	for m, want := range map[int]sharedFactors{2: ref.Two, 5: ref.Five} {
		for _, from := range []*Correlation{given, c} {
			s, err := Factor(from, FactorDefaults(m))
			if err != nil {
				t.Fatal(err)
			}
			nearMatrix(t, "loadings", s.Loadings, want.Loadings, 5e-4)
			nearMatrix(t, "Phi", s.Phi, want.Phi, 5e-4)
			tight, phi := aligned(s.Loadings, want.Tight.Loadings, want.Tight.Phi)
			nearMatrix(t, "tight oblimin", s.Loadings, tight, 5e-4)
			nearMatrix(t, "tight Phi", s.Phi, phi, 5e-4)
			nearMatrix(t, "unrotated", s.Unrotated, want.Unrotated, 5e-4)
			nearAll(t, "communality", s.Communality, want.Communality, 5e-4)
			near(t, "RMSR", s.Fit.RMSR, want.RMS, 1e-5)
			near(t, "RMSEA", s.Fit.RMSEA, want.RMSEA, 1e-4)
			near(t, "TLI", s.Fit.TLI, want.TLI, 1e-3)
			if from == given {
				near(t, "objective", s.Fit.Objective, want.Objective, 1e-6)
				near(t, "chi-squared", s.Fit.ChiSquared, want.Chi, 3e-3)
				w, err := s.weights(s.R, Thurstone)
				if err != nil {
					t.Fatal(err)
				}
				nearMatrix(t, "weights", w, want.Weights, 5e-4)
			}
			if s.Fit.DF != want.DOF || len(s.Notes) > 0 {
				t.Errorf("%d factors: df %d, notes %v", m, s.Fit.DF, s.Notes)
			}
		}
	}
	ml := FactorDefaults(2)
	ml.Extraction = ML
	lavaan := &Correlation{Names: items.Names, R: symmetric(dense(ref.Poly.Lavaan)), Rows: items.Rows()}
	s, err := Factor(lavaan, ml)
	if err != nil {
		t.Fatal(err)
	}
	nearAll(t, "factanal's uniquenesses", s.Uniqueness, ref.Poly.MLUniqueness, 1e-4)
	a, err := c.Adequate(0)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "KMO", a.KMO, ref.Poly.KMO, 1e-4)
}

func TestSimulatedTrialScores(t *testing.T) {
	dir := shared(t)
	var ref struct {
		EFA struct {
			Items           []string
			Psych           [][]float64 `json:"rho_psych_correct05"`
			Loadings, Phi   [][]float64
			Weights         [][]float64 `json:"weights_thurstone"`
			WeightsTenBerge [][]float64 `json:"weights_tenberge"`
			Eigen           []float64
			KMO             float64
			Bartlett        struct{ Chisq float64 }
			Fit             struct {
				Objective, RMS, RMSEA, TLI, BIC, Chi float64
				DOF                                  int
			}
		}
	}
	readJSON(t, filepath.Join(dir, "ref", "end_of_study.json"), &ref)
	wanted, ids := readCSV(t, filepath.Join(dir, "ref", "factor_scores.csv"), func(n string) bool { return strings.HasPrefix(n, "F") })
	wave := func(suffix string) (*Items, []string) {
		path := filepath.Join(dir, "sim", "participants.csv")
		it, pids := readCSV(t, path, func(n string) bool {
			base, ok := strings.CutSuffix(n, suffix)
			return ok && slices.Contains(ref.EFA.Items, base)
		})
		for j := range it.Names {
			it.Names[j] = strings.TrimSuffix(it.Names[j], suffix)
		}
		return it, pids
	}
	before, pids := wave("_pre")
	after, _ := wave("_post")
	c, err := Correlate(before, Defaults())
	if err != nil {
		t.Fatal(err)
	}
	nearMatrix(t, "psych", c.R, ref.EFA.Psych, 1e-4)
	s, err := Factor(c, FactorDefaults(2))
	if err != nil {
		t.Fatal(err)
	}
	nearMatrix(t, "loadings", s.Loadings, ref.EFA.Loadings, 5e-4)
	nearMatrix(t, "Phi", s.Phi, ref.EFA.Phi, 5e-4)
	nearAll(t, "eigenvalues", s.Eigenvalues, ref.EFA.Eigen, 2e-4)
	near(t, "RMSEA", s.Fit.RMSEA, ref.EFA.Fit.RMSEA, 1e-4)
	near(t, "TLI", s.Fit.TLI, ref.EFA.Fit.TLI, 1e-4)
	sc, err := s.Scorer(before, ScoreOptions{Method: Thurstone})
	if err != nil {
		t.Fatal(err)
	}
	nearMatrix(t, "weights", sc.Weights, ref.EFA.Weights, 5e-4)
	tb, err := s.Scorer(before, ScoreOptions{Method: TenBerge})
	if err != nil {
		t.Fatal(err)
	}
	nearMatrix(t, "ten Berge's weights", tb.Weights, ref.EFA.WeightsTenBerge, 5e-4)
	pre, _ := sc.Score(before)
	post, _ := sc.Score(after)
	worst, n := 0.0, 0
	for i, id := range ids {
		at := slices.Index(pids, id)
		for k, got := range []float64{pre[0][at], post[0][at], pre[1][at], post[1][at]} {
			want := wanted.Columns[k][i]
			if math.IsNaN(got) != math.IsNaN(want) {
				t.Fatalf("%s: %g, want %g", id, got, want)
			}
			if !math.IsNaN(want) {
				worst = math.Max(worst, math.Abs(got-want))
				n++
			}
		}
	}
	t.Logf("%d scores, off by at most %.2g", n, worst)
	if n < 7000 || worst > 1e-3 {
		t.Errorf("%d scores, off by %g", n, worst)
	}
}

func BenchmarkPolychoric25(b *testing.B) {
	items, _ := readCSV(b, filepath.Join(shared(b), "real", "bfi25.csv"), func(string) bool { return true })
	for b.Loop() {
		if _, err := Correlate(items, Defaults()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFactor5(b *testing.B) {
	items, _ := readCSV(b, filepath.Join(shared(b), "real", "bfi25.csv"), func(string) bool { return true })
	c, err := Correlate(items, CorrelationOptions{Method: Pearson})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Factor(c, FactorDefaults(5)); err != nil {
			b.Fatal(err)
		}
	}
}
