package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/seed-4012077a/flow/sdk/stats/design"
	"github.com/seed-4012077a/flow/sdk/stats/estimate"
	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"github.com/seed-4012077a/flow/sdk/stats/lmm"
)

// dailyFormula is stats.R's too.
const dailyFormula = "engaging ~ lambda + I(lambda^2) + I(lambda^3) + personalised + domain + session + lambda:personalised + lambda:domain + lambda:session + personalised:session + domain:session + (1 + session | pid)"

// dailyTrial simulates a trial with a daily outcome, from which participants
// drop out.
func dailyTrial(participants, sessions int) (*frame.Frame, error) {
	times := make([]float64, sessions)
	for i := range times {
		times[i] = float64(i)
	}
	low, high := 0.0, 100.0
	return design.Trial{
		Participants: participants, ID: "pid", Time: "session", Times: times,
		Factors:   []design.Factor{{Name: "lambda", Levels: []string{"-1", "-0.5", "0", "0.5", "1"}}, {Name: "personalised", Levels: []string{"no", "yes"}}, {Name: "domain", Levels: []string{"political", "emotional"}}},
		Attrition: design.Mean{Formula: "~ lambda", Coefficients: map[string]float64{"(Intercept)": -3.8, "lambda": -0.2}},
		Outcomes: []design.Outcome{{Name: "engaging", SDIntercept: 18, SDSlope: 0.6, Correlation: -0.25, SD: 13, Min: &low, Max: &high, Step: 1,
			Mean: design.Mean{Formula: "~ lambda + I(lambda^2) + domain + session + lambda:session", Coefficients: map[string]float64{
				"(Intercept)": 55, "lambda": 3, "I(lambda^2)": -4, "domainemotional": 3, "session": -0.3, "lambda:session": 0.1}}}},
	}.Simulate(20251123)
}

// fit is a mixed model to measure.
type fit struct {
	fr   *frame.Frame
	text string
	o    lmm.Options
}

func (f fit) once(tests bool) (*lmm.Model, error) {
	p, err := formula.Parse(f.text)
	if err != nil {
		return nil, err
	}
	d, err := p.Design(f.fr, formula.Options{})
	if err != nil {
		return nil, err
	}
	m, err := lmm.Fit(d, f.o)
	if err == nil && tests {
		_, err = estimate.Coefficients(m, 0.95)
	}
	return m, err
}

// native measures the fit in this process, and gives the model.
func (f fit) native(times int, tests bool) (took time.Duration, m *lmm.Model, err error) {
	took, err = fastest(times, func() (err error) {
		m, err = f.once(tests)
		return err
	})
	return took, m, err
}

// daily measures the trial's speed case: some 42,588 rows of 2,028
// participants, with random intercepts and slopes.
func daily(ctx context.Context, b *bench) (lines []line, err error) {
	dir, err := b.folder("daily")
	if err != nil {
		return nil, err
	}
	fr, err := dailyTrial(2028, 28)
	if err != nil {
		return nil, err
	}
	made := filepath.Join(dir, "daily.csv")
	if err := writeFrame(made, fr); err != nil {
		return nil, err
	}
	lines, err = b.dailyFile(ctx, fmt.Sprintf("%d rows", fr.Rows()), made)
	if err != nil {
		return nil, err
	}
	const kept = "../shared/stats/sim/daily_full42588.csv"
	if _, err := os.Stat(kept); err != nil {
		return lines, nil
	}
	path, err := filepath.Abs(kept)
	if err != nil {
		return nil, err
	}
	more, err := b.dailyFile(ctx, "42588 rows without dropout", path)
	return append(lines, more...), err
}

func (b *bench) dailyFile(ctx context.Context, what, file string) (lines []line, err error) {
	fr, err := readFrame(file)
	if err != nil {
		return nil, err
	}
	r, why := b.peer(ctx, "daily", file, "lmerTest")
	lme4 := [][2]string{{"PeerDefault", "lme4"}, {"PeerBobyqa", "lme4 by bobyqa"}}
	test := [][2]string{{"PeerSatterthwaite", "lmerTest"}}
	f := fit{fr: fr, text: dailyFormula, o: lmm.Options{REML: true}}
	took, m, err := f.native(5, false)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"PeerDefault", "PeerBobyqa"} {
		if err := agree("REML criterion", m.Criterion(), r, name, 0.1); err != nil {
			return nil, err
		}
	}
	lines = append(lines, line{what: what + ", design and fit, native", value: ms(took)}.beside(took, r, why, lme4...))
	with := fmt.Sprintf(", formula = %q, part = ", f.text)
	for _, g := range []struct{ what, part, target string }{
		{"design and fit, WASM", "fit", "5x"}, {"design alone, WASM", "design", ""}, {"design, fit and Satterthwaite's tests, WASM", "satterthwaite", "5x"}} {
		took, err := b.inGuest(ctx, file, "mixed", with+fmt.Sprintf("%q", g.part), 20)
		if err != nil {
			return nil, err
		}
		l := line{what: what + ", " + g.what, value: ms(took), target: g.target}
		switch g.part {
		case "fit":
			l = l.beside(took, r, why, lme4...)
		case "satterthwaite":
			l = l.beside(took, r, why, test...)
		}
		lines = append(lines, l)
	}
	whole, err := b.wholeFit(ctx, file)
	if err != nil {
		return nil, err
	}
	all, why := b.peer(ctx, "whole", file, "lmerTest")
	return append(lines, line{what: what + ", a program from CSV to tables (model#fit)", value: whole.both()}.
		beside(whole.wall, all, why, [2]string{"Process", "Rscript with lmerTest"})), nil
}

