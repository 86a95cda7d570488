package freshness

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// counted is a store that counts, and that a test can hold up.
type counted struct {
	*view
	loads  atomic.Int32
	closed atomic.Int32
	before func()        // what happens before a load looks; nil: nothing
	load   chan struct{} // a load waits here after it looked; nil: it does not
	append error         // instead of storing
	lost   bool          // the answer of a commit is
}

func newCounted() *counted {
	return &counted{view: &view{history: newHistory(100), rng: seeded(0, 0), late: &sync.WaitGroup{}}}
}

func (s *counted) Load(ctx context.Context, subject consent.Subject) (consent.Record, error) {
	s.loads.Add(1)
	if s.before != nil {
		s.before()
	}
	rec, err := s.view.Load(ctx, subject)
	if s.load != nil {
		select {
		case <-s.load:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	return rec, err
}

func (s *counted) Append(ctx context.Context, events ...consent.Event) (consent.Commit, error) {
	if s.append != nil {
		return consent.Commit{}, s.append
	}
	commit, err := s.view.Append(ctx, events...)
	if s.lost {
		err = consent.ErrOutcomeUnknown
	}
	return commit, err
}

func (s *counted) Close() error {
	s.closed.Add(1)
	return nil
}

// storeOf makes a store one's own, or leaves it shared.
func storeOf(s *counted, exclusive bool) consent.Store {
	if exclusive {
		return struct{ consent.Store }{s}
	}
	return s
}

// registryOf returns a registry with a store.
func registryOf(t *testing.T, store consent.Store, o Options) *Registry {
	t.Helper()
	o.Open = func(context.Context) (consent.Store, error) { return store, nil }
	r, err := NewRegistry(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func event(action consent.Action) consent.Event {
	return consent.Event{ID: uuid.New(), Subject: "she", Purpose: "news", Action: action, Time: time.Unix(1, 0)}
}

// A malformed event reaches no store, which may commit it together with the
// events of others. What it would take back is denied here all the same.
func TestAppendValidates(t *testing.T) {
	s := newCounted()
	r := registryOf(t, s, Options{})
	bad := event(consent.Withdraw)
	bad.Shown = &consent.Shown{Digest: "0", Text: "another text"}
	if _, err := r.Append(t.Context(), event(consent.Grant), bad); err == nil {
		t.Error("a malformed event is stored")
	}
	if end := s.history.end(); end != 0 {
		t.Errorf("%d events reached the store", end)
	}
	if !r.Denied("news", []consent.Subject{"she"}) {
		t.Error("what could not be stored is not denied")
	}
}

func stored(t *testing.T, r *Registry, action consent.Action) consent.Revision {
	t.Helper()
	revision, err := r.Append(t.Context(), event(action))
	if err != nil {
		t.Fatal(err)
	}
	return revision
}

// stands returns her latest action as a decision sees it.
func stands(t *testing.T, r *Registry, atLeast consent.Revision) consent.Action {
	t.Helper()
	rec, err := r.Find(t.Context(), "she", atLeast)
	if err != nil {
		t.Error(err)
		return consent.Action(err.Error())
	}
	if len(rec.Latest) == 0 {
		return ""
	}
	return rec.Latest[0].Action
}

// forBoth runs a test with a store that others write and with one's own.
func forBoth(t *testing.T, test func(t *testing.T, exclusive bool)) {
	t.Helper()
	for name, exclusive := range map[string]bool{"shared": false, "exclusive": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, exclusive) })
		})
	}
}

func TestRegistry(t *testing.T) {
	forBoth(t, func(t *testing.T, exclusive bool) {
		t.Helper()
		s := newCounted()
		r := registryOf(t, storeOf(s, exclusive), Options{})
		if got := stands(t, r, 0); got != "" {
			t.Errorf("nobody asked her: %q", got)
		}
		for _, action := range []consent.Action{consent.Grant, consent.Withdraw, consent.Grant, consent.Object} {
			if got := stands(t, r, stored(t, r, action)); got != action {
				t.Errorf("%q stands, want %q", got, action)
			}
		}
		loads := s.loads.Load()
		for range 100 {
			stands(t, r, 0)
		}
		if got := s.loads.Load() - loads; got > 1 {
			t.Errorf("%d loads of a person who did nothing, want at most one", got)
		}
	})
}

