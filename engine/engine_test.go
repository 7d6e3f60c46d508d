package engine

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-4012077a/flow/engine/internal/event"
	"github.com/seed-4012077a/flow/engine/nodetest"
)

// testEngine opens an engine over a workspace with the conformance suite's
// operators as its own.
func testEngine(t *testing.T, workspace string) *Engine {
	t.Helper()
	e, err := Open(Config{Workspace: workspace, Jobs: 2, Notice: func(err error) { t.Errorf("notice: %v", err) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	for name := range nodetest.Specs() {
		e.catalog.own[name] = nodetest.Reference(t, name)
	}
	return e
}

func writePipeline(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pipeline.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// states collects the final state of each task.
type states struct {
	tasks []event.Task
	final map[string]string
}

func (s *states) Emit(e event.Event) {
	switch e.Kind {
	case event.RunStarted:
		s.tasks, s.final = e.Tasks, map[string]string{}
	case event.TaskState:
		s.final[s.tasks[e.Task].Label] = e.State
	}
}

func (s *states) String() string {
	var all []string
	for label, st := range s.final {
		all = append(all, label+"="+st)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func runPipeline(t *testing.T, e *Engine, file string, sets ...string) (string, error) {
	t.Helper()
	p, err := e.Plan(context.Background(), Source{File: file, Sets: sets})
	if err != nil {
		t.Fatal(err)
	}
	var s states
	_, err = e.Run(t.Context(), p, RunOptions{Observer: &s})
	return s.String(), err
}

const smallPipeline = `
[pipeline]
name = "small"
[nodes.numbers]
uses = "numbers"
with = { n = 100000 }
[nodes.same]
uses = "identity"
inputs = "numbers"
[nodes.total]
uses = "identity"
inputs = ["same", "numbers"]
`

func TestRunThenCached(t *testing.T) {
	ws := t.TempDir()
	file := writePipeline(t, smallPipeline)
	e := testEngine(t, ws)
	got, err := runPipeline(t, e, file)
	if err != nil {
		t.Fatal(err)
	}
	if want := "numbers=done same=done total=done"; got != want {
		t.Errorf("first run: %s", got)
	}
	if got, err = runPipeline(t, e, file); err != nil || got != "numbers=cached same=cached total=cached" {
		t.Errorf("second run: %s, %v", got, err)
	}
	other := testEngine(t, ws) // what another process would see
	if got, err = runPipeline(t, other, file); err != nil || got != "numbers=cached same=cached total=cached" {
		t.Errorf("in another engine: %s, %v", got, err)
	}
}

// atState does something when a task comes to a state.
type atState struct {
	states
	label, state string
	do           func()
}

func (m *atState) Emit(e event.Event) {
	m.states.Emit(e)
	if e.Kind == event.TaskState && e.State == m.state && m.tasks[e.Task].Label == m.label {
		m.do()
	}
}

// TestFileChangesDuringTask: what was read of a file that was changed while
// it was read must not be kept as the result of what it holds now.
func TestFileChangesDuringTask(t *testing.T) {
	file := writePipeline(t, `
[pipeline]
name = "p"
[nodes.rows]
uses = "read"
with = { path = "rows.jsonl" }
[nodes.out]
uses = "write"
inputs = "rows"
with = { path = "out.csv" }
`)
	in := filepath.Join(filepath.Dir(file), "rows.jsonl")
	write := func(text string) {
		if err := os.WriteFile(in, []byte(text), 0o600); err != nil {
			t.Error(err)
		}
	}
	write(`{"id":1}`)
	e := testEngine(t, t.TempDir())
	p, err := e.Plan(t.Context(), Source{File: file})
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.Run(t.Context(), p, RunOptions{Observer: &atState{label: "rows", state: "recording", do: func() { write(`{"id":2}`) }}})
	if err == nil || !strings.Contains(err.Error(), "rows.jsonl changed while this ran") {
		t.Fatalf("%v", err)
	}
	if _, err := runPipeline(t, e, file); err != nil {
		t.Fatal(err)
	}
	if out, err := os.ReadFile(filepath.Join(filepath.Dir(file), "out.csv")); err != nil || !strings.Contains(string(out), "2") {
		t.Errorf("%q, %v", out, err)
	}
}
