//go:build unix

package caddymodule

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/goleak"

	"github.com/modicum-proxy/modicum/internal/store/sqlite"
	"github.com/modicum-proxy/modicum/internal/subject"
)

// activeApp returns the app of the configuration in force.
func activeApp(t *testing.T) *App {
	t.Helper()
	app, err := caddy.ActiveContext().AppIfConfigured("minimize")
	if err != nil {
		t.Fatal(err)
	}
	return app.(*App)
}

// stores returns how many stores are open or in use.
func stores() (n int) {
	registries.Range(func(any, any) bool { n++; return true })
	return n
}

// inUse returns how many requests may use the store yet.
func (l *liveRegistry) inUse() int64 {
	return l.users.Load() - 1 // the pool
}

// Static files wait for nobody who looks at the store.
func TestStoreBeginTakesNoLock(t *testing.T) {
	l := &liveRegistry{}
	l.users.Store(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.begin()
	l.end()
	if n := l.inUse(); n != 0 {
		t.Errorf("%d requests use the store", n)
	}
}

// The period that the README shows is the default.
func TestEvidencePeriods(t *testing.T) {
	for text, want := range map[string]caddy.Duration{"3y": defaultKeep, "1098d": defaultKeep, "36h": caddy.Duration(36 * time.Hour), "90m": caddy.Duration(90 * time.Minute), "0d": 0, "3q": 0, "": 0} {
		if got, ok := parsePeriod(text); ok != (want > 0) || ok && got != want {
			t.Errorf("%q: %v, %t, want %v", text, got, ok, want)
		}
	}
}

// What people chose, and the cookie they are known by, are there after a
// reload and after a restart.
func TestStoreReload(t *testing.T) {
	s := startSite(t, withStore)
	g := s.guest()
	g.choose("newsletter", "allow")
	o := withStore
	o.minimize += "\n max_fields 100"
	s.load(o)
	want(t, "reloaded", g.checkout(), withBirth)
	// `caddy run --config Caddyfile` and `caddy reload --config /etc/caddy/Caddyfile`
	// name one file in two ways, of which the second must not find it locked.
	t.Chdir(s.dir)
	config, err := adapt("Caddyfile", s.caddyfile(o))
	if err != nil || !strings.Contains(string(config), `"path":"consent.db"`) {
		t.Fatalf("%s, %v", config, err)
	}
	s.loadJSON(config)
	want(t, "by another name", g.checkout(), withBirth)
	if err := os.Symlink("consent.db", "link.db"); err != nil {
		t.Fatal(err)
	}
	o.global = "minimize {\n store sqlite link.db\n consent_key file consent.db.key\n }"
	s.load(o)
	want(t, "by a link", g.checkout(), withBirth)
	if stores() != 1 {
		t.Errorf("%d stores in use, want one", stores())
	}
	g.choose("newsletter", "refuse", "poll", "allow")
	s.stop()
	if stores() != 0 {
		t.Errorf("%d stores are still in use when Caddy has stopped", stores())
	}
	s.load(withStore)
	want(t, "restarted", g.checkout(), withOpinion)
	o = withStore
	o.global = "minimize {\n store sqlite other.db\n }"
	s.load(o)
	want(t, "in another store", g.checkout(), unconsented)
	s.load(withStore)
	want(t, "in the first again", g.checkout(), withOpinion)
}

// A configuration that is refused leaves the store as it is.
func TestStoreReloadRefused(t *testing.T) {
	s := startSite(t, withStore)
	g := s.guest()
	g.choose("newsletter", "allow")
	for _, global := range []string{"store sqlite missing/consent.db", "store sqlite consent.db\n consent_key env MODICUM_TEST_UNSET"} {
		o := withStore
		o.global = "minimize {\n " + global + "\n }"
		if err := s.tryLoad(o); err == nil {
			t.Errorf("%s: no error", global)
		}
	}
	want(t, "after a reload that failed", g.checkout(), withBirth)
	if stores() != 1 {
		t.Errorf("%d stores in use, want one", stores())
	}
}

// A request that began before a reload is decided by the store it began with,
// however long it takes; then that store is let go.
func TestStoreReloadMidRequest(t *testing.T) {
	s := startSite(t, withStore)
	g := s.guest()
	g.choose("newsletter", "allow")
	o := withStore
	impatient := func(o options) { // the old server does not wait for what is in flight
		s.loaded = time.Now()
		s.loadText(strings.Replace(s.caddyfile(o), "grace_period 5s", "grace_period 1ms", 1))
	}
	impatient(o)
	c := s.dial()
	const body = `{"birthday":"1980-01-02"}`
	_, _ = fmt.Fprintf(c, "POST /checkout HTTP/1.1\r\nHost: shop.test\r\nContent-Type: application/json\r\nContent-Length: %d\r\nCookie: %s=%s\r\n\r\n%s",
		len(body), subject.CookieName, g.cookies[subject.CookieName], body[:5])
	eventually(t, "the request is under way", func() bool { return activeApp(t).store.inUse() > 0 })
	old := activeApp(t).store
	o.global = "minimize {\n store sqlite other.db\n }"
	impatient(o)
	if stores() != 1 || activeApp(t).store == old {
		t.Fatalf("%d stores in use, want the other one", stores())
	}
	if _, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(s.dir, "consent.db")}); err == nil {
		t.Fatal("the old store is closed while a request uses it")
	}
	_, _ = io.WriteString(c, body[5:])
	if res, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || res.StatusCode != http.StatusOK { //nolint:bodyclose // the connection is closed
		t.Fatalf("answered %v, %v", res, err)
	}
	want(t, "in flight", s.upstream.next().body, body)
	eventually(t, "the old store is let go", func() bool {
		store, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(s.dir, "consent.db")})
		return err == nil && store.Close() == nil
	})
}

