package minimize

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/policy"
)

// hooks is a policy with routes that pass whole.
const hooks = `
version: 1
purposes:
  order: {title: Order, basis: contract, retention: 1y}
  measure: {title: Measure, basis: legitimate_interests, retention: 1y, objection: gpc}
  technical: {title: Work, basis: not_personal}
collections:
  hook:
    on: [POST /hook, GET /hook]
    whole: order
    types: [application/json, application/x-www-form-urlencoded, text/xml]
    max: 2MiB
  git:
    on: /git/
    whole: technical
  beacon:
    on: POST /beacon
    whole: measure
  contact:
    on: POST /contact
    fields: {name: order}
  other:
    on: POST /HOOK
    fields: {name: order}
`

// wholeCases are requests to routes that pass whole, and the rule that refuses
// them.
var wholeCases = []struct {
	name, on, contentType, body string
	headers                     []string
	verdict                     Verdict
	rule                        string
	status                      int
}{
	{name: "JSON with its spaces", on: "POST /hook?a=%2b&a=b&c", contentType: jsonType + "; charset=UTF-8", body: "{ \"a\" : 1.50,\n\"a\":\"\\u0041;&=\"}", verdict: Whole},
	{name: "what is no JSON", on: "POST /hook", contentType: jsonType, body: "{", verdict: Whole},
	{name: "a form of another charset", on: "POST /hook", contentType: formType + "; charset=windows-1252", body: "a=%EB&a=\xeb&__proto__=1", verdict: Whole},
	{name: "parameters of SOAP", on: "POST /hook?wsdl", contentType: `text/xml; charset=utf-8; action="urn:a"`, body: "<a/>", verdict: Whole},
	{name: "a type in capitals", on: "POST /hook", contentType: "Text/XML", body: "<a/>", verdict: Whole},
	{name: "a coded body stays coded", on: "POST /hook", contentType: jsonType, body: gzipped("{}"), headers: []string{"Content-Encoding", "gzip", "Content-Digest", "sha-256=:x:", "Content-Range", "bytes 0-1/2"}, verdict: Whole},
	{name: "an unknown coding", on: "POST /hook", contentType: jsonType, body: "?", headers: []string{"Content-Encoding", "foo"}, verdict: Whole},
	{name: "larger than max_body", on: "POST /hook", contentType: jsonType, body: strings.Repeat("0123456789abcdef", 100_000), verdict: Whole},
	{name: "exactly max", on: "POST /hook", contentType: jsonType, body: strings.Repeat("x", 2<<20), verdict: Whole},
	{name: "a query alone", on: "GET /hook?a=%zz;b", verdict: Whole},
	{name: "a query of a subtree", on: "GET /git/a/info/refs?service=git-upload-pack", verdict: Whole},
	{name: "any type", on: "POST /git/a/git-receive-pack", contentType: "application/x-git-receive-pack-request", body: "0032\x00\xff", verdict: Whole},
	{name: "any type, none", on: "PUT /git/a", body: "x", verdict: Whole},
	{name: "one byte", on: "PUT /git/a", body: "x", verdict: Whole},
	// A framework of 41 reads a form under JSON's route, if the type says so.
	{name: "another type", on: "POST /hook", contentType: formData, body: form(part{"a", "", "b"}), verdict: Refused, rule: "media-type", status: 415},
	{name: "no type", on: "POST /hook", body: "{}", verdict: Refused, rule: "media-type", status: 415},
	// 21 frameworks take the first of two types, 8 the last.
	{name: "two types", on: "POST /hook", contentType: jsonType, body: "{}", headers: []string{"Content-Type", "text/plain"}, verdict: Refused, rule: "content-type-repeated", status: 415},
	{name: "two types in one", on: "POST /hook", contentType: jsonType + ", text/plain", body: "{}", verdict: Refused, rule: "content-type-syntax", status: 415},
	// Connection names what a proxy removes on the way: the type would be gone.
	{name: "a type that is to be removed on the way", on: "POST /hook", contentType: jsonType, body: "{}", headers: []string{"Connection", "content-type"}, verdict: Refused, rule: "media-type", status: 415},
	{name: "larger than max", on: "POST /hook", contentType: jsonType, body: strings.Repeat("x", 2<<20+1), verdict: Refused, rule: "body-size", status: 413},
	{name: "an upgrade", on: "GET /git/a", headers: []string{"Connection", "Upgrade", "Upgrade", "websocket"}, verdict: Refused, rule: "upgrade", status: 403},
	// Express and Rails serve /hook for these, another application may serve a
	// route that nobody declared: what is not read must be meant.
	{name: "a path that is not spelled as declared", on: "POST /hook/", contentType: jsonType, body: "{}", verdict: Refused, rule: "ambiguous-route", status: 400},
	{name: "a suffix", on: "POST /hook.json", contentType: jsonType, body: "{}", verdict: Refused, rule: "ambiguous-route", status: 400},
	{name: "another collection by letter case", on: "POST /Hook", contentType: jsonType, body: "{}", verdict: Refused, rule: "ambiguous-route", status: 400},
	{name: "a dot segment", on: "POST /git/../contact", contentType: jsonType, body: "{}", verdict: Refused, rule: "ambiguous-path", status: 400},
}

