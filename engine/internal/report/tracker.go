package report

import (
	"slices"
	"time"

	"github.com/seed-4012077a/flow/engine/internal/event"
)

// tracker folds events into the standing of each node: its tasks by state and
// what its running tasks have done so far.
type tracker struct {
	started time.Time
	run     string
	tasks   []event.Task
	states  []string
	warned  []int // warnings of each task so far
	nodes   []*nodeStanding
	byNode  map[string]*nodeStanding
	now     time.Time
}

// nodeStanding is how far a node is, all its matrix cells together.
type nodeStanding struct {
	name, uses string
	total      int
	ran        int
	cached     int
	failed     int
	skipped    int
	rows       int64
	busy       time.Duration
	running    map[int]*progress
}

// progress is what a running task said last.
type progress struct {
	began       time.Time
	done, total int64
	unit, text  string
	window      [2]sample // an older and a newer reading, for the rate of late
}

type sample struct {
	at   time.Time
	done int64
}

func (p *progress) set(e event.Event) {
	if e.Unit != p.unit || e.Done < p.done {
		p.window = [2]sample{{e.At, e.Done}, {e.At, e.Done}}
	}
	p.done, p.total, p.unit, p.text = e.Done, e.Total, e.Unit, e.Text
	if e.At.Sub(p.window[1].at) > 3*time.Second {
		p.window[0], p.window[1] = p.window[1], sample{e.At, e.Done}
	}
}

// perSecond is the rate over the last few seconds, 0 while it is unknown.
func (p *progress) perSecond(now time.Time) float64 {
	from := p.window[0]
	if from.at.IsZero() {
		from = sample{at: p.began}
	}
	dt := now.Sub(from.at).Seconds()
	if dt < 0.5 || p.done <= from.done {
		return 0
	}
	return float64(p.done-from.done) / dt
}

// eta is the time left at the present rate, 0 while it is unknown.
func (p *progress) eta(now time.Time) time.Duration {
	r := p.perSecond(now)
	if r == 0 || p.total <= p.done {
		return 0
	}
	return time.Duration(float64(p.total-p.done) / r * float64(time.Second))
}

func (t *tracker) take(e event.Event) {
	t.now = e.At
	switch e.Kind {
	case event.RunStarted:
		t.start(e)
	case event.TaskState:
		t.state(e)
	case event.Progress:
		if p := t.node(e.Task).running[e.Task]; p != nil {
			p.set(e)
		}
	}
}

func (t *tracker) start(e event.Event) {
	*t = tracker{started: e.At, now: e.At, run: e.Run, tasks: e.Tasks, states: make([]string, len(e.Tasks)), warned: make([]int, len(e.Tasks)), byNode: map[string]*nodeStanding{}}
	for _, task := range e.Tasks {
		n := t.byNode[task.Node]
		if n == nil {
			n = &nodeStanding{name: task.Node, uses: task.Uses, running: map[int]*progress{}}
			t.byNode[task.Node] = n
			t.nodes = append(t.nodes, n)
		}
		n.total++
	}
}

func (t *tracker) node(task int) *nodeStanding { return t.byNode[t.tasks[task].Node] }

func (t *tracker) state(e event.Event) {
	n := t.node(e.Task)
	t.states[e.Task] = e.State
	switch e.State {
	case "running":
		n.running[e.Task] = &progress{began: e.At}
		return
	case "done":
		n.ran++
		n.rows += e.Rows
		n.busy += e.Elapsed
	case "cached":
		n.cached++
		n.rows += e.Rows
	case "failed":
		n.failed++
	case "skipped", "cancelled":
		n.skipped++
	default:
		return
	}
	delete(n.running, e.Task)
}

func (n *nodeStanding) settled() int { return n.ran + n.cached + n.failed + n.skipped }

// oldest returns the running tasks, the longest-running first.
func (n *nodeStanding) oldest() []int {
	ids := make([]int, 0, len(n.running))
	for id := range n.running {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b int) int {
		if c := n.running[a].began.Compare(n.running[b].began); c != 0 {
			return c
		}
		return a - b
	})
	return ids
}
