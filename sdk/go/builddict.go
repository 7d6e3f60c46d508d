package sdk

import (
	"fmt"
	"unsafe"
)

// dictionary adds a string to a dictionary column; begin was called.
func (b *Builder) dictionary(s string) {
	at := b.seen[s] - 1
	if at < 0 {
		at = b.dict.n
		b.dict.Str(s)
		b.seen[string([]byte(s))] = at + 1
	}
	b.point(at)
}

// point adds a dictionary index.
func (b *Builder) point(at int) {
	index := b.typ.fields[0].Type
	if bits := index.width() * 8; at>>(bits-1) != 0 {
		panic(fmt.Sprintf("column %q has more distinct values than %s can number", b.name, index))
	}
	switch index.width() {
	case 1:
		put(b, uint8(at))
	case 2:
		put(b, uint16(at))
	case 4:
		put(b, uint32(at))
	default:
		put(b, uint64(at))
	}
	b.n++
}

// copyDict adds a dictionary's value. While an output's batch copies from one
// dictionary only, it has that very dictionary.
func (b *Builder) copyDict(col *Column, i int) {
	if col.typ.kind != kDict {
		if !col.typ.IsString() {
			panic(b.wrong("a value of type " + col.typ.String()))
		}
		b.Str(col.Str(i))
		return
	}
	b.begin()
	if b.n == b.nulls && b.dict.n == 0 {
		b.from = col.dict
		for j := range col.dict.n {
			if !col.dict.IsNull(j) {
				if key := dictKey(col.dict, j); b.seen[key] == 0 {
					b.seen[key] = b.dict.n + 1
				}
			}
			b.dict.Copy(col.dict, j)
		}
	}
	at := col.index(i)
	if b.from != col.dict {
		if col.dict.IsNull(at) {
			b.Null()
			return
		}
		key := dictKey(col.dict, at)
		place := b.seen[key] - 1
		if place < 0 {
			place = b.dict.n
			b.dict.Copy(col.dict, at)
			b.seen[string([]byte(key))] = place + 1
		}
		at = place
	}
	b.point(at)
}

// dictKey is what makes a dictionary's value the same as another.
func dictKey(c *Column, i int) string {
	switch c.typ.kind {
	case kUtf8, kLargeUtf8, kBinary, kLargeBinary:
		return c.Str(i)
	case kBool:
		if c.Bool(i) {
			return "1"
		}
		return "0"
	}
	w := c.typ.width()
	if w == 0 || c.typ.kind == kDict {
		panic(fmt.Sprintf("a dictionary of %s cannot be copied row by row", c.typ))
	}
	return unsafe.String(&c.data[i*w], w)
}
