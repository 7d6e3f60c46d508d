package cache

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// session is this store's own folder: while its lock is held, collectors keep
// what it pinned and what it is staging.
type session struct {
	dir    string
	lock   *os.File
	pins   *os.File
	pinned map[OutputID]bool
	staged int
}

// begin makes the session where there is none. The caller holds the mutex.
func (s *Store) begin() error {
	if s.session != nil {
		return nil
	}
	if s.readOnly {
		return ErrReadOnly
	}
	var tail [4]byte
	if _, err := rand.Read(tail[:]); err != nil {
		return err
	}
	dir := filepath.Join(s.dir, "sessions", fmt.Sprintf("%s-%d-%x", time.Now().UTC().Format("20060102T150405"), os.Getpid(), tail))
	// Under the folder's lock, so that no collector sees the folder before
	// its lock is taken.
	return s.underLock(func() error {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		lock, _, err := lockFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, unix.LOCK_EX|unix.LOCK_NB)
		if err != nil {
			return err
		}
		pins, err := os.OpenFile(filepath.Join(dir, "pins"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			lock.Close()
			return err
		}
		s.session = &session{dir: dir, lock: lock, pins: pins, pinned: map[OutputID]bool{}}
		return nil
	})
}

func (ses *session) end() error {
	err := ses.pins.Close()
	err = errors.Join(err, os.RemoveAll(ses.dir))
	return errors.Join(err, ses.lock.Close())
}

// pin keeps outputs from collectors while the store is open; fresh tells
// whether any of them was not pinned before. The caller holds the mutex.
func (s *Store) pin(outputs []Output) (fresh bool, err error) {
	if err := s.begin(); err != nil {
		return false, err
	}
	var b []byte
	for _, o := range outputs {
		if !s.session.pinned[o.ID] {
			b = append(b, o.ID[:]...)
		}
	}
	if len(b) == 0 {
		return false, nil
	}
	if _, err := s.session.pins.Write(b); err != nil {
		return false, err
	}
	for _, o := range outputs {
		s.session.pinned[o.ID] = true
	}
	return true, nil
}

// Path returns where an output's blob lies, or would lie.
func (s *Store) Path(id OutputID) string {
	name := id.String()
	return filepath.Join(s.dir, "blobs", name[:2], name)
}

// Staged is a file on the blobs' file system that is to become a blob. It is
// for one goroutine at a time. Writing through Write hashes in the same pass;
// whoever writes to File or Path instead knows the hash, or lets Commit read
// the file once more.
type Staged struct {
	store *Store
	file  *os.File
	hash  hash.Hash
	wrote int64
	done  bool
}

// Stage makes an empty staging file.
func (s *Store) Stage() (*Staged, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	if err := s.begin(); err != nil {
		return nil, Explain(fmt.Errorf("cache: stage a file: %w", err))
	}
	s.session.staged++
	path := filepath.Join(s.session.dir, fmt.Sprintf("%d.part", s.session.staged))
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, Explain(fmt.Errorf("cache: stage a file: %w", err))
	}
	return &Staged{store: s, file: f, hash: sha256.New()}, nil
}

// Path returns the staging file's path.
func (st *Staged) Path() string { return st.file.Name() }

// File returns the staging file, open for reading and writing.
func (st *Staged) File() *os.File { return st.file }

// Write appends to the file and to its hash.
func (st *Staged) Write(b []byte) (int, error) {
	n, err := st.file.Write(b)
	st.hash.Write(b[:n])
	st.wrote += int64(n)
	return n, Explain(err)
}

// Discard removes the file. After Commit it does nothing.
func (st *Staged) Discard() error {
	if st.done {
		return nil
	}
	st.done = true
	err := st.file.Close()
	return errors.Join(err, os.Remove(st.file.Name()))
}

// Commit makes the file a blob. sum is its SHA-256 where the caller wrote and
// hashed it in one pass; the zero OutputID lets Commit hash it. The staged
// file is closed and gone from its path afterwards, also on an error.
func (s *Store) Commit(st *Staged, sum OutputID) (id OutputID, size int64, err error) {
	if st.done {
		return id, 0, errors.New("cache: the staged file was committed or discarded before")
	}
	defer func() {
		err = Explain(err)
		if discardErr := st.Discard(); err == nil {
			err = discardErr
		}
	}()
	info, err := st.file.Stat()
	if err != nil {
		return id, 0, err
	}
	size = info.Size()
	switch {
	case !sum.IsZero():
		id = sum
	case st.wrote == size:
		id = OutputID(st.hash.Sum(nil))
	default:
		if id, err = hashFile(st.file); err != nil {
			return id, 0, err
		}
	}
	if err := st.file.Chmod(0o400); err != nil {
		return id, 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return id, 0, ErrClosed
	}
	if err := s.begin(); err != nil { // it takes the folder's lock itself
		return id, 0, err
	}
	if err := s.underLock(func() error { return s.place(st, id) }); err != nil {
		return id, 0, err
	}
	st.done = true
	now, err := stampOf(st.file, s.boot)
	if err != nil {
		return id, 0, errors.Join(err, st.file.Close())
	}
	s.noteStamp(id, now)
	s.dirty = append(s.dirty, s.Path(id))
	return id, size, st.file.Close()
}

