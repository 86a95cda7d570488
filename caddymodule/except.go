package caddymodule

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/modicum-proxy/modicum/internal/policy"
)

// exceptions are the paths of `except`. Caddy compares a pattern that has a "%"
// with the escaped path, and any other with the decoded one.
type exceptions struct {
	decoded, escaped caddyhttp.MatchPath
}

func newExceptions(ctx caddy.Context, patterns []string) (exceptions, error) {
	var x exceptions
	for _, pattern := range patterns {
		if strings.Contains(pattern, "%") {
			x.escaped = append(x.escaped, pattern)
		} else {
			x.decoded = append(x.decoded, pattern)
		}
	}
	for _, matcher := range []caddyhttp.MatchPath{x.decoded, x.escaped} {
		if err := matcher.Provision(ctx); err != nil {
			return x, fmt.Errorf("except: %w", err)
		}
	}
	return x, nil
}

// match reports whether a request is to a path of `except`, in whatever way an
// application reads the path: `except /public/*` does not cover "/public%2Fx",
// which is one segment to some.
func (x *exceptions) match(r *http.Request) bool {
	if len(x.decoded)+len(x.escaped) == 0 {
		return false
	}
	readings := policy.Readings(r.URL.EscapedPath())
	if len(readings) == 1 {
		return matches(x.decoded, r) || matches(x.escaped, r)
	}
	for _, reading := range readings {
		// An escaped slash that this reading takes as part of a segment stays escaped.
		segments, err := url.PathUnescape(strings.NewReplacer("%2F", "%252F", "%2f", "%252F").Replace(reading))
		decoded, err2 := url.PathUnescape(reading)
		if err != nil || err2 != nil ||
			!matches(x.decoded, withPath(r, segments, "")) && !matches(x.escaped, withPath(r, decoded, reading)) {
			return false
		}
	}
	return true
}

func matches(patterns caddyhttp.MatchPath, r *http.Request) bool {
	match, err := patterns.MatchWithError(r)
	return match && err == nil
}

// withPath returns a copy of a request with another path.
func withPath(r *http.Request, path, escaped string) *http.Request {
	clone, address := *r, *r.URL
	address.Path, address.RawPath = path, escaped
	clone.URL = &address
	return &clone
}
