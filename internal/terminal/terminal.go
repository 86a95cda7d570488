// Package terminal prints for people: in colours where a terminal has them and
// nobody forbade them, and never letting a stranger's text command the terminal.
package terminal

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/colorprofile"
)

// Palette holds the styles of what we print. The zero value has no colours.
type Palette struct {
	Good, Bad, Odd, Faint, Strong, Link lipgloss.Style
}

// PaletteFor returns colours where w is a terminal that has them. NO_COLOR
// with any value forbids them (https://no-color.org/); CLICOLOR_FORCE asks for
// them even where w is none.
func PaletteFor(w io.Writer) Palette {
	if os.Getenv("NO_COLOR") != "" || colorprofile.Detect(w, os.Environ()) < colorprofile.ANSI {
		return Palette{}
	}
	style := lipgloss.NewStyle
	return Palette{
		Good: style().Foreground(lipgloss.Green), Bad: style().Foreground(lipgloss.Red).Bold(true), Odd: style().Foreground(lipgloss.Yellow),
		Faint: style().Faint(true), Strong: style().Bold(true), Link: style().Foreground(lipgloss.Cyan).Underline(true),
	}
}

// Printable replaces what is no letter, mark, number, punctuation, symbol or
// space: a name that somebody else made up must not become a control sequence
// on the terminal that it is printed on (CWE-150).
func Printable(text string) string {
	return strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return '·'
		}
		return c
	}, text)
}

// Plural writes a count with its noun.
func Plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// Columns prints rows with their cells aligned by what they take on a screen.
func Columns(w io.Writer, rows [][]string) {
	widths := map[int]int{}
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], lipgloss.Width(cell))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString("  " + Pad(cell, widths[i]))
		}
		_, _ = fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
}

// Pad fills text with spaces up to a width on the screen.
func Pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-lipgloss.Width(text)))
}
