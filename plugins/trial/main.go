// Plugin trial analyses randomised trials whose treatment is a dose, as a plan
// states it.
//
// A plan is a TOML table (or file): tables, studies, lambda, factors, outcomes
// with their families, robustness runs. The package sdk/stats/trial says which
// models it stands for.
package main

import "github.com/seed-4012077a/flow/sdk/go"

func init() {
	sdk.Serve(sdk.Plugin{
		Name: "trial", Version: "1.0.0",
		Doc:       "A trial's analysis from a plan: mixed models, marginal contrasts, robustness runs, corrected p-values.",
		Operators: []sdk.Operator{analyseOperator()},
	})
}

func main() {}
