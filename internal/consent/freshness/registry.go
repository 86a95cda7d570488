// Package freshness makes the choices in a store count on every proxy from
// the moment that they are acknowledged: revisions, leases, a cache and a
// circuit breaker.
package freshness

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/dgraph-io/ristretto/v2"
	"golang.org/x/sync/singleflight"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// Registry returns the state of a person, including every choice that
// [Registry.Append] acknowledged on any process before the call. It keeps records
// in memory and reads them again when they may have changed. If it cannot read
// them in time it returns an error.
type Registry struct {
	options Options
	cache   *ristretto.Cache[string, *cached]
	horizon horizon
	breaker breaker
	denials denials
	loads   singleflight.Group
	work    sync.WaitGroup
	stop    context.CancelFunc

	opening chan struct{} // holds one element while the store is opened
	mu      sync.RWMutex
	store   consent.Store
	fault   error   // of the last attempt to open it
	reader  *reader // nil: no other process writes the store
	closed  bool
}

// Options are the settings of a registry.
type Options struct {
	// Open opens the store. It is called once a submission or a page needs
	// it, and again as long as it fails.
	Open func(context.Context) (consent.Store, error)
	// Timeout is how long a decision waits for the store. Default: 250ms.
	Timeout time.Duration
	// WriteTimeout is how long a choice waits to be stored. Default: 5s.
	WriteTimeout time.Duration
	// Lease is how long a process may decide by what it read last, for
	// stores that are far away; a withdrawal is answered when it is over.
	// Default: 0, each decision waits for a read of its own.
	Lease time.Duration
	// Memory is how many bytes of records are kept. Default: 64 MiB.
	Memory int64
	// Life is how long a record is kept at most, used or not. Default: 10min.
	Life time.Duration
	// Count is called for each decision and each choice. Default: no-op.
	Count func(Count)
	// Log receives errors of the store. Default: none.
	Log *slog.Logger
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Count is something that a registry did, for metrics.
type Count struct {
	// Lookup is "cached", "loaded" or "unknown" for a record that a decision
	// needed, and empty for a choice.
	Lookup string
	// Action, Source and Stored describe a choice.
	Action consent.Action
	Source consent.Source
	Stored bool
}

// cached is a record and how long it may be used.
type cached struct {
	consent.Record

	// asOf is the revision that the record may be compared by later: the
	// store may lose what comes after the last mark that it told.
	asOf   consent.Revision
	epoch  uint64
	loaded time.Time
}

// upToMark reports whether no state of the record is newer than asOf.
func (c *cached) upToMark() bool {
	return !slices.ContainsFunc(c.Latest, func(st consent.State) bool { return st.Revision > c.asOf })
}

// NewRegistry returns a registry that opens its store when it is needed.
func NewRegistry(o Options) (*Registry, error) {
	o.Timeout = cmp.Or(o.Timeout, 250*time.Millisecond)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, 5*time.Second)
	o.Memory = cmp.Or(o.Memory, 64<<20)
	o.Life = cmp.Or(o.Life, 10*time.Minute)
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Count == nil {
		o.Count = func(Count) {}
	}
	cache, err := ristretto.NewCache(&ristretto.Config[string, *cached]{
		NumCounters:        max(10*o.Memory/typicalSize, 1000),
		MaxCost:            o.Memory,
		BufferItems:        64,
		IgnoreInternalCost: true, // size counts it
	})
	if err != nil {
		return nil, fmt.Errorf("making the cache of consents: %w", err)
	}
	return &Registry{
		options: o, cache: cache, breaker: breaker{now: o.Now}, denials: denials{now: o.Now}, opening: make(chan struct{}, 1),
	}, nil
}

// Find returns the record of a subject, with everything that was acknowledged
// before the call. It is not older than the revision atLeast, which the person
// was told of, or 0. The record is shared and must not be changed.
func (r *Registry) Find(ctx context.Context, subject consent.Subject, atLeast consent.Revision) (*consent.Record, error) {
	store, err := r.catchUp(ctx, atLeast)
	if err != nil {
		return nil, err
	}
	return r.record(ctx, store, subject, atLeast)
}

// FindAll is Find for several subjects, in their order.
func (r *Registry) FindAll(ctx context.Context, subjects []consent.Subject, atLeast consent.Revision) ([]*consent.Record, error) {
	if len(subjects) == 0 {
		return nil, nil
	}
	store, err := r.catchUp(ctx, atLeast)
	if err != nil {
		return nil, err
	}
	records := make([]*consent.Record, len(subjects))
	for i, subject := range subjects {
		if records[i], err = r.record(ctx, store, subject, atLeast); err != nil {
			return nil, err
		}
	}
	return records, nil
}

