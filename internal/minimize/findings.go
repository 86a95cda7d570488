package minimize

import (
	"slices"

	"github.com/modicum-proxy/modicum/internal/policy"
)

// Finding is what became of one declared field of a submission. A list may
// have values of both kinds.
type Finding struct {
	Field          *policy.Field
	Kept, Stripped int // values
	// Reason is why values were stripped or, where none came, why they would
	// have been; empty: they pass.
	Reason string
	// Purpose is the one that lets the field pass; empty: none does.
	Purpose string
	// Consent is the purpose that ticking the field consents to; empty: none.
	Consent string
}

// Findings returns what became of each field that the collection declares, in
// the order of the policy. It is for the time between the end of the body
// and Close. A refused submission has no findings: nothing of it went on.
func (s *Submission) Findings() []Finding {
	if s.Refusal != nil || s.StreamRefusal() != nil || s.Collection == nil || s.work == nil {
		return nil
	}
	findings := make([]Finding, len(s.Collection.Fields))
	for i := range findings {
		field, outcome := &s.Collection.Fields[i], s.work.report.Outcomes[i]
		f := Finding{Field: field, Kept: int(outcome.Kept), Stripped: int(outcome.Stripped), Reason: outcome.Reason}
		verdict := s.Collection.Decide(field, s.decision.standing)
		if verdict.Kept {
			f.Purpose = s.Set.Purposes[verdict.Purpose].Name
		} else if f.Reason == "" {
			f.Reason = verdict.Reason
		}
		for _, tick := range s.decision.ticks {
			if tick.field == i {
				f.Consent = s.Set.Purposes[tick.purpose].Name
			}
		}
		findings[i] = f
	}
	return findings
}

// UndeclaredNames returns the first names that no field declares, and whether
// there were more. They are for the sender, and for an operator who asks.
func (s *Submission) UndeclaredNames() (names []string, more bool) {
	if s.Refusal != nil || s.work == nil || s.decision == nil {
		return nil, false
	}
	return slices.Collect(s.work.report.Names()), s.work.report.More()
}
