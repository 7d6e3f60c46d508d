package llm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/seed-4012077a/flow/engine/internal/node"
	"github.com/seed-4012077a/flow/engine/internal/node/llm/replies"
	"github.com/seed-4012077a/flow/engine/internal/table"
)

const secret = "sk-secret-0123456789"

// server is a chat server that first does what its script says for each
// attempt, then answers with the last message and the temperature.
type server struct {
	*httptest.Server
	calls  atomic.Int64
	active atomic.Int64
	peak   atomic.Int64
	mu     sync.Mutex
	bodies []map[string]any
}

// serve starts a server. script may answer attempt n (from 0) itself.
func serve(t testing.TB, script func(n int64, w http.ResponseWriter, r *http.Request) bool) *server {
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for now := s.active.Add(1); ; {
			if p := s.peak.Load(); now <= p || s.peak.CompareAndSwap(p, now) {
				break
			}
		}
		defer s.active.Add(-1)
		n := s.calls.Add(1) - 1
		raw, _ := io.ReadAll(r.Body)
		var body map[string]any
		_ = json.Unmarshal(raw, &body)
		s.mu.Lock()
		s.bodies = append(s.bodies, body)
		s.mu.Unlock()
		if script != nil && script(n, w, r) {
			return
		}
		answerWith(w, body)
	}))
	t.Cleanup(s.Close)
	return s
}

func answerWith(w http.ResponseWriter, body map[string]any) {
	messages, _ := body["messages"].([]any)
	last, _ := messages[len(messages)-1].(map[string]any)
	fmt.Fprintf(w, `{"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":%q},"finish_reason":"stop"}],
		"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}`,
		fmt.Sprintf("you said %v at %v", last["content"], body["temperature"]))
}

// requests is a table of one-message requests with a temperature.
func requests(texts ...string) arrow.Record {
	message := arrow.StructOf(arrow.Field{Name: "role", Type: arrow.BinaryTypes.String}, arrow.Field{Name: "content", Type: arrow.BinaryTypes.String})
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64},
		{Name: "messages", Type: arrow.ListOf(message), Nullable: true},
		{Name: "t", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	list := b.Field(1).(*array.ListBuilder)
	turn := list.ValueBuilder().(*array.StructBuilder)
	for i, text := range texts {
		b.Field(0).(*array.Int64Builder).Append(int64(i))
		b.Field(2).(*array.Float64Builder).AppendNull()
		if text == "" {
			list.AppendNull()
			continue
		}
		list.Append(true)
		turn.Append(true)
		turn.FieldBuilder(0).(*array.StringBuilder).Append("user")
		turn.FieldBuilder(1).(*array.StringBuilder).Append(text)
	}
	return b.NewRecord()
}

type reader struct{ batches []arrow.Record }

func (r *reader) Schema() *arrow.Schema { return requests().Schema() }
func (r *reader) Close() error          { return nil }
func (r *reader) Next(context.Context) (arrow.Record, error) {
	if len(r.batches) == 0 {
		return nil, io.EOF
	}
	b := r.batches[0]
	r.batches = r.batches[1:]
	return b, nil
}

type writer struct {
	schema *arrow.Schema
	rows   []map[string]any
}

func (w *writer) Schema() *arrow.Schema { return w.schema }
func (w *writer) Write(_ context.Context, b arrow.Record) error {
	var text bytes.Buffer
	if err := array.RecordToJSON(b, &text); err != nil {
		return err
	}
	d := json.NewDecoder(&text)
	for {
		var row map[string]any
		if err := d.Decode(&row); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		w.rows = append(w.rows, row)
	}
}

// run asks in one table. model is the [models] table without base_url.
func run(t testing.TB, c *Chat, url, model, params string, batches ...arrow.Record) ([]map[string]any, string, error) {
	t.Helper()
	return runWith(t.Context(), t, c, url, model, params, batches...)
}

