//go:build unix

package wasm

import "testing"

// TestMemories checks that an instance's memory holds zeros, whoever had it
// before, and that no more is kept than may be.
func TestMemories(t *testing.T) {
	const limit = 256 << 20
	var m memories
	get := func(size int) ([]byte, func()) {
		t.Helper()
		mem, err := m.get(limit)
		if err != nil {
			t.Fatal(err)
		}
		b := mem.Reallocate(uint64(size))
		for i := 0; i < size; i += 512 {
			if b[i] != 0 {
				t.Fatalf("byte %d of a new memory is not zero", i)
			}
			b[i] = 1
		}
		b[size-1] = 1
		if mem.Reallocate(limit+1) != nil {
			t.Error("a memory grew beyond its limit")
		}
		return b, mem.Free
	}
	first, free := get(8 << 20)
	free()
	free() // as wazero and its caller may both do
	if len(m.idle) != 1 || m.bytes != 8<<20 {
		t.Fatalf("%d memories with %d bytes are kept", len(m.idle), m.bytes)
	}
	again, free := get(4 << 20)
	if &again[0] != &first[0] {
		t.Error("the memory is not used again")
	}
	other, freeOther := get(60 << 20)
	if &other[0] == &again[0] {
		t.Error("a memory has two users")
	}
	free()
	freeOther() // too much to keep both
	if len(m.idle) != 1 || m.bytes != 8<<20 {
		t.Errorf("%d memories with %d bytes are kept", len(m.idle), m.bytes)
	}
	_, free = get(16 << 20)
	_, late := get(1 << 20)
	free()
	m.close()
	late()
	if len(m.idle) != 0 {
		t.Error("memories are kept after the end")
	}
}
