package freshness

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/google/uuid"

	"github.com/modicum-proxy/modicum/internal/consent"
)

func mark(at consent.Revision) consent.Mark {
	return consent.Mark{Revision: at, Event: uuid.NewSHA1(uuid.Nil, strconv.AppendInt(nil, int64(at), 10))}
}

// TestHorizonCovers tells which records may be used after what.
func TestHorizonCovers(t *testing.T) {
	const she, he, other = consent.Subject("she"), consent.Subject("he"), consent.Subject("other")
	told := func(at consent.Revision, subjects map[consent.Subject]consent.Revision) func(*horizon) {
		return func(h *horizon) { h.advance(consent.Changes{Head: mark(at), Subjects: subjects}) }
	}
	for _, test := range []struct {
		name string
		then []func(*horizon)
		want bool // of a record as of revision 10, of her and him
	}{
		{"nothing happened", nil, true},
		{"somebody else changed", []func(*horizon){told(11, map[consent.Subject]consent.Revision{other: 11})}, true},
		{"she changed", []func(*horizon){told(12, map[consent.Subject]consent.Revision{she: 11, other: 12})}, false},
		{"he, who is linked, changed", []func(*horizon){told(11, map[consent.Subject]consent.Revision{he: 11})}, false},
		{"she had changed before", []func(*horizon){told(12, map[consent.Subject]consent.Revision{she: 10})}, true},
		{"she changed twice, and is told in the wrong order", []func(*horizon){
			told(12, map[consent.Subject]consent.Revision{she: 12}), told(13, map[consent.Subject]consent.Revision{she: 9}),
		}, false},
		{"too many changed to tell", []func(*horizon){func(h *horizon) { h.advance(consent.Changes{Head: mark(11), More: true}) }}, false},
		{"too many had changed before", []func(*horizon){func(h *horizon) { h.advance(consent.Changes{Head: mark(10), More: true}) }}, true},
		{"the history was lost", []func(*horizon){func(h *horizon) { h.advance(consent.Changes{Head: mark(3), Diverged: true}) }}, false},
		{"this process stored her choice", []func(*horizon){func(h *horizon) { h.note(11, []consent.Event{{Subject: she}}) }}, false},
		{"this process linked him", []func(*horizon){func(h *horizon) { h.note(11, []consent.Event{{Subject: other, Other: he}}) }}, false},
		{"her choice is on its way", []func(*horizon){func(h *horizon) { h.doubt([]consent.Event{{Subject: she}}) }}, false},
		{"of two choices on their way, one arrived", []func(*horizon){func(h *horizon) {
			h.doubt([]consent.Event{{Subject: she}})
			h.doubt([]consent.Event{{Subject: she}})
			h.trust([]consent.Event{{Subject: she}})
		}}, false},
		{"her choice was not stored", []func(*horizon){func(h *horizon) {
			h.doubt([]consent.Event{{Subject: she}})
			h.trust([]consent.Event{{Subject: she}})
		}}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := &horizon{}
			told(10, nil)(h)
			known, epoch := h.current()
			c := &cached{Record: consent.Record{Revision: known.Revision, Subjects: []consent.Subject{she, he}}, asOf: known.Revision, epoch: epoch}
			for _, f := range test.then {
				f(h)
			}
			if got := h.covers(c); got != test.want {
				t.Errorf("covers: %v, want %v", got, test.want)
			}
		})
	}
}

// TestHorizonForgets: an attacker makes choices under ever new cookies. The
// memory of who changed stays bounded, and forgetting invalidates everything.
func TestHorizonForgets(t *testing.T) {
	for name, change := range map[string]func(h *horizon, at consent.Revision, s consent.Subject){
		"told by the feed": func(h *horizon, at consent.Revision, s consent.Subject) {
			h.advance(consent.Changes{Head: mark(at), Subjects: map[consent.Subject]consent.Revision{s: at}})
		},
		"stored here": func(h *horizon, at consent.Revision, s consent.Subject) { h.note(at, []consent.Event{{Subject: s}}) },
	} {
		t.Run(name, func(t *testing.T) {
			h := &horizon{}
			silent := &cached{Record: consent.Record{Revision: 5, Subjects: []consent.Subject{"silent"}}, asOf: 5}
			for at := consent.Revision(1); at <= 2*maxChanged+2; at++ {
				change(h, at, consent.Subject(fmt.Sprint(at)))
				if len(h.changed) > maxChanged {
					t.Fatalf("%d subjects are remembered", len(h.changed))
				}
				early := &cached{Record: consent.Record{Subjects: []consent.Subject{"1"}}, asOf: 0}
				if h.covers(early) {
					t.Fatalf("after %d changes, a record from before the first is used", at)
				}
			}
			if h.covers(silent) {
				t.Error("who changed was forgotten, but not that anybody may have")
			}
			fresh := &cached{Record: consent.Record{Subjects: []consent.Subject{"silent"}}, asOf: 2*maxChanged + 2}
			if !h.covers(fresh) {
				t.Error("a record that was read afterwards is not used")
			}
		})
	}
}

// TestHorizonKeepsWhatItNoted: a read of the feed began before this process
// stored a choice and ends after it. What the read does not know stays known.
func TestHorizonKeepsWhatItNoted(t *testing.T) {
	h := &horizon{}
	h.advance(consent.Changes{Head: mark(10)})
	h.note(12, []consent.Event{{Subject: "she"}})
	h.advance(consent.Changes{Head: mark(11), Subjects: map[consent.Subject]consent.Revision{"he": 11}})
	if got := h.last([]consent.Subject{"she"}); got != 12 {
		t.Errorf("her last change is %d, want 12", got)
	}
	if got := h.since(); got != mark(11) {
		t.Errorf("the feed is asked since %v, want 11: others may have committed before 12", got)
	}
}