// Ten configurations with two stores in turn leave no worker behind.
func TestStoreReloadLeaksNothing(t *testing.T) {
	const alone = "transport http {\n keepalive off\n }"
	o := withStore
	o.proxy = alone
	s := startSite(t, o)
	g := s.guest()
	g.choose("newsletter", "allow")
	ignore := goleak.IgnoreCurrent()
	for i := range 10 {
		o.global = fmt.Sprintf("minimize {\n store sqlite consent%d.db\n }", i%2)
		s.load(o)
		g.checkout()
	}
	eventually(t, "the old stores are gone", func() bool { return stores() == 1 })
	s.stop()
	// Caddy stops its admin endpoint only with the process.
	goleak.VerifyNone(t, ignore, goleak.IgnoreAnyFunction("github.com/caddyserver/caddy/v2.replaceLocalAdminServer.func2"))
}

// `caddy validate`, and a configuration that is refused, write nothing.
func TestStoreValidateWritesNothing(t *testing.T) {
	dir := shortDir(t)
	s := &site{t: t, dir: dir, log: logs}
	writeFile(t, filepath.Join(dir, "privacy.yaml"), consentPolicy)
	config, err := adapt(filepath.Join(dir, "Caddyfile"), s.caddyfile(withStore))
	if err != nil {
		t.Fatal(err)
	}
	var parsed caddy.Config
	if err := json.Unmarshal(config, &parsed); err != nil {
		t.Fatal(err)
	}
	if err := caddy.Validate(&parsed); err != nil {
		t.Fatal(err)
	}
	o := withStore
	o.minimize += "\n subject placeholder {header.X}"
	if s.tryLoad(o) == nil {
		t.Error("it is not refused")
	}
	_ = caddy.Stop()
	if files, err := filepath.Glob(filepath.Join(dir, "consent*")); err != nil || len(files) != 0 || stores() != 0 {
		t.Errorf("left are %q and %d stores, %v", files, stores(), err)
	}
}

// The key of pseudonyms is made once, for us alone to read.
func TestStoreKey(t *testing.T) {
	s := startSite(t, withStore)
	file := filepath.Join(s.dir, "consent.db.key")
	info, err := os.Stat(file)
	if err != nil || info.Mode() != 0o600 || info.Size() != 65 {
		t.Fatalf("made %v, %v", info, err)
	}
	g := s.guest()
	g.choose("newsletter", "allow")
	// Lost while it is in use, it is missed at the next start, and not before.
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	o := withStore
	o.minimize += "\n max_fields 100"
	s.load(o)
	want(t, "without the file", g.checkout(), withBirth)
	s.log.wait(t, `"level":"error"`, "consent.db.key", "is missing", "restore")
	s.stop()
	if err := s.tryLoad(withStore); err == nil || !strings.Contains(err.Error(), "consent.db.key") || !strings.Contains(err.Error(), "restore") {
		t.Errorf("restarted without the key of what is stored: %v", err)
	}
}

// An operator who names a key of their own and later no more goes on with the
// file beside the store.
func TestStoreKeyChanged(t *testing.T) {
	t.Setenv("MODICUM_TEST_KEY", strings.Repeat("k", 32))
	s := startSite(t, withStore)
	g := s.guest()
	g.choose("newsletter", "allow")
	own := withStore
	own.global = "minimize {\n store sqlite consent.db\n consent_key env MODICUM_TEST_KEY\n }"
	s.load(own)
	want(t, "under another key", g.checkout(), unconsented)
	s.load(withStore)
	want(t, "under the file's again", g.checkout(), withBirth)
	// Rotated: the old one stands behind the new one.
	data, err := os.ReadFile(filepath.Join(s.dir, "consent.db.key"))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(s.dir, "keys"), strings.Repeat("n", 32)+"\n"+string(data))
	own.global = "minimize {\n store sqlite consent.db\n consent_key file keys\n }"
	s.load(own)
	want(t, "rotated", g.checkout(), withBirth)
}

