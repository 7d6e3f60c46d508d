package cache

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func open(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(dir, Options{Notice: func(err error) { t.Log(err) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func action(n int) ActionID { return sha256.Sum256(fmt.Append(nil, "action ", n)) }

func content(n int) []byte { return bytes.Repeat(fmt.Append(nil, n, ","), 100) }

// commit makes content a blob.
func commit(t testing.TB, s *Store, b []byte) Output {
	t.Helper()
	st, err := s.Stage()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Write(b); err != nil {
		t.Fatal(err)
	}
	id, size, err := s.Commit(st, OutputID{})
	if err != nil {
		t.Fatal(err)
	}
	if id != sha256.Sum256(b) || size != int64(len(b)) {
		t.Fatalf("committed %d bytes as %s, %d", len(b), id, size)
	}
	return Output{Name: "out", ID: id, Size: size}
}

func put(t testing.TB, s *Store, n int, label string) Output {
	t.Helper()
	o := commit(t, s, content(n))
	if err := s.Put(action(n), Entry{Label: label, Outputs: []Output{o}, Meta: []byte(`{"n":1}`), Manifest: fmt.Sprint("manifest ", n)}); err != nil {
		t.Fatal(err)
	}
	return o
}

// hit reports whether action n is there and sound, and checks what it holds.
func hit(t testing.TB, s *Store, n int) bool {
	t.Helper()
	e, ok, err := s.Hit(action(n))
	if err != nil {
		t.Fatal(err)
	}
	if !ok {
		return false
	}
	b, err := os.ReadFile(s.Path(e.Outputs[0].ID))
	if err != nil || !bytes.Equal(b, content(n)) {
		t.Fatalf("action %d gives other bytes (%v)", n, err)
	}
	return true
}

func TestPutAndGet(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	s := open(t, dir)
	if hit(t, s, 1) {
		t.Fatal("an empty cache has entries")
	}
	put(t, s, 1, "node[a]")
	put(t, s, 2, "node[b]")
	other := open(t, dir)
	for n := 1; n <= 2; n++ {
		if !hit(t, s, n) || !hit(t, other, n) {
			t.Errorf("action %d is missing", n)
		}
	}
	put(t, other, 3, "node[a]")
	id, e, ok, err := s.Latest("node[a]")
	if err != nil || !ok || id != action(3) || e.Manifest != "manifest 3" || string(e.Meta) != `{"n":1}` || e.Time.IsZero() {
		t.Errorf("the latest of node[a]: %s %+v %t %v", id, e, ok, err)
	}
	if _, _, ok, _ := s.Latest("node[c]"); ok {
		t.Error("a label that never was has an entry")
	}
	if err := s.Forget(action(3)); err != nil {
		t.Fatal(err)
	}
	if hit(t, other, 3) {
		t.Error("a forgotten entry is there")
	}
	if id, _, ok, _ := other.Latest("node[a]"); !ok || id != action(1) {
		t.Errorf("the latest of node[a] is %s, %t", id, ok)
	}
	var got []string
	for item, err := range s.List() {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, item.Entry.Label)
	}
	if strings.Join(got, " ") != "node[a] node[b]" {
		t.Errorf("listed %v", got)
	}
	info, err := os.Stat(s.Path(OutputID(sha256.Sum256(content(1)))))
	if err != nil || info.Mode().Perm() != 0o400 {
		t.Errorf("a blob's mode is %v, %v", info.Mode(), err)
	}
}

func TestDamagedBlob(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	o := put(t, s, 1, "")
	path := s.Path(o.ID)
	damage := func(f func(*os.File)) {
		t.Helper()
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
		f1, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		f(f1)
		f1.Close()
	}
	damage(func(f *os.File) {}) // a touched but sound blob is hashed and believed
	if !hit(t, s, 1) {
		t.Fatal("a sound blob is not believed")
	}
	damage(func(f *os.File) { _, _ = f.WriteAt([]byte{'x'}, 7) })
	_, err := s.OpenVerified(o.ID)
	var corrupt *CorruptError
	if !errors.As(err, &corrupt) || corrupt.Path == "" {
		t.Fatalf("a changed blob: %v", err)
	}
	if hit(t, s, 1) {
		t.Fatal("a changed blob is believed")
	}
	if _, err := s.OpenVerified(o.ID); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after the quarantine: %v", err)
	}
	put(t, s, 1, "")
	if !hit(t, s, 1) {
		t.Error("made anew, it is missing")
	}
	// Same size and times: only a full verification sees it.
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	damage(func(f *os.File) { _, _ = f.WriteAt([]byte{'y'}, 7) })
	if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if hit(t, s, 1) {
		t.Error("the change time did not give a changed blob away")
	}
	put(t, s, 2, "")
	if err := s.Verify(sha256.Sum256(content(2))); err != nil {
		t.Error(err)
	}
}

// TestOtherBoot: a stamp of another boot is not believed, as a power failure
// may lie between.
func TestOtherBoot(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	o := put(t, s, 1, "")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	s.boot = "another"
	if f, err := s.OpenVerified(o.ID); err != nil {
		t.Fatal(err)
	} else {
		f.Close()
	}
	if got := s.index.stamps[o.ID]; got.boot != "another" {
		t.Errorf("the blob was not hashed again: %+v", got)
	}
}

// TestTornLog cuts the log at every length and puts every byte of its end
// wrong: what is left is sound, and a writer goes on.
func TestTornLog(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for n := range 4 {
		put(t, s, n, "x")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "index.log")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	try := func(b []byte, what string) {
		t.Helper()
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(dir, Options{})
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		defer s.Close()
		for n := range 4 {
			hit(t, s, n) // there or not, it must not lie
		}
		put(t, s, 9, "x")
		again, err := Open(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		if !hit(t, again, 9) {
			t.Errorf("%s: what was put after it is lost", what)
		}
	}
	for n := 0; n < len(whole); n += 7 {
		try(whole[:n], fmt.Sprint("cut at ", n))
	}
	for n := 3; n < len(whole); n += 11 {
		b := bytes.Clone(whole)
		b[n] ^= 0x40
		try(b, fmt.Sprint("flipped at ", n))
	}
	// One damaged record in the middle costs that record only.
	b := bytes.Clone(whole)
	first := -1
	scanLog(whole, func(off int, record []byte) {
		if first < 0 && recordKind(record[recordHead]) == recordPut {
			first = off
		}
	})
	b[first+recordHead+5] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	found := 0
	for n := range 4 {
		if hit(t, s, n) {
			found++
		}
	}
	if st, err := s.Stats(); err != nil || found != 3 || st.Damaged == 0 {
		t.Errorf("%d of 3 entries left, %+v, %v", found, st, err)
	}
}

func TestCollect(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	size := int64(0)
	for n := range 10 {
		size += put(t, s, n, "x").Size
	}
	orphan := commit(t, s, []byte("nobody names me"))
	// This session's own outputs are pinned.
	got, err := s.GC(Policy{MaxSize: 1})
	if err != nil || got.Blobs != 0 || got.Pinned != 11 || got.Entries != 10 {
		t.Fatalf("pinned blobs: %+v, %v", got, err)
	}
	for n := range 10 {
		put(t, s, n, "x")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	if got, err := s.GC(Policy{DryRun: true}); err != nil || got.Blobs != 1 {
		t.Errorf("a dry run: %+v, %v", got, err)
	}
	if got, err = s.GC(Policy{}); err != nil || got.Blobs != 1 || got.Entries != 0 {
		t.Errorf("the orphan: %+v, %v", got, err)
	}
	if _, err := os.Stat(s.Path(orphan.ID)); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the orphan is there")
	}
	got, err = s.GC(Policy{MaxSize: size / 2, Keep: func(id ActionID) bool { return id == action(0) }})
	if err != nil || got.Kept > size/2 || got.Entries < 5 {
		t.Errorf("by size: %+v, %v", got, err)
	}
	if !hit(t, s, 0) || !hit(t, s, 9) || hit(t, s, 1) {
		t.Error("the kept, the newest or the oldest entry is not as it should be")
	}
	got, err = s.GC(Policy{MaxAge: time.Hour, Now: time.Now().Add(2 * time.Hour)})
	if err != nil || got.Pinned != 2 {
		t.Errorf("by age: %+v, %v", got, err)
	}
	if st, err := s.Stats(); err != nil || st.Entries != 0 {
		t.Errorf("%+v, %v", st, err)
	}
}

func TestCompaction(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	reader := open(t, dir)
	long := strings.Repeat("m", 100_000)
	for n := range 60 {
		o := commit(t, s, content(n%3))
		if err := s.Put(action(n%3), Entry{Label: "x", Outputs: []Output{o}, Manifest: long}); err != nil {
			t.Fatal(err)
		}
		if !hit(t, reader, n%3) {
			t.Fatalf("a reader lost action %d", n%3)
		}
	}
	if st, err := s.Stats(); err != nil || st.LogBytes > 3<<20 || st.Entries != 3 {
		t.Errorf("%+v, %v", st, err)
	}
}

func TestOtherLayout(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "VERSION"), []byte("flow cache 9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "flow cache 9") {
		t.Errorf("another layout: %v", err)
	}
}

// TestReadOnly runs itself as a user who cannot write the folder.
func TestReadOnly(t *testing.T) {
	if dir := os.Getenv("CACHE_READONLY"); dir != "" {
		s := open(t, dir)
		if !s.ReadOnly() || !hit(t, s, 1) {
			t.Errorf("read-only %t", s.ReadOnly())
		}
		if _, err := s.Stage(); !errors.Is(err, ErrReadOnly) {
			t.Errorf("staging: %v", err)
		}
		if err := s.Put(action(2), Entry{}); !errors.Is(err, ErrReadOnly) {
			t.Errorf("putting: %v", err)
		}
		if _, err := Open(filepath.Join(dir, "new"), Options{}); err == nil || !strings.Contains(err.Error(), "--workspace") {
			t.Errorf("a folder that cannot be made: %v", err)
		}
		return
	}
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	dir, err := os.MkdirTemp("", "cache")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	s := open(t, dir)
	put(t, s, 1, "x")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chmod(path, 0o555)
	})
	if err != nil {
		t.Fatal(err)
	}
	exe := filepath.Join(dir, "test")
	b, err := os.ReadFile(os.Args[0])
	if err == nil {
		err = os.WriteFile(exe, b, 0o555)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "-test.run=TestReadOnly$")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CACHE_READONLY="+dir, "HOME="+dir, "TMPDIR="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestFullDisk writes to the device that is always full.
func TestFullDisk(t *testing.T) {
	f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("there is no /dev/full")
	}
	defer f.Close()
	_, err = f.Write([]byte("x"))
	if err = Explain(err); err == nil || !strings.Contains(err.Error(), "flow cache gc") {
		t.Errorf("a full disk: %v", err)
	}
}

