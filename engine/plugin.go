package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/seed-4012077a/flow/engine/internal/node"
	"github.com/seed-4012077a/flow/engine/internal/node/wasm"
	"github.com/seed-4012077a/flow/engine/internal/operator"
	"github.com/seed-4012077a/flow/engine/internal/pipeline"
	"github.com/seed-4012077a/flow/engine/internal/plan"
)

// foundPlugin is a sandboxed plugin's program.
func (c *catalog) foundPlugin(name, place string, read func() ([]byte, error)) (*program, error) {
	code, err := read()
	if err != nil {
		return nil, err
	}
	p := &program{kind: "plugin", from: place, identity: []string{"plugin " + wasm.Identity(code)}}
	p.load = func(ctx context.Context) (loaded, error) {
		host, err := c.host(ctx)
		if err != nil {
			return nil, err
		}
		plugin, err := host.Load(ctx, code, name)
		if err != nil {
			return nil, err
		}
		return wasmProgram{plugin}, nil
	}
	return p, nil
}

// host opens the sandbox on first use.
func (c *catalog) host(ctx context.Context) (*wasm.Host, error) {
	c.hostMu.Lock()
	defer c.hostMu.Unlock()
	if c.wasm != nil {
		return c.wasm, nil
	}
	host, err := wasm.Open(ctx, wasm.Config{CacheDir: c.e.cfg.CodeCache})
	if c.e.cfg.CodeCache == "" || err != nil {
		host, err = c.hostInWorkspace(ctx, err)
	}
	if err != nil {
		return nil, err
	}
	c.wasm = host
	return host, nil
}

// hostInWorkspace keeps compiled code in the workspace; where that cannot be
// either, nowhere. why says why it is not kept for all workspaces: a home that
// is read-only or another user's must not keep anybody from a run.
func (c *catalog) hostInWorkspace(ctx context.Context, why error) (*wasm.Host, error) {
	dir, err := c.e.folder("code")
	if err == nil {
		var host *wasm.Host
		if host, err = wasm.Open(ctx, wasm.Config{CacheDir: dir}); err == nil {
			return host, nil
		}
	}
	if why == nil {
		why = err
	}
	c.e.cfg.Notice(fmt.Errorf("compiled plugins cannot be kept, so each run compiles them: %w", why))
	return wasm.Open(ctx, wasm.Config{})
}

type wasmProgram struct{ p *wasm.Plugin }

func (w wasmProgram) operator(_ context.Context, name string) (node.Operator, error) {
	if o, ok := w.p.Operator(name); ok {
		return o, nil
	}
	return nil, fmt.Errorf("plugin %s has no operator %q", w.p.Name(), name)
}

func (w wasmProgram) about(context.Context) (operator.Plugin, error) { return w.p.About(), nil }

func (w wasmProgram) close() error { return w.p.Close(context.Background()) }

// suggest adds the next step to an error of a name that is not known.
func (c *catalog) suggest(err error, name string) error {
	if !errors.Is(err, plan.ErrUnknownOperator) || isPath(name) {
		return err
	}
	names := c.found()
	for own := range c.own {
		names = append(names, own)
	}
	return fmt.Errorf("%w; %s", err, nearOrAll(name, names, "there are "))
}

// nearOrAll is a did-you-mean, or else the list of valid names.
func nearOrAll(got string, names []string, intro string) string {
	if near := pipeline.Nearest(got, names); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return intro + strings.Join(names, ", ")
}
