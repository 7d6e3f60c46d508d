package llm

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestServersThatBehaveBadly(t *testing.T) {
	status := func(code int, body string) func(int64, http.ResponseWriter, *http.Request) bool {
		return func(n int64, w http.ResponseWriter, _ *http.Request) bool {
			if n > 1 {
				return false
			}
			w.WriteHeader(code)
			io.WriteString(w, body)
			return true
		}
	}
	for name, c := range map[string]struct {
		script func(int64, http.ResponseWriter, *http.Request) bool
		calls  int64
		want   string // in the log
	}{
		"429":        {status(429, `{"error":{"message":"slow down"}}`), 3, "slow down"},
		"500":        {status(500, "<html>oops</html>"), 3, "status 500"},
		"503":        {status(503, ""), 3, "status 503"},
		"garbage":    {status(200, "<html>login</html>"), 3, "no chat completion"},
		"no choices": {status(200, `{"choices":[]}`), 3, "no choices"},
		"half JSON":  {status(200, `{"choices":[{"mess`), 3, "no chat completion"},
		"reset": {func(n int64, w http.ResponseWriter, _ *http.Request) bool {
			if n > 1 {
				return false
			}
			conn, _, _ := w.(http.Hijacker).Hijack()
			conn.Close()
			return true
		}, 3, "cannot reach the server"},
		"hang": {func(n int64, _ http.ResponseWriter, r *http.Request) bool {
			if n > 1 {
				return false
			}
			<-r.Context().Done()
			return true
		}, 3, "no reply within 200ms"},
		"short body": {func(n int64, w http.ResponseWriter, _ *http.Request) bool {
			if n > 1 {
				return false
			}
			w.Header().Set("Content-Length", "500")
			io.WriteString(w, `{"choices":`)
			return true
		}, 3, "unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, c.script)
			rows, log, err := run(t, fast(nil), s.URL, `,"timeout":"200ms","api_key_env":"KEY"`, "", requests("hi"))
			if err != nil {
				t.Fatal(err)
			}
			if rows[0]["reply"] != "you said hi at <nil>" || s.calls.Load() != c.calls {
				t.Errorf("%v after %d calls", rows[0], s.calls.Load())
			}
			if !strings.Contains(log, c.want) {
				t.Errorf("log %q without %q", log, c.want)
			}
		})
	}
}

func TestErrorsThatNoAttemptMends(t *testing.T) {
	for name, c := range map[string]struct {
		code   int
		body   string
		calls  int64
		fatal  bool
		reason string
	}{
		"filtered":  {400, `{"error":{"message":"content filter","code":"content_filter"}}`, 2, false, "content filter"},
		"bad key":   {401, `{"error":{"message":"Incorrect API key provided: ` + secret + `"}}`, 1, true, "[key]"},
		"no model":  {404, `{"error":{"message":"no such model"}}`, 1, true, "no such model"},
		"no money":  {429, `{"error":{"message":"quota","type":"insufficient_quota"}}`, 1, true, "quota"},
		"redirect":  {302, ``, 1, true, "correct base_url"},
		"huge":      {200, strings.Repeat("x", maxReplyBytes+2), 2, false, "over 8 MiB"},
		"long text": {422, strings.Repeat("y", 5000), 2, false, "…"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, func(_ int64, w http.ResponseWriter, _ *http.Request) bool {
				w.Header().Set("Location", "http://127.0.0.1:1/")
				w.WriteHeader(c.code)
				io.WriteString(w, c.body)
				return true
			})
			model := `,"concurrency":1,"api_key_env":"KEY"`
			db := cacheAt(t, filepath.Join(t.TempDir(), "r.db"))
			rows, log, err := run(t, fast(db), s.URL, model, `,"max_failures":1`, requests("a", "b"))
			said := log + fmt.Sprint(err)
			if c.fatal != (err != nil) {
				t.Fatalf("got %v", err)
			}
			if !c.fatal {
				if rows[0]["reply"] != nil || rows[0]["error"] == nil {
					t.Errorf("row %v", rows[0])
				}
				said += fmt.Sprint(rows[0]["error"])
				// Without leave to fail, the node fails.
				if _, _, err := run(t, fast(db), s.URL, model, "", requests("a", "b")); err == nil || !strings.Contains(err.Error(), "max_failures") {
					t.Errorf("got %v", err)
				}
				if got := s.calls.Load(); got != 2*c.calls {
					t.Errorf("%d calls: errors must not be kept", got)
				}
			} else if got := s.calls.Load(); got != c.calls {
				t.Errorf("%d calls, want %d", got, c.calls)
			}
			if !strings.Contains(said, c.reason) || strings.Contains(said, secret) || len(said) > 3000 {
				t.Errorf("said %q", said)
			}
		})
	}
}

