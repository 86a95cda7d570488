package minimize

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/dunglas/httpsfv"
	"github.com/google/go-cmp/cmp"
)

// What a submission's headers become. Each attack makes the application read
// the body, or the request, otherwise than we did.
func TestRequestHeaders(t *testing.T) {
	for _, test := range []struct {
		attack      string
		name, value string
		gone        bool
	}{
		{"an application believes our word for a purpose", "Privacy-Purpose", "everything", true},
		{"an application stores a receipt that never was", "Privacy-Receipt", "forged", true},
		{"any other header of the family", "Privacy-Whatever", "x", true},
		{"a header whose name is only alike", "Privacyx", "x", false},
		{"POST is taken for DELETE", "X-HTTP-Method-Override", "PATCH", true},
		{"as above", "X-HTTP-Method", "PATCH", true},
		{"as above", "X-Method-Override", "PATCH", true},
		{"Symfony and IIS take the path from a header", "X-Original-URL", "/admin", true},
		{"as above", "X-Rewrite-URL", "/admin", true},
		{"Spring and Werkzeug put it before the path", "X-Forwarded-Prefix", "/admin", true},
		{"applications take the path or the query from it", "X-Forwarded-Uri", "/search?ssn=1", true},
		{"applications take the host from it", "Forwarded", "host=other.example", true},
		{"as above", "X-Host", "other.example", true},
		{"CherryPy takes it for the Content-Type", "Content_Type", "text/plain", true},
		{"PSGI takes it for the Transfer-Encoding", "Transfer_Encoding", "chunked", true},
		{"PHP turns a dot into an underscore", "Content.Type", "text/plain", true},
		{"what is read in chunks is read otherwise", "Transfer-Encoding", "gzip", true},
		{"trailers could be merged into the headers", "Trailer", "Content-Type", true},
		{"as above", "TE", "trailers", true},
		{"the rest of the connection is something else", "Keep-Alive", "1", true},
		{"as above", "Proxy-Connection", "upgrade", true},
		{"the upgrade to h2c leads past us", "HTTP2-Settings", "AAMAAABkAAQAAP__", true},
		{"the body was read already", "Expect", "100-continue", true},
		{"the digest of other bytes", "Content-Digest", "sha-256=:AA==:", true},
		{"as above", "Repr-Digest", "sha-256=:AA==:", true},
		{"as above", "Digest", "SHA-256=AA==", true},
		{"as above", "Content-MD5", "AA==", true},
		{"a part of other bytes", "Content-Range", "bytes 0-1/2", true},
		{"an honest header", "X-Request-Id", "1", false},
		{"an honest header", "Cookie", "a=b", false},
		{"an honest header", "Authorization", "Bearer x", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, _ := newEngine(t, shop)
			r := request("POST /checkout", jsonType, strings.NewReader(`{"name":"a"}`))
			r.Header[http.CanonicalHeaderKey(test.name)] = []string{test.value}
			got := process(e, r)
			if got.Refusal != nil {
				t.Fatal(got.Refusal)
			}
			values := got.header[http.CanonicalHeaderKey(test.name)]
			gone := len(values) == 0 || values[0] != test.value
			if gone != test.gone {
				t.Errorf("%s: %s became %q, want it gone: %v", test.attack, test.name, values, test.gone)
			}
		})
	}
}

// Connection names headers that a proxy behind us would remove: they are
// removed before we look, so that we read what the application reads.
func TestConnectionHeaders(t *testing.T) {
	e, _ := newEngine(t, shop)
	got := process(e, request("POST /checkout", jsonType, strings.NewReader(`{"name":"a"}`),
		"Connection", "close , x-one", "Connection", "X-Two,x-three", "X-One", "1", "X-Two", "2", "X-Three", "3", "X-Four", "4"))
	want := http.Header{"Content-Type": {jsonType}, "Content-Length": {"12"}, "X-Four": {"4"}, "Privacy-Purpose": {"delivery"}, "Privacy-Receipt": {"receipt-1"}}
	if diff := cmp.Diff(want, got.header); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
}

