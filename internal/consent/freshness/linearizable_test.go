package freshness

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// register is what porcupine judges: one purpose of one subject holds the
// choice that was written last.
type register struct {
	Subject consent.Subject
	Purpose string
}

// access is the input of an operation on a register. Each write has a number
// of its own, so that a read tells which one it saw; 0: none.
type access struct {
	read   bool
	write  int
	action consent.Action
}

// forever is the return of an operation that may happen at any time, or never.
const forever = math.MaxInt64

// registers is the sequential specification: a read returns the last write.
var registers = porcupine.Model{
	Init: func() any { return 0 },
	Step: func(state, input, output any) (bool, any) {
		if in := input.(access); !in.read {
			return true, in.write
		}
		return output == state, state
	},
}

// linearizable judges the history of one register.
func linearizable(history []porcupine.Operation, limit time.Duration) porcupine.CheckResult {
	read := map[any]bool{}
	for _, op := range history {
		if op.Input.(access).read {
			read[op.Output] = true
		}
	}
	// A write that may never have happened and that nobody saw cannot matter,
	// but would cost exponential time.
	relevant := slices.Clone(history)
	relevant = slices.DeleteFunc(relevant, func(op porcupine.Operation) bool {
		in := op.Input.(access)
		return !in.read && op.Return == forever && !read[in.write]
	})
	return porcupine.CheckOperationsTimeout(registers, relevant, limit)
}

// transcript is a history for people to read.
func transcript(history []porcupine.Operation) string {
	sorted := slices.Clone(history)
	slices.SortFunc(sorted, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	var text strings.Builder
	for _, op := range sorted {
		until := "?"
		if op.Return != forever {
			until = fmt.Sprint(op.Return)
		}
		what := fmt.Sprintf("read %d", op.Output)
		if in := op.Input.(access); !in.read {
			what = fmt.Sprintf("write %d (%s)", in.write, in.action)
		}
		fmt.Fprintf(&text, "  %d … %s  %v: %s\n", op.Call, until, op.Metadata, what)
	}
	return text.String()
}
