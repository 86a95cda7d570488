package policy

import (
	"net/url"
	"path"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Routers disagree on which paths name one resource: Express ignores letter
// case and a final slash, Rails takes "/login.json" for "/login", servers on
// Windows drop dots and spaces at the end of a name, some databases ignore
// characters that nobody sees, and PHP serves "/index.php" for "/" and both for
// "/index.php/login". The loose reading of a path finds each collection that
// one of them may serve under it.

// addLoosely lets the loose reading find a literal child.
func (s *step) addLoosely(segment string, child *step) {
	if segment == "/" {
		return // the final slash, which has rules of its own
	}
	if s.folded == nil {
		s.folded, s.stems = make(map[string][]*step), make(map[string][]*step)
	}
	text := foldText(segment)
	s.folded[text] = append(s.folded[text], child)
	s.stems[stem(text)] = append(s.stems[stem(text)], child)
}

// findLoosely returns where a request leads if its path, which is plain, is
// read loosely. The route is ambiguous if it leads to more than one collection.
func (r *routes) findLoosely(method, host, path string) Route {
	return r.search(method, host, path, func(root *step, path string) Route {
		var found Route
		root.loosely(path, &found)
		script, last, rest := cutSegment(path)
		if root != nil && !last && fold(script) == "index.php" && !root.find(script).loosely(rest, new(Route)) {
			found.add(root.match(rest)) // a front controller takes what follows it for the path
			root.loosely(rest, &found)
		}
		return found
	})
}

// cutSegment cuts a path behind its first segment. last reports whether
// nothing but a slash may follow.
func cutSegment(path string) (segment string, last bool, rest string) {
	segment = path[1:]
	if i := strings.IndexByte(segment, '/'); i >= 0 {
		segment, rest = segment[:i], segment[i:]
	}
	return segment, rest == "" || rest == "/", rest
}

// loosely adds to found where what is left of a path leads, and reports
// whether it leads anywhere. A segment that is spelled out below s is that one.
func (s *step) loosely(path string, found *Route) bool {
	if s == nil {
		return false
	}
	if path == "" || path == "/" {
		return s.ends(path == "/", found)
	}
	segment, last, rest := cutSegment(path)
	exact := s.find(segment)
	if exact.loosely(rest, found) {
		return true
	}
	alike, leads := s.alike(segment, last), false
	for _, child := range alike {
		leads = child != exact && child.loosely(rest, found) || leads
	}
	if leads || s.single.loosely(rest, found) || found.add(s.rest) {
		return true
	}
	if last && stem(fold(segment)) == "index" {
		return s.ends(true, found) // the index of a directory stands for it
	}
	if !last && isScript(segment) {
		for _, child := range alike {
			leads = found.add(child.end) || leads // the script is given the rest as PATH_INFO
		}
	}
	return leads
}

// ends is loosely for the end of a path: nothing, or a slash.
func (s *step) ends(slash bool, found *Route) bool {
	root := Route{}
	if child := s.literal["/"]; child != nil {
		root = child.end
	}
	if slash {
		if found.add(root) || found.add(s.rest) || found.add(s.end) {
			return true
		}
	} else {
		if found.add(s.end) {
			return true
		}
		leads := found.add(root)
		if found.add(s.rest) || leads {
			return true
		}
	}
	leads := false
	for _, child := range s.stems["index"] {
		leads = found.add(child.end) || leads
	}
	return leads
}

// isScript reports whether servers run a segment as a program, whatever path
// follows it.
func isScript(segment string) bool {
	switch path.Ext(fold(segment)) {
	case ".php", ".cgi", ".fcgi", ".pl", ".py", ".asp", ".aspx", ".cfm", ".jsp":
		return true
	}
	return false
}

// add takes over another route, and reports whether there is one.
func (r *Route) add(other Route) bool {
	switch {
	case other.Collection == nil:
		return false
	case r.Collection == nil:
		*r = other
	case r.Collection != other.Collection:
		r.Ambiguous = true
	}
	return true
}

// alike returns the literal children that a segment can be taken for. last
// reports whether the path ends with it, so that it may have a suffix.
func (s *step) alike(segment string, last bool) []*step {
	if len(s.folded) == 0 {
		return nil
	}
	text := fold(segment)
	if last {
		return s.stems[stem(text)]
	}
	return s.folded[text]
}

// fold returns what a segment of an escaped path has in common with all that
// a forgiving router takes for it.
func fold(segment string) string {
	if isTight(segment) {
		return segment
	}
	return foldText(unescaped(segment))
}

// foldText is [fold] for a segment that is decoded: compatible characters
// (Unicode's NFKC) and cases are one, invisible characters do not count, nor
// do white space around it and dots at its end.
func foldText(text string) string {
	if isASCII(text) {
		return strings.TrimLeft(strings.TrimRight(strings.ToLower(text), ". "), " ")
	}
	text = cases.Fold().String(norm.NFKC.String(text))
	text = strings.Map(func(r rune) rune {
		switch {
		case r == 'ı': // the lower case of I in Turkish
			return 'i'
		case r == '\u0307', unicode.In(r, unicode.Cf, unicode.Cc, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector):
			return -1
		}
		return r
	}, text)
	return strings.TrimLeftFunc(strings.TrimRightFunc(text, func(r rune) bool { return r == '.' || unicode.IsSpace(r) }), unicode.IsSpace)
}

// isASCII reports whether a text has nothing but printable ASCII.
func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// stem returns a folded segment without its suffix: ".json", ".min.js".
func stem(text string) string {
	if text == "" {
		return ""
	}
	if i := strings.IndexByte(text[1:], '.'); i >= 0 {
		return text[:1+i]
	}
	return text
}

// forgiven returns what the most forgiving application makes of an escaped
// path before it routes: escapes resolved as often as there are any, without
// parameters and what follows a zero byte, cleaned. A final slash stays.
func forgiven(escaped string) string {
	if isClear(escaped) {
		return escaped // as most are
	}
	decoded := escaped
	for range 4 {
		once, err := url.PathUnescape(decoded)
		if err != nil || once == decoded {
			break
		}
		decoded = once
	}
	decoded, _, _ = strings.Cut(decoded, "\x00")
	segments := strings.Split(strings.ReplaceAll(decoded, `\`, "/"), "/")
	for i, segment := range segments {
		segments[i], _, _ = strings.Cut(segment, ";")
	}
	joined := "/" + strings.Join(segments, "/")
	cleaned := path.Clean(joined)
	if cleaned != "/" && strings.HasSuffix(joined, "/") {
		cleaned += "/"
	}
	return (&url.URL{Path: cleaned}).EscapedPath()
}

// isClear reports whether [forgiven] changes nothing of a path. It may fail to
// see that.
func isClear(escaped string) bool {
	for i := range len(escaped) {
		switch c := escaped[i]; {
		case c == '%', c == ';', c == '\\', c <= ' ', c > '~':
			return false
		case c == '/' && i+1 < len(escaped) && (escaped[i+1] == '/' || escaped[i+1] == '.'):
			return false
		}
	}
	return escaped != "" && escaped[0] == '/'
}

// isTight reports whether a segment folds to itself. It may fail to see that.
func isTight(segment string) bool {
	for i := range len(segment) {
		switch c := segment[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}
