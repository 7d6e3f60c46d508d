package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	_ "modernc.org/sqlite"
)

// exitCodeIs runs a program and checks its exit code. What it writes can be
// matched afterwards with stdout and stderr.
func exitCodeIs(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N PROGRAM ARG...")
	}
	code := 0
	err := ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		code = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if args[0] != strconv.Itoa(code) {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// buildGuest builds the plugin that misbehaves in every way it can.
func buildGuest(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: guest FILE")
	}
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-buildmode=c-shared", "-o", ts.MkAbs(args[0]), "./engine/nodetest/guest")
	cmd.Dir = ts.Getenv("ROOT")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := cmd.CombinedOutput(); err != nil {
		ts.Fatalf("%v\n%s", err, out)
	}
}

// replaceText replaces a text in a file; the text must be there.
func replaceText(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: replace OLD NEW FILE")
	}
	old := ts.ReadFile(args[2])
	if !strings.Contains(old, args[0]) {
		ts.Fatalf("%s does not hold %q", args[2], args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(strings.ReplaceAll(old, args[0], args[1])), 0o600))
}

// sharedRuns checks how many runs in the history share the rows of another:
// those that were served from the memo of a whole run.
func sharedRuns(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: shared N")
	}
	n, err := countShared(ts.MkAbs(".flow"))
	ts.Check(err)
	if args[0] != strconv.Itoa(n) {
		ts.Fatalf("%d runs share rows, want %s", n, args[0])
	}
}

func countShared(workspace string) (n int, err error) {
	db, err := sql.Open("sqlite", filepath.Join(workspace, "flow.db"))
	if err != nil {
		return 0, err
	}
	err = db.QueryRow("SELECT count(same_as) FROM runs").Scan(&n)
	return n, errors.Join(err, db.Close())
}

// jsonIn checks that a file is JSON, one value a line, and holds at least one.
func jsonIn(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: json FILE|stdout|stderr")
	}
	n := 0
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		if !json.Valid([]byte(line)) {
			ts.Fatalf("line %d is not JSON: %s", n+1, line)
		}
		n++
	}
	if n == 0 {
		ts.Fatalf("%s is empty", args[0])
	}
}

// signalWhen starts a program, sends it a signal as soon as it has written
// what a pattern fits, and checks its exit code.
func signalWhen(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 4 {
		ts.Fatalf("usage: signal INT|TERM PATTERN CODE PROGRAM ARG...")
	}
	sig, ok := map[string]syscall.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM}[args[0]]
	if !ok {
		ts.Fatalf("unknown signal %s", args[0])
	}
	var env []string
	for _, name := range []string{"PATH", "HOME", "XDG_CACHE_HOME", "FLOW_PLUGINS", "NO_COLOR", "CHAT_KEY"} {
		env = append(env, name+"="+ts.Getenv(name))
	}
	program := args[3]
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if path := filepath.Join(dir, args[3]); isFile(path) {
			program = path
			break
		}
	}
	cmd := exec.Command(program, args[4:]...)
	cmd.Dir, cmd.Env = ts.MkAbs("."), env
	said := &watched{pattern: regexp.MustCompile(args[1]), seen: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = said, said
	ts.Check(cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-said.seen:
		ts.Check(cmd.Process.Signal(sig))
	case err := <-ended:
		ts.Fatalf("ended before it wrote what %s fits: %v\n%s", args[1], err, said)
	case <-time.After(time.Minute):
		_ = cmd.Process.Kill()
		ts.Fatalf("did not write what %s fits within a minute:\n%s", args[1], said)
	}
	select {
	case <-ended:
	case <-time.After(time.Minute):
		_ = cmd.Process.Kill()
		ts.Fatalf("still there a minute after the signal:\n%s", said)
	}
	fmt.Fprint(ts.Stderr(), said)
	if got := strconv.Itoa(cmd.ProcessState.ExitCode()); got != args[2] {
		ts.Fatalf("exit code %s, want %s", got, args[2])
	}
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// watched collects what a program writes and says when a pattern fits it.
type watched struct {
	mu      sync.Mutex
	text    bytes.Buffer
	pattern *regexp.Regexp
	seen    chan struct{}
	told    bool
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(p)
	if !w.told && w.pattern.Match(w.text.Bytes()) {
		w.told = true
		close(w.seen)
	}
	return len(p), nil
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// chatServer is an OpenAI-compatible server that answers with what it was
// asked, in upper case. Each reply uses 10 tokens in and 10 out.
type chatServer struct {
	mu    sync.Mutex
	asked int
	mode  string // "" answers; "hang" waits; "fail" says 500; "refuse" says 401
}

// chatKey finds a script's chat server among its values.
type chatKey struct{}

// chat starts and steers a chat server.
func chat(ts *testscript.TestScript, neg bool, args []string) {
	usage := "usage: chat start | chat answer|hang|fail|refuse | chat asked N"
	if neg || len(args) == 0 {
		ts.Fatalf("%s", usage)
	}
	if args[0] == "start" {
		s := &chatServer{}
		server := httptest.NewServer(s)
		ts.Defer(server.Close)
		ts.Setenv("CHAT_URL", server.URL+"/v1")
		*ts.Value(chatKey{}).(**chatServer) = s
		return
	}
	s := *ts.Value(chatKey{}).(**chatServer)
	if s == nil {
		ts.Fatalf("no chat server: chat start")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case args[0] == "asked" && len(args) == 2:
		if got := strconv.Itoa(s.asked); got != args[1] {
			ts.Fatalf("asked %s times, want %s", got, args[1])
		}
		s.asked = 0
	case args[0] == "answer":
		s.mode = ""
	case args[0] == "hang", args[0] == "fail", args[0] == "refuse":
		s.mode = args[0]
	default:
		ts.Fatalf("%s", usage)
	}
}

func (s *chatServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var req struct {
		Messages []struct{ Content string }
	}
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil || len(req.Messages) == 0 || r.URL.Path != "/v1/chat/completions" {
		http.Error(w, `{"error":{"message":"not a chat request"}}`, http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	s.asked++
	mode := s.mode
	s.mu.Unlock()
	switch mode {
	case "hang":
		<-r.Context().Done()
		return
	case "fail":
		http.Error(w, `{"error":{"message":"out of order"}}`, http.StatusInternalServerError)
		return
	case "refuse":
		http.Error(w, `{"error":{"message":"no such key"}}`, http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"id": "1", "object": "chat.completion", "model": "fake",
		"choices": []any{map[string]any{"index": 0, "finish_reason": "stop",
			"message": map[string]any{"role": "assistant", "content": strings.ToUpper(req.Messages[len(req.Messages)-1].Content)}}},
		"usage": map[string]any{"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20},
	})
}
