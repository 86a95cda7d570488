//go:build unix

package caddymodule

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/modicum-proxy/modicum/internal/subject"
)

// consentPolicy has purposes of each kind that people choose about.
const consentPolicy = `
version: 1
controller: {name: {en: Shop, ru: Лавка}, contact: privacy@shop.example, country: DE}
purposes:
  delivery: {title: Deliver, basis: contract, retention: 1y}
  newsletter: {title: {en: Write to you, ru: Писать вам}, basis: consent, retention: 1y, signals: {klaro: mailing}}
  poll: {title: {en: Ask you, ru: Спрашивать вас}, basis: consent, retention: 1y}
  ads: {title: Show ads, basis: legitimate_interests, retention: 1y, objection: gpc}
  technical: {title: Work, basis: not_personal}
collections:
  checkout:
    on: POST /checkout
    fields:
      name: delivery
      email: [delivery, newsletter]
      birthday: newsletter
      opinion: poll
      screen: ads
      photo: {for: delivery, type: file, max: 200MiB}
    consents: {newsletter: subscribe, poll: asked}
  letter:
    on: POST /letter
    fields: {address: {for: newsletter, required: true}}
    consents: {newsletter: subscribe}
  search:
    on: GET /search
    fields: {q: technical, birthday: newsletter}
    consents: {newsletter: subscribe}
`

// withStore is a site that keeps choices and has pages for them.
var withStore = options{
	policy: consentPolicy, global: "minimize {\n store sqlite consent.db\n }", minimize: "portal /privacy/\n gpc 2026-11-22",
}

// guest is a browser at the site. It keeps cookies, and follows no redirects.
type guest struct {
	*site

	cookies map[string]string
	header  []string // names and values that every request of it has
	host    string   // of the site; empty: shop.test
}

func (s *site) guest(header ...string) *guest {
	return &guest{site: s, cookies: map[string]string{"session": "of-the-shop"}, header: header}
}

// send sends a request, as from a page of the site unless headers say
// otherwise.
func (g *guest) send(on, contentType, body string, headers ...string) answer {
	g.t.Helper()
	r := g.request(on, contentType, strings.NewReader(body), append(slices.Clone(headers), g.header...)...)
	if body == "" {
		r.Body, r.ContentLength = http.NoBody, 0
	}
	r.Host = cmp.Or(g.host, r.Host)
	if r.Header.Get("Sec-Fetch-Site")+r.Header.Get("Origin") == "" {
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for name, value := range g.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value}) //nolint:gosec // G124: a request has no such attributes
	}
	c := g.client("site.sock")
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	defer c.CloseIdleConnections()
	g.settle(c)
	res := send(g.t, c, r)
	for _, cookie := range res.Cookies() {
		g.cookies[cookie.Name] = cookie.Value
	}
	return res
}

// pageForm returns where the form of a page goes, and what it sends as it
// stands: hidden fields, and radios that are marked.
func pageForm(tb testing.TB, page string) (action string, values url.Values) {
	tb.Helper()
	document, err := html.Parse(strings.NewReader(page))
	if err != nil {
		tb.Fatal(err)
	}
	values = url.Values{}
	for n := range document.Descendants() {
		attributes := map[string]string{}
		for _, a := range n.Attr {
			attributes[a.Key] = a.Val
		}
		_, checked := attributes["checked"]
		switch {
		case n.Data == "form" && n.Type == html.ElementNode:
			action = attributes["action"]
		case n.Data == "input" && (attributes["type"] == "hidden" || checked):
			values.Add(attributes["name"], attributes["value"])
		}
	}
	if action == "" || values.Get("token") == "" {
		tb.Fatalf("no form stands in %s", page)
	}
	return action, values
}

// page opens the page of choices and returns its form, with more marks:
// purposes and "allow" or "refuse" in turn.
func (g *guest) page(marks ...string) (action string, values url.Values) {
	g.t.Helper()
	action, values = pageForm(g.t, g.send("GET /privacy/choices", "", "").body)
	for i := 0; i < len(marks); i += 2 {
		values.Set("choice."+marks[i], marks[i+1]) //nolint:gosec // G602: purposes and marks come in pairs
	}
	values.Set("do", "save")
	return action, values
}

