package minimize

import (
	"net/http"
	"slices"

	"github.com/modicum-proxy/modicum/internal/policy"
	"github.com/modicum-proxy/modicum/internal/submission"
)

// wholeOf returns how the requests of a collection pass unread; nil: they are
// minimized.
func wholeOf(c *policy.Collection) *policy.Whole {
	if c == nil {
		return nil
	}
	return c.Whole
}

// readWhole checks what can be said of a body before it is read: its type and its
// length. header is that of the request, purified; in report mode it is a copy.
func (e *Engine) readWhole(s *Submission, header http.Header, whole *policy.Whole) error {
	r, doc := s.r, &s.work.document
	if s.Mode == Enforce {
		r.Header, r.Trailer = header, nil
	}
	if !hasBody(r) {
		return nil // without a body, its type means nothing
	}
	if len(whole.Types) > 0 {
		media, err := submission.ParseMediaAs(header, s.work.to.edition.kinds[s.Collection])
		switch {
		case err != nil:
			return err
		case media.Kind == submission.MediaNone:
			return unreadableBody(media)
		case !slices.Contains(whole.Types, media.Type):
			return refused(http.StatusUnsupportedMediaType, "media-type", "the body is of a type that does not pass whole here (types)")
		}
	}
	if r.ContentLength > whole.Max {
		return largerThanMax()
	}
	doc.hasBody, doc.arriving = true, r.Body
	if s.Mode == Enforce && e.BodyTimeout > 0 {
		doc.client.begin(r.Body, s.work.to.deadline, e.BodyTimeout, e.Limits.Body)
		doc.arriving = &doc.client
	}
	return nil
}

// writeWhole lets a request go on as it came, if the purpose allows that. Its
// body streams.
func writeWhole(s *Submission, doc *document) error {
	if !s.decision.whole.Kept {
		// What is not read cannot be stripped.
		return refused(http.StatusForbidden, "objected", "the person objected to the purpose for which everything passes here")
	}
	s.Verdict = Whole
	if doc.arriving == nil {
		return nil
	}
	body := &rawBody{body: doc.arriving, left: s.Collection.Whole.Max, observe: s.Mode == Report}
	b := newStream(s, doc, body)
	body.beforeEnd = b.end
	if b.report {
		s.r.Body = b
	}
	return nil
}

func largerThanMax() *submission.Error {
	return refused(http.StatusRequestEntityTooLarge, "body-size", "the body is larger than the limit of its collection (max)")
}
