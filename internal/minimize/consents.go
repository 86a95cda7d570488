package minimize

import (
	"net/http"
	"slices"
	"strings"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/policy"
	"github.com/modicum-proxy/modicum/internal/submission"
)

// asked is what was asked and learnt about the person behind a submission.
type asked struct {
	inquiry *consent.Inquiry // nil: nothing had to be asked
	known   consent.Answer
	unknown bool // the store did not answer
	ticked  policy.PurposeSet
	// partly says that only the beginning of the submission was read.
	partly bool
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

// decide reads the submission for what it says of the person, then under the
// plan for what is known of that person, whose result check judges. The
// consents that the submission gives are recorded before they count for good:
// if one does not, the submission is read again under the plan without it.
func (s *Submission) decide(read func(*allowList) error, check func() error) error {
	if err := s.learn(read); err != nil {
		return err
	}
	if err := s.apply(read, check); err != nil {
		return err
	}
	ticked := s.asked.ticked
	if err := s.keep(); err != nil {
		s.asked.unknown, s.asked.known.Source = true, "unknown"
	}
	if s.asked.ticked == ticked {
		return nil
	}
	return s.apply(read, check)
}

// apply reads the submission under the plan for what is known of the person.
func (s *Submission) apply(read func(*allowList) error, check func() error) error {
	s.plan()
	if err := read(s.list); err != nil {
		return err
	}
	return check()
}

// plan makes the plan for what is known of the person the one in force.
func (s *Submission) plan() {
	s.use(allowKey{edition: s.edition, collection: s.Collection, standing: s.standing()})
}

// use makes an allow-list the one in force, with an empty report.
func (s *Submission) use(key allowKey) {
	s.list = s.engine.Policies.allowList(key)
	s.work.report.Reset(s.list.plan)
}

// gives reports whether there are consents to record.
func (s *Submission) gives() bool {
	return s.engine.Consents != nil && s.Mode == Enforce && s.asked.inquiry != nil && !s.asked.ticked.IsEmpty()
}

// keep records what was ticked, with the fields of the response that say so.
// What is not recorded does not count as ticked.
func (s *Submission) keep() error {
	if !s.gives() {
		return nil
	}
	answer := make(http.Header)
	counted, err := s.engine.Consents.Record(s.r.Context(), answer, s.asked.inquiry, s.asked.ticked)
	if err != nil {
		s.engine.warn("recording a consent that a submission gives: it does not count", err)
		counted, answer = policy.PurposeSet{}, nil
	}
	s.asked.ticked, s.asked.answer = counted, answer
	return err
}

// learn reads the submission for what it says of the person, where the
// collection asks for that, and asks what stands. Nothing is written, and no
// value is checked.
func (s *Submission) learn(read func(*allowList) error) error {
	if s.Collection == nil || len(s.Collection.Consents) == 0 && len(s.engine.Identifying) == 0 {
		s.ask(nil, false)
		return nil
	}
	s.use(allowKey{edition: s.edition, collection: s.Collection, learns: true, identifying: s.engine.identifying()})
	if err := read(s.list); err != nil {
		return err
	}
	s.noteFacts(s.list)
	return nil
}

// noteFacts takes over what the submission says of the person.
func (s *Submission) noteFacts(l *allowList) {
	var fields map[string]string
	hidden := false
	for _, i := range l.whom {
		value, ok := s.work.report.Watched(i)
		// Behind a file may stand what was not read yet.
		open := slices.ContainsFunc(s.Collection.Fields[i].Path, isOpen)
		hidden = hidden || s.work.report.Unclear(i) || s.asked.partly && (!ok || open)
		if value != "" {
			if fields == nil {
				fields = make(map[string]string, len(l.whom))
			}
			fields[s.Collection.Fields[i].Name] = value
		}
	}
	s.ask(fields, hidden)
	if isSafe(s.r.Method) {
		return // whoever follows a link has chosen nothing
	}
	for _, t := range l.ticks {
		if value, ok := s.work.report.Watched(t.field); ok && t.means(value) {
			s.asked.ticked = s.asked.ticked.With(t.purpose)
		}
	}
}

// ask asks what stands of the person, where it matters. fields are what the
// submission says of who that is; hidden reports that it says more, which
// cannot be read.
func (s *Submission) ask(fields map[string]string, hidden bool) {
	a := &s.asked
	if s.engine.Consents == nil || s.Collection == nil {
		return
	}
	purposes := s.Set.Choosable(s.Collection.Purposes)
	if purposes.IsEmpty() {
		return
	}
	a.inquiry = &consent.Inquiry{
		Request: s.r, Set: s.Set, Purposes: purposes, Fields: fields, Hidden: hidden, Receipt: s.Receipt, Began: s.start,
	}
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

// consentTakenBack refuses a form that streams, of which something may have
// passed already on a consent that the person took back meanwhile.
func consentTakenBack() *submission.Error {
	return &submission.Error{
		Status: http.StatusConflict, Rule: "consent-taken-back", Offset: -1,
		Detail: "a consent that the form gives was taken back while the form was on its way; send it again",
	}
}

func (e *Engine) warn(what string, err error) {
	if e.Log != nil {
		e.Log.Warn(what, "error", err)
	}
}
