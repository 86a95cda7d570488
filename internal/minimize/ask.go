package minimize

import (
	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/policy"
)

// standing is what is known of the person behind a submission.
type standing struct {
	policy.Standing // the consents and objections in force

	// inquiry is what was asked; nil: nothing was, and no consent can be stored.
	inquiry *consent.Inquiry
}

// ask asks for the consents and objections in force for the person behind a
// submission. The consents that the submission itself gives are not among them.
func (e *Engine) ask(s *Submission, f facts) standing {
	e.step("ask")
	if s.Collection == nil || e.Consents == nil {
		return standing{}
	}
	purposes := s.Set.Choosable(s.Collection.Purposes)
	if purposes.IsEmpty() {
		return standing{}
	}
	inquiry := &consent.Inquiry{
		Request: s.r, Set: s.Set, Purposes: purposes, Fields: f.identities, Hidden: f.hidden, Receipt: s.Receipt, Began: s.began,
	}
	answer, err := e.Consents.Standing(s.ctx, inquiry)
	if err != nil {
		e.warn("asking for the consents of a person: they are not known", err)
		answer.Granted, answer.Source = policy.PurposeSet{}, unknownSource
	}
	s.work.unknown, s.work.source = err != nil, answer.Source
	return standing{Standing: answer.Standing, inquiry: inquiry}
}

// unknownSource is what the entry names if the store did not answer.
const unknownSource = "unknown"
