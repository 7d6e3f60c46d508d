package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/seed-4012077a/flow/engine/internal/node"
	"github.com/seed-4012077a/flow/engine/internal/node/llm"
	"github.com/seed-4012077a/flow/engine/internal/node/native"
	"github.com/seed-4012077a/flow/engine/internal/node/wasm"
	"github.com/seed-4012077a/flow/engine/internal/operator"
	"github.com/seed-4012077a/flow/engine/internal/pipeline"
	"github.com/seed-4012077a/flow/engine/internal/plan"
)

// catalog finds operators: the engine's own by a bare name, those of plugins
// and native nodes by "name#operator" or "path#operator". What it found it
// keeps until it is closed.
type catalog struct {
	e *Engine

	own     map[string]node.Operator
	chat    *llm.Chat
	replies workspaceReplies

	hostMu sync.Mutex
	wasm   *wasm.Host

	mu       sync.Mutex
	programs map[string]*program // by place, and environment for native ones
}

// program is a plugin or native node that was found. It is loaded or started
// when something is asked of it that the memo does not know.
type program struct {
	kind     string // "plugin" or "native"
	from     string // where it was found
	identity []string
	info     operator.Plugin // once it was described
	known    bool            // info is set
	load     func(ctx context.Context) (loaded, error)

	mu   sync.Mutex
	live loaded // nil: not loaded
}

// loaded is a program that can run.
type loaded interface {
	operator(ctx context.Context, name string) (node.Operator, error)
	about(ctx context.Context) (operator.Plugin, error)
	close() error
}

// running returns the loaded program.
func (p *program) running(ctx context.Context) (loaded, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.live != nil {
		return p.live, nil
	}
	live, err := p.load(ctx)
	if err != nil {
		return nil, err
	}
	p.live = live
	return live, nil
}

func (p *program) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.live == nil {
		return nil
	}
	return p.live.close()
}

// bound is an operator with what stands for its code: a plan.Operator.
type bound struct {
	e        *Engine
	spec     operator.Spec
	identity []string
	own      node.Operator // one of flow's; nil for a program's
	program  *program
	seen     *witnesses // notes what a plan depends on; nil outside planning
}

// Spec implements plan.Operator.
func (b bound) Spec() operator.Spec { return b.spec }

// Identity implements plan.Operator.
func (b bound) Identity() []string { return b.identity }

// streams reports whether the operator reads a table while it is being made.
func (b bound) streams() bool { return b.own != nil || b.program.kind == "plugin" }

// resumes reports whether the operator may keep checkpoints.
func (b bound) resumes() bool { return b.own == nil && b.program.kind != "plugin" }

// operator returns the operator itself, and loads its program for that.
func (b bound) operator(ctx context.Context) (node.Operator, error) {
	if b.own != nil {
		return b.own, nil
	}
	live, err := b.program.running(ctx)
	if err != nil {
		return nil, err
	}
	return live.operator(ctx, b.spec.Name)
}

// Bind implements plan.Operator. What a binding gave is remembered: it is a
// function of the program, the parameters, the seed and the inputs.
func (b bound) Bind(ctx context.Context, params json.RawMessage, seed uint64, inputs []*arrow.Schema) ([]*arrow.Schema, error) {
	keyed, worth := params, b.own == nil
	if f, ok := b.own.(fileBinder); ok {
		keyed, worth = b.e.contentKey(ctx, f, params, b.seen)
	}
	var key string
	if worth {
		key = b.e.memo.bindKey(b.identity, b.spec.Name, keyed, seed, inputs)
		if schemas, ok := b.e.memo.bind(key); ok && len(schemas) == len(b.spec.Outputs) {
			return schemas, nil
		}
	}
	op, err := b.operator(ctx)
	if err != nil {
		return nil, err
	}
	schemas, err := op.Bind(ctx, node.Binding{Params: params, Seed: seed, Inputs: inputs})
	if err == nil && worth {
		b.e.memo.setBind(key, schemas)
	}
	return schemas, err
}

func newCatalog(e *Engine) *catalog {
	c := &catalog{e: e, programs: map[string]*program{}, replies: workspaceReplies{e: e}}
	c.own = c.ownOperators()
	return c
}

// Lookup implements plan.Catalog.
func (c *catalog) Lookup(ctx context.Context, uses, baseDir string) (plan.Operator, error) {
	return c.find(ctx, uses, baseDir, nil)
}

// find returns an operator; env names the environment variables that a native
// node's process is given.
func (c *catalog) find(ctx context.Context, uses, baseDir string, env []string) (bound, error) {
	name, op, hasOp := strings.Cut(uses, "#")
	if !hasOp && !isPath(name) {
		if own, ok := c.own[name]; ok {
			if len(env) > 0 {
				return bound{}, fmt.Errorf("%s is part of flow and takes no environment variables: remove env", name)
			}
			return bound{e: c.e, spec: own.Spec(), own: own, identity: []string{"builtin 1"}}, nil
		}
	}
	p, err := c.program(ctx, name, baseDir, env)
	if err != nil {
		return bound{}, err
	}
	specs := p.info.Operators
	if op == "" && len(specs) == 1 {
		op = specs[0].Name
	}
	names := make([]string, len(specs))
	for i, spec := range specs {
		if spec.Name == op {
			return bound{e: c.e, spec: spec, identity: p.identity, program: p}, nil
		}
		names[i] = spec.Name
	}
	return bound{}, fmt.Errorf("%s %s has no operator %q; %s", programWord(p.kind), name, op, nearOrAll(op, names, "it has "))
}

// programWord is how messages call a kind of program.
func programWord(kind string) string {
	if kind == "native" {
		return "native node"
	}
	return kind
}

