package engine

import (
	"context"
	"errors"
	"time"

	"github.com/seed-4012077a/flow/engine/internal/cache"
	"github.com/seed-4012077a/flow/engine/internal/event"
	"github.com/seed-4012077a/flow/engine/internal/ledger"
	"github.com/seed-4012077a/flow/engine/internal/node/file"
	"github.com/seed-4012077a/flow/engine/internal/runmemo"
	"github.com/seed-4012077a/flow/engine/internal/schedule"
)

// Prepared is a pipeline ready to be run or explained: planned, or remembered
// from the run before where all that planning would read is as it was then.
type Prepared struct {
	e      *Engine
	source Source
	plan   *Plan         // nil while the memo does
	memo   *runmemo.Memo // nil where there is none that holds
	kept   *cache.Kept
}

// Prepare is Plan for those who go on with Run or Explain.
func (e *Engine) Prepare(ctx context.Context, s Source) (*Prepared, error) {
	p := &Prepared{e: e, source: s}
	if p.recall() {
		return p, nil
	}
	return p, p.replan(ctx)
}

// recall finds the memo of the source and checks what planning depended on.
func (p *Prepared) recall() bool {
	if len(p.source.From) > 0 {
		return false
	}
	question, ok := p.e.question(p.source)
	if !ok {
		return false
	}
	m, err := p.e.memos.Read(question)
	if err != nil {
		return false
	}
	k, err := cache.ParseKept(m.Kept)
	if err != nil || !p.e.planHolds(m) {
		return false
	}
	p.memo, p.kept = m, k
	return true
}

// replan gives up the memo.
func (p *Prepared) replan(ctx context.Context) error {
	p.memo, p.kept = nil, nil
	plan, err := p.e.Plan(ctx, p.source)
	if err != nil {
		return err
	}
	p.plan = plan
	return nil
}

// Run is Engine.Run of what was prepared.
func (p *Prepared) Run(ctx context.Context, opts RunOptions) (*Summary, error) {
	if p.memo != nil {
		if sum, err := p.rerun(ctx, opts); sum != nil {
			return sum, err
		}
	}
	if p.plan == nil {
		if err := p.replan(ctx); err != nil {
			return nil, err
		}
	}
	return p.e.Run(ctx, p.plan, opts)
}

// Explain is Engine.Explain of what was prepared.
func (p *Prepared) Explain(ctx context.Context) ([]TaskStatus, error) {
	if p.memo != nil {
		if out := p.recount(ctx); out != nil {
			return out, nil
		}
	}
	if p.plan == nil {
		if err := p.replan(ctx); err != nil {
			return nil, err
		}
	}
	return p.e.Explain(ctx, p.plan)
}

// stillKept reports whether every result of the memo would be a hit: files
// have the content that its keys were made of, and what is kept under these
// keys is there and believed, as a look at each would find.
func (p *Prepared) stillKept(ctx context.Context, store *cache.Store, pin bool) bool {
	if !p.e.filesHold(ctx, p.memo) {
		return false
	}
	ok, changed, err := store.Still(p.kept, pin)
	if err != nil || !ok {
		return false
	}
	if changed {
		_ = p.e.writeMemo(p.memo, p.kept) // losing it costs time only
	}
	return true
}

// recount gives the memo's tasks as cached; nil where one may not be.
func (p *Prepared) recount(ctx context.Context) []TaskStatus {
	store, err := p.e.store()
	if err != nil || !p.stillKept(ctx, store, false) {
		return nil
	}
	out := make([]TaskStatus, len(p.memo.Tasks))
	for i := range p.memo.Tasks {
		t := &p.memo.Tasks[i]
		out[i] = TaskStatus{Node: t.Node, Label: t.Label, Uses: t.Uses, State: Cached, Rows: t.Rows, RowsKnown: true}
	}
	return out
}

// rerun does what a run does where everything is kept: files are published,
// the run goes into the history and to the observer. It returns nil, with
// nothing said or noted, where the memo does not hold or anything fails until
// then: the long way finds what there is to say. The error is of the history.
func (p *Prepared) rerun(ctx context.Context, opts RunOptions) (*Summary, error) {
	e, m, began := p.e, p.memo, time.Now()
	if m.Origin == "" {
		return nil, nil
	}
	e.running.Lock()
	defer e.running.Unlock()
	store, err := e.store()
	if err != nil || store.ReadOnly() || !p.stillKept(ctx, store, true) {
		return nil, nil
	}
	for i := range m.Tasks {
		if t := &m.Tasks[i]; t.Publishes && republish(ctx, store, cache.OutputID(t.Files), m.Dir) != nil {
			return nil, nil
		}
	}
	history, err := e.history()
	if err != nil {
		return nil, nil
	}
	run, err := history.Begin(ctx, ledger.RunInfo{Pipeline: m.Pipeline, File: p.source.File, Args: e.cfg.Args, Version: e.cfg.Version,
		Tasks: len(m.Tasks), SameAs: m.Origin})
	if err != nil {
		return nil, nil
	}
	sum := &Summary{Run: run.ID(), Counts: map[string]int{}}
	if len(m.Tasks) > 0 {
		sum.Counts[Cached] = len(m.Tasks)
	}
	if opts.Observer != nil {
		tellCached(opts.Observer, m, sum, began)
	}
	// The end is written also when the run was cancelled.
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return sum, errors.Join(run.End(end, "done", nil), e.files.Save())
}

// republish puts the files of a kept files table on disk.
func republish(ctx context.Context, store *cache.Store, id cache.OutputID, dir string) error {
	table, err := openBlob(store, id)
	if err != nil {
		return err
	}
	_, err = file.Publish(ctx, table, dir)
	return errors.Join(err, table.Close())
}

// tellCached tells an observer what it would be told of a run that looked every
// task up, in the order of the tasks.
func tellCached(to Observer, m *runmemo.Memo, sum *Summary, began time.Time) {
	started := event.Event{Kind: event.RunStarted, At: began, Run: sum.Run, Tasks: make([]event.Task, len(m.Tasks))}
	for i := range m.Tasks {
		t := &m.Tasks[i]
		started.Tasks[i] = event.Task{Node: t.Node, Label: t.Label, Uses: t.Uses}
	}
	to.Emit(started)
	now := time.Now()
	for i := range m.Tasks {
		t := &m.Tasks[i]
		to.Emit(event.Event{Kind: event.TaskState, At: now, Task: i, State: schedule.Looking.String()})
		to.Emit(event.Event{Kind: event.TaskState, At: now, Task: i, State: schedule.Cached.String(), Rows: t.Rows, Bytes: t.Bytes, Elapsed: t.Elapsed})
	}
	to.Emit(event.Event{Kind: event.RunEnded, At: time.Now(), Run: sum.Run, Counts: sum.Counts})
}
