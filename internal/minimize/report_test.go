package minimize

import (
	"encoding/base64"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// bigForm is a form larger than what is held in memory.
func bigForm(more ...part) string {
	return form(append([]part{{"must", "", "here"}, {"ssn", "", "1"}, {"file", "a.bin", strings.Repeat("0123456789abcdef", 100_000)}}, more...)...)
}

// randomText is text that does not compress well.
func randomText(n int) string {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(b) // it never fails
	return base64.StdEncoding.EncodeToString(b)[:n]
}

// In report mode the application gets what came, byte for byte, whatever is
// to be said of it.
func TestReportMode(t *testing.T) {
	const search = "GET /search?q=a&ssn=%62&&x=y%2Bz"
	long := `{"name":"` + strings.Repeat("n", 2<<20) + `"}`
	for _, test := range []struct {
		name, on, contentType, body string
		headers                     []string
		verdict                     Verdict
		rule                        string
	}{
		{name: "a query", on: search, verdict: Minimized},
		{name: "a malformed query", on: "GET /search?q=%zz", verdict: Refused, rule: "percent-encoding"},
		{name: "JSON", on: "POST /checkout?ssn=1", contentType: "application/json;charset=utf-8", body: ` {"name" : "a","ssn":1}`, verdict: Minimized},
		{name: "malformed JSON", on: "POST /checkout", contentType: jsonType, body: `{"name":`, verdict: Refused, rule: "json-syntax"},
		{name: "JSON larger than max_body", on: "POST /checkout", contentType: jsonType, body: long, verdict: Refused, rule: "body-size"},
		{name: "form", on: "POST /checkout", contentType: formType, body: "name=a&ssn=b+c", verdict: Minimized},
		{name: "coded", on: "POST /checkout", contentType: jsonType, body: gzipped(`{"name":1,"ssn":2}`), headers: []string{"Content-Encoding", "gzip"}, verdict: Minimized},
		{name: "coded parts", on: "POST /checkout", contentType: formData, body: gzipped(form(part{"name", "", "a"}, part{"ssn", "", "b"})), headers: []string{"Content-Encoding", "gzip"}, verdict: Minimized},
		{name: "badly coded", on: "POST /checkout", contentType: jsonType, body: "this is no gzip", headers: []string{"Content-Encoding", "gzip"}, verdict: Refused, rule: "coding-syntax"},
		{name: "an unknown coding", on: "POST /checkout", contentType: jsonType, body: "?", headers: []string{"Content-Encoding", "foo"}, verdict: Refused, rule: "content-coding"},
		{name: "a bomb", on: "POST /checkout", contentType: jsonType, body: gzipped(long), headers: []string{"Content-Encoding", "gzip"}, verdict: Refused, rule: "inflated-ratio"},
		{name: "no type", on: "POST /checkout", body: "x", verdict: Refused, rule: "media-type"},
		{name: "parts", on: "POST /checkout", contentType: formData, body: form(part{"name", "", "a"}, part{"ssn", "", "b"}), verdict: Minimized},
		{name: "malformed parts", on: "POST /checkout", contentType: formData, body: "preamble" + form(part{"name", "", "a"}), verdict: Refused, rule: "multipart-start"},
		{name: "a streamed form", on: "POST /upload", contentType: formData, body: bigForm(), verdict: Minimized},
		{name: "a streamed form of a gap", on: "POST /nowhere", contentType: formData, body: bigForm(), verdict: Gap},
		{name: "a streamed form that lacks its end", on: "POST /upload", contentType: formData, body: strings.TrimSuffix(bigForm(), "--\r\n"), verdict: Refused, rule: "multipart-truncated"},
		{name: "a streamed form malformed at its beginning", on: "POST /upload", contentType: formData, body: "preamble" + bigForm(), verdict: Refused, rule: "multipart-start"},
		{name: "a streamed form malformed at its end", on: "POST /upload", contentType: formData, body: bigForm() + "epilogue", verdict: Refused, rule: "trailing-data"},
		{name: "a streamed form that repeats a name", on: "POST /upload", contentType: formData, body: bigForm(part{"must", "", "twice"}), verdict: Refused, rule: "duplicate-name"},
		{name: "a streamed form that lacks what is required", on: "POST /upload", contentType: formData, body: strings.Replace(bigForm(), `"must"`, `"mist"`, 1), verdict: Refused, rule: "required"},
		{name: "a streamed form with a file larger than its max", on: "POST /upload", contentType: formData, body: bigForm(part{"file2", "", ""}, part{"x", "b", strings.Repeat("0", 5<<20)}), verdict: Minimized},
		{name: "a streamed form with a malformed query", on: "POST /upload?title=%zz", contentType: formData, body: bigForm(), verdict: Refused, rule: "percent-encoding"},
		{name: "a streamed form with a name in the query too", on: "POST /upload?must=a", contentType: formData, body: bigForm(), verdict: Refused, rule: "query-and-body"},
		{name: "a coded form larger than max_body", on: "POST /upload", contentType: formData, body: gzipped(bigForm()), headers: []string{"Content-Encoding", "gzip"}, verdict: Refused, rule: "inflated-ratio"},
		{name: "a coded form that is larger than max_body only when decoded", on: "POST /upload", contentType: formData, body: gzipped(form(part{"must", "", "a"}, part{"file", "b", randomText(1_200_000)})), headers: []string{"Content-Encoding", "gzip"}, verdict: Refused, rule: "body-size"},
		{name: "coded and larger than max_body", on: "POST /upload", contentType: formData, body: bigForm(), headers: []string{"Content-Encoding", "gzip"}, verdict: Refused, rule: "body-size"},
		{name: "an ambiguous path", on: "POST /x/../checkout?a=b", contentType: jsonType, body: "{}", verdict: Refused, rule: "ambiguous-path"},
		{name: "another type", on: "POST /nowhere", contentType: "text/plain", body: "x", verdict: Refused, rule: "media-type"},
		{name: "an upgrade", on: "GET /socket?a=b", headers: []string{"Connection", "Upgrade", "Upgrade", "websocket"}, verdict: Refused, rule: "upgrade"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, chunked := range []bool{false, true} {
				e, j := newEngine(t, shop, func(e *Engine) { e.Mode = Report })
				var body io.Reader
				length := int64(len(test.body))
				if test.body != "" {
					body = strings.NewReader(test.body)
					if chunked {
						body, length = unsized(test.body), -1
					}
				}
				r := request(test.on, test.contentType, body, append(test.headers, "X-Http-Method-Override", "PUT", "Te", "trailers", "Privacy-Receipt", "forged", "Content-Md5", "x", "X_y", "z")...)
				r.Trailer = http.Header{"X": nil}
				want := r.Header.Clone()
				want.Del("Privacy-Receipt")
				target := r.URL.String()
				got := process(e, r)
				if got.err != nil || got.body != test.body || r.ContentLength != length {
					t.Errorf("forwarded %d bytes as %d, %v; want %d as %d", len(got.body), r.ContentLength, got.err, len(test.body), length)
				}
				if r.URL.String() != target || r.Trailer == nil {
					t.Errorf("forwarded the URL %s, trailer %v; want %s", r.URL, r.Trailer, target)
				}
				if diff := cmp.Diff(want, r.Header); diff != "" {
					t.Errorf("headers (-want +got):\n%s", diff)
				}
				if len(got.told) > 0 {
					t.Errorf("told %v", got.told)
				}
				entry := j.only(t)
				if entry.Verdict != test.verdict || entry.Rule != test.rule || entry.Mode != Report {
					t.Errorf("recorded %v by %q in mode %v, want %v by %q", entry.Verdict, entry.Rule, entry.Mode, test.verdict, test.rule)
				}
				if test.verdict == Refused && len(entry.Kept)+len(entry.Stripped) > 0 {
					t.Errorf("recorded fields of what would be refused: %+v", entry)
				}
			}
		})
	}
}

