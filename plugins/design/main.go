// Plugin design plans trials: randomisation lists, simulated trials, power,
// and the counts of a CONSORT flow diagram.
//
// An arm is a combination of the levels of what participants are assigned to.
// A simulated trial is made from stated effects and a seed; each of its rows
// says so in the column "simulated".
package main

import "github.com/seed-4012077a/flow/sdk/go"

func init() {
	sdk.Serve(sdk.Plugin{
		Name: "design", Version: "1.0.0",
		Doc:       "Trial design: randomisation lists, simulated trials, power by simulation, CONSORT counts.",
		Operators: []sdk.Operator{randomiseOperator(), simulateOperator(), consortOperator(), replicatesOperator(), testOperator(), powerOperator()},
	})
}

func main() {}
