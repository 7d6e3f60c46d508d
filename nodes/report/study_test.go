package main

import (
	"bytes"
	"encoding/csv"
	"flag"
	"fmt"
	"image"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
)

var keepTrial = flag.String("keep-trial", "", "folder for the files that TestTrialPage makes, to look at")

// trialTables are small tables of every kind that a trial gives.
func trialTables() map[string]arrow.Table {
	random := rand.New(rand.NewPCG(3, 5))
	var contrasts, means, people, counts, flow, points, trend, anchors [][]any
	outcomes := []string{"reliance", "separation_distress", "willing " + hostile}
	for k, outcome := range outcomes {
		method := "linear mixed model, REML"
		if k == 2 {
			method = "logistic regression"
		}
		for s, spec := range []string{"primary", "coarsened", "narrow", "full"} {
			estimate, se := float64(5-2*k)-0.5*float64(s), 0.8+0.2*float64(k)
			for _, kind := range [][2]string{{"main_effect_RS", "RS: Avg(Pos) - Avg(Neg)"}, {"moderation", "RS × Domain"}} {
				var corrected any
				if spec == "primary" {
					corrected = 0.0004
				}
				contrasts = append(contrasts, []any{"longitudinal", outcome, kind[1], kind[0], spec, estimate, se, nil, estimate - 1.959963984540054*se, estimate + 1.959963984540054*se, 0.0001, corrected, 100, method, nil})
			}
		}
		contrasts = append(contrasts, []any{"longitudinal", outcome, "all", "failed", "demographics", nil, nil, nil, nil, nil, nil, nil, 100, "", "quasi-complete separation {50%} & $x_1$"})
		for _, l := range []float64{-1, -0.5, 0, 0.5, 1} {
			y := 50 + 5*math.Tanh(2*l) - float64(10*k)
			means = append(means, []any{"longitudinal", outcome, "dose", l, nil, nil, nil, y, y - 2, y + 2},
				[]any{"longitudinal", outcome, "dose", l, nil, "domain", "emotional", y + 3, y, y + 6}, []any{"longitudinal", outcome, "dose", l, nil, "domain", "political", y - 3, y - 6, y},
				[]any{"longitudinal", outcome, "observed", l, nil, nil, nil, y + 0.3, y - 3, y + 3})
			for t := 1.0; t <= 4; t++ {
				means = append(means, []any{"longitudinal", outcome, "trajectory", l, t, nil, nil, y + t*l, y + t*l - 2, y + t*l + 2}, []any{"longitudinal", outcome, "observed", l, t, nil, nil, y + t*l + 0.4, nil, nil})
			}
		}
	}
	for i := range 900 {
		x, y := random.NormFloat64()-0.3, random.NormFloat64()+0.2
		name := map[[2]bool]string{{true, true}: "Aligned Engagement", {true, false}: "Decoupled Satiation", {false, true}: "Decoupled Dependency", {false, false}: "Aligned Disengagement"}[[2]bool{x > 0, y > 0}]
		people = append(people, []any{fmt.Sprint("p", i), x, y, name})
	}
	people = append(people, []any{"without", nil, 1.0, nil})
	for _, arm := range []string{"-1", "-0.5", "0", "0.5", "1"} {
		for k, name := range []string{"Aligned Disengagement", "Aligned Engagement", "Decoupled Dependency", "Decoupled Satiation"} {
			share := 0.25 + 0.03*float64(k-1)
			counts = append(counts, []any{"lambda", arm, name, 45, share, share - 0.06, share + 0.06})
		}
	}
	flow = append(flow, []any{"Assessed for eligibility", 1, nil, 1240, 115, nil}, []any{"Assessed for eligibility", 1, nil, 1240, 80, "did not meet the criteria"}, []any{"Assessed for eligibility", 1, nil, 1240, 35, "declined " + hostile})
	for k, arm := range []string{"λ -1", "λ -0.5", "λ 0", "λ 0.5", "λ 1", "λ 1 personalised", "λ -1 personalised"} {
		n := 160 + k
		flow = append(flow, []any{"Randomised", 2, arm, n, 4, nil}, []any{"Randomised", 2, arm, n, 4, "no reason given"}, []any{"Finished week 4", 3, arm, n - 4, 20, nil}, []any{"Finished week 4", 3, arm, n - 4, 12, "withdrew"},
			[]any{"Finished week 4", 3, arm, n - 4, 8, "lost, could not be reached by any of the ways that were agreed on"}, []any{"Analysed", 4, arm, n - 24, 0, nil})
	}
	for k := range 18 {
		year := 2022.5 + 0.17*float64(k)
		y := 30 + 6*(year-2022) + 4*random.NormFloat64()
		points = append(points, []any{fmt.Sprint("model-", k), year, y, y - 2, y + 2})
	}
	for k := range 10 {
		year := 2022.5 + 0.32*float64(k)
		trend = append(trend, []any{year, 30 + 6*(year-2022), 28 + 6*(year-2022), 32 + 6*(year-2022)})
	}
	for _, l := range []float64{-1, 0, 1} {
		anchors = append(anchors, []any{l, 45 + 8*l})
	}
	var power [][]any
	for k, test := range []string{"RS: Avg(Pos) - Avg(Neg)", "domain"} {
		for _, spec := range []string{"primary", "coarsened"} {
			for _, n := range []int{60, 120, 240} {
				p := 1 - math.Exp(-float64(n)/float64(100+60*k))
				power = append(power, []any{n, test, spec, p, p - 0.08, min(1, p+0.08)})
			}
		}
	}
	return map[string]arrow.Table{
		"power": table([]arrow.Field{field("participants", integer), field("test", utf8), field("spec", utf8), field("power", float), field("ci_lower", float), field("ci_upper", float)}, power...),
		"contrasts": table([]arrow.Field{field("study_type", utf8), field("outcome", utf8), field("test", utf8), field("test_type", utf8), field("spec", utf8), field("estimate", float), field("se", float), field("df", float),
			field("lower_cl", float), field("upper_cl", float), field("p_raw", float), field("p_global", float), field("n", integer), field("method", utf8), field("note", utf8)}, contrasts...),
		"means": table([]arrow.Field{field("study_type", utf8), field("outcome", utf8), field("kind", utf8), field("lambda", float), field("time", float), field("factor", utf8), field("level", utf8),
			field("mean", float), field("ci_lower", float), field("ci_upper", float)}, means...),
		"profiles":       table([]arrow.Field{field("participant", utf8), field("liking", float), field("wanting", float), field("profile", utf8)}, people...),
		"profile_counts": table([]arrow.Field{field("by", utf8), field("arm", utf8), field("profile", utf8), field("n", integer), field("share", float), field("ci_lower", float), field("ci_upper", float)}, counts...),
		"flow":           table([]arrow.Field{field("stage", utf8), field("step", integer), field("arm", utf8), field("n", integer), field("lost", integer), field("reason", utf8)}, flow...),
		"points":         table([]arrow.Field{field("model", utf8), field("year", float), field("mean", float), field("ci_lower", float), field("ci_upper", float)}, points...),
		"trend":          table([]arrow.Field{field("year", float), field("mean", float), field("ci_lower", float), field("ci_upper", float)}, trend...),
		"anchors":        table([]arrow.Field{field("lambda", float), field("mean", float)}, anchors...),
	}
}

