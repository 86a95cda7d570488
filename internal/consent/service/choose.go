package service

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/modicum-proxy/modicum/internal/policy"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// Choices returns what the person behind a request chose about purposes.
func (s *Service) Choices(r *http.Request, set *policy.Set, purposes []policy.PurposeID) ([]consent.Choice, error) {
	who := s.identify(r, nil, nil)
	records, err := s.find(r.Context(), who)
	if err != nil {
		return nil, err
	}
	now, known := s.Now(), s.noticesOf(set)
	said := known.signals.Read(r.Header)
	choices := make([]consent.Choice, len(purposes))
	for i, id := range purposes {
		choices[i] = s.choice(id, who, records, &said, now, known)
		choices[i].TakenBack = s.takenBackByAll(choices[i].Purpose, who, records)
		choices[i].Lagging = s.Registry.Leased()
	}
	return choices, nil
}

// Choose stores decisions of the person behind a request. If it returns nil, they
// are in force on every proxy, and our cookie is set on h. After an error the
// person must not be told that anything is saved: what was to be taken back is
// then denied on this proxy only, or is in force after all.
func (s *Service) Choose(r *http.Request, h http.Header, set *policy.Set, source consent.Source, decisions []consent.Decision) error {
	who := s.identify(r, nil, nil)
	records, err := s.find(r.Context(), who)
	if err != nil || s.Registry.Leased() {
		// It may be slow, and yet store. And under a lease, what was found may
		// be older than what the person takes back.
		records, _ = s.Registry.Read(r.Context(), who.subjects())
	}
	newcomer := s.ensureCookie(who)
	var granted, takenBack []consent.Event
	repeated := false
	for _, d := range decisions {
		template := s.event(r, set, source, "")
		template.Purpose, template.Action, template.Notice, template.Shown = d.Purpose, d.Action, d.Notice, d.Shown
		if d.Action == consent.Grant {
			// What is granted belongs to the owner: a browser may be shared.
			if id, ok := set.PurposeID(d.Purpose); ok {
				template.Expires = set.Purposes[id].Term(template.Time)
			}
			if !s.repeats(&template, set, who, records) {
				granted = append(granted, s.eventOf(template, who.owner()))
			}
			continue
		}
		// What is taken back is so for everything that the person is known by.
		for _, subject := range append(who.verified(), linked(records, who)...) {
			state := stateOf(records, subject, d.Purpose)
			if s.alreadyTakenBack(&state, d.Action) {
				repeated = true
				continue
			}
			takenBack = append(takenBack, s.eventOf(template, subject))
		}
	}
	refused := s.overLimit(r, who, newcomer, len(granted), len(takenBack))
	switch {
	case errors.Is(refused, consent.ErrTooMany):
		return refused
	case refused != nil:
		granted = nil
	}
	if err := s.store(r.Context(), h, who, newcomer, append(granted, takenBack...)); err != nil {
		return err
	}
	if repeated && len(takenBack) == 0 {
		// The request that stored it may be waiting yet.
		if err := s.Registry.WaitForLeases(r.Context()); err != nil {
			return err
		}
	}
	return refused
}

// overLimit returns why a choice of so many events adds too much to the store.
func (s *Service) overLimit(r *http.Request, who *person, newcomer bool, granted, takenBack int) error {
	owner := who.owner()
	if newcomer {
		owner = ""
	}
	if s.Limits == nil || granted+takenBack == 0 || granted > 0 && s.Limits.mayGrant(r, owner) {
		return nil
	}
	switch {
	case newcomer && (takenBack == 0 || !s.Limits.mayAppear(r)):
		return consent.ErrTooMany
	case granted > 0:
		return consent.ErrTooManyGrants
	}
	return nil
}

// renewal is how old a consent is before the same consent renews its term.
const renewal = 24 * time.Hour

// repeats reports whether a grant changes nothing: a consent of the owner to
// what people are told today stands. A term is renewed once a day.
func (s *Service) repeats(e *consent.Event, set *policy.Set, who *person, records []*consent.Record) bool {
	id, known := set.PurposeID(e.Purpose)
	last := who.latest(e.Purpose, records)
	if !known || last.Subject != who.owner() || s.denied(e.Purpose, records) {
		return false
	}
	told := s.noticesOf(set)
	if last.Status(e.Time, func(notice string) bool { return told.has(id, notice) }) != consent.Granted {
		return false
	}
	return last.Expires.IsZero() && e.Expires.IsZero() || e.Time.Sub(last.Time) < renewal
}

