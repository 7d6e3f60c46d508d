package meter

import (
	"errors"
	"fmt"
)

// Rewrite returns wasm with its steps counted, and what it imports and
// exports. Custom sections are dropped but for the functions' names.
func Rewrite(wasm []byte, lim Limits) ([]byte, Info, error) {
	m, err := parse(wasm, lim)
	if err != nil {
		return nil, Info{}, err
	}
	for _, im := range m.info.Imports {
		if im.Module == TickModule && im.Name == TickName {
			return nil, Info{}, errors.New("the module imports flow.tick, which is the host's own")
		}
	}
	w := &rewriter{
		module: m,
		tick:   uint32(len(m.importFuncs)),
		count:  uint32(m.importKinds[3] + m.globals),
		typ:    uint32(len(m.types)),
	}
	out, err := w.write(wasm)
	return out, m.info, err
}

type rewriter struct {
	*module
	tick  uint32 // function index of flow.tick: after the imports there were
	count uint32 // global index of the counter: after all there were
	typ   uint32 // type index of func()
}

// index is a function's index after the import of tick.
func (w *rewriter) index(i uint32) uint32 {
	if i >= w.tick {
		return i + 1
	}
	return i
}

// global and typeIndex read an index and refuse those that the module did not
// declare: the next one names what the rewriter adds, and a module that could
// write to the counter would never come by the host.
func (w *rewriter) global(r *reader) {
	if at := r.u32(); at >= w.count {
		r.fail("global %d of %d", at, w.count)
	}
}

func (w *rewriter) typeIndex(r *reader) {
	if at := r.u32(); at >= w.typ {
		r.fail("type %d of %d", at, w.typ)
	}
}

func (w *rewriter) write(wasm []byte) ([]byte, error) {
	out := append(make([]byte, 0, len(wasm)+len(wasm)/4), magic...)
	for _, step := range []struct {
		id    byte
		name  string
		write func(body []byte, r *reader) []byte
		must  bool
	}{
		{secType, "type", w.writeTypes, true}, {secImport, "import", w.writeImports, true},
		{secFunction, "function", copyRest, false}, {secTable, "table", copyRest, false}, {secMemory, "memory", copyRest, false},
		{secGlobal, "global", w.writeGlobals, true}, {secExport, "export", w.writeExports, false},
		{secStart, "start", w.writeStart, false}, {secElement, "element", w.writeElements, false},
		{secDataCount, "data count", copyRest, false}, {secCode, "code", w.writeCode, false}, {secData, "data", w.writeData, false},
	} {
		r := w.section(step.id)
		if r == nil {
			if !step.must {
				continue
			}
			r = newReader([]byte{0}) // an empty vector
		}
		body := step.write(nil, r)
		if r.err == nil && r.pos != r.end {
			r.fail("%d bytes are left over", r.end-r.pos)
		}
		if r.err != nil {
			return nil, fmt.Errorf("%s section: %w", step.name, r.err)
		}
		out = appendSection(out, step.id, body)
	}
	if w.names != nil {
		out = w.writeNames(out)
	}
	return out, nil
}

func copyRest(body []byte, r *reader) []byte { return append(body, r.take(uint32(r.end-r.pos))...) }

func (w *rewriter) writeTypes(body []byte, r *reader) []byte {
	body = appendU32(body, r.u32()+1)
	return append(copyRest(body, r), 0x60, 0, 0)
}

func (w *rewriter) writeImports(body []byte, r *reader) []byte {
	body = appendU32(body, r.u32()+1)
	body = copyRest(body, r)
	body = appendName(appendName(body, TickModule), TickName)
	return appendU32(append(body, 0), w.typ)
}

func (w *rewriter) writeGlobals(body []byte, r *reader) []byte {
	n := r.u32()
	body = appendU32(body, n+1)
	for range n {
		if r.err != nil {
			return body
		}
		start := r.pos
		r.valueType()
		r.byte()
		body = append(body, r.b[start:r.pos]...)
		body = w.constExpr(body, r)
	}
	body = append(body, 0x7f, 1, 0x41) // i32, mutable, i32.const
	return append(appendS32(body, Interval), 0x0b)
}

// constExpr copies an initializer with its function indices shifted.
func (w *rewriter) constExpr(body []byte, r *reader) []byte {
	for r.err == nil {
		start := r.pos
		switch op := r.byte(); op {
		case 0x0b:
			return append(body, op)
		case 0x41:
			r.skipLEB(5)
		case 0x42:
			r.skipLEB(10)
		case 0x43:
			r.take(4)
		case 0x44:
			r.take(8)
		case 0x23: // global.get
			w.global(r)
		case 0xd0: // ref.null
			r.byte()
		case 0xd2: // ref.func
			body = appendU32(append(body, op), w.index(r.u32()))
			continue
		case 0xfd:
			if sub := r.u32(); sub != 12 {
				r.fail("instruction fd %d in an initializer", sub)
			}
			r.take(16)
		default:
			r.fail("instruction %#x in an initializer is not known", op)
		}
		if r.err == nil {
			body = append(body, r.b[start:r.pos]...)
		}
	}
	return body
}

func (w *rewriter) writeExports(body []byte, r *reader) []byte {
	n := r.u32()
	body = appendU32(body, n)
	for range n {
		name, kind, at := r.name(), r.byte(), r.u32()
		if r.err != nil {
			return body
		}
		switch {
		case kind == 0:
			at = w.index(at)
		case kind == 3 && at >= w.count:
			r.fail("export %q is global %d of %d", name, at, w.count)
		}
		body = appendU32(append(appendName(body, name), kind), at)
	}
	return body
}

func (w *rewriter) writeStart(body []byte, r *reader) []byte {
	return appendU32(body, w.index(r.u32()))
}

func (w *rewriter) writeElements(body []byte, r *reader) []byte {
	n := r.count("element segments", w.limits.Functions)
	body = appendU32(body, n)
	for range n {
		if r.err != nil {
			return body
		}
		flags := r.u32()
		body = appendU32(body, flags)
		if flags > 7 {
			r.fail("element segment of form %d", flags)
			return body
		}
		if flags&1 == 0 { // active
			if flags&2 != 0 {
				body = appendU32(body, r.u32())
			}
			body = w.constExpr(body, r)
		}
		if flags&3 != 0 { // element kind or reference type
			body = append(body, r.byte())
		}
		items := r.count("elements", 1<<22)
		body = appendU32(body, items)
		for range items {
			if r.err != nil {
				return body
			}
			if flags&4 != 0 {
				body = w.constExpr(body, r)
			} else {
				body = appendU32(body, w.index(r.u32()))
			}
		}
	}
	return body
}

// writeNames keeps the functions' names, which stack traces show; a name
// section that cannot be read is dropped, as it means nothing to execution.
func (w *rewriter) writeNames(out []byte) []byte {
	r := *w.names
	for r.pos < r.end && r.err == nil {
		id, size := r.byte(), r.u32()
		if id != 1 {
			r.take(size)
			continue
		}
		n := r.u32()
		body := appendU32(nil, n)
		for range n {
			if r.err != nil {
				return out
			}
			body = appendU32(body, w.index(r.u32()))
			body = appendName(body, r.name())
		}
		if r.err != nil {
			return out
		}
		return appendSection(out, secCustom, appendSection(appendName(nil, "name"), 1, body))
	}
	return out
}