func FuzzLog(f *testing.F) {
	e := Entry{Label: "l", Outputs: []Output{{"o", OutputID{1}, 5}}, Meta: []byte("{}"), Manifest: "m"}
	seed := appendRecord(nil, recordPut, encodePut(ActionID{1}, &e))
	seed = appendRecord(seed, recordUse, encodeUse(ActionID{1}, 7))
	seed = appendRecord(seed, recordStamp, encodeStamp(OutputID{1}, stamp{size: 1, boot: "b"}))
	f.Add(seed, byte(1), []byte("x"))
	f.Fuzz(func(t *testing.T, log []byte, kind byte, rest []byte) {
		// Arbitrary bytes, then a record with a right sum and an arbitrary body.
		log = appendRecord(log, recordKind(kind), rest)
		x := &index{dir: t.TempDir()}
		x.reset()
		scanLog(log, func(off int, record []byte) { x.apply(int64(off), record) })
		if _, again, err := decodePut(rest); err == nil {
			if _, got, err := decodePut(encodePut(ActionID{2}, &again)); err != nil || got.Manifest != again.Manifest {
				t.Fatalf("%v: %+v, %+v", err, got, again)
			}
		}
	})
}

func BenchmarkTenThousand(b *testing.B) {
	dir := b.TempDir()
	s := open(b, dir)
	o := commit(b, s, content(1))
	manifest := strings.Repeat("a line of the manifest\n", 40)
	for n := range 10000 {
		if err := s.Put(action(n), Entry{Label: fmt.Sprint("node[", n, "]"), Outputs: []Output{o}, Manifest: manifest}); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			s := open(b, dir)
			s.Close()
		}
	})
	b.Run("hit", func(b *testing.B) {
		for b.Loop() {
			s := open(b, dir)
			for n := range 10000 {
				if _, ok, err := s.Hit(action(n)); !ok || err != nil {
					b.Fatal(n, err)
				}
			}
			s.Close()
		}
	})
}