// takenBackByAll reports whether everything that the person is known by has taken
// a purpose back: in a shared browser, what its cookie took back is no word of
// the login.
func (s *Service) takenBackByAll(purpose string, who *person, records []*consent.Record) bool {
	if len(who.own) == 0 || s.denied(purpose, records) {
		return false
	}
	return !slices.ContainsFunc(append(who.verified(), linked(records, who)...), func(subject consent.Subject) bool {
		state := stateOf(records, subject, purpose)
		return state.Revision == 0 || !state.Action.TakesBack()
	})
}

// repetition is for how long taking back the same again changes nothing. After
// that it is stored again: a proxy that does not have the newest key yet cannot
// see what was granted under it.
const repetition = time.Minute

// alreadyTakenBack reports whether taking back changes nothing of a state.
func (s *Service) alreadyTakenBack(state *consent.State, action consent.Action) bool {
	if state.Revision == 0 || s.Now().Sub(state.Time) >= repetition {
		return false
	}
	if s.Registry.Denied(state.Purpose, []consent.Subject{state.Subject}) {
		return false // it is not known whether the last attempt will last
	}
	return state.Action == consent.Object || state.Action.TakesBack() && action != consent.Object
}

// denied reports whether the person took something back that could not be stored.
func (s *Service) denied(purpose string, records []*consent.Record) bool {
	return slices.ContainsFunc(records, func(rec *consent.Record) bool { return s.Registry.Denied(purpose, rec.Subjects) })
}

// linked returns the subjects that are linked to those of a person. What is
// taken back is so for them too, or it would count for the person only until
// somebody at the same browser consents.
func linked(records []*consent.Record, who *person) []consent.Subject {
	var subjects []consent.Subject
	verified := who.verified()
	for _, rec := range records {
		for _, subject := range rec.Subjects {
			if !slices.Contains(verified, subject) && !slices.Contains(subjects, subject) {
				subjects = append(subjects, subject)
			}
		}
	}
	return subjects
}

// stateOf returns the latest event of one subject about a purpose.
func stateOf(records []*consent.Record, subject consent.Subject, purpose string) consent.State {
	for _, rec := range records {
		if state := rec.State(subject, purpose); state.Revision > 0 {
			return state
		}
	}
	return consent.State{}
}

// event returns the beginning of an event.
func (s *Service) event(r *http.Request, set *policy.Set, source consent.Source, receipt string) consent.Event {
	e := consent.Event{Source: source, Time: s.Now().UTC().Truncate(time.Microsecond), Policy: set.Version, Receipt: receipt}
	if s.Address != nil {
		e.Address = s.Address(r)
	}
	return e
}

// eventOf returns an event as one of a subject.
func (s *Service) eventOf(e consent.Event, subject consent.Subject) consent.Event {
	e.ID, e.Subject = s.NewID(), subject
	return e
}

// ensureCookie makes a cookie for a person who is unknown, and reports whether it
// did.
func (s *Service) ensureCookie(who *person) bool {
	if len(who.own) > 0 {
		return false
	}
	who.cookie = s.Keys.NewCookie()
	who.own = []consent.Subject{who.cookie.Subject()}
	return true
}

// store stores events, if there are any, and renews the cookie with their
// revision.
func (s *Service) store(ctx context.Context, h http.Header, who *person, newcomer bool, events []consent.Event) error {
	if len(events) == 0 {
		return nil
	}
	revision, err := s.Registry.Append(ctx, events...)
	if err != nil && !errors.Is(err, consent.ErrPending) {
		return fmt.Errorf("storing a choice: %w", err)
	}
	if newcomer || !who.cookie.IsZero() {
		who.cookie.Revision = revision
		h.Add("Set-Cookie", who.cookie.String())
	}
	return err
}

// Person returns a stable name of the person behind a request, empty if the
// person is unknown.
func (s *Service) Person(r *http.Request) string { return string(s.identify(r, nil, nil).owner()) }
