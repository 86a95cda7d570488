package consent

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/modicum-proxy/modicum/internal/consent/signal"
	"github.com/modicum-proxy/modicum/internal/policy"
)

// Choices tells what the person behind a request chose about purposes.
func (s *Service) Choices(r *http.Request, set *policy.Set, purposes []policy.PurposeID) ([]Choice, error) {
	who := s.identify(r, nil, nil)
	records, err := s.find(r.Context(), who)
	if err != nil {
		return nil, err
	}
	now, known := s.Now(), s.noticesOf(set)
	said := known.signals.Read(r.Header)
	choices := make([]Choice, len(purposes))
	for i, id := range purposes {
		choices[i] = s.choice(id, who, records, &said, now, known)
		choices[i].Lagging = s.Registry.options.Lease > 0
	}
	return choices, nil
}

// Choose keeps what the person behind a request decides. When it returns nil
// the decisions are in force on every proxy, and our cookie stands on h. On
// an error nothing may be said to be saved: what was to be taken back is then
// denied on this proxy alone.
func (s *Service) Choose(r *http.Request, h http.Header, set *policy.Set, source Source, decisions []Decision) error {
	who := s.identify(r, nil, nil)
	records, err := s.find(r.Context(), who)
	if err != nil {
		records = s.read(r.Context(), who) // it may be slow, and yet store
	}
	made := s.acquaint(who)
	var events []Event
	for _, d := range decisions {
		template := s.event(r, set, source, "")
		template.Purpose, template.Action, template.Notice, template.Shown = d.Purpose, d.Action, d.Notice, d.Shown
		if d.Action == Grant {
			if id, ok := set.PurposeID(d.Purpose); ok {
				template.Expires = set.Purposes[id].Term(template.Time)
			}
		}
		// What is taken back is so for everything that the person is known
		// by. What is granted belongs to the owner: a browser may be shared.
		subjects := []Subject{who.owner}
		if d.Action.Restricts() {
			subjects = slices.Concat(subjects, without(who.subjects, who.owner))
		}
		for _, subject := range append(subjects, linked(records, who, &d)...) {
			events = append(events, s.of(template, subject))
		}
	}
	return s.keep(r.Context(), h, who, made, events)
}

// read returns what it can of the records of all subjects, with the patience
// of a choice.
func (s *Service) read(ctx context.Context, who *person) []*Record {
	ctx, cancel := context.WithTimeout(ctx, s.Registry.options.WriteTimeout)
	defer cancel()
	store, err := s.Registry.Store(ctx)
	if err != nil {
		return nil
	}
	var records []*Record
	for _, subject := range who.subjects {
		if rec, err := store.Load(ctx, subject); err == nil {
			records = append(records, &rec)
		}
	}
	return records
}

// linked returns the linked subjects that a decision is for as well. What is
// taken back is so for each that has not taken it back: that the owner has
// would count for them only until somebody at the same browser consents. What
// is granted is so for those for whom the owner took it back with its own: the
// page says that it is allowed again.
func linked(records []*Record, who *person, d *Decision) []Subject {
	var subjects []Subject
	own, owns := takenBack(records, who.owner, d.Purpose)
	for _, rec := range records {
		for _, subject := range rec.Subjects {
			if who.is(subject) || slices.Contains(subjects, subject) {
				continue
			}
			theirs, taken := takenBack(records, subject, d.Purpose)
			together := owns && taken && theirs.Time.Equal(own.Time) && theirs.Source == own.Source
			if d.Action.Restricts() && !taken || d.Action == Grant && together {
				subjects = append(subjects, subject)
			}
		}
	}
	return subjects
}

// takenBack returns what a subject took back about a purpose.
func takenBack(records []*Record, subject Subject, purpose string) (state State, ok bool) {
	for _, rec := range records {
		for _, state := range rec.Latest {
			if state.Subject == subject && state.Purpose == purpose {
				return state, state.Action.TakesBack()
			}
		}
	}
	return State{}, false
}

// errTooMany keeps one client from filling the store with people.
var errTooMany = errors.New("too many new people come from one address")

