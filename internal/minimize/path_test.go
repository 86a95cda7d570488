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
	loose   string
}{
	{"/", true, "/"},
	{"/checkout", true, "/checkout"},
	{"/Checkout", true, "/checkout"},
	{"/a/b/c.html", true, "/a/b/c.html"},
	{"/a/", true, "/a"},
	{"/a%20b", true, "/a%20b"},
	{"/%D0%B8", true, "/%D0%B8"},
	{"/...", true, "/"},
	{"/a./b. ", false, "/a/b"},
	{"/a%20", true, "/a"},
	{"/.well-known/x", true, "/.well-known/x"},
	{"/a:b@c,d=e&f+g$h!i~j'k(l)*", true, ""},
	{"", false, "/"},
	{"a", false, "/a"},
	{"*", false, "/%2A"},
	{"//a", false, "/a"},
	{"/a//b", false, "/a/b"},
	{"/.", false, "/"},
	{"/./a", false, "/a"},
	{"/a/..", false, "/"},
	{"/a/../b", false, "/b"},
	{"/a/..;/b", false, "/b"},
	{"/a;v=1/b", false, "/a/b"},
	{`/a\b`, false, "/a/b"},
	{"/a%2fb", false, "/a/b"},
	{"/a%2Fb", false, "/a/b"},
	{"/a%5cb", false, "/a/b"},
	{"/a/%2e%2e/b", false, "/b"},
	{"/a/.%2E/b", false, "/b"},
	{"/a%3bb", false, "/a"},
	{"/a%2525", false, "/a%2525"},
	{"/a%00", false, "/a"},
	{"/a%00b/c", false, "/a"},
	{"/a%0d%0a", false, "/a%0D%0A"},
	{"/a%7f", false, "/a%7F"},
	{"/a%", false, "/a%25"},
	{"/a%2", false, "/a%252"},
	{"/a%zz", false, "/a%25zz"},
	{"/a b", false, "/a%20b"},
	// To a decoder that takes more bytes than needed for a character, this
	// is "/a/b" and "/a.b" (CVE-2000-0884).
	{"/a%c0%afb", false, ""},
	{"/a%c0%aeb", false, ""},
	{"/a%ff", false, ""},
}

func TestPlainPath(t *testing.T) {
	for _, test := range pathCases {
		if got := PlainPath(test.escaped); got != test.plain {
			t.Errorf("PlainPath(%q) = %v, want %v", test.escaped, got, test.plain)
		}
		if got := loosePath(test.escaped); test.loose != "" && got != test.loose {
			t.Errorf("loosePath(%q) = %q, want %q", test.escaped, got, test.loose)
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
		loose := loosePath(escaped)
		if isTight(escaped) {
			if again := forgiven(escaped); again != escaped {
				t.Errorf("%q is loosely %q", escaped, again)
			}
		}
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
		if again := loosePath(loose); again != loose {
			t.Errorf("%q is loosely %q, and that %q", escaped, loose, again)
		}
	})
}
