package pages_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/net/html"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/consent/freshness"
	"github.com/modicum-proxy/modicum/internal/consent/service"
	"github.com/modicum-proxy/modicum/internal/notice/words"
	"github.com/modicum-proxy/modicum/internal/pages"
	"github.com/modicum-proxy/modicum/internal/policy"
	"github.com/modicum-proxy/modicum/internal/store/storetest"
	"github.com/modicum-proxy/modicum/internal/subject"
)

// store is a store in memory that can fail.
type store struct {
	storetest.Memory

	t        *testing.T
	failRead error
	failKeep error
}

func (s *store) Load(ctx context.Context, subject consent.Subject) (consent.Record, error) {
	if s.failRead != nil {
		return consent.Record{}, s.failRead
	}
	return s.Memory.Load(ctx, subject)
}

func (s *store) Events(ctx context.Context, subject consent.Subject, after consent.Revision, limit int) ([]consent.Event, error) {
	if s.failRead != nil {
		return nil, s.failRead
	}
	return s.Memory.Events(ctx, subject, after, limit)
}

func (s *store) Changes(ctx context.Context, since consent.Mark) (consent.Changes, error) {
	if s.failRead != nil {
		return consent.Changes{}, s.failRead
	}
	return s.Memory.Changes(ctx, since)
}

func (s *store) Append(ctx context.Context, events ...consent.Event) (consent.Commit, error) {
	if s.failKeep != nil {
		return consent.Commit{}, s.failKeep
	}
	return s.Memory.Append(ctx, events...)
}

// events returns what is stored.
func (s *store) events() []consent.Event {
	s.t.Helper()
	events, err := s.Memory.Events(context.Background(), "", 0, 1000)
	if err != nil {
		s.t.Fatal(err)
	}
	return events
}

// stored returns what is stored, as "purpose action source".
func (s *store) stored() []string {
	s.t.Helper()
	list := []string{}
	for _, e := range s.events() {
		list = append(list, e.Purpose+" "+string(e.Action)+" "+string(e.Source))
	}
	return list
}

const shopPolicy = `version: 1
controller:
  name: {en: Whittle Woodware, ru: Мастерская «Whittle»}
  contact: privacy@whittle.example
  address: {en: "Lindenstraße 12, Berlin", ru: "Линденштрассе 12, Берлин"}
  country: DE
purposes:
  delivery:
    title: {en: Deliver your order, ru: Доставить заказ}
    basis: contract
  newsletter:
    title: {en: Send you news and offers by e-mail, ru: Присылать новости и предложения по почте}
    description:
      en: A letter a month about what we carve. Each has a link to stop it.
      ru: Раз в месяц — письмо о том, что мы вырезаем. В каждом есть ссылка, чтобы отписаться.
    benefit: {en: A 5 % voucher with the first letter, ru: Скидка 5 % в первом письме}
    basis: consent
    retention: 2y
    signals: {klaro: news}
    recipients: [{en: Letter service Post & Co, ru: Служба рассылок Post & Co}]
  birthday:
    title: {en: Send you a small present on your birthday, ru: Дарить вам что-нибудь маленькое на день рождения}
    basis: consent
    retention: 5y
    signals: {klaro: birthday}
    expires: 1y
  statistics:
    title: {en: Count how the shop is used, ru: "Считать, как пользуются магазином"}
    description: {en: So that we carve what people look for., ru: "Чтобы вырезать то, что ищут."}
    basis: legitimate_interests
    retention: 30d
    objection: gpc
  technical: {title: Make the pages work, basis: not_personal}
collections:
  checkout:
    on: POST /checkout
    fields:
      name: {for: delivery, category: user.name}
      email: {for: [delivery, newsletter], category: user.contact.email}
      first_name: {for: newsletter, category: user.name.first}
      items.*.favourite_wood: newsletter
      birthday: {for: birthday, keep: year, category: user.demographic.date_of_birth}
      last_ip: {for: statistics, keep: network, category: user.device.ip_address}
      csrf_token: technical
    consents: {newsletter: subscribe}
`

func compile(t *testing.T, text string) *policy.Set {
	t.Helper()
	set, problems := policy.Compile(policy.Source{Name: "privacy.yaml", Data: []byte(text)})
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return set
}

// site is a site with the pages, and what drives it.
type site struct {
	*pages.Pages

	service *service.Service
	store   *store
	clock   time.Time

	t   *testing.T
	set atomic.Pointer[policy.Set]
}

// change puts another policy in force.
func (s *site) change(text string) { s.set.Store(compile(s.t, text)) }

