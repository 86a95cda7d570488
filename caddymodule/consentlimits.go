package caddymodule

import (
	"net/http"
	"time"

	"golang.org/x/time/rate"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/limit"
)

// What is stored of choices, a second in the long run and at once: of a
// network, more than a crowd behind one router needs and less than would fill a
// disk in a day (10 a second are about 600 MB); of a person, more than anybody
// changes their mind.
const (
	networkRate, networkBurst = rate.Limit(10), 500
	personRate, personBurst   = rate.Limit(0.1), 30
)

// consentLimits bounds what one person and one network add to the store. Those
// who are known already have a budget of their network apart from newcomers,
// so that whoever comes without a cookie uses up nobody else's.
type consentLimits struct {
	persons, known, granting, takingBack *limit.Clients
}

func newConsentLimits() *consentLimits {
	network := func() *limit.Clients { return limit.NewClients(networkRate, networkBurst, time.Now) }
	return &consentLimits{
		persons: limit.NewClients(personRate, personBurst, time.Now),
		known:   network(), granting: network(), takingBack: network(),
	}
}

// MayGrant implements [consent.Limits].
func (l *consentLimits) MayGrant(r *http.Request, subject consent.Subject) bool {
	if subject == "" {
		return l.granting.Allow(clientIP(r))
	}
	return l.persons.Allow(string(subject)) && l.known.Allow(clientIP(r))
}

// MayAppear implements [consent.Limits].
func (l *consentLimits) MayAppear(r *http.Request) bool { return l.takingBack.Allow(clientIP(r)) }

var _ consent.Limits = (*consentLimits)(nil)
