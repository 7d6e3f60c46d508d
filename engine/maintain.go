package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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

// scratchAge is how long the checkpoints of a task that did not finish are
// kept for its next try.
const scratchAge = 30 * 24 * time.Hour

// CacheGC drops old results, files that nothing names, and checkpoints that
// nobody came back for.
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
	return res, e.sweepScratch(ctx, p.DryRun, &res)
}

func (e *Engine) sweepScratch(ctx context.Context, dry bool, res *GCResult) error {
	dir := filepath.Join(e.cfg.Workspace, "scratch")
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		path := filepath.Join(dir, entry.Name())
		newest, size := folderAge(path)
		if time.Since(newest) < scratchAge {
			continue
		}
		res.Bytes += size
		res.Files++
		if !dry {
			if err := os.RemoveAll(path); err != nil {
				return err
			}
		}
	}
	return nil
}

// folderAge returns the newest time and the size of what a folder holds. What
// vanishes meanwhile does not count.
func folderAge(dir string) (newest time.Time, size int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if info, err := d.Info(); err == nil {
			if info.ModTime().After(newest) {
				newest = info.ModTime()
			}
			if !d.IsDir() {
				size += info.Size()
			}
		}
		return nil
	})
	return newest, size
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
		for _, o := range it.Entry.Outputs {
			if err := ctx.Err(); err != nil {
				return got, context.Cause(ctx)
			}
			problem, seen := checked[o.ID]
			if !seen {
				problem = store.Verify(o.ID)
				checked[o.ID] = problem
				got.Files++
				got.Bytes += o.Size
			}
			if problem == nil {
				continue
			}
			if errors.Is(problem, fs.ErrNotExist) {
				problem = fmt.Errorf("its file is gone")
			}
			got.Bad = append(got.Bad, BadFile{Label: it.Entry.Label, Output: o.Name, Problem: problem.Error()})
			if err := store.Forget(it.Action); err != nil {
				return got, err
			}
		}
	}
	return got, nil
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
