package operator

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/consent/freshness"
	"github.com/modicum-proxy/modicum/internal/consent/record"
	"github.com/modicum-proxy/modicum/internal/notice"
	"github.com/modicum-proxy/modicum/internal/policy"
	"github.com/modicum-proxy/modicum/internal/store/sqlite"
	"github.com/modicum-proxy/modicum/internal/subject"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const shop = `
version: 1
controller: {name: Example Shop, contact: privacy@shop.example, country: DE}
purposes:
  newsletter: {title: Send you offers, basis: consent, retention: 1y}
  statistics: {title: Count visits, basis: consent, retention: 1y}
collections:
  checkout: {on: POST /checkout, fields: {email: newsletter, page: statistics}}
`

// ada was known by a cookie before an e-mail address, bob by an address under
// two keys.
const (
	cookie = consent.Subject("k1.cookie-of-ada")
	ada    = consent.Subject("k1.ada")
	bobOld = consent.Subject("k0.bob")
	bobNew = consent.Subject("k1.bob")
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// open returns a service with its own store, which fails when failing is
// set.
func open(t *testing.T) (d *Service, failing *error) {
	t.Helper()
	failing = new(error)
	registry, err := freshness.NewRegistry(freshness.Options{Open: func(ctx context.Context) (consent.Store, error) {
		store, err := sqlite.Open(ctx, sqlite.Options{Path: filepath.Join(t.TempDir(), "consent.db"), Ballast: -1})
		return &fragile{store, failing}, err
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := registry.Close(); err != nil {
			t.Error(err)
		}
	})
	set, diagnostics := policy.Compile(policy.Source{Name: "privacy.yaml", Data: []byte(shop)})
	if err := diagnostics.Err(); err != nil {
		t.Fatal(err)
	}
	return &Service{
		Registry: registry,
		Subjects: func(id subject.Identity) ([]consent.Subject, error) {
			if id.Kind != subject.ByEmail {
				return nil, errors.New("expected an e-mail address")
			}
			name, _, _ := strings.Cut(id.Value, "@")
			return []consent.Subject{consent.Subject("k1." + name), consent.Subject("k0." + name)}, nil
		},
		Policies: func() []*policy.Set { return []*policy.Set{set} },
		Now:      func() time.Time { return noon },
		NewID:    func() uuid.UUID { return uuid.Must(uuid.NewV7()) },
	}, failing
}

type fragile struct {
	*sqlite.Store

	failing *error
}

// Append implements [consent.Store].
func (f *fragile) Append(ctx context.Context, events ...consent.Event) (consent.Commit, error) {
	if *f.failing != nil {
		return consent.Commit{}, *f.failing
	}
	return f.Store.Append(ctx, events...)
}

func keep(t *testing.T, d *Service, events ...consent.Event) {
	t.Helper()
	for i := range events {
		events[i].ID = d.NewID()
		if events[i].Time.IsZero() {
			events[i].Time = noon.Add(-time.Hour)
		}
	}
	if _, err := d.Registry.Append(t.Context(), events...); err != nil {
		t.Fatal(err)
	}
}

// populate keeps what the tests ask about.
func populate(t *testing.T, d *Service) {
	t.Helper()
	set := d.Policies()[0]
	id, _ := set.PurposeID("newsletter")
	told := notice.ForPurpose(set, id, "en")
	sum := sha256.Sum256([]byte("Send you offers?"))
	text := &consent.Shown{Digest: hex.EncodeToString(sum[:]), Language: "en", Text: "Send you offers?"}
	keep(t, d,
		consent.Event{Subject: cookie, Purpose: "newsletter", Action: consent.Grant, Source: consent.FromForm, Notice: told.ID, Shown: text, Expires: noon.Add(1 * time.Hour)},
		consent.Event{Subject: bobOld, Purpose: "newsletter", Action: consent.Grant, Source: consent.FromPage, Notice: "another text", Shown: text},
		consent.Event{Subject: cookie, Other: ada, Action: consent.Link},
		consent.Event{Subject: bobNew, Purpose: "statistics", Action: consent.Grant, Source: consent.FromPage, Expires: noon},
		consent.Event{Subject: cookie, Purpose: "statistics", Action: consent.Refuse, Source: consent.FromPage},
	)
}

// rows lists what stands, in a word each.
func rows(t *testing.T, d *Service, q Query) []string {
	t.Helper()
	var b strings.Builder
	if err := d.List(t.Context(), &b, &q); err != nil {
		t.Fatal(err)
	}
	var list []Row
	if err := json.Unmarshal([]byte(b.String()), &list); err != nil {
		t.Fatal(err)
	}
	words := []string{}
	for _, r := range list {
		words = append(words, string(r.Subject)+" "+r.Purpose+" "+r.Status+" "+string(r.Source))
	}
	return words
}

func TestList(t *testing.T) {
	d, _ := open(t)
	if diff := cmp.Diff([]string{}, rows(t, d, Query{})); diff != "" {
		t.Errorf("of nobody: %s", diff)
	}
	populate(t, d)
	all := []string{
		"k0.bob newsletter outdated page",
		"k1.bob statistics expired page",
		"k1.cookie-of-ada newsletter granted form",
		"k1.cookie-of-ada statistics refused page",
	}
	for name, test := range map[string]struct {
		query Query
		want  []string
	}{
		"everybody":         {Query{}, all},
		"a purpose":         {Query{Purpose: "newsletter"}, []string{all[0], all[2]}},
		"a limit":           {Query{Limit: 2}, all[:2]},
		"a person, linked":  {Query{Subject: ada}, all[2:]},
		"an identity":       {Query{Identity: &subject.Identity{Kind: subject.ByEmail, Value: "bob@shop.example"}}, []string{all[1], all[0]}},
		"person and limits": {Query{Subject: cookie, Purpose: "statistics", Limit: 9}, all[3:]},
	} {
		if diff := cmp.Diff(test.want, rows(t, d, test.query)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestExport(t *testing.T) {
	d, _ := open(t)
	populate(t, d)
	for name, test := range map[string]struct {
		query Query
		lines int
		has   string
	}{
		"json":            {Query{}, 5 + 2, `"text":"Send you offers?"`},
		"json, a person":  {Query{Format: JSON, Subject: ada}, 3 + 2, `"action":"link"`},
		"json, a purpose": {Query{Format: JSON, Subject: ada, Purpose: "newsletter"}, 1 + 2, `"source":"form"`},
		"json, keys":      {Query{Identity: &subject.Identity{Kind: subject.ByEmail, Value: "bob@shop.example"}}, 2 + 2, `"k0.bob"`},
		"csv":             {Query{Format: CSV}, 5 + 1, `"Send you offers?"`},
		"dpv":             {Query{Format: DPV, Choices: "https://shop.example/privacy/choices"}, 4 + 2, `"dpv:isExercisedAt":"https://shop.example/privacy/choices"`},
		"dpv, a purpose":  {Query{Format: DPV, Subject: cookie, Purpose: "newsletter"}, 1 + 2, `"dpv:hasName":"Example Shop"`},
	} {
		var b strings.Builder
		if err := d.Export(t.Context(), &b, &test.query); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Count(b.String(), "\n") != test.lines || !strings.Contains(b.String(), test.has) {
			t.Errorf("%s: %s", name, b.String())
		}
	}
}

// An error says what is wrong with a query, never which person it is about.
func TestRefused(t *testing.T) {
	d, _ := open(t)
	populate(t, d)
	keyless := *d
	keyless.Subjects, keyless.Policies = nil, func() []*policy.Set { return nil }
	const canary = "CANARY@shop.example"
	someone, user := &subject.Identity{Kind: subject.ByEmail, Value: canary}, &subject.Identity{Kind: subject.ByUser, Value: canary}
	withdraw := func(d *Service, q *Query) error { _, err := d.Withdraw(t.Context(), q); return err }
	export := func(d *Service, q *Query) error { return d.Export(t.Context(), new(strings.Builder), q) }
	list := func(d *Service, q *Query) error { return d.List(t.Context(), new(strings.Builder), q) }
	for _, test := range []struct {
		service *Service
		do      func(*Service, *Query) error
		query   Query
		is      error
		says    string
	}{
		{d, export, Query{Format: "xml"}, ErrQuery, "expected json, csv or dpv"},
		{d, export, Query{Subject: canary}, ErrNobody, "spelled"},
		{d, export, Query{Identity: someone, Format: DPV}, ErrNobody, "spelled"},
		{d, list, Query{Identity: someone, Subject: canary}, ErrQuery, "twice"},
		{d, list, Query{Identity: user}, ErrQuery, "known by: expected an e-mail address"},
		{&keyless, list, Query{Identity: someone}, ErrQuery, "the key of pseudonyms is not known"},
		{&keyless, export, Query{Format: DPV}, ErrQuery, "names the controller"},
		{d, withdraw, Query{Subject: canary, All: true}, ErrNobody, "spelled"},
		{d, withdraw, Query{Subject: canary}, ErrQuery, "expected one purpose"},
		{d, withdraw, Query{Subject: canary, All: true, Purpose: "newsletter"}, ErrQuery, "expected one purpose"},
		{d, withdraw, Query{All: true}, ErrQuery, "expected a person"},
		{d, withdraw, Query{Subject: ada, Purpose: "statistics"}, ErrNothing, "no consent is in force"},
		{d, withdraw, Query{Subject: ada, Purpose: "CANARY"}, ErrNothing, "no consent is in force"},
	} {
		err := test.do(test.service, &test.query)
		if !errors.Is(err, test.is) || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("%+v: %v", test.query, err)
		}
	}
}

func TestWithdraw(t *testing.T) {
	d, _ := open(t)
	populate(t, d)
	// By the address, though it was the cookie that granted.
	done, err := d.Withdraw(t.Context(), &Query{Identity: &subject.Identity{Kind: subject.ByEmail, Value: "ada@shop.example"}, Purpose: "newsletter"})
	if diff := cmp.Diff([]Withdrawal{{ada, "newsletter"}}, done); diff != "" || err != nil {
		t.Fatal(err, diff)
	}
	if diff := cmp.Diff([]string{"k1.cookie-of-ada newsletter withdrawn operator", "k1.cookie-of-ada statistics refused page", "k1.ada newsletter withdrawn operator"}, rows(t, d, Query{Subject: cookie})); diff != "" {
		t.Errorf("what stands: %s", diff)
	}
	if _, err := d.Withdraw(t.Context(), &Query{Subject: cookie, All: true}); !errors.Is(err, ErrNothing) {
		t.Errorf("again: %v", err)
	}
	// It is evidence like any other.
	person, err := record.One(t.Context(), must(d.Registry.Store(t.Context())), ada)
	last := person[len(person)-1]
	if err != nil || last.Source != consent.FromOperator || last.Action != consent.Withdraw || !last.Time.Equal(noon) || last.Policy != d.Policies()[0].Version {
		t.Errorf("%v, kept %+v", err, last)
	}
	// Both subjects of bob, to all that he consented to, and to all that a form
	// with his address could: what that consents to stands under no address.
	if done, err = d.Withdraw(t.Context(), &Query{Identity: &subject.Identity{Kind: subject.ByEmail, Value: "bob@shop.example"}, All: true}); err != nil || len(done) != 3 {
		t.Errorf("%v, %v", done, err)
	}
	if diff := cmp.Diff([]string{"k1.bob statistics withdrawn operator", "k1.bob newsletter withdrawn operator", "k0.bob newsletter withdrawn operator"}, rows(t, d, Query{Identity: &subject.Identity{Kind: subject.ByEmail, Value: "bob@shop.example"}})); diff != "" {
		t.Errorf("what stands: %s", diff)
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// A withdrawal that is stored, but not in force everywhere, is not said to be
// done, or not to be stored.
func TestWithdrawPending(t *testing.T) {
	d, failing := open(t)
	populate(t, d)
	*failing = consent.ErrPending
	done, err := d.Withdraw(t.Context(), &Query{Subject: ada, All: true})
	if done != nil || !errors.Is(err, consent.ErrPending) || !strings.HasPrefix(err.Error(), "the withdrawal is stored, but not in force") {
		t.Errorf("%v, %v", done, err)
	}
}

// The store does not keep a withdrawal, or does not say so: the operator must
// not tell the person that it is done. Here it is denied at once all the same.
func TestNotWithdrawn(t *testing.T) {
	for _, fails := range []error{consent.ErrUnavailable, consent.ErrOutcomeUnknown} {
		d, failing := open(t)
		populate(t, d)
		*failing = fails
		done, err := d.Withdraw(t.Context(), &Query{Subject: ada, All: true})
		if done != nil || !errors.Is(err, fails) || !strings.Contains(err.Error(), "it is not withdrawn") {
			t.Errorf("%v: %v, %v", fails, done, err)
		}
		if !d.Registry.Denied("newsletter", []consent.Subject{ada}) {
			t.Errorf("%v: it is not denied here", fails)
		}
		*failing = nil
		if done, err = d.Withdraw(t.Context(), &Query{Subject: ada, All: true}); err != nil || len(done) != 1 {
			t.Errorf("%v: again: %v, %v", fails, done, err)
		}
	}
}
