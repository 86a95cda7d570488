package pages_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/consent/service"
	"github.com/modicum-proxy/modicum/internal/notice"
	"github.com/modicum-proxy/modicum/internal/pages"
	"github.com/modicum-proxy/modicum/internal/policy"
)

// A person gives a consent, sees it, takes it back, and sees that.
func TestGiveAndWithdraw(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(t)

	first := parse(t, v.get("/privacy/choices"))
	if marked := checked(first); len(marked) > 0 {
		t.Errorf("before the person chose, marked are %v", marked) // GDPR recital 32, CJEU Planet49
	}
	if byID(first, "now") != nil {
		t.Error("before the person chose, the page tells what is in force")
	}

	answer := v.choose("newsletter", "allow", "statistics", "refuse")
	if answer.Code != http.StatusSeeOther || answer.Header().Get("Location") != "/privacy/choices#now" {
		t.Fatalf("status %d to %q: %s", answer.Code, answer.Header().Get("Location"), answer.Body)
	}
	page := parse(t, v.get("/privacy/choices"))
	if diff := cmp.Diff([]string{"newsletter allow", "statistics refuse"}, checked(page)); diff != "" {
		t.Errorf("marked (-want +got):\n%s", diff)
	}
	for _, want := range []string{
		"Allowed Send you news and offers by e-mail Not allowed Count how the shop is used",
		"Not chosen, so not allowed Send you a small present", "22 November 2026, 10:04 UTC",
	} {
		if got := text(byID(page, "now")); !strings.Contains(got, want) {
			t.Errorf("in force is %q, which lacks %q", got, want)
		}
	}
	if got := text(byID(page, "state-newsletter")); !strings.Contains(got, "Saved on 22 November 2026 on this page valid until 22 November 2028 text version") {
		t.Errorf("the card says %q", got)
	}

	if answer := v.choose("newsletter", "refuse"); answer.Code != http.StatusSeeOther {
		t.Fatalf("status %d", answer.Code)
	}
	page = parse(t, v.get("/privacy/choices"))
	if got := text(byID(page, "state-newsletter")); !strings.HasPrefix(got, "You withdrew your consent.") {
		t.Errorf("after the withdrawal the card says %q", got)
	}
	want := []string{"newsletter grant page", "statistics object page", "newsletter withdraw page"}
	if diff := cmp.Diff(want, s.store.stored()); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}

// What is stored as evidence is what stood on the page and in its document.
func TestShown(t *testing.T) {
	t.Parallel()
	for _, lang := range []string{"en", "ru"} {
		s := newSite(t)
		v := s.visitor(t)
		v.headers["Accept-Language"] = lang
		v.choose("newsletter", "allow")
		e := s.store.events()[0]
		id, _ := s.set.Load().PurposeID("newsletter")
		if want := notice.ForPurpose(s.set.Load(), id, lang).ID; e.Notice != want {
			t.Errorf("the notice is %q, want %q", e.Notice, want)
		}
		if e.Shown == nil || e.Shown.Language != lang {
			t.Fatalf("shown is %+v", e.Shown)
		}
		document := text(byID(parse(t, v.get("/privacy/consents/newsletter")), "main"))
		card := text(byID(parse(t, v.get("/privacy/choices")), "purpose-newsletter"))
		for line := range strings.Lines(e.Shown.Text) {
			for _, piece := range strings.FieldsFunc(strings.ReplaceAll(strings.TrimSpace(line), ": ", "\n"), func(r rune) bool { return r == '\n' || r == ';' }) {
				if piece = strings.TrimSpace(piece); !strings.Contains(document, piece) {
					t.Errorf("the document in %s lacks %q", lang, piece)
				}
			}
		}
		for _, cell := range elements(byID(parse(t, v.get("/privacy/choices")), "purpose-newsletter"), "dd") {
			for _, value := range append(elements(cell, "li"), cell) {
				if len(elements(value, "li")) == 0 && !strings.Contains(e.Shown.Text, text(value)) {
					t.Errorf("the copy in %s lacks %q", lang, text(value))
				}
			}
		}
		if !strings.Contains(card, strings.SplitN(e.Shown.Text, "\n", 2)[0]) {
			t.Errorf("the card in %s lacks the title", lang)
		}
	}
}

func TestButtonsForAll(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(t)
	v.submit(v.form("/privacy/choices"), "refuse-all", "newsletter", "allow") // the button wins over the marks
	v.submit(v.form("/privacy/choices"), "allow-all")
	v.submit(v.form("/privacy/choices"), "allow-all") // nothing changes
	v.submit(v.form("/privacy/choices"), "refuse-all")
	want := []string{
		"newsletter refuse page", "birthday refuse page", "statistics object page",
		"newsletter grant page", "birthday grant page", "statistics grant page",
		"newsletter withdraw page", "birthday withdraw page", "statistics object page",
	}
	if diff := cmp.Diff(want, s.store.stored()); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}

