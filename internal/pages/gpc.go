package pages

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"
)

// GPCPath is where sites say that they honour Global Privacy Control.
const GPCPath = "/.well-known/gpc.json"

// GPC answers [GPCPath] (W3C Global Privacy Control, "GPC support resource"):
// that the site honours the signal, as it was last changed at a date. Mount it
// only where the operator honours it, which no policy can tell by itself.
func GPC(updated time.Time) http.Handler {
	body, err := json.Marshal(struct {
		GPC     bool   `json:"gpc"`
		Updated string `json:"lastUpdate"`
	}{true, updated.UTC().Format(time.DateOnly)})
	if err != nil {
		panic("a boolean and a date have to be JSON: " + err.Error())
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
			return
		}
		h.Set("Content-Type", "application/json")
		h.Set("Cache-Control", "public, max-age=3600")
		h.Set("X-Content-Type-Options", "nosniff")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	})
}
