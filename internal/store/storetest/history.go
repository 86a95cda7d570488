package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// history drives a store and the model by the same calls.
type history struct {
	store consent.Store
	model Memory
	calls [][]consent.Event // that were made before
	marks []consent.Mark
}

// testHistory looks for a history after which the store is not like the model.
func testHistory(t *testing.T, open func(t *testing.T) consent.Store) {
	t.Helper()
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		// The store of each history is closed before the next one's is opened.
		// rapid ends a history by a panic, which has to arrive where rapid is.
		var ended any
		n++
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			defer func() { ended = recover() }()
			h := &history{store: open(t)}
			rt.Repeat(h.actions())
		})
		if ended != nil {
			panic(ended)
		}
	})
}

// actions returns what can happen.
func (h *history) actions() map[string]func(*rapid.T) {
	actions := map[string]func(*rapid.T){
		"append": h.append, "append again": h.again, "load": h.load, "events": h.events, "due": h.due,
		"forget addresses": h.addresses, "prune": h.prune,
	}
	if s, ok := h.store.(consent.Feed); ok {
		actions["changes"] = func(t *rapid.T) { h.changes(t, s) }
	}
	return actions
}

var (
	subjects = rapid.SampledFrom([]consent.Subject{
		"k.a", "k.b", "k.c", "k.d", "k.e", "k.f", "k.g", "k.h", "k.i", "k.j", "k.k", "k.l", "k.m", "k.n", "k.o", "k.p", "k.q", "k.r",
	})
	someAction = rapid.SampledFrom([]consent.Action{
		consent.Grant, consent.Grant, consent.Refuse, consent.Withdraw, consent.Object, consent.Expire, consent.Link,
	})
	moments = rapid.Custom(func(t *rapid.T) time.Time {
		return start.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "hour")) * time.Hour)
	})
	texts = rapid.Custom(func(t *rapid.T) *consent.Shown {
		if rapid.Bool().Draw(t, "none") {
			return nil
		}
		return consent.NewShown(rapid.SampledFrom([]string{"en", "ru"}).Draw(t, "language"), rapid.SampledFrom([]string{"Newsletter", "Почта", "\x01 '\""}).Draw(t, "text"))
	})
	ids = rapid.Custom(func(t *rapid.T) uuid.UUID {
		id := uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
		id[6] = id[6]&0x0f | 0x70 // version 7
		return id
	})
	events = rapid.Custom(func(t *rapid.T) consent.Event {
		e := consent.Event{
			ID: ids.Draw(t, "id"), Subject: subjects.Draw(t, "subject"), Action: someAction.Draw(t, "action"),
			Address: rapid.SampledFrom([]string{"", "192.0.2.0/24"}).Draw(t, "address"),
			Source:  consent.FromForm, Time: moments.Draw(t, "time"), Notice: "n0tice", Policy: "p0licy",
		}
		if e.Action == consent.Link {
			e.Other = subjects.Filter(func(s consent.Subject) bool { return s != e.Subject }).Draw(t, "other")
			return e
		}
		e.Purpose = rapid.SampledFrom([]string{"news", "post"}).Draw(t, "purpose")
		e.Shown = texts.Draw(t, "shown")
		if e.Action == consent.Grant && rapid.Bool().Draw(t, "expires") {
			e.Expires = moments.Draw(t, "when")
		}
		return e
	})
)

func (h *history) append(t *rapid.T) {
	batch := rapid.SliceOfN(events, 1, 5).Draw(t, "events")
	h.both(t, batch)
	h.calls = append(h.calls, batch)
}

// again repeats a call, as one does that got no answer.
func (h *history) again(t *rapid.T) {
	if len(h.calls) == 0 {
		t.Skip("nothing to repeat")
	}
	h.both(t, rapid.SampledFrom(h.calls).Draw(t, "call"))
}

func (h *history) both(t *rapid.T, batch []consent.Event) {
	want, wantErr := h.model.Append(context.Background(), batch...)
	got, err := h.store.Append(context.Background(), batch...)
	if errors.Is(wantErr, consent.ErrTooManyLinks) != errors.Is(err, consent.ErrTooManyLinks) || wantErr == nil && err != nil {
		t.Fatalf("Append: %v, want %v", err, wantErr)
	}
	if err == nil && got.Revision != want.Revision {
		t.Fatalf("Append returned revision %d, want %d", got.Revision, want.Revision)
	}
	h.marks = append(h.marks, h.model.head)
}

