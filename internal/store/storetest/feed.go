package storetest

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// feed returns the ability, or ends the test.
func (t trial) feed() consent.Feed {
	t.Helper()
	f, ok := t.store.(consent.Feed)
	if !ok {
		t.Skip("the store has no feed")
	}
	return f
}

func (t trial) changed(since consent.Mark) consent.Changes {
	t.Helper()
	changes, err := t.feed().Changes(t.Context(), since)
	if err != nil {
		t.Fatalf("Changes: %v", err)
	}
	return changes
}

func testChanges(t trial) {
	empty := t.changed(consent.Mark{})
	if (empty.Head != consent.Mark{}) || empty.Diverged || empty.More || len(empty.Subjects) != 0 {
		t.Errorf("of an empty store: %+v", empty)
	}
	first := choice("k.a", "news", consent.Grant)
	t.appended(first)
	one := t.changed(empty.Head)
	if (one.Head != consent.Mark{Revision: 1, Event: first.ID}) || one.Diverged || one.Subjects["k.a"] != 1 {
		t.Errorf("after the first event: %+v", one)
	}
	if none := t.changed(one.Head); none.Head != one.Head || none.Diverged || none.More || len(none.Subjects) != 0 {
		t.Errorf("since the head: %+v", none)
	}
	last := choice("k.b", "post", consent.Grant)
	t.appended(choice("k.b", "news", consent.Withdraw), linking("k.c", "k.d"), choice("k.e", "news", consent.Grant), last)
	more := t.changed(one.Head)
	if (more.Head != consent.Mark{Revision: 5, Event: last.ID}) || more.Diverged || more.More {
		t.Errorf("after four more: %+v", more)
	}
	// Both subjects of a link changed: what one takes back counts for the other.
	want := map[consent.Subject]consent.Revision{"k.b": 5, "k.c": 3, "k.d": 3, "k.e": 4}
	for subject, rev := range want {
		if more.Subjects[subject] < rev {
			t.Errorf("%s changed at %d, the feed says %d", subject, rev, more.Subjects[subject])
		}
	}
	if _, ok := more.Subjects["k.a"]; ok {
		t.Error("k.a has not changed since the mark")
	}
}

// A backup is restored, or a standby takes over that had not got everything:
// the revisions go on, and mean other events.
func testDiverged(t trial) {
	a, b := choice("k.a", "news", consent.Grant), choice("k.b", "news", consent.Grant)
	t.appended(a, b)
	for name, mark := range map[string]consent.Mark{
		"another event at the head":   {Revision: 2, Event: uuid.New()},
		"another event before":        {Revision: 1, Event: b.ID},
		"a revision that is to come":  {Revision: 3, Event: uuid.New()},
		"far ahead":                   {Revision: 1 << 40, Event: b.ID},
		"a revision without an event": {Revision: 1},
	} {
		if c := t.changed(mark); !c.Diverged || (c.Head != consent.Mark{Revision: 2, Event: b.ID}) {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

func testWait(t trial) {
	f := t.feed()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	woken := make(chan error, 1)
	go func() { woken <- f.Wait(ctx) }()
	for waiting := true; waiting; { // the first may be stored before anybody waits
		t.appended(choice("k.a", "news", consent.Grant))
		select {
		case err := <-woken:
			if err != nil {
				t.Errorf("Wait: %v", err)
			}
			waiting = false
		case <-time.After(20 * time.Millisecond):
		}
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := f.Wait(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait with an ended context: %v", err)
	}
}
