package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/seed-4012077a/flow/engine/internal/cache"
	"github.com/seed-4012077a/flow/engine/internal/fingerprint"
	"github.com/seed-4012077a/flow/engine/internal/ledger"
	"github.com/seed-4012077a/flow/engine/internal/runmemo"
)

// cacheVersion is part of every key. It changes when flow itself would give
// another result for the same task: a new version of a file format, say.
const cacheVersion = "1"

// Config says where an engine works and with what.
type Config struct {
	// Workspace is the folder of the cache, the ledger and the logs. It is
	// made when something is first kept.
	Workspace string
	// Search are folders that are searched for plugins (NAME.wasm) and native
	// nodes (NAME/node.toml), first to last.
	Search []string
	// Embedded holds NAME.wasm files used when Search has none of that name;
	// it may be nil.
	Embedded fs.FS
	// CodeCache is the folder where compiled plugins are kept, for all
	// workspaces; "" keeps them in the workspace.
	CodeCache string
	// Version is the program's version, kept with every run.
	Version string
	// Args is the command line, kept with every run. It may be nil.
	Args []string
	// Jobs is the number of cpu slots; 0 means one for each core.
	Jobs int
	// Notice is told of what the engine put right by itself. It may be nil.
	Notice func(error)
	// Slow is told once of a native node whose start takes long: how long it
	// has taken, and how long it may. It may be nil.
	Slow func(node string, waited, limit time.Duration)
}

// Engine is an open workspace. It is safe for concurrent use.
type Engine struct {
	cfg     Config
	catalog *catalog
	files   *fingerprint.Files
	memo    *memo
	memos   runmemo.Folder // of whole runs

	running sync.Mutex // held by the run under way: an engine runs one plan at a time

	mu        sync.Mutex
	cache     *cache.Store
	ledger    *ledger.Ledger
	recording *recorder // of the run under way
}

// Open prepares an engine. It touches nothing on disk: what is not needed is
// never opened.
func Open(cfg Config) (*Engine, error) {
	if cfg.Workspace == "" {
		return nil, errors.New("no workspace folder was given")
	}
	abs, err := filepath.Abs(cfg.Workspace)
	if err != nil {
		return nil, fmt.Errorf("the workspace's place: %w", err)
	}
	cfg.Workspace = abs
	if cfg.Jobs <= 0 {
		cfg.Jobs = runtime.GOMAXPROCS(0)
	}
	if cfg.Notice == nil {
		cfg.Notice = func(error) {}
	}
	e := &Engine{cfg: cfg, files: fingerprint.OpenFiles(filepath.Join(abs, "files.json")), memo: &memo{path: filepath.Join(abs, "memo")}, memos: runmemo.Folder(filepath.Join(abs, "memos"))}
	e.catalog = newCatalog(e)
	return e, nil
}

// Workspace returns the workspace's absolute path.
func (e *Engine) Workspace() string { return e.cfg.Workspace }

// Close ends processes, closes files and frees memory.
func (e *Engine) Close() error {
	err := errors.Join(e.catalog.close(), e.memo.save())
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ledger != nil {
		err = errors.Join(err, e.ledger.Close())
		e.ledger = nil
	}
	if e.cache != nil {
		err = errors.Join(err, e.cache.Close())
		e.cache = nil
	}
	return err
}

// folder makes a folder of the workspace and returns its path.
func (e *Engine) folder(elem ...string) (string, error) {
	path := filepath.Join(append([]string{e.cfg.Workspace}, elem...)...)
	if err := os.MkdirAll(path, 0o700); err != nil {
		return "", cache.Explain(fmt.Errorf("the workspace: %w", err))
	}
	return path, nil
}

// store opens the cache on first use.
func (e *Engine) store() (*cache.Store, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.cache != nil {
		return e.cache, nil
	}
	c, err := cache.Open(filepath.Join(e.cfg.Workspace, "cache"), cache.Options{Notice: e.cfg.Notice})
	if err != nil {
		return nil, err
	}
	e.cache = c
	return c, nil
}

// history opens the ledger on first use.
func (e *Engine) history() (*ledger.Ledger, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ledger != nil {
		return e.ledger, nil
	}
	l, err := ledger.Open(filepath.Join(e.cfg.Workspace, "flow.db"))
	if err != nil {
		return nil, err
	}
	e.ledger = l
	return l, nil
}
