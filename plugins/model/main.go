// Plugin model fits regression models to a table and asks them questions.
//
// A model is an R formula with a family: least squares, a generalised linear
// model, and with random terms ("(1 + time | person)") their mixed forms. A
// fit is a model with its estimates; a marginal mean is what a fit expects at
// some levels of its factors, averaged over the others; a contrast is a
// weighted sum of marginal means. What cannot be computed is null, with the
// reason in the column note.
package main

import "github.com/seed-4012077a/flow/sdk/go"

func init() {
	sdk.Serve(sdk.Plugin{
		Name: "model", Version: "1.0.0",
		Doc:       "Regression by R formulas: linear, generalised linear and mixed models; marginal means and contrasts, comparison of models, prediction, bootstrap.",
		Operators: []sdk.Operator{fitOperator(), meansOperator(), compareOperator(), predictOperator(), bootstrapOperator()},
	})
}

func main() {}