// What is written anew says so.
func TestForwardedHeaders(t *testing.T) {
	for _, test := range []struct{ name, contentType, body, want string }{
		{"of the parameters the charset stays", "Application/JSON; charset=UTF-8", `{"name":"a"}`, "application/json; charset=utf-8"},
		{"a suffix stays", "application/merge-patch+json", `{"name":"a"}`, "application/merge-patch+json"},
		{"form", "application/x-www-form-urlencoded", "name=a", "application/x-www-form-urlencoded"},
	} {
		e, _ := newEngine(t, shop)
		r := request("POST /checkout", test.contentType, strings.NewReader(test.body), "Content-Encoding", "identity")
		r.TransferEncoding = []string{"chunked"}
		r.ContentLength = -1
		r.Trailer = http.Header{"X-Trailer": nil}
		got := process(e, r)
		if got.header.Get("Content-Type") != test.want || got.header.Get("Content-Encoding") != "" || r.TransferEncoding != nil || r.Trailer != nil {
			t.Errorf("%s: forwarded %v, transfer encoding %v, trailer %v", test.name, got.header, r.TransferEncoding, r.Trailer)
		}
	}
}

// A request that submits nothing must not become one that does, nor open a
// way past us.
func TestShield(t *testing.T) {
	for _, mode := range []Mode{Enforce, Report} {
		e, _ := newEngine(t, shop, func(e *Engine) { e.Mode = mode })
		r := request("GET /page?name=a", "", nil,
			"Privacy-Purpose", "x", "X-Http-Method-Override", "POST", "X-Original-Url", "/checkout", "X-Rewrite-Url", "/checkout",
			"Connection", "Upgrade, HTTP2-Settings", "Upgrade", "h2c", "Http2-Settings", "AAMAAABkAAQAAP__")
		if got := process(e, r); got.Submission != nil {
			t.Fatalf("%v: got %+v, want nothing", mode, got.Submission)
		}
		want := http.Header{"Connection": {"Upgrade, HTTP2-Settings"}}
		if mode == Report {
			want["X-Http-Method-Override"], want["X-Original-Url"], want["X-Rewrite-Url"] = []string{"POST"}, []string{"/checkout"}, []string{"/checkout"}
		}
		if diff := cmp.Diff(want, r.Header); diff != "" {
			t.Errorf("%v: headers (-want +got):\n%s", mode, diff)
		}
	}
}

// A proxy that the operator trusts knows under which path and host the client
// came; it does not say which method the client meant, nor another URL.
func TestShieldTrustsProxies(t *testing.T) {
	for _, trusted := range []bool{false, true} {
		e, _ := newEngine(t, shop, func(e *Engine) { e.Trusted = func(*http.Request) bool { return trusted } })
		r := request("GET /search?q=1", "", nil, "X-Forwarded-Prefix", "/shop", "X-Original-URL", "/admin", "X_Forwarded_Uri", "/")
		got := process(e, r)
		if (got.header.Get("X-Forwarded-Prefix") != "") != trusted || got.header.Get("X-Original-Url") != "" || len(got.header["X_forwarded_uri"]) > 0 && !trusted {
			t.Errorf("trusted %v: forwarded %v", trusted, got.header)
		}
	}
}

// CGI, PHP, WSGI and Rack read Privacy_Receipt as Privacy-Receipt: a visitor
// who writes it so would sign with our name, also where nothing is submitted
// and where submissions are only reported.
func TestShieldFromOtherSpellings(t *testing.T) {
	for _, mode := range []Mode{Enforce, Report} {
		e, _ := newEngine(t, shop, func(e *Engine) { e.Mode = mode })
		for _, name := range []string{"Privacy_purpose", "PRIVACY_RECEIPT", "Privacy.receipt", "privacy-receipt", "X_http_method_override", "X_ORIGINAL_URL"} {
			r := request("GET /page", "", nil)
			r.Header[name] = []string{"x"}
			process(e, r)
			stays := mode == Report && name[0] == 'X'
			if got := r.Header[name] != nil; got != stays {
				t.Errorf("%v: %s passes: %v, want %v", mode, name, got, stays)
			}
		}
		r := request("GET /page", "", nil, "X_Request_Id", "x", "Privacy", "x")
		if process(e, r); len(r.Header) != 2 {
			t.Errorf("%v: of honest headers %v are left", mode, r.Header)
		}
	}
}

