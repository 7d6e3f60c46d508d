package native

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed-4012077a/flow/engine/internal/operator"
	"github.com/seed-4012077a/flow/sdk/abi/params"
	"github.com/seed-4012077a/flow/sdk/native/nodev1"
)

// Options are what a run decides about a program. The zero value is good.
type Options struct {
	// Env names the environment variables that the pipeline passes on; the
	// manifest must list each. Nothing else of flow's environment but PATH and
	// TMPDIR reaches the process.
	Env []string
	// LookupEnv is os.LookupEnv if nil.
	LookupEnv func(name string) (string, bool)

	StartTimeout time.Duration // until it answers; 0: 90 s, as importing PyTorch takes long on cold disks
	Silence      time.Duration // a running task without any event: it hangs; 0: 2 min
	Grace        time.Duration // between a cancellation and the kill; 0: 10 s

	// Slow is told once of a start that takes long: how long it has taken, and
	// how long it may. May be nil.
	Slow func(node string, waited, limit time.Duration)

	// Log takes the process's lines while it runs no task. May be nil.
	Log io.Writer
}

func (o Options) withDefaults() Options {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&o.StartTimeout, 90*time.Second)
	def(&o.Silence, 2*time.Minute)
	def(&o.Grace, 10*time.Second)
	if o.LookupEnv == nil {
		o.LookupEnv = os.LookupEnv
	}
	return o
}

// Program is a native node's program. Its process starts when first needed
// and is shared by all who use the Program; Close ends it. All methods are
// safe for concurrent use.
type Program struct {
	manifest   Manifest
	dir        string
	executable string
	sum        string
	env        []string
	options    Options
	ctx        context.Context // ends with Close
	close      context.CancelFunc

	mu        sync.Mutex
	starting  chan struct{} // not nil while a start is under way
	proc      *process      // nil or ended: the next task starts one
	startErr  error
	described *operator.Plugin
}

// Open reads the manifest in dir and hashes the program. It starts nothing.
func Open(dir string, o Options) (*Program, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	m, err := readManifest(dir)
	if err != nil {
		return nil, err
	}
	o = o.withDefaults()
	path, _ := o.LookupEnv("PATH")
	executable, err := m.executable(dir, path)
	if err != nil {
		return nil, err
	}
	sum, err := checksum(dir, m, executable)
	if err != nil {
		return nil, err
	}
	env, err := environment(m, o)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Program{manifest: m, dir: dir, executable: executable, sum: sum, env: env, options: o,
		ctx: ctx, close: cancel}, nil
}

