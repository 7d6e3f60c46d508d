// Package node is the contract between the engine and everything that can
// run: sandboxed plugins (node/wasm), native processes (node/native), chat
// models (node/llm), files (node/file) and Go functions.
//
// An Operator describes itself, binds to its inputs' schemas and parameters,
// and runs. It is a pure function of its inputs, parameters and seed: the same
// Binding over the same tables gives the same bytes.
package node

import (
	"context"
	"encoding/json"
	"io"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/seed-4012077a/flow/engine/internal/operator"
	"github.com/seed-4012077a/flow/engine/internal/table"
)

// Operator is one thing that can run. Its methods may be called from several
// goroutines at once.
type Operator interface {
	// Spec returns the operator's description.
	Spec() operator.Spec

	// Bind checks parameters and input schemas and returns the schema of each
	// output port, in the order of Spec().Outputs. It has no side effects.
	Bind(ctx context.Context, b Binding) ([]*arrow.Schema, error)

	// Run reads the inputs to their end and writes the outputs. An error
	// means that nothing written counts.
	Run(ctx context.Context, b Binding, job Job) error
}

// Binding is an operator applied: what Bind checks and Run runs.
type Binding struct {
	Params json.RawMessage // an object that satisfies Spec().Params; never nil
	Seed   uint64
	Inputs []*arrow.Schema // by port; nil where an optional port is not connected
}

// Job is one run's surroundings. The engine owns all of it.
type Job struct {
	Inputs  []table.Reader // by port; nil where not connected; closed by the engine
	Outputs []table.Writer // by port, with the schemas that Bind returned

	// Log takes the node's own lines. It is safe for concurrent use and
	// bounded by the engine.
	Log io.Writer

	// Progress tells how far the run is, where that differs from rows read:
	// done of total units (total 0: unknown), with a short text. Safe for
	// concurrent use.
	Progress func(done, total int64, text string)

	// Slots meters processor time. A Map operator acquires a slot around
	// each batch; a Table or Source operator runs inside one that the engine
	// holds for it and must not ask for more.
	Slots Slots

	// Workers is how many batches or threads this run may use at once.
	Workers int

	// Scratch is a folder that is the run's alone while it goes on. It outlives
	// a crash or a cancellation and is removed on success: checkpoints go there.
	Scratch string
}

// Slots hands out processor slots.
type Slots interface {
	// Acquire waits for a slot. The returned function gives it back.
	Acquire(ctx context.Context) (release func(), err error)
}

// A Filer is a table.Reader whose table already stands in one file in the
// Arrow IPC file format: native nodes take the path instead of the batches.
type Filer interface {
	// File returns the path of the whole table's verified Arrow IPC file.
	// It waits for a table that is still being written.
	File(ctx context.Context) (path string, err error)
}
