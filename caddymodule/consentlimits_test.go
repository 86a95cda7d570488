package caddymodule

import (
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// The README names these numbers. Whoever is known does not pay for newcomers of
// their network, nor for those who take back there.
func TestConsentLimits(t *testing.T) {
	now := time.Unix(0, 0)
	l := newConsentLimits(func() time.Time { return now })
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/", nil)
	r.RemoteAddr = "192.0.2.1:1"
	count := func(may func() bool) (n int) {
		for n < 10_000 && may() {
			n++
		}
		return n
	}
	for _, test := range []struct {
		what       string
		may        func() bool
		once, more int // at once, and in the ten seconds that follow
	}{
		{"newcomers who grant", func() bool { return l.MayGrant(r, "") }, 500, 100},
		{"a person", func() bool { return l.MayGrant(r, "ada") }, 30, 1},
		{"another person", func() bool { return l.MayGrant(r, "bob") }, 30, 1},
		{"newcomers who take back", func() bool { return l.MayAppear(r) }, 500, 100},
	} {
		if n := count(test.may); n != test.once {
			t.Errorf("%s: %d at once, want %d", test.what, n, test.once)
		}
		now = now.Add(10 * time.Second)
		if n := count(test.may); n != test.more {
			t.Errorf("%s: %d in ten seconds, want %d", test.what, n, test.more)
		}
	}
	for i := range 600 {
		if l.MayGrant(r, consent.Subject(fmt.Sprint("person ", i))) != (i < 500) {
			t.Fatalf("the network: person %d", i)
		}
	}
}