func (h *history) load(t *rapid.T) {
	subject := subjects.Draw(t, "subject")
	want, _ := h.model.Load(context.Background(), subject) // it cannot fail
	got, err := h.store.Load(context.Background(), subject)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	alike(t, "Load", got, want)
}

func (h *history) events(t *rapid.T) {
	subject := rapid.OneOf(subjects, rapid.Just(consent.Subject(""))).Draw(t, "subject")
	after, limit := consent.Revision(rapid.IntRange(0, 20).Draw(t, "after")), rapid.IntRange(1, 50).Draw(t, "limit")
	want, _ := h.model.Events(context.Background(), subject, after, limit) // it cannot fail
	got, err := h.store.Events(context.Background(), subject, after, limit)
	if err != nil {
		t.Fatalf("Events: %v", err)
	}
	alike(t, "Events", got, want)
}

func (h *history) due(t *rapid.T) {
	now, limit := moments.Draw(t, "now"), rapid.IntRange(1, 50).Draw(t, "limit")
	want, _ := h.model.Due(context.Background(), now, 1<<30) // it cannot fail
	got, err := h.store.Due(context.Background(), now, limit)
	if err != nil {
		t.Fatalf("Due: %v", err)
	}
	if len(got) != min(limit, len(want)) {
		t.Fatalf("Due returned %d events; there are %d, the limit is %d", len(got), len(want), limit)
	}
	for i := range got { // in any order, and any of them when there are more
		known := slices.IndexFunc(want, func(e consent.Event) bool { return e.ID == got[i].ID })
		if known < 0 {
			t.Fatalf("revision %d is not due", got[i].Revision)
		}
		alike(t, "Due", got[i], want[known])
	}
}

func (h *history) prune(t *rapid.T) {
	before, limit := moments.Draw(t, "before"), rapid.IntRange(1, 5).Draw(t, "limit")
	want, _ := h.model.Prune(context.Background(), before, 1<<30) // it cannot fail
	total := 0
	for n := limit; n == limit; total += n { // which ones go first is the store's affair
		var err error
		if n, err = h.store.Prune(context.Background(), before, limit); err != nil || n > limit {
			t.Fatalf("Prune: %d, limit %d, %v", n, limit, err)
		}
	}
	if total != want {
		t.Fatalf("Prune deleted %d events, want %d", total, want)
	}
}

func (h *history) addresses(t *rapid.T) {
	before, limit := moments.Draw(t, "before"), rapid.IntRange(1, 5).Draw(t, "limit")
	want, _ := h.model.ForgetAddresses(context.Background(), before, 1<<30) // it cannot fail
	total := 0
	for n := limit; n == limit; total += n {
		var err error
		if n, err = h.store.ForgetAddresses(context.Background(), before, limit); err != nil || n > limit {
			t.Fatalf("ForgetAddresses: %d, limit %d, %v", n, limit, err)
		}
	}
	if total != want {
		t.Fatalf("ForgetAddresses emptied %d addresses, want %d", total, want)
	}
}

func (h *history) changes(t *rapid.T, s consent.Feed) {
	since := rapid.SampledFrom(append(h.marks, consent.Mark{})).Draw(t, "since")
	want, _ := h.model.Changes(context.Background(), since) // it cannot fail
	got, err := s.Changes(context.Background(), since)
	if err != nil {
		t.Fatalf("Changes: %v", err)
	}
	if got.Head != want.Head {
		t.Fatalf("Changes has the head %v, want %v", got.Head, want.Head)
	}
	if want.Diverged || got.More {
		return // the mark's event was pruned: a store need not remember it; and it may tell less
	}
	if got.Diverged {
		t.Fatal("Changes says that its own history is another")
	}
	for subject, rev := range want.Subjects {
		if got.Subjects[subject] < rev {
			t.Fatalf("%s changed at %d, Changes says %d", subject, rev, got.Subjects[subject])
		}
	}
}

func alike(t *rapid.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}
