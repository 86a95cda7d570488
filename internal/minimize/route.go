package minimize

import (
	"net/http"

	"github.com/modicum-proxy/modicum/internal/policy"
)

// route returns where a request leads, and whether it submits anything: a
// body, a query by a method that is not safe or to what a collection may be
// served under, or, as certain says, something else.
func (e *Engine) route(set *policy.Set, r *http.Request, at paths, certain bool) (to policy.Route, submits bool) {
	host := hostname(r.Host)
	if !certain && !hasBody(r) && r.URL.RawQuery == "" {
		return set.Match(r.Method, host, at.now), false
	}
	to = set.Route(r.Method, host, at.now)
	if at.original != "" {
		// FastCGI applications route by the path that came. What is open takes
		// any path, also one of which a prefix was taken off.
		original := set.Route(r.Method, host, at.original)
		if to.Collection == nil || original.Literal {
			to = to.Or(original)
		}
	}
	return to, certain || hasBody(r) || !isSafe(r.Method) || to.Collection != nil
}

// Disguised reports whether a path leads to no collection as it is written,
// but applications may take it for one that does: what the operator says of
// paths as they are written does not hold for it.
func (e *Engine) Disguised(r *http.Request) bool {
	set, at := e.Policies.Load(), e.paths(r)
	if !at.plain() {
		return true
	}
	to, _ := e.route(set, r, at, true)
	return to.Collection != nil && set.Match(r.Method, hostname(r.Host), at.now).Collection == nil
}

// paths are the escaped paths of a request.
type paths struct {
	now      string
	original string // before it was rewritten; empty: it was not
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

// plain reports whether the paths are [PlainPath]s.
func (p paths) plain() bool { return PlainPath(p.now) && (p.original == "" || PlainPath(p.original)) }
