package policy

import (
	"strings"
	"testing"
)

// segments is a path of literals, with "*" and "**" as they are written.
func segments(texts ...string) Path {
	path := make(Path, len(texts))
	for i, text := range texts {
		path[i].Text = text
		switch text {
		case "*":
			path[i].Kind = Element
		case "**":
			path[i].Kind = Subtree
		}
	}
	return path
}

func literal(text string) Path { return Path{{Text: text}} }

var pathTable = []struct {
	path string
	want Path
	err  string
}{
	{"", Path{}, ""},
	{"email", segments("email"), ""},
	{"address.city", segments("address", "city"), ""},
	{"items.*.sku", segments("items", "*", "sku"), ""},
	{"address.**", segments("address", "**"), ""},
	{"*", segments("*"), ""},
	{"**", segments("**"), ""},
	{`a\.b.c`, segments("a.b", "c"), ""},
	{`a\\.b`, segments(`a\`, "b"), ""},
	{`\*`, literal("*"), ""},
	{`\*\*`, literal("**"), ""},
	{`E-mail \*`, segments("E-mail *"), ""},
	{`\[email\]`, segments("[email]"), ""},
	{`foo\[bar`, segments("foo[bar"), ""},
	{`a\[b\]c.d`, segments("a[b]c", "d"), ""},
	{`\{\{city\}\}`, segments("{{city}}"), ""},
	{"имя.город", segments("имя", "город"), ""},
	{"first name", segments("first name"), ""},
	{strings.Repeat("a.", 31) + "a", segments(strings.Split(strings.Repeat("a.", 31)+"a", ".")...), ""},
	{strings.Repeat("a.", 32) + "a", nil, "33 segments"},
	{strings.Repeat("a", 257), nil, "257 bytes"},
	{".", nil, "empty segment"},
	{"a.", nil, "empty segment"},
	{".a", nil, "empty segment"},
	{"a..b", nil, "empty segment"},
	{`a\`, nil, "lone backslash"},
	{`a\b`, nil, "before 'b'"},
	{`a\я`, nil, "before 'я'"},
	{"form-*-name", nil, `write form-{any}-name if that part of the name varies, or form-\*-name if`},
	{`a\*b*.c`, nil, `write a\*b{any} if that part of the name varies, or a\*b\* if`},
	{"***", nil, `write {any} if that part of the name varies, or \*\*\* if`},
	{"**.a", nil, "at the end"},
	{"user[email]", nil, "user.email"},
	{"tags[]", nil, "tags.*"},
	{"a\x00b", nil, "control character"},
	{"a\nb", nil, "control character"},
}

func TestParsePath(t *testing.T) {
	for _, c := range pathTable {
		got, err := ParsePath(c.path)
		if c.want == nil {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%q: error %v, not %q", c.path, err, c.err)
			}
		} else if err != nil || !got.Equal(c.want) {
			t.Errorf("%q is %q, %v; not %q", c.path, got, err, c.want)
		}
	}
}

// FuzzParsePath holds that a path has one spelling: if two texts are one path,
// they are the same but for backslashes that are not needed. Two paths have one
// key only if they are equal.
func FuzzParsePath(f *testing.F) {
	for _, c := range pathTable {
		f.Add(c.path, c.path)
	}
	f.Add("*", `\*`)
	f.Fuzz(func(t *testing.T, a, b string) {
		one, err := ParsePath(a)
		if err != nil {
			return
		}
		two, err := ParsePath(b)
		if err != nil {
			return
		}
		if one.Equal(two) != (one.Key() == two.Key()) || one.Equal(two) != (a == b) {
			t.Errorf("%q is %q, and %q is %q", a, one, b, two)
		}
	})
}
