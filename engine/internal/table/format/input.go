package format

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/seed-4012077a/flow/engine/internal/table"
	"github.com/seed-4012077a/flow/engine/internal/table/csv"
	"github.com/seed-4012077a/flow/engine/internal/table/ipc"
	"github.com/seed-4012077a/flow/engine/internal/table/jsonl"
	"github.com/seed-4012077a/flow/engine/internal/table/parquet"
)

// autoBytes is how far into each text file the columns are inferred from
// unless the input says otherwise.
const autoBytes = 64 << 20

// Input is one or more files that are read as one table, in their order.
type Input struct {
	Files  []string
	Format Format // "": by each file's name

	// Columns are declared types, by name, of JSONL and CSV files; the other
	// columns' types are inferred.
	Columns map[string]arrow.DataType
	// InferRows is how many rows of each file are looked at for that; 0 means
	// all rows within the first 64 MiB.
	InferRows int64
	// KeepBad passes over bad rows where columns are inferred.
	KeepBad bool
	// FileColumn, where it is not empty, is a first column with the name of
	// the file that a row is from, without its folder.
	FileColumn string

	Options Options
}

func (in Input) format(path string) (Format, error) {
	if in.Format != "" {
		return in.Format, nil
	}
	return ByPath(path)
}

// Schema reads as much of the files as their columns need.
func (in Input) Schema(ctx context.Context) (*arrow.Schema, error) {
	schema, err := in.contents(ctx)
	if err != nil || in.FileColumn == "" {
		return schema, err
	}
	if schema.HasField(in.FileColumn) {
		return nil, fmt.Errorf("the files have a column %q of their own: give the column for their names another name", in.FileColumn)
	}
	return arrow.NewSchema(append([]arrow.Field{{Name: in.FileColumn, Type: arrow.BinaryTypes.String}}, schema.Fields()...), nil), nil
}

// contents is the schema of what stands in the files.
func (in Input) contents(ctx context.Context) (*arrow.Schema, error) {
	if len(in.Files) == 0 {
		return nil, errors.New("there is no file to read")
	}
	first, err := in.format(in.Files[0])
	if err != nil {
		return nil, err
	}
	for _, path := range in.Files[1:] {
		f, err := in.format(path)
		if err != nil {
			return nil, err
		}
		if f != first {
			return nil, fmt.Errorf("%s is %s and %s is %s: files that are read together need one format", in.Files[0], first, path, f)
		}
	}
	switch first {
	case JSONL, Text, TOML:
		return in.inferJSONL(ctx, first)
	case CSV:
		return in.inferCSV(ctx)
	}
	if len(in.Columns) > 0 {
		return nil, fmt.Errorf("%s files name their columns' types themselves: remove columns", first)
	}
	return in.ownSchema(ctx, first)
}

func (in Input) inferJSONL(ctx context.Context, f Format) (*arrow.Schema, error) {
	inf := jsonl.NewInferrer()
	inf.MaxRows, inf.MaxBytes, inf.SkipBad = in.bounds()
	for _, path := range in.Files {
		err := in.text(path, func(r io.Reader) error {
			r, err := asJSONL(f, path, r)
			if err != nil {
				return err
			}
			return inf.Add(ctx, path, r)
		})
		if err != nil {
			return nil, err
		}
	}
	return inf.Schema(in.Columns), nil
}

func (in Input) inferCSV(ctx context.Context) (*arrow.Schema, error) {
	inf := csv.NewInferrer(in.Options.csvFor(unpackedName(in.Files[0])))
	inf.MaxRows, inf.MaxBytes, inf.SkipBad = in.bounds()
	for _, path := range in.Files {
		if err := in.text(path, func(r io.Reader) error { return inf.Add(ctx, path, r) }); err != nil {
			return nil, err
		}
	}
	return inf.Schema(in.Columns)
}

func unpackedName(path string) string {
	name, _ := packing(path)
	return name
}

func (in Input) bounds() (rows, bytes int64, skipBad bool) {
	if in.InferRows > 0 {
		return in.InferRows, 0, in.KeepBad
	}
	return 0, autoBytes, in.KeepBad
}

// ownSchema reads the schema that the files carry.
func (in Input) ownSchema(ctx context.Context, f Format) (schema *arrow.Schema, err error) {
	for _, path := range in.Files {
		r, err := in.open(path, f, nil, nil)
		if err != nil {
			return nil, err
		}
		s := r.Schema()
		if err := r.Close(); err != nil {
			return nil, err
		}
		if schema == nil {
			schema = s
		} else if err := table.SameColumns(schema, s); err != nil {
			return nil, fmt.Errorf("%s cannot be read together with %s: %w", path, in.Files[0], err)
		}
	}
	return schema, ctx.Err()
}

// Open reads the files with the columns that Schema gave. Bad rows of JSONL
// and CSV files go to bad; where it is nil the first one is an error.
func (in Input) Open(schema *arrow.Schema, bad func(file string, row table.BadRow) error) (table.Reader, error) {
	if len(in.Files) == 0 {
		return nil, errors.New("there is no file to read")
	}
	inner := schema
	if in.FileColumn != "" {
		if schema.NumFields() == 0 || schema.Field(0).Name != in.FileColumn {
			return nil, fmt.Errorf("the column %q for the files' names is not the first", in.FileColumn)
		}
		inner = arrow.NewSchema(schema.Fields()[1:], nil)
	}
	return &inputs{in: in, schema: schema, inner: inner, bad: bad}, nil
}

