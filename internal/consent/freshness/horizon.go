package freshness

import (
	"slices"
	"sync"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// horizon is what this process knows of the store's history: up to which
// mark, and which subjects changed since their records may have been cached.
// A record is used only while it is not older than the last change that the
// horizon knows of each of its subjects.
type horizon struct {
	mu    sync.RWMutex
	known consent.Mark
	// epoch counts the histories: what was read of another one is worthless.
	epoch uint64
	// floor is the revision that every record has to have at least. It
	// stands for the changes that were forgotten.
	floor   consent.Revision
	changed map[consent.Subject]consent.Revision
	// unsure counts the choices of each subject that may be committed at this
	// moment. Their cached records are not used meanwhile.
	unsure map[consent.Subject]int
	// lost says that unsure grew past [maxChanged]: cached records are no longer
	// used, as long as the process runs.
	lost bool
}

// maxChanged bounds the memory. Past it the horizon forgets which subjects
// changed, and all records are read again.
const maxChanged = 1 << 16

// advance adds what a read of the feed reported.
func (h *horizon) advance(c consent.Changes) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case c.Diverged:
		h.epoch++
		h.floor = 0
		h.changed = nil
	case c.More:
		h.floor = c.Head.Revision
		h.changed = nil
	default:
		h.noteLocked(c.Subjects, c.Head.Revision)
	}
	h.known = c.Head
}

// note adds what this process committed. It does not advance the mark: others may
// have committed before.
func (h *horizon) note(at consent.Revision, events []consent.Event) {
	changed := make(map[consent.Subject]consent.Revision, len(events))
	for i := range events {
		changed[events[i].Subject] = at
		if other := events[i].Other; other != "" {
			changed[other] = at
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.noteLocked(changed, at)
}

// doubt records that choices are on their way to the store.
func (h *horizon) doubt(events []consent.Event) { h.count(events, 1) }

// trust records that their outcome is known.
func (h *horizon) trust(events []consent.Event) { h.count(events, -1) }

func (h *horizon) count(events []consent.Event, by int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lost {
		return
	}
	if h.unsure == nil {
		h.unsure = make(map[consent.Subject]int)
	}
	for i := range events {
		for _, subject := range []consent.Subject{events[i].Subject, events[i].Other} {
			if h.unsure[subject] += by; h.unsure[subject] == 0 {
				delete(h.unsure, subject)
			}
		}
	}
	if len(h.unsure) > maxChanged {
		h.lost, h.unsure = true, nil
	}
}

// noteLocked adds changes up to a revision.
func (h *horizon) noteLocked(changed map[consent.Subject]consent.Revision, upTo consent.Revision) {
	if h.changed == nil {
		h.changed = make(map[consent.Subject]consent.Revision, len(changed))
	}
	for subject, at := range changed {
		h.changed[subject] = max(h.changed[subject], at)
	}
	if len(h.changed) > maxChanged {
		h.floor, h.changed = max(h.floor, upTo), nil
	}
}

// since returns the mark to read the feed from.
func (h *horizon) since() consent.Mark {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.known
}

// current returns the mark and the epoch that a load begins with.
func (h *horizon) current() (consent.Mark, uint64) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.known, h.epoch
}

// covers reports whether a record includes every change that the horizon knows of.
func (h *horizon) covers(c *cached) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.lost || c.epoch != h.epoch || c.asOf < h.lastLocked(c.Subjects) {
		return false
	}
	return !slices.ContainsFunc(c.Subjects, func(s consent.Subject) bool { return h.unsure[s] > 0 })
}

// last returns the revision of the last change of subjects that the horizon
// knows of.
func (h *horizon) last(subjects []consent.Subject) consent.Revision {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.lastLocked(subjects)
}

func (h *horizon) lastLocked(subjects []consent.Subject) consent.Revision {
	last := h.floor
	for _, subject := range subjects {
		last = max(last, h.changed[subject])
	}
	return last
}
