package pages_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// missing skips a test on a bare machine and fails it in CI.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// startBrowser starts Chromium and returns the context of its first tab.
func startBrowser(t *testing.T) context.Context {
	t.Helper()
	if testing.Short() {
		t.Skip("a browser is no short test")
	}
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		missing(t, "there is no browser: install chromium")
	}
	options := []chromedp.ExecAllocatorOption{chromedp.ExecPath(chromium), chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox, chromedp.NoFirstRun}
	for _, flag := range []string{
		"headless", "disable-gpu", "disable-quic", "disable-background-networking", "disable-component-update", "disable-sync",
		"hide-scrollbars", "no-proxy-server",
	} {
		options = append(options, chromedp.Flag(flag, true))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting the browser: %v", err)
	}
	return ctx
}

// tab is one tab of the browser.
type tab struct {
	t   *testing.T
	ctx context.Context
}

// open opens a tab that shares no cookies with others.
func open(browser context.Context, t *testing.T) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	return &tab{t: t, ctx: ctx}
}

// step is something that is done in a tab.
type step = chromedp.Action[chromedp.Void]

func (b *tab) run(steps ...step) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// get runs what has a value.
func get[T any](b *tab, action chromedp.Action[T]) T {
	b.t.Helper()
	value, err := chromedp.Run(b.ctx, action)
	if err != nil {
		b.t.Fatal(err)
	}
	return value
}

// ask evaluates an expression in a tab. It comes through the debugger, which
// no Content-Security-Policy is about.
func ask[T any](b *tab, expression string) T {
	b.t.Helper()
	return get(b, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// readAxe returns the script of axe-core.
func readAxe(t *testing.T) string {
	t.Helper()
	file := os.Getenv("MODICUM_AXE")
	if file == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		found, err := filepath.Glob(filepath.Join(cache, "modicum-ci", "axe-*", "node_modules", "axe-core", "axe.min.js"))
		if err != nil || len(found) == 0 {
			missing(t, "there is no axe-core: run .ci/axe, or name axe.min.js in MODICUM_AXE")
		}
		file = found[len(found)-1]
	}
	script, err := os.ReadFile(file) //nolint:gosec // G304: the developer names it
	if err != nil {
		t.Fatal(err)
	}
	return string(script)
}

// screen is how a visitor sees a page.
type screen struct {
	scheme string // light, dark
	width  int64
	forced bool // forced colours, as Windows' high contrast
}

func (s screen) String() string {
	name := fmt.Sprintf("%s-%d", s.scheme, s.width)
	if s.forced {
		name += "-forced"
	}
	return name
}

var screens = []screen{{scheme: "light", width: 1280}, {scheme: "light", width: 320}, {scheme: "dark", width: 1280}, {scheme: "dark", width: 320}}

// look makes a tab show its page as on a screen.
func (s screen) look() step {
	forced := "none"
	if s.forced {
		forced = "active"
	}
	return chromedp.Steps(
		chromedp.EmulateViewport(s.width, 800),
		chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
			_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
				{Name: "prefers-color-scheme", Value: s.scheme},
				{Name: "prefers-reduced-motion", Value: "reduce"}, // colours in motion have any contrast
				{Name: "forced-colors", Value: forced},
			}})
			return err
		}),
	)
}

// audit runs axe-core over the page of a tab and returns what it finds. The
// size of targets is of WCAG 2.2, which axe-core leaves out if not told.
func (b *tab) audit() []string {
	b.t.Helper()
	return ask[[]string](b, `axe.run(document, {resultTypes: ["violations"], rules: {"target-size": {enabled: true}}}).then(r =>
		r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + n.html.slice(0, 120) + " " + n.failureSummary.replace(/\s+/g, " "))))`)
}

// shoot keeps a picture of the whole page in the directory MODICUM_SHOTS.
func (b *tab) shoot(name string) {
	b.t.Helper()
	dir := os.Getenv("MODICUM_SHOTS")
	if dir == "" {
		return
	}
	picture := get(b, chromedp.FullScreenshot(100))
	if err := os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o600); err != nil { //nolint:gosec // G703: the developer names it
		b.t.Fatal(err)
	}
}

// serve serves a site over HTTP; browsers take Secure cookies from
// localhost.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
}

// with serves a site to a visitor who sends these headers.
func with(h http.Handler, headers map[string]string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range headers {
			r.Header.Add(name, value)
		}
		h.ServeHTTP(w, r)
	})
}

// save submits the form, and waits for the page that follows.
func save(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
	_, err := chromedp.WaitEvent(page.LoadEventFired, nil, chromedp.Click(`button[value="save"]`))(ctx, target)
	return chromedp.Void{}, err
}

// reopen leaves the page for that of choices, and waits for it.
func reopen(ctx context.Context, target *chromedp.Target) error {
	leave := chromedp.Evaluate[chromedp.Void](`location.assign("/privacy/choices?lang=" + document.documentElement.lang)`)
	_, err := chromedp.WaitEvent(page.LoadEventFired, nil, leave)(ctx, target)
	return err
}
