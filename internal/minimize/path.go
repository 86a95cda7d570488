package minimize

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/modicum-proxy/modicum/internal/submission"
)

// OddPaths are kinds of paths that applications read in several ways, and that
// the operator says this application reads in one. The zero value is none.
type OddPaths uint8

const (
	// EncodedSlash is "%2F" in a segment. Some applications take it as part of the
	// segment, as in "/projects/group%2Fproject", others as a slash.
	EncodedSlash OddPaths = 1 << iota
	// Parameters are what follows ";" in a segment. Servlets ignore it when they
	// route, as in "/order;jsessionid=AB12".
	Parameters
	// EmptySegments are two slashes that are not at the beginning of the path:
	// "/shop//order". Many servers take them for one.
	EmptySegments
)

// oddPathWords are the kinds of odd paths as the operator names them.
var oddPathWords = []string{"encoded_slash", "parameters", "empty_segments"}

// OddPathWords returns the words that [OddPaths.With] knows.
func OddPathWords() []string { return slices.Clone(oddPathWords) }

// With returns the kinds and the one of a word as well, and whether the word is
// known.
func (o OddPaths) With(word string) (OddPaths, bool) {
	i := slices.Index(oddPathWords, word)
	if i < 0 {
		return o, false
	}
	return o | 1<<i, true
}

// String returns the words of the kinds, with spaces between them.
func (o OddPaths) String() string {
	var words []string
	for i, word := range oddPathWords {
		if o&(1<<i) != 0 {
			words = append(words, word)
		}
	}
	return strings.Join(words, " ")
}

// PlainPath reports whether applications agree on which resource an escaped
// path names: no empty or dot segments, no backslash, no path parameters
// (";"), no escaped slash, backslash, dot, semicolon, percent sign or
// control byte, nothing but UTF-8. Tomcat serves /a/..;/b as /b, and to some
// old decoders %c0%af is a slash.
func PlainPath(escaped string) bool {
	odd, ok := readPath(escaped)
	return ok && odd == 0
}

// readPath returns what is odd about an escaped path. It returns false if no
// operator can say that the application reads the path in one way: two slashes
// at its beginning name a host to some, and dot segments leave the part of the
// site that a pattern or `except` names, however they are spelled.
func readPath(escaped string) (odd OddPaths, ok bool) {
	if escaped == "" || escaped[0] != '/' {
		return 0, false
	}
	coded := false
	segments := segmentReader{first: true}
	for i := 1; i < len(escaped); i++ {
		switch c := escaped[i]; {
		case c == '\\' || c <= ' ' || c == 0x7f:
			return 0, false
		case c == '/':
			if !segments.end(&odd, false) {
				return 0, false
			}
		case c == ';':
			odd |= Parameters
			segments.parameters = true
		case c >= utf8.RuneSelf:
			coded = true
			segments.add(c)
		case c == '%':
			if i+2 >= len(escaped) || escaped[i+1] < '2' {
				return 0, false
			}
			coded = true
			switch strings.ToLower(escaped[i+1 : i+3]) {
			case "5c", "2e", "3b", "25", "7f":
				return 0, false
			case "2f":
				if !segments.encodedSlash(&odd) {
					return 0, false
				}
			default:
				segments.add(c)
			}
			i += 2
		default:
			segments.add(c)
		}
	}
	if !segments.end(&odd, true) {
		return 0, false
	}
	if !coded {
		return odd, true
	}
	decoded, err := url.PathUnescape(escaped)
	return odd, err == nil && utf8.ValidString(decoded)
}

// segmentReader reads the segments of a path as [readPath] comes to them. A
// parameter does not count as part of its segment, and an escaped slash ends a
// segment: so that no reading has a dot segment.
type segmentReader struct {
	first      bool // the segment begins at the beginning of the path
	length     int  // of the segment, escapes counted as one
	dots       int  // how many of its characters are dots
	parameters bool // its parameters have begun
	escaped    bool // an escaped slash stands before it
}

func (s *segmentReader) add(c byte) {
	if s.parameters {
		return
	}
	s.length++
	if c == '.' {
		s.dots++
	}
}

// encodedSlash ends a segment at an escaped slash. It returns false inside
// parameters: what follows would be a segment to applications that decode
// first, and part of the parameter to others.
func (s *segmentReader) encodedSlash(odd *OddPaths) bool {
	*odd |= EncodedSlash
	if s.parameters || s.isDots() || s.first && s.length == 0 {
		return false
	}
	*s = segmentReader{escaped: true}
	return true
}

// end ends a segment at a slash or, if last, at the end of the path. It returns
// false if the path cannot be read in one way.
func (s *segmentReader) end(odd *OddPaths, last bool) bool {
	switch {
	case s.isDots(), s.first && s.length == 0 && !last:
		return false
	case s.length == 0 && !last && !s.escaped:
		*odd |= EmptySegments
	}
	*s = segmentReader{}
	return true
}

func (s *segmentReader) isDots() bool {
	return s.length == s.dots && (s.dots == 1 || s.dots == 2)
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

// odd returns what is odd about the paths, and false if nobody can say that they
// are read in one way.
func (p paths) odd() (odd OddPaths, ok bool) {
	if odd, ok = readPath(p.now); ok && p.original != "" {
		var before OddPaths
		before, ok = readPath(p.original)
		odd |= before
	}
	return odd, ok
}

// checkPaths refuses paths that can be read in two ways, unless the operator says
// which of them the application takes.
func (e *Engine) checkPaths(p paths) *submission.Error {
	odd, ok := p.odd()
	switch undecided := odd &^ e.OddPaths; {
	case !ok:
		refusal := refused(http.StatusBadRequest, ruleAmbiguousPath,
			"the path can be read in two ways: it has a dot segment, a backslash, two slashes at its beginning, an escaped dot, semicolon or "+
				"percent sign, or a control character")
		refusal.Remedy = "if nothing is to be minimized there, serve the path by a handle without minimize"
		return refusal
	case undecided != 0:
		refusal := refused(http.StatusBadRequest, ruleAmbiguousPath, "the path can be read in two ways: "+undecided.describe())
		refusal.Remedy = "if the application reads such paths in one way, set odd_paths " + undecided.String() +
			"; if nothing is to be minimized there, serve the path by a handle without minimize (except does not cover it)"
		return refusal
	}
	return nil
}

// describe says what the kinds are.
func (o OddPaths) describe() string {
	var parts []string
	for i, text := range []string{"it has an escaped slash (%2F)", "it has a parameter (;)", "it has an empty segment (//)"} {
		if o&(1<<i) != 0 {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, ", ")
}

// tooLong reports whether the original path is longer than any that is read.
func (p paths) tooLong() bool { return len(p.original) > 3*maxPath } // it is escaped
