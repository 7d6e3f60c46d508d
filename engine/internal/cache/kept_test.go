package cache

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"
)

// keep notes actions 0 to n-1.
func keep(t testing.TB, s *Store, n int) *Kept {
	t.Helper()
	k, ok, err := s.Keep(results(n))
	if err != nil || !ok {
		t.Fatalf("keep: %v, %v", ok, err)
	}
	return k
}

func outputOf(n int) OutputID { return sha256.Sum256(content(n)) }

func results(n int) []Result {
	list := make([]Result, n)
	for i := range list {
		list[i] = Result{Action: action(i), Outputs: []OutputID{outputOf(i)}}
	}
	return list
}

func still(t testing.TB, s *Store, k *Kept) bool {
	t.Helper()
	ok, _, err := s.Still(k, true)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

// again passes a Kept through its bytes.
func again(t testing.TB, k *Kept) *Kept {
	t.Helper()
	b, err := k.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseKept(b)
	if err != nil || !got.Same(k) || got.log != k.log || got.used != k.used || got.boot != k.boot || !slices.Equal(got.blobs, k.blobs) {
		t.Fatalf("read back %+v, %v", got, err)
	}
	return got
}

// TestStillAsHit changes a cache in every way that its users and others have,
// and asks a store that has read nothing: what it believes, Hit must too.
func TestStillAsHit(t *testing.T) {
	const n = 5
	blob := func(s *Store, r *rand.Rand) string { return s.Path(outputOf(r.IntN(n))) }
	changes := []struct {
		what  string
		do    func(t *testing.T, s *Store, r *rand.Rand)
		holds bool // the memo must still hold, or it would be of no use
	}{
		{"nothing", func(*testing.T, *Store, *rand.Rand) {}, true},
		{"other results", func(t *testing.T, s *Store, r *rand.Rand) { put(t, s, 100+r.IntN(50), "other") }, true},
		{"a torn record", func(t *testing.T, s *Store, _ *rand.Rand) { appendTo(t, s.index.path(), recordMagic) }, true},
		{"a blob removed", func(t *testing.T, s *Store, r *rand.Rand) { must(t, os.Remove(blob(s, r))) }, false},
		{"a blob changed", func(t *testing.T, s *Store, r *rand.Rand) {
			path := blob(s, r)
			b, err := os.ReadFile(path)
			must(t, err)
			info, err := os.Stat(path)
			must(t, err)
			b[r.IntN(len(b))] ^= 1
			must(t, os.Chmod(path, 0o600))
			must(t, os.WriteFile(path, b, 0o600))
			must(t, os.Chtimes(path, time.Time{}, info.ModTime()))
		}, false},
		{"a blob in another's place", func(t *testing.T, s *Store, r *rand.Rand) {
			path := blob(s, r)
			b, err := os.ReadFile(path)
			must(t, err)
			must(t, os.Remove(path))
			must(t, os.WriteFile(path, b, 0o400))
		}, false},
		{"an entry forgotten", func(t *testing.T, s *Store, r *rand.Rand) { must(t, s.Forget(action(r.IntN(n)))) }, false},
		{"an entry put again, with another output", func(t *testing.T, s *Store, r *rand.Rand) {
			o := commit(t, s, content(1000+r.IntN(50)))
			must(t, s.Put(action(r.IntN(n)), Entry{Outputs: []Output{o}}))
		}, false},
		{"a collection of all", func(t *testing.T, s *Store, _ *rand.Rand) {
			_, err := s.GC(Policy{MaxSize: 1})
			must(t, err)
		}, false},
		{"a collection of nothing", func(t *testing.T, s *Store, _ *rand.Rand) {
			_, err := s.GC(Policy{})
			must(t, err)
		}, true},
		{"a compaction", func(t *testing.T, s *Store, _ *rand.Rand) {
			must(t, s.locked(func() error { return errors.Join(s.index.refresh(), s.index.compact()) }))
		}, false},
		{"a damaged log", func(t *testing.T, s *Store, r *rand.Rand) {
			b, err := os.ReadFile(s.index.path())
			must(t, err)
			b[r.IntN(len(b))] ^= 4
			must(t, os.WriteFile(s.index.path(), b, 0o600))
		}, false},
		{"no log", func(t *testing.T, s *Store, _ *rand.Rand) { must(t, os.Remove(s.index.path())) }, false},
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, c := range changes {
		t.Run(c.what, func(t *testing.T) {
			for range 4 {
				dir := t.TempDir()
				s, err := Open(dir, Options{})
				must(t, err)
				for i := range n {
					put(t, s, i, fmt.Sprint("label ", i))
				}
				k := again(t, keep(t, s, n))
				c.do(t, s, r)
				must(t, s.Close())

				later := open(t, dir)
				got := still(t, later, k)
				if later.index.file != nil {
					t.Error("Still read the whole log")
				}
				if c.holds && !got {
					t.Error("it does not hold any more")
				}
				if got {
					for i, want := range results(n) {
						e, ok, err := later.Hit(want.Action)
						if err != nil || !ok || e.Outputs[0].ID != want.Outputs[0] {
							t.Errorf("believed, and action %d is no hit: %v, %v", i, ok, err)
						}
					}
				}
			}
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func appendTo(t testing.TB, path string, b []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	_, err = f.Write(b)
	must(t, errors.Join(err, f.Close()))
}

// TestStillNeeds lists what must be refused however the cache stands.
func TestStillNeeds(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for i := range 3 {
		put(t, s, i, "label")
	}
	for what, list := range map[string][]Result{
		"an action that is not there": {{Action: action(9), Outputs: []OutputID{outputOf(9)}}},
		"another output":              {{Action: action(1), Outputs: []OutputID{outputOf(2)}}},
		"an output too many":          {{Action: action(1), Outputs: []OutputID{outputOf(1), outputOf(2)}}},
		"no output":                   {{Action: action(1)}},
	} {
		if _, ok, err := s.Keep(list); ok || err != nil {
			t.Errorf("kept with %s: %v, %v", what, ok, err)
		}
	}
	k := keep(t, s, 3)
	s.boot = "another boot"
	if still(t, s, k) {
		t.Error("it holds in another boot")
	}
	if _, ok, _ := s.Keep(results(3)); ok {
		t.Error("kept with stamps of another boot")
	}
	s.boot = ""
	if still(t, s, k) {
		t.Error("it holds where the boot is not known")
	}
}

// TestStillPins collects everything while a store relies on a memo.
func TestStillPins(t *testing.T) {
	dir := t.TempDir()
	a, b := open(t, dir), open(t, dir)
	for i := range 3 {
		put(t, a, i, "label")
	}
	k := again(t, keep(t, a, 3))
	must(t, a.Close())
	if !still(t, b, k) {
		t.Fatal("it does not hold")
	}
	collector := open(t, dir)
	got, err := collector.GC(Policy{MaxSize: 1})
	if err != nil || got.Entries != 3 || got.Pinned != 3 || got.Blobs != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	for i := range 3 {
		if _, err := os.Stat(b.Path(outputOf(i))); errors.Is(err, fs.ErrNotExist) {
			t.Errorf("blob %d is gone", i)
		}
	}
	if still(t, b, k) {
		t.Error("it holds after the collection")
	}
}

// TestStillNotesUses: a collection by age must know what memos used.
func TestStillNotesUses(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir)
	for i := range 3 {
		put(t, a, i, "label")
	}
	k := keep(t, a, 3)
	k.used -= 2 * useEvery
	if ok, changed, err := a.Still(k, false); !ok || !changed || err != nil {
		t.Fatal(ok, changed, err)
	}
	if ok, changed, err := a.Still(k, false); !ok || changed || err != nil {
		t.Fatal("uses are noted again:", ok, changed, err)
	}
	if len(a.pending) == 0 {
		t.Fatal("no use is noted")
	}
	must(t, a.Close())
	b := open(t, dir)
	if !still(t, b, k) {
		t.Error("notes of uses make it invalid")
	}
	for it, err := range b.List() {
		if err != nil || !it.Used.After(it.Entry.Time) {
			t.Errorf("%v was put %v and used %v", it.Action, it.Entry.Time, it.Used)
		}
	}
}

// FuzzKept reads bytes that are no Kept, or one of another's making.
func FuzzKept(f *testing.F) {
	s := open(f, f.TempDir())
	for i := range 3 {
		put(f, s, i, "label")
	}
	k := keep(f, s, 3)
	good, err := k.AppendBinary(nil)
	must(f, err)
	f.Add(good)
	f.Add([]byte(nil))
	f.Add(good[:len(good)-1])
	f.Add(slices.Concat(make([]byte, 48), []byte("\xff\xff\xff\xff\xff\xff\xff\x7f")))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := ParseKept(b)
		if err != nil {
			return
		}
		back, err := k.AppendBinary(nil)
		if err != nil || string(back) != string(b) {
			t.Fatalf("%d bytes are read and written as others", len(b))
		}
		if _, _, err := s.Still(k, false); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	})
}
