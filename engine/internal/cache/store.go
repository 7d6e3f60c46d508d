package cache

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// layout is the version of what lies on disk. A store of another layout is
// refused rather than guessed at.
const layout = "flow cache 1\n"

// useEvery is how stale an entry's last use may get before a hit notes it
// again: collection goes by days, and a note costs a record.
const useEvery = int64(time.Hour)

// Options are what a store can be told at Open.
type Options struct {
	// Notice is told of what the store put right by itself: a blob that was
	// quarantined, a damaged log. It may be nil, and must not call the store.
	Notice func(error)
}

// Store is an open cache folder. It is safe for concurrent use, and other
// processes may have the same folder open.
type Store struct {
	dir      string
	readOnly bool
	notice   func(error)

	mu      sync.Mutex
	index   index
	pending []byte // framed records that can wait for the next append
	session *session
	boot    string
	dirty   []string // blobs committed since the last Sync
	closed  bool
}

// Open opens the cache folder dir and makes it where it does not exist. Where
// the folder cannot be written, the store is open for reading only. The log is
// read when something is first asked of it.
func Open(dir string, opts Options) (*Store, error) {
	s := &Store{dir: dir, notice: opts.Notice, boot: bootID()}
	if s.notice == nil {
		s.notice = func(error) {}
	}
	s.index.dir, s.index.notice = dir, s.notice
	s.index.reset()
	err := s.prepare()
	if errors.Is(err, syscall.EROFS) || errors.Is(err, fs.ErrPermission) {
		if _, statErr := os.Stat(dir); statErr != nil {
			return nil, Explain(fmt.Errorf("open the cache: %w", err))
		}
		s.readOnly = true
		err = nil
	}
	if err != nil {
		return nil, Explain(fmt.Errorf("open the cache: %w", err))
	}
	version, err := os.ReadFile(filepath.Join(dir, "VERSION"))
	if err != nil && !(s.readOnly && errors.Is(err, fs.ErrNotExist)) {
		return nil, Explain(fmt.Errorf("open the cache: %w", err))
	}
	if err == nil && string(version) != layout {
		return nil, fmt.Errorf("open the cache: %s has the layout %q, this flow writes %q: remove the folder (results are then made again), or use the flow that made it", dir, strings.TrimSpace(string(version)), strings.TrimSpace(layout))
	}
	return s, nil
}

