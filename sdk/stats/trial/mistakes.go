package trial

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seed-4012077a/flow/sdk/stats/frame"
)

// Mistake is something that is wrong with a plan. Path is the key that is to
// blame, its steps joined by points, as "outcomes.0.form"; "" the plan.
type Mistake struct{ Path, Text string }

// Mistakes are all that is wrong with a plan.
type Mistakes []Mistake

func (m Mistakes) Error() string {
	lines := make([]string, len(m))
	for i, x := range m {
		lines[i] = x.Text
	}
	return strings.Join(lines, "\n")
}

// PathOf is the key of a plan's first mistake, below root; root where the error
// is of none.
func PathOf(err error, root string) string {
	var m Mistakes
	if errors.As(err, &m) && m[0].Path != "" {
		return root + "." + m[0].Path
	}
	return root
}

func (m *Mistakes) add(path, format string, args ...any) {
	*m = append(*m, Mistake{path, fmt.Sprintf(format, args...)})
}

// one complains unless the value is one of the valid ones. place says what has
// it.
func (m *Mistakes) one(path, place, value string, valid ...string) {
	if !slices.Contains(valid, value) {
		m.add(path, "%s: unknown %q: %s", place, value, frame.Choices(value, valid))
	}
}

// path joins keys and indices.
func path(steps ...any) string {
	out := make([]string, len(steps))
	for i, s := range steps {
		out[i] = fmt.Sprint(s)
	}
	return strings.Join(out, ".")
}
