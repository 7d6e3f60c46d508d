package ipc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

var followSchema = arrow.NewSchema([]arrow.Field{
	{Name: "id", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "kind", Type: &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}, Nullable: true},
}, nil)

// kindOf is the text of row id.
func kindOf(id int64) string { return fmt.Sprint("kind ", id%97, " of ", id/40_000) }

func batchOf(t testing.TB, from, n int64) arrow.Record {
	b := array.NewRecordBuilder(memory.DefaultAllocator, followSchema)
	defer b.Release()
	for id := from; id < from+n; id++ {
		b.Field(0).(*array.Int64Builder).Append(id)
		if err := b.Field(1).(*array.BinaryDictionaryBuilder).AppendString(kindOf(id)); err != nil {
			t.Error(err)
		}
	}
	return b.NewRecord()
}

// check follows a table to its end and checks every row; it returns how many
// rows there were.
func check(ctx context.Context, f *Follower, pause func()) (int64, error) {
	next := int64(0)
	for {
		rec, err := f.Next(ctx)
		if err != nil {
			return next, err
		}
		ids := rec.Column(0).(*array.Int64)
		kinds := rec.Column(1).(*array.Dictionary)
		for i := range ids.Len() {
			kind := kinds.Dictionary().(*array.String).Value(kinds.GetValueIndex(i))
			if ids.Value(i) != next || kind != kindOf(next) {
				return next, fmt.Errorf("row %d is %d, %q", next, ids.Value(i), kind)
			}
			next++
		}
		rec.Release()
		pause()
	}
}

// TestFollowers lets many followers, early and late, fast and slow, read a
// table while it is written in batches of all sizes.
func TestFollowers(t *testing.T) {
	const total = 200_000
	s, err := NewSpool(filepath.Join(t.TempDir(), "x.arrow"), followSchema, Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	var wg sync.WaitGroup
	follow := func(pause func()) {
		f := s.Follow()
		wg.Go(func() {
			if n, err := check(ctx, f, pause); !errors.Is(err, io.EOF) || n != total {
				t.Errorf("a follower ended after %d rows: %v", n, err)
			}
			if path, err := f.File(ctx); err != nil || path != "settled" {
				t.Errorf("the finished file: %q, %v", path, err)
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	slow := func() { time.Sleep(time.Duration(rand.IntN(3)) * time.Millisecond) }
	for range 3 {
		follow(runtime.Gosched)
		follow(slow)
	}
	r := rand.New(rand.NewPCG(3, 4))
	for at := int64(0); at < total; {
		n := min([]int64{1, 1, 3, 200, 5000, 70_000}[r.IntN(6)], total-at)
		rec := batchOf(t, at, n)
		if err := s.Write(ctx, rec); err != nil {
			t.Fatal(err)
		}
		rec.Release()
		if at < total/2 && at+n >= total/2 {
			follow(runtime.Gosched)
		}
		at += n
	}
	art, err := s.Finish(ctx)
	if err != nil || art.Rows != total {
		t.Fatalf("%+v, %v", art, err)
	}
	follow(runtime.Gosched)
	s.Settle("settled")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if art.Sum != spoolOnce(t, total).Sum {
		t.Error("the way the rows came changed the bytes")
	}
}

func spoolOnce(t testing.TB, total int64) Artifact {
	t.Helper()
	s, err := NewSpool(filepath.Join(t.TempDir(), "y.arrow"), followSchema, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	rec := batchOf(t, 0, total)
	defer rec.Release()
	if err := s.Write(context.Background(), rec); err != nil {
		t.Fatal(err)
	}
	art, err := s.Finish(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return art
}

// TestRowsAreSeenAtOnce: a follower gets a row before the chunk it belongs to
// is written, and single rows do not pile up as single batches.
func TestRowsAreSeenAtOnce(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := NewSpool(filepath.Join(t.TempDir(), "x.arrow"), followSchema, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	f := s.Follow()
	defer f.Close()
	for id := range int64(5_000) {
		rec := batchOf(t, id, 1)
		if err := s.Write(ctx, rec); err != nil {
			t.Fatal(err)
		}
		rec.Release()
		if id < 100 {
			got, err := f.Next(ctx)
			if err != nil || got.NumRows() != 1 || got.Column(0).(*array.Int64).Value(0) != id {
				t.Fatalf("row %d: %v, %v", id, got, err)
			}
			got.Release()
		}
	}
	if n := len(s.pending); n > 3*mergeAt {
		t.Errorf("%d batches are pending for 5,000 rows", n)
	}
	late := s.Follow()
	defer late.Close()
	short, stop := context.WithTimeout(ctx, 50*time.Millisecond)
	defer stop()
	if n, err := check(short, late, runtime.Gosched); n != 5_000 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a late follower saw %d rows, %v", n, err)
	}
}

// A spool may be closed between a user's asking for it and following it.
func TestFollowClosed(t *testing.T) {
	s, err := NewSpool(filepath.Join(t.TempDir(), "x.arrow"), followSchema, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Finish(context.Background()); err != nil {
		t.Fatal(err)
	}
	f := s.Follow()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	late := s.Follow() // the other one still holds the file
	if late == nil {
		t.Fatal("a spool with a follower cannot be followed")
	}
	for _, each := range []*Follower{f, late} {
		if err := each.Close(); err != nil {
			t.Error(err)
		}
	}
	if s.Follow() != nil {
		t.Error("a follower of a closed file")
	}
}

func TestAbort(t *testing.T) {
	ctx := context.Background()
	boom := errors.New("boom")
	s, err := NewSpool(filepath.Join(t.TempDir(), "x.arrow"), followSchema, Options{})
	if err != nil {
		t.Fatal(err)
	}
	f, waiting := s.Follow(), s.Follow()
	rec := batchOf(t, 0, 10)
	defer rec.Release()
	if err := s.Write(ctx, rec); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := check(ctx, f, runtime.Gosched); !errors.Is(err, boom) {
			t.Errorf("a follower got %v", err)
		}
	})
	wg.Go(func() {
		if _, err := waiting.File(ctx); !errors.Is(err, boom) {
			t.Errorf("who waits for the file got %v", err)
		}
	})
	time.Sleep(10 * time.Millisecond)
	s.Abort(boom)
	wg.Wait()
	if err := s.Write(ctx, rec); !errors.Is(err, boom) {
		t.Errorf("a later write: %v", err)
	}
	if _, err := s.Finish(ctx); !errors.Is(err, boom) {
		t.Errorf("a later finish: %v", err)
	}
	for _, c := range []io.Closer{f, waiting, s} {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestWrongColumns(t *testing.T) {
	s, err := NewSpool(filepath.Join(t.TempDir(), "x.arrow"), followSchema, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	other := array.NewRecord(arrow.NewSchema([]arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64}}, nil), []arrow.Array{array.NewInt64Builder(memory.DefaultAllocator).NewArray()}, 0)
	if err := s.Write(context.Background(), other); err == nil {
		t.Error("a batch of other columns was taken")
	}
	union := arrow.DenseUnionOf([]arrow.Field{{Name: "a", Type: arrow.PrimitiveTypes.Int64}}, []arrow.UnionTypeCode{0})
	if _, err := NewSpool(filepath.Join(t.TempDir(), "z"), arrow.NewSchema([]arrow.Field{{Name: "u", Type: union}}, nil), Options{}); err == nil {
		t.Error("a union was taken")
	}
}
