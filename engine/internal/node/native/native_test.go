package native

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/seed-4012077a/flow/engine/internal/node"
	"github.com/seed-4012077a/flow/engine/internal/table"
	"github.com/seed-4012077a/flow/engine/nodetest"
)

// crank is the built test node that misbehaves.
func crank(t testing.TB) string { return build(t, "crank") }

// build builds a node of testdata into a folder of its own.
func build(t testing.TB, name string) string {
	t.Helper()
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(dir, name), "./testdata/"+name)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", name, err, out)
	}
	manifest(t, dir, "./"+name)
	return dir
}

// manifest writes node.toml for a command, whose base name is the node's.
func manifest(t testing.TB, dir string, command ...string) {
	t.Helper()
	quoted, err := json.Marshal(command)
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("name = %[1]q\nversion = \"1\"\ncommand = %[2]s\nfiles = [%[1]q]\nenv = [\"CRANK_SEEN\"]\n",
		filepath.Base(command[0]), quoted)
	if err := os.WriteFile(filepath.Join(dir, ManifestName), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, dir string, o Options) *Program {
	t.Helper()
	p, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

var rowSchema = arrow.NewSchema([]arrow.Field{
	{Name: "id", Type: arrow.PrimitiveTypes.Int64},
	{Name: "text", Type: arrow.BinaryTypes.String},
}, nil)

// rows is a table.Reader of batches of n rows.
type rows struct{ batches []arrow.Record }

func newRows(batches, n int) *rows {
	r := &rows{}
	for i := range batches {
		b := array.NewRecordBuilder(memory.DefaultAllocator, rowSchema)
		for j := range n {
			b.Field(0).(*array.Int64Builder).Append(int64(i*n + j))
			b.Field(1).(*array.StringBuilder).Append(fmt.Sprintf("row %d", i*n+j))
		}
		r.batches = append(r.batches, b.NewRecord())
	}
	return r
}

func (r *rows) Schema() *arrow.Schema { return rowSchema }

func (r *rows) Next(context.Context) (arrow.Record, error) {
	if len(r.batches) == 0 {
		return nil, io.EOF
	}
	b := r.batches[0]
	r.batches = r.batches[1:]
	return b, nil
}

func (r *rows) Close() error { return nil }

// sink keeps what is written.
type sink struct {
	schema  *arrow.Schema
	batches []arrow.Record
}

func (s *sink) Schema() *arrow.Schema { return s.schema }

func (s *sink) Write(_ context.Context, b arrow.Record) error {
	b.Retain()
	s.batches = append(s.batches, b)
	return nil
}

func (s *sink) same(t *testing.T, want *rows) {
	t.Helper()
	nodetest.Same(t, &nodetest.Table{Schema: s.schema, Batches: s.batches}, &nodetest.Table{Schema: rowSchema, Batches: want.batches})
}

func (s *sink) rows() (n int64) {
	for _, b := range s.batches {
		n += b.NumRows()
	}
	return n
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// call is one run of an operator of crank.
type call struct {
	op, how, file string
	scratch       string
	log           safeBuffer
	progress      func(done, total int64, text string)
	out           *sink
}

func (c *call) run(ctx context.Context, p *Program) error {
	op, err := p.Operator(ctx, c.op)
	if err != nil {
		return err
	}
	params, err := json.Marshal(map[string]string{"how": c.how, "file": c.file})
	if err != nil {
		return err
	}
	b := node.Binding{Params: params, Seed: 42, Inputs: []*arrow.Schema{rowSchema}}
	schemas, err := op.Bind(ctx, b)
	if err != nil {
		return err
	}
	c.out = &sink{schema: schemas[0]}
	return op.Run(ctx, b, node.Job{Inputs: []table.Reader{newRows(3, 100)}, Outputs: []table.Writer{c.out},
		Log: &c.log, Progress: c.progress, Workers: 2, Scratch: c.scratch})
}

// stagings are the folders of a task's tables that are there.
func stagings(scratch string) []string {
	left, _ := filepath.Glob(filepath.Join(scratch, stagingFolder+"*"))
	return left
}

func TestEchoPassesTablesLogAndProgress(t *testing.T) {
	p := open(t, crank(t), Options{})
	var mu sync.Mutex
	var told []string
	c := &call{op: "echo", scratch: t.TempDir(), progress: func(done, _ int64, text string) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, fmt.Sprint(done, " ", text))
	}}
	if err := c.run(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	c.out.same(t, newRows(3, 100))
	if fmt.Sprint(told) != "[1 copying]" { // small batches travel as one
		t.Errorf("progress %q", told)
	}
	eventually(t, "the log to have all lines", func() bool {
		log := c.log.String()
		return strings.Contains(log, "a line of the log, 2 workers") && strings.Contains(log, "metric batches step=2 value=0.5")
	})
	if left := stagings(c.scratch); len(left) > 0 {
		t.Errorf("%q is left", left)
	}
}

func TestSourceHasNoInputs(t *testing.T) {
	p := open(t, crank(t), Options{})
	op, err := p.Operator(t.Context(), "count")
	if err != nil {
		t.Fatal(err)
	}
	b := node.Binding{Params: json.RawMessage("{}")}
	schemas, err := op.Bind(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	out := &sink{schema: schemas[0]}
	if err := op.Run(t.Context(), b, node.Job{Outputs: []table.Writer{out}, Scratch: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	if out.rows() != 3 {
		t.Errorf("%d rows, want 3", out.rows())
	}
}

// A process serves many tasks at once, and all of them the same process.
func TestTasksShareOneProcess(t *testing.T) {
	p := open(t, crank(t), Options{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			c := &call{op: "echo", scratch: t.TempDir()}
			if err := c.run(t.Context(), p); err != nil || c.out.rows() != 300 {
				t.Errorf("%v, %d rows", err, c.out.rows())
			}
		})
	}
	wg.Wait()
	if p.proc == nil || !p.proc.alive() {
		t.Error("no process is alive")
	}
	p.Close()
	if err := (&call{op: "echo", scratch: t.TempDir()}).run(t.Context(), p); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("after Close: %v", err)
	}
}

func TestEveryFailureNamesNodeCauseAndNextStep(t *testing.T) {
	dir := crank(t)
	for _, c := range []struct {
		how  string
		want []string
	}{
		{"bad param", []string{"crank#how", "parameter how", "must not be"}},
		{"bad column", []string{"crank#how", "input rows, column id", "is not wanted"}},
		{"bind dies", []string{"crank", "exit status 5", "bind of how"}},
		{"bind sleeps", []string{"crank", "bind of how", "no answer in time"}},
		{"exit", []string{"crank", "exit status 7", "run of how", "CUDA out of memory", "next:"}},
		{"kill", []string{"crank", "signal: killed", "run of how"}},
		{"freeze", []string{"crank", "hangs", "no sign of life", "next:"}},
		{"panic", []string{"crank#how", "panic: index out of range"}},
		{"goroutine panic", []string{"crank", "exit status 2", "in a goroutine"}},
		{"fail", []string{"crank#how", "the loss is not a number at step 3"}},
		{"other schema", []string{"crank#how", "output rows", "di", "bind promised"}},
		{"no file", []string{"crank#how", "output rows", "wrote no file"}},
		{"empty file", []string{"crank#how", "output rows"}},
		{"truncated", []string{"crank#how", "output rows"}},
		{"no footer", []string{"crank#how", "output rows"}},
		{"flipped", []string{"crank#how", "output rows"}},
		{"link", []string{"crank#how", "output rows"}},
	} {
		t.Run(c.how, func(t *testing.T) {
			p := open(t, dir, Options{StartTimeout: 3 * time.Second, Silence: time.Second, Grace: time.Second})
			got := &call{op: "how", how: c.how, scratch: t.TempDir()}
			err := got.run(t.Context(), p)
			if err == nil {
				t.Fatal("no error")
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("got %q\nwithout %q", err, w)
				}
			}
			if got.out != nil && got.out.rows() != 0 {
				t.Errorf("%d rows were passed on", got.out.rows())
			}
			if left := stagings(got.scratch); len(left) > 0 {
				t.Errorf("%q is left", left)
			}
			// The program is good for the next task.
			next := &call{op: "echo", scratch: t.TempDir()}
			if err := next.run(t.Context(), p); err != nil {
				t.Errorf("next task: %v", err)
			}
		})
	}
}

func TestFailedStarts(t *testing.T) {
	for how, want := range map[string][]string{
		"exit":     {"exit status 3", "before it shook hands", "no such file: model.bin", "next: run ./crank exit"},
		"mute":     {"no handshake line", "1 other lines", "noise before the handshake"},
		"protocol": {"speaks another protocol", "99", "rebuild"},
		"netrpc":   {"speaks another protocol", "netrpc"},
		"deaf":     {"crank", "cannot start"},
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			dir := crank(t)
			manifest(t, dir, "./crank", how)
			var slow atomic.Int32
			p := open(t, dir, Options{StartTimeout: 2 * time.Second, Slow: func(node string, waited, limit time.Duration) {
				if node == "crank" && waited < limit {
					slow.Add(1)
				}
			}})
			_, err := p.Operators(t.Context())
			if err == nil {
				t.Fatal("no error")
			}
			if how == "mute" && slow.Load() != 1 {
				t.Errorf("told %d times that it is slow", slow.Load())
			}
			for _, w := range append(want, "native node crank") {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("got %q\nwithout %q", err, w)
				}
			}
		})
	}
}

