package wasm

import (
	"context"
	"fmt"
	"strconv"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/seed-4012077a/flow/engine/internal/node"
	"github.com/seed-4012077a/flow/engine/internal/node/wasm/meter"
	"github.com/seed-4012077a/flow/engine/internal/table"
	"github.com/seed-4012077a/flow/engine/nodetest"
	"github.com/seed-4012077a/flow/sdk/abi"
)

const benchRows = 1 << 16

// benchTable is batches of (id int64, text utf8, score float64) with texts of
// about 200 bytes: 65,536 rows have 14 MB.
func benchTable(b *testing.B, batches int, text bool) *nodetest.Table {
	b.Helper()
	fields := []arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64}, {Name: "score", Type: arrow.PrimitiveTypes.Float64}}
	if text {
		fields = append(fields, arrow.Field{Name: "text", Type: arrow.BinaryTypes.String})
	}
	rb := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(fields, nil))
	defer rb.Release()
	for i := range benchRows {
		rb.Field(0).(*array.Int64Builder).Append(int64(i))
		rb.Field(1).(*array.Float64Builder).Append(float64(i) / 7)
		if text {
			rb.Field(2).(*array.StringBuilder).Append(benchText(i))
		}
	}
	rec := rb.NewRecord()
	b.Cleanup(rec.Release)
	t := &nodetest.Table{Schema: rec.Schema()}
	for range batches {
		t.Batches = append(t.Batches, rec)
	}
	return t
}

const filler = "the quick brown fox jumps over the lazy dog and the lazy dog sleeps in the warm evening sun while the quick brown fox runs on and on through the fields, over the hills and far away from here; number "

func benchText(i int) string { return filler + strconv.Itoa(i) }

// sink counts what is written to it.
type sink struct {
	schema *arrow.Schema
	rows   int64
}

func (s *sink) Schema() *arrow.Schema { return s.schema }

func (s *sink) Write(_ context.Context, rec arrow.Record) error {
	s.rows += rec.NumRows()
	return nil
}

type freeSlots struct{}

func (freeSlots) Acquire(context.Context) (func(), error) { return func() {}, nil }

// runOnce runs an operator into sinks and returns the rows of the first.
func runOnce(b *testing.B, op node.Operator, params string, workers int, in *nodetest.Table) int64 {
	b.Helper()
	ctx := context.Background()
	filled, err := op.Spec().FillParams([]byte(params))
	if err != nil {
		b.Fatal(err)
	}
	bind := node.Binding{Params: filled}
	job := node.Job{Workers: workers, Slots: freeSlots{}}
	if in != nil {
		bind.Inputs, job.Inputs = []*arrow.Schema{in.Schema}, []table.Reader{in.Reader()}
	}
	schemas, err := op.Bind(ctx, bind)
	if err != nil {
		b.Fatal(err)
	}
	var sinks []*sink
	for _, s := range schemas {
		sinks = append(sinks, &sink{schema: s})
		job.Outputs = append(job.Outputs, sinks[len(sinks)-1])
	}
	if err := op.Run(ctx, bind, job); err != nil {
		b.Fatal(err)
	}
	return sinks[0].rows
}