// choose marks choices on the page, and saves them.
func (g *guest) choose(marks ...string) {
	g.t.Helper()
	action, values := g.page(marks...)
	if res := g.send("POST "+action, formType, values.Encode()); res.StatusCode != http.StatusSeeOther {
		g.t.Fatalf("chose %q: answered %s %s", marks, res.Status, res.body)
	}
}

// checkout submits a body that rests on several purposes, and returns what
// the application got.
func (g *guest) checkout(headers ...string) string {
	g.t.Helper()
	return g.submit(`{"name":"Ada","birthday":"1980-01-02","opinion":"good","screen":"4k"}`, headers...)
}

const (
	unconsented = `{"name":"Ada","screen":"4k"}`
	withBirth   = `{"name":"Ada","birthday":"1980-01-02","screen":"4k"}`
	withOpinion = `{"name":"Ada","opinion":"good","screen":"4k"}`
)

// submit submits JSON, and returns what the application got.
func (g *guest) submit(body string, headers ...string) string {
	g.t.Helper()
	res := g.send("POST /checkout", jsonType, body, headers...)
	if res.StatusCode != http.StatusOK {
		g.t.Fatalf("answered %s %s", res.Status, res.body)
	}
	return g.upstream.next().body
}

// want fails the test when something else passed.
func want(tb testing.TB, when, got, want string) {
	tb.Helper()
	if got != want {
		tb.Errorf("%s: forwarded %s, want %s", when, got, want)
	}
}

// api returns what the interface for front ends tells, by purpose.
func (g *guest) api() (choices map[string]struct{ Purpose, Notice, Status, Source string }) {
	g.t.Helper()
	var state struct {
		Choices []struct{ Purpose, Notice, Status, Source string }
	}
	res := g.send("GET /privacy/api/choices?lang=en", "", "")
	if err := json.Unmarshal([]byte(res.body), &state); err != nil || res.StatusCode != http.StatusOK {
		g.t.Fatalf("answered %s %s", res.Status, res.body)
	}
	choices = map[string]struct{ Purpose, Notice, Status, Source string }{}
	for _, c := range state.Choices {
		choices[c.Purpose] = c
	}
	return choices
}

// What rests on a consent passes exactly while it stands, given and withdrawn
// on the page. Our cookies are for us alone.
func TestConsentByPage(t *testing.T) {
	s := startSite(t, withStore)
	ada, bob := s.guest(), s.guest()
	want(t, "at first", ada.checkout(), unconsented)
	if ada.cookies[subject.CookieName] != "" {
		t.Error("somebody who chose nothing is given a cookie")
	}
	ada.choose("newsletter", "allow")
	s.log.reset()
	res := ada.send("POST /checkout", jsonType, `{"name":"Ada","birthday":"1980-01-02"}`)
	got := s.upstream.next()
	want(t, "once granted", got.body, `{"name":"Ada","birthday":"1980-01-02"}`)
	if strings.Contains(got.raw, "modicum") || got.Header.Get("Cookie") != "session=of-the-shop" {
		t.Errorf("the application got %q", got.raw)
	}
	if got.Header.Get("Privacy-Purpose") != "ads, delivery, newsletter" || got.Header.Get("Privacy-Receipt") != strings.Trim(res.Header.Get("Privacy-Receipt"), `"`) {
		t.Errorf("the application is told %v", got.Header)
	}
	s.log.wait(t, `"msg":"submission"`, `"consent_source":"page"`)
	want(t, "another guest", bob.checkout(), unconsented)
	ada.choose("poll", "allow", "newsletter", "refuse")
	want(t, "once withdrawn", ada.checkout(), withOpinion)
	ada.choose("newsletter", "allow", "ads", "refuse")
	want(t, "granted again, and objected", ada.checkout(), `{"name":"Ada","birthday":"1980-01-02","opinion":"good"}`)
	if receipt := ada.send("GET /privacy/receipt.json", "", ""); receipt.StatusCode != http.StatusOK || strings.Count(receipt.body, `"newsletter"`) < 3 {
		t.Errorf("receipt %s %s", receipt.Status, receipt.body)
	}
	s.upstream.none() // of what is ours
}