func BenchmarkPut(b *testing.B) {
	s := open(b, b.TempDir())
	for n := 0; b.Loop(); n++ {
		o := commit(b, s, content(n))
		if err := s.Put(action(n), Entry{Label: "x", Outputs: []Output{o}}); err != nil {
			b.Fatal(err)
		}
	}
}

// TestLabelsOfOneAction: an action that was put under another label leaves the
// first one to what else there is under it.
func TestLabelsOfOneAction(t *testing.T) {
	s := open(t, t.TempDir())
	put(t, s, 0, "a")
	put(t, s, 1, "a")
	put(t, s, 1, "b")
	if id, _, ok, err := s.Latest("a"); !ok || err != nil || id != action(0) {
		t.Errorf("a: %v, %v, %v", id, ok, err)
	}
	for _, n := range []int{0, 1} {
		if err := s.Forget(action(n)); err != nil {
			t.Fatal(err)
		}
	}
	for _, label := range []string{"a", "b"} {
		if _, _, ok, err := s.Latest(label); ok || err != nil {
			t.Errorf("%s: %v, %v", label, ok, err)
		}
	}
	put(t, s, 2, "a")
	if id, _, ok, err := s.Latest("a"); !ok || err != nil || id != action(2) {
		t.Errorf("a: %v, %v, %v", id, ok, err)
	}
}
