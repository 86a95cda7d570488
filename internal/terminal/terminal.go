// Package terminal prints for people: in colors if the terminal has them and the
// user has not disabled them, and without the control sequences of foreign text.
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

// Palette is the set of styles that we print with. The zero value has no colors.
type Palette struct {
	Good, Bad, Odd, Faint, Strong, Link lipgloss.Style
}

// PaletteFor returns colors if w is a terminal that has them. NO_COLOR with any
// value disables them (https://no-color.org/); CLICOLOR_FORCE enables them even if w
// is not a terminal.
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

// Printable replaces each character that is not a letter, mark, number, punctuation,
// symbol or space: a name that a stranger chose must not become a control sequence of
// the terminal (CWE-150).
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

// Columns prints rows with their cells aligned by their width on the screen.
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

// Pad appends spaces to text up to a width on the screen.
func Pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-lipgloss.Width(text)))
}
