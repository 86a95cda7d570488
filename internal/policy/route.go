package policy

import "strings"

// Route is where a request leads: the collection that it belongs to, and the
// pattern that says so, as the policy writes it. The zero value leads nowhere.
type Route struct {
	Collection *Collection
	Pattern    string
	// Division divides the requests among collections, of which Collection is one;
	// nil: all are of Collection.
	Division *Division
	// Literal reports that the pattern spells the path out.
	Literal bool
	// Loose reports that no pattern matches the path exactly.
	Loose bool
	// Ambiguous reports that an application which reads paths loosely takes
	// the request for one of another collection: it has to be refused.
	Ambiguous bool
}

// Match returns where a request leads if its path is read exactly. Patterns,
// precedence and the reading of path are those of [net/http.ServeMux], without
// its redirects: path is the escaped path, and host is without a port. OPTIONS
// and TRACE belong to the collection of GET, as HEAD does.
func (s *Set) Match(method, host, path string) Route {
	if s == nil {
		return Route{}
	}
	return s.routes.find(upper(method), host, path)
}

// Route returns where a request leads if its path is read exactly or loosely,
// as routers do that ignore case, a final slash, a suffix such as ".json" and
// invisible characters. If only one of the two readings leads to a collection,
// that collection governs. What a pattern spells out is read exactly, since the
// operator says that it is a route of its own.
//
// A path with empty segments, parameters or escaped slashes is read in every way
// there is, whatever a pattern spells out; [Readings] returns them.
func (s *Set) Route(method, host, path string) Route {
	if s == nil {
		return Route{}
	}
	method = upper(method)
	if isOdd(path) {
		return s.routes.findOdd(method, host, path)
	}
	exact := s.routes.find(method, host, path)
	if exact.Literal = exact.spells(path); exact.Literal {
		return exact
	}
	loose := s.routes.findForgiven(method, host, path)
	loose.Loose = exact.Collection == nil && loose.Collection != nil
	return exact.Or(loose)
}

// findForgiven returns where a request leads to the most forgiving application.
func (r *routes) findForgiven(method, host, path string) Route {
	loose := r.findLoosely(method, host, forgiven(path))
	if rest := behindScript(path); loose.Collection == nil && rest != "" {
		return r.findLoosely(method, host, forgiven(rest))
	}
	return loose
}

// behindScript returns what follows a front controller in a directory that no
// pattern names, "/public/index.php"; empty: there is none.
func behindScript(path string) string {
	const script = ".php/"
	for i := 0; i+len(script) <= len(path); i++ {
		if path[i] == '.' && strings.EqualFold(path[i:i+len(script)], script) {
			return path[i+len(script)-1:]
		}
	}
	return ""
}

// Or joins two readings of one request: the one that leads to a collection, or
// an ambiguous route if both do and the collections are two.
func (r Route) Or(other Route) Route {
	r.add(other)
	return r
}

// add joins another reading, and reports whether it leads anywhere.
func (r *Route) add(other Route) bool {
	switch {
	case other.Collection == nil:
		return false
	case r.Collection == nil:
		*r = other
	default:
		r.Ambiguous = r.Ambiguous || other.Ambiguous || r.Collection != other.Collection || r.Division != other.Division
	}
	return true
}

// spells reports whether the pattern of a route spells a path out.
func (r *Route) spells(path string) bool {
	if r.Collection == nil {
		return false
	}
	_, _, pattern := splitPattern(r.Pattern)
	pattern = strings.TrimSuffix(pattern, "{$}")
	if strings.IndexByte(path, '%') < 0 && strings.IndexByte(pattern, '%') < 0 {
		return pattern == path
	}
	return strings.IndexByte(pattern, '{') < 0 && unescaped(pattern) == unescaped(path)
}

// upper returns a method in capitals: some servers take "post" for POST.
func upper(method string) string {
	for i := range len(method) {
		if 'a' <= method[i] && method[i] <= 'z' {
			return strings.ToUpper(method)
		}
	}
	return method
}
