package minimize

import (
	"net/url"
	"strings"
	"testing"
)

var oddPathCases = []struct {
	path, odd string // odd: its kinds; "never": no operator can allow it
}{
	{"/shop/order", ""},
	{"/a%2Fb", "encoded_slash"},
	{"/a%2fb", "encoded_slash"},
	{"/proxy/https:%2F%2Fshop.example", "encoded_slash"},
	{"/a/b%2F", "encoded_slash"},
	{"/a;x=1", "parameters"},
	{"/a;x=1;y/b;z", "parameters"},
	{"/;jsessionid=1", "parameters"},
	{"/shop/;jsessionid=1", "parameters"},
	{"/a//b", "empty_segments"},
	{"/a//", "empty_segments"},
	{"/a/;x/b", "parameters empty_segments"},
	{"/a%2Fb;x//c", "encoded_slash parameters empty_segments"},
	// To URL parsers these begin with a host.
	{"//a", "never"},
	{"//", "never"},
	{"/%2Fa", "never"},
	{"/;x/a", "never"},
	{"/;x%2Fa", "never"},
	// A dot segment in any reading.
	{"/a/..%2Fb", "never"},
	{"/a%2F..%2Fb", "never"},
	{"/a%2F..", "never"},
	{"/a%2F./b", "never"},
	{"/..%2Fb", "never"},
	{"/a/..;x=1/b", "never"},
	{"/a/.;/b", "never"},
	{"/a/..;", "never"},
	{"/a//../b", "never"},
	{"/a/%2e%2e/b", "never"},
	{"/a/..%5cb", "never"},
	{"/a%252fb", "never"},
	{"/a/%252e%252e/b", "never"},
	// Applications that decode first find a segment behind the parameter.
	{"/a;x=%2Fb", "never"},
	{"/a;x=..%2Fb", "never"},
	{"/a%3Bx=1", "never"},
}

func TestOddPaths(t *testing.T) {
	for _, test := range oddPathCases {
		odd, ok := readPath(test.path)
		if got := map[bool]string{true: odd.String(), false: "never"}[ok]; got != test.odd {
			t.Errorf("readPath(%q) = %q, want %q", test.path, got, test.odd)
		}
	}
}

const oddPolicy = `
version: 1
controller: {name: Shop, contact: privacy@shop.example}
purposes: {order: {title: Orders, basis: contract, retention: 1y}}
collections:
  order: {on: "/shop/order", fields: {name: order}}
  issues: {on: "/projects/{id}/issues", fields: {title: order}}
  user: {on: "/users/{id}", fields: {name: order}}
  me: {on: "/users/me", fields: {name: order, iban: order}}
  deep: {on: "/users/{id}/files/{file}", fields: {note: order}}
  profile: {on: "/api/users/{id}", fields: {name: order}}
  wide: {on: "/api/", fields: {name: order, ssn: order}}
  spelled: {on: "/reports/a%2Fb", fields: {name: order}}
  spelled2: {on: "/reports/a/b", fields: {name: order, ssn: order}}
`

// With all kinds allowed, the path leads where all its readings lead.
func TestAttackOddPaths(t *testing.T) {
	for _, test := range []struct{ path, collection, rule string }{
		{"/projects/group%2Fproject/issues", "issues", ""},
		{"/shop/order;jsessionid=AB12", "order", ""},
		{"/shop;v=1/order", "order", ""},
		{"/shop//order", "order", ""},
		{"/shop//order;jsessionid=AB12", "order", ""},
		{"/shop/order//", "order", ""},
		// Where one reading alone leads to a collection, it governs.
		{"/shop%2Forder", "order", ""},
		// A server that ignores parameters serves /users/me, another one /users/{id}.
		{"/users/me;x=1", "", "ambiguous-route"},
		{"/users//me", "me", ""},
		// Decoded, the file is another resource than the user.
		{"/users/a%2Ffiles%2Fb", "", "ambiguous-route"},
		{"/users/a%2Ffiles/b", "deep", ""},
		// A router that ignores case and does not decode serves the strict route,
		// while the decoded path leads to the open one.
		{"/API/users/a%2Fb", "", "ambiguous-route"},
		{"/Api//Users/a%2Fb", "", "ambiguous-route"},
		{"/API/users/a%2Fb;x=1", "", "ambiguous-route"},
		// What a pattern spells out is not read exactly alone if the path is odd.
		{"/reports/a%2Fb", "", "ambiguous-route"},
		{"/users/me%2F", "", "ambiguous-route"},
		// Servers that cut the path at the semicolon.
		{"/users/me;/files/x", "", "ambiguous-route"},
	} {
		e, j := newEngine(t, oddPolicy, func(e *Engine) { e.OddPaths = EncodedSlash | Parameters | EmptySegments })
		got := process(e, request("POST "+test.path, jsonType, strings.NewReader(`{"name":"Ada","ssn":"S"}`)))
		if got.rule() != test.rule {
			t.Errorf("%s: refused by the rule %q, want %q", test.path, got.rule(), test.rule)
		}
		if name := j.entries[0].Collection; test.rule == "" && name != test.collection {
			t.Errorf("%s: leads to %q, want %q", test.path, name, test.collection)
		}
	}
}

// A kind that the operator does not allow is refused with the word that would
// allow it; what no word allows is refused whatever is allowed.
func TestOddPathsRefused(t *testing.T) {
	for path, remedy := range map[string]string{
		"/projects/group%2Fproject/issues": "odd_paths encoded_slash",
		"/shop/order;jsessionid=AB12":      "odd_paths parameters",
		"/shop//order":                     "odd_paths empty_segments",
		"/shop//order;x":                   "odd_paths parameters empty_segments",
	} {
		e, j := newEngine(t, oddPolicy)
		got := process(e, request("POST "+path, jsonType, strings.NewReader(`{}`)))
		if got.rule() != ruleAmbiguousPath || !strings.Contains(j.entries[0].Remedy, remedy) || !strings.Contains(j.entries[0].Remedy, "handle") {
			t.Errorf("%s: refused by the rule %q, remedy %q", path, got.rule(), j.entries[0].Remedy)
		}
	}
	e, _ := newEngine(t, oddPolicy, func(e *Engine) { e.OddPaths = EncodedSlash | Parameters | EmptySegments })
	for _, test := range oddPathCases {
		if test.odd != "never" {
			continue
		}
		r := request("POST /", jsonType, strings.NewReader(`{"name":"Ada"}`))
		decoded, err := url.PathUnescape(test.path)
		if err != nil {
			t.Fatal(err)
		}
		r.URL.Path, r.URL.RawPath = decoded, test.path
		got := process(e, r)
		if got.rule() != ruleAmbiguousPath || got.Forward() {
			t.Errorf("%s: refused by the rule %q", test.path, got.rule())
		}
	}
}

// To read a path in all its ways must not delay others.
func BenchmarkOddPath(b *testing.B) {
	e, _ := newEngine(b, oddPolicy, func(e *Engine) { e.OddPaths = EncodedSlash | Parameters | EmptySegments })
	path := "/x" + strings.Repeat("/%EF%B7%BA%2Fa;b//index.php", maxPath/30)
	r := request("POST "+path, "", nil)
	for b.Loop() {
		lookup(e.Policies.Load(), r, "POST", e.paths(r))
	}
}
