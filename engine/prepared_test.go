package engine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-4012077a/flow/engine/internal/event"
)

// meddler does something at the very end of a run, when all results are kept
// and its memo is not written yet.
type meddler struct {
	states
	meddle func()
}

func (m *meddler) Emit(e event.Event) {
	m.states.Emit(e)
	if e.Kind == event.RunEnded {
		m.meddle()
	}
}

// TestMemoOfAMovingTarget changes what a run depends on while it runs: the
// next one must see it, whatever the memo holds.
func TestMemoOfAMovingTarget(t *testing.T) {
	const pipelineText = `
[pipeline]
name = "moving"
[nodes.rows]
uses = "read"
with = { path = "rows.jsonl" }
[nodes.out]
uses = "write"
inputs = "rows"
with = { path = "out.csv" }
`
	for _, c := range []struct {
		what         string
		file         string
		old, changed string
		want         string // the state of rows in the next run
	}{
		{"an input", "rows.jsonl", `{"id":1}`, `{"id":2}`, "done"},
		{"an input, to what is wrong", "rows.jsonl", `{"id":1}`, `{"id":`, ""},
		{"the pipeline", "pipeline.toml", `path = "rows.jsonl"`, `path = "other.jsonl"`, "done"},
		{"nothing", "rows.jsonl", `{"id":1}`, `{"id":1}`, "cached"},
	} {
		t.Run(c.what, func(t *testing.T) {
			source := Source{File: writePipeline(t, pipelineText)}
			dir := filepath.Dir(source.File)
			write := func(name, text string) {
				t.Helper()
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write("rows.jsonl", `{"id":1}`)
			write("other.jsonl", `{"id":7}`)
			workspace := filepath.Join(t.TempDir(), "workspace")
			run := func(meddle func()) (map[string]string, error) {
				t.Helper()
				e := testEngine(t, workspace)
				p, err := e.Prepare(t.Context(), source)
				if err != nil {
					return nil, err
				}
				m := &meddler{meddle: meddle}
				_, err = p.Run(t.Context(), RunOptions{Observer: m})
				return m.final, err
			}
			change := func() {
				text, err := os.ReadFile(filepath.Join(dir, c.file))
				if err != nil {
					t.Error(err)
				}
				write(c.file, strings.Replace(string(text), c.old, c.changed, 1))
			}
			if _, err := run(change); err != nil {
				t.Fatal(err)
			}
			got, err := run(func() {})
			if (err != nil) != (c.want == "") || got["rows"] != c.want {
				t.Errorf("the next run: rows is %q, %v; want %q", got["rows"], err, c.want)
			}
		})
	}
}

// TestPreparedBetween changes files between Prepare and Run.
func TestPreparedBetween(t *testing.T) {
	source := Source{File: writePipeline(t, `
[pipeline]
name = "between"
[nodes.rows]
uses = "read"
with = { path = "rows.jsonl" }
`)}
	rows := filepath.Join(filepath.Dir(source.File), "rows.jsonl")
	e := testEngine(t, filepath.Join(t.TempDir(), "workspace"))
	for i, c := range []struct {
		text, state string
		memo        bool
	}{
		{`{"id":1}`, "done", false},
		{`{"id":1}`, "cached", true},
		{`{"id":2}`, "done", true}, // the memo holds at first
		{`{"id":2}`, "cached", true},
		{`{"id":3, "more":"x"}`, "done", true},
	} {
		if i == 0 {
			if err := os.WriteFile(rows, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		p, err := e.Prepare(t.Context(), source)
		if err != nil {
			t.Fatal(err)
		}
		if (p.memo != nil) != c.memo {
			t.Errorf("step %d: prepared from a memo: %v, want %v", i, p.memo != nil, c.memo)
		}
		if err := os.WriteFile(rows, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		seen := &states{}
		if _, err := p.Run(t.Context(), RunOptions{Observer: seen}); err != nil {
			t.Fatal(err)
		}
		if seen.final["rows"] != c.state {
			t.Errorf("step %d: rows is %s, want %s", i, seen.final["rows"], c.state)
		}
	}
}
