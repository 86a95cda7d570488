package postgres

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// listener waits for word from the server that something was committed. It
// has a connection of its own, made when somebody first waits.
type listener struct {
	connect connect
	logger  *slog.Logger

	mu      sync.Mutex
	next    chan struct{} // closed at the next word; nil: nobody waited yet
	stop    context.CancelFunc
	stopped chan struct{}
	closed  bool
}

// Wait returns when something may have been committed, see [consent.Feed].
func (s *Store) Wait(ctx context.Context) error {
	next := s.listener.join() //nolint:contextcheck // listening outlives the waiting
	if next == nil {
		return unavailable("waiting for changes", errClosed)
	}
	select {
	case <-next:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.listener.stopped:
		return unavailable("waiting for changes", errClosed)
	}
}

// join returns what is closed at the next word; nil: there will be none.
func (l *listener) join() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	if l.next == nil {
		l.next, l.stopped = make(chan struct{}), make(chan struct{})
		ctx, cancel := context.WithCancel(context.Background())
		l.stop = cancel
		go l.run(ctx)
	}
	return l.next
}

func (l *listener) close() {
	l.mu.Lock()
	l.closed = true
	stop, stopped := l.stop, l.stopped
	l.mu.Unlock()
	if stop != nil {
		stop()
		<-stopped
	}
}

func (l *listener) run(ctx context.Context) {
	defer close(l.stopped)
	pauses := 0
	for ctx.Err() == nil {
		heard, err := l.listen(ctx)
		if ctx.Err() != nil {
			return
		}
		if heard {
			pauses = 0
		}
		if pauses == 0 { // and not each second of a long night
			l.logger.Warn("listening for changes in PostgreSQL: trying again", slog.Any("error", redact(err)))
		}
		timer := time.NewTimer(min(firstPause<<min(pauses, 10), longestPause))
		pauses++
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// listen passes on what the server says as long as the connection lasts. It
// tells whether there was one.
func (l *listener) listen(ctx context.Context) (bool, error) {
	bounded, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := l.connect(bounded, nil)
	if err != nil {
		return false, err
	}
	defer func() {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), firstPause)
		defer cancel()
		_ = conn.Close(bounded) // nothing is lost with it
	}()
	if _, err := conn.Exec(bounded, "LISTEN modicum"); err != nil {
		return false, err
	}
	for {
		l.tell() // at first too: something may have been missed
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return true, err
		}
	}
}

// tell wakes those who wait.
func (l *listener) tell() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.next)
	l.next = make(chan struct{})
}
