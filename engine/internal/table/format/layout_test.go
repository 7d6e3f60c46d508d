package format

import (
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/seed-4012077a/flow/engine/nodetest"
)

// TestNarrow: where a table is wider than the terminal its texts are cut and
// columns are left out by name; a number is never cut, as its exponent would
// be lost.
func TestNarrow(t *testing.T) {
	s := arrow.NewSchema([]arrow.Field{
		{Name: "study", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "outcome", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "p_value_corrected", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
		{Name: "note", Type: arrow.BinaryTypes.String, Nullable: true},
	}, nil)
	const in = `[{"study": "longitudinal", "outcome": "perceived understanding", "p_value_corrected": 8.741875123e-06},
		{"study": "longitudinal", "outcome": "trust", "p_value_corrected": 0.25}]`
	for width, want := range map[int]string{
		0: `study         outcome                  p_value_corrected  note
────────────  ───────────────────────  ─────────────────  ────
longitudinal  perceived understanding        8.74188e-06  ·
longitudinal  trust                                 0.25  ·
`,
		30: `outcome         p_value_corre…
──────────────  ──────────────
perceived und…     8.74188e-06
trust                     0.25

not shown: study, note
`,
	} {
		var b strings.Builder
		if err := Print(t.Context(), &b, nodetest.FromJSON(t, s, in).Reader(), PrintOptions{Format: "table", Rows: -1, Width: width}); err != nil {
			t.Fatal(err)
		}
		if b.String() != want {
			t.Errorf("%d cells:\n%s\nwant\n%s", width, b.String(), want)
		}
	}
}
