package pages_test

import (
	"crypto/rand"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/net/html"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/consent/signal"
	"github.com/modicum-proxy/modicum/internal/notice"
	"github.com/modicum-proxy/modicum/internal/pages"
	"github.com/modicum-proxy/modicum/internal/policy"
)

// memory is a small, obviously right store of choices, by the value of a
// cookie. It follows the same rules as the real one as far as pages see them.
type memory struct {
	now func() time.Time

	mu       sync.Mutex
	events   []consent.Event
	failRead error
	failKeep error
	// signal is what a cookie of the site's cookie banner says.
	signal map[string]consent.Status
	// denied are purposes that this proxy denies, although nothing is stored.
	denied []string
	// lagging says that this proxy decides by what it read some time ago.
	lagging bool
	// heard are purposes that the browser refuses by ADPC.
	heard []string
}

const personCookie = "__Host-person"

func person(r *http.Request) string {
	c, err := r.Cookie(personCookie)
	if err != nil {
		return ""
	}
	return c.Value
}

func (m *memory) Choices(r *http.Request, set *policy.Set, purposes []policy.PurposeID) ([]consent.Choice, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failRead != nil {
		return nil, m.failRead
	}
	choices := make([]consent.Choice, len(purposes))
	for i, id := range purposes {
		choices[i] = m.choiceLocked(r, set, id)
		choices[i].Lagging = m.lagging
	}
	return choices, nil
}

func (m *memory) choiceLocked(r *http.Request, set *policy.Set, id policy.PurposeID) consent.Choice {
	p := &set.Purposes[id]
	c := consent.Choice{Purpose: p.Name, Status: consent.Unasked}
	for i := range m.events {
		if e := &m.events[i]; string(e.Subject) == person(r) && e.Subject != "" && e.Purpose == p.Name {
			c.Latest = consent.State{
				Purpose: e.Purpose, Action: e.Action, Source: e.Source, Time: e.Time, Expires: e.Expires,
				Notice: e.Notice, Revision: e.Revision,
			}
		}
	}
	if slices.Contains(m.denied, p.Name) {
		c.Latest = consent.State{Purpose: p.Name, Action: consent.Withdraw, Source: consent.FromPage}
	}
	if slices.Contains(m.heard, p.Name) {
		c.Latest = consent.State{Purpose: p.Name, Action: consent.Withdraw, Source: consent.FromADPC}
	}
	if c.Latest.Action == consent.Grant {
		current := false
		for _, tag := range append(notice.Languages(set), "") {
			current = current || notice.ForPurpose(set, id, tag).ID == c.Latest.Notice
		}
		switch {
		case !c.Latest.Expires.IsZero() && !m.now().Before(c.Latest.Expires):
			c.Status = consent.Expired
		case !current:
			c.Status = consent.Outdated
		default:
			c.Status, c.Source = consent.Granted, c.Latest.Source
		}
	} else if c.Latest.Action != "" {
		c.Status, c.Source = consent.Denied, c.Latest.Source
		c.TakenBack = c.Latest.Revision > 0 && c.Latest.Action.TakesBack()
	}
	if c.Status != consent.Granted && c.Status != consent.Denied {
		if status, told := m.signal[p.Name]; told {
			c.Status, c.Source = status, consent.FromKlaro
		}
		if signal.PrefersPrivacy(r.Header) && p.Objection == "gpc" {
			c.Status, c.Source = consent.Denied, consent.FromGPC
		}
	}
	return c
}

func (m *memory) Choose(r *http.Request, h http.Header, set *policy.Set, source consent.Source, decisions []consent.Decision) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failKeep != nil {
		return m.failKeep
	}
	who := person(r)
	if who == "" {
		who = rand.Text()
	}
	h.Add("Set-Cookie", personCookie+"="+who+"; Path=/; Secure; HttpOnly; SameSite=Lax")
	for _, d := range decisions {
		id, ok := set.PurposeID(d.Purpose)
		if !ok {
			return errors.New("the purpose is unknown")
		}
		e := consent.Event{
			ID: uuid.New(), Revision: consent.Revision(len(m.events) + 1), Subject: consent.Subject(who), Purpose: d.Purpose,
			Action: d.Action, Source: source, Time: m.now(), Notice: d.Notice, Shown: d.Shown, Policy: set.Version,
		}
		if d.Action == consent.Grant {
			e.Expires = set.Purposes[id].Term(e.Time)
		}
		m.events = append(m.events, e)
	}
	m.denied = nil
	return nil
}

func (m *memory) Evidence(r *http.Request) ([]consent.Event, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failRead != nil {
		return nil, m.failRead
	}
	var found []consent.Event
	for i := range m.events {
		if string(m.events[i].Subject) == person(r) && person(r) != "" {
			found = append(found, m.events[i])
		}
	}
	return found, nil
}

// stored returns what is stored, as "purpose action source".
func (m *memory) stored() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := []string{}
	for i := range m.events {
		list = append(list, m.events[i].Purpose+" "+string(m.events[i].Action)+" "+string(m.events[i].Source))
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
    recipients: [{en: Letter service Post & Co, ru: Служба рассылок Post & Co}]
  birthday:
    title: {en: Send you a small present on your birthday, ru: Дарить вам что-нибудь маленькое на день рождения}
    basis: consent
    retention: 5y
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

	store *memory
	clock time.Time

	t   *testing.T
	set atomic.Pointer[policy.Set]
}

// change puts another policy in force.
func (s *site) change(text string) { s.set.Store(compile(s.t, text)) }

func newSite(t *testing.T, change ...func(*pages.Options)) *site {
	t.Helper()
	s := &site{t: t, clock: time.Date(2026, 11, 22, 10, 4, 0, 0, time.UTC)}
	s.change(shopPolicy)
	now := func() time.Time { return s.clock }
	s.store = &memory{now: now}
	o := pages.Options{
		Policy: s.set.Load, Consents: s.store, Key: []byte(strings.Repeat("k", 32)),
		Person: person, Now: now, Rate: 1e6, Burst: 1e6,
	}
	for _, c := range change {
		c(&o)
	}
	var err error
	if s.Pages, err = pages.New(o); err != nil {
		t.Fatal(err)
	}
	return s
}

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
