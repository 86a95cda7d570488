package freshness

import (
	"maps"
	"sync"
	"time"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// denials are choices that took something back and could not be stored. This
// process ignores the consents concerned until the choice is stored or the time
// is over. The person saw that it is not withdrawn.
type denials struct {
	now func() time.Time

	mu    sync.RWMutex
	until map[denial]time.Time
	all   time.Time // until then all consents are ignored: there were too many denials
}

type denial struct {
	subject consent.Subject
	purpose string
}

const (
	denialTime = 10 * time.Minute
	maxDenials = 1 << 16
)

// add denies what the events take back.
func (d *denials) add(events []consent.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	if len(d.until)+len(events) > maxDenials {
		maps.DeleteFunc(d.until, func(_ denial, until time.Time) bool { return !now.Before(until) })
	}
	if len(d.until)+len(events) > maxDenials {
		d.all = now.Add(denialTime)
		return
	}
	if d.until == nil {
		d.until = make(map[denial]time.Time)
	}
	for i := range events {
		if e := &events[i]; e.Action.TakesBack() {
			d.until[denial{e.Subject, e.Purpose}] = now.Add(denialTime)
		}
	}
}

// end removes the denials that stored events are about.
func (d *denials) end(events []consent.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range events {
		delete(d.until, denial{events[i].Subject, events[i].Purpose})
	}
}

// has reports whether a purpose is denied for one of the subjects.
func (d *denials) has(purpose string, subjects []consent.Subject) bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if len(d.until) == 0 && d.all.IsZero() {
		return false
	}
	now := d.now()
	if now.Before(d.all) {
		return true
	}
	for _, subject := range subjects {
		if until, ok := d.until[denial{subject, purpose}]; ok && now.Before(until) {
			return true
		}
	}
	return false
}
