// Plugin validate checks a steered model: against prompting, under persona
// attacks, on capability benchmarks, and in the eyes of a judge of pairs.
//
// lambda is the multiplier of the steering vector, or the level that a prompt
// asks for. An arm or a system is a way of making the model behave. A shift is
// a change of score under attack. A rate is correct answers by answers.
package main

import "github.com/seed-4012077a/flow/sdk/go"

func init() {
	sdk.Serve(sdk.Plugin{
		Name: "validate", Version: "1.0.0",
		Doc:       "Validation of a steered model: dose-response by arm, persona-attack shifts, benchmark change, pairwise judgements.",
		Operators: []sdk.Operator{steeringOperator(), attackOperator(), benchmarksOperator(), judgementsOperator()},
	})
}

func main() {}
