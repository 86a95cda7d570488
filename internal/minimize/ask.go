package minimize

import (
	"net/http"
	"strings"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/policy"
)

// ask returns the consents and objections that are in force for the person
// behind a submission, with those that the submission gives: its ticks are the
// person's latest choice. A tick counts once it is stored; those of a form that
// streams are stored at its end. An error says why the submission will be
// refused: then none of its ticks is stored.
func (e *Engine) ask(s *Submission, f facts) (policy.Standing, error) {
	e.step("ask")
	w := s.work
	if s.Collection == nil {
		return policy.Standing{}, nil
	}
	purposes := s.Set.Choosable(s.Collection.Purposes)
	if e.Consents == nil || purposes.IsEmpty() {
		w.source = withForm("", f.ticked)
		return withTicks(policy.Standing{}, f.ticked), nil
	}
	inquiry := &consent.Inquiry{
		Request: s.r, Set: s.Set, Purposes: purposes, Fields: f.identities, Hidden: f.hidden, Receipt: s.Receipt, Began: s.began,
	}
	answer, err := e.Consents.Standing(s.ctx, inquiry)
	if err != nil {
		e.warn("asking for the consents of a person: they are not known", err)
		w.unknown, answer.Granted, answer.Source = true, policy.PurposeSet{}, "unknown"
	}
	switch {
	case s.Mode == Report || f.ticked.IsEmpty():
	case f.refusal != nil:
		return policy.Standing{}, f.refusal
	case w.document.arriving != nil:
		// The person is asked for again then, and hidden from the application now.
		inquiry.Request = s.r.WithContext(s.r.Context())
		inquiry.Request.Header = s.r.Header.Clone()
		w.ticks = pendingTicks{inquiry: inquiry, purposes: f.ticked}
	default:
		if f.ticked, err = e.storeTicks(s, inquiry, f.ticked); err != nil {
			w.unknown, answer.Source = true, "unknown"
		}
	}
	w.source = withForm(answer.Source, f.ticked)
	return withTicks(answer.Standing, f.ticked), nil
}

// pendingTicks are the consents that a form gives while it streams.
type pendingTicks struct {
	inquiry  *consent.Inquiry // nil: it gives none
	purposes policy.PurposeSet
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

// storePending stores the consents that a streamed form gives. If one does not
// count, the form is refused: some of it may have passed on that consent.
func (s *Submission) storePending() error {
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
