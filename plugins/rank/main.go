// Plugin rank estimates the worth of items from rankings and from paired
// comparisons.
//
// A ranking orders some or all items, 1 the best; equal ranks are ties. A
// comparison is of two items, the first as it was shown. An item's log-worth
// is determined up to a constant: they average 0, or a reference item has 0.
// The logistic function of a difference of two is the probability that the one
// is placed above the other.
package main

import "github.com/seed-4012077a/flow/sdk/go"

func init() {
	sdk.Serve(sdk.Plugin{
		Name: "rank", Version: "1.0.0",
		Doc:       "Worth of items from rankings (Plackett-Luce) and paired comparisons (Bradley-Terry), with ties.",
		Operators: []sdk.Operator{plackettLuceOperator(), bradleyTerryOperator()},
	})
}

func main() {}
