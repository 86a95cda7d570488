//go:build unix

package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// example is a Caddyfile of ours, the environment that it is told about, and
// what its README promises.
type example struct {
	folder    string // of examples
	caddyfile string // examples/<folder>/Caddyfile
	port      string // the variable that it listens on; PORT
	upstream  string // the variable of the application's address; UPSTREAM
	env       map[string]string
	exchanges []sample
}

// sample is a request, and what becomes of it.
type sample struct {
	on          string // method and target
	host        string // localhost
	contentType string
	body        string
	headers     []string // names and values in turn

	status    int      // of the answer; 200
	refusal   string   // the rule that is answered: the application gets nothing
	forwarded string   // the body that the application gets; the pairs of a multipart form, one a line
	answered  []string // names and values in turn of headers of the answer; "" is none
	toApp     []string // the same of headers that the application gets
	logged    []string // words of one line of the log
}

var examples = []example{
	{folder: "shop", caddyfile: "Caddyfile", port: "MODICUM_PORT", upstream: "MODICUM_SHOP", exchanges: shopExchanges},
	{folder: "json-api", env: map[string]string{"MODICUM_PSEUDONYM_KEY": "a key of tests: 32 bytes or more"}, exchanges: apiExchanges},
	{folder: "many-sites", exchanges: sitesExchanges},
	{folder: "many-proxies", env: map[string]string{"MODICUM_DSN": "host=/nowhere", "MODICUM_CONSENT_KEY": "a key of tests: 32 bytes or more"}, exchanges: proxiesExchanges},
	{folder: "consent-platforms", exchanges: platformsExchanges()},
	{folder: "webhooks", exchanges: webhookExchanges},
	{folder: "wordpress", exchanges: wordpressExchanges},
	{folder: "wordpress", env: map[string]string{"MODE": "report"}, exchanges: wordpressReportExchanges},
}

var shopExchanges = []sample{
	{on: "GET /"},
	{
		on: "PUT /api/profile", contentType: jsonType,
		body:      `{"email": "ada@example.org", "birthday": "1990-12-10", "last_ip": "203.0.113.77", "address": {"postcode": "10969"}, "shoe_size": 38}`,
		forwarded: `{"email":"ada@example.org","birthday":"1990","last_ip":"203.0.113.0","address":{"postcode":"10"}}`,
		answered:  []string{"Privacy-Purpose", "account", "Privacy-Stripped", `"shoe_size";reason=no_purpose`, "Link", `</privacy>; rel="privacy-policy"`},
		logged:    []string{"PUT /api/profile      kept email, birthday, address.postcode, last_ip · undeclared shoe_size · "},
	},
	{
		on: "POST /checkout", contentType: formType, body: "name=Ada&email=ada@example.org&birthday=1990-12-10",
		forwarded: "name=Ada&email=ada%40example.org",
		answered:  []string{"Privacy-Purpose", "delivery", "Privacy-Stripped", `"birthday";reason=no_consent`},
		toApp:     []string{"Privacy-Purpose", "delivery"},
		logged:    []string{"POST /checkout        kept name, email · stripped birthday (no consent) · "},
	},
	{
		on: "POST /checkout", contentType: formType, body: "name=Ada&email=ada@example.org&birthday=1990-12-10&subscribe=on",
		forwarded: "name=Ada&email=ada%40example.org&birthday=1990&subscribe=on",
		answered:  []string{"Privacy-Purpose", "delivery, newsletter", "Privacy-Stripped", ""},
	},
	{
		on: "POST /checkout", contentType: formData,
		body:      form(part{"name", "", "Ada"}, part{"email", "", "ada@example.org"}, part{"photo", "cup.png", "picture"}, part{"shoe_size", "", "38"}, part{"mothers_name", "", "Annabella"}, part{"device_fingerprint", "", "fp"}),
		forwarded: "name=Ada\nemail=ada@example.org\nphoto=picture\n",
		answered:  []string{"Privacy-Stripped", `"shoe_size";reason=no_purpose, "mothers_name";reason=no_purpose, "device_fingerprint";reason=no_purpose`},
	},
	{
		// Nobody consented to the letter, for which the salutation is; the shop insists on one.
		on: "POST /checkout", contentType: formType, body: "name=Ada&salutation=ms&email=ada@example.org",
		forwarded: "name=Ada&salutation=none&email=ada%40example.org",
		answered:  []string{"Privacy-Stripped", `"salutation";reason=no_consent`},
	},
	{on: "POST /checkout", contentType: formType, body: "name=Ada", status: http.StatusUnprocessableEntity, refusal: "required"},
	{on: "POST /newsletter", contentType: formType, body: "email=ada@example.org&first_name=Ada"},
	{on: "POST /newsletter", contentType: formType, body: "email=ada@example.org&agree=on", forwarded: "email=ada%40example.org&agree=on"},
	{on: "GET /search?q=spoon&visitor=v-7f3a91c2", answered: []string{"Privacy-Stripped", `"visitor";reason=no_purpose`}},
	{on: "POST /api/wishlist", contentType: jsonType, body: `{"sku":"bird","note":"desk","device":{"screen":"1440x900"}}`, forwarded: `{"sku":"bird","note":"desk"}`},
}

