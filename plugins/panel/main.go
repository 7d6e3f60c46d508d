// Plugin panel follows a score over a panel of models: its trend over their
// release dates, and which lambda of a steered model scores as they do.
//
// A panel is many models that answered the same prompts. An anchor is the
// steered model at one lambda, the multiplier of its vector. A year is a date
// as a number: 2024.5 is the middle of 2024.
package main

import "github.com/seed-4012077a/flow/sdk/go"

func init() {
	sdk.Serve(sdk.Plugin{
		Name: "panel", Version: "1.0.0",
		Doc:       "A panel of models: trend of a score over release dates by crossed mixed models, and its lambda equivalent between steered anchors.",
		Operators: []sdk.Operator{trendOperator(), equivalentOperator()},
	})
}

func main() {}
