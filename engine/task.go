package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/seed-4012077a/flow/engine/internal/cache"
	"github.com/seed-4012077a/flow/engine/internal/event"
	"github.com/seed-4012077a/flow/engine/internal/fingerprint"
	"github.com/seed-4012077a/flow/engine/internal/node"
	"github.com/seed-4012077a/flow/engine/internal/operator"
	"github.com/seed-4012077a/flow/engine/internal/pipeline"
	"github.com/seed-4012077a/flow/engine/internal/plan"
	"github.com/seed-4012077a/flow/engine/internal/schedule"
	"github.com/seed-4012077a/flow/engine/internal/table"
	"github.com/seed-4012077a/flow/engine/internal/table/ipc"
)

// result is what a task gave.
type result struct {
	outputs []output // by port
	elapsed time.Duration
	key     cache.ActionID
}

// output is one table of a result, kept as a blob.
type output struct {
	id    cache.OutputID
	bytes int64
	rowsN int64
}

func (r *result) rows() int64 {
	if len(r.outputs) == 0 {
		return 0
	}
	return r.outputs[0].rowsN
}

func (r *result) bytes() int64 {
	var n int64
	for _, o := range r.outputs {
		n += o.bytes
	}
	return n
}

// entryMeta is what the cache keeps for the engine beside an entry's blobs.
type entryMeta struct {
	Rows    []int64 `json:"rows"` // by output
	Seconds float64 `json:"seconds"`
}

func metaOf(e cache.Entry) (meta entryMeta, ok bool) {
	err := json.Unmarshal(e.Meta, &meta)
	return meta, err == nil
}

// resultOf reads a result back from a cache entry. ok is false where the
// entry is not of this task's shape.
func resultOf(t *plan.Task, key cache.ActionID, e cache.Entry) (res *result, ok bool) {
	meta, ok := metaOf(e)
	if !ok {
		return nil, false
	}
	if len(e.Outputs) != len(t.Spec.Outputs) || len(meta.Rows) != len(e.Outputs) {
		return nil, false
	}
	res = &result{key: key, elapsed: time.Duration(meta.Seconds * float64(time.Second))}
	for i, o := range e.Outputs {
		if o.Name != t.Spec.Outputs[i].Name {
			return nil, false
		}
		res.outputs = append(res.outputs, output{id: o.ID, bytes: o.Size, rowsN: meta.Rows[i]})
	}
	return res, true
}

func (r *result) entry(label string, t *plan.Task, manifest fingerprint.Manifest) (cache.Entry, error) {
	e := cache.Entry{Label: label, Manifest: manifest.Text()}
	meta := entryMeta{Seconds: r.elapsed.Seconds()}
	for i, o := range r.outputs {
		e.Outputs = append(e.Outputs, cache.Output{Name: t.Spec.Outputs[i].Name, ID: o.id, Size: o.bytes})
		meta.Rows = append(meta.Rows, o.rowsN)
	}
	var err error
	e.Meta, err = json.Marshal(meta)
	return e, err
}

// manifest says what a task's result depends on; its inputs have settled.
func (r *run) manifest(ctx context.Context, i int) (fingerprint.Manifest, error) {
	return fingerprint.New(ctx, cacheVersion, r.plan.Tasks[i], r.e.files, func(task, port int) (cache.OutputID, bool) {
		res := r.result(task)
		if res == nil {
			return cache.OutputID{}, false
		}
		return res.outputs[port].id, true
	})
}

// Lookup implements schedule.Store.
func (r *run) Lookup(ctx context.Context, i int) (bool, error) {
	t := r.plan.Tasks[i]
	m, err := r.manifest(ctx, i)
	if err != nil {
		return false, r.nodeError(t, err)
	}
	key := m.Key()
	entry, ok, err := r.store.Hit(key)
	if err != nil {
		return false, r.nodeError(t, err)
	}
	if ok {
		if res, good := resultOf(t, key, entry); good {
			r.setResult(i, res)
			return true, r.publish(ctx, i)
		}
	}
	r.setWhy(i, m)
	return false, nil
}

