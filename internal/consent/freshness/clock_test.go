package freshness

import (
	"testing"
	"time"
	"unsafe"
)

// jumped sets the wall clock of a reading and leaves its monotonic clock, as
// ntpd and an operator's `date` do. Package time has no way to say that.
func jumped(t time.Time, by time.Duration) time.Time {
	const monotonic, nanoseconds = 1 << 63, 30
	wall := (*uint64)(unsafe.Pointer(&t)) //nolint:gosec // see above; TestJumped fails when the layout changes
	if *wall&monotonic != 0 {
		*wall = *wall&monotonic | (*wall&^monotonic+uint64(int64(by/time.Second)<<nanoseconds))&^monotonic //nolint:gosec // wraps around as it should
	}
	return t
}

func TestJumped(t *testing.T) {
	now := time.Now()
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		then := jumped(now, by)
		if then.Sub(now) != 0 || then.Round(0).Sub(now.Round(0)) != by {
			t.Errorf("jumped by %v: the monotonic clock moved by %v, the wall clock by %v", by, then.Sub(now), then.Round(0).Sub(now.Round(0)))
		}
	}
}
