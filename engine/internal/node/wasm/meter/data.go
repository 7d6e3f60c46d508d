package meter

import (
	"slices"
	"sort"
)

// Go's linker leaves out every few zeros and so makes tens of thousands of
// data segments of some 20 bytes, which take longer to set up than an
// instance's memory takes to fill. So segments that follow each other are
// joined, with the zeros between them written out.
const (
	maxGap   = 64   // zeros that are written out to join two segments
	maxSpans = 4096 // pieces of memory that are remembered as written
)

// data joins a module's data segments.
type data struct {
	out      []byte
	segments uint32 // in out

	open bool   // there is a run
	from uint64 // of the run: its address
	run  []byte // and its bytes

	written []span // by the runs before: apart from each other, and in order
}

// span is the bytes [from, to) of memory.
type span struct{ from, to uint64 }

// add takes the next segment.
func (d *data) add(at uint32, bytes []byte) {
	from := uint64(at)
	if d.open && d.joins(from) {
		d.run = append(append(d.run, make([]byte, from-d.from-uint64(len(d.run)))...), bytes...)
		return
	}
	d.end()
	d.open, d.from, d.run = true, from, append(d.run[:0], bytes...)
}

// joins says whether a segment at an address may become part of the run:
// nothing was written to the gap before it, so that it holds zeros.
func (d *data) joins(from uint64) bool {
	end := d.from + uint64(len(d.run))
	if from < end || from-end > maxGap || len(d.written) > maxSpans {
		return false
	}
	i := d.after(end)
	return i == len(d.written) || d.written[i].from >= from
}

// after returns the place of the first written span that ends behind at.
func (d *data) after(at uint64) int {
	return sort.Search(len(d.written), func(i int) bool { return d.written[i].to > at })
}

// wrote remembers a span.
func (d *data) wrote(s span) {
	if s.from == s.to || len(d.written) > maxSpans {
		return
	}
	i := d.after(s.from)
	j := i
	for ; j < len(d.written) && d.written[j].from < s.to; j++ {
		s = span{min(s.from, d.written[j].from), max(s.to, d.written[j].to)}
	}
	d.written = slices.Replace(d.written, i, j, s)
}

// end writes the run.
func (d *data) end() {
	if d.open {
		d.out = append(appendS32(append(d.out, 0, opI32Const), int32(uint32(d.from))), opEnd)
		d.out = append(appendU32(d.out, uint32(len(d.run))), d.run...)
		d.segments++
		d.open = false
		d.wrote(span{d.from, d.from + uint64(len(d.run))})
	}
}

// writeData writes the data section. Its segments are joined where all have
// constant addresses in a memory that begins as zeros, and no instruction can
// name them by number, which takes a data count section.
func (w *rewriter) writeData(body []byte, r *reader) []byte {
	if w.importKinds[2] == 0 && w.section(secDataCount) == nil {
		again := *r
		if joined, ok := joinData(body, &again); ok {
			*r = again
			return joined
		}
	}
	return w.copyData(body, r)
}

const maxSegments = 1 << 20

func joinData(body []byte, r *reader) (joined []byte, ok bool) {
	var d data
	for range r.count("data segments", maxSegments) {
		if r.byte() != 0 || r.byte() != opI32Const {
			return nil, false
		}
		at, ok := r.s32()
		if !ok || r.byte() != opEnd {
			return nil, false
		}
		bytes := r.take(r.u32())
		if r.err != nil {
			return nil, false
		}
		d.add(uint32(at), bytes)
	}
	d.end()
	return append(appendU32(body, d.segments), d.out...), r.err == nil
}

// copyData copies the section with its function indices shifted.
func (w *rewriter) copyData(body []byte, r *reader) []byte {
	n := r.count("data segments", maxSegments)
	body = appendU32(body, n)
	for range n {
		if r.err != nil {
			return body
		}
		flags := r.u32()
		body = appendU32(body, flags)
		switch flags {
		case 0:
			body = w.constExpr(body, r)
		case 1:
		case 2:
			body = appendU32(body, r.u32())
			body = w.constExpr(body, r)
		default:
			r.fail("data segment of form %d", flags)
			return body
		}
		size := r.u32()
		body = append(appendU32(body, size), r.take(size)...)
	}
	return body
}
