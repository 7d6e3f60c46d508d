package lmm

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/seed-4012077a/flow/sdk/stats/estimate"
	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"github.com/seed-4012077a/flow/sdk/stats/internal/reftest"
)

// trialTable is a table of the simulated trial as the reference scripts
// prepare it: time from 1, lambda also as three and as five levels.
func trialTable(t testing.TB, file, time string) *frame.Frame {
	t.Helper()
	fr := readFrame(t, filepath.Join(reftest.Shared(t), "sim", file), "personalised")
	v := numbers(t, fr, time)
	for i := range v {
		v[i]++
	}
	out := frame.New(fr.Rows())
	for _, name := range fr.Names() {
		if name != "personalised" && name != "domain" {
			c, _ := fr.Column(name)
			if err := out.Add(c); err != nil {
				t.Fatal(err)
			}
		}
	}
	recode(t, fr, "personalised", out, "personalised", []string{"no", "yes"}, func(c *frame.Column, i int) string {
		return map[string]string{"0": "no", "1": "yes"}[c.Levels[c.Codes[i]]]
	})
	recode(t, fr, "domain", out, "domain", []string{"political", "emotional"}, func(c *frame.Column, i int) string {
		return c.Levels[c.Codes[i]]
	})
	recode(t, fr, "lambda", out, "rscat", []string{"neg", "zero", "pos"}, func(c *frame.Column, i int) string {
		switch {
		case c.Num[i] < 0:
			return "neg"
		case c.Num[i] > 0:
			return "pos"
		}
		return "zero"
	})
	recode(t, fr, "lambda", out, "lamf", []string{"-1", "-0.5", "0", "0.5", "1"}, func(c *frame.Column, i int) string {
		return frame.Format(c.Num[i])
	})
	return out
}

func recode(t testing.TB, from *frame.Frame, name string, to *frame.Frame, as string, levels []string, f func(*frame.Column, int) string) {
	t.Helper()
	c, ok := from.Column(name)
	if !ok {
		t.Fatalf("no column %q", name)
	}
	at := map[string]int32{}
	for i, l := range levels {
		at[l] = int32(i)
	}
	codes := make([]int32, from.Rows())
	for i := range codes {
		code, ok := at[f(c, i)]
		if !ok {
			t.Fatalf("column %q row %d has no level", name, i)
		}
		codes[i] = code
	}
	if err := to.AddFactor(as, codes, levels); err != nil {
		t.Fatal(err)
	}
}

// stacked puts columns below each other: lme4's reshape(direction = "long").
func stacked(t testing.TB, fr *frame.Frame, columns []string, value, key string) *frame.Frame {
	t.Helper()
	var rows []int
	var v []float64
	var k []string
	for _, c := range columns {
		num := numbers(t, fr, c)
		for i := range num {
			rows = append(rows, i)
			v = append(v, num[i])
			k = append(k, c)
		}
	}
	out := fr.Select(rows)
	if err := out.AddNumeric(value, v); err != nil {
		t.Fatal(err)
	}
	if err := out.AddStrings(key, k, nil); err != nil {
		t.Fatal(err)
	}
	return out
}

func compareAll(t *testing.T, file string, source func(path string) (*frame.Frame, formula.Options)) {
	var refs any
	readRef(t, file, &refs)
	w := worst{}
	count := 0
	each(refs, "", func(path string, ref merged) {
		fr, fo := source(path)
		if fr == nil {
			return
		}
		count++
		t.Run(strings.TrimPrefix(path, "/"), func(t *testing.T) {
			compare(t, w, fitFormula(t, ref.Formula, fr, fo, Options{REML: ref.REML}), ref)
		})
	})
	t.Log(count, "models")
	w.report(t)
}

func TestRealData(t *testing.T) {
	dir := filepath.Join(reftest.Shared(t), "real")
	tables := map[string]*frame.Frame{
		"sleepstudy": readFrame(t, filepath.Join(dir, "sleepstudy.csv"), "Subject"),
		"penicillin": readFrame(t, filepath.Join(dir, "Penicillin.csv")),
		"dyestuff":   readFrame(t, filepath.Join(dir, "Dyestuff.csv")),
		"pastes":     readFrame(t, filepath.Join(dir, "Pastes.csv")),
	}
	compareAll(t, "real_data.json", func(path string) (*frame.Frame, formula.Options) {
		name, _, _ := strings.Cut(path[1:], "_")
		return tables[name], formula.Options{}
	})
}

func TestDaily(t *testing.T) {
	fr := trialTable(t, "daily.csv", "session")
	compareAll(t, "daily_preferences.json", func(string) (*frame.Frame, formula.Options) { return fr, formula.Options{} })
}

// likingTable stacks two daily ratings, with time centred over the rows that
// have one, as the script does.
func likingTable(t testing.TB) *frame.Frame {
	t.Helper()
	day := trialTable(t, "daily.csv", "session")
	liking := stacked(t, day, []string{"likeable", "engaging"}, "y", "k")
	y, s := numbers(t, liking, "y"), numbers(t, liking, "session")
	sum, n := 0.0, 0.0
	for i := range y {
		if !math.IsNaN(y[i]) {
			sum, n = sum+s[i], n+1
		}
	}
	sc := make([]float64, len(s))
	for i := range sc {
		sc[i] = s[i] - sum/n
	}
	if err := liking.AddNumeric("sc", sc); err != nil {
		t.Fatal(err)
	}
	return liking
}

