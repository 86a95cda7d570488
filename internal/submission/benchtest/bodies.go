// Package benchtest has the bodies on which the passes are measured, and
// compares them with other ways to do the same work.
package benchtest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// Names are member names as forms have them.
var Names = []string{
	"email", "first_name", "last_name", "phone", "street", "city", "zip", "country", "sku", "quantity", "price", "comment",
	"birthday", "shoe_size", "mothers_name", "device_id", "referrer", "screen", "timezone", "income", "employer", "tracking_id", "score", "user_agent",
}

// Kept reports whether the name is one of those in KeptPaths.
func Kept(name string) bool {
	return slices.Contains(Names[:len(Names)/2], name)
}

// KeptPaths returns what a plan for these bodies keeps: the first half of Names,
// at the top, in address and in items.
func KeptPaths() (paths []string) {
	for _, name := range Names[:len(Names)/2] {
		paths = append(paths, name, "items.*."+name, "address."+name)
	}
	return paths
}

// padding is what the pass over JSON needs behind a body, at least.
const padding = 64

// JSON returns 256 bodies of about size bytes. Alike bodies come from one form;
// the others draw their members, and the order, anew.
func JSON(size int, alike bool) [][]byte {
	r := rand.New(rand.NewPCG(1, uint64(size))) //nolint:gosec // G404: a benchmark wants the same bodies each time
	bodies := make([][]byte, 0, 256)
	n := 256
	if size >= 1<<20 {
		n = 8 // the caches hold none of them anyway
	}
	for range n {
		var b strings.Builder
		b.WriteByte('{')
		writeMembers(&b, r, alike, len(Names)/2)
		b.WriteString(`,"items":[`)
		for first := true; b.Len() < size-8; first = false {
			if !first {
				b.WriteByte(',')
			}
			b.WriteByte('{')
			writeMembers(&b, r, alike, 8)
			b.WriteByte('}')
		}
		b.WriteString("]}")
		bodies = append(bodies, append(make([]byte, 0, b.Len()+padding), b.String()...))
	}
	return bodies
}

func writeMembers(b *strings.Builder, r *rand.Rand, alike bool, n int) {
	step := len(Names) / n
	order := make([]int, n)
	for i := range order {
		order[i] = i * step
	}
	if !alike {
		order = r.Perm(len(Names))[:n]
	}
	for i, at := range order {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(b, "%q:", Names[at])
		switch at % 4 {
		case 0, 1:
			fmt.Fprintf(b, "%q", "abcdefghijklmnopqrstuvwxyz0123456789 and more of it"[:4+r.IntN(28)])
		case 2:
			fmt.Fprintf(b, "%d", r.IntN(1_000_000))
		default:
			fmt.Fprintf(b, "%v", r.IntN(2) == 0)
		}
	}
}