func TestConsentCookie(t *testing.T) {
	s := startSite(t, withStore)
	g := s.guest()
	action, values := g.page("newsletter", "allow")
	for _, cookie := range g.send("POST "+action, formType, values.Encode()).Cookies() {
		if !strings.HasPrefix(cookie.Name, "__Host-") || !cookie.Secure || !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode ||
			cookie.Path != "/" || cookie.Domain != "" || cookie.MaxAge != 400*24*60*60 {
			t.Errorf("cookie %s", cookie)
		}
	}
	if g.cookies[subject.CookieName] == "" {
		t.Fatal("no cookie is set")
	}
	// Each of these is nobody, not the guest, and no fault of the site.
	parts := strings.Split(g.cookies[subject.CookieName], ".")
	for _, change := range []struct {
		what  string
		parts []string
	}{
		{"another id", []string{parts[0], "AAAAAAAAAAAAAAAAAAAAAA", parts[2], parts[3], parts[4]}},
		{"another revision", []string{parts[0], parts[1], "zzzzzzzz", parts[3], parts[4]}},
		{"another key", []string{parts[0], parts[1], parts[2], "00000000", parts[4]}},
		{"no signature", []string{parts[0], parts[1], parts[2], parts[3], ""}},
		{"one part less", parts[:4]},
		{"more than is read", []string{parts[0], parts[1], strings.Repeat("0", 200) + parts[2], parts[3], parts[4]}},
		{"nothing", nil},
	} {
		forged := s.guest()
		forged.cookies[subject.CookieName] = strings.Join(change.parts, ".")
		want(t, change.what, forged.checkout(), unconsented)
	}
	// A neighbour's cookie of the same name before ours changes nothing.
	r := s.request("POST /checkout", jsonType, strings.NewReader(`{"birthday":"1980-01-02"}`),
		"Cookie", subject.CookieName+"=1.forged; "+subject.CookieName+"="+strings.Join(parts, ".")+"; a=b")
	s.do(r)
	if got := s.upstream.next(); got.body != `{"birthday":"1980-01-02"}` || got.Header.Get("Cookie") != "a=b" {
		t.Errorf("forwarded %q", got.raw)
	}
}

// The routes of errors begin with the request as it came. The application must
// not get our cookies that way either.
func TestConsentCookieInErrors(t *testing.T) {
	o := withStore
	o.minimize += "\n uninspected pass\n except /free"
	o.before = "tracing\n handle_errors {\n rewrite /error\n reverse_proxy unix/APP_SOCKET\n}"
	t.Setenv("OTEL_TRACES_EXPORTER", "none") // a span makes another request of it, nobody needs to hear
	s := startSite(t, o)
	s.upstream.answerWith(func(w *wire, c net.Conn, r *http.Request) bool {
		return r.URL.Path == "/error" && w.ok(c, r)
	})
	g := s.guest()
	g.choose("newsletter", "allow")
	for _, test := range []struct{ on, contentType, body string }{
		{"POST /upload", "application/octet-stream", "x"},
		{"POST /elsewhere", formType, "x=1"},
		{"POST /checkout", jsonType, `{`},
		{"POST /checkout", jsonType, `{"name":"Ada"}`},
		{"GET /page", "", ""},
		{"POST /free", "text/plain", "x"},
	} {
		g.send(test.on, test.contentType, test.body)
		got := s.upstream.next()
		if got.Header.Get("Cookie") != "session=of-the-shop" || strings.Contains(got.raw, "modicum") {
			t.Errorf("%s: the page of errors got %q", test.on, got.raw)
		}
	}
}

func TestConsentByAPI(t *testing.T) {
	s := startSite(t, withStore)
	g := s.guest()
	choose := func(choice, notice string) answer {
		return g.send("POST /privacy/api/choices", jsonType,
			fmt.Sprintf(`{"language":"en","choices":[{"purpose":"newsletter","choice":%q,"notice":%q}]}`, choice, notice))
	}
	notice := g.api()["newsletter"].Notice
	if res := choose("allow", notice); res.StatusCode != http.StatusNoContent {
		t.Fatalf("answered %s %s", res.Status, res.body)
	}
	want(t, "once granted", g.checkout(), withBirth)
	if c := g.api()["newsletter"]; c.Status != "granted" || c.Source != "api" {
		t.Errorf("told %+v", c)
	}
	if res := choose("refuse", ""); res.StatusCode != http.StatusNoContent {
		t.Fatalf("answered %s %s", res.Status, res.body)
	}
	want(t, "once withdrawn", g.checkout(), unconsented)
	s.upstream.none()
}

