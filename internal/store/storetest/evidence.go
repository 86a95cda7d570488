package storetest

import (
	"fmt"
	"strings"
	"time"

	"github.com/modicum-proxy/modicum/internal/consent"
)

func testTexts(t trial) {
	texts := []string{
		"We write to you.\r\n\tNot often. ", "ООО «Пример» пишет Вам", "e\u0301 is not é", "\u202eright to left\u202c 👩🏽\u200d🔬",
		"'); DROP TABLE event; --", strings.Repeat("я", consent.MaxText/2), "",
	}
	var want []consent.Event
	for i, text := range texts {
		e := choice("k.a", fmt.Sprint("purpose", i), consent.Grant)
		e.Shown, e.Receipt, e.Address, e.Expires = consent.NewShown("ru-Cyrl", text), "r3ceipt", "2001:db8::/48", start.AddDate(1, 0, 0)
		want = append(want, e, choice("k.a", fmt.Sprint("purpose", i), consent.Withdraw))
	}
	for i := range want {
		want[i].Revision = t.appended(want[i])
	}
	t.equal("the evidence", t.all("k.a"), want)
	t.equal("the evidence of all", t.all(""), want)
}

// Short texts are the same in several languages. Which one was on the page
// is part of the evidence all the same.
func testLanguages(t trial) {
	english, german := choice("k.a", "news", consent.Grant), choice("k.b", "news", consent.Grant)
	english.Shown, german.Shown = consent.NewShown("en", "Newsletter"), consent.NewShown("de", "Newsletter")
	t.appended(english, german)
	if language := t.loaded("k.b").Latest[0].Language; language != "de" {
		t.Errorf("the language is %q, want de", language)
	}
	if events := t.all("k.b"); events[0].Shown.Language != "de" {
		t.Errorf("the language in the evidence is %q, want de", events[0].Shown.Language)
	}
}

func testPages(t trial) {
	t.appended(linking("k.0", "k.1"))
	for i := range 40 {
		t.appended(choice(consent.Subject(fmt.Sprint("k.", i%4)), fmt.Sprint("purpose", i), consent.Grant))
	}
	for _, subject := range []consent.Subject{"", "k.0", "k.2", "k.nobody"} {
		whole := t.pages(subject, 0, 1000)
		if want := map[consent.Subject]int{"": 41, "k.0": 21, "k.2": 10}[subject]; len(whole) != want {
			t.Errorf("%q has %d events, want %d", subject, len(whole), want)
		}
		for _, limit := range []int{1, 3, 7} {
			t.equal("in pages", t.pages(subject, 0, limit), whole)
		}
		if len(whole) > 5 {
			t.equal("from the middle", t.pages(subject, whole[4].Revision, 2), whole[5:])
		}
	}
}

func testDue(t trial) {
	grant := func(subject consent.Subject, expires time.Time) consent.Event {
		e := choice(subject, "news", consent.Grant)
		e.Shown, e.Expires = consent.NewShown("en", "Newsletter"), expires
		return e
	}
	now := start.Add(time.Hour)
	past, future := now.Add(-time.Microsecond), now.Add(time.Microsecond)
	withdrawn := grant("k.withdrawn", past)
	t.appended(grant("k.due", past), grant("k.now", now), grant("k.future", future), choice("k.never", "news", consent.Grant),
		withdrawn, choice("k.withdrawn", "news", consent.Withdraw), grant("k.renewed", past), grant("k.renewed", future),
		grant("k.shortened", future), grant("k.shortened", past))
	due := func(limit int) map[consent.Subject]consent.Event {
		t.Helper()
		events, err := t.store.Due(t.Context(), now, limit)
		if err != nil || len(events) > limit {
			t.Fatalf("Due: %d events, limit %d, %v", len(events), limit, err)
		}
		found := map[consent.Subject]consent.Event{}
		for _, e := range events {
			found[e.Subject] = e
		}
		return found
	}
	found := due(10)
	if e, ok := found["k.due"]; !ok || e.Shown != nil || !e.Expires.Equal(past) || e.Purpose != "news" || e.Notice != "n0tice" {
		t.Errorf("the grant that is due: %+v", e)
	}
	if _, ok := found["k.shortened"]; !ok || len(found) != 2 {
		t.Errorf("%d grants are due, want k.due and k.shortened", len(found))
	}
	if len(due(1)) != 1 {
		t.Error("the limit is not reached")
	}
	t.appended(choice("k.due", "news", consent.Expire))
	if _, ok := due(10)["k.due"]; ok {
		t.Error("a grant is due after it expired")
	}
}

