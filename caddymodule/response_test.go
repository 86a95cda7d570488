//go:build unix

package caddymodule

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"time"
)

// respond answers with fixed bytes when the request was read.
func respond(text string) func(*wire, net.Conn, *http.Request) bool {
	return func(w *wire, c net.Conn, r *http.Request) bool {
		w.read(r)
		_, err := io.WriteString(c, strings.ReplaceAll(text, "\n", "\r\n"))
		return err == nil
	}
}

// What the application says of itself is not our word.
func TestPrivacyHeadersOfTheApplication(t *testing.T) {
	s := startSite(t, options{})
	s.upstream.answerWith(respond("HTTP/1.1 200 OK\nContent-Length: 0\nPrivacy-Purpose: everything\nPrivacy-Stripped: \"nothing\"\nPrivacy-Receipt: \"forged\"\nLink: </a.css>; rel=preload\n\n"))
	res := s.do(s.request("POST /checkout", jsonType, strings.NewReader(`{"name":"a"}`), "Privacy-Receipt", "forged", "Privacy-Other", "forged"))
	got := s.upstream.next()
	if got.Header.Get("Privacy-Other") != "" || got.Header.Get("Privacy-Receipt") == "forged" {
		t.Errorf("the application is told %v", got.Header)
	}
	if res.Header.Get("Privacy-Purpose") != "delivery" || res.Header.Get("Privacy-Stripped") != "" || strings.Contains(res.Header.Get("Privacy-Receipt"), "forged") {
		t.Errorf("the sender is told %v", res.Header)
	}
	if links := res.Header.Values("Link"); len(links) != 2 || links[1] != `</privacy>; rel="privacy-policy"` {
		t.Errorf("links %q", links)
	}
}

// A client that waits for the go-ahead gets it before it sends the body, and
// does not when the body would be refused anyway.
func TestExpectContinue(t *testing.T) {
	s := startSite(t, options{})
	for _, test := range []struct {
		contentType string
		wantGo      bool
		status      int
	}{{jsonType, true, 200}, {"text/plain", false, 415}} {
		c := s.dial()
		_, _ = fmt.Fprintf(c, "POST /checkout HTTP/1.1\r\nHost: shop.test\r\nContent-Type: %s\r\nContent-Length: 12\r\nExpect: 100-continue\r\n\r\n", test.contentType)
		br := bufio.NewReader(c)
		res, err := http.ReadResponse(br, nil) //nolint:bodyclose // the connection is closed
		if err != nil {
			t.Fatalf("%s: %v", test.contentType, err)
		}
		if (res.StatusCode == http.StatusContinue) != test.wantGo {
			t.Fatalf("%s: answered %s first", test.contentType, res.Status)
		}
		if !test.wantGo {
			if res.StatusCode != test.status {
				t.Errorf("%s: answered %s", test.contentType, res.Status)
			}
			s.upstream.none()
			continue
		}
		_, _ = io.WriteString(c, `{"name":"a"}`)
		if res, err = http.ReadResponse(br, nil); err != nil || res.StatusCode != test.status { //nolint:bodyclose // as above
			t.Fatalf("answered %v, %v", res, err)
		}
		if got := s.upstream.next(); got.body != `{"name":"a"}` || got.Header.Get("Expect") != "" {
			t.Errorf("forwarded %q", got.raw)
		}
	}
}

// Trailers come after what we looked at: some applications merge them into
// the headers.
func TestTrailers(t *testing.T) {
	s := startSite(t, options{})
	c := s.dial()
	body := `{"name":"a"}`
	_, _ = fmt.Fprintf(c, "POST /checkout HTTP/1.1\r\nHost: shop.test\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nTrailer: Content-Type, X-Canary\r\nTE: trailers\r\n\r\n%x\r\n%s\r\n0\r\nContent-Type: canary\r\nX-Canary: canary\r\n\r\n", len(body), body)
	res, err := http.ReadResponse(bufio.NewReader(c), nil) //nolint:bodyclose // as above
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("answered %v, %v", res, err)
	}
	if got := s.upstream.next(); strings.Contains(strings.ToLower(got.raw), "canary") || got.body != body {
		t.Errorf("forwarded %q", got.raw)
	}
}

