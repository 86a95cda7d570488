package freshness

import (
	"context"
	"sync"
	"time"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// reader moves the horizon along the feed of a store that several processes
// write. Decisions that arrive while a read runs share the next one: a read
// counts only for those that began before it.
type reader struct {
	feed    consent.Feed
	horizon *horizon
	breaker *breaker
	timeout time.Duration
	// lease is how long decisions may use a read; if 0, each waits for the next
	// one.
	lease time.Duration
	now   func() time.Time

	reads   sync.WaitGroup
	mu      sync.Mutex
	next    *read         // that new callers join; nil if none waits
	running bool          // a goroutine is reading
	began   time.Time     // when the last read that succeeded began; zero: never
	longest time.Duration // the lease of any process, by that read
	closed  bool
}

type read struct {
	done chan struct{}
	err  error // after done
}

// join returns when the horizon holds everything that was committed before
// the call or, where there is a lease, before it began, and at least what has
// the revision atLeast.
func (rd *reader) join(ctx context.Context, atLeast consent.Revision) error {
	if rd.leased(atLeast) {
		return nil
	}
	if err := rd.breaker.allow(); err != nil {
		return err
	}
	rd.mu.Lock()
	if rd.closed {
		rd.mu.Unlock()
		return consent.ErrUnavailable
	}
	if rd.next == nil {
		rd.next = &read{done: make(chan struct{})}
	}
	r := rd.next
	if !rd.running {
		rd.running = true
		rd.reads.Go(rd.run)
	}
	rd.mu.Unlock()
	// Two reads may lie ahead: the one that runs, and ours.
	select {
	case <-r.done:
		return r.err
	case <-time.After(rd.timeout):
		return consent.ErrUnavailable
	case <-ctx.Done():
		return ctx.Err()
	}
}

// leased reports whether decisions may still use the last read. It checks the
// wall clock too, since the monotonic one stands still while a machine sleeps.
func (rd *reader) leased(atLeast consent.Revision) bool {
	if rd.lease == 0 || rd.horizon.since().Revision < atLeast {
		return false
	}
	rd.mu.Lock()
	began := rd.began
	rd.mu.Unlock()
	if began.IsZero() {
		return false
	}
	now := rd.now()
	wall := now.Round(0).Sub(began.Round(0))
	return now.Sub(began) < rd.lease && wall >= 0 && wall < rd.lease
}

// longestLease returns the longest lease of any process, as of the last read.
func (rd *reader) longestLease() time.Duration {
	rd.mu.Lock()
	defer rd.mu.Unlock()
	return rd.longest
}

// run reads as long as callers wait.
func (rd *reader) run() {
	for {
		rd.mu.Lock()
		r := rd.next
		rd.next = nil
		if r == nil {
			rd.running = false
			rd.mu.Unlock()
			return
		}
		rd.mu.Unlock()
		r.err = rd.read()
		close(r.done)
	}
}

func (rd *reader) read() error {
	ctx, cancel := context.WithTimeout(context.Background(), rd.timeout)
	defer cancel()
	began := rd.now()
	changes, err := rd.feed.Changes(ctx, rd.horizon.since())
	rd.breaker.report(err)
	if err != nil {
		return consent.Unavailable(err)
	}
	rd.horizon.advance(changes)
	rd.mu.Lock()
	rd.began, rd.longest = began, changes.Lease
	rd.mu.Unlock()
	return nil
}

// follow reads whenever the store says that something was committed, so that
// a grant elsewhere need not wait for the end of the lease.
func (rd *reader) follow(ctx context.Context) {
	for ctx.Err() == nil {
		err := rd.feed.Wait(ctx)
		if err == nil {
			err = rd.join(ctx, rd.horizon.since().Revision+1)
		}
		if err != nil {
			pause(ctx, breakerPause)
		}
	}
}

// close stops reading and waits for the read in progress.
func (rd *reader) close() {
	rd.mu.Lock()
	rd.closed = true
	rd.mu.Unlock()
	rd.reads.Wait()
}

// pause waits for a while or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
