package ledger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestReadOnly lets another user, who may only read the folder, see the
// history at every state that a writer leaves it in.
func TestReadOnly(t *testing.T) {
	ctx := context.Background()
	if path := os.Getenv("LEDGER_READONLY"); path != "" {
		l := open(t, path)
		runs, err := l.Runs(ctx, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range runs {
			fmt.Println("RUN", r.ID, r.State)
		}
		if _, err := l.Begin(ctx, RunInfo{}); err == nil || !strings.Contains(err.Error(), "--workspace") {
			t.Errorf("a run begins: %v", err)
		}
		return
	}
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	// Not t.TempDir, which others cannot enter.
	dir, err := os.MkdirTemp("", "ledger")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	exe := filepath.Join(dir, "test")
	tmp := filepath.Join(dir, "tmp")
	if err := errors.Join(os.Chmod(dir, 0o755), copyFile(exe, os.Args[0]), os.Chmod(exe, 0o755), os.Mkdir(tmp, 0), os.Chmod(tmp, 0o777)); err != nil {
		t.Fatal(err)
	}
	read := func(state, path string, want ...string) {
		t.Helper()
		cmd := exec.Command(exe, "-test.run=TestReadOnly$", "-test.v")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "LEDGER_READONLY="+path, "TMPDIR="+tmp)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, err := cmd.CombinedOutput()
		var got []string
		for line := range strings.Lines(string(out)) {
			if run, ok := strings.CutPrefix(line, "RUN "); ok {
				got = append(got, strings.TrimSpace(run))
			}
		}
		if err != nil || strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("%s: %v, runs %q, want %q\n%s", state, err, got, want, out)
		}
		if left, _ := os.ReadDir(tmp); len(left) > 0 {
			t.Errorf("%s: %v is left behind", state, left)
		}
	}
	path := filepath.Join(dir, "flow.db")
	l := open(t, path)
	first := fill(t, l, "done")
	read("a writer goes on", path, first+" done")
	second, err := l.Begin(ctx, RunInfo{Pipeline: "p"})
	if err != nil {
		t.Fatal(err)
	}
	read("a run goes on", path, second.ID()+" running", first+" done")
	// What a killed writer leaves: the files as they are now, and no locks.
	killed := filepath.Join(dir, "killed.db")
	for _, end := range []string{"", "-wal", "-shm"} {
		if err := errors.Join(copyFile(killed+end, path+end), os.Chmod(killed+end, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	read("the writer was killed", killed, second.ID()+" running", first+" done")
	if err := os.Remove(killed + "-shm"); err != nil {
		t.Fatal(err)
	}
	read("moved without its index", killed, second.ID()+" running", first+" done")
	if err := errors.Join(second.End(ctx, "done", nil), l.Close()); err != nil {
		t.Fatal(err)
	}
	read("nobody writes", path, second.ID()+" done", first+" done")
}