func newSite(t *testing.T, change ...func(*pages.Options)) *site {
	t.Helper()
	s := &site{t: t, clock: time.Date(2026, 11, 22, 10, 4, 0, 0, time.UTC), store: &store{t: t}}
	s.change(shopPolicy)
	now := func() time.Time { return s.clock }
	registry, err := freshness.NewRegistry(freshness.Options{Open: func(context.Context) (consent.Store, error) { return s.store, nil }, Now: now})
	must(t, err)
	t.Cleanup(func() { must(t, registry.Close()) })
	keys, err := subject.ParseKeys([]byte(strings.Repeat("k", 32)))
	must(t, err)
	languages, err := words.Read(nil)
	must(t, err)
	s.service = &service.Service{Registry: registry, Keys: keys, Words: languages, Now: now, NewID: uuid.New}
	o := pages.Options{
		Prefix: "/privacy/", Policy: s.set.Load, Consents: s.service, Languages: languages, Key: keys.Form(), Person: s.service.Person,
		Client: func(r *http.Request) string { return r.RemoteAddr }, Logger: slog.New(slog.DiscardHandler), Now: now, Rate: 1e6, Burst: 1e6,
	}
	for _, c := range change {
		c(&o)
	}
	s.Pages, err = pages.New(o)
	must(t, err)
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newPerson returns the cookie of a person who has chosen nothing yet.
func (s *site) newPerson() string {
	c := s.service.Keys.NewCookie()
	value, _, _ := strings.Cut(strings.TrimPrefix(c.String(), personCookie+"="), ";")
	return value
}

const (
	personCookie = subject.CookieName
	// klaro is a cookie of the site's cookie banner: news yes, birthday no.
	klaro = "%7B%22news%22%3Atrue%2C%22birthday%22%3Afalse%7D"
)

// visitor is a browser without scripts: it keeps cookies and submits forms.
type visitor struct {
	t       *testing.T
	site    http.Handler
	cookies map[string]string
	headers map[string]string
	origin  string
}

func (s *site) visitor(t *testing.T) *visitor {
	t.Helper()
	return &visitor{t: t, site: s, cookies: map[string]string{}, headers: map[string]string{}, origin: "https://shop.example"}
}

func (v *visitor) do(method, target, body string, headers ...string) *httptest.ResponseRecorder {
	v.t.Helper()
	r := httptest.NewRequestWithContext(v.t.Context(), method, v.origin+target, strings.NewReader(body))
	for name, value := range v.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value}) //nolint:gosec // G124: what a browser sends has no attributes
	}
	for name, value := range v.headers {
		r.Header.Set(name, value)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	v.site.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		v.cookies[c.Name] = c.Value
	}
	return w
}

func (v *visitor) get(target string, headers ...string) *httptest.ResponseRecorder {
	v.t.Helper()
	return v.do(http.MethodGet, target, "", headers...)
}

// form returns the hidden fields of the page of choices.
func (v *visitor) form(target string) url.Values {
	v.t.Helper()
	fields := url.Values{}
	for _, input := range elements(parse(v.t, v.get(target)), "input") {
		if attribute(input, "type") == "hidden" {
			fields.Set(attribute(input, "name"), attribute(input, "value"))
		}
	}
	return fields
}

// submit sends a form as a browser does.
func (v *visitor) submit(form url.Values, button string, choices ...string) *httptest.ResponseRecorder {
	v.t.Helper()
	form.Set("do", button)
	for i := 0; i+1 < len(choices); i += 2 {
		form.Set("choice."+choices[i], choices[i+1])
	}
	return v.do(http.MethodPost, "/privacy/choices", form.Encode(),
		"Content-Type", "application/x-www-form-urlencoded", "Origin", "https://shop.example", "Sec-Fetch-Site", "same-origin")
}

// choose opens the page, marks and saves.
func (v *visitor) choose(choices ...string) *httptest.ResponseRecorder {
	v.t.Helper()
	return v.submit(v.form("/privacy/choices"), "save", choices...)
}

func parse(t *testing.T, answer *httptest.ResponseRecorder) *html.Node {
	t.Helper()
	if got := answer.Header().Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Fatalf("Content-Type is %q, status %d: %s", got, answer.Code, answer.Body)
	}
	root, err := html.Parse(strings.NewReader(answer.Body.String()))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func elements(root *html.Node, name string) []*html.Node {
	var found []*html.Node
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && n.Data == name {
			found = append(found, n)
		}
	}
	return found
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

// byID returns the element with an id, nil if there is none.
func byID(root *html.Node, id string) *html.Node {
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && attribute(n, "id") == id {
			return n
		}
	}
	return nil
}

// text returns the text of an element, white space folded.
func text(n *html.Node) string {
	if n == nil {
		return ""
	}
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// checked returns the radios that are marked, as "purpose answer".
func checked(root *html.Node) []string {
	marked := []string{}
	for _, input := range elements(root, "input") {
		if attribute(input, "type") == "radio" && has(input, "checked") {
			marked = append(marked, strings.TrimPrefix(attribute(input, "name"), "choice.")+" "+attribute(input, "value"))
		}
	}
	return marked
}
