package operator

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/policy"
	"github.com/modicum-proxy/modicum/internal/subject"
)

// Withdrawal is a consent that was withdrawn.
type Withdrawal struct {
	Subject consent.Subject `json:"subject"`
	Purpose string          `json:"purpose"`
}

// Withdraw withdraws the consents of a person, to one purpose or to all, on
// the person's behalf. If it returns nil they are withdrawn on every proxy,
// and the withdrawal survives a power cut; after an error the person must not be
// told so.
//
// What is taken back for an address or a telephone number applies to every
// submission that contains it, so it is stored even if there is no consent under
// it: an unconfirmed form stores none.
func (s *Service) Withdraw(ctx context.Context, q *Query) ([]Withdrawal, error) {
	if q.All == (q.Purpose != "") {
		return nil, queryError("expected one purpose (--purpose NAME) or all (--all)")
	}
	subjects, err := s.subjects(q)
	if err != nil {
		return nil, err
	}
	if subjects == nil {
		return nil, queryError("expected a person")
	}
	store, err := s.Registry.Store(ctx)
	if err != nil {
		return nil, err
	}
	var events []consent.Event
	known := false
	byAddress := q.Identity != nil && (q.Identity.Kind == subject.ByEmail || q.Identity.Kind == subject.ByPhone)
	for i, subject := range subjects {
		rec, err := store.Load(ctx, subject)
		if err != nil {
			return nil, err
		}
		known = known || len(rec.Latest) > 0
		events = append(events, s.withdrawals(subject, &rec, q.Purpose)...)
		if i == 0 && byAddress {
			events = append(events, s.addressWithdrawals(subject, &rec, q.Purpose, events)...)
			known = known || len(events) > 0
		}
	}
	switch {
	case !known:
		return nil, ErrNobody
	case len(events) == 0:
		return nil, ErrNothing
	}
	if _, err := s.Registry.Append(ctx, events...); errors.Is(err, consent.ErrPending) {
		return nil, fmt.Errorf("the withdrawal is stored, but not in force on every proxy yet, do not tell the person that it is: %w; run it again, which does no harm", err)
	} else if err != nil {
		return nil, fmt.Errorf("it is not withdrawn, do not tell the person that it is: %w; run it again, which does no harm", err)
	}
	done := make([]Withdrawal, len(events))
	for i := range events {
		done[i] = Withdrawal{events[i].Subject, events[i].Purpose}
	}
	return done, nil
}

// withdrawals returns the events that withdraw what stands of a person, to
// one purpose or to all: a consent of a linked subject too, since what one
// takes back is taken back for both.
func (s *Service) withdrawals(subject consent.Subject, rec *consent.Record, purpose string) []consent.Event {
	granted, restricted := map[string]consent.Revision{}, map[string]consent.Revision{}
	for i := range rec.Latest {
		switch state := &rec.Latest[i]; {
		case state.Action == consent.Grant:
			granted[state.Purpose] = max(granted[state.Purpose], state.Revision)
		case state.Action.TakesBack():
			restricted[state.Purpose] = max(restricted[state.Purpose], state.Revision)
		}
	}
	var events []consent.Event
	for _, granting := range slices.Sorted(maps.Keys(granted)) {
		if purpose != "" && granting != purpose || granted[granting] < restricted[granting] {
			continue
		}
		events = append(events, s.withdrawal(subject, granting))
	}
	return events
}

// addressWithdrawals returns the events that take back, for an address, the consents to one
// purpose of the policies in force, or to all: those that neither the record
// nor events took back.
func (s *Service) addressWithdrawals(subject consent.Subject, rec *consent.Record, purpose string, events []consent.Event) []consent.Event {
	done := map[string]bool{}
	for i := range events {
		done[events[i].Purpose] = done[events[i].Purpose] || events[i].Subject == subject
	}
	for i := range rec.Latest {
		if state := &rec.Latest[i]; state.Subject == subject && state.Action.TakesBack() {
			done[state.Purpose] = true
		}
	}
	var withdrawals []consent.Event
	for _, set := range s.Policies() {
		for i := range set.Purposes {
			p := &set.Purposes[i]
			if p.Basis != policy.Consent || done[p.Name] || purpose != "" && p.Name != purpose {
				continue
			}
			done[p.Name] = true
			withdrawals = append(withdrawals, s.withdrawal(subject, p.Name))
		}
	}
	return withdrawals
}

// withdrawal returns the event that withdraws a consent on a person's behalf.
func (s *Service) withdrawal(subject consent.Subject, purpose string) consent.Event {
	return consent.Event{
		ID: s.NewID(), Subject: subject, Purpose: purpose, Action: consent.Withdraw, Source: consent.FromOperator,
		Time: s.Now().UTC().Truncate(time.Microsecond), Policy: s.policyOf(purpose),
	}
}

// policyOf returns the version of the policy that has a purpose; empty if none
// does.
func (s *Service) policyOf(purpose string) string {
	for _, set := range s.Policies() {
		if _, ok := set.PurposeID(purpose); ok {
			return set.Version
		}
	}
	return ""
}
