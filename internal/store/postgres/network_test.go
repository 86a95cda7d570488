package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/store/postgres"
)

var errCut = errors.New("cut")

// writerFunc is a writer of one function.
type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// within bounds a test whose store may never answer.
func within(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	tb.Cleanup(cancel)
	return ctx
}

// stored checks that nothing but one event is stored.
func stored(tb testing.TB, s *postgres.Store, e consent.Event) {
	tb.Helper()
	events, err := s.Events(context.Background(), "", 0, 10)
	if err != nil || len(events) != 1 || events[0].ID != e.ID || events[0].Revision != 1 {
		tb.Errorf("%d events are stored (%v), want one", len(events), err)
	}
}

// The connection breaks before the server has the events.
func TestRequestLost(t *testing.T) {
	r, dsn := newRelay(t, database(t))
	s := open(t, postgres.Options{DSN: dsn})
	e := event("k.a", "news", consent.Withdraw)
	var lost atomic.Int32
	r.lay(func(up, down net.Conn) (io.Writer, io.Writer) {
		return &watched{Writer: up, word: e.ID.String(), seen: func() error {
			if lost.Add(1) < 3 {
				return errCut
			}
			return nil
		}}, down
	})
	if commit, err := s.Append(within(t), e); err != nil || commit.Revision != 1 {
		t.Errorf("%+v, %v", commit, err)
	}
	if lost.Load() != 3 {
		t.Errorf("the events were sent %d times", lost.Load())
	}
	stored(t, s, e)
}

// The events are stored and the answer is lost: nobody may be told that the
// withdrawal failed, and it may not be stored again.
func TestAnswerLost(t *testing.T) {
	r, dsn := newRelay(t, database(t))
	s := open(t, postgres.Options{DSN: dsn})
	e := event("k.a", "news", consent.Withdraw)
	var sent, lost atomic.Int32
	r.lay(func(up, down net.Conn) (io.Writer, io.Writer) {
		var ours atomic.Bool
		toServer := &watched{Writer: up, word: e.ID.String(), seen: func() error {
			sent.Add(1)
			ours.Store(true)
			return nil
		}}
		return toServer, writerFunc(func(p []byte) (int, error) {
			if ours.Load() && lost.Add(1) < 3 {
				return 0, errCut
			}
			return down.Write(p)
		})
	})
	if commit, err := s.Append(within(t), e); err != nil || commit.Revision != 1 {
		t.Errorf("%+v, %v", commit, err)
	}
	if sent.Load() != 3 {
		t.Errorf("the events were sent %d times", sent.Load())
	}
	stored(t, s, e)
}

// The answer is lost because the server goes away, and it takes a while until
// it is back. As long as the outcome is unknown, none is reported.
func TestServerAway(t *testing.T) {
	r, dsn := newRelay(t, database(t))
	s := open(t, postgres.Options{DSN: dsn})
	e := event("k.a", "news", consent.Withdraw)
	var away, refused atomic.Int32
	r.lay(func(up, down net.Conn) (io.Writer, io.Writer) {
		if n := away.Load(); n > 0 && n < 5 {
			away.Add(1)
			refused.Add(1)
			cut := writerFunc(func([]byte) (int, error) { return 0, errCut })
			return cut, cut
		}
		var ours atomic.Bool
		toServer := &watched{Writer: up, word: e.ID.String(), seen: func() error {
			ours.Store(true)
			return nil
		}}
		return toServer, writerFunc(func(p []byte) (int, error) {
			if ours.Load() && away.CompareAndSwap(0, 1) {
				return 0, errCut
			}
			return down.Write(p)
		})
	})
	if commit, err := s.Append(within(t), e); err != nil || commit.Revision != 1 {
		t.Errorf("%+v, %v", commit, err)
	}
	if refused.Load() == 0 {
		t.Error("the server was not away")
	}
	stored(t, s, e)
}

// The first sending lies in some buffer until after the second was stored.
func TestRequestLate(t *testing.T) {
	r, dsn := newRelay(t, database(t))
	s := open(t, postgres.Options{DSN: dsn})
	e := event("k.a", "news", consent.Withdraw)
	var first atomic.Bool
	again, late := make(chan struct{}), make(chan struct{})
	r.lay(func(up, down net.Conn) (io.Writer, io.Writer) {
		var ours atomic.Bool
		toServer := writerFunc(func(p []byte) (int, error) {
			if !bytes.Contains(p, []byte(e.ID.String())) || !first.CompareAndSwap(false, true) {
				return up.Write(p)
			}
			ours.Store(true)
			down.Close() //nolint:errcheck,gosec // it is cut on the side of the store
			<-again
			n, err := up.Write(p)
			<-late
			return n, err
		})
		return toServer, writerFunc(func(p []byte) (int, error) {
			if ours.Load() {
				close(late)
				return 0, errCut
			}
			return down.Write(p)
		})
	})
	if commit, err := s.Append(within(t), e); err != nil || commit.Revision != 1 {
		t.Errorf("%+v, %v", commit, err)
	}
	close(again)
	select {
	case <-late: // the server has answered the first one
	case <-within(t).Done():
		t.Error("the server did not answer the first one")
	}
	stored(t, s, e)
}

