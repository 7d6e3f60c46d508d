// Plugin trajectory says how participants change over time, sorts them by two
// such changes, and compares arms by what they were sorted into.
//
// A slope is a participant's change of an outcome for one unit of time, from a
// mixed model (sdk/stats/trajectory). A profile is which of two slopes, liking
// and wanting, are above their thresholds. An arm of a comparison is the rows
// that meet some conditions.
package main

import "github.com/seed-4012077a/flow/sdk/go"

func init() {
	sdk.Serve(sdk.Plugin{
		Name: "trajectory", Version: "1.0.0",
		Doc:       "Participants' slopes over time from mixed models, profiles of two slopes, and comparisons of arms by a categorical outcome.",
		Operators: []sdk.Operator{slopesOperator(), profilesOperator(), compareOperator()},
	})
}

func main() {}