// The database is down: what needs no consent, and what nobody can object to,
// goes on.
var proxiesExchanges = []sample{
	{
		on: "POST /bookings", contentType: formType, body: "email=ada@example.org&tickets=2&birthday=1990-12-10&invite=on&postcode=10969",
		forwarded: "email=ada%40example.org&tickets=2",
		answered:  []string{"Privacy-Purpose", "visit", "Privacy-Stripped", `"birthday";reason=no_consent, "postcode";reason=objected, "invite";reason=no_consent`},
	},
	{on: "GET /"},
}

var apiExchanges = []sample{
	{
		on: "POST /v1/rides", contentType: jsonType,
		body:      `{"rider": {"name": "Mari", "phone": "+372 5123 4567", "birthday": "1990-12-10"}, "pickup": {"lat": 59.436962, "lon": 24.753574}, "needs": {"wheelchair": true}, "vehicle": "limousine"}`,
		forwarded: `{"rider":{"name":"Mari","phone":"+37251234567"},"pickup":{"lat":59.437,"lon":24.754},"vehicle":"car"}`,
		answered: []string{
			"Link", `<https://rides.example/privacy>; rel="privacy-policy"`, "Privacy-Purpose", "ride",
			"Privacy-Stripped", `"vehicle";reason=wrong_type, "needs.wheelchair";reason=no_consent, "rider.birthday";reason=no_purpose`,
		},
		toApp:  []string{"Privacy-Purpose", "ride"},
		logged: []string{`"collection":"rides"`, `"verdict":"minimized"`, `{"field":"needs.wheelchair","reason":"no_consent"}`, `"undeclared":1`},
	},
	{
		on: "POST /v1/rides", contentType: jsonType,
		body:      `{"rider": {"phone": "+372 5123 4567"}, "pickup": {"lat": 59.436962, "lon": 24.753574}, "needs": {"wheelchair": true}, "consents": {"assistance": true}}`,
		forwarded: `{"rider":{"phone":"+37251234567"},"pickup":{"lat":59.437,"lon":24.754},"needs":{"wheelchair":true},"consents":{"assistance":true}}`,
		answered:  []string{"Privacy-Stripped", ""},
	},
	{
		on: "POST /v1/events", contentType: jsonType,
		body:      `[{"name": "app_opened", "at": "2026-11-22T10:15:00Z", "rider": "7c9e6679", "email": "mari@example.ee", "ip": "203.0.113.77", "battery": 41}]`,
		forwarded: `[{"name":"app_opened","at":"2026-11","rider":"p_VGhEHeNXH7yDeMcqNbY3Pw","email":"example.ee","ip":"203.0.113.0"}]`,
	},
	{on: "PATCH /v1/riders/7c9e6679", contentType: "application/merge-patch+json", body: `{"email":null,"language":"et","national_id":"49002010965"}`, forwarded: `{"email":null,"language":"et"}`},
	{on: "POST /v1/rides", contentType: jsonType, body: `{"pickup": {"lat": 59.4, "lon": 24.7}}`, status: http.StatusUnprocessableEntity, refusal: "required"},
	{on: "POST /v1/contacts", contentType: jsonType, body: `{"contacts": []}`, status: http.StatusForbidden, refusal: "undeclared", logged: []string{`"rule":"undeclared"`}},
	{
		on: "POST /v1/rides", contentType: jsonType, body: `{"rider": {"phone": "+37251234567", "ph\u006fne": "+37259999999"}}`,
		status: http.StatusBadRequest, refusal: "duplicate-name",
	},
	{on: "POST /v1/rides", contentType: "application/xml", body: "<ride/>", status: http.StatusUnsupportedMediaType, refusal: "media-type"},
	{on: "POST /v1/rides", contentType: jsonType, body: `{"client":{"a":"` + strings.Repeat("x", 256<<10) + `"}}`, status: http.StatusRequestEntityTooLarge, refusal: "body-size"},
	{on: "POST /v1/rides", contentType: jsonType, body: `{"client":` + strings.Repeat("[", 8) + strings.Repeat("]", 8) + `}`, status: http.StatusBadRequest, refusal: "depth"},
	{on: "POST /healthz", contentType: "text/plain", body: "ping", forwarded: "ping", answered: []string{"Privacy-Receipt", ""}},
	{on: "GET /v1/rides?page=2", answered: []string{"Privacy-Receipt", ""}},
}

