//go:build unix

package caddymodule

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
)

// raw sends bytes to the site and returns the answer.
func (s *site) raw(sent string) answer {
	s.t.Helper()
	conn := s.dial()
	defer conn.Close() //nolint:errcheck // nothing is left to do
	if _, err := io.WriteString(conn, sent); err != nil {
		s.t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		s.t.Fatalf("%q: %v", sent, err)
	}
	defer res.Body.Close() //nolint:errcheck // as above
	body, _ := io.ReadAll(res.Body)
	return answer{res, string(body)}
}

// An opaque target, or a host that Caddy takes for the site's and a policy does
// not, is refused before anything else looks at it: the pages, `except`, the
// collections. In every mode, and with a line in the log.
func TestAttackTargetAndHost(t *testing.T) {
	for _, options := range []string{"", "mode report", "undeclared pass", "except /*"} {
		o := withStore
		o.minimize += "\n" + options
		o.address = "http://" // any host
		s := startSite(t, o)
		for _, sent := range []string{
			"GET x:http://shop.test/search?q=1&ssn=S HTTP/1.1\r\nHost: shop.test",
			"GET x:/privacy/choices?q=1&ssn=S HTTP/1.1\r\nHost: shop.test",
			"GET ftp://shop.test/search?q=1&ssn=S HTTP/1.1\r\nHost: shop.test",
			"GET /search?q=1&ssn=S HTTP/1.1\r\nHost: [shop.test]",
			"GET /search?q=1&ssn=S HTTP/1.1\r\nHost: shop.test]",
			"GET /search?q=1&ssn=S HTTP/1.1\r\nHost: shop.test:80:80",
			"GET /privacy/choices HTTP/1.1\r\nHost: [shop.test]",
		} {
			s.log.reset()
			s.upstream.drain()
			res := s.raw(sent + "\r\nConnection: close\r\n\r\n")
			if res.StatusCode != http.StatusBadRequest || !strings.Contains(res.body, `"rule":"request-`) {
				t.Errorf("%q, %q: answered %s %s", options, sent, res.Status, res.body)
			}
			if lines := s.log.String(); !strings.Contains(lines, `"verdict":"refused"`) || !strings.Contains(lines, `"rule":"request-`) {
				t.Errorf("%q, %q: logged %s", options, sent, lines)
			}
			if n := len(s.upstream.requests); n > 0 {
				t.Errorf("%q, %q: the application got %s", options, sent, s.upstream.next().raw)
			}
		}
		for _, sent := range []string{"OPTIONS * HTTP/1.1\r\nHost: shop.test", "GET http://shop.test/search?q=1 HTTP/1.1\r\nHost: shop.test", "GET /search?q=1 HTTP/1.0"} {
			if res := s.raw(sent + "\r\nConnection: close\r\n\r\n"); res.StatusCode != http.StatusOK {
				t.Errorf("%q, %q: answered %s %s", options, sent, res.Status, res.body)
			}
			if !strings.HasPrefix(sent, "OPTIONS") { // which the server answers itself
				s.upstream.next()
			}
		}
		s.stop()
	}
}

// Operators write placeholders of Caddy's into headers for the application and
// into pages. Behind minimize, none of them brings back what was left out.
func TestAttackPlaceholders(t *testing.T) {
	const body = "request_header X-Body \"{http.request.body}\"\nrequest_header X-Base64 \"{http.request.body_base64}\"\n"
	const query = "request_header X-Query \"{http.request.uri}{http.request.uri.query}{http.request.uri.query.ssn}{http.request.uri.prefixed_query}" +
		"{http.request.orig_uri}{http.request.orig_uri.query}{http.request.orig_uri.prefixed_query}{http.request.header.X-Forwarded-Uri}{http.request.header.Forwarded}\"\n"
	large := "--B\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"a\"\r\n\r\n" + strings.Repeat("x", 10_000) +
		"\r\n--B\r\nContent-Disposition: form-data; name=\"ssn\"\r\n\r\nCANARY\r\n--B--\r\n"
	for _, before := range []string{"", "tracing {\n span shop\n }", "uri strip_prefix /never"} {
		o := options{before: before, minimize: "max_body 8KiB\nundeclared strip"}
		s := startSite(t, o)
		text := strings.Replace(s.caddyfile(o), "minimize privacy.yaml", "route {\nminimize privacy.yaml", 1)
		s.loadText(strings.Replace(text, "reverse_proxy", body+query+"reverse_proxy", 1) + "\n}\n")
		for _, sent := range []struct{ on, contentType, body string }{
			{"POST /checkout?ssn=CANARY", formType, "name=Ada&ssn=CANARY"},
			{"GET /search?q=1&ssn=CANARY", "", ""},
			{"POST /nowhere?ssn=CANARY", formType, "ssn=CANARY"},
			{"POST /checkout?ssn=CANARY", formData, large},
		} {
			s.upstream.drain()
			res := s.do(s.request(sent.on, sent.contentType, strings.NewReader(sent.body), "X-Forwarded-Uri", "/?ssn=CANARY", "Forwarded", "host=CANARY"))
			if res.StatusCode != http.StatusOK {
				t.Fatalf("%q, %s: answered %s %s", before, sent.on, res.Status, res.body)
			}
			got := s.upstream.next()
			for _, text := range []string{"CANARY", "Q0FOQVJZ", "NBTkFSW", "DQU5BUl"} { // and in base64
				if strings.Contains(got.raw, text) {
					t.Errorf("%q, %s: the application got %.2000s", before, sent.on, got.raw)
				}
			}
		}
		s.stop()
	}
}

