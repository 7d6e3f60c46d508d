package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/seed-4012077a/flow/engine/internal/cache"
)

// heldFolder is a folder of the workspace that one user has to itself while it
// holds the folder's lock. The lock's file lies beside the folder, so that it
// can be held before the folder is made and after it is removed.
type heldFolder struct {
	path string
	lock *flock.Flock
}

// lockEnd is what a lock's file is called beyond its folder's name.
const lockEnd = ".lock"

// hold takes a folder's lock; the folder need not be there. It returns nil
// where another holds it.
func hold(path string) (*heldFolder, error) {
	for {
		lock := flock.New(path + lockEnd)
		ok, err := lock.TryLock()
		if err != nil || !ok {
			return nil, err
		}
		mine, err := lock.Stat()
		if err != nil {
			return nil, errors.Join(err, lock.Unlock())
		}
		there, err := os.Stat(lock.Path())
		if err == nil && os.SameFile(mine, there) {
			return &heldFolder{path, lock}, nil
		}
		// The holder before removed the file between our opening and locking
		// it: others lock the next one.
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, errors.Join(err, lock.Unlock())
		}
		if err := lock.Unlock(); err != nil {
			return nil, err
		}
	}
}

// holdNew makes a folder that nobody else knows, and holds it.
func holdNew(prefix string) (*heldFolder, error) {
	h, err := hold(prefix + "-" + rand.Text())
	if err != nil {
		return nil, err
	}
	if h == nil {
		return nil, fmt.Errorf("%s: two random names are the same", prefix)
	}
	if err := os.Mkdir(h.path, 0o700); err != nil {
		return nil, errors.Join(err, h.release())
	}
	return h, nil
}

// release gives the folder back and leaves it there. It may be called again.
func (h *heldFolder) release() error {
	if !h.lock.Locked() {
		return nil
	}
	// While it is locked: afterwards it may be another's.
	err := os.Remove(h.lock.Path())
	return errors.Join(err, h.lock.Unlock())
}

// remove removes the folder and gives its place back. It does nothing once the
// folder was released.
func (h *heldFolder) remove() error {
	if !h.lock.Locked() {
		return nil
	}
	err := os.RemoveAll(h.path)
	return errors.Join(err, h.release())
}

// scratches is the workspace's folder of scratch folders.
const scratches = "scratch"

// scratchFolder is a native task's own folder.
type scratchFolder struct {
	held *heldFolder // nil: the task has none
	kept bool        // what it holds is there for the task's next try
}

// scratch makes the folder of a native task, which may resume from a
// checkpoint in it. It is named by the key, so that a changed task never
// resumes from another's. Plugins cannot see it and get none.
func (r *run) scratch(ctx context.Context, i int) (scratchFolder, error) {
	b, ok := r.plan.Tasks[i].Operator.(bound)
	if !ok || !b.resumes() {
		return scratchFolder{}, nil
	}
	m, err := r.manifest(ctx, i)
	if err != nil {
		return scratchFolder{}, err
	}
	return r.e.scratch(m.Key().String()[:32])
}

// scratch makes the folder of a key. The same task may be at work already,
// under another name in this run or in another process: the one that comes
// second works in a folder of its own, without a checkpoint.
func (e *Engine) scratch(key string) (s scratchFolder, err error) {
	dir, err := e.folder(scratches)
	if err != nil {
		return s, err
	}
	path := filepath.Join(dir, key)
	s.held, err = hold(path)
	if s.held != nil {
		s.kept = true
		if err = os.MkdirAll(path, 0o700); err != nil {
			err = errors.Join(err, s.held.release())
		}
	} else if err == nil {
		s.held, err = holdNew(path)
	}
	if err != nil {
		return scratchFolder{}, cache.Explain(fmt.Errorf("a task's scratch folder: %w", err))
	}
	return s, nil
}

func (s scratchFolder) path() string {
	if s.held == nil {
		return ""
	}
	return s.held.path
}

// remove ends the use of a task that succeeded.
func (s scratchFolder) remove() error {
	if s.held == nil {
		return nil
	}
	return s.held.remove()
}

// leave ends the use of a task that failed. After remove it does nothing.
func (s scratchFolder) leave() error {
	if s.held != nil && s.kept {
		return s.held.release()
	}
	return s.remove()
}

// scratchAge is how long the checkpoints of a task that did not finish are
// kept for its next try.
const scratchAge = 30 * 24 * time.Hour

// sweepHeld removes what killed processes left of folders that one user each
// had to itself: scratch folders and the inputs of reports.
func (e *Engine) sweepHeld(ctx context.Context, dry bool, res *GCResult) error {
	for _, parent := range []string{scratches, reportsFolder} {
		dir := filepath.Join(e.cfg.Workspace, parent)
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, entry := range entries {
			if err := ctx.Err(); err != nil {
				return context.Cause(ctx)
			}
			name, isLock := strings.CutSuffix(entry.Name(), lockEnd)
			// A folder of holdNew is named by nothing that comes again; one
			// with a key alone may hold a checkpoint.
			var age time.Duration
			if parent == scratches && !strings.Contains(name, "-") {
				age = scratchAge
			}
			path := filepath.Join(dir, name)
			if isLock {
				err = sweepLock(path, dry)
			} else {
				err = sweepFolder(path, age, dry, res)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// sweepFolder removes a folder in which nothing is newer than age, unless
// somebody holds it.
func sweepFolder(path string, age time.Duration, dry bool, res *GCResult) error {
	old := func() (bool, int64) {
		newest, size := folderAge(path)
		return !newest.IsZero() && time.Since(newest) >= age, size
	}
	// Before it is held: a task that finds its folder held goes without its
	// checkpoint.
	if yes, _ := old(); !yes {
		return nil
	}
	h, err := hold(path)
	if err != nil || h == nil {
		return err
	}
	defer h.release()
	yes, size := old()
	if !yes {
		return nil // somebody had it meanwhile
	}
	res.Bytes += size
	res.Files++
	if dry {
		return nil
	}
	return h.remove()
}

// sweepLock removes the file of a lock that nobody holds and whose folder is
// gone. Where the folder is still there, the file goes with it.
func sweepLock(path string, dry bool) error {
	if _, err := os.Lstat(path); dry || !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	h, err := hold(path)
	if err != nil || h == nil {
		return err
	}
	return h.release()
}

// folderAge returns the newest time and the size of what a folder holds. What
// vanishes meanwhile does not count; the time of a folder that is not there is
// zero.
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