func TestWeekly(t *testing.T) {
	fr := trialTable(t, "weekly.csv", "week")
	long := stacked(t, fr, []string{"reliance", "understanding"}, "val", "outcome_measure")
	liking := likingTable(t)
	compareAll(t, "weekly_attachment.json", func(path string) (*frame.Frame, formula.Options) {
		switch {
		case strings.HasSuffix(path, "/pooled"):
			return long, formula.Options{}
		case strings.HasSuffix(path, "/liking_model"):
			return liking, formula.Options{}
		}
		return fr, formula.Options{}
	})
}

func TestWeighted(t *testing.T) {
	fr := trialTable(t, "weekly.csv", "week")
	weights := readFrame(t, filepath.Join(reftest.Shared(t), "ref", "ipw_weights.csv"))
	of := map[string]float64{}
	ids, _ := weights.Column("pid")
	for i, w := range numbers(t, weights, "w") {
		of[ids.Levels[ids.Codes[i]]] = w
	}
	pid, _ := fr.Column("pid")
	w := make([]float64, fr.Rows())
	for i := range w {
		var ok bool
		if w[i], ok = of[pid.Levels[pid.Codes[i]]]; !ok {
			w[i] = math.NaN()
		}
	}
	if err := fr.AddNumeric("w", w); err != nil {
		t.Fatal(err)
	}
	compareAll(t, "end_of_study.json", func(string) (*frame.Frame, formula.Options) { return fr, formula.Options{Weights: "w"} })
}

func TestModelEvaluation(t *testing.T) {
	dir := filepath.Join(reftest.Shared(t), "sim")
	val := readFrame(t, filepath.Join(dir, "validation.csv"))
	cal := readFrame(t, filepath.Join(dir, "calibration.csv"))
	fro := readFrame(t, filepath.Join(dir, "frontier.csv"))
	year := numbers(t, fro, "year")
	first := math.Inf(1)
	for _, y := range year {
		first = math.Min(first, y)
	}
	years := make([]float64, len(year))
	for i := range years {
		years[i] = year[i] - first
	}
	if err := fro.AddNumeric("years", years); err != nil {
		t.Fatal(err)
	}
	compareAll(t, "model_eval.json", func(path string) (*frame.Frame, formula.Options) {
		switch {
		case strings.Contains(path, "validation"):
			return val, formula.Options{Reference: map[string]string{"model": "steered_llama"}}
		case strings.Contains(path, "calibration"):
			return cal, formula.Options{}
		}
		return fro, formula.Options{}
	})
}

func TestLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	full := trialTable(t, "daily_full42588.csv", "session")
	inst := readFrame(t, filepath.Join(reftest.Shared(t), "real", "InstEval.csv"), "s", "d", "dept", "service")
	compareAll(t, "perf_fits.json", func(path string) (*frame.Frame, formula.Options) {
		if strings.Contains(path, "daily") {
			return full, formula.Options{}
		}
		return inst, formula.Options{}
	})
}

func TestKenwardRogerShared(t *testing.T) {
	var refs map[string]struct {
		Contrast []map[string]any
		VcovAdj  [][]float64
	}
	readRef(t, "kenward_roger.json", &refs)
	weekly, day := trialTable(t, "weekly.csv", "week"), trialTable(t, "daily.csv", "session")
	w := worst{}
	for y, ref := range refs {
		fr, time := weekly, "week"
		if y == "engaging" {
			fr, time = day, "session"
		}
		text := strings.NewReplacer("Y", y, "T", time).Replace("Y ~ lambda + I(lambda^2) + I(lambda^3) + personalised + domain + T + lambda:personalised + lambda:domain + lambda:T + personalised:T + domain:T + (1 + T | pid)")
		m := fitFormula(t, text, fr, formula.Options{}, Options{REML: true, DF: KenwardRoger})
		cov, err := m.Covariance()
		if err != nil {
			t.Fatal(err)
		}
		for i, row := range ref.VcovAdj {
			for j, v := range row {
				if err := w.at("covariance", (cov.At(i, j)-v)/math.Sqrt(ref.VcovAdj[i][i]*ref.VcovAdj[j][j]), 0, 1e-5, false); err != nil {
					t.Error(err)
				}
			}
		}
		// mean of lambda 0.5 and 1 minus mean of -0.5 and -1, other factors at
		// their middle and time at its mean.
		d := m.Design()
		mean := 0.0
		for _, v := range numbers(t, d.Data(), time) {
			mean += v / float64(m.NObs())
		}
		l := make([]float64, len(d.Names))
		for j, n := range d.Names {
			switch n {
			case "lambda":
				l[j] = 1.5
			case "I(lambda^3)":
				l[j] = 1.125
			case "lambda:personalisedyes", "lambda:domainemotional":
				l[j] = 0.75
			case "lambda:" + time:
				l[j] = 1.5 * mean
			}
		}
		e, err := estimate.Of(m, y, l, 0.95)
		if err != nil {
			t.Fatal(err)
		}
		c := ref.Contrast[0]
		for _, err := range []error{
			w.at("estimate", e.Estimate, c["estimate"].(float64), 1e-5, true),
			w.at("SE", e.SE, c["SE"].(float64), 1e-5, true),
			w.at("df", e.DF, c["df"].(float64), 1e-3, true),
			w.at("lower", e.Lower, c["lower.CL"].(float64), 1e-5, true),
			w.at("p", e.P, c["p.value"].(float64), 1e-3, true),
		} {
			if err != nil {
				t.Error(y, err)
			}
		}
	}
	w.report(t)
}

