// Plugin scale turns questionnaires into scales: correlations of items, how
// many factors they have, which, each person's scores, and how reliable sums
// are. Its nouns are those of sdk/stats/scale.
package main

import "github.com/seed-4012077a/flow/sdk/go"

func init() {
	sdk.Serve(sdk.Plugin{
		Name: "scale", Version: "1.0.0",
		Doc:       "Scales from questionnaire items: polychoric correlations, parallel analysis, factor analysis, factor scores on a baseline, alpha and omega.",
		Operators: []sdk.Operator{correlationsOperator(), parallelOperator(), factorsOperator(), scoresOperator(), reliabilityOperator()},
	})
}

func main() {}
