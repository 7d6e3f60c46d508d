package wasm

import (
	"math/bits"
	"sync"

	"github.com/apache/arrow/go/v17/arrow/memory"
)

// buffers makes the buffers of the batches that come out of guests, and gives
// released ones out again: the system takes longer to make fresh pages, and
// Go's heap to clear and collect them, than the copy into them takes. What a
// buffer holds at first is what its last user left, so it must be written in
// full. The zero value is ready, and safe for concurrent use.
type buffers struct {
	mu   sync.Mutex
	free [64 * 4][][]byte // by class
	kept int              // bytes in free, at most keptBuffers
}

const (
	smallBuffer = 32 << 10 // those below are left to Go's heap
	largeBuffer = 16 << 20 // and those above
	keptBuffers = 32 << 20
)

// classOf returns the place in free of buffers for n bytes and their size:
// the next of four steps to each power of two.
func classOf(n int) (class, size int) {
	shift := bits.Len(uint(n-1)) - 3
	steps := (n - 1) >> shift // 4 to 7
	return shift*4 + steps - 4, (steps + 1) << shift
}

// Allocate implements memory.Allocator.
func (b *buffers) Allocate(n int) []byte {
	if n < smallBuffer || n > largeBuffer {
		return memory.DefaultAllocator.Allocate(n)
	}
	class, size := classOf(n)
	if buf := b.take(class, size); buf != nil {
		return buf[:n]
	}
	return make([]byte, n, size) // Go aligns what is this large to pages
}

func (b *buffers) take(class, size int) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.free[class]
	if len(list) == 0 {
		return nil
	}
	buf := list[len(list)-1]
	list[len(list)-1] = nil
	b.free[class] = list[:len(list)-1]
	b.kept -= size
	return buf
}

// Reallocate implements memory.Allocator.
func (b *buffers) Reallocate(n int, old []byte) []byte {
	buf := b.Allocate(n)
	clear(buf[copy(buf, old):])
	b.Free(old)
	return buf
}

// Free implements memory.Allocator.
func (b *buffers) Free(buf []byte) {
	n := cap(buf)
	if n < smallBuffer || n > largeBuffer {
		return
	}
	class, size := classOf(n)
	if size != n {
		return // not from here
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.kept+size <= keptBuffers {
		b.free[class] = append(b.free[class], buf[:0])
		b.kept += size
	}
}