// A withdrawal that cannot be stored is not said to be one.
func TestStoreFails(t *testing.T) {
	t.Parallel()
	for _, failure := range []struct {
		err  error
		says string
	}{
		{consent.ErrUnavailable, "Your choices are not saved"},
		{consent.ErrOutcomeUnknown, "We do not know whether your choices are saved"},
		{consent.ErrPending, "We do not know whether your choices are saved"},
	} {
		s := newSite(t)
		v := s.visitor(t)
		v.choose("newsletter", "allow")
		s.store.failKeep = failure.err
		answer := v.choose("newsletter", "refuse", "birthday", "allow")
		if answer.Code != http.StatusServiceUnavailable || answer.Header().Get("Retry-After") == "" {
			t.Errorf("status %d", answer.Code)
		}
		page := parse(t, answer)
		got := text(byID(page, "problem"))
		if !strings.HasPrefix(got, failure.says) || !strings.Contains(got, "Not withdrawn: Send you news") {
			t.Errorf("the page says %q", got)
		}
		if got := text(byID(page, "now")); !strings.Contains(got, "Allowed Send you news") {
			t.Errorf("in force is %q", got)
		}
		if diff := cmp.Diff([]string{"newsletter refuse", "birthday allow"}, checked(page)); diff != "" {
			t.Errorf("marked (-want +got):\n%s", diff)
		}
	}
}

// A proxy that denies what could not be stored does not claim that it was.
func TestDeniedHereAlone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(t)
	v.choose("newsletter", "allow")
	s.store.failKeep = consent.ErrUnavailable
	v.choose("newsletter", "refuse")
	s.store.failKeep = nil
	page := parse(t, v.get("/privacy/choices"))
	if got := text(byID(page, "state-newsletter")); !strings.Contains(got, "could not save that yet") {
		t.Errorf("the card says %q", got)
	}
	if got := text(byID(page, "now")); !strings.Contains(got, "not saved yet Send you news") || strings.Contains(got, "Not allowed") {
		t.Errorf("in force is %q", got)
	}
	v.choose("newsletter", "refuse")
	if got := s.store.stored(); !slices.Contains(got, "newsletter withdraw page") {
		t.Errorf("a second try stored %v", got)
	}
}

// asked is a service whose answers may lag, under a lease. It counts what it is
// asked to store.
type asked struct {
	*service.Service

	lagging bool
	chosen  int
}

func (a *asked) Choices(r *http.Request, set *policy.Set, purposes []policy.PurposeID) ([]consent.Choice, error) {
	choices, err := a.Service.Choices(r, set, purposes)
	for i := range choices {
		choices[i].Lagging = a.lagging
	}
	return choices, err
}

func (a *asked) Choose(r *http.Request, h http.Header, set *policy.Set, source consent.Source, decisions []consent.Decision) error {
	a.chosen += len(decisions)
	return a.Service.Choose(r, h, set, source, decisions)
}

// Under a lease this proxy may not know yet that another one stored a consent.
// That it takes it for refused does not spare it to store the refusal: else
// the person would be told of a withdrawal that nobody made.
func TestRefusedWhileLagging(t *testing.T) {
	t.Parallel()
	consents := &asked{}
	s := newSite(t, func(o *pages.Options) {
		consents.Service = o.Consents.(*service.Service)
		o.Consents = consents
	})
	v := s.visitor(t)
	v.choose("newsletter", "refuse")
	before := consents.chosen
	if v.choose("newsletter", "refuse"); consents.chosen != before {
		t.Error("a refusal that is in force was stored again")
	}
	consents.lagging = true
	if v.choose("newsletter", "refuse"); consents.chosen != before+1 {
		t.Error("a refusal that may not be in force was not stored")
	}
}

// When the store cannot be read, what it takes is kept nonetheless.
func TestReadFails(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(t)
	v.cookies[personCookie] = s.newPerson()
	s.store.failRead = errors.New("down")
	answer := v.get("/privacy/choices")
	if answer.Code != http.StatusServiceUnavailable || len(checked(parse(t, answer))) > 0 {
		t.Errorf("status %d, marked %v", answer.Code, checked(parse(t, answer)))
	}
	if answer := v.choose("newsletter", "refuse"); answer.Code != http.StatusSeeOther {
		t.Errorf("status %d", answer.Code)
	}
	if diff := cmp.Diff([]string{"newsletter withdraw page"}, s.store.stored()); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}