// inputs opens one file after the other, so that a thousand files do not take
// a thousand descriptors.
type inputs struct {
	in     Input
	schema *arrow.Schema
	inner  *arrow.Schema // without the column for the files' names
	bad    func(string, table.BadRow) error
	next   int // after the file that is open
	open   table.Reader
}

func (r *inputs) Schema() *arrow.Schema { return r.schema }

func (r *inputs) Next(ctx context.Context) (arrow.Record, error) {
	for {
		if r.open == nil {
			if r.next == len(r.in.Files) {
				return nil, io.EOF
			}
			path := r.in.Files[r.next]
			f, err := r.in.format(path)
			if err != nil {
				return nil, err
			}
			var bad func(table.BadRow) error
			if r.bad != nil {
				bad = func(row table.BadRow) error { return r.bad(path, row) }
			}
			file, err := r.in.open(path, f, r.inner, bad)
			if err != nil {
				return nil, err
			}
			// The schemas may differ in metadata: the first file's holds.
			if r.open, err = table.Concat(r.inner, []table.Reader{file}); err != nil {
				return nil, errors.Join(fmt.Errorf("%s has changed while it was being read: %w", path, err), file.Close())
			}
			r.next++
		}
		rec, err := r.open.Next(ctx)
		if err == nil && r.in.FileColumn != "" {
			return r.named(rec), nil
		}
		if err != io.EOF {
			return rec, err
		}
		if err := r.closeOpen(); err != nil {
			return nil, err
		}
	}
}

// named puts the open file's name in front of a batch that it takes over.
func (r *inputs) named(rec arrow.Record) arrow.Record {
	defer rec.Release()
	name := filepath.Base(r.in.Files[r.next-1])
	b := array.NewStringBuilder(memory.DefaultAllocator)
	defer b.Release()
	b.Reserve(int(rec.NumRows()))
	b.ReserveData(len(name) * int(rec.NumRows()))
	for range rec.NumRows() {
		b.Append(name)
	}
	names := b.NewArray()
	defer names.Release()
	return array.NewRecord(r.schema, append([]arrow.Array{names}, rec.Columns()...), rec.NumRows())
}

func (r *inputs) closeOpen() error {
	if r.open == nil {
		return nil
	}
	err := r.open.Close()
	r.open = nil
	return err
}

func (r *inputs) Close() error {
	r.next = len(r.in.Files)
	return r.closeOpen()
}

// open opens one file. schema is nil where only the file's own is asked for.
func (in Input) open(path string, f Format, schema *arrow.Schema, bad func(table.BadRow) error) (table.Reader, error) {
	name, packed := packing(path)
	switch {
	case f == Parquet && packed != "":
		return nil, fmt.Errorf("%s: a Parquet file is packed inside and cannot be read out of a %s file: unpack it", path, packed)
	case f == Parquet:
		return parquet.Open(path)
	case f == Arrow && packed == "":
		if isFile, err := isArrowFile(path); err != nil || isFile {
			return openArrow(path, err)
		}
	}
	u, err := unpack(path)
	if err != nil {
		return nil, err
	}
	var r table.Reader
	switch f {
	case JSONL, Text, TOML:
		var lines io.Reader
		if lines, err = asJSONL(f, path, u); err == nil {
			r, err = jsonl.NewReader(path, lines, schema, bad)
		}
	case CSV:
		r, err = csv.NewReader(path, u, schema, in.Options.csvFor(name), bad)
	case Arrow:
		r, err = arrowStream(path, u)
	default:
		_, err = Parse(string(f))
	}
	if err != nil {
		return nil, errors.Join(err, u.Close())
	}
	return &closing{r, u}, nil
}

func isArrowFile(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	head := make([]byte, 6)
	if _, err := io.ReadFull(f, head); err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return false, err
	}
	return string(head) == "ARROW1", nil
}

func openArrow(path string, err error) (table.Reader, error) {
	if err != nil {
		return nil, err
	}
	f, err := ipc.Open(path)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// arrowStream reads the stream format, and files out of packed ones: behind
// its mark a file is a stream.
func arrowStream(path string, r io.Reader) (table.Reader, error) {
	b := bufio.NewReaderSize(r, 1<<16)
	if head, err := b.Peek(8); err == nil && string(head[:6]) == "ARROW1" {
		_, _ = b.Discard(8) // it was just seen
	}
	s, err := ipc.NewStreamReader(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// closing is a reader with what lies below it.
type closing struct {
	table.Reader
	below io.Closer
}

func (c *closing) Close() error { return errors.Join(c.Reader.Close(), c.below.Close()) }

// text runs f over a file's unpacked bytes.
func (in Input) text(path string, f func(io.Reader) error) error {
	u, err := unpack(path)
	if err != nil {
		return err
	}
	return errors.Join(f(u), u.Close())
}

// unpack opens a file, and unpacks it by its name.
func unpack(path string) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	switch _, packed := packing(path); packed {
	case ".gz":
		z, err := gzip.NewReader(bufio.NewReaderSize(f, 1<<16))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
		}
		return &unpacked{z, f, path}, nil
	case ".zst":
		z, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(1<<30), zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
		}
		return &unpacked{z.IOReadCloser(), f, path}, nil
	}
	return f, nil
}

type unpacked struct {
	io.ReadCloser
	f    *os.File
	path string
}

func (u *unpacked) Read(b []byte) (int, error) {
	n, err := u.ReadCloser.Read(b)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("unpack %s: %w", u.path, err)
	}
	return n, err
}

func (u *unpacked) Close() error { return errors.Join(u.ReadCloser.Close(), u.f.Close()) }
