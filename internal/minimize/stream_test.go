package minimize

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStreamedForm(t *testing.T) {
	e, j := newEngine(t, shop)
	content := strings.Repeat("0123456789abcdef", 200_000)
	r := request("POST /upload?title=t&ssn=1", formData, strings.NewReader(form(
		part{"must", "", "here"}, part{"ssn", "", "2"}, part{"file", "a.bin", content}, part{"note", "n.txt", content}, part{"birthday", "", "1980"})))
	got := process(e, r)
	if got.rule() != "" || got.err != nil || !got.Streaming() {
		t.Fatalf("refused by %q, %v, streaming %v", got.rule(), got.err, got.Streaming())
	}
	want := map[string][]string{"must": {"here"}, "file": {"a.bin:" + content}}
	if diff := cmp.Diff(want, fields(t, r, got.body)); diff != "" {
		t.Errorf("forwarded (-want +got):\n%s", diff[:min(len(diff), 1000)])
	}
	if got.query != "title=t" || r.ContentLength != int64(len(got.body)) || got.header.Get("Content-Length") != fmt.Sprint(len(got.body)) {
		t.Errorf("forwarded the query %q, length %d, %v", got.query, r.ContentLength, got.header)
	}
	entry := j.only(t)
	if diff := cmp.Diff([]string{"file", "title", "must"}, entry.Kept); diff != "" || entry.Undeclared != 3 || entry.Verdict != Minimized {
		t.Errorf("recorded %+v", entry)
	}
	if stripped := got.told.Get("Privacy-Stripped"); !strings.Contains(stripped, `"birthday";reason=no_consent`) || !strings.Contains(stripped, `"note";reason=no_purpose`) {
		t.Errorf("told %q", stripped)
	}
	if summary := got.Summary(); summary.Kept != 3 || summary.Stripped != 1 || summary.Undeclared != 3 {
		t.Errorf("summary %+v", summary)
	}
}

// A text with a max streams as a file does.
func TestStreamedText(t *testing.T) {
	const policy = shop + "  letter:\n    on: POST /letter\n    fields: {text: {for: delivery, type: text, max: 2000000}, note: {for: delivery, max: 20, otherwise: none}, last: delivery}\n"
	text := strings.Repeat("Жж\r\n", 250_000)
	for _, test := range []struct {
		name, text, note string
		want             map[string][]string
		rule             string
	}{
		{"1.5 MB", text, "1", map[string][]string{"text": {text}, "note": {"1"}, "last": {"z"}}, ""},
		{"a short one that is too long", text, text, map[string][]string{"text": {text}, "note": {"none"}, "last": {"z"}}, ""},
		{"one that is too long", text + text + text, "1", nil, "text-size"},
		{"a control character at the end", text + "\x00", "1", nil, "field-text"},
		{"half a character at the end", text + "\xd0", "1", nil, "field-text"},
	} {
		for _, mode := range []Mode{Enforce, Report} {
			e, j := newEngine(t, policy)
			e.Mode = mode
			r := request("POST /letter", formData, strings.NewReader(form(part{"note", "", test.note}, part{"ssn", "", "2"}, part{"text", "", test.text}, part{"last", "", "z"})))
			got := process(e, r)
			if entry := j.only(t); entry.Rule != test.rule || !got.Streaming() {
				t.Errorf("%s: recorded %+v", test.name, entry)
			}
			switch {
			case mode == Report:
				if got.err != nil || len(got.body) < len(test.text)+len(test.note) {
					t.Errorf("%s, reported: %d bytes, %v", test.name, len(got.body), got.err)
				}
			case test.rule != "":
				_, boundary, _ := strings.Cut(r.Header.Get("Content-Type"), "boundary=")
				if got.err == nil || got.rule() != test.rule || strings.Contains(got.body, boundary+"--") {
					t.Errorf("%s: refused by %q, %v", test.name, got.rule(), got.err)
				}
			case got.err != nil || got.rule() != "":
				t.Errorf("%s: refused by %q, %v", test.name, got.rule(), got.err)
			default:
				if diff := cmp.Diff(test.want, fields(t, r, got.body)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", test.name, diff[:min(len(diff), 1000)])
				}
			}
		}
	}
}

