package service_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/consent/freshness"
	"github.com/modicum-proxy/modicum/internal/consent/service"
	"github.com/modicum-proxy/modicum/internal/notice"
	"github.com/modicum-proxy/modicum/internal/notice/words"
	"github.com/modicum-proxy/modicum/internal/policy"
	"github.com/modicum-proxy/modicum/internal/store/storetest"
	"github.com/modicum-proxy/modicum/internal/subject"
)

const shop = `version: 1
controller: {name: {en: Shop, ru: Лавка}, country: DE}
purposes:
  delivery: {basis: contract, retention: 3y}
  news: {title: {en: Send news, ru: Присылать новости}, basis: consent, retention: 1y, signals: {klaro: mailing}}
  poll: {title: {en: Ask your opinion}, basis: consent, retention: 1y}
  ads: {title: {en: Show ads}, basis: legitimate_interests, retention: 1y, objection: gpc}
collections:
  order:
    on: POST /order
    fields: {email: [delivery, news], birthday: news, opinion: poll, screen: ads}
    consents: {news: subscribe, poll: asked}
`

// site is a service on a memory store, and the clock of both.
type site struct {
	*service.Service

	t     testing.TB
	set   *policy.Set
	store *failing
	now   time.Time
}

// failing is a store that fails when it is told to.
type failing struct {
	storetest.Memory

	down error
	due  func() // happens once, behind Due
	// unknown says that what is appended is stored, and that this is not known.
	unknown bool
}

func (f *failing) Due(ctx context.Context, now time.Time, limit int) ([]consent.Event, error) {
	due, err := f.Memory.Due(ctx, now, limit)
	if happens := f.due; happens != nil {
		f.due = nil
		happens()
	}
	return due, err
}

func (f *failing) Append(ctx context.Context, events ...consent.Event) (consent.Commit, error) {
	if f.down != nil {
		return consent.Commit{}, f.down
	}
	commit, err := f.Memory.Append(ctx, events...)
	if err == nil && f.unknown {
		err = consent.ErrOutcomeUnknown
	}
	return commit, err
}

func (f *failing) Load(ctx context.Context, subject consent.Subject) (consent.Record, error) {
	if f.down != nil {
		return consent.Record{}, f.down
	}
	return f.Memory.Load(ctx, subject)
}

// exclusive hides that others could write the store.
type exclusive struct{ consent.Store }

const secret = "0123456789abcdef0123456789abcdef"

func compiled(tb testing.TB, text string) *policy.Set {
	tb.Helper()
	set, diagnostics := policy.Compile(policy.Source{Name: "privacy.yaml", Data: []byte(text)})
	if err := diagnostics.Err(); err != nil {
		tb.Fatal(err)
	}
	return set
}

func newSite(tb testing.TB) *site {
	tb.Helper()
	s := &site{t: tb, set: compiled(tb, shop), store: &failing{}, now: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return s.now }
	registry, err := freshness.NewRegistry(freshness.Options{
		Open: func(context.Context) (consent.Store, error) { return exclusive{s.store}, nil }, Now: clock,
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = registry.Close() })
	keys, err := subject.ParseKeys([]byte(secret))
	if err != nil {
		tb.Fatal(err)
	}
	languages, err := words.Read(nil)
	if err != nil {
		tb.Fatal(err)
	}
	s.Service = &service.Service{
		Registry: registry, Keys: keys, Words: languages, Now: clock,
		NewID: func() uuid.UUID { return uuid.Must(uuid.NewV7()) },
	}
	return s
}

// visitor is a browser, as far as it matters here.
type visitor struct {
	cookie string
	header http.Header
	user   string
}

func (v *visitor) request(method string) *http.Request {
	r := httptest.NewRequestWithContext(context.Background(), method, "https://shop.example/order", nil)
	maps.Copy(r.Header, v.header)
	if v.cookie != "" {
		r.Header.Add("Cookie", "session=1; "+v.cookie)
	}
	return r.WithContext(context.WithValue(r.Context(), userKey{}, v.user))
}

type userKey struct{}