func runWith(ctx context.Context, t testing.TB, c *Chat, url, model, params string, batches ...arrow.Record) ([]map[string]any, string, error) {
	t.Helper()
	raw := fmt.Sprintf(`{"model":{"base_url":%q,"model":"m"%s}%s}`, url+"/v1", model, params)
	b := node.Binding{Params: json.RawMessage(raw), Inputs: []*arrow.Schema{requests().Schema()}}
	schemas, err := c.Bind(ctx, b)
	if err != nil {
		return nil, "", err
	}
	w := &writer{schema: schemas[0]}
	var mu sync.Mutex
	var log bytes.Buffer
	err = c.Run(ctx, b, node.Job{Inputs: []table.Reader{&reader{batches}}, Outputs: []table.Writer{w},
		Log: lockedWriter{&mu, &log}, Progress: func(int64, int64, string) {}, Workers: 1})
	mu.Lock()
	defer mu.Unlock()
	return w.rows, log.String(), err
}

type lockedWriter struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func fast(cache Cache) *Chat {
	return New(Options{Cache: cache, backoff: time.Millisecond,
		LookupEnv: func(name string) (string, bool) { return secret, name == "KEY" }})
}

func cacheAt(t testing.TB, path string) *replies.DB {
	t.Helper()
	db, err := replies.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func column(rows []map[string]any, name string) (out []any) {
	for _, r := range rows {
		out = append(out, r[name])
	}
	return out
}

func TestRepliesStandBesideTheirRowsInOrder(t *testing.T) {
	s := serve(t, func(n int64, _ http.ResponseWriter, _ *http.Request) bool {
		time.Sleep(time.Duration(7-n%8) * time.Millisecond) // later requests answer sooner
		return false
	})
	var texts []string
	for i := range 600 { // over two chunks
		texts = append(texts, fmt.Sprint("row ", i))
	}
	rows, _, err := run(t, fast(nil), s.URL, `,"temperature":0`, "", requests(texts[:10]...), requests(texts[10:]...))
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 600 {
		t.Fatalf("%d rows", len(rows))
	}
	for i, r := range rows {
		want := fmt.Sprintf("you said row %d at 0", i)
		if r["reply"] != want || r["finish_reason"] != "stop" || r["error"] != nil || r["prompt_tokens"] != 10.0 || r["completion_tokens"] != 5.0 {
			t.Fatalf("row %d: %v, want reply %q", i, r, want)
		}
	}
	if p := s.peak.Load(); p < 4 || p > 8 {
		t.Errorf("%d calls in flight at most; want up to 8", p)
	}
}

// Every sampling parameter reaches the server, zeros too, and nothing else.
func TestBodyHoldsExactlyTheSampling(t *testing.T) {
	s := serve(t, nil)
	_, _, err := run(t, fast(nil), s.URL, `,"temperature":0,"top_p":0.9,"max_tokens":7,"seed":3,"stop":["END"],"extra":{"chat_template_kwargs":{"lambda":-1.5},"logit_bias":{"5":-100}}`, "", requests("hi"))
	if err != nil {
		t.Fatal(err)
	}
	got, _ := json.Marshal(s.bodies[0])
	want := `{"chat_template_kwargs":{"lambda":-1.5},"logit_bias":{"5":-100},"max_tokens":7,"messages":[{"content":"hi","role":"user"}],"model":"m","seed":3,"stop":["END"],"temperature":0,"top_p":0.9}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestCacheIsSharedAndHoldsWholeRequests(t *testing.T) {
	s := serve(t, nil)
	path := filepath.Join(t.TempDir(), "replies.db")
	ask := func(model, params string) {
		t.Helper()
		if _, _, err := run(t, fast(cacheAt(t, path)), s.URL, model, params, requests("a", "b")); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		model, params string
		calls         int64 // that this step needs
	}{
		{`,"temperature":0.5`, "", 2},
		{`,"temperature":0.5`, "", 0},
		{`,"temperature":0.5,"concurrency":2,"retries":1,"timeout":"3s"`, "", 0}, // how it is asked is no part of the key
		{`,"temperature":0.6`, "", 2},
		{`,"temperature":0.5,"top_p":0.5`, "", 2},
		{`,"temperature":0.5,"seed":1`, "", 2},
		{`,"temperature":0.5,"stop":["x"]`, "", 2},
		{`,"temperature":0.5,"max_tokens":9`, "", 2},
		{`,"temperature":0.5,"extra":{"k":1}`, "", 2},
		{`,"temperature":0.5`, `,"samples":3`, 4}, // sample 0 is there
		{`,"temperature":0.5`, `,"sample":"id"`, 0},
	} {
		before := s.calls.Load()
		ask(step.model, step.params)
		if got := s.calls.Load() - before; got != step.calls {
			t.Errorf("%s%s: %d calls, want %d", step.model, step.params, got, step.calls)
		}
	}
}

func TestSamplesAreRowsAndSeeds(t *testing.T) {
	s := serve(t, nil)
	rows, _, err := run(t, fast(nil), s.URL, `,"seed":100`, `,"samples":2,"prefix":"j_"`, requests("a", "b"))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(column(rows, "id"), column(rows, "j_sample")); got != "[0 0 1 1] [0 1 0 1]" {
		t.Errorf("got %s", got)
	}
	var seeds []float64
	for _, b := range s.bodies {
		seeds = append(seeds, b["seed"].(float64))
	}
	slices.Sort(seeds)
	if fmt.Sprint(seeds) != "[100 100 101 101]" {
		t.Errorf("seeds %v", seeds)
	}
}

// The same request twice in a table is one call, also while it is in flight.
func TestSameRequestIsAskedOnce(t *testing.T) {
	s := serve(t, func(int64, http.ResponseWriter, *http.Request) bool { time.Sleep(20 * time.Millisecond); return false })
	rows, _, err := run(t, fast(cacheAt(t, filepath.Join(t.TempDir(), "r.db"))), s.URL, "", "", requests("a", "a", "a", "a"))
	if err != nil || len(rows) != 4 || s.calls.Load() != 1 {
		t.Errorf("%v, %d rows, %d calls", err, len(rows), s.calls.Load())
	}
}

// A reply costs (10 + 5)*100000/1e6 = 1.5. Before a call, what its bytes and
// max_tokens can cost at most is set aside.
func TestBudgetIsHardAndPaidRepliesStay(t *testing.T) {
	s := serve(t, nil)
	path := filepath.Join(t.TempDir(), "r.db")
	price := `,"price":{"input":100000,"output":100000},"max_tokens":5,"concurrency":4`
	var texts []string
	for i := range 50 {
		texts = append(texts, fmt.Sprintf("row %02d", i))
	}
	c := fast(cacheAt(t, path))
	_, _, err := run(t, c, s.URL, price+`,"budget":12`, "", requests(texts...))
	limit := &BudgetError{}
	if !errors.As(err, &limit) || !errors.Is(err, ErrBudget) {
		t.Fatalf("got %v", err)
	}
	paid := s.calls.Load()
	if spent := c.Spent()["m"]; spent != 1.5*float64(paid) || spent > 12 || spent < 12-limit.Next {
		t.Errorf("spent %g for %d calls of a budget of 12, next may cost %g", spent, paid, limit.Next)
	}
	rows, _, err := run(t, fast(cacheAt(t, path)), s.URL, price+`,"budget":1000`, "", requests(texts...))
	if err != nil || len(rows) != 50 {
		t.Fatalf("%v, %d rows", err, len(rows))
	}
	if got := s.calls.Load(); got != 50 {
		t.Errorf("%d calls in all; %d were paid for before, 50 are needed", got, paid)
	}
}

// A reply on its way when the run stops is kept.
func TestReplyInFlightIsKept(t *testing.T) {
	arrived := make(chan struct{})
	s := serve(t, func(n int64, _ http.ResponseWriter, _ *http.Request) bool {
		if n == 0 {
			close(arrived)
			time.Sleep(100 * time.Millisecond)
		}
		return false
	})
	path := filepath.Join(t.TempDir(), "r.db")
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	if _, _, err := runWith(ctx, t, fast(cacheAt(t, path)), s.URL, "", "", requests("a")); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if _, _, err := run(t, fast(cacheAt(t, path)), s.URL, "", "", requests("a")); err != nil || s.calls.Load() != 1 {
		t.Errorf("%v, %d calls, want 1", err, s.calls.Load())
	}
}

func TestNullMessagesAreFailures(t *testing.T) {
	s := serve(t, nil)
	rows, _, err := run(t, fast(nil), s.URL, "", `,"max_failures":0.5`, requests("a", ""))
	if err != nil || rows[1]["reply"] != nil || rows[1]["error"] != "the messages are null" || s.calls.Load() != 1 {
		t.Errorf("%v %v", err, rows)
	}
}

func TestDeadServerStopsEarly(t *testing.T) {
	s := serve(t, nil)
	s.Close()
	var texts []string
	for i := range 2000 {
		texts = append(texts, fmt.Sprint(i))
	}
	_, _, err := run(t, fast(nil), s.URL, `,"retries":1`, `,"max_failures":1`, requests(texts...))
	if err == nil || !strings.Contains(err.Error(), "20 requests in a row failed") || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("got %v", err)
	}
}

func TestBindRefuses(t *testing.T) {
	for want, c := range map[string]struct{ model, params string }{
		"a budget needs a price":       {`,"budget":1,"max_tokens":5`, ""},
		"a budget needs max_tokens":    {`,"budget":1,"price":{"input":1,"output":1}`, ""},
		"extra sets \"stream\"":        {`,"extra":{"stream":true}`, ""},
		"timeout \"soon\"":             {`,"timeout":"soon"`, ""},
		"it is a folder":               {`,"path":"/models/x"`, ""},
		"unknown field \"temprature\"": {`,"temprature":1`, ""},
		"column \"msgs\"":              {``, `,"messages":"msgs"`},
		"is int64, not list":           {``, `,"messages":"id"`},
		"give sample or samples":       {``, `,"samples":2,"sample":"id"`},
	} {
		_, _, err := run(t, fast(nil), "http://127.0.0.1:1", c.model, c.params, requests("a"))
		place, ok := err.(interface{ Param() string })
		if err == nil || !strings.Contains(err.Error(), want) || !ok || place.Param() == "" {
			t.Errorf("%s: got %v", want, err)
		}
	}
	if _, _, err := run(t, fast(nil), "http://127.0.0.1:1", `,"api_key_env":"NO_SUCH"`, "", requests("a")); err == nil || !strings.Contains(err.Error(), "NO_SUCH is not set") {
		t.Errorf("got %v", err)
	}
	if err := New(Options{}).Spec().Check(); err != nil {
		t.Errorf("the description is refused: %v", err)
	}
}

// No key is in the cache's file.
func TestCacheHoldsNoKey(t *testing.T) {
	var authorised atomic.Bool
	s := serve(t, func(_ int64, _ http.ResponseWriter, r *http.Request) bool {
		authorised.Store(r.Header.Get("Authorization") == "Bearer "+secret)
		return false
	})
	db := cacheAt(t, filepath.Join(t.TempDir(), "r.db"))
	watched := &watch{Cache: db}
	if _, _, err := run(t, fast(watched), s.URL, `,"api_key_env":"KEY"`, "", requests("a")); err != nil {
		t.Fatal(err)
	}
	if !authorised.Load() || len(watched.put) == 0 || bytes.Contains(watched.put, []byte(secret)) {
		t.Errorf("authorised %t, kept %q", authorised.Load(), watched.put)
	}
}

type watch struct {
	Cache
	put []byte
}

func (w *watch) Put(key [32]byte, value []byte) ([]byte, error) {
	w.put = value
	return w.Cache.Put(key, value)
}

func FuzzReadReply(f *testing.F) {
	f.Add([]byte(`{"choices":[{"message":{"content":"x"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}`))
	f.Add([]byte(`{"choices":[{"message":{"content":[{"type":"text","text":"x"}]}}]}`))
	f.Add([]byte(`{"v":1,"reply":{"choices":[]}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if r, err := readReply(raw); err == nil && r.usage != nil && (r.usage.PromptTokens < 0 || r.usage.CompletionTokens < 0) {
			t.Errorf("negative usage of %q", raw)
		}
		readKept(raw)
	})
}
