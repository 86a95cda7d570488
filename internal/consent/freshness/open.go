package freshness

import (
	"context"
	"time"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// Open opens the store unless it is open.
func (r *Registry) Open(ctx context.Context) error {
	_, _, err := r.opened(ctx)
	return err
}

// opened returns the store, opened when it is not, and its reader.
func (r *Registry) opened(ctx context.Context) (consent.Store, *reader, error) { //nolint:contextcheck // what reads outlives the caller
	r.mu.RLock()
	store, rd, closed := r.store, r.reader, r.closed
	r.mu.RUnlock()
	if store != nil {
		return store, rd, nil
	}
	if closed {
		return nil, nil, consent.ErrUnavailable
	}
	select { // a mutex would wait longer than ctx
	case r.opening <- struct{}{}:
		defer func() { <-r.opening }()
	case <-ctx.Done():
		return nil, nil, consent.Unavailable(ctx.Err())
	}
	r.mu.RLock()
	store, rd, closed = r.store, r.reader, r.closed
	r.mu.RUnlock()
	if store != nil {
		return store, rd, nil
	}
	if closed {
		return nil, nil, consent.ErrUnavailable
	}
	store, err := r.options.Open(ctx)
	r.mu.Lock()
	r.fault = err
	r.mu.Unlock()
	if err != nil {
		r.options.Log.Error("opening the consent store: consents are not known until it is open", "error", err)
		return nil, nil, consent.Unavailable(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.store = store
	if feed, ok := store.(consent.Feed); ok {
		r.reader = &reader{
			feed: feed, horizon: &r.horizon, breaker: &r.breaker, timeout: r.options.Timeout, lease: r.options.Lease, now: r.options.Now,
		}
		if r.options.Lease > 0 {
			var follow context.Context
			follow, r.stop = context.WithCancel(context.Background())
			rd := r.reader // which Close takes away
			r.work.Go(func() { rd.follow(follow) })
		}
	}
	return r.store, r.reader, nil
}

// enter begins work that Close waits for.
func (r *Registry) enter() bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.closed {
		return false
	}
	r.work.Add(1)
	return true
}

// openedInTime is opened for callers that cannot wait long.
func (r *Registry) openedInTime(ctx context.Context) (consent.Store, *reader, error) {
	r.mu.RLock()
	store, rd := r.store, r.reader
	r.mu.RUnlock()
	if store != nil {
		return store, rd, nil
	}
	if err := r.breaker.allow(); err != nil {
		return nil, nil, err
	}
	opened := r.loads.DoChan("", func() (any, error) {
		if !r.enter() {
			return nil, consent.ErrUnavailable
		}
		defer r.work.Done()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.options.WriteTimeout)
		defer cancel()
		_, _, err := r.opened(ctx)
		r.breaker.report(err)
		return nil, err
	})
	limit := time.NewTimer(r.options.Timeout)
	defer limit.Stop()
	select {
	case result := <-opened:
		if result.Err != nil {
			return nil, nil, result.Err
		}
		return r.opened(ctx)
	case <-limit.C:
		return nil, nil, consent.ErrUnavailable
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
}

// Store returns the open store, for exports and retention; decisions use
// [Registry.Find].
func (r *Registry) Store(ctx context.Context) (consent.Store, error) {
	store, _, err := r.opened(ctx)
	return store, err
}

// Close closes the store. Calls then return [consent.ErrUnavailable].
func (r *Registry) Close() error {
	r.opening <- struct{}{} // an opening that is under way ends first
	r.mu.Lock()
	store, rd, closed := r.store, r.reader, r.closed
	r.store, r.reader, r.closed = nil, nil, true
	r.mu.Unlock()
	<-r.opening
	if closed {
		return nil
	}
	if r.stop != nil {
		r.stop()
	}
	r.work.Wait()
	if rd != nil {
		rd.close()
	}
	r.cache.Close()
	if store == nil {
		return nil
	}
	return store.Close()
}
