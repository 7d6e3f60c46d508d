package meter

// Opcodes that the rewriter acts on.
const (
	opBlock, opLoop, opIf, opEnd          = 0x02, 0x03, 0x04, 0x0b
	opCall, opCallIndirect                = 0x10, 0x11
	opLocalGet, opLocalTee                = 0x20, 0x22
	opGlobalGet, opGlobalSet              = 0x23, 0x24
	opI32Const, opI32LeS                  = 0x41, 0x4c
	opI32Sub, opI32ShrU                   = 0x6b, 0x76
	opRefFunc, opBulk, opVector, opAtomic = 0xd2, 0xfc, 0xfd, 0xfe
	emptyBlock                            = 0x40
)

func (w *rewriter) writeCode(body []byte, r *reader) []byte {
	n := r.count("function bodies", w.limits.Functions)
	if int(n) != len(w.funcs) {
		r.fail("%d function bodies for %d functions", n, len(w.funcs))
		return body
	}
	body = appendU32(body, n)
	var f function
	for i := range n {
		size := r.u32()
		start := r.pos
		r.take(size)
		if r.err != nil {
			return body
		}
		f.rewriter = w
		f.in = &reader{b: r.b, pos: start, end: r.pos}
		f.write(w.types[w.funcs[i]].nParams)
		if f.in.err != nil {
			r.err = f.in.err
			return body
		}
		body = appendU32(body, uint32(len(f.locals)+len(f.out)))
		body = append(append(body, f.locals...), f.out...)
	}
	return body
}

// function rewrites one body.
type function struct {
	*rewriter
	in     *reader
	locals []byte
	out    []byte
	temp   uint32 // index of the local that the counting code uses

	straight bool // nothing so far can leave the function's first line of code
	looped   bool // that line came to a loop
}

// write copies the body with counting code at its head, at each loop's head
// and behind each bulk instruction. The head's is left out where the function
// neither loops nor calls, as what calls it counts, and where every way into
// it comes to a loop first, as that loop counts. Go's compiler puts nearly
// every function into such a loop.
func (f *function) write(params uint32) {
	r := f.in
	groups := r.count("groups of locals", 1<<16)
	start := r.pos
	total := uint64(params)
	for range groups {
		total += uint64(r.u32())
		r.valueType()
	}
	if total > 50_000 { // as wazero has it
		r.fail("%d locals in one function; at most 50000 are allowed", total)
	}
	if r.err != nil {
		return
	}
	f.locals = appendU32(f.locals[:0], groups+1)
	f.locals = append(f.locals, r.b[start:r.pos]...)
	f.locals = append(f.locals, 1, 0x7f)
	f.temp = uint32(total)

	code := r.pos
	f.out = f.step(f.out[:0])
	head := len(f.out)
	f.straight, f.looped = true, false
	depth, counts := 1, false
	for depth > 0 && r.err == nil {
		counts = f.instruction(&depth) || counts
	}
	if r.err == nil && r.pos != r.end {
		r.fail("instructions stand behind a function's end")
	}
	if !counts {
		// Nothing was changed behind the head, so the original serves.
		f.out = append(f.out[:0], r.b[code:r.end]...)
		f.locals = append(appendU32(f.locals[:0], groups), r.b[start:code]...)
	} else if f.looped {
		f.out = f.out[:copy(f.out, f.out[head:])]
	}
}

// spend adds code that takes what cost leaves on the stack from the counter
// and calls tick where nothing is left.
func (f *function) spend(out []byte, cost func([]byte) []byte) []byte {
	out = appendU32(append(out, opGlobalGet), f.count)
	out = cost(out)
	out = append(out, opI32Sub)
	out = appendU32(append(out, opLocalTee), f.temp)
	out = appendU32(append(out, opGlobalSet), f.count)
	out = appendU32(append(out, opLocalGet), f.temp)
	out = append(out, opI32Const, 0, opI32LeS, opIf, emptyBlock)
	out = appendS32(append(out, opI32Const), Interval)
	out = appendU32(append(out, opGlobalSet), f.count)
	out = appendU32(append(out, opCall), f.tick)
	return append(out, opEnd)
}

// step spends one step.
func (f *function) step(out []byte) []byte {
	return f.spend(out, func(out []byte) []byte { return append(out, opI32Const, 1) })
}

// bulk adds an instruction whose last operand is its size, and spends a step
// for each 1<<shift of it.
func (f *function) bulk(code []byte, shift int32) {
	f.out = appendU32(append(f.out, opLocalTee), f.temp)
	f.out = append(f.out, code...)
	f.out = f.spend(f.out, func(out []byte) []byte {
		out = appendU32(append(out, opLocalGet), f.temp)
		return append(appendS32(append(out, opI32Const), shift), opI32ShrU)
	})
}

