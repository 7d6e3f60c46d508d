package engine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/seed-4012077a/flow/engine/internal/cache"
	"github.com/seed-4012077a/flow/engine/internal/event"
	"github.com/seed-4012077a/flow/engine/internal/fingerprint"
	"github.com/seed-4012077a/flow/engine/internal/plan"
	"github.com/seed-4012077a/flow/engine/internal/table/ipc"
)

// run is one run of a plan. It is the scheduler's Runner, Store and Observer.
type run struct {
	e      *Engine
	p      *Plan
	plan   *plan.Plan
	opts   RunOptions
	store  *cache.Store
	cpu    *processors
	id     string
	folder string // of the logs; made by the first line
	sinks  event.Tee
	record *recorder

	mu      sync.Mutex
	results []*result
	spools  map[int][]*ipc.Spool
	shown   []chan struct{} // by task: closed once its outputs can be followed
	why     []string
	read    map[int][]fingerprint.Line // by task: its files' contents when it began
	writers map[string]string          // who published a file, by its path
	diffs   *[]TaskDiff                // not nil: tasks that differ from what is kept are noted
}

func (e *Engine) newRun(p *Plan, opts RunOptions) (*run, error) {
	store, err := e.store()
	if err != nil {
		return nil, err
	}
	if store.ReadOnly() {
		return nil, fmt.Errorf("%s: %w; choose another with --workspace", e.cfg.Workspace, cache.ErrReadOnly)
	}
	n := len(p.plan.Tasks)
	r := &run{e: e, p: p, plan: p.plan, opts: opts, store: store, cpu: newProcessors(e.cfg.Jobs),
		results: make([]*result, n), spools: map[int][]*ipc.Spool{}, why: make([]string, n), read: map[int][]fingerprint.Line{}, writers: map[string]string{}}
	for range n {
		r.shown = append(r.shown, make(chan struct{}))
	}
	if r.record, err = e.startRecord(p); err != nil {
		return nil, err
	}
	r.record.r = r
	r.id = r.record.id
	r.folder = filepath.Join(e.cfg.Workspace, "runs", r.id)
	r.sinks = event.Tee{r.record}
	if opts.Observer != nil {
		r.sinks = append(r.sinks, opts.Observer)
	}
	started := event.Event{Kind: event.RunStarted, Run: r.id}
	for _, t := range p.plan.Tasks {
		started.Tasks = append(started.Tasks, event.Task{Node: t.Node, Label: t.Label, Uses: t.Uses})
	}
	r.emit(started)
	return r, nil
}

func (r *run) result(i int) *result {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.results[i]
}

func (r *run) setResult(i int, res *result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.results[i] = res
	delete(r.spools, i)
}

// showSpools lets others follow a task's outputs, and wakes who waits for
// them. The first call counts.
func (r *run) showSpools(i int, spools []*ipc.Spool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.shown[i]:
	default:
		r.spools[i] = spools
		close(r.shown[i])
	}
}

// spool returns an output that a running task writes. A task counts as running
// a moment before its outputs are there: spool waits for them. It returns nil
// where there is none, or no longer.
func (r *run) spool(ctx context.Context, i, port int) (*ipc.Spool, error) {
	select {
	case <-r.shown[i]:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.spools[i]; port < len(s) {
		return s[port], nil
	}
	return nil, nil
}

func (r *run) setWhy(i int, m fingerprint.Manifest) {
	why := r.e.reason(r.store, r.plan, r.plan.Tasks[i], m)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.why[i] = joinWhy(why)
}

func (r *run) whyOf(i int) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.why[i]
}

// setRead notes what a task's files held when it began, and readOf tells.
func (r *run) setRead(i int, lines []fingerprint.Line) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(lines) > 0 {
		r.read[i] = lines
	}
}

func (r *run) readOf(i int) []fingerprint.Line {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.read[i]
}

func (r *run) differs(i int, change string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.diffs != nil {
		*r.diffs = append(*r.diffs, TaskDiff{Label: r.plan.Tasks[i].Label, Change: change})
		return
	}
	r.e.cfg.Notice(fmt.Errorf("%s: %s: its operator is not a pure function of its inputs, parameters and seed", r.plan.Tasks[i].Label, change))
}

// close ends what the run still holds.
func (r *run) close() {
	for _, spools := range r.spools {
		for _, s := range spools {
			s.Abort(context.Canceled)
		}
	}
}

// finish writes down what the run's end leaves to be written.
func (r *run) finish() error {
	return errors.Join(r.record.close(), r.store.Sync(), r.e.files.Save())
}
