package minimize

import (
	"net/http"
	"slices"
	"strings"

	"github.com/modicum-proxy/modicum/internal/policy"
	"github.com/modicum-proxy/modicum/internal/submission"
)

// rebuild reads the submission, decides and puts what is allowed in its place.
func (s *Submission) rebuild(w http.ResponseWriter) {
	header := s.r.Header
	mayPass := s.Collection == nil && s.engine.Uninspected == Pass
	if s.Mode == Report || mayPass {
		header = header.Clone() // the request may go on as it came
	}
	purify(header)
	media, err := submission.ParseMedia(header)
	if err != nil && hasBody(s.r) {
		s.refuse(err)
		return
	}
	var src *source
	if hasBody(s.r) {
		if media.Kind == submission.MediaNone || media.Kind == submission.MediaOther {
			s.rebuildQuery(media)
			return
		}
		if src, err = s.open(w, header); err != nil {
			s.refuse(err)
			return
		}
		s.opened = true
		defer func() {
			if s.Refusal != nil {
				src.bound()
			}
			src.Close()
		}()
	}
	if s.Mode == Enforce {
		s.r.Header, s.r.Trailer = header, nil
	}
	if media.Kind == submission.MediaMultipart && src != nil {
		s.rebuildMultipart(src, media)
		return
	}
	s.rebuildHeld(src, media)
}

// rebuildQuery is for a request with a body of a type that we do not read.
// Where the body may pass, the query is still rebuilt.
func (s *Submission) rebuildQuery(media submission.Media) {
	if s.Collection == nil && s.engine.Uninspected == Pass {
		s.rebuildHeld(nil, media)
		return
	}
	refusal := &submission.Error{
		Status: http.StatusUnsupportedMediaType, Rule: "media-type", Offset: -1,
		Detail: "the body is neither JSON nor a form",
	}
	if media.Kind == submission.MediaNone {
		refusal.Detail = "the body has no Content-Type"
	}
	s.refuse(refusal)
}

// readQuery rebuilds the query into work.query.
func (s *Submission) readQuery(l *allowList) error {
	s.work.query = s.work.query[:0]
	if s.r.URL.RawQuery == "" {
		return nil
	}
	var err error
	s.work.query, err = l.plan.Query(s.work.query, []byte(s.r.URL.RawQuery), s.engine.Limits, &s.work.report)
	// The boxes of a form come in its body. An address that somebody else made,
	// under which a form is opened or sent, ticks none.
	for _, t := range l.ticks {
		s.work.report.Forget(t.field)
	}
	return err
}

// rebuildHeld is for a query and a body that is read whole: JSON, a form, or
// none.
func (s *Submission) rebuildHeld(src *source, media submission.Media) {
	work := s.work
	if src != nil {
		var err error
		if work.body, err = src.readWhole(work.body); err != nil {
			s.refuse(err)
			return
		}
	}
	var inQuery []int
	err := s.decide(func(l *allowList) (err error) {
		if err := s.readQuery(l); err != nil {
			return err
		}
		inQuery = s.keptInQuery()
		work.out = work.out[:0]
		switch {
		case src == nil:
		case media.Kind == submission.MediaJSON:
			work.out, err = l.plan.JSON(work.out, work.body, s.engine.Limits, &work.report)
		default:
			work.out, err = l.plan.Form(work.out, work.body, s.engine.Limits, &work.report)
		}
		return err
	}, func() error { return s.sound(inQuery) })
	if err != nil {
		s.refuse(err)
		return
	}
	if s.record(); s.Refusal != nil || s.Mode == Report {
		return
	}
	s.replaceQuery()
	if src != nil {
		s.replaceBody(media.ContentType(""), int64(len(work.out)), &held{rest: work.out})
	}
}

// rebuildMultipart is for a form that may hold files. One that fits into
// memory is held; of a larger one the beginning is, for its consents, and
// the rest streams.
func (s *Submission) rebuildMultipart(src *source, media submission.Media) {
	work, lim := s.work, s.engine.Limits
	whole, err := src.readPrefix(&work.body)
	if err != nil {
		s.refuse(err)
		return
	}
	var inQuery []int
	if whole {
		boundary := ""
		err = s.decide(func(l *allowList) error {
			if err := s.readQuery(l); err != nil {
				return err
			}
			inQuery = s.keptInQuery()
			form := submission.NewMultipart(&held{rest: work.body}, media.Boundary, l.plan, lim, &work.report)
			defer form.Close() //nolint:errcheck // it only gives back memory
			boundary = form.Boundary()
			work.out, err = appendAll(work.out[:0], form)
			return err
		}, func() error { return s.sound(inQuery) })
		if err != nil {
			s.refuse(err)
			return
		}
		if s.record(); s.Refusal != nil || s.Mode == Report {
			return
		}
		s.replaceQuery()
		s.replaceBody(media.ContentType(boundary), int64(len(work.out)), &held{rest: work.out})
		return
	}
	s.asked.partly = true
	err = s.learn(func(l *allowList) error {
		if err := s.readQuery(l); err != nil {
			return err
		}
		submission.WatchPrefix(work.body, media.Boundary, l.plan, lim, &work.report)
		return nil
	})
	if err == nil {
		s.plan()
		err = s.readQuery(s.list)
		inQuery = s.keptInQuery()
	}
	if err != nil {
		if s.Mode == Report {
			src.restore(nil)
		}
		s.refuse(err)
		return
	}
	s.stream(src, media, inQuery)
}

