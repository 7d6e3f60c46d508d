package engine

import (
	"context"
	"strings"
	"time"

	"github.com/seed-4012077a/flow/engine/internal/cache"
	"github.com/seed-4012077a/flow/engine/internal/fingerprint"
	"github.com/seed-4012077a/flow/engine/internal/plan"
)

// What a run would do with a task.
const (
	WillRun = "run"
	MayRun  = "run?" // it depends on results that are not there yet
	Cached  = "cached"
)

// TaskStatus says what a run would do with a task, and why.
type TaskStatus struct {
	Node      string        `json:"node"`
	Label     string        `json:"task"`
	Uses      string        `json:"uses"`
	State     string        `json:"state"` // WillRun, MayRun or Cached
	Why       []string      `json:"why,omitempty"`
	Rows      int64         `json:"rows"`       // of the first output, where RowsKnown
	RowsKnown bool          `json:"rows_known"` // from the kept result, or from the last one of this task
	Estimate  time.Duration `json:"estimate"`   // ns; by the last time it ran; 0 where it never did
}

// Explain says for every task of a plan whether it would run, and why, from
// the same manifest that is hashed for its key. It changes no result.
func (e *Engine) Explain(ctx context.Context, p *Plan) ([]TaskStatus, error) {
	store, err := e.store()
	if err != nil {
		return nil, err
	}
	results := make([]*result, len(p.plan.Tasks))
	out := make([]TaskStatus, len(p.plan.Tasks))
	for i, t := range p.plan.Tasks {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		out[i] = TaskStatus{Node: t.Node, Label: t.Label, Uses: t.Uses}
		if err := e.explainTask(ctx, store, p.plan, i, results, &out[i]); err != nil {
			return nil, err
		}
	}
	e.remember(ctx, p, store, results, "")
	return out, nil
}

func (e *Engine) explainTask(ctx context.Context, store *cache.Store, p *plan.Plan, i int, results []*result, s *TaskStatus) error {
	t := p.Tasks[i]
	if waits := unsettled(p, t, results); len(waits) > 0 {
		s.State, s.Why = MayRun, []string{"after " + strings.Join(waits, ", ")}
		if t.Forced {
			s.State, s.Why = WillRun, []string{"asked for with --from"}
		}
		return e.lastTime(store, p, t, s)
	}
	m, err := fingerprint.New(ctx, cacheVersion, t, e.files, func(task, port int) (cache.OutputID, bool) {
		return results[task].outputs[port].id, true
	})
	if err != nil {
		return err
	}
	switch {
	case t.Forced:
		s.State, s.Why = WillRun, []string{"asked for with --from"}
		return e.lastTime(store, p, t, s)
	case !t.Cache:
		s.State, s.Why = WillRun, []string{"cache = false"}
		return e.lastTime(store, p, t, s)
	}
	key := m.Key()
	entry, ok, err := store.Hit(key)
	if err != nil {
		return err
	}
	if ok {
		if res, good := resultOf(t, key, entry); good {
			results[i] = res
			s.State, s.Rows, s.RowsKnown = Cached, res.rows(), true
			return nil
		}
	}
	s.State, s.Why = WillRun, e.reason(store, p, t, m)
	return e.lastTime(store, p, t, s)
}

// unsettled names the nodes whose results a task waits for.
func unsettled(p *plan.Plan, t *plan.Task, results []*result) []string {
	var names []string
	seen := map[string]bool{}
	for _, port := range t.Inputs {
		for _, in := range port {
			if name := p.Tasks[in.Task].Node; results[in.Task] == nil && !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	return names
}

// lastTime fills in rows and time from the last result under the task's label.
func (e *Engine) lastTime(store *cache.Store, p *plan.Plan, t *plan.Task, s *TaskStatus) error {
	_, entry, ok, err := store.Latest(cacheLabel(p, t))
	if err != nil || !ok {
		return err
	}
	if res, good := resultOf(t, cache.ActionID{}, entry); good {
		s.Rows, s.RowsKnown, s.Estimate = res.rows(), true, res.elapsed
	}
	return nil
}

// reason says why a task has no kept result: what changed since the last
// result under its label.
func (e *Engine) reason(store *cache.Store, p *plan.Plan, t *plan.Task, m fingerprint.Manifest) []string {
	if t.Forced {
		return []string{"asked for with --from"}
	}
	if !t.Cache {
		return []string{"cache = false"}
	}
	_, entry, ok, err := store.Latest(cacheLabel(p, t))
	if err != nil || !ok {
		return []string{"never ran"}
	}
	old, err := fingerprint.Parse(entry.Manifest)
	if err != nil {
		return []string{"its last manifest is unreadable"}
	}
	var why []string
	for _, c := range fingerprint.Diff(old, m) {
		why = append(why, c.Text)
	}
	if len(why) == 0 {
		return []string{"its kept result is gone or damaged"}
	}
	return why
}

func joinWhy(why []string) string { return strings.Join(why, "; ") }
