package submission

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/bytedance/sonic"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/tidwall/gjson"
)

// vocabulary are member names as forms have them; the first half is kept.
var vocabulary = []string{
	"email", "first_name", "last_name", "phone", "street", "city", "zip", "country", "sku", "quantity", "price", "comment",
	"birthday", "shoe_size", "mothers_name", "device_id", "referrer", "screen", "timezone", "income", "employer", "tracking_id", "score", "user_agent",
}

func keptName(name string) bool {
	return slices.Contains(vocabulary[:len(vocabulary)/2], name)
}

// benchPlan keeps half of the vocabulary, at the top and in items.
func benchPlan(tb testing.TB) *Plan {
	tb.Helper()
	var paths []string
	for _, name := range vocabulary[:len(vocabulary)/2] {
		paths = append(paths, name, "items.*."+name, "address."+name)
	}
	return plan(tb, paths...)
}

// benchBodies makes 256 bodies of about size bytes. Alike bodies come from
// one form; unlike ones draw their members, and the order, anew.
func benchBodies(size int, alike bool) [][]byte {
	r := rand.New(rand.NewPCG(1, uint64(size))) //nolint:gosec // G404: a benchmark wants the same bodies each time
	bodies := make([][]byte, 0, 256)
	n := 256
	if size >= 1<<20 {
		n = 8 // the caches hold none of them anyway
	}
	for range n {
		var b strings.Builder
		b.WriteByte('{')
		writeMembers(&b, r, alike, len(vocabulary)/2)
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
		bodies = append(bodies, append(make([]byte, 0, b.Len()+Padding), b.String()...))
	}
	return bodies
}

