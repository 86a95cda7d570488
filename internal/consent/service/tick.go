package service

import (
	"context"
	"net/http"
	"time"

	"github.com/modicum-proxy/modicum/internal/policy"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// Record stores the consents that were ticked in a submission, for the login or
// browser that sent it: an address in the form could be anyone's. It returns
// those that count; on an error, none does. It adds our cookie to h.
//
// It does not override a withdrawal that was made while the submission was on
// its way: the form is older. A tick that changes nothing is not stored again, and
// one over the limits counts for its submission only.
func (s *Service) Record(ctx context.Context, h http.Header, inq *consent.Inquiry, ticked policy.PurposeSet) (counted policy.PurposeSet, err error) {
	who := s.identify(inq.Request, inq.Set, nil)
	if foreign(inq.Request) {
		// Another site filled in the form: the tick is evidence for this
		// submission, not a choice of the visitor's login or browser.
		*who, h = person{}, http.Header{}
	}
	records, err := s.find(ctx, who)
	if err == nil && s.Registry.Leased() {
		records, err = s.Registry.Read(ctx, who.subjects()) // what was found may be older than a withdrawal
	}
	if err != nil {
		return counted, err
	}
	var grants []consent.Event
	for id := range ticked.All() {
		e := s.grant(inq, id)
		last := who.latest(e.Purpose, records)
		if last.Revision > who.revision && last.Action.TakesBack() && !last.Time.Before(inq.Began.Truncate(time.Microsecond)) {
			continue // by the cookie, the browser that sent the form did not know of it
		}
		counted = counted.With(id)
		if !s.repeats(&e, inq.Set, who, records) {
			grants = append(grants, e)
		}
	}
	if len(grants) == 0 || s.Limits != nil && !s.Limits.mayGrant(inq.Request, who.owner()) {
		return counted, nil
	}
	newcomer := s.ensureCookie(who)
	for i := range grants {
		grants[i] = s.eventOf(grants[i], who.owner())
	}
	if err := s.store(ctx, h, who, newcomer, grants); err != nil {
		return policy.PurposeSet{}, err
	}
	return counted, nil
}

// grant returns the event of a field that was ticked, without a subject.
func (s *Service) grant(inq *consent.Inquiry, id policy.PurposeID) consent.Event {
	told, shown := s.noticesOf(inq.Set).noticeFor(inq.Request, id)
	e := s.event(inq.Request, inq.Set, consent.FromForm, inq.Receipt)
	e.Purpose, e.Action, e.Notice, e.Expires = told.Purpose, consent.Grant, told.ID, inq.Set.Purposes[id].Term(e.Time)
	e.Shown = shown
	return e
}
