package policy

import (
	"fmt"
	"strings"
	"testing"
)

// TestBounds: whoever may write one policy file, or get one generated, must not
// stop the proxy that watches it. Each file attacks one resource.
func TestBounds(t *testing.T) {
	const head = "version: 1\n"
	numbered := func(format string, n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	for _, c := range []struct{ attack, code, text string }{
		{"memory: a huge file", "too-large", strings.Repeat("#", maxFileSize+1)},
		{"stack: brackets", "too-deep", "a: " + strings.Repeat("[", maxFileSize-3)},
		{"stack: braces", "too-deep", "a: " + strings.Repeat("{a: ", 100_000)},
		{"stack: dashes on one line", "too-deep", strings.Repeat("- ", 500_000) + "a"},
		{"stack: indentation", "too-deep", func() string {
			var b strings.Builder
			for i := range 1400 {
				b.WriteString(strings.Repeat(" ", i) + "a:\n")
			}
			return b.String()
		}()},
		{"time: the keys of a map cost the parser their square", "too-many-entries", numbered("k%d: v\n", 90_000)},
		{"memory: aliases that double at each step", "alias", "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n"},
		{"disk: a diagnostic for each of many keys", "too-many-problems", head + numbered("k%d: v\n", 2000)},
		{"time: patterns are compared in pairs", "too-many-patterns", head + "collections: {c: {on: [" + numbered("/a%d,", 10_001) + "]}}"},
		{"an id of one byte", "too-many-purposes", head + "purposes:\n" + numbered("  p%d: {basis: contract}\n", 257)},
		{"a reader that guesses the encoding sees other keys", "not-utf8", head + "# \xff\n"},
		{"UTF-16 hides keys from a reader of bytes", "not-utf8", "\xff\xfev\x00e\x00"},
		{"the terminal: an escape sequence in the excerpt", "control-character", head + "# \x1b[2J\n"},
		{"a lone carriage return overwrites the line in a terminal", "control-character", head + "# evil\rgood\n"},
	} {
		set, problems := Compile(Source{"policy.yaml", []byte(c.text)})
		if set != nil || problems.Err() == nil {
			t.Errorf("%s: compiles", c.attack)
			continue
		}
		found := false
		for _, d := range problems {
			found = found || d.Code == c.code
			if strings.ContainsAny(d.Excerpt, "\x1b\r") {
				t.Errorf("%s: the excerpt holds a control character", c.attack)
			}
		}
		if !found || len(problems) > maxDiagnostics+10 {
			t.Errorf("%s: %d diagnostics, %s not among them:\n%v", c.attack, len(problems), c.code, problems[:min(3, len(problems))])
		}
	}
	if _, problems := Compile(); len(problems) != 1 || problems[0].Code != "empty-set" {
		t.Errorf("no file: %v", problems)
	}
}

// TestWarningsDoNotHideErrors: a flood of warnings must not use up the room that
// errors are reported in.
func TestWarningsDoNotHideErrors(t *testing.T) {
	var b strings.Builder
	b.WriteString("version: 1\npurposes: {p: {basis: contract}}\ncollections:\n  c:\n    on: /x\n    fields:\n")
	for i := range 2000 {
		fmt.Fprintf(&b, "      f%d: {for: p, category: nothing%d}\n", i, i)
	}
	set, problems := Compile(Source{"policy.yaml", []byte(b.String())})
	if set == nil || problems.Err() != nil {
		t.Fatalf("warnings alone fail: %v", problems.Err())
	}
	b.WriteString("      last: {for: q}\n")
	set, problems = Compile(Source{"policy.yaml", []byte(b.String())})
	if set != nil || problems.Err() == nil {
		t.Error("the error after the warnings is lost")
	}
}
