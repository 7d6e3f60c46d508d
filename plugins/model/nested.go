package main

import (
	"math"

	"github.com/seed-4012077a/flow/sdk/stats/estimate"
	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// outside names a column of the smaller design that is no linear combination
// of the larger's, "" where all are. Both are projected onto an orthonormal
// basis of the larger's columns, made by modified Gram-Schmidt done twice,
// which is orthogonal to rounding (Giraud et al. 2005).
func outside(small, large *formula.Design) string {
	known := map[string]bool{}
	for _, name := range large.Names {
		known[name] = true
	}
	var basis [][]float64
	for j, name := range small.Names {
		if known[name] {
			continue // the same column; names of columns are unique to their values
		}
		if basis == nil {
			for k := range large.Names {
				v := mat.Col(nil, k, large.X)
				if reduce(v, basis) > 1e-10 {
					basis = append(basis, v)
				}
			}
		}
		if v := mat.Col(nil, j, small.X); reduce(v, basis) > 1e-7 {
			return "the larger has no column " + name + " nor a combination that makes it"
		}
	}
	return ""
}

// reduce takes the basis out of v, scales the rest to length 1 and returns
// which share of v's length it was.
func reduce(v []float64, basis [][]float64) float64 {
	length := floats.Norm(v, 2)
	if length == 0 {
		return 0
	}
	for range 2 {
		for _, b := range basis {
			floats.AddScaled(v, -floats.Dot(v, b), b)
		}
	}
	rest := floats.Norm(v, 2)
	if rest > 0 {
		floats.Scale(1/rest, v)
	}
	return rest / length
}

func fTest(f, ndf, ddf float64) comparison {
	if math.IsNaN(f) || ddf <= 0 {
		return noComparison("no test: the larger model has no residual degrees of freedom")
	}
	return comparison{test: "F", statistic: f, df: ndf, ddf: ddf, p: estimate.FTail(f, ndf, ddf)}
}

func chiSquared(x, df float64) comparison {
	return comparison{test: "likelihood ratio", statistic: x, df: df, ddf: math.NaN(), p: estimate.FTail(x/df, df, math.Inf(1))}
}