func TestSleepstudyShared(t *testing.T) {
	fr := readFrame(t, filepath.Join(reftest.Shared(t), "real", "sleepstudy.csv"), "Subject")
	b, err := os.ReadFile(filepath.Join(reftest.Shared(t), "ref", "real_data.json"))
	if err != nil {
		t.Fatal(err)
	}
	var refs struct {
		Sleepstudy_KR [][]float64
	}
	if err := json.Unmarshal(b, &refs); err != nil {
		t.Fatal(err)
	}
	m := fitFormula(t, "Reaction ~ Days + (Days | Subject)", fr, formula.Options{}, Options{REML: true, DF: KenwardRoger})
	w := worst{}
	co, err := estimate.Coefficients(m, 0.95)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range co {
		r := refs.Sleepstudy_KR[i]
		for _, err := range []error{w.at("SE", e.SE, r[1], 1e-6, true), w.at("df", e.DF, r[2], 1e-5, true), w.at("p", e.P, r[4], 1e-3, true)} {
			if err != nil {
				t.Error(err)
			}
		}
	}
	f, ndf, ddf, err := m.Joint(mat.NewDense(1, 2, []float64{0, 1}))
	if err != nil || ndf != 1 || math.Abs(f-co[1].Statistic*co[1].Statistic) > 1e-9*f || math.Abs(ddf-co[1].DF) > 1e-6 {
		t.Error(f, ndf, ddf, err)
	}
	w.report(t)
}

// lme4 interpolates its profiles by splines; three digits are all there are.
func TestProfilesShared(t *testing.T) {
	fr := readFrame(t, filepath.Join(reftest.Shared(t), "real", "sleepstudy.csv"), "Subject")
	var refs struct {
		Sleepstudy_profile_ci struct{ Ci [][]float64 }
	}
	readRef(t, "real_data.json", &refs)
	ci := refs.Sleepstudy_profile_ci.Ci
	m := fitFormula(t, "Reaction ~ Days + (Days | Subject)", fr, formula.Options{}, Options{REML: true})
	sd, err := m.StandardDeviationIntervals(0.95)
	if err != nil {
		t.Fatal(err)
	}
	fixed, err := m.ProfileIntervals(0.95)
	if err != nil {
		t.Fatal(err)
	}
	w := worst{}
	for i, iv := range append(sd, fixed...) {
		want := ci[[]int{0, 2, 3, 4, 5}[i]]
		for _, err := range []error{w.at("lower", iv.Lower, want[0], 2e-3, true), w.at("upper", iv.Upper, want[1], 2e-3, true)} {
			if err != nil {
				t.Error(iv.Label, err)
			}
		}
	}
	w.report(t)
}

// Participants' slopes are sums of fixed and random effects.
func TestLevelCoefficientsShared(t *testing.T) {
	want := readFrame(t, filepath.Join(reftest.Shared(t), "ref", "profiles_slopes.csv"))
	pid, _ := want.Column("pid")
	w := worst{}
	for _, c := range []struct {
		fr               *frame.Frame
		text, slope, ref string
	}{
		{likingTable(t), "y ~ sc + (sc | pid)", "sc", "liking"},
		{trialTable(t, "weekly.csv", "week"), "sep_distress ~ week + (week | pid)", "week", "wanting"},
	} {
		m := fitFormula(t, c.text, c.fr, formula.Options{}, Options{REML: true})
		levels, columns, coef, err := m.LevelCoefficients("pid")
		if err != nil {
			t.Fatal(err)
		}
		at := map[string]int{}
		for i, l := range levels {
			at[l] = i
		}
		if len(columns) != 2 || columns[1] != c.slope {
			t.Fatal(columns)
		}
		ref := numbers(t, want, c.ref)
		for i, v := range ref {
			g, ok := at[pid.Levels[pid.Codes[i]]]
			if !ok {
				t.Fatal(pid.Levels[pid.Codes[i]])
			}
			if err := w.at(c.ref, coef.At(g, 1), v, 1e-5, false); err != nil {
				t.Error(err)
			}
		}
		if _, _, _, err := m.LevelCoefficients("person"); err == nil || !strings.Contains(err.Error(), "pid") {
			t.Error(err)
		}
	}
	w.report(t)
}
