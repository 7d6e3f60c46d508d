package cache

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// place is where an entry's record lies in the log, with what the index
// answers without reading it.
type place struct {
	off   int64
	n     int   // framed length
	at    int64 // put, Unix ns
	used  int64 // last known use, Unix ns
	label string
}

// index is the log as this session has read it so far. It is guarded by the
// store's mutex.
type index struct {
	dir    string
	notice func(error) // told of damage once; may be nil
	told   bool

	file *os.File // nil while there is no log
	ino  uint64
	size int64 // bytes up to the last sound record read

	entries map[ActionID]place
	latest  map[string]ActionID
	lost    map[string]bool // labels whose latest entry is gone: another may have to be found
	stamps  map[OutputID]stamp
	dead    int64 // bytes of records that a compaction would drop
	damaged int64 // bytes that belong to no sound record
}

func (x *index) path() string { return filepath.Join(x.dir, "index.log") }

func (x *index) reset() {
	if x.file != nil {
		x.file.Close()
	}
	*x = index{dir: x.dir, notice: x.notice, told: x.told, entries: map[ActionID]place{}, latest: map[string]ActionID{}, lost: map[string]bool{}, stamps: map[OutputID]stamp{}}
}

// refresh reads what other sessions have appended, or the whole log where it
// was rewritten. It needs no lock: a record that is only partly there is left
// for the next time.
func (x *index) refresh() error {
	var st unix.Stat_t
	err := unix.Stat(x.path(), &st)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if x.file != nil {
			x.reset()
		}
		return nil
	case err != nil:
		return &fs.PathError{Op: "stat", Path: x.path(), Err: err}
	}
	if x.file == nil || st.Ino != x.ino || st.Size < x.size {
		x.reset()
		f, err := os.Open(x.path())
		if err != nil {
			return err
		}
		if err := unix.Fstat(int(f.Fd()), &st); err != nil {
			f.Close()
			return &fs.PathError{Op: "stat", Path: x.path(), Err: err}
		}
		x.file, x.ino = f, st.Ino
	}
	if st.Size == x.size {
		return nil
	}
	return x.readTo(st.Size)
}

// readTo applies the records between what was read and end.
func (x *index) readTo(end int64) error {
	b := make([]byte, end-x.size)
	n, err := x.file.ReadAt(b, x.size)
	if err != nil && err != io.EOF {
		return err
	}
	base := x.size
	good, damaged := scanLog(b[:n], func(off int, record []byte) { x.apply(base+int64(off), record) })
	x.size = base + int64(good)
	x.damaged += int64(damaged)
	if x.damaged > 0 && !x.told && x.notice != nil {
		x.told = true
		x.notice(fmt.Errorf("%s: skipped %d damaged bytes; the results noted there will be made again", x.path(), x.damaged))
	}
	return nil
}

// load reads the log where that was not done yet.
func (x *index) load() error {
	if x.file != nil {
		return nil
	}
	return x.refresh()
}

func (x *index) apply(off int64, record []byte) {
	r := &body{b: record[recordHead+1:]}
	n := int64(len(record))
	switch recordKind(record[recordHead]) {
	case recordPut:
		id, at, label := r.putHead()
		if r.bad {
			break
		}
		if old, ok := x.entries[id]; ok {
			x.dead += int64(old.n)
			if old.label != label {
				x.drop(id, old)
			}
		}
		x.entries[id] = place{off: off, n: len(record), at: at, used: at, label: label}
		if label != "" {
			if cur, ok := x.latest[label]; !ok || x.entries[cur].at <= at {
				x.latest[label] = id
			}
		}
		return
	case recordGone:
		id := ActionID(r.id())
		if old, ok := x.entries[id]; ok && !r.bad {
			x.dead += int64(old.n)
			x.drop(id, old)
		}
	case recordUse:
		id, at := ActionID(r.id()), r.varint()
		if p, ok := x.entries[id]; ok && !r.bad && at > p.used {
			if p.used == p.at {
				n = 0 // the first use of an entry is kept by a compaction
			}
			p.used = at
			x.entries[id] = p
		}
	case recordStamp:
		id, s := r.stamp()
		if !r.bad {
			if _, ok := x.stamps[id]; !ok {
				n = 0
			}
			x.stamps[id] = s
			x.dead += n
			return
		}
	}
	x.dead += n
}

