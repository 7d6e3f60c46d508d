package sdk

import (
	"fmt"
	"math"
)

// Int adds an integer, a date or a timestamp. A value that the column's type
// cannot hold panics. Float columns take integers too.
//
// It and its like are short so that the compiler puts them where they are
// called: a call costs a guest more than the rest of it.
func (b *Builder) Int(v int64) {
	if b.n < len(b.ints) {
		b.ints[b.n] = v
		b.n++
		return
	}
	b.integer(v)
}

// integer is Int for all types.
func (b *Builder) integer(v int64) {
	b.begin()
	fits := true
	switch b.typ.kind {
	case kInt64, kTimestamp, kDate64:
		put(b, v)
	case kUint64:
		fits = v >= 0
		put(b, v)
	case kInt32, kDate32:
		fits = int64(int32(v)) == v
		put(b, int32(v))
	case kUint32:
		fits = int64(uint32(v)) == v
		put(b, uint32(v))
	case kInt16:
		fits = int64(int16(v)) == v
		put(b, int16(v))
	case kUint16:
		fits = int64(uint16(v)) == v
		put(b, uint16(v))
	case kInt8:
		fits = int64(int8(v)) == v
		put(b, int8(v))
	case kUint8:
		fits = int64(uint8(v)) == v
		put(b, uint8(v))
	case kFloat64:
		put(b, float64(v))
	case kFloat32:
		put(b, float32(v))
	default:
		panic(b.wrong("an integer"))
	}
	if !fits {
		panic(fmt.Sprintf("column %q is %s and cannot hold %d", b.name, b.typ, v))
	}
	b.n++
}

// Uint adds an unsigned integer to a uint64 column; elsewhere it is Int.
func (b *Builder) Uint(v uint64) {
	if b.typ.kind != kUint64 {
		if v > math.MaxInt64 {
			panic(fmt.Sprintf("column %q is %s and cannot hold %d", b.name, b.typ, v))
		}
		b.Int(int64(v))
		return
	}
	b.begin()
	put(b, v)
	b.n++
}

// Float adds a float to a float column.
func (b *Builder) Float(v float64) {
	if b.n < len(b.floats) {
		b.floats[b.n] = v
		b.n++
		return
	}
	b.float(v)
}

func (b *Builder) float(v float64) {
	b.begin()
	switch b.typ.kind {
	case kFloat64:
		put(b, v)
	case kFloat32:
		put(b, float32(v))
	default:
		panic(b.wrong("a float"))
	}
	b.n++
}

// Bool adds a bool.
func (b *Builder) Bool(v bool) {
	if b.typ.kind != kBool {
		panic(b.wrong("a bool"))
	}
	b.begin()
	b.bit(v)
	b.n++
}
