package caddymodule

import (
	"net/http"
	"time"

	"golang.org/x/time/rate"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/consent/service"
	"github.com/modicum-proxy/modicum/internal/limit"
)

// Budgets for what choices add to the store, a second in the long run and at
// once. For a network: more than a crowd behind one router needs, and less than
// would fill a disk in a day (10 choices a second are about 600 MB a day for each
// purpose). For a person: more than anyone changes their mind.
const (
	networkRate, networkBurst = rate.Limit(10), 500
	personRate, personBurst   = rate.Limit(0.1), 30
)

// consentLimits bounds what one person and one network add to the store. Those
// who are known already have a budget of their network apart from newcomers,
// so that clients without a cookie do not use up the budget of others.
type consentLimits struct {
	persons, known, granting, takingBack *limit.Clients
}

func newConsentLimits(now func() time.Time) *consentLimits {
	network := func() *limit.Clients { return limit.NewClients(networkRate, networkBurst, now) }
	return &consentLimits{
		persons: limit.NewClients(personRate, personBurst, now),
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

var _ service.Limits = (*consentLimits)(nil)
