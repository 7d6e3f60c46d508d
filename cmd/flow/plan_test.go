package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/seed-4012077a/flow/engine"
)

// TestPrintRows compares the plan's columns with those of text/tabwriter.
func TestPrintRows(t *testing.T) {
	rows := []planRow{
		{cells: 1, status: engine.TaskStatus{Node: "a", Label: "a", Uses: "read", State: "cached", Rows: 1234567, RowsKnown: true}},
		{cells: 12, status: engine.TaskStatus{Node: "long", Label: "long[x=1]", Uses: "filter#threshold", State: "run?", Why: []string{"after a", "and so on"}}},
		{cells: 1, status: engine.TaskStatus{Node: "ü", Label: "ü[λ=½]", Uses: "p#q", State: "run", Estimate: 90 * time.Second, Why: []string{"never ran"}}},
	}
	for n := range len(rows) + 1 {
		var got, want bytes.Buffer
		if err := printRows(&got, rows[:n]); err != nil {
			t.Fatal(err)
		}
		tw := tabwriter.NewWriter(&want, 2, 8, 2, ' ', 0)
		for i := range rows[:n] {
			c := rows[i].columns()
			fmt.Fprintln(tw, strings.Join(c[:], "\t"))
		}
		if err := tw.Flush(); err != nil {
			t.Fatal(err)
		}
		if got.String() != want.String() {
			t.Errorf("got\n%s\nwant\n%s", got.String(), want.String())
		}
	}
}