// We stand inside encode: responses are still coded, and tell what we tell.
func TestEncode(t *testing.T) {
	s := startSite(t, options{before: "encode gzip"})
	text := strings.Repeat("a long answer ", 100)
	s.upstream.answerWith(respond(fmt.Sprintf("HTTP/1.1 200 OK\nContent-Type: text/html\nContent-Length: %d\n\n%s", len(text), text)))
	res := s.do(s.request("POST /checkout", jsonType, strings.NewReader(`{"name":"a"}`), "Accept-Encoding", "gzip"))
	if res.Header.Get("Content-Encoding") != "gzip" || res.Header.Get("Privacy-Receipt") == "" {
		t.Fatalf("answered %v", res.Header)
	}
	z, err := gzip.NewReader(strings.NewReader(res.body))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := io.ReadAll(z); string(plain) != text || err != nil {
		t.Errorf("answered %q, %v", plain, err)
	}
}

// Server-sent events arrive one by one, not when the stream has ended.
func TestEventStream(t *testing.T) {
	s := startSite(t, options{before: "encode gzip"})
	next := make(chan string)
	s.upstream.answerWith(func(w *wire, c net.Conn, r *http.Request) bool {
		w.read(r)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
		for event := range next {
			_, _ = fmt.Fprintf(c, "%x\r\n%s\r\n", len(event), event)
		}
		_, _ = io.WriteString(c, "0\r\n\r\n")
		return false
	})
	c := s.client("site.sock")
	res, err := c.Do(s.request("GET /search?q=a", "", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // a test
	if res.Header.Get("Privacy-Receipt") == "" {
		t.Errorf("answered %v", res.Header)
	}
	for i := range 3 {
		event := fmt.Sprintf("data: %d\n\n", i)
		next <- event
		b := make([]byte, len(event))
		if _, err := io.ReadFull(res.Body, b); err != nil || string(b) != event {
			t.Fatalf("got %q, %v", b, err)
		}
	}
	close(next)
}

// Early hints go on at once and are not the answer: our headers are on that.
func TestEarlyHints(t *testing.T) {
	s := startSite(t, options{})
	s.upstream.answerWith(respond("HTTP/1.1 103 Early Hints\nLink: </a.css>; rel=preload\n\nHTTP/1.1 200 OK\nContent-Length: 2\n\nok"))
	r := s.request("POST /checkout", jsonType, strings.NewReader(`{"name":"a","x":1}`))
	var hints []textproto.MIMEHeader
	r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(status int, header textproto.MIMEHeader) error {
			if status == http.StatusEarlyHints {
				hints = append(hints, header)
			}
			return nil
		},
	}))
	res := s.do(r)
	if len(hints) != 1 || hints[0].Get("Privacy-Receipt") != "" || len(hints[0].Values("Link")) != 1 {
		t.Errorf("hints %v", hints)
	}
	if res.Header.Get("Privacy-Receipt") == "" || res.Header.Get("Privacy-Stripped") == "" || res.body != "ok" {
		t.Errorf("answered %v, %q", res.Header, res.body)
	}
}

func TestHead(t *testing.T) {
	s := startSite(t, options{})
	s.upstream.answerWith(respond("HTTP/1.1 200 OK\nContent-Length: 100\n\n"))
	res := s.do(s.request("HEAD /search?q=a&canary=1", "", nil))
	if got := s.upstream.next(); got.Method != http.MethodHead || got.URL.RawQuery != "q=a" {
		t.Errorf("forwarded %s %s", got.Method, got.URL)
	}
	if res.ContentLength != 100 || res.Header.Get("Privacy-Receipt") == "" {
		t.Errorf("answered %v", res.Header)
	}
	res = s.do(s.request("HEAD /search?q=%zz", "", nil, "Accept", "text/html"))
	if res.StatusCode != http.StatusBadRequest || res.body != "" || res.ContentLength <= 0 {
		t.Errorf("a refusal: answered %s with %d bytes, said %d", res.Status, len(res.body), res.ContentLength)
	}
}

