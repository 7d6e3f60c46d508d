package sdk

import (
	"fmt"
	"math"
)

// Builder makes one column, a list's elements or a struct's member, value by
// value. A value of a type that the column does not take panics: the task
// then fails with that text.
//
// A value's place is its number: fixed-width values, bits and offsets lie in
// memory made for room values, of which the first n are the column's.
type Builder struct {
	n int // values so far

	// Windows on the values that may be added without another look at memory,
	// limit or type: value i may be written where i lies in the window of its
	// kind. All but at most one of them are empty.
	ints   []int64   // int64, timestamp, date64
	floats []float64 // float64
	ends   []int32   // utf8, binary: where value i ends in data

	data    []byte // fixed-width values and bits of room values; bytes of strings
	ample   int    // strings: below this length data has room for a value of usual size
	offsets []int32
	large   []int64
	valid   []byte // made at the first null, for room values; all bits from n on are set

	room  int // values that there is memory for
	limit int // values at which to look whether the output can be handed on
	nulls int
	typ   Type
	name  string // for messages
	kids  []*Builder
	dict  *Builder
	seen  map[string]int // dictionary: value's place + 1
	from  *Column        // dictionary: where the first values were copied from
	whole *Column        // the column that stands for all rows so far, or nil
	rows  *Rows          // top-level builders of an output; else nil
}

// NewBuilder returns a builder that stands alone, for tests and for keeping
// rows of earlier batches.
func NewBuilder(t Type) *Builder {
	b := &Builder{typ: t, limit: math.MaxInt}
	switch t.kind {
	case kUtf8, kBinary, kList:
		b.offsets = append(b.offsets, 0)
	case kLargeUtf8, kLargeBinary, kLargeList:
		b.large = append(b.large, 0)
	case kDict:
		b.dict = NewBuilder(*t.value)
		b.seen = map[string]int{}
	}
	for _, f := range t.fields {
		if t.kind == kDict {
			break
		}
		kid := NewBuilder(f.Type)
		kid.name = f.Name
		b.kids = append(b.kids, kid)
	}
	return b
}

// Type is the type of the column being made.
func (b *Builder) Type() Type { return b.typ }

// Len is the number of values so far.
func (b *Builder) Len() int { return b.n }

func (b *Builder) wrong(value string) string {
	return fmt.Sprintf("column %q is %s and does not take %s", b.name, b.typ, value)
}

// begin is called before a value that lies in no window is added: there is
// memory for it then, but for its bytes and members.
func (b *Builder) begin() {
	if b.n >= b.limit {
		b.rows.full(b)
	}
	if b.n >= b.room {
		b.enlarge(1)
	}
}

// bound sets the number of values at which to look whether the output can be
// handed on.
func (b *Builder) bound(limit int) {
	b.limit = limit
	b.open()
}

// open makes the windows what limit and room allow.
func (b *Builder) open() {
	n := min(b.limit, b.room)
	switch b.typ.kind {
	case kInt64, kTimestamp, kDate64:
		b.ints = view[int64](b.data, b.room)[:n]
	case kFloat64:
		b.floats = view[float64](b.data, b.room)[:n]
	case kUtf8, kBinary:
		b.ends = b.offsets[1 : 1+n]
	}
}

// auto says whether the output hands rows on by itself.
func (b *Builder) auto() bool { return b.rows != nil && b.rows.out.auto }

// enlarge makes room for at least more values, doubling what there is.
func (b *Builder) enlarge(more int) {
	room := max(64, 2*b.room)
	if b.auto() && b.room < flushRows {
		room = min(2*room, flushRows) // as much as is handed on at once
	}
	room = max(room, b.n+more)
	switch k := b.typ.kind; k {
	case kUtf8, kBinary, kList:
		b.offsets = extended(b.offsets, b.n+1, room+1)
	case kLargeUtf8, kLargeBinary, kLargeList:
		b.large = extended(b.large, b.n+1, room+1)
	case kBool:
		b.data = extended(b.data, (b.n+7)/8, (room+7)/8)
	default:
		if w := b.typ.width(); w > 0 {
			b.data = extended(b.data, b.n*w, room*w)
		}
	}
	b.room = room
	if b.valid != nil {
		b.valid = ones(b.valid, room)
	}
	b.open()
}

