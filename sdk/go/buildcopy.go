package sdk

import (
	"fmt"
	"math"
)

// Copy adds row i of col. The types must be the same (timestamps' units are
// not compared), but any string goes into any string column, any integer into
// any wide enough one, and a dictionary's value into a column of its value
// type.
func (b *Builder) Copy(col *Column, i int) {
	if col.valid == nil && b.typ.kind == col.typ.kind {
		if b.n < len(b.ints) || b.n < len(b.floats) {
			put(b, at[uint64](col.data, i, col.n))
			b.n++
			return
		}
		switch b.typ.kind {
		case kInt64, kUint64, kFloat64, kTimestamp, kDate64:
			b.begin()
			put(b, at[uint64](col.data, i, col.n))
			b.n++
			return
		case kInt32, kUint32, kFloat32, kDate32:
			b.begin()
			put(b, at[uint32](col.data, i, col.n))
			b.n++
			return
		case kUtf8:
			b.Str(col.Str(i))
			return
		}
	}
	if col.IsNull(i) {
		b.Null()
		return
	}
	if col.typ.kind == kDict && b.typ.kind != kDict {
		b.Copy(col.dict, col.index(i))
		return
	}
	switch b.typ.kind {
	case kUtf8, kLargeUtf8, kBinary, kLargeBinary:
		b.Str(col.Str(i))
	case kBool:
		b.Bool(col.Bool(i))
	case kFloat32, kFloat64:
		b.Float(col.Float(i))
	case kFloat16:
		b.begin()
		if col.typ.kind != kFloat16 {
			panic(b.wrong("a value of type " + col.typ.String()))
		}
		put(b, at[uint16](col.data, i, col.n))
		b.n++
	case kUint64:
		if col.typ.kind == kUint64 {
			b.Uint(uint64(col.Int(i)))
		} else {
			b.Int(col.Int(i))
		}
	case kDict:
		b.copyDict(col, i)
	case kStruct:
		b.copyStruct(col, i)
	case kList, kLargeList, kFixedList:
		b.beginNested()
		before := b.kids[0].n
		elem := col.Elem()
		for j, end := col.List(i); j < end; j++ {
			b.kids[0].Copy(elem, j)
		}
		b.endList(before)
	case kNull:
		panic(b.wrong("a value"))
	default:
		if col.typ.kind == kUint64 && col.Int(i) < 0 {
			panic(fmt.Sprintf("column %q is %s and cannot hold %d", b.name, b.typ, uint64(col.Int(i))))
		}
		b.Int(col.Int(i))
	}
}

func (b *Builder) copyStruct(col *Column, i int) {
	b.beginNested()
	for _, k := range b.kids {
		f := col.Field(k.name)
		if f == nil {
			panic(fmt.Sprintf("column %q: there is no member %q to copy", b.name, k.name))
		}
		k.Copy(f, i)
	}
	b.n++
}

// take makes the builder's rows the column itself, without a copy.
func (b *Builder) take(col *Column) {
	b.whole, b.n = col, col.n
	b.bound(0)
}

// settle copies a column that was taken, so that more can be added.
func (b *Builder) settle() {
	col := b.whole
	b.whole, b.n = nil, 0
	b.bound(math.MaxInt)
	for i := range col.n {
		b.Copy(col, i)
	}
}
