package terminal

import (
	"bytes"
	"testing"

	"charm.land/lipgloss/v2"
)

// TestPrintable: a form can have a field whose name clears the screen, sets
// the title of the window, turns the reading direction or forges a line.
func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"имя, 名前, ñ e\u0301 🙂":            "имя, 名前, ñ e\u0301 🙂",
		"\x1b[2J\x1b]0;title\x07":         "·[2J·]0;title·",
		"a\r\nb\tc":                       "a··b·c",
		"\u009b31m \u202Etxt \u2028 \x7f": "·31m ·txt · ·",
		"bad \xff byte":                   "bad \uFFFD byte",
	} {
		if got := Printable(text); got != want {
			t.Errorf("%q becomes %q, not %q", text, got, want)
		}
	}
}

func TestColumns(t *testing.T) {
	var out bytes.Buffer
	bold := lipgloss.NewStyle().Bold(true)
	Columns(&out, [][]string{{bold.Render("имя"), "b", "c"}, {"名前x", "long"}, {"a", "", "d"}})
	want := "  " + bold.Render("имя") + "    b     c\n  名前x  long\n  a            d\n"
	if out.String() != want {
		t.Errorf("%q, not %q", out.String(), want)
	}
}

// TestPaletteFor: a file, a pipe and a user who has disabled them get no colors.
func TestPaletteFor(t *testing.T) {
	colored := func() bool { return PaletteFor(new(bytes.Buffer)).Bad.Render("x") != "x" }
	for _, name := range []string{"NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TTY_FORCE"} {
		t.Setenv(name, "")
	}
	t.Setenv("TERM", "xterm-256color")
	if colored() {
		t.Error("a buffer has colors")
	}
	t.Setenv("CLICOLOR_FORCE", "1")
	if !colored() {
		t.Error("CLICOLOR_FORCE has no effect")
	}
	t.Setenv("NO_COLOR", "please")
	if colored() {
		t.Error("NO_COLOR has no effect")
	}
}
