package freshness

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// tape is a feed that a test plays.
type tape struct {
	mu    sync.Mutex
	head  consent.Revision
	err   error
	takes time.Duration // a read
	reads atomic.Int32
	news  chan struct{}
}

func (f *tape) commit() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.head++
}

func (f *tape) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *tape) Changes(ctx context.Context, _ consent.Mark) (consent.Changes, error) {
	f.reads.Add(1)
	f.mu.Lock()
	c, err := consent.Changes{Head: mark(f.head)}, f.err
	f.mu.Unlock()
	pause(ctx, f.takes)
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return c, err
}

func (f *tape) Wait(ctx context.Context) error {
	select {
	case <-f.news:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func newReader(f *tape, lease time.Duration) *reader {
	return &reader{feed: f, horizon: &horizon{}, breaker: &breaker{now: time.Now}, timeout: 250 * time.Millisecond, lease: lease, now: time.Now}
}

// TestReadBeganBefore: a decision that arrives while a read is under way must
// not be served by it: the read may be of a moment before a withdrawal that
// was answered before the decision began.
func TestReadBeganBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &tape{takes: 10 * time.Millisecond}
		rd := newReader(f, 0)
		defer rd.close()
		early := make(chan error)
		go func() { early <- rd.join(t.Context(), 0) }()
		time.Sleep(5 * time.Millisecond)
		f.commit() // after the first read looked
		if err := rd.join(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		if got := rd.horizon.since().Revision; got != 1 {
			t.Errorf("the decision knows revision %d, want 1", got)
		}
		if err := <-early; err != nil {
			t.Error(err)
		}
	})
}

// TestReadsCoalesce: any number of decisions costs two reads at a time.
func TestReadsCoalesce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &tape{takes: 10 * time.Millisecond}
		rd := newReader(f, 0)
		defer rd.close()
		var all sync.WaitGroup
		for i := range 1000 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * 10 * time.Microsecond)
				if err := rd.join(t.Context(), 0); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if got := f.reads.Load(); got != 2 {
			t.Errorf("%d reads for 1,000 decisions within the time of one, want 2", got)
		}
	})
}

func TestReaderFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &tape{takes: time.Hour}
		rd := newReader(f, 0)
		defer rd.close()
		start := time.Now()
		if err := rd.join(t.Context(), 0); !errors.Is(err, consent.ErrUnavailable) {
			t.Errorf("a feed that hangs: %v", err)
		}
		if took := time.Since(start); took != rd.timeout {
			t.Errorf("it was waited for %v, want %v", took, rd.timeout)
		}
		synctest.Wait()
		for range breakerFailures - 1 {
			_ = rd.join(t.Context(), 0)
			synctest.Wait()
		}
		start = time.Now()
		if err := rd.join(t.Context(), 0); !errors.Is(err, consent.ErrUnavailable) || time.Since(start) != 0 {
			t.Errorf("after %d failures it was waited for %v: %v", breakerFailures, time.Since(start), err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		time.Sleep(breakerPause)
		if err := rd.join(ctx, 0); !errors.Is(err, context.Canceled) {
			t.Errorf("a client that is gone: %v", err)
		}
	})
}

// TestReaderClosed: a decision arrives when the registry closes. It starts no
// read of a store that is closed.
func TestReaderClosed(t *testing.T) {
	f := &tape{}
	rd := newReader(f, 0)
	rd.close()
	if err := rd.join(t.Context(), 0); !errors.Is(err, consent.ErrUnavailable) || f.reads.Load() != 0 {
		t.Errorf("%v after %d reads", err, f.reads.Load())
	}
}

func TestLease(t *testing.T) {
	const lease = time.Second
	for _, test := range []struct {
		name    string
		then    func(f *tape, jump *time.Duration)
		atLeast consent.Revision
		reads   int32 // after the first
	}{
		{"within the lease", func(*tape, *time.Duration) { time.Sleep(lease - 11*time.Millisecond) }, 0, 0},
		// The read took 10 ms and is as of its beginning.
		{"a lease begins when the read does", func(*tape, *time.Duration) { time.Sleep(lease - 10*time.Millisecond) }, 0, 1},
		{"the person was told of more", func(f *tape, _ *time.Duration) { f.commit() }, 1, 1},
		{"the wall clock was set back", func(_ *tape, jump *time.Duration) { *jump = -time.Hour }, 0, 1},
		// The monotonic clock stands still while a machine sleeps.
		{"the machine slept", func(_ *tape, jump *time.Duration) { *jump = 2 * time.Second }, 0, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			zero := time.Now() // invented time is not monotonic
			synctest.Test(t, func(t *testing.T) {
				f := &tape{takes: 10 * time.Millisecond}
				rd := newReader(f, lease)
				defer rd.close()
				start, jump := time.Now(), time.Duration(0)
				rd.now = func() time.Time { return jumped(zero.Add(time.Since(start)), jump) }
				if err := rd.join(t.Context(), 0); err != nil {
					t.Fatal(err)
				}
				test.then(f, &jump)
				if err := rd.join(t.Context(), test.atLeast); err != nil {
					t.Fatal(err)
				}
				if got := f.reads.Load() - 1; got != test.reads {
					t.Errorf("%d reads, want %d", got, test.reads)
				}
			})
		})
	}
}

// TestLeaseDoesNotSlide: whoever decides all the time must not go on with one
// read, and a read that fails must not begin a lease.
func TestLeaseDoesNotSlide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &tape{}
		rd := newReader(f, time.Second)
		defer rd.close()
		for range 100 {
			if err := rd.join(t.Context(), 0); err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if got := f.reads.Load(); got != 10 {
			t.Errorf("%d reads in ten seconds, want 10", got)
		}
		f.fail(errBroken)
		time.Sleep(time.Second)
		for range 2 {
			if err := rd.join(t.Context(), 0); !errors.Is(err, consent.ErrUnavailable) {
				t.Errorf("the lease is over and the store down: %v", err)
			}
		}
	})
}

// TestFollow: a notification lets the next decision know more, and a lost one
// only means that it learns it when the lease is over.
func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &tape{news: make(chan struct{})}
		rd := newReader(f, time.Minute)
		ctx, cancel := context.WithCancel(t.Context())
		var work sync.WaitGroup
		work.Go(func() { rd.follow(ctx) })
		defer func() { cancel(); work.Wait(); rd.close() }()
		if err := rd.join(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		f.commit()
		f.news <- struct{}{}
		synctest.Wait()
		if got := rd.horizon.since().Revision; got != 1 {
			t.Errorf("after the notification revision %d is known, want 1", got)
		}
		f.commit() // its notification is lost
		synctest.Wait()
		if got := rd.horizon.since().Revision; got != 1 {
			t.Errorf("revision %d is known, but nobody told", got)
		}
		time.Sleep(time.Minute)
		if err := rd.join(t.Context(), 0); err != nil || rd.horizon.since().Revision != 2 {
			t.Errorf("after the lease revision %d is known, want 2: %v", rd.horizon.since().Revision, err)
		}
	})
}
