package wasm

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/seed-4012077a/flow/engine/internal/node/wasm/meter"
	"github.com/seed-4012077a/flow/engine/nodetest"
)

func rows(t testing.TB) *nodetest.Table {
	return nodetest.FromJSON(t, arrow.NewSchema([]arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64, Nullable: true}}, nil),
		`[{"id": 1}, {"id": 2}, {"id": null}]`)
}

// TestMisbehaviour checks that each way to misbehave becomes an error that
// says what happened, and leaves the plugin usable.
func TestMisbehaviour(t *testing.T) {
	p := load(t, Config{Limits: Limits{Memory: 96 << 20}})
	for _, c := range []struct {
		op   string
		want []string
	}{
		{"panics", []string{"plugin conformance#panics, process batch 1 of input rows", "of a column with", "main.outOfRange misbehave.go:", "its last lines:\n  last words"}},
		{"exits", []string{"exit code 3", "returning them"}},
		{"eats", []string{"no memory left", "96 MiB", "raise the plugin's memory limit"}},
		{"descends", []string{"it crashed", "fatal error: "}},
	} {
		t.Run(c.op, func(t *testing.T) {
			out, err := nodetest.Exec(context.Background(), t, p.operator(t, c.op), nodetest.Setting{}, rows(t))
			if err == nil {
				t.Fatal("no error")
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("the error lacks %q:\n%v", w, err)
				}
			}
			if n := out.Outputs[0].Rows(); n != 0 {
				t.Errorf("%d rows were written", n)
			}
			in := rows(t)
			again, err := nodetest.Exec(context.Background(), t, p.operator(t, "identity"), nodetest.Setting{}, in)
			if err != nil {
				t.Fatal(err)
			}
			nodetest.Same(t, again.Outputs[0], in)
		})
	}
}

// TestGarbageIsCollected checks that Go's collector keeps up in one long call,
// though the clock that it paces itself by is pinned.
func TestGarbageIsCollected(t *testing.T) {
	p := load(t, Config{Limits: Limits{Memory: 96 << 20}})
	in := rows(t)
	out, err := nodetest.Exec(context.Background(), t, p.operator(t, "churns"), nodetest.Setting{}, in)
	if err != nil {
		t.Fatal(err)
	}
	nodetest.Same(t, out.Outputs[0], in)
}

func TestLogIsBounded(t *testing.T) {
	p := load(t, Config{Limits: Limits{Log: 5000}})
	out, err := nodetest.Exec(context.Background(), t, p.operator(t, "chatters"), nodetest.Setting{}, rows(t))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(out.Log); n < 4900 || n > 5200 || !strings.Contains(out.Log, "reached its limit") {
		t.Errorf("a log of %d bytes, ending with %q", n, out.Log[max(0, n-80):])
	}
}

// TestOutputIsBounded sends a batch that is larger than a batch may be.
func TestOutputIsBounded(t *testing.T) {
	p := load(t, Config{Limits: Limits{Output: 1 << 20}})
	_, err := nodetest.Exec(context.Background(), t, p.operator(t, "build"), nodetest.Setting{})
	if err == nil || !strings.Contains(err.Error(), "larger than the limit") {
		t.Errorf("got %v", err)
	}
	p = load(t, Config{Limits: Limits{Rows: 100}})
	_, err = nodetest.Exec(context.Background(), t, p.operator(t, "build"), nodetest.Setting{})
	if err == nil || !strings.Contains(err.Error(), "at most 100") {
		t.Errorf("got %v", err)
	}
}

// TestInputIsSplit checks that batches too large to go in at once give the
// same rows.
func TestInputIsSplit(t *testing.T) {
	p := load(t, Config{Limits: Limits{Input: 1000}})
	in := nodetest.FromJSON(t, rows(t).Schema, "["+strings.Repeat(`{"id": 7}, {"id": null}, `, 500)+`{"id": 8}]`)
	out, err := nodetest.Exec(context.Background(), t, p.operator(t, "identity"), nodetest.Setting{Workers: 2}, in)
	if err != nil {
		t.Fatal(err)
	}
	nodetest.Same(t, out.Outputs[0], in)
	if len(out.Outputs[0].Batches) < 8 {
		t.Errorf("%d batches", len(out.Outputs[0].Batches))
	}
}