// A box that is ticked in the site's own form is a consent from then on.
func TestConsentByTick(t *testing.T) {
	s := startSite(t, withStore)
	large := strings.Repeat("x", 2<<20)
	for _, test := range []struct{ name, on, contentType, body, want string }{
		{"JSON", "POST /checkout", jsonType, `{"subscribe":true,"birthday":"1980-01-02"}`, `{"subscribe":true,"birthday":"1980-01-02"}`},
		{"form", "POST /checkout", formType, "birthday=1980-01-02&subscribe=on", "birthday=1980-01-02&subscribe=on"},
		{"required by its own tick", "POST /letter", jsonType, `{"address":"a","subscribe":"1"}`, `{"address":"a","subscribe":"1"}`},
		{"multipart", "POST /checkout", formData, form(part{"subscribe", "", "on"}, part{"birthday", "", "1980"}), "subscribe=on birthday=1980"},
		{
			"streamed multipart", "POST /checkout", formData,
			form(part{"subscribe", "", "on"}, part{"birthday", "", "1980"}, part{"photo", "p", large}), "subscribe=on birthday=1980 photo=p:" + large,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := s.guest()
			res := g.send(test.on, test.contentType, test.body)
			got := s.upstream.next()
			if body := readable(t, got); res.StatusCode != http.StatusOK || body != test.want {
				t.Errorf("answered %s, forwarded %.200s", res.Status, body)
			}
			if g.cookies[subject.CookieName] == "" {
				t.Fatal("no cookie is set")
			}
			want(t, "from then on", g.checkout(), withBirth)
			g.choose("newsletter", "refuse")
			want(t, "once withdrawn", g.checkout(), unconsented)
		})
	}
}

// What was ticked in a submission that is refused was not said.
func TestConsentOfARefusedSubmission(t *testing.T) {
	s := startSite(t, withStore)
	for _, test := range []struct {
		name, on, contentType, body string
		status                      int
	}{
		{"required", "POST /letter", jsonType, `{"subscribe":true}`, 422},
		{"ambiguous", "POST /checkout", jsonType, `{"subscribe":true,"name":"a","name":"b"}`, 400},
		{"streamed", "POST /checkout", formData, form(part{"subscribe", "", "on"}, part{"photo", "p", strings.Repeat("x", 2<<20)}) + "x", 400},
		{"ambiguous in a stream", "POST /checkout", formData, form(part{"subscribe", "", "on"}, part{"photo", "p", strings.Repeat("x", 2<<20)}, part{"subscribe", "", "off"}), 400},
		{"cut off", "POST /checkout", formData, strings.TrimSuffix(form(part{"subscribe", "", "on"}), "--\r\n"), 400},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := s.guest()
			if res := g.send(test.on, test.contentType, test.body); res.StatusCode != test.status {
				t.Errorf("answered %s %s", res.Status, res.body)
			}
			if g.cookies[subject.CookieName] != "" {
				t.Error("a cookie is set")
			}
		})
	}
	if n := storedEvents(t); n != 0 {
		t.Errorf("%d choices are stored", n)
	}
}

// In report mode everything passes as it came, and nothing is kept of it.
func TestConsentInReportMode(t *testing.T) {
	o := withStore
	o.minimize += "\n mode report"
	s := startSite(t, o)
	g := s.guest()
	const body = `{"subscribe":true,"birthday":"1980-01-02","shoe":1}`
	want(t, "reported", g.submit(body), body)
	if g.cookies[subject.CookieName] != "" || storedEvents(t) != 0 {
		t.Error("a consent is kept")
	}
	g.choose("newsletter", "allow") // the pages work as ever
	if n := storedEvents(t); n != 1 {
		t.Errorf("%d choices are stored", n)
	}
}