var sitesExchanges = []sample{
	{
		on: "POST /orders", host: "shop.localhost", contentType: jsonType,
		body:      `{"email": "ada@example.org", "items": [{"sku": "apple", "note": "for Eve"}], "age": 36}`,
		forwarded: `{"email":"ada@example.org","items":[{"sku":"apple"}]}`,
		answered:  []string{"Link", `<https://example.org/privacy>; rel="privacy-policy"`},
		logged:    []string{"POST shop.localhost/orders", "kept email, items.*.sku · undeclared 2 fields"},
	},
	// Watched only: it is forwarded unchanged, and only the log says so.
	{
		on: "POST /members", host: "club.localhost", contentType: formType, body: "name=Ada&email=ada@example.org&hobby=chess",
		forwarded: "name=Ada&email=ada@example.org&hobby=chess",
		answered:  []string{"Link", "", "Privacy-Stripped", "", "Privacy-Receipt", ""},
		logged:    []string{"POST club.localhost/members", "kept email, name · undeclared 1 field · reported only"},
	},
	{
		on: "POST /survey", host: "guest.localhost", contentType: formType, body: "answers[]=yes&answers[]=often&age=47&postcode=10969&email=ada@example.org",
		forwarded: "answers%5B%5D=yes&answers%5B%5D=often&age=50&postcode=10",
		answered:  []string{"Link", `</privacy>; rel="privacy-policy"`},
	},
	// The club's form on the shop's site is declared for nothing.
	{on: "POST /members", host: "shop.localhost", contentType: formType, body: "name=Ada", logged: []string{"no collection declares it"}},
	// A pattern without a host counts on each site that has this policy.
	{on: "POST /contact", host: "shop.localhost", contentType: formType, body: "email=ada@example.org&company_size=12", forwarded: "email=ada%40example.org"},
	{on: "POST /contact", host: "club.localhost", contentType: formType, body: "email=ada@example.org&company_size=12", forwarded: "email=ada@example.org&company_size=12", logged: []string{"POST /contact", "undeclared 1 field · reported only"}},
	{on: "POST /contact", host: "guest.localhost", contentType: formType, body: "email=ada@example.org", status: http.StatusForbidden, refusal: "undeclared"},
	{on: "POST /healthz", host: "shop.localhost", contentType: "text/plain", body: "ping", forwarded: "ping"},
	{on: "POST /assets/a", host: "shop.localhost", contentType: "text/plain", body: "a", forwarded: "a"},
}

