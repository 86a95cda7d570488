package pages_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/modicum-proxy/modicum/internal/pages"
)

// A page of another site has the visitor's browser send our form: CSRF
// (CWE-352). So does a neighbouring subdomain, and an old browser that sends
// Origin alone.
func TestAttackCrossSitePost(t *testing.T) {
	t.Parallel()
	for name, headers := range map[string][]string{
		"another site":  {"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"},
		"neighbour":     {"Sec-Fetch-Site", "same-site", "Origin", "https://blog.shop.example"},
		"old browser":   {"Origin", "https://evil.example"},
		"opaque origin": {"Origin", "null"}, // from a sandboxed frame
	} {
		s := newSite(t)
		v := s.visitor(t)
		form := v.form("/privacy/choices")
		form.Set("do", "allow-all")
		answer := v.do(http.MethodPost, "/privacy/choices", form.Encode(), append(headers, "Content-Type", "application/x-www-form-urlencoded")...)
		if answer.Code != http.StatusForbidden || len(s.store.stored()) > 0 {
			t.Errorf("%s: status %d, stored %v", name, answer.Code, s.store.stored())
		}
		body := `{"language":"en","choices":[{"purpose":"newsletter","choice":"refuse"}]}`
		answer = v.do(http.MethodPost, "/privacy/api/choices", body, append(headers, "Content-Type", "application/json")...)
		if answer.Code != http.StatusForbidden || len(s.store.stored()) > 0 {
			t.Errorf("%s: the API: status %d, stored %v", name, answer.Code, s.store.stored())
		}
	}
}

// A form of another site can send JSON if it calls it text/plain, for which
// browsers do not ask us first.
func TestAttackSimpleJSONPost(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(t)
	body := `{"language":"en","choices":[{"purpose":"newsletter","choice":"refuse"}]}`
	for _, kind := range []string{"text/plain", "", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonx", "text/plain; a=application/json"} {
		if answer := v.do(http.MethodPost, "/privacy/api/choices", body, "Content-Type", kind); answer.Code != http.StatusUnsupportedMediaType {
			t.Errorf("%q: status %d", kind, answer.Code)
		}
	}
	if answer := v.do(http.MethodOptions, "/privacy/api/choices", "", "Origin", "https://evil.example", "Access-Control-Request-Method", "POST"); answer.Code != http.StatusMethodNotAllowed {
		t.Errorf("preflight: status %d", answer.Code)
	}
	for name := range v.get("/privacy/api/choices", "Origin", "https://evil.example").Header() {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("%s is sent", name)
		}
	}
	if len(s.store.stored()) > 0 {
		t.Errorf("stored %v", s.store.stored())
	}
}

// An attacker takes the token of a form that was made for themselves and puts
// it, with their cookie or without, into the form of a victim.
func TestAttackTokenReplay(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	attacker, victim := s.visitor(t), s.visitor(t)
	attacker.choose("newsletter", "refuse")
	stolen := attacker.form("/privacy/choices").Get("token")
	anonymous := s.visitor(t).form("/privacy/choices").Get("token")
	before := len(s.store.stored())

	form := victim.form("/privacy/choices")
	own := form.Get("token")
	for name, token := range map[string]string{"another's": stolen, "an unknown one's": anonymous, "none": "", "cut": own[:len(own)-1], "longer": own + "A", "garbage": "€€€"} {
		form.Set("token", token)
		answer := victim.submit(form, "allow-all")
		if answer.Code != http.StatusForbidden || len(s.store.stored()) != before {
			t.Errorf("%s: status %d, stored %v", name, answer.Code, s.store.stored())
		}
		if got := checked(parse(t, answer)); len(got) != 3 {
			t.Errorf("%s: the marks are lost: %v", name, got)
		}
	}

	// The browser has another person's login since the form was opened: the
	// form showed the choices of the first, and must not change those of the
	// second.
	form.Set("token", own)
	if answer := victim.submit(form, "save", "newsletter", "allow"); answer.Code != http.StatusSeeOther {
		t.Fatalf("the victim's own form: status %d", answer.Code)
	}
	form = victim.form("/privacy/choices")
	victim.cookies[personCookie] = s.newPerson()
	if answer := victim.submit(form, "refuse-all"); answer.Code != http.StatusForbidden {
		t.Errorf("the form of the one who was here before: status %d", answer.Code)
	}

	// Without the cookie of the form nothing is tied to this browser.
	delete(victim.cookies, "__Host-modicum-form")
	if answer := victim.submit(form, "refuse-all"); answer.Code != http.StatusForbidden || !strings.Contains(answer.Body.String(), "sent no cookie") {
		t.Errorf("without a cookie: status %d", answer.Code)
	}
}

