package rivals_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// names are member names as forms have them.
var names = []string{
	"email", "first_name", "last_name", "phone", "street", "city", "zip", "country", "sku", "quantity", "price", "comment",
	"birthday", "shoe_size", "mothers_name", "device_id", "referrer", "screen", "timezone", "income", "employer", "tracking_id", "score", "user_agent",
}

// kept reports whether the name is one of those in keptPaths.
func kept(name string) bool {
	return slices.Contains(names[:len(names)/2], name)
}

// keptPaths returns what a plan for these bodies keeps: the first half of names,
// at the top, in address and in items.
func keptPaths() (paths []string) {
	for _, name := range names[:len(names)/2] {
		paths = append(paths, name, "items.*."+name, "address."+name)
	}
	return paths
}

// padding is what the pass over JSON needs behind a body, at least.
const padding = 64

// jsonBodies returns 256 bodies of about size bytes. Alike bodies come from one form;
// the others draw their members, and the order, anew.
func jsonBodies(size int, alike bool) [][]byte {
	r := rand.New(rand.NewPCG(1, uint64(size))) //nolint:gosec // G404: a benchmark wants the same bodies each time
	bodies := make([][]byte, 0, 256)
	n := 256
	if size >= 1<<20 {
		n = 8 // the caches hold none of them anyway
	}
	for range n {
		var b strings.Builder
		b.WriteByte('{')
		writeMembers(&b, r, alike, len(names)/2)
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
	step := len(names) / n
	order := make([]int, n)
	for i := range order {
		order[i] = i * step
	}
	if !alike {
		order = r.Perm(len(names))[:n]
	}
	for i, at := range order {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(b, "%q:", names[at])
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