// The length of a form that comes in chunks, or compressed, is not known
// before its end: it goes on in chunks.
func TestStreamedFormOfUnknownLength(t *testing.T) {
	e, _ := newEngine(t, shop)
	unsized := request("POST /upload", formData, io.MultiReader(strings.NewReader(bigForm())))
	unsized.ContentLength = -1
	coded := request("POST /upload", formData, strings.NewReader(bigForm()), "Content-Encoding", "identity")
	for _, r := range []*http.Request{unsized, coded} {
		got := process(e, r)
		if got.rule() != "" || got.err != nil || r.ContentLength != -1 || got.header.Get("Content-Length") != "" || !strings.HasSuffix(got.body, "--\r\n") {
			t.Errorf("rule %q, %v, length %d, %v", got.rule(), got.err, r.ContentLength, got.header)
		}
	}
}

// A consent counts when it stands in the part that is held: what comes after
// the first file has gone on may not change what was decided.
func TestConsentInStreamedForm(t *testing.T) {
	content := strings.Repeat("x", 2<<20)
	for _, test := range []struct {
		name  string
		parts []part
		want  bool
	}{
		{"before", []part{{"must", "", "a"}, {"subscribe", "", "on"}, {"birthday", "", "1980"}, {"file", "f", content}}, true},
		{"before, the field after", []part{{"must", "", "a"}, {"subscribe", "", "on"}, {"file", "f", content}, {"birthday", "", "1980"}}, true},
		{"after", []part{{"must", "", "a"}, {"birthday", "", "1980"}, {"file", "f", content}, {"subscribe", "", "on"}}, false},
		{"both after", []part{{"must", "", "a"}, {"file", "f", content}, {"subscribe", "", "on"}, {"birthday", "", "1980"}}, false},
	} {
		e, _ := newEngine(t, shop)
		r := request("POST /upload", formData, strings.NewReader(form(test.parts...)))
		got := process(e, r)
		if got.err != nil {
			t.Fatalf("%s: %v", test.name, got.err)
		}
		if forwarded := fields(t, r, got.body); (forwarded["birthday"] != nil) != test.want {
			t.Errorf("%s: forwarded the field: %v, want %v", test.name, !test.want, test.want)
		}
	}
}

// What was collected is recorded before the application can see the end of
// the form: a crash in between leaves a record without a delivery, never a
// delivery without a record.
func TestRecordComesBeforeTheEnd(t *testing.T) {
	var released bytes.Buffer
	e, j := newEngine(t, shop)
	r := request("POST /upload", formData, strings.NewReader(bigForm()))
	recorded := false
	j.before = func(*Entry) error {
		recorded = true
		_, boundary, _ := strings.Cut(r.Header.Get("Content-Type"), "boundary=")
		if strings.Contains(released.String(), boundary+"--") {
			t.Error("the end was released before the record")
		}
		if released.Len() == 0 {
			t.Error("nothing was released before the record: the form was not streamed")
		}
		return nil
	}
	s := e.Process(context.Background(), httptest.NewRecorder(), r)
	defer s.Close()
	if recorded {
		t.Error("recorded before the form was read")
	}
	if _, err := io.CopyBuffer(&released, onlyReader{r.Body}, make([]byte, 1000)); err != nil || !recorded {
		t.Fatalf("recorded %v, %v", recorded, err)
	}
}

type onlyReader struct{ io.Reader }

// streamFaults are forms that turn out in mid-stream to be none.
var streamFaults = []struct {
	name, query, body, rule string
	err                     error // of the client
}{
	{name: "truncated", body: strings.TrimSuffix(bigForm(), "--\r\n"), rule: "multipart-truncated"},
	{name: "an epilogue", body: bigForm() + "x", rule: "trailing-data"},
	{name: "a name twice", body: bigForm(part{"must", "", "b"}), rule: "duplicate-name"},
	{name: "no disposition", body: strings.Replace(bigForm(part{"title", "", "b"}), `form-data; name="title"`, "attachment", 1), rule: "content-disposition"},
	{name: "a file larger than its max", body: form(part{"must", "", "a"}, part{"file", "f", strings.Repeat("x", 5<<20)}), rule: "file-size"},
	{name: "too many fields", body: bigForm(make([]part, 1000)...), rule: "fields"},
	{name: "fields that are too large", body: form(part{"must", "", "a"}, part{"title", "", strings.Repeat("x", 2<<20)}), rule: "body-size"},
	{name: "a control character", body: bigForm(part{"title", "", "a\x00b"}), rule: "field-text"},
	{name: "a required field is missing", body: strings.Replace(bigForm(), `"must"`, `"mist"`, 1), rule: "required"},
	{name: "a name in the query too", query: "?must=a", body: bigForm(), rule: "query-and-body"},
	{name: "the client goes away", body: bigForm()[:1_500_000], rule: "incomplete", err: io.ErrUnexpectedEOF},
}

