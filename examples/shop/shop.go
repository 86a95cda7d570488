// Package shop is the application behind the proxy in the demonstration: a
// small web shop that asks for more than it needs, and shows on every answer
// exactly what it received. It keeps nothing.
package shop

import (
	"embed"
	"net/http"
)

// Policy is the privacy policy that the demonstration runs under. It is
// embedded so that the binary can show it from any directory.
//
//go:embed privacy.yaml
var Policy []byte

//go:embed static
var static embed.FS

// New returns the shop. It holds no state of its visitors.
func New() http.Handler {
	s := newPages()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.home)
	mux.HandleFunc("GET /search", s.search)
	mux.HandleFunc("GET /checkout", s.checkout)
	mux.HandleFunc("POST /checkout", s.order)
	mux.HandleFunc("POST /newsletter", s.subscribe)
	mux.HandleFunc("POST /api/wishlist", s.api(wishlistForm))
	mux.HandleFunc("PUT /api/profile", s.api(profileForm))
	mux.HandleFunc("GET /privacy", s.privacy)
	mux.HandleFunc("GET /static/{file}", file)
	mux.HandleFunc("/", s.notFound)

	// The csrf_token of the forms stands for what an older application sends;
	// what protects this one is the check of Origin and Sec-Fetch-Site.
	return secured(http.NewCrossOriginProtection().Handler(mux))
}

// secured sets the headers that let nothing run or load but our own files.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; "+
			"script-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r)
	})
}

func file(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "max-age=600")
	http.ServeFileFS(w, r, static, "static/"+r.PathValue("file")) //nolint:gosec // G703: an fs.FS takes no ".." (fs.ValidPath)
}
