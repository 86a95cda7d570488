package minimize

import (
	"net/http"
	"strings"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/policy"
)

// give stores the consents that a submission gives, once it has been written
// under them: a refused submission gives none. It returns those that count. Of
// a form that streams they are stored at its end, and count until then.
func (e *Engine) give(s *Submission, known standing, ticked policy.PurposeSet) (counted policy.PurposeSet) {
	w := s.work
	counted = ticked
	switch {
	case ticked.IsEmpty():
		return ticked
	case known.inquiry == nil || s.Mode == Report: // nothing is stored
	case s.stream != nil:
		// The person is asked for again then, and hidden from the application now.
		known.inquiry.Request = s.r.WithContext(s.r.Context())
		known.inquiry.Request.Header = s.r.Header.Clone()
		w.ticks = pendingTicks{inquiry: known.inquiry, purposes: ticked}
	default:
		var err error
		if counted, err = e.storeTicks(s, known.inquiry, ticked); err != nil {
			w.unknown, w.source = true, unknownSource
		}
	}
	w.source = withForm(w.source, counted)
	return counted
}

// storeTicks stores the consents that a submission gives and returns those that
// count: none if they cannot be stored.
func (e *Engine) storeTicks(s *Submission, inquiry *consent.Inquiry, ticked policy.PurposeSet) (counted policy.PurposeSet, err error) {
	answer := make(http.Header)
	counted, err = e.Consents.Record(s.ctx, answer, inquiry, ticked)
	if err != nil {
		e.warn("storing a consent that a submission gives: it does not count", err)
		return policy.PurposeSet{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
	return counted, nil
}

// pendingTicks are the consents that a form gives while it streams.
type pendingTicks struct {
	inquiry  *consent.Inquiry // nil: it gives none
	purposes policy.PurposeSet
}

// storePending stores the consents that a streamed form gives. If one does not
// count, the form is refused: some of it may have passed on that consent.
func storePending(s *Submission) error {
	ticks := &s.work.ticks
	if ticks.inquiry == nil {
		return nil
	}
	counted, err := s.engine.storeTicks(s, ticks.inquiry, ticks.purposes)
	switch {
	case err != nil:
		return refused(http.StatusServiceUnavailable, "consent-unknown", "the consent that the form gives cannot be stored at the moment")
	case counted != ticks.purposes:
		return refused(http.StatusConflict, "consent-taken-back",
			"a consent that the form gives was taken back while the form was on its way; send it again")
	}
	return nil
}

// withTicks returns a standing with consents given after it.
func withTicks(st policy.Standing, ticked policy.PurposeSet) policy.Standing {
	for id := range ticked.All() {
		st.Granted, st.Objected = st.Granted.With(id), st.Objected.Without(id)
	}
	return st
}

// withForm adds the form to what decided about consents, as the entry names it.
func withForm(source string, ticked policy.PurposeSet) string {
	form := string(consent.FromForm)
	switch {
	case ticked.IsEmpty() || strings.Contains(source, form):
		return source
	case source == "":
		return form
	}
	return form + "," + source
}