// Read returns the records of subjects from the store itself, whatever is
// cached, and waits as long as a choice does. On an error it returns those
// records that it could read.
func (r *Registry) Read(ctx context.Context, subjects []consent.Subject) ([]*consent.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, r.options.WriteTimeout)
	defer cancel()
	store, err := r.Store(ctx)
	if err != nil {
		return nil, err
	}
	var records []*consent.Record
	var failed error
	for _, subject := range subjects {
		rec, err := store.Load(ctx, subject)
		if err != nil {
			failed = consent.Unavailable(err)
			continue
		}
		records = append(records, &rec)
	}
	return records, failed
}

// Leased reports whether records of this process or another one may be older
// than the store, under a lease.
func (r *Registry) Leased() bool {
	r.mu.RLock()
	rd := r.reader
	r.mu.RUnlock()
	return r.options.Lease > 0 || rd != nil && rd.longestLease() > 0
}

// Timeout returns how long a decision waits for the store.
func (r *Registry) Timeout() time.Duration { return r.options.Timeout }

// catchUp moves the horizon to where the store is now, at least.
func (r *Registry) catchUp(ctx context.Context, atLeast consent.Revision) (consent.Store, error) {
	store, rd, err := r.openedInTime(ctx)
	if err == nil && rd != nil {
		ctx, end := span(ctx, "consent.revision")
		err = rd.join(ctx, atLeast)
		end(err)
	}
	if err != nil {
		r.options.Count(Count{Lookup: "unknown"})
	}
	return store, err
}

// Health returns why the store is not used at the moment, or nil.
func (r *Registry) Health() error {
	r.mu.RLock()
	fault := r.fault
	r.mu.RUnlock()
	if fault != nil {
		return fault
	}
	return r.breaker.allow()
}

// record returns the record of a subject as the horizon requires it, and not
// older than the revision that the person was told of.
func (r *Registry) record(ctx context.Context, store consent.Store, subject consent.Subject, atLeast consent.Revision) (*consent.Record, error) {
	if c, ok := r.cache.Get(string(subject)); ok && r.usable(c, subject) && c.asOf >= atLeast {
		r.options.Count(Count{Lookup: "cached"})
		return &c.Record, nil
	}
	ctx, end := span(ctx, "consent.load")
	rec, err := r.loaded(ctx, store, subject, atLeast)
	end(err)
	if err != nil {
		r.options.Count(Count{Lookup: "unknown"})
		return nil, err
	}
	r.options.Count(Count{Lookup: "loaded"})
	return rec, nil
}

// loaded reads a record that holds what the horizon requires.
func (r *Registry) loaded(ctx context.Context, store consent.Store, subject consent.Subject, atLeast consent.Revision) (*consent.Record, error) {
	least := max(atLeast, r.horizon.last([]consent.Subject{subject})) // later changes may come during the load
	c, err := r.load(ctx, store, subject)
	if err == nil && !r.usable(c, subject) {
		// It was under way already when the call began. The next one was not.
		c, err = r.load(ctx, store, subject)
	}
	switch {
	case err != nil:
		return nil, err
	case c.Revision < least:
		// A choice that was acknowledged is lost, and it may be a withdrawal.
		return nil, fmt.Errorf("%w: what it tells of a person is older than what it told before", consent.ErrUnavailable)
	}
	return &c.Record, nil
}

// usable reports whether a decision may use a record. Use does not prolong its
// life.
func (r *Registry) usable(c *cached, subject consent.Subject) bool {
	return len(c.Subjects) > 0 && c.Subjects[0] == subject && c.upToMark() &&
		r.options.Now().Sub(c.loaded) < r.options.Life && r.horizon.covers(c)
}

// load reads a record, once for all callers that wait for it.
func (r *Registry) load(ctx context.Context, store consent.Store, subject consent.Subject) (*cached, error) {
	if err := r.breaker.allow(); err != nil {
		return nil, err
	}
	loaded, err := r.share(ctx, string(subject), r.options.Timeout, func(ctx context.Context) (any, error) {
		mark, epoch := r.horizon.current()
		c := &cached{epoch: epoch, loaded: r.options.Now()}
		var err error
		c.Record, err = store.Load(ctx, subject)
		r.breaker.report(err)
		if err != nil {
			return nil, consent.Unavailable(err)
		}
		subjectFirst(&c.Record, subject)
		c.asOf = c.Revision
		if _, shared := store.(consent.Feed); shared {
			c.asOf = min(c.Revision, mark.Revision)
		}
		if c.upToMark() {
			r.cache.Set(string(subject), c, c.size())
		}
		return c, nil
	})
	if err != nil {
		return nil, err
	}
	return loaded.(*cached), nil
}