func TestTrialPage(t *testing.T) {
	files, err := run(t, `{"title":"Trial","simulated":true}`, trialTables())
	if err != nil {
		t.Fatal(err)
	}
	for path, data := range files {
		if *keepTrial != "" {
			at := filepath.Join(*keepTrial, path)
			if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(at, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		switch filepath.Ext(path) {
		case ".svg":
			wellFormed(t, path, data)
			if bytes.Contains(data, []byte("<script")) {
				t.Errorf("%s holds a table's markup", path)
			}
			if !bytes.Contains(data, []byte(simulatedWords)) {
				t.Errorf("%s does not say that its data are simulated", path)
			}
		case ".png":
			inked(t, path, data)
		case ".csv":
			if _, err := csv.NewReader(bytes.NewReader(data)).ReadAll(); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		case ".tex":
			if !bytes.Contains(data, []byte(`\caption{`+latexEscape(simulatedWords))) {
				t.Errorf("%s does not say that its data are simulated", path)
			}
			balanced(t, path, string(data))
		}
	}
	for _, want := range []string{"flow", "means-longitudinal", "means-longitudinal-by-domain", "trajectories-longitudinal", "forest-longitudinal-main-effect-rs", "forest-longitudinal-main-effect-rs-log-odds",
		"forest-longitudinal-moderation", "profiles", "profile-shares", "panel-trend", "power"} {
		if files["figures/"+want+".svg"] == nil || files["figures/"+want+".png"] == nil {
			t.Errorf("there is no picture %s", want)
		}
	}
	html := string(files["index.html"])
	for _, want := range []string{simulatedWords, "95% confidence interval", "What could not be estimated, Longitudinal", "quasi-complete separation {50%} &amp; $x_1$", "3.00", "3.43 to 6.57", "Profiles of liking and wanting"} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(html, "<script") {
		t.Error("a table's markup is in the page")
	}
	tex := string(files["tables/contrasts-longitudinal-failed.tex"])
	if want := `quasi-complete separation \{50\%\} \& \$x\_\allowbreak{}1\$`; !strings.Contains(tex, want) {
		t.Errorf("the LaTeX table lacks %q:\n%s", want, tex)
	}
}

// inked holds a picture to have something drawn in it, and nothing that runs
// over its edge.
func inked(t *testing.T, path string, data []byte) {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Errorf("%s: %v", path, err)
		return
	}
	dark := func(r image.Rectangle) (n int) {
		for y := r.Min.Y; y < r.Max.Y; y++ {
			for x := r.Min.X; x < r.Max.X; x++ {
				if r, g, b, _ := img.At(x, y).RGBA(); r+g+b < 3*0x8000 {
					n++
				}
			}
		}
		return n
	}
	b := img.Bounds()
	if n := dark(b); n < 500 {
		t.Errorf("%s is all but empty: %d dark pixels", path, n)
	}
	for _, edge := range []image.Rectangle{{b.Min, image.Pt(b.Max.X, 2)}, {image.Pt(0, b.Max.Y-2), b.Max}, {b.Min, image.Pt(2, b.Max.Y)}, {image.Pt(b.Max.X-2, 0), b.Max}} {
		if n := dark(edge); n > 0 {
			t.Errorf("%s: %d dark pixels at the edge %v: something is cut off", path, n, edge)
		}
	}
}

// balanced holds a LaTeX file to braces that match and environments that end.
func balanced(t *testing.T, path, tex string) {
	t.Helper()
	depth := 0
	for i := 0; i < len(tex); i++ {
		switch tex[i] {
		case '\\':
			i++
		case '{':
			depth++
		case '}':
			if depth--; depth < 0 {
				t.Errorf("%s: a brace too many at byte %d", path, i)
				return
			}
		}
	}
	if depth != 0 {
		t.Errorf("%s: %d braces stay open", path, depth)
	}
	for _, env := range []string{"table", "tabular", "longtable"} {
		if strings.Count(tex, `\begin{`+env+"}") != strings.Count(tex, `\end{`+env+"}") {
			t.Errorf("%s: %s begins and ends unequally often", path, env)
		}
	}
}
