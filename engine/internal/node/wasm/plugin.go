package wasm

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/tetratelabs/wazero"

	"github.com/seed-4012077a/flow/engine/internal/node"
	"github.com/seed-4012077a/flow/engine/internal/node/wasm/cdata"
	"github.com/seed-4012077a/flow/engine/internal/operator"
	"github.com/seed-4012077a/flow/sdk/abi"
)

// A Plugin is a compiled module with its operators. It is safe for concurrent
// use.
type Plugin struct {
	name     string
	identity string
	limits   Limits
	alloc    memory.Allocator
	runtime  wazero.Runtime
	module   wazero.CompiledModule
	hasNext  bool
	about    operator.Plugin

	pool     pool
	memories memories
	bound    bindings
}

// Name returns what the plugin was loaded as.
func (p *Plugin) Name() string { return p.name }

// Identity names the plugin's bytes, the ABI and the meter: two plugins of
// one identity give the same results.
func (p *Plugin) Identity() string { return p.identity }

// About returns the plugin's description.
func (p *Plugin) About() operator.Plugin { return p.about }

// Operator returns the operator of that name, or false.
func (p *Plugin) Operator(name string) (node.Operator, bool) {
	for _, s := range p.about.Operators {
		if s.Name == name {
			return &op{plugin: p, spec: s}, true
		}
	}
	return nil, false
}

// Close frees the plugin. Nothing may run in it any more.
func (p *Plugin) Close(ctx context.Context) error {
	p.pool.close(ctx)
	err := p.runtime.Close(ctx)
	p.memories.close()
	return err
}

// error makes err an *Error.
func (p *Plugin) error(operator, during string, log *taskLog, err error) error {
	var known *Error
	if errors.As(err, &known) {
		return err
	}
	e := &Error{Plugin: p.name, Operator: operator, During: during, Err: err, LastLines: log.last()}
	var c *crash
	var g *guestError
	var l *liesError
	switch {
	case errors.As(err, &c):
		e.Err, e.Stack, e.Next = c.err, c.stack, c.next
	case errors.As(err, &g):
		e.Parameter, e.Column, e.Stack = g.Parameter, g.Column, g.Stack
	case errors.As(err, &l):
		e.Next = "this is a fault of the plugin or its SDK"
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		e.LastLines = nil // the end came from outside
	}
	return e
}

func (p *Plugin) describe(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, p.limits.Plan, errPlanTime)
	defer cancel()
	in, err := newInstance(ctx, p)
	if err != nil {
		return err
	}
	_, data, size, err := in.ask(ctx, abi.ExportDescribe)
	if err == nil && size > operator.MaxDescribe {
		err = lie("a description of %d bytes; at most %d are read", size, operator.MaxDescribe)
	}
	var text []byte
	if err == nil {
		text, err = in.memory().At(data, int64(size))
	}
	if err == nil {
		p.about, err = operator.ParseDescribe(text)
	}
	if err == nil && p.about.ABI != abi.Version {
		err = fmt.Errorf("it describes version %d of the plugin ABI, and this flow speaks %d", p.about.ABI, abi.Version)
	}
	for _, s := range p.about.Operators {
		if err == nil && s.Kind == operator.Source && !p.hasNext {
			err = fmt.Errorf("operator %s is a source, but the plugin does not export %s", s.Name, abi.ExportNext)
		}
	}
	if err != nil {
		err = p.error("", "describing itself", in.log, err)
		in.close(ctx)
		return err
	}
	p.pool.put(ctx, in)
	return nil
}

// pool keeps instances that run nothing. The zero pool is empty.
type pool struct {
	mu     sync.Mutex
	idle   []*instance
	closed bool
}

// get returns an instance, a new one where none is idle. Where fresh is set it
// has run no task before.
func (p *Plugin) get(ctx context.Context, fresh bool) (*instance, error) {
	if in := p.pool.take(fresh); in != nil {
		in.used = true
		return in, nil
	}
	in, err := newInstance(ctx, p)
	if err != nil {
		return nil, err
	}
	in.used = true
	return in, nil
}

func (q *pool) take(fresh bool) *instance {
	q.mu.Lock()
	defer q.mu.Unlock()
	// From the end: the last one used is warmest.
	for i := len(q.idle) - 1; i >= 0; i-- {
		if in := q.idle[i]; !fresh || !in.used {
			q.idle = append(q.idle[:i], q.idle[i+1:]...)
			return in
		}
	}
	return nil
}

// put keeps an instance for later, or closes it where it is dead, has grown
// beyond the mark (a guest's memory never shrinks), or enough are kept.
func (q *pool) put(ctx context.Context, in *instance) {
	in.end(ctx)
	q.mu.Lock()
	keep := !q.closed && !in.dead && len(q.idle) < in.plugin.limits.Idle && int64(in.module.Memory().Size()) <= in.plugin.limits.Recycled
	if keep {
		q.idle = append(q.idle, in)
	}
	q.mu.Unlock()
	if !keep {
		in.close(ctx)
	}
}

func (q *pool) close(ctx context.Context) {
	q.mu.Lock()
	idle := q.idle
	q.idle, q.closed = nil, true
	q.mu.Unlock()
	for _, in := range idle {
		in.close(ctx)
	}
}

// bindings remembers what binding gave, since plans bind the same operator to
// the same things again and again. It forgets all when it is full.
type bindings struct {
	mu      sync.Mutex
	entries map[[sha256.Size]byte][]*arrow.Schema
}

const maxBindings = 4096

func (b *bindings) get(key [sha256.Size]byte) ([]*arrow.Schema, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, ok := b.entries[key]
	return s, ok
}

func (b *bindings) put(key [sha256.Size]byte, s []*arrow.Schema) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.entries == nil || len(b.entries) >= maxBindings {
		b.entries = map[[sha256.Size]byte][]*arrow.Schema{}
	}
	b.entries[key] = s
}

// bindingKey hashes all that binding depends on.
func bindingKey(name string, b node.Binding) [sha256.Size]byte {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %d", name, b.Params, b.Seed)
	for _, s := range b.Inputs {
		if s == nil {
			fmt.Fprint(h, " none")
			continue
		}
		// A schema as the guest sees it is all that it can depend on.
		var a cdata.Arena
		a.Schema(s)
		a = cdata.Arena{Dst: make([]byte, a.N)}
		a.Schema(s)
		fmt.Fprintf(h, " %d ", a.N)
		h.Write(a.Dst)
	}
	return [sha256.Size]byte(h.Sum(nil))
}