// What was signed arrives as it was signed.
var webhookExchanges = []sample{
	{
		on: "POST /webhooks/stripe", contentType: "application/json; charset=utf-8", headers: []string{"Stripe-Signature", "t=1,v1=ab"},
		body: "{\n  \"id\": \"evt_1\", \"amount\": 100.50, \"n\": \"\\u0026\"\n}", forwarded: "{\n  \"id\": \"evt_1\", \"amount\": 100.50, \"n\": \"\\u0026\"\n}",
		toApp:    []string{"Stripe-Signature", "t=1,v1=ab", "Content-Type", "application/json; charset=utf-8", "Privacy-Purpose", "payment"},
		answered: []string{"Privacy-Purpose", "payment", "Privacy-Stripped", ""},
		logged:   []string{`"collection":"stripe"`, `"verdict":"whole"`},
	},
	{on: "POST /slack/commands", contentType: formType, body: "token=x&text=a+b*c&a=1&a=2", forwarded: "token=x&text=a+b*c&a=1&a=2"},
	{on: "POST /slack/commands", contentType: "text/plain", body: "token=x", status: http.StatusUnsupportedMediaType, refusal: "media-type"},
	{on: "GET /git/shop.git/info/refs?service=git-receive-pack", answered: []string{"Privacy-Purpose", ""}},
	{
		on: "POST /git/shop.git/git-receive-pack", contentType: "application/x-git-receive-pack-request",
		body: strings.Repeat("0032pack\x00\xff", 300_000), forwarded: strings.Repeat("0032pack\x00\xff", 300_000),
	},
	{on: "POST /pictures/", headers: []string{"Tus-Resumable", "1.0.0", "Upload-Length", "10"}, toApp: []string{"Upload-Length", "10"}},
	{
		on: "PATCH /pictures/24e5", contentType: "application/offset+octet-stream", headers: []string{"Upload-Offset", "0"},
		body: "0123456789", forwarded: "0123456789", toApp: []string{"Upload-Offset", "0"},
	},
	{on: "POST /webhooks/Stripe", contentType: jsonType, body: "{}", status: http.StatusBadRequest, refusal: "ambiguous-route"},
	{on: "POST /webhooks/stripe", contentType: jsonType, body: strings.Repeat("x", 1<<20+1), status: http.StatusRequestEntityTooLarge, refusal: "body-size"},
	{on: "POST /contact", contentType: jsonType, body: `{"email":"ada@example.org","age":36}`, forwarded: `{"email":"ada@example.org"}`},
}

const feedback = "POST /wp-json/contact-form-7/v1/contact-forms/123/feedback"

var wordpressExchanges = []sample{
	{
		on: "POST /wp-comments-post.php", contentType: formType, body: "author=Ada&email=ada@example.org&url=https://ada.example&comment=How true.&comment_post_ID=45",
		forwarded: "author=Ada&email=ada%40example.org&comment=How%20true.&comment_post_ID=45",
		answered:  []string{"Link", `</privacy-policy/>; rel="privacy-policy"`, "Privacy-Stripped", `"url";reason=no_purpose`},
	},
	{
		on: "POST /wp-comments-post.php", contentType: formType, body: "comment=a&wp-comment-cookies-consent=yes",
		forwarded: "comment=a&wp-comment-cookies-consent=yes", answered: []string{"Privacy-Purpose", "comments, remember"},
	},
	{on: "POST /wp-comments-post.php", contentType: formType, body: "author=Ada&comment_post_ID=45", status: http.StatusUnprocessableEntity, refusal: "required"},
	{on: "POST /wp-login.php?action=lostpassword", contentType: formType, body: "user_login=ada&screen=1440x900", forwarded: "user_login=ada"},
	{on: "POST /newsletter-plugin/subscribe", contentType: formType, body: "email=ada@example.org", status: http.StatusForbidden, refusal: "undeclared"},
	{
		on: feedback, contentType: formData,
		body:      form(part{"_wpcf7", "", "123"}, part{"your-name", "", "Ada"}, part{"your-email", "", "ada@example.org"}, part{"your-file", "a.png", "picture"}, part{"your-birthday", "", "1990-12-10"}, part{"_wpcf7_ak_bib", "", "1763792000"}),
		forwarded: "_wpcf7=123\nyour-name=Ada\nyour-email=ada@example.org\nyour-file=picture\n",
		answered:  []string{"Privacy-Purpose", "answer", "Privacy-Stripped", `"your-birthday";reason=no_purpose, "_wpcf7_ak_bib";reason=no_purpose`},
	},
	// Without scripts, to the page that the form stands on, and with its box.
	{
		on: "POST /contact/", contentType: formType, body: "your-email=ada@example.org&newsletter=1",
		forwarded: "your-email=ada%40example.org&newsletter=1", answered: []string{"Privacy-Purpose", "answer, newsletter"},
	},
	{on: "POST /wp-cron.php?doing_wp_cron=1763792000.1"},
	{on: "POST /xmlrpc.php", contentType: "text/xml", body: "<methodCall/>", status: http.StatusForbidden, refusal: "undeclared"},
	// The dashboard and the editor go past.
	{on: "POST /wp-admin/post.php", contentType: formType, body: "a=1;b&a=2", forwarded: "a=1;b&a=2", answered: []string{"Privacy-Receipt", ""}},
	{
		on: "POST /wp-json/wp/v2/posts/1", contentType: jsonType, body: `{"title": "A"}`, headers: []string{"X-Http-Method-Override", "PUT"},
		forwarded: `{"title": "A"}`, toApp: []string{"X-Http-Method-Override", "PUT"},
	},
	{on: feedback, contentType: jsonType, body: `{"your-email":"a@b.example"}`, headers: []string{"X-Http-Method-Override", "PUT"}, forwarded: `{"your-email":"a@b.example"}`, toApp: []string{"X-Http-Method-Override", ""}},
	{on: "POST /wp-content/a", contentType: "text/plain", body: "a", forwarded: "a"},
	{on: "GET /?s=a"},
}

