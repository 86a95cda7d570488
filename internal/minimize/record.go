package minimize

import (
	"net/http"
	"slices"
	"strings"

	"github.com/modicum-proxy/modicum/internal/submission"
)

// record writes the entry. What cannot be recorded is refused, even where
// refusals are only reported.
func (s *Submission) record() {
	if err := s.write(s.entry()); err != nil && (s.Refusal == nil || s.Mode == Report) {
		s.Verdict, s.Refusal = Refused, unrecorded()
	}
}

// writeRefusal records a refusal in another goroutine than the request's, or
// after a panic: it looks at nothing that a reader may still be changing,
// and lets no panic of the recorder out.
func (s *Submission) writeRefusal(status int, rule string) (err error) {
	defer func() {
		if v := recover(); v != nil {
			s.engine.logPanic(v)
			err = unrecorded()
		}
	}()
	now := s.engine.Now()
	return s.write(&Entry{
		Time: now, Duration: now.Sub(s.start), Receipt: s.Receipt, Mode: s.Mode, Verdict: Refused, Policy: s.Set.Version,
		Collection: s.collection(), On: s.on(), Status: status, Rule: rule,
	})
}

// write hands an entry to the recorder and keeps its summary.
func (s *Submission) write(e *Entry) error {
	s.mu.Lock()
	s.summary = Summary{
		Collection: e.Collection, Verdict: e.Verdict, Rule: e.Rule, Purposes: e.Purposes,
		Kept: len(e.Kept), Stripped: len(e.Stripped), Undeclared: e.Undeclared,
	}
	s.mu.Unlock()
	return s.engine.Recorder.Record(s.r.Context(), e)
}

// Rules of refusals that hold in every mode, besides those of the target and
// host: no record, no delivery, and nothing that our code failed at.
const (
	ruleUnrecorded = "unrecorded"
	ruleInternal   = "internal"
)

// final tells whether a refusal holds in report mode too.
func final(refusal *submission.Error) bool {
	if refusal == nil {
		return false
	}
	switch refusal.Rule {
	case ruleUnrecorded, ruleInternal, ruleTarget, ruleHost:
		return true
	}
	return false
}

func internal() *submission.Error {
	return &submission.Error{
		Status: http.StatusInternalServerError, Rule: ruleInternal, Offset: -1,
		Detail: "the submission could not be read because of a fault of the proxy",
	}
}

func unrecorded() *submission.Error {
	return &submission.Error{
		Status: http.StatusServiceUnavailable, Rule: ruleUnrecorded, Offset: -1,
		Detail: "the submission cannot be recorded at the moment",
	}
}

// entry returns the entry of the submission as far as it was read.
func (s *Submission) entry() *Entry {
	e, now := &s.work.entry, s.engine.Now()
	*e = Entry{
		Time: now, Duration: now.Sub(s.start), Receipt: s.Receipt, Mode: s.Mode, Verdict: s.Verdict, Policy: s.Set.Version,
		Collection: s.collection(), On: s.on(), Kept: e.Kept[:0], Stripped: e.Stripped[:0],
	}
	if s.Refusal != nil {
		e.Status, e.Rule = s.Refusal.Status, s.Refusal.Rule
	}
	if s.list == nil || s.Refusal != nil {
		return e // nothing is collected of what is refused
	}
	e.Purposes, e.Consent = s.list.purposes, s.asked.source()
	report := &s.work.report
	for i := range report.Outcomes {
		o := &report.Outcomes[i]
		if o.Kept > 0 {
			e.Kept = append(e.Kept, s.Collection.Fields[i].Name)
		}
		if o.Stripped > 0 {
			e.Stripped = append(e.Stripped, StrippedField{Name: s.Collection.Fields[i].Name, Reason: o.Reason})
		}
	}
	e.Undeclared = report.Undeclared
	if s.engine.ShowUndeclared {
		e.Names = slices.Collect(report.Names())
	}
	return e
}

func (s *Submission) collection() string {
	if s.Collection == nil {
		return ""
	}
	return s.Collection.Name
}

// on says where the request led, in the words of the policy.
func (s *Submission) on() string {
	switch {
	case strings.ContainsAny(s.pattern, " \t"):
		return s.pattern
	case s.pattern != "":
		return s.r.Method + " " + s.pattern
	case s.engine.ShowUndeclared:
		return s.r.Method + " " + s.r.URL.EscapedPath()
	}
	return s.r.Method
}
