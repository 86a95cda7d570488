package minimize

import (
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// PlainPath reports whether applications agree on which resource an escaped
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

// plainSegment reports whether rest begins with a segment that is neither a
// dot segment nor empty; the last one may be empty.
func plainSegment(rest string) bool {
	segment, _, more := strings.Cut(rest, "/")
	return segment != "." && segment != ".." && (segment != "" || !more)
}

// paths are the escaped paths of a request.
type paths struct {
	now      string
	original string // before a rewrite; empty: there was none
}

func (e *Engine) paths(r *http.Request) paths {
	at := paths{now: r.URL.EscapedPath()}
	if e.OriginalPath != nil {
		if original := e.OriginalPath(r); original != at.now {
			at.original = original
		}
	}
	return at
}

// plain reports whether each of the paths is a [PlainPath].
func (p paths) plain() bool { return PlainPath(p.now) && (p.original == "" || PlainPath(p.original)) }

// tooLong reports whether the original path is longer than any that is read.
func (p paths) tooLong() bool { return len(p.original) > 3*maxPath } // it is escaped