// While the store is down nothing passes on a consent, and everything else
// goes its way (P8).
func TestConsentStoreDown(t *testing.T) {
	up := withStore
	up.global = "minimize {\n store sqlite consent.db\n consent_key env MODICUM_TEST_KEY\n }"
	t.Setenv("MODICUM_TEST_KEY", strings.Repeat("k", 32))
	t.Setenv("MODICUM_TEST_DSN", "postgres://127.0.0.1:1/none")
	s := startSite(t, up)
	g := s.guest()
	g.choose("newsletter", "allow")
	if res := g.send("POST /letter", jsonType, `{"address":"a"}`); res.StatusCode != http.StatusOK {
		t.Fatalf("answered %s %s", res.Status, res.body)
	}
	s.upstream.next()
	before := s.status()
	down := up
	down.global = "minimize {\n store postgres {\n dsn {env.MODICUM_TEST_DSN}\n }\n consent_key env MODICUM_TEST_KEY\n }"
	s.load(down)
	// The ads can be objected to, and it is not known whether they are.
	want(t, "a submission", g.checkout(), `{"name":"Ada"}`)
	res := g.send("POST /letter", jsonType, `{"address":"a"}`)
	if res.StatusCode != http.StatusServiceUnavailable || !strings.Contains(res.body, "consent-unknown") || res.Header.Get("Retry-After") == "" {
		t.Errorf("what is required: answered %s %v %s", res.Status, res.Header, res.body)
	}
	// A tick that cannot be stored does not count, not even once.
	stranger := s.guest()
	want(t, "a tick", stranger.submit(`{"subscribe":true,"birthday":"1980-01-02"}`), `{}`)
	if res := stranger.send("POST /letter", jsonType, `{"subscribe":true,"address":"a"}`); res.StatusCode != http.StatusServiceUnavailable || stranger.cookies[subject.CookieName] != "" {
		t.Errorf("a tick with what is required: answered %s %v", res.Status, res.Header)
	}
	large := form(part{"subscribe", "", "on"}, part{"photo", "p", strings.Repeat("x", 2<<20)})
	if res := stranger.send("POST /checkout", formData, large); res.StatusCode != http.StatusServiceUnavailable || s.upstream.next().err == nil {
		t.Errorf("a tick in a stream: answered %s", res.Status)
	}
	s.upstream.none()
	for _, on := range []string{"GET /page", "HEAD /", "GET /search?q=x", "POST /elsewhere"} {
		if res := g.send(on, "", ""); res.StatusCode != http.StatusOK {
			t.Errorf("%s: answered %s", on, res.Status)
		}
		s.upstream.next()
	}
	page := g.send("GET /privacy/choices", "", "")
	action, values := pageForm(t, page.body)
	values.Set("do", "refuse-all")
	if res := g.send("POST "+action, formType, values.Encode()); page.StatusCode != http.StatusServiceUnavailable || res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("the page: answered %s, and then %s", page.Status, res.Status)
	}
	after := s.status()
	if after.Store == nil || after.Store.Engine != "postgres" || after.Store.Error == "" || before.Store.Error != "" || before.Store.Engine != "sqlite" {
		t.Errorf("status %+v, before %+v", after.Store, before.Store)
	}
	if after.count("modicum_consent_lookups_total", "unknown") <= before.count("modicum_consent_lookups_total", "unknown") {
		t.Error("what was unknown is not counted")
	}
	s.load(up)
	want(t, "up again", g.checkout(), withBirth)
}

// The file of the store is deleted while it is open. What is withdrawn then
// cannot be kept: the page says so, and yet nothing passes on it here.
func TestConsentStoreDeleted(t *testing.T) {
	s := startSite(t, withStore)
	g := s.guest()
	g.choose("newsletter", "allow")
	want(t, "once granted", g.checkout(), withBirth)
	if err := os.Remove(filepath.Join(s.dir, "consent.db")); err != nil {
		t.Fatal(err)
	}
	action, values := g.page("newsletter", "refuse")
	if res := g.send("POST "+action, formType, values.Encode()); res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
		t.Errorf("answered %s %s", res.Status, res.body)
	}
	want(t, "not withdrawn", g.checkout(), unconsented)
	if res := g.send("GET /page", "", ""); res.StatusCode != http.StatusOK {
		t.Errorf("another page: %s", res.Status)
	}
}

// storedEvents returns how many events the store of the site in force holds.
func storedEvents(t *testing.T) int {
	t.Helper()
	store, err := activeApp(t).store.Store(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	events, err := store.Events(t.Context(), "", 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return len(events)
}
