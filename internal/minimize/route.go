package minimize

import (
	"net/http"
	"path"
	"strings"

	"github.com/modicum-proxy/modicum/internal/policy"
)

// route returns where a request leads and whether it submits data: a body, a
// query sent with an unsafe method, or a query to a path that a collection may
// serve. An upgrade always counts as a submission.
func (e *Engine) route(set *policy.Set, r *http.Request, at paths, upgrade bool) (to policy.Route, submits bool) {
	if !upgrade && !hasBody(r) && r.URL.RawQuery == "" {
		return set.Match(r.Method, hostname(r.Host), at.now), false
	}
	to = lookup(set, r, r.Method, at)
	return to, upgrade || hasBody(r) || !isSafe(r.Method) || to.Collection != nil
}

// lookup returns where a request leads by its path and by the one it came with,
// by which FastCGI applications route.
func lookup(set *policy.Set, r *http.Request, method string, at paths) policy.Route {
	host := hostname(r.Host)
	now := set.Route(method, host, at.now)
	if at.original == "" {
		return now
	}
	original := set.Route(method, host, at.original)
	if strings.HasSuffix(at.original, at.now) && !strings.EqualFold(path.Ext(at.now), ".php") {
		// A prefix was taken off, for which an open pattern says nothing. The path
		// of a script stands for any other, whatever the client puts before it.
		if now.Collection == nil || original.Literal {
			return now.Or(original)
		}
		return now
	}
	// The path that it has now may be that of a front controller.
	if original.Collection == nil || now.Literal {
		return original.Or(now)
	}
	return original
}

// Disguised reports whether a path matches no collection as written although
// an application may serve a declared route under it. `except` then does not
// apply.
func (e *Engine) Disguised(r *http.Request) bool {
	set, at := e.Policies.Load(), e.paths(r)
	if at.tooLong() || !at.plain() {
		return true
	}
	to := lookup(set, r, r.Method, at)
	return to.Ambiguous || to.Collection != nil && set.Match(r.Method, hostname(r.Host), at.now).Collection == nil
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

// tooLong reports whether the path that came is longer than any that is read.
func (p paths) tooLong() bool { return len(p.original) > 3*maxPath } // it is escaped
