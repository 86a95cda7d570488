//go:build unix

package caddymodule

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"
)

// shop is a site over TLS, as browsers see it, and two sites of others. Who
// logs in has a token in a cookie; the form has a field for an address.
type shop struct {
	*site

	origin  string
	sibling string // of the same site, but another origin
	other   string // of another site
	token   func(change map[string]any) string

	chromium string
}

func startShop(t *testing.T) *shop {
	t.Helper()
	chromium := findChromium(t)
	secret, file := strings.Repeat("s", 40), filepath.Join(shortDir(t), "secret")
	writeFile(t, file, secret)
	o := known("subject jwt {\n key file " + file + "\n cookie login\n }\n subject field email email")
	s := startSite(t, o)
	s.upstream.answerWith(serveShop)
	cert, key := selfSigned(t, s.dir)
	port := freePort(t)
	secure := fmt.Sprintf("bind 127.0.0.1\n tls %s %s\n", cert, key)
	text := strings.Replace(s.caddyfile(o), "http://shop.test {\n\tbind unix/"+s.dir+"/site.sock", "https://shop.test:"+port+" {\n"+secure, 1)
	s.loadText(text + fmt.Sprintf(`
https://news.shop.test:%[1]s, https://other.test:%[1]s {
	%[2]s
	header Content-Type text/html
	respond "<title>Not the shop</title>"
}`, port, secure))
	return &shop{
		site: s, token: tokens(t, secret), chromium: chromium,
		origin: "https://shop.test:" + port, sibling: "https://news.shop.test:" + port, other: "https://other.test:" + port,
	}
}

// findChromium skips a test on a bare machine and fails it in CI.
func findChromium(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("a browser is no short test")
	}
	chromium, err := exec.LookPath("chromium")
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatalf("there is no browser: %v", err)
	default:
		t.Skipf("there is no browser: %v", err)
	}
	return chromium
}

const shopPage = `<!doctype html><html lang="en"><title>Shop</title>
<form method="post" action="/checkout">
<p><label>Name <input name="name" value="Ada"></label>
<p><label>E-mail <input name="email" id="email"></label>
<p><label>Birthday <input name="birthday" value="1980"></label>
<p><label>Opinion <input name="opinion" value="good"></label>
<p><label><input type="checkbox" name="subscribe" id="subscribe"> Write to me</label>
<p><label><input type="checkbox" name="asked" id="asked"> Ask me</label>
<p><button>Order</button>
</form>`

// serveShop answers every request with the page. Scripts of all origins may
// request it and read it, with cookies and ADPC: what is not granted to them
// is refused by Modicum alone.
func serveShop(w *wire, c net.Conn, r *http.Request) bool {
	if w.read(r).err != nil {
		return false
	}
	res := http.Response{
		StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, ContentLength: int64(len(shopPage)), Body: io.NopCloser(strings.NewReader(shopPage)),
		Header: http.Header{
			"Content-Type": {"text/html"}, "Access-Control-Allow-Origin": {r.Header.Get("Origin")},
			"Access-Control-Allow-Credentials": {"true"}, "Access-Control-Allow-Headers": {"ADPC"},
		},
	}
	return res.Write(c) == nil
}

// received returns the next request that the application got for a path.
func (s *shop) received(on string) received {
	s.t.Helper()
	for {
		if r := s.upstream.next(); r.Method+" "+r.URL.Path == on {
			return r
		}
	}
}

// browser is a Chromium of its own.
type browser struct {
	*shop

	ctx  context.Context
	user string // the token of who is logged in; empty: nobody is
}

// browser starts a Chromium that has never been at the shop.
func (s *shop) browser(t *testing.T) *browser {
	t.Helper()
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(s.chromium), chromedp.UserDataDir(t.TempDir()), chromedp.Headless, chromedp.NoSandbox, chromedp.NoFirstRun,
		chromedp.IgnoreCertErrors, chromedp.Flag("host-resolver-rules", "MAP *.test 127.0.0.1"),
	}
	for _, flag := range []string{
		"disable-gpu", "disable-quic", "disable-background-networking", "disable-component-update", "disable-sync", "no-proxy-server",
		"force-prefers-reduced-motion", // a page that scrolls is not where it was when it is clicked
	} {
		options = append(options, chromedp.Flag(flag, true))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &browser{shop: s, ctx: ctx}
	b.run(chromedp.EmulateViewport(1280, 1600), chromedp.Navigate(s.origin+"/"))
	return b
}

func (b *browser) run(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// evaluate runs a script in the page that is open.
func evaluate[T any](b *browser, script string) T {
	b.t.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", script, err)
	}
	return value
}

// click clicks what leads to another page, and waits for that page.
func (b *browser) click(selector string) {
	b.t.Helper()
	if _, err := chromedp.Run(b.ctx, chromedp.WaitEvent(page.LoadEventFired, nil, chromedp.Click(selector))); err != nil {
		b.t.Fatal(err)
	}
}

