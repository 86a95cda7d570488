package freshness

import (
	"context"
	"time"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// current returns the store if it is open, and its reader. It returns an error
// if the registry is closed.
func (r *Registry) current() (consent.Store, *reader, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.closed {
		return nil, nil, consent.ErrUnavailable
	}
	return r.store, r.reader, nil
}

// opened returns the store, opened when it is not, and its reader.
func (r *Registry) opened(ctx context.Context) (consent.Store, *reader, error) { //nolint:contextcheck // what reads outlives the caller
	if store, rd, err := r.current(); store != nil || err != nil {
		return store, rd, err
	}
	select { // a mutex would wait longer than ctx
	case r.opening <- struct{}{}:
		defer func() { <-r.opening }()
	case <-ctx.Done():
		return nil, nil, consent.Unavailable(ctx.Err())
	}
	if store, rd, err := r.current(); store != nil || err != nil {
		return store, rd, err
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
	if store, rd, err := r.current(); store != nil || err != nil {
		return store, rd, err
	}
	if err := r.breaker.allow(); err != nil {
		return nil, nil, err
	}
	_, err := r.share(ctx, "", r.options.WriteTimeout, func(ctx context.Context) (any, error) {
		_, _, err := r.opened(ctx)
		r.breaker.report(err)
		return nil, err
	})
	if err != nil {
		return nil, nil, err
	}
	return r.opened(ctx)
}

// share does work once for all callers that wait for it. The work may take as
// long as limit, but a caller waits no longer than a decision may.
func (r *Registry) share(ctx context.Context, key string, limit time.Duration, do func(context.Context) (any, error)) (any, error) {
	done := r.loads.DoChan(key, func() (any, error) {
		if !r.enter() {
			return nil, consent.ErrUnavailable
		}
		defer r.work.Done()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
		defer cancel()
		return do(ctx)
	})
	select {
	case result := <-done:
		return result.Val, result.Err
	case <-time.After(r.options.Timeout):
		return nil, consent.ErrUnavailable
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Store returns the store, opened when it is not, for exports and retention;
// decisions use [Registry.Find].
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