func writeMembers(b *strings.Builder, r *rand.Rand, alike bool, n int) {
	step := len(vocabulary) / n
	order := make([]int, n)
	for i := range order {
		order[i] = i * step
	}
	if !alike {
		order = r.Perm(len(vocabulary))[:n]
	}
	for i, at := range order {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(b, "%q:", vocabulary[at])
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

func BenchmarkJSON(b *testing.B) {
	for _, size := range []int{1 << 10, 16 << 10, 1 << 20} {
		for _, alike := range []bool{true, false} {
			name := fmt.Sprintf("%dKB/unlike", size>>10)
			if alike {
				name = fmt.Sprintf("%dKB/alike", size>>10)
			}
			b.Run(name, func(b *testing.B) {
				bodies := benchBodies(size, alike)
				p, lim := benchPlan(b), DefaultLimits()
				lim.Fields = 1 << 20
				rep, out := new(Report), make([]byte, 0, 2<<20)
				ours := func(i int) {
					rep.Reset(p)
					var err error
					if out, err = p.JSON(out[:0], bodies[i%len(bodies)], lim, rep); err != nil {
						b.Fatal(err)
					}
				}
				body := func(i int) []byte { return bodies[i%len(bodies)] }
				compare(b, averageSize(bodies), []rival{
					{name: "modicum", do: ours},
					{name: "AA-twin", do: ours},
					{name: "json.Valid", do: func(i int) { sink = json.Valid(body(i)) }},
					{name: "sonic.Valid", do: func(i int) { sink = sonic.Valid(body(i)) }},
					{name: "jsontext", do: func(i int) { out = spliceJSONText(b, out[:0], body(i)) }, allocate: true},
					{name: "gjson", do: func(i int) { out = spliceGJSON(b, out[:0], body(i)) }, allocate: true},
					{name: "map", do: func(i int) { out = viaMap(b, body(i)) }, allocate: true},
				})
			})
		}
	}
}

var sink bool

// spliceJSONText keeps the same members with jsontext's tokens and raw values.
func spliceJSONText(b *testing.B, dst, body []byte) []byte {
	b.Helper()
	d := jsontext.NewDecoder(bytes.NewReader(body))
	token := func() jsontext.Token {
		tok, err := d.ReadToken()
		if err != nil {
			b.Fatal(err)
		}
		return tok
	}
	raw := func() jsontext.Value {
		v, err := d.ReadValue()
		if err != nil {
			b.Fatal(err)
		}
		return v
	}
	var object func(dst []byte) []byte
	object = func(dst []byte) []byte {
		token()
		dst = append(dst, '{')
		for first := true; d.PeekKind() != '}'; {
			name := token().String()
			items := name == "items"
			if !items && !keptName(name) {
				if err := d.SkipValue(); err != nil {
					b.Fatal(err)
				}
				continue
			}
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = append(append(append(dst, '"'), name...), '"', ':')
			if !items {
				dst = append(dst, raw()...)
				continue
			}
			token()
			dst = append(dst, '[')
			for i := 0; d.PeekKind() != ']'; i++ {
				if i > 0 {
					dst = append(dst, ',')
				}
				dst = object(dst)
			}
			token()
			dst = append(dst, ']')
		}
		token()
		return append(dst, '}')
	}
	return object(dst)
}

// spliceGJSON keeps the same members with gjson, after gjson.Valid.
func spliceGJSON(b *testing.B, dst, body []byte) []byte {
	b.Helper()
	if !gjson.ValidBytes(body) {
		b.Fatal("invalid")
	}
	var object func(dst []byte, v gjson.Result) []byte
	object = func(dst []byte, v gjson.Result) []byte {
		dst = append(dst, '{')
		first := true
		v.ForEach(func(key, value gjson.Result) bool {
			items := key.Str == "items"
			if !items && !keptName(key.Str) {
				return true
			}
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = append(append(dst, key.Raw...), ':')
			if !items {
				dst = append(dst, value.Raw...)
				return true
			}
			dst = append(dst, '[')
			i := 0
			value.ForEach(func(_, item gjson.Result) bool {
				if i++; i > 1 {
					dst = append(dst, ',')
				}
				dst = object(dst, item)
				return true
			})
			dst = append(dst, ']')
			return true
		})
		return append(dst, '}')
	}
	return object(dst, gjson.ParseBytes(body))
}

// viaMap decodes to a map, deletes and encodes.
func viaMap(b *testing.B, body []byte) []byte {
	b.Helper()
	var m map[string]any
	if err := json.Unmarshal(body, &m); err != nil {
		b.Fatal(err)
	}
	prune := func(m map[string]any) {
		for name := range m {
			if name != "items" && !keptName(name) {
				delete(m, name)
			}
		}
	}
	prune(m)
	items, _ := m["items"].([]any)
	for _, item := range items {
		if item, ok := item.(map[string]any); ok {
			prune(item)
		}
	}
	out, err := json.Marshal(m)
	if err != nil {
		b.Fatal(err)
	}
	return out
}

// hostileTexts are of about size bytes each, and meant to cost more than
// they are long.
func hostileTexts(size int) map[string][]byte {
	repeat := func(head, body, tail string) []byte {
		text := head + strings.Repeat(body, size/len(body)) + tail
		return append(make([]byte, 0, len(text)+Padding), text...)
	}
	numbered := func(format string) []byte {
		var b strings.Builder
		for i := 0; b.Len() < size; i++ {
			fmt.Fprintf(&b, format, i)
		}
		text := "{" + b.String()[1:] + "}"
		return append(make([]byte, 0, len(text)+Padding), text...)
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
	p, lim := benchPlan(b), DefaultLimits()
	lim.Fields, lim.Depth = 1<<30, 1<<30
	small, large := hostileTexts(128<<10), hostileTexts(1<<20)
	for name := range small {
		b.Run(name, func(b *testing.B) {
			rep, out := new(Report), make([]byte, 0, 8<<20)
			read := func(text []byte) func(int) {
				return func(int) {
					rep.Reset(p)
					if _, err := p.JSON(out, text, lim, rep); err != nil {
						b.Fatal(err)
					}
				}
			}
			perByte := quickest(b, []rival{{do: read(small[name])}, {do: read(large[name])}})
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(len(large[name]))/perByte[1]*1000, "MB/s")
			b.ReportMetric(perByte[1]/float64(len(large[name]))/(perByte[0]/float64(len(small[name]))), "1MB/128KB")
		})
	}
}
