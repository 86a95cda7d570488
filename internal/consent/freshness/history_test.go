package freshness

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// history is the database of a simulation: what a correct store keeps. It
// changes and is read at single moments; what lies between it and the
// processes is a [view].
type history struct {
	mu     sync.Mutex
	events []consent.Event // events[i] has the revision i+1
	ids    map[uuid.UUID]consent.Revision
	era    int           // how often the end was lost
	news   chan struct{} // closed by the next commit
	most   int           // subjects in one answer of the feed
}

func newHistory(most int) *history {
	return &history{ids: map[uuid.UUID]consent.Revision{}, news: make(chan struct{}), most: most}
}

// commit stores events, those that it has already excepted. A connection does
// not outlive its era: it is refused in a later one.
func (h *history) commit(era int, events []consent.Event) (consent.Revision, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if era != h.era {
		return 0, false
	}
	var last consent.Revision
	for _, e := range events {
		if _, ok := h.ids[e.ID]; !ok {
			e.Revision = consent.Revision(len(h.events) + 1)
			h.events = append(h.events, e)
			h.ids[e.ID] = e.Revision
		}
		last = max(last, h.ids[e.ID])
	}
	close(h.news)
	h.news = make(chan struct{})
	return last, true
}

// rewind loses the last events: a standby took over that lagged, or a backup
// was restored.
func (h *history) rewind(n int) (kept, lost []consent.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.era++
	end := max(0, len(h.events)-n)
	kept, lost = slices.Clone(h.events[:end]), h.events[end:]
	for _, e := range lost {
		delete(h.ids, e.ID)
	}
	h.events = kept
	return slices.Clone(kept), lost
}

func (h *history) head() (consent.Revision, int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return consent.Revision(len(h.events)), h.era
}

func (h *history) end() consent.Revision {
	end, _ := h.head()
	return end
}

// record is what stands of a person now.
func (h *history) record(subject consent.Subject) consent.Record {
	h.mu.Lock()
	defer h.mu.Unlock()
	rec := consent.Record{Revision: consent.Revision(len(h.events)), Subjects: []consent.Subject{subject}}
	for i := 0; i < len(rec.Subjects); i++ {
		for _, e := range h.events {
			for _, pair := range [][2]consent.Subject{{e.Subject, e.Other}, {e.Other, e.Subject}} {
				if e.Action == consent.Link && pair[0] == rec.Subjects[i] && !slices.Contains(rec.Subjects, pair[1]) {
					rec.Subjects = append(rec.Subjects, pair[1])
				}
			}
		}
	}
	slices.Sort(rec.Subjects) // a store promises no order
	latest := map[register]consent.State{}
	for _, e := range h.events {
		if e.Action != consent.Link && slices.Contains(rec.Subjects, e.Subject) {
			latest[register{e.Subject, e.Purpose}] = consent.State{
				Subject: e.Subject, Purpose: e.Purpose, Action: e.Action, Notice: e.Notice, Time: e.Time, Revision: e.Revision,
			}
		}
	}
	for _, st := range latest {
		rec.Latest = append(rec.Latest, st)
	}
	return rec
}

// changes is the answer of the feed now.
func (h *history) changes(since consent.Mark) consent.Changes {
	h.mu.Lock()
	defer h.mu.Unlock()
	var c consent.Changes
	if n := len(h.events); n > 0 {
		c.Head = consent.Mark{Revision: consent.Revision(n), Event: h.events[n-1].ID}
	}
	if since.Revision > c.Head.Revision || since.Revision > 0 && h.events[since.Revision-1].ID != since.Event {
		c.Diverged = true
		return c
	}
	c.Subjects = map[consent.Subject]consent.Revision{}
	for _, e := range h.events[since.Revision:] {
		c.Subjects[e.Subject] = e.Revision
		if e.Other != "" {
			c.Subjects[e.Other] = e.Revision
		}
	}
	if len(c.Subjects) > h.most {
		c.Subjects, c.More = nil, true
	}
	return c
}