// A form that is sent twice, by an impatient finger, is stored once and does
// not fail: the first answer set the person's cookie meanwhile.
func TestSentTwice(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(t)
	form := v.form("/privacy/choices")
	for range 2 {
		if answer := v.submit(form, "save", "newsletter", "allow"); answer.Code != http.StatusSeeOther {
			t.Errorf("status %d", answer.Code)
		}
	}
	if diff := cmp.Diff([]string{"newsletter grant page"}, s.store.stored()); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}

// A cookie that a neighbouring domain could plant is not believed to be ours:
// the prefix __Host- is part of its name, and browsers guard it.
func TestAttackCookieAttributes(t *testing.T) {
	t.Parallel()
	for _, c := range newSite(t).visitor(t).get("/privacy/choices").Result().Cookies() {
		if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" || c.SameSite != http.SameSiteLaxMode {
			t.Errorf("the cookie is %s", c)
		}
	}
}

// A client sends more than we want to hold.
func TestAttackOversized(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(t)
	form := v.form("/privacy/choices")
	form.Set("padding", strings.Repeat("a", 64<<10))
	if answer := v.submit(form, "allow-all"); answer.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("the form: status %d", answer.Code)
	}
	body := `{"language":"` + strings.Repeat("a", 64<<10) + `"}`
	if answer := v.do(http.MethodPost, "/privacy/api/choices", body, "Content-Type", "application/json"); answer.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("the API: status %d", answer.Code)
	}
	if answer := v.get("/privacy/choices", "Accept-Language", strings.Repeat("ru,", 1<<16)); answer.Code != http.StatusOK {
		t.Errorf("Accept-Language: status %d", answer.Code)
	}
	if len(s.store.stored()) > 0 {
		t.Errorf("stored %v", s.store.stored())
	}
}

// The language comes from the address: a line break in it would write headers
// (CWE-113), markup would write the page (CWE-79).
func TestAttackLanguage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(t)
	for _, lang := range []string{"ru\r\nSet-Cookie: a=b", `"><script>alert(1)</script>`, "../../etc/passwd", "ru&x=y", "EN", "de", strings.Repeat("ru-", 1000)} {
		target := "?lang=" + url.QueryEscape(lang)
		for _, page := range []string{"", "choices", "consents/newsletter", "receipt.txt", "nowhere"} {
			answer := v.get("/privacy/" + page + target)
			if got := answer.Header().Get("Content-Language"); got != "en" && answer.Code != http.StatusSeeOther {
				t.Errorf("%q on %q: in the language %q", lang, page, got)
			}
			if strings.Contains(answer.Body.String(), "alert(1)") || strings.Contains(answer.Header().Get("Location"), "lang") || answer.Header().Get("Set-Cookie") == "a=b" {
				t.Errorf("%q on %q is reflected: %v", lang, page, answer.Header())
			}
		}
		answer := v.do(http.MethodPost, "/privacy/choices"+target, "", "Content-Type", "application/x-www-form-urlencoded")
		if strings.Contains(answer.Body.String(), "alert(1)") {
			t.Errorf("%q is reflected by POST", lang)
		}
	}
}

