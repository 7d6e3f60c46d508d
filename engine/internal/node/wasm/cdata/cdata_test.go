package cdata

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/seed-4012077a/flow/engine/nodetest"
	"github.com/seed-4012077a/flow/sdk/abi"
	"github.com/seed-4012077a/flow/sdk/abi/vectors"
)

var wide = Limits{Rows: 1 << 20, Bytes: 1 << 26}

func read(m Memory, schema, batch uint32) (arrow.Record, error) {
	s, err := ReadSchema(m, schema)
	if err != nil {
		return nil, err
	}
	return ReadBatch(m, batch, s, wide, dirty{memory.NewGoAllocator()})
}

// dirty gives memory that others have used.
type dirty struct{ memory.Allocator }

func (d dirty) Allocate(n int) []byte {
	b := d.Allocator.Allocate(n)
	for i := range b {
		b[i] = 0xdb
	}
	return b
}

// value writes a value as sdk/abi/vectors/make.py does.
func value(a arrow.Array, i int) any {
	if a.IsNull(i) {
		return nil
	}
	list := func(elem arrow.Array, start, end int64) any {
		out := []any{}
		for ; start < end; start++ {
			out = append(out, value(elem, int(start)))
		}
		return out
	}
	switch a := a.(type) {
	case *array.Null:
		return nil
	case *array.Boolean:
		return a.Value(i)
	case *array.String:
		return a.Value(i)
	case *array.LargeString:
		return a.Value(i)
	case *array.Binary:
		return base64.StdEncoding.EncodeToString(a.Value(i))
	case *array.LargeBinary:
		return base64.StdEncoding.EncodeToString(a.Value(i))
	case *array.Float32:
		return float64(a.Value(i))
	case *array.Float64:
		return a.Value(i)
	case *array.Dictionary:
		return value(a.Dictionary(), a.GetValueIndex(i))
	case *array.Struct:
		m := map[string]any{}
		for j, f := range a.DataType().(*arrow.StructType).Fields() {
			m[f.Name] = value(a.Field(j), i)
		}
		return m
	case array.ListLike:
		start, end := a.ValueOffsets(i)
		return list(a.ListValues(), start, end)
	case *array.Timestamp:
		return float64(a.Value(i))
	case *array.Date32:
		return float64(a.Value(i))
	case *array.Date64:
		return float64(a.Value(i))
	}
	var f float64
	text := a.ValueStr(i)
	if _, err := fmt.Sscan(text, &f); err != nil || math.Abs(f) > 1<<53 {
		return text
	}
	return f
}

func TestVectors(t *testing.T) {
	all, err := vectors.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		m := append(make(Memory, v.Base), v.Memory...)
		rec, err := read(m, v.Schema, v.Array)
		if err != nil {
			t.Errorf("%s: %v", v.Name, err)
			continue
		}
		if rec.NumRows() != int64(len(v.Rows)) {
			t.Errorf("%s: %d rows, want %d", v.Name, rec.NumRows(), len(v.Rows))
			continue
		}
		for i, w := range v.Rows {
			got, _ := json.Marshal(value(rec.Column(0), i))
			want, _ := json.Marshal(w)
			if !bytes.Equal(got, want) {
				t.Errorf("%s, row %d: %s, want %s", v.Name, i, got, want)
			}
		}
		rec.Release()
	}
}

// guestImage writes a batch at an address of a memory, as the host does.
func guestImage(rec arrow.Record) (m Memory, schema, batch uint32) {
	const base = 4096
	a := Arena{Base: base}
	a.Schema(rec.Schema())
	a.Batch(rec)
	m = make(Memory, base+a.N)
	a = Arena{Base: base, Dst: m[base:]}
	schema = a.Schema(rec.Schema())
	batch = a.Batch(rec)
	return m, schema, batch
}

// TestRoundTrip sends all types, and slices of them, in and out.
func TestRoundTrip(t *testing.T) {
	for name, table := range nodetest.Types(t) {
		whole := table.Batches[0]
		for from := int64(0); from < whole.NumRows(); from++ {
			for to := from; to <= whole.NumRows(); to += 2 {
				part := whole.NewSlice(from, to)
				got, err := read(guestImage(part))
				if err != nil {
					t.Fatalf("%s [%d:%d]: %v", name, from, to, err)
				}
				if !array.RecordEqual(got, part) || !got.Schema().Equal(part.Schema()) {
					t.Errorf("%s [%d:%d]: %v, want %v", name, from, to, got, part)
				}
				got.Release()
				part.Release()
			}
		}
	}
}

