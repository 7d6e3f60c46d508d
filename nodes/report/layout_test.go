package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// Names keep clear of one another, of the marks and of the edge, in crowds of
// every density.
func TestNameTagsKeepClear(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	placed := 0
	for trial := range 60 {
		room := tagRoom{bounds: vg.Rectangle{Max: vg.Point{X: 400, Y: 300}}}
		n := 3 + trial/2
		spread := 40 + 5*float64(trial%10)
		for range n {
			at := vg.Point{X: vg.Length(200 + spread*random.NormFloat64()), Y: vg.Length(150 + spread*random.NormFloat64())}
			room.marks = append(room.marks, square(at, 3.5))
		}
		for i := range n {
			room.place(i, vg.Point{X: 28, Y: 11})
		}
		placed += len(room.tags)
		for i, a := range room.tags {
			for _, b := range room.tags[:i] {
				if overlap(a.box, b.box) {
					t.Fatalf("trial %d: names %v and %v overlap", trial, a.box, b.box)
				}
				if a.joined && crosses(a.line, b.box) || b.joined && crosses(b.line, a.box) {
					t.Fatalf("trial %d: a line runs through a name", trial)
				}
			}
			for _, m := range room.marks {
				if overlap(a.box, m) {
					t.Fatalf("trial %d: name %v lies on the mark %v", trial, a.box, m)
				}
			}
			if a.box.Min.X < 0 || a.box.Min.Y < 0 || a.box.Max.X > 400 || a.box.Max.Y > 300 {
				t.Fatalf("trial %d: name %v leaves the plot", trial, a.box)
			}
		}
		if n <= 10 && len(room.tags) < n-1 {
			t.Errorf("trial %d: only %d of %d names found room", trial, len(room.tags), n)
		}
	}
	if placed < 500 {
		t.Errorf("only %d names placed", placed)
	}
}

func TestCrosses(t *testing.T) {
	box := vg.Rectangle{Min: vg.Point{X: 1, Y: 1}, Max: vg.Point{X: 3, Y: 2}}
	for _, c := range []struct {
		s    segment
		want bool
	}{
		{segment{vg.Point{X: 0, Y: 0}, vg.Point{X: 4, Y: 3}}, true},
		{segment{vg.Point{X: 2, Y: 1.5}, vg.Point{X: 2.1, Y: 1.6}}, true},
		{segment{vg.Point{X: 0, Y: 0}, vg.Point{X: 4, Y: 0}}, false},
		{segment{vg.Point{X: 0, Y: 1.5}, vg.Point{X: 0.9, Y: 1.5}}, false},
		{segment{vg.Point{X: 0, Y: 2}, vg.Point{X: 1.9, Y: 4}}, false},
		{segment{vg.Point{X: 2, Y: 0}, vg.Point{X: 2, Y: 5}}, true},
	} {
		if got := crosses(c.s, box); got != c.want {
			t.Errorf("%v: %v", c.s, got)
		}
	}
}

func TestChooseLambdas(t *testing.T) {
	for _, c := range []struct{ from, want []float64 }{
		{[]float64{-2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2}, []float64{-2, -1, 0, 1, 2}},
		{[]float64{-1, 1}, []float64{-1, 1}},
		{[]float64{-1.5, -1, -0.5, 0, 0.5, 1, 1.5}, []float64{-1.5, -0.5, 0, 1, 1.5}},
		{[]float64{0, 1, 2, 3, 4, 5, 6, 7, 8}, []float64{0, 2, 4, 6, 8}},
		{[]float64{-1, 0, 1, 2, 3, 4, 5, 6, 7}, []float64{-1, 0, 3, 5, 7}},
	} {
		if got := chooseLambdas(c.from); !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, want %v", c.from, got, c.want)
		}
	}
}

