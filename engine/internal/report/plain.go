package report

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/seed-4012077a/flow/engine/internal/event"
)

// Plain writes a line when a task starts late, ends or logs: for pipes, files
// and CI. Cached tasks are counted, not listed.
type Plain struct {
	mu    sync.Mutex
	w     io.Writer
	paint painter
	track tracker
	last  map[int]time.Time // the last progress line of each task
	Logs  bool              // print the nodes' log lines
}

// every is how often a long task tells its progress on a plain output.
const every = 10 * time.Second

// NewPlain returns a Plain that writes to w, in colour if wanted.
func NewPlain(w io.Writer, colour bool) *Plain {
	return &Plain{w: w, paint: painter(colour), last: map[int]time.Time{}}
}

// Emit implements event.Sink.
func (p *Plain) Emit(e event.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.track.take(e)
	if line := p.line(e); line != "" {
		fmt.Fprintln(p.w, line)
	}
}

func (p *Plain) line(e event.Event) string {
	switch e.Kind {
	case event.RunStarted:
		return fmt.Sprintf("run %s: %d tasks in %d nodes", e.Run, len(e.Tasks), len(p.track.nodes))
	case event.TaskState:
		return settledLine(p.paint, &p.track, e)
	case event.Progress:
		if prev, ok := p.last[e.Task]; ok && e.At.Sub(prev) < every {
			return ""
		} else if !ok {
			p.last[e.Task] = e.At // the first line comes after `every`
			return ""
		}
		p.last[e.Task] = e.At
		return "  " + p.track.tasks[e.Task].Label + ": " + p.track.progressText(e.Task)
	case event.Log:
		if p.Logs {
			return p.paint.paint(dim, "  "+p.track.tasks[e.Task].Label+"| "+e.Text)
		}
		return warningLine(p.paint, &p.track, e)
	case event.RunEnded:
		return endLine(p.paint, &p.track, e)
	}
	return ""
}

// firstTime is why most tasks of a first run run: not worth saying each time.
const firstTime = "never ran"

// Nodes begin a line that their user should see with this word.
const (
	warningMark = "warning: "
	maxWarnings = 3 // shown of one task; its log has all
)

// warningLine shows a task's first warnings and counts the others; nothing for
// other lines.
func warningLine(p painter, t *tracker, e event.Event) string {
	text, is := strings.CutPrefix(e.Text, warningMark)
	if !is {
		return ""
	}
	if t.warned[e.Task]++; t.warned[e.Task] > maxWarnings {
		return ""
	}
	return fmt.Sprintf("%s %s  %s", p.paint(yellow, "warning"), t.tasks[e.Task].Label, text)
}

// settledLine tells how a task ended; nothing for states that are not news.
func settledLine(p painter, t *tracker, e event.Event) string {
	label := t.tasks[e.Task].Label
	switch e.State {
	case "done":
		s := fmt.Sprintf("%s %s  %s in %s", p.paint(green, "done   "), label, amount(e.Rows, 0, "rows"), elapsed(e.Elapsed))
		if e.Why != "" && e.Why != firstTime {
			s += p.paint(dim, "  ("+e.Why+")")
		}
		if more := t.warned[e.Task] - maxWarnings; more > 0 {
			s += p.paint(yellow, fmt.Sprintf("  (%s in its log)", amount(int64(more), 0, "more warnings")))
		}
		return s
	case "failed":
		return fmt.Sprintf("%s %s  %s", p.paint(red, "failed "), label, indentAfterFirst(e.Err))
	case "skipped":
		return fmt.Sprintf("%s %s  something it needs failed", p.paint(yellow, "skipped"), label)
	}
	return ""
}

func indentAfterFirst(err error) string {
	if err == nil {
		return ""
	}
	return strings.ReplaceAll(strings.TrimRight(err.Error(), "\n"), "\n", "\n        ")
}

func endLine(p painter, t *tracker, e event.Event) string {
	var parts []string
	for _, s := range [][2]string{{"done", "ran"}, {"cached", "cached"}, {"failed", "failed"}, {"skipped", "skipped"}, {"cancelled", "cancelled"}} {
		if n := e.Counts[s[0]]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s[1]))
		}
	}
	word, code := "finished", green
	if e.Err != nil {
		word, code = "stopped", red
	}
	return fmt.Sprintf("%s run %s: %s in %s", p.paint(code, word), e.Run, strings.Join(parts, ", "), elapsed(e.At.Sub(t.started)))
}

// progressText is "1,204/4,000 rows, 230 rows/s, 12.1 s left, epoch 3".
func (t *tracker) progressText(task int) string {
	p := t.node(task).running[task]
	if p == nil || p.unit == "" {
		return ""
	}
	s := amount(p.done, p.total, p.unit)
	if r := p.perSecond(t.now); r > 0 {
		s += ", " + rate(r, p.unit)
	}
	if eta := p.eta(t.now); eta > 0 {
		s += ", " + elapsed(eta) + " left"
	}
	if p.text != "" {
		s += ", " + p.text
	}
	return s
}