// environment is all that the process sees of flow's environment.
func environment(m Manifest, o Options) ([]string, error) {
	env := []string{"LANG=C.UTF-8", "TZ=UTC"}
	for _, name := range []string{"PATH", "TMPDIR"} {
		if v, ok := o.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	for _, name := range o.Env {
		if !slices.Contains(m.Env, name) {
			next := "it reads none: list it under env in its " + ManifestName + " if it should"
			if near := params.Nearest(name, m.Env); near != "" {
				next = fmt.Sprintf("did you mean %q?", near)
			} else if len(m.Env) > 0 {
				next = "it reads " + strings.Join(m.Env, ", ")
			}
			return nil, fmt.Errorf("native node %s does not read the environment variable %s; %s", m.Name, name, next)
		}
		v, ok := o.LookupEnv(name)
		if !ok {
			return nil, fmt.Errorf("native node %s: the environment variable %s is not set: set it, or take it out of env", m.Name, name)
		}
		env = append(env, name+"="+v)
	}
	return env, nil
}

// Manifest returns what node.toml says.
func (p *Program) Manifest() Manifest { return p.manifest }

// Identity returns the lines by which results of this program are kept: its
// checksum, the kind of device and the contract's version. Environment
// variables are no part of it: they must not change a result.
func (p *Program) Identity() []string {
	return []string{
		"program sha256:" + p.sum,
		"device " + p.manifest.Device,
		fmt.Sprintf("contract native %d", nodev1.ProtocolVersion),
	}
}

// Operators describes the program's operators. The first call starts the
// process.
func (p *Program) Operators(ctx context.Context) ([]operator.Spec, error) {
	d, err := p.describe(ctx)
	if err != nil {
		return nil, err
	}
	return slices.Clone(d.Operators), nil
}

// Operator returns the operator of that name; "" is the only one of a program
// with one operator.
func (p *Program) Operator(ctx context.Context, name string) (*Operator, error) {
	d, err := p.describe(ctx)
	if err != nil {
		return nil, err
	}
	if name == "" && len(d.Operators) == 1 {
		name = d.Operators[0].Name
	}
	names := make([]string, len(d.Operators))
	for i, s := range d.Operators {
		if s.Name == name {
			return &Operator{program: p, spec: s}, nil
		}
		names[i] = s.Name
	}
	next := "it has " + strings.Join(names, ", ")
	if near := params.Nearest(name, names); near != "" {
		next = fmt.Sprintf("did you mean %q?", near)
	}
	return nil, fmt.Errorf("native node %s has no operator %q; %s", p.manifest.Name, name, next)
}

func (p *Program) describe(ctx context.Context) (*operator.Plugin, error) {
	p.mu.Lock()
	d := p.described
	p.mu.Unlock()
	if d != nil {
		return d, nil
	}
	proc, err := p.acquire(ctx)
	if err != nil {
		return nil, err
	}
	call, cancel := p.limited(ctx)
	defer cancel()
	reply, err := proc.rpc.Describe(call, &nodev1.DescribeRequest{})
	if err != nil {
		return nil, p.callError(ctx, proc, "describe", err)
	}
	parsed, err := p.checkDescription(reply.Json)
	if err != nil {
		return nil, fmt.Errorf("native node %s: %w", p.manifest.Name, err)
	}
	p.mu.Lock()
	p.described = parsed
	p.mu.Unlock()
	return parsed, nil
}

func (p *Program) checkDescription(raw []byte) (*operator.Plugin, error) {
	d, err := operator.ParseDescribe(raw)
	if err != nil {
		return nil, err
	}
	if d.ABI != nodev1.ABI {
		return nil, fmt.Errorf("its description is of version %d; this flow reads version %d: rebuild it", d.ABI, nodev1.ABI)
	}
	if d.Name != p.manifest.Name {
		return nil, fmt.Errorf("the program calls itself %q: correct name in %s", d.Name, filepath.Join(p.dir, ManifestName))
	}
	return &d, nil
}

// acquire returns a process that is alive, and starts one if need be. All who
// wait share one start.
func (p *Program) acquire(ctx context.Context) (*process, error) {
	for {
		p.mu.Lock()
		switch {
		case p.ctx.Err() != nil:
			p.mu.Unlock()
			return nil, fmt.Errorf("native node %s: closed", p.manifest.Name)
		case p.proc != nil && p.proc.alive():
			defer p.mu.Unlock()
			return p.proc, nil
		case p.starting == nil:
			p.starting = make(chan struct{})
			go p.start(p.starting)
		}
		started := p.starting
		p.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-started:
		}
		p.mu.Lock()
		err := p.startErr
		p.mu.Unlock()
		if err != nil {
			return nil, err
		}
	}
}

func (p *Program) start(started chan struct{}) {
	p.mu.Lock()
	old := p.proc
	p.proc = nil
	p.mu.Unlock()
	if old != nil {
		old.stop()
	}
	proc, err := p.startChecked()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx.Err() != nil && proc != nil {
		proc.kill()
		proc, err = nil, fmt.Errorf("native node %s: closed during its start", p.manifest.Name)
	}
	p.proc, p.startErr, p.starting = proc, err, nil
	close(started)
}

// startChecked refuses a program that has changed since Open: its results
// would be kept under the wrong identity.
func (p *Program) startChecked() (*process, error) {
	sum, err := checksum(p.dir, p.manifest, p.executable)
	if err != nil {
		return nil, err
	}
	if sum != p.sum {
		return nil, fmt.Errorf("native node %s: its files in %s changed while flow ran: run flow again", p.manifest.Name, p.dir)
	}
	l := &lines{idle: p.options.Log}
	return start(p.ctx, p.manifest, p.dir, p.executable, slices.Clone(p.env), l, p.options)
}

// Close ends the process, after a moment in which it may end by itself.
func (p *Program) Close() error {
	p.close()
	p.mu.Lock()
	proc, starting := p.proc, p.starting
	p.proc = nil
	p.mu.Unlock()
	if proc != nil {
		proc.stop()
	}
	if starting != nil {
		<-starting
	}
	return nil
}