// Record keeps the consents that a submission gives by what was ticked in it,
// and that it joins two identities. h gets our cookie. On an error the
// ticks do not count.
func (s *Service) Record(ctx context.Context, h http.Header, inq *Inquiry, ticked policy.PurposeSet) error {
	who := s.identify(inq.Request, inq.Set, inq.Fields)
	records, err := s.find(ctx, who)
	if err != nil {
		return err
	}
	made := false
	if foreign(inq.Request) {
		// Another site filled in the form. It is evidence of what was
		// submitted, and no choice of whom the browser or the login knows.
		*who = person{}
		records, h = nil, http.Header{}
	}
	if !ticked.IsEmpty() {
		if who.owner == "" && s.Limit != nil && !s.Limit(inq.Request) {
			return errTooMany
		}
		made = s.acquaint(who)
	}
	events := s.link(inq, who, records, !ticked.IsEmpty())
	subjects := []Subject{who.owner}
	for _, claims := range who.claims {
		claim := claims[0]
		// Nobody else's page could take back what is granted to one apart.
		if slices.Contains(recordOf(records, who.owner).Subjects, claim) || slices.ContainsFunc(events, func(e Event) bool { return e.Other == claim }) {
			subjects = append(subjects, claim)
		}
	}
	for id := range ticked.All() {
		template := s.grant(inq, id)
		for _, subject := range subjects {
			events = append(events, s.of(template, subject))
		}
	}
	if len(events) == 0 {
		return nil
	}
	return s.keep(ctx, h, who, made, events)
}

// grant returns the event of a field that was ticked, of nobody yet.
func (s *Service) grant(inq *Inquiry, id policy.PurposeID) Event {
	told, shown := s.noticesOf(inq.Set).tell(inq.Request, id)
	e := s.event(inq.Request, inq.Set, FromForm, inq.Receipt)
	e.Purpose, e.Action, e.Notice, e.Expires = told.Purpose, Grant, told.ID, inq.Set.Purposes[id].Term(e.Time)
	e.Shown = shown
	return e
}

// event returns the beginning of an event.
func (s *Service) event(r *http.Request, set *policy.Set, source Source, receipt string) Event {
	e := Event{Source: source, Time: s.Now().UTC().Truncate(time.Microsecond), Policy: set.Version, Receipt: receipt}
	if s.Address != nil {
		if kept := s.Address(r); kept.IsValid() {
			e.Address = kept.String()
			if kept.IsSingleIP() {
				e.Address = kept.Addr().String()
			}
		}
	}
	return e
}

// of returns an event as one of a subject.
func (s *Service) of(e Event, subject Subject) Event {
	e.ID, e.Subject = s.NewID(), subject
	return e
}

// NewShown returns a text as it was shown, with its digest.
func NewShown(language, text string) *Shown {
	sum := sha256.Sum256([]byte(text))
	return &Shown{Digest: hex.EncodeToString(sum[:]), Language: language, Text: text}
}

// acquaint makes a cookie for a person of whom nothing is known. It tells
// whether it did.
func (s *Service) acquaint(who *person) bool {
	if who.owner != "" {
		return false
	}
	who.cookie = s.Keys.newCookie()
	who.owner = who.cookie.subject()
	who.subjects = append(who.subjects, who.owner)
	return true
}

// keep stores events, and renews the cookie with their revision.
func (s *Service) keep(ctx context.Context, h http.Header, who *person, made bool, events []Event) error {
	revision, err := s.Registry.Append(ctx, events...)
	if err != nil {
		return fmt.Errorf("storing a choice: %w", err)
	}
	if made || who.cookie.id != "" {
		who.cookie.revision = revision
		h.Add("Set-Cookie", who.cookie.String())
	}
	return nil
}

// Person returns a name for whoever is behind a request, the same as long as
// it is the same person; empty: nobody is known.
func (s *Service) Person(r *http.Request) string { return string(s.identify(r, nil, nil).owner) }