// drop forgets an entry.
func (x *index) drop(id ActionID, old place) {
	delete(x.entries, id)
	if x.latest[old.label] == id {
		delete(x.latest, old.label)
		x.lost[old.label] = true
	}
}

// newest returns the newest entry under a label. One that is left after the
// newest went is looked for when it is asked for: many may go at once.
func (x *index) newest(label string) (ActionID, place, bool) {
	if x.lost[label] {
		delete(x.lost, label)
		best := int64(-1 << 63)
		for id, p := range x.entries {
			if p.label == label && p.at > best {
				best = p.at
				x.latest[label] = id
			}
		}
	}
	id, ok := x.latest[label]
	return id, x.entries[id], ok
}

// read returns an entry as the log holds it now; ok is false where its record
// has been damaged since it was indexed.
func (x *index) read(id ActionID, p place) (e Entry, ok bool, err error) {
	if x.file == nil || p.n <= recordHead {
		return e, false, nil
	}
	b := make([]byte, p.n)
	if _, err := x.file.ReadAt(b, p.off); err != nil && err != io.EOF {
		return e, false, err
	}
	if recordAt(b) != len(b) {
		return e, false, nil
	}
	got, e, err := decodePut(b[recordHead+1:])
	if err != nil || got != id {
		return Entry{}, false, nil
	}
	return e, true, nil
}

// append adds framed records to the log's end. The caller holds index.lock.
func (x *index) append(records []byte) error {
	if err := x.refresh(); err != nil {
		return err
	}
	w, err := os.OpenFile(x.path(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer w.Close()
	st, err := w.Stat()
	if err != nil {
		return err
	}
	// Nobody else writes now, so what follows the last sound record was left
	// by a writer that died.
	if st.Size() > x.size {
		if err := w.Truncate(x.size); err != nil {
			return err
		}
	}
	if _, err := w.Write(records); err != nil {
		// A full disk may have taken a part: leave no torn record behind.
		return errors.Join(err, w.Truncate(x.size))
	}
	return x.refresh()
}

// compactIfWorth rewrites the log when more than half of it, and more than a
// megabyte, is dead. The caller holds index.lock.
func (x *index) compactIfWorth() error {
	if waste := x.dead + x.damaged; waste < 1<<20 || waste < x.size/2 {
		return nil
	}
	return x.compact()
}

// compact writes the living records to a new log and renames it over the old.
// The caller holds index.lock and has refreshed.
func (x *index) compact() error {
	name := x.path() + ".new"
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	var out []byte
	outputs := map[OutputID]bool{}
	for _, id := range x.byOffset() {
		p := x.entries[id]
		e, ok, err := x.read(id, p)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		out = appendRecord(out, recordPut, encodePut(id, &e))
		if p.used > p.at {
			out = appendRecord(out, recordUse, encodeUse(id, p.used))
		}
		for _, o := range e.Outputs {
			outputs[o.ID] = true
		}
	}
	for id, s := range x.stamps {
		if outputs[id] {
			out = appendRecord(out, recordStamp, encodeStamp(id, s))
		}
	}
	if _, err := f.Write(out); err != nil {
		return err
	}
	// The rename must not reach the disk before the bytes do: the old log is
	// the only other copy.
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(name, x.path()); err != nil {
		return err
	}
	return x.refresh()
}

// lockFile takes an flock on a file of its own, opened by flags; how says
// whether it waits for it. ok is false if another holds it.
func lockFile(path string, flags, how int) (f *os.File, ok bool, err error) {
	f, err = os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, false, err
	}
	for {
		err = unix.Flock(int(f.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err == nil {
		return f, true, nil
	}
	f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, false, nil
	}
	return nil, false, fmt.Errorf("lock %s: %w", path, err)
}
