package wasm

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/seed-4012077a/flow/engine/internal/node/wasm/cdata"
	"github.com/seed-4012077a/flow/sdk/abi"
)

// instance is one running copy of a plugin. One goroutine uses it at a time.
type instance struct {
	plugin *Plugin
	module api.Module
	fns    map[string]api.Function
	alloc  memory.Allocator
	clock  pinned
	used   bool  // it has run a task
	dead   bool  // a call failed: it may be in any state
	fault  error // why a host function ended the call

	task
}

// task is what an instance runs now. Its fields are set by the runner.
type task struct {
	log      *taskLog
	schemas  []*arrow.Schema // of the outputs, once open
	emit     func(port int, rec arrow.Record) error
	progress func(done, total int64, text string)
}

const maxAnswer = 64 << 10 // bytes of an error's JSON

func newInstance(ctx context.Context, p *Plugin) (*instance, error) {
	in := &instance{plugin: p, alloc: p.alloc, fns: map[string]api.Function{}}
	in.clock.reset()
	in.log = newLog(nil, 0)
	mem, err := p.memories.get(p.limits.Memory)
	if err != nil {
		return nil, p.error("", "starting", in.log, fmt.Errorf("there is no address space for its memory: %w", err))
	}
	cfg := wazero.NewModuleConfig().WithName("").WithStartFunctions().
		WithStdout(stdout{in}).WithStderr(stdout{in}).
		WithWalltime(in.clock.walltime, 1).WithNanotime(in.clock.nanotime, 1).
		WithNanosleep(in.clock.sleep).WithRandSource(&in.clock)
	ctx = context.WithValue(ctx, instanceKey{}, in)
	ctx = experimental.WithMemoryAllocator(ctx, experimental.MemoryAllocatorFunc(func(_, _ uint64) experimental.LinearMemory { return mem }))
	in.module, err = p.runtime.InstantiateModule(ctx, p.module, cfg)
	if err != nil {
		mem.Free()
		return nil, p.error("", "starting", in.log, err)
	}
	for name := range exports {
		in.fns[name] = in.module.ExportedFunction(name)
	}
	in.fns[abi.ExportNext] = in.module.ExportedFunction(abi.ExportNext)
	if _, err := in.call(ctx, abi.ExportInitialize); err != nil {
		err = p.error("", "starting", in.log, err)
		in.close(ctx)
		return nil, err
	}
	version, err := in.call(ctx, abi.ExportVersion)
	if err == nil && version != abi.Version {
		err = fmt.Errorf("it speaks version %d of the plugin ABI, and this flow speaks %d: build it with the SDK of this flow", version, abi.Version)
	}
	if err != nil {
		in.close(ctx)
		return nil, p.error("", "starting", in.log, err)
	}
	return in, nil
}

// stdout passes what an instance prints to the log of its task.
type stdout struct{ in *instance }

func (s stdout) Write(p []byte) (int, error) { return s.in.log.Write(p) }

func (in *instance) close(ctx context.Context) {
	in.dead = true
	_ = in.module.Close(context.WithoutCancel(ctx))
}

// memory is all of the guest's memory as it is now: growth makes another.
func (in *instance) memory() cdata.Memory {
	mem := in.module.Memory()
	all, _ := mem.Read(0, mem.Size())
	return cdata.Memory(all)
}

// call enters the guest. The result is the function's, or 0.
func (in *instance) call(ctx context.Context, name string, args ...uint64) (uint32, error) {
	if in.dead {
		return 0, errors.New("it is used after a failure") // a fault of this package
	}
	if err := ctx.Err(); err != nil {
		return 0, context.Cause(ctx)
	}
	results, err := in.fns[name].Call(context.WithValue(ctx, instanceKey{}, in), args...)
	if err != nil {
		in.dead = true
		if in.fault != nil {
			return 0, in.fault
		}
		stack, next, cause := trapped(ctx, err, int64(in.module.Memory().Size()), in.plugin.limits.Memory)
		return 0, &crash{err: cause, stack: stack, next: next}
	}
	if len(results) == 0 {
		return 0, nil
	}
	return uint32(results[0]), nil
}

// crash is a call that did not return.
type crash struct {
	err         error
	stack, next string
}

func (c *crash) Error() string { return c.err.Error() }
func (c *crash) Unwrap() error { return c.err }

// ask calls a function that answers with a Result.
func (in *instance) ask(ctx context.Context, name string, args ...uint64) (status, data, size uint32, err error) {
	at, err := in.call(ctx, name, args...)
	if err != nil {
		return 0, 0, 0, err
	}
	b, err := in.memory().At(at, abi.ResultSize)
	if err == nil && at == 0 {
		err = errors.New("it is at address 0")
	}
	if err != nil {
		return 0, 0, 0, in.lied("the result of %s: %w", name, err)
	}
	u32 := func(at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }
	status, data, size = u32(abi.ResultStatus), u32(abi.ResultData), u32(abi.ResultBytes)
	switch {
	case status == abi.StatusOK, status == abi.StatusMore && name == abi.ExportNext:
		return status, data, size, nil
	case status == abi.StatusError:
		return 0, 0, 0, in.guestError(data, size)
	}
	return 0, 0, 0, in.lied("the result of %s has status %d", name, status)
}

func (in *instance) lied(format string, args ...any) error {
	in.dead = true
	return lie(format, args...)
}