// Two processes ask the same at once, and the server answers each differently:
// both go on with the one that the cache keeps.
func TestTwoProcessesGoOnWithOneAnswer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.db")
	var inFlight, done sync.WaitGroup
	inFlight.Add(2)
	s := serve(t, func(n int64, w http.ResponseWriter, _ *http.Request) bool {
		if n > 1 {
			return false
		}
		inFlight.Done()
		inFlight.Wait()
		fmt.Fprintf(w, `{"choices":[{"message":{"content":"answer %d"}}]}`, n)
		return true
	})
	var got [2]any
	for i := range got {
		c := fast(cacheAt(t, path))
		done.Go(func() {
			rows, _, err := run(t, c, s.URL, "", "", requests("x"))
			if err != nil {
				t.Error(err)
				return
			}
			got[i] = rows[0]["reply"]
		})
	}
	done.Wait()
	rows, _, err := run(t, fast(cacheAt(t, path)), s.URL, "", "", requests("x"))
	if err != nil || got[0] != rows[0]["reply"] || got[1] != got[0] {
		t.Errorf("one goes on with %q, the other with %q; kept is %v, %v", got[0], got[1], rows, err)
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	now := time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "2": 2 * time.Second, "0.5": 500 * time.Millisecond, "nonsense": 0, "-1": 0, "99999999999": 10 * time.Minute,
		"Thu, 02 Jan 2025 03:04:35 GMT": 30 * time.Second, "Thu, 02 Jan 2020 03:04:35 GMT": 0,
	} {
		if got := retryAfter(http.Header{"Retry-After": {value}}, now); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
	var first, second time.Time
	s := serve(t, func(n int64, w http.ResponseWriter, _ *http.Request) bool {
		if n > 0 {
			second = time.Now()
			return false
		}
		first = time.Now()
		w.Header().Set("Retry-After", "0.3")
		w.WriteHeader(429)
		return true
	})
	if _, _, err := run(t, fast(nil), s.URL, "", "", requests("a")); err != nil {
		t.Fatal(err)
	}
	if second.Sub(first) < 290*time.Millisecond {
		t.Errorf("asked again after %s, before the server wanted", second.Sub(first))
	}
}

// A server that allows two calls at once is found out, and not fought.
func TestCallsInFlightAdapt(t *testing.T) {
	var s *server
	var refused atomic.Int64
	s = serve(t, func(_ int64, w http.ResponseWriter, _ *http.Request) bool {
		if s.active.Load() > 2 {
			refused.Add(1)
			w.WriteHeader(429)
			return true
		}
		time.Sleep(2 * time.Millisecond)
		return false
	})
	var texts []string
	for i := range 300 {
		texts = append(texts, fmt.Sprint(i))
	}
	rows, log, err := run(t, fast(nil), s.URL, `,"concurrency":32,"retries":30`, "", requests(texts...))
	if err != nil || len(rows) != 300 {
		t.Fatalf("%v, %d rows", err, len(rows))
	}
	if !strings.Contains(log, "calls in flight: 16 of 32") {
		t.Errorf("no halving in the log")
	}
	if refused.Load() > 300 {
		t.Errorf("%d calls were refused for 300 rows", refused.Load())
	}
}

func TestLimiterIncreasesByOneAndHalves(t *testing.T) {
	l := newLimiter(&Model{Concurrency: 16})
	begin := time.Now()
	for range 3 {
		if err := l.acquire(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
	}
	if now := l.release(begin.Add(time.Second), false, true, 0); now != 8 {
		t.Errorf("%d after the first refusal, want 8", now)
	}
	if now := l.release(begin, false, true, 0); now != 0 { // it started before the halving
		t.Errorf("halved again to %d by a call of the same burst", now)
	}
	l.release(begin, true, false, 0)
	for range 8 { // one round trip of eight calls
		l.active++
		l.release(begin, true, false, 0)
	}
	if l.limit < 8.9 || l.limit > 9.1 {
		t.Errorf("limit %g after a round trip, want about 9", l.limit)
	}
}

func TestRequestsPerMinute(t *testing.T) {
	s := serve(t, nil)
	begin := time.Now()
	// 1,200 a minute is 20 a second with a burst of 20: 30 take half a second.
	var texts []string
	for i := range 30 {
		texts = append(texts, fmt.Sprint(i))
	}
	if _, _, err := run(t, fast(nil), s.URL, `,"requests_per_minute":1200`, "", requests(texts...)); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took < 450*time.Millisecond {
		t.Errorf("30 requests took %s", took)
	}
}
