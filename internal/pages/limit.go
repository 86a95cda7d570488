package pages

import "net/http"

func (p *Pages) limited(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.limit.Allow(p.Client(r)) {
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
