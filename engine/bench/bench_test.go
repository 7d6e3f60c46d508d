package main

import (
	"crypto/sha256"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/seed-4012077a/flow/engine"
)

func buildGuest(tb testing.TB) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "bench.wasm")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-buildmode=c-shared", "-o", path, "./guest")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("%v\n%s", err, out)
	}
	return path
}

func writeFile(tb testing.TB, text string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "pipeline.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

func openEngine(tb testing.TB, workspace string) *engine.Engine {
	tb.Helper()
	e, err := engine.Open(engine.Config{Workspace: workspace})
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

// BenchmarkCached measures, in this process, what `flow plan` and `flow run` do
// with 10,000 tasks that are all cached: opening, preparing, explaining or
// running, closing; from the memo of the whole run, and anew without it, which
// makes one. Profile it:
//
//	go test -run ^$ -bench Cached/nodes/run -cpuprofile cpu.out ./engine/bench
func BenchmarkCached(b *testing.B) {
	guest := buildGuest(b)
	for _, shape := range []struct{ name, text string }{{"nodes", nodesFile(guest, manyCount)}, {"cells", cellsFile(guest, manyCount)}} {
		b.Run(shape.name, func(b *testing.B) {
			file, workspace := writeFile(b, shape.text), b.TempDir()
			once := func(b *testing.B, run bool) {
				e := openEngine(b, workspace)
				p, err := e.Prepare(b.Context(), engine.Source{File: file})
				if err != nil {
					b.Fatal(err)
				}
				cached := 0
				if run {
					sum, err := p.Run(b.Context(), engine.RunOptions{})
					if err != nil {
						b.Fatal(err)
					}
					cached = sum.Counts["cached"]
				} else {
					tasks, err := p.Explain(b.Context())
					if err != nil {
						b.Fatal(err)
					}
					cached = len(tasks)
				}
				b.ReportMetric(float64(cached), "cached")
				if err := e.Close(); err != nil {
					b.Fatal(err)
				}
			}
			once(b, true) // fills the cache
			for _, way := range []struct {
				name      string
				run, anew bool
			}{{"plan", false, false}, {"run", true, false}, {"plan-anew", false, true}, {"run-anew", true, true}} {
				b.Run(way.name, func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						if way.anew {
							if err := os.RemoveAll(filepath.Join(workspace, "memos")); err != nil {
								b.Fatal(err)
							}
						}
						once(b, way.run)
					}
				})
			}
		})
	}
}

// BenchmarkCopyTable reads, writes and hashes a table of 10 million rows of
// (int64, float64) with arrow-go alone: what a node's table costs at least.
func BenchmarkCopyTable(b *testing.B) {
	from, to := filepath.Join(b.TempDir(), "from.arrow"), filepath.Join(b.TempDir(), "to.arrow")
	writeNumbers(b, from)
	for b.Loop() {
		copyTable(b, from, to)
	}
	b.ReportMetric(mapped*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

func writeNumbers(tb testing.TB, path string) {
	tb.Helper()
	schema := arrow.NewSchema([]arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64}, {Name: "value", Type: arrow.PrimitiveTypes.Float64}}, nil)
	rb := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer rb.Release()
	f, err := os.Create(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	w, err := ipc.NewFileWriter(f, ipc.WithSchema(schema))
	if err != nil {
		tb.Fatal(err)
	}
	for id := int64(0); id < mapped; {
		for range min(1<<16, mapped-id) {
			rb.Field(0).(*array.Int64Builder).Append(id)
			rb.Field(1).(*array.Float64Builder).Append(float64(id) / 7)
			id++
		}
		rec := rb.NewRecord()
		err := w.Write(rec)
		rec.Release()
		if err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
}

func copyTable(tb testing.TB, from, to string) {
	tb.Helper()
	in, err := os.Open(from)
	if err != nil {
		tb.Fatal(err)
	}
	defer in.Close()
	r, err := ipc.NewFileReader(in)
	if err != nil {
		tb.Fatal(err)
	}
	defer r.Close()
	out, err := os.Create(to)
	if err != nil {
		tb.Fatal(err)
	}
	defer out.Close()
	w, err := ipc.NewFileWriter(writeSeeker{io.MultiWriter(out, sha256.New()), out}, ipc.WithSchema(r.Schema()))
	if err != nil {
		tb.Fatal(err)
	}
	for i := range r.NumRecords() {
		rec, err := r.Record(i)
		if err != nil {
			tb.Fatal(err)
		}
		if err := w.Write(rec); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
}

type writeSeeker struct {
	io.Writer
	io.Seeker
}
