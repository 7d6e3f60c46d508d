package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// passing is what differs between any two runs: their names and times.
var passing = regexp.MustCompile(`run [0-9]{8}-[0-9]{6}-[0-9a-f]{4}|"(run|id)":"[^"]*"|"(at|started)":"[^"]*"|"(took|seconds)":[0-9.e-]+(}?)| in [0-9.]+ m?s\b`)

// TestMemoSaysTheSame compares all that is said of a cached pipeline with and
// without the memo of the whole run: by plan, by run, and later by what reads
// the history.
func TestMemoSaysTheSame(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"pipeline.toml": `
[pipeline]
name = "same"
[nodes.rows]
uses = "read"
with = { path = "rows.jsonl" }
[nodes.cells]
uses = "filter#threshold"
inputs = "rows"
matrix = { least = [1, 2, 30], name = ["a", "ü"] }
with = { column = "score", op = ">", threshold = "${matrix.least}" }
[nodes.both]
uses = "filter#threshold"
inputs = ["cells.kept", "cells.kept"]
with = { column = "score", op = ">", threshold = 0 }
[nodes.out]
uses = "write"
inputs = "both.kept"
with = { path = "out.csv" }
`,
		"rows.jsonl": "{\"score\":2}\n{\"score\":3}\n{\"score\":50}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	workspace := filepath.Join(dir, "workspace")
	memos := filepath.Join(workspace, "memos")
	flow := func(args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		args = append(args, "-w", workspace)
		if code := run(args, strings.NewReader(""), &out, &errs); code != 0 {
			t.Fatalf("flow %s: exit code %d\n%s", strings.Join(args, " "), code, errs.String())
		}
		return "stdout:\n" + out.String() + "stderr:\n" + errs.String()
	}
	// Tasks are looked up several at a time, so the order of their events varies.
	plain := func(s string) string {
		lines := strings.Split(passing.ReplaceAllString(s, "<$2$3$4>$5"), "\n")
		slices.Sort(lines)
		return strings.Join(lines, "\n")
	}
	file := filepath.Join(dir, "pipeline.toml")
	flow("run", file)
	flow("run", file)
	for _, args := range [][]string{
		{"plan", file}, {"plan", file, "--all"}, {"plan", file, "--json"}, {"plan", file, "--only", "rows"},
		{"run", file}, {"run", file, "-q"}, {"run", file, "-v"}, {"run", file, "--json"}, {"run", file, "--only", "cells[least=2,name=ü]"},
	} {
		var said [2]string
		for i, name := range []string{"without", "with"} {
			if i == 0 {
				if err := os.RemoveAll(memos); err != nil {
					t.Fatal(err)
				}
			}
			before, err := countShared(workspace)
			if err != nil {
				t.Fatal(err)
			}
			said[i] = flow(args...)
			if after, err := countShared(workspace); err != nil || args[0] == "run" && after != before+i {
				t.Fatalf("flow %s, %s a memo: %d runs share rows, then %d, %v", strings.Join(args, " "), name, before, after, err)
			}
			if args[0] == "run" {
				said[i] += flow("runs", "last") + flow("runs", "last", "--json") + flow("runs", "--limit", "1", "--json") + flow("show", "rows")
			}
			if entries, err := os.ReadDir(memos); err != nil || len(entries) != 1 {
				t.Fatalf("flow %s, %s a memo: there are %d now, %v", strings.Join(args, " "), name, len(entries), err)
			}
		}
		if plain(said[0]) != plain(said[1]) {
			t.Errorf("flow %s\nwithout a memo:\n%s\nwith one:\n%s", strings.Join(args, " "), said[0], said[1])
		}
	}
}
