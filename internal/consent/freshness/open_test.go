package freshness

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// TestOpenHangs: the database does not answer. No decision waits longer than
// its timeout, and no choice than its own, however many wait for the opening.
func TestOpenHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := NewRegistry(Options{Open: func(ctx context.Context) (consent.Store, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Close() }()
		start := time.Now()
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if _, err := r.Find(t.Context(), "she", 0); !errors.Is(err, consent.ErrUnavailable) || time.Since(start) > 250*time.Millisecond {
					t.Errorf("a decision after %v: %v", time.Since(start), err)
				}
			})
			all.Go(func() {
				if _, err := r.Append(t.Context(), event(consent.Withdraw)); !errors.Is(err, consent.ErrUnavailable) || time.Since(start) > 5*time.Second {
					t.Errorf("a choice after %v: %v", time.Since(start), err)
				}
				if !r.Denied("news", []consent.Subject{"she"}) {
					t.Error("the withdrawal is not denied here")
				}
			})
		}
		all.Wait()
	})
}

// TestOpenAgain: the store comes up after the proxy.
func TestOpenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down, opened := true, 0
		r, err := NewRegistry(Options{Open: func(context.Context) (consent.Store, error) {
			if down {
				return nil, errBroken
			}
			opened++
			return newCounted(), nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Close() }()
		for range 5 {
			if _, err := r.Find(t.Context(), "she", 0); !errors.Is(err, consent.ErrUnavailable) {
				t.Fatal(err)
			}
		}
		if r.Health() == nil {
			t.Error("the registry takes the store for healthy")
		}
		down = false
		time.Sleep(breakerPause)
		for range 5 {
			if _, err := r.Find(t.Context(), "she", 0); err != nil {
				t.Fatal(err)
			}
		}
		if opened != 1 || r.Health() != nil {
			t.Errorf("opened %d times, health: %v", opened, r.Health())
		}
	})
}

// TestClose: whoever closes the registry waits for what still uses the store.
func TestClose(t *testing.T) {
	forBoth(t, func(t *testing.T, exclusive bool) {
		t.Helper()
		s := newCounted()
		s.load = make(chan struct{})
		r, err := NewRegistry(Options{Open: func(context.Context) (consent.Store, error) {
			return storeOf(s, exclusive), nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = r.Find(t.Context(), "she", 0) }()
		time.Sleep(time.Millisecond) // it has looked
		closed := make(chan error)
		go func() { closed <- r.Close() }()
		synctest.Wait()
		if s.closed.Load() != 0 {
			t.Error("the store was closed while a load used it")
		}
		if _, err := r.Find(t.Context(), "she", 0); !errors.Is(err, consent.ErrUnavailable) {
			t.Errorf("a decision while it closes: %v", err)
		}
		if _, err := r.Append(t.Context(), event(consent.Withdraw)); !errors.Is(err, consent.ErrUnavailable) || !r.Denied("news", []consent.Subject{"she"}) {
			t.Errorf("a choice while it closes: %v", err)
		}
		close(s.load)
		if err := <-closed; err != nil {
			t.Error(err)
		}
		if err := r.Close(); err != nil || s.closed.Load() != 1 {
			t.Errorf("closed %d times: %v", s.closed.Load(), err)
		}
	})
}

// TestCloseWhileDeciding is for the race detector.
func TestCloseWhileDeciding(t *testing.T) {
	for range 50 {
		s := newCounted()
		r, err := NewRegistry(Options{Open: func(context.Context) (consent.Store, error) { return s, nil }})
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for range 20 {
					if _, err := r.Find(t.Context(), "she", 0); err != nil && !errors.Is(err, consent.ErrUnavailable) {
						t.Error(err)
					}
				}
			})
		}
		all.Go(func() {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		})
		all.Wait()
	}
}
