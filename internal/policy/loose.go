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
// invisible characters, and PHP serves "/index.php" as "/", and
// "/index.php/login" as "/login". The loose reading of a path finds every
// collection that such a router may serve under it.

// addLoosely lets the loose reading find a literal child.
func (s *step) addLoosely(segment string, child *step) {
	if segment == "/" {
		return // the final slash, which has rules of its own
	}
	if s.folded == nil {
		s.folded, s.stems = make(map[string][]*step), make(map[string][]*step)
	}
	child.text = foldText(segment)
	name, _ := stem(child.text)
	s.folded[child.text] = append(s.folded[child.text], child)
	s.stems[name] = append(s.stems[name], child)
}

// findLoosely returns where a request leads if its path, which is clean, is
// read loosely. The route is ambiguous if it leads to more than one collection.
func (r *routes) findLoosely(method, host, path string) (found Route) {
	for _, tree := range r.trees(method, host, path) {
		l := looseSearch{fronts: maxFronts}
		if !l.follow(tree, path) {
			continue
		}
		// Where the tree leads exactly, a more specific one comes before it.
		exact := tree.match(path)
		if found.Collection != nil && !l.found.Ambiguous && l.found.Collection == exact.Collection {
			continue
		}
		found.add(l.found)
	}
	return found
}

// looseSearch reads one path loosely in one tree.
type looseSearch struct {
	found  Route
	fronts int // how many scripts may still be taken for front controllers
}

// maxFronts bounds the search: each front controller begins another one.
const maxFronts = 2

// cutSegment cuts a path behind its first segment. last reports whether
// nothing but a slash may follow.
func cutSegment(path string) (segment string, last bool, rest string) {
	segment = path[1:]
	if i := strings.IndexByte(segment, '/'); i >= 0 {
		segment, rest = segment[:i], segment[i:]
	}
	return segment, rest == "" || rest == "/", rest
}

// follow finds where what is left of a path leads from a step, and reports
// whether it leads anywhere. A segment that is spelled out below the step is
// that one; a literal that it can be taken for comes before what is open.
func (l *looseSearch) follow(s *step, path string) bool {
	if s == nil {
		return false
	}
	if path == "" || path == "/" {
		return l.end(s, path == "/")
	}
	segment, last, rest := cutSegment(path)
	exact := s.find(segment)
	return l.follow(exact, rest) || l.followSimilar(s, exact, segment, last, rest) || l.follow(s.single, rest) || l.found.add(s.rest)
}

// followSimilar is follow for the literals that a segment can be taken for.
func (l *looseSearch) followSimilar(s, exact *step, segment string, last bool, rest string) bool {
	text := fold(segment)
	name, suffix := stem(text)
	leads := false
	if !last {
		for _, child := range s.folded[text] {
			leads = child != exact && l.follow(child, rest) || leads
		}
		return l.pathInfo(s, text, rest) || leads
	}
	for _, child := range s.stems[name] {
		if _, other := stem(child.text); child != exact && mayStandFor(suffix, other) {
			leads = l.follow(child, rest) || leads
		}
	}
	if name == "index" && isFormat(suffix) || text == "__data.json" { // SvelteKit's
		leads = l.end(s, true) || leads
	}
	return leads
}

// pathInfo is followSimilar for a script that servers run whatever path follows it:
// that is its PATH_INFO, and to a front controller the path.
func (l *looseSearch) pathInfo(s *step, text, rest string) bool {
	name, suffix := stem(text)
	leads := false
	for _, child := range s.stems[name] { // also where a server adds the suffix
		if _, other := stem(child.text); isScript(other) && (suffix == "" || suffix == other) {
			leads = l.found.add(child.end) || leads
		}
	}
	if isScript(suffix) && l.fronts > 0 && (!leads || name == "index" || name == "app") {
		l.fronts--
		leads = l.found.add(s.match(rest)) || leads
		leads = l.follow(s, rest) || leads
	}
	return leads || name == "index" && isScript(suffix) && l.end(s, true)
}

