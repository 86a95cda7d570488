package minimize

import (
	"io"
	"net/http"

	"github.com/modicum-proxy/modicum/internal/submission"
)

// readRaw begins to read a body that goes on as received (`read: pass`), and checks
// its beginning. header is that of the request, purified; in report mode it is a
// copy.
func (e *Engine) readRaw(s *Submission, header http.Header, doc *document) error {
	r := s.r
	if s.Mode == Enforce {
		r.Header, r.Trailer = header, nil
	}
	if r.ContentLength > s.Collection.MaxPassed {
		return largerThanMax()
	}
	// Decoded, it would not be what was received; coded, nobody could tell what it is.
	if coding := header["Content-Encoding"]; len(coding) > 1 || len(coding) == 1 && coding[0] != "identity" {
		return refused(http.StatusUnsupportedMediaType, "content-coding", "a body that passes as received (read: pass) has no Content-Encoding")
	}
	var body io.Reader = r.Body
	if s.Mode == Enforce && e.BodyTimeout > 0 {
		doc.client.begin(r.Body, s.work.to.deadline, e.BodyTimeout, e.Limits.Body)
		body = &doc.client
	}
	beginning, whole, err := submission.ReadUpTo(body, nil, maxPrefix)
	if s.Mode == Report {
		r.Body = replay(beginning, r.Body, err)
		doc.arriving = r.Body
	} else {
		doc.arriving = &prefixed{prefix: beginning, rest: body}
	}
	if err != nil {
		return err
	}
	if fault := new(submission.RawWatch).Begin(beginning, whole); fault != nil {
		return fault
	}
	doc.body = beginning
	return nil
}

// writeRaw lets the body go on as received while it is read, unless it turns out
// to be something else. The query has been written.
func writeRaw(s *Submission, doc *document) error {
	d := s.decision
	if !d.keeps {
		return refused(http.StatusForbidden, "no-consent", "no purpose of the collection may be served, and what passes as received cannot be stripped")
	}
	watch := d.plan.NewRawWatch()
	if fault := d.plan.NewRawWatch().Next(doc.body); fault != nil {
		return fault // before anything goes on
	}
	if err := checkMethod(s); err != nil && (s.Mode == Enforce || isFinal(asRefusal(err))) {
		return err // only the query can say a method, and it has been read
	}
	body := &rawBody{body: doc.arriving, left: s.Collection.MaxPassed, observe: s.Mode == Report, watch: watch}
	b := newStream(s, doc, body)
	body.beforeEnd = b.end
	if b.report {
		s.r.Body = b
		return nil
	}
	b.length = s.r.ContentLength
	s.values[valueContentType] = doc.media.ContentType("")
	return nil
}