// What does not start says where, and what to do about it.
func TestStoreStartRefused(t *testing.T) {
	dir := shortDir(t)
	s := &site{t: t, dir: dir, log: logs}
	writeFile(t, filepath.Join(dir, "privacy.yaml"), consentPolicy)
	held, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(dir, "held.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close() //nolint:errcheck // a test
	writeFile(t, filepath.Join(dir, "short"), "abc\n")
	writeFile(t, filepath.Join(dir, "text.db"), strings.Repeat("no database ", 100))
	t.Setenv("MODICUM_TEST_KEY", strings.Repeat("k", 32))
	writeFile(t, filepath.Join(dir, "lost.db"), "something")
	t.Setenv("MODICUM_TEST_DSN", "host=/nowhere password=canary port=none")
	const key = "\n consent_key env MODICUM_TEST_KEY"
	for name, test := range map[string]struct{ global, minimize, want string }{
		"no directory":     {"store sqlite none/consent.db", "", "/none/consent.db|directory|has to exist"},
		"another process":  {"store sqlite held.db" + key, "", "/held.db|has it open"},
		"no database":      {"store sqlite text.db" + key, "", "/text.db|not a database"},
		"a directory":      {"store sqlite ./", "", "consent store"},
		"no key":           {"store postgres {\n dsn host=/nowhere\n }", "", "consent_key|consent_key file <path>|openssl rand -hex 32"},
		"a short key":      {"store sqlite consent.db\n consent_key file short", "", "consent_key|3 bytes|openssl rand -hex 32"},
		"a missing key":    {"store sqlite consent.db\n consent_key file none", "", "consent_key|no such file"},
		"no dsn":           {"store postgres {\n }" + key, "", "dsn {env.MODICUM_DSN}"},
		"an unset dsn":     {"store postgres {\n dsn {env.MODICUM_TEST_UNSET}\n }" + key, "", "MODICUM_TEST_UNSET"},
		"a bad dsn":        {"store postgres {\n dsn {env.MODICUM_TEST_DSN}\n }" + key, "", "store: dsn|invalid port"},
		"no languages":     {"store sqlite consent.db\n languages none", "", "languages|none"},
		"a portal alone":   {"", "portal /privacy/", "store sqlite <path>"},
		"a subject alone":  {"", "subject field email email", "store sqlite <path>"},
		"a bad portal":     {"store sqlite consent.db", "portal /privacy", "portal|/privacy/"},
		"a bad date":       {"store sqlite consent.db", "gpc 22.11.2026", "gpc|22.11.2026|2026-11-22"},
		"an unknown field": {"store sqlite consent.db", "subject field none email", "subject field none|policy"},
		"a lost key":       {"store sqlite lost.db", "", "/lost.db.key|missing|restore"},
	} {
		err := s.tryLoad(options{global: "minimize {\n " + test.global + "\n }", minimize: test.minimize})
		if err == nil {
			t.Errorf("%s: it starts", name)
			continue
		}
		for word := range strings.SplitSeq(test.want, "|") {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%s: %v, want %q", name, err, word)
			}
		}
		if strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: the error holds the dsn: %v", name, err)
		}
		if stores() > 0 {
			t.Errorf("%s: %d stores are still in use", name, stores())
		}
	}
	_ = caddy.Stop()
}

// What the Caddyfile says of stores and people reaches the services.
func TestStoreProvision(t *testing.T) {
	caddyfile, _ := splitGolden(t, adaptDir+"/global_store_sqlite.caddyfiletest")
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "privacy.yaml"), strings.Replace(consentPolicy, "name: delivery\n", "name: delivery\n      phone: delivery\n", 1))
	writeFile(t, filepath.Join(dir, "keys"), strings.Repeat("k", 32))
	writeFile(t, filepath.Join(dir, "jwt.pem"), strings.Repeat("s", 32))
	if err := os.Mkdir(filepath.Join(dir, "words"), 0o700); err != nil {
		t.Fatal(err)
	}
	h := provisioned(t, filepath.Join(dir, "Caddyfile"), caddyfile)[0]
	if h.pages == nil || h.gpc == nil || h.consents.Identify == nil || len(h.consents.Fields) != 2 || h.consents.Fields["phone"] != subject.ByPhone ||
		len(h.engine.Identifying) != 2 || h.consents.Keys == nil || time.Duration(h.app.Evidence.Keep) != time.Hour {
		t.Errorf("provisioned %+v", h)
	}
	for address, kept := range map[string]string{
		"192.0.2.77": "192.0.2.0/24", "@": "",
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r = r.WithContext(context.WithValue(r.Context(), caddyhttp.VarsCtxKey, map[string]any{caddyhttp.ClientIPVarKey: address}))
		if got := h.consents.Address(r); got != kept {
			t.Errorf("of %s is kept %s, want %s", address, got, kept)
		}
	}
	if h.app.Evidence.IP = "off"; h.app.keptAddress() != nil {
		t.Error("an address is kept")
	}
	if _, err := os.Stat(filepath.Join(dir, "consent.db")); err == nil {
		t.Error("a store is made that nobody started")
	}
}

