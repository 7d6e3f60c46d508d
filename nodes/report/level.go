package main

import (
	"fmt"
	"math"
	"strconv"

	"gonum.org/v1/gonum/stat/distuv"
)

// level returns the confidence level of a table's intervals: that of its
// numeric column level (or confidence), or the one that its standard errors,
// degrees of freedom and limits can only have come from. Levels that differ
// between rows, and none, give false.
func level(f *frame) (float64, bool) {
	found := math.NaN()
	for i := range f.rows() {
		v, ok := number(f.column("level", "confidence"), i)
		if !ok {
			v, ok = levelOfLimits(f, i)
		}
		if !ok {
			continue
		}
		if !math.IsNaN(found) && math.Abs(v-found) > 5e-4 {
			return 0, false
		}
		if math.IsNaN(found) {
			found = v
		}
	}
	return math.Round(found*1e4) / 1e4, found > 0 && found < 1
}

// levelOfLimits solves high - low = 2 se t((1 + level) / 2; df) for level,
// with the normal distribution where df is null. Limits that do not lie
// evenly about the estimate came from elsewhere.
func levelOfLimits(f *frame, i int) (float64, bool) {
	df := f.column("df")
	if df == nil {
		return 0, false
	}
	se, okSE := number(f.column("se"), i)
	estimate, okE := number(f.column("estimate"), i)
	low, okL := number(f.column("lower_cl", "ci_lower", "ci_low"), i)
	high, okH := number(f.column("upper_cl", "ci_upper", "ci_high"), i)
	if !okSE || !okE || !okL || !okH || se <= 0 || math.Abs(high+low-2*estimate) > 1e-6*(high-low) {
		return 0, false
	}
	t := (high - low) / 2 / se
	if nu, ok := number(df, i); ok {
		return 2*distuv.StudentsT{Sigma: 1, Nu: nu}.CDF(t) - 1, true
	}
	return 2*distuv.UnitNormal.CDF(t) - 1, true
}

// levelWords is a known level before "confidence interval": "95% ", or "".
func levelWords(f *frame) string {
	v, ok := level(f)
	if !ok {
		return ""
	}
	return percent(v) + " "
}

// percent writes a share as a percentage with no more digits than it has.
func percent(v float64) string {
	return fmt.Sprintf("%s%%", strconv.FormatFloat(math.Round(v*1e4)/100, 'f', -1, 64))
}
