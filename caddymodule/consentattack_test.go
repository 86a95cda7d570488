//go:build unix

package caddymodule

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/modicum-proxy/modicum/internal/subject"
)

// An operator names people by their login and the shop that they are in. All
// who are not logged in have the second part alone: they must not be taken
// for one person, whose consents and receipts they would share.
func TestPlaceholderOfNobody(t *testing.T) {
	o := withStore
	o.before = "vars tenant north"
	o.minimize += "\n subject placeholder {http.auth.user.id}@{http.vars.tenant}"
	s := startSite(t, o)
	ada, eve := s.guest(), s.guest()
	ada.choose("newsletter", "allow")
	want(t, "who consented", ada.checkout(), withBirth)
	want(t, "somebody else", eve.checkout(), unconsented)
}

// A browser that speaks ADPC consents with whatever it gets next, such as the
// start page, which a cache before us may keep for everybody. The cookie in
// that answer is one person's: all who get it would be that person.
func TestCookieInAPageForEverybody(t *testing.T) {
	s := startSite(t, withStore)
	g := s.guest()
	var offer struct {
		ConsentRequests []struct{ ID string }
	}
	if err := json.Unmarshal([]byte(g.send("GET /privacy/consent-requests.json", "", "").body), &offer); err != nil || len(offer.ConsentRequests) == 0 {
		t.Fatalf("%+v, %v", offer, err)
	}
	res := g.send("GET /", "", "", "ADPC", "consent="+offer.ConsentRequests[0].ID)
	s.upstream.next()
	if g.cookies[subject.CookieName] == "" {
		t.Fatal("no cookie is set")
	}
	if !strings.Contains(strings.Join(res.Header["Cache-Control"], ","), "no-store") {
		t.Errorf("a cache may keep the cookie: %v", res.Header)
	}
}
