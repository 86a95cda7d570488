package main

import (
	"runtime/debug"
	"testing"
)

// What the operator sets holds.
func TestCollectorIsTunedUnlessToldOtherwise(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	for _, test := range []struct {
		gogc, limit string
		want        int
	}{
		{"", "", heapGrowth},
		{"50", "", 100}, // the runtime has read it; 100 is what this test set
		{"", "1GiB", 100},
		{"off", "1GiB", 100},
	} {
		debug.SetGCPercent(100)
		t.Setenv("GOGC", test.gogc)
		t.Setenv("GOMEMLIMIT", test.limit)
		tuneCollector()
		if got := debug.SetGCPercent(100); got != test.want {
			t.Errorf("GOGC=%q GOMEMLIMIT=%q: collects at %d, want %d", test.gogc, test.limit, got, test.want)
		}
	}
}