// extended returns n elements of which the first keep are those of s.
func extended[T any](s []T, keep, n int) []T {
	out := make([]T, n)
	copy(out, s[:keep])
	return out
}

// ones returns a bitmap for room values that begins with bits; the rest is
// set.
func ones(bits []byte, room int) []byte {
	out := make([]byte, (room+7)/8)
	for i := copy(out, bits); i < len(out); i++ {
		out[i] = 0xff
	}
	return out
}

// Null adds a null.
func (b *Builder) Null() {
	b.begin()
	if b.valid == nil {
		b.valid = ones(nil, b.room)
	}
	n := b.n
	b.valid[n>>3] &^= 1 << (n & 7)
	b.nulls++
	switch b.typ.kind {
	case kUtf8, kBinary, kList:
		b.offsets[n+1] = b.offsets[n]
	case kLargeUtf8, kLargeBinary, kLargeList:
		b.large[n+1] = b.large[n]
	case kBool:
		b.bit(false)
	case kStruct:
		for _, k := range b.kids {
			k.Null()
		}
	case kFixedList:
		for range b.typ.size {
			b.kids[0].Null()
		}
	case kNull:
	default:
		w := b.typ.width()
		clear(b.data[n*w : (n+1)*w])
	}
	b.n++
}

func (b *Builder) bit(v bool) {
	mask := byte(1) << (b.n & 7)
	if v {
		b.data[b.n>>3] |= mask
	} else {
		b.data[b.n>>3] &^= mask
	}
}

// put writes a value of T's width in the place of the next one.
func put[T any](b *Builder, v T) { *place[T](b.data, b.n, b.room) = v }

// bytes is about the memory of what was added.
func (b *Builder) bytes() int {
	n := b.n * b.typ.width()
	switch b.typ.kind {
	case kUtf8, kBinary, kList:
		n = 4*b.n + int(b.offsets[b.n])
	case kLargeUtf8, kLargeBinary, kLargeList:
		n = 8*b.n + int(b.large[b.n])
	case kBool:
		n = b.n / 8
	}
	for _, k := range b.kids {
		n += k.bytes()
	}
	return n
}

// reset empties the builder and keeps its memory, but for the dictionary.
func (b *Builder) reset() {
	b.n, b.nulls = 0, 0
	b.valid, b.whole, b.from = nil, nil, nil
	if !b.fixed() {
		b.data = b.data[:0]
	}
	for _, k := range b.kids {
		k.reset()
	}
	if b.dict != nil {
		b.dict = NewBuilder(*b.typ.value)
		clear(b.seen)
	}
}

// fixed says whether data holds values by place.
func (b *Builder) fixed() bool { return b.typ.kind == kBool || b.typ.width() > 0 }

// Column returns what was added so far as a column. It shares the builder's
// memory: it is valid until the next value.
func (b *Builder) Column() *Column {
	if b.whole != nil {
		return b.whole
	}
	c := &Column{typ: b.typ, n: b.n, nulls: b.nulls, data: b.data}
	if b.valid != nil {
		c.valid = b.valid[:(b.n+7)/8]
	}
	switch {
	case b.typ.kind == kBool:
		c.data = b.data[:(b.n+7)/8]
	case b.fixed():
		c.data = b.data[:b.n*b.typ.width()]
	case len(b.offsets) > 0:
		c.offsets = b.offsets[:b.n+1]
	case len(b.large) > 0:
		c.large = b.large[:b.n+1]
	}
	for _, k := range b.kids {
		c.kids = append(c.kids, k.Column())
	}
	if b.dict != nil {
		c.dict = b.dict.Column()
	}
	return c
}
