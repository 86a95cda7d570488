package policy

import (
	"fmt"
	"strings"
	"unicode"
)

// maxExcerptWidth is how many characters of a line an excerpt shows.
const maxExcerptWidth = 100

// excerpt shows the lines of a problem with a caret under each position.
func (p *problems) excerpt(at Position, related []Position) string {
	var shown []string
	file := at.File
	for _, place := range append([]Position{at}, related...) {
		lines := p.lines[place.File]
		if place.Line < 1 || place.Line > len(lines) {
			continue
		}
		if place.File != file {
			file = place.File
			shown = append(shown, "      in "+file+":")
		}
		shown = append(shown, caret(lines[place.Line-1], place))
	}
	return strings.Join(shown, "\n")
}

// caret renders one line with its number and a caret under the column.
func caret(line string, at Position) string {
	text := []rune(line)
	column := min(max(at.Column-1, 0), len(text))
	cut := ""
	if column > maxExcerptWidth/2 && len(text) > maxExcerptWidth {
		from := min(column-maxExcerptWidth/2, len(text)-maxExcerptWidth)
		text, column, cut = text[from:], column-from, "…"
	}
	tail := ""
	if len(text) > maxExcerptWidth {
		text, tail = text[:maxExcerptWidth], "…"
	}
	pad := strings.Map(func(c rune) rune {
		if c == '\t' {
			return c // whatever the width of a tab, the caret lines up
		}
		return ' '
	}, cut+string(text[:column]))
	return fmt.Sprintf("%5d | %s%s%s\n      | %s^", at.Line, cut, printable(text), tail, pad)
}

// printable hides control characters: the excerpt goes to a terminal, which an
// escape sequence in a file must not reach (CWE-150).
func printable(text []rune) string {
	return strings.Map(func(c rune) rune {
		if c != '\t' && !unicode.IsPrint(c) {
			return '·'
		}
		return c
	}, string(text))
}
