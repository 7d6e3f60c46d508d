package cdata

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/bitutil"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

func (c *columnReader) readBool() (*array.Data, error) {
	buf, values, err := c.bitmap(c.buffers[1])
	if err != nil {
		return nil, fmt.Errorf("values: %w", err)
	}
	for i := range c.bits {
		values[i] &= c.bits[i]
	}
	return c.data([]*memory.Buffer{buf}, nil), nil
}

// fixed copies values of a fixed-width type.
func (c *columnReader) fixed(dt arrow.DataType) (*memory.Buffer, []byte, error) {
	w := int64(width(dt))
	src, err := c.m.At(c.buffers[1], (c.off+c.n)*w)
	if err != nil {
		return nil, nil, fmt.Errorf("values: %w", err)
	}
	buf, dst, err := c.newBuffer(c.n * w)
	if err != nil {
		return nil, nil, err
	}
	copy(dst, src[c.off*w:])
	for i := int64(0); c.nulls > 0 && i < c.n; i++ {
		if !bitutil.BitIsSet(c.bits, int(i)) {
			clear(dst[i*w : (i+1)*w])
		}
	}
	switch dt.ID() {
	case arrow.FLOAT64:
		v, nan := arrow.Float64Traits.CastFromBytes(dst), math.Float64frombits(0x7ff8<<48)
		for i, f := range v {
			if f != f {
				v[i] = nan
			}
		}
	case arrow.FLOAT32:
		v, nan := arrow.Float32Traits.CastFromBytes(dst), math.Float32frombits(0x7fc0<<16)
		for i, f := range v {
			if f != f {
				v[i] = nan
			}
		}
	case arrow.FLOAT16:
		v := arrow.Uint16Traits.CastFromBytes(dst)
		for i, f := range v {
			if f&0x7fff > 0x7c00 { // all exponent bits and a fraction
				v[i] = 0x7e00
			}
		}
	}
	return buf, dst, nil
}

// offsets copies n+1 offsets of w bytes, made to begin at 0, and returns the
// range of the elements.
func (c *columnReader) offsets(w int64) (buf *memory.Buffer, dst []byte, first, last int64, err error) {
	buf, dst, err = c.newBuffer((c.n + 1) * w)
	if err != nil {
		return nil, nil, 0, 0, err
	}
	if c.n == 0 {
		clear(dst)
		return buf, dst, 0, 0, nil
	}
	src, err := c.m.At(c.buffers[1], (c.off+c.n+1)*w)
	if err != nil {
		return nil, nil, 0, 0, fmt.Errorf("offsets: %w", err)
	}
	copy(dst, src[c.off*w:])
	if w == 4 {
		first, last, err = rebase(arrow.Int32Traits.CastFromBytes(dst))
	} else {
		first, last, err = rebase(arrow.Int64Traits.CastFromBytes(dst))
	}
	return buf, dst, first, last, err
}

// rebase checks that offsets never fall and makes them begin at 0.
func rebase[T int32 | int64](o []T) (first, last int64, err error) {
	start := o[0]
	prev := start
	bad := start < 0
	for i, v := range o {
		bad = bad || v < prev
		prev = v
		o[i] = v - start
	}
	if bad {
		return 0, 0, errors.New("offsets: they begin below 0 or fall")
	}
	return int64(start), int64(prev), nil
}

func (c *columnReader) readSpans(w int64, text bool) (*array.Data, error) {
	offsets, raw, first, last, err := c.offsets(w)
	if err != nil {
		return nil, err
	}
	if last > math.MaxUint32 {
		return nil, fmt.Errorf("offsets: %d lies outside any memory", last)
	}
	src, err := c.m.At(c.buffers[2], last)
	if err != nil {
		return nil, fmt.Errorf("values: %w", err)
	}
	buf, dst, err := c.newBuffer(last - first)
	if err != nil {
		return nil, err
	}
	copy(dst, src[first:])
	if text {
		if w == 4 {
			err = checkText(dst, arrow.Int32Traits.CastFromBytes(raw))
		} else {
			err = checkText(dst, arrow.Int64Traits.CastFromBytes(raw))
		}
		if err != nil {
			return nil, err
		}
	}
	return c.data([]*memory.Buffer{offsets, buf}, nil), nil
}

