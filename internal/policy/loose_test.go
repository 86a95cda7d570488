package policy

import (
	"net/url"
	"strings"
	"testing"
)

const looseRoutes = `version: 1
purposes: {p: {basis: contract, retention: 1y}}
collections:
  user: {on: "POST /users/{id}", fields: {a: p}}
  me: {on: POST /users/me, fields: {a: p}}
  login: {on: POST /api/login, fields: {a: p}}
  rest: {on: POST /api/, fields: {a: p}}
  search: {on: GET /search, fields: {a: p}}
  feed: {on: GET /feed.xml, fields: {a: p}}
  old: {on: POST /contact.php, fields: {a: p}}
  both: {on: POST /both, fields: {a: p}}
  json: {on: POST /both.json, fields: {a: p}}
  slash: {on: "POST /both/{$}", fields: {a: p}}
  home: {on: "GET /{$}", fields: {a: p}}
  edit: {on: "POST /p/{slug}/edit", fields: {a: p}}
  new: {on: POST /p/new, fields: {a: p}}
  host: {on: POST shop.example/x/me, fields: {a: p}}
  blog: {on: "GET /blog/{$}", fields: {a: p}}
  post: {on: "GET /blog/{slug...}", fields: {a: p}}
  any: {on: /any/Thing, fields: {a: p}}
  page: {on: "POST /{page}", fields: {a: p}}
  admin: {on: /admin/, fields: {a: p}}
  deep: {on: "POST /shop/{a}/{b}", fields: {a: p}}
  enter: {on: [POST /shop/login, GET /shop/search], fields: {a: p}}
  chat: {on: [GET /chat/post.list, "POST /chat/post.message"], fields: {a: p}}
  method: {on: "POST /chat/{m}", fields: {a: p}}
`

// looseCases are paths with the collection that each leads to; "two" is one
// that has to be refused.
var looseCases = []struct{ method, path, want string }{
	{"POST", "/users/5", "user"},
	{"POST", "/users/me", "me"},
	{"POST", "/users/5.json", "user"},
	{"POST", "/users/5/", "user"},
	// An application that ignores case serves the strict route under the
	// laxer collection; and so with the other spellings.
	{"POST", "/users/ME", "two"},
	{"POST", "/users/me/", "me"},
	{"POST", "/users/me.json", "two"},
	{"POST", "/users/me.", "two"},
	{"POST", "/users/me%20", "two"},
	{"POST", "/users/%20me", "two"},
	{"POST", "/users/me%E2%80%8B", "two"},
	{"POST", "/users/m%C2%ADe", "two"},
	{"POST", "/users/%EF%BD%8De", "two"}, // full width
	{"POST", "/users/me%EF%BC%8Ejson", "two"},
	{"post", "/users/me", "me"},
	{"POST", "/api/login", "login"},
	{"POST", "/api/LOGIN", "two"},
	{"POST", "/api/login/", "two"},
	{"POST", "/api/login%20", "two"},
	{"POST", "/api/login.", "two"},
	{"POST", "/api/login.json", "two"},
	{"POST", "/api/login.json.xml", "two"},
	{"POST", "/api/login%E2%80%8B", "two"},
	{"POST", "/API/login", "login"},
	{"POST", "/api/other", "rest"},
	{"POST", "/api", "two"}, // and /{page}
	{"GET", "/search", "search"},
	{"GET", "/search.json", "search"},
	{"GET", "/Search/", "search"},
	{"GET", "/%73earch", "search"},
	{"OPTIONS", "/search", "search"},
	{"TRACE", "/search", "search"},
	{"HEAD", "/search", "search"},
	{"GET", "/searches", "nothing"},
	{"GET", "/feed.xml", "feed"},
	{"GET", "/feed", "feed"},
	{"POST", "/contact.php", "old"},
	{"POST", "/contact", "two"},          // and /{page}
	{"POST", "/contact.php/more", "old"}, // PATH_INFO
	{"POST", "/contact/more", "old"},     // as MultiViews have it
	{"POST", "/contacts/more", "nothing"},
	// What the operator spells out is a route of its own.
	{"POST", "/both", "both"},
	{"POST", "/both.json", "json"},
	{"POST", "/both/", "slash"},
	{"POST", "/BOTH", "two"},
	{"POST", "/both.pdf.txt", "two"},
	{"POST", "/both.list", "two"},
	{"POST", "/both.a.list", "page"},
	{"POST", "/both.xml", "two"},
	// PHP's front controller, and the index of a directory.
	{"GET", "/index.php/search", "search"},
	{"GET", "/Index.PHP/search", "search"},
	{"POST", "/index.php/users/ME", "two"},
	{"GET", "/", "home"},
	{"GET", "/index.php", "home"},
	{"GET", "/index.html", "home"},
	{"GET", "/search/index.php", "search"},
	{"GET", "/app.php/search", "search"},
	{"GET", "/shop/index.php/search", "enter"},
	{"POST", "/shop/index.php/login", "two"},
	{"POST", "/index.php", "page"}, // "/{$}" is of GET
	{"GET", "/index.php/foo", "home"},
	{"GET", "/index.css", "nothing"},
	{"GET", "/search/__data.json", "search"},
	{"POST", "/both.a-b", "two"},
	{"GET", "/search.geo+json", "search"},
	{"GET", "/search.json%20x", "search"},
	{"GET", "/chat/post.list.json", "chat"},
	{"GET", "/public/index.php/search", "search"},
	{"GET", "/x%25zz/%252e%252e/search", "search"},
	{"GET", "/blog", "blog"},
	{"GET", "/blog/x", "post"},
	// Two names with suffixes that are no formats are two names.
	{"GET", "/chat/post.list", "chat"},
	{"GET", "/chat/post.history", "nothing"},
	{"POST", "/chat/post.message", "chat"},
	{"POST", "/chat/post.delete", "method"},
	{"POST", "/users/me.smith@example.com", "user"},
	// The trees of other methods and hosts are read loosely, too.
	{"POST", "/admin", "two"},
	{"POST", "/ADMIN/", "two"},
	{"POST", "/admin/", "admin"},
	{"POST", "/admin/x", "admin"},
	{"GET", "/admin", "admin"},
	// What URL parsers take for a host, and what is cut at a semicolon.
	{"GET", "//x/search", "search"},
	{"GET", "//search", "two"}, // and "/" of the host search
	{"GET", "/search;/x", "search"},
	{"POST", "/cont%C3%A1ct.php", "two"},
	{"POST", "/api/login::$DATA", "two"},
	// A literal that leads nowhere on this path hides nothing.
	{"POST", "/p/new/edit", "edit"},
	{"POST", "/p/New/edit", "edit"},
	{"POST", "/p/NEW", "new"},
	{"PUT", "/any/THING", "any"},
	// What is refused as ambiguous by itself, has to be seen as a submission.
	{"GET", "/search;v=1", "search"},
	{"GET", "/x/..;/search", "two"}, // and "/x/.."
	{"GET", `/x\..\search`, "search"},
	{"GET", "/./search", "search"},
	{"GET", "/%2573earch", "search"},
	{"GET", "/search%00.css", "search"},
	{"GET", "/a/%2e%2e/search", "search"},
}