// isPath reports whether a name says where a plugin is, and not only which.
func isPath(name string) bool {
	return strings.ContainsRune(name, '/') || strings.HasSuffix(name, ".wasm")
}

// program finds the plugin or native node of that name or path, and knows what
// it says of itself.
func (c *catalog) program(ctx context.Context, name, baseDir string, env []string) (*program, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, key, err := c.open(name, baseDir, env)
	if err != nil || p.known {
		return p, err
	}
	if err := c.describe(ctx, p); err != nil {
		delete(c.programs, key)
		return nil, errors.Join(err, p.close())
	}
	p.known = true
	return p, nil
}

// identity tells where a program lies and the lines that stand for its bytes.
// It does not ask what the program says of itself.
func (c *catalog) identity(name, baseDir string) (place string, lines []string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, _, err := c.open(name, baseDir, nil)
	if err != nil {
		return "", nil, err
	}
	return p.from, p.identity, nil
}

// open finds a program and hashes it, once for each place and environment. The
// caller holds the mutex.
func (c *catalog) open(name, baseDir string, env []string) (p *program, key string, err error) {
	place, read, err := c.locate(name, baseDir)
	if err != nil {
		return nil, "", err
	}
	key = place
	if len(env) > 0 {
		key += "\x00" + strings.Join(env, "\x00")
	}
	if p := c.programs[key]; p != nil {
		return p, key, nil
	}
	switch {
	case read == nil:
		p, err = c.foundNative(place, env)
	case len(env) > 0:
		err = fmt.Errorf("%s is a sandboxed plugin, which sees no environment variables: remove env", name)
	default:
		p, err = c.foundPlugin(name, place, read)
	}
	if err != nil {
		return nil, "", err
	}
	c.programs[key] = p
	return p, key, nil
}

// describe fills in what a program says of itself: from the memo, or by
// asking it.
func (c *catalog) describe(ctx context.Context, p *program) error {
	identity := strings.Join(p.identity, "\n")
	if info, ok := c.e.memo.program(identity); ok {
		p.info = info
		return nil
	}
	live, err := p.running(ctx)
	if err != nil {
		return err
	}
	if p.info, err = live.about(ctx); err != nil {
		return err
	}
	c.e.memo.setProgram(identity, p.info)
	return nil
}

// locate finds where a program lies. open reads a plugin's bytes; it is nil
// for a native node's folder.
func (c *catalog) locate(name, baseDir string) (place string, open func() ([]byte, error), err error) {
	if isPath(name) {
		path := name
		if !filepath.IsAbs(path) {
			path = filepath.Join(baseDir, path)
		}
		info, err := os.Stat(path)
		switch {
		case err != nil:
			return "", nil, fmt.Errorf("there is no plugin or native node at %s%s", path, nearFile(path))
		case info.IsDir():
			return path, nil, nil
		}
		return path, func() ([]byte, error) { return os.ReadFile(path) }, nil
	}
	for _, dir := range c.e.cfg.Search {
		path := filepath.Join(dir, name+".wasm")
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path, func() ([]byte, error) { return os.ReadFile(path) }, nil
		}
		path = filepath.Join(dir, name)
		if _, err := os.Stat(filepath.Join(path, native.ManifestName)); err == nil {
			return path, nil, nil
		}
	}
	if c.e.cfg.Embedded != nil {
		file := name + ".wasm"
		if _, err := fs.Stat(c.e.cfg.Embedded, file); err == nil {
			return "embedded:" + name, func() ([]byte, error) { return fs.ReadFile(c.e.cfg.Embedded, file) }, nil
		}
	}
	return "", nil, fmt.Errorf("%w: no plugin or native node named %q was found", plan.ErrUnknownOperator, name)
}

// nearFile is a did-you-mean of a plugin's file that is not there.
func nearFile(path string) string {
	found, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*.wasm"))
	if err != nil {
		return "" // the folder's name is a bad pattern: no suggestion
	}
	for i := range found {
		found[i] = filepath.Base(found[i])
	}
	if near := pipeline.Nearest(filepath.Base(path), found); near != "" {
		return fmt.Sprintf("; did you mean %s?", near)
	}
	return "; build it first, or correct the path"
}

// Names implements plan.Catalog.
func (c *catalog) Names() []string {
	var names []string
	for name := range c.own {
		names = append(names, name)
	}
	for _, name := range c.found() {
		p, err := c.program(context.Background(), name, "", nil)
		if err != nil {
			continue // whoever uses it gets the reason
		}
		for _, op := range p.info.Operators {
			names = append(names, name+"#"+op.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// found lists the names of plugins and native nodes that need no path.
func (c *catalog) found() []string {
	var names []string
	add := func(entries []fs.DirEntry, dir string) {
		for _, e := range entries {
			name, isWasm := strings.CutSuffix(e.Name(), ".wasm")
			if isWasm && !e.IsDir() {
				names = append(names, name)
			} else if e.IsDir() && dir != "" {
				if _, err := os.Stat(filepath.Join(dir, e.Name(), native.ManifestName)); err == nil {
					names = append(names, e.Name())
				}
			}
		}
	}
	for _, dir := range c.e.cfg.Search {
		entries, _ := os.ReadDir(dir) // a folder that is not there has none
		add(entries, dir)
	}
	if c.e.cfg.Embedded != nil {
		entries, _ := fs.ReadDir(c.e.cfg.Embedded, ".")
		add(entries, "")
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (c *catalog) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := errors.Join(c.chat.Close(), c.replies.close())
	for _, p := range c.programs {
		err = errors.Join(err, p.close())
	}
	return err
}
