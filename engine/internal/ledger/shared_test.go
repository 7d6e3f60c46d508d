package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"
)

// fill writes a run of two tasks.
func fill(t *testing.T, l *Ledger, state string) string {
	t.Helper()
	ctx := context.Background()
	r, err := l.Begin(ctx, RunInfo{Pipeline: "p", Tasks: 2})
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"a", "b"} {
		row := NodeRow{Task: i, Node: name, Label: name, Uses: "u", State: state, Action: "action " + name, Rows: int64(10 + i), Bytes: 5}
		if state == "done" {
			row.Started, row.Why = time.Now(), "never ran"
			row.Ended = row.Started.Add(time.Second)
		}
		r.Node(row)
		r.Artifact(ArtifactRow{Task: i, Node: name, Label: name, Port: "out", Output: "output " + name, Rows: int64(10 + i), Schema: "x: int64"})
	}
	if err := r.End(ctx, "done", nil); err != nil {
		t.Fatal(err)
	}
	return r.ID()
}

func share(t *testing.T, l *Ledger, of string) string {
	t.Helper()
	r, err := l.Begin(context.Background(), RunInfo{Pipeline: "p", Tasks: 2, SameAs: of})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.End(context.Background(), "done", nil); err != nil {
		t.Fatal(err)
	}
	return r.ID()
}

// TestSharedRows compares a run that shares rows with one that wrote the same
// ones itself, by every query, and again after the run that wrote them was
// deleted.
func TestSharedRows(t *testing.T) {
	ctx := context.Background()
	l := open(t, filepath.Join(t.TempDir(), "flow.db"))
	first := fill(t, l, "done")
	wrote := fill(t, l, "cached")
	one, two := share(t, l, first), share(t, l, first)

	check := func(when string, ids ...string) {
		t.Helper()
		want, err := l.Run(ctx, wrote)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			got, err := l.Run(ctx, id)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got.Nodes, want.Nodes) || !reflect.DeepEqual(got.Artifacts, want.Artifacts) || !reflect.DeepEqual(got.ByState, want.ByState) {
				t.Errorf("%s: run %s\n%+v\nwant\n%+v", when, id, got, want)
			}
			var n, cached int
			if err := l.db.QueryRow("SELECT count(*), sum(cached) FROM node_summary WHERE run = ?", id).Scan(&n, &cached); err != nil || n != 2 || cached != 2 {
				t.Errorf("%s: node_summary of %s: %d rows, %d cached, %v", when, id, n, cached, err)
			}
			if err := l.db.QueryRow("SELECT cached FROM run_summary WHERE id = ?", id).Scan(&cached); err != nil || cached != 2 {
				t.Errorf("%s: run_summary of %s: %d cached, %v", when, id, cached, err)
			}
		}
	}
	check("shared", one, two)
	if d, err := l.Run(ctx, first); err != nil || d.ByState["done"] != 2 {
		t.Errorf("the run that wrote the rows: %+v, %v", d, err)
	}

	// Any SQL tool may delete runs, with and without foreign keys.
	for i, id := range []string{first, one} {
		if _, err := l.db.Exec(fmt.Sprintf("PRAGMA foreign_keys(%d)", i)); err != nil {
			t.Fatal(err)
		}
		if _, err := l.db.Exec("DELETE FROM runs WHERE id = ?", id); err != nil {
			t.Fatal(err)
		}
		rest := []string{one, two}[i:]
		check(fmt.Sprintf("after deleting %d", i+1), rest...)
	}

	// What is gone, or has no rows of its own, cannot be shared.
	for _, of := range []string{first, "20260101-000000-0000", share(t, l, two)} {
		if _, err := l.Begin(ctx, RunInfo{Pipeline: "p", Tasks: 2, SameAs: of}); !errors.Is(err, ErrNoSuchRows) {
			t.Errorf("sharing the rows of %s: %v", of, err)
		}
	}
	if _, err := l.Begin(ctx, RunInfo{Pipeline: "p", Tasks: 3, SameAs: two}); !errors.Is(err, ErrNoSuchRows) {
		t.Errorf("sharing two rows for three tasks: %v", err)
	}
	if runs, err := l.Runs(ctx, 0); err != nil || len(runs) != 3 {
		t.Errorf("refused runs were noted: %v, %v", runs, err)
	}
}

// Those who make the file together wait for each other. Where SQLite's own
// timeout does not wait is met by chance, hence the rounds.
func TestOpenAtOnce(t *testing.T) {
	ctx := context.Background()
	for round := range 50 {
		path := filepath.Join(t.TempDir(), fmt.Sprint(round))
		start := make(chan struct{})
		var wg sync.WaitGroup
		for range 8 {
			l, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			wg.Go(func() {
				<-start
				r, err := l.Begin(ctx, RunInfo{Pipeline: "p"})
				if err == nil {
					err = r.End(ctx, "done", nil)
				}
				if err = errors.Join(err, l.Close()); err != nil {
					t.Error(err)
				}
			})
		}
		close(start)
		wg.Wait()
		if runs, err := open(t, path).Runs(ctx, 0); err != nil || len(runs) != 8 {
			t.Fatalf("round %d: %d runs of 8, %v", round, len(runs), err)
		}
	}
}

// A new file that another process is about to write is waited for, where
// SQLite's own timeout does not: as the file turns to WAL mode.
func TestOpenWaits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new.db")
	other, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	other.SetMaxOpenConns(1)
	if _, err := other.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(50*time.Millisecond, func() { _, _ = other.Exec("ROLLBACK") })
	fill(t, open(t, path), "done")
}