// place pins a blob and renames it to its name. The caller holds the folder's
// lock: a collector that has read the pins already, and is about to unlink an
// older blob of the same name, would take this one.
func (s *Store) place(st *Staged, id OutputID) error {
	if _, err := s.pin([]Output{{ID: id}}); err != nil {
		return err
	}
	path := s.Path(id)
	err := os.Rename(st.file.Name(), path)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.Rename(st.file.Name(), path)
}

func (s *Store) noteStamp(id OutputID, now stamp) {
	_ = s.index.load() // a log that cannot be read is reported by who asks for an entry
	s.index.stamps[id] = now
	s.pending = appendRecord(s.pending, recordStamp, encodeStamp(id, now))
}

func stampOf(f *os.File, boot string) (stamp, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return stamp{}, &fs.PathError{Op: "stat", Path: f.Name(), Err: err}
	}
	return stampFrom(&st, boot), nil
}

func stampFrom(st *unix.Stat_t, boot string) stamp {
	return stamp{size: st.Size, mtime: st.Mtim.Nano(), ctime: st.Ctim.Nano(), inode: st.Ino, boot: boot}
}

// believed reports whether an output's blob has the stamp of its last hash,
// without opening it.
func (s *Store) believed(id OutputID) bool {
	var st unix.Stat_t
	if unix.Stat(s.Path(id), &st) != nil {
		return false
	}
	return s.stamped(id, stampFrom(&st, s.boot))
}

func (s *Store) stamped(id OutputID, now stamp) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.index.load() != nil {
		return false // it is hashed then
	}
	known, ok := s.index.stamps[id]
	return ok && known == now && s.boot != ""
}

func hashFile(f *os.File) (id OutputID, err error) {
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(f, 0, 1<<62)); err != nil {
		return id, err
	}
	return OutputID(h.Sum(nil)), nil
}

// OpenVerified opens an output's blob for reading. A blob whose stamp is the
// one taken when it was last hashed, in this boot, is believed; another is
// hashed first. Errors: fs.ErrNotExist where there is no such blob, and
// *CorruptError where its bytes were not what its name says; the blob is then
// in quarantine and whatever made it must run again.
func (s *Store) OpenVerified(id OutputID) (*os.File, error) {
	f, err := os.Open(s.Path(id))
	if err != nil {
		return nil, err
	}
	now, err := stampOf(f, s.boot)
	if err != nil {
		f.Close()
		return nil, err
	}
	if s.stamped(id, now) {
		return f, nil
	}
	if err := s.check(id, f, now); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Verify hashes an output's blob in full, whatever its stamp says. Its errors
// are those of OpenVerified.
func (s *Store) Verify(id OutputID) error {
	f, err := os.Open(s.Path(id))
	if err != nil {
		return err
	}
	defer f.Close()
	now, err := stampOf(f, s.boot)
	if err != nil {
		return err
	}
	return s.check(id, f, now)
}

// check hashes f, whose stamp before was now.
func (s *Store) check(id OutputID, f *os.File, now stamp) error {
	got, err := hashFile(f)
	if err != nil {
		return err
	}
	if !bytes.Equal(got[:], id[:]) {
		return s.quarantine(id, f, got)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.readOnly && !s.closed {
		s.noteStamp(id, now)
	}
	return nil
}

func (s *Store) quarantine(id OutputID, f *os.File, got OutputID) error {
	corrupt := &CorruptError{ID: id, Got: got}
	// Only the file that was hashed is moved: another session may have put a
	// sound one in its place meanwhile, and under the lock nobody does.
	_ = s.locked(func() error {
		dir := filepath.Join(s.dir, "quarantine")
		path := filepath.Join(dir, id.String()+"-"+hex.EncodeToString(got[:4]))
		here, err := f.Stat()
		if err != nil {
			return err
		}
		there, err := os.Stat(s.Path(id))
		if err != nil || !os.SameFile(here, there) {
			return err
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		if err := os.Rename(s.Path(id), path); err != nil {
			return err
		}
		corrupt.Path = path
		return nil
	}) // a blob that stays where it is, is said to stay
	s.notice(corrupt)
	return corrupt
}