func userOf(r *http.Request) (subject.Identity, bool) {
	user, _ := r.Context().Value(userKey{}).(string)
	realm, name, _ := strings.Cut(user, " ")
	if name == "" {
		name, realm = realm, "shop.example"
	}
	return subject.Identity{Kind: subject.ByUser, Value: name, Realm: realm}, user != ""
}

// takes the cookie that a response sets.
func (v *visitor) take(h http.Header) {
	for _, set := range h["Set-Cookie"] {
		v.cookie, _, _ = strings.Cut(set, ";")
	}
}

func (s *site) purpose(name string) policy.PurposeID {
	s.t.Helper()
	id, ok := s.set.PurposeID(name)
	if !ok {
		s.t.Fatal(name)
	}
	return id
}

// choose makes a choice on the page.
func (s *site) choose(v *visitor, purpose string, action consent.Action) error {
	s.t.Helper()
	h := http.Header{}
	told := notice.ForPurpose(s.set, s.purpose(purpose), "en")
	err := s.Choose(v.request("POST"), h, s.set, consent.FromPage, []consent.Decision{
		{Purpose: purpose, Action: action, Notice: told.ID, Shown: consent.NewShown("en", told.Title)},
	})
	v.take(h)
	return err
}

// submit asks about a submission with the given identifying fields, records
// what was ticked in it, and returns what stands before.
func (s *site) submit(v *visitor, fields map[string]string, ticked ...string) consent.Answer {
	s.t.Helper()
	var all, boxes policy.PurposeSet
	for i := range s.set.Purposes {
		all = all.With(s.set.Purposes[i].ID)
	}
	for _, name := range ticked {
		boxes = boxes.With(s.purpose(name))
	}
	inq := &consent.Inquiry{Request: v.request("POST"), Set: s.set, Purposes: all, Fields: fields, Receipt: "receipt", Began: s.now}
	answer, err := s.Standing(s.t.Context(), inq)
	if err != nil {
		return answer
	}
	if len(ticked) > 0 {
		h := http.Header{}
		if _, err := s.Record(s.t.Context(), h, inq, boxes); err != nil {
			s.t.Fatal(err)
		}
		v.take(h)
	}
	return answer
}

// takeBack stores, on behalf of an identity, that it takes a purpose back.
func (s *site) takeBack(id subject.Identity, purpose string) {
	s.t.Helper()
	action := consent.Withdraw
	if s.set.Purposes[s.purpose(purpose)].Basis != policy.Consent {
		action = consent.Object
	}
	s.append(consent.Event{Subject: s.Keys.Subjects(id)[0], Purpose: purpose, Action: action, Source: consent.FromOperator})
}

// append stores events as somebody else would.
func (s *site) append(events ...consent.Event) {
	s.t.Helper()
	for i := range events {
		events[i].ID, events[i].Time = uuid.Must(uuid.NewV7()), s.now
	}
	_, err := s.Registry.Append(s.t.Context(), events...)
	s.must(err)
}

// everything returns all events that are stored.
func (s *site) everything() []consent.Event {
	s.t.Helper()
	events, err := s.store.Events(s.t.Context(), "", 0, 10_000)
	s.must(err)
	return events
}

