package rivals_test

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"

	"github.com/modicum-proxy/modicum/internal/submission"
)

// formBodies makes 256 forms of about size bytes, as browsers send them: a
// third of the values hold something that is escaped. Half the pairs are kept.
func formBodies(size int) [][]byte {
	r := rand.New(rand.NewPCG(2, uint64(size))) //nolint:gosec // G404: a benchmark wants the same bodies each time
	bodies := make([][]byte, 0, 256)
	n, repeat := 256, 1
	if size >= 1<<20 {
		n = 8       // the caches hold none of them anyway
		repeat = 16 // long texts: url.ParseQuery refuses more than 10,000 pairs
	}
	for range n {
		var b strings.Builder
		for i := 0; b.Len() < size-16; i++ {
			name := names[i%len(names)]
			if i >= len(names) {
				name = fmt.Sprintf("items%%5B%d%%5D%%5B%s%%5D", i/len(names)-1, name)
			}
			if i > 0 {
				b.WriteByte('&')
			}
			fmt.Fprintf(&b, "%s=%s", name, strings.Repeat(formValue(r), 1+r.IntN(repeat)))
		}
		bodies = append(bodies, []byte(b.String()))
	}
	return bodies
}

func formValue(r *rand.Rand) string {
	switch r.IntN(6) {
	case 0:
		return fmt.Sprintf("someone%d%%40example.org", r.IntN(1000))
	case 1:
		return "Some+Street+12%2C+D-10115+Berlin"
	case 2:
		return fmt.Sprint(r.IntN(1_000_000))
	default:
		return "abcdefghijklmnopqrstuvwxyz0123456789-and-more-of-it"[:4+r.IntN(28)]
	}
}

// viaParseQuery keeps the same pairs with net/url.
func viaParseQuery(b *testing.B, dst, body []byte) []byte {
	b.Helper()
	values, err := url.ParseQuery(string(body))
	if err != nil {
		b.Fatal(err)
	}
	for name := range values {
		last := strings.TrimSuffix(name[strings.LastIndexByte(name, '[')+1:], "]")
		if !kept(last) {
			delete(values, name)
		}
	}
	return append(dst, values.Encode()...)
}

func BenchmarkForm(b *testing.B) {
	for _, size := range []int{1 << 10, 16 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dKB", size>>10), func(b *testing.B) {
			bodies := formBodies(size)
			p, lim := plan(b), submission.DefaultLimits()
			lim.Fields = 1 << 20
			rep, out := new(submission.Report), make([]byte, 0, 2<<20)
			ours := func(i int) {
				rep.Reset(p)
				var err error
				if out, err = p.Form(out[:0], bodies[i%len(bodies)], lim, rep); err != nil {
					b.Fatal(err)
				}
			}
			compare(b, averageSize(bodies), []rival{
				{Name: "modicum", Do: ours},
				{Name: "AA-twin", Do: ours},
				{Name: "ParseQuery", Do: func(i int) { out = viaParseQuery(b, out[:0], bodies[i%len(bodies)]) }, Allocates: true},
			})
		})
	}
}