// TestArena checks what abi.md promises of batches from the host.
func TestArena(t *testing.T) {
	for name, table := range nodetest.Types(t) {
		part := table.Batches[0].NewSlice(3, 10)
		m, schema, batch := guestImage(part)
		s, err := ReadSchema(m, schema)
		if err != nil {
			t.Fatal(err)
		}
		var walk func(at uint32, dt arrow.DataType)
		walk = func(at uint32, dt arrow.DataType) {
			u32 := func(off int) uint32 { return binary.LittleEndian.Uint32(m[at+uint32(off):]) }
			i64 := func(off int) int64 { return int64(binary.LittleEndian.Uint64(m[at+uint32(off):])) }
			if i64(abi.ArrayOffset) != 0 || i64(abi.ArrayNullCount) < 0 {
				t.Errorf("%s: offset %d, null count %d", name, i64(abi.ArrayOffset), i64(abi.ArrayNullCount))
			}
			for i := range i64(abi.ArrayNBuffers) {
				if p := binary.LittleEndian.Uint32(m[u32(abi.ArrayBuffers)+uint32(4*i):]); p%abi.Alignment != 0 {
					t.Errorf("%s: a buffer at %#x", name, p)
				}
			}
			for i, f := range children(dt) {
				walk(binary.LittleEndian.Uint32(m[u32(abi.ArrayChildren)+uint32(4*i):]), f.Type)
			}
		}
		walk(batch, arrow.StructOf(s.Fields()...))
		part.Release()
	}
}

// TestCanonical checks that equal results have equal bytes.
func TestCanonical(t *testing.T) {
	odd := math.Float64frombits(0xfff8000000000123)
	vals := []float64{1, odd, math.Inf(1), 7}
	b := array.NewFloat64Builder(memory.DefaultAllocator)
	defer b.Release()
	b.AppendValues(vals, []bool{true, true, true, false})
	arr := b.NewArray()
	defer arr.Release()
	rec := array.NewRecord(arrow.NewSchema([]arrow.Field{{Name: "x", Type: arr.DataType(), Nullable: true}}, nil), []arrow.Array{arr}, 4)
	defer rec.Release()
	got, err := read(guestImage(rec))
	if err != nil {
		t.Fatal(err)
	}
	defer got.Release()
	v := got.Column(0).(*array.Float64).Float64Values()
	if math.Float64bits(v[1]) != 0x7ff8<<48 || !math.IsInf(v[2], 1) || v[3] != 0 {
		t.Errorf("%x %v: the NaN is not the one NaN, or a null is not zero", math.Float64bits(v[1]), v)
	}
}

