package main

import (
	"encoding/json"
	"testing"

	"github.com/seed-4012077a/flow/sdk/go/sdktest"
)

// Conditions that are read can be asked of every row.
func FuzzConditions(f *testing.F) {
	for _, s := range []string{`{"lambda": 1}`, `{"lambda": {"above": 0, "not": 2}, "arm": ["a", "b"]}`, `{"arm": true}`, `{"lambda": {}}`, `{"arm": {"above": 1}}`, `{"arm": null}`} {
		f.Add([]byte(s))
	}
	table := sdktest.Of("lambda: float64, arm: utf8, many: list<int64>", sdktest.Row{"lambda": 1.0, "arm": "a"}, sdktest.Row{})
	batch, err := sdktest.Batch(table.Schema, table.Rows)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var raw map[string]json.RawMessage
		if json.Unmarshal(data, &raw) != nil {
			return
		}
		a, err := parseArm(raw, table.Schema, "treated")
		if err != nil {
			return
		}
		for i := range batch.Len() {
			if a.holds(batch, i) && i == 1 && len(a) > 0 {
				t.Errorf("%s holds where all is null", a)
			}
		}
	})
}