// Test losses come as two rows an epoch, one for each d: two lines, not a
// zigzag. A panel is a layer, by number, and rows of one line at one epoch are
// their mean.
func TestLossLines(t *testing.T) {
	f := &frame{names: []string{"epoch", "layer", "split", "d", "loss"}, cells: make([][]any, 5)}
	row := func(values ...any) {
		for c, v := range values {
			f.cells[c] = append(f.cells[c], v)
		}
	}
	for _, layer := range []int64{10, 9} {
		for epoch := int64(1); epoch <= 3; epoch++ {
			row(epoch, layer, "train", nil, 0.6)
			row(epoch, layer, "test", 1.0, 0.5)
			row(epoch, layer, "test", -1.0, 0.4)
		}
	}
	row(int64(3), int64(9), "train", nil, 0.2)
	panels, kinds := lossPanels(f, "epoch", "loss")
	if got := strings.Join(kinds, "; "); got != "train; test, d = +1; test, d = −1" {
		t.Errorf("lines %s", got)
	}
	if len(panels) != 2 || panels[0].layer != "layer 9" || panels[1].layer != "layer 10" {
		t.Fatalf("panels %v", panels)
	}
	for _, p := range panels {
		for _, kind := range kinds {
			points := meanByX(p.lines[kind])
			if len(points) != 3 {
				t.Errorf("%s, %s: %v", p.layer, kind, points)
			}
		}
	}
	if got := meanByX(panels[0].lines["train"])[2]; got != (plotter.XY{X: 3, Y: 0.4}) {
		t.Errorf("mean at epoch 3: %v", got)
	}
	d, err := lossDrawing(f, "epoch", "loss")
	if err != nil || len(d.panels) != 2 || d.columns != 2 || len(d.keys) != 3 || d.panels[0].plot.Y.Max != d.panels[1].plot.Y.Max {
		t.Errorf("%v: %d panels, %d columns, %d keys", err, len(d.panels), d.columns, len(d.keys))
	}
	figure, err := d.render(false)
	if err != nil || figure.narrow == nil {
		t.Errorf("%v; narrow form: %d bytes", err, len(figure.narrow))
	}
}

// Doses on the scale get all of it as their axis; others their own range.
func TestDoseScale(t *testing.T) {
	f := &frame{names: []string{"metric", "lambda", "mean", "ci_lower", "ci_upper"}, cells: [][]any{
		{"trait", "trait", "coherence", "coherence", "share", "share"}, {-1.0, 0.0, -1.0, 0.0, -1.0, 0.0},
		{3.0, 5.0, 9.0, 9.5, 0.2, 0.4}, {2.0, 4.0, 8.0, 9.0, 0.1, 0.3}, {4.0, 6.0, 9.9, 10.0, 0.3, 0.5}}}
	drawn, err := drawDose(defaults(), f)
	if err != nil || len(drawn) != 3 {
		t.Fatal(err, len(drawn))
	}
	for i, want := range []struct {
		low, high float64
		y         string
	}{{1, 10, "Trait: mean score (1 to 10)"}, {1, 10, "Coherence: mean score (1 to 10)"}, {0.08, 0.52, "Share: mean score"}} {
		y := drawn[i].panels[0].plot.Y
		if fmt.Sprintf("%.3f %.3f %s", y.Min, y.Max, y.Label.Text) != fmt.Sprintf("%.3f %.3f %s", want.low, want.high, want.y) {
			t.Errorf("axis %g to %g, %q; want %v", y.Min, y.Max, y.Label.Text, want)
		}
	}
	if m := glance(defaults(), f); len(m) != 3 || m[0].Name != "Trait" || m[0].Doses[1] != (glanceDose{"0", "5.00", "4.00 to 6.00"}) {
		t.Errorf("glance: %v", m)
	}
}

func TestTestsTable(t *testing.T) {
	f := &frame{names: []string{"test", "term", "estimate", "ci_lower", "ci_upper", "p_value", "note", "metric"}, cells: [][]any{
		{"slope", "trend", "contrast", "contrast", "other"}, {"lambda", "lambda", "1 - -1", "mean(1, 2) - 0", "x"},
		{1.0095285, 0.7398, 1.6113, -0.00001, 0.2}, {0.91693, nil, 1.15177, -0.2, nil}, {1.09952, nil, 2.06207, 0.2, nil},
		{3.0e-29, 0.000999, 0.0324, 1.0, nil}, {nil, nil, nil, nil, nil}, {"trait", "trait", "trait", "trait", "trait"}}}
	table := testsTable(f)
	var head []string
	for _, c := range table.Head {
		head = append(head, c.Text)
	}
	if got := strings.Join(head, " | "); got != "Metric | Test | Estimate | Confidence interval | p" {
		t.Errorf("columns: %s", got)
	}
	for i, want := range []string{
		"trait | Slope: change of the score per unit of λ | 1.01 | 0.9169 to 1.1 | <0.001",
		"trait | Monotone trend over λ (rank correlation) | 0.7398 | – | <0.001",
		"trait | Difference: mean at λ = +1 less mean at λ = −1 | 1.611 | 1.152 to 2.062 | 0.032",
		"trait | Contrast: mean(1, 2) - 0 | −1e−05 | −0.2 to 0.2 | 1.000",
		"trait | other: x | 0.2 | – | –",
	} {
		var row []string
		for _, c := range table.Rows[i] {
			row = append(row, c.Text)
		}
		if got := strings.Join(row, " | "); got != want {
			t.Errorf("row %d: %s, want %s", i, got, want)
		}
	}
}

