package minimize

import (
	"bytes"
	"math"
	"net/http"
	"strings"

	"github.com/modicum-proxy/modicum/internal/policy"
	"github.com/modicum-proxy/modicum/internal/submission"
)

// write writes what the decision keeps of a document, and checks it. Of a form
// that is still arriving, it writes the query and begins the stream.
func (e *Engine) write(s *Submission, doc *document) error {
	e.step("write")
	w, d := s.work, s.decision
	w.report.Reset(d.plan)
	if wholeOf(s.Collection) != nil {
		return writeWhole(s, doc)
	}
	if err := w.writeQuery(doc, d, e.Limits); err != nil {
		return err
	}
	switch {
	case doc.media.Kind == submission.MediaRaw && doc.hasBody:
		return writeRaw(s, doc)
	case doc.arriving != nil:
		beginStream(s, doc)
		return nil
	}
	contentType, err := w.writeBody(doc, d, e.Limits)
	if err != nil {
		return err
	}
	s.values[valueContentType] = contentType
	return check(s)
}

// writeQuery writes what a decision keeps of the query, and notes which fields
// came in it.
func (w *work) writeQuery(doc *document, d *decision, limits submission.Limits) (err error) {
	w.query, w.inQuery = w.query[:0], w.inQuery[:0]
	if doc.query == "" {
		return nil
	}
	w.header = append(w.header[:0], doc.query...)
	if w.query, err = d.plan.Query(w.query, w.header, limits, &w.report); err != nil {
		return err
	}
	// Only the body of a form ticks its boxes: anyone can write the address
	// under which it is opened or sent.
	for _, t := range d.ticks {
		w.report.Forget(t.field)
	}
	for i := range w.report.Outcomes {
		if o := &w.report.Outcomes[i]; o.Kept > 0 && !d.open[i] {
			o.Kept = 0 // until the body has been read
			w.inQuery = append(w.inQuery, i)
		}
	}
	return nil
}

// writeBody writes what a decision keeps of a body that is whole, and returns
// its Content-Type.
func (w *work) writeBody(doc *document, d *decision, limits submission.Limits) (contentType string, err error) {
	w.out = w.out[:0]
	if !doc.hasBody || doc.media.Kind == submission.MediaRaw {
		return "", nil
	}
	switch doc.media.Kind {
	case submission.MediaJSON:
		w.out, err = d.plan.JSON(w.out, doc.body, limits, &w.report)
	case submission.MediaForm:
		w.out, err = d.plan.Form(w.out, doc.body, limits, &w.report)
	case submission.MediaMultipart:
		form := submission.NewMultipart(bytes.NewReader(doc.body), doc.media.Boundary, d.plan, limits, &w.report)
		defer form.Close() //nolint:errcheck // it only gives back memory
		w.out, _, err = submission.ReadUpTo(form, w.out, math.MaxInt64)
		w.uploaded = form.Uploaded()
		return doc.media.ContentType(form.Boundary()), err
	case submission.MediaNone, submission.MediaOther, submission.MediaRaw:
		err = unreadableBody(doc.media)
	}
	return doc.media.ContentType(""), err
}

// check checks what only a document that was read to its end shows.
func check(s *Submission) error {
	w := s.work
	if err := w.mergeQuery(s.Collection); err != nil {
		return err
	}
	if err := checkMethod(s); err != nil {
		return err
	}
	if refusal := missing(s.Collection, s.decision.required, w.report.Outcomes, w.unknown); refusal != nil {
		return refusal
	}
	return nil
}

// mergeQuery counts the fields that came in the query as kept. One that came in
// the body too is refused: applications disagree on which value counts.
func (w *work) mergeQuery(c *policy.Collection) error {
	for _, i := range w.inQuery {
		o := &w.report.Outcomes[i]
		if o.Kept > 0 {
			return refusedFor(&c.Fields[i], http.StatusBadRequest, "query-and-body",
				"the field "+called(&c.Fields[i])+" is in the query and in the body, and applications disagree on which counts")
		}
		o.Kept = 1
	}
	return nil
}

// missing refuses a submission that lacks a required field; nil: it lacks none.
// unknown reports that the consents of the person are not known.
func missing(c *policy.Collection, required []int, outcomes []submission.Outcome, unknown bool) *submission.Error {
	for _, i := range required {
		f, o := &c.Fields[i], &outcomes[i]
		if o.Kept > 0 || o.Stripped > 0 && f.Otherwise != nil {
			continue
		}
		if unknown && (o.Reason == policy.ReasonNoConsent || o.Reason == policy.ReasonObjected) {
			return consentUnknown(f)
		}
		detail := "the field " + called(f) + " is required"
		if o.Stripped > 0 {
			detail += ", and what was sent is left out: " + strings.ReplaceAll(o.Reason, "_", " ")
		}
		return refusedFor(f, http.StatusUnprocessableEntity, "required", detail)
	}
	return nil
}
