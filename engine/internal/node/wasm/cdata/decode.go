package cdata

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/bitutil"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/seed-4012077a/flow/sdk/abi"
)

// Limits bound what one batch of a guest may cost the host.
type Limits struct {
	Rows  int64 // rows
	Bytes int64 // bytes copied
}

// ReadBatch copies the batch whose ArrowArray stands at an address out of a
// guest's memory, after checking it against schema. Floats that are not a
// number become the one NaN, and what lies under nulls and behind the last
// bit becomes zero, so that equal results have equal bytes.
func ReadBatch(m Memory, addr uint32, schema *arrow.Schema, lim Limits, alloc memory.Allocator) (arrow.Record, error) {
	d := decoder{m: m, left: lim.Bytes, alloc: alloc}
	h, err := d.header(addr)
	if err != nil {
		return nil, err
	}
	switch {
	case h.length > lim.Rows:
		return nil, fmt.Errorf("a batch of %d rows; at most %d are allowed: emit smaller batches", h.length, lim.Rows)
	case h.offset != 0:
		return nil, errors.New("the batch has an offset; only its columns may have one")
	case h.nullCount > 0:
		return nil, errors.New("the batch as a whole has nulls; only its columns may have them")
	case h.nBuffers > 1 || h.nChildren != int64(schema.NumFields()) || h.dictionary != 0:
		return nil, fmt.Errorf("the batch has %d columns and %d buffers; its schema has %d columns, and a batch at most 1 buffer",
			h.nChildren, h.nBuffers, schema.NumFields())
	}
	cols := make([]arrow.Array, schema.NumFields())
	for i, f := range schema.Fields() {
		var data *array.Data
		kid, err := d.pointer(h.children, i)
		if err == nil {
			data, err = d.column(kid, f.Type, f.Nullable, span{0, h.length, true}, 1)
		}
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", f.Name, err)
		}
		cols[i] = array.MakeFromData(data)
		data.Release()
	}
	rec := array.NewRecord(schema, cols, h.length)
	for _, c := range cols {
		c.Release()
	}
	return rec, nil
}

type decoder struct {
	m     Memory
	left  int64
	alloc memory.Allocator
}

// header is an ArrowArray as the guest wrote it.
type header struct {
	length, nullCount, offset, nBuffers, nChildren int64
	buffers, children, dictionary                  uint32
}

func (d *decoder) header(addr uint32) (h header, err error) {
	b, err := d.m.At(addr, abi.ArraySize)
	if err != nil {
		return h, fmt.Errorf("an ArrowArray: %w", err)
	}
	i64 := func(at int) int64 { return int64(binary.LittleEndian.Uint64(b[at:])) }
	u32 := func(at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }
	h = header{
		length: i64(abi.ArrayLength), nullCount: i64(abi.ArrayNullCount), offset: i64(abi.ArrayOffset),
		nBuffers: i64(abi.ArrayNBuffers), nChildren: i64(abi.ArrayNChildren),
		buffers: u32(abi.ArrayBuffers), children: u32(abi.ArrayChildren), dictionary: u32(abi.ArrayDictionary),
	}
	if h.length < 0 || h.offset < 0 || h.length > math.MaxInt32 || h.offset > math.MaxInt32 {
		return h, fmt.Errorf("length %d and offset %d: both are from 0 to 2^31-1", h.length, h.offset)
	}
	if h.nullCount < -1 || h.nullCount > h.length {
		return h, fmt.Errorf("a null count of %d in %d values", h.nullCount, h.length)
	}
	return h, nil
}

// pointer returns the i-th pointer of a list.
func (d *decoder) pointer(list uint32, i int) (uint32, error) {
	b, err := d.m.At(list, 4*int64(i+1))
	if err != nil {
		return 0, fmt.Errorf("a list of pointers: %w", err)
	}
	return binary.LittleEndian.Uint32(b[4*i:]), nil
}

// A span is the elements of an array that are wanted: n of them, from the
// array's own first one on. whole: they must be all.
type span struct {
	from, n int64
	whole   bool
}

