package policy

import (
	"net/url"
	"strings"
)

// routes is the tree that requests are matched by: host, then method, then the
// segments of the path. Each step prefers what is written out to what is open;
// the absence of conflicts makes that the precedence of the more specific pattern.
type routes struct {
	hosts   map[string]*methods // in lower case
	anyHost methods
}

// methods holds the trees of paths of one host.
type methods struct {
	named map[string]*step
	any   *step
}

// step is a place in a tree of paths, reached by the segments before it. The final
// slash of a path is a segment too, called "/": "{$}" is the pattern for it.
type step struct {
	end     Route // of the pattern that ends here
	literal map[string]*step
	single  *step // "{name}"
	rest    Route // "{name...}", or a pattern that ends in a slash
	// folded and stems find literals by their loose reading: see [fold] and
	// [stem].
	folded, stems map[string][]*step
	text          string // of a literal, as [fold] has it
}

// add enters a pattern that the judge has accepted.
func (r *routes) add(method, host, path string, to Route) {
	ms := &r.anyHost
	if host != "" {
		host = strings.ToLower(host)
		if r.hosts[host] == nil {
			r.hosts[host] = new(methods)
		}
		ms = r.hosts[host]
	}
	tree := ms.any
	if method != "" {
		tree = ms.named[method]
	}
	if tree == nil {
		tree = new(step)
	}
	tree.add(path, to)
	switch {
	case method == "":
		ms.any = tree
	case ms.named == nil:
		ms.named = map[string]*step{method: tree}
	default:
		ms.named[method] = tree
	}
}

// add enters what is left of a path: nothing, or a slash and more.
func (s *step) add(path string, to Route) {
	if path == "" {
		s.end = to
		return
	}
	segment, _, rest := cutSegment(path)
	switch {
	case segment == "":
		s.rest = to
	case segment == "{$}":
		s.child("/").end = to
	case segment[0] != '{':
		s.child(unescaped(segment)).add(rest, to)
	case strings.HasSuffix(segment, "...}"):
		s.rest = to
	default:
		if s.single == nil {
			s.single = new(step)
		}
		s.single.add(rest, to)
	}
}

func (s *step) child(segment string) *step {
	if s.literal == nil {
		s.literal = make(map[string]*step)
	}
	if s.literal[segment] == nil {
		child := new(step)
		s.literal[segment] = child
		s.addLoosely(segment, child)
	}
	return s.literal[segment]
}

// find returns where a request leads if its path is read exactly: in the more
// specific trees first.
func (r *routes) find(method, host, path string) Route {
	for _, tree := range r.trees(method, host, path) {
		if to := tree.match(path); to.Collection != nil {
			return to
		}
	}
	return Route{}
}

// trees returns the trees of paths that a request can be found in, the more
// specific ones first; some are nil.
func (r *routes) trees(method, host, path string) (trees [6]*step) {
	if path == "" || path[0] != '/' {
		return trees
	}
	if host != "" && len(r.hosts) > 0 {
		r.host(host).trees(method, trees[:3])
	}
	r.anyHost.trees(method, trees[3:])
	return trees
}

// host returns the methods of a host, nil if no pattern names it.
func (r *routes) host(host string) *methods {
	var lower [256]byte // a DNS name has at most 253 bytes
	if len(host) > len(lower) {
		return nil
	}
	for i := range len(host) {
		lower[i] = host[i]
		if 'A' <= host[i] && host[i] <= 'Z' {
			lower[i] += 'a' - 'A'
		}
	}
	return r.hosts[string(lower[:len(host)])]
}

func (ms *methods) trees(method string, trees []*step) {
	if ms == nil {
		return
	}
	trees[0], trees[2] = ms.named[method], ms.any
	switch method {
	case "HEAD", "OPTIONS", "TRACE":
		trees[1] = ms.named["GET"]
	}
}

func (s *step) match(path string) Route {
	if s == nil {
		return Route{}
	}
	if path == "" {
		return s.end
	}
	segment, rest := path, ""
	if path != "/" {
		segment, _, rest = cutSegment(path)
	}
	if to := s.find(segment).match(rest); to.Collection != nil {
		return to
	}
	// As in ServeMux, what decodes to a slash is taken for the final one.
	if segment != "/" && segment != "%2F" && segment != "%2f" {
		if to := s.single.match(rest); to.Collection != nil {
			return to
		}
	}
	return s.rest
}

// find returns the step below a literal segment, which may be percent-encoded.
func (s *step) find(segment string) *step {
	if len(s.literal) == 0 {
		return nil
	}
	if strings.IndexByte(segment, '%') < 0 {
		return s.literal[segment]
	}
	return s.findEscaped(segment)
}

// findEscaped decodes on the stack: only a segment longer than any sensible
// pattern allocates.
func (s *step) findEscaped(segment string) *step {
	var decoded [256]byte
	if len(segment) > len(decoded) {
		return s.literal[unescaped(segment)]
	}
	n := 0
	for i := 0; i < len(segment); i++ {
		decoded[n] = segment[i]
		if segment[i] == '%' {
			if i+2 >= len(segment) || !isHex(segment[i+1]) || !isHex(segment[i+2]) {
				return s.literal[segment] // as ServeMux: what is no escape stays as it is
			}
			decoded[n] = hexDigit(segment[i+1])<<4 | hexDigit(segment[i+2])
			i += 2
		}
		n++
	}
	return s.literal[string(decoded[:n])]
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func hexDigit(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&0xf + 9
}

// unescaped decodes a segment, or leaves it as it is if it cannot be decoded.
func unescaped(segment string) string {
	if decoded, err := url.PathUnescape(segment); err == nil {
		return decoded
	}
	return segment
}
