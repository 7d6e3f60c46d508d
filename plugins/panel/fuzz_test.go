package main

import (
	"math"
	"testing"
	"time"
)

// A text that is read as a year is a finite one, and a date is its own year.
func FuzzYear(f *testing.F) {
	for _, s := range []string{"2024-02-29", "2024", "2024-06", "1e400", "NaN", "2024-13-01", "2024-06-30T12:00:00Z", " 2024-01-01 "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		y, err := parseYear(s)
		if err != nil {
			return
		}
		if math.IsNaN(y) || math.IsInf(y, 0) {
			t.Errorf("%q is the year %g", s, y)
		}
		if d, err := time.Parse("2006-01-02", s); err == nil && math.Floor(y) != float64(d.Year()) {
			t.Errorf("%q is the year %g", s, y)
		}
	})
}
