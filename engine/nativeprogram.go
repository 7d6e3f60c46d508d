package engine

import (
	"context"

	"github.com/seed-4012077a/flow/engine/internal/node"
	"github.com/seed-4012077a/flow/engine/internal/node/native"
	"github.com/seed-4012077a/flow/engine/internal/operator"
)

// foundNative is a native node's program in its folder.
func (c *catalog) foundNative(dir string, env []string) (*program, error) {
	n, err := native.Open(dir, native.Options{Env: env, Slow: c.e.cfg.Slow})
	if err != nil {
		return nil, err
	}
	p := &program{kind: "native", from: dir, identity: n.Identity()}
	p.load = func(context.Context) (loaded, error) { return nativeProgram{n}, nil }
	return p, nil
}

// nativeProgram is a program whose process starts with the first question.
type nativeProgram struct{ n *native.Program }

func (p nativeProgram) operator(ctx context.Context, name string) (node.Operator, error) {
	return p.n.Operator(ctx, name)
}

func (p nativeProgram) about(ctx context.Context) (operator.Plugin, error) {
	specs, err := p.n.Operators(ctx)
	m := p.n.Manifest()
	return operator.Plugin{ABI: 1, Name: m.Name, Version: m.Version, Operators: specs}, err
}

func (p nativeProgram) close() error { return p.n.Close() }
