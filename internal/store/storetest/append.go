package storetest

import (
	"context"
	"errors"
	"fmt"

	"github.com/modicum-proxy/modicum/internal/consent"
)

func testUnknown(t trial) {
	t.equal("an empty store", t.loaded("k.nobody"), consent.Record{Subjects: []consent.Subject{"k.nobody"}})
	t.appended(choice("k.a", "news", consent.Grant))
	t.equal("another's record", t.loaded("k.nobody"), consent.Record{Revision: 1, Subjects: []consent.Subject{"k.nobody"}})
	if commit, err := t.store.Append(t.Context()); err != nil {
		t.Errorf("appending nothing: %v, %v", commit, err)
	}
}

func testIdempotent(t trial) {
	first, second := choice("k.a", "news", consent.Grant), choice("k.a", "news", consent.Withdraw)
	if rev := t.appended(first, first); rev != 1 {
		t.Errorf("the same event twice in one call got revision %d", rev)
	}
	t.appended(second)
	// A form that is sent again does not take the withdrawal back, even if
	// something else claims to have the same ID.
	forged := first
	forged.Purpose = "profiling"
	for _, e := range []consent.Event{first, forged} {
		if rev := t.appended(e); rev != 1 {
			t.Errorf("storing again returned revision %d, not that of the first time", rev)
		}
	}
	if rev := t.appended(first, choice("k.a", "post", consent.Grant), second); rev != 2 {
		t.Errorf("the last event was stored before with revision 2; got %d", rev)
	}
	record := t.loaded("k.a")
	if len(record.Latest) != 2 || record.Latest[0].Action != consent.Withdraw || record.Latest[1].Purpose != "post" || record.Revision != 3 {
		t.Errorf("the record is %+v", record)
	}
	if events := t.all(""); len(events) != 3 {
		t.Errorf("there are %d events, want 3", len(events))
	}
}

func testAtomic(t trial) {
	t.fill("k.a", consent.MaxLinked)
	before := t.loaded("k.a")
	_, err := t.store.Append(t.Context(), choice("k.a", "news", consent.Grant), linking("k.a", "k.more"), choice("k.a", "post", consent.Grant))
	if !errors.Is(err, consent.ErrTooManyLinks) {
		t.Fatalf("got %v", err)
	}
	t.equal("after an append that failed", t.loaded("k.a"), before)
	if rev := t.appended(choice("k.a", "news", consent.Grant)); rev != before.Revision+1 {
		t.Errorf("the failed append left a gap: %d after %d", rev, before.Revision)
	}
}

// A browser that goes away ends the request's context at any moment. What
// then failed for sure must not be stored, and a second try never doubles.
func testCancelled(t trial) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := t.store.Append(ended, choice("k.a", "news", consent.Grant)); err == nil {
		t.Error("an ended context appended")
	}
	if _, err := t.store.Load(ended, "k.a"); err == nil {
		t.Error("an ended context loaded")
	}
	for i := range 50 {
		e := choice(consent.Subject(fmt.Sprint("k.", i)), "news", consent.Grant)
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		_, err := t.store.Append(ctx, e)
		cancel()
		stored := len(t.loaded(e.Subject).Latest) == 1
		switch {
		case err == nil && !stored:
			t.Fatal("an acknowledged event is not there")
		case err != nil && !errors.Is(err, consent.ErrOutcomeUnknown) && stored:
			t.Fatalf("an event is there in spite of %v", err)
		}
		t.appended(e)
	}
	if n := t.loaded("k.a").Revision; n != 50 && n != 51 {
		t.Errorf("%d events are stored for 50", n)
	}
}
