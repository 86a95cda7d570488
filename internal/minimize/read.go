package minimize

import (
	"bytes"
	"io"
	"net/http"

	"github.com/modicum-proxy/modicum/internal/submission"
)

// document is what a request submits: its query and its body.
type document struct {
	media   submission.Media
	query   string // as it came
	hasBody bool   // that is to be minimized
	// body is the body without its content coding. If arriving is not nil, it is
	// the beginning of a form with files, and all of that form is read from there.
	body     []byte
	arriving io.Reader

	buffer  []byte // the memory of body
	client  clientBody
	decoder io.Closer // nil: none is open
}

// maxPrefix is how many bytes are held of a form that is known to be too large
// to be held whole: the fields before its files. Many uploads at once must not
// cost a max_body each.
const maxPrefix = 32 << 10

// read reads the document of a submission. In report mode r keeps its body,
// byte for byte, and what is read is a copy.
func (e *Engine) read(s *Submission) (*document, error) {
	e.step("read")
	r, doc, header := s.r, &s.work.document, s.r.Header
	mayPass := s.Collection == nil && e.Uninspected == Pass
	if s.Mode == Report || mayPass {
		header = header.Clone() // the request may go on as it came
	}
	purify(header)
	if s.Mode == Report {
		s.work.enforced = header
	}
	var err error
	doc.query = r.URL.RawQuery
	if whole := wholeOf(s.Collection); whole != nil {
		return doc, e.readWhole(s, header, whole)
	}
	doc.media, err = submission.ParseMediaAs(header, s.work.to.edition.kinds[s.Collection])
	unreadable := doc.media.Kind == submission.MediaNone || doc.media.Kind == submission.MediaOther
	switch {
	case !hasBody(r):
		err = nil // without a body, its type means nothing
	case err != nil:
		return nil, err
	case unreadable && mayPass && !s.work.to.override.possible:
		s.work.to.unread = true
		return doc, nil // the query goes on as it came too: it may be signed, or name a session
	case unreadable && s.Collection == nil && e.Undeclared == Reject && s.work.to.override.header == "":
		return nil, e.undeclaredBody(r, &s.work.to)
	case unreadable:
		return nil, unreadableBody(doc.media)
	default:
		doc.hasBody = true
	}
	if s.Collection == nil && doc.hasBody && !s.work.to.override.possible {
		if err := e.readUndeclared(s, header, doc); err != nil || s.work.to.unread {
			return doc, err
		}
	}
	switch {
	case doc.hasBody && doc.media.Kind == submission.MediaRaw:
		return doc, e.readRaw(s, header, doc)
	case s.Mode == Report && doc.hasBody:
		return doc, e.copyBody(r, header, doc)
	case s.Mode == Report:
		return doc, nil
	}
	r.Header, r.Trailer = header, nil
	if doc.hasBody {
		err = e.takeBody(r, s.work.to.deadline, doc)
	}
	return doc, err
}

func unreadableBody(media submission.Media) *submission.Error {
	if media.Kind == submission.MediaNone {
		return refused(http.StatusUnsupportedMediaType, "media-type", "the body has no Content-Type")
	}
	refusal := refused(http.StatusUnsupportedMediaType, "media-type", "the body is neither JSON nor a form")
	refusal.Remedy = "if the application needs bodies of this type here, add the type to read in the collection"
	return refusal
}

