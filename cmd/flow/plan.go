package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/seed-4012077a/flow/engine"
)

func (a *app) planCmd() *cobra.Command {
	var sel selection
	var all bool
	cmd := &cobra.Command{
		Use:   "plan [PIPELINE]",
		Short: "Show what would run, what is cached, and why",
		Long: `Show what would run and what is cached, and why, from the same manifest that is
hashed for the key. "run?" means that it depends on a result that is not there
yet: if that comes out as before, this stays cached.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := a.open()
			if err != nil {
				return err
			}
			defer e.Close()
			p, err := a.prepare(cmd.Context(), e, args, sel)
			if err != nil {
				return err
			}
			statuses, err := p.Explain(cmd.Context())
			if err != nil {
				return err
			}
			if a.json {
				return json.NewEncoder(a.out).Encode(statuses)
			}
			return printPlan(a.out, statuses, all)
		},
	}
	a.pipelineFlags(cmd, &sel)
	cmd.Flags().BoolVarP(&all, "all", "a", false, "list every cell of a matrix")
	return cmd
}

// planRow is a line of the plan: one task, or several cells of a node that
// stand alike.
type planRow struct {
	status engine.TaskStatus // sums, for several cells
	cells  int
}

// planRows folds neighbouring cells of one node with the same status and
// reason into a row, unless all are wanted.
func planRows(statuses []engine.TaskStatus, all bool) []planRow {
	var rows []planRow
	for _, s := range statuses {
		if n := len(rows); n > 0 && !all {
			last := &rows[n-1]
			if last.status.Node == s.Node && last.status.State == s.State && slices.Equal(last.status.Why, s.Why) {
				last.cells++
				last.status.Rows += s.Rows
				last.status.Estimate += s.Estimate
				continue
			}
		}
		rows = append(rows, planRow{status: s, cells: 1})
	}
	return rows
}

// columns are the texts of a row, the last of which is not padded.
func (r *planRow) columns() [6]string {
	c := [6]string{r.status.State, r.status.Label, r.status.Uses, "", "", strings.Join(r.status.Why, "; ")}
	if r.cells > 1 {
		c[1] = fmt.Sprintf("%s (%d cells)", r.status.Node, r.cells)
	}
	if r.status.RowsKnown {
		c[3] = humanize.Comma(r.status.Rows) + " rows"
	}
	if r.status.Estimate > 0 {
		c[4] = "~" + roughly(r.status.Estimate)
	}
	return c
}

// printRows aligns the rows as text/tabwriter would, which takes several times
// as long over the ten thousand rows of a large plan.
func printRows(w io.Writer, rows []planRow) error {
	const padding = "  "
	lines := make([][6]string, len(rows))
	var width [5]int
	for i := range rows {
		lines[i] = rows[i].columns()
		for k := range width {
			width[k] = max(width[k], utf8.RuneCountInString(lines[i][k]))
		}
	}
	buf := bufio.NewWriterSize(w, 1<<16)
	for i := range lines {
		for k, n := range width {
			text := lines[i][k]
			_, _ = buf.WriteString(text) // Flush returns the first error
			for range n - utf8.RuneCountInString(text) {
				_ = buf.WriteByte(' ')
			}
			_, _ = buf.WriteString(padding)
		}
		_, _ = buf.WriteString(lines[i][5])
		_ = buf.WriteByte('\n')
	}
	return buf.Flush()
}

func printPlan(w io.Writer, statuses []engine.TaskStatus, all bool) error {
	counts := map[string]int{}
	var estimate time.Duration
	unknown := 0
	for _, s := range statuses {
		counts[s.State]++
		if s.State != engine.Cached {
			estimate += s.Estimate
			if s.Estimate == 0 {
				unknown++
			}
		}
	}
	if err := printRows(w, planRows(statuses, all)); err != nil {
		return err
	}
	line := fmt.Sprintf("\n%d to run, %d perhaps, %d cached", counts[engine.WillRun], counts[engine.MayRun], counts[engine.Cached])
	if estimate > 0 {
		line += fmt.Sprintf("; about %s of work by earlier runs", roughly(estimate))
		if unknown > 0 {
			line += fmt.Sprintf(" (%d tasks have none)", unknown)
		}
	}
	_, err := fmt.Fprintln(w, line)
	return err
}

// roughly prints an estimate with no more digits than it deserves.
func roughly(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return "10ms"
	case d < time.Second:
		return d.Round(10 * time.Millisecond).String()
	}
	return d.Round(time.Second / 10).String()
}