// login gives the browser the token of a user of an issuer. A cookie that a
// script sets may come too late for the next page; this one does not.
func (b *browser) login(issuer, user string) {
	b.t.Helper()
	b.user = b.token(map[string]any{"iss": issuer, "sub": user})
	cookie := network.SetCookieParams{Name: "login", Value: b.user, URL: b.origin, HTTPOnly: new(true), SameSite: network.CookieSameSiteLax}
	if _, err := chromedp.Call(b.ctx, network.SetCookie, cookie); err != nil {
		b.t.Fatal(err)
	}
}

func (b *browser) logout() {
	b.t.Helper()
	b.user = ""
	if _, err := chromedp.Call(b.ctx, network.DeleteCookies, network.DeleteCookiesParams{Name: "login", URL: b.origin}); err != nil {
		b.t.Fatal(err)
	}
}

// order fills in the form with Ada's address, ticks boxes, and returns what
// the application got.
func (b *browser) order(ticks ...string) string {
	b.t.Helper()
	b.run(chromedp.Navigate(b.origin+"/"), chromedp.SendKeys("#email", adaAddress))
	for _, box := range ticks {
		b.run(chromedp.Click("#" + box))
	}
	b.click("button")
	got, user := b.received("POST /checkout"), ""
	if cookie, err := got.Cookie("login"); err == nil {
		user = cookie.Value
	}
	if user != b.user {
		b.t.Error("the browser is not logged in as it should be")
	}
	form, err := url.ParseQuery(got.body)
	if err != nil {
		b.t.Fatal(err)
	}
	return form.Encode() // in the order of the names
}

// press presses a button of the page of choices, after marking answers.
func (b *browser) press(button string, marks ...string) {
	b.t.Helper()
	b.run(chromedp.Navigate(b.origin + "/privacy/choices?lang=en"))
	for _, radio := range marks {
		b.run(chromedp.Click("#" + radio))
	}
	b.click(`button[value="` + button + `"]`)
}

// sees returns what the page of choices says about each purpose, and what is
// marked there.
func (b *browser) sees() []string {
	b.t.Helper()
	b.run(chromedp.Navigate(b.origin + "/privacy/choices?lang=en"))
	return evaluate[[]string](b, `[...document.querySelectorAll("fieldset")].map(f =>
		f.id.replace("purpose-", "") + ": " + f.querySelector(".state p").innerText + [...f.querySelectorAll("input:checked")].map(e => " [" + e.value + "]"))`)
}

// wantSees fails the test when the page of choices says something else.
func (b *browser) wantSees(when string, want ...string) {
	b.t.Helper()
	if diff := cmp.Diff(want, b.sees()); diff != "" {
		b.t.Errorf("%s, the page of choices says (-want +got):\n%s", when, diff)
	}
}

// answer answers all questions that rest on consent by the interface for
// front ends, with a script of the shop's own page.
func (b *browser) answer(choice string) {
	b.t.Helper()
	b.run(chromedp.Navigate(b.origin + "/"))
	status := evaluate[int](b, fmt.Sprintf(`fetch("/privacy/api/choices?lang=en").then(r => r.json()).then(state => fetch("/privacy/api/choices", {
		method: "POST", headers: {"Content-Type": "application/json"},
		body: JSON.stringify({language: "en", choices: state.choices.filter(c => c.basis == "consent").map(c => ({purpose: c.purpose, choice: %q, notice: c.notice}))}),
	})).then(r => r.status)`, choice))
	if status != http.StatusNoContent {
		b.t.Fatalf("%s by the API: answered %d", choice, status)
	}
}

// tell makes a page of an origin fetch from the shop with an ADPC header. site
// is where the browser has to say that the request comes from.
func (b *browser) tell(origin, adpc, site string) {
	b.t.Helper()
	b.upstream.drain()
	b.run(chromedp.Navigate(origin + "/"))
	evaluate[string](b, fmt.Sprintf(`fetch(%q, {credentials: "include", headers: {ADPC: %q}}).then(r => r.text())`, b.origin+"/told", adpc))
	if got := b.received("GET /told").Header.Get("Sec-Fetch-Site"); got != site {
		b.t.Errorf("a fetch from %s is %q, want %q", origin, got, site)
	}
}

// newsletterRequest returns the id by which a browser that speaks ADPC
// consents to the newsletter.
func (b *browser) newsletterRequest() string {
	b.t.Helper()
	b.run(chromedp.Navigate(b.origin + "/"))
	return evaluate[string](b, `fetch("/privacy/consent-requests.json").then(r => r.json()).then(offer =>
		offer.consentRequests.map(q => q.id).find(id => id.startsWith("newsletter~")))`)
}

// shoot keeps a picture of the page in the directory MODICUM_SHOTS.
func (b *browser) shoot(name string) {
	b.t.Helper()
	dir := os.Getenv("MODICUM_SHOTS")
	if dir == "" {
		return
	}
	picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatal(err)
	}
	writeFile(b.t, filepath.Join(dir, name+".png"), string(picture))
}
