package engine

import (
	"context"
	"path/filepath"
	"sync"

	"github.com/seed-4012077a/flow/engine/internal/node"
	"github.com/seed-4012077a/flow/engine/internal/node/file"
	"github.com/seed-4012077a/flow/engine/internal/node/llm"
	"github.com/seed-4012077a/flow/engine/internal/node/llm/replies"
)

// ErrBudget is wrapped by the error of a node that stopped because a model's
// budget is spent. What was paid for is kept.
var ErrBudget = llm.ErrBudget

// ownOperators are the operators that are part of flow, by their name in
// "uses".
func (c *catalog) ownOperators() map[string]node.Operator {
	own := map[string]node.Operator{}
	for _, op := range file.Operators() {
		own[op.Spec().Name] = op
	}
	c.chat = llm.New(llm.Options{Cache: &c.replies, Asked: c.e.asked})
	own[c.chat.Spec().Name] = c.chat
	return own
}

// asked notes a chat request in the history of the run that made it.
func (e *Engine) asked(ctx context.Context, call llm.Call) {
	i, ok := ctx.Value(taskKey{}).(int)
	e.mu.Lock()
	rec := e.recording
	e.mu.Unlock()
	if ok && rec != nil {
		rec.call(i, call)
	}
}

// workspaceReplies is the workspace's cache of chat replies, opened when the
// first request is made.
type workspaceReplies struct {
	e *Engine

	once sync.Once
	db   *replies.DB
	err  error
}

func (w *workspaceReplies) open() (*replies.DB, error) {
	w.once.Do(func() {
		dir, err := w.e.folder("calls")
		if err != nil {
			w.err = err
			return
		}
		w.db, w.err = replies.Open(filepath.Join(dir, "replies.db"))
	})
	return w.db, w.err
}

// Get implements llm.Cache.
func (w *workspaceReplies) Get(key [32]byte) ([]byte, bool, error) {
	db, err := w.open()
	if err != nil {
		return nil, false, err
	}
	return db.Get(key)
}

// Put implements llm.Cache.
func (w *workspaceReplies) Put(key [32]byte, value []byte) ([]byte, error) {
	db, err := w.open()
	if err != nil {
		return nil, err
	}
	return db.Put(key, value)
}

func (w *workspaceReplies) close() error {
	if w.db == nil {
		return nil
	}
	return w.db.Close()
}
