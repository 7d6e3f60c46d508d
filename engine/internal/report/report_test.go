package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seed-4012077a/flow/engine/internal/event"
)

// story is a short run: one task cached, one that works for a while, one that
// fails and one that is skipped.
func story() []event.Event {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	after := func(s float64) time.Time { return at.Add(time.Duration(s * float64(time.Second))) }
	return []event.Event{
		{Kind: event.RunStarted, At: at, Run: "r1", Tasks: []event.Task{{Node: "a", Label: "a"}, {Node: "b", Label: "b[x=1]"}, {Node: "b", Label: "b[x=2]"}, {Node: "c", Label: "c"}}},
		{Kind: event.TaskState, At: after(0.1), Task: 0, State: "cached", Rows: 5},
		{Kind: event.TaskState, At: after(0.2), Task: 1, State: "running", Why: "param x: 1 → 2"},
		{Kind: event.TaskState, At: after(0.2), Task: 2, State: "running"},
		{Kind: event.Progress, At: after(1), Task: 1, Done: 0, Total: 1000, Unit: "rows"},
		{Kind: event.Log, At: after(2), Task: 1, Text: "hello"},
		{Kind: event.Progress, At: after(12), Task: 1, Done: 500, Total: 1000, Unit: "rows"},
		{Kind: event.TaskState, At: after(20), Task: 1, State: "done", Rows: 1234, Elapsed: 19800 * time.Millisecond, Why: "param x: 1 → 2"},
		{Kind: event.TaskState, At: after(21), Task: 2, State: "failed", Err: errors.New("it broke\nmend it")},
		{Kind: event.TaskState, At: after(21), Task: 3, State: "skipped"},
		{Kind: event.RunEnded, At: after(21.5), Run: "r1", Counts: map[string]int{"cached": 1, "done": 1, "failed": 1, "skipped": 1}, Err: errors.New("it broke")},
	}
}

func TestPlain(t *testing.T) {
	var out bytes.Buffer
	p := NewPlain(&out, false)
	p.Logs = true
	for _, e := range story() {
		p.Emit(e)
	}
	want := `run r1: 4 tasks in 3 nodes
  b[x=1]| hello
  b[x=1]: 500/1,000 rows, 45 rows/s, 11.0 s left
done    b[x=1]  1,234 rows in 19.8 s  (param x: 1 → 2)
failed  b[x=2]  it broke
        mend it
skipped c  something it needs failed
stopped run r1: 1 ran, 1 cached, 1 failed, 1 skipped in 21.5 s
`
	if out.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", out.String(), want)
	}
}

// TestWarnings: what a node warns of is shown without being asked for, the
// first of many; its other lines are not.
func TestWarnings(t *testing.T) {
	var out bytes.Buffer
	p := NewPlain(&out, false)
	for _, e := range story() {
		p.Emit(e)
		if e.Kind == event.Log {
			for i := range 5 {
				p.Emit(event.Event{Kind: event.Log, At: e.At, Task: 1, Text: fmt.Sprintf("warning: odd %d", i)})
			}
		}
	}
	want := `warning b[x=1]  odd 0
warning b[x=1]  odd 1
warning b[x=1]  odd 2
`
	if got := out.String(); !strings.Contains(got, want) || strings.Contains(got, "odd 3") || strings.Contains(got, "hello") ||
		!strings.Contains(got, "19.8 s  (param x: 1 → 2)  (2 more warnings in its log)") {
		t.Errorf("got:\n%s", got)
	}
}

func TestJSON(t *testing.T) {
	var out bytes.Buffer
	j := NewJSON(&out)
	for _, e := range story() {
		j.Emit(e)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != len(story()) {
		t.Fatalf("%d lines for %d events", len(lines), len(story()))
	}
	for _, line := range lines {
		var o map[string]any
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if o["event"] == "task" && o["task"] == "b[x=1]" && o["state"] == "done" && (o["rows"] != 1234.0 || o["seconds"] != 19.8 || o["node"] != "b") {
			t.Errorf("%s", line)
		}
	}
}

// TestLive draws frames on a narrow terminal: no line may be wider than it,
// nor the block higher, or redrawing would leave rubbish.
func TestLive(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {20, 5}, {7, 3}} {
		var out bytes.Buffer
		l := NewLive(&out, true, func() (int, int) { return size[0], size[1] })
		for _, e := range story() {
			l.Emit(e)
			l.mu.Lock()
			l.above = nil // what scrolls away may be as long as it likes
			from := out.Len()
			l.draw(true)
			frame, drawn := out.String()[from:], l.drawn
			l.mu.Unlock()
			if drawn > max(size[1], 4) {
				t.Errorf("%v: a block of %d lines", size, drawn)
			}
			for line := range strings.Lines(frame) {
				if n := visible(line); n > size[0] {
					t.Errorf("%v: a line of %d cells: %q", size, n, line)
				}
			}
		}
		l.Close()
		if strings.Contains(out.String(), "\x1b[31m") && size[0] == 80 && l.drawn != 0 {
			t.Error("the block stays on the screen")
		}
	}
}

// visible counts the cells of a line, escape sequences aside.
func visible(line string) int {
	n, escape := 0, false
	for _, r := range strings.TrimRight(line, "\n") {
		switch {
		case r == '\x1b':
			escape = true
		case escape:
			escape = r < 'A' || r > 'z' || r == '['
		case r != '\r':
			n++
		}
	}
	return n
}

func TestAmounts(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{elapsed(12 * time.Millisecond), "12 ms"}, {elapsed(59900 * time.Millisecond), "59.9 s"}, {elapsed(61 * time.Second), "1:01"},
		{elapsed(3723 * time.Second), "1:02:03"}, {rate(3.14, "rows"), "3.1 rows/s"}, {rate(12345.6, "rows"), "12,346 rows/s"},
		{clip("\x1b[31mabcdef\x1b[0m", 4), "\x1b[31mabc"}, {clip("abc", 0), "abc"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}