// A refusal that no route of errors answers says what to fix.
func TestBareRefusal(t *testing.T) {
	s := startSite(t, options{})
	body := `{"name":"canary",`
	res := s.do(s.request("POST /checkout", jsonType, strings.NewReader(body)))
	var problem map[string]any
	if err := json.Unmarshal([]byte(res.body), &problem); err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusBadRequest || res.Header.Get("Content-Type") != "application/problem+json" || problem["status"] != 400.0 || problem["rule"] == "" || problem["offset"] != float64(len(body)) || problem["detail"] == "" {
		t.Errorf("answered %s %v", res.Status, problem)
	}
	if res.Header.Get("Privacy-Receipt") == "" || res.Header.Get("Cache-Control") != "no-store" || !strings.Contains(res.Header.Get("Vary"), "Accept") {
		t.Errorf("answered %v", res.Header)
	}
	res = s.do(s.request("POST /checkout", jsonType, strings.NewReader(body), "Accept", "text/html,*/*;q=0.8"))
	if res.Header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(res.body, "<h1>") || !strings.Contains(res.Header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("answered %v\n%s", res.Header, res.body)
	}
	if strings.Contains(res.body, "canary") {
		t.Errorf("answered %s", res.body)
	}
	s.upstream.none()
}

// The routes of handle_errors answer refusals as any other error.
func TestHandleErrors(t *testing.T) {
	s := startSite(t, options{before: `handle_errors {
		header X-Rule {http.minimize.rule}
		respond "{http.error.status_code} {http.error.message} {http.minimize.verdict}"
	}`})
	for _, test := range []struct{ on, contentType, body, rule, want string }{
		{"POST /checkout", jsonType, `{"canary":`, "json-syntax", "400 "},
		{"POST /order", formType, "canary=1", "required", "422 refused by the rule required: the field email is required refused"},
		{"POST /checkout", "text/canary", "canary", "media-type", "415 "},
	} {
		res := s.do(s.request(test.on, test.contentType, strings.NewReader(test.body)))
		if !strings.HasPrefix(res.body, test.want) || res.Header.Get("X-Rule") != test.rule || strings.Contains(res.body, "canary") {
			t.Errorf("%s: answered %v %q, want %q", test.on, res.Header, res.body, test.want)
		}
		if res.Header.Get("Privacy-Receipt") == "" {
			t.Errorf("%s: answered without a receipt: %v", test.on, res.Header)
		}
	}
	s.upstream.none()
}

// The routes of errors are the server's, for all its sites.
func TestHandleErrorsOfAnotherSite(t *testing.T) {
	s := startSite(t, options{})
	s.loadText(s.caddyfile(options{}) + `
http://other.test {
	bind unix/` + s.dir + `/site.sock
	minimize privacy.yaml
	handle_errors {
		respond "other"
	}
}`)
	for host, want := range map[string]string{"shop.test": `"rule":"json-syntax"`, "other.test": "other"} {
		r := s.request("POST /checkout", jsonType, strings.NewReader("{"))
		r.Host = host
		if res := s.do(r); res.StatusCode != http.StatusBadRequest || !strings.Contains(res.body, want) {
			t.Errorf("%s: answered %s %q", host, res.Status, res.body)
		}
	}
}

// The routes of errors begin with the request as it came. One that asks the
// application for its page of errors must not hand it what was refused; with
// the tracing handler before us, the server goes on with a copy that we
// never saw.
func TestHandleErrorsForwards(t *testing.T) {
	for _, tracing := range []string{"", "tracing"} {
		s := startSite(t, options{before: tracing + `
			handle_errors {
				reverse_proxy unix/APP_SOCKET
			}`})
		for _, test := range []struct {
			on, contentType string
			body            io.Reader
		}{
			{"POST /checkout?canary=1", "text/plain", strings.NewReader("canary=1")},
			{"POST /checkout?canary=1", jsonType, strings.NewReader(`{"canary":`)},
			{"POST /checkout?canary=1", jsonType, unsized(`{"canary":`)},
			{"POST /a/../checkout?canary=1", formType, strings.NewReader("canary=1")},
			{"POST /order?canary=1", formData, strings.NewReader(form(part{"canary", "", "canary"}))},
			{"POST /order", formData, strings.NewReader(form(part{"canary", "", "canary"}, part{"f", "f", strings.Repeat("canary", 400_000)}))},
			{"GET /search?canary=%zz", "", nil},
		} {
			s.do(s.request(test.on, test.contentType, test.body))
			for len(s.upstream.requests) > 0 {
				if got := s.upstream.next(); strings.Contains(got.raw, "canary") {
					t.Errorf("%q, %s: the page of errors got\n%.1000s", tracing, test.on, got.raw)
				}
			}
		}
		s.stop()
	}
}