// Record implements schedule.Store.
func (r *run) Record(ctx context.Context, i int) error {
	t := r.plan.Tasks[i]
	res := r.result(i)
	m, err := r.manifest(ctx, i)
	if err != nil {
		return r.nodeError(t, err)
	}
	res.key = m.Key()
	if r.whyOf(i) == "" { // it streamed, so it was never looked up
		r.setWhy(i, m)
	}
	entry, err := res.entry(cacheLabel(r.plan, t), t, m)
	if err != nil {
		return r.nodeError(t, err)
	}
	if err := r.sameFiles(i, m); err != nil {
		return r.nodeError(t, err)
	}
	if err := r.compareKept(i, res); err != nil {
		return r.nodeError(t, err)
	}
	if err := r.store.Put(res.key, entry); err != nil {
		return r.nodeError(t, err)
	}
	return r.publish(ctx, i)
}

// sameFiles refuses a result whose files were changed while the task ran: what
// it read of them may not be what its key says. The rest of a manifest cannot
// change in a run.
func (r *run) sameFiles(i int, now fingerprint.Manifest) error {
	before := r.readOf(i)
	for k, f := range r.plan.Tasks[i].Files {
		if k >= len(before) || !slices.Contains(now.Lines, before[k]) {
			return fmt.Errorf("%s changed while this ran, so its result is not kept: run again", f.Path)
		}
	}
	return nil
}

// compareKept notes a task that gave something else than what is kept under
// the same key: its operator is not a pure function.
func (r *run) compareKept(i int, res *result) error {
	kept, ok, err := r.store.Get(res.key)
	if err != nil || !ok {
		return err
	}
	for k, o := range kept.Outputs {
		if k < len(res.outputs) && res.outputs[k].id != o.ID {
			r.differs(i, fmt.Sprintf("output %s differs from the one kept", o.Name))
		}
	}
	return nil
}

// Run implements schedule.Runner.
func (r *run) Run(ctx context.Context, i int) error {
	t := r.plan.Tasks[i]
	defer r.showSpools(i, nil) // also who waits for outputs that never came must go on
	err := r.runTask(ctx, i, t)
	if err == nil || errors.Is(err, schedule.ErrUpstream) {
		return err
	}
	return r.nodeError(t, err)
}

func (r *run) runTask(ctx context.Context, i int, t *plan.Task) error {
	if t.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, t.Timeout, fmt.Errorf("it took longer than its timeout of %v", t.Timeout))
		defer cancel()
	}
	found, err := r.e.catalog.find(ctx, t.Uses, r.plan.Dir, t.Env)
	if err != nil {
		return err
	}
	op, err := found.operator(ctx)
	if err != nil {
		return err
	}
	out, err := r.openOutputs(i, t)
	if err != nil {
		return err
	}
	defer out.close()
	err = r.work(ctx, i, t, op, out)
	if err != nil {
		out.abort(err)
		if cause := context.Cause(ctx); cause != nil && (errors.Is(err, cause) || errors.Is(err, ctx.Err())) {
			return cause // why it was stopped says more than that it was
		}
		return err
	}
	return nil
}

// work runs the operator and turns what it wrote into blobs.
func (r *run) work(ctx context.Context, i int, t *plan.Task, op node.Operator, out *openOutputs) error {
	if t.Spec.Kind != operator.Map {
		release, err := r.cpu.acquire(ctx, t.Resources["cpu"])
		if err != nil {
			return err
		}
		defer release()
	}
	read, err := fingerprint.Contents(ctx, t, r.e.files)
	if err != nil {
		return err
	}
	r.setRead(i, read)
	began := time.Now()
	ctx = withTask(ctx, i)
	meter := &rowMeter{r: r, task: i, total: r.inputRows(t)}
	inputs, err := r.openInputs(ctx, meter, t)
	if err != nil {
		return err
	}
	defer closeAll(inputs)
	scratch, err := r.scratch(ctx, i)
	if err != nil {
		return err
	}
	defer scratch.leave()
	log := r.log(i)
	defer log.Close()
	job := node.Job{Inputs: inputs, Outputs: out.writers(), Log: log, Slots: r.cpu, Workers: r.cpu.n, Scratch: scratch.path(),
		Progress: func(done, total int64, text string) {
			meter.own.Store(true)
			r.emit(event.Event{Kind: event.Progress, Task: i, Done: done, Total: total, Unit: "steps", Text: text})
		}}
	if err := op.Run(ctx, node.Binding{Params: t.Params, Seed: t.Seed, Inputs: t.InputSchemas}, job); err != nil {
		return err
	}
	res := &result{elapsed: time.Since(began)}
	if err := out.finish(ctx, r.store, res); err != nil {
		return err
	}
	r.setResult(i, res)
	return scratch.remove()
}