// takeBody reads the body of r whole or, of a large form with files, its
// beginning.
func (e *Engine) takeBody(r *http.Request, deadline ReadDeadline, doc *document) error {
	var raw io.Reader = r.Body
	if e.BodyTimeout > 0 {
		doc.client.begin(r.Body, deadline, e.BodyTimeout, e.Limits.Body)
		raw = &doc.client
	}
	decoded, err := submission.Decode(r.Header, raw, e.Limits)
	if err != nil {
		return err
	}
	doc.decoder = decoded
	limit := e.Limits.Body
	if doc.media.Kind != submission.MediaMultipart {
		if r.ContentLength > limit {
			return bodyTooLarge()
		}
		doc.buffer, err = submission.ReadBody(decoded, doc.buffer, e.Limits)
		doc.body = doc.buffer
		return err
	}
	if r.ContentLength > limit {
		limit = min(limit, maxPrefix)
	}
	var whole bool
	doc.buffer, whole, err = submission.ReadUpTo(decoded, doc.buffer, limit)
	doc.body = doc.buffer
	if err == nil && !whole {
		doc.arriving = &prefixed{prefix: doc.body, rest: decoded}
		doc.buffer = nil // it is given back once it has been read
	}
	return err
}

// copyBody reads a copy of the body of r, or of its beginning.
func (e *Engine) copyBody(r *http.Request, header http.Header, doc *document) error {
	limit := e.Limits.Body
	multipart := doc.media.Kind == submission.MediaMultipart
	streams := multipart && len(header["Content-Encoding"]) == 0 // a coded body cannot be decoded and go on as it is at once
	switch {
	case r.ContentLength <= limit:
	case streams:
		limit = min(limit, maxPrefix)
	default:
		return tooLargeToCopy(header, e.Limits)
	}
	held, whole, err := submission.ReadUpTo(r.Body, nil, limit)
	r.Body = replay(held, r.Body, err)
	switch {
	case err != nil:
		return err
	case !whole && streams:
		doc.body, doc.arriving = held, r.Body
		return nil
	case !whole:
		return tooLargeToCopy(header, e.Limits)
	}
	decoded, err := submission.Decode(header, bytes.NewReader(held), e.Limits)
	if err != nil {
		return err
	}
	doc.decoder = decoded
	if !multipart {
		doc.buffer, err = submission.ReadBody(decoded, doc.buffer, e.Limits)
	} else if doc.buffer, whole, err = submission.ReadUpTo(decoded, doc.buffer, e.Limits.Body); err == nil && !whole {
		err = bodyTooLarge()
	}
	doc.body = doc.buffer
	return err
}

// tooLargeToCopy refuses a body that is not read, or one of a coding that could
// not be.
func tooLargeToCopy(header http.Header, limits submission.Limits) error {
	if _, err := submission.Decode(header, http.NoBody, limits); err != nil {
		return err
	}
	return bodyTooLarge()
}

// close ends the reading, unless a stream goes on with it.
func (doc *document) close() {
	if doc.decoder == nil {
		return
	}
	doc.client.stop()
	_ = doc.decoder.Close() // it only gives back memory
	doc.decoder = nil
}

// reset makes the memory ready for another document.
func (doc *document) reset() {
	doc.close()
	doc.client.reset()
	doc.media, doc.query, doc.hasBody, doc.body, doc.arriving = submission.Media{}, "", false, nil, nil
}

// prefixed reads a prefix, which it then lets go, and what follows it.
type prefixed struct {
	prefix []byte
	rest   io.Reader
}

// Read implements [io.Reader].
func (p *prefixed) Read(b []byte) (int, error) {
	if len(p.prefix) == 0 {
		return p.rest.Read(b)
	}
	n := copy(b, p.prefix)
	if p.prefix = p.prefix[n:]; len(p.prefix) == 0 {
		p.prefix = nil // the rest may take long
	}
	return n, nil
}

// replay returns a body whose beginning was read, and that is read again from
// its beginning. err is how the reading ended: nil, or the error to repeat.
func replay(beginning []byte, rest io.ReadCloser, err error) io.ReadCloser {
	return &replayedBody{Reader: io.MultiReader(bytes.NewReader(beginning), &failingWith{rest, err}), Closer: rest}
}

type replayedBody struct {
	io.Reader
	io.Closer
}

// failingWith reads, or fails if err is not nil.
type failingWith struct {
	io.Reader
	err error
}

func (f *failingWith) Read(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return f.Reader.Read(p)
}
