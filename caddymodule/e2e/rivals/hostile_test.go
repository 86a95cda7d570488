package rivals_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/modicum-proxy/modicum/internal/submission"
)

// hostileTexts are of about size bytes each, and meant to cost more than
// they are long.
func hostileTexts(size int) map[string][]byte {
	repeat := func(head, body, tail string) []byte {
		text := head + strings.Repeat(body, size/len(body)) + tail
		return append(make([]byte, 0, len(text)+submission.Padding), text...)
	}
	numbered := func(format string) []byte {
		var b strings.Builder
		for i := 0; b.Len() < size; i++ {
			fmt.Fprintf(&b, format, i)
		}
		text := "{" + b.String()[1:] + "}"
		return append(make([]byte, 0, len(text)+submission.Padding), text...)
	}
	return map[string][]byte{
		"nested":      repeat(strings.Repeat("[", size/2), " ", strings.Repeat("]", size/2)),
		"new names":   numbered(`,"n%d":1`),
		"new objects": numbered(`,"n%d":{"a":1,"b":2}`),
		"like shapes": repeat("[", `{"a":1,"b":2},{"b":1,"a":2},{"c":1},`, "0]"),
		"long names":  numbered(`,"` + strings.Repeat("n", 200) + `%d":1`),
		"escapes":     repeat(`"`, `\u0041\n`, `"`),
		"separators":  repeat(`{"email":"`, "&", `"}`),
		"elements":    repeat("[", "1,", "1]"),
		"spaces":      repeat("[", " ", "]"),
	}
}

// BenchmarkJSONHostile reports how much longer a byte takes in a text of 1 MB
// than in one of 128 KB, which is past what is remembered between texts.
func BenchmarkJSONHostile(b *testing.B) {
	p, lim := plan(b), submission.DefaultLimits()
	lim.Fields, lim.Depth = 1<<30, 1<<30
	small, large := hostileTexts(128<<10), hostileTexts(1<<20)
	for name := range small {
		b.Run(name, func(b *testing.B) {
			rep, out := new(submission.Report), make([]byte, 0, 8<<20)
			read := func(text []byte) func(int) {
				return func(int) {
					rep.Reset(p)
					if _, err := p.JSON(out, text, lim, rep); err != nil {
						b.Fatal(err)
					}
				}
			}
			perByte := quickest(b, []rival{{Do: read(small[name])}, {Do: read(large[name])}})
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(len(large[name]))/perByte[1]*1000, "MB/s")
			b.ReportMetric(perByte[1]/float64(len(large[name]))/(perByte[0]/float64(len(small[name]))), "1MB/128KB")
		})
	}
}
