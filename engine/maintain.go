package engine

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"time"

	"github.com/seed-4012077a/flow/engine/internal/cache"
)

// CacheItem is a kept result.
type CacheItem struct {
	Key   string    `json:"key"`
	Label string    `json:"task"` // pipeline/task
	Rows  int64     `json:"rows"`
	Bytes int64     `json:"bytes"`
	Made  time.Time `json:"made"`
	Used  time.Time `json:"used"`
	Files []string  `json:"files"` // Arrow files, by output
}

// CacheItems lists the kept results, oldest first.
func (e *Engine) CacheItems(ctx context.Context) ([]CacheItem, error) {
	store, err := e.store()
	if err != nil {
		return nil, err
	}
	items := []CacheItem{}
	for it, err := range store.List() {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		item := CacheItem{Key: it.Action.String(), Label: it.Entry.Label, Made: it.Entry.Time, Used: it.Used}
		if meta, ok := metaOf(it.Entry); ok && len(meta.Rows) > 0 {
			item.Rows = meta.Rows[0]
		}
		for _, o := range it.Entry.Outputs {
			item.Bytes += o.Size
			item.Files = append(item.Files, store.Path(o.ID))
		}
		items = append(items, item)
	}
	return items, nil
}

// GCPolicy says what a collection drops.
type GCPolicy struct {
	MaxAge   time.Duration // results not used for longer; 0: no limit
	MaxBytes int64         // the longest unused beyond this size; 0: no limit
	DryRun   bool
}

// GCResult counts what a collection dropped.
type GCResult struct {
	Entries int   `json:"results"`
	Files   int   `json:"files"`
	Bytes   int64 `json:"bytes"`
	Kept    int64 `json:"kept_bytes"`
	DryRun  bool  `json:"dry_run"`
}

// CacheGC drops old results, files that nothing names, checkpoints that nobody
// came back for, and what killed processes left.
func (e *Engine) CacheGC(ctx context.Context, p GCPolicy) (GCResult, error) {
	store, err := e.store()
	if err != nil {
		return GCResult{}, err
	}
	got, err := store.GC(cache.Policy{MaxAge: p.MaxAge, MaxSize: p.MaxBytes, DryRun: p.DryRun})
	if err != nil {
		return GCResult{}, err
	}
	if got.Entries > 0 && !p.DryRun {
		// Memos of what is gone would only be read in vain; the others are made
		// again by the next run.
		if err := e.memos.Clear(); err != nil {
			return GCResult{}, err
		}
	}
	res := GCResult{Entries: got.Entries, Files: got.Blobs, Bytes: got.Bytes, Kept: got.Kept, DryRun: p.DryRun}
	return res, e.sweepHeld(ctx, p.DryRun, &res)
}

// VerifyResult is what a check of all kept bytes found.
type VerifyResult struct {
	Files int       `json:"files"`
	Bytes int64     `json:"bytes"`
	Bad   []BadFile `json:"bad"`
}

// BadFile is a kept output whose bytes are not what they were, or are gone.
type BadFile struct {
	Label   string `json:"task"`
	Output  string `json:"output"`
	Problem string `json:"problem"`
}

// CacheVerify hashes every kept output in full. What changed is moved to
// quarantine, and its result forgotten.
func (e *Engine) CacheVerify(ctx context.Context) (VerifyResult, error) {
	got := VerifyResult{Bad: []BadFile{}}
	store, err := e.store()
	if err != nil {
		return got, err
	}
	checked := map[cache.OutputID]error{}
	for it, err := range store.List() {
		if err != nil {
			return got, err
		}
		if err := verifyItem(ctx, store, it, checked, &got); err != nil {
			return got, err
		}
	}
	return got, nil
}

// verifyItem checks the outputs of one result that was listed.
func verifyItem(ctx context.Context, store *cache.Store, it cache.Item, checked map[cache.OutputID]error, got *VerifyResult) error {
	bad := false
	for _, o := range it.Entry.Outputs {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		problem, seen := checked[o.ID]
		if !seen {
			problem = store.Verify(o.ID)
		}
		if problem != nil {
			// Collections and runs may go on beside this: a result that was
			// dropped since it was listed misses nothing. Only now is it
			// pinned: a check is no use, and must not make a result younger.
			now, stands, err := store.Get(it.Action)
			if err != nil {
				return err
			}
			if !stands || !slices.ContainsFunc(now.Outputs, func(n cache.Output) bool { return n.ID == o.ID }) {
				return nil
			}
			if errors.Is(problem, fs.ErrNotExist) {
				problem = store.Verify(o.ID) // it may have been made again
			}
		}
		if !seen {
			checked[o.ID] = problem
			got.Files++
			got.Bytes += o.Size
		}
		if problem == nil {
			continue
		}
		if errors.Is(problem, fs.ErrNotExist) {
			problem = errors.New("its file is gone")
		}
		got.Bad = append(got.Bad, BadFile{Label: it.Entry.Label, Output: o.Name, Problem: problem.Error()})
		bad = true
	}
	if bad { // once all were checked: what is forgotten does not stand
		return store.Forget(it.Action)
	}
	return nil
}

// VerifyRun runs every task of a plan again and compares what it gives with
// what is kept. A difference means an operator that is not a pure function of
// its inputs, parameters and seed. Results without a kept one are kept.
func (e *Engine) VerifyRun(ctx context.Context, p *Plan, opts RunOptions) ([]TaskDiff, error) {
	all := make([]string, 0, len(p.plan.Nodes))
	for _, n := range p.plan.Nodes {
		all = append(all, n.Name)
	}
	forced, err := p.plan.Select(nil, all)
	if err != nil {
		return nil, err
	}
	var diffs []TaskDiff
	_, err = e.run(ctx, &Plan{plan: forced, file: p.file}, opts, &diffs)
	return diffs, err
}
