package minimize

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
)

// targetCases are requests as they come from the wire, with the rule by which
// each is refused.
var targetCases = []struct{ request, rule string }{
	{"GET /search?q=1 HTTP/1.1\r\nHost: shop.example", ""},
	{"GET http://shop.example/search?q=1 HTTP/1.1\r\nHost: other.example", ""},
	{"GET HTTPS://Shop.Example:443/search?q=1 HTTP/1.1\r\nHost: shop.example", ""},
	{"GET http://shop.example?q=1 HTTP/1.1\r\nHost: shop.example", ""},
	{"OPTIONS * HTTP/1.1\r\nHost: shop.example", ""},
	{"GET /search?q=1 HTTP/1.0", ""},
	{"GET /search?q=1 HTTP/1.1\r\nHost: 192.0.2.1:8080", ""},
	{"GET /search?q=1 HTTP/1.1\r\nHost: [2001:db8::1]:80", ""},
	{"GET /search?q=1 HTTP/1.1\r\nHost: shop.example.", ""},
	// Go finds no path here, and the transport sends the target as it came:
	// Express, Flask, PHP and Go serve /search with the whole query.
	{"GET x:http://shop.example/search?q=1&ssn=S HTTP/1.1\r\nHost: shop.example", ruleTarget},
	{"GET x:/search?q=1&ssn=S HTTP/1.1\r\nHost: shop.example", ruleTarget},
	{"GET http:search?q=1&ssn=S HTTP/1.1\r\nHost: shop.example", ruleTarget},
	{"GET http:///search?q=1&ssn=S HTTP/1.1\r\nHost: shop.example", ruleTarget},
	{"GET ftp://shop.example/search?q=1&ssn=S HTTP/1.1\r\nHost: shop.example", ruleTarget},
	{"GET http://ada:pw@shop.example/search?q=1&ssn=S HTTP/1.1\r\nHost: shop.example", ruleTarget},
	{"GET * HTTP/1.1\r\nHost: shop.example", ruleTarget},
	{"CONNECT shop.example:80 HTTP/1.1\r\nHost: shop.example:80", ruleTarget},
	// Caddy takes brackets off and reads the site's host; a policy's pattern
	// with the host did not match.
	{"GET /search?q=1&ssn=S HTTP/1.1\r\nHost: [shop.example]", ruleHost},
	{"GET /search?q=1&ssn=S HTTP/1.1\r\nHost: shop.example]", ruleHost},
	{"GET /search?q=1&ssn=S HTTP/1.1\r\nHost: [shop.example", ruleHost},
	{"GET /search?q=1&ssn=S HTTP/1.1\r\nHost: shop.example:80:80", ruleHost},
	{"GET /search?q=1&ssn=S HTTP/1.1\r\nHost: shop.example:http", ruleHost},
	{"GET /search?q=1&ssn=S HTTP/1.1\r\nHost: shop.example:", ruleHost},
	{"GET /search?q=1&ssn=S HTTP/1.1\r\nHost: shop..example", ruleHost},
	{"GET /search?q=1&ssn=S HTTP/1.1\r\nHost: shop.example..", ruleHost},
	{"GET /search?q=1&ssn=S HTTP/1.1\r\nHost: .shop.example", ruleHost},
	{"GET /search?q=1&ssn=S HTTP/1.1\r\nHost: shop%2eexample", ruleHost},
	{"GET /search?q=1&ssn=S HTTP/1.1\r\nHost: shop.example,other.example", ruleHost},
	{"GET /search?q=1&ssn=S HTTP/1.1\r\nHost: 2001:db8::1", ruleHost},
	{"GET /search?q=1&ssn=S HTTP/1.1\r\nHost: [fe80::1%25lo]", ruleHost},
	{"GET /search?q=1&ssn=S HTTP/1.1\r\nHost:", ruleHost},
	{"GET http://[shop.example]/search?q=1&ssn=S HTTP/1.1\r\nHost: shop.example", ruleHost},
}