// TestLies changes one number of a good batch at a time.
func TestLies(t *testing.T) {
	text := nodetest.FromJSON(t, arrow.NewSchema([]arrow.Field{{Name: "s", Type: arrow.BinaryTypes.String, Nullable: true}}, nil), `[{"s": "ab"}, {"s": null}, {"s": "é"}]`)
	dict := nodetest.FromJSON(t, arrow.NewSchema([]arrow.Field{{Name: "d", Type: &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}, Nullable: true}}, nil), `[{"d": "a"}, {"d": "b"}, {"d": "a"}]`)
	type image struct {
		m            Memory
		column       uint32
		buffers      [3]uint32
		schema, root uint32
	}
	load := func(rec arrow.Record) image {
		m, schema, root := guestImage(rec)
		u32 := func(at uint32) uint32 { v, _ := m.U32(at); return v }
		im := image{m: m, schema: schema, root: root, column: u32(u32(root + abi.ArrayChildren))}
		for i := range int(binary.LittleEndian.Uint64(m[im.column+abi.ArrayNBuffers:])) {
			im.buffers[i] = u32(u32(im.column+abi.ArrayBuffers) + uint32(4*i))
		}
		return im
	}
	put64 := func(m Memory, at uint32, v int64) { binary.LittleEndian.PutUint64(m[at:], uint64(v)) }
	put32 := func(m Memory, at, v uint32) { binary.LittleEndian.PutUint32(m[at:], v) }
	for name, c := range map[string]struct {
		rec  arrow.Record
		lie  func(im image)
		want string
	}{
		"length -1":          {text.Batches[0], func(im image) { put64(im.m, im.column, -1) }, "length -1"},
		"more rows":          {text.Batches[0], func(im image) { put64(im.m, im.root, 4) }, "the batch has 4 rows"},
		"huge":               {text.Batches[0], func(im image) { put64(im.m, im.root, 1<<30); put64(im.m, im.column, 1<<30) }, "at most 1048576"},
		"offset":             {text.Batches[0], func(im image) { put64(im.m, im.column+abi.ArrayOffset, 1<<20) }, "outside"},
		"negative offset":    {text.Batches[0], func(im image) { put64(im.m, im.column+abi.ArrayOffset, -8) }, "offset -8"},
		"null count":         {text.Batches[0], func(im image) { put64(im.m, im.column+abi.ArrayNullCount, 2) }, "claims 2 nulls"},
		"no bitmap":          {text.Batches[0], func(im image) { v, _ := im.m.U32(im.column + abi.ArrayBuffers); put32(im.m, v, 0) }, "no validity bitmap"},
		"buffers":            {text.Batches[0], func(im image) { put64(im.m, im.column+abi.ArrayNBuffers, 2) }, "2 buffers"},
		"children":           {text.Batches[0], func(im image) { put64(im.m, im.column+abi.ArrayNChildren, 1<<40) }, "children"},
		"a dictionary":       {text.Batches[0], func(im image) { put32(im.m, im.column+abi.ArrayDictionary, im.column) }, "only a dictionary"},
		"offsets fall":       {text.Batches[0], func(im image) { put32(im.m, im.buffers[1]+4, 9); put32(im.m, im.buffers[1]+8, 2) }, "fall"},
		"offsets below 0":    {text.Batches[0], func(im image) { put32(im.m, im.buffers[1], 1<<31) }, "below 0"},
		"offsets far":        {text.Batches[0], func(im image) { put32(im.m, im.buffers[1]+12, 1<<30) }, "outside"},
		"not UTF-8":          {text.Batches[0], func(im image) { im.m[im.buffers[2]] = 0xff }, "row 0 is not UTF-8"},
		"split character":    {text.Batches[0], func(im image) { put32(im.m, im.buffers[1]+4, 3); put32(im.m, im.buffers[1]+8, 3) }, "not UTF-8"},
		"buffer far":         {text.Batches[0], func(im image) { v, _ := im.m.U32(im.column + abi.ArrayBuffers); put32(im.m, v+4, 1<<31) }, "outside"},
		"column far":         {text.Batches[0], func(im image) { v, _ := im.m.U32(im.root + abi.ArrayChildren); put32(im.m, v, 0xfffffff0) }, "outside"},
		"column is the root": {text.Batches[0], func(im image) { v, _ := im.m.U32(im.root + abi.ArrayChildren); put32(im.m, v, im.root) }, "buffers"},
		"batch offset":       {text.Batches[0], func(im image) { put64(im.m, im.root+abi.ArrayOffset, 1) }, "offset"},
		"batch nulls":        {text.Batches[0], func(im image) { put64(im.m, im.root+abi.ArrayNullCount, 1) }, "nulls"},
		"dictionary index":   {dict.Batches[0], func(im image) { im.m[im.buffers[1]+1] = 2 }, "index 2 in a dictionary of 2"},
		"negative index":     {dict.Batches[0], func(im image) { im.m[im.buffers[1]+1] = 0xff }, "index -1"},
		"no dictionary":      {dict.Batches[0], func(im image) { put32(im.m, im.column+abi.ArrayDictionary, 0) }, "dictionary"},
		"dictionary far":     {dict.Batches[0], func(im image) { put32(im.m, im.column+abi.ArrayDictionary, 1<<31) }, "outside"},
		"dictionary itself":  {dict.Batches[0], func(im image) { put32(im.m, im.column+abi.ArrayDictionary, im.column) }, "dictionary"},
		"schema cycle":       {text.Batches[0], func(im image) { v, _ := im.m.U32(im.schema + abi.SchemaChildren); put32(im.m, v, im.schema) }, "deep"},
		"schema wide":        {text.Batches[0], func(im image) { put64(im.m, im.schema+abi.SchemaNChildren, 1<<50) }, "children"},
	} {
		im := load(c.rec)
		c.lie(im)
		rec, err := read(im.m, im.schema, im.root)
		if err == nil {
			t.Errorf("%s: it was believed: %v", name, rec)
			continue
		}
		if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestAmplification checks that pointing many columns at one buffer does not
// cost the host more than its limit.
func TestAmplification(t *testing.T) {
	var rows strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&rows, `%s{"s": "%0100d"}`, map[bool]string{true: "[", false: ","}[i == 0], i)
	}
	rows.WriteString("]")
	table := nodetest.FromJSON(t, arrow.NewSchema([]arrow.Field{{Name: "s", Type: arrow.BinaryTypes.String}}, nil), rows.String())
	m, _, root := guestImage(table.Batches[0])
	kids, _ := m.U32(root + abi.ArrayChildren)
	column, _ := m.U32(kids)
	var fields []arrow.Field
	list := uint32(len(m))
	for i := range 5000 {
		fields = append(fields, arrow.Field{Name: fmt.Sprint(i), Type: arrow.BinaryTypes.String})
		m = binary.LittleEndian.AppendUint32(m, column)
	}
	binary.LittleEndian.PutUint64(m[root+abi.ArrayNChildren:], 5000)
	binary.LittleEndian.PutUint32(m[root+abi.ArrayChildren:], list)
	_, err := ReadBatch(m, root, arrow.NewSchema(fields, nil), Limits{Rows: 1 << 20, Bytes: 10 << 20}, memory.DefaultAllocator)
	if err == nil || !strings.Contains(err.Error(), "larger than the limit") {
		t.Errorf("500 MB out of 100 kB: %v", err)
	}
}