func TestUpstreamDown(t *testing.T) {
	s := startSite(t, options{})
	_ = s.upstream.listener.Close()
	for _, r := range []*http.Request{
		s.request("POST /checkout", jsonType, strings.NewReader(`{"name":"a","canary":1}`)),
		s.request("POST /checkout", formData, strings.NewReader(form(part{"name", "", "a"}, part{"photo", "p", strings.Repeat("x", 2<<20)}))),
	} {
		if res := s.do(r); res.StatusCode != http.StatusBadGateway {
			t.Errorf("answered %s", res.Status)
		}
	}
	s.log.wait(t, `"msg":"submission"`, `"verdict":"minimized"`)
	s.log.wait(t, `"msg":"submission"`, `"rule":"incomplete"`)
}

// A streamed form is refused when part of it has gone on: the application
// sees its connection break, the sender the refusal.
func TestRefusalInMidStream(t *testing.T) {
	s := startSite(t, options{})
	good := form(part{"name", "", "Anna"}, part{"photo", "p", strings.Repeat("x", 2<<20)}, part{"canary", "", "canary"})
	for _, body := range []string{good + "epilogue", strings.TrimSuffix(good, "--\r\n"), strings.Replace(good, `"canary"`, `"name"`, 1)} {
		res := s.do(s.request("POST /checkout", formData, strings.NewReader(body), "Accept", "application/json"))
		if res.StatusCode != http.StatusBadRequest || res.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("answered %s %v", res.Status, res.Header)
		}
		got := s.upstream.next()
		if got.err == nil || strings.Contains(got.raw, "canary") || got.body == "" {
			t.Errorf("the application got %d bytes, and then %v", len(got.body), got.err)
		}
	}
}

func TestStreamedUpload(t *testing.T) {
	s := startSite(t, options{})
	content := strings.Repeat("0123456789", 500_000)
	body := form(part{"subscribe", "", "on"}, part{"birthday", "", "1980"}, part{"canary", "", "1"}, part{"photo", "p", content}, part{"name", "", "Anna"}, part{"other", "o", content})
	for _, b := range []io.Reader{strings.NewReader(body), unsized(body)} {
		res := s.do(s.request("POST /checkout", formData, b))
		got := s.upstream.next()
		if fields := readable(t, got); fields != "birthday=1980 photo=p:"+content+" name=Anna" && fields != "subscribe=on birthday=1980 photo=p:"+content+" name=Anna" {
			t.Errorf("forwarded %.200q", fields)
		}
		// Some applications find a body in chunks empty.
		if _, sized := b.(*strings.Reader); sized != (got.ContentLength == int64(len(got.body))) {
			t.Errorf("forwarded %d bytes with the length %d", len(got.body), got.ContentLength)
		}
		// The application read all of it before it answered.
		if stripped := res.Header.Get("Privacy-Stripped"); res.StatusCode != http.StatusOK || !strings.Contains(stripped, `"canary"`) || !strings.Contains(stripped, `"other"`) {
			t.Errorf("answered %s, told %q", res.Status, stripped)
		}
	}
}