// guestError reads the error object of an answer. Binding may fail and leave
// the instance good; the caller decides.
func (in *instance) guestError(data, size uint32) error {
	if size > maxAnswer {
		return in.lied("an error of %d bytes; at most %d are read", size, maxAnswer)
	}
	b, err := in.memory().At(data, int64(size))
	if err != nil {
		return in.lied("an error: %w", err)
	}
	g := &guestError{}
	if err := json.Unmarshal(b, g); err != nil || g.Message == "" {
		return in.lied("an error that is not an object with a message: %.80q", b)
	}
	return g
}

// arena has the guest make an arena of size bytes and returns it.
func (in *instance) arena(ctx context.Context, size int) (cdata.Arena, error) {
	if int64(size) > in.plugin.limits.Memory {
		return cdata.Arena{}, fmt.Errorf("%d MiB of input do not fit into its memory of %d MiB: raise the plugin's memory limit", size>>20, in.plugin.limits.Memory>>20)
	}
	at, err := in.call(ctx, abi.ExportArena, uint64(size))
	if err != nil {
		return cdata.Arena{}, err
	}
	if at == 0 {
		in.dead = true
		return cdata.Arena{}, fmt.Errorf("%w for %d bytes of input", errMemory, size)
	}
	b, err := in.memory().At(at, int64(size))
	if err == nil && at%abi.Alignment != 0 {
		err = fmt.Errorf("address %#x is no multiple of %d", at, abi.Alignment)
	}
	if err != nil {
		return cdata.Arena{}, in.lied("an arena: %w", err)
	}
	return cdata.Arena{Dst: b, Base: at}, nil
}

// open starts a task and returns its outputs' schemas.
func (in *instance) open(ctx context.Context, operator string, params []byte, seed uint64, inputs []*arrow.Schema, outputs int) error {
	in.clock.reset()
	var request uint32
	write := func(a *cdata.Arena) {
		request = a.Reserve(abi.OpenSize, 8)
		list := a.Reserve(4*len(inputs), 8)
		a.Put64(request+abi.OpenSeed, int64(seed))
		a.Put32(request+abi.OpenOperator, a.Bytes(operator))
		a.Put32(request+abi.OpenOperatorLength, uint32(len(operator)))
		a.Put32(request+abi.OpenParams, a.Bytes(string(params)))
		a.Put32(request+abi.OpenParamsLength, uint32(len(params)))
		a.Put32(request+abi.OpenInputCount, uint32(len(inputs)))
		a.Put32(request+abi.OpenInputs, list)
		for i, s := range inputs {
			if s != nil {
				a.Put32(list+uint32(4*i), a.Schema(s))
			}
		}
	}
	var measure cdata.Arena
	write(&measure)
	a, err := in.arena(ctx, measure.N)
	if err != nil {
		return err
	}
	write(&a)
	_, data, n, err := in.ask(ctx, abi.ExportOpen, uint64(request))
	if err != nil {
		return err
	}
	if int(n) != outputs {
		return in.lied("flow_open gave %d schemas for %d outputs", n, outputs)
	}
	in.schemas = make([]*arrow.Schema, outputs)
	m := in.memory()
	for i := range in.schemas {
		at, err := m.U32(data + uint32(4*i))
		if err == nil {
			in.schemas[i], err = cdata.ReadSchema(m, at)
		}
		if err != nil {
			return in.lied("the schema of output %d: %w", i, err)
		}
	}
	return nil
}

// process gives the task a batch.
func (in *instance) process(ctx context.Context, port int, rec arrow.Record) error {
	a, err := in.arena(ctx, cdata.Measure(rec))
	if err != nil {
		return err
	}
	at := a.Batch(rec)
	_, _, _, err = in.ask(ctx, abi.ExportProcess, uint64(port), uint64(at))
	return err
}

// end ends the task; the instance can then run another one.
func (in *instance) end(ctx context.Context) {
	if !in.dead {
		if _, err := in.call(context.WithoutCancel(ctx), abi.ExportClose); err != nil {
			in.dead = true
		}
	}
	in.task = task{log: newLog(nil, 0)}
}

func (in *instance) hostLog(level, at, size uint32) {
	b, err := in.memory().At(at, int64(size))
	if err != nil {
		in.stop(lie("a log line: %w", err))
	}
	in.log.line(level, b[:min(len(b), maxAnswer)])
}

func (in *instance) hostProgress(done, total int64, at, size uint32) {
	b, err := in.memory().At(at, int64(size))
	if err != nil {
		in.stop(lie("a text of progress: %w", err))
	}
	if in.progress == nil || done < 0 || total < 0 {
		return
	}
	text := strings.Map(func(r rune) rune {
		if r < ' ' || r == utf8.RuneError {
			return -1
		}
		return r
	}, string(b[:min(len(b), 200)]))
	in.progress(done, total, text)
}

func (in *instance) hostEmit(port, at uint32) {
	if in.emit == nil || int(port) >= len(in.schemas) {
		in.stop(lie("a batch for output %d, which it must not give now", port))
	}
	rec, err := cdata.ReadBatch(in.memory(), at, in.schemas[port], in.plugin.limits.batch(), in.alloc)
	if err != nil {
		in.stop(lie("output %d: %w", port, err))
	}
	err = in.emit(int(port), rec)
	rec.Release()
	if err != nil {
		in.stop(err)
	}
}

// stop ends the call from within a host function. wazero turns the panic into
// an error of the call.
func (in *instance) stop(err error) {
	in.fault = err
	panic(err)
}
