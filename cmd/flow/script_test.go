package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/seed-4012077a/flow/plugins"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"flow": main})
}

// TestScript runs testdata/script/*.txtar against the real command, with the
// plugins and native nodes that `make build` built.
func TestScript(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if built, _ := fs.Glob(plugins.Dist, "dist/*.wasm"); len(built) == 0 {
		t.Fatal("no plugins are built: run `make test`, or `make build` before go test")
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("FLOW_PLUGINS", filepath.Join(root, "bin", "nodes"))
			env.Setenv("ROOT", root)
			env.Setenv("NO_COLOR", "1")
			env.Setenv("HOME", env.WorkDir)
			// Compiled plugins are shared by all scripts: compiling them anew for
			// each would be most of the time.
			env.Setenv("XDG_CACHE_HOME", compiled(t))
			env.Values[chatKey{}] = new(*chatServer)
			return nil
		},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "root":
				return os.Geteuid() == 0, nil
			case "tmpfs": // may this user mount one, in a namespace of its own
				return exec.Command("unshare", "-rm", "sh", "-c", "mount -t tmpfs -o size=1m none /mnt").Run() == nil, nil
			case "shared":
				_, err := os.Stat(filepath.Join(root, "..", "shared", "kirk2025"))
				return err == nil, nil
			}
			return false, nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"chat":    chat,
			"code":    exitCodeIs,
			"flipbit": flipBit,
			"guest":   buildGuest,
			"json":    jsonIn,
			"lines":   countLines,
			"replace": replaceText,
			"shared":  sharedRuns,
			"signal":  signalWhen,
		},
	})
}

// compiled is a folder for compiled plugins that lasts as long as the tests.
func compiled(t *testing.T) string {
	dir := filepath.Join(os.TempDir(), "flow-script-cache")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// flipBit flips one bit in the middle of each file that a pattern names.
func flipBit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: flipbit PATTERN")
	}
	files, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(files) == 0 {
		ts.Fatalf("no file fits %s", args[0])
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		ts.Check(err)
		data[len(data)/2] ^= 4
		ts.Check(os.Chmod(file, 0o600))
		ts.Check(os.WriteFile(file, data, 0o600))
	}
}

// countLines checks how many lines of a file hold a text.
func countLines(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: lines N TEXT FILE")
	}
	n := 0
	for line := range strings.Lines(ts.ReadFile(args[2])) {
		if strings.Contains(line, args[1]) {
			n++
		}
	}
	if got := strings.TrimSpace(args[0]); got != strconv.Itoa(n) {
		ts.Fatalf("%d lines of %s hold %q, want %s", n, args[2], args[1], got)
	}
}
