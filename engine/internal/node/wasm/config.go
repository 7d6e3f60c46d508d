package wasm

import (
	"time"

	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/seed-4012077a/flow/engine/internal/node/wasm/cdata"
	"github.com/seed-4012077a/flow/engine/internal/node/wasm/meter"
	"github.com/seed-4012077a/flow/sdk/abi"
)

// Config is what a Host needs to know.
type Config struct {
	// CacheDir is where compiled code is kept between runs, or "" for
	// nowhere. It is made with mode 0700, and refused where others than its
	// owner may write to it: who writes there runs code as this user.
	CacheDir string

	// Limits bound each plugin and instance; zero fields take the values of
	// DefaultLimits.
	Limits Limits

	// Allocator makes the buffers of the batches that come out of guests.
	// nil is one of the host's own, which uses a buffer again once its last
	// reference is released: what is read of it after that, a string that
	// points into it too, is another batch's.
	Allocator memory.Allocator
}

// Limits bound what one plugin, instance or batch may cost.
type Limits struct {
	Module   int           // bytes of a module
	Memory   int64         // bytes of an instance's memory
	Input    int64         // bytes of a batch on its way in; larger ones are split
	Output   int64         // bytes of a batch on its way out
	Rows     int64         // rows of a batch on its way out
	Log      int64         // bytes of a task's log
	Plan     time.Duration // a call that describes or binds
	Idle     int           // instances kept for later
	Recycled int64         // an instance with more bytes of memory is not kept
}

// DefaultLimits returns the limits for a workstation.
func DefaultLimits() Limits {
	return Limits{
		Module:   64 << 20,
		Memory:   1 << 30,
		Input:    32 << 20,
		Output:   512 << 20,
		Rows:     16 << 20,
		Log:      1 << 20,
		Plan:     30 * time.Second,
		Idle:     8,
		Recycled: 128 << 20,
	}
}

func (l Limits) filled() Limits {
	d := DefaultLimits()
	def(&l.Module, d.Module)
	def(&l.Memory, d.Memory)
	def(&l.Input, d.Input)
	def(&l.Output, d.Output)
	def(&l.Rows, d.Rows)
	def(&l.Log, d.Log)
	def(&l.Plan, d.Plan)
	def(&l.Idle, d.Idle)
	def(&l.Recycled, d.Recycled)
	// Linear memory ends at 4 GiB.
	l.Memory = min(l.Memory, 1<<32) &^ (wasmPage - 1)
	return l
}

func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

const wasmPage = 64 << 10

func (l Limits) module() meter.Limits {
	return meter.Limits{
		Bytes: l.Module, Functions: 1 << 17, Globals: 1 << 12, Tables: 16, TableEntries: 1 << 20,
		MemoryPages: uint32(l.Memory / wasmPage),
	}
}

func (l Limits) batch() cdata.Limits { return cdata.Limits{Rows: l.Rows, Bytes: l.Output} }

// Version names everything in this package and in the ABI that decides what
// bytes a plugin's operators give: it belongs into cache keys beside the
// plugin's own hash.
const Version = abi.Version<<16 | meter.Version
