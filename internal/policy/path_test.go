package policy

import (
	"slices"
	"strings"
	"testing"
)

var pathTable = []struct {
	path string
	want []string // nil: an error
}{
	{"", []string{}},
	{"email", []string{"email"}},
	{"address.city", []string{"address", "city"}},
	{"items.*.sku", []string{"items", "*", "sku"}},
	{"address.**", []string{"address", "**"}},
	{"*", []string{"*"}},
	{"**", []string{"**"}},
	{`a\.b.c`, []string{"a.b", "c"}},
	{`a\\.b`, []string{`a\`, "b"}},
	{"имя.город", []string{"имя", "город"}},
	{"first name", []string{"first name"}},
	{strings.Repeat("a.", 31) + "a", strings.Split(strings.Repeat("a.", 31)+"a", ".")},
	{strings.Repeat("a.", 32) + "a", nil},
	{strings.Repeat("a", 257), nil},
	{".", nil},
	{"a.", nil},
	{".a", nil},
	{"a..b", nil},
	{`a\`, nil},
	{`a\b`, nil},
	{`a\*`, nil},
	{"a*", nil},
	{"***", nil},
	{"**.a", nil},
	{"user[email]", nil},
	{"tags[]", nil},
	{"a\x00b", nil},
	{"a\nb", nil},
}

func TestParsePath(t *testing.T) {
	for _, c := range pathTable {
		got, err := ParsePath(c.path)
		if (err != nil) != (c.want == nil) || err == nil && !slices.Equal(got, c.want) {
			t.Errorf("%q is %q, %v; not %q", c.path, got, err, c.want)
		}
	}
}

// FuzzParsePath holds that a path has one spelling: written out again it is the
// same. Two spellings of one path could be declared with two different rules.
func FuzzParsePath(f *testing.F) {
	for _, c := range pathTable {
		f.Add(c.path)
	}
	escape := strings.NewReplacer(`\`, `\\`, ".", `\.`)
	f.Fuzz(func(t *testing.T, path string) {
		segments, err := ParsePath(path)
		if err != nil {
			return
		}
		spelled := make([]string, len(segments))
		for i, s := range segments {
			spelled[i] = escape.Replace(s)
		}
		if again := strings.Join(spelled, "."); again != path && strings.ToValidUTF8(path, "") == path {
			t.Errorf("%q is %q, which is spelled %q", path, segments, again)
		}
	})
}
