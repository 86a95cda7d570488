package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Other tools write routes in notations of their own. Most of these are valid
// patterns here that no request ever matches: "/c/:id" is spelled out. What
// follows translates them, so that check can say what to write instead.

// respelling is a pattern in the notation of another tool on its way into ours.
type respelling struct {
	methods []string
	host    string
	paths   []string
	why     []string // what the notations differ in
}

func (s *respelling) because(why string) {
	if !slices.Contains(s.why, why) {
		s.why = append(s.why, why)
	}
}

// respellPattern returns what a pattern is in our notation, and in what its own
// differs from it; nil if it is written in ours, or if no translation is known.
func respellPattern(written string) (right []string, why string) {
	s := respelling{methods: []string{""}}
	rest := strings.TrimSpace(written)
	if rest != written {
		s.because("a pattern has no white space around it")
	}
	if protocol := protocolForm.FindString(rest); protocol != "" {
		rest = strings.TrimSuffix(rest, protocol)
		s.because("a pattern names no version of HTTP")
	}
	rest = s.takeHost(s.takeMethods(rest))
	if rest == "" {
		return nil, ""
	}
	s.takePath(rest)
	for _, method := range s.methods {
		for _, path := range s.paths {
			if patternComplaint(method, s.host, path) != "" {
				return nil, ""
			}
			right = append(right, strings.TrimSpace(method+" "+s.host+path))
		}
	}
	if len(s.why) == 0 {
		return nil, ""
	}
	return right, strings.Join(s.why, ", ")
}

var protocolForm = regexp.MustCompile(` +HTTP/[0-9.]+$`)

// methodsForm is several methods in one word, methodForm one.
var (
	methodsForm = regexp.MustCompile(`^[\[(]?([A-Za-z-]+(?:\s*[|,/+;&]\s*[A-Za-z-]+)+)[\])]?:?\s+(\S.*)$`)
	methodForm  = regexp.MustCompile(`^(\S+)\s+(\S.*)$`)
	methodSigns = regexp.MustCompile(`[|,/+;&\s]+`)
)

// knownMethods are the methods that IANA has registered, without the versioning
// of WebDAV, and those of caches and UPnP.
var knownMethods = []string{
	"ACL", "BIND", "COPY", "DELETE", "GET", "HEAD", "LINK", "LOCK", "M-SEARCH", "MERGE", "MKCALENDAR", "MKCOL", "MOVE", "NOTIFY",
	"OPTIONS", "PATCH", "POST", "PROPFIND", "PROPPATCH", "PURGE", "PUT", "QUERY", "REBIND", "REPORT", "SEARCH", "SUBSCRIBE", "TRACE",
	"UNBIND", "UNLINK", "UNLOCK", "UNSUBSCRIBE",
}

// takeMethods reads the methods, and returns what stands behind them.
func (s *respelling) takeMethods(text string) (rest string) {
	if parts := methodsForm.FindStringSubmatch(text); parts != nil {
		methods := methodSigns.Split(strings.ToUpper(parts[1]), -1)
		if !slices.ContainsFunc(methods, func(m string) bool { return !slices.Contains(knownMethods, m) }) {
			s.because("each method is a pattern of its own")
			s.methods = methods
			return parts[2]
		}
	}
	if before, path, ok := strings.Cut(text, "/"); ok && slices.Contains(knownMethods, before) {
		s.because("a space separates method and path")
		s.methods = []string{before}
		return "/" + path
	}
	parts := methodForm.FindStringSubmatch(text)
	if parts == nil {
		return text
	}
	written, rest := parts[1], parts[2]
	if strings.HasPrefix(written, "/") && slices.Contains(knownMethods, strings.ToUpper(rest)) {
		s.because("the method comes first")
		written, rest = rest, written
	}
	method := strings.ToUpper(strings.Trim(written, `[]():"'`))
	switch {
	case method == "ANY" || method == "ALL" || !strings.ContainsFunc(method, isLetter):
		s.because("a pattern without a method is for any method")
		method = ""
	case slices.Contains(knownMethods, method):
		if strings.ToUpper(written) != written {
			s.because("a method is written in capitals")
		}
		if method != strings.ToUpper(written) {
			s.because("a method has no brackets or other signs around it")
		}
	default:
		if near := Nearest(method, knownMethods); near != "" && distance(method, near) == 1 {
			s.because("no client knows this method")
			method = near
		}
	}
	s.methods = []string{method}
	return rest
}

func isLetter(c rune) bool { return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' }

var (
	schemeForm = regexp.MustCompile(`^(?:[A-Za-z][A-Za-z0-9+.-]*:)?//([^/]*)(.*)$`)
	portForm   = regexp.MustCompile(`:(?:[0-9]+|\*)$`)
	fileForm   = regexp.MustCompile(`\.(?:php|html?|aspx?|jsp|cgi|json|do|action)$`)
)

// takeHost reads the host, and returns the path behind it; empty if there is none.
func (s *respelling) takeHost(rest string) (path string) {
	if parts := schemeForm.FindStringSubmatch(rest); parts != nil {
		s.because("a pattern has no scheme")
		rest = parts[1] + "/" + strings.TrimPrefix(parts[2], "/")
	}
	for _, start := range []string{"^", `\A`} {
		if after, ok := strings.CutPrefix(rest, start); ok {
			s.because(noExpression)
			rest = "/" + strings.TrimLeft(after, "/")
		}
	}
	if after, ok := strings.CutPrefix(rest, "./"); ok {
		s.because("a path begins with a slash")
		rest = "/" + after
	}
	slash := strings.IndexByte(rest, '/')
	switch {
	case slash < 0 && slices.Contains(knownMethods, strings.ToUpper(rest)):
		return ""
	case slash < 0 && (strings.IndexByte(rest, '.') < 0 || fileForm.MatchString(rest)):
		s.because("a path begins with a slash")
		return "/" + rest
	case slash < 0:
		s.because("a path begins with a slash")
		slash, rest = len(rest), rest+"/"
	}
	s.host, path = rest[:slash], rest[slash:]
	if port := portForm.FindString(s.host); port != "" {
		s.because("a host is compared without its port")
		s.host = strings.TrimSuffix(s.host, port)
	}
	if strings.HasPrefix(s.host, "*") {
		s.because("a pattern names one host, or none for all")
		s.host = ""
	}
	return path
}

// queryForm is a query that a front controller reads its action from.
var queryForm = regexp.MustCompile(`\?([A-Za-z_]\w*)=([\w./-]+)(?:&.*)?$`)

// remedyOfPattern is the hint for a pattern in another notation.
func remedyOfPattern(written string, right []string) string {
	hint := writePatterns(right)
	if query := queryForm.FindStringSubmatch(written); query != nil {
		hint += fmt.Sprintf(", and when: {%s: %q} to divide its requests by that field", query[1], query[2])
	}
	return hint
}

// writePatterns is the hint that names patterns as a policy writes them.
func writePatterns(right []string) string {
	if len(right) == 0 {
		return ""
	}
	if len(right) == 1 {
		return "write " + strconv.Quote(right[0])
	}
	list := strings.Join(right, ", ")
	if strings.ContainsAny(list, "{}[]#*&") {
		list = `"` + strings.Join(right, `", "`) + `"`
	}
	return "write [" + list + "]"
}