var wordpressReportExchanges = []sample{
	{
		on: "POST /wp-comments-post.php", contentType: formType, body: "author=Ada&url=https://ada.example&comment=a b",
		forwarded: "author=Ada&url=https://ada.example&comment=a b", answered: []string{"Privacy-Stripped", "", "Link", ""},
		logged: []string{`"mode":"report"`, `"collection":"comment"`, `"verdict":"minimized"`, `"undeclared":1`},
	},
	{on: "POST /wp-comments-post.php", contentType: formType, body: "author=Ada", forwarded: "author=Ada", logged: []string{`"mode":"report"`, `"verdict":"refused"`, `"rule":"required"`}},
	{on: "POST /xmlrpc.php", contentType: "text/xml", body: "<methodCall/>", forwarded: "<methodCall/>", logged: []string{`"mode":"report"`, `"rule":"undeclared"`}},
	{on: "POST /newsletter-plugin/subscribe", contentType: formType, body: "email=ada@example.org", forwarded: "email=ada@example.org", logged: []string{`"mode":"report"`, `"rule":"undeclared"`, `"undeclared":1`}},
}

func TestExamples(t *testing.T) {
	for _, e := range examples {
		t.Run(strings.Join(append([]string{e.folder}, slices.Sorted(maps.Values(e.env))...), " "), func(t *testing.T) {
			s, address := startExample(t, e)
			for _, x := range e.exchanges {
				x.check(t, s, address)
			}
			s.upstream.none()
		})
	}
}

// A new example is promised nothing until it stands in the table.
func TestEveryExampleIsTested(t *testing.T) {
	entries, err := os.ReadDir("../examples")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		tested := func(e example) bool { return e.folder == entry.Name() }
		if entry.IsDir() && entry.Name() != "deploy" && !slices.ContainsFunc(examples, tested) { // deploy has no Caddyfile of its own
			t.Errorf("examples/%s is not in the table", entry.Name())
		}
	}
}

// startExample runs an example as its README says, and returns where it
// listens. Only where it logs to, and that it keeps nothing, is the test's.
func startExample(t *testing.T, e example) (*site, string) {
	t.Helper()
	dir := shortDir(t)
	s := &site{t: t, dir: dir, upstream: newWire(t, filepath.Join(dir, "app.sock")), log: logs}
	port := freePort(t)
	setDefault(&e.caddyfile, "examples/"+e.folder+"/Caddyfile")
	setDefault(&e.port, "PORT")
	setDefault(&e.upstream, "UPSTREAM")
	t.Setenv(e.port, port)
	t.Setenv(e.upstream, "unix/"+dir+"/app.sock")
	t.Setenv("MODICUM_DB", filepath.Join(t.TempDir(), "modicum.db"))
	for name, value := range e.env {
		t.Setenv(name, value)
	}
	name := filepath.Join("..", e.caddyfile)
	text, err := os.ReadFile(name) //nolint:gosec // G304: an example of ours
	if err != nil {
		t.Fatal(err)
	}
	config, err := adapt(name, string(text))
	if err != nil {
		t.Fatal(err)
	}
	s.log.reset()
	s.loadJSON(confined(t, dir, config))
	t.Cleanup(s.stop)
	return s, net.JoinHostPort("localhost", port)
}