// seeded returns the same random numbers for the same seed.
func seeded(seed uint64, stream int) *rand.Rand {
	return rand.New(rand.NewPCG(seed, uint64(stream))) //nolint:gosec // G404, G115: to be repeated is what it is for
}

// weather is how a network carries messages for a while.
type weather struct {
	Delay   time.Duration // at most
	Lost    float64       // the share of messages that never arrive
	Refused float64       // the share of connections that break at once
}

// view is the store as one process sees it: each call is a message there and
// one back, and either can be late or lost.
type view struct {
	consent.Store // not set: nothing calls the other methods

	history *history
	lease   time.Duration
	late    *sync.WaitGroup // commits that arrive after their sender gave up

	mu      sync.Mutex
	rng     *rand.Rand
	weather weather
	dead    bool // the process was killed: nothing gets through any more
}

var errBroken = errors.New("the connection broke")

func (*view) Close() error { return nil }

func (v *view) set(w weather) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.weather = w
}

func (v *view) kill() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.dead = true
}

func (v *view) chance(p float64) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.rng.Float64() < p
}

// upTo draws a time. It has nanoseconds, so that few things happen at once
// and a seed repeats itself.
func (v *view) upTo(d time.Duration) time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	return time.Duration(1 + v.rng.Int64N(int64(d)+1))
}

// travel carries one message.
func (v *view) travel(ctx context.Context) error {
	v.mu.Lock()
	w, dead := v.weather, v.dead
	v.mu.Unlock()
	switch {
	case dead || v.chance(w.Lost):
		<-ctx.Done()
	case v.chance(w.Refused):
		return errBroken
	default:
		pause(ctx, v.upTo(w.Delay))
	}
	return ctx.Err()
}

func (v *view) Load(ctx context.Context, subject consent.Subject) (consent.Record, error) {
	if err := v.travel(ctx); err != nil {
		return consent.Record{}, err
	}
	rec := v.history.record(subject)
	return rec, v.travel(ctx)
}

func (v *view) Changes(ctx context.Context, since consent.Mark) (consent.Changes, error) {
	if err := v.travel(ctx); err != nil {
		return consent.Changes{}, err
	}
	c := v.history.changes(since)
	c.Lease = v.lease
	return c, v.travel(ctx)
}

// Wait forgets some notifications and makes up others.
func (v *view) Wait(ctx context.Context) error {
	v.history.mu.Lock()
	news := v.history.news
	v.history.mu.Unlock()
	spurious := time.NewTimer(v.upTo(10 * time.Second))
	defer spurious.Stop()
	select {
	case <-ctx.Done():
	case <-spurious.C:
	case <-news:
		if v.chance(0.3) {
			<-ctx.Done() // the connection that listens is gone, and nobody notices
		}
	}
	return v.travel(ctx)
}

func (v *view) Append(ctx context.Context, events ...consent.Event) (consent.Commit, error) {
	_, era := v.history.head()
	sent := false
	for {
		err := v.travel(ctx)
		switch {
		case err == nil:
			revision, ok := v.history.commit(era, events)
			if !ok {
				return consent.Commit{}, consent.ErrOutcomeUnknown
			}
			sent = true
			if err = v.travel(ctx); err == nil {
				return consent.Commit{Revision: revision, Lease: v.lease}, nil
			}
		case !sent && errors.Is(err, errBroken):
			return consent.Commit{}, err
		case v.chance(0.5):
			// It is only the sender who thinks that it was lost.
			sent = true
			delay := v.upTo(5 * time.Second)
			v.late.Go(func() {
				time.Sleep(delay)
				v.history.commit(era, events)
			})
		}
		if ctx.Err() != nil {
			return consent.Commit{}, consent.ErrOutcomeUnknown
		}
		pause(ctx, v.upTo(20*time.Millisecond))
	}
}
