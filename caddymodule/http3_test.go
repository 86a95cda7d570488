//go:build unix

package caddymodule

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/quic-go/quic-go/http3"
)

// HTTP/3 does not say that a GET has no body: without a look at it, each
// would be one of unknown length and type, and refused.
func TestHTTP3(t *testing.T) {
	s := startSite(t, options{})
	cert, key := selfSigned(t, s.dir)
	port := freePort(t)
	s.loadText(s.caddyfile(options{}) + fmt.Sprintf(`
https://shop.test:%s {
	bind 127.0.0.1
	tls %s %s
	minimize privacy.yaml
	reverse_proxy unix/%s/app.sock
}`, port, cert, key, s.dir))
	transport := &http3.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: "shop.test"}} //nolint:gosec // G402: a test
	t.Cleanup(func() { _ = transport.Close() })
	client := &http.Client{Transport: transport, Timeout: patience}
	for _, test := range []struct{ on, contentType, body, uri, want string }{
		{"GET /", "", "", "/", ""},
		{"GET /page?x=1", "", "", "/page?x=1", ""},
		{"HEAD /page", "", "", "/page", ""},
		{"GET /search?q=a&canary=1", "", "", "/search?q=a", ""},
		{"DELETE /page", "", "", "/page", ""},
		{"POST /checkout", jsonType, `{"name":"Anna","canary":1}`, "/checkout", `{"name":"Anna"}`},
		{"POST /checkout?canary=1", formData, form(part{"name", "", "Anna"}, part{"canary", "", "1"}), "/checkout", "name=Anna"},
		{"GET /search", jsonType, `{"q":"a","canary":1}`, "/search", `{"q":"a"}`},
	} {
		for _, chunked := range []bool{false, true} {
			r := s.request(test.on, test.contentType, strings.NewReader(test.body))
			if test.body == "" {
				r = s.request(test.on, test.contentType, nil)
			} else if chunked {
				r = s.request(test.on, test.contentType, unsized(test.body))
			}
			r.Host, r.URL.Scheme, r.URL.Host = "shop.test", "https", "127.0.0.1:"+port
			res := send(t, client, r)
			if res.StatusCode != http.StatusOK || res.ProtoMajor != 3 {
				t.Fatalf("%s: answered %s %s %s", test.on, res.Proto, res.Status, res.body)
			}
			got := s.upstream.next()
			if got.RequestURI != test.uri || readable(t, got) != test.want {
				t.Errorf("%s: forwarded %q", test.on, got.raw)
			}
		}
	}
}
