package caddymodule

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// Caddy remembers a request as it came beside the one that it works on: the
// FastCGI transport sends its URI to the application as REQUEST_URI, and the
// routes of handle_errors start from it. What was left out must not come
// back that way.

// originalPath returns the escaped path that a request came with.
func originalPath(r *http.Request) string {
	original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	if !ok || original.URL == nil {
		return r.URL.EscapedPath()
	}
	return original.URL.EscapedPath()
}

// hideOriginal hides what came where a placeholder of Caddy's shows it: the
// query, in whose place query stands, and the body of a form that streams. Of
// one that does not, {http.request.body} shows what goes on, or nothing.
func hideOriginal(r *http.Request, query string, streams bool) {
	hideQuery(r, query)
	if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok && streams {
		repl.Set("http.request.body", "")
		repl.Set("http.request.body_base64", "")
	}
}

// hideQuery puts query in place of the one that came.
func hideQuery(r *http.Request, query string) {
	original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	if !ok || original.URL == nil || original.URL.RawQuery == query {
		return
	}
	original.URL.RawQuery = query
	if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		repl.Set("http.request.orig_uri", original.URL.RequestURI())
	}
}
