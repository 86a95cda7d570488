package minimize

import (
	"bytes"
	"errors"
	"net/http"
	"time"

	"github.com/modicum-proxy/modicum/internal/submission"
)

// readUndeclared decides about a form or JSON that no collection declares. In
// report mode it is read even if it would be refused: its names show what there
// is to declare.
func (e *Engine) readUndeclared(s *Submission, header http.Header, doc *document) error {
	to := &s.work.to
	if e.Uninspected == Pass && doc.media.Kind == submission.MediaJSON && doc.media.Type != "application/json" {
		framed, err := e.isFramed(s, header)
		if err != nil || framed {
			to.unread = framed
			return err
		}
	}
	to.rejected = e.Undeclared == Reject
	if to.rejected && s.Mode == Enforce {
		return e.undeclaredBody(s.r, to)
	}
	return nil
}

// isFramed reports whether a body of a type such as application/connect+json is
// not one JSON value, but a sequence of them, or has frames around them. It reads
// a copy of the body, or of its beginning if it is large.
//
// A strict reading decides: a text with comments is no JSON here, although some
// applications read it. The operator has said that what cannot be inspected
// passes on routes that no collection declares.
func (e *Engine) isFramed(s *Submission, header http.Header) (bool, error) {
	r := s.r
	if e.BodyTimeout > 0 {
		s.work.to.deadline.Set(time.Now().Add(e.BodyTimeout))
	}
	held, whole, err := submission.ReadUpTo(r.Body, nil, e.Limits.Body)
	r.Body = replay(held, r.Body, err)
	if err != nil {
		return false, err
	}
	if e.BodyTimeout > 0 {
		s.work.to.deadline.Reset()
	}
	text := bytes.Clone(held) // the reading overwrites what is behind it
	if len(header["Content-Encoding"]) > 0 {
		if !whole {
			return false, tooLargeToCopy(header, e.Limits)
		}
		decoded, err := submission.Decode(header, bytes.NewReader(held), e.Limits)
		if err != nil {
			return false, err
		}
		text, err = submission.ReadBody(decoded, nil, e.Limits)
		_ = decoded.Close() // it only gives back memory
		if err != nil {
			return false, err
		}
	}
	var refusal *submission.Error
	plan, report := s.work.to.edition.plans[nil], &s.work.report
	report.Reset(plan)
	if _, err := plan.JSON(nil, text, e.Limits, report); !errors.As(err, &refusal) {
		refusal = new(submission.Error)
	}
	switch {
	case refusal.Rule == "trailing-data":
		return true, nil
	case !whole && bytes.IndexByte([]byte("{[\"-0123456789tfn \t\r\n"), text[0]) >= 0:
		return false, bodyTooLarge() // what follows decides
	}
	return refusal.Rule == "json-syntax", nil
}
