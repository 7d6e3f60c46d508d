package report

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/seed-4012077a/flow/engine/internal/event"
)

// Live keeps a block of lines at the foot of a terminal, one for each node
// that runs, and lets finished tasks scroll away above it.
type Live struct {
	mu    sync.Mutex
	w     io.Writer
	paint painter
	size  func() (width, height int)
	track tracker
	drawn int // lines of the block on screen
	above []string
	Logs  bool

	stop chan struct{}
	gone sync.WaitGroup
}

// refresh is how often the block is redrawn: often enough to look alive, too
// seldom to cost anything.
const refresh = 125 * time.Millisecond

// NewLive returns a Live that draws on w; size tells the terminal's columns
// and rows. Close ends it.
func NewLive(w io.Writer, colour bool, size func() (width, height int)) *Live {
	l := &Live{w: w, paint: painter(colour), size: size, stop: make(chan struct{})}
	l.gone.Add(1)
	go l.redraw()
	return l
}

func (l *Live) redraw() {
	defer l.gone.Done()
	tick := time.NewTicker(refresh)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			l.mu.Lock()
			l.track.now = now
			l.draw(true)
			l.mu.Unlock()
		case <-l.stop:
			return
		}
	}
}

// Close takes the block off the screen and prints what is left to say.
func (l *Live) Close() {
	close(l.stop)
	l.gone.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.draw(false)
}

// Emit implements event.Sink.
func (l *Live) Emit(e event.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.track.take(e)
	switch e.Kind {
	case event.TaskState:
		if line := settledLine(l.paint, &l.track, e); line != "" {
			l.above = append(l.above, line)
		}
	case event.Log:
		if l.Logs {
			l.above = append(l.above, l.paint.paint(dim, "  "+l.track.tasks[e.Task].Label+"| "+e.Text))
		} else if line := warningLine(l.paint, &l.track, e); line != "" {
			l.above = append(l.above, line)
		}
	case event.RunEnded:
		l.above = append(l.above, endLine(l.paint, &l.track, e))
	}
}

// draw writes one frame in one call, so that it never flickers.
func (l *Live) draw(block bool) {
	var b strings.Builder
	if l.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\r\x1b[J", l.drawn)
	}
	for _, line := range l.above {
		b.WriteString(line)
		b.WriteByte('\n')
	}
	l.above = l.above[:0]
	l.drawn = 0
	if block && l.track.run != "" {
		width, height := l.size()
		for _, line := range l.block(height) {
			b.WriteString(clip(line, width))
			b.WriteString("\x1b[0m\n")
			l.drawn++
		}
	}
	if b.Len() > 0 {
		_, _ = io.WriteString(l.w, b.String())
	}
}

func (l *Live) block(height int) []string {
	t := &l.track
	settled := 0
	var lines []string
	for _, n := range t.nodes {
		settled += n.settled()
		if len(n.running) == 0 {
			continue
		}
		ids := n.oldest()
		head := l.paint.paint(cyan, n.name)
		if n.total > 1 {
			head += fmt.Sprintf(" %d/%d", n.settled(), n.total)
		}
		head += l.paint.paint(dim, "  "+elapsed(t.now.Sub(n.running[ids[0]].began)))
		if text := t.progressText(ids[0]); text != "" {
			p := n.running[ids[0]]
			if p.total > 0 {
				head += " " + bar(p.done, p.total, 16)
			}
			head += "  " + text
		}
		lines = append(lines, "  "+head)
	}
	if most := max(height-3, 3); len(lines) > most {
		more := len(lines) - most + 1
		lines = append(lines[:most-1], l.paint.paint(dim, fmt.Sprintf("  and %d more nodes", more)))
	}
	top := fmt.Sprintf("%s %d/%d tasks  %s", l.paint.paint(bold, "flow"), settled, len(t.tasks), elapsed(t.now.Sub(t.started)))
	return append([]string{top}, lines...)
}

func bar(done, total int64, width int) string {
	full := int(float64(width) * min(1, float64(done)/float64(total)))
	return "[" + strings.Repeat("#", full) + strings.Repeat("-", width-full) + "]"
}

// clip cuts a line to the terminal's width, counting no escape sequences: a
// line that wraps would break the redrawing.
func clip(s string, width int) string {
	if width <= 0 {
		return s
	}
	var b strings.Builder
	col, escape := 0, false
	for _, r := range s {
		switch {
		case r == '\x1b':
			escape = true
		case escape:
			escape = r != 'm'
		default:
			if col++; col >= width {
				return b.String()
			}
		}
		b.WriteRune(r)
	}
	return b.String()
}
