package wasm

import (
	"context"
	"path/filepath"
	"sync"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/seed-4012077a/flow/engine/internal/node"
	"github.com/seed-4012077a/flow/engine/internal/table"
	"github.com/seed-4012077a/flow/engine/internal/table/ipc"
	"github.com/seed-4012077a/flow/engine/nodetest"
)

func TestBuffers(t *testing.T) {
	var b buffers
	for n := smallBuffer; n <= largeBuffer; n += 1 + n/7 {
		class, size := classOf(n)
		if size < n || size > n+n/4+1 {
			t.Errorf("%d bytes take %d", n, size)
		}
		if c, s := classOf(size); c != class || s != size {
			t.Errorf("a buffer of %d bytes comes back into class %d of %d bytes, not %d", size, c, s, class)
		}
	}
	first := b.Allocate(100_000)
	first[0] = 1
	b.Free(first)
	if again := b.Allocate(99_000); len(again) != 99_000 || &again[0] != &first[0] {
		t.Error("a released buffer is not used again")
	}
	if other := b.Allocate(99_000); &other[0] == &first[0] {
		t.Error("a buffer has two users")
	}
	grown := b.Reallocate(300_000, first)
	if grown[0] != 1 || grown[299_999] != 0 {
		t.Error("a buffer that grows loses what it held")
	}
	for range 100 {
		b.Free(make([]byte, 1<<20))
	}
	if b.kept > keptBuffers {
		t.Errorf("%d bytes are kept, at most %d should be", b.kept, keptBuffers)
	}
	b.Free(make([]byte, 50_001)) // not from here: its size is no class's
	b.Free(nil)
}

// TestBuffersHammer checks that buffers in use are never shared.
func TestBuffersHammer(t *testing.T) {
	var b buffers
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 2000 {
				buf := b.Allocate(smallBuffer + i%3*10_000)
				for j := 0; j < len(buf); j += 4096 {
					buf[j] = byte(g)
				}
				for j := 0; j < len(buf); j += 4096 {
					if buf[j] != byte(g) {
						t.Error("another user wrote into a buffer")
						return
					}
				}
				b.Free(buf)
			}
		})
	}
	wg.Wait()
}

// spoiling is buffers that are dirty at first and spoilt at their release.
type spoiling struct{ buffers }

func (s *spoiling) Allocate(n int) []byte { return spoil(s.buffers.Allocate(n)) }
func (s *spoiling) Free(b []byte)         { s.buffers.Free(spoil(b)) }

func spoil(b []byte) []byte {
	for i := range b {
		b[i] = 0xdb
	}
	return b
}

// TestReleasedBuffers checks that what is kept of an operator's output, and
// what another operator makes of it while it is written, is the same where
// released buffers are overwritten at once.
func TestReleasedBuffers(t *testing.T) {
	run := func(p *Plugin) (built, copied ipc.Artifact) {
		ctx := context.Background()
		build, out := p.operator(t, "build"), node.Binding{Params: []byte(`{"in_place": true}`)}
		schemas, err := build.Bind(ctx, out)
		if err != nil {
			t.Fatal(err)
		}
		spool := func(s *arrow.Schema) *ipc.Spool {
			w, err := ipc.NewSpool(filepath.Join(t.TempDir(), "table"), s, ipc.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { w.Close() })
			return w
		}
		first, second := spool(schemas[0]), spool(schemas[0])
		follower := first.Follow()
		done := make(chan error, 1)
		go func() {
			identity := node.Binding{Params: []byte(`{}`), Inputs: schemas}
			done <- p.operator(t, "identity").Run(ctx, identity, node.Job{Workers: 2, Slots: freeSlots{}, Inputs: []table.Reader{follower}, Outputs: []table.Writer{second}})
		}()
		if err := build.Run(ctx, out, node.Job{Workers: 1, Slots: freeSlots{}, Outputs: []table.Writer{first}}); err != nil {
			t.Fatal(err)
		}
		if built, err = first.Finish(ctx); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if copied, err = second.Finish(ctx); err != nil {
			t.Fatal(err)
		}
		return built, copied
	}
	wantBuilt, wantCopied := run(load(t, Config{}))
	built, copied := run(load(t, Config{Allocator: new(spoiling)}))
	if built.Sum != wantBuilt.Sum || copied.Sum != wantCopied.Sum || copied.Sum != built.Sum {
		t.Errorf("tables of %d and %d bytes differ from those of %d and %d", built.Bytes, copied.Bytes, wantBuilt.Bytes, wantCopied.Bytes)
	}
}

// TestConformanceSpoilt is the suite with buffers that are spoilt as soon as
// their last reference is gone.
func TestConformanceSpoilt(t *testing.T) {
	p := load(t, Config{Allocator: new(spoiling)})
	nodetest.Run(t, func(t testing.TB, name string) node.Operator { return p.operator(t, name) })
}
