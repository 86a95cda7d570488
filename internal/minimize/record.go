package minimize

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/modicum-proxy/modicum/internal/submission"
)

// Recorder records a submission before the application sees its end. On an
// error the application does not get the submission. The entry and what it
// holds belong to the caller again when Record returns.
type Recorder interface {
	Record(ctx context.Context, e *Entry) error
}

// Entry says what became of one submission: names and counts, never values.
type Entry struct {
	Time time.Time
	// Duration is how long reading, deciding and rebuilding took, with the
	// time that the body took to arrive.
	Duration   time.Duration
	Receipt    string // a UUIDv7
	Mode       Mode
	Verdict    Verdict
	Policy     string // the version of the policy set
	Collection string // empty for a gap
	// On is the method and the pattern of the policy that led to the
	// collection, "POST /checkout". Of a gap it is the method, with the path
	// where the operator asked for names: a path can name a person.
	On       string
	Purposes []string // that let something pass, those not personal apart
	// Consent says what decided about consents and objections, as
	// [consent.Source] names it, several joined by commas; "unknown": the
	// store did not answer; empty: nothing did.
	Consent  string
	Kept     []string // fields, as the policy names them
	Stripped []StrippedField
	// Undeclared counts what no field declares; Names holds the first of
	// their names where the operator asked for them.
	Undeclared int
	Names      []string
	// Status and Rule say why a submission was refused, and Field which declared
	// field is the reason, if one is.
	Status int
	Rule   string
	// Headers are the names of the request headers that enforce would delete or
	// change. They are set in report mode only.
	Headers []string
	Remedy  string // what the operator can do about it; empty: nothing
	Field   string
}

// StrippedField is a declared field that was left out, and why.
type StrippedField struct {
	Name   string
	Reason string
}

// refuse ends a submission with a refusal, and records that.
func refuse(s *Submission, err error) {
	s.Verdict, s.Refusal = Refused, asRefusal(err)
	record(s)
}

// record records the submission. One that cannot be recorded is refused, even
// where refusals are only reported.
func record(s *Submission) {
	if err := writeEntry(s, entry(s)); err != nil && (s.Refusal == nil || s.Mode == Report) {
		s.Verdict, s.Refusal = Refused, unrecorded()
	}
}

// recordRefusal records a refusal in a goroutine other than the request's, or
// after a panic: it reads nothing that another goroutine may still change, and
// recovers from a panic of the recorder.
func recordRefusal(s *Submission, refusal *submission.Error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			s.engine.logPanic(v)
			err = unrecorded()
		}
	}()
	e := new(Entry)
	describe(s, e, Refused, refusal)
	return writeEntry(s, e)
}

// writeEntry hands an entry to the recorder, and keeps its summary and the headers that name what was
// left out.
func writeEntry(s *Submission, e *Entry) error {
	s.engine.step("record")
	s.mu.Lock()
	s.summary = Summary{
		Collection: e.Collection, Verdict: e.Verdict, Rule: e.Rule, Purposes: e.Purposes,
		Kept: len(e.Kept), Stripped: len(e.Stripped), Undeclared: e.Undeclared,
	}
	s.mu.Unlock()
	if err := s.engine.Recorder.Record(s.ctx, e); err != nil || s.Mode == Report || e.Verdict == Refused {
		return err
	}
	stripped, declared := strippedHeaders(s)
	s.mu.Lock()
	s.stripped, s.declared = stripped, declared
	s.mu.Unlock()
	return nil
}

// describe fills in an entry as far as it does not depend on the content.
func describe(s *Submission, e *Entry, verdict Verdict, refusal *submission.Error) {
	now := s.engine.Now()
	*e = Entry{
		Time: now, Duration: now.Sub(s.began), Receipt: s.Receipt, Mode: s.Mode, Verdict: verdict, Policy: s.Set.Version,
		Collection: s.collection(), On: routeOf(s), Kept: e.Kept[:0], Stripped: e.Stripped[:0],
	}
	if refusal != nil {
		e.Status, e.Rule, e.Field, e.Remedy = refusal.Status, refusal.Rule, refusal.Field, refusal.Remedy
	}
}

// entry returns the entry of the submission. Of what is refused nothing is
// collected. That of an undeclared body which is only reported has its names: they
// show what there is to declare.
func entry(s *Submission) *Entry {
	e := &s.work.entry
	if s.Refusal == nil && s.work.to.rejected {
		describe(s, e, Refused, s.engine.undeclaredBody(s.r, &s.work.to))
	} else {
		describe(s, e, s.Verdict, s.Refusal)
	}
	e.Headers = s.work.headers
	if s.decision == nil || s.Refusal != nil {
		return e
	}
	e.Purposes, e.Consent = s.decision.purposes, s.work.source
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

// route returns where the request led, in the words of the policy.
func routeOf(s *Submission) string {
	switch {
	case strings.ContainsAny(s.on, " \t"):
		return s.on
	case s.on != "":
		return s.r.Method + " " + s.on
	case s.engine.ShowUndeclared:
		return s.r.Method + " " + s.r.URL.EscapedPath()
	}
	return s.r.Method
}