func TestNothingMarked(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(t)
	answer := v.choose("newsletter", "maybe")
	page := parse(t, answer)
	if answer.Code != http.StatusUnprocessableEntity || len(s.store.stored()) > 0 {
		t.Errorf("status %d, stored %v", answer.Code, s.store.stored())
	}
	for _, link := range elements(byID(page, "problem"), "a") {
		if byID(page, strings.TrimPrefix(attribute(link, "href"), "#")) == nil {
			t.Errorf("the summary of errors leads nowhere: %s", attribute(link, "href"))
		}
	}
}

// Nobody consents to a text that changed while the page was open; to say no
// needs no reading.
func TestTextChanges(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(t)
	v.choose("newsletter", "allow", "birthday", "allow")
	form := v.form("/privacy/choices")
	s.change(strings.Replace(shopPolicy, "A letter a month", "A letter a week", 1))

	page := parse(t, v.get("/privacy/choices"))
	if got := text(byID(page, "state-newsletter")); !strings.Contains(got, "the text has changed") || slices.Contains(checked(page), "newsletter allow") {
		t.Errorf("the card says %q, marked are %v", got, checked(page))
	}
	answer := v.submit(form, "save", "newsletter", "allow", "birthday", "refuse")
	if page := parse(t, answer); answer.Code != http.StatusConflict || !strings.Contains(text(byID(page, "problem")), "Send you news") ||
		!slices.Equal(checked(page), []string{"birthday refuse"}) {
		t.Errorf("status %d: %s, marked %v", answer.Code, text(byID(page, "problem")), checked(page))
	}
	if len(s.store.events()) != 2 {
		t.Errorf("stored %v", s.store.stored())
	}
	if answer := v.submit(form, "save", "newsletter", "refuse", "birthday", "refuse"); answer.Code != http.StatusSeeOther {
		t.Errorf("no to an old text: status %d", answer.Code)
	}
	last := s.store.events()[2]
	if last.Purpose != "newsletter" || last.Action != consent.Withdraw || last.Notice != "" || last.Shown != nil {
		t.Errorf("stored was %+v: what was shown is not known", last)
	}
}

func TestExpires(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(t)
	v.choose("birthday", "allow")
	s.clock = s.clock.AddDate(1, 0, 1)
	page := parse(t, v.get("/privacy/choices"))
	if got := text(byID(page, "state-birthday")); !strings.Contains(got, "your consent has expired") || !strings.Contains(got, "expired on 22 November 2027") || len(checked(page)) > 0 {
		t.Errorf("the card says %q, marked are %v", got, checked(page))
	}
}

// 11 CCR §7025(c)(6): that a signal was honoured is shown.
func TestGPC(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(t)
	if page := parse(t, v.get("/privacy/choices")); byID(page, "gpc") != nil {
		t.Error("without the signal it is said to be honoured")
	}
	for _, value := range []string{"0", "true", "11"} {
		if page := parse(t, v.get("/privacy/choices", "Sec-GPC", value)); byID(page, "gpc") != nil {
			t.Errorf("Sec-GPC: %s is no signal", value)
		}
	}
	page := parse(t, v.get("/privacy/choices", "Sec-GPC", "1, 1")) // a proxy joined two; they are honoured
	if got := text(byID(page, "gpc").Parent); !strings.Contains(got, "Opt-out request honoured") || !strings.Contains(got, "Count how the shop is used") ||
		strings.Contains(got, "news") {
		t.Errorf("the page says %q", got)
	}
	if len(checked(page)) > 0 {
		t.Errorf("a signal marked %v", checked(page))
	}
	v.choose("statistics", "refuse")
	if page := parse(t, v.get("/privacy/choices")); byID(page, "gpc") != nil {
		t.Error("the person's own objection is said to be the signal's")
	}
	v.choose("statistics", "allow")
	page = parse(t, v.get("/privacy/choices", "Sec-GPC", "1"))
	if got := text(byID(page, "gpc").Parent); !strings.Contains(got, "You allowed the following here yourself") {
		t.Errorf("the page says %q", got)
	}
}

// What a cookie banner says is in force, but it is no mark of the person's.
func TestSignal(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(t)
	v.cookies["klaro"] = klaro
	page := parse(t, v.get("/privacy/choices"))
	if got := text(byID(page, "state-newsletter")); !strings.Contains(got, "Allowed") || !strings.Contains(got, "Klaro") || len(checked(page)) > 0 {
		t.Errorf("the card says %q, marked are %v", got, checked(page))
	}
	if got := text(byID(parse(t, v.get("/privacy/choices", "ADPC", "object=*")), "state-statistics")); got != "Not allowed, as you chose elsewhere. by your browser (ADPC)" {
		t.Errorf("the card says %q", got)
	}
	v.choose("newsletter", "refuse", "birthday", "refuse")
	if diff := cmp.Diff([]string{"newsletter withdraw page", "birthday refuse page"}, s.store.stored()); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}
