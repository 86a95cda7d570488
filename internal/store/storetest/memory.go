package storetest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// Memory is a store in memory: what the words of package consent mean, as
// plainly as it can be written down. It is the model that the suite holds
// other stores to, and serves tests and simulations of those who use a
// store. Its zero value is empty. Nothing of it survives the process.
type Memory struct {
	// Lease is told with each commit.
	Lease time.Duration

	mu     sync.Mutex
	head   consent.Mark
	events []consent.Event // by revision
	latest map[about]consent.Revision
	since  map[consent.Revision]time.Time // when the superseded ones were
	person map[consent.Subject]consent.Subject
	told   chan struct{} // closed by the next commit; nil: nobody waits
}

// about is what one subject has one latest event about.
type about struct {
	subject consent.Subject
	purpose string
}

var (
	_ consent.Store = (*Memory)(nil)
	_ consent.Feed  = (*Memory)(nil)
)

// Append implements [consent.Store].
func (m *Memory) Append(ctx context.Context, events ...consent.Event) (consent.Commit, error) {
	if err := ctx.Err(); err != nil {
		return consent.Commit{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var fresh []consent.Event
	person := maps.Clone(m.person)
	commit := consent.Commit{Lease: m.Lease}
	for i := range events {
		e := copyOf(&events[i])
		if known := find(m.events, &e) + find(fresh, &e); known > 0 { // one of them is 0
			commit.Revision = known
			continue
		}
		e.Revision = m.head.Revision + consent.Revision(len(fresh)) + 1
		fresh = append(fresh, e)
		commit.Revision = e.Revision
		if e.Action == consent.Link {
			if person == nil {
				person = map[consent.Subject]consent.Subject{}
			}
			if err := link(person, e.Subject, e.Other); err != nil {
				return consent.Commit{}, err
			}
		}
	}
	m.person = person
	m.keepLocked(fresh)
	return commit, nil
}

// keepLocked takes over events that nothing is wrong with.
func (m *Memory) keepLocked(fresh []consent.Event) {
	if len(fresh) == 0 {
		return
	}
	if m.latest == nil {
		m.latest, m.since = map[about]consent.Revision{}, map[consent.Revision]time.Time{}
	}
	for _, e := range fresh {
		m.events = append(m.events, e)
		m.head = consent.Mark{Revision: e.Revision, Event: e.ID}
		if e.Action == consent.Link {
			continue
		}
		of := about{e.Subject, e.Purpose}
		if last, ok := m.latest[of]; ok {
			m.since[last] = e.Time
		}
		m.latest[of] = e.Revision
	}
	if m.told != nil {
		close(m.told)
		m.told = nil
	}
}

// find returns the revision of an event with the same ID, or 0.
func find(events []consent.Event, e *consent.Event) consent.Revision {
	for i := range events {
		if events[i].ID == e.ID {
			return events[i].Revision
		}
	}
	return 0
}

// link makes two subjects one person.
func link(person map[consent.Subject]consent.Subject, a, b consent.Subject) error {
	to, from := cmp.Or(person[a], a), cmp.Or(person[b], b)
	if to == from {
		return nil
	}
	person[a], person[b], person[to] = to, from, to
	size := 0
	for subject, p := range person {
		if p == from {
			person[subject] = to
		}
		if person[subject] == to {
			size++
		}
	}
	if size > consent.MaxLinked {
		return consent.ErrTooManyLinks
	}
	return nil
}

// copyOf returns an event that shares nothing with e, with the times as
// stores keep them.
func copyOf(e *consent.Event) consent.Event {
	c := *e
	c.Time = c.Time.UTC().Truncate(time.Microsecond)
	if !c.Expires.IsZero() {
		c.Expires = c.Expires.UTC().Truncate(time.Microsecond)
	}
	if e.Shown != nil {
		shown := *e.Shown
		c.Shown = &shown
	}
	return c
}

// subjectsLocked returns all subjects of a person, the given one first.
func (m *Memory) subjectsLocked(subject consent.Subject) []consent.Subject {
	subjects := []consent.Subject{subject}
	for _, other := range slices.Sorted(maps.Keys(m.person)) {
		if other != subject && m.person[other] == m.person[subject] {
			subjects = append(subjects, other)
		}
	}
	return subjects
}

// Load implements [consent.Store].
func (m *Memory) Load(ctx context.Context, subject consent.Subject) (consent.Record, error) {
	if err := ctx.Err(); err != nil {
		return consent.Record{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	record := consent.Record{Revision: m.head.Revision, Subjects: m.subjectsLocked(subject)}
	for i := range m.events {
		e := &m.events[i]
		if !slices.Contains(record.Subjects, e.Subject) || m.latest[about{e.Subject, e.Purpose}] != e.Revision {
			continue
		}
		state := consent.State{
			Subject: e.Subject, Purpose: e.Purpose, Action: e.Action, Source: e.Source, Time: e.Time, Expires: e.Expires,
			Notice: e.Notice, Revision: e.Revision,
		}
		if e.Shown != nil {
			state.Language = e.Shown.Language
		}
		record.Latest = append(record.Latest, state)
	}
	slices.SortFunc(record.Latest, func(a, b consent.State) int {
		return cmp.Or(cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Purpose, b.Purpose))
	})
	return record, nil
}

// Events implements [consent.Store].
func (m *Memory) Events(ctx context.Context, subject consent.Subject, after consent.Revision, limit int) ([]consent.Event, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	subjects := m.subjectsLocked(subject)
	var events []consent.Event
	for i := range m.events {
		e := &m.events[i]
		if e.Revision > after && len(events) < limit && (subject == "" || slices.Contains(subjects, e.Subject)) {
			events = append(events, copyOf(e))
		}
	}
	return events, nil
}

// Due implements [consent.Store].
func (m *Memory) Due(ctx context.Context, now time.Time, limit int) ([]consent.Event, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var due []consent.Event
	for i := range m.events {
		e := m.events[i]
		stands := e.Action == consent.Grant && m.latest[about{e.Subject, e.Purpose}] == e.Revision
		if stands && !e.Expires.IsZero() && e.Expires.Before(now) && len(due) < limit {
			e.Shown = nil
			due = append(due, e)
		}
	}
	return due, nil
}

// Prune implements [consent.Store].
func (m *Memory) Prune(ctx context.Context, before time.Time, limit int) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n, events := 0, slices.Clone(m.events)
	m.events = slices.DeleteFunc(m.events, func(e consent.Event) bool {
		since, superseded := m.since[e.Revision]
		over := superseded && since.Before(before)
		switch e.Action {
		case consent.Refuse, consent.Withdraw, consent.Expire:
			over = over || !superseded && e.Time.Before(before) && !m.holdsBackLocked(&e, events)
		case consent.Grant, consent.Object, consent.Link:
		}
		if !over || n == limit {
			return false
		}
		n++
		delete(m.since, e.Revision)
		if of := (about{e.Subject, e.Purpose}); m.latest[of] == e.Revision {
			delete(m.latest, of)
		}
		return true
	})
	return n, nil
}

// holdsBackLocked reports whether a linked subject has an older grant that would
// count again without what denies.
func (m *Memory) holdsBackLocked(denies *consent.Event, events []consent.Event) bool {
	for _, subject := range m.subjectsLocked(denies.Subject) {
		rev := m.latest[about{subject, denies.Purpose}]
		if rev < denies.Revision && slices.ContainsFunc(events, func(e consent.Event) bool { return e.Revision == rev && e.Action == consent.Grant }) {
			return true
		}
	}
	return false
}

// Changes implements [consent.Feed].
func (m *Memory) Changes(ctx context.Context, since consent.Mark) (consent.Changes, error) {
	if err := ctx.Err(); err != nil {
		return consent.Changes{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	changes := consent.Changes{Head: m.head, Lease: m.Lease}
	known := since == consent.Mark{} || since == m.head
	for i := range m.events {
		known = known || m.events[i].Revision == since.Revision && m.events[i].ID == since.Event
	}
	if !known {
		changes.Diverged = true
		return changes, nil
	}
	changes.Subjects = map[consent.Subject]consent.Revision{}
	for i := range m.events {
		e := &m.events[i]
		if e.Revision <= since.Revision {
			continue
		}
		changes.Subjects[e.Subject] = e.Revision
		if e.Other != "" {
			changes.Subjects[e.Other] = e.Revision
		}
	}
	return changes, nil
}

// Close implements [consent.Store].
func (*Memory) Close() error { return nil }

// Wait implements [consent.Feed].
func (m *Memory) Wait(ctx context.Context) error {
	m.mu.Lock()
	if m.told == nil {
		m.told = make(chan struct{})
	}
	told := m.told
	m.mu.Unlock()
	select {
	case <-told:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
