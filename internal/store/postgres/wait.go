package postgres

import (
	"context"
	"log/slog"
	"sync"
)

// listener waits for notifications of the server that something was committed. It
// has a separate connection, opened at the first wait.
type listener struct {
	connect connect
	logger  *slog.Logger

	mu      sync.Mutex
	next    chan struct{} // closed at the next notification; nil before the first wait
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

// join returns a channel that is closed at the next notification; nil if there will
// be none.
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
		connected, err := l.listen(ctx)
		if ctx.Err() != nil {
			return
		}
		if connected {
			pauses = 0
		}
		if pauses == 0 { // and not each second of a long night
			l.logger.Warn("listening for changes in PostgreSQL: trying again", slog.Any("error", redact(err)))
		}
		pauses++
		select {
		case <-afterPause(pauses):
		case <-ctx.Done():
		}
	}
}

// listen passes on notifications as long as the connection lasts. It reports
// whether there was one.
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
		l.notify() // at first too: something may have been missed
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return true, err
		}
	}
}

func (l *listener) notify() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.next)
	l.next = make(chan struct{})
}
