package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

const manyCount = 10_000

// manyNodes measures a run of 10,000 nodes that are all cached, beside a
// build by ninja of as many edges of the same shape with nothing to do: after
// an edit of the pipeline, when all is planned again, and without one.
func manyNodes(ctx context.Context, b *bench) ([]line, error) {
	ninja, err := exec.LookPath("ninja")
	if err != nil {
		return nil, fmt.Errorf("%w: install ninja (Debian: ninja-build)", err)
	}
	var lines []line
	for _, shape := range []struct {
		name, what, file string
		parent           func(int) int
	}{
		{"nodes", "10,000 nodes", nodesFile(b.guest, manyCount), parent},
		{"cells", "a node of 10,000 cells", cellsFile(b.guest, manyCount), single},
	} {
		dir, err := b.folder(shape.name)
		if err != nil {
			return nil, err
		}
		peer, err := ninjaNoOp(ctx, ninja, dir, ninjaFile(manyCount, shape.parent))
		if err != nil {
			return nil, err
		}
		file, workspace := filepath.Join(dir, "pipeline.toml"), filepath.Join(dir, "workspace")
		if err := os.WriteFile(file, []byte(shape.file), 0o600); err != nil {
			return nil, err
		}
		flow := func(verb string) func() *exec.Cmd {
			args := []string{verb, file, "-w", workspace}
			if verb == "run" {
				args = append(args, "-q")
			}
			return func() *exec.Cmd { return command(ctx, b.flow, args...) }
		}
		fmt.Fprintf(b.progress, "  %s: filling the cache...\n", shape.what)
		first, err := measure(flow("run")())
		if err != nil {
			return nil, err
		}
		lines = append(lines, line{shape.what + ", first run", first.both() + ", " + mb(first.peak), fmt.Sprintf("ninja, first build %s", peer.first.both()), times(float64(first.wall), float64(peer.first.wall)), ""})
		edits, wrote := 0, error(nil)
		edited, err := repeat(3, func() *exec.Cmd {
			edits++
			wrote = errors.Join(wrote, os.WriteFile(file, fmt.Appendf(nil, "%s\n# edit %d\n", shape.file, edits), 0o600))
			return flow("run")()
		})
		if err = errors.Join(err, wrote); err != nil {
			return nil, err
		}
		lines = append(lines, line{shape.what + ", all cached, the file edited, `flow run`, best of 3", edited.both() + ", " + mb(edited.peak),
			"ninja with nothing to do " + peer.noOp.both(), fmt.Sprintf("%s (cpu %s)", times(float64(edited.wall), float64(peer.noOp.wall)), times(float64(edited.cpu), float64(peer.noOp.cpu))), ""})
		for _, verb := range []string{"plan", "run"} {
			u, err := repeat(5, flow(verb))
			if err != nil {
				return nil, err
			}
			lines = append(lines, line{fmt.Sprintf("%s, all cached, `flow %s`, best of 5", shape.what, verb), u.both() + ", " + mb(u.peak),
				"ninja with nothing to do " + peer.noOp.both(), fmt.Sprintf("%s (cpu %s)", times(float64(u.wall), float64(peer.noOp.wall)), times(float64(u.cpu), float64(peer.noOp.cpu))), "3x"})
		}
	}
	return lines, nil
}

type ninjaTimes struct{ first, noOp usage }

// ninjaNoOp builds once and then measures builds that find nothing to do.
func ninjaNoOp(ctx context.Context, ninja, dir, text string) (t ninjaTimes, err error) {
	if err := os.MkdirAll(filepath.Join(dir, "ninja", "out"), 0o700); err != nil {
		return t, err
	}
	build := func() *exec.Cmd {
		cmd := command(ctx, ninja, "--quiet")
		cmd.Dir = filepath.Join(dir, "ninja")
		return cmd
	}
	if err := os.WriteFile(filepath.Join(dir, "ninja", "build.ninja"), []byte(text), 0o600); err != nil {
		return t, err
	}
	if t.first, err = measure(build()); err != nil {
		return t, err
	}
	t.noOp, err = repeat(5, build)
	return t, err
}
