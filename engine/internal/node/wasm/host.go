package wasm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"

	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/seed-4012077a/flow/engine/internal/node/wasm/meter"
	"github.com/seed-4012077a/flow/sdk/abi"
)

// A Host loads plugins. It is safe for concurrent use.
type Host struct {
	limits Limits
	alloc  memory.Allocator
	cache  *codeCache // nil: none
}

// Open checks cfg and returns a host. It holds nothing that needs closing:
// plugins do.
func Open(_ context.Context, cfg Config) (*Host, error) {
	h := &Host{limits: cfg.Limits.filled(), alloc: cfg.Allocator}
	if h.alloc == nil {
		h.alloc = new(buffers)
	}
	if cfg.CacheDir != "" {
		c, err := openCodeCache(cfg.CacheDir)
		if err != nil {
			return nil, err
		}
		h.cache = c
	}
	return h, nil
}

// Identity is what names a plugin's bytes and the rules they run under, for
// cache keys.
func Identity(wasm []byte) string {
	return fmt.Sprintf("sha256:%x abi %d meter %d", sha256.Sum256(wasm), abi.Version, meter.Version)
}

// Load checks, meters and compiles a module, and asks it for its operators.
// name is for messages, for example the file's path. Close the plugin when
// nothing runs in it any more.
func (h *Host) Load(ctx context.Context, wasm []byte, name string) (*Plugin, error) {
	fail := func(err error, next string) (*Plugin, error) {
		var known *Error
		if errors.As(err, &known) {
			return nil, err
		}
		return nil, &Error{Plugin: name, During: "loading", Err: err, Next: next}
	}
	metered, info, err := meter.Rewrite(wasm, h.limits.module())
	if err != nil {
		return fail(err, "")
	}
	if err := checkImports(info); err != nil {
		return fail(err, "")
	}
	if err := checkExports(info); err != nil {
		return fail(err, "")
	}
	p := &Plugin{name: name, identity: Identity(wasm), limits: h.limits, alloc: h.alloc, hasNext: info.Exports[abi.ExportNext].Kind == "func"}
	if err := h.compile(ctx, p, wasm, metered); err != nil {
		return fail(err, "")
	}
	if err := p.describe(ctx); err != nil {
		_ = p.Close(context.WithoutCancel(ctx))
		return fail(err, "")
	}
	return p, nil
}

// compile makes a runtime of the plugin's own: its compiled code then has a
// folder of its own, and closing the one closes all of the other.
func (h *Host) compile(ctx context.Context, p *Plugin, wasm, metered []byte) error {
	build := func(cache wazero.CompilationCache) error {
		cfg := wazero.NewRuntimeConfig().WithCoreFeatures(api.CoreFeaturesV2).WithCompilationCache(cache)
		ctx := experimental.WithCompilationWorkers(ctx, runtime.GOMAXPROCS(0))
		p.runtime = wazero.NewRuntimeWithConfig(ctx, cfg)
		_, err := wasi_snapshot_preview1.Instantiate(ctx, p.runtime)
		if err == nil {
			err = exportHost(ctx, p.runtime)
		}
		if err == nil {
			p.module, err = p.runtime.CompileModule(ctx, metered)
		}
		if err != nil {
			_ = p.runtime.Close(context.WithoutCancel(ctx))
		}
		return err
	}
	if h.cache == nil {
		return build(wazero.NewCompilationCache())
	}
	// The folder's name holds all that decides the code but wazero's version
	// and the processor's kind, which wazero puts into its own file names.
	sum := sha256.Sum256(fmt.Appendf(nil, "%x %d %d", sha256.Sum256(wasm), abi.Version, meter.Version))
	return h.cache.with(hex.EncodeToString(sum[:]), build)
}

// instanceKey is the context key under which a call carries its *instance.
type instanceKey struct{}

func exportHost(ctx context.Context, r wazero.Runtime) error {
	i32, i64 := api.ValueTypeI32, api.ValueTypeI64
	b := r.NewHostModuleBuilder(abi.ImportModule)
	export := func(name string, params []api.ValueType, f func(ctx context.Context, in *instance, stack []uint64)) {
		b.NewFunctionBuilder().WithGoFunction(api.GoFunc(func(ctx context.Context, stack []uint64) {
			in, ok := ctx.Value(instanceKey{}).(*instance)
			if !ok {
				panic(errors.New("a plugin was called without its instance")) // a fault of this package
			}
			f(ctx, in, stack)
		}), params, nil).WithName(name).Export(name)
	}
	export(abi.ImportTick, nil, func(ctx context.Context, _ *instance, _ []uint64) {
		if err := ctx.Err(); err != nil {
			panic(err)
		}
	})
	export(abi.ImportLog, []api.ValueType{i32, i32, i32}, func(_ context.Context, in *instance, stack []uint64) {
		in.hostLog(uint32(stack[0]), uint32(stack[1]), uint32(stack[2]))
	})
	export(abi.ImportProgress, []api.ValueType{i64, i64, i32, i32}, func(_ context.Context, in *instance, stack []uint64) {
		in.hostProgress(int64(stack[0]), int64(stack[1]), uint32(stack[2]), uint32(stack[3]))
	})
	export(abi.ImportEmit, []api.ValueType{i32, i32}, func(ctx context.Context, in *instance, stack []uint64) {
		if err := ctx.Err(); err != nil {
			panic(err)
		}
		in.hostEmit(uint32(stack[0]), uint32(stack[1]))
	})
	exportNumeric(export)
	_, err := b.Instantiate(ctx)
	return err
}
