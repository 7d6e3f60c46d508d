package main

import (
	"cmp"
	"slices"

	"github.com/seed-4012077a/flow/plugins/internal/group"
)

// compareTexts orders lists of texts.
func compareTexts(a, b []string) int {
	for i := range min(len(a), len(b)) {
		if c := group.Compare(a[i], b[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

func sortedLevels(levels map[string]bool) []string {
	out := make([]string, 0, len(levels))
	for l := range levels {
		out = append(out, l)
	}
	slices.SortFunc(out, group.Compare)
	return out
}
