package wasm

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/seed-4012077a/flow/engine/nodetest"
)

// TestCallsArePaced holds how many rows a call is given to what the last one
// took.
func TestCallsArePaced(t *testing.T) {
	var r mapRun
	for _, c := range []struct {
		rows int64
		took time.Duration
		want int64
	}{
		{1, time.Microsecond, 8},           // cheap: grow, but not at once
		{512, time.Millisecond, 4096},      // still cheap
		{100, 5 * time.Millisecond, 400},   // measurable: to the time of a call
		{100, 200 * time.Millisecond, 10},  // too many
		{1, time.Minute, 1},                // never none
		{0, 10 * time.Second, 1},           // an empty batch says nothing
		{65_536, 20 * time.Millisecond, 0}, // right
	} {
		r.paced(c.rows, c.took)
		if c.want == 0 {
			c.want = c.rows
		}
		if got := r.rows.Load(); got != c.want {
			t.Errorf("%d rows took %v: next are %d, want %d", c.rows, c.took, got, c.want)
		}
	}
}

// TestOneBatchIsShared checks that a single batch is more than one call, and
// that its rows come back in order.
func TestOneBatchIsShared(t *testing.T) {
	p := load(t, Config{})
	in := nodetest.FromJSON(t, rows(t).Schema, "["+strings.Repeat(`{"id": 7}, {"id": null}, `, 500)+`{"id": 8}]`)
	out, err := nodetest.Exec(context.Background(), t, p.operator(t, "identity"), nodetest.Setting{Workers: 3}, in)
	if err != nil {
		t.Fatal(err)
	}
	nodetest.Same(t, out.Outputs[0], in)
	if got := out.Outputs[0].Batches; len(got) < 3 || got[0].NumRows() != 1 {
		t.Errorf("%d calls, the first with %d rows", len(got), got[0].NumRows())
	}
}
