package minimize

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modicum-proxy/modicum/internal/policy"
	"github.com/modicum-proxy/modicum/internal/submission"
)

// shop is the policy of most tests.
const shop = `
version: 1
controller: {name: Example, contact: privacy@example.org, country: DE}
purposes:
  delivery: {title: Deliver, basis: contract, retention: 1y}
  newsletter: {title: Write, basis: consent, retention: 1y}
  poll: {title: Ask, basis: consent, retention: 1y}
  technical: {title: Work, basis: not_personal}
collections:
  checkout:
    on: [POST /checkout, PUT /checkout]
    fields:
      name: delivery
      email: [delivery, newsletter]
      tags.*: delivery
      items.*.sku: delivery
      address.city: delivery
      birthday: {for: newsletter, keep: year}
      opinion: poll
      phone: {for: delivery, type: phone}
      photo: {for: delivery, type: file, max: 4MiB}
      code: {for: delivery, type: integer, otherwise: 0}
      csrf_token: technical
      _method: technical
      имя: delivery
    consents: {newsletter: subscribe, poll: {field: answer, value: gladly}}
  remove:
    on: DELETE /checkout
    fields: {id: technical}
  order:
    on: POST /order
    fields:
      email: {for: delivery, required: true}
      birthday: {for: newsletter, required: true}
      size: {for: newsletter, required: true, otherwise: M}
  search:
    on: GET /search
    fields: {q: technical, name: delivery}
  subtree:
    on: GET /list/
    fields: {q: technical}
  upload:
    on: POST /upload
    fields:
      file: {for: delivery, type: file, max: 4MiB}
      title: delivery
      birthday: newsletter
      must: {for: delivery, required: true}
    consents: {newsletter: subscribe}
  any:
    on: POST /any
    fields: {"**": delivery}
  gone:
    on: DELETE /any
    fields: {id: technical}
`

// compiled compiles a policy.
func compiled(tb testing.TB, text string) *policy.Set {
	tb.Helper()
	set, diagnostics := policy.Compile(policy.Source{Name: "privacy.yaml", Data: []byte(text)})
	if err := diagnostics.Err(); err != nil {
		tb.Fatal(err)
	}
	return set
}

// journal is a recorder that keeps what it is given.
type journal struct {
	mu      sync.Mutex
	entries []Entry
	// before is called with each entry first; its error is the answer.
	before func(*Entry) error
}

func (j *journal) Record(_ context.Context, e *Entry) error {
	if j.before != nil {
		if err := j.before(e); err != nil {
			return err
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	kept := *e
	kept.Kept, kept.Stripped, kept.Names = slices.Clone(e.Kept), slices.Clone(e.Stripped), slices.Clone(e.Names)
	j.entries = append(j.entries, kept)
	return nil
}

// only returns the one entry there is.
func (j *journal) only(tb testing.TB) Entry {
	tb.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.entries) != 1 {
		tb.Fatalf("recorded %d entries, want one: %+v", len(j.entries), j.entries)
	}
	return j.entries[0]
}

// newEngine returns an engine for a policy, as the defaults of the Caddyfile
// have it, with changes.
func newEngine(tb testing.TB, text string, changes ...func(*Engine)) (*Engine, *journal) {
	tb.Helper()
	policies, err := NewPolicies(compiled(tb, text), []byte("0123456789abcdef"))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(policies.Close)
	j := new(journal)
	var mu sync.Mutex
	n := 0
	e := &Engine{
		Policies: policies, Recorder: j, Undeclared: Strip, Limits: submission.DefaultLimits(), Notice: "/privacy",
		Now: time.Now,
		NewReceipt: func() string {
			mu.Lock()
			defer mu.Unlock()
			n++
			return fmt.Sprintf("receipt-%d", n)
		},
	}
	for _, change := range changes {
		change(e)
	}
	return e, j
}

// request makes a request as a server would hand it over. A body that is
// not a *strings.Reader or *bytes.Reader comes in chunks.
func request(on, contentType string, body io.Reader, headers ...string) *http.Request {
	method, target, _ := strings.Cut(on, " ")
	r := httptest.NewRequestWithContext(context.Background(), method, target, body)
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1]) //nolint:gosec // G602: names and values come in pairs
	}
	return r
}

// result is what came of a request.
type result struct {
	*Submission
	query  string
	body   string
	err    error // of reading the body
	header http.Header
	told   http.Header // the response headers
}

// process takes a request through the engine and reads what goes on, as a
// transport does.
func process(e *Engine, r *http.Request) result {
	w := httptest.NewRecorder()
	s := e.Process(context.Background(), w, r)
	res := result{Submission: s, header: r.Header}
	if s != nil {
		defer s.Close()
		if !s.Forward() {
			s.Announce(w.Header())
			res.told = w.Header()
			return res
		}
	}
	res.query = r.URL.RawQuery
	if r.Body != nil {
		var body []byte
		body, res.err = io.ReadAll(r.Body)
		res.body = string(body)
	}
	if s != nil {
		s.Announce(w.Header())
	}
	res.told = w.Header()
	return res
}

// rule returns the rule of the refusal, or "".
func (r result) rule() string {
	switch {
	case r.Submission == nil:
		return ""
	case r.Refusal != nil:
		return r.Refusal.Rule
	case r.StreamRefusal() != nil:
		return r.StreamRefusal().Rule
	}
	return ""
}

const (
	jsonType = "application/json"
	formType = "application/x-www-form-urlencoded"
	formData = "multipart/form-data; boundary=B"
)

// part is a part of a multipart form.
type part struct{ name, filename, content string }

// form writes a multipart form with the boundary B.
func form(parts ...part) string {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	_ = w.SetBoundary("B")
	for _, p := range parts {
		var content io.Writer
		if p.filename == "" {
			content, _ = w.CreateFormField(p.name)
		} else {
			content, _ = w.CreateFormFile(p.name, p.filename)
		}
		_, _ = io.WriteString(content, p.content)
	}
	_ = w.Close()
	return b.String()
}

// fields reads a multipart form that we wrote.
func fields(tb testing.TB, r *http.Request, body string) map[string][]string {
	tb.Helper()
	_, boundary, _ := strings.Cut(r.Header.Get("Content-Type"), "boundary=")
	f, err := multipart.NewReader(strings.NewReader(body), boundary).ReadForm(1 << 20)
	if err != nil {
		tb.Fatalf("reading what was forwarded: %v", err)
	}
	defer f.RemoveAll() //nolint:errcheck // a test
	got := f.Value
	for name, files := range f.File {
		for _, file := range files {
			opened, err := file.Open()
			if err != nil {
				tb.Fatal(err)
			}
			content, _ := io.ReadAll(opened)
			_ = opened.Close()
			got[name] = append(got[name], file.Filename+":"+string(content))
		}
	}
	return got
}

func gzipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

// unsized hides the length of a body.
func unsized(body string) io.Reader { return struct{ io.Reader }{strings.NewReader(body)} }

// failingReader ends a body before its end.
type failingReader struct {
	io.Reader
	err error
}

func (f failingReader) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = f.err
	}
	return n, err
}