// freePort returns a port that nobody listens on now.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // it is done
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// confined makes a configuration keep nothing outside dir, open no admin
// endpoint and log into memory, in the format that it says.
func confined(t *testing.T, dir string, config []byte) []byte {
	t.Helper()
	var c struct {
		Admin   map[string]any `json:"admin"`
		Storage map[string]any `json:"storage"`
		Apps    any            `json:"apps"`
		Logging struct {
			Logs map[string]map[string]any `json:"logs"`
		} `json:"logging"`
	}
	if err := json.Unmarshal(config, &c); err != nil {
		t.Fatal(err)
	}
	c.Admin = map[string]any{"disabled": true, "config": map[string]any{"persist": false}}
	c.Storage = map[string]any{"module": "file_system", "root": dir}
	if c.Logging.Logs == nil {
		c.Logging.Logs = map[string]map[string]any{"default": {"encoder": map[string]any{"format": "json"}}}
	}
	for _, log := range c.Logging.Logs {
		log["writer"] = map[string]any{"output": "memory"}
	}
	config, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// check makes the request and holds what comes against what is promised.
func (x sample) check(t *testing.T, s *site, address string) {
	t.Helper()
	s.log.reset()
	r := s.request(x.on, x.contentType, strings.NewReader(x.body), x.headers...)
	setDefault(&x.host, "localhost")
	setDefault(&x.status, http.StatusOK)
	r.URL.Host, r.Host = address, x.host
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	res := send(t, &http.Client{Transport: transport, Timeout: patience}, r)
	if res.StatusCode != x.status {
		t.Errorf("%s: answered %s %s, want %d", x.on, res.Status, res.body, x.status)
	}
	checkHeaders(t, x.on+": the answer", res.Header, x.answered)
	if x.logged != nil {
		s.log.wait(t, x.logged...)
	}
	if x.refusal != "" {
		var problem struct{ Rule string }
		if err := json.Unmarshal([]byte(res.body), &problem); err != nil || problem.Rule != x.refusal {
			t.Errorf("%s: answered %s, want the rule %s", x.on, res.body, x.refusal)
		}
		s.upstream.none()
		return
	}
	if res.StatusCode != http.StatusOK {
		return // nothing was forwarded
	}
	got := s.upstream.next()
	if body := pairs(t, got); body != x.forwarded {
		t.Errorf("%s: forwarded\n%s\nwant\n%s", x.on, body, x.forwarded)
	}
	if target := got.Method + " " + got.URL.String(); target != x.target() {
		t.Errorf("%s: forwarded %s, want %s", x.on, target, x.target())
	}
	checkHeaders(t, x.on+": the application's request", got.Header, x.toApp)
}

// target is what the application gets of a method and a target: no test has
// more than one undeclared parameter, in the last place.
func (x sample) target() string {
	before, _, _ := strings.Cut(x.on, "&")
	return before
}

func checkHeaders(t *testing.T, what string, header http.Header, want []string) {
	t.Helper()
	for pair := range slices.Chunk(want, 2) {
		if got := strings.Join(header.Values(pair[0]), ", "); got != pair[1] {
			t.Errorf("%s has %s: %s, want %q", what, pair[0], got, pair[1])
		}
	}
}

// pairs returns the body, that of a multipart form as name=value lines: its
// boundary is made anew each time.
func pairs(t *testing.T, got received) string {
	t.Helper()
	mediaType, params, err := mime.ParseMediaType(got.Header.Get("Content-Type"))
	if err != nil || mediaType != "multipart/form-data" {
		return got.body
	}
	var text strings.Builder
	for mr := multipart.NewReader(strings.NewReader(got.body), params["boundary"]); ; {
		p, err := mr.NextPart()
		if errors.Is(err, io.EOF) {
			return text.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		value, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Fprintf(&text, "%s=%s\n", p.FormName(), value)
	}
}

// Without its key an example that makes pseudonyms does not start: a
// pseudonym under no key is undone by trying all names.
func TestExampleNeedsItsKey(t *testing.T) {
	name := "../examples/json-api/Caddyfile"
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PORT", freePort(t))
	for _, key := range []string{"", "fifteen bytes .", "sixteen bytes .."} {
		t.Setenv("MODICUM_PSEUDONYM_KEY", key)
		config, err := adapt(name, string(text))
		if err != nil {
			t.Fatal(err)
		}
		err = caddy.Load(confined(t, t.TempDir(), config), false)
		if want := len(key) < 16; (err != nil) != want {
			t.Errorf("a key of %d bytes: %v", len(key), err)
		} else if want && !strings.Contains(err.Error(), "pseudonym_key") {
			t.Errorf("a key of %d bytes: %v", len(key), err)
		}
	}
	(&site{t: t}).stop()
}