func TestWhole(t *testing.T) {
	for _, test := range wholeCases {
		t.Run(test.name, func(t *testing.T) {
			for _, chunked := range []bool{false, true} {
				e, j := newEngine(t, hooks)
				var body io.Reader
				length := int64(len(test.body))
				if test.body != "" {
					body = strings.NewReader(test.body)
					if chunked {
						body, length = unsized(test.body), -1
					}
				}
				r := request(test.on, test.contentType, body, test.headers...)
				want := r.Header.Clone()
				target := r.URL.RequestURI()
				got := process(e, r)
				entry := j.only(t)
				rule := got.rule()
				if refusal := got.StreamRefusal(); refusal != nil {
					rule = refusal.Rule
				}
				if rule != test.rule || entry.Rule != test.rule || entry.Status != test.status || entry.Verdict != test.verdict {
					t.Fatalf("chunked %v: rule %q, recorded %q with %d as %v; want %q", chunked, rule, entry.Rule, entry.Status, entry.Verdict, test.rule)
				}
				if test.rule != "" {
					if got.err == nil && got.body != "" || len(got.body) == len(test.body) && test.body != "" {
						t.Errorf("chunked %v: forwarded all %d bytes of what is refused", chunked, len(got.body))
					}
					continue
				}
				if got.err != nil || got.body != test.body || r.ContentLength != length || r.URL.RequestURI() != target {
					t.Errorf("chunked %v: forwarded %d bytes as %d to %s, %v", chunked, len(got.body), r.ContentLength, r.URL, got.err)
				}
				for name := range want {
					if name != "Connection" && !cmp.Equal(want[name], r.Header[name]) {
						t.Errorf("%s: forwarded %q, want %q", name, r.Header[name], want[name])
					}
				}
				if entry.Receipt == "" || r.Header.Get("Privacy-Receipt") != entry.Receipt || got.told.Get("Privacy-Stripped") != "" {
					t.Errorf("forwarded %v, told %v", r.Header, got.told)
				}
			}
		})
	}
}

// The rules about headers are in force: what passes whole is the content.
func TestWholeHeaders(t *testing.T) {
	e, j := newEngine(t, hooks)
	r := request("POST /hook", jsonType, strings.NewReader("{}"),
		"X-Signature", "t=1", "X_Signature", "forged", "Privacy-Purpose", "forged", "X-Http-Method-Override", "DELETE",
		"Te", "trailers", "Keep-Alive", "1", "Connection", "x-secret", "X-Secret", "1")
	r.Trailer = http.Header{"X": nil}
	got := process(e, r)
	want := http.Header{
		"Content-Type": {jsonType}, "X-Signature": {"t=1"},
		"Privacy-Purpose": {"order"}, "Privacy-Receipt": {j.only(t).Receipt},
	}
	if diff := cmp.Diff(want, got.header); diff != "" || r.Trailer != nil {
		t.Errorf("forwarded (-want +got):\n%s", diff)
	}
	if got.told.Get("Privacy-Purpose") != "order" || got.told.Get("Privacy-Receipt") == "" || got.told.Get("Link") == "" {
		t.Errorf("told %v", got.told)
	}
	if entry := j.only(t); !cmp.Equal(entry.Purposes, []string{"order"}) || entry.Collection != "hook" || entry.Undeclared != 0 || len(entry.Kept) > 0 {
		t.Errorf("recorded %+v", entry)
	}
}

// A person who objected to the purpose cannot be given less of what is not read:
// nothing passes.
func TestWholeObjected(t *testing.T) {
	objection := &objectors{}
	e, j := newEngine(t, hooks, func(e *Engine) { e.Consents = objection })
	if got := process(e, request("POST /beacon", "text/plain", strings.NewReader("x"))); got.rule() != "" || got.body != "x" {
		t.Errorf("without an objection: rule %q, forwarded %q", got.rule(), got.body)
	}
	objection.objected, j.entries = true, nil
	got := process(e, request("POST /beacon", "text/plain", strings.NewReader("x")))
	if entry := j.only(t); got.rule() != "objected" || entry.Status != http.StatusForbidden || len(entry.Purposes) > 0 || got.body != "" {
		t.Errorf("after an objection: rule %q, forwarded %q, recorded %+v", got.rule(), got.body, entry)
	}
}

// objectors are people who may have objected to everything.
type objectors struct {
	people

	objected bool
}

