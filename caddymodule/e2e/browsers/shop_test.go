//go:build unix

package browsers_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"database/sql"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/go-cmp/cmp"

	_ "github.com/modicum-proxy/modicum/caddymodule"
)

const policy = `
version: 1
controller: {name: Shop, contact: privacy@shop.example, country: DE}
purposes:
  delivery: {title: Deliver, basis: contract, retention: 1y}
  newsletter: {title: Write to you, basis: consent, retention: 1y}
  poll: {title: Ask you, basis: consent, retention: 1y}
  ads: {title: Show ads, basis: legitimate_interests, retention: 1y, objection: gpc}
collections:
  checkout:
    on: POST /checkout
    fields:
      name: delivery
      email: [delivery, newsletter]
      birthday: newsletter
      opinion: poll
      screen: ads
    consents: {newsletter: subscribe, poll: asked}
`

const caddyfile = `{
	admin off
	persist_config off
	auto_https off
	log {
		output discard
	}
	minimize {
		store sqlite DIR/consent.db
	}
}
https://shop.test:PORT {
	bind 127.0.0.1
	tls DIR/cert.pem DIR/key.pem
	minimize DIR/privacy.yaml {
		portal /privacy/
		subject jwt {
			key file DIR/secret
			cookie login
		}
		subject field email email
	}
	reverse_proxy APPLICATION
}
https://news.shop.test:PORT, https://other.test:PORT {
	bind 127.0.0.1
	tls DIR/cert.pem DIR/key.pem
	header Content-Type text/html
	respond "<title>Not the shop</title>"
}
`

// shop is a site over TLS, as browsers see it, and two sites of others. Who
// logs in has a token in a cookie; the form has a field for an address.
type shop struct {
	t        *testing.T
	dir      string
	chromium string
	signer   jose.Signer        // of tokens
	requests chan *http.Request // that the application received; their forms are parsed

	origin  string
	sibling string // of the same site, but another origin
	other   string // of another site
}

func startShop(t *testing.T) *shop {
	t.Helper()
	port := freePort(t)
	s := &shop{
		t: t, dir: t.TempDir(), chromium: findChromium(t), requests: make(chan *http.Request, 1000),
		origin: "https://shop.test:" + port, sibling: "https://news.shop.test:" + port, other: "https://other.test:" + port,
	}
	secret := strings.Repeat("s", 40)
	var err error
	if s.signer, err = jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: []byte(secret)}, nil); err != nil {
		t.Fatal(err)
	}
	s.write("secret", secret)
	s.write("privacy.yaml", policy)
	s.writeCertificate()
	application := httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(application.Close)
	text := strings.NewReplacer("DIR", s.dir, "PORT", port, "APPLICATION", strings.TrimPrefix(application.URL, "http://")).Replace(caddyfile)
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(config, true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Errorf("stopping Caddy: %v", err)
		}
	})
	return s
}

func (s *shop) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// writeCertificate writes a certificate that no browser trusts.
func (s *shop) writeCertificate() {
	s.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"shop.test"}, NotAfter: time.Now().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		s.t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		s.t.Fatal(err)
	}
	s.write("cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})))
	s.write("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // nothing is left to do
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// token returns what proves to the shop who is logged in.
func (s *shop) token(issuer, user string) string {
	s.t.Helper()
	token, err := jwt.Signed(s.signer).Claims(map[string]any{"iss": issuer, "sub": user, "exp": time.Now().Add(time.Hour).Unix()}).Serialize()
	if err != nil {
		s.t.Fatal(err)
	}
	return token
}

// storedEvents returns how many events the store holds.
func (s *shop) storedEvents() (n int) {
	s.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.dir, "consent.db")+"?mode=ro")
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // it was read
	if err := db.QueryRowContext(s.t.Context(), "SELECT count(*) FROM event").Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

// want fails the test if the application did not receive the form that it
// should have.
func (s *shop) want(when, got, want string) {
	s.t.Helper()
	if got != want {
		s.t.Errorf("%s: forwarded %s, want %s", when, got, want)
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

// serve answers every request with the page. Scripts of all origins may
// request it and read it, with cookies and ADPC: only Modicum refuses what is
// not granted to them.
func (s *shop) serve(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	s.requests <- r
	w.Header().Set("Content-Type", "text/html")
	w.Header().Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
	w.Header().Set("Access-Control-Allow-Credentials", "true")
	w.Header().Set("Access-Control-Allow-Headers", "ADPC")
	_, _ = io.WriteString(w, shopPage)
}

// received returns the next request that the application received for a path.
func (s *shop) received(on string) *http.Request {
	s.t.Helper()
	for {
		select {
		case r := <-s.requests:
			if r.Method+" "+r.URL.Path == on {
				return r
			}
		case <-time.After(20 * time.Second):
			s.t.Fatalf("the application received no %s", on)
		}
	}
}

// forget drops the requests that the application received so far.
func (s *shop) forget() {
	for len(s.requests) > 0 {
		<-s.requests
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
	b.user = b.token(issuer, user)
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
	return got.PostForm.Encode() // in the order of the names
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
	b.forget()
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
	if err := os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o600); err != nil { //nolint:gosec // G703: the developer names it
		b.t.Fatal(err)
	}
}