// Who lets WebSockets pass does not let h2c pass: an offer of both would let
// the application choose the tunnel.
func TestShieldFromTunnels(t *testing.T) {
	for offer, passes := range map[string]bool{
		"websocket": true, "WebSocket": true, "h2c": false, "H2C": false, "h2c, websocket": false, "websocket,h2c": false, "h2c,": false, "h2c-14": true,
	} {
		e, _ := newEngine(t, shop, func(e *Engine) { e.Uninspected = Pass })
		r := request("GET /page", "", nil, "Connection", "Upgrade", "Upgrade", offer)
		process(e, r)
		if got := len(r.Header["Upgrade"]) > 0; got != passes {
			t.Errorf("the offer %q passes: %v, want %v", offer, got, passes)
		}
	}
	e, _ := newEngine(t, shop, func(e *Engine) { e.Uninspected = Pass })
	r := request("GET /page", "", nil, "Connection", "Upgrade", "Upgrade", "websocket", "Upgrade", "h2c")
	if process(e, r); r.Header["Upgrade"] != nil {
		t.Error("a second offer passes")
	}
}

// Names are the client's: whatever they hold, the header is one structured
// field, and no line of it begins another header.
func TestStrippedHeader(t *testing.T) {
	names := []string{
		"shoe_size", "имя отца", `quo"te`, `back\slash`, "tab\there", "line\r\nSet-Cookie: a=b", "nul\x00", "del\x7f",
		"percent%41", "comma, semicolon;x=1", "", "emoji 👟", "a", strings.Repeat("x", 200),
	}
	for i := range 20 {
		names = append(names, "more"+string(rune('a'+i)))
	}
	var body strings.Builder
	body.WriteString(`{"birthday":"1980","phone":"diary"`)
	for _, name := range names {
		body.WriteString("," + string(appendJSON(name)) + ":1")
	}
	body.WriteString("}")
	e, _ := newEngine(t, shop)
	got := process(e, request("POST /checkout", jsonType, strings.NewReader(body.String())))
	if got.Refusal != nil {
		t.Fatal(got.Refusal)
	}
	header := got.told.Get("Privacy-Stripped")
	if strings.ContainsFunc(header, func(r rune) bool { return r < ' ' || r > '~' }) {
		t.Errorf("the header holds more than printable ASCII: %q", header)
	}
	list, err := httpsfv.UnmarshalList([]string{header})
	if err != nil {
		t.Fatalf("parsing %q: %v", header, err)
	}
	told := map[string]any{}
	for _, member := range list {
		item := member.(httpsfv.Item)
		reason, _ := item.Params.Get("reason")
		var name string
		switch v := item.Value.(type) {
		case string:
			name = v
		case httpsfv.DisplayString:
			name = string(v)
		case httpsfv.Token:
			name = "token " + string(v)
		}
		told[name] = reason
	}
	for _, name := range names[:14] {
		path := strings.NewReplacer(`\`, `\\`, ".", `\.`).Replace(name) // as a policy would write it
		if told[path] != httpsfv.Token("no_purpose") {
			t.Errorf("%q is told as %v", name, told[path])
		}
	}
	if told["birthday"] != httpsfv.Token("no_consent") || told["phone"] != httpsfv.Token("wrong_type") || told["token others"] != httpsfv.Token("no_purpose") {
		t.Errorf("told %v", told)
	}
	if len(list) != 2+16+1 {
		t.Errorf("told %d names, want the declared two, the first sixteen and that there are more", len(list))
	}
}

// Who sent a name may be told of it; who reads the server's log may not.
func TestConceal(t *testing.T) {
	long := strings.Repeat("n", 250)
	for _, test := range []struct{ on, contentType, body, want, concealed string }{
		{"POST /checkout", jsonType, `{"anna":1,"birthday":2}`, `"birthday";reason=no_consent, "anna";reason=no_purpose`, `"birthday";reason=no_consent, others;reason=no_purpose`},
		{"POST /checkout", jsonType, `{"anna":1}`, `"anna";reason=no_purpose`, `others;reason=no_purpose`},
		{"POST /checkout", jsonType, `{"birthday":2}`, `"birthday";reason=no_consent`, `"birthday";reason=no_consent`},
		// A path too long to be told is another.
		{"POST /checkout", jsonType, `{"address":{"` + long + `":1}}`, `others;reason=no_purpose`, `others;reason=no_purpose`},
		{"POST /checkout", jsonType, `{"name":2}`, ``, ``},
		{"POST /upload", formData, bigForm(), `"ssn";reason=no_purpose`, `others;reason=no_purpose`},
	} {
		e, _ := newEngine(t, shop)
		r := request(test.on, test.contentType, strings.NewReader(test.body))
		s := e.Process(context.Background(), httptest.NewRecorder(), r)
		_, _ = io.Copy(io.Discard, r.Body)
		told := http.Header{}
		s.Announce(told)
		if got := told.Get("Privacy-Stripped"); got != test.want {
			t.Errorf("%.60s: told %s, want %s", test.body, got, test.want)
		}
		s.Conceal(told)
		if got := told.Get("Privacy-Stripped"); got != test.concealed {
			t.Errorf("%.60s: concealed %s, want %s", test.body, got, test.concealed)
		}
		s.Close()
	}
}

// appendJSON writes a JSON string without any of our code.
func appendJSON(s string) []byte {
	b := []byte{'"'}
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < ' ':
			b = append(b, []byte(`\u00`)...)
			b = append(b, "0123456789abcdef"[r>>4], "0123456789abcdef"[r&15])
		default:
			b = append(b, string(r)...)
		}
	}
	return append(b, '"')
}

func TestAnnounce(t *testing.T) {
	e, _ := newEngine(t, shop)
	told := http.Header{
		// What the application says of itself is not our word.
		"Privacy-Purpose": {"everything"}, "Privacy-Stripped": {`"nothing"`}, "Privacy-Receipt": {"a", "b"},
		"Link": {`</style.css>; rel=preload`},
	}
	s := e.Process(context.Background(), nil, request("POST /checkout", jsonType, strings.NewReader(`{"name":"a","csrf_token":"b"}`)))
	defer s.Close()
	s.Announce(told)
	want := http.Header{
		"Privacy-Purpose": {"delivery"}, "Privacy-Receipt": {`"receipt-1"`},
		"Link": {`</style.css>; rel=preload`, `</privacy>; rel="privacy-policy"`},
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	for name, parse := range map[string]func([]string) error{
		"Privacy-Purpose": func(v []string) error { _, err := httpsfv.UnmarshalList(v); return err },
		"Privacy-Receipt": func(v []string) error { _, err := httpsfv.UnmarshalItem(v); return err },
	} {
		if err := parse(told[name]); err != nil {
			t.Errorf("parsing %s: %v", name, err)
		}
	}
	silent := http.Header{}
	e.Mode = Report
	s = e.Process(context.Background(), nil, request("POST /checkout", jsonType, strings.NewReader(`{"name":"a"}`)))
	defer s.Close()
	if s.Announce(silent); len(silent) > 0 {
		t.Errorf("report mode tells %v", silent)
	}
}

func TestTokenList(t *testing.T) {
	for _, test := range []struct {
		names []string
		want  string
	}{
		{nil, ""},
		{[]string{"delivery", "a-b_c.d"}, "delivery, a-b_c.d"},
		{[]string{"1st", "two words", "доставка", `q"`, "50%"}, `"1st", "two words", %"%d0%b4%d0%be%d1%81%d1%82%d0%b0%d0%b2%d0%ba%d0%b0", "q\"", "50%"`},
	} {
		got := tokenList(test.names)
		if got != test.want {
			t.Errorf("tokenList(%q) = %s, want %s", test.names, got, test.want)
		}
		if list, err := httpsfv.UnmarshalList([]string{got}); err != nil || len(list) != len(test.names) {
			t.Errorf("parsing %s: %v, %v", got, list, err)
		}
	}
}
