//go:build unix

package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	trace "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/modicum-proxy/modicum/internal/subject"
)

// A browser that knows ADPC is offered the questions, and answers them with
// any request.
func TestConsentByADPC(t *testing.T) {
	s := startSite(t, withStore)
	s.upstream.answerWith(respond("HTTP/1.1 200 OK\nContent-Type: text/html\nContent-Length: 0\nCache-Control: public, max-age=600\nLink: </a.css>; rel=preload\n\n"))
	g := s.guest()
	res := g.send("GET /", "", "", "Accept", "text/html,*/*;q=0.8")
	s.upstream.next()
	const link = `</privacy/consent-requests.json>; rel="consent-requests"; hreflang="en ru"`
	if links := res.Header.Values("Link"); !slices.Contains(links, link) || !slices.Contains(links, "</a.css>; rel=preload") {
		t.Errorf("links %q", links)
	}
	if res := g.send("GET /a.css", "", "", "Accept", "text/css"); strings.Contains(strings.Join(res.Header.Values("Link"), ","), "consent-requests") {
		t.Errorf("offered with a style sheet: %q", res.Header.Values("Link"))
	}
	s.upstream.next()
	var offered struct {
		Requests []struct{ ID, Text string } `json:"consentRequests"`
	}
	ids := map[string]string{}
	if err := json.Unmarshal([]byte(g.send("GET /privacy/consent-requests.json", "", "").body), &offered); err != nil {
		t.Fatal(err)
	}
	for _, q := range offered.Requests {
		purpose, _, _ := strings.Cut(q.ID, "~")
		ids[purpose] = q.ID
	}
	if len(ids) != 2 || ids["newsletter"] == "" || !strings.Contains(offered.Requests[0].Text, "Write to you") {
		t.Fatalf("offered %+v", offered)
	}
	// What answers a safe method may be kept by a cache, and the cookie in it
	// would make everybody one person.
	res = g.send("HEAD /", "", "", "ADPC", "consent="+ids["newsletter"])
	if s.upstream.next().Method != http.MethodHead || g.cookies[subject.CookieName] == "" || !strings.Contains(strings.Join(res.Header.Values("Cache-Control"), ","), "no-store") {
		t.Errorf("answered %v", res.Header)
	}
	s.upstream.answerWith((*wire).ok)
	want(t, "consented", g.checkout(), withBirth)
	if c := g.api()["newsletter"]; c.Status != "granted" || c.Source != "adpc" {
		t.Errorf("told %+v", c)
	}
	// Said again it changes nothing, so that no event is stored.
	n := storedEvents(t)
	want(t, "said again", g.checkout("ADPC", "consent="+ids["newsletter"]), withBirth)
	if storedEvents(t) != n {
		t.Error("what was said already is stored again")
	}
	want(t, "all at once", g.checkout("ADPC", "withdraw=*", "ADPC", `consent="`+ids["poll"]+`"`), withOpinion)
	want(t, "from then on", g.checkout(), withOpinion)
	want(t, "an objection", g.checkout("ADPC", "object=direct-marketing"), `{"name":"Ada","opinion":"good"}`)
	want(t, "an old text", s.guest().checkout("ADPC", "consent=newsletter~AAAAAAAAAAAAAAAAAAAAAA"), unconsented)
	want(t, "nobody withdraws", s.guest().checkout("ADPC", "withdraw=*"), unconsented)
}

// What browsers and consent platforms say counts as the policy trusts it,
// with a store and without.
func TestConsentSignals(t *testing.T) {
	const klaro = "klaro=%7B%22mailing%22%3Atrue%7D"
	alone := options{policy: consentPolicy, minimize: "gpc 2026-11-22"}
	for name, o := range map[string]options{"with a store": withStore, "without": alone} {
		t.Run(name, func(t *testing.T) {
			s := startSite(t, o)
			g := s.guest()
			s.log.reset()
			want(t, "GPC", g.checkout("Sec-GPC", "1"), `{"name":"Ada"}`)
			s.log.wait(t, `"msg":"submission"`, `"consent_source":"gpc"`, `{"field":"screen","reason":"objected"}`)
			want(t, "no GPC", g.checkout("Sec-GPC", "0"), unconsented)
			want(t, "Klaro", g.checkout("Cookie", klaro), withBirth)
			s.log.wait(t, `"msg":"submission"`, `"consent_source":"klaro"`)
			want(t, "both", g.checkout("Cookie", klaro, "Sec-GPC", "1"), `{"name":"Ada","birthday":"1980-01-02"}`)
			res := g.send("GET /.well-known/gpc.json", "", "")
			if strings.TrimSpace(res.body) != `{"gpc":true,"lastUpdate":"2026-11-22"}` || res.Header.Get("Content-Type") != jsonType {
				t.Errorf("told %s", res.body)
			}
			want(t, "ticked", g.submit(`{"subscribe":true,"birthday":"1980"}`), `{"subscribe":true,"birthday":"1980"}`)
			if o.global == "" {
				want(t, "and kept by nobody", g.checkout(), unconsented)
				return
			}
			// The person's own word counts more than a program's.
			g.choose("newsletter", "refuse", "ads", "allow")
			want(t, "chosen otherwise", g.checkout("Cookie", klaro, "Sec-GPC", "1"), unconsented)
			s.upstream.none()
		})
	}
}

