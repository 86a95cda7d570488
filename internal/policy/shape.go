package policy

import (
	"fmt"
	"unicode/utf8"

	"github.com/goccy/go-yaml/token"
)

// Bounds of a policy file. The YAML parser recurses per level and is quadratic in
// the keys of one mapping, so both are bounded before it runs (CWE-674, CWE-407).
const (
	maxFileSize = 1 << 20
	maxNesting  = 64
	maxEntries  = 10_000
)

// legible checks the bytes of a file before YAML reads them: its size, UTF-8, and
// no control characters but line ends and tabs.
func (r *reader) legible(data []byte) bool {
	if len(data) > maxFileSize {
		r.problems.report("too-large", Position{File: r.file}, fmt.Sprintf("the file has more than %d bytes", maxFileSize),
			"split it: a policy set may have several files")
		return false
	}
	line, column := 1, 1
	for i := 0; i < len(data); {
		c, width := utf8.DecodeRune(data[i:])
		at := Position{File: r.file, Line: line, Column: column}
		switch {
		case c == utf8.RuneError && width == 1:
			r.problems.report("not-utf8", at, "the file is not UTF-8", "save it as UTF-8")
			return false
		case c == '\n':
			line, column = line+1, 0
		case c < ' ' && c != '\t', c == 0x7f:
			r.problems.report("control-character", at, fmt.Sprintf("the file contains a control character, %U", c), "remove it")
			return false
		}
		column++
		i += width
	}
	return true
}

// shape walks the tokens of a file and bounds what the parser has to do. It also
// refuses what the language does without: aliases (a bomb of which is a few lines
// that grow to gigabytes), tags, directives, more than one document.
type shape struct {
	*reader
	flow  int     // brackets open
	block []level // block collections open, by column
	ok    bool
}

// level is a block collection: its column and its entries.
type level struct{ column, entries int }

// acceptable reports whether the parser may read the tokens.
func (r *reader) acceptable(tokens token.Tokens) bool {
	s := shape{reader: r, ok: true}
	directive, content := false, false // what stands before: a directive, anything else
	for _, t := range tokens {
		switch t.Type { //nolint:exhaustive // scalars and comments need no check
		case token.AnchorType, token.MergeKeyType:
			s.refuse(t, "alias", "anchors and merge keys are not part of the policy language",
				"share a definition under the top-level fields and refer to it with use; write a name that begins with & in quotes")
		case token.AliasType:
			s.refuse(t, "alias", "aliases are not part of the policy language", "write a name that begins with * or contains it after \\ in single quotes")
		case token.TagType:
			s.refuse(t, "tag", "YAML tags are not part of the policy language", "write a text that begins with ! in quotes")
		case token.DirectiveType:
			s.refuse(t, "directive", "YAML directives are not part of the policy language", "remove the line")
			directive = true
		case token.MappingKeyType:
			s.refuse(t, "complex-key", `"?" keys are not part of the policy language`, "write key: value, and a name that begins with ? in quotes")
		case token.DocumentHeaderType, token.DocumentEndType:
			if content && !directive {
				s.refuse(t, "second-document", "a policy file holds one document", "make it a file of its own")
			}
			directive, content = false, false
		case token.SequenceStartType, token.MappingStartType:
			s.flow++
		case token.SequenceEndType, token.MappingEndType:
			s.flow--
		case token.SequenceEntryType:
			s.entry(t, t.Position.Column)
		case token.MappingValueType:
			if s.flow > 0 && s.joins(t) {
				s.refuse(t, "joined-colon", "a colon inside brackets or braces joins two words",
					"write a text that contains a colon in quotes, and a space after the colon of a key")
			}
			if t.Prev != nil {
				s.entry(t, t.Prev.Position.Column)
			}
		default: // scalars and comments
		}
		if t.Type != token.CommentType && t.Type != token.DocumentHeaderType {
			content = true
		}
		if s.flow+len(s.block) > maxNesting {
			s.refuse(t, "too-deep", fmt.Sprintf("more than %d collections are nested here", maxNesting), "")
			return false
		}
	}
	return s.ok
}

// entry counts an entry of the block collection at a column.
func (s *shape) entry(t *token.Token, column int) {
	if s.flow > 0 {
		return
	}
	for len(s.block) > 0 && s.block[len(s.block)-1].column > column {
		s.block = s.block[:len(s.block)-1]
	}
	if len(s.block) == 0 || s.block[len(s.block)-1].column < column {
		s.block = append(s.block, level{column: column})
	}
	last := &s.block[len(s.block)-1]
	last.entries++
	if last.entries == maxEntries+1 {
		s.refuse(t, "too-many-entries", fmt.Sprintf("more than %d entries stand in one list or map", maxEntries), "split the file")
	}
}

func (s *shape) refuse(t *token.Token, code, message, hint string) {
	s.ok = false
	s.problems.report(code, s.position(t), message, hint)
}
