package policy

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"
)

// routesOf enters patterns into our tree and into a real mux. Both take or both
// refuse each of them: the judge of the one is the other.
func routesOf(t *testing.T, texts ...string) (*Set, *http.ServeMux, map[string]*Collection) {
	t.Helper()
	p := &problems{lines: make(map[string][]string)}
	ps := newPatterns(p)
	mux := http.NewServeMux()
	taken := make(map[string]*Collection)
	for i, text := range texts {
		c := &Collection{Name: text, ID: i}
		method, host, path := splitPattern(text)
		before := len(p.list)
		ps.add(word{place{Position{"p", i + 1, 1}}, text}, c)
		if len(p.list) > before || text == "" {
			continue
		}
		registered := joinPattern(method, host, path)
		mux.Handle(registered, http.NotFoundHandler()) // panics where we took what the mux does not
		taken[registered] = c
	}
	return &Set{routes: ps.routes}, mux, taken
}

// agrees compares our match with that of the mux on one request.
func agrees(t *testing.T, s *Set, mux *http.ServeMux, taken map[string]*Collection, method, host, target string) {
	t.Helper()
	u, err := url.ParseRequestURI(target)
	if err != nil || u.Host != "" || !isClean(u.EscapedPath()) || method != upper(method) {
		return // the caller refuses unclean paths; methods are compared in capitals
	}
	switch method {
	case http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return // a mux gives CONNECT rules of its own, and we give some to the others
	}
	h, pattern := mux.Handler(&http.Request{Method: method, Host: strings.ToLower(host), URL: u})
	got := s.Match(method, host, u.EscapedPath()).Collection
	want := taken[pattern]
	if fmt.Sprintf("%T", h) == "*http.redirectHandler" {
		// We do not redirect: what a mux would be asked next has to match.
		got = s.Match(method, host, u.EscapedPath()+"/").Collection
	}
	if got != want {
		t.Errorf("%s %s %s: Match finds %v, the mux %q", method, host, target, name(got), pattern)
	}
}

func name(c *Collection) string {
	if c == nil {
		return "nothing"
	}
	return c.Name
}

func isClean(escaped string) bool {
	cleaned := path.Clean(escaped)
	if strings.HasSuffix(escaped, "/") && cleaned != "/" {
		cleaned += "/"
	}
	return strings.HasPrefix(escaped, "/") && cleaned == escaped
}

func TestMatchPrecedence(t *testing.T) {
	s, mux, taken := routesOf(
		t, "/", "/a", "POST /a", "GET /a/{x}", "/a/b/{rest...}", "GET /a/b/{$}", "shop.example/a", "POST shop.example/{x}/z",
		"/sp%20ace/{x}", "/f/{x}/c", "/d/{$}", "/e/",
	)
	if len(taken) != 12 {
		t.Fatal("the patterns conflict")
	}
	for _, c := range []struct{ method, host, path, want string }{
		{"GET", "other.example", "/a", "/a"},
		{"POST", "other.example", "/a", "POST /a"},
		{"POST", "shop.example", "/a", "shop.example/a"},
		{"POST", "shop.example", "/a/z", "POST shop.example/{x}/z"},
		{"GET", "shop.example", "/a/z", "GET /a/{x}"},
		{"GET", "SHOP.Example", "/a", "shop.example/a"},
		{"HEAD", "", "/a/x", "GET /a/{x}"},
		{"PUT", "", "/a/x", "/"},
		{"GET", "", "/a/b/", "GET /a/b/{$}"},
		{"POST", "", "/a/b/", "/a/b/{rest...}"},
		{"GET", "", "/a/b/c/d", "/a/b/{rest...}"},
		{"GET", "", "/f/x/c", "/f/{x}/c"},
		{"GET", "", "/sp%20ace/x", "/sp%20ace/{x}"},
		{"GET", "", "/%61", "/a"},
		{"GET", "", "/d/", "/d/{$}"},
		{"GET", "", "/d/x", "/"},
		{"GET", "", "/e/x/y", "/e/"},
		{"GET", "", "*", "nothing"},
		{"GET", "", "", "nothing"},
	} {
		to := s.Match(c.method, c.host, c.path)
		if got := name(to.Collection); got != c.want {
			t.Errorf("%s %s%s matches %s, not %s", c.method, c.host, c.path, got, c.want)
		}
		if to.Collection != nil && to.Pattern != c.want {
			t.Errorf("%s %s%s is led by %s, not %s", c.method, c.host, c.path, to.Pattern, c.want)
		}
		agrees(t, s, mux, taken, c.method, c.host, c.path)
	}
	if (*Set)(nil).Route("GET", "", "/") != (Route{}) || new(Set).Route("GET", "h", "/") != (Route{}) {
		t.Error("a set without patterns matches")
	}
}

