package minimize

import (
	"net/url"
	"path"
	"strings"
	"unicode/utf8"
)

// PlainPath tells whether applications agree on which resource an escaped
// path names: no empty or dot segments, no backslash, no path parameters
// (";"), no escaped slash, backslash, dot, semicolon, percent sign or
// control byte, nothing but UTF-8. Tomcat serves /a/..;/b as /b, and to some
// old decoders %c0%af is a slash.
func PlainPath(escaped string) bool {
	if escaped == "" || escaped[0] != '/' {
		return false
	}
	coded := false
	for i := range len(escaped) {
		switch c := escaped[i]; {
		case c == '\\' || c == ';' || c <= ' ' || c == 0x7f:
			return false
		case c == '/':
			if !plainSegment(escaped[i+1:]) {
				return false
			}
		case c >= utf8.RuneSelf:
			coded = true
		case c == '%':
			if i+2 >= len(escaped) {
				return false
			}
			coded = true
			switch strings.ToLower(escaped[i+1 : i+3]) {
			case "2f", "5c", "2e", "3b", "25", "7f":
				return false
			}
			if escaped[i+1] < '2' {
				return false
			}
		}
	}
	if !coded {
		return true
	}
	decoded, err := url.PathUnescape(escaped)
	return err == nil && utf8.ValidString(decoded)
}

// plainSegment tells whether rest begins with a segment that is neither a
// dot segment nor empty; the last one may be empty.
func plainSegment(rest string) bool {
	segment, _, more := strings.Cut(rest, "/")
	return segment != "." && segment != ".." && (segment != "" || !more)
}

// loosePath returns what the most forgiving application makes of an escaped
// path: in lower case, escapes and parameters resolved, without dots and
// spaces at the end of a name (Windows drops them) and what follows a zero
// byte, cleaned, without a slash at its end.
func loosePath(escaped string) string {
	if isTight(escaped) {
		return escaped // as most are
	}
	return forgiven(escaped)
}

// forgiven is loosePath for any path.
func forgiven(escaped string) string {
	decoded, err := url.PathUnescape(escaped)
	if err != nil {
		decoded = escaped
	}
	decoded, _, _ = strings.Cut(decoded, "\x00")
	segments := strings.Split(strings.ReplaceAll(strings.ToLower(decoded), `\`, "/"), "/")
	for i, segment := range segments {
		segment, _, _ = strings.Cut(segment, ";")
		if segment != "." && segment != ".." {
			segment = strings.TrimRight(segment, " .")
		}
		segments[i] = segment
	}
	return (&url.URL{Path: path.Clean("/" + strings.Join(segments, "/"))}).EscapedPath()
}

// isTight tells whether nobody can make anything else of a path. It may fail
// to see that.
func isTight(escaped string) bool {
	for i := range len(escaped) {
		switch c := escaped[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
		case c == '/', c == '.':
			// Neither is the last, nor next to another.
			if i+1 == len(escaped) || escaped[i+1] == '/' || escaped[i+1] == '.' {
				return false
			}
		default:
			return false
		}
	}
	return escaped != "" && escaped[0] == '/'
}
