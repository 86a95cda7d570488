//go:build unix

package frameworks_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"mime/quotedprintable"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// canary is the value of the forbidden field.
const canary = "Canary7q"

// received is what an upstream says that it received.
type received struct {
	Method   string         `json:"method"`
	Path     string         `json:"path"`
	Believed map[string]any `json:"believed"` // by source: query, body, files, …
}

// parseReceived returns nil when the upstream, or Caddy before it, refused
// the request.
func parseReceived(body []byte) *received {
	var r received
	body = bytes.ReplaceAll(body, []byte("NaN"), []byte("null")) // as Python writes it
	body = bytes.ReplaceAll(body, []byte("-Infinity"), []byte("null"))
	if json.Unmarshal(body, &r) != nil || r.Believed == nil {
		return nil
	}
	return &r
}

// place is a scalar that an upstream believes it received, and where.
type place struct {
	source string
	field  string // the name at the top, without brackets: items of items[0][sku]
	path   string // with the names above it
	text   string
}

// places returns all of them. Numbers are texts, and so are files.
func (r *received) places() []place {
	var all []place
	var walk func(p place, v any)
	walk = func(p place, v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, v := range v {
				below := p
				below.path += "/" + name
				if below.field == "" {
					below.field, _, _ = strings.Cut(name, "[")
				}
				walk(below, v)
			}
			return
		case []any:
			for _, v := range v {
				walk(p, v)
			}
			return
		case string:
			p.text = v
		default:
			p.text = fmt.Sprint(v)
		}
		all = append(all, p)
	}
	for source, v := range r.Believed {
		if files, ok := v.([]any); ok && source == "files" {
			for _, f := range files {
				f := f.(map[string]any)
				name := fmt.Sprint(f["field"])
				top, _, _ := strings.Cut(name, "[")
				if content, err := base64.StdEncoding.DecodeString(fmt.Sprint(f["content"])); err == nil {
					f["content"] = string(content)
				}
				walk(place{source: source, field: top, path: "/" + name}, f)
			}
			continue
		}
		walk(place{source: source}, v)
	}
	return all
}

// names returns the names above and of the place, one by one.
func (p *place) names() []string {
	return strings.FieldsFunc(p.path, func(c rune) bool { return strings.ContainsRune("/[].", c) })
}

// forbidden tells where an upstream believes in something that the policy
// does not keep: the canary, spelled as it may, or a forbidden name. It is
// empty when there is no such place.
func (r *received) forbidden() string {
	for _, p := range r.places() {
		if encoding := findCanary([]byte(p.path)); encoding != "" {
			return fmt.Sprintf("the canary (%s) in the name %q of %s", encoding, p.path, p.source)
		}
		if encoding := findCanary([]byte(p.text)); encoding != "" {
			return fmt.Sprintf("the canary (%s) in %s%s", encoding, p.source, p.path)
		}
		if slices.ContainsFunc(p.names(), func(name string) bool { return strings.EqualFold(name, "ssn") }) {
			return fmt.Sprintf("the forbidden name %q in %s", p.path, p.source)
		}
	}
	return ""
}

// separate tells where an upstream believes in the canary as a value or a
// name of its own, but for those of the field carrier. That another value
// holds it among other things does not count.
func (r *received) separate(carrier string) string {
	for _, p := range r.places() {
		if carrier != "" && p.field == carrier {
			continue
		}
		names := p.names()
		if p.text == canary || slices.Contains(names, canary) || slices.Contains(names, "ssn") && strings.Contains(p.text, canary) {
			return fmt.Sprintf("the canary in %s%s", p.source, p.path)
		}
	}
	return ""
}

// needle is a spelling of the canary in which it is looked for as it is.
type needle struct {
	encoding string
	bytes    []byte
}

var needles = func() []needle {
	big, _ := unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewEncoder().String(canary)
	little, _ := unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewEncoder().String(canary)
	ebcdic, _ := charmap.CodePage037.NewEncoder().String(canary)
	list := []needle{{"EBCDIC", []byte(ebcdic)}, {"hexadecimal", []byte(hex.EncodeToString([]byte(canary)))}}
	// Of a base64 of something longer, the characters are known that hold
	// bits of the canary only. UTF-7 is a base64 of UTF-16.
	for _, text := range []string{canary, big, little} {
		for shift := range 3 {
			coded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + text))
			from, to := (shift*8+5)/6, (shift+len(text))*8/6
			list = append(list, needle{"base64", []byte(coded[from:to])})
		}
	}
	return list
}()

