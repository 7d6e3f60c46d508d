package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"
)

// RunInfo is what a run is begun with.
type RunInfo struct {
	Pipeline string   // the pipeline's name
	File     string   // its file
	Args     []string // the command line
	Version  string   // flow's
	Tasks    int
	// SameAs names a run that ended well and has rows of its own, all of which
	// are this run's too, with every task cached; "" where rows will come.
	SameAs string
}

// ErrNoSuchRows is returned by Begin where SameAs names no run with rows that
// another can share.
var ErrNoSuchRows = errors.New("the run whose rows are to be shared is not in the history")

// NodeRow is a task of a run.
type NodeRow struct {
	Task           int
	Node           string // "train"
	Label          string // "train[layer=3]"
	Uses           string
	State          string // the scheduler's name of it
	Why            string // why it ran, or was not run
	Action         string // ActionID
	Error          string
	Started, Ended time.Time // zero: not yet
	Rows, Bytes    int64
}

// Seconds is how long the task took, 0 where it has no start or end.
func (n NodeRow) Seconds() float64 {
	if n.Started.IsZero() || n.Ended.IsZero() {
		return 0
	}
	return n.Ended.Sub(n.Started).Seconds()
}

// ArtifactRow is a table that a task made or took from the cache.
type ArtifactRow struct {
	Task        int
	Node, Label string
	Port        string
	Index       int    // of the port among the operator's outputs; 0 is the main one
	Output      string // OutputID
	Rows, Bytes int64
	Schema      string
}

// CallRow is a chat request.
type CallRow struct {
	Task             int
	Node             string
	Model            string
	PromptTokens     int64
	CompletionTokens int64
	Cost             float64 // in the price's currency
	Millis           int64
	Cached           bool
	Error            string
	At               time.Time
}

const (
	flushEvery = 100 * time.Millisecond
	stateRun   = "running"
	// StateInterrupted is the state of a run that has no end and whose
	// process is gone.
	StateInterrupted = "interrupted"
)

// Run is a run that is being written. It is safe for concurrent use.
type Run struct {
	ledger *Ledger
	id     string

	mu      sync.Mutex
	rows    []any // NodeRow, ArtifactRow or CallRow, in order
	err     error // the first that a background write met
	quit    chan struct{}
	done    chan struct{}
	stopped bool
}

// Begin starts a run. It also ends, as interrupted, the runs whose process is
// gone.
func (l *Ledger) Begin(ctx context.Context, info RunInfo) (*Run, error) {
	db, err := l.open(ctx, true)
	if err != nil {
		return nil, err
	}
	if err := l.buryDead(ctx, db); err != nil {
		return nil, l.explain(err)
	}
	args, err := json.Marshal(info.Args)
	if err != nil {
		return nil, err
	}
	host, _ := os.Hostname()
	pid := os.Getpid()
	for range 100 {
		now := time.Now()
		id := newRunID(now)
		free, err := l.insert(ctx, db, info, `INSERT INTO runs (id, pipeline, file, args, version, tasks, state, started, host, pid, process, heartbeat, same_as)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, nullif(?, '')) ON CONFLICT (id) DO NOTHING`,
			id, info.Pipeline, info.File, string(args), info.Version, info.Tasks, stateRun, stampTime(now), host, pid, processMark(pid), stampTime(now), info.SameAs)
		if err != nil {
			return nil, err
		}
		if !free {
			continue // another run has just taken the id: it is later now
		}
		r := &Run{ledger: l, id: id, quit: make(chan struct{}), done: make(chan struct{})}
		l.mu.Lock()
		l.runs = append(l.runs, r)
		l.mu.Unlock()
		go r.keepWriting()
		return r, nil
	}
	return nil, errors.New("no free run id: the clock stands still")
}

