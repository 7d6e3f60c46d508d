package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/seed-4012077a/flow/sdk/stats/frame"
)

// peer runs a case of stats.R, where R is there with the packages. why says
// what stands in a line's place where it has no such figure.
func (b *bench) peer(ctx context.Context, name, file string, packages ...string) (all map[string]result, why string) {
	r := b.rscript
	if r == "" {
		r = "Rscript"
	}
	if _, err := exec.LookPath(r); err != nil {
		return nil, "not measured: no " + r + "; `make r` installs it, RSCRIPT names another"
	}
	for _, p := range append([]string{"lme4"}, packages...) {
		if _, err := measure(command(ctx, r, "--vanilla", "-e", fmt.Sprintf("loadNamespace(%q)", p))); err != nil {
			return nil, "not measured: R has no package " + p + "; `make r` installs it"
		}
	}
	fmt.Fprintf(b.progress, "  R: %s...\n", name)
	cmd := command(ctx, r, "--vanilla", "engine/bench/stats.R", name, file)
	var out bytes.Buffer
	cmd.Stdout = &out
	u, err := measure(cmd)
	if err != nil {
		fmt.Fprintln(b.progress, err)
		return nil, "not measured: its script failed, see above"
	}
	if _, rest, ok := strings.Cut(out.String(), "BLAS "); ok {
		b.blas, _, _ = strings.Cut(rest, " ")
	}
	all = parseBench(out.String())
	all["Process"] = result{"ns/op": float64(u.wall)}
	return all, "not measured: its script gave no such line"
}

// beside fills a line's peer and ratio: how many times as long the peer took.
// names are the peer's figures with what they are called; the fastest counts.
func (l line) beside(took time.Duration, all map[string]result, why string, names ...[2]string) line {
	var texts []string
	best := math.Inf(1)
	for _, n := range names {
		if ns, ok := all[n[0]]["ns/op"]; ok {
			texts = append(texts, n[1]+" "+ms(dur(ns)))
			best = min(best, ns)
		}
	}
	if len(texts) == 0 {
		l.peer = names[0][1] + " " + why
		return l
	}
	l.peer, l.ratio = strings.Join(texts, ", "), fmt.Sprintf("%.3gx faster", best/float64(took))
	return l
}

// agree holds flow's result to the peer's, so that nothing is compared that
// did not do the same. An optimiser that stops short is not at fault: off is
// how much the peer's may differ.
func agree(what string, ours float64, all map[string]result, name string, off float64) error {
	theirs, ok := all[name]["result"]
	if ok && !(math.Abs(ours-theirs) <= off) {
		return fmt.Errorf("%s: flow has %.10g, R %.10g", what, ours, theirs)
	}
	return nil
}

// fastest is the least time of a few repetitions of do in this process.
func fastest(times int, do func() error) (time.Duration, error) {
	best := time.Duration(math.MaxInt64)
	for range times {
		began := time.Now()
		if err := do(); err != nil {
			return 0, err
		}
		best = min(best, time.Since(began))
	}
	return best, nil
}

// writeFrame writes a table as CSV.
func writeFrame(path string, fr *frame.Frame) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := csv.NewWriter(f)
	names := fr.Names()
	if err := w.Write(names); err != nil {
		return err
	}
	row := make([]string, len(names))
	for i := range fr.Rows() {
		for j, name := range names {
			c, _ := fr.Column(name)
			switch {
			case c.Kind == frame.Factor:
				row[j] = c.Levels[c.Codes[i]]
			case math.IsNaN(c.Num[i]):
				row[j] = ""
			default:
				row[j] = frame.Format(c.Num[i])
			}
		}
		if err := w.Write(row); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

// readFrame reads a table that writeFrame or R wrote: a column with a text
// that is no number is a factor.
func readFrame(path string) (*frame.Frame, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, err
	}
	fr := frame.New(len(rows) - 1)
	for j, name := range rows[0] {
		texts, numbers, numeric := make([]string, fr.Rows()), make([]float64, fr.Rows()), true
		for i, r := range rows[1:] {
			texts[i] = r[j]
			if r[j] == "" {
				numbers[i] = math.NaN()
			} else if _, err := fmt.Sscan(r[j], &numbers[i]); err != nil {
				numeric = false
			}
		}
		if numeric {
			err = fr.AddNumeric(name, numbers)
		} else {
			err = fr.AddStrings(name, texts, nil)
		}
		if err != nil {
			return nil, err
		}
	}
	return fr, nil
}

// inGuest measures an operator of statsguest inside flow: nodes that do the
// same once and several times, their difference by repetition, the least of
// three of each. Starting an instance, taking the table in and writing the
// result are in both; the plugin is compiled before.
func (b *bench) inGuest(ctx context.Context, file, operator, with string, times int) (time.Duration, error) {
	guest, err := b.statsGuest(ctx)
	if err != nil {
		return 0, err
	}
	b.pipelines++
	pipe, workspace, err := b.pipeline(fmt.Sprintf("stats-%d", b.pipelines), fmt.Sprintf(`[pipeline]
name = "stats"

[nodes.data]
uses = "read"
with = { path = %[1]q }

[nodes.once]
uses = "%[2]s#%[3]s"
inputs = "data"
with = { times = 1%[4]s }

[nodes.often]
uses = "%[2]s#%[3]s"
inputs = "data"
with = { times = %[5]d%[4]s }
`, file, guest, operator, with, times+1))
	if err != nil {
		return 0, err
	}
	if _, err := b.seconds(ctx, "data", pipe, "-w", workspace, "--only", "data"); err != nil {
		return 0, err
	}
	once, often := math.Inf(1), math.Inf(1)
	for range 3 {
		for name, least := range map[string]*float64{"once": &once, "often": &often} {
			s, err := b.seconds(ctx, name, pipe, "-w", workspace, "--only", name, "--from", name)
			if err != nil {
				return 0, err
			}
			*least = min(*least, s)
		}
	}
	return time.Duration((often - once) / float64(times) * 1e9), nil
}

// statsGuest is the compiled statsguest.
func (b *bench) statsGuest(ctx context.Context) (string, error) {
	path := filepath.Join(b.dir, "statsguest.wasm")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	return b.compile(ctx, "statsguest")
}

// seconds runs a pipeline and gives how long a task of it ran.
func (b *bench) seconds(ctx context.Context, task string, args ...string) (float64, error) {
	cmd := command(ctx, b.flow, append([]string{"run", "--json"}, args...)...)
	var out bytes.Buffer
	cmd.Stdout = &out
	if _, err := measure(cmd); err != nil {
		return 0, fmt.Errorf("%w\n%s", err, out.Bytes())
	}
	for _, text := range strings.Split(out.String(), "\n") {
		var e struct {
			Task, State string
			Seconds     float64
		}
		if json.Unmarshal([]byte(text), &e) == nil && e.Task == task && e.State == "done" {
			return e.Seconds, nil
		}
	}
	return 0, fmt.Errorf("flow %s: task %s was not run", strings.Join(args, " "), task)
}
