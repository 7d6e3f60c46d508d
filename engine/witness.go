package engine

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/seed-4012077a/flow/engine/internal/plan"
	"github.com/seed-4012077a/flow/engine/internal/runmemo"
)

// question is the hash of how flow was called, which a memo of the run is kept
// under: the program itself, the pipeline's file, the folder that flags' paths
// are relative to, all flags that decide the plan, and where plugins are
// looked for. ok is false where the system does not tell one of them.
func (e *Engine) question(s Source) (q runmemo.Hash, ok bool) {
	program, ok := programStamp()
	if !ok {
		return q, false
	}
	file, err := filepath.Abs(s.File)
	if err != nil {
		return q, false
	}
	here, err := os.Getwd()
	if err != nil {
		return q, false
	}
	h := sha256.New()
	put := func(list ...string) {
		_ = binary.Write(h, binary.LittleEndian, int64(len(list))) // a hash takes everything
		for _, text := range list {
			_ = binary.Write(h, binary.LittleEndian, int64(len(text)))
			_, _ = io.WriteString(h, text)
		}
	}
	put(cacheVersion, e.cfg.Version, program, file, here, strconv.Itoa(e.cfg.Jobs))
	put(s.Sets...)
	put(s.Overlays...)
	put(s.Only...)
	put(e.cfg.Search...)
	return runmemo.Hash(h.Sum(nil)), true
}

// programStamp tells this program from every other and from itself rebuilt.
func programStamp() (string, bool) {
	path, err := os.Executable()
	if err != nil {
		return "", false
	}
	var st syscall.Stat_t
	if err := syscall.Stat(path, &st); err != nil {
		return "", false
	}
	var b []byte
	for _, v := range []int64{int64(st.Dev), int64(st.Ino), st.Size, st.Mtim.Nano(), st.Ctim.Nano()} {
		b = strconv.AppendInt(b, v, 10)
		b = append(b, ' ')
	}
	return string(b) + path, true
}

// witnesses collects what a plan depended on beside texts. A nil *witnesses
// takes no notes.
type witnesses struct {
	mu       sync.Mutex
	programs map[string]runmemo.Program
	files    map[string]runmemo.Hash
	mixed    bool // a file had two contents: the plan is of no one moment
}

func newWitnesses() *witnesses {
	return &witnesses{programs: map[string]runmemo.Program{}, files: map[string]runmemo.Hash{}}
}

func (w *witnesses) file(path string, sum runmemo.Hash) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if before, ok := w.files[path]; ok && before != sum {
		w.mixed = true
	}
	w.files[path] = sum
}

func (w *witnesses) program(name string, p *program) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.programs[name] = runmemo.Program{Name: name, Place: p.from, Identity: p.identity}
}

// watched is a catalog that notes what planning finds in it.
type watched struct {
	*catalog
	seen *witnesses
}

// Lookup implements plan.Catalog.
func (w watched) Lookup(ctx context.Context, uses, baseDir string) (plan.Operator, error) {
	b, err := w.find(ctx, uses, baseDir, nil)
	if err == nil && b.own == nil {
		name, _, _ := strings.Cut(uses, "#")
		w.seen.program(name, b.program)
	}
	b.seen = w.seen
	return b, err
}

// planHolds reports whether planning would take in what it took in for the
// memo: the texts, the programs, and paths that had to be there.
func (e *Engine) planHolds(m *runmemo.Memo) bool {
	for i := range m.Texts {
		if sum, err := sumFile(m.Texts[i].Path); err != nil || sum != m.Texts[i].Sum {
			return false
		}
	}
	for _, path := range m.Found {
		if _, err := os.Stat(path); err != nil {
			return false
		}
	}
	for _, p := range m.Programs {
		place, identity, err := e.catalog.identity(p.Name, m.Dir)
		if err != nil || place != p.Place || !slices.Equal(identity, p.Identity) {
			return false
		}
	}
	return true
}

func sumFile(path string) (sum runmemo.Hash, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return sum, err
	}
	if !info.Mode().IsRegular() {
		return sum, os.ErrInvalid // a pipe would not be read to its end
	}
	b, err := os.ReadFile(path)
	return sha256.Sum256(b), err
}

// filesHold reports whether the files that tasks read have the content that
// the memo's keys were made of. It looks at them as a run does: by stamp, and
// by bytes where the stamp is new.
func (e *Engine) filesHold(ctx context.Context, m *runmemo.Memo) bool {
	for i := range m.Files {
		if sum, err := e.files.Hash(ctx, m.Files[i].Path); err != nil || sum != m.Files[i].Sum {
			return false
		}
	}
	return true
}

// witnessList sorts what was noted, so that a memo's bytes do not vary.
func witnessList(sums map[string]runmemo.Hash) []runmemo.Witness {
	list := make([]runmemo.Witness, 0, len(sums))
	for _, path := range slices.Sorted(maps.Keys(sums)) {
		list = append(list, runmemo.Witness{Path: path, Sum: sums[path]})
	}
	return list
}
