package pages_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/consent/freshness"
	"github.com/modicum-proxy/modicum/internal/consent/service"
	"github.com/modicum-proxy/modicum/internal/notice/words"
	"github.com/modicum-proxy/modicum/internal/pages"
	"github.com/modicum-proxy/modicum/internal/policy"
	"github.com/modicum-proxy/modicum/internal/store/storetest"
	"github.com/modicum-proxy/modicum/internal/subject"
)

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

// store is a store in memory that can be made to fail.
type store struct {
	storetest.Memory

	failsAppend, failsLoad atomic.Bool
}

func (s *store) Append(ctx context.Context, events ...consent.Event) (consent.Commit, error) {
	if s.failsAppend.Load() {
		return consent.Commit{}, consent.ErrUnavailable
	}
	return s.Memory.Append(ctx, events...)
}

func (s *store) Load(ctx context.Context, subject consent.Subject) (consent.Record, error) {
	if s.failsLoad.Load() {
		return consent.Record{}, consent.ErrUnavailable
	}
	return s.Memory.Load(ctx, subject)
}

// site serves the pages, with the service and the registry that Caddy uses.
type site struct {
	*pages.Pages

	t     *testing.T
	store *store
	set   atomic.Pointer[policy.Set]
	later atomic.Int64 // how far the clock of the site is ahead, in nanoseconds
}

// change puts another policy in force.
func (s *site) change(text string) {
	s.t.Helper()
	set, problems := policy.Compile(policy.Source{Name: "privacy.yaml", Data: []byte(text)})
	if err := problems.Err(); err != nil {
		s.t.Fatal(err)
	}
	s.set.Store(set)
}

// replace changes parts of the policy.
func (s *site) replace(pairs ...string) {
	s.t.Helper()
	s.change(strings.NewReplacer(pairs...).Replace(shopPolicy))
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, store: new(store)}
	s.change(shopPolicy)
	now := func() time.Time { return time.Now().Add(time.Duration(s.later.Load())) }
	registry, err := freshness.NewRegistry(freshness.Options{
		Open: func(context.Context) (consent.Store, error) { return s.store, nil }, Timeout: 10 * time.Second, Now: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = registry.Close() })
	keys, err := subject.ParseKeys([]byte(strings.Repeat("0123456789abcdef", 4)))
	if err != nil {
		t.Fatal(err)
	}
	languages, err := words.Read(nil)
	if err != nil {
		t.Fatal(err)
	}
	consents := &service.Service{
		Registry: registry, Keys: keys, Words: languages, Now: now,
		NewID: func() uuid.UUID { return uuid.Must(uuid.NewV7()) },
	}
	s.Pages, err = pages.New(pages.Options{
		Prefix: "/privacy/", Policy: s.set.Load, Consents: consents, Languages: languages, Key: keys.Form(), Person: consents.Person,
		Client: func(r *http.Request) string { return r.RemoteAddr }, Logger: slog.New(slog.DiscardHandler), Now: now, Rate: 1e6, Burst: 1e6,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// stored returns what the store contains.
func (s *site) stored() (all []string) {
	s.t.Helper()
	events, err := s.store.Events(s.t.Context(), "", 0, 100)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range events {
		all = append(all, fmt.Sprintf("%s %s %s", e.Purpose, e.Action, e.Source))
	}
	return all
}
