package policy

import (
	"regexp"
	"strings"
	"testing"
)

func TestWildcardMatches(t *testing.T) {
	for _, tt := range []struct {
		path      string
		yes, no   []string
		canonical string
	}{
		{"q_{x}", []string{"q_1", "q_a-B_9", "q_" + strings.Repeat("a", 64)}, []string{"q_", "q_a.b", "q_ä", "q_" + strings.Repeat("a", 65)}, "\x02q_{x}"},
		{"form-{n:[0-9]+}-name", []string{"form-0-name"}, []string{"form-x-name", "form-0-name-old"}, ""},
		{"{t:[0-9a-f]{4}}", []string{"12ab"}, []string{"12AB", "12abc"}, ""},
		{`i_{n:[0-9]{1,3}\.[0-9]*}`, []string{"i_1.3", "i_20."}, []string{"i_1"}, ""},
		{`{n:[}{]+}`, []string{"}{"}, []string{"x"}, ""},
		{`{n:[]a]+}`, []string{"]a"}, []string{"b"}, ""},
		{`{n:[[:digit:]}]+}`, []string{"1}"}, []string{"a"}, ""},
		{`{n:\{\}}`, []string{"{}"}, []string{"x"}, ""},
		{`Scores\[{s}\]`, []string{"Scores[a]"}, []string{"Scores"}, ""},
		{`a\*{x}\{\}`, []string{"a*b{}"}, []string{"ab"}, ""},
		{"$A_{f:[0-9]+}:{b:[0-9]+}", []string{"$A_1:2"}, []string{"$A_1:"}, ""},
		{"{x:a|b}c", []string{"ac", "bc"}, []string{"a", "c"}, ""},
		// What is said by exclusion matches the characters of a word only.
		{"{x:.+}", []string{"a-b_9"}, []string{"a.b", "a b", "a[b]", "ä", "a\x00b"}, ""},
		{"{x:[^0-9]+}", []string{"a_b"}, []string{"a.b", "a[", "1"}, ""},
		{`{x:\S+}`, []string{"ab"}, []string{"a.b", "а"}, ""},
		{`{x:[а-яё]+}`, []string{"имя"}, []string{"name"}, ""},
		{`{x:\p{L}+}`, []string{"имя", "name"}, []string{"a.b"}, ""},
		{`{x:[\x00-~]+}`, []string{"a.b"}, []string{"a\x00b"}, ""},
		{`{x:(?i:ab)}`, []string{"aB"}, []string{"abc"}, ""},
	} {
		path, err := ParsePath(tt.path)
		if err != nil || len(path) != 1 || path[0].Kind != Wildcard {
			t.Errorf("%s: %+v, %v", tt.path, path, err)
			continue
		}
		for _, name := range tt.yes {
			if !path[0].Matches(name) {
				t.Errorf("%s does not match %q", tt.path, name)
			}
		}
		for _, name := range tt.no {
			if path[0].Matches(name) {
				t.Errorf("%s matches %q", tt.path, name)
			}
		}
		if tt.canonical != "" && path.Key() != tt.canonical {
			t.Errorf("%s has the key %q", tt.path, path.Key())
		}
	}
}

// TestIntersect compares the search with all short texts.
func TestIntersect(t *testing.T) {
	expressions := []string{"a*", "b+", "ab?", "(?:ab)*", "[ab]{2}", "[^a]", "a{1,2}b", "(?:a|bb)*", "", "(?i:A)b", "a[0-9]", "aa|bb", "b*ab*"}
	var texts []string
	for level := []string{""}; len(level[0]) <= 5; {
		texts = append(texts, level...)
		var next []string
		for _, text := range level {
			next = append(next, text+"a", text+"b", text+"0")
		}
		level = next
	}
	matches := func(expression, text string) bool {
		return regexp.MustCompile("^(?:" + expression + ")$").MatchString(text)
	}
	for _, a := range expressions {
		for _, b := range expressions {
			want := false
			for _, text := range texts {
				want = want || matches(a, text) && matches(b, text)
			}
			x, err := compileProgram(a)
			if err != nil {
				t.Fatal(err)
			}
			y, err := compileProgram(b)
			if err != nil {
				t.Fatal(err)
			}
			if got := intersect(x, y); got != want {
				t.Errorf("%s and %s: %v, want %v", a, b, got, want)
			}
		}
	}
}

// A search that takes too long counts as a tie, and takes little.
func TestIntersectIsBounded(t *testing.T) {
	x, err := compileProgram("[ab]*a[ab]{400}")
	if err != nil {
		t.Fatal(err)
	}
	y, err := compileProgram("[ab]*b[ab]{450}c|d")
	if err != nil {
		t.Fatal(err)
	}
	if !intersect(x, y) {
		t.Error("it was decided: the expressions are too small for the test")
	}
}

// The version of a policy changes with names: dots, and stays as it is without.
func TestNamesAreInTheVersion(t *testing.T) {
	const head = "version: 1\npurposes: {p: {basis: contract, retention: 1y}}\n"
	version := func(top, own string) string {
		return compile(t, head+top+"collections: {c: {on: POST /c, "+own+"fields: {f: p}}}\n").Version
	}
	plain := version("", "")
	if version("names: brackets\n", "") != plain || version("", "names: brackets, ") != plain || version("names: dots\n", "names: brackets, ") != plain {
		t.Error("names: brackets is the default, and changes the version")
	}
	if dots := version("names: dots\n", ""); dots == plain || version("", "names: dots, ") != dots {
		t.Error("names: dots does not change the version as it should")
	}
}
