package storetest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/modicum-proxy/modicum/internal/consent"
)

func testLinks(t trial) {
	t.appended(choice("k.a", "news", consent.Grant), choice("k.b", "news", consent.Refuse), choice("k.c", "post", consent.Grant))
	t.appended(linking("k.a", "k.b"), linking("k.d", "k.c"))
	t.equal("two pairs", sorted(t.loaded("k.b").Subjects), []consent.Subject{"k.a", "k.b"})
	t.appended(linking("k.c", "k.b"))
	for _, subject := range []consent.Subject{"k.a", "k.b", "k.c", "k.d"} {
		record := t.loaded(subject)
		if record.Subjects[0] != subject {
			t.Errorf("the record of %s begins with %s", subject, record.Subjects[0])
		}
		t.equal("one person", sorted(record.Subjects), []consent.Subject{"k.a", "k.b", "k.c", "k.d"})
		var states []string
		for _, state := range record.Latest {
			states = append(states, fmt.Sprint(state.Subject, " ", state.Purpose, " ", state.Action))
		}
		t.equal("the states of all", states, []string{"k.a news grant", "k.b news refuse", "k.c post grant"})
	}
	if n := len(t.all("k.d")); n != 6 {
		t.Errorf("the person has %d events, want 6", n)
	}
	// Linking again is harmless, either way round.
	before := t.loaded("k.a").Subjects
	t.appended(linking("k.a", "k.b"), linking("k.b", "k.a"))
	t.equal("linked again", t.loaded("k.a").Subjects, before)
}

// Somebody who goes on linking made-up addresses to one cookie would make
// each load and each withdrawal longer.
func testTooManyLinks(t trial) {
	t.fill("k.a", consent.MaxLinked)
	t.fill("k.b", 2)
	for _, e := range []consent.Event{linking("k.a", "k.new"), linking("k.new", "k.a"), linking("k.a", "k.b"), linking("k.b", "k.a")} {
		if _, err := t.store.Append(t.Context(), e); !errors.Is(err, consent.ErrTooManyLinks) {
			t.Errorf("linking %s to %s: %v", e.Subject, e.Other, err)
		}
	}
	if n := len(t.loaded("k.a").Subjects); n != consent.MaxLinked {
		t.Errorf("the person has %d subjects", n)
	}
	t.appended(linking("k.a1", "k.a2")) // they are linked already
}

// fill links a subject until its person has n of them.
func (t trial) fill(subject consent.Subject, n int) {
	t.Helper()
	for i := 1; i < n; i++ {
		t.appended(linking(subject, consent.Subject(fmt.Sprint(subject, i))))
	}
}

func sorted(subjects []consent.Subject) []consent.Subject {
	return slices.Sorted(slices.Values(subjects))
}