// insert adds a run's row; free is false where its id is taken. Nobody can
// take away the rows that it shares between the look at them and its commit.
func (l *Ledger) insert(ctx context.Context, db *sql.DB, info RunInfo, query string, args ...any) (free bool, err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return false, l.explain(err)
	}
	defer tx.Rollback() // after Commit it does nothing
	res, err := tx.ExecContext(ctx, query, args...)
	if err != nil {
		return false, l.explain(err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return false, l.explain(err)
	}
	if info.SameAs != "" {
		var there bool
		err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM runs WHERE id = ?1 AND state = 'done' AND ended IS NOT NULL AND tasks = ?2 AND same_as IS NULL)
			AND (?2 = 0 OR EXISTS (SELECT 1 FROM node_rows WHERE run = ?1 AND task = ?2 - 1))`, info.SameAs, info.Tasks).Scan(&there)
		if err != nil {
			return false, l.explain(err)
		}
		if !there {
			return false, ErrNoSuchRows
		}
	}
	return true, l.explain(tx.Commit())
}

func (l *Ledger) buryDead(ctx context.Context, db *sql.DB) error {
	rows, err := db.QueryContext(ctx, `SELECT id, host, pid, process, heartbeat FROM runs WHERE ended IS NULL`)
	if err != nil {
		return err
	}
	type run struct{ id, heartbeat string }
	var dead []run
	for rows.Next() {
		var r run
		var host, process string
		var pid int
		if err := rows.Scan(&r.id, &host, &pid, &process, &r.heartbeat); err != nil {
			return errors.Join(err, rows.Close())
		}
		if !alive(host, pid, process, parseTime(r.heartbeat), time.Now()) {
			dead = append(dead, r)
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for _, r := range dead {
		if _, err := db.ExecContext(ctx, `UPDATE runs SET state = ?, ended = ? WHERE id = ? AND ended IS NULL`, StateInterrupted, r.heartbeat, r.id); err != nil {
			return err
		}
	}
	return nil
}

// ID returns the run's id.
func (r *Run) ID() string { return r.id }

// Node notes how a task stands now; a later row of the same task replaces it.
func (r *Run) Node(row NodeRow) { r.add(row) }

// Artifact notes a table; a later row of the same task and port replaces it.
func (r *Run) Artifact(row ArtifactRow) { r.add(row) }

// Call notes a chat request.
func (r *Run) Call(row CallRow) { r.add(row) }

func (r *Run) add(row any) {
	r.mu.Lock()
	r.rows = append(r.rows, row)
	r.mu.Unlock()
}

// keepWriting writes what came in, in one transaction each time.
func (r *Run) keepWriting() {
	defer close(r.done)
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	beat := time.Now()
	for {
		select {
		case <-r.quit:
			r.note(r.flush(false))
			return
		case now := <-tick.C:
			due := now.Sub(beat) >= heartbeatEvery
			if due {
				beat = now
			}
			r.note(r.flush(due))
		}
	}
}

func (r *Run) note(err error) {
	r.mu.Lock()
	if r.err == nil {
		r.err = err
	}
	r.mu.Unlock()
}

func (r *Run) stop() error {
	r.mu.Lock()
	if !r.stopped {
		r.stopped = true
		close(r.quit)
	}
	r.mu.Unlock()
	<-r.done
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// End writes what is pending and how the run ended. It returns the first
// error that writing met; the run's results do not depend on it.
func (r *Run) End(ctx context.Context, state string, failure error) error {
	err := r.stop()
	l := r.ledger
	l.mu.Lock()
	l.runs = slices.DeleteFunc(l.runs, func(other *Run) bool { return other == r })
	l.mu.Unlock()
	db, openErr := l.open(ctx, true)
	if openErr != nil {
		return errors.Join(err, openErr)
	}
	text := ""
	if failure != nil {
		text = failure.Error()
	}
	now := stampTime(time.Now())
	_, endErr := db.ExecContext(ctx, `UPDATE runs SET state = ?, error = ?, ended = ?, heartbeat = ? WHERE id = ?`, state, text, now, now, r.id)
	return errors.Join(err, l.explain(endErr))
}

func (r *Run) flush(heartbeat bool) error {
	r.mu.Lock()
	rows := r.rows
	r.rows = nil
	r.mu.Unlock()
	if len(rows) == 0 && !heartbeat {
		return nil
	}
	// A write of rows that are already counted is not cancelled with the run.
	ctx := context.Background()
	db, err := r.ledger.open(ctx, true)
	if err != nil {
		return err
	}
	return r.ledger.explain(r.write(ctx, db, rows))
}

// latestOnly drops rows that a later one of the same task replaces: a task
// passes several states within one flush.
func latestOnly(rows []any) []any {
	type key struct {
		task int
		port string
	}
	seen := map[key]bool{}
	out := rows[:0:0]
	for _, row := range slices.Backward(rows) {
		var k key
		switch row := row.(type) {
		case NodeRow:
			k = key{row.Task, ""}
		case ArtifactRow:
			k = key{row.Task, "port " + row.Port}
		default:
			out = append(out, row)
			continue
		}
		if !seen[k] {
			seen[k] = true
			out = append(out, row)
		}
	}
	slices.Reverse(out)
	return out
}

const (
	insertNode = `INSERT INTO node_rows (run, task, node, label, uses, state, why, action, error, started, ended, seconds, rows, bytes)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (run, task) DO UPDATE SET node = excluded.node, label = excluded.label, uses = excluded.uses, state = excluded.state,
		why = excluded.why, action = excluded.action, error = excluded.error, started = excluded.started, ended = excluded.ended,
		seconds = excluded.seconds, rows = excluded.rows, bytes = excluded.bytes`
	insertArtifact = `INSERT OR REPLACE INTO artifact_rows (run, task, port, port_index, node, label, output, rows, bytes, schema) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	insertCall     = `INSERT INTO calls (run, task, node, at, model, prompt_tokens, completion_tokens, cost, ms, cached, error) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
)

func (r *Run) write(ctx context.Context, db *sql.DB, rows []any) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // after Commit it does nothing
	prepared := map[string]*sql.Stmt{}
	exec := func(query string, args ...any) error {
		stmt := prepared[query]
		if stmt == nil {
			if stmt, err = tx.PrepareContext(ctx, query); err != nil {
				return err
			}
			prepared[query] = stmt
		}
		_, err := stmt.ExecContext(ctx, args...)
		return err
	}
	for _, row := range latestOnly(rows) {
		switch n := row.(type) {
		case NodeRow:
			var seconds any
			if s := n.Seconds(); s != 0 {
				seconds = s
			}
			err = exec(insertNode, r.id, n.Task, n.Node, n.Label, n.Uses, n.State, n.Why, n.Action, n.Error, optionalTime(n.Started), optionalTime(n.Ended), seconds, n.Rows, n.Bytes)
		case ArtifactRow:
			err = exec(insertArtifact, r.id, n.Task, n.Port, n.Index, n.Node, n.Label, n.Output, n.Rows, n.Bytes, n.Schema)
		case CallRow:
			err = exec(insertCall, r.id, n.Task, n.Node, stampTime(n.At), n.Model, n.PromptTokens, n.CompletionTokens, n.Cost, n.Millis, n.Cached, n.Error)
		default:
			err = fmt.Errorf("a row of type %T", row)
		}
		if err != nil {
			return err
		}
	}
	if err := exec(`UPDATE runs SET heartbeat = ? WHERE id = ?`, stampTime(time.Now()), r.id); err != nil {
		return err
	}
	return tx.Commit()
}
