package service

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/limit"
)

// The README names these numbers. Whoever is known does not pay for newcomers of
// their network, nor for those who take back there.
func TestConsentLimits(t *testing.T) {
	now := time.Unix(0, 0)
	l := NewLimits(func(r *http.Request) string { return r.RemoteAddr }, func() time.Time { return now })
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/", nil)
	r.RemoteAddr = "192.0.2.1"
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
		{"newcomers who grant", func() bool { return l.mayGrant(r, "") }, 500, 100},
		{"a person", func() bool { return l.mayGrant(r, "ada") }, 30, 1},
		{"another person", func() bool { return l.mayGrant(r, "bob") }, 30, 1},
		{"newcomers who take back", func() bool { return l.mayAppear(r) }, 500, 100},
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
		if l.mayGrant(r, consent.Subject(fmt.Sprint("person ", i))) != (i < 500) {
			t.Fatalf("the network: person %d", i)
		}
	}
}

// FewLimits returns limits of so many choices, for tests.
func FewLimits(grants, newcomers int) *Limits {
	few := func(n int) *limit.Clients { return limit.NewClients(0, n, time.Now) }
	return &Limits{
		client:  func(*http.Request) string { return "192.0.2.1" },
		persons: few(grants), known: few(grants), granting: few(grants), takingBack: few(newcomers),
	}
}
