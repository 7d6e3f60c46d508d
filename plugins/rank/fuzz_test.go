package main

import (
	"math"
	"testing"

	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/go/sdktest"
)

// No rankings and comparisons make the operators panic or write a NaN. A byte
// is a value: an item, a rank or a weight, small ones twice as often, 7 null.
func FuzzTables(f *testing.F) {
	f.Add([]byte{0, 1, 1, 1, 2, 0, 2, 1, 2, 0, 2, 4}, 0.0)
	f.Add([]byte{0, 1, 1, 0, 1, 0, 7, 7, 7}, 0.5)
	f.Add([]byte{}, 1e300)
	f.Fuzz(func(t *testing.T, data []byte, weight float64) {
		value := func(k int) any {
			if k >= len(data) || data[k]%8 == 7 {
				return nil
			}
			return float64(data[k] % 8)
		}
		long := sdktest.Of("a: float64, b: float64, c: float64, w: float64")
		for k := 0; k < len(data) && k < 120; k += 3 {
			long.Rows = append(long.Rows, sdktest.Row{"a": value(k), "b": value(k + 1), "c": value(k + 2), "w": weight})
		}
		for _, run := range []struct {
			op     sdk.Operator
			port   string
			params string
		}{
			{plackettLuceOperator(), "rankings", `{"ranking": "a", "item": "b", "rank": "c", "weight": "w"}`},
			{plackettLuceOperator(), "rankings", `{"items": ["a", "b", "c"], "pseudo": 0.5}`},
			{bradleyTerryOperator(), "comparisons", `{"first": "a", "second": "b", "winner": "c", "tie": "0", "weight": "w", "order": true}`},
		} {
			out, err := sdktest.Run(t, run.op, run.params, 0, sdktest.Tables{run.port: long})
			if stack := sdk.Stack(err); stack != "" {
				t.Fatalf("%s %s panics: %v\n%s", run.op.Name, run.params, err, stack)
			}
			for port, table := range out {
				for _, row := range table.Rows {
					for name, v := range row {
						if x, ok := v.(float64); ok && (math.IsNaN(x) || math.IsInf(x, 0)) {
							t.Errorf("%s: %s.%s is %v", run.op.Name, port, name, x)
						}
					}
				}
			}
		}
	})
}
