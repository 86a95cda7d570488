package policy

import (
	"strings"

	"github.com/goccy/go-yaml/token"
)

// syntaxHints are the remedies for what YAML takes apart, by what its parser says.
// Most of it are names of forms, which begin with or contain a sign of YAML.
var syntaxHints = []struct{ said, hint string }{
	{"is a reserved character", "write a name that begins with it in quotes"},
	{"unknown escape character", "in double quotes a backslash begins an escape of YAML; write the text in single quotes"},
	{"an invalid key for this map", "write a name that contains { } [ or ] in quotes"},
	{"invalid header option", "write a name that begins with | or > in quotes"},
	{"mapping value is not allowed", "write a text that contains a colon and a space in quotes"},
	{"'\t' that cannot start any token", "indent with spaces"},
	{"must be specified", "inside brackets, write a text that contains , { } [ or ] in quotes"},
	{"end character of", "write the quote at the end of the text, too"},
	{"end token", "close the bracket; inside it, write a text that contains , { } [ or ] in quotes"},
	{"value is not allowed in this context", "align the line with those above it, and close each bracket once"},
}

// syntaxHint returns what to write in place of what the parser does not accept.
func (r *reader) syntaxHint(said string, at Position) string {
	for _, h := range syntaxHints {
		if strings.Contains(said, h.said) {
			return h.hint
		}
	}
	if !strings.Contains(said, "non-map value") || at.Line < 1 || at.Line > len(r.problems.lines[at.File]) {
		return ""
	}
	// A line that is no "key: value".
	switch line := r.problems.lines[at.File][at.Line-1]; {
	case strings.Contains(line, " #"):
		return "a # after a space begins a comment; write a name that contains one in quotes"
	case !strings.Contains(line, ": ") && strings.Contains(line, ":"):
		return "write a space after the colon"
	}
	return "write key: value"
}

// joins reports whether a colon in brackets joins two words, and is none between a
// key and its value. YAML reads [12:30] as one text, its parser here as a map.
func (r *reader) joins(t *token.Token) bool {
	if t.Prev == nil || t.Prev.Type == token.DoubleQuoteType || t.Prev.Type == token.SingleQuoteType {
		return false
	}
	at := r.position(t)
	if at.Line < 1 || at.Line > len(r.problems.lines[at.File]) {
		return false
	}
	line := []rune(r.problems.lines[at.File][at.Line-1])
	return at.Column < len(line) && !strings.ContainsRune(" \t,]}", line[at.Column])
}
