package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/seed-4012077a/flow/engine/internal/event"
	"github.com/seed-4012077a/flow/engine/internal/fingerprint"
	"github.com/seed-4012077a/flow/engine/internal/operator"
	"github.com/seed-4012077a/flow/engine/internal/plan"
	"github.com/seed-4012077a/flow/engine/internal/schedule"
)

// RunOptions say how to run a plan.
type RunOptions struct {
	KeepGoing bool     // after a failure, run what does not depend on it
	Observer  Observer // may be nil
}

// Summary is how a run ended.
type Summary struct {
	Run    string         // its name in the history
	Counts map[string]int // tasks by final state
}

// Run runs a plan: each task whose result is not kept. The error is a
// *NodeError of the first node that failed, or the context's cause. Whatever
// finished is kept. An engine runs one plan at a time; further calls wait.
func (e *Engine) Run(ctx context.Context, p *Plan, opts RunOptions) (*Summary, error) {
	return e.run(ctx, p, opts, nil)
}

// run is Run; where diffs is not nil, tasks that give something else than what
// is kept under their key are added to it.
func (e *Engine) run(ctx context.Context, p *Plan, opts RunOptions, diffs *[]TaskDiff) (*Summary, error) {
	e.running.Lock()
	defer e.running.Unlock()
	r, err := e.newRun(p, opts)
	if err != nil {
		return nil, err
	}
	defer r.close()
	e.setRecording(r.record)
	defer e.setRecording(nil)
	r.diffs = diffs
	states, runErr := schedule.Run(ctx, r.scheduled(), r.config(), r, r, r)
	var slots *schedule.SlotsError
	if errors.As(runErr, &slots) {
		t := p.plan.Tasks[slots.Task]
		runErr = &NodeError{Label: t.Label, Uses: t.Uses, Place: t.Place.String(),
			Err: fmt.Errorf("it %w; raise [resources] %s, or run it where there are more", slots, slots.Resource)}
	}
	counts := map[string]int{}
	for _, st := range states {
		counts[st.String()]++
	}
	r.emit(event.Event{Kind: event.RunEnded, Run: r.id, Counts: counts, Err: runErr})
	err = errors.Join(runErr, r.finish())
	if err == nil {
		e.remember(ctx, p, r.store, r.settled(states), r.id)
	}
	return &Summary{Run: r.id, Counts: counts}, err
}

func (e *Engine) setRecording(rec *recorder) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.recording = rec
}

// scheduled gives the tasks as the scheduler knows them.
func (r *run) scheduled() []schedule.Task {
	tasks := make([]schedule.Task, len(r.plan.Tasks))
	for i, t := range r.plan.Tasks {
		s := schedule.Task{Forced: t.Forced || !t.Cache}
		seen := map[int]bool{}
		for _, port := range t.Inputs {
			for _, in := range port {
				if !seen[in.Task] {
					seen[in.Task] = true
					s.Needs = append(s.Needs, in.Task)
				}
			}
		}
		if t.Spec.Kind == operator.Map && len(s.Needs) > 0 && streamable(t) {
			s.Streams = func() bool { return !r.mayBeKept(i) }
		}
		for name, n := range t.Resources {
			if name == "cpu" || n == 0 {
				continue // cpu slots are shared batch by batch: see processors
			}
			if s.Slots == nil {
				s.Slots = map[string]int{}
			}
			s.Slots[name] = n
		}
		tasks[i] = s
	}
	return tasks
}

// streamable reports whether a map can start on a table that is still being
// made. Native nodes take whole files, so they would only wait in their slots.
func streamable(t *plan.Task) bool {
	b, ok := t.Operator.(bound)
	return ok && b.streams()
}

// mayBeKept reports whether all that a task depends on, but for the content of
// its inputs, is as it was for its latest result. Then its inputs may come out
// as they were too, and its result be kept: it waits for them.
func (r *run) mayBeKept(i int) bool {
	t := r.plan.Tasks[i]
	if t.Forced || !t.Cache {
		return false
	}
	_, entry, ok, err := r.store.Latest(cacheLabel(r.plan, t))
	if err != nil || !ok {
		return false
	}
	old, err := fingerprint.Parse(entry.Manifest)
	if err != nil {
		return false
	}
	now, err := r.manifest(context.Background(), i)
	if err != nil {
		return false
	}
	for _, c := range fingerprint.Diff(old, now) {
		if c.Kind != "input" {
			return false
		}
	}
	return true
}

func (r *run) config() schedule.Config {
	slots := maps.Clone(r.plan.Slots())
	delete(slots, "cpu")
	// Twice the cpu slots: while one half computes, the other half reads,
	// writes or waits for an answer.
	return schedule.Config{Slots: slots, Seats: 2 * r.cpu.n, KeepGoing: r.opts.KeepGoing}
}

// Changed implements schedule.Observer.
func (r *run) Changed(i int, to schedule.State, err error) {
	ev := event.Event{Kind: event.TaskState, Task: i, State: to.String(), Err: err}
	var ne *NodeError
	if errors.As(err, &ne) {
		ev.Err = ne.Err // the event names the task already
	}
	r.mu.Lock()
	if res := r.results[i]; res != nil && to.Good() {
		ev.Rows, ev.Bytes, ev.Elapsed = res.rows(), res.bytes(), res.elapsed
	}
	if to == schedule.Running || to == schedule.Done || to == schedule.Failed {
		ev.Why = r.why[i]
	}
	r.mu.Unlock()
	r.emit(ev)
}

func (r *run) emit(ev event.Event) {
	ev.At = time.Now()
	r.sinks.Emit(ev)
}
