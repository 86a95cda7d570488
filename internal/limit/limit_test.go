package limit

import (
	"strconv"
	"testing"
	"time"
)

// A client that comes with ever new addresses cannot grow our memory, nor use
// up what others may send.
func TestAttackManyAddresses(t *testing.T) {
	t.Parallel()
	at := time.Unix(0, 0)
	l := NewClients(1, 2, func() time.Time { return at })
	l.maxGeneration = 100
	for i := range 10_000 {
		if !l.Allow("198.51.100." + strconv.Itoa(i)) {
			t.Fatalf("address %d is refused", i)
		}
	}
	if n := len(l.young) + len(l.old); n > 200 {
		t.Errorf("%d addresses are remembered", n)
	}
	if !l.Allow("203.0.113.1") || !l.Allow("::ffff:203.0.113.1") || l.Allow("203.0.113.1") {
		t.Error("an address is not bounded by itself")
	}
	at = at.Add(time.Second)
	if !l.Allow("203.0.113.1") {
		t.Error("an address that waited is refused")
	}
}