func (o *objectors) Standing(_ context.Context, inq *consent.Inquiry) (consent.Answer, error) {
	answer := consent.Answer{Source: "gpc"}
	if o.objected {
		answer.Standing = policy.Standing{Objected: inq.Purposes}
	}
	return answer, nil
}

// An application that gets the last byte of a body of known length takes it for
// whole: what cannot be recorded must lack it. No record, no delivery.
func TestWholeUnrecorded(t *testing.T) {
	for _, mode := range []Mode{Enforce, Report} {
		e, j := newEngine(t, hooks, func(e *Engine) { e.Mode = mode })
		j.before = func(*Entry) error { return errors.New("the disk is full") }
		got := process(e, request("POST /hook", jsonType, strings.NewReader(`{"a":1}`)))
		if got.err == nil || got.body == `{"a":1}` || got.StreamRefusal() == nil || got.StreamRefusal().Status != http.StatusServiceUnavailable {
			t.Errorf("%v: forwarded %q, %v, %v", mode, got.body, got.err, got.StreamRefusal())
		}
	}
}

// The body breaks off: the application does not take the part for the whole, and
// what became of it is recorded.
func TestWholeBroken(t *testing.T) {
	broken := errors.New("reset by the client")
	for _, mode := range []Mode{Enforce, Report} {
		e, j := newEngine(t, hooks, func(e *Engine) { e.Mode = mode })
		got := process(e, request("POST /hook", jsonType, failingReader{strings.NewReader(`{"a":1}`), broken}))
		if entry := j.only(t); got.err == nil || got.body != `{"a":1` || entry.Rule != "incomplete" || entry.Verdict != Refused {
			t.Errorf("%v: forwarded %q, %v, recorded %+v", mode, got.body, got.err, entry)
		}
		j.entries = nil
		abandoned := e.Process(t.Context(), nil, request("POST /hook", jsonType, strings.NewReader(`{"a":1}`)))
		abandoned.Close()
		if entry := j.only(t); entry.Rule != "incomplete" {
			t.Errorf("%v: recorded %+v of what the application did not read", mode, entry)
		}
	}
}

// In report mode everything goes on, and what would be refused is recorded.
func TestWholeReport(t *testing.T) {
	for _, test := range wholeCases {
		e, j := newEngine(t, hooks, func(e *Engine) { e.Mode = Report })
		var body io.Reader
		if test.body != "" {
			body = unsized(test.body)
		}
		r := request(test.on, test.contentType, body, append(test.headers, "X_y", "z")...)
		want := r.Header.Clone()
		got := process(e, r)
		if got.body != test.body || got.err != nil || !cmp.Equal(want, r.Header) || len(got.told) > 0 {
			t.Errorf("%s: forwarded %d bytes, %v, %v", test.name, len(got.body), got.err, r.Header)
		}
		if entry := j.only(t); entry.Verdict != test.verdict || entry.Rule != test.rule {
			t.Errorf("%s: recorded %v by %q, want %v by %q", test.name, entry.Verdict, entry.Rule, test.verdict, test.rule)
		}
	}
}

// A body passes byte for byte however it arrives and is read.
func TestRawBody(t *testing.T) {
	const text = "0123456789"
	for name, reader := range map[string]func(io.Reader) io.Reader{
		"as it is": func(r io.Reader) io.Reader { return r }, "by bytes": iotest.OneByteReader, "by halves": iotest.HalfReader,
		"the end with the data": iotest.DataErrReader,
	} {
		for _, size := range []int{1, 2, 3, 100} {
			ended := 0
			body := &rawBody{body: reader(strings.NewReader(text)), left: int64(len(text)), beforeEnd: func() error { ended++; return nil }}
			var got []byte
			buf := make([]byte, size)
			for {
				n, err := body.Read(buf)
				got = append(got, buf[:n]...)
				if ended == 0 && len(got) == len(text) {
					t.Errorf("%s, %d: the last byte passed before the end", name, size)
				}
				if err != nil {
					break
				}
			}
			if string(got) != text || ended != 1 {
				t.Errorf("%s, %d: got %q, ended %d times", name, size, got, ended)
			}
		}
	}
}

// A client that sends slowly is refused as it is with a streamed form.
func TestWholeSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, j := newEngine(t, hooks, func(e *Engine) { e.BodyTimeout = 30 * time.Second })
		status, answer, took := ask(t, client(t, e, 0), 31*time.Second, head("/hook", jsonType, 7), `{"a"`, `:1}`)
		if status != http.StatusRequestTimeout || answer != "too-slow" || took > 31*time.Second {
			t.Errorf("got %d %q after %v", status, answer, took)
		}
		if entry := j.only(t); entry.Rule != "too-slow" {
			t.Errorf("recorded %+v", entry)
		}
	})
}
