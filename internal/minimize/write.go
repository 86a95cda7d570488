package minimize

import (
	"bytes"
	"math"
	"net/http"
	"slices"
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
	if both := e.deciding(s); doc.hasBody && len(both) > 0 {
		// The body may have them too, with other values. Read again to compare.
		comparing := *d
		d, s.decision = &comparing, &comparing
		d.plan = d.plan.Comparing(both)
		w.report.Reset(d.plan)
		if err := w.writeQuery(doc, d, e.Limits); err != nil {
			return err
		}
	}
	switch {
	case doc.media.Kind == submission.MediaRaw && doc.hasBody:
		if err := checkWholeFile(rangeOf(s.r), submission.Uploaded{Files: 1, Kept: 1, Size: s.r.ContentLength, Max: s.Collection.MaxPassed}); err != nil {
			return err
		}
		return writeRaw(s, doc)
	case doc.arriving != nil:
		beginStream(s, doc)
		return nil
	}
	contentType, err := w.writeBody(doc, d, e.Limits)
	if err != nil {
		return err
	}
	if err := checkWholeFile(rangeOf(s.r), w.uploaded); err != nil {
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

// deciding returns the fields that came in the query and decide about the
// submission: they are required, give a consent, or identify the person. Those that
// choose a collection are not among them: [chooseBy] has refused two values before.
func (e *Engine) deciding(s *Submission) (fields []int) {
	d := s.decision
	for i := range s.work.report.Outcomes {
		if d.open[i] || s.work.report.Outcomes[i].Stripped == 0 && !slices.Contains(s.work.inQuery, i) {
			continue
		}
		if slices.Contains(d.required, i) || slices.Contains(e.Identifying, s.Collection.Fields[i].Name) ||
			slices.ContainsFunc(d.ticks, func(t tick) bool { return t.field == i }) {
			fields = append(fields, i)
		}
	}
	return fields
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
	if err := checkChosen(s); err != nil {
		return err
	}
	if refusal := missing(s.Collection, s.decision.required, w.report.Outcomes, w.unknown); refusal != nil {
		return refusal
	}
	return nil
}

// mergeQuery counts the fields that came in the query as kept. Where applications
// merge the query and the body, they disagree on which value counts. Both are
// minimized, so that either may; but one that decides about the submission must not
// be another to the application than to us.
func (w *work) mergeQuery(c *policy.Collection) error {
	for i := range w.report.Outcomes {
		if w.report.Differs(i) {
			return refusedFor(&c.Fields[i], http.StatusBadRequest, "query-and-body",
				"the field "+called(&c.Fields[i])+" has different values in the query and in the body, and it decides about the submission (it is required, gives a consent or says who the person is); send it in one of the two")
		}
	}
	for _, i := range w.inQuery {
		w.report.Outcomes[i].Kept++
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