// TestNothingToSee checks what a plugin sees of the machine: nothing.
func TestNothingToSee(t *testing.T) {
	t.Setenv("FLOW_SECRET", "x")
	p := load(t, Config{})
	out, err := nodetest.Exec(context.Background(), t, p.operator(t, "peeks"), nodetest.Setting{})
	if err != nil {
		t.Fatal(err)
	}
	what, seen := out.Outputs[0].Column(t, 0), out.Outputs[0].Column(t, 1)
	defer what.Release()
	defer seen.Release()
	want := map[string]string{"args": "0", "environment": "0", "file": "true", "folder": "true", "write": "true"}
	if what.Len() != len(want) {
		t.Errorf("%d answers, want %d", what.Len(), len(want))
	}
	for i := range what.Len() {
		if got := seen.ValueStr(i); got != want[what.ValueStr(i)] {
			t.Errorf("%s: %s, want %s (true: refused)", what.ValueStr(i), got, want[what.ValueStr(i)])
		}
	}
	if _, err := os.Stat("x"); err == nil {
		t.Error("the plugin wrote a file")
	}
}

// TestPinned checks that clock, random numbers and the order of Go's maps are
// the same in every run, whatever ran before.
func TestPinned(t *testing.T) {
	p := load(t, Config{})
	run := func() *nodetest.Table {
		out, err := nodetest.Exec(context.Background(), t, p.operator(t, "clock"), nodetest.Setting{})
		if err != nil {
			t.Fatal(err)
		}
		return out.Outputs[0]
	}
	first := run()
	for range 3 {
		nodetest.Same(t, run(), first)
	}
}

// TestDeadline checks that a loop in a guest ends soon after its deadline,
// and that the process's other goroutines go on meanwhile.
func TestDeadline(t *testing.T) {
	p := load(t, Config{})
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	_, err := nodetest.Exec(ctx, t, p.operator(t, "spin"), nodetest.Setting{}, rows(t))
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "conformance#spin") {
		t.Errorf("got %v", err)
	}
}

func TestLoadRefuses(t *testing.T) {
	h := open(t, Config{})
	good := buildGuest(t, guestPackage)
	for name, c := range map[string]struct {
		wasm []byte
		want string
	}{
		"nothing":      {nil, "not a WebAssembly module"},
		"a text":       {[]byte("#!/bin/sh"), "not a WebAssembly module"},
		"cut off":      {good[:len(good)/2], "ends too early"},
		"no exports":   {loopModule(), "does not export"},
		"a socket":     {importing("wasi_snapshot_preview1", "sock_send"), "wasi_snapshot_preview1.sock_send"},
		"a C function": {importing("env", "malloc"), "env.malloc (an unresolved C symbol"},
		"a typo":       {importing("flow", "emitt"), "did you mean emit?"},
		"the tick":     {importing("flow", "tick"), "flow.tick"},
		"a wrong type": {importing("flow", "emit"), "flow.emit as ( -> ); it is (i32 i32 -> )"},
	} {
		_, err := h.Load(context.Background(), c.wasm, "x.wasm")
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "x.wasm") {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// importing is a module that imports one function of type func().
func importing(module, name string) []byte {
	out := []byte("\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00")
	body := append([]byte{1, byte(len(module))}, module...)
	body = append(append(body, byte(len(name))), name...)
	body = append(body, 0, 0)
	return append(append(out, 2, byte(len(body))), body...)
}

// TestCodeCache checks that compiled code is found again, that damaged code
// is compiled anew, and that a folder open to others is refused.
func TestCodeCache(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "code")
	start := time.Now()
	load(t, Config{CacheDir: dir})
	cold := time.Since(start)
	start = time.Now()
	load(t, Config{CacheDir: dir})
	t.Logf("cold %v, from the cache %v", cold, time.Since(start))

	var code string
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if info, _ := e.Info(); !e.IsDir() && info.Size() > 1<<20 {
			code = path
		}
		return nil
	})
	if err != nil || code == "" {
		t.Fatalf("no compiled code in the folder: %v", err)
	}
	b, err := os.ReadFile(code)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(code, b, 0o600); err != nil {
		t.Fatal(err)
	}
	p := load(t, Config{CacheDir: dir})
	in := rows(t)
	out, err := nodetest.Exec(context.Background(), t, p.operator(t, "identity"), nodetest.Setting{}, in)
	if err != nil {
		t.Fatal(err)
	}
	nodetest.Same(t, out.Outputs[0], in)
	if again, err := os.ReadFile(code); err != nil || string(again) == string(b) {
		t.Errorf("the damaged code is still there: %v", err)
	}

	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(context.Background(), Config{CacheDir: dir}); err == nil || !strings.Contains(err.Error(), "chmod 700") {
		t.Errorf("a folder open to others: %v", err)
	}
}

