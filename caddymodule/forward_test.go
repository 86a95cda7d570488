//go:build unix

package caddymodule

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"mime/multipart"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// part is a part of a multipart form.
type part struct{ name, filename, content string }

// form writes a multipart form with the boundary B.
func form(parts ...part) string {
	var b strings.Builder
	for _, p := range parts {
		file := ""
		if p.filename != "" {
			file = `; filename="` + p.filename + "\"\r\nContent-Type: application/octet-stream"
		}
		fmt.Fprintf(&b, "--B\r\nContent-Disposition: form-data; name=\"%s\"%s\r\n\r\n%s\r\n", p.name, file, p.content)
	}
	return b.String() + "--B--\r\n"
}

var codings = map[string]func(io.Writer) io.WriteCloser{
	"": func(w io.Writer) io.WriteCloser {
		return struct {
			io.Writer
			io.Closer
		}{w, io.NopCloser(nil)}
	},
	"gzip":    func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
	"deflate": func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) },
	"br":      func(w io.Writer) io.WriteCloser { return brotli.NewWriter(w) },
	"zstd":    func(w io.Writer) io.WriteCloser { z, _ := zstd.NewWriter(w); return z },
}

func code(coding, text string) string {
	var b bytes.Buffer
	w := codings[coding](&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

// unsized hides the length of a body, so that it goes in chunks.
func unsized(body string) io.Reader { return struct{ io.Reader }{strings.NewReader(body)} }

// forwardCases are submissions with a canary in what may not pass.
var forwardCases = []struct {
	name, path, contentType, body string
	want                          string // the body; of a form its fields
	query                         string
}{
	{"JSON", "/checkout", jsonType, `{"name":"Anna","birthday":"canary","canary":1,"items":[{"sku":"a","canary":2}]}`, `{"name":"Anna","items":[{"sku":"a"}]}`, ""},
	{"a suffix of JSON", "/checkout", "application/vnd.shop+json", `{"canary":[1],"email":"a@example.org"}`, `{"email":"a@example.org"}`, ""},
	{"form", "/checkout", formType, "name=Anna+K&canary=1&birthday=canary", "name=Anna%20K", ""},
	{"parts", "/checkout", formData, form(part{"name", "", "Anna"}, part{"canary", "", "1"}, part{"photo", "a.jpg", "\xff\xd8"}, part{"birthday", "", "canary"}), "name=Anna photo=a.jpg:\xff\xd8", ""},
	{"query and body", "/checkout?name=Anna&canary=1&birthday=canary", formType, "email=a%40example.org&canary=1", "email=a%40example.org", "name=Anna"},
}

// Whatever the type, the coding, the framing and the protocol: the
// application gets bytes that we wrote, in a framing that is right.
func TestForward(t *testing.T) {
	o := options{global: "servers {\n protocols h1 h2 h2c\n }"}
	s := startSite(t, o)
	cert, key := selfSigned(t, s.dir)
	config := s.caddyfile(o) + fmt.Sprintf(`
https://shop.test {
	bind unix/%[1]s/tls.sock
	tls %[2]s %[3]s
	minimize privacy.yaml
	reverse_proxy unix/%[1]s/app.sock
}`, s.dir, cert, key)
	s.loadText(config)
	h1, h2c := s.client("site.sock"), s.client("site.sock")
	h2c.Transport.(*http.Transport).Protocols = new(http.Protocols)
	h2c.Transport.(*http.Transport).Protocols.SetUnencryptedHTTP2(true)
	s.settle(h1)
	s.settle(h2c)
	h2 := s.client("tls.sock")
	h2.Transport.(*http.Transport).ForceAttemptHTTP2 = true
	h2.Transport.(*http.Transport).TLSClientConfig = &tls.Config{InsecureSkipVerify: true, ServerName: "shop.test"} //nolint:gosec // G402: a test
	for _, test := range forwardCases {
		for coding := range codings {
			for _, framing := range []string{"fixed", "chunked"} {
				for protocol, client := range map[string]*http.Client{"HTTP/1.1": h1, "h2c": h2c, "h2": h2} {
					t.Run(fmt.Sprintf("%s, %s, %s, %s", test.name, coding, framing, protocol), func(t *testing.T) {
						sent := code(coding, test.body)
						var body io.Reader = strings.NewReader(sent)
						if framing == "chunked" {
							body = unsized(sent)
						}
						r := s.request("POST "+test.path, test.contentType, body, "Content-Digest", "sha-256=:AA==:")
						if coding != "" {
							r.Header.Set("Content-Encoding", coding)
						}
						if protocol == "h2" {
							r.URL.Scheme = "https"
						}
						res := send(t, client, r)
						if res.StatusCode != http.StatusOK || res.body != "ok" || (res.ProtoMajor == 2) != (protocol != "HTTP/1.1") {
							t.Fatalf("answered %s %s %q", res.Proto, res.Status, res.body)
						}
						got := s.upstream.next()
						if strings.Contains(got.raw, "canary") {
							t.Errorf("the application got\n%s", got.raw)
						}
						if content := readable(t, got); content != test.want || got.URL.RawQuery != test.query {
							t.Errorf("forwarded %q and the query %q, want %q and %q", content, got.URL.RawQuery, test.want, test.query)
						}
						if got.ContentLength != int64(len(got.body)) || len(got.TransferEncoding) > 0 || got.Header.Get("Content-Encoding") != "" || got.Header.Get("Content-Digest") != "" {
							t.Errorf("forwarded with the length %d, %v, %v", got.ContentLength, got.TransferEncoding, got.Header)
						}
						receipt := got.Header.Get("Privacy-Receipt")
						if receipt == "" || res.Header.Get("Privacy-Receipt") != strconv.Quote(receipt) || res.Header.Get("Privacy-Purpose") != "delivery" || res.Header.Get("Privacy-Stripped") == "" {
							t.Errorf("the application is told %v, the sender %v", got.Header, res.Header)
						}
					})
				}
			}
		}
	}
}

// loadText puts a whole Caddyfile in force.
func (s *site) loadText(text string) {
	s.t.Helper()
	config, err := adapt(filepath.Join(s.dir, "Caddyfile"), text)
	if err != nil {
		s.t.Fatal(err)
	}
	s.loadJSON(config)
}

// readable is the body, and of a multipart form its fields.
func readable(t *testing.T, got received) string {
	t.Helper()
	_, boundary, ok := strings.Cut(got.Header.Get("Content-Type"), "boundary=")
	if !ok {
		return got.body
	}
	if boundary == "B" {
		t.Error("the client's own boundary goes on")
	}
	var fields []string
	for r := multipart.NewReader(strings.NewReader(got.body), boundary); ; {
		p, err := r.NextRawPart()
		if err != nil {
			return strings.Join(fields, " ")
		}
		content, _ := io.ReadAll(p)
		field := p.FormName() + "="
		if p.FileName() != "" {
			field += p.FileName() + ":"
		}
		fields = append(fields, field+string(content))
	}
}

// selfSigned writes a certificate of shop.test.
func selfSigned(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"shop.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeFile(t, cert, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	writeFile(t, key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})))
	return cert, key
}

// dial opens a connection to the site, for what http.Client does not send.
func (s *site) dial() net.Conn {
	s.t.Helper()
	var c net.Conn
	eventually(s.t, "a connection reaches the new configuration", func() bool {
		var err error
		if c, err = new(net.Dialer).DialContext(s.t.Context(), "unix", filepath.Join(s.dir, "site.sock")); err != nil {
			return false
		}
		s.t.Cleanup(func() { _ = c.Close() })
		if time.Since(s.loaded) > time.Second {
			return true
		}
		_ = c.SetDeadline(time.Now().Add(patience))
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: generation.test\r\n\r\n")
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		return err == nil && s.current(res)
	})
	_ = c.SetDeadline(time.Now().Add(patience))
	return c
}
