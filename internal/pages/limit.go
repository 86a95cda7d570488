package pages

import (
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// limiter bounds the requests of each address. It remembers the latest
// addresses in two generations, so that its memory is bounded and forgetting
// costs nothing: whoever comes with many addresses is forgotten sooner, and
// makes nobody else wait.
type limiter struct {
	rate  rate.Limit
	burst int
	now   func() time.Time

	mu            sync.Mutex
	young, old    map[string]*rate.Limiter
	maxGeneration int
}

// maxGeneration is how many addresses a generation holds: about 2 MB for two.
const maxGeneration = 8192

func newLimiter(limit rate.Limit, burst int, now func() time.Time) *limiter {
	return &limiter{rate: limit, burst: burst, now: now, young: map[string]*rate.Limiter{}, maxGeneration: maxGeneration}
}

// allow tells whether an address may send one more request.
func (l *limiter) allow(address string) bool {
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

// networkOf returns what one client has of addresses: an IPv6 /64 is a single
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

func (p *Pages) limited(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.limit.allow(p.Client(r)) {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Retry-After", "10")
		if p.isAPI(r) {
			p.fault(w, http.StatusTooManyRequests, "too many requests from this address", nil)
			return
		}
		p.message(w, p.visit(r), http.StatusTooManyRequests, "often")
	})
}
