package pages

import "net/http"

// limited bounds how often one client comes. Whoever is known is counted apart
// from their address, which may be that of a whole company: nobody else's noise
// keeps them from withdrawing.
func (p *Pages) limited(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		client := p.Person(r)
		if client == "" {
			client = p.Client(r)
		}
		if p.limit.Allow(client) {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Retry-After", "10")
		if p.isAPI(r) {
			p.fault(w, http.StatusTooManyRequests, "too many requests from this address or person", nil)
			return
		}
		p.message(w, p.visit(r), http.StatusTooManyRequests, "often")
	})
}
