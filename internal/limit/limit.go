// Package limit limits the rate of requests of each client.
package limit

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Clients bounds the requests of each address. It remembers the latest
// addresses in two generations, so that its memory is bounded and forgetting
// costs nothing: a client with many addresses is forgotten sooner, and does not
// delay others.
type Clients struct {
	rate  rate.Limit
	burst int
	now   func() time.Time

	mu            sync.Mutex
	young, old    map[string]*rate.Limiter
	maxGeneration int
}

// maxGeneration is how many addresses a generation holds: about 2 MB for two.
const maxGeneration = 8192

// NewClients returns bounds of so many requests a second in the long run, and
// of burst at once.
func NewClients(limit rate.Limit, burst int, now func() time.Time) *Clients {
	return &Clients{rate: limit, burst: burst, now: now, young: map[string]*rate.Limiter{}, maxGeneration: maxGeneration}
}

// Allow reports whether an address may send one more request, and counts it.
func (l *Clients) Allow(address string) bool {
	network := networkOf(address)
	l.mu.Lock()
	bucket := l.young[network]
	if bucket == nil {
		if bucket = l.old[network]; bucket == nil {
			bucket = rate.NewLimiter(l.rate, l.burst)
		}
		if len(l.young) >= l.maxGeneration {
			l.old, l.young = l.young, make(map[string]*rate.Limiter, l.maxGeneration)
		}
		l.young[network] = bucket
	}
	l.mu.Unlock()
	return bucket.AllowN(l.now(), 1)
}

// networkOf returns the addresses of one client: an IPv6 /64 is a single
// household.
func networkOf(address string) string {
	addr, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		if network, err := addr.Prefix(64); err == nil {
			return network.String()
		}
	}
	return addr.String()
}
