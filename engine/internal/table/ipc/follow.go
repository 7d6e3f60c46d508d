package ipc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sort"

	"github.com/apache/arrow/go/v17/arrow"
)

// Follower reads a spool from its first row, while it grows. It is a
// table.Reader and a node.Filer. Its batches are as the rows stand: chunks
// read from the file, or the batches of the chunk that is being gathered.
type Follower struct {
	s      *Spool
	row    int64 // the next row to give
	dec    *decoder
	dicts  int // chunks whose dictionaries were read
	closed bool
}

// Follow returns a reader of the whole table, or nil where the spool was closed
// and its last follower gone: the file is closed then.
func (s *Spool) Follow() *Follower {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.holders == 0 {
		return nil
	}
	s.holders++
	return &Follower{s: s}
}

// Schema returns the table's schema.
func (f *Follower) Schema() *arrow.Schema { return f.s.schema }

// Next returns the next rows as soon as there are any.
func (f *Follower) Next(ctx context.Context) (arrow.Record, error) {
	if f.closed {
		return nil, errors.New("the follower is closed")
	}
	for {
		rec, from, wait, err := f.look()
		switch {
		case err != nil:
			return nil, err
		case rec != nil:
			return rec, nil
		case wait == nil:
			return f.chunk(from)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-wait:
		}
	}
}

// look finds the next rows: a pending batch's, or a written chunk's number;
// or else what to wait for.
func (f *Follower) look() (rec arrow.Record, number int, wait <-chan struct{}, err error) {
	s := f.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil && !(s.ended && s.art.Path != "") {
		return nil, 0, nil, s.err
	}
	i := sort.Search(len(s.chunks), func(i int) bool { return s.chunks[i].row+s.chunks[i].rows > f.row })
	if i < len(s.chunks) {
		return nil, i, nil, nil
	}
	j := sort.Search(len(s.pending), func(j int) bool { return s.pending[j].row+s.pending[j].rec.NumRows() > f.row })
	if j < len(s.pending) {
		p := s.pending[j]
		rec = p.rec.NewSlice(f.row-p.row, p.rec.NumRows())
		f.row = p.row + p.rec.NumRows()
		return rec, 0, nil, nil
	}
	if s.ended {
		return nil, 0, nil, io.EOF
	}
	return nil, 0, s.changed, nil
}

// chunk reads chunk number i and gives its rows from f.row on.
func (f *Follower) chunk(i int) (arrow.Record, error) {
	f.s.mu.Lock()
	chunks := f.s.chunks
	f.s.mu.Unlock()
	if err := f.prepare(); err != nil {
		return nil, err
	}
	// Dictionaries of chunks that were taken while they were pending.
	for ; f.dicts < i && len(f.dec.layout.dicts) > 0; f.dicts++ {
		if _, err := f.messages(chunks[f.dicts], false); err != nil {
			return nil, err
		}
	}
	rec, err := f.messages(chunks[i], true)
	if err != nil {
		return nil, err
	}
	f.dicts = i + 1
	c := chunks[i]
	if rec.NumRows() != c.rows {
		rec.Release()
		return nil, fmt.Errorf("%s: a batch of %d rows was written and %d were read", f.s.path, c.rows, rec.NumRows())
	}
	from := f.row - c.row
	f.row = c.row + c.rows
	if from == 0 {
		return rec, nil
	}
	defer rec.Release()
	return rec.NewSlice(from, c.rows), nil
}

// prepare reads the layout from the file's own schema message, which follows
// the mark.
func (f *Follower) prepare() error {
	if f.dec != nil {
		return nil
	}
	f.s.mu.Lock()
	src := source{f.s.file, f.s.chunks[0].to}
	f.s.mu.Unlock()
	h, _, _, done, err := src.message(int64(len(padded)), nil)
	if err == nil && (done || h.kind != msgSchema) {
		err = errFlat
	}
	if err != nil {
		return err
	}
	l, err := readLayout(h.tab)
	if err != nil {
		return err
	}
	l.schema = f.s.schema
	f.dec = newDecoder(l)
	return nil
}

// messages reads a chunk's messages: its dictionaries, and its batch if that
// is wanted.
func (f *Follower) messages(c chunk, batch bool) (rec arrow.Record, err error) {
	src := source{f.s.file, c.to}
	for at := c.from; at < c.to; {
		h, body, next, done, err := src.message(at, func(h header) bool { return batch || h.kind != msgBatch })
		switch {
		case err != nil:
			return nil, err
		case done:
			return nil, errFlat
		case h.kind == msgSchema: // stands before the first chunk
		case h.kind == msgDictionary:
			err = f.dec.dictionary(h, body)
		case h.kind == msgBatch && batch:
			rec, err = f.dec.batch(h, body)
		}
		if err != nil {
			return nil, err
		}
		at = next
	}
	if rec == nil && batch {
		return nil, errFlat
	}
	return rec, nil
}

// File waits until the table is finished and settled, and returns its path.
func (f *Follower) File(ctx context.Context) (string, error) {
	for {
		f.s.mu.Lock()
		path, err, wait := f.s.settled, f.s.err, f.s.changed
		f.s.mu.Unlock()
		if path != "" {
			return path, nil
		}
		if err != nil {
			return "", err
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-wait:
		}
	}
}

// Close lets go of the spool.
func (f *Follower) Close() error {
	if f.closed {
		return nil
	}
	f.closed = true
	return f.s.letGo()
}