// A body that breaks off does so in report mode too, where it broke off.
func TestReportOfBrokenBody(t *testing.T) {
	broken := errors.New("reset by the client")
	for _, test := range []struct{ on, contentType, body string }{
		{"POST /checkout", jsonType, `{"name":"a"`},
		{"POST /checkout", formData, form(part{"name", "", "a"})},
		{"POST /upload", formData, bigForm()},
	} {
		e, j := newEngine(t, shop, func(e *Engine) { e.Mode = Report })
		got := process(e, request(test.on, test.contentType, failingReader{strings.NewReader(test.body), broken}))
		// Of a streamed form the last byte is held until it may end.
		if !strings.HasPrefix(test.body, got.body) || len(got.body) < len(test.body)-1 || got.err == nil {
			t.Errorf("%s: forwarded %d bytes of %d, then %v", test.on, len(got.body), len(test.body), got.err)
		}
		if entry := j.only(t); entry.Rule != "incomplete" {
			t.Errorf("%s: recorded %+v", test.on, entry)
		}
	}
}

// No record, no delivery: that holds in every mode, and for what enforcing
// would have refused.
func TestReportUnrecorded(t *testing.T) {
	for _, test := range []struct{ name, on, contentType, body string }{
		{"minimized", "POST /checkout", jsonType, `{"name":"a"}`},
		{"refused", "POST /checkout", jsonType, `{`},
		{"streamed", "POST /upload", formData, bigForm()},
		{"streamed and refused", "POST /upload", formData, "x" + bigForm()},
		{"streamed and refused at its end", "POST /upload", formData, strings.Replace(bigForm(), `"must"`, `"mist"`, 1)},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, j := newEngine(t, shop, func(e *Engine) { e.Mode = Report })
			j.before = func(*Entry) error { return errors.New("the disk is full") }
			got := process(e, request(test.on, test.contentType, strings.NewReader(test.body)))
			if got.Forward() && got.err == nil {
				t.Errorf("forwarded %d bytes to their end", len(got.body))
			}
			if !got.Forward() && got.Refusal.Status != http.StatusServiceUnavailable {
				t.Errorf("refused with %d", got.Refusal.Status)
			}
		})
	}
}