// An application that reads to an orderly end takes half a form for a whole
// one: a refusal in mid-stream must look as a connection that breaks.
func TestRefusalInMidStream(t *testing.T) {
	for _, test := range streamFaults {
		t.Run(test.name, func(t *testing.T) {
			e, j := newEngine(t, shop)
			var body io.Reader = strings.NewReader(test.body)
			if test.err != nil {
				body = failingReader{body, test.err}
			}
			r := request("POST /upload"+test.query, formData, body)
			got := process(e, r)
			if got.err == nil {
				t.Fatalf("forwarded %d bytes to an end", len(got.body))
			}
			_, boundary, _ := strings.Cut(r.Header.Get("Content-Type"), "boundary=")
			if strings.Contains(got.body, boundary+"--") {
				t.Error("the closing delimiter went on")
			}
			if got.rule() != test.rule {
				t.Errorf("refused by %q: %v, want %q", got.rule(), got.err, test.rule)
			}
			if _, err := r.Body.Read(make([]byte, 10)); err == nil || errors.Is(err, io.EOF) {
				t.Errorf("another read ends with %v", err)
			}
			entry := j.only(t)
			if entry.Verdict != Refused || entry.Rule != test.rule || len(entry.Kept) > 0 {
				t.Errorf("recorded %+v", entry)
			}
			if got.told.Get("Privacy-Stripped") != "" {
				t.Errorf("told what is left out of what is refused: %v", got.told)
			}
		})
	}
}

func TestUnrecordedStream(t *testing.T) {
	e, j := newEngine(t, shop)
	j.before = func(*Entry) error { return errors.New("the disk is full") }
	got := process(e, request("POST /upload", formData, strings.NewReader(bigForm())))
	if got.err == nil || got.rule() != "unrecorded" || got.StreamRefusal().Status != http.StatusServiceUnavailable {
		t.Errorf("ended with %v, refused by %q", got.err, got.rule())
	}
}

// The transport reads in a goroutine of its own: a panic there would end the
// process, and with it everybody's requests.
func TestPanicInStream(t *testing.T) {
	for _, test := range []struct{ name, body string }{
		{"at the end", bigForm()},
		{"at a refusal", bigForm() + "x"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, j := newEngine(t, shop)
			j.before = func(*Entry) error { panic("of the recorder") }
			got := process(e, request("POST /upload", formData, strings.NewReader(test.body)))
			if got.err == nil || errors.Is(got.err, io.EOF) || got.StreamRefusal() == nil {
				t.Errorf("ended with %v, refused by %q", got.err, got.rule())
			}
		})
	}
	t.Run("at Close", func(t *testing.T) {
		e, j := newEngine(t, shop)
		j.before = func(*Entry) error { panic("of the recorder") }
		s := e.Process(context.Background(), httptest.NewRecorder(), request("POST /upload", formData, strings.NewReader(bigForm())))
		s.Close()
	})
}

// A form that nobody reads to its end is recorded as not delivered, once.
func TestAbandonedStream(t *testing.T) {
	e, j := newEngine(t, shop)
	r := request("POST /upload", formData, strings.NewReader(bigForm()))
	s := e.Process(context.Background(), httptest.NewRecorder(), r)
	if _, err := io.ReadFull(r.Body, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s.Close()
	if entry := j.only(t); entry.Verdict != Refused || entry.Rule != "incomplete" {
		t.Errorf("recorded %+v", entry)
	}
	if _, err := r.Body.Read(make([]byte, 10)); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("a read after Close ends with %v", err)
	}
}

// A transport may still read when the request is over. Whenever Close comes,
// there is one record, and it says whether the application got the end.
func TestCloseWhileReading(t *testing.T) {
	e, j := newEngine(t, shop)
	body := bigForm()
	for i := range 60 {
		j.entries = nil
		r := request("POST /upload", formData, strings.NewReader(body))
		s := e.Process(context.Background(), httptest.NewRecorder(), r)
		_, boundary, _ := strings.Cut(r.Header.Get("Content-Type"), "boundary=")
		var wg sync.WaitGroup
		var read bytes.Buffer
		var err error
		wg.Go(func() { _, err = io.CopyBuffer(&read, onlyReader{r.Body}, make([]byte, 32<<10)) })
		for range i * 30 {
			s.Announce(http.Header{})
			_ = s.Summary()
		}
		s.Close()
		wg.Wait()
		whole := strings.HasSuffix(read.String(), boundary+"--\r\n") && err == nil
		if entry := j.only(t); whole && entry.Verdict != Minimized {
			t.Errorf("the whole form went on, recorded as %+v", entry)
		}
	}
}

