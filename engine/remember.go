package engine

import (
	"context"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/seed-4012077a/flow/engine/internal/cache"
	"github.com/seed-4012077a/flow/engine/internal/fingerprint"
	"github.com/seed-4012077a/flow/engine/internal/node/file"
	"github.com/seed-4012077a/flow/engine/internal/plan"
	"github.com/seed-4012077a/flow/engine/internal/runmemo"
	"github.com/seed-4012077a/flow/engine/internal/schedule"
)

// settled returns the results of a run that ended well, as the cache gives
// them back: times are kept there in seconds.
func (r *run) settled(states []schedule.State) []*result {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := slices.Clone(r.results)
	for i, st := range states {
		if st == schedule.Done && out[i] != nil {
			again := *out[i]
			again.elapsed = time.Duration(again.elapsed.Seconds() * float64(time.Second))
			out[i] = &again
		}
	}
	return out
}

// remember keeps a memo of a plan all of whose tasks are kept now, so that the
// next run or plan of the same need not plan again (see RATIONALE.md). run is
// the run in the history with these results; "" for none. A memo that cannot
// be made is not: that costs time only.
func (e *Engine) remember(ctx context.Context, p *Plan, store *cache.Store, results []*result, run string) {
	if p.source == nil || len(p.source.From) > 0 || p.seen.mixed || store.ReadOnly() || slices.Contains(results, nil) {
		return
	}
	question, ok := e.question(*p.source)
	if !ok {
		return
	}
	m := &runmemo.Memo{Question: question, Pipeline: p.plan.Name, Dir: p.plan.Dir, Texts: witnessList(p.plan.Read), Found: p.plan.Found,
		Origin: run, Tasks: make([]runmemo.Task, len(p.plan.Tasks))}
	for _, name := range slices.Sorted(maps.Keys(p.seen.programs)) {
		m.Programs = append(m.Programs, p.seen.programs[name])
	}
	kept := make([]cache.Result, len(p.plan.Tasks))
	files := &witnesses{files: maps.Clone(p.seen.files)}
	for i, t := range p.plan.Tasks {
		if t.Forced || !t.Cache || !e.keyHolds(ctx, p.plan, results, i, files) {
			return
		}
		m.Tasks[i], kept[i] = memoOf(t, results[i])
	}
	if files.mixed {
		return
	}
	m.Files = witnessList(files.files)
	k, ok, err := store.Keep(kept)
	if err != nil || !ok {
		return
	}
	if m.Origin == "" {
		m.Origin = e.originOf(m, k)
	}
	_ = e.writeMemo(m, k) // losing it costs time only
}

func (e *Engine) writeMemo(m *runmemo.Memo, k *cache.Kept) error {
	var err error
	if m.Kept, err = k.AppendBinary(nil); err != nil {
		return err
	}
	return e.memos.Write(m)
}

// keyHolds reports whether a task's key is still the one that its result was
// found under, and notes the files that went into it: what a memo says of
// files is then what the keys were made of, whatever changed meanwhile.
func (e *Engine) keyHolds(ctx context.Context, p *plan.Plan, results []*result, i int, files *witnesses) bool {
	t := p.Tasks[i]
	m, err := fingerprint.New(ctx, cacheVersion, t, e.files, func(task, port int) (cache.OutputID, bool) {
		return results[task].outputs[port].id, true // tasks come after those that they need
	})
	if err != nil || m.Key() != results[i].key {
		return false
	}
	next := 0
	for _, l := range m.Lines {
		if l.Kind != "file" {
			continue
		}
		raw, err := hex.DecodeString(strings.TrimPrefix(l.Value, "sha256:"))
		if err != nil || len(raw) != len(runmemo.Hash{}) || next == len(t.Files) {
			return false
		}
		files.file(t.Files[next].Path, runmemo.Hash(raw))
		next++
	}
	return next == len(t.Files)
}

func memoOf(t *plan.Task, res *result) (runmemo.Task, cache.Result) {
	m := runmemo.Task{Node: t.Node, Label: t.Label, Uses: t.Uses, Rows: res.rows(), Bytes: res.bytes(), Elapsed: res.elapsed}
	if b, ok := t.Operator.(bound); ok {
		if p, ok := b.own.(file.Publisher); ok {
			m.Publishes, m.Files = true, runmemo.Hash(res.outputs[p.Publishes()].id)
		}
	}
	kept := cache.Result{Action: res.key, Outputs: make([]cache.OutputID, len(res.outputs))}
	for k, o := range res.outputs {
		kept.Outputs[k] = o.id
	}
	return m, kept
}

// originOf returns the run that an earlier memo names, if the rows that it has
// in the history would be written the same for this one.
func (e *Engine) originOf(m *runmemo.Memo, k *cache.Kept) string {
	old, err := e.memos.Read(m.Question)
	if err != nil || old.Pipeline != m.Pipeline || !slices.EqualFunc(old.Tasks, m.Tasks, sameRows) {
		return ""
	}
	if was, err := cache.ParseKept(old.Kept); err != nil || !was.Same(k) {
		return ""
	}
	return old.Origin
}

func sameRows(a, b runmemo.Task) bool {
	return a.Label == b.Label && a.Node == b.Node && a.Uses == b.Uses && a.Rows == b.Rows && a.Bytes == b.Bytes
}
