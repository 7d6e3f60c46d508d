package main

import "testing"

func TestMedians(t *testing.T) {
	all := medians("goos: linux\nBenchmarkA/b-2 10 30 ns/op 5 rows/s\nBenchmarkA/b-2 10 900 ns/op 7 rows/s\nBenchmarkA/b-2 10 40 ns/op 1 rows/s\nBenchmarkC 1 8 ns/op\nPASS\n")
	if len(all) != 2 || all["A/b"]["ns/op"] != 40 || all["A/b"]["rows/s"] != 5 || all["C"]["ns/op"] != 8 {
		t.Errorf("%v", all)
	}
}
