package formula

import (
	"slices"
	"testing"
)

// TestFunctionNames holds the list that errors show to what can be called.
func TestFunctionNames(t *testing.T) {
	names := functionNames()
	if !slices.IsSorted(names) {
		t.Error("not sorted")
	}
	for _, name := range names {
		if _, ok := arityOf(name); !ok {
			t.Errorf("%s() cannot be called", name)
		}
		if _, err := Parse("y ~ " + name + "()"); err == nil {
			t.Errorf("%s() without an argument is taken", name)
		}
	}
	for _, name := range []string{"", "i", "lm", "sum"} {
		if _, ok := arityOf(name); ok {
			t.Errorf("%s() can be called and is not listed", name)
		}
	}
}