// TestRouteLoosely: "POST /users/ME" matched /users/{id}, whose fields are
// others, while the application served /users/me; "GET /search.json" matched
// nothing, and went on with its whole query.
func TestRouteLoosely(t *testing.T) {
	s := compile(t, looseRoutes)
	for _, test := range looseCases {
		to := s.Route(test.method, "a.example", test.path)
		got := name(to.Collection)
		if to.Ambiguous {
			got = "two"
		}
		if got != test.want {
			t.Errorf("%s %s leads to %s, not to %s", test.method, test.path, got, test.want)
		}
	}
	if to := s.Route("POST", "shop.example", "/X/me"); name(to.Collection) != "host" {
		t.Errorf("a pattern with a host is not read loosely: %s", name(to.Collection))
	}
}

// FuzzRoute: whatever a path is, the loose reading leads to what the exact one
// leads to, or to another collection and then the two are ambiguous; and two
// spellings that a forgiving router takes for one lead to one.
func FuzzRoute(f *testing.F) {
	for _, test := range looseCases {
		f.Add(test.method, test.path)
	}
	s := compile(f, looseRoutes)
	f.Fuzz(func(t *testing.T, method, path string) {
		if !strings.HasPrefix(path, "/") {
			return
		}
		exact, to := s.Match(method, "", path), s.Route(method, "", path)
		if exact.Collection != nil && to.Collection != exact.Collection {
			t.Errorf("%s %q leads to %s, and exactly to %s", method, path, name(to.Collection), name(exact.Collection))
		}
		if exact.Collection == nil && to.Collection == nil {
			for _, other := range []string{strings.ToLower(path), strings.TrimSuffix(path, "/"), path + ".json", path + "%20"} {
				if exact := s.Match(method, "", other); exact.Collection != nil && other != "" && !strings.HasSuffix(path, "/") {
					t.Errorf("%s %q leads nowhere, and %q to %s", method, path, other, name(exact.Collection))
				}
			}
		}
		if decoded, err := url.PathUnescape(path); err == nil && !strings.ContainsAny(decoded, "%") {
			again := s.Route(method, "", (&url.URL{Path: decoded}).EscapedPath())
			if !strings.Contains(path, "%2F") && !strings.Contains(path, "%2f") && again.Collection != to.Collection {
				t.Errorf("%s %q leads to %s, decoded to %s", method, path, name(to.Collection), name(again.Collection))
			}
		}
	})
}
