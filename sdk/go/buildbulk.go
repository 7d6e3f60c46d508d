package sdk

import (
	"fmt"
	"math"
)

// AppendInt64s adds values without nulls to an int64 column.
func (b *Builder) AppendInt64s(v []int64) { bulk(b, kInt64, v) }

// AppendFloat64s adds values without nulls to a float64 column.
func (b *Builder) AppendFloat64s(v []float64) { bulk(b, kFloat64, v) }

// AppendFloat32s adds values without nulls to a float32 column.
func (b *Builder) AppendFloat32s(v []float32) { bulk(b, kFloat32, v) }

func bulk[T any](b *Builder, k kind, v []T) {
	if b.typ.kind != k {
		panic(b.wrong(plain[k].name + " values"))
	}
	copy(several[T](b, len(v)), v)
}

// several adds n values of T's width without nulls, for the caller to write.
func several[T any](b *Builder, n int) []T {
	b.begin()
	if b.n+n > b.room {
		b.enlarge(n)
	}
	b.n += n
	return view[T](b.data, b.room)[b.n-n : b.n]
}

// gather adds rows keep of col, whose type equals the builder's.
func (b *Builder) gather(col *Column, keep []int) {
	b.begin()
	if col.nulls == 0 && b.valid == nil {
		switch w := b.typ.width(); {
		case b.typ.kind == kDict:
		case w == 8:
			pick[uint64](b, col, keep)
			return
		case w == 4:
			pick[uint32](b, col, keep)
			return
		case w == 2:
			pick[uint16](b, col, keep)
			return
		case w == 1:
			pick[uint8](b, col, keep)
			return
		case b.typ.kind == kUtf8 || b.typ.kind == kBinary:
			b.pickStrings(col, keep)
			return
		}
	}
	for _, i := range keep {
		b.Copy(col, i)
	}
}

func pick[T any](b *Builder, col *Column, keep []int) {
	from, to := view[T](col.data, col.n), several[T](b, len(keep))
	for j, i := range keep {
		to[j] = from[i]
	}
}

// pickStrings copies runs of neighbours as one piece.
func (b *Builder) pickStrings(col *Column, keep []int) {
	var size int
	for _, i := range keep {
		size += int(col.offsets[i+1] - col.offsets[i])
	}
	if len(b.data)+size > math.MaxInt32 {
		panic(fmt.Sprintf("column %q holds more than 2 GiB in one batch", b.name))
	}
	if b.n+len(keep) > b.room {
		b.enlarge(len(keep))
	}
	data := b.data
	if cap(data)-len(data) < size {
		data = append(make([]byte, 0, max(len(data)+size, 2*cap(data))), data...)
	}
	ends := b.offsets[b.n+1:]
	for j := 0; j < len(keep); {
		k := j + 1
		for k < len(keep) && keep[k] == keep[k-1]+1 {
			k++
		}
		first := col.offsets[keep[j]]
		shift := int32(len(data)) - first
		data = append(data, col.data[first:col.offsets[keep[k-1]+1]]...)
		for ; j < k; j++ {
			ends[j] = col.offsets[keep[j]+1] + shift
		}
	}
	b.hold(data)
	b.n += len(keep)
}
