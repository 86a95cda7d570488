package pages

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/modicum-proxy/modicum/internal/notice"
)

// resource is a prepared answer.
type resource struct {
	body []byte
	etag string
}

// consentRequest is one question as Advanced Data Protection Control asks it
// (ADPC, unofficial draft, "consent requests resource").
type consentRequest struct {
	// ID is that of [notice.RequestID]: the same in all languages, another
	// one for another text.
	ID   string `json:"id"`
	Text string `json:"text"`
}

// offer prepares the consent requests of an edition.
func (p *Pages) offer(e *edition) {
	e.requests, e.link = map[string]resource{}, `<about:blank>; rel="consent-requests"`
	var tags []string
	for _, l := range e.languages.All() {
		list := []consentRequest{}
		for _, q := range e.questions[l.Tag] {
			if !q.objection {
				list = append(list, consentRequest{notice.RequestID(e.set, q.purpose.ID), requestText(&q.wording)})
			}
		}
		if len(list) > 0 {
			tags = append(tags, l.Tag)
		}
		body, err := json.Marshal(map[string][]consentRequest{"consentRequests": list})
		if err != nil {
			panic("consent requests have to be JSON: " + err.Error()) // they are made of strings
		}
		sum := sha256.Sum256(body)
		e.requests[l.Tag] = resource{body: body, etag: `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}
	}
	if len(tags) > 0 {
		e.link = "<" + p.Prefix + `consent-requests.json>; rel="consent-requests"; hreflang="` + strings.Join(tags, " ") + `"`
	}
}

// requestText is a question without formatting, for the browser's own window.
func requestText(w *notice.Wording) string {
	lines := []string{w.Title}
	if w.Description != "" {
		lines = append(lines, w.Description)
	}
	for _, r := range w.Summary() {
		lines = append(lines, r.Label+": "+strings.Join(r.Values, "; "))
	}
	return strings.Join(lines, "\n")
}

// Link returns the value of the header Link by which a site offers its consent
// requests to browsers that know ADPC.
func (p *Pages) Link() string { return p.current().link }

func (p *Pages) consentRequests(w http.ResponseWriter, r *http.Request) {
	v := p.visit(r)
	found := v.requests[v.in.Tag]
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Language", v.in.Tag)
	h.Set("Vary", "Accept-Language")
	h.Set("Cache-Control", "no-cache") // kept, and asked for again each time
	h.Set("Etag", found.etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(found.body))
}
