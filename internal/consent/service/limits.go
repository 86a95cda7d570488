package service

import (
	"net/http"
	"time"

	"golang.org/x/time/rate"

	"github.com/modicum-proxy/modicum/internal/consent"
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

// Limits bound what one person and one network add to a store. Known persons have
// a budget of their network apart from newcomers, so that clients without a cookie
// do not use it up. Taking back is not limited for known persons: they can only
// take back what they granted.
type Limits struct {
	client                               func(*http.Request) string
	persons, known, granting, takingBack *limit.Clients
}

// NewLimits returns limits. Client returns the address of the client that sent a
// request.
func NewLimits(client func(*http.Request) string, now func() time.Time) *Limits {
	network := func() *limit.Clients { return limit.NewClients(networkRate, networkBurst, now) }
	return &Limits{
		client: client, persons: limit.NewClients(personRate, personBurst, now),
		known: network(), granting: network(), takingBack: network(),
	}
}

// mayGrant reports whether a subject may grant once more from the network of a
// request, and counts it. The subject is empty if the person is unknown.
func (l *Limits) mayGrant(r *http.Request, subject consent.Subject) bool {
	if subject == "" {
		return l.granting.Allow(l.client(r))
	}
	return l.persons.Allow(string(subject)) && l.known.Allow(l.client(r))
}

// mayAppear reports whether one more person may become known by taking back from
// the network of a request, and counts it.
func (l *Limits) mayAppear(r *http.Request) bool { return l.takingBack.Allow(l.client(r)) }
