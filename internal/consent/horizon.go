package consent

import (
	"maps"
	"sync"
)

// horizon is what this process knows of the store's history: up to which
// mark, and which subjects changed since their records may have been cached.
// A record is used only while it is not older than the last change that the
// horizon knows of each of its subjects.
type horizon struct {
	mu    sync.RWMutex
	known Mark
	// epoch counts the histories: what was read of another one is worthless.
	epoch uint64
	// floor is the revision that every record has to have at least. It
	// stands for the changes that were forgotten.
	floor   Revision
	changed map[Subject]Revision
}

// maxChanged bounds the memory. Past it the horizon forgets which subjects
// changed, and all records are read again.
const maxChanged = 1 << 16

// advance takes over what a read of the feed told.
func (h *horizon) advance(c Changes) {
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
		h.noteLocked(c.Subjects)
		if len(h.changed) > maxChanged {
			h.floor = c.Head.Revision
			h.changed = nil
		}
	}
	h.known = c.Head
}

// note takes over what this process itself committed. It does not advance
// the mark: others may have committed before.
func (h *horizon) note(at Revision, events []Event) {
	changed := make(map[Subject]Revision, len(events))
	for i := range events {
		changed[events[i].Subject] = at
		if other := events[i].Other; other != "" {
			changed[other] = at
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.noteLocked(changed)
	if len(h.changed) > maxChanged {
		h.floor = max(h.floor, at)
		h.changed = nil
	}
}

func (h *horizon) noteLocked(changed map[Subject]Revision) {
	if h.changed == nil {
		h.changed = maps.Clone(changed)
		return
	}
	for subject, at := range changed {
		h.changed[subject] = max(h.changed[subject], at)
	}
}

// since returns the mark that the feed is asked about.
func (h *horizon) since() Mark {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.known
}

// current returns the epoch that a load begins in.
func (h *horizon) current() uint64 {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.epoch
}

// covers tells whether a record that was loaded in an epoch holds every
// change that the horizon knows of.
func (h *horizon) covers(rec *Record, epoch uint64) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if epoch != h.epoch || rec.Revision < h.floor {
		return false
	}
	for _, subject := range rec.Subjects {
		if rec.Revision < h.changed[subject] {
			return false
		}
	}
	return true
}
