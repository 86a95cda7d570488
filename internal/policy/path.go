package policy

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// Bounds of a path. A submission nests no deeper and has no longer names.
const (
	maxPathSegments = 32
	maxPathLength   = 256
)

// ParsePath splits the path of a field at its dots: "address.city", "items.*.sku",
// "address.**". `\.` is a literal dot and `\\` a backslash; a star must be a whole
// segment. The empty path is the scalar at the top of a body.
func ParsePath(path string) ([]string, error) {
	if path == "" {
		return []string{}, nil
	}
	if len(path) > maxPathLength {
		return nil, fmt.Errorf("the path has %d bytes, more than %d", len(path), maxPathLength)
	}
	var segments []string
	var segment strings.Builder
	escaped := false
	for _, c := range path {
		switch {
		case unicode.IsControl(c):
			return nil, errors.New("the path contains a control character")
		case escaped && c != '.' && c != '\\':
			return nil, fmt.Errorf(`the path has a backslash before %q: only \. and \\ are escapes`, c)
		case escaped:
			segment.WriteRune(c)
			escaped = false
		case c == '\\':
			escaped = true
		case c == '.':
			segments = append(segments, segment.String())
			segment.Reset()
		case c == '[' || c == ']':
			return nil, fmt.Errorf("the path has a bracket: write %q, which addresses bracketed names too", withoutBrackets(path))
		default:
			segment.WriteRune(c)
		}
	}
	if escaped {
		return nil, errors.New("the path ends in a lone backslash")
	}
	segments = append(segments, segment.String())
	return segments, checkSegments(segments)
}

func checkSegments(segments []string) error {
	if len(segments) > maxPathSegments {
		return fmt.Errorf("the path has %d segments, more than %d", len(segments), maxPathSegments)
	}
	for i, s := range segments {
		switch {
		case s == "":
			return errors.New("the path has an empty segment")
		case s == "**" && i != len(segments)-1:
			return errors.New(`"**" is only allowed at the end of a path`)
		case s != "*" && s != "**" && strings.Contains(s, "*"):
			return errors.New(`a star must be a whole segment of a path: "items.*.sku"`)
		}
	}
	return nil
}

var listBrackets = regexp.MustCompile(`\[[0-9]*\]`)

// withoutBrackets writes user[email] and tags[] as the paths that they are.
func withoutBrackets(path string) string {
	return strings.NewReplacer("[", ".", "]", "").Replace(listBrackets.ReplaceAllString(path, ".*"))
}

// pathKey joins segments into a string that is equal for equal paths only.
func pathKey(segments []string) string { return strings.Join(segments, "\x00") }

// isSubtree reports whether a path ends in "**".
func isSubtree(segments []string) bool {
	return len(segments) > 0 && segments[len(segments)-1] == "**"
}