// A form that stalls while it is forwarded was answered with 499, as if the
// client had left: it is told that it was too slow.
func TestStalledStream(t *testing.T) {
	s := startSite(t, options{minimize: "max_body 4KiB\nbody_timeout 200ms"})
	for range 10 {
		res := s.raw("POST /checkout HTTP/1.1\r\nHost: shop.test\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: 100000\r\n\r\n" +
			"--B\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"a\"\r\n\r\n" + strings.Repeat("x", 20_000))
		if res.StatusCode != http.StatusRequestTimeout || !strings.Contains(res.body, "too-slow") {
			t.Fatalf("answered %s %s", res.Status, res.body)
		}
	}
}

// The operator excepts the site's scripts; Rails and Spring serve
// "/checkout.js" as /checkout, in another format.
func TestAttackDisguisedException(t *testing.T) {
	s := startSite(t, options{minimize: "except *.js /assets/*"})
	for _, test := range []struct{ on, body, want string }{
		{"POST /checkout.js", "name=Ada&ssn=CANARY", "name=Ada"},
		{"GET /search.js?q=1&ssn=CANARY", "", "q=1"},
		{"POST /assets/upload", "x=1", "x=1"},
		{"GET /app.js?v=7", "", "v=7"},
	} {
		s.do(s.request(test.on, map[bool]string{true: formType}[test.body != ""], strings.NewReader(test.body)))
		if got := s.upstream.next(); got.URL.RawQuery+got.body != test.want {
			t.Errorf("%s: the application got %q and %q, want %q", test.on, got.URL.RawQuery, got.body, test.want)
		}
	}
}

// Two applications read an odd path in two ways, and only one of the readings may
// be what the operator excepts. The body arrives untouched where all are, and never
// where one leads to a collection.
func TestAttackOddException(t *testing.T) {
	s := startSite(t, options{minimize: "except /public/* *.js /a/b%2Fc /checkout/js/*\nodd_paths encoded_slash parameters empty_segments\nundeclared reject"})
	defer s.stop()
	for path, want := range map[string]int{
		"/public/a%2Fb":                  http.StatusOK,
		"/public/a;x=1":                  http.StatusOK,
		"/public//a":                     http.StatusOK,
		"/public/https:%2F%2Fx.example":  http.StatusOK,
		"/public%2Fa":                    http.StatusForbidden, // one segment to some
		"/a;x.js":                        http.StatusForbidden, // servlets ignore the suffix
		"/a/b%2Fc":                       http.StatusForbidden, // decoded, it is not excepted
		"/checkout;/x.js":                http.StatusOK,        // minimized: to some it is /checkout
		"/checkout%2F":                   http.StatusOK,        // likewise
		"/checkout//":                    http.StatusOK,
		"/public/..%2fcheckout":          http.StatusBadRequest,
		"/public/..;x=1/checkout":        http.StatusBadRequest,
		"/public/%2e%2e/checkout":        http.StatusBadRequest,
		"/public/..%5ccheckout":          http.StatusBadRequest,
		"/public/%252e%252e/checkout":    http.StatusBadRequest,
		"/public/a;x=%2F..%2F..%2Fb":     http.StatusBadRequest,
		"//public/a":                     http.StatusBadRequest,
		"/checkout;jsessionid=1/../a.js": http.StatusBadRequest,
	} {
		s.upstream.drain()
		res := s.raw("POST " + path + " HTTP/1.1\r\nHost: shop.test\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 18\r\nConnection: close\r\n\r\nname=Ada&ssn=CANAR")
		if res.StatusCode != want {
			t.Errorf("%s: answered %s %s", path, res.Status, res.body)
		}
		if want != http.StatusOK {
			continue
		}
		got := s.upstream.next()
		if whole := strings.Contains(got.body, "ssn"); whole != strings.HasPrefix(path, "/public/") || got.RequestURI != path {
			t.Errorf("%s: the application got %s with %q", path, got.RequestURI, got.body)
		}
	}
}
