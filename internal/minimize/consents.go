package minimize

import (
	"maps"
	"net/http"
	"strings"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/policy"
	"github.com/modicum-proxy/modicum/internal/submission"
)

// asked is what was asked and learnt about the person behind a submission.
type asked struct {
	inquiry *consent.Inquiry // nil: nothing had to be asked
	known   consent.Answer
	unknown bool // the store did not tell
	ticked  policy.PurposeSet
	// partly says that only the beginning of the submission was read.
	partly bool
	// deaf says that ticks do not count: they could not be recorded.
	deaf   bool
	answer http.Header // fields for the response
}

// source says what decided, as the entry tells it.
func (a *asked) source() string {
	switch {
	case a.ticked.IsEmpty():
		return a.known.Source
	case a.known.Source == "":
		return string(consent.FromForm)
	case strings.Contains(a.known.Source, string(consent.FromForm)):
		return a.known.Source
	}
	return string(consent.FromForm) + "," + a.known.Source
}

// identifying returns the key of the identifying fields.
func (e *Engine) identifying() string {
	if len(e.Identifying) == 0 {
		return ""
	}
	return strings.Join(e.Identifying, "\x00") + "\x00"
}

// decide runs read under the allow-list for what is known of the person, and
// again when the submission itself tells who that is, or carries a consent;
// check then judges what was read last. The consents that it gives are
// recorded before they count for good.
func (s *Submission) decide(read func(*allowList) error, check func() error) error {
	s.ask(nil)
	if err := s.settle(read, check); err != nil {
		return err
	}
	answer, err := s.keep()
	if err == nil {
		s.asked.answer = answer
		return nil
	}
	s.asked.deaf, s.asked.unknown, s.asked.ticked = true, true, policy.PurposeSet{}
	s.asked.known.Source = "unknown"
	return s.settle(read, check)
}

// gives tells whether there is anything to record: consents that were ticked,
// or that the submission joins two identities.
func (s *Submission) gives() bool {
	a := &s.asked
	return s.engine.Consents != nil && s.Mode == Enforce && a.inquiry != nil && (!a.ticked.IsEmpty() || a.known.Pending)
}

// keep records what the submission gives, and returns the fields of the
// response that tell so. On an error what was ticked does not count.
func (s *Submission) keep() (answer http.Header, err error) {
	if !s.gives() {
		return nil, nil
	}
	answer = make(http.Header)
	if err = s.engine.Consents.Record(s.r.Context(), answer, s.asked.inquiry, s.asked.ticked); err == nil {
		return answer, nil
	}
	s.engine.warn("recording a consent that a submission gives: it does not count", err)
	if s.asked.ticked.IsEmpty() {
		return nil, nil
	}
	return nil, err
}

// settle reads until nothing more is learnt from the submission: at most who
// it is about, and then what was ticked. What is required may depend on it.
func (s *Submission) settle(read func(*allowList) error, check func() error) error {
	st := s.standing()
	for range 3 {
		l, refusal := s.engine.allow(s, st)
		if refusal != nil {
			return refusal
		}
		s.list = l
		s.work.report.Reset(l.plan)
		if err := read(l); err != nil {
			return err
		}
		s.listen(l)
		if st == s.standing() {
			break
		}
		st = s.standing()
	}
	return check()
}

// ask asks what stands of the person, where it matters. fields are what the
// submission tells of who that is.
func (s *Submission) ask(fields map[string]string) {
	a := &s.asked
	if s.engine.Consents == nil || s.Collection == nil || a.inquiry != nil && maps.Equal(a.inquiry.Fields, fields) {
		return
	}
	purposes := s.Set.Choosable(s.Collection.Purposes)
	if purposes.IsEmpty() {
		return
	}
	a.inquiry = &consent.Inquiry{Request: s.r, Set: s.Set, Purposes: purposes, Fields: fields, Receipt: s.Receipt}
	var err error
	a.known, err = s.engine.Consents.Standing(s.r.Context(), a.inquiry)
	if a.unknown = err != nil; a.unknown {
		a.known = consent.Answer{Standing: policy.Standing{Objected: a.known.Objected}, Source: "unknown"}
		s.engine.warn("asking for the consents of a person: they are not known", err)
	}
}

// standing returns what is known, with what was ticked: the latest choice.
func (s *Submission) standing() policy.Standing {
	st := s.asked.known.Standing
	for id := range s.asked.ticked.All() {
		st.Granted, st.Objected = st.Granted.With(id), st.Objected.Without(id)
	}
	return st
}

// listen takes over what a submission tells of the person. Where it cannot be
// told whom it is about, that person may have withdrawn: nothing that is
// stored counts as consented.
func (s *Submission) listen(l *allowList) {
	var fields map[string]string
	hidden := false
	for _, i := range l.whom {
		value, ok := s.work.report.Watched(i)
		hidden = hidden || s.work.report.Overlong(i) || s.asked.partly && !ok
		if value != "" {
			if fields == nil {
				fields = make(map[string]string, len(l.whom))
			}
			fields[s.Collection.Fields[i].Name] = value
		}
	}
	if fields != nil {
		s.ask(fields)
	}
	if hidden {
		s.asked.known.Granted = policy.PurposeSet{}
	}
	if s.asked.deaf || isSafe(s.r.Method) {
		return // whoever follows a link has chosen nothing
	}
	for _, t := range l.ticks {
		if value, ok := s.work.report.Watched(t.field); ok && t.means(value) {
			s.asked.ticked = s.asked.ticked.With(t.purpose)
		}
	}
}

// means tells whether a value is the tick.
func (t *tick) means(value string) bool {
	if t.value != "" {
		return value == t.value
	}
	switch strings.ToLower(value) {
	case "on", "true", "1", "yes":
		return true
	}
	return false
}

// consentUnknown refuses a submission that lacks a required field only
// because the store does not tell whether it may pass.
func consentUnknown(f *policy.Field) *submission.Error {
	return &submission.Error{
		Status: http.StatusServiceUnavailable, Rule: "consent-unknown", Offset: -1,
		Detail: "the field " + f.Name + " is required, and it is not known at the moment whether its consent stands",
	}
}

// consentUnstored refuses a form that streams, of which something may have
// passed already on a consent that it gives itself and that is not stored.
func consentUnstored() *submission.Error {
	return &submission.Error{
		Status: http.StatusServiceUnavailable, Rule: "consent-unknown", Offset: -1,
		Detail: "the consent that the form gives cannot be stored at the moment",
	}
}

func (e *Engine) warn(what string, err error) {
	if e.Log != nil {
		e.Log.Warn(what, "error", err)
	}
}
