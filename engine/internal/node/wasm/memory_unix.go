//go:build unix

package wasm

import (
	"sync"

	"github.com/tetratelabs/wazero/experimental"
	"golang.org/x/sys/unix"
)

// memories gives instances of one plugin their memories, and keeps those of
// instances that are gone, cleared: clearing a page that is there costs a
// tenth of having the system make one. The zero value is ready.
type memories struct {
	mu     sync.Mutex
	idle   []region
	bytes  int // that idle regions hold, at most keptMemory
	closed bool
}

// keptMemory is how many bytes of idle memories stay with a plugin.
const keptMemory = 64 << 20

// A region is an address range that no instance uses. It holds zeros only.
type region struct {
	b    []byte
	held int // bytes at its beginning that the system may have backed
}

// get returns a memory of zeros. It reserves an address range of limit bytes,
// of which the system backs only what is touched: a memory grows without
// being copied and never beyond its limit. All calls give the same limit.
func (m *memories) get(limit int64) (experimental.LinearMemory, error) {
	if r, ok := m.take(); ok {
		return &mapped{region: r, home: m}, nil
	}
	b, err := unix.Mmap(-1, 0, int(limit), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		return nil, err
	}
	return &mapped{region: region{b: b}, home: m}, nil
}

func (m *memories) take() (r region, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := len(m.idle)
	if n == 0 {
		return r, false
	}
	r = m.idle[n-1]
	m.idle = m.idle[:n-1]
	m.bytes -= r.held
	return r, true
}

// put takes a region of which an instance could write the first used bytes.
func (m *memories) put(r region, used int) {
	r.held = max(r.held, used)
	if m.places(r.held) {
		clear(r.b[:used])
		m.mu.Lock()
		defer m.mu.Unlock()
		if !m.closed {
			m.idle = append(m.idle, r)
			return
		}
	}
	_ = unix.Munmap(r.b)
}

// places says whether there is place for n bytes more, and counts them.
func (m *memories) places(n int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || m.bytes+n > keptMemory {
		return false
	}
	m.bytes += n
	return true
}

// close frees the idle regions; those in use are freed when they come back.
func (m *memories) close() {
	m.mu.Lock()
	idle := m.idle
	m.idle, m.closed = nil, true
	m.mu.Unlock()
	for _, r := range idle {
		_ = unix.Munmap(r.b)
	}
}

// mapped is one instance's memory.
type mapped struct {
	region
	used int // the most that the instance had
	home *memories
}

// Reallocate implements experimental.LinearMemory.
func (m *mapped) Reallocate(size uint64) []byte {
	if size > uint64(len(m.b)) {
		return nil
	}
	m.used = max(m.used, int(size))
	return m.b[:size]
}

// Free implements experimental.LinearMemory.
func (m *mapped) Free() {
	if m.b != nil {
		m.home.put(m.region, m.used)
		m.region = region{}
	}
}
