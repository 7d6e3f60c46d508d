package llm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"syscall"
	"time"
)

// endpoint is a model at work: all that a run's nodes share of it.
type endpoint struct {
	model  *Model
	http   *http.Client
	limit  *limiter
	budget *budget
	cache  Cache // nil: nothing is kept
	lookup func(string) (string, bool)
	base   time.Duration // the first wait before another attempt
	linger time.Duration

	mu      sync.Mutex
	flights map[[32]byte]chan struct{} // requests being asked; closed at their end
	dead    error                      // no call will succeed: none is made any more
}

func newEndpoint(m *Model, o Options) *endpoint {
	return &endpoint{model: m, http: newHTTPClient(m), limit: newLimiter(m), budget: newBudget(m.Model, m.Budget),
		cache: o.Cache, lookup: o.LookupEnv, base: o.backoff, linger: 5 * time.Second,
		flights: map[[32]byte]chan struct{}{}}
}

// fatalError ends a task: no further request can succeed.
type fatalError struct{ error }

func (e fatalError) Unwrap() error { return e.error }

// ask returns the reply to a request, from the cache if it is there. Any
// error but a *attemptError ends the task. Once ctx has ended no attempt
// begins; one in flight goes on until shortly after run has ended.
func (e *endpoint) ask(ctx, run context.Context, r request, log func(string)) (reply, error) {
	p, err := e.model.prepare(r)
	if err != nil {
		return reply{}, err
	}
	for {
		if got, ok, err := e.get(p.key); err != nil || ok {
			return got, err
		}
		e.mu.Lock()
		other := e.flights[p.key]
		if other == nil {
			e.flights[p.key] = make(chan struct{})
		}
		e.mu.Unlock()
		if other == nil {
			defer e.land(p.key)
			return e.askServer(ctx, run, p, r, log)
		}
		// The same request is being asked: its reply is this one's too.
		select {
		case <-ctx.Done():
			return reply{}, context.Cause(ctx)
		case <-other:
		}
	}
}

func (e *endpoint) land(key [32]byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	close(e.flights[key])
	delete(e.flights, key)
}

func (e *endpoint) get(key [32]byte) (reply, bool, error) {
	if e.cache == nil {
		return reply{}, false, nil
	}
	value, ok, err := e.cache.Get(key)
	if err != nil || !ok {
		return reply{}, false, err
	}
	r, ok := readKept(value)
	return r, ok, nil
}

// askServer makes attempts until one succeeds or none will.
func (e *endpoint) askServer(ctx, run context.Context, p prepared, r request, log func(string)) (reply, error) {
	key, err := e.apiKey()
	if err != nil {
		return reply{}, fatalError{err}
	}
	most := e.model.cost(p.tokens, e.model.maxReply())
	for n := 0; ; n++ {
		settle, err := e.budget.reserve(ctx, most)
		if err != nil {
			return reply{}, err
		}
		if err := e.limit.acquire(ctx, p.tokens/4+e.model.maxReply()); err != nil {
			settle(0)
			return reply{}, err
		}
		if err := e.killed(nil); err != nil {
			e.limit.release(time.Time{}, false, false, 0)
			settle(0)
			return reply{}, err
		}
		started := time.Now()
		raw, answer, err := e.attempt(run, key, p, r)
		failed := (*attemptError)(nil)
		if !errors.As(err, &failed) {
			e.limit.release(started, true, false, 0)
			settle(e.price(answer, most))
			return e.put(p.key, raw, answer, started)
		}
		if failed.outcome == fatal {
			err = e.killed(fatalError{fmt.Errorf("model %s at %s: %w", e.model.Model, e.model.BaseURL, failed)})
		}
		settle(e.lost(failed, most))
		wait := max(failed.pause, e.backoff(n))
		if now := e.limit.release(started, false, failed.tooMany, failed.pause); now > 0 {
			log(fmt.Sprintf("%s: %s; calls in flight: %d of %d", e.model.Model, failed.text, now, e.model.Concurrency))
		}
		switch {
		case failed.outcome == fatal:
			return reply{}, err
		case ctx.Err() != nil:
			return reply{}, context.Cause(ctx)
		case failed.outcome == refused || n >= e.model.retries:
			return reply{}, failed
		}
		log(fmt.Sprintf("%s: %s; attempt %d of %d in %s", e.model.Model, failed.text, n+2, e.model.retries+1, wait.Round(10*time.Millisecond)))
		select {
		case <-ctx.Done():
			return reply{}, context.Cause(ctx)
		case <-time.After(wait):
		}
	}
}

// killed notes a cause after which no call is made, if there is one, and
// returns the first.
func (e *endpoint) killed(cause error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.dead == nil {
		e.dead = cause
	}
	return e.dead
}

// put keeps a server's answer and returns the one to go on with. That is
// another where another process kept its own first: results made of the two
// would differ, though both come of one request.
func (e *endpoint) put(key [32]byte, raw []byte, answer reply, started time.Time) (reply, error) {
	if e.cache == nil {
		return answer, nil
	}
	value, err := keep(raw, started, time.Since(started))
	if err != nil {
		return reply{}, err
	}
	stands, err := e.cache.Put(key, value)
	if err != nil || bytes.Equal(stands, value) {
		return answer, err
	}
	if first, ok := readKept(stands); ok {
		first.cached = false // it was asked, and paid for
		return first, nil
	}
	return answer, nil
}

// price is what a reply cost; without usage, the most that it can have cost.
func (e *endpoint) price(r reply, most float64) float64 {
	if r.usage == nil {
		return most
	}
	return e.model.cost(int64(r.usage.PromptTokens), int64(r.usage.CompletionTokens))
}

// lost is what a failed attempt may have cost.
func (e *endpoint) lost(f *attemptError, most float64) float64 {
	if f.billed {
		return most
	}
	return 0
}

// backoff is the wait before attempt n+2: twice as long each time, with full
// jitter, at most a minute.
func (e *endpoint) backoff(n int) time.Duration {
	ceiling := min(e.base<<min(n, 16), time.Minute)
	return time.Duration(rand.Int64N(int64(ceiling)) + 1)
}

func (e *endpoint) apiKey() (string, error) {
	name := e.model.APIKeyEnv
	if name == "" {
		return "", nil
	}
	key, ok := e.lookup(name)
	if !ok || key == "" {
		return "", fmt.Errorf("model %s: the environment variable %s is not set: set it to the key of %s", e.model.Model, name, e.model.BaseURL)
	}
	return key, nil
}

// refusedConnection tells that no byte reached a server.
func refusedConnection(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EHOSTUNREACH) ||
		isNameError(err)
}
