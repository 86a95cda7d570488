package caddymodule

import (
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/modicum-proxy/modicum/internal/pages"
)

// servePortal answers requests for our own pages, and reports whether it did.
func (h *Handler) servePortal(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case h.pages != nil && strings.HasPrefix(r.URL.Path, h.Portal):
		h.hearSignals(w, r)
		h.pages.ServeHTTP(w, r)
	case h.gpc != nil && r.URL.Path == pages.GPCPath:
		h.gpc.ServeHTTP(w, r)
	default:
		return false
	}
	return true
}

// hearSignals stores what a browser says by ADPC, with any request, and offers
// it what it may consent to.
func (h *Handler) hearSignals(w http.ResponseWriter, r *http.Request) {
	if h.consents == nil {
		return
	}
	if len(r.Header["Adpc"]) > 0 {
		if err := h.consents.StoreADPC(r, w.Header(), h.engine.Policies.Load()); err != nil {
			h.log.Warn("storing what a browser says by ADPC: it counts for this request alone", "error", err)
		}
		if len(w.Header()["Set-Cookie"]) > 0 {
			w.Header().Set("Cache-Control", "no-store") // the cookie is one person's, and the page may be everybody's
		}
	}
	if h.pages != nil && strings.Contains(r.Header.Get("Accept"), "text/html") {
		w.Header().Add("Link", h.pages.Link())
	}
}

// clientIP returns the client's address as Caddy sees it behind proxies that
// it trusts.
func clientIP(r *http.Request) string {
	ip, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	return ip
}
