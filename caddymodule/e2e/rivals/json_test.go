package rivals_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/bytedance/sonic"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/tidwall/gjson"

	"github.com/modicum-proxy/modicum/internal/submission"
)

// segments splits a path, in which "*" is an element.
func segments(path string) []submission.Segment {
	var segments []submission.Segment
	for text := range strings.SplitSeq(path, ".") {
		s := submission.Segment{Text: text}
		if text == "*" {
			s.Kind = submission.Element
		}
		segments = append(segments, s)
	}
	return segments
}

// plan keeps half of what the bodies hold.
func plan(b *testing.B) *submission.Plan {
	b.Helper()
	var fields []submission.Field
	for _, path := range keptPaths() {
		fields = append(fields, submission.Field{Path: segments(path), Kept: true})
	}
	p, err := submission.NewPlan(fields, submission.Brackets)
	if err != nil {
		b.Fatal(err)
	}
	return p
}

// BenchmarkJSON compares the pass over JSON with other ways to keep the same
// members, and with parsers that only validate.
func BenchmarkJSON(b *testing.B) {
	for _, size := range []int{1 << 10, 16 << 10, 1 << 20} {
		for _, alike := range []bool{true, false} {
			name := fmt.Sprintf("%dKB/unlike", size>>10)
			if alike {
				name = fmt.Sprintf("%dKB/alike", size>>10)
			}
			b.Run(name, func(b *testing.B) {
				bodies := jsonBodies(size, alike)
				p, lim := plan(b), submission.DefaultLimits()
				lim.Fields = 1 << 20
				rep, out := new(submission.Report), make([]byte, 0, 2<<20)
				ours := func(i int) {
					rep.Reset(p)
					var err error
					if out, err = p.JSON(out[:0], bodies[i%len(bodies)], lim, rep); err != nil {
						b.Fatal(err)
					}
				}
				body := func(i int) []byte { return bodies[i%len(bodies)] }
				compare(b, averageSize(bodies), []rival{
					{Name: "modicum", Do: ours},
					{Name: "AA-twin", Do: ours},
					{Name: "json.Valid", Do: func(i int) { sink = json.Valid(body(i)) }},
					{Name: "sonic.Valid", Do: func(i int) { sink = sonic.Valid(body(i)) }},
					{Name: "jsontext", Do: func(i int) { out = spliceJSONText(b, out[:0], body(i)) }, Allocates: true},
					{Name: "gjson", Do: func(i int) { out = spliceGJSON(b, out[:0], body(i)) }, Allocates: true},
					{Name: "map", Do: func(i int) { out = viaMap(b, body(i)) }, Allocates: true},
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
			if !items && !kept(name) {
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
			if !items && !kept(key.Str) {
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
			if name != "items" && !kept(name) {
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