// shape is how many buffers and children a type has.
func shape(dt arrow.DataType) (buffers, kids int64) {
	switch dt := dt.(type) {
	case *arrow.NullType:
		return 0, 0
	case *arrow.StructType:
		return 1, int64(dt.NumFields())
	case *arrow.FixedSizeListType:
		return 1, 1
	case *arrow.ListType, *arrow.LargeListType:
		return 2, 1
	case *arrow.StringType, *arrow.BinaryType, *arrow.LargeStringType, *arrow.LargeBinaryType:
		return 3, 0
	}
	return 2, 0
}

// column copies the elements that s names of the array at addr.
func (d *decoder) column(addr uint32, dt arrow.DataType, nullable bool, s span, depth int) (*array.Data, error) {
	h, err := d.header(addr)
	if err != nil {
		return nil, err
	}
	if depth > abi.MaxDepth {
		return nil, fmt.Errorf("arrays are nested more than %d deep", abi.MaxDepth)
	}
	if s.whole && h.length != s.n {
		return nil, fmt.Errorf("it has %d values, but the batch has %d rows", h.length, s.n)
	}
	if s.from+s.n > h.length {
		return nil, fmt.Errorf("its parent needs %d values; it has %d", s.from+s.n, h.length)
	}
	buffers, kids := shape(dt)
	if h.nBuffers != buffers || h.nChildren != kids {
		return nil, fmt.Errorf("it has %d buffers and %d children; %s has %d and %d", h.nBuffers, h.nChildren, dt, buffers, kids)
	}
	if _, isDict := dt.(*arrow.DictionaryType); isDict != (h.dictionary != 0) {
		return nil, fmt.Errorf("only a dictionary column has a dictionary, and must; this one is %s", dt)
	}
	c := &columnReader{decoder: d, h: h, dt: dt, off: h.offset + s.from, n: s.n, depth: depth}
	c.buffers = make([]uint32, buffers)
	for i := range c.buffers {
		if c.buffers[i], err = d.pointer(h.buffers, i); err != nil {
			return nil, err
		}
	}
	if dt.ID() == arrow.NULL {
		if !nullable && s.n > 0 {
			return nil, errors.New("it has nulls, but its schema says that it has none")
		}
		// A null array costs no bytes: charge as for a bitmap.
		return array.NewData(dt, int(s.n), []*memory.Buffer{nil}, nil, int(s.n), 0), d.charge(s.n/8 + 1)
	}
	if err := c.validity(s); err != nil {
		return nil, err
	}
	if c.nulls > 0 && !nullable {
		return nil, fmt.Errorf("it has %d nulls, but its schema says that it has none", c.nulls)
	}
	return c.read()
}

// charge counts n bytes against the batch's limit.
func (d *decoder) charge(n int64) error {
	if d.left -= n; d.left < 0 {
		return errors.New("the batch is larger than the limit for one; emit smaller batches")
	}
	return nil
}

// newBuffer returns n bytes of the host's, to be written in full.
func (d *decoder) newBuffer(n int64) (*memory.Buffer, []byte, error) {
	if err := d.charge(n); err != nil {
		return nil, nil, err
	}
	b := d.alloc.Allocate(int(n))
	return memory.NewBufferWithAllocator(b, d.alloc), b, nil
}

// columnReader copies elements [off, off+n) of one array.
type columnReader struct {
	*decoder
	h       header
	dt      arrow.DataType
	off, n  int64
	depth   int
	buffers []uint32

	nulls int64
	valid *memory.Buffer // nil where there are no nulls
	bits  []byte
}