// An application may answer before it has read the body, and never read it.
func TestEarlyAnswer(t *testing.T) {
	s := startSite(t, options{})
	s.upstream.answerWith(func(_ *wire, c net.Conn, _ *http.Request) bool {
		_, _ = io.WriteString(c, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
		return false
	})
	res := s.do(s.request("POST /checkout", formData, strings.NewReader(form(part{"name", "", "Anna"}, part{"photo", "p", strings.Repeat("x", 3<<20)}))))
	// It depends on the transport's luck whether the answer or the broken
	// connection comes first.
	if res.StatusCode == http.StatusForbidden && res.Header.Get("Privacy-Receipt") == "" || res.StatusCode != http.StatusForbidden && res.StatusCode < 500 {
		t.Errorf("answered %s %v", res.Status, res.Header)
	}
	s.log.wait(t, `"msg":"submission"`, `"verdict":"refused"`, `"rule":"incomplete"`)
}

// webSocket answers a handshake, and every byte with itself.
func webSocket(w *wire, c net.Conn, r *http.Request) bool {
	w.read(r)
	_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: "+r.Header.Get("Upgrade")+"\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
	_, _ = io.Copy(c, c)
	return false
}

func handshake(c net.Conn, path, protocol string) (*http.Response, *bufio.Reader, error) {
	_, _ = fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: shop.test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: %s\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n", path, protocol)
	br := bufio.NewReader(c)
	res, err := http.ReadResponse(br, nil)
	return res, br, err
}

func TestWebSocket(t *testing.T) {
	s := startSite(t, options{minimize: "uninspected pass"})
	s.upstream.answerWith(webSocket)
	c := s.dial()
	res, br, err := handshake(c, "/socket?room=1", "websocket") //nolint:bodyclose // the connection is closed
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols || res.Header.Get("Privacy-Receipt") == "" {
		t.Fatalf("answered %v, %v", res, err)
	}
	for _, message := range []string{"one", "two"} {
		_, _ = io.WriteString(c, message)
		b := make([]byte, len(message))
		if _, err := io.ReadFull(br, b); err != nil || string(b) != message {
			t.Fatalf("got %q, %v", b, err)
		}
	}
	if got := s.upstream.next(); got.URL.RawQuery != "room=1" {
		t.Errorf("forwarded %s", got.URL)
	}
	_ = c.Close()
	// A route that a collection declares is no tunnel.
	if res, _, err := handshake(s.dial(), "/search", "websocket"); err != nil || res.StatusCode != http.StatusForbidden { //nolint:bodyclose // the connection is closed
		t.Errorf("a declared route: answered %v, %v", res, err)
	}
	s.load(options{})
	if res, _, err := handshake(s.dial(), "/socket", "websocket"); err != nil || res.StatusCode != http.StatusForbidden { //nolint:bodyclose // the connection is closed
		t.Errorf("uninspected reject: answered %v, %v", res, err)
	}
	s.upstream.none()
}

// An application that speaks HTTP/2 in clear text takes an offer of h2c, and
// the client then speaks to it past us ("h2c smuggling").
func TestNoTunnelOfH2C(t *testing.T) {
	for _, o := range []options{{}, {minimize: "mode report"}, {minimize: "except /free"}, {minimize: "uninspected pass"}} {
		s := startSite(t, o)
		s.upstream.answerWith(func(w *wire, c net.Conn, r *http.Request) bool {
			if r.Header.Get("Upgrade") != "" {
				return webSocket(w, c, r)
			}
			return w.ok(c, r)
		})
		for _, path := range []string{"/", "/free", "/search", "/search?q=a"} {
			res, _, err := handshake(s.dial(), path, "h2c") //nolint:bodyclose // the connection is closed
			if err != nil || res.StatusCode == http.StatusSwitchingProtocols {
				t.Errorf("%q %s: answered %v, %v", o.minimize, path, res, err)
			}
			if got := s.upstream.next(); got.Header.Get("Upgrade") != "" || got.Header.Get("Http2-Settings") != "" {
				t.Errorf("%q %s: forwarded %v", o.minimize, path, got.Header)
			}
		}
		s.stop()
	}
}

func TestExcept(t *testing.T) {
	s := startSite(t, options{minimize: "except /free /assets/*"})
	for path, free := range map[string]bool{
		"/free": true, "/assets/a": true, "/assets/a/b": true, "/other": false,
		// The matcher cleans a path, the application may not.
		"/assets/../checkout": false, "/assets/%2e%2e/checkout": false, "/assets//a": false, "/x/..;/assets/a": false,
	} {
		res := s.do(s.request("POST "+path, formType, strings.NewReader("canary=1"), "Privacy-Receipt", "forged", "X-Original-Url", "/checkout"))
		if !free && res.StatusCode >= 400 {
			continue // refused
		}
		got := s.upstream.next()
		if (got.body == "canary=1") != free || got.Header.Get("Privacy-Receipt") == "forged" || got.Header.Get("X-Original-Url") != "" {
			t.Errorf("%s: forwarded %q, %v", path, got.body, got.Header)
		}
	}
	s.upstream.none()
}

// In report mode the application gets the bytes that came.
func TestReportMode(t *testing.T) {
	s := startSite(t, options{minimize: "mode report"})
	large := form(part{"name", "", "a"}, part{"x", "f", strings.Repeat("x", 3<<20)})
	for _, test := range []struct{ on, contentType, body, verdict string }{
		{"POST /checkout?x=%zz", jsonType, `{"name": "a", "x":1}`, `"verdict":"refused"`},
		{"POST /checkout", jsonType, ` {"name" : "a", "x":1}`, `"verdict":"minimized"`},
		{"POST /nowhere", formType, "a=b;c", `"rule":"undeclared"`},
		{"POST /checkout", formData, large, `"verdict":"minimized"`},
		{"POST /checkout", formData, large + "x", `"verdict":"refused"`},
	} {
		for _, body := range []io.Reader{strings.NewReader(test.body), unsized(test.body)} {
			s.log.reset()
			res := s.do(s.request(test.on, test.contentType, body, "Content-Md5", "x", "X-Http-Method-Override", "PUT"))
			if res.StatusCode != http.StatusOK || res.Header.Get("Privacy-Receipt")+res.Header.Get("Link") != "" {
				t.Errorf("%s: answered %s %v", test.on, res.Status, res.Header)
			}
			got := s.upstream.next()
			if got.body != test.body || got.Method+" "+got.URL.String() != test.on || got.Header.Get("Content-Md5") == "" || got.Header.Get("X-Http-Method-Override") == "" || got.Header.Get("Content-Type") != test.contentType {
				t.Errorf("%s: forwarded %.1000s", test.on, got.raw)
			}
			s.log.wait(t, `"msg":"submission"`, `"mode":"report"`, test.verdict)
		}
	}
}

// A client that stalls is told so.
func TestBodyTimeout(t *testing.T) {
	s := startSite(t, options{minimize: "body_timeout 100ms"})
	c := s.dial()
	_, _ = io.WriteString(c, "POST /checkout HTTP/1.1\r\nHost: shop.test\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
	start := time.Now()
	res, err := http.ReadResponse(bufio.NewReader(c), nil) //nolint:bodyclose // as above
	if err != nil || res.StatusCode != http.StatusRequestTimeout {
		t.Errorf("answered %v, %v", res, err)
	}
	if took := time.Since(start); took > patience/2 {
		t.Errorf("took %v", took)
	}
	s.upstream.none()
}

// The server's own limit of a body is one too.
func TestRequestBodyLimit(t *testing.T) {
	s := startSite(t, options{before: "request_body {\n max_size 10B\n }"})
	res := s.do(s.request("POST /checkout", jsonType, unsized(`{"name":"a long one"}`)))
	if res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("answered %s", res.Status)
	}
	s.upstream.none()
}

// A visitor whose form no collection declares is told so in their language, and not
// what the operator can do about it. A program is told that too.
func TestUndeclaredRefusal(t *testing.T) {
	s := startSite(t, options{})
	for accept, want := range map[string]string{"ru-RU,ru;q=0.9": "Вы всё сделали правильно", "de": "You did nothing wrong"} {
		res := s.do(s.request("POST /nowhere", formType, strings.NewReader("a=1"), "Accept", "text/html", "Accept-Language", accept))
		if res.StatusCode != http.StatusForbidden || !strings.Contains(res.body, want) || strings.Contains(res.body, "undeclared strip") {
			t.Errorf("%s: answered %s %s", accept, res.Status, res.body)
		}
	}
	res := s.do(s.request("POST /nowhere", formType, strings.NewReader("a=1")))
	for _, want := range []string{`"rule":"undeclared"`, `"route":"POST /nowhere"`, `"policy":"`, `undeclared strip`, `mode report`} {
		if !strings.Contains(res.body, want) {
			t.Errorf("the answer does not say %s: %s", want, res.body)
		}
	}
	s.log.wait(t, `"rule":"undeclared"`, `"remedy":"declare the route`)
	s.upstream.none()
}