// subjectFirst puts the subject that was asked for before those linked to it.
func subjectFirst(rec *consent.Record, subject consent.Subject) {
	for i, s := range rec.Subjects {
		if s == subject {
			rec.Subjects[0], rec.Subjects[i] = rec.Subjects[i], rec.Subjects[0]
			return
		}
	}
	rec.Subjects = append([]consent.Subject{subject}, rec.Subjects...)
}

// typicalSize is the size of a record with one state.
const typicalSize = 600

// size estimates the bytes that a cached record occupies.
func (c *cached) size() int64 {
	size := 256 // the record, its keys in the cache, the cache's own
	for _, s := range c.Subjects {
		size += 16 + len(s)
	}
	for i := range c.Latest {
		st := &c.Latest[i]
		size += 176 + len(st.Subject) + len(st.Purpose) + len(st.Notice) + len(st.Language)
	}
	return int64(size)
}

// Append stores choices. If the error is nil, every decision that begins
// afterwards, on any process, uses them. If it is [consent.ErrPending], they are
// stored and other processes will use them when their lease is over. On any
// other error, what they take back is denied on this process for some time.
// After an error nobody may be told that something is withdrawn.
func (r *Registry) Append(request context.Context, events ...consent.Event) (consent.Revision, error) {
	ctx, cancel := context.WithTimeout(request, r.options.WriteTimeout)
	defer cancel()
	commit, err := r.append(ctx, events)
	for i := range events {
		r.options.Count(Count{Action: events[i].Action, Source: events[i].Source, Stored: err == nil})
	}
	if err != nil {
		r.denials.add(events)
		return 0, err
	}
	r.denials.end(events) // the horizon knows by now
	if slices.ContainsFunc(events, func(e consent.Event) bool { return e.Action.Restricts() }) {
		err = waitForLease(request, commit.Lease)
	}
	return commit.Revision, err
}

// WaitForLeases returns when no process decides any more by what it read before
// the call. The error is [consent.ErrPending] if ctx ends first.
func (r *Registry) WaitForLeases(ctx context.Context) error {
	lease := r.options.Lease
	_, rd, err := r.opened(ctx)
	if err == nil && rd != nil {
		// Another process may have got a longer lease since the last read.
		err = rd.join(ctx, math.MaxInt64)
		lease = max(lease, rd.longestLease())
	}
	if err != nil {
		return fmt.Errorf("%w: %w", consent.ErrPending, err)
	}
	return waitForLease(ctx, lease)
}

// waitForLease waits for the end of a lease, and a little longer: the clocks of
// other processes may run slower.
func waitForLease(ctx context.Context, lease time.Duration) error {
	if lease == 0 {
		return nil
	}
	pause(ctx, lease+lease/50+10*time.Millisecond)
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", consent.ErrPending, context.Cause(ctx))
	}
	return nil
}

func (r *Registry) append(ctx context.Context, events []consent.Event) (consent.Commit, error) {
	if err := consent.Validate(events); err != nil {
		return consent.Commit{}, fmt.Errorf("validating consent events: %w", err)
	}
	store, _, err := r.opened(ctx)
	if err != nil {
		return consent.Commit{}, err
	}
	ctx, end := span(ctx, "consent.store")
	r.horizon.doubt(events)
	commit, err := store.Append(ctx, events...)
	if err == nil {
		r.horizon.note(commit.Revision, events)
	}
	if _, shared := store.(consent.Feed); shared || !errors.Is(err, consent.ErrOutcomeUnknown) {
		r.horizon.trust(events) // else they may be committed later, and no feed tells
	}
	end(err)
	switch {
	case err == nil, errors.Is(err, consent.ErrOutcomeUnknown), errors.Is(err, consent.ErrTooManyLinks):
		return commit, err
	}
	return commit, consent.Unavailable(err)
}

// Denied reports whether a purpose is denied on this process because one of the
// subjects took it back and that could not be stored.
func (r *Registry) Denied(purpose string, subjects []consent.Subject) bool {
	return r.denials.has(purpose, subjects)
}
