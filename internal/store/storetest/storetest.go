// Package storetest is the one suite that every store of consents passes,
// and the model that it holds them to.
package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// Run holds a store to what package consent says of it. Each call of open
// returns an empty store, which lives until the end of t. The abilities that
// a store lacks ([consent.Store], [consent.Store], [consent.Feed]) are
// passed over; most tests read by the first one.
func Run(t *testing.T, open func(t *testing.T) consent.Store) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(trial)
	}{
		{"an unknown subject has no states", testUnknown},
		{"storing again changes nothing", testIdempotent},
		{"an append is stored whole or not at all", testAtomic},
		{"an append that was given up is stored once or never", testCancelled},
		{"links join persons", testLinks},
		{"a person has a bounded number of subjects", testTooManyLinks},
		{"texts are read back byte for byte", testTexts},
		{"one text can stand for two languages", testLanguages},
		{"events come in pages", testPages},
		{"revisions follow the order of commits without gaps", testRevisions},
		{"a record is as of its revision", testSnapshot},
		{"grants fall due", testDue},
		{"what has ended is pruned", testPrune},
		{"what holds a linked grant back stays", testPruneOfLinked},
		{"addresses are forgotten", testAddresses},
		{"the feed tells what changed", testChanges},
		{"the feed tells when history is another", testDiverged},
		{"the feed wakes", testWait},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(trial{t, open(t)}) })
	}
	t.Run("any history is like the model's", func(t *testing.T) { testHistory(t, open) })
}

// start is when the events of the tests begin.
var start = time.Date(2026, 5, 4, 3, 2, 1, 987654000, time.UTC)

// choice returns an event that nothing is wrong with.
func choice(subject consent.Subject, purpose string, action consent.Action) consent.Event {
	return consent.Event{
		ID: uuid.Must(uuid.NewV7()), Subject: subject, Purpose: purpose, Action: action, Source: consent.FromPage,
		Time: start, Notice: "n0tice", Policy: "p0licy",
	}
}

// linking returns the event that two subjects are one person.
func linking(a, b consent.Subject) consent.Event {
	e := choice(a, "", consent.Link)
	e.Other = b
	return e
}

// trial is one test of one store.
type trial struct {
	*testing.T
	store consent.Store
}

func (t trial) appended(events ...consent.Event) consent.Revision {
	t.Helper()
	commit, err := t.store.Append(t.Context(), events...)
	if err != nil {
		t.Fatalf("Append: %v", err)
	}
	return commit.Revision
}

func (t trial) loaded(subject consent.Subject) consent.Record {
	t.Helper()
	record, err := t.store.Load(t.Context(), subject)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return record
}

// all returns every event of a person, or of everybody.
func (t trial) all(subject consent.Subject) []consent.Event {
	t.Helper()
	return t.pages(subject, 0, 100)
}

// pages reads on from a revision until a page is not full.
func (t trial) pages(subject consent.Subject, after consent.Revision, limit int) []consent.Event {
	t.Helper()
	var events []consent.Event
	for {
		page, err := t.store.Events(t.Context(), subject, after, limit)
		if err != nil || len(page) > limit {
			t.Fatalf("Events: %d, limit %d, %v", len(page), limit, err)
		}
		events = append(events, page...)
		if len(page) < limit {
			return events
		}
		after = page[len(page)-1].Revision
	}
}

func (t trial) equal(what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}