// TestMatchAgreesWithServeMux: were the proxy to find another collection than its
// operator reads out of the patterns, fields would pass where they must not.
func TestMatchAgreesWithServeMux(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // G404: repeatable tests need no secrets
	pick := func(from ...string) string { return from[random.IntN(len(from))] }
	target := func(segments ...string) string {
		var b strings.Builder
		for range 1 + random.IntN(4) {
			b.WriteString("/" + pick(segments...))
		}
		return b.String()
	}
	rounds, requests := 2000, 60
	if testing.Short() {
		rounds = 200
	}
	for range rounds {
		var texts []string
		for range 1 + random.IntN(12) {
			p := target("a", "b", "a", "b", "{x}", "%2F", "a%20b", "{x}", "é")
			p = strings.Replace(p, "{x}", "{w}", 1) + pick("", "", "/", "/{$}", "/{r...}")
			texts = append(texts, pick("", "GET ", "POST ", "HEAD ")+pick("", "", "a.example", "B.example")+p)
		}
		s, mux, taken := routesOf(t, texts...)
		for range requests {
			request := target("a", "b", "c", "%2f", "%61", "a%20b", "a b", "é", "%C3%A9") + pick("", "", "/")
			agrees(t, s, mux, taken, pick("GET", "POST", "HEAD", "PUT"), pick("", "a.example", "b.EXAMPLE", "c.example"), request)
		}
		if t.Failed() {
			t.Fatalf("with the patterns\n%s", strings.Join(texts, "\n"))
		}
	}
}

func FuzzMatch(f *testing.F) {
	f.Add("/\nPOST /a/{x}\nGET h/b/{r...}", "GET", "h", "/b/c")
	f.Add("/a/{$}\n/a/\n/%2F/{x}", "HEAD", "", "/a/%2f")
	f.Add("\r/", "0", "0", "/") // a host of white space
	f.Add("/{x}/b\n/a/{x}\n/a/b", "POST", "x", "/a%20/b/")
	f.Fuzz(func(t *testing.T, patterns, method, host, target string) {
		if strings.ContainsFunc(host+patterns, func(r rune) bool { return r > '~' }) || strings.ContainsRune(host, ':') || len(host) > 253 {
			return // hosts go by their ASCII form, and the caller takes the port off
		}
		s, mux, taken := routesOf(t, strings.Split(patterns, "\n")...)
		agrees(t, s, mux, taken, method, host, target)
	})
}

// setOf compiles a set of n collections as an operator might write them.
func setOf(tb testing.TB, n int) *Set {
	tb.Helper()
	var b strings.Builder
	b.WriteString("version: 1\ncontroller: {name: Whittle}\npurposes:\n  p: {basis: contract, retention: 1y}\n  q: {basis: consent, retention: 1y}\ncollections:\n")
	for i := range n {
		fmt.Fprintf(&b, "  c%d:\n    on: [\"POST /area%d/{id}/form%d\", shop%d.example/f]\n", i, i%10, i, i)
		b.WriteString("    fields: {a: p, b: [q, p], c: q}\n")
	}
	s, problems := Compile(Source{"set.yaml", []byte(b.String())})
	if err := problems.Err(); err != nil {
		tb.Fatal(err)
	}
	return s
}

func TestMatchAllocatesNothing(t *testing.T) {
	s := setOf(t, 100)
	for _, c := range []struct{ method, host, path string }{
		{"POST", "site.example", "/area7/1234/form17"},
		{"POST", "site.example", "/area7/%31%32/form1%37"},
		{"POST", "SHOP17.example", "/f"},
		{"GET", "site.example", "/nothing/like/it"},
	} {
		if n := testing.AllocsPerRun(100, func() { s.Route(c.method, c.host, c.path) }); n != 0 && strings.IndexByte(c.path, '%') < 0 {
			t.Errorf("%s %s%s, read loosely: %v allocations", c.method, c.host, c.path, n)
		}
		if n := testing.AllocsPerRun(100, func() { s.Match(c.method, c.host, c.path) }); n != 0 {
			t.Errorf("%s %s%s: %v allocations", c.method, c.host, c.path, n)
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		s := setOf(b, n)
		last := n - 1
		for what, c := range map[string]struct{ host, path string }{
			"path":    {"site.example", fmt.Sprintf("/area%d/1234/form%d", last%10, last)},
			"escaped": {"site.example", fmt.Sprintf("/area%d/a%%20b/f%%6Frm%d", last%10, last)},
			"host":    {fmt.Sprintf("shop%d.example", last), "/f"},
			"none":    {"site.example", "/index.html"},
		} {
			b.Run(fmt.Sprintf("%s/%d", what, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					s.Route(http.MethodPost, c.host, c.path)
				}
			})
		}
	}
}