// checkText checks that every string is UTF-8: the whole is, and none begins
// within a character.
func checkText[T int32 | int64](data []byte, offsets []T) error {
	if ascii(data) {
		return nil
	}
	if utf8.Valid(data) {
		inside := false
		for _, o := range offsets {
			inside = inside || int(o) < len(data) && !utf8.RuneStart(data[o])
		}
		if !inside {
			return nil
		}
	}
	for i := range len(offsets) - 1 {
		if !utf8.Valid(data[offsets[i]:offsets[i+1]]) {
			return fmt.Errorf("row %d is not UTF-8: %.40q", i, data[offsets[i]:offsets[i+1]])
		}
	}
	return errors.New("its bytes are not UTF-8")
}

func ascii(b []byte) bool {
	for len(b) >= 32 {
		w := b[:32]
		if (binary.LittleEndian.Uint64(w)|binary.LittleEndian.Uint64(w[8:])|binary.LittleEndian.Uint64(w[16:])|binary.LittleEndian.Uint64(w[24:]))&0x8080808080808080 != 0 {
			return false
		}
		b = b[32:]
	}
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func (c *columnReader) readList(w int64, elem arrow.Field) (*array.Data, error) {
	offsets, _, first, last, err := c.offsets(w)
	if err != nil {
		return nil, err
	}
	if last > math.MaxInt32 {
		return nil, fmt.Errorf("offsets: %d elements; at most 2^31-1 are allowed", last)
	}
	kid, err := c.kid(0, elem, span{from: first, n: last - first})
	if err != nil {
		return nil, err
	}
	return c.data([]*memory.Buffer{offsets}, []arrow.ArrayData{kid}), nil
}

func (c *columnReader) readDictionary(dt *arrow.DictionaryType) (*array.Data, error) {
	buf, raw, err := c.fixed(dt.IndexType)
	if err != nil {
		return nil, err
	}
	h, err := c.header(c.h.dictionary)
	if err != nil {
		return nil, fmt.Errorf("dictionary: %w", err)
	}
	values, err := c.column(c.h.dictionary, dt.ValueType, true, span{n: h.length, whole: true}, c.depth+1)
	if err != nil {
		return nil, fmt.Errorf("dictionary: %w", err)
	}
	for i := range c.n {
		if c.nulls > 0 && !bitutil.BitIsSet(c.bits, int(i)) {
			continue
		}
		if at := indexAt(dt.IndexType, raw, i); at >= uint64(h.length) {
			return nil, fmt.Errorf("row %d has index %d in a dictionary of %d values", i, int64(at), h.length)
		}
	}
	data := array.NewDataWithDictionary(dt, int(c.n), []*memory.Buffer{c.valid, buf}, int(c.nulls), 0, values)
	values.Release()
	buf.Release()
	if c.valid != nil {
		c.valid.Release()
	}
	return data, nil
}

// indexAt returns index i; a negative one becomes a very large one.
func indexAt(dt arrow.DataType, raw []byte, i int64) uint64 {
	switch dt.ID() {
	case arrow.INT8:
		return uint64(int64(int8(raw[i])))
	case arrow.UINT8:
		return uint64(raw[i])
	case arrow.INT16:
		return uint64(int64(arrow.Int16Traits.CastFromBytes(raw)[i]))
	case arrow.UINT16:
		return uint64(arrow.Uint16Traits.CastFromBytes(raw)[i])
	case arrow.INT32:
		return uint64(int64(arrow.Int32Traits.CastFromBytes(raw)[i]))
	case arrow.UINT32:
		return uint64(arrow.Uint32Traits.CastFromBytes(raw)[i])
	}
	return arrow.Uint64Traits.CastFromBytes(raw)[i]
}