// wholeFit runs flow from a CSV file to a fit's tables, with nothing cached
// but compiled plugins.
func (b *bench) wholeFit(ctx context.Context, file string) (usage, error) {
	b.pipelines++
	pipe, workspace, err := b.pipeline(fmt.Sprintf("stats-%d", b.pipelines), fmt.Sprintf(`[pipeline]
name = "whole"

[nodes.data]
uses = "read"
with = { path = %q }

[nodes.fit]
uses = "model#fit"
inputs = "data"
with = { formula = %q }
`, file, dailyFormula))
	if err != nil {
		return usage{}, err
	}
	n := 0
	run := func() *exec.Cmd {
		n++
		return command(ctx, b.flow, "run", pipe, "-q", "-w", fmt.Sprintf("%s-%d", workspace, n))
	}
	if _, err := measure(run()); err != nil { // compiles
		return usage{}, err
	}
	return repeat(3, run)
}

// instEval measures the crossed case: 73,421 ratings of 1,128 lecturers by
// 2,972 students. R's lme4 brings the data.
func instEval(ctx context.Context, b *bench) ([]line, error) {
	dir, err := b.folder("insteval")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "insteval.csv")
	r, why := b.peer(ctx, "insteval", file)
	if _, err := os.Stat(file); err != nil {
		return []line{{what: "InstEval", peer: "lme4 " + why + "; it has the data, too"}}, nil
	}
	fr, err := readFrame(file)
	if err != nil {
		return nil, err
	}
	lme4 := "lme4 (" + b.blas + ")" // most of its time here is the BLAS's
	var lines []line
	for _, c := range []struct {
		what, text string
		peers      [][2]string
	}{
		{"students and lecturers", "y ~ 1 + service + (1 | s) + (1 | d)", [][2]string{{"PeerTwo", lme4}, {"PeerTwoBobyqa", lme4 + " by bobyqa"}}},
		{"and departments", "y ~ 1 + service + (1 | s) + (1 | d) + (1 | dept)", [][2]string{{"PeerThree", lme4}}},
	} {
		took, m, err := fit{fr: fr, text: c.text, o: lmm.Options{REML: true}}.native(3, false)
		if err != nil {
			return nil, err
		}
		if err := agree("REML criterion", m.Criterion(), r, c.peers[0][0], 0.1); err != nil {
			return nil, err
		}
		lines = append(lines, line{what: fmt.Sprintf("InstEval, %s, design and fit, native (%d evaluations)", c.what, m.Evaluations()), value: ms(took), target: "1x"}.beside(took, r, why, c.peers...))
		if took, err = b.inGuest(ctx, file, "mixed", fmt.Sprintf(", formula = %q, part = \"fit\"", c.text), 1); err != nil {
			return nil, err
		}
		lines = append(lines, line{what: "InstEval, " + c.what + ", design and fit, WASM", value: ms(took), target: "1x"}.beside(took, r, why, c.peers...))
	}
	return lines, nil
}

// kenwardRoger measures tests of all coefficients of a moderate model: the
// daily trial with 250 participants and 8 sessions.
func kenwardRoger(ctx context.Context, b *bench) ([]line, error) {
	dir, err := b.folder("kenward-roger")
	if err != nil {
		return nil, err
	}
	fr, err := dailyTrial(250, 8)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "daily.csv")
	if err := writeFrame(file, fr); err != nil {
		return nil, err
	}
	if fr, err = readFrame(file); err != nil {
		return nil, err
	}
	r, why := b.peer(ctx, "kenward", file, "pbkrtest")
	if tests, ok := r["PeerKenwardRoger"]; ok { // lmer() is needed, too
		tests["ns/op"] += r["PeerFit"]["ns/op"]
	}
	peer := [2]string{"PeerKenwardRoger", "lme4 and pbkrtest"}
	f := fit{fr: fr, text: dailyFormula, o: lmm.Options{REML: true, DF: lmm.KenwardRoger}}
	took, m, err := f.native(5, true)
	if err != nil {
		return nil, err
	}
	l := make([]float64, len(m.Coefficients()))
	l[1] = 1
	_, _, df, err := m.Contrast(l)
	if err != nil {
		return nil, err
	}
	if err := agree("Kenward-Roger degrees of freedom", df, r, peer[0], 1e-3*math.Abs(df)); err != nil {
		return nil, err
	}
	what := fmt.Sprintf("%d rows, design, fit and Kenward-Roger's tests of %d coefficients", fr.Rows(), len(l))
	lines := []line{line{what: what + ", native", value: ms(took)}.beside(took, r, why, peer)}
	if took, err = b.inGuest(ctx, file, "mixed", fmt.Sprintf(", formula = %q, part = \"kenward-roger\"", f.text), 20); err != nil {
		return nil, err
	}
	return append(lines, line{what: what + ", WASM", value: ms(took)}.beside(took, r, why, peer)), nil
}