// TestLifeIsAbsolute: a record that is used all the time would stay for ever
// if use prolonged its life (GHSA-w278-32qg-48q5).
func TestLifeIsAbsolute(t *testing.T) {
	forBoth(t, func(t *testing.T, exclusive bool) {
		t.Helper()
		s := newCounted()
		r := registryOf(t, storeOf(s, exclusive), Options{Life: time.Second})
		for range 100 {
			stands(t, r, 0)
			synctest.Wait()
			time.Sleep(100 * time.Millisecond)
		}
		if got := s.loads.Load(); got != 10 {
			t.Errorf("%d loads in ten seconds, want 10", got)
		}
	})
}

// TestChangesDuringLoad: a person chooses again and again. That a choice
// comes while a record is read does not make it unknown.
func TestChangesDuringLoad(t *testing.T) {
	forBoth(t, func(t *testing.T, exclusive bool) {
		t.Helper()
		s := newCounted()
		r := registryOf(t, storeOf(s, exclusive), Options{})
		s.load = make(chan struct{})
		found := make(chan consent.Action)
		go func() { found <- stands(t, r, 0) }()
		for range 2 {
			time.Sleep(time.Millisecond) // it has looked
			stored(t, r, consent.Grant)
			s.load <- struct{}{}
		}
		if got := <-found; got != consent.Grant {
			t.Errorf("%q stands", got)
		}
	})
}

// TestLoadOvertaken: a load looks at the store before a withdrawal and
// arrives after it. Neither is it kept, nor does a decision that begins after
// the withdrawal use it.
func TestLoadOvertaken(t *testing.T) {
	forBoth(t, func(t *testing.T, exclusive bool) {
		t.Helper()
		s := newCounted()
		r := registryOf(t, storeOf(s, exclusive), Options{})
		stored(t, r, consent.Grant)
		s.load = make(chan struct{})
		early := make(chan consent.Action)
		go func() { early <- stands(t, r, 0) }()
		time.Sleep(time.Millisecond) // it has looked
		stored(t, r, consent.Withdraw)
		late := make(chan consent.Action)
		go func() { late <- stands(t, r, 0) }()
		time.Sleep(time.Millisecond) // it has joined the load
		close(s.load)
		if got := <-late; got != consent.Withdraw {
			t.Errorf("the decision after the withdrawal saw %q", got)
		}
		<-early
		if got := stands(t, r, 0); got != consent.Withdraw {
			t.Errorf("afterwards %q stands", got)
		}
	})
}

// TestTokenOfALostHistory: a backup was restored that lacks her withdrawal.
// Her cookie tells that there was one: it is not known what stands.
func TestTokenOfALostHistory(t *testing.T) {
	forBoth(t, func(t *testing.T, exclusive bool) {
		t.Helper()
		s := newCounted()
		r := registryOf(t, storeOf(s, exclusive), Options{})
		stored(t, r, consent.Grant)
		token := stored(t, r, consent.Withdraw)
		s.history.rewind(1)
		restarted := registryOf(t, storeOf(s, exclusive), Options{})
		if rec, err := restarted.Find(t.Context(), "she", token); !errors.Is(err, consent.ErrUnavailable) {
			t.Errorf("%v, %v", rec, err)
		}
		if exclusive {
			return // nobody swaps the store of a running process
		}
		if rec, err := r.Find(t.Context(), "she", token); !errors.Is(err, consent.ErrUnavailable) {
			t.Errorf("in the same process: %v, %v", rec, err)
		}
	})
}

// TestReadAheadOfTheMark: a load sees a grant that the feed has not told yet.
// The end of the history, that grant in it, is lost to a failover, the mark
// of the feed is not, and so nobody notices. What is decided afterwards must
// not rest on the lost grant, even when its revision is given anew.
func TestReadAheadOfTheMark(t *testing.T) {
	other := consent.Event{ID: uuid.New(), Subject: "he", Purpose: "news", Action: consent.Grant}
	for name, next := range map[string]consent.Event{"somebody else chooses": other, "she withdraws": event(consent.Withdraw)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newCounted()
				r := registryOf(t, s, Options{})
				s.history.commit(0, []consent.Event{event(consent.Refuse), other})
				lost := []consent.Event{event(consent.Grant)}
				s.before = func() { s.history.commit(0, lost) }
				stands(t, r, 0)
				synctest.Wait()
				s.before = nil
				s.history.rewind(len(lost))
				next.ID = uuid.New()
				s.history.commit(1, []consent.Event{next})
				if got := stands(t, r, 0); got == consent.Grant {
					t.Error("the lost grant stands")
				}
			})
		})
	}
}

