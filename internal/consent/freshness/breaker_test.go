package freshness

import (
	"errors"
	"testing"
	"time"

	"github.com/modicum-proxy/modicum/internal/consent"
)

func TestBreaker(t *testing.T) {
	now := time.Unix(0, 0)
	b := &breaker{now: func() time.Time { return now }}
	cause := errors.New("connection refused")
	for i := range breakerFailures {
		if err := b.allow(); err != nil {
			t.Fatalf("open after %d failures: %v", i, err)
		}
		b.report(cause)
	}
	if err := b.allow(); !errors.Is(err, consent.ErrUnavailable) || !errors.Is(err, cause) {
		t.Fatalf("after %d failures: %v, want why", breakerFailures, err)
	}
	now = now.Add(breakerPause)
	if err := b.allow(); err != nil {
		t.Fatalf("no attempt after the pause: %v", err)
	}
	b.report(cause)
	if b.allow() == nil {
		t.Error("one failure after the pause should open it again")
	}
	now = now.Add(breakerPause)
	b.report(nil)
	b.report(cause)
	if err := b.allow(); err != nil {
		t.Errorf("one failure after a success opened it: %v", err)
	}
}