// taskKey is the context key of the number of the task that runs.
type taskKey struct{}

func withTask(ctx context.Context, i int) context.Context {
	return context.WithValue(ctx, taskKey{}, i)
}

// openInputs opens the table of each port: the concatenation of its inputs,
// each with its axis columns.
func (r *run) openInputs(ctx context.Context, meter *rowMeter, t *plan.Task) (readers []table.Reader, err error) {
	readers = make([]table.Reader, len(t.Inputs))
	defer func() {
		if err != nil {
			closeAll(readers)
		}
	}()
	for port, ins := range t.Inputs {
		if len(ins) == 0 {
			continue
		}
		parts := make([]table.Reader, 0, len(ins))
		for _, in := range ins {
			part, err := r.openInput(ctx, in)
			if err != nil {
				closeAll(parts)
				return readers, fmt.Errorf("input %s: %w", t.Spec.Inputs[port].Name, err)
			}
			parts = append(parts, part)
		}
		whole, err := table.Concat(t.InputSchemas[port], parts)
		if err != nil {
			closeAll(parts)
			return readers, fmt.Errorf("input %s: %w", t.Spec.Inputs[port].Name, err)
		}
		readers[port] = meter.around(whole)
	}
	return readers, nil
}

// openInput opens one table: the blob of a settled task, or the growing file
// of a running one.
func (r *run) openInput(ctx context.Context, in plan.Input) (table.Reader, error) {
	src, err := r.source(ctx, in)
	if err != nil || len(in.Axes) == 0 {
		return src, err
	}
	columns := make([]table.Constant, len(in.Axes))
	for k, a := range in.Axes {
		columns[k] = table.Constant{Name: a.Name, Type: a.Type, Value: a.Value}
	}
	with, err := table.WithConstants(src, columns)
	if err != nil {
		return nil, errors.Join(err, src.Close())
	}
	return with, nil
}

func (r *run) source(ctx context.Context, in plan.Input) (table.Reader, error) {
	if res := r.result(in.Task); res != nil {
		return openBlob(r.store, res.outputs[in.Port].id)
	}
	spool, err := r.spool(ctx, in.Task, in.Port)
	if err != nil {
		return nil, err
	}
	if spool != nil {
		if f := spool.Follow(); f != nil {
			return upstream{f}, nil
		}
	}
	// It may have finished while we looked.
	if res := r.result(in.Task); res != nil {
		return openBlob(r.store, res.outputs[in.Port].id)
	}
	return nil, schedule.ErrUpstream
}

// openBlob opens a kept table after a check of its bytes.
func openBlob(store *cache.Store, id cache.OutputID) (*ipc.File, error) {
	f, err := store.OpenVerified(id)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the kept output %.12s is gone: run again to make it anew", id)
	}
	if err != nil {
		return nil, err
	}
	return ipc.OpenFile(f)
}

func closeAll(readers []table.Reader) {
	for _, rd := range readers {
		if rd != nil {
			_ = rd.Close() // reading is over: nothing is lost
		}
	}
}

func (r *run) nodeError(t *plan.Task, err error) error {
	if err == nil {
		return nil
	}
	var already *NodeError
	if errors.As(err, &already) {
		return err
	}
	return &NodeError{Label: t.Label, Uses: t.Uses, Place: t.Place.String(), Err: err}
}

func keepOptions(k pipeline.Keep) ipc.Options { return ipc.Options{Zstd: k == pipeline.Long} }