// What one of two linked subjects took back is taken back for both. When it
// has reached its term, the other's older grant must not count again.
func testPruneOfLinked(t trial) {
	after := func(hours int, subject consent.Subject, action consent.Action) consent.Event {
		e := choice(subject, "news", action)
		e.Time = start.Add(time.Duration(hours) * time.Hour)
		return e
	}
	t.appended(linking("k.a", "k.b"), after(0, "k.a", consent.Grant), after(1, "k.b", consent.Withdraw))
	for _, want := range []int{0, 2} {
		if n, err := t.store.Prune(t.Context(), start.Add(5*time.Hour), 100); n != want || err != nil {
			t.Errorf("pruned %d, %v; want %d", n, err, want)
		}
		t.appended(after(2, "k.a", consent.Object)) // supersedes the grant
	}
}

func testPrune(t trial) {
	at := func(hours int, subject consent.Subject, purpose string, action consent.Action) consent.Event {
		e := choice(subject, purpose, action)
		e.Time = start.Add(time.Duration(hours) * time.Hour)
		e.Shown = consent.NewShown("en", fmt.Sprint("text of ", subject, " ", purpose, " ", action))
		return e
	}
	kept := []consent.Event{
		at(0, "k.a", "standing", consent.Grant), at(0, "k.a", "objected", consent.Object),
		at(0, "k.a", "young", consent.Grant), at(10, "k.a", "young", consent.Withdraw),
		linking("k.a", "k.b"),
	}
	over := []consent.Event{
		at(0, "k.b", "withdrawn", consent.Grant), at(9, "k.b", "withdrawn", consent.Withdraw), at(9, "k.b", "refused", consent.Refuse),
		at(0, "k.b", "expired", consent.Grant), at(9, "k.b", "expired", consent.Expire),
		at(0, "k.b", "renewed", consent.Grant), at(0, "k.b", "no more objected", consent.Object),
	}
	successors := []consent.Event{at(9, "k.b", "renewed", consent.Grant), at(9, "k.b", "no more objected", consent.Grant)}
	// Two events have one text; it stays as long as one of them.
	over[0].Shown, kept[0].Shown = consent.NewShown("en", "the same"), consent.NewShown("en", "the same")
	for i := range kept {
		kept[i].Revision = t.appended(kept[i])
	}
	t.appended(over...)
	for i := range successors {
		successors[i].Revision = t.appended(successors[i])
		kept = append(kept, successors[i])
	}
	head := t.loaded("k.a").Revision
	before := start.Add(10 * time.Hour)
	total := 0
	for {
		n, err := t.store.Prune(t.Context(), before, 2)
		if err != nil || n > 2 {
			t.Fatalf("Prune: %d, limit 2, %v", n, err)
		}
		if total += n; n == 0 {
			break
		}
	}
	if total != len(over) {
		t.Errorf("%d events were pruned, want %d", total, len(over))
	}
	t.equal("what is left", t.all(""), kept)
	var states []string
	for _, state := range t.loaded("k.b").Latest {
		states = append(states, fmt.Sprint(state.Subject, " ", state.Purpose, " ", state.Action))
	}
	t.equal("what stands", states, []string{
		"k.a objected object", "k.a standing grant", "k.a young withdraw", "k.b no more objected grant", "k.b renewed grant",
	})
	if rev := t.appended(choice("k.b", "withdrawn", consent.Grant)); rev != head+1 {
		t.Errorf("after pruning the next revision is %d, want %d", rev, head+1)
	}
}
