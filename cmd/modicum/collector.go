package main

import (
	"os"
	"runtime/debug"
)

// heapGrowth is GOGC for a proxy: much of what it allocates is garbage when the
// response is over, and its live heap is small, so that collecting at twice
// that heap, as Go does, collects every few hundred requests.
const heapGrowth = 300

// tuneCollector sets heapGrowth unless the operator has set GOGC or a memory
// limit. Caddy sets the limit of a container afterwards, within which the
// collector stays whatever heapGrowth is.
func tuneCollector() {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(heapGrowth)
	}
}
