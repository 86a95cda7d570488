package caddymodule

import (
	"bufio"
	"bytes"
	"context"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/modicum-proxy/modicum/internal/minimize"
	"github.com/modicum-proxy/modicum/internal/policy"
)

// strictRoutes are literal, so that an oracle can compare a path with each of
// them; the lax one takes whatever they do not.
var strictRoutes = []string{"/users/me", "/search", "/api/v1/login", "/contact.php", "/Home/Index"}

const readingPolicy = `version: 1
purposes: {p: {basis: contract, retention: 1y}}
collections:
  lax: {on: "/users/{id}", fields: {a: p}}
  me: {on: /users/me, fields: {a: p}}
  search: {on: /search, fields: {a: p}}
  login: {on: /api/v1/login, fields: {a: p}}
  contact: {on: /contact.php, fields: {a: p}}
  home: {on: /Home/Index, fields: {a: p}}
`

// FuzzReading compares our reading of target, host and path with what others
// make of them: Caddy, which finds the site; net/http, which reads the request
// for us; the transport, which writes it for the application; and a forgiving
// router. Where we read a request at all, all of them read the same.
func FuzzReading(f *testing.F) {
	set, problems := policy.Compile(policy.Source{Name: "privacy.yaml", Data: []byte(readingPolicy)})
	if err := problems.Err(); err != nil {
		f.Fatal(err)
	}
	for _, target := range []string{
		"/search?q=1", "x:http://shop.example/search?q=1", "http://shop.example/search?q=1", "http://shop.example?q=1", "*", "//search", "/users/ME", "/users/me.json",
		"/users/m%65/", "/search;x=1", "/x/..%2fsearch", "/users/me%E2%80%8B", "/search#?a", "/search?a?b", "HTTP://a@shop.example/", "/%zz", "http:search", "/home/index", "/contact.php/x",
	} {
		for _, host := range []string{"shop.example", "[shop.example]", "SHOP.example:80", "a.example:80:80", "[::1]:80", "shop.example.", ""} {
			f.Add("GET", target, host)
		}
	}
	f.Add("OPTIONS", "*", "shop.example")
	f.Fuzz(func(t *testing.T, method, target, host string) {
		sent := method + " " + target + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n"
		if strings.ContainsAny(method+target+host, "\r\n") {
			return
		}
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(sent)))
		if err != nil || minimize.NormalizeTarget(r) != nil {
			return
		}
		path, query := r.URL.EscapedPath(), r.URL.RawQuery
		name := minimize.Hostname(r)
		if !caddyMatches(t, r, name) {
			t.Errorf("%q: for us the host is %q, not for Caddy", sent, name)
		}
		// What the transport writes, taken apart by hand.
		line, hostLine := written(t, r)
		_, rest, _ := strings.Cut(line, " ")
		forwarded := strings.TrimSuffix(rest, " HTTP/1.1")
		gotPath, gotQuery, _ := strings.Cut(forwarded, "?")
		if gotPath != path && (gotPath != "*" || r.Method != http.MethodOptions) || gotQuery != query {
			t.Errorf("%q: read as %q and %q, written as %q", sent, path, query, forwarded)
		}
		if !strings.EqualFold(plainHost(t, hostLine), name) {
			t.Errorf("%q: the host is %q, written as %q", sent, name, hostLine)
		}
		to := set.Route(r.Method, name, path)
		for _, strict := range strictRoutes {
			if path == strict && to.Ambiguous {
				t.Errorf("%q: a route that is spelled out is ambiguous", sent)
			}
		}
		for i, strict := range strictRoutes {
			c := set.Collections[indexOf(set, []string{"me", "search", "login", "contact", "home"}[i])]
			if forgivingly(path) == forgivingly(strict) && !to.Ambiguous && to.Collection != c {
				t.Errorf("%q: a forgiving router serves %s, and we lead to %v", sent, strict, to.Pattern)
			}
		}
	})
}

func indexOf(set *policy.Set, name string) int {
	for i, c := range set.Collections {
		if c.Name == name {
			return i
		}
	}
	return -1
}

// caddyMatches reports whether Caddy finds the site of a host.
func caddyMatches(t *testing.T, r *http.Request, name string) bool {
	t.Helper()
	r = r.WithContext(context.WithValue(r.Context(), caddy.ReplacerCtxKey, caddy.NewReplacer()))
	for _, spelled := range []string{name, name + "."} { // Caddy does not take the dot off
		if match, err := (caddyhttp.MatchHost{spelled}).MatchWithError(r); err != nil || match {
			return err == nil
		}
	}
	return false
}

// written returns the request line and the host that the upstream's transport
// sends.
func written(t *testing.T, r *http.Request) (line, host string) {
	t.Helper()
	out := r.Clone(r.Context())
	out.URL.Scheme, out.URL.Host = "http", "upstream.internal"
	var b bytes.Buffer
	if err := out.Write(&b); err != nil {
		t.Skip(err) // the transport refuses it
	}
	lines := strings.Split(b.String(), "\r\n")
	return lines[0], strings.TrimPrefix(lines[1], "Host: ")
}

var hostParts = regexp.MustCompile(`^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+?))\.?(?::[0-9]+)?$`)

// plainHost takes a host apart by hand.
func plainHost(t *testing.T, host string) string {
	t.Helper()
	parts := hostParts.FindStringSubmatch(host)
	if parts == nil {
		t.Fatalf("the host %q can be read in two ways", host)
	}
	return parts[1] + parts[2]
}

// forgivingly is the reading of a router that forgives everything, the slow and
// obvious way.
func forgivingly(escaped string) string {
	decoded := escaped
	for range 3 {
		if once, err := url.PathUnescape(decoded); err == nil {
			decoded = once
		}
	}
	decoded = strings.ToLower(strings.ReplaceAll(decoded, `\`, "/"))
	segments := strings.Split(decoded, "/")
	for i, segment := range segments {
		segment, _, _ = strings.Cut(segment, ";")
		segments[i] = strings.ReplaceAll(segment, "\u200b", "")
	}
	cleaned := strings.TrimSuffix(path.Clean("/"+strings.Join(segments, "/")), "/")
	dir, last := path.Split(cleaned)
	if i := strings.IndexByte(last, '.'); i > 0 {
		last = last[:i]
	}
	return dir + strings.TrimRight(last, " ")
}
