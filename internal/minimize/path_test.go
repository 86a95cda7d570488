package minimize

import (
	"net/url"
	"path"
	"strings"
	"testing"
	"unicode/utf8"
)

var pathCases = []struct {
	escaped string
	plain   bool
}{
	{"/", true},
	{"/checkout", true},
	{"/Checkout", true},
	{"/a/b/c.html", true},
	{"/a/", true},
	{"/a%20b", true},
	{"/%D0%B8", true},
	{"/...", true},
	{"/a./b. ", false},
	{"/a%20", true},
	{"/.well-known/x", true},
	{"/a:b@c,d=e&f+g$h!i~j'k(l)*", true},
	{"", false},
	{"a", false},
	{"*", false},
	{"//a", false},
	{"/a//b", false},
	{"/.", false},
	{"/./a", false},
	{"/a/..", false},
	{"/a/../b", false},
	{"/a/..;/b", false},
	{"/a;v=1/b", false},
	{`/a\b`, false},
	{"/a%2fb", false},
	{"/a%2Fb", false},
	{"/a%5cb", false},
	{"/a/%2e%2e/b", false},
	{"/a/.%2E/b", false},
	{"/a%3bb", false},
	{"/a%2525", false},
	{"/a%00", false},
	{"/a%00b/c", false},
	{"/a%0d%0a", false},
	{"/a%7f", false},
	{"/a%", false},
	{"/a%2", false},
	{"/a%zz", false},
	{"/a b", false},
	// To a decoder that takes more bytes than needed for a character, this
	// is "/a/b" and "/a.b" (CVE-2000-0884).
	{"/a%c0%afb", false},
	{"/a%c0%aeb", false},
	{"/a%ff", false},
}

func TestPlainPath(t *testing.T) {
	for _, test := range pathCases {
		if got := PlainPath(test.escaped); got != test.plain {
			t.Errorf("PlainPath(%q) = %v, want %v", test.escaped, got, test.plain)
		}
	}
}

// Of a plain path, every reading is the same: escapes resolved before or
// after the segments are cut, cleaned or not, once or twice.
func FuzzPlainPath(f *testing.F) {
	for _, test := range pathCases {
		f.Add(test.escaped)
	}
	f.Fuzz(func(t *testing.T, escaped string) {
		if !PlainPath(escaped) {
			return
		}
		decoded, err := url.PathUnescape(escaped)
		if err != nil {
			t.Fatalf("%q cannot be decoded: %v", escaped, err)
		}
		if clean := path.Clean(decoded); clean != decoded && clean+"/" != decoded {
			t.Errorf("%q decodes to %q, which cleans to %q", escaped, decoded, clean)
		}
		if strings.Count(decoded, "/") != strings.Count(escaped, "/") {
			t.Errorf("%q has other segments once it is decoded", escaped)
		}
		if twice, err := url.PathUnescape(decoded); err == nil && twice != decoded {
			t.Errorf("%q decodes once to %q and twice to %q", escaped, decoded, twice)
		}
		if strings.ContainsAny(decoded, "\\;\x00\r\n") || !utf8.ValidString(decoded) {
			t.Errorf("%q decodes to %q", escaped, decoded)
		}
	})
}
