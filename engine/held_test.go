package engine

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/seed-4012077a/flow/engine/internal/cache"
)

// in lists what a folder of the workspace holds.
func in(t *testing.T, e *Engine, folder string) (names []string) {
	t.Helper()
	list, err := os.ReadDir(filepath.Join(e.cfg.Workspace, folder))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range list {
		names = append(names, d.Name())
	}
	return names
}

func write(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Of two tasks of one key, one has the folder with the checkpoint. The other
// works elsewhere and leaves the first one's alone, however it ends.
func TestScratchOfTwins(t *testing.T) {
	e := testEngine(t, t.TempDir())
	other := testEngine(t, e.cfg.Workspace)
	scratch := func(e *Engine) scratchFolder {
		s, err := e.scratch("0123")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	first := scratch(e)
	write(t, filepath.Join(first.path(), "step"))
	for _, end := range []func(scratchFolder) error{scratchFolder.remove, scratchFolder.leave} {
		for _, who := range []*Engine{e, other} {
			second := scratch(who)
			if got, _ := os.ReadDir(second.path()); second.path() == first.path() || len(got) > 0 {
				t.Errorf("the second has %s with %v", second.path(), got)
			}
			must(end(second))
		}
	}
	if got := in(t, e, scratches); !slices.Equal(got, []string{"0123", "0123.lock"}) {
		t.Errorf("beside the first: %q", got)
	}
	must(first.leave())
	must(first.remove()) // it is no longer the first's
	again := scratch(other)
	if _, err := os.Stat(filepath.Join(again.path(), "step")); err != nil {
		t.Errorf("the checkpoint: %v", err)
	}
	must(again.remove())
	must(again.leave())
	if got := in(t, e, scratches); len(got) > 0 {
		t.Errorf("left: %q", got)
	}
}

// Many take and give back one folder: never two have it at once, though the
// lock's file comes and goes.
func TestHoldIsExclusive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "one")
	done := make(chan int)
	for range 4 {
		go func() {
			had := 0
			for range 500 {
				h, err := hold(path)
				if err != nil {
					t.Error(err)
				}
				if h == nil {
					continue
				}
				had++
				if err := os.Mkdir(path, 0o700); err != nil {
					t.Error(err)
				}
				if err := h.remove(); err != nil {
					t.Error(err)
				}
			}
			done <- had
		}()
	}
	had := 0
	for range 4 {
		had += <-done
	}
	if had == 0 {
		t.Error("nobody ever had it")
	}
}

// A collection takes what killed processes left, and nothing that somebody
// holds or may come back for.
func TestSweepHeld(t *testing.T) {
	e := testEngine(t, t.TempDir())
	at := func(elem ...string) string { return filepath.Join(append([]string{e.cfg.Workspace}, elem...)...) }
	old := time.Now().Add(-2 * scratchAge)
	for _, key := range []string{"old", "oldbusy", "fresh"} {
		write(t, at(scratches, key, "step"))
		if key == "fresh" {
			continue
		}
		for _, path := range []string{at(scratches, key, "step"), at(scratches, key)} {
			if err := os.Chtimes(path, old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(t, at(scratches, "fresh-TWIN", "in-0.arrow"))
	write(t, at(scratches, "fresh.lock"))
	write(t, at(scratches, "gone.lock"))
	write(t, at(reportsFolder, "run-KILLED", "dose.arrow"))
	busy, err := hold(at(scratches, "oldbusy"))
	if err != nil || busy == nil {
		t.Fatal(busy, err)
	}
	made, err := holdNew(at(reportsFolder, "run"))
	if err != nil {
		t.Fatal(err)
	}
	for _, dry := range []bool{true, false} {
		res, err := e.CacheGC(t.Context(), GCPolicy{DryRun: dry})
		if err != nil || res.Files != 3 || res.Bytes != 15 {
			t.Errorf("dry %v: %+v, %v", dry, res, err)
		}
	}
	if got := in(t, e, scratches); !slices.Equal(got, []string{"fresh", "fresh.lock", "oldbusy", "oldbusy.lock"}) {
		t.Errorf("scratch: %q", got)
	}
	if got := in(t, e, reportsFolder); !slices.Equal(got, []string{filepath.Base(made.path), filepath.Base(made.path) + lockEnd}) {
		t.Errorf("reports: %q", got)
	}
	if err := busy.release(); err != nil {
		t.Error(err)
	}
	if err := made.remove(); err != nil {
		t.Error(err)
	}
	// A folder that vanished since it was listed is of no age: a run may be
	// making it anew.
	var res GCResult
	if err := sweepFolder(at(scratches, "vanished"), scratchAge, false, &res); err != nil || res.Files > 0 {
		t.Errorf("%+v, %v", res, err)
	}
}

// A result that a collection dropped since it was listed is no damage; one
// that lost its files is, each of them.
func TestVerifyBesideCollection(t *testing.T) {
	e := testEngine(t, t.TempDir())
	file := writePipeline(t, smallPipeline)
	if _, err := runPipeline(t, e, file); err != nil {
		t.Fatal(err)
	}
	store, err := e.store()
	if err != nil {
		t.Fatal(err)
	}
	for it, err := range store.List() {
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range it.Entry.Outputs { // as after a collection: the entry goes first
			if err := os.Remove(store.Path(o.ID)); err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
		}
	}
	dropped := 0
	for it, err := range store.List() {
		if err != nil {
			t.Fatal(err)
		}
		if dropped++; dropped > 1 {
			continue
		}
		if err := store.Forget(it.Action); err != nil {
			t.Fatal(err)
		}
		var got VerifyResult
		if err := verifyItem(t.Context(), store, it, map[cache.OutputID]error{}, &got); err != nil || len(got.Bad) > 0 || got.Files > 0 {
			t.Errorf("dropped: %+v, %v", got, err)
		}
	}
	got, err := e.CacheVerify(t.Context())
	if err != nil || len(got.Bad) != dropped-1 {
		t.Errorf("%d results, one dropped: %+v, %v", dropped, got, err)
	}
}
