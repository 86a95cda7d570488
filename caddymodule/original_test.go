//go:build unix

package caddymodule

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/fcgi"
	"path/filepath"
	"strings"
	"testing"
)

// PHP applications route by REQUEST_URI, which Caddy's FastCGI transport
// takes from the request as it came: WordPress parses its query itself.
func TestFastCGI(t *testing.T) {
	s := startSite(t, options{})
	l, err := new(net.ListenConfig).Listen(t.Context(), "unix", filepath.Join(s.dir, "fcgi.sock"))
	if err != nil {
		t.Fatal(err)
	}
	type env struct{ uri, body, canaries string }
	got := make(chan env, 1)
	go fcgi.Serve(l, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { //nolint:errcheck // it ends with the listener
		body, _ := io.ReadAll(r.Body)
		all := fmt.Sprint(fcgi.ProcessEnv(r), r.Header)
		got <- env{r.URL.RequestURI(), string(body), strings.Repeat("!", strings.Count(all, "canary"))}
	}))
	t.Cleanup(func() { _ = l.Close() })
	s.loadText(strings.Replace(s.caddyfile(options{before: "root " + s.dir, minimize: "undeclared strip"}), "reverse_proxy unix/"+s.dir+"/app.sock {", `reverse_proxy unix/`+s.dir+`/fcgi.sock {
		header_up X-Original {http.request.orig_uri}
		header_up X-Query {http.request.orig_uri.query}
		transport fastcgi`, 1))
	for _, test := range []struct {
		on, contentType, body string
		want                  env
	}{
		{"GET /search?q=a&canary=1", "", "", env{"/search?q=a", "", ""}},
		{"GET /search?canary=1", "", "", env{"/search", "", ""}},
		{"POST /checkout?canary=1&name=n", formType, "email=a&canary=1", env{"/checkout?name=n", "email=a", ""}},
		{"POST /nowhere?canary=1", formType, "canary=1", env{"/nowhere", "", ""}},
		{"GET /page?x=1", "", "", env{"/page?x=1", "", ""}},
	} {
		res := s.do(s.request(test.on, test.contentType, strings.NewReader(test.body)))
		if res.StatusCode != http.StatusOK {
			t.Fatalf("%s: answered %s %s", test.on, res.Status, s.log)
		}
		if env := <-got; env != test.want {
			t.Errorf("%s: the application got %q, want %q", test.on, env, test.want)
		}
	}
}