// The same, with Close just before the end.
func TestCloseBeforeTheEnd(t *testing.T) {
	e, j := newEngine(t, shop)
	var s *Submission
	body := &atEnd{Reader: strings.NewReader(bigForm()), do: func() { s.Close() }}
	r := request("POST /upload", formData, body)
	s = e.Process(context.Background(), httptest.NewRecorder(), r)
	_, boundary, _ := strings.Cut(r.Header.Get("Content-Type"), "boundary=")
	read, err := io.ReadAll(r.Body)
	if err == nil || bytes.Contains(read, []byte(boundary+"--")) {
		t.Errorf("the application got the end of the form, %v", err)
	}
	if entry := j.only(t); entry.Rule != "incomplete" {
		t.Errorf("recorded %+v", entry)
	}
}

// atEnd does something before it tells the end.
type atEnd struct {
	io.Reader
	do func()
}

func (a *atEnd) Read(p []byte) (int, error) {
	n, err := a.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		a.do()
	}
	return n, err
}

// The buffers of a submission serve the next one. Nothing of one may turn up
// in another: not its values, nor its names, nor its records.
func TestNoLeakBetweenSubmissions(t *testing.T) {
	e, j := newEngine(t, shop, func(e *Engine) { e.ShowUndeclared = true })
	requests := func(canary string) []*http.Request {
		long := strings.Repeat(canary, 100)
		return []*http.Request{
			request("POST /checkout?"+canary+"=1", jsonType, strings.NewReader(`{"name":"`+long+`","`+canary+`":1}`)),
			request("POST /checkout?name="+canary, formType, strings.NewReader(canary+"=1&email="+long)),
			request("POST /checkout", formData, strings.NewReader(form(part{"name", "", long}, part{canary, "", "1"}))),
			request("POST /upload", formData, strings.NewReader(form(part{"must", "", long}, part{canary, "", "1"}, part{"file", canary, strings.Repeat(canary, 200_000)}))),
			request("POST /checkout", jsonType, strings.NewReader(gzipped(`{"name":"`+long+`","`+canary+`":1}`)), "Content-Encoding", "gzip"),
			// Refused ones tell nothing of whoever had the memory before.
			request("POST /checkout", "", strings.NewReader(canary)),
			request("POST /checkout", jsonType, strings.NewReader(`{"`+canary+`":`)),
			request("POST /a/../b", jsonType, strings.NewReader(canary)),
			request("GET /x", "", nil, "Upgrade", canary),
			request("GET /search?"+canary+"=1", "", nil),
		}
	}
	check := func(canary, what, text string) {
		if other := strings.ReplaceAll(text, canary, ""); strings.Contains(other, "canary") {
			t.Errorf("%s of %s holds another's", what, canary)
		}
	}
	var wg sync.WaitGroup
	for g := range 64 {
		wg.Go(func() {
			canary := fmt.Sprintf("canary%02d", g)
			for range 3 {
				for _, r := range requests(canary) {
					got := process(e, r)
					check(canary, "the body", got.body)
					check(canary, "the query", got.query)
					check(canary, "the header", fmt.Sprint(got.told, got.header))
				}
			}
		})
	}
	wg.Wait()
	for _, entry := range j.entries {
		if entry.Verdict == Refused && len(entry.Names)+len(entry.Kept)+len(entry.Stripped)+entry.Undeclared > 0 {
			t.Errorf("recorded of what was refused: %+v", entry)
		}
	}
}

// A transport may read a held body when the request is over, too: it must
// not find the next submission there.
func TestHeldBodyAfterClose(t *testing.T) {
	e, _ := newEngine(t, shop)
	for range 100 {
		r := request("POST /checkout", jsonType, strings.NewReader(`{"name":"the first of two"}`))
		s := e.Process(context.Background(), httptest.NewRecorder(), r)
		body := r.Body
		if _, err := body.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(s.Close)
		wg.Go(func() { _, _ = body.Read(make([]byte, 1)) })
		wg.Wait()
		next := request("POST /checkout", jsonType, strings.NewReader(`{"name":"the second of two"}`))
		defer e.Process(context.Background(), httptest.NewRecorder(), next).Close()
		if rest, err := io.ReadAll(body); len(rest) > 0 || err == nil {
			t.Fatalf("read %q, %v", rest, err)
		}
	}
}