func TestAttackTarget(t *testing.T) {
	e, j := newEngine(t, shop)
	for _, mode := range []Mode{Enforce, Report} {
		e.Mode = mode
		for _, test := range targetCases {
			r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(test.request + "\r\n\r\n")))
			if err != nil {
				continue // the server refuses it itself
			}
			j.entries = nil
			got := process(e, r)
			if got.rule() != test.rule {
				t.Errorf("%v: %q: refused by the rule %q, want %q", mode, test.request, got.rule(), test.rule)
			}
			if test.rule == "" {
				continue
			}
			if got.Forward() || len(j.entries) != 1 || j.entries[0].Rule != test.rule {
				t.Errorf("%v: %q: forwarded %v, recorded %+v", mode, test.request, got.Forward(), j.entries)
			}
		}
	}
}

// HTTP/2 and HTTP/3 name the host in :authority, and let a client send Host
// beside it. What reads the headers would find another host than we do.
func TestAttackTwoHosts(t *testing.T) {
	for host, rule := range map[string]string{"shop.example": "", "other.example": ruleHost} {
		e, _ := newEngine(t, shop)
		r := request("POST /checkout", "application/json", strings.NewReader(`{"name":"Ada"}`))
		r.Host, r.ProtoMajor = "shop.example", 2
		r.Header.Set("Host", host)
		if got := process(e, r); got.rule() != rule || r.Header["Host"] != nil && rule == "" {
			t.Errorf("Host %s beside shop.example: rule %q, header %v", host, got.rule(), r.Header["Host"])
		}
	}
}

// An empty path and "/" are one (RFC 9110, section 4.2.3).
func TestTargetWithoutPath(t *testing.T) {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET http://shop.example?q=1 HTTP/1.1\r\nHost: shop.example\r\n\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	if refusal := NormalizeTarget(r); refusal != nil || r.URL.Path != "/" {
		t.Errorf("path %q, %v", r.URL.Path, refusal)
	}
}

// To read 110,000 characters loosely took half a second.
func TestAttackLongPath(t *testing.T) {
	long := "/" + strings.Repeat("%EF%B7%BA", maxPath/3+1) // 3 bytes each, once decoded
	for _, mode := range []Mode{Enforce, Report} {
		for path, rule := range map[string]string{long + "a": ruleTarget, long[:len(long)-18]: ""} {
			e, _ := newEngine(t, shop, func(e *Engine) { e.Mode = mode })
			if got := process(e, request("GET "+path+"?q=1", "", nil)); got.rule() != rule || rule != "" && got.Forward() {
				t.Errorf("%v: a path of %d bytes: rule %q, want %q", mode, len(path), got.rule(), rule)
			}
		}
		e, _ := newEngine(t, shop, func(e *Engine) {
			e.Mode, e.OriginalPath = mode, func(*http.Request) string { return long + long }
		})
		if got := process(e, request("GET /index.php?q=1", "", nil)); got.rule() != ruleTarget || got.Refusal.Status != http.StatusRequestURITooLong {
			t.Errorf("%v: a long path that was rewritten: rule %q", mode, got.rule())
		}
		if r := request("GET /app.js?q=1", "", nil); !e.Disguised(r) {
			t.Error("a long path that was rewritten is excepted")
		}
	}
}

// `except *.js` is for the site's scripts. A catch-all in the policy matched
// "/checkout.js" too, and it was taken for one that the operator excepts.
func TestDisguised(t *testing.T) {
	e, _ := newEngine(t, strings.Replace(shop, "  any:\n", "  page:\n    on: POST /{page...}\n    fields: {name: delivery}\n  any:\n", 1))
	for on, want := range map[string]bool{
		"POST /checkout.js": true, "GET /search.js": true, "POST /Checkout": true, "POST /app.js": false, "GET /app.js": false, "POST /checkout": false, "POST //x": true,
	} {
		if got := e.Disguised(request(on, "", nil)); got != want {
			t.Errorf("%s: disguised %v", on, got)
		}
	}
}
