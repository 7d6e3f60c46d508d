package wasm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/seed-4012077a/flow/engine/internal/node"
)

// mapRun is one run of a map operator: pieces of batches are processed by
// several instances at a time, and written in the order in which they were read.
type mapRun struct {
	op      *op
	binding node.Binding
	job     node.Job
	log     *taskLog

	mu   sync.Mutex
	free []*instance // open, and running nothing

	// rows is how many rows the next call is given, see paced.
	rows atomic.Int64
}

// A table that was read from a file comes in large batches, whatever the
// batches it was made of: a few hundred rows, each a second's work, would be
// one batch and keep one processor busy. So calls are given as many rows as
// take about callTime: the first a single row, later ones at most
// callGrowth times as many as were timed. Cheap rows come to whole batches
// within a few calls. The ABI leaves to the host how rows are split.
const (
	callTime   = 20 * time.Millisecond
	callGrowth = 8
)

// paced notes how long a call took with its rows.
func (r *mapRun) paced(rows int64, took time.Duration) {
	if rows == 0 {
		return
	}
	next := rows * callGrowth
	if took > callTime/callGrowth {
		next = int64(float64(rows) * float64(callTime) / float64(took))
	}
	r.rows.Store(max(1, next))
}

// outcome is what became of one piece: the output batches by port.
type outcome struct {
	outputs [][]arrow.Record
	err     error
}

func (m *outcome) release() {
	for _, port := range m.outputs {
		for _, rec := range port {
			rec.Release()
		}
	}
}

func (o *op) runMap(ctx context.Context, b node.Binding, job node.Job, log *taskLog) error {
	r := &mapRun{op: o, binding: b, job: job, log: log}
	ctx, cancel := context.WithCancel(ctx)
	// The queue holds one channel for each piece in flight, in order, so its
	// size bounds memory.
	queue := make(chan chan outcome, max(1, job.Workers))
	var wg sync.WaitGroup
	go r.feed(ctx, queue, &wg)
	err := r.write(ctx, queue)
	cancel()
	for rest := range queue {
		m := <-rest
		m.release()
	}
	wg.Wait()
	for _, in := range r.free {
		o.plugin.pool.put(context.WithoutCancel(ctx), in)
	}
	return err
}

// feed reads the input and starts a goroutine for each piece of a batch. It
// closes the queue at the end of the input or after an error, which is the
// last entry.
func (r *mapRun) feed(ctx context.Context, queue chan<- chan outcome, wg *sync.WaitGroup) {
	defer close(queue)
	workers := make(chan struct{}, max(1, r.job.Workers))
	for n := 1; ; n++ {
		rec, err := r.job.Inputs[0].Next(ctx)
		if errors.Is(err, io.EOF) {
			return
		}
		if err == nil {
			err = r.split(ctx, n, rec, workers, queue, wg)
			rec.Release()
		}
		if err != nil {
			done := make(chan outcome, 1)
			done <- outcome{err: err}
			queue <- done
			return
		}
	}
}

// split starts a goroutine for each piece of batch n as a worker comes free.
func (r *mapRun) split(ctx context.Context, n int, rec arrow.Record, workers chan struct{}, queue chan<- chan outcome, wg *sync.WaitGroup) error {
	for from, first := int64(0), true; first || from < rec.NumRows(); first = false {
		select {
		case workers <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		to := min(from+max(1, r.rows.Load()), rec.NumRows())
		piece := rec.NewSlice(from, to)
		from = to
		done := make(chan outcome, 1)
		queue <- done
		wg.Add(1)
		go func() {
			defer wg.Done()
			m := r.batch(ctx, n, piece)
			piece.Release()
			<-workers
			done <- m
		}()
	}
	return nil
}

// batch processes a piece of batch n inside a slot.
func (r *mapRun) batch(ctx context.Context, n int, rec arrow.Record) (m outcome) {
	release, err := r.job.Slots.Acquire(ctx)
	if err != nil {
		return outcome{err: err}
	}
	defer release()
	in, err := r.instance(ctx)
	if err != nil {
		return outcome{err: err}
	}
	m.outputs = make([][]arrow.Record, len(r.op.spec.Outputs))
	began := time.Now()
	err = r.op.pieces(rec, func(piece arrow.Record) error {
		// A batch is a function of itself: whatever ran before in this
		// instance, it sees the same clock and the same random numbers.
		in.clock.reset()
		given := make([]bool, len(m.outputs))
		in.emit = func(port int, out arrow.Record) error {
			if given[port] {
				return lie("a second batch for output %s; a map operator gives one for each call", r.op.spec.Outputs[port].Name)
			}
			given[port] = true
			out.Retain()
			m.outputs[port] = append(m.outputs[port], out)
			return nil
		}
		return in.process(ctx, 0, piece)
	})
	in.emit = nil
	r.paced(rec.NumRows(), time.Since(began))
	if err != nil {
		in.dead = true
		m.err = r.op.error(fmt.Sprintf("process batch %d of input %s", n, r.op.spec.Inputs[0].Name), r.log, err)
	}
	if in.dead {
		r.op.plugin.pool.put(ctx, in) // which closes it
		return m
	}
	r.mu.Lock()
	r.free = append(r.free, in)
	r.mu.Unlock()
	return m
}

// instance returns one with the task open.
func (r *mapRun) instance(ctx context.Context) (*instance, error) {
	r.mu.Lock()
	if n := len(r.free); n > 0 {
		in := r.free[n-1]
		r.free = r.free[:n-1]
		r.mu.Unlock()
		return in, nil
	}
	r.mu.Unlock()
	in, err := r.op.start(ctx, r.binding, r.log, false)
	if err != nil {
		return nil, err
	}
	in.progress = r.job.Progress
	if err := r.op.sameSchemas(in, r.job); err != nil {
		r.op.plugin.pool.put(ctx, in)
		return nil, r.op.error("binding", r.log, err)
	}
	return in, nil
}

// write writes results in order. The first error in that order ends the run,
// so that the same fault gives the same error whatever ran beside it.
func (r *mapRun) write(ctx context.Context, queue <-chan chan outcome) error {
	for done := range queue {
		m := <-done
		if m.err != nil {
			m.release()
			return m.err
		}
		for port, recs := range m.outputs {
			for i, rec := range recs {
				if err := r.job.Outputs[port].Write(ctx, rec); err != nil {
					for _, left := range recs[i:] {
						left.Release()
					}
					m.outputs = m.outputs[port+1:]
					m.release()
					return err
				}
				rec.Release()
			}
		}
	}
	return ctx.Err()
}
