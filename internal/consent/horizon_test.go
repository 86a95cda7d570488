package consent

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/google/uuid"
)

func mark(at Revision) Mark {
	return Mark{Revision: at, Event: uuid.NewSHA1(uuid.Nil, strconv.AppendInt(nil, int64(at), 10))}
}

// TestHorizonCovers tells which records may be used after what.
func TestHorizonCovers(t *testing.T) {
	const she, he, other = Subject("she"), Subject("he"), Subject("other")
	told := func(at Revision, subjects map[Subject]Revision) func(*horizon) {
		return func(h *horizon) { h.advance(Changes{Head: mark(at), Subjects: subjects}) }
	}
	for _, test := range []struct {
		name string
		then []func(*horizon)
		want bool // of a record as of revision 10, of her and him
	}{
		{"nothing happened", nil, true},
		{"somebody else changed", []func(*horizon){told(11, map[Subject]Revision{other: 11})}, true},
		{"she changed", []func(*horizon){told(12, map[Subject]Revision{she: 11, other: 12})}, false},
		{"he, who is linked, changed", []func(*horizon){told(11, map[Subject]Revision{he: 11})}, false},
		{"she had changed before", []func(*horizon){told(12, map[Subject]Revision{she: 10})}, true},
		{"she changed twice, and is told in the wrong order", []func(*horizon){
			told(12, map[Subject]Revision{she: 12}), told(13, map[Subject]Revision{she: 9}),
		}, false},
		{"too many changed to tell", []func(*horizon){func(h *horizon) { h.advance(Changes{Head: mark(11), More: true}) }}, false},
		{"too many had changed before", []func(*horizon){func(h *horizon) { h.advance(Changes{Head: mark(10), More: true}) }}, true},
		{"the history was lost", []func(*horizon){func(h *horizon) { h.advance(Changes{Head: mark(3), Diverged: true}) }}, false},
		{"this process stored her choice", []func(*horizon){func(h *horizon) { h.note(11, []Event{{Subject: she}}) }}, false},
		{"this process linked him", []func(*horizon){func(h *horizon) { h.note(11, []Event{{Subject: other, Other: he}}) }}, false},
		{"her choice is on its way", []func(*horizon){func(h *horizon) { h.doubt([]Event{{Subject: she}}) }}, false},
		{"of two choices on their way, one arrived", []func(*horizon){func(h *horizon) {
			h.doubt([]Event{{Subject: she}})
			h.doubt([]Event{{Subject: she}})
			h.trust([]Event{{Subject: she}})
		}}, false},
		{"her choice was not stored", []func(*horizon){func(h *horizon) {
			h.doubt([]Event{{Subject: she}})
			h.trust([]Event{{Subject: she}})
		}}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := &horizon{}
			told(10, nil)(h)
			known, epoch := h.current()
			c := &cached{Record: Record{Revision: known.Revision, Subjects: []Subject{she, he}}, asOf: known.Revision, epoch: epoch}
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
	for name, change := range map[string]func(h *horizon, at Revision, s Subject){
		"told by the feed": func(h *horizon, at Revision, s Subject) {
			h.advance(Changes{Head: mark(at), Subjects: map[Subject]Revision{s: at}})
		},
		"stored here": func(h *horizon, at Revision, s Subject) { h.note(at, []Event{{Subject: s}}) },
	} {
		t.Run(name, func(t *testing.T) {
			h := &horizon{}
			silent := &cached{Record: Record{Revision: 5, Subjects: []Subject{"silent"}}, asOf: 5}
			for at := Revision(1); at <= 2*maxChanged+2; at++ {
				change(h, at, Subject(fmt.Sprint(at)))
				if len(h.changed) > maxChanged {
					t.Fatalf("%d subjects are remembered", len(h.changed))
				}
				early := &cached{Record: Record{Subjects: []Subject{"1"}}, asOf: 0}
				if h.covers(early) {
					t.Fatalf("after %d changes, a record from before the first is used", at)
				}
			}
			if h.covers(silent) {
				t.Error("who changed was forgotten, but not that anybody may have")
			}
			fresh := &cached{Record: Record{Subjects: []Subject{"silent"}}, asOf: 2*maxChanged + 2}
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
	h.advance(Changes{Head: mark(10)})
	h.note(12, []Event{{Subject: "she"}})
	h.advance(Changes{Head: mark(11), Subjects: map[Subject]Revision{"he": 11}})
	if got := h.last([]Subject{"she"}); got != 12 {
		t.Errorf("her last change is %d, want 12", got)
	}
	if got := h.since(); got != mark(11) {
		t.Errorf("the feed is asked since %v, want 11: others may have committed before 12", got)
	}
}
