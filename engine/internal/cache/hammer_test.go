package cache

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestCommitDuringCollection commits a blob that a collector, which has read
// the pins already, is about to take away under the same name.
func TestCommitDuringCollection(t *testing.T) {
	dir := t.TempDir()
	collector, maker := open(t, dir), open(t, dir)
	old := open(t, dir)
	o := commit(t, old, content(1)) // no entry needs it, and nobody pins it
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := maker.Stage(); err != nil { // its session begins before
		t.Fatal(err)
	}
	done := make(chan struct{})
	err := collector.locked(func() error {
		blobs, err := collector.blobs()
		if err != nil {
			return err
		}
		var got Collected
		needed := map[OutputID]need{}
		if err := collector.sweepSessions(false, needed, &got); err != nil {
			return err
		}
		go func() {
			defer close(done)
			put(t, maker, 1, "x")
		}()
		select {
		case <-done:
		case <-time.After(100 * time.Millisecond): // it waits, as it should
		}
		return sweepBlobs(blobs, needed, false, &got)
	})
	if err != nil {
		t.Fatal(err)
	}
	<-done
	if !hit(t, maker, 1) {
		t.Errorf("the collector took %s away after it was committed", o.ID)
	}
}

// TestForgetANewerEntry: who found a blob missing must not drop the entry that
// another session has made anew since.
func TestForgetANewerEntry(t *testing.T) {
	dir := t.TempDir()
	a, b := open(t, dir), open(t, dir)
	o := put(t, a, 1, "x")
	if err := os.Remove(a.Path(o.ID)); err != nil {
		t.Fatal(err)
	}
	// The first half of a.Hit: it has found the entry, and no blob.
	_, from, ok, err := a.get(action(1))
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if hit(t, b, 1) {
		t.Fatal("a hit without a blob")
	}
	put(t, b, 1, "x")
	if err := a.forget(action(1), from); err != nil { // the second half
		t.Fatal(err)
	}
	if !hit(t, b, 1) {
		t.Error("the new entry was dropped")
	}
}

// TestSessionsEndBesideCollector opens and closes sessions while another
// collects.
func TestSessionsEndBesideCollector(t *testing.T) {
	dir := t.TempDir()
	c := open(t, dir)
	var stop atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for !stop.Load() {
			if _, err := c.GC(Policy{}); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 1500 {
		s, err := Open(dir, Options{})
		if err == nil {
			_, err = s.Stage()
		}
		if err == nil {
			err = s.Close()
		}
		if err != nil {
			t.Error(err)
			break
		}
	}
	stop.Store(true)
	wg.Wait()
	// What was killed between making its folder and taking its lock is swept.
	if err := os.Mkdir(filepath.Join(dir, "sessions", "killed"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := c.GC(Policy{}); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(filepath.Join(dir, "sessions")); err != nil || len(left) > 1 {
		t.Errorf("%d folders left, %v", len(left), err)
	}
}

// TestHammer lets goroutines of several processes put, get, damage nothing
// and collect, while processes are killed; nobody may see a wrong or a
// promised and missing blob.
func TestHammer(t *testing.T) {
	if dir := os.Getenv("CACHE_HAMMER"); dir != "" {
		hammer(t, dir, 1500*time.Millisecond)
		return
	}
	dir := t.TempDir()
	var wg sync.WaitGroup
	for p := range 3 {
		wg.Go(func() {
			for round := range 2 {
				life, kill := time.Minute, p == 0
				if kill {
					life = time.Duration(200+round*300) * time.Millisecond
				}
				ctx, cancel := context.WithTimeout(context.Background(), life) // its end is a SIGKILL
				defer cancel()
				cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=TestHammer$")
				cmd.Env = append(os.Environ(), "CACHE_HAMMER="+dir)
				if out, err := cmd.CombinedOutput(); err != nil && !kill {
					t.Errorf("%v\n%s", err, out)
				}
			}
		})
	}
	hammer(t, dir, 1500*time.Millisecond)
	wg.Wait()
	s := open(t, dir)
	for n := range 40 {
		hit(t, s, n)
	}
	if _, err := s.GC(Policy{MaxSize: 1}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	if _, err := s.GC(Policy{MaxSize: 1}); err != nil {
		t.Fatal(err)
	}
	st, err := s.Stats()
	if err != nil || st.Blobs != 0 || st.Quarantined != 0 || st.Sessions > 1 {
		t.Errorf("after the last collection: %+v, %v", st, err)
	}
}

// hammer works on the folder until d is over. Its stores are opened and closed
// all the time: a session that lives long pins everything, and then no
// collector takes anything away.
func hammer(t *testing.T, dir string, d time.Duration) {
	end := time.Now().Add(d)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for time.Now().Before(end) && !t.Failed() {
				s, err := Open(dir, Options{Notice: func(err error) { t.Log(err) }})
				if err != nil {
					t.Error(err)
					return
				}
				for range 1 + rand.IntN(30) {
					if rand.IntN(10) == 0 {
						if _, err := s.GC(Policy{MaxSize: int64(1 + rand.IntN(4000))}); err != nil {
							t.Error(err)
						}
					}
					hammerOnce(t, s, rand.IntN(40))
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// hammerOnce finds or makes the result of action n, and reads it.
func hammerOnce(t *testing.T, s *Store, n int) {
	e, ok, err := s.Get(action(n))
	if err != nil {
		t.Error(err)
		return
	}
	if !ok {
		st, err := s.Stage()
		if err != nil {
			t.Error(err)
			return
		}
		_, err = st.Write(content(n))
		if err != nil {
			t.Error(err)
		}
		id, size, err := s.Commit(st, OutputID{})
		if err == nil {
			err = s.Put(action(n), Entry{Label: "x", Outputs: []Output{{"out", id, size}}})
		}
		if err != nil {
			t.Error(err)
			return
		}
		e.Outputs = []Output{{"out", id, size}}
	}
	f, err := s.OpenVerified(e.Outputs[0].ID)
	if err != nil {
		t.Errorf("a promised blob: %v", err)
		return
	}
	b, err := io.ReadAll(f)
	f.Close()
	if err != nil || !bytes.Equal(b, content(n)) {
		t.Errorf("action %d gave %d other bytes, %v", n, len(b), err)
	}
}
