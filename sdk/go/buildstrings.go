package sdk

import (
	"fmt"
	"math"
	"unsafe"
)

// Str adds a string to a string or binary column, or to a dictionary of one.
func (b *Builder) Str(s string) {
	n, at := b.n, len(b.data)
	if n >= len(b.ends) || cap(b.data)-at < len(s) {
		b.str(s)
		return
	}
	b.data = b.data[:at+len(s)]
	copy(b.data[at:], s)
	b.ends[n] = int32(at + len(s))
	b.n = n + 1
}

// str is Str for all types and sizes.
func (b *Builder) str(s string) {
	switch b.typ.kind {
	case kUtf8, kBinary, kLargeUtf8, kLargeBinary:
		b.begin()
		b.provide(len(s))
		b.ended(append(b.data, s...))
	case kDict:
		b.begin()
		b.dictionary(s)
	default:
		panic(b.wrong("a string"))
	}
}

// Bytes is Str for bytes.
func (b *Builder) Bytes(v []byte) { b.Str(unsafe.String(unsafe.SliceData(v), len(v))) }

// StrAppend adds a string to a string or binary column in place: write appends
// it to the bytes it is given and returns them, as strconv.AppendInt or
// fmt.Appendf do. It saves making the string first, which in a guest costs
// more than anything else here.
func (b *Builder) StrAppend(write func(dst []byte) []byte) {
	at := len(b.data)
	if b.n >= len(b.ends) || at >= b.ample {
		b.strAppend(write)
		return
	}
	data := write(b.data)
	if unsafe.SliceData(data) != unsafe.SliceData(b.data) || uint(len(data)-at) > uint(cap(b.data)-at) {
		b.ended(data)
		return
	}
	b.data = b.data[:len(data)]
	b.ends[b.n] = int32(len(data))
	b.n++
}

// strAppend is StrAppend for all types and sizes.
func (b *Builder) strAppend(write func(dst []byte) []byte) {
	switch b.typ.kind {
	case kUtf8, kBinary, kLargeUtf8, kLargeBinary:
		b.begin()
		b.provide(max(cap(b.data)/8, 64))
		b.ended(write(b.data))
	default:
		b.Str(string(write(nil)))
	}
}

// ended makes data the strings' bytes, of which those behind the last string
// are one more.
func (b *Builder) ended(data []byte) {
	if len(data) < len(b.data) {
		panic(fmt.Sprintf("column %q: StrAppend's function must return what it was given with more behind it", b.name))
	}
	if len(b.large) > 0 {
		b.large[b.n+1] = int64(len(data))
	} else {
		if len(data) > math.MaxInt32 {
			panic(fmt.Sprintf("column %q holds more than 2 GiB in one batch", b.name))
		}
		b.offsets[b.n+1] = int32(len(data))
	}
	b.hold(data)
	b.n++
}

// hold makes data the strings' bytes.
func (b *Builder) hold(data []byte) {
	b.data = data
	// Str trusts the capacity, so it must end where offsets do.
	if len(b.offsets) > 0 && cap(data) > math.MaxInt32 {
		b.data = data[:len(data):math.MaxInt32]
	}
	b.ample = cap(b.data) - cap(b.data)/8
	if b.auto() {
		b.ample = min(b.ample, flushBytes)
	}
}

// provide makes place for more bytes: by handing the output's rows on where it
// is long enough already, else by more memory.
func (b *Builder) provide(more int) {
	if b.rows != nil && len(b.data) >= flushBytes {
		b.rows.full(b)
	}
	need := len(b.data) + more
	if cap(b.data) >= need {
		return
	}
	size := max(2*cap(b.data), 1024)
	if b.auto() && cap(b.data) < flushBytes {
		// As much as is handed on at once, and some for the last row.
		size = min(2*size, flushBytes+flushBytes/4)
	}
	b.hold(append(make([]byte, 0, max(size, need)), b.data...))
}