// Candidates are listed by rank, whatever their order in the table.
func TestCandidatesTable(t *testing.T) {
	f := &frame{names: []string{"layer", "epoch", "coherence_auc", "slope", "rank", "winner", "note"}, cells: make([][]any, 7)}
	for i := range 20 {
		rank := any(int64(20 - i))
		if i == 5 {
			rank = nil
		}
		for c, v := range []any{int64(1), int64(i), 30.123 + float64(i), 0.1234 * float64(i), rank, i == 19, nil} {
			f.cells[c] = append(f.cells[c], v)
		}
	}
	table := candidatesTable(defaults(), f)
	if len(table.Head) != 6 || table.Head[0].Text != "Rank" || table.Head[3].Text != "Coherence AUC" {
		t.Errorf("columns: %v", table.Head)
	}
	if len(table.Rows) != openRows || len(table.Rest.Rows) != 20-openRows {
		t.Errorf("%d rows, %d folded", len(table.Rows), len(table.Rest.Rows))
	}
	if first, last := table.Rows[0], table.Rest.Rows[7]; first[0].Text != "1" || !first[0].Strong || first[3].Text != "49.12" || last[0].Text != "–" || last[2].Text != "5" {
		t.Errorf("first %v, last %v", first, last)
	}
}

// conversations makes replies whose prompts are conversations.
func conversations(t *testing.T) arrow.Table {
	t.Helper()
	turn := arrow.StructOf(field("content", utf8), field("role", utf8))
	schema := arrow.NewSchema([]arrow.Field{field("prompt_id", integer), field("messages", arrow.ListOf(turn)), field("lambda", float),
		field("reply", utf8), field("trait", float)}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for i := range 14 {
		b.Field(0).(*array.Int64Builder).Append(1)
		list := b.Field(1).(*array.ListBuilder)
		list.Append(true)
		turns := list.ValueBuilder().(*array.StructBuilder)
		for _, m := range [][2]string{{"first <question>", "user"}, {"an answer", "assistant"}, {"last \"question\" & <more>", "user"}} {
			turns.Append(true)
			turns.FieldBuilder(0).(*array.StringBuilder).Append(m[0])
			turns.FieldBuilder(1).(*array.StringBuilder).Append(m[1])
		}
		b.Field(2).(*array.Float64Builder).Append(float64(i/2) - 3)
		b.Field(3).(*array.StringBuilder).Append(fmt.Sprint("reply ", i))
		b.Field(4).(*array.Float64Builder).Append(1 + float64(i)/2)
	}
	return array.NewTableFromRecords(schema, []arrow.Record{b.NewRecord()})
}

// Of a conversation the last user message is shown, of seven lambdas five, the
// score of the parameter's column, and every other reply below the row.
func TestRepliesOfConversations(t *testing.T) {
	files, err := run(t, `{"score":"trait"}`, map[string]arrow.Table{"replies": conversations(t)})
	if err != nil {
		t.Fatal(err)
	}
	html := string(files["index.html"])
	for want, times := range map[string]int{
		"last &#34;question&#34; &amp; &lt;more&gt;": 1, "first &lt;": 0, "an answer": 0, `<th scope="col">λ =`: 5, "λ = 0, no steering</th>": 1,
		"(9)</summary>": 1, ">reply 13<": 1, "Trait, from 1 to 10": 1, `<div class="score"><span class="digits">7.5</span><span class="bar"><span style="width: 72%">`: 1,
	} {
		if got := strings.Count(html, want); got != times {
			t.Errorf("%q is %d times in the page, want %d", want, got, times)
		}
	}
	for i := range 14 {
		if !strings.Contains(html, fmt.Sprintf(">reply %d<", i)) {
			t.Errorf("reply %d is not shown", i)
		}
	}
}