// stream forwards a form while it is read. What the person submitted and
// consented to in it is recorded when all parts were read and before the
// application sees the end.
func (s *Submission) stream(src *source, media submission.Media, inQuery []int) {
	if s.gives() {
		// Who it is from is asked again then, and is to be hidden from the
		// application now.
		r := s.r.WithContext(s.r.Context())
		r.Header = s.r.Header.Clone()
		s.asked.inquiry.Request = r
	}
	src.keep()
	form := submission.NewMultipart(src, media.Boundary, s.list.plan, s.engine.Limits, &s.work.report)
	s.streamed = &streamed{form: form, src: src, s: s}
	form.BeforeEnd = func() error { return s.streamed.end(inQuery) }
	if s.Mode == Report {
		form.Observe = true
		s.body, s.r.Body = s.streamed, s.streamed
		return
	}
	size := int64(-1)
	if s.r.ContentLength > 0 && s.r.Header["Content-Encoding"] == nil {
		size = form.KeepLength(s.r.ContentLength)
	}
	s.replaceQuery()
	s.replaceBody(media.ContentType(form.Boundary()), size, s.streamed)
}

// keptInQuery returns the fields that came in the query and hold one value.
func (s *Submission) keptInQuery() []int {
	if len(s.work.query) == 0 {
		return nil
	}
	var fields []int
	for i := range s.work.report.Outcomes {
		if s.work.report.Outcomes[i].Kept > 0 && !slices.ContainsFunc(s.Collection.Fields[i].Path, isOpen) {
			s.work.report.Outcomes[i].Kept = 0
			fields = append(fields, i)
		}
	}
	return fields
}

// isOpen reports whether a segment of a path stands for many names.
func isOpen(segment string) bool { return segment == "*" || segment == "**" }

// sound checks what only the whole submission tells.
func (s *Submission) sound(inQuery []int) error {
	outcomes := s.work.report.Outcomes
	for _, i := range inQuery {
		if outcomes[i].Kept > 0 {
			return &submission.Error{
				Status: http.StatusBadRequest, Rule: "query-and-body", Offset: -1,
				Detail: "the field " + s.Collection.Fields[i].Name + " stands in the query and in the body, and applications disagree on which counts",
			}
		}
		outcomes[i].Kept = 1
	}
	if err := s.checkMethod(); err != nil {
		return err
	}
	for _, i := range s.list.required {
		if f := &s.Collection.Fields[i]; outcomes[i].Kept == 0 && (outcomes[i].Stripped == 0 || f.Otherwise == nil) {
			if s.asked.unknown && (outcomes[i].Reason == policy.ReasonNoConsent || outcomes[i].Reason == policy.ReasonObjected) {
				return consentUnknown(f)
			}
			detail := "the field " + f.Name + " is required"
			if outcomes[i].Stripped > 0 {
				detail += ", and what was sent is left out: " + strings.ReplaceAll(outcomes[i].Reason, "_", " ")
			}
			return &submission.Error{Status: http.StatusUnprocessableEntity, Rule: "required", Detail: detail, Offset: -1}
		}
	}
	return nil
}

func (s *Submission) replaceQuery() {
	if s.r.URL.RawQuery != "" {
		s.r.URL.RawQuery = string(s.work.query)
		s.r.RequestURI = s.r.URL.RequestURI()
	}
}

// replaceBody makes body what goes on; size −1 streams.
func (s *Submission) replaceBody(contentType string, size int64, body forwarded) {
	r := s.r
	s.body, r.Body, r.ContentLength, r.TransferEncoding = body, body, size, nil
	if size == 0 {
		r.Body = http.NoBody // a body and no length would be one of unknown length
	}
	for _, name := range stale {
		delete(r.Header, name)
	}
	r.Header["Content-Type"] = []string{contentType}
	if size < 0 {
		delete(r.Header, "Content-Length")
	} else {
		r.Header["Content-Length"] = []string{formatSize(size)}
	}
}

// tell sets the headers that the application may store beside its row.
func (s *Submission) tell() {
	s.r.Header[headerReceipt] = []string{s.Receipt}
	if s.list != nil && s.list.header != "" {
		s.r.Header[headerPurpose] = []string{s.list.header}
	}
}
