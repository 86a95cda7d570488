package freshness

import (
	"sync"
	"time"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// A store that does not answer would make every submission wait for the
// timeout. After breakerFailures in a row it is not used for breakerPause; then
// it is tried again, and one more failure is enough.
const (
	breakerFailures = 3
	breakerPause    = time.Second
)

// breaker is a circuit breaker for a failing store. The zero value is closed and
// needs a clock.
type breaker struct {
	now func() time.Time

	mu       sync.Mutex
	failures int
	until    time.Time // the store is not used before
	cause    error
}

// allow returns why the store must not be used now, or nil.
func (b *breaker) allow() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failures >= breakerFailures && b.now().Before(b.until) {
		return b.cause
	}
	return nil
}

// report records the result of a call to the store.
func (b *breaker) report(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil {
		b.failures, b.cause = 0, nil
		return
	}
	b.failures++
	b.cause = consent.Unavailable(err)
	if b.failures >= breakerFailures {
		b.until = b.now().Add(breakerPause)
	}
}
