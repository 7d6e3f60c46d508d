package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// bench is what all measurements share.
type bench struct {
	flow      string // the program that is measured
	dir       string // of files that the run makes; removed at its end
	guest     string // the benchmarks' plugin
	pipelines int    // that the statistics have made
	python    string // an interpreter with PyTorch, or ""
	rscript   string // an interpreter with lme4 and psych, or ""
	blas      string // R's, once it ran: as its folder is called
	streamGB  int
	threads   int // of the steer measurements
	full      bool
	progress  io.Writer
}

// measurement is one question and how it is answered.
type measurement struct {
	name  string
	suite string
	run   func(ctx context.Context, b *bench) ([]line, error)
}

func measurements() []measurement {
	return []measurement{
		{"startup", "engine", startup},
		{"strings", "engine", buildStrings},
		{"map", "engine", mapRows},
		{"nodes", "engine", manyNodes},
		{"stream", "engine", stream},
		{"steer", "engine", steer},
		{"pipeline", "engine", rootPipeline},
		{"daily", "stats", daily},
		{"insteval", "stats", instEval},
		{"kenward-roger", "stats", kenwardRoger},
		{"polychoric", "stats", polychoric},
		{"plan", "stats", attachmentPlan},
		{"power", "stats", powerScaling},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, progress io.Writer) error {
	b := &bench{progress: progress, python: os.Getenv("PYTHON"), rscript: os.Getenv("RSCRIPT"), full: os.Getenv("BENCH_FULL") == "1", streamGB: 2}
	var names []string
	suites := map[string][]string{}
	for _, m := range measurements() {
		names = append(names, m.name)
		suites[m.suite] = append(suites[m.suite], m.name)
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&b.flow, "flow", "bin/flow", "the flow program to measure")
	flags.IntVar(&b.threads, "threads", min(2, runtime.NumCPU()), "threads of training and generation, 1 or 2; 1 is the fairer on a busy machine")
	only := flags.String("only", "", "measure these only, with commas between: "+strings.Join(names, ", "))
	suite := flags.String("suite", "engine", "measure all of engine, or all of stats")
	temp := flags.String("temp", "", "folder for the files that are made (default: the system's)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if b.threads < 1 || b.threads > 2 {
		return fmt.Errorf("-threads is %d: give 1 or 2, which the benchmarks know", b.threads)
	}
	if text := os.Getenv("BENCH_STREAM_GB"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return fmt.Errorf("BENCH_STREAM_GB is %q: give a whole number of gigabytes, as 20", text)
		}
		b.streamGB = n
	}
	wanted := suites[*suite]
	if wanted == nil {
		return fmt.Errorf("there is no suite %q; there are engine and stats", *suite)
	}
	if *only != "" {
		wanted = strings.Split(*only, ",")
		for _, name := range wanted {
			if !slices.Contains(names, name) {
				return fmt.Errorf("there is no measurement %q; there are %s", name, strings.Join(names, ", "))
			}
		}
	}
	if err := b.prepare(ctx, *temp); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	t := newTable(out)
	for _, m := range measurements() {
		if !slices.Contains(wanted, m.name) {
			continue
		}
		fmt.Fprintf(progress, "measuring %s...\n", m.name)
		lines, err := m.run(ctx, b)
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		t.add(m.name, lines, err)
	}
	return t.print()
}

// prepare finds the program, makes the folder and compiles the plugin.
func (b *bench) prepare(ctx context.Context, temp string) error {
	if _, err := os.Stat("go.mod"); err != nil {
		return errors.New("there is no go.mod here: run it from the repository's root, as `make bench` does")
	}
	path, err := filepath.Abs(b.flow)
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("%w: build it with `make build`, or name another with -flow", err)
	}
	b.flow = path
	if b.dir, err = os.MkdirTemp(temp, "flow-bench-"); err != nil {
		return err
	}
	if b.guest, err = b.compile(ctx, "guest"); err != nil {
		return errors.Join(err, os.RemoveAll(b.dir))
	}
	return nil
}

// compile makes a plugin of a folder beside this file.
func (b *bench) compile(ctx context.Context, name string) (path string, err error) {
	path = filepath.Join(b.dir, name+".wasm")
	cmd := command(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-buildmode=c-shared", "-o", path, "./engine/bench/"+name)
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	if _, err := measure(cmd); err != nil {
		return "", fmt.Errorf("compiling the benchmarks' plugin: %w", err)
	}
	return path, nil
}

// folder makes a folder of the run's own.
func (b *bench) folder(elem ...string) (string, error) {
	path := filepath.Join(append([]string{b.dir}, elem...)...)
	return path, os.MkdirAll(path, 0o700)
}