// validity copies the bitmap and counts the nulls.
func (c *columnReader) validity(s span) error {
	if c.buffers[0] == 0 {
		if c.h.nullCount > 0 {
			return fmt.Errorf("it claims %d nulls, but has no validity bitmap", c.h.nullCount)
		}
		return nil
	}
	if c.n == 0 {
		return nil
	}
	bits, raw, err := c.bitmap(c.buffers[0])
	if err != nil {
		return fmt.Errorf("validity: %w", err)
	}
	c.nulls = c.n - int64(bitutil.CountSetBits(raw, 0, int(c.n)))
	if all := s.from == 0 && s.n == c.h.length; all && c.h.nullCount >= 0 && c.h.nullCount != c.nulls {
		return fmt.Errorf("it claims %d nulls, but its bitmap has %d", c.h.nullCount, c.nulls)
	}
	if c.nulls > 0 {
		c.valid, c.bits = bits, raw
	} else {
		bits.Release()
	}
	return nil
}

// bitmap copies bits [off, off+n) and clears those behind them.
func (c *columnReader) bitmap(addr uint32) (*memory.Buffer, []byte, error) {
	first := c.off / 8
	src, err := c.m.At(addr, (c.off+c.n+7)/8)
	if err != nil {
		return nil, nil, err
	}
	buf, dst, err := c.newBuffer((c.n + 7) / 8)
	if err != nil || c.n == 0 {
		return buf, dst, err
	}
	if c.off%8 == 0 {
		copy(dst, src[first:])
	} else {
		dst[len(dst)-1] = 0
		bitutil.CopyBitmap(src[first:], int(c.off%8), int(c.n), dst, 0)
	}
	if c.n%8 != 0 {
		dst[len(dst)-1] &= 1<<(c.n%8) - 1
	}
	return buf, dst, nil
}

func (c *columnReader) data(buffers []*memory.Buffer, kids []arrow.ArrayData) *array.Data {
	data := array.NewData(c.dt, int(c.n), append([]*memory.Buffer{c.valid}, buffers...), kids, int(c.nulls), 0)
	for _, b := range data.Buffers() {
		if b != nil {
			b.Release() // NewData holds its own
		}
	}
	for _, k := range kids {
		k.Release()
	}
	return data
}

func (c *columnReader) read() (*array.Data, error) {
	switch dt := c.dt.(type) {
	case *arrow.BooleanType:
		return c.readBool()
	case *arrow.StringType:
		return c.readSpans(4, true)
	case *arrow.BinaryType:
		return c.readSpans(4, false)
	case *arrow.LargeStringType:
		return c.readSpans(8, true)
	case *arrow.LargeBinaryType:
		return c.readSpans(8, false)
	case *arrow.ListType:
		return c.readList(4, dt.ElemField())
	case *arrow.LargeListType:
		return c.readList(8, dt.ElemField())
	case *arrow.FixedSizeListType:
		size := int64(dt.Len())
		kid, err := c.kid(0, dt.ElemField(), span{from: c.off * size, n: c.n * size})
		if err != nil {
			return nil, err
		}
		return c.data(nil, []arrow.ArrayData{kid}), nil
	case *arrow.StructType:
		return c.readStruct(dt)
	case *arrow.DictionaryType:
		return c.readDictionary(dt)
	}
	buf, _, err := c.fixed(c.dt)
	if err != nil {
		return nil, err
	}
	return c.data([]*memory.Buffer{buf}, nil), nil
}

func (c *columnReader) kid(i int, f arrow.Field, s span) (*array.Data, error) {
	p, err := c.pointer(c.h.children, i)
	if err != nil {
		return nil, err
	}
	// Members under a null parent are nobody's: only their shape counts.
	data, err := c.column(p, f.Type, f.Nullable || c.nulls > 0, s, c.depth+1)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name, err)
	}
	return data, nil
}

func (c *columnReader) readStruct(dt *arrow.StructType) (*array.Data, error) {
	if err := c.charge(c.n/8 + 1); err != nil {
		return nil, err
	}
	kids := make([]arrow.ArrayData, dt.NumFields())
	for i, f := range dt.Fields() {
		kid, err := c.kid(i, f, span{from: c.off, n: c.n})
		if err != nil {
			return nil, err
		}
		kids[i] = kid
	}
	return c.data(nil, kids), nil
}
