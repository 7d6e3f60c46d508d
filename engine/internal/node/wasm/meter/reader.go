package meter

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// reader reads the binary format. After an error it returns zeros: callers
// check err once.
type reader struct {
	b   []byte
	pos int
	end int
	err error
}

func newReader(b []byte) *reader { return &reader{b: b, end: len(b)} }

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("at byte %#x: "+format, append([]any{r.pos}, args...)...)
	}
	r.pos = r.end
}

var errShort = errors.New("the module ends too early")

func (r *reader) byte() byte {
	if r.pos >= r.end {
		if r.err == nil {
			r.err = errShort
		}
		return 0
	}
	r.pos++
	return r.b[r.pos-1]
}

func (r *reader) take(n uint32) []byte {
	if uint64(n) > uint64(r.end-r.pos) {
		if r.err == nil {
			r.err = errShort
		}
		r.pos = r.end
		return nil
	}
	r.pos += int(n)
	return r.b[r.pos-int(n) : r.pos]
}

// u32 reads an unsigned LEB128 number of at most 32 bits.
func (r *reader) u32() uint32 {
	var v uint64
	for shift := 0; shift < 35; shift += 7 {
		c := r.byte()
		v |= uint64(c&0x7f) << shift
		if c&0x80 == 0 {
			if v > 1<<32-1 {
				break
			}
			return uint32(v)
		}
	}
	r.fail("a number is too long")
	return 0
}

// s32 reads a signed LEB128 number of 32 bits, and says whether it is one.
func (r *reader) s32() (v int32, ok bool) {
	for shift := 0; shift < 28; shift += 7 {
		c := r.byte()
		v |= int32(c&0x7f) << shift
		if c&0x80 == 0 {
			return v << (25 - shift) >> (25 - shift), r.err == nil
		}
	}
	// Four bits are left; those above them repeat the sign.
	c := r.byte()
	return v | int32(c)<<28, r.err == nil && (c <= 0x07 || c >= 0x78 && c <= 0x7f)
}

// skipLEB skips a signed or unsigned LEB128 number of at most n bytes.
func (r *reader) skipLEB(n int) {
	for range n {
		if r.byte()&0x80 == 0 {
			return
		}
	}
	r.fail("a number is too long")
}

func (r *reader) name() string {
	b := r.take(r.u32())
	if !utf8.Valid(b) {
		r.fail("a name is not UTF-8")
	}
	return string(b)
}

// count reads the length of a vector whose elements take at least one byte.
func (r *reader) count(what string, limit int) uint32 {
	n := r.u32()
	if uint64(n) > uint64(limit) {
		r.fail("%d %s; at most %d are allowed", n, what, limit)
		return 0
	}
	if int64(n) > int64(r.end-r.pos) {
		r.fail("%d %s in %d bytes", n, what, r.end-r.pos)
		return 0
	}
	return n
}

func appendU32(b []byte, v uint32) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

func appendS32(b []byte, v int32) []byte {
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

func appendName(b []byte, s string) []byte { return append(appendU32(b, uint32(len(s))), s...) }

func appendSection(out []byte, id byte, body []byte) []byte {
	return append(appendU32(append(out, id), uint32(len(body))), body...)
}