// TestRandomLies overwrites words of good images at random: none may do more
// than be refused.
func TestRandomLies(t *testing.T) {
	all, err := vectors.All()
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	words := []uint32{0, 1, 2, 8, 63, 64, 65535, 65536, 1 << 20, 1<<31 - 1, 1 << 31, 1<<32 - 8, 1<<32 - 1}
	accepted := 0
	for range 300 {
		for _, v := range all {
			m := append(make(Memory, v.Base), v.Memory...)
			for range 1 + rng.IntN(3) {
				word := words[rng.IntN(len(words))]
				if rng.IntN(2) == 0 {
					word = v.Base + 4*uint32(rng.IntN(len(v.Memory)/4))
				}
				binary.LittleEndian.PutUint32(m[int(v.Base)+4*rng.IntN(len(v.Memory)/4):], word)
			}
			s, err := ReadSchema(m, v.Schema)
			if err != nil {
				continue
			}
			rec, err := ReadBatch(m, v.Array, s, Limits{Rows: 4096, Bytes: 1 << 20}, memory.DefaultAllocator)
			if err != nil {
				continue
			}
			accepted++
			for _, c := range rec.Columns() {
				for i := range c.Len() {
					value(c, i)
				}
			}
			rec.Release()
		}
	}
	t.Logf("%d of %d images are still good", accepted, 300*len(all))
}

// FuzzArena reads arbitrary memory as a schema and a batch. What is accepted
// must hold together: every value can be read, and it goes in and out again
// unchanged.
func FuzzArena(f *testing.F) {
	all, err := vectors.All()
	if err != nil {
		f.Fatal(err)
	}
	for _, v := range all {
		f.Add(v.Memory, v.Schema-v.Base, v.Array-v.Base)
	}
	f.Fuzz(func(t *testing.T, m []byte, schema, batch uint32) {
		// Addresses are moved by the image's base, which is kept small here
		// so that the corpus stays small.
		const base = 65536
		mem := append(make(Memory, base), m...)
		s, err := ReadSchema(mem, base+schema)
		if err != nil {
			return
		}
		if err := CheckSchema(s); err != nil {
			t.Fatalf("a schema that came out cannot go in: %v", err)
		}
		rec, err := ReadBatch(mem, base+batch, s, Limits{Rows: 4096, Bytes: 1 << 20}, memory.DefaultAllocator)
		if err != nil {
			return
		}
		defer rec.Release()
		for _, c := range rec.Columns() {
			for i := range c.Len() {
				value(c, i)
			}
		}
		again, err := read(guestImage(rec))
		if err != nil {
			t.Fatalf("what was accepted cannot be read again: %v", err)
		}
		defer again.Release()
		if !array.RecordEqual(rec, again) {
			t.Fatalf("%v\nbecame\n%v", rec, again)
		}
	})
}