// In Caddy's JSON, a store that is none is a mistake: the site would ask for
// consents and forget them. So is an option of another store.
func TestStoreInJSON(t *testing.T) {
	const want = `store: expected an object with "engine": "sqlite" or "postgres"; to store nothing, leave "store" out`
	for store, want := range map[string]string{
		`null`: want, `{}`: want, `"sqlite x.db"`: want, `[]`: want, `{"engine": ""}`: want, `{"engine": 1}`: want,
		`{"engine": "sqlite", "path": "x.db", "dsn": "host=db"}`: `unknown field "dsn"`,
		`{"engine": "sqlit"}`: "unknown module: minimize.stores.sqlit",
	} {
		var config caddy.Config
		text := `{"admin": {"disabled": true}, "apps": {"minimize": {"store": ` + store + `}}}`
		if err := json.Unmarshal([]byte(text), &config); err != nil {
			t.Fatal(err)
		}
		if err := caddy.Validate(&config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", store, err, want)
		}
	}
}

// A directory that does not exist is found by `validate`, which opens no store.
func TestStoreInNoDirectory(t *testing.T) {
	dir := t.TempDir()
	for path, want := range map[string]string{filepath.Join(dir, "x.db"): "", filepath.Join(dir, "none", "x.db"): "the directory " + filepath.Join(dir, "none") + " has to exist"} {
		if err := (&SQLite{Path: path}).Provision(caddy.Context{}); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

// A password in a Caddyfile is in backups and in the admin API, however it is
// written there; the error, which is logged, does not repeat it.
func TestStorePasswordIsNoLiteral(t *testing.T) {
	const literal = "c2VjcmV0LWMyVmpjbVYw"
	t.Setenv("MODICUM_ADAPT_SECRET", "postgres://shop:"+literal+"@db/shop")
	dir := shortDir(t)
	writeFile(t, filepath.Join(dir, "privacy.yaml"), consentPolicy)
	for _, dsn := range []string{
		"postgres://shop:" + literal + "@db/shop", "{$MODICUM_ADAPT_SECRET}", "postgres://db/shop?user=shop&password=" + literal,
		`"host=db password=` + literal + `"`, `"host=db password = ` + literal + `"`, `"host=db password='` + literal + `'"`,
		`"host=db sslpassword=` + literal + `"`, "postgres://{env.USER}:" + literal + "@db/shop",
	} {
		_, err := adapt(filepath.Join(dir, "Caddyfile"), "{\nminimize {\nstore postgres {\ndsn "+dsn+"\n}\n}\n}\n:80 {\nminimize privacy.yaml\n}")
		if err == nil || strings.Contains(err.Error(), literal) || !strings.Contains(err.Error(), "Caddyfile:4") || !strings.Contains(err.Error(), "{env.MODICUM_DSN}") {
			t.Errorf("%s: %v", dsn, err)
		}
		s := &Postgres{DSN: strings.Trim(strings.ReplaceAll(dsn, "{$MODICUM_ADAPT_SECRET}", os.Getenv("MODICUM_ADAPT_SECRET")), `"`)}
		if err := s.Provision(caddy.Context{}); err == nil || strings.Contains(err.Error(), literal) {
			t.Errorf("%s in JSON: %v", dsn, err)
		}
	}
	for _, dsn := range []string{"{env.MODICUM_DSN}", "postgres://shop:{env.PASSWORD}@db/shop", `"host=db password={file./run/secrets/db}"`, "postgres://db/shop?passfile=/run/pgpass", "postgres://shop@db"} {
		if _, err := adapt(filepath.Join(dir, "Caddyfile"), "{\nminimize {\nstore postgres {\ndsn "+dsn+"\n}\n}\n}"); err != nil {
			t.Errorf("%s: %v", dsn, err)
		}
	}
}