// Nothing of a request says where a redirect leads (CWE-601).
func TestAttackOpenRedirect(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(t)
	for _, target := range []string{"/privacy/?lang=//evil.example", "/privacy/?next=https://evil.example", "/privacy/?lang=ru&return=//evil.example"} {
		location := v.get(target, "X-Forwarded-Host", "evil.example", "Referer", "https://evil.example/").Header().Get("Location")
		if location != "/privacy/choices" && location != "/privacy/choices?lang=ru" {
			t.Errorf("%s leads to %q", target, location)
		}
	}
	form := v.form("/privacy/choices")
	form.Set("next", "https://evil.example")
	if location := v.submit(form, "allow-all").Header().Get("Location"); location != "/privacy/choices#now" {
		t.Errorf("the form leads to %q", location)
	}
}

// A link that somebody sends must not make the page say that something was
// saved or withdrawn.
func TestAttackForgedMessage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(t)
	plain := v.get("/privacy/choices").Body.String()
	if forged := v.get("/privacy/choices?saved=1&withdrawn=newsletter&message=Saved&do=allow-all&choice.newsletter=allow").Body.String(); forged != plain {
		t.Errorf("the address changes the page:\n%s", cmp.Diff(plain, forged))
	}
}

// Texts of a policy may come from elsewhere than the operator's hand.
func TestAttackHTMLInPolicy(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const bad = `<script>alert(1)</script><img src=x onerror=alert(1)>" onmouseover="alert(1)`
	quoted := "'" + strings.ReplaceAll(bad, "'", "''") + "'"
	text := strings.NewReplacer(
		"Whittle Woodware", quoted, "Send you news and offers by e-mail", quoted, "A letter a month about what we carve. Each has a link to stop it.", quoted,
		"A 5 % voucher with the first letter", quoted, "Letter service Post & Co,", quoted+",", "privacy@whittle.example", "'javascript:alert(1)'",
	).Replace(shopPolicy)
	s.change(text)
	v := s.visitor(t)
	v.choose("newsletter", "allow")
	for _, page := range []string{"choices", "consents/newsletter", "nowhere"} {
		root := parse(t, v.get("/privacy/"+page))
		for _, name := range []string{"script", "img"} {
			if len(elements(root, name)) > 0 {
				t.Errorf("%s has an element %s", page, name)
			}
		}
		for _, link := range elements(root, "a") {
			if strings.Contains(attribute(link, "href"), "javascript") {
				t.Errorf("%s has a link to %s", page, attribute(link, "href"))
			}
		}
		for n := range root.Descendants() {
			if has(n, "onmouseover") || has(n, "onerror") || has(n, "style") {
				t.Errorf("%s has a handler or an inline style", page)
			}
		}
	}
}

// Our page in a frame of another site, transparent over a button of theirs:
// clickjacking (CWE-1021). And other headers that every answer has.
func TestAttackHeaders(t *testing.T) {
	t.Parallel()
	v := newSite(t).visitor(t)
	for _, target := range []string{"", "choices", "consents/newsletter", "consents/nothing", "receipt.txt", "api/choices", "nowhere"} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut} {
			h := v.do(method, "/privacy/"+target, "").Header()
			for name, want := range map[string]string{
				"Content-Security-Policy":      "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
				"X-Frame-Options":              "DENY",
				"X-Content-Type-Options":       "nosniff",
				"Referrer-Policy":              "same-origin",
				"Cache-Control":                "no-store",
				"Cross-Origin-Opener-Policy":   "same-origin",
				"Cross-Origin-Resource-Policy": "same-origin",
				"Cross-Origin-Embedder-Policy": "require-corp",
			} {
				if got := h.Get(name); got != want {
					t.Errorf("%s %s: %s is %q", method, target, name, got)
				}
			}
		}
	}
}

