package main

import (
	"cmp"
	"math"
	"slices"
	"strconv"
)

// compareTexts orders lists of texts.
func compareTexts(a, b []string) int {
	for i := range min(len(a), len(b)) {
		if c := compareText(a[i], b[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

// compareText puts numbers first, by value, and then texts.
func compareText(a, b string) int {
	x, isX := finite(a)
	y, isY := finite(b)
	switch {
	case isX && isY && x != y:
		return cmp.Compare(x, y)
	case isX && !isY:
		return -1
	case isY && !isX:
		return 1
	}
	return cmp.Compare(a, b)
}

func finite(s string) (float64, bool) {
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil && !math.IsNaN(v) && !math.IsInf(v, 0)
}

func sortedLevels(levels map[string]bool) []string {
	out := make([]string, 0, len(levels))
	for l := range levels {
		out = append(out, l)
	}
	slices.SortFunc(out, compareText)
	return out
}