// TestHammer runs tasks of several operators at the same time, some of which
// fail or are cancelled, over one plugin's pool.
func TestHammer(t *testing.T) {
	p := load(t, Config{Limits: Limits{Idle: 3}})
	in := nodetest.FromJSON(t, rows(t).Schema, "["+strings.Repeat(`{"id": 7}, `, 500)+`{"id": 8}]`)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 4 {
				switch g % 4 {
				case 0:
					out, err := nodetest.Exec(context.Background(), t, p.operator(t, "identity"), nodetest.Setting{Workers: 3}, in.Split(t, 40))
					if err != nil {
						t.Errorf("identity: %v", err)
						return
					}
					nodetest.Same(t, out.Outputs[0], in)
				case 1:
					if _, err := nodetest.Exec(context.Background(), t, p.operator(t, "fail"), nodetest.Setting{Params: `{"at": 8}`, Workers: 2}, in.Split(t, 40)); err == nil {
						t.Error("fail: no error")
					}
				case 2:
					ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
					if _, err := nodetest.Exec(ctx, t, p.operator(t, "spin"), nodetest.Setting{Workers: 2}, in.Split(t, 100)); !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("spin: %v", err)
					}
					cancel()
				case 3:
					out, err := nodetest.Exec(context.Background(), t, p.operator(t, "count"), nodetest.Setting{}, in.Split(t, 40), in)
					if err != nil || out.Outputs[0].Rows() != 2 {
						t.Errorf("count: %v", err)
					}
				}
			}
		}()
	}
	wg.Wait()
	if n := len(p.pool.idle); n > 3 {
		t.Errorf("%d instances are kept, at most 3 should be", n)
	}
	for _, in := range p.pool.idle {
		if in.dead {
			t.Error("a dead instance is kept")
		}
	}
}

// TestRecycling checks that an instance that has grown is not kept.
func TestRecycling(t *testing.T) {
	p := load(t, Config{Limits: Limits{Recycled: 16 << 20}})
	if _, err := nodetest.Exec(context.Background(), t, p.operator(t, "build"), nodetest.Setting{}); err != nil {
		t.Fatal(err)
	}
	for _, in := range p.pool.idle {
		if n := in.module.Memory().Size(); n > 16<<20 {
			t.Errorf("an instance with %d MiB is kept", n>>20)
		}
	}
}

// TestMeteredIsPure checks that the identity that names a plugin in cache
// keys is enough: the same bytes are rewritten alike.
func TestMeteredIsPure(t *testing.T) {
	wasm := buildGuest(t, guestPackage)
	a, _, err := meter.Rewrite(wasm, DefaultLimits().module())
	if err != nil {
		t.Fatal(err)
	}
	b, _, err := meter.Rewrite(wasm, DefaultLimits().module())
	if err != nil || string(a) != string(b) {
		t.Errorf("two rewrites differ: %v", err)
	}
	if Identity(wasm) == Identity(append([]byte(nil), wasm[:len(wasm)-1]...)) {
		t.Error("different modules have one identity")
	}
}
