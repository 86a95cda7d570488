package policy

// Match returns the collection that a request belongs to, nil if none declares
// it. Patterns, precedence and the reading of path are those of
// [net/http.ServeMux], without its redirects: path is the escaped path, which
// the caller has found clean, and host is without a port.
func (s *Set) Match(method, host, path string) *Collection { return nil }
