package pages_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/google/go-cmp/cmp"
)

// A person gives a consent and takes it back in a browser that runs no script,
// with our cookies and our Content-Security-Policy as they are.
func TestWithoutScript(t *testing.T) {
	t.Parallel()
	browser := startBrowser(t)
	s := newSite(t)
	b := open(browser, t)
	complaints := make(chan string, 100)
	b.run(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		if _, err := cdp.Call(ctx, target, log.Enable, cdp.Empty{}); err != nil {
			return err
		}
		_, err := cdp.Call(ctx, target, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	}))
	if err := chromedp.Listen(b.ctx, func(event any) {
		if added, ok := event.(*log.EventEntryAdded); ok {
			complaints <- added.Entry.Text + " " + added.Entry.URL
		}
	}); err != nil {
		t.Fatal(err)
	}
	address := serve(t, s) + "/privacy/"
	// Without motion: a page that scrolls is not where it was when it is clicked.
	b.run(screens[0].look(), chromedp.Navigate(address), mark("newsletter", "allow"), save)
	if got := get(b, chromedp.Location()); got != address+"choices#now" {
		t.Errorf("after saving the browser is at %s", got)
	}
	now := func() string {
		return strings.Join(strings.Fields(get(b, chromedp.Text(chromedp.CSS("#now")))), " ")
	}
	if got := now(); !strings.Contains(got, "Allowed Send you news") {
		t.Errorf("in force is %q", got)
	}
	b.run(mark("newsletter", "refuse"), save)
	if got := now(); !strings.Contains(got, "Not allowed Send you news") {
		t.Errorf("in force is %q", got)
	}
	if diff := cmp.Diff([]string{"newsletter grant page", "newsletter withdraw page"}, s.stored()); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	close(complaints)
	for complaint := range complaints {
		if !strings.Contains(complaint, "favicon.ico") { // the site's, which this one lacks
			t.Errorf("the browser complains: %s", complaint)
		}
	}
}

// focused describes what has the focus, and whether one sees that it has.
const focused = `(() => {
	const e = document.activeElement, shown = e.closest("label") ?? e
	const visible = [e, shown].some(x => getComputedStyle(x).outlineStyle != "none" && parseFloat(getComputedStyle(x).outlineWidth) >= 2)
	return (e.id || e.value || e.getAttribute("href") || e.tagName) + (visible ? "" : " unseen")
})()`

// A person who uses the keyboard alone reaches everything, in the order of the
// page, sees where they are, and saves.
func TestKeyboardAlone(t *testing.T) {
	t.Parallel()
	browser := startBrowser(t)
	s := newSite(t)
	b := open(browser, t)
	b.run(screens[0].look(), chromedp.Navigate(serve(t, s)+"/privacy/choices"))

	b.run(chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter)) // the way past the header
	if got := ask[string](b, `document.activeElement.id`); got != "main" {
		t.Errorf("the skip link leads to %q", got)
	}
	var order []string
	for len(order) < 30 && !slices.Contains(order, "allow-all") {
		b.run(chromedp.KeyEvent(kb.Tab))
		at := ask[string](b, focused)
		order = append(order, at)
		switch at {
		case "allow-newsletter": // mark it
			b.run(chromedp.KeyEvent(" "))
		case "allow-statistics": // and go on to the other
			b.run(chromedp.KeyEvent(kb.ArrowDown))
			order = append(order, ask[string](b, focused))
		}
	}
	want := []string{
		"allow-newsletter", "/privacy/consents/newsletter", "allow-birthday", "/privacy/consents/birthday",
		"allow-statistics", "refuse-statistics", "/privacy/consents/statistics", "save", "refuse-all", "allow-all",
	}
	if diff := cmp.Diff(want, order); diff != "" {
		t.Errorf("the focus goes (-want +got):\n%s", diff)
	}
	b.run(chromedp.KeyEvent("\t", chromedp.KeyModifiers(chromedp.ModifierShift)), chromedp.KeyEvent("\t", chromedp.KeyModifiers(chromedp.ModifierShift)))
	if got := ask[string](b, focused); got != "save" {
		t.Fatalf("back from there is %q", got)
	}
	get(b, chromedp.WaitEvent(page.LoadEventFired, nil, chromedp.KeyEvent(kb.Enter)))
	if diff := cmp.Diff([]string{"newsletter grant page", "statistics object page"}, s.stored()); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}

// The document of a consent is printed without what is there to be pressed.
func TestPrinted(t *testing.T) {
	t.Parallel()
	browser := startBrowser(t)
	b := open(browser, t)
	b.run(chromedp.Navigate(serve(t, newSite(t))+"/privacy/consents/newsletter"), chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
		return err
	}))
	for selector, want := range map[string]bool{"nav": false, ".skip": false, ".choose": false, "h1": true, ".declaration": true, ".rows": true, ".version": true} {
		if shown := ask[bool](b, `document.querySelector("`+selector+`").checkVisibility()`); shown != want {
			t.Errorf("%s is printed: %t, want %t", selector, shown, want)
		}
	}
}