// TestUnknownOutcome: the answer of a commit is lost, and the store has it.
// What is cached must not be used for ever.
func TestUnknownOutcome(t *testing.T) {
	forBoth(t, func(t *testing.T, exclusive bool) {
		t.Helper()
		s := newCounted()
		r := registryOf(t, storeOf(s, exclusive), Options{})
		stored(t, r, consent.Grant)
		stands(t, r, 0)
		s.lost = true
		if _, err := r.Append(t.Context(), event(consent.Withdraw)); !errors.Is(err, consent.ErrOutcomeUnknown) {
			t.Fatal(err)
		}
		if got := stands(t, r, 0); got != consent.Withdraw {
			t.Errorf("%q stands", got)
		}
	})
}

func TestAppendFails(t *testing.T) {
	forBoth(t, func(t *testing.T, exclusive bool) {
		t.Helper()
		s := newCounted()
		r := registryOf(t, storeOf(s, exclusive), Options{})
		s.append = errBroken
		if _, err := r.Append(t.Context(), event(consent.Withdraw)); !errors.Is(err, consent.ErrUnavailable) || !errors.Is(err, errBroken) {
			t.Errorf("%v", err)
		}
		if !r.Denied("news", []consent.Subject{"she"}) {
			t.Error("a withdrawal that could not be stored is not denied here")
		}
		s.append = nil
		stored(t, r, consent.Withdraw)
		if r.Denied("news", []consent.Subject{"she"}) {
			t.Error("it is stored and still denied")
		}
	})
}

// TestLeaseIsWaitedFor: another process may decide by what it read for as
// long as the lease, so no withdrawal is confirmed earlier. The wait ends with
// the request, which is then told nothing.
func TestLeaseIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newCounted()
		s.lease = 10 * time.Second
		r := registryOf(t, s, Options{Lease: 10 * time.Second, WriteTimeout: time.Second})
		start := time.Now()
		token := stored(t, r, consent.Grant)
		if took := time.Since(start); took > time.Second {
			t.Errorf("a grant was answered after %v", took)
		}
		if got := stands(t, r, token); got != consent.Grant {
			t.Errorf("%q stands for whoever was told of the grant", got)
		}
		start = time.Now()
		stored(t, r, consent.Withdraw)
		if took := time.Since(start); took <= 10*time.Second {
			t.Errorf("a withdrawal was answered after %v", took)
		}
		for name, wait := range map[string]func(context.Context) error{
			"a choice":     func(ctx context.Context) error { _, err := r.Append(ctx, event(consent.Object)); return err },
			"a repetition": r.WaitForLeases,
		} {
			start = time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			err := wait(ctx)
			cancel()
			if took := time.Since(start); !errors.Is(err, consent.ErrPending) || took > 3*time.Second {
				t.Errorf("%s of a request that ended after 2 s: %v after %v", name, err, took)
			}
		}
		if got := stands(t, r, 0); got != consent.Object || r.Denied("news", []consent.Subject{"she"}) {
			t.Errorf("what is stored is %q, or denied as if it was not", got)
		}
	})
}

// TestOtherLease: a process without a lease waits for the others', also if it did
// not store the withdrawal.
func TestOtherLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newCounted()
		r := registryOf(t, s, Options{})
		if got := stands(t, r, 0); got != "" || r.Leased() {
			t.Errorf("%q stands in an empty store, under a lease: %v", got, r.Leased())
		}
		s.lease = 10 * time.Second
		start := time.Now()
		if err := r.WaitForLeases(t.Context()); err != nil || time.Since(start) <= s.lease {
			t.Errorf("after %v no proxy is reported to decide by an older read: %v", time.Since(start), err)
		}
		if stands(t, r, 0); !r.Leased() {
			t.Error("another process has a lease")
		}
		s.lease = 0
		if stands(t, r, 0); r.Leased() {
			t.Error("no process has a lease any more")
		}
	})
}
