//go:build !unix

package wasm

import "github.com/tetratelabs/wazero/experimental"

// memories gives instances their memories.
type memories struct{}

// get returns a memory that grows by doubling, up to limit bytes.
func (*memories) get(limit int64) (experimental.LinearMemory, error) {
	return &grown{limit: limit}, nil
}

func (*memories) close() {}

type grown struct {
	b     []byte
	limit int64
}

// Reallocate implements experimental.LinearMemory.
func (g *grown) Reallocate(size uint64) []byte {
	if size > uint64(g.limit) {
		return nil
	}
	if size > uint64(cap(g.b)) {
		b := make([]byte, size, min(uint64(g.limit), max(size, 2*uint64(cap(g.b)))))
		copy(b, g.b)
		g.b = b
	}
	g.b = g.b[:size]
	return g.b
}

// Free implements experimental.LinearMemory.
func (g *grown) Free() { g.b = nil }