// The first sending still runs, or waits, on the server when the second
// arrives.
func TestRequestTwice(t *testing.T) {
	ctx := within(t)
	direct := database(t)
	r, dsn := newRelay(t, direct)
	s := open(t, postgres.Options{DSN: dsn})
	r.lay(func(up, down net.Conn) (io.Writer, io.Writer) {
		// What asks the server to cancel a statement does not get through.
		return &watched{Writer: up, word: "\x04\xd2\x16\x2e", seen: func() error { return errCut }}, down
	})
	conn, err := pgx.Connect(ctx, direct)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx) //nolint:errcheck // it has been used
	holder, err := conn.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := holder.Exec(ctx, "SELECT FROM modicum.head FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	e := event("k.a", "news", consent.Withdraw)
	result := make(chan error, 1)
	go func() {
		_, err := s.Append(ctx, e)
		result <- err
	}()
	for want := 1; want <= 2; want++ {
		for waiting := 0; waiting < want; {
			const query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%modicum.append%' AND datname = current_database()"
			if err := holder.QueryRow(ctx, query).Scan(&waiting); err != nil {
				t.Fatal(err)
			}
			if _, err := holder.Exec(ctx, "SELECT pg_stat_clear_snapshot()"); err != nil {
				t.Fatal(err)
			}
		}
		if want == 1 {
			r.cut()
		}
	}
	if err := holder.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-result; err != nil {
		t.Error(err)
	}
	stored(t, s, e)
}

// No answer ever comes. The caller is told that nobody knows, and finds out
// by asking again.
func TestOutcomeUnknown(t *testing.T) {
	r, dsn := newRelay(t, database(t))
	s := open(t, postgres.Options{DSN: dsn})
	e := event("k.a", "news", consent.Withdraw)
	handed := make(chan struct{})
	var once atomic.Bool
	r.lay(func(up, down net.Conn) (io.Writer, io.Writer) {
		var ours atomic.Bool
		toServer := &watched{Writer: up, word: e.ID.String(), seen: func() error {
			ours.Store(true)
			return nil
		}}
		return toServer, writerFunc(func(p []byte) (int, error) {
			if ours.Load() {
				if once.CompareAndSwap(false, true) {
					close(handed)
				}
				return len(p), nil // it goes nowhere
			}
			return down.Write(p)
		})
	})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-handed
		cancel()
	}()
	if _, err := s.Append(ctx, e); !errors.Is(err, consent.ErrOutcomeUnknown) || errors.Is(err, consent.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	r.lay(nil)
	r.cut()
	if commit, err := s.Append(within(t), e); err != nil || commit.Revision != 1 {
		t.Errorf("asked again: %+v, %v", commit, err)
	}
	stored(t, s, e)
}

// Connections break at any byte of any message.
func TestCableCut(t *testing.T) {
	direct := database(t)
	r, dsn := newRelay(t, direct)
	s := open(t, postgres.Options{DSN: dsn})
	frail := func(to io.Writer, most int) io.Writer {
		left := random(most)
		return writerFunc(func(p []byte) (int, error) {
			if left -= len(p); left < 0 {
				n, _ := to.Write(p[:len(p)+left])
				return n, errCut
			}
			return to.Write(p)
		})
	}
	var cuts atomic.Int32
	r.lay(func(up, down net.Conn) (io.Writer, io.Writer) {
		cuts.Add(1)
		return frail(up, 30_000), frail(down, 10_000)
	})
	r.cut()
	p := prove(t, s, 8)
	p.await(200 * rounds())
	p.stop()
	r.lay(nil)
	for _, v := range p.violations(t, open(t, postgres.Options{DSN: direct})) {
		t.Error(v)
	}
	t.Logf("%d connections", cuts.Load())
}

// A server that nobody reaches is reported at once; one that does not answer,
// soon.
func TestUnreachable(t *testing.T) {
	r, dsn := newRelay(t, database(t))
	s := open(t, postgres.Options{DSN: dsn})
	r.listener.Close() //nolint:errcheck,gosec // nobody gets through any more
	r.cut()
	began := time.Now()
	e := event("k.a", "news", consent.Grant)
	if _, err := s.Append(context.Background(), e); !errors.Is(err, consent.ErrUnavailable) || errors.Is(err, consent.ErrOutcomeUnknown) {
		t.Errorf("Append: %v", err)
	}
	if _, err := s.Load(context.Background(), "k.a"); !errors.Is(err, consent.ErrUnavailable) {
		t.Errorf("Load: %v", err)
	}
	if _, err := s.Changes(context.Background(), consent.Mark{}); !errors.Is(err, consent.ErrUnavailable) {
		t.Errorf("Changes: %v", err)
	}
	if _, err := postgres.Open(context.Background(), postgres.Options{DSN: dsn}); err == nil {
		t.Error("Open found a server")
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}

	silent, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it ends with the test
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close() //nolint:errcheck // it is of the test
	began = time.Now()
	if _, err := postgres.Open(context.Background(), postgres.Options{DSN: "postgres://" + silent.Addr().String() + "/x?user=u"}); err == nil {
		t.Error("Open found a server")
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}
