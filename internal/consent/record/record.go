// Package record writes what is kept of consents as documents: for the
// operator, who has to demonstrate them (GDPR Art. 7(1)), as JSON, CSV and the
// consent record of ISO/IEC TS 27560; for the person, as a receipt. It streams:
// what it holds does not grow with the number of people.
package record

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/notice"
)

// page is how many events are read at a time: few enough that their texts,
// each up to [consent.MaxText], stay small together.
const page = 100

// Person is what is kept of one person, over all subjects that are linked, in
// the order of revisions.
type Person []consent.Event

// Site is what a document says beside the events.
type Site struct {
	Controller notice.Party
	// Choices is the address of the page on which people give and withdraw
	// consents; empty: there is none.
	Choices string
	// Notice returns what is told today about the purpose of an event, in the
	// language of that event; nil: the policy no longer has the purpose. It
	// may be nil itself.
	Notice func(consent.Event) *notice.Consent
}

// Archive is the part of a store that documents are made from, see
// [consent.Store].
type Archive interface {
	Events(ctx context.Context, subject consent.Subject, after consent.Revision, limit int) ([]consent.Event, error)
}

// Events returns the events of a person, links followed, or of everybody when
// subject is empty, in the order of revisions. After an error it ends.
func Events(ctx context.Context, archive Archive, subject consent.Subject) iter.Seq2[consent.Event, error] {
	return func(yield func(consent.Event, error) bool) {
		for after, more := consent.Revision(0), true; more; {
			events, err := archive.Events(ctx, subject, after, page)
			if err != nil {
				yield(consent.Event{}, err)
				return
			}
			for i := range events {
				if !yield(events[i], nil) {
					return
				}
				after = events[i].Revision
			}
			more = len(events) == page
		}
	}
}

// Persons returns each person once, in the order of their latest events. One
// whose events go on while this runs comes again, with all of them: so no
// event that was kept at the start is missed, even when two persons turn out
// to be one meanwhile. One person is held at a time.
func Persons(ctx context.Context, archive Archive) iter.Seq2[Person, error] {
	return func(yield func(Person, error) bool) {
		for after := consent.Revision(0); ; {
			events, err := archive.Events(ctx, "", after, page)
			if err != nil {
				yield(nil, err)
				return
			}
			if len(events) == 0 { // and what came meanwhile was read too
				return
			}
			for i := range events {
				after = events[i].Revision
				person, err := complete(ctx, archive, events[i:])
				if (err != nil || person != nil) && !yield(person, err) || err != nil {
					return
				}
			}
		}
	}
}

// complete returns the person of the first event, nil if a later event of the
// person follows.
func complete(ctx context.Context, archive Archive, events []consent.Event) (Person, error) {
	later := func(e consent.Event) bool { return e.Subject == events[0].Subject }
	if slices.ContainsFunc(events[1:], later) { // without asking the archive
		return nil, nil
	}
	person, err := One(ctx, archive, events[0].Subject)
	if n := len(person); n == 0 || person[n-1].Revision > events[0].Revision {
		return nil, err
	}
	return person, err
}

// One returns one person; without events when the subject is unknown.
func One(ctx context.Context, archive Archive, subject consent.Subject) (Person, error) {
	var person Person
	texts := map[string]*consent.Shown{} // people are shown the same few texts
	for e, err := range Events(ctx, archive, subject) {
		if err != nil {
			return nil, err
		}
		if e.Shown != nil {
			key := e.Shown.Digest + e.Shown.Language
			if texts[key] == nil {
				texts[key] = e.Shown
			}
			e.Shown = texts[key]
		}
		person = append(person, e)
	}
	return person, nil
}

// About leaves of events those about one purpose; all when it is empty.
func About(purpose string, events iter.Seq2[consent.Event, error]) iter.Seq2[consent.Event, error] {
	if purpose == "" {
		return events
	}
	return func(yield func(consent.Event, error) bool) {
		for e, err := range events {
			if (err != nil || e.Purpose == purpose) && !yield(e, err) {
				return
			}
		}
	}
}

// About leaves of a person's events those about one purpose, and the links;
// all when it is empty.
func (p Person) About(purpose string) Person {
	return slices.DeleteFunc(slices.Clone(p), func(e consent.Event) bool {
		return purpose != "" && e.Purpose != purpose && e.Action != consent.Link
	})
}

// Each yields the values of a list, without errors.
func Each[T any](list []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, value := range list {
			if !yield(value, nil) {
				return
			}
		}
	}
}

// Thread is what is kept of one subject and one purpose, in the order of
// revisions: what the subject chose, and what a linked subject took back, which
// counts for both. The last event says what stands.
type Thread struct {
	Subject consent.Subject
	Purpose string
	Events  Person
}

// Threads returns the threads of a person, in the order in which they began.
func (p Person) Threads() []Thread {
	var threads []Thread
	for i := range p {
		e := &p[i]
		begun := func(t Thread) bool { return t.Subject == e.Subject && t.Purpose == e.Purpose }
		if e.Action == consent.Link || slices.ContainsFunc(threads, begun) {
			continue
		}
		t := Thread{Subject: e.Subject, Purpose: e.Purpose}
		for j := range p {
			if p[j].Purpose == t.Purpose && p[j].Action != consent.Link && (p[j].Subject == t.Subject || p[j].Action.TakesBack()) {
				t.Events = append(t.Events, p[j])
			}
		}
		threads = append(threads, t)
	}
	return threads
}

// Latest returns the event that says what stands.
func (t *Thread) Latest() *consent.Event { return &t.Events[len(t.Events)-1] }

// linked returns the other subjects of a person, in the order in which they
// became known.
func (p Person) linked(subject consent.Subject) []consent.Subject {
	var others []consent.Subject
	for i := range p {
		for _, s := range []consent.Subject{p[i].Subject, p[i].Other} {
			if s != "" && s != subject && !slices.Contains(others, s) {
				others = append(others, s)
			}
		}
	}
	return others
}

// today returns what is told today of the purpose of a thread, nil if the
// policy no longer has it, and whether the person was told just that at last.
func (s *Site) today(t *Thread) (told *notice.Consent, same bool) {
	if s.Notice == nil {
		return nil, false
	}
	last := t.Latest()
	for i := len(t.Events) - 1; i >= 0; i-- {
		if t.Events[i].Notice != "" { // a withdrawal answers no notice
			last = &t.Events[i]
			break
		}
	}
	told = s.Notice(*last)
	return told, told != nil && told.ID == last.Notice
}

// Status says in a word what a thread comes to at a time: granted, or outdated
// when the text is another today; expired, refused, withdrawn, objected.
func (s *Site) Status(t *Thread, now time.Time) string {
	switch e := t.Latest(); e.Action {
	case consent.Grant:
		told, same := s.today(t)
		switch {
		case !e.Expires.IsZero() && !now.Before(e.Expires):
			return "expired"
		case told != nil && !same:
			return "outdated"
		}
		return "granted"
	case consent.Refuse:
		return "refused"
	case consent.Withdraw:
		return "withdrawn"
	case consent.Object:
		return "objected"
	case consent.Expire:
		return "expired"
	case consent.Link:
	}
	return "unknown"
}

// stamp writes a time as all documents do.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