// findCanary returns the encoding in which text holds the canary; empty: it
// does not.
func findCanary(text []byte) string {
	for _, n := range needles {
		if bytes.Contains(text, n.bytes) {
			return n.encoding
		}
	}
	return findSpelled(text, 2)
}

// findSpelled looks for the canary in text and in what decoders make of it,
// one after the other.
func findSpelled(text []byte, depth int) string {
	lower := bytes.ToLower(text)
	reversed := bytes.Clone(lower)
	slices.Reverse(reversed)
	switch word := bytes.ToLower([]byte(canary)); {
	case bytes.Contains(lower, word):
		return "as it is"
	case bytes.Contains(bytes.ReplaceAll(lower, []byte{0}, nil), word):
		return "with zero bytes"
	case bytes.Contains(reversed, word):
		return "reversed"
	}
	if depth == 0 {
		return ""
	}
	for _, d := range decoders {
		if decoded := d.decode(text); len(decoded) > 0 && !bytes.Equal(decoded, text) {
			if found := findSpelled(decoded, depth-1); found != "" {
				return d.name + ", " + found
			}
		}
	}
	return ""
}

var decoders = []struct {
	name   string
	decode func([]byte) []byte
}{
	{"percent-encoded", func(b []byte) []byte { return unescape(b, "%", 2) }},
	{"with %u escapes", func(b []byte) []byte { return unescape(b, "%u", 4) }},
	{"with \\u escapes", func(b []byte) []byte { return unescape(b, `\u`, 4) }},
	{"with \\x escapes", func(b []byte) []byte { return unescape(b, `\x`, 2) }},
	{"with character references", func(b []byte) []byte { return unescape(bytes.ReplaceAll(b, []byte(";"), nil), "&#x", 2) }},
	{"quoted-printable", func(b []byte) []byte { return readAll(quotedprintable.NewReader(bytes.NewReader(b))) }},
	{"gzip", func(b []byte) []byte {
		if i := bytes.Index(b, []byte{0x1f, 0x8b}); i >= 0 {
			if r, err := gzip.NewReader(bytes.NewReader(b[i:])); err == nil {
				return readAll(r)
			}
		}
		return nil
	}},
	{"deflate", func(b []byte) []byte {
		if i := bytes.IndexByte(b, 0x78); i >= 0 && i+2 < len(b) {
			return readAll(flate.NewReader(bytes.NewReader(b[i+2:])))
		}
		return nil
	}},
}

// readAll returns what r gives up to its fault.
func readAll(r io.Reader) []byte {
	b, _ := io.ReadAll(io.LimitReader(r, 1<<20))
	return b
}

// unescape replaces each mark with the byte that the hexadecimal digits
// behind it mean. Whatever is no escape stays.
func unescape(b []byte, mark string, digits int) []byte {
	var out []byte
	for {
		before, after, found := bytes.Cut(b, []byte(mark))
		out = append(out, before...)
		if !found {
			return out
		}
		if b = after; len(b) >= digits {
			if code, err := hex.DecodeString(string(b[:digits])); err == nil {
				out, b = append(out, code[len(code)-1]), b[digits:]
				continue
			}
		}
		out = append(out, mark...)
	}
}

// A guard that sees nothing guards nothing.
func TestFindCanary(t *testing.T) {
	gzipped := new(bytes.Buffer)
	w := gzip.NewWriter(gzipped)
	_, _ = w.Write([]byte("ssn=" + canary))
	_ = w.Close()
	for _, text := range []string{
		"ssn=Canary7q", "CANARY7Q", "q7yranaC", "C\x00a\x00n\x00a\x00r\x00y\x007\x00q\x00", "%43anary7%71", "%2543anary7q", `Canary\u0037q`,
		`\x43anary7q`, "%u0043anary7q", "&#x43;anary7q", "Can=\r\nary7q", "=43anary7q", gzipped.String(),
		base64.StdEncoding.EncodeToString([]byte("a Canary7q!")), base64.RawURLEncoding.EncodeToString([]byte("Canary7q")),
		"+AEMAYQBuAGEAcgB5ADcAcQ-", "\xc3\x81\x95\x81\x99\xa8\xf7\x98", "43616e6172793771",
	} {
		if findCanary([]byte(text)) == "" {
			t.Errorf("the canary in %q is not found", text)
		}
	}
	for _, text := range []string{"", "Canary", "Canary 7q", "name=Ann"} {
		if found := findCanary([]byte(text)); found != "" {
			t.Errorf("in %q a canary is found, %s", text, found)
		}
	}
}
