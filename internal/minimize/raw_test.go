package minimize

import (
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// uploads is a policy whose collections read other media types.
const uploads = `
version: 1
controller: {name: Whittle}
purposes:
  order: {title: Order, basis: contract, retention: 1y}
  news: {title: Write, basis: consent, retention: 1y}
collections:
  upload:
    on: POST /upload
    read: {application/octet-stream: pass, text/csv: pass, text/plain: json}
    max: 2MiB
    fields:
      name: order
      chunk: {for: order, type: integer}
      birthday: news
      file: {for: order, type: file}
    consents: {news: subscribe}
  letter:
    on: POST /letter
    read: {text/plain: pass}
    fields: {name: news}
  contact:
    on: POST /contact
    fields: {name: order}
`

const octets = "application/octet-stream"

func TestRead(t *testing.T) {
	big := strings.Repeat("\x000123456789abcde", 100_000)
	for _, test := range []struct {
		name, on, contentType, body string
		headers                     []string
		query, forwarded, mediaType string
		rule                        string
		status                      int
	}{
		{name: "JSON as text", on: "POST /upload?name=a&x=1", contentType: "text/plain;charset=UTF-8", body: `{"chunk": 1, "x": 2}`, query: "name=a", forwarded: `{"chunk":1}`, mediaType: "text/plain; charset=utf-8"},
		{name: "a text that is no JSON", on: "POST /upload", contentType: "text/plain", body: "name=a", rule: "json-syntax", status: 400},
		{name: "JSON twice", on: "POST /upload", contentType: "text/plain", body: `{"name":1,"name":2}`, rule: "duplicate-name", status: 400},
		{name: "JSON of another charset", on: "POST /upload", contentType: "text/plain;charset=utf-16", body: `{}`, rule: "charset", status: 415},
		{name: "a file", on: "POST /upload?name=a&ssn=1", contentType: octets, body: "\x00\xff&=", query: "name=a", forwarded: "\x00\xff&=", mediaType: octets},
		{name: "a large file", on: "POST /upload", contentType: octets, body: big, forwarded: big, mediaType: octets},
		{name: "parameters are left out", on: "POST /upload", contentType: octets + `; name="x"`, body: "\x00", forwarded: "\x00", mediaType: octets},
		{name: "headers that speak of other bytes", on: "POST /upload", contentType: octets, body: "\x00", headers: []string{"Content-Digest", "x", "Content_Type", jsonType, "Content-Encoding", "identity"}, forwarded: "\x00", mediaType: octets},
		{name: "a form beside it", on: "POST /upload", contentType: formType, body: "name=a&ssn=1", forwarded: "name=a", mediaType: formType},
		{name: "JSON under its own type", on: "POST /upload", contentType: jsonType, body: `{"name":"a","ssn":1}`, forwarded: `{"name":"a"}`, mediaType: jsonType},

		{name: "JSON as a file", on: "POST /upload", contentType: octets, body: ` {"ssn":1}`, rule: "disguised-body", status: 415},
		{name: "a form as a file", on: "POST /upload", contentType: octets, body: "x=1&name=a&ssn=1", rule: "disguised-body", status: 415},
		// What a file holds is not known until it has been read. The denied field
		// stands behind all that is held.
		{name: "a denied field at the end of a file", on: "POST /upload", contentType: octets, body: big + "&birthday=1980", rule: "disguised-body", status: 415},
		{name: "a tick at the end of a file", on: "POST /upload", contentType: octets, body: big + "&subscribe=on", rule: "disguised-body", status: 415},
		{name: "a file that is too large", on: "POST /upload", contentType: octets, body: strings.Repeat("\x00", 2<<20+1), rule: "body-size", status: 413},
		// Of a coded body nobody can say what it is.
		{name: "a coded file", on: "POST /upload", contentType: octets, body: gzipped("{}"), headers: []string{"Content-Encoding", "gzip"}, rule: "content-coding", status: 415},
		{name: "an unknown coding", on: "POST /upload", contentType: octets, body: "\x00", headers: []string{"Content-Encoding", "foo"}, rule: "content-coding", status: 415},
		{name: "text of another charset", on: "POST /upload", contentType: "text/csv; charset=utf-16", body: "\x00{", rule: "charset", status: 415},
		{name: "two types", on: "POST /upload", contentType: octets, body: "\x00", headers: []string{"Content-Type", jsonType}, rule: "content-type-repeated", status: 415},
		{name: "another type", on: "POST /upload", contentType: "text/html", body: "x", rule: "media-type", status: 415},
		{name: "a tick in the query", on: "POST /upload?subscribe=on&birthday=1980", contentType: octets, body: "\x00", forwarded: "\x00", mediaType: octets},
		// Nobody consented to anything: a body that cannot be stripped has no basis.
		{name: "no purpose may be served", on: "POST /letter", contentType: "text/plain", body: "Dear Ada", rule: "no-consent", status: 403},
		{name: "another collection", on: "POST /contact", contentType: octets, body: "\x00", rule: "media-type", status: 415},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, chunked := range []bool{false, true} {
				for _, mode := range []Mode{Enforce, Report} {
					var body io.Reader = strings.NewReader(test.body)
					if chunked {
						body = unsized(test.body)
					}
					e, j := newEngine(t, uploads, func(e *Engine) { e.Mode = mode })
					r := request(test.on, test.contentType, body, test.headers...)
					want := r.Header.Clone()
					got := process(e, r)
					entry := j.only(t)
					if entry.Rule != test.rule || entry.Status != test.status {
						t.Fatalf("%v, chunked %v: recorded %q with %d, want %q", mode, chunked, entry.Rule, entry.Status, test.rule)
					}
					if test.rule == "media-type" && !strings.Contains(entry.Remedy, "read in the collection") {
						t.Errorf("%v, chunked %v: the remedy is %q", mode, chunked, entry.Remedy)
					}
					switch {
					case mode == Report:
						if got.body != test.body || got.err != nil || !cmp.Equal(r.Header, want) {
							t.Errorf("chunked %v: reported only, and forwarded %d bytes, %v, %v", chunked, len(got.body), got.err, r.Header)
						}
					case test.rule != "":
						if got.body == test.body {
							t.Errorf("chunked %v: forwarded what is refused", chunked)
						}
					default:
						if got.body != test.forwarded || got.err != nil || got.query != test.query || r.Header.Get("Content-Type") != test.mediaType {
							t.Errorf("chunked %v: forwarded %q with %.50q as %q, %v", chunked, got.query, got.body, r.Header.Get("Content-Type"), got.err)
						}
						if r.Header.Get("Content-Digest") != "" || slices.ContainsFunc(slices.Collect(maps.Keys(r.Header)), func(name string) bool { return strings.Contains(name, "_") }) || len(got.header["Content-Type"]) != 1 {
							t.Errorf("forwarded %v", r.Header)
						}
						if !chunked && r.ContentLength != int64(len(got.body)) {
							t.Errorf("forwarded %d bytes as %d", len(got.body), r.ContentLength)
						}
					}
				}
			}
		})
	}
}

// The body of an upload identifies nobody, and gives no consent; the query does
// not either, since anyone can write it.
func TestReadLearnsNothing(t *testing.T) {
	p := &people{}
	e, j := newEngine(t, uploads, known(p))
	got := process(e, request("POST /upload?name=a", octets, strings.NewReader("\x00\xff")))
	if got.rule() != "" || got.body != "\x00\xff" || len(p.recorded) > 0 {
		t.Errorf("rule %q, forwarded %q, stored %v", got.rule(), got.body, p.recorded)
	}
	if entry := j.only(t); entry.Verdict != Minimized || !cmp.Equal(entry.Kept, []string{"name"}) {
		t.Errorf("recorded %+v", entry)
	}
	if got.header.Get("Privacy-Receipt") == "" || got.told.Get("Privacy-Receipt") == "" {
		t.Errorf("no receipt: %v", got.header)
	}
}