// instruction copies one instruction. It says whether the function loops,
// calls or was changed by it.
func (f *function) instruction(depth *int) (counts bool) {
	r := f.in
	start := r.pos
	op := r.byte()
	f.straight = f.straight && falls(op)
	f.looped = f.looped || f.straight && op == opLoop
	switch {
	case op == opEnd:
		*depth--
	case op == opBlock || op == opIf:
		f.blockType()
		*depth++
	case op == opLoop:
		f.blockType()
		*depth++
		f.out = append(f.out, r.b[start:r.pos]...)
		f.out = f.step(f.out)
		return true
	case op == opCall:
		at := r.u32()
		f.out = appendU32(append(f.out, op), f.index(at))
		return true
	case op == opRefFunc:
		f.out = appendU32(append(f.out, op), f.index(r.u32()))
		return true
	case op == opGlobalGet || op == opGlobalSet:
		f.global(r)
	case op >= opLocalGet && op <= opLocalTee:
		if at := r.u32(); at >= f.temp {
			r.fail("local %d of %d", at, f.temp)
		}
	case op == opCallIndirect:
		f.typeIndex(r)
		r.u32()
		counts = true
	case op == opBulk:
		return f.bulkInstruction(start)
	case op == opVector:
		vector(r)
	default:
		plain(r, op)
	}
	if r.err == nil {
		f.out = append(f.out, r.b[start:r.pos]...)
	}
	return counts
}

// falls says whether what stands behind an instruction is always executed
// after it, at once and within the function, or it traps. It may say no where
// that is so.
func falls(op byte) bool {
	return op == opBlock || op == opLoop || op >= opLocalGet && op <= opGlobalSet || // local.* and global.*
		op >= 0x28 && op <= 0x3e || op >= opI32Const && op <= 0xc4 // loads and stores, constants and arithmetic
}

func (f *function) blockType() {
	r := f.in
	c := r.byte()
	if _, isValue := valueTypes[c]; c == emptyBlock || isValue {
		return
	}
	// A type index is a number of 33 bits with a sign, which is never set.
	r.pos--
	at := r.pos
	f.typeIndex(r)
	if r.err == nil && r.b[r.pos-1]&0x40 != 0 && r.pos-at < 5 {
		r.fail("a block's type is below 0")
	}
}

// plain skips the immediates of an instruction of one byte.
func plain(r *reader, op byte) {
	switch {
	case op <= 0x01, op == 0x05, op == 0x0f, op == 0x1a, op == 0x1b, // unreachable nop else return drop select
		op >= 0x45 && op <= 0xc4, op == 0xd1: // numeric, sign extension, ref.is_null
	case op == 0x0c || op == 0x0d, op == 0x25 || op == 0x26: // br br_if, table.get and set
		r.u32()
	case op == 0x0e: // br_table
		for range r.count("branch targets", 1<<20) {
			r.u32()
		}
		r.u32()
	case op == 0x1c: // select of a type
		for range r.count("types", 1<<10) {
			r.valueType()
		}
	case op >= 0x28 && op <= 0x3e: // loads and stores
		memArg(r)
	case op == 0x3f || op == 0x40: // memory.size and grow
		r.byte()
	case op == opI32Const:
		r.skipLEB(5)
	case op == 0x42:
		r.skipLEB(10)
	case op == 0x43:
		r.take(4)
	case op == 0x44:
		r.take(8)
	case op == 0xd0: // ref.null
		r.byte()
	case op == 0x12 || op == 0x13:
		r.fail("tail calls (instruction %#x) are not taken; build without -mtail-call", op)
	case op == opAtomic:
		r.fail("atomic instructions are not taken; build without threads")
	case op >= 0x06 && op <= 0x0a, op == 0x18 || op == 0x19, op == 0x1f:
		r.fail("exception handling (instruction %#x) is not taken; build without exceptions", op)
	default:
		r.fail("instruction %#x is not known", op)
	}
}

func memArg(r *reader) {
	if align := r.u32(); align >= 1<<6 {
		r.fail("several memories are not taken")
	}
	r.u32()
}

// bulkInstruction copies an instruction of prefix 0xfc.
func (f *function) bulkInstruction(start int) (counts bool) {
	r := f.in
	sub := r.u32()
	shift := int32(-1)
	switch sub {
	case 0, 1, 2, 3, 4, 5, 6, 7: // saturating conversions
	case 8: // memory.init
		r.u32()
		r.byte()
		shift = 12
	case 9, 13: // data.drop, elem.drop
		r.u32()
	case 10: // memory.copy
		r.byte()
		r.byte()
		shift = 12
	case 11: // memory.fill
		r.byte()
		shift = 12
	case 12, 14: // table.init, table.copy
		r.u32()
		r.u32()
		shift = 9
	case 15, 17: // table.grow, table.fill
		r.u32()
		shift = 9
	case 16: // table.size
		r.u32()
	default:
		r.fail("instruction fc %d is not known", sub)
	}
	if r.err != nil {
		return false
	}
	if shift >= 0 {
		f.bulk(r.b[start:r.pos], shift)
		return true
	}
	f.out = append(f.out, r.b[start:r.pos]...)
	return false
}

// vector skips the immediates of an instruction of prefix 0xfd.
func vector(r *reader) {
	switch sub := r.u32(); {
	case sub <= 11, sub == 92 || sub == 93: // loads and stores
		memArg(r)
	case sub == 12 || sub == 13: // v128.const, i8x16.shuffle
		r.take(16)
	case sub >= 21 && sub <= 34: // lanes
		r.byte()
	case sub >= 84 && sub <= 91: // lanes of memory
		memArg(r)
		r.byte()
	case sub <= 255:
	case sub <= 0x113:
		r.fail("relaxed SIMD (instruction fd %d) is not taken: its results differ between machines; build without -mrelaxed-simd", sub)
	default:
		r.fail("instruction fd %d is not known", sub)
	}
}