// A client hammers the pages; others do not notice, and neither does memory.
func TestAttackHammering(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(o *pages.Options) {
		o.Rate, o.Burst = 1, 3
		o.Client = func(r *http.Request) string { return r.Header.Get("From-Address") }
	})
	v := s.visitor(t)
	for i := range 5 {
		answer := v.get("/privacy/choices", "From-Address", "2001:db8::"+string(rune('1'+i))) // one household
		if refused := answer.Code == http.StatusTooManyRequests; refused != (i >= 3) {
			t.Errorf("request %d: status %d", i+1, answer.Code)
		}
	}
	if answer := v.do(http.MethodPost, "/privacy/api/choices", "{}", "From-Address", "2001:db8::9"); answer.Code != http.StatusTooManyRequests || answer.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("the API: status %d", answer.Code)
	}
	if answer := v.get("/privacy/choices", "From-Address", "2001:db8:0:1::1"); answer.Code != http.StatusOK {
		t.Errorf("the neighbour: status %d", answer.Code)
	}
}

// Whoever asks for the receipt of another has nothing to name them by, and
// what there is and is not looks the same to all.
func TestAttackEnumeration(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	known, stranger := s.visitor(t), s.visitor(t)
	known.choose("newsletter", "allow")
	for _, target := range []string{"receipt.txt", "receipt.json", "receipt.txt?subject=" + known.cookies[personCookie], "receipt.txt?email=ada@example.org"} {
		if answer := stranger.get("/privacy/" + target); answer.Code != http.StatusNotFound {
			t.Errorf("%s: status %d: %s", target, answer.Code, answer.Body)
		}
	}
	if a, b := stranger.get("/privacy/consents/nothing"), stranger.get("/privacy/consents/delivery"); a.Code != http.StatusNotFound || b.Code != http.StatusNotFound {
		t.Errorf("purposes without a choice: status %d and %d", a.Code, b.Code)
	}
}

// A request that is no form of ours changes nothing and breaks nothing.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(t)
	token := v.form("/privacy/choices").Get("token")
	for _, c := range []struct {
		kind, body string
		status     int
	}{
		{"application/x-www-form-urlencoded", "token=" + token + "&do=%zz", 400},
		{"application/x-www-form-urlencoded", "token=" + token, 422},
		{"multipart/form-data; boundary=x", "--x--\r\n", 415},
		{"", "", 415},
	} {
		answer := v.do(http.MethodPost, "/privacy/choices", c.body, "Content-Type", c.kind)
		if answer.Code != c.status {
			t.Errorf("%s %q: status %d, want %d", c.kind, c.body, answer.Code, c.status)
		}
		parse(t, answer)
	}
	if answer := v.do(http.MethodDelete, "/privacy/choices", ""); answer.Code != http.StatusMethodNotAllowed {
		t.Errorf("DELETE: status %d", answer.Code)
	}
	if len(s.store.stored()) > 0 {
		t.Errorf("stored %v", s.store.stored())
	}
}

// The pages need no script, and nothing from anywhere else.
func TestSelfContained(t *testing.T) {
	t.Parallel()
	v := newSite(t).visitor(t)
	root := parse(t, v.get("/privacy/choices"))
	link := elements(root, "link")
	if len(link) != 1 {
		t.Fatalf("the page loads %d things", len(link))
	}
	href := attribute(link[0], "href")
	answer := v.get(href)
	if answer.Code != http.StatusOK || answer.Header().Get("Content-Type") != "text/css; charset=utf-8" ||
		answer.Header().Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(answer.Header().Get("Cache-Control"), "immutable") {
		t.Errorf("%s: status %d, %v", href, answer.Code, answer.Header())
	}
	if css := answer.Body.String(); strings.Contains(css, "url(") || strings.Contains(css, "@import") {
		t.Error("the style sheet loads something")
	}
	if w := v.get("/privacy/style-0000000000000000.css"); w.Code != http.StatusNotFound {
		t.Errorf("another style sheet: status %d", w.Code)
	}
}

var _ http.Handler = (*pages.Pages)(nil)
