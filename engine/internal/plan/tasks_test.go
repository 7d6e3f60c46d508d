package plan

import (
	"slices"
	"testing"
)

// TestParamPath: an operator may name a place in a parameter in either way, and
// its complaint is shown there.
func TestParamPath(t *testing.T) {
	for name, want := range map[string][]string{
		"layer":          {"layer"},
		"stages.0.lost":  {"stages", "0", "lost"},
		"stages[0].lost": {"stages", "0", "lost"},
		"items[12]":      {"items", "12"},
	} {
		if got := paramPath(name); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