func (s *Store) prepare() error {
	for _, sub := range []string{"blobs", "sessions"} {
		if err := os.MkdirAll(filepath.Join(s.dir, sub), 0o700); err != nil {
			return err
		}
	}
	if err := unix.Access(s.dir, unix.W_OK); err != nil {
		return &fs.PathError{Op: "write to", Path: s.dir, Err: err}
	}
	version := filepath.Join(s.dir, "VERSION")
	if _, err := os.Stat(version); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	temp, err := os.CreateTemp(s.dir, "VERSION.*")
	if err != nil {
		return err
	}
	_, err = temp.WriteString(layout)
	if err = errors.Join(err, temp.Close()); err == nil {
		err = os.Rename(temp.Name(), version)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	return nil
}

// Dir returns the folder.
func (s *Store) Dir() string { return s.dir }

// ReadOnly reports whether the store was opened for reading only.
func (s *Store) ReadOnly() bool { return s.readOnly }

// locked runs f under the store's mutex and the folder's lock.
func (s *Store) locked(f func() error) error {
	if s.readOnly {
		return ErrReadOnly
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	return s.underLock(f)
}

// underLock runs f under the folder's lock; the caller holds the mutex.
func (s *Store) underLock(f func() error) error {
	l, _, err := lockFile(filepath.Join(s.dir, "index.lock"), os.O_RDWR|os.O_CREATE, unix.LOCK_EX)
	if err != nil {
		return err
	}
	defer l.Close()
	return f()
}

// Get returns the entry of an action, and whether there is one. The entry's
// blobs are safe from collection while this store is open. Whether they still
// hold what they should, OpenVerified tells; Hit does both.
func (s *Store) Get(id ActionID) (Entry, bool, error) {
	e, _, ok, err := s.get(id)
	return e, ok, Explain(err)
}

// seen is the record that an entry was read from.
type seen struct {
	ino uint64 // of the log
	off int64
}

func (s *Store) get(id ActionID) (e Entry, from seen, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return e, from, false, ErrClosed
	}
	e, ok, err = s.lookup(id)
	if err != nil || !ok || s.readOnly {
		return e, from, ok, err
	}
	fresh, err := s.pin(e.Outputs)
	if err != nil {
		return Entry{}, from, false, err
	}
	if fresh {
		// A collector may have dropped the entry before it saw the pins.
		if err := s.index.refresh(); err != nil {
			return Entry{}, from, false, err
		}
		if _, ok := s.index.entries[id]; !ok {
			return Entry{}, from, false, nil
		}
	}
	from = seen{s.index.ino, s.index.entries[id].off}
	if now := time.Now().UnixNano(); now-s.index.entries[id].used > useEvery {
		p := s.index.entries[id]
		p.used = now
		s.index.entries[id] = p
		s.pending = appendRecord(s.pending, recordUse, encodeUse(id, now))
	}
	return e, from, true, nil
}

func (s *Store) lookup(id ActionID) (Entry, bool, error) {
	if err := s.index.refresh(); err != nil {
		return Entry{}, false, err
	}
	p, ok := s.index.entries[id]
	if !ok {
		return Entry{}, false, nil
	}
	return s.index.read(id, p)
}

// Hit returns the entry of an action if all of its blobs are there and sound.
// An entry that lost a blob is forgotten: the action counts as never done.
func (s *Store) Hit(id ActionID) (Entry, bool, error) {
	e, from, ok, err := s.get(id)
	if err != nil || !ok {
		return Entry{}, false, Explain(err)
	}
	for _, o := range e.Outputs {
		if s.believed(o.ID) {
			continue
		}
		f, err := s.OpenVerified(o.ID)
		if err == nil {
			f.Close()
			continue
		}
		var corrupt *CorruptError
		if !errors.As(err, &corrupt) && !errors.Is(err, fs.ErrNotExist) {
			return Entry{}, false, err
		}
		return Entry{}, false, s.forget(id, from)
	}
	return e, true, nil
}

// forget drops an action's entry if it is still the one that was seen: another
// session may have made the result anew meanwhile.
func (s *Store) forget(id ActionID, from seen) error {
	if s.readOnly {
		return nil
	}
	return Explain(s.locked(func() error {
		if err := s.index.refresh(); err != nil {
			return err
		}
		if p, ok := s.index.entries[id]; !ok || from != (seen{s.index.ino, p.off}) {
			return nil
		}
		return s.flush(appendRecord(nil, recordGone, id[:]))
	}))
}

// Put remembers an entry; its blobs must have been committed or found by this
// store. It replaces the action's earlier entry. Put sets the entry's time.
func (s *Store) Put(id ActionID, e Entry) error {
	e.Time = time.Now()
	record := appendRecord(nil, recordPut, encodePut(id, &e))
	if len(record) > maxBody {
		return fmt.Errorf("cache: the entry of action %.12s takes %d bytes, more than the %d a record may have: its manifest or meta is too long", id, len(record), maxBody)
	}
	err := s.locked(func() error {
		if err := s.flush(record); err != nil {
			return err
		}
		return s.index.compactIfWorth()
	})
	if err != nil {
		return Explain(fmt.Errorf("cache: remember action %.12s: %w", id, err))
	}
	return nil
}

// Forget drops an action's entry. Its blobs stay until the next collection.
func (s *Store) Forget(id ActionID) error {
	if s.readOnly {
		return nil
	}
	return Explain(s.locked(func() error { return s.flush(appendRecord(nil, recordGone, id[:])) }))
}

// flush appends what was pending and more. The caller holds the folder's lock.
func (s *Store) flush(more []byte) error {
	records := append(s.pending, more...)
	if len(records) == 0 {
		return nil
	}
	if err := s.index.append(records); err != nil {
		return err
	}
	s.pending = nil
	return nil
}

// Latest returns the newest entry under a label, and whether there is one.
func (s *Store) Latest(label string) (ActionID, Entry, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.index.refresh(); err != nil {
		return ActionID{}, Entry{}, false, Explain(err)
	}
	id, p, ok := s.index.newest(label)
	if !ok {
		return ActionID{}, Entry{}, false, nil
	}
	e, ok, err := s.index.read(id, p)
	return id, e, ok, err
}

// Sync makes everything committed and put so far last through a power
// failure. It waits for the disk.
func (s *Store) Sync() error {
	s.mu.Lock()
	dirty := s.dirty
	s.dirty = nil
	s.mu.Unlock()
	if s.readOnly || len(dirty) == 0 {
		return nil
	}
	if err := s.locked(func() error { return s.flush(nil) }); err != nil {
		return Explain(err)
	}
	d, err := os.Open(s.dir)
	if err != nil {
		return err
	}
	defer d.Close()
	// One flush of the file system is cheaper than many of single files.
	if len(dirty) > 64 {
		return Explain(unix.Syncfs(int(d.Fd())))
	}
	paths := append(dirty, s.index.path(), filepath.Join(s.dir, "blobs"), s.dir)
	for _, blob := range dirty {
		paths = append(paths, filepath.Dir(blob))
	}
	for _, path := range paths {
		if err := syncPath(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return Explain(err)
		}
	}
	return nil
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// Close ends the session: its staged files are removed and its pins lifted.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	var err error
	if s.session != nil || len(s.pending) > 0 && !s.readOnly {
		err = s.underLock(func() error {
			err := s.flush(nil)
			if s.session != nil { // no collector looks into its folder now
				err = errors.Join(err, s.session.end())
			}
			return err
		})
	}
	s.closed = true
	s.index.reset()
	return Explain(err)
}

// bootID names the machine's current boot; where the system does not tell,
// it is "", and no stamp is believed by a later process.
func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