// end is follow for the end of a path: nothing, or a slash.
func (l *looseSearch) end(s *step, slash bool) bool {
	root := Route{}
	if child := s.literal["/"]; child != nil {
		root = child.end
	}
	switch {
	case slash:
		if l.found.add(root) || l.found.add(s.rest) || l.found.add(s.end) {
			return true
		}
	case l.found.add(s.end):
		return true
	case l.found.add(root) || l.found.add(s.rest):
		return true
	}
	leads := false
	for _, child := range s.stems["index"] {
		if _, suffix := stem(child.text); isFormat(suffix) {
			leads = l.found.add(child.end) || leads
		}
	}
	return leads
}

// mayStandFor reports whether a name with one suffix can stand for the same
// name with another: a router adds a format or takes it off, and takes one
// format for another. "chat.list" and "chat.history" are two names.
func mayStandFor(suffix, other string) bool {
	if len(suffix) < len(other) {
		suffix, other = other, suffix
	}
	added := suffix
	if other != "" {
		added = strings.TrimPrefix(suffix, other+".")
	}
	switch {
	case suffix == other, isFormat(suffix) && isFormat(other):
		return true
	case other == "":
		return isFormat(added) || strings.IndexByte(added, '.') < 0 // Rails takes any for a format
	}
	return len(added) < len(suffix) && isFormat(added)
}

// formats are suffixes by which routers choose how they answer.
var formats = map[string]bool{
	"": true, "json": true, "xml": true, "html": true, "htm": true, "xhtml": true, "txt": true, "csv": true, "yaml": true, "yml": true,
	"rss": true, "atom": true, "js": true, "mjs": true, "pdf": true, "ics": true, "do": true, "action": true,
}

// scripts are suffixes of programs that servers run.
var scripts = map[string]bool{
	"php": true, "php3": true, "php4": true, "php5": true, "php7": true, "php8": true, "phtml": true, "phar": true, "cgi": true, "fcgi": true,
	"pl": true, "py": true, "rb": true, "asp": true, "aspx": true, "ashx": true, "asmx": true, "svc": true, "jsp": true, "jspx": true, "cfm": true,
	"cfc": true, "shtml": true,
}

// isFormat reports whether all that stands in a suffix chooses a format.
func isFormat(suffix string) bool {
	for part := range strings.SplitSeq(suffix, ".") {
		if !formats[part] && !scripts[part] {
			return false
		}
	}
	return true
}

func isScript(suffix string) bool { return scripts[suffix] }

// fold returns what a segment of an escaped path has in common with all that
// a forgiving router takes for it.
func fold(segment string) string {
	if isTight(segment) {
		return segment
	}
	return foldText(unescaped(segment))
}

// foldText is [fold] for a segment that is decoded: compatible characters
// (Unicode's NFKD) and cases are one, marks and invisible characters do not
// count, nor do white space around it and dots at its end.
func foldText(text string) string {
	text, _, _ = strings.Cut(text, "::$") // a stream of NTFS, such as "::$DATA"
	if isASCII(text) {
		return strings.TrimLeft(strings.TrimRight(strings.ToLower(text), ". "), " ")
	}
	text = cases.Fold().String(norm.NFKD.String(text))
	text = strings.Map(func(r rune) rune {
		switch {
		case r == 'ı': // the lower case of I in Turkish
			return 'i'
		case unicode.In(r, unicode.Mn, unicode.Cf, unicode.Cc, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector):
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

// stem cuts a folded segment before its first dot: "app" and "min.js".
func stem(text string) (name, suffix string) {
	if text == "" {
		return "", ""
	}
	if i := strings.IndexByte(text[1:], '.'); i >= 0 {
		return text[:1+i], text[2+i:]
	}
	return text, ""
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
		once := DecodeLeniently(decoded)
		if once == decoded {
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

// DecodeLeniently decodes the well-formed escapes of a text once, and leaves the others
// as they are.
func DecodeLeniently(escaped string) string {
	var b strings.Builder
	for i := 0; i < len(escaped); i++ {
		if escaped[i] == '%' && i+2 < len(escaped) && isHex(escaped[i+1]) && isHex(escaped[i+2]) {
			b.WriteByte(hexDigit(escaped[i+1])<<4 | hexDigit(escaped[i+2]))
			i += 2
			continue
		}
		b.WriteByte(escaped[i])
	}
	return b.String()
}

// isClear reports whether [forgiven] changes nothing in a path. It may fail to
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
