package cache

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Result names an action and its blobs, in the order of its outputs.
type Result struct {
	Action  ActionID
	Outputs []OutputID
}

// Kept is a set of results that were found kept and sound, with what it takes
// to find them so again without reading the log: where the log ended, and the
// stamps that their blobs were believed by.
type Kept struct {
	actions []ActionID
	blobs   []keptBlob // each once
	boot    string     // of the stamps
	log     logMark
	used    int64 // the earliest last use, Unix ns
}

type keptBlob struct {
	id    OutputID
	stamp stamp
}

// logMark is a state of the log: one with the same marks holds the same
// records, one that only grew holds the same ones before its mark's size.
type logMark struct {
	inode       uint64
	size, ctime int64
}

// maxLogTail bounds what Still reads of the log: what has grown by more is
// better read whole.
const maxLogTail = 8 << 20

// Keep notes results that this store has just found by Hit or put. ok is false
// where one of them is no longer what is kept, or a blob has not been hashed in
// this boot.
func (s *Store) Keep(results []Result) (k *Kept, ok bool, err error) {
	if s.readOnly || s.boot == "" {
		return nil, false, nil
	}
	// What waits is written first, so that it does not stand behind the mark.
	if err := s.locked(func() error { return s.flush(nil) }); err != nil {
		return nil, false, Explain(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.index.refresh(); err != nil {
		return nil, false, Explain(err)
	}
	if s.index.damaged > 0 || s.index.file == nil {
		return nil, false, nil
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(s.index.file.Fd()), &st); err != nil {
		return nil, false, &fs.PathError{Op: "stat", Path: s.index.path(), Err: err}
	}
	if st.Size != s.index.size {
		return nil, false, nil // somebody is writing
	}
	k = &Kept{boot: s.boot, log: markOf(&st), used: time.Now().UnixNano(), actions: make([]ActionID, len(results))}
	seen := map[OutputID]bool{}
	for i, r := range results {
		p, ok := s.index.entries[r.Action]
		if !ok {
			return nil, false, nil
		}
		e, ok, err := s.index.read(r.Action, p)
		if err != nil || !ok || !slices.EqualFunc(e.Outputs, r.Outputs, func(o Output, id OutputID) bool { return o.ID == id }) {
			return nil, false, Explain(err)
		}
		k.actions[i], k.used = r.Action, min(k.used, p.used)
		for _, id := range r.Outputs {
			if seen[id] {
				continue
			}
			seen[id] = true
			known, ok := s.index.stamps[id]
			if !ok || known.boot != s.boot {
				return nil, false, nil
			}
			k.blobs = append(k.blobs, keptBlob{id, known})
		}
	}
	return k, true, nil
}

func markOf(st *unix.Stat_t) logMark {
	return logMark{inode: st.Ino, size: st.Size, ctime: st.Ctim.Nano()}
}

// Still reports whether all of k would be hits still: no entry was dropped or
// replaced since, and every blob has the stamp that it was believed by. With
// pin, the blobs are safe from collection while the store is open. changed
// tells that k itself is another now: keep it in place of the old one.
//
// It believes no less than Hit does: any doubt is a no, and the results are to
// be looked up one by one.
func (s *Store) Still(k *Kept, pin bool) (ok, changed bool, err error) {
	if s.boot == "" || k.boot != s.boot {
		return false, false, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false, false, ErrClosed
	}
	if pin {
		// Before the look at the log: a collector may drop entries until it
		// sees the pins.
		if err := s.pinBlobs(k.blobs); err != nil {
			return false, false, Explain(err)
		}
	}
	if ok, changed, err = s.logStill(k); err != nil || !ok {
		return false, false, Explain(err)
	}
	if !s.blobsStill(k.blobs) {
		return false, false, nil
	}
	if now := time.Now().UnixNano(); !s.readOnly && now-k.used > useEvery {
		for _, id := range k.actions {
			s.pending = appendRecord(s.pending, recordUse, encodeUse(id, now))
		}
		k.used, changed = now, true
	}
	return true, changed, nil
}

// pinBlobs writes the pins of blobs that are looked at once, so none of them
// is remembered as pinned. The caller holds the mutex.
func (s *Store) pinBlobs(blobs []keptBlob) error {
	if err := s.begin(); err != nil {
		return err
	}
	b := make([]byte, 0, len(blobs)*len(OutputID{}))
	for i := range blobs {
		b = append(b, blobs[i].id[:]...)
	}
	_, err := s.session.pins.Write(b)
	return err
}

// logStill reports whether the log says nothing new of k's actions, and moves
// k's mark to where the log ends now. changed tells that this spares the next
// one much reading.
func (s *Store) logStill(k *Kept) (ok, changed bool, err error) {
	f, err := os.Open(s.index.path())
	if errors.Is(err, fs.ErrNotExist) {
		return false, false, nil
	}
	if err != nil {
		return false, false, err
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return false, false, &fs.PathError{Op: "stat", Path: f.Name(), Err: err}
	}
	now := markOf(&st)
	if now == k.log {
		return true, false, nil
	}
	grown := now.size - k.log.size
	if now.inode != k.log.inode || grown <= 0 || grown > maxLogTail {
		return false, false, nil
	}
	tail := make([]byte, grown)
	if _, err := f.ReadAt(tail, k.log.size); err != nil {
		return false, false, err
	}
	ours := make(map[ActionID]bool, len(k.actions))
	for _, id := range k.actions {
		ours[id] = true
	}
	ok = true
	good, damaged := scanLog(tail, func(_ int, record []byte) {
		switch recordKind(record[recordHead]) {
		case recordPut, recordGone:
			r := &body{b: record[recordHead+1:]}
			if ours[ActionID(r.id())] || r.bad {
				ok = false
			}
		}
	})
	if !ok || damaged > 0 {
		return false, false, nil
	}
	now.size = k.log.size + int64(good) // a record that is partly there is for the next time
	k.log = now
	return true, good > worthMoving, nil
}

// worthMoving is how much a tail of the log has to hold for a new mark to be
// worth keeping.
const worthMoving = 64 << 10

// blobsStill reports whether every blob has the stamp that it was believed by.
// It asks the file system once for each, as Hit does.
func (s *Store) blobsStill(blobs []keptBlob) bool {
	dir, err := os.Open(s.dir)
	if err != nil {
		return false
	}
	defer dir.Close()
	const each = 1024 // fewer are not worth a goroutine
	workers := min(runtime.GOMAXPROCS(0), len(blobs)/each+1)
	var wrong atomic.Bool
	var all sync.WaitGroup
	for part := range slices.Chunk(blobs, len(blobs)/workers+1) {
		all.Go(func() {
			// Names are relative to the open folder: a short way for the kernel.
			name := make([]byte, 0, 80)
			for i := range part {
				b := &part[i]
				name = append(name[:0], "blobs/"...)
				name = hex.AppendEncode(name, b.id[:1])
				name = append(name, '/')
				name = hex.AppendEncode(name, b.id[:])
				var st unix.Stat_t
				if wrong.Load() || unix.Fstatat(int(dir.Fd()), string(name), &st, 0) != nil || stampFrom(&st, b.stamp.boot) != b.stamp {
					wrong.Store(true)
					return
				}
			}
		})
	}
	all.Wait()
	return !wrong.Load()
}

// Same reports whether both are the same results with the same blobs,
// whenever they were found.
func (k *Kept) Same(o *Kept) bool {
	return slices.Equal(k.actions, o.actions) &&
		slices.EqualFunc(k.blobs, o.blobs, func(a, b keptBlob) bool { return a.id == b.id })
}

// A Kept as bytes, all numbers little-endian and 8 bytes long:
//
//	boot's length, boot, inode, size and ctime of the log, used,
//	number of actions, the actions (32 bytes each),
//	number of blobs, the blobs (id of 32 bytes, size, mtime, ctime, inode)
const keptBlobBytes = 32 + 4*8

// AppendBinary implements encoding.BinaryAppender. It never fails.
func (k *Kept) AppendBinary(b []byte) ([]byte, error) {
	put := func(v int64) { b = binary.LittleEndian.AppendUint64(b, uint64(v)) }
	put(int64(len(k.boot)))
	b = append(b, k.boot...)
	put(int64(k.log.inode))
	put(k.log.size)
	put(k.log.ctime)
	put(k.used)
	put(int64(len(k.actions)))
	for i := range k.actions {
		b = append(b, k.actions[i][:]...)
	}
	put(int64(len(k.blobs)))
	for i := range k.blobs {
		s := &k.blobs[i].stamp
		b = append(b, k.blobs[i].id[:]...)
		put(s.size)
		put(s.mtime)
		put(s.ctime)
		put(int64(s.inode))
	}
	return b, nil
}

// ParseKept reads what AppendBinary wrote, and nothing else.
func ParseKept(b []byte) (*Kept, error) {
	r := &body{b: b}
	num := func() int64 {
		raw := r.take(8)
		if r.bad {
			return 0
		}
		return int64(binary.LittleEndian.Uint64(raw))
	}
	count := func(size int) int {
		n := num()
		if n < 0 || n > int64(len(r.b)/size) {
			r.bad = true
			return 0
		}
		return int(n)
	}
	k := &Kept{}
	k.boot = string(r.take(uint64(count(1))))
	k.log = logMark{inode: uint64(num()), size: num(), ctime: num()}
	k.used = num()
	k.actions = make([]ActionID, count(len(ActionID{})))
	for i := range k.actions {
		k.actions[i] = ActionID(r.id())
	}
	k.blobs = make([]keptBlob, count(keptBlobBytes))
	for i := range k.blobs {
		k.blobs[i] = keptBlob{OutputID(r.id()), stamp{size: num(), mtime: num(), ctime: num(), inode: uint64(num()), boot: k.boot}}
	}
	if r.bad || len(r.b) != 0 || k.log.size < 0 {
		return nil, errBody
	}
	return k, nil
}
