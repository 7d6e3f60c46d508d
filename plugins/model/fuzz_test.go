package main

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/go/sdktest"
)

// No formula, family or option makes the operators panic or write a NaN.
func FuzzModels(f *testing.F) {
	for _, text := range []string{"y ~ a * x + (1 + x | g)", "y ~ poly(x, 2) + I(x^2) - 1", "cbind(n, 3 - n) ~ a + (1 | g)", "z ~ a", "log(y) ~ . - g", "y ~ (x || g) + offset(x)", "n ~ x + (1 | g/a)", "y ~ 0", "y ~ factor(n):a + x", "~ x"} {
		f.Add(text, "gaussian", "x", uint8(0))
		f.Add(text, "binomial", "a", uint8(7))
		f.Add(text, "poisson", "g", uint8(255))
	}
	f.Add("n ~ 0", "poisson", "a", uint8(0))
	in := sdktest.Of("g: utf8, a: utf8, x: float64, y: float64, n: int64, z: bool")
	for i := range 18 {
		row := sdktest.Row{"g": string(rune('p' + i%5)), "a": string(rune('u' + i%3)), "x": float64((i*7)%11) / 3, "y": float64((i*5)%13)/4 + 0.5, "n": (i * 3) % 4, "z": i%3 == 0}
		if i == 4 {
			row["x"] = nil
		}
		in.Rows = append(in.Rows, row)
	}
	f.Fuzz(func(t *testing.T, text, family, column string, options uint8) {
		if len(text) > 60 { // long ones only make large models
			return
		}
		p := map[string]any{"formula": text, "family": family}
		bit := func(k int) bool { return options>>k&1 == 1 }
		if bit(0) {
			p["coding"] = map[string]string{column: "sum"}
		}
		if bit(1) {
			p["weights"] = column
		}
		if bit(2) {
			p["reml"] = false
		} else if bit(3) {
			p["df"] = "kenward-roger"
		}
		if bit(4) {
			p["group_by"] = []string{column}
		}
		means := map[string]any{"of": []string{column}, "contrasts": []any{map[string]any{"method": "pairwise"}}}
		for k, v := range p {
			means[k] = v
		}
		if bit(5) {
			means["scale"] = "response"
		}
		if bit(6) {
			p["limits"] = "profile"
		}
		if bit(7) {
			p["robust"] = "HC3"
		}
		for _, run := range []struct {
			op     sdk.Operator
			params map[string]any
		}{{fitOperator(), p}, {meansOperator(), means}} {
			params, err := json.Marshal(run.params)
			if err != nil {
				t.Skip()
			}
			out, err := sdktest.Run(t, run.op, string(params), 0, sdktest.Tables{"data": in})
			if stack := sdk.Stack(err); stack != "" {
				t.Fatalf("%s %s panics: %v\n%s", run.op.Name, params, err, stack)
			}
			for port, table := range out {
				for _, row := range table.Rows {
					for name, v := range row {
						if x, ok := v.(float64); ok && (math.IsNaN(x) || math.IsInf(x, 0)) {
							t.Errorf("%s %s: %s.%s is %v", run.op.Name, params, port, name, x)
						}
					}
				}
			}
		}
	})
}
