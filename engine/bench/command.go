package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// usage is what a finished process took.
type usage struct {
	wall, cpu time.Duration
	peak      int64 // largest resident set, bytes
}

// command is exec.CommandContext with an interrupt in place of a kill, so
// that a child can remove what it made.
func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// measure runs a command to its end. Its output is dropped where cmd has no
// place for it; an error carries the end of what it wrote. This process stays
// small, because Linux counts the parent's pages at the fork in a child's peak.
func measure(cmd *exec.Cmd) (usage, error) {
	var text bytes.Buffer
	if cmd.Stdout == nil {
		cmd.Stdout = &text
	}
	if cmd.Stderr == nil {
		cmd.Stderr = &text
	}
	began := time.Now()
	err := cmd.Run()
	u := usage{wall: time.Since(began)}
	if err != nil {
		tail := bytes.TrimSpace(text.Bytes())
		if len(tail) > 2000 {
			tail = tail[len(tail)-2000:]
		}
		return u, fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, tail)
	}
	u.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if r, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		u.peak = r.Maxrss << 10 // Linux gives KiB
	}
	return u, nil
}

// repeat measures a command several times and gives the fastest of each: what
// the machine can do when its other users leave it alone.
func repeat(times int, make func() *exec.Cmd) (usage, error) {
	var best usage
	for i := range times {
		u, err := measure(make())
		if err != nil {
			return u, err
		}
		if i == 0 {
			best = u
			continue
		}
		best.wall, best.cpu, best.peak = min(best.wall, u.wall), min(best.cpu, u.cpu), max(best.peak, u.peak)
	}
	return best, nil
}

// result is a line of `go test -bench`: metrics by unit.
type result map[string]float64

// goBench runs benchmarks of one package and gives the best of count runs of
// each, by its name without "Benchmark" and the number of processors.
func goBench(ctx context.Context, pkg, pattern string, args ...string) (map[string]result, error) {
	cmd := command(ctx, "go", append([]string{"test", "-run", "^$", "-bench", pattern, pkg}, args...)...)
	var out bytes.Buffer
	cmd.Stdout = &out
	if _, err := measure(cmd); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, out.Bytes())
	}
	all := parseBench(out.String())
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: no benchmark matches %s", pkg, pattern)
	}
	return all, nil
}

// parseBench reads lines like
//
//	BenchmarkTrain/layer=2/workers=1-2   100   123 ns/op   456 tokens/s
//
// (https://go.dev/design/14313-benchmark-format). Of several lines of a name
// the best stays: less of what is /op, more of what is a rate.
func parseBench(text string) map[string]result {
	all := map[string]result{}
	for _, l := range strings.Split(text, "\n") {
		f := strings.Fields(l)
		if len(f) < 4 || !strings.HasPrefix(f[0], "Benchmark") && !strings.HasPrefix(f[0], "Torch") && !strings.HasPrefix(f[0], "Peer") {
			continue
		}
		name := strings.TrimPrefix(f[0], "Benchmark")
		if i := strings.LastIndexByte(name, '-'); i > 0 {
			if _, err := strconv.Atoi(name[i+1:]); err == nil {
				name = name[:i]
			}
		}
		r := all[name]
		if r == nil {
			r = result{}
			all[name] = r
		}
		for i := 2; i+1 < len(f); i += 2 {
			v, err := strconv.ParseFloat(f[i], 64)
			if err != nil {
				break
			}
			unit := f[i+1]
			old, had := r[unit]
			if !had || strings.HasSuffix(unit, "/op") == (v < old) {
				r[unit] = v
			}
		}
	}
	return all
}

// need gives a metric, or an error that names what there is.
func need(all map[string]result, name, unit string) (float64, error) {
	if v, ok := all[name][unit]; ok {
		return v, nil
	}
	var names []string
	for n := range all {
		names = append(names, n)
	}
	return 0, fmt.Errorf("no %s of benchmark %s among %s", unit, name, strings.Join(names, ", "))
}