// A trace tells what decided, and how long the store took.
func TestConsentSpans(t *testing.T) {
	exported := spans(t)
	o := withStore
	o.before = "tracing {\n span shop\n }"
	s := startSite(t, o)
	g := s.guest()
	// of waits for the spans of one request, by name.
	of := func(names ...string) map[string]*trace.Span {
		t.Helper()
		found := map[string]*trace.Span{}
		for len(found) < len(names) {
			select {
			case span := <-exported:
				if slices.Contains(names, span.GetName()) {
					found[span.GetName()] = span
				}
			case <-time.After(patience):
				t.Fatalf("got spans %v, want %q", found, names)
			}
		}
		return found
	}
	under := func(child, parent *trace.Span) {
		t.Helper()
		if string(child.GetParentSpanId()) != string(parent.GetSpanId()) || string(child.GetTraceId()) != string(parent.GetTraceId()) {
			t.Errorf("the span %s is not under %s", child.GetName(), parent.GetName())
		}
	}
	g.submit(`{"subscribe":true,"birthday":"1980"}`)
	found := of("shop", "minimize", "consent.store")
	under(found["minimize"], found["shop"])
	under(found["consent.store"], found["minimize"])
	if got := attributes(found["minimize"])["privacy.consent.source"]; got != "form" {
		t.Errorf("decided by %v", got)
	}
	g.checkout()
	found = of("shop", "minimize", "consent.load")
	under(found["consent.load"], found["minimize"])
	if got := attributes(found["minimize"])["privacy.consent.source"]; got != "form" {
		t.Errorf("decided by %v", got)
	}
	action, values := g.page("poll", "allow")
	of("shop")
	g.send("POST "+action, formType, values.Encode())
	found = of("consent.store", "shop")
	under(found["consent.store"], found["shop"])
}

func TestConsentMetrics(t *testing.T) {
	s := startSite(t, withStore)
	g := s.guest()
	before := s.status()
	g.choose("newsletter", "allow")
	g.checkout()
	g.checkout()
	g.choose("newsletter", "refuse")
	after := s.status()
	for _, test := range []struct {
		name   string
		labels []string
		more   float64
	}{
		{"modicum_consent_choices_total", []string{"grant", "page", "true"}, 1},
		{"modicum_consent_choices_total", []string{"withdraw", "page", "true"}, 1},
		{"modicum_consent_lookups_total", []string{"unknown"}, 0},
	} {
		if more := after.count(test.name, test.labels...) - before.count(test.name, test.labels...); more != test.more {
			t.Errorf("%s %q: %v more, want %v", test.name, test.labels, more, test.more)
		}
	}
	for _, outcome := range []string{"cached", "loaded"} {
		if after.count("modicum_consent_lookups_total", outcome) <= before.count("modicum_consent_lookups_total", outcome) {
			t.Errorf("no lookup is counted as %s", outcome)
		}
	}
	if after.Store == nil || after.Store.Engine != "sqlite" || after.Store.Error != "" {
		t.Errorf("status %+v", after.Store)
	}
	metrics := s.admin("/metrics").body
	if !strings.Contains(metrics, fmt.Sprintf(`modicum_consent_choices_total{action="grant",source="page",stored="true"} %v`, after.count("modicum_consent_choices_total", "grant", "page", "true"))) {
		t.Errorf("metrics:\n%s", metrics)
	}
	s.load(options{})
	if s.status().Store != nil {
		t.Error("the status tells of a store that there is not")
	}
}