// Listen keeps what a browser tells by ADPC, as far as it changes what stands.
// The header comes with every request, also with those that must not wait for
// a store: it is not tried for longer than a decision is, and the browser
// says it again.
func (s *Service) Listen(r *http.Request, h http.Header, set *policy.Set) error {
	n := s.noticesOf(set)
	said := n.signals.Read(r.Header)
	if said.ADPC.IsEmpty() {
		return nil
	}
	who := s.identify(r, set, nil)
	if who.owner == "" && said.ADPC.Consented.IsEmpty() {
		return nil // nothing stands of nobody
	}
	if who.owner == "" && s.Limit != nil && !s.Limit(r) {
		return errTooMany
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.Registry.options.Timeout)
	defer cancel()
	records, err := s.find(ctx, who)
	if err != nil {
		return err
	}
	var decisions []Decision
	for _, told := range []struct {
		purposes policy.PurposeSet
		action   Action
	}{{said.ADPC.Consented, Grant}, {said.ADPC.Withdrawn, Withdraw}, {said.ADPC.Objected, Object}} {
		for id := range told.purposes.All() {
			stored := s.choice(id, who, records, &signal.Signals{}, s.Now(), n)
			if stored.Latest.Action == told.action && (told.action != Grant || stored.Status == Granted) {
				continue // browsers say it with every request
			}
			text, shown := n.tell(r, id)
			decisions = append(decisions, Decision{Purpose: text.Purpose, Action: told.action, Notice: text.ID, Shown: shown})
		}
	}
	if len(decisions) == 0 {
		return nil
	}
	return s.Choose(r.WithContext(ctx), h, set, FromADPC, decisions)
}

// joins tells whether a submission names an identity that is not linked to
// the one who sent it yet, while there are choices to share.
func (s *Service) joins(inq *Inquiry, who *person, records []*Record) bool {
	return who.owner != "" && len(who.claims) > 0 && !foreign(inq.Request) && len(s.link(inq, who, records, false)) > 0
}

// link returns the events by which the identities of a submission become
// linked: what is taken back under one is then taken back for the other.
// Nothing is granted to the other by that: the address may be a friend's.
// Where nobody chooses anything there is no reason to know that two
// identities belong together.
func (s *Service) link(inq *Inquiry, who *person, records []*Record, choosing bool) []Event {
	var events []Event
	own := recordOf(records, who.owner)
	size := len(own.Subjects)
	for _, claims := range who.claims {
		claim := claims[0]
		other := recordOf(records, claim)
		if !choosing && len(own.Latest)+len(other.Latest) == 0 || slices.Contains(own.Subjects, claim) ||
			size+len(other.Subjects) > MaxLinked {
			continue
		}
		size += len(other.Subjects)
		e := s.of(s.event(inq.Request, inq.Set, FromForm, inq.Receipt), who.owner)
		e.Action, e.Other = Link, claim
		events = append(events, e)
	}
	return events
}

// recordOf returns the record of a subject; one who was made up just now has
// none yet.
func recordOf(records []*Record, subject Subject) *Record {
	for _, rec := range records {
		if rec.Subjects[0] == subject {
			return rec
		}
	}
	return &Record{Subjects: []Subject{subject}}
}

func without(subjects []Subject, one Subject) []Subject {
	return slices.DeleteFunc(slices.Clone(subjects), func(s Subject) bool { return s == one })
}

// evidenceLimit is the most events that a person's receipt holds.
const evidenceLimit = 1000

// Evidence returns what is stored of the choices of the person behind a
// request, those of linked subjects left out: they may be another's.
func (s *Service) Evidence(r *http.Request) ([]Event, error) {
	who := s.identify(r, nil, nil)
	if len(who.subjects) == 0 {
		return nil, nil
	}
	store, err := s.Registry.Store(r.Context())
	if err != nil {
		return nil, err
	}
	archive, ok := store.(Archive)
	if !ok {
		return nil, fmt.Errorf("%w: it keeps no archive", ErrUnavailable)
	}
	var events []Event
	for _, subject := range who.subjects {
		found, err := archive.Events(r.Context(), subject, 0, evidenceLimit)
		if err != nil {
			return nil, unavailable(err)
		}
		for i := range found {
			if found[i].Subject == subject {
				events = append(events, found[i])
			}
		}
	}
	slices.SortFunc(events, func(a, b Event) int { return int(a.Revision - b.Revision) })
	return events, nil
}
