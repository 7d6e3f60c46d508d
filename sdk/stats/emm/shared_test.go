package emm_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/seed-4012077a/flow/sdk/stats/emm"
	"github.com/seed-4012077a/flow/sdk/stats/estimate"
	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"github.com/seed-4012077a/flow/sdk/stats/internal/reftest"
	"github.com/seed-4012077a/flow/sdk/stats/lmm"
)

func read(t *testing.T, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Skipf("reference results: %v", err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

type row map[string]any

func (r row) number(names ...string) float64 {
	for _, n := range names {
		if v, ok := r[n].(float64); ok {
			return v
		}
	}
	return math.NaN()
}

func checkRows(t *testing.T, name string, s *emm.Set, want []row, relative, df float64) {
	t.Helper()
	got := must(s.Estimates(emm.Report{}))(t)
	if len(got) != len(want) {
		t.Errorf("%s: %d rows, want %d", name, len(got), len(want))
		return
	}
	for i, w := range want {
		g := got[i]
		for _, c := range []struct {
			what             string
			got, want, close float64
		}{
			{"estimate", g.Estimate.Estimate, w.number("estimate", "emmean", "lambda.trend"), relative}, {"SE", g.SE, w.number("SE"), relative},
			{"lower", g.Lower, w.number("lower.CL"), relative}, {"upper", g.Upper, w.number("upper.CL"), relative},
			{"df", g.DF, w.number("df"), df}, {"p", g.P, w.number("p.value"), 10 * df},
		} {
			if !(math.Abs(c.got-c.want) <= c.close*math.Max(math.Abs(c.want), 0.05)) && !(c.what == "p" && c.want < 1e-12 && c.got < 1e-12) {
				t.Errorf("%s: %s of %s %v = %.10g, want %.10g", name, c.what, g.Label, g.Group, c.got, c.want)
			}
		}
	}
}

func trial(t *testing.T, file string) *frame.Frame {
	return reftest.CSV(t, filepath.Join(reftest.Shared(t), "sim", file), map[string]func(string) string{
		"personalised": func(s string) string { return map[string]string{"0": "no", "1": "yes"}[s] },
	})
}

// contrastsOfTrial repeats the reference scripts' contrasts of one model: they
// gave emmeans all rows of the table, those without the outcome too.
func contrastsOfTrial(t *testing.T, m estimate.Linear, fr *frame.Frame, want map[string][]row, relative, df float64) {
	at := func(name string, v ...float64) emm.GridOptions {
		return emm.GridOptions{At: map[string][]float64{name: v}, Data: fr}
	}
	lambda := []string{"lambda"}
	four := at("lambda", -1, -.5, .5, 1)
	primary := emm.Groups("pos_minus_neg", []string{"0.5", "1"}, []string{"-1", "-0.5"})
	contrast := func(s *emm.Set, m emm.Method) *emm.Set { return must(s.Contrast(m))(t) }
	mean := func(o emm.GridOptions, of ...string) *emm.Set { return means(t, m, o, of, nil, emm.Equal) }

	checkRows(t, "emm", mean(at("lambda", -1, -.5, 0, .5, 1), "lambda"), want["emm"], relative, df)
	checkRows(t, "primary", contrast(mean(four, "lambda"), primary), want["primary"], relative, df)
	checkRows(t, "narrow", contrast(mean(at("lambda", -.5, .5), "lambda"), emm.RevPairwise()), want["narrow"], relative, df)
	checkRows(t, "full", contrast(mean(at("lambda", -1, 1), "lambda"), emm.RevPairwise()), want["full"], relative, df)
	checkRows(t, "domain", contrast(mean(emm.GridOptions{Data: fr}, "domain"), emm.RevPairwise()), want["domain"], relative, df)
	checkRows(t, "personalised", contrast(mean(emm.GridOptions{Data: fr}, "personalised"), emm.RevPairwise()), want["personalised"], relative, df)
	byDomain := contrast(means(t, m, four, lambda, []string{"domain"}, emm.Equal), primary)
	checkRows(t, "by_domain", byDomain, want["by_domain"], relative, df)
	checkRows(t, "domain_moderation", must(byDomain.ContrastOver(emm.RevPairwise()))(t), want["domain_moderation"], relative, df)
	if want["by_time"] == nil {
		return
	}
	times := emm.GridOptions{At: map[string][]float64{"lambda": {-1, -.5, .5, 1}, "session": {1, 20}}, Data: fr}
	byTime := contrast(means(t, m, times, lambda, []string{"session"}, emm.Equal), primary)
	checkRows(t, "by_time", byTime, want["by_time"], relative, df)
	checkRows(t, "time_interaction", must(byTime.ContrastOver(emm.RevPairwise()))(t), want["time_interaction"], relative, df)
	slopes := must(emm.Slopes(m, "session", four, lambda, nil, emm.Equal))(t)
	checkRows(t, "slope_neg_pos", contrast(slopes, emm.Custom(
		emm.Weighted{Label: "neg", Coefficients: []float64{.5, .5, 0, 0}},
		emm.Weighted{Label: "pos", Coefficients: []float64{0, 0, .5, .5}})), want["slope_neg_pos"], relative, df)
}

func TestLeastSquaresTrialContrasts(t *testing.T) {
	fr := trial(t, "participants.csv")
	c, _ := fr.Column("treated")
	var rows []int
	for i, v := range c.Num {
		if v == 1 {
			rows = append(rows, i)
		}
	}
	fr = fr.Select(rows)
	var ref map[string]struct {
		Full struct {
			Formula string
			Coef    []row
		}
		Contrasts map[string][]row
	}
	raw := map[string]json.RawMessage{}
	read(t, filepath.Join(reftest.Shared(t), "ref", "end_of_study.json"), &raw)
	keep := map[string]json.RawMessage{}
	for _, k := range []string{"future", "onto", "conscious"} {
		keep[k] = raw[k]
	}
	data, _ := json.Marshal(keep)
	if err := json.Unmarshal(data, &ref); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"future", "onto", "conscious"} {
		t.Run(name, func(t *testing.T) {
			full := ref[name].Full
			m := fit(t, fr, full.Formula, formula.Options{Reference: map[string]string{"domain": "political"}})
			for j, e := range must(estimate.Coefficients(m, 0.95))(t) {
				w := full.Coef[j]
				if e.Label != w["term"] || math.Abs(e.Estimate-w.number("estimate")) > 1e-9*math.Abs(e.Estimate) || math.Abs(e.SE/w.number("se")-1) > 1e-9 {
					t.Errorf("%+v, want %v", e, w)
				}
			}
			contrastsOfTrial(t, m, fr, ref[name].Contrasts, 1e-8, 1e-9)
		})
	}
}

func TestMixedModelTrialContrasts(t *testing.T) {
	if testing.Short() {
		t.Skip("fits 39,508 rows")
	}
	fr := trial(t, "daily.csv")
	session, _ := fr.Column("session")
	later := slices.Clone(session.Num)
	for i := range later {
		later[i]++
	}
	fr = must(fr.With(&frame.Column{Name: "session", Num: later}))(t)
	var ref map[string]struct {
		Full      struct{ Formula string }
		Contrasts map[string][]row
	}
	read(t, filepath.Join(reftest.Shared(t), "ref", "daily_preferences.json"), &ref)
	d := reftest.Design(t, fr, ref["engaging"].Full.Formula, formula.Options{Reference: map[string]string{"domain": "political"}})
	m := must(lmm.Fit(d, lmm.Options{REML: true, DF: lmm.Satterthwaite}))(t)
	contrastsOfTrial(t, m, fr, ref["engaging"].Contrasts, 1e-5, 1e-3)
}

func TestWarpbreaks(t *testing.T) {
	fr := reftest.CSV(t, filepath.Join(reftest.Shared(t), "real", "warpbreaks.csv"), nil)
	tension, _ := fr.Column("tension")
	fr = must(fr.With(must(tension.Reorder([]string{"L", "M", "H"}))(t)))(t)
	var ref struct {
		Warpbreaks struct{ EMM, Pairs []row }
	}
	read(t, filepath.Join(reftest.Shared(t), "ref", "real_data.json"), &ref)
	s := means(t, fit(t, fr, "breaks ~ wool * tension", formula.Options{}), emm.GridOptions{}, []string{"tension"}, []string{"wool"}, emm.Equal)
	checkRows(t, "means", s, ref.Warpbreaks.EMM, 1e-9, 1e-9)
	checkRows(t, "pairs", must(s.Contrast(emm.Pairwise()))(t), ref.Warpbreaks.Pairs, 1e-9, 1e-9)
}
