package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Bounds of a path. A submission nests no deeper and has no longer names.
const (
	maxPathSegments = 32
	maxPathLength   = 256
)

// Path is where a field stands in a submission, from the top. The path of a
// scalar at the top of a body is empty.
type Path []Segment

// Segment is one step of a path.
type Segment struct {
	Kind SegmentKind
	// Text is the name that a literal matches, escapes resolved. Other segments
	// have it as the policy writes them.
	Text  string
	Parts []Part // of a wildcard
}

// SegmentKind says what a segment matches.
type SegmentKind uint8

// The kinds of segments.
const (
	Literal  SegmentKind = iota // one name, or the element of a list with that number
	Element                     // "*": any element of a list
	Subtree                     // "**", the last segment: everything below
	Wildcard                    // names that Parts match: "form-{n:[0-9]+}-name"
)

// Key returns a string that is equal for equal paths only.
func (p Path) Key() string { return strings.Join(p.canonical(), "\x00") }

// Equal reports whether two paths are the same.
func (p Path) Equal(other Path) bool {
	return slices.EqualFunc(p, other, func(a, b Segment) bool { return a.Kind == b.Kind && a.Text == b.Text })
}

// IsOpen reports whether the path can match more than one name.
func (p Path) IsOpen() bool {
	return slices.ContainsFunc(p, func(s Segment) bool { return s.Kind != Literal })
}

// ends reports whether the last segment is of a kind.
func (p Path) ends(kind SegmentKind) bool { return len(p) > 0 && p[len(p)-1].Kind == kind }

// canonical returns the segments as distinct strings. No path contains a control
// character, so one marks what would otherwise look like another segment.
func (p Path) canonical() []string {
	texts := make([]string, len(p))
	for i, s := range p {
		texts[i] = s.Text
		switch {
		case s.Kind == Literal && (s.Text == "*" || s.Text == "**"):
			texts[i] = "\x01" + s.Text
		case s.Kind == Wildcard:
			texts[i] = "\x02" + s.Text
		}
	}
	return texts
}

// pathError is what is wrong with a path, and the remedy.
type pathError struct{ complaint, remedy string }

func (e *pathError) Error() string { return e.complaint + ": " + e.remedy }

// ParsePath splits the path of a field at its dots: "address.city", "items.*.sku",
// "address.**", "quantity.{product}". A backslash makes any of . * [ ] { } \ part of
// a name. The empty path is the scalar at the top of a body.
func ParsePath(path string) (Path, error) {
	if path == "" {
		return Path{}, nil
	}
	if len(path) > maxPathLength {
		return nil, fmt.Errorf("the path has %d bytes, more than %d", len(path), maxPathLength)
	}
	if strings.ContainsFunc(path, unicode.IsControl) {
		return nil, &pathError{"the path contains a control character", "remove it"}
	}
	var segments Path
	for rest, more := path, true; more; {
		var s Segment
		var err error
		if s, rest, more, err = cutPath(rest, path); err != nil {
			return nil, err
		}
		segments = append(segments, s)
	}
	return segments, checkSegments(segments)
}

// cutPath parses the first segment of rest. more reports whether another one
// follows.
func cutPath(rest, path string) (s Segment, after string, more bool, err error) {
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; c {
		case '.':
			return s, rest[i+1:], true, s.finish(rest[:i])
		case '\\':
			if i++; i == len(rest) {
				return s, "", false, &pathError{"the path ends in a lone backslash", `write \\ if it is part of the name`}
			}
			if strings.IndexByte(`.*[]{}\`, rest[i]) < 0 {
				return s, "", false, &pathError{
					fmt.Sprintf(`the path has a backslash before %q, and only . * [ ] { } and \ take one`, []rune(rest[i:])[0]),
					`remove it, or write \\ if it is part of the name`,
				}
			}
			s.Text += rest[i : i+1]
		case '[', ']':
			return s, "", false, bracketError(path)
		case '{':
			part, size, err := cutWildcard(rest[i:])
			if err != nil {
				return s, "", false, err
			}
			if s.Text != "" {
				s.Parts = append(s.Parts, Part{Literal: s.Text})
			}
			s.Kind, s.Text, s.Parts = Wildcard, "", append(s.Parts, part)
			i += size - 1
		case '}':
			return s, "", false, &pathError{"the path has a closing brace without an opening one", `write \} if it is part of a name`}
		default:
			s.Text += rest[i : i+1]
		}
	}
	return s, "", false, s.finish(rest)
}

// finish gives a segment that was read its kind.
func (s *Segment) finish(written string) error {
	if s.Kind == Wildcard {
		if s.Text != "" {
			s.Parts = append(s.Parts, Part{Literal: s.Text})
		}
		s.Text = written
	}
	switch written {
	case "*":
		s.Kind = Element
	case "**":
		s.Kind = Subtree
	default:
		if escaped := writeStars(written, `\*`); escaped != written {
			return &pathError{
				"a star is a whole segment",
				fmt.Sprintf("write %s if that part of the name varies, or %s if the star is part of the name", writeStars(written, anyWildcard), escaped),
			}
		}
	}
	return nil
}

const anyWildcard = "{any}"

// writeStars writes each star of a name that has no backslash before it in
// another way.
func writeStars(written, star string) string {
	var b strings.Builder
	for i := 0; i < len(written); i++ {
		if written[i] == '{' {
			end, _ := wildcardEnd(written[i:])
			b.WriteString(written[i : i+end+1])
			i += end
			continue
		}
		if written[i] == '*' {
			if star != anyWildcard || !strings.HasSuffix(b.String(), star) { // two wildcards side by side say no more than one
				b.WriteString(star)
			}
			continue
		}
		b.WriteByte(written[i])
		if written[i] == '\\' && i+1 < len(written) {
			i++
			b.WriteByte(written[i])
		}
	}
	return b.String()
}

func checkSegments(segments Path) error {
	if len(segments) > maxPathSegments {
		return fmt.Errorf("the path has %d segments, more than %d", len(segments), maxPathSegments)
	}
	for i, s := range segments {
		switch {
		case s.Text == "":
			return &pathError{"the path has an empty segment", "write one dot between two names, as in address.city"}
		case s.Kind == Subtree && i != len(segments)-1:
			return &pathError{`"**" is only allowed at the end of a path`, "write * for any element of a list, or {word} for any member"}
		}
	}
	return nil
}

var listBrackets = regexp.MustCompile(`\[[0-9]*\]`)

// bracketError says how a path with brackets is written.
func bracketError(path string) error {
	dots := ""
	if strings.Contains(path, "].") || strings.HasPrefix(path, "[") {
		dots = " and names: dots"
	}
	return &pathError{"the path has a bracket", fmt.Sprintf(`write %s%s, or \[ and \] if the brackets are part of a name`, withoutBrackets(path), dots)}
}

// withoutBrackets writes user[email] and tags[] as the paths that they are.
func withoutBrackets(path string) string {
	path = strings.NewReplacer("[", ".", "]", "").Replace(listBrackets.ReplaceAllString(path, ".*"))
	return strings.TrimPrefix(path, ".")
}