// granted reports whether a consent stands for a submission.
func (s *site) granted(v *visitor, purpose string, fields map[string]string) bool {
	s.t.Helper()
	return s.submit(v, fields).Granted.Has(s.purpose(purpose))
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func TestGrantAndWithdraw(t *testing.T) {
	s, v := newSite(t), &visitor{}
	if s.granted(v, "news", nil) {
		t.Fatal("granted before anything was chosen")
	}
	s.must(s.choose(v, "news", consent.Grant))
	if a := s.submit(v, nil); !a.Granted.Has(s.purpose("news")) || a.Granted.Has(s.purpose("poll")) || a.Source != "page" {
		t.Errorf("after a grant: %+v", a)
	}
	if s.granted(&visitor{}, "news", nil) {
		t.Error("granted to somebody else")
	}
	s.must(s.choose(v, "news", consent.Withdraw))
	if a := s.submit(v, nil); a.Granted.Has(s.purpose("news")) {
		t.Errorf("after a withdrawal: %+v", a)
	}
}

func TestTick(t *testing.T) {
	s, v := newSite(t), &visitor{header: http.Header{"Accept-Language": {"ru-RU,ru;q=0.9"}}}
	s.submit(v, nil, "news")
	if !s.granted(v, "news", nil) {
		t.Fatal("a ticked box is not kept")
	}
	events, err := s.Evidence(v.request("GET"))
	if err != nil || len(events) != 1 {
		t.Fatal(events, err)
	}
	e := events[0]
	if e.Source != consent.FromForm || e.Receipt != "receipt" || e.Policy != s.set.Version || !e.Expires.Equal(s.now.AddDate(1, 0, 0)) || e.Address != "" {
		t.Errorf("evidence %+v", e)
	}
	if e.Shown == nil || e.Shown.Language != "ru" || !strings.Contains(e.Shown.Text, "Присылать новости") {
		t.Errorf("shown %+v", e.Shown)
	}
}

// A page of another site submits a form with the box ticked in the visitor's
// browser: neither the visitor's cookie nor their login may be bound by it,
// and the visitor's browser gets no cookie for which something is granted.
func TestTickFromAnotherSite(t *testing.T) {
	s := newSite(t)
	s.Identify = userOf
	v := &visitor{}
	s.must(s.choose(v, "poll", consent.Grant))
	before := v.cookie
	for _, header := range []http.Header{
		{"Sec-Fetch-Site": {"cross-site"}}, {"Sec-Fetch-Site": {"same-site"}}, {"Origin": {"https://evil.example"}},
	} {
		v.header, v.user = header, "ada"
		s.submit(v, nil, "news")
		v.header = nil
		if v.cookie != before || s.granted(v, "news", nil) {
			t.Errorf("%v: another site consented for the visitor", header)
		}
	}
}

func TestTerm(t *testing.T) {
	s, v := newSite(t), &visitor{}
	s.must(s.choose(v, "news", consent.Grant))
	s.now = s.now.AddDate(1, 0, 0).Add(-time.Second)
	if !s.granted(v, "news", nil) {
		t.Error("ended early")
	}
	s.now = s.now.Add(time.Second)
	if s.granted(v, "news", nil) {
		t.Error("outlives its term")
	}
	s.now = s.now.Add(time.Second)
	s.must(s.Registry.EndTerms(t.Context(), freshness.Terms{}))
	choices, err := s.Choices(v.request("GET"), s.set, []policy.PurposeID{s.purpose("news")})
	if err != nil || choices[0].Status != consent.Expired || choices[0].Latest.Action != consent.Expire {
		t.Errorf("%+v, %v", choices, err)
	}
}

// A consent is to what people were told. When that changes, it is asked again.
func TestChangedText(t *testing.T) {
	s, v := newSite(t), &visitor{}
	s.must(s.choose(v, "news", consent.Grant))
	for _, change := range []struct {
		old, with string
		stands    bool
	}{
		{"Ask your opinion", "Ask what you think", true}, // of another purpose
		{"retention: 3y", "retention: 2y", true},
		{"Send news", "Send news and sell your address", false},
		{"en: Shop", "en: Bigger Shop", false},
		{"birthday: news", "birthday: news, phone: news", false},
	} {
		old := s.set
		s.set = compiled(t, strings.Replace(shop, change.old, change.with, 1))
		if got := s.granted(v, "news", nil); got != change.stands {
			t.Errorf("%q instead of %q: stands %t", change.with, change.old, got)
		}
		s.set = old
	}
}

func TestStoreDown(t *testing.T) {
	s, v := newSite(t), &visitor{}
	s.must(s.choose(v, "news", consent.Grant))
	s.store.down = errors.New("no route to host")
	if err := s.choose(v, "news", consent.Withdraw); !errors.Is(err, consent.ErrUnavailable) {
		t.Fatalf("a withdrawal that is not stored: %v", err)
	}
	// What could not be stored is denied here, though the cached record has it.
	if s.granted(v, "news", nil) {
		t.Error("granted after a withdrawal that could not be stored")
	}
	if a := s.submit(&visitor{cookie: "__Host-modicum=1.AAAAAAAAAAAAAAAAAAAAAA.0.00000000.AAAAAAAAAAAAAAAAAAAAAA"}, nil); a.Source != "" {
		t.Errorf("a cookie that is not ours leads to the store: %+v", a)
	}
	other := &visitor{}
	s.store.down = nil
	s.must(s.choose(other, "ads", consent.Object))
	s.store.down = errors.New("no route to host")
	s.now = s.now.Add(time.Hour) // past the life of what is cached
	a := s.submit(other, nil)
	if a.Source != "unknown" || !a.Objected.Has(s.purpose("ads")) || !a.Granted.IsEmpty() {
		t.Errorf("not known: %+v", a)
	}
	s.store.down = nil
	s.now = s.now.Add(time.Hour)
	s.must(s.choose(v, "poll", consent.Grant))
	s.must(s.choose(v, "news", consent.Grant))
	if !s.granted(v, "news", nil) {
		t.Error("the denial outlives a stored choice")
	}
}

func TestSignals(t *testing.T) {
	s := newSite(t)
	v := &visitor{header: http.Header{"Sec-Gpc": {"1"}}}
	if a := s.submit(v, nil); !a.Objected.Has(s.purpose("ads")) || a.Source != "gpc" {
		t.Errorf("GPC: %+v", a)
	}
	v = &visitor{header: http.Header{"Cookie": {"klaro=%7B%22mailing%22%3Atrue%7D"}}}
	if a := s.submit(v, nil); !a.Granted.Has(s.purpose("news")) || a.Source != "klaro" {
		t.Errorf("Klaro: %+v", a)
	}
	s.must(s.choose(v, "news", consent.Refuse))
	if s.granted(v, "news", nil) {
		t.Error("a cookie wins over what the person chose")
	}
}

func TestADPC(t *testing.T) {
	s, v := newSite(t), &visitor{}
	listen := func(field string) {
		t.Helper()
		r, h := v.request("HEAD"), http.Header{}
		r.Header["Adpc"] = []string{field}
		s.must(s.StoreADPC(r, h, s.set))
		v.take(h)
	}
	listen("withdraw=*")
	if v.cookie != "" {
		t.Error("somebody of whom nothing is known gets a cookie for a withdrawal")
	}
	listen("consent=" + notice.RequestID(s.set, s.purpose("news")))
	if a := s.submit(v, nil); !a.Granted.Has(s.purpose("news")) || a.Source != "adpc" {
		t.Fatalf("consent by ADPC: %+v", a)
	}
	before := v.cookie
	listen("consent=" + notice.RequestID(s.set, s.purpose("news")))
	if v.cookie != before {
		t.Error("what stands is stored again")
	}
	listen("withdraw=*")
	if s.granted(v, "news", nil) {
		t.Error("granted after withdraw=*")
	}
	if err := s.choose(v, "news", consent.Grant); err != nil || !s.granted(v, "news", nil) {
		t.Error("the latest choice does not win", err)
	}
	// It counts for the request that says it, stored or not.
	v.header = http.Header{"Adpc": {"withdraw=*"}}
	if s.granted(v, "news", nil) {
		t.Error("granted to a request that withdraws")
	}
}

func TestLoginOwnsTheConsent(t *testing.T) {
	s := newSite(t)
	s.Identify = userOf
	ada := &visitor{user: "ada"}
	s.must(s.choose(ada, "news", consent.Grant))
	if !s.granted(&visitor{user: "ada"}, "news", nil) {
		t.Error("the consent does not follow the login to another browser")
	}
	// The browser is shared: the next who logs in has consented to nothing.
	if s.granted(&visitor{user: "eve", cookie: ada.cookie}, "news", nil) || s.granted(&visitor{cookie: ada.cookie}, "news", nil) {
		t.Error("the consent stays with the browser")
	}
}

func TestKeyRotation(t *testing.T) {
	s, v := newSite(t), &visitor{}
	s.Fields = map[string]subject.Kind{"phone": subject.ByPhone}
	s.submit(v, nil, "news")
	s.takeBack(subject.Identity{Kind: subject.ByPhone, Value: "+4930901820"}, "poll")
	s.must(s.choose(v, "poll", consent.Grant))
	rotated, err := subject.ParseKeys([]byte("a new secret of more than 16 bytes\n" + secret + "\n"))
	s.must(err)
	s.Keys = rotated
	if !s.granted(v, "news", nil) || !s.granted(v, "poll", nil) || s.granted(v, "poll", map[string]string{"phone": "030 901820"}) {
		t.Error("a new key forgets the people")
	}
	s.must(s.choose(v, "news", consent.Withdraw))
	if s.granted(v, "news", nil) {
		t.Error("granted after a withdrawal under the new key")
	}
	if s.Keys, err = subject.ParseKeys([]byte("a new secret of more than 16 bytes")); err != nil || s.granted(v, "news", nil) {
		t.Error("a key that was removed still counts", err)
	}
}

func TestAddressInEvidence(t *testing.T) {
	s, v := newSite(t), &visitor{}
	s.Address = func(*http.Request) string { return "203.0.113.0/24" }
	s.must(s.choose(v, "news", consent.Grant))
	events, err := s.Evidence(v.request("GET"))
	if err != nil || len(events) != 1 || events[0].Address != "203.0.113.0/24" {
		t.Error(events, err)
	}
}

func TestCookie(t *testing.T) {
	s, v := newSite(t), &visitor{}
	s.must(s.choose(v, "news", consent.Grant))
	name, value, _ := strings.Cut(v.cookie, "=")
	for _, torn := range []string{"", "1", "1.", "1..", "1...", "1....", "1.1.1", "....", value[:len(value)/2], strings.Repeat(".", 128)} {
		if s.granted(&visitor{cookie: name + "=" + torn}, "news", nil) {
			t.Errorf("believed %q", torn)
		}
	}
	for i := range value {
		changed := []byte(value)
		changed[i] ^= 1
		if s.granted(&visitor{cookie: name + "=" + string(changed)}, "news", nil) {
			t.Errorf("believed with byte %d changed: %s", i, changed)
		}
	}
	if s.granted(&visitor{cookie: "modicum=" + value}, "news", nil) {
		t.Error("believed under a name that a neighbour can set")
	}
	h := http.Header{"Cookie": {"a=1; " + v.cookie + "; b=2", v.cookie}}
	if subject.HideCookie(h); len(h["Cookie"]) != 2 || h["Cookie"][0] != "a=1; b=2" || h["Cookie"][1] != "" {
		t.Errorf("%q", h)
	}
	h = http.Header{"Cookie": {v.cookie}}
	if subject.HideCookie(h); len(h) != 0 {
		t.Errorf("%q", h)
	}
}

func BenchmarkStanding(b *testing.B) {
	s, v := newSite(&testing.T{}), &visitor{}
	if err := s.choose(v, "news", consent.Grant); err != nil {
		b.Fatal(err)
	}
	inq := &consent.Inquiry{Request: v.request("POST"), Set: s.set, Purposes: policy.PurposeSet{}.With(s.purpose("news"))}
	b.ReportAllocs()
	for b.Loop() {
		if a, err := s.Standing(b.Context(), inq); err != nil || a.Granted.IsEmpty() {
			b.Fatal(a, err)
		}
	}
}

// A store that is opened with another key than it was written with knows
// nobody: whoever objected would be overlooked.
func TestWrongKey(t *testing.T) {
	s, v := newSite(t), &visitor{}
	check := func(secrets string) error {
		keys, err := subject.ParseKeys([]byte(secrets))
		s.must(err)
		return keys.Check(t.Context(), &s.store.Memory)
	}
	s.must(check("another secret of 16 bytes and more"))
	s.must(s.choose(v, "ads", consent.Object))
	if err := check("another secret of 16 bytes and more"); err == nil || !strings.Contains(err.Error(), "consent_key") {
		t.Errorf("with another key: %v", err)
	}
	s.must(check("another secret of 16 bytes and more\n" + secret))
}