// BenchmarkBuildStrings makes 65,536 rows of (int64, utf8 of 200 bytes,
// float64), 14 MB: natively with Arrow's builders, and in a Go guest, metered,
// with the batch copied out and checked.
func BenchmarkBuildStrings(b *testing.B) {
	b.Run("native", func(b *testing.B) {
		for b.Loop() {
			rb := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{
				{Name: "id", Type: arrow.PrimitiveTypes.Int64}, {Name: "text", Type: arrow.BinaryTypes.String}, {Name: "score", Type: arrow.PrimitiveTypes.Float64}}, nil))
			ids, texts, scores := rb.Field(0).(*array.Int64Builder), rb.Field(1).(*array.StringBuilder), rb.Field(2).(*array.Float64Builder)
			for i := range benchRows {
				ids.Append(int64(i))
				texts.Append(benchText(i))
				scores.Append(float64(i) / 7)
			}
			rb.NewRecord().Release()
			rb.Release()
		}
	})
	p := load(b, Config{})
	for name, params := range map[string]string{"guest in place": `{"in_place": true}`, "guest": `{"in_place": false}`} {
		op := p.operator(b, "build")
		b.Run(name+", whole task", func(b *testing.B) {
			for b.Loop() {
				if n := runOnce(b, op, params, 1, nil); n != benchRows {
					b.Fatalf("%d rows", n)
				}
			}
		})
		b.Run(name+", warm", func(b *testing.B) {
			in, err := newInstance(context.Background(), p)
			if err != nil {
				b.Fatal(err)
			}
			defer in.close(context.Background())
			if err := in.open(context.Background(), "build", []byte(params), 0, nil, 1); err != nil {
				b.Fatal(err)
			}
			in.emit = func(int, arrow.Record) error { return nil }
			for b.Loop() {
				if _, _, _, err := in.ask(context.Background(), abi.ExportNext); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkStart makes an instance that has run nothing, and closes it: what a
// source's or a table operator's task costs at least.
func BenchmarkStart(b *testing.B) {
	p := load(b, Config{})
	for b.Loop() {
		in, err := newInstance(context.Background(), p)
		if err != nil {
			b.Fatal(err)
		}
		in.close(context.Background())
	}
}

// BenchmarkMap sends 10,027,008 rows of (int64, float64) through operators
// that do nothing: by handing columns on, and by copying value by value.
func BenchmarkMap(b *testing.B) {
	p := load(b, Config{})
	in := benchTable(b, 153, false)
	for _, name := range []string{"fail", "identity"} {
		for workers := 1; workers <= 2; workers++ {
			b.Run(fmt.Sprintf("%s/workers=%d", map[string]string{"fail": "handed-on", "identity": "by-value"}[name], workers), func(b *testing.B) {
				op, params := p.operator(b, name), ""
				if name == "fail" {
					params = `{"at": -1}`
				}
				for b.Loop() {
					runOnce(b, op, params, workers, in)
				}
				b.ReportMetric(float64(in.Rows())*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
			})
		}
	}
}

// BenchmarkFilterStrings keeps half of 65,536 rows of 14 MB, every other row.
func BenchmarkFilterStrings(b *testing.B) {
	op, in := load(b, Config{}).operator(b, "filter"), benchTable(b, 1, true)
	for b.Loop() {
		runOnce(b, op, `{"min": 30000}`, 1, in)
	}
	b.SetBytes(14 << 20)
}

// BenchmarkMeter runs a small loop with and without the meter.
func BenchmarkMeter(b *testing.B) {
	wasm := loopModule()
	for name, rewrite := range map[string]bool{"plain": false, "metered": true} {
		b.Run(name, func(b *testing.B) {
			ctx := context.Background()
			module := wasm
			if rewrite {
				out, _, err := meter.Rewrite(wasm, DefaultLimits().module())
				if err != nil {
					b.Fatal(err)
				}
				module = out
			}
			r := wazero.NewRuntime(ctx)
			defer r.Close(ctx)
			_, err := r.NewHostModuleBuilder(meter.TickModule).NewFunctionBuilder().
				WithGoFunction(api.GoFunc(func(context.Context, []uint64) {}), nil, nil).Export(meter.TickName).Instantiate(ctx)
			if err != nil {
				b.Fatal(err)
			}
			m, err := r.Instantiate(ctx, module)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := m.ExportedFunction("sum").Call(ctx, 10_000_000); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// loopModule is (func (export "sum") (param i32) (result i64)): the sum over
// i of i*i xor the sum so far, the shortest loop that does something.
func loopModule() []byte {
	body := []byte{
		1, 1, 0x7e, // one i64 local
		0x03, 0x40, // loop
		0x20, 0, 0xad, 0x20, 0, 0xad, 0x7e, 0x20, 1, 0x85, 0x21, 1, // acc = i*i ^ acc
		0x20, 0, 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, // i--; br_if
		0x0b, 0x20, 1, 0x0b,
	}
	out := []byte("\x00asm\x01\x00\x00\x00" +
		"\x01\x06\x01\x60\x01\x7f\x01\x7e" + "\x03\x02\x01\x00" + "\x07\x07\x01\x03sum\x00\x00")
	out = append(out, 0x0a, byte(len(body)+2), 1, byte(len(body)))
	return append(out, body...)
}