func TestCancelKeepsTheCheckpointAndNothingElse(t *testing.T) {
	p := open(t, crank(t), Options{})
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("the user pressed ctrl-c")
	c := &call{op: "how", how: "wait", scratch: t.TempDir(), progress: func(int64, int64, string) { cancel(enough) }}
	if err := c.run(ctx, p); !errors.Is(err, enough) {
		t.Fatalf("got %v", err)
	}
	if !p.proc.alive() {
		t.Error("the process ended, though it obeyed")
	}
	if left := stagings(c.scratch); len(left) > 0 {
		t.Errorf("%q is left", left)
	}
	// What a flow that was killed left is gone once the next is at work.
	dead := filepath.Join(c.scratch, stagingFolder+"dead", "in-0.arrow")
	if err := os.MkdirAll(dead, 0o700); err != nil {
		t.Fatal(err)
	}
	again := &call{op: "how", how: "resume", scratch: c.scratch}
	if err := again.run(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(again.log.String(), "resumed at 3") {
		t.Errorf("log %q", again.log.String())
	}
	if left := stagings(c.scratch); len(left) > 0 {
		t.Errorf("%q is left", left)
	}
}

func TestCancelKillsWhoIgnoresIt(t *testing.T) {
	p := open(t, crank(t), Options{Grace: 300 * time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	c := &call{op: "how", how: "ignore", scratch: t.TempDir(), progress: func(int64, int64, string) { cancel() }}
	if err := c.run(ctx, p); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if p.proc.alive() {
		t.Error("the process lives on")
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 500 {
		if ok() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("waited 10 s for %s", what)
}
