package cache

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Policy says what a collection drops. The zero Policy drops only what no
// entry needs: blobs without an entry, files of dead sessions, quarantine.
type Policy struct {
	MaxAge  time.Duration       // entries not used for longer go; 0: no limit
	MaxSize int64               // least recently used entries go until the blobs take no more bytes; 0: no limit
	Keep    func(ActionID) bool // entries that stay whatever their age or size; may be nil
	DryRun  bool                // only count
	Now     time.Time           // the zero time: now
}

// Collected counts what a collection dropped.
type Collected struct {
	Entries int
	Blobs   int
	Bytes   int64 // freed, staged and quarantined files included
	Pinned  int   // blobs that stayed because a running process needs them
	Kept    int64 // bytes of blobs that remain
}

type blobInfo struct {
	path string
	size int64
}

// GC drops entries by policy, then every blob that no entry needs and no
// living session pinned. Other sessions may go on meanwhile.
func (s *Store) GC(policy Policy) (got Collected, err error) {
	if policy.Now.IsZero() {
		policy.Now = time.Now()
	}
	err = s.locked(func() error {
		if err := s.flush(nil); err != nil {
			return err
		}
		if err := s.index.refresh(); err != nil {
			return err
		}
		blobs, err := s.blobs()
		if err != nil {
			return err
		}
		drop, needed, err := s.choose(policy, blobs)
		if err != nil {
			return err
		}
		got.Entries = len(drop)
		var gone []byte
		for _, id := range drop {
			gone = appendRecord(gone, recordGone, id[:])
		}
		if len(gone) > 0 && !policy.DryRun {
			if err := s.index.append(gone); err != nil {
				return err
			}
		}
		if err := s.sweepSessions(policy.DryRun, needed, &got); err != nil {
			return err
		}
		if err := sweepBlobs(blobs, needed, policy.DryRun, &got); err != nil {
			return err
		}
		if policy.DryRun {
			return nil
		}
		return s.index.compactIfWorth()
	})
	return got, Explain(err)
}

// need says why a blob stays.
type need int

const (
	needNone  need = iota
	needPin        // a living session pinned it
	needEntry      // an entry names it
)

// choose returns the entries to drop and the blobs that the others need.
func (s *Store) choose(policy Policy, blobs map[OutputID]blobInfo) (drop []ActionID, needed map[OutputID]need, err error) {
	type candidate struct {
		id      ActionID
		used    int64
		keep    bool
		outputs []Output
	}
	var all []candidate
	for id, p := range s.index.entries {
		e, ok, err := s.index.read(id, p)
		if err != nil {
			return nil, nil, err
		}
		if !ok {
			drop = append(drop, id)
			continue
		}
		all = append(all, candidate{id, p.used, policy.Keep != nil && policy.Keep(id), e.Outputs})
	}
	// Newest first: whatever fits stays.
	slices.SortFunc(all, func(a, b candidate) int {
		switch {
		case a.keep != b.keep && a.keep:
			return -1
		case a.keep != b.keep:
			return 1
		case a.used != b.used && a.used > b.used:
			return -1
		case a.used != b.used:
			return 1
		}
		return slices.Compare(a.id[:], b.id[:])
	})
	needed = map[OutputID]need{}
	var total int64
	full := false
	for _, c := range all {
		var more int64
		for _, o := range c.outputs {
			if needed[o.ID] == needNone {
				more += blobs[o.ID].size
			}
		}
		old := policy.MaxAge > 0 && policy.Now.UnixNano()-c.used > int64(policy.MaxAge)
		// Once one entry does not fit, none that is older stays, so that the
		// rule is "the newest N bytes" and not "whatever is small".
		full = full || (policy.MaxSize > 0 && total+more > policy.MaxSize)
		if !c.keep && (old || full) {
			drop = append(drop, c.id)
			continue
		}
		total += more
		for _, o := range c.outputs {
			needed[o.ID] = needEntry
		}
	}
	return drop, needed, nil
}

func (s *Store) blobs() (map[OutputID]blobInfo, error) {
	found := map[OutputID]blobInfo{}
	err := filepath.WalkDir(filepath.Join(s.dir, "blobs"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		id, err := ParseOutputID(d.Name())
		if err != nil {
			return nil // not ours: leave it
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		found[id] = blobInfo{path, info.Size()}
		return nil
	})
	return found, err
}

func sweepBlobs(blobs map[OutputID]blobInfo, needed map[OutputID]need, dry bool, got *Collected) error {
	for id, b := range blobs {
		switch needed[id] {
		case needPin:
			got.Pinned++
			got.Kept += b.size
		case needEntry:
			got.Kept += b.size
		case needNone:
			if !dry {
				if err := os.Remove(b.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
					return err
				}
			}
			got.Blobs++
			got.Bytes += b.size
		}
	}
	return nil
}

// sweepSessions removes the folders of dead sessions and the quarantine, and
// adds the pins of living sessions to needed.
func (s *Store) sweepSessions(dry bool, needed map[OutputID]need, got *Collected) error {
	root := filepath.Join(s.dir, "sessions")
	list, err := os.ReadDir(root)
	if err != nil {
		return err
	}
	for _, d := range list {
		dir := filepath.Join(root, d.Name())
		if !d.IsDir() {
			continue // not a session
		}
		// Sessions begin and end under the folder's lock, which is held here:
		// one without a lock was killed at its beginning or end.
		lock, dead, err := lockFile(filepath.Join(dir, "lock"), unix.O_RDWR, unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			err = sweepFolder(dir, dry, got)
		case err != nil:
		case !dead:
			err = readPins(filepath.Join(dir, "pins"), needed)
		default:
			err = errors.Join(sweepFolder(dir, dry, got), lock.Close())
		}
		if err != nil {
			return err
		}
	}
	return sweepFolder(filepath.Join(s.dir, "quarantine"), dry, got)
}

func readPins(path string, needed map[OutputID]need) error {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for ; len(b) >= len(OutputID{}); b = b[len(OutputID{}):] {
		if id := OutputID(b[:len(OutputID{})]); needed[id] == needNone {
			needed[id] = needPin
		}
	}
	return err
}

func sweepFolder(dir string, dry bool, got *Collected) error {
	list, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, d := range list {
		if info, err := d.Info(); err == nil {
			got.Bytes += info.Size()
		}
	}
	if dry {
		return nil
	}
	return os.RemoveAll(dir)
}

// Stats counts what the cache holds.
type Stats struct {
	Entries     int
	Blobs       int
	Bytes       int64 // of blobs
	LogBytes    int64
	Damaged     int64 // bytes of the log that belong to no sound record
	Quarantined int
	Sessions    int // other sessions and this one, living or dead
}

// Stats walks the folder and counts.
func (s *Store) Stats() (Stats, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var st Stats
	if err := s.index.refresh(); err != nil {
		return st, Explain(err)
	}
	blobs, err := s.blobs()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return st, Explain(err)
	}
	st.Entries, st.LogBytes, st.Damaged = len(s.index.entries), s.index.size, s.index.damaged
	st.Blobs = len(blobs)
	for _, b := range blobs {
		st.Bytes += b.size
	}
	if list, err := os.ReadDir(filepath.Join(s.dir, "quarantine")); err == nil {
		st.Quarantined = len(list)
	}
	if list, err := os.ReadDir(filepath.Join(s.dir, "sessions")); err == nil {
		st.Sessions = len(list)
	}
	return st, nil
}
