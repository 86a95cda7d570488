package service_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/consent/freshness"
	"github.com/modicum-proxy/modicum/internal/notice"
	"github.com/modicum-proxy/modicum/internal/policy"
	"github.com/modicum-proxy/modicum/internal/store/storetest"
	"github.com/modicum-proxy/modicum/internal/subject"
)

// Eve knows Ada's address, and that the site knows people by their login and by
// an address. She submits it with a box ticked, refuses everything on the page
// and allows it again. Ada's login then had the consents that Eve gave, and
// lacked those that Ada had given.
func TestAttackConsentForAnother(t *testing.T) {
	s := newSite(t)
	s.Identify, s.Fields = userOf, map[string]subject.Kind{"email": subject.ByEmail}
	address := map[string]string{"email": "ada@example.org"}
	ada, eve := &visitor{user: "ada"}, &visitor{}
	s.must(s.choose(ada, "poll", consent.Grant))
	s.submit(ada, address) // the site sees the address and the login together
	for range 2 {
		s.submit(eve, address, "news", "poll")
		s.now = s.now.Add(time.Second)
		for _, action := range []consent.Action{consent.Refuse, consent.Grant, consent.Withdraw} {
			s.must(s.choose(eve, "news", action))
			s.must(s.choose(eve, "poll", action))
			s.now = s.now.Add(time.Second)
		}
	}
	for what, v := range map[string]*visitor{"login": ada, "login elsewhere": {user: "ada"}} {
		for _, fields := range []map[string]string{nil, address} {
			if s.granted(v, "news", fields) {
				t.Errorf("%s: a consent that was never given", what)
			}
			if !s.granted(v, "poll", fields) {
				t.Errorf("%s: the consent that was given is gone", what)
			}
		}
	}
	s.submit(eve, address, "news")
	if s.granted(&visitor{}, "news", address) {
		t.Error("a tick with an address that is not verified counts in another browser")
	}
	known := s.Keys.Subjects(subject.Identity{Kind: subject.ByEmail, Value: "ada@example.org"})[0]
	for _, e := range s.everything() {
		if e.Action == consent.Link || e.Subject == known {
			t.Errorf("stored under the address: %+v", e)
		}
	}
}

// Eve orders with the addresses of two people who do not know each other, and
// withdraws: neither is bound by it, nor by the other.
func TestAttackJoinStrangers(t *testing.T) {
	s := newSite(t)
	s.Identify, s.Fields = userOf, map[string]subject.Kind{"email": subject.ByEmail, "other": subject.ByEmail}
	ada, bob, eve := &visitor{user: "ada"}, &visitor{user: "bob"}, &visitor{}
	adas, bobs := map[string]string{"email": "ada@example.org"}, map[string]string{"email": "bob@example.org"}
	s.must(s.choose(ada, "news", consent.Grant))
	s.must(s.choose(bob, "news", consent.Grant))
	s.submit(ada, adas)
	s.submit(bob, bobs)
	s.submit(eve, map[string]string{"email": "ada@example.org", "other": "bob@example.org"}, "news")
	s.now = s.now.Add(time.Second)
	s.must(s.choose(eve, "news", consent.Withdraw))
	s.must(s.choose(ada, "news", consent.Withdraw))
	if s.granted(ada, "news", adas) || !s.granted(bob, "news", bobs) {
		t.Error("Ada's withdrawal counts for Bob, or not for her")
	}
}

// What an operator took back for an address counts for every submission that
// holds it, whoever sends it. What is granted under an address grants nothing:
// anybody can write it.
func TestAddressOnlyTakesBack(t *testing.T) {
	s := newSite(t)
	s.Fields = map[string]subject.Kind{"email": subject.ByEmail}
	id := subject.Identity{Kind: subject.ByEmail, Value: "ada@example.org"}
	v, address := &visitor{}, map[string]string{"email": "Ada@Example.org"}
	told := notice.ForPurpose(s.set, s.purpose("news"), "en")
	s.append(consent.Event{Subject: s.Keys.Subjects(id)[0], Purpose: "news", Action: consent.Grant, Source: consent.FromPage, Notice: told.ID})
	if s.granted(v, "news", address) {
		t.Error("a grant under an address counts for whoever writes it")
	}
	s.must(s.choose(v, "news", consent.Grant))
	s.takeBack(id, "news")
	s.takeBack(id, "ads")
	if a := s.submit(v, address); a.Granted.Has(s.purpose("news")) || !a.Objected.Has(s.purpose("ads")) {
		t.Errorf("taken back for the address, and it passes: %+v", a)
	}
	if a := s.submit(v, nil); !a.Granted.Has(s.purpose("news")) || a.Objected.Has(s.purpose("ads")) {
		t.Errorf("without the address: %+v", a)
	}
}

// Identities that an earlier version linked, by what stood in a form, take back
// for each other and grant nothing.
func TestLinkedIdentities(t *testing.T) {
	s := newSite(t)
	s.Identify = userOf
	ada, eve := &visitor{user: "ada"}, &visitor{user: "eve"}
	subject := func(user string) consent.Subject {
		return s.Keys.Subjects(subject.Identity{Kind: subject.ByUser, Value: user, Realm: "shop.example"})[0]
	}
	s.append(consent.Event{Subject: subject("eve"), Other: subject("ada"), Action: consent.Link, Source: consent.FromForm})
	s.must(s.choose(eve, "news", consent.Grant))
	if s.granted(ada, "news", nil) {
		t.Error("a link grants")
	}
	s.must(s.choose(ada, "news", consent.Grant))
	s.must(s.choose(eve, "news", consent.Withdraw))
	if s.granted(ada, "news", nil) {
		t.Error("taken back under a linked identity")
	}
	s.must(s.choose(eve, "news", consent.Grant))
	if s.granted(ada, "news", nil) {
		t.Error("what eve allows again is allowed for ada")
	}
	s.must(s.choose(ada, "news", consent.Grant))
	if !s.granted(ada, "news", nil) || !s.granted(eve, "news", nil) {
		t.Error("what each allows again is not allowed")
	}
}

// Two issuers give tokens for "17". Whoever has one of them was the person of
// the other as well, with that one's consents and objections.
func TestAttackOneNameTwoIssuers(t *testing.T) {
	s := newSite(t)
	s.Identify = userOf
	one, other := &visitor{user: "https://a.example 17"}, &visitor{user: "https://b.example 17"}
	s.must(s.choose(one, "news", consent.Grant))
	s.must(s.choose(one, "ads", consent.Object))
	if a := s.submit(other, nil); a.Granted.Has(s.purpose("news")) || a.Objected.Has(s.purpose("ads")) {
		t.Errorf("one sub of two issuers is one person: %+v", a)
	}
	if !s.granted(&visitor{user: "https://a.example 17"}, "news", nil) {
		t.Error("the person is not known again")
	}
	// A zero byte moves nothing from the name into the realm.
	a := s.Keys.Subjects(subject.Identity{Kind: subject.ByUser, Realm: "a\x00b", Value: "c"})[0]
	if b := s.Keys.Subjects(subject.Identity{Kind: subject.ByUser, Realm: "a", Value: "b\x00c"})[0]; a == b {
		t.Error("two identities have one pseudonym")
	}
}

// A browser is shared. Who ticks a box in it without a login consents for
// nobody who logs in there later; what is taken back there holds.
func TestAttackSharedBrowser(t *testing.T) {
	s := newSite(t)
	s.Identify = userOf
	browser := &visitor{}
	s.submit(browser, nil, "news", "poll")
	ada := &visitor{user: "ada", cookie: browser.cookie}
	if a := s.submit(ada, nil); !a.Granted.IsEmpty() {
		t.Errorf("an anonymous tick counts for a login: %+v", a)
	}
	choices, err := s.Choices(ada.request("GET"), s.set, []policy.PurposeID{s.purpose("news")})
	if err != nil || choices[0].Status != consent.Unasked {
		t.Errorf("the page shows %+v, %v", choices, err)
	}
	if events, err := s.Evidence(ada.request("GET")); err != nil || len(events) > 0 {
		t.Errorf("the receipt of a login holds what others ticked: %v, %v", events, err)
	}
	s.must(s.choose(ada, "news", consent.Grant))
	s.now = s.now.Add(time.Second)
	s.must(s.choose(browser, "news", consent.Withdraw))
	if s.granted(ada, "news", nil) || !s.granted(&visitor{user: "ada"}, "news", nil) {
		t.Error("what is taken back in a browser binds that browser, and no other")
	}
	s.must(s.choose(ada, "news", consent.Grant))
	if !s.granted(ada, "news", nil) || s.granted(browser, "news", nil) {
		t.Error("the latest choice of a login does not win, or is the browser's")
	}
}

// Somebody refuses in a shared browser. Ada logs in there and refuses as well: that
// is no repetition, or her consent stood on her phone for ever, after the page
// had said that it is withdrawn. By ADPC just so.
func TestAttackRefusalInASharedBrowser(t *testing.T) {
	for _, by := range []string{"page", "adpc"} {
		s := newSite(t)
		s.Identify = userOf
		browser, phone := &visitor{}, &visitor{user: "ada"}
		s.submit(browser, nil, "news")
		s.must(s.choose(phone, "news", consent.Grant))
		s.must(s.choose(browser, "news", consent.Withdraw))
		ada := &visitor{user: "ada", cookie: browser.cookie}
		choices, err := s.Choices(ada.request("GET"), s.set, []policy.PurposeID{s.purpose("news")})
		if err != nil || choices[0].Status != consent.Denied || choices[0].TakenBack {
			t.Errorf("to her page a refusal changes nothing: %+v, %v", choices, err)
		}
		if by == "page" {
			s.must(s.choose(ada, "news", consent.Withdraw))
		} else {
			r := ada.request("GET")
			r.Header.Set("ADPC", "withdraw=*")
			s.must(s.StoreADPC(r, http.Header{}, s.set))
		}
		if s.granted(phone, "news", nil) {
			t.Errorf("%s: taken back, and granted on the phone", by)
		}
		if choices, err = s.Choices(ada.request("GET"), s.set, []policy.PurposeID{s.purpose("news")}); err != nil || !choices[0].TakenBack {
			t.Errorf("%s: %+v, %v", by, choices, err)
		}
	}
}

// A withdrawal is stored, but perhaps not on the standby: the person was told
// that it is not known. To try again must store it again.
func TestAttackRepetitionOfAnUnknownOutcome(t *testing.T) {
	s, v := newSite(t), &visitor{}
	s.must(s.choose(v, "news", consent.Grant))
	s.store.unknown = true
	if err := s.choose(v, "news", consent.Withdraw); !errors.Is(err, consent.ErrOutcomeUnknown) {
		t.Fatal(err)
	}
	s.store.unknown = false
	n := len(s.everything())
	choices, err := s.Choices(v.request("GET"), s.set, []policy.PurposeID{s.purpose("news")})
	if err != nil || choices[0].TakenBack {
		t.Errorf("the page takes it for stored: %+v, %v", choices, err)
	}
	s.must(s.choose(v, "news", consent.Withdraw))
	if stored := len(s.everything()) - n; stored != 1 {
		t.Errorf("tried again, %d events are stored", stored)
	}
}

// An objection of the login is not hidden by a withdrawal for an address.
func TestObjectionBesideAClaim(t *testing.T) {
	s := newSite(t)
	s.Identify, s.Fields = userOf, map[string]subject.Kind{"email": subject.ByEmail}
	v := &visitor{user: "ada"}
	s.must(s.choose(v, "ads", consent.Object))
	s.append(consent.Event{
		Subject: s.Keys.Subjects(subject.Identity{Kind: subject.ByEmail, Value: "ada@x.example"})[0],
		Purpose: "ads", Action: consent.Withdraw, Source: consent.FromOperator,
	})
	if a := s.submit(v, map[string]string{"email": "ada@x.example"}); !a.Objected.Has(s.purpose("ads")) {
		t.Errorf("not objected to: %+v", a)
	}
}

// Ada's form is on its way, its file large. She withdraws in another tab, the
// page says so, and then the end of the form arrives, with its box ticked: the
// form is older than the withdrawal.
func TestAttackWithdrawalUndoneByAnOlderForm(t *testing.T) {
	s, v := newSite(t), &visitor{}
	s.must(s.choose(v, "news", consent.Grant))
	inq := &consent.Inquiry{Request: v.request("POST"), Set: s.set, Purposes: policy.PurposeSet{}.With(s.purpose("news")), Began: s.now}
	s.now = s.now.Add(time.Minute)
	s.must(s.choose(v, "news", consent.Withdraw))
	s.now = s.now.Add(time.Minute)
	counted, err := s.Record(t.Context(), http.Header{}, inq, inq.Purposes)
	if err != nil || !counted.IsEmpty() || s.granted(v, "news", nil) {
		t.Errorf("counts %v, %v; granted %v", counted, err, s.granted(v, "news", nil))
	}
	inq.Began = s.now // a form that was sent afterwards is a new choice
	counted, err = s.Record(t.Context(), http.Header{}, inq, inq.Purposes)
	if err != nil || counted != inq.Purposes || !s.granted(v, "news", nil) {
		t.Errorf("counts %v, %v", counted, err)
	}
}

// The clock of the proxy that stored the withdrawal is ahead: by the cookie, the
// browser knew of the withdrawal when it sent the form, so this is a new choice.
func TestTickAfterAWithdrawalElsewhere(t *testing.T) {
	s, v := newSite(t), &visitor{}
	s.must(s.choose(v, "news", consent.Grant))
	s.now = s.now.Add(time.Minute)
	s.must(s.choose(v, "news", consent.Withdraw))
	s.now = s.now.Add(-30 * time.Second)
	s.submit(v, nil, "news")
	if !s.granted(v, "news", nil) {
		t.Error("the tick of a later form does not count")
	}
}

// A consent reaches its term while the person withdraws it: its end must not
// stand in the place of the withdrawal, after which a signal would grant again.
func TestAttackTermAfterAWithdrawal(t *testing.T) {
	s, v := newSite(t), &visitor{}
	s.must(s.choose(v, "news", consent.Grant))
	s.must(s.choose(v, "poll", consent.Grant))
	s.now = s.now.AddDate(1, 0, 1)
	s.store.due = func() { s.must(s.choose(v, "news", consent.Withdraw)) }
	s.must(s.Registry.EndTerms(t.Context(), freshness.Terms{}))
	v.cookie += "; klaro=%7B%22mailing%22%3Atrue%7D"
	if s.granted(v, "news", nil) {
		t.Error("withdrawn, and granted by a signal")
	}
	choices, err := s.Choices(v.request("GET"), s.set, []policy.PurposeID{s.purpose("poll")})
	if err != nil || choices[0].Status != consent.Expired {
		t.Errorf("the other consent did not end: %+v, %v", choices, err)
	}
}

// Ada objected. Whoever writes her address so that we cannot tell whose it is,
// but the application delivers to it, must not pass as somebody who did not.
func TestAttackUnclearAddress(t *testing.T) {
	s := newSite(t)
	s.Fields = map[string]subject.Kind{"email": subject.ByEmail, "phone": subject.ByPhone}
	s.takeBack(subject.Identity{Kind: subject.ByEmail, Value: "ada@x.example"}, "ads")
	v := &visitor{}
	s.must(s.choose(v, "news", consent.Grant))
	for _, fields := range []map[string]string{
		{"email": "ada@x.example"},
		{"email": " Ada@X.Example\t"},
		{"email": "ada@x.example."},
		{"email": "<ada@x.example>"},
		{"email": `"ada"@x.example`},
		{"email": "mailto:ada@x.example"},
		{"email": "ada@x.example, bob@x.example"},
		{"email": "ada@x.example;bob@x.example"},
		{"email": "Ada <ada@x.example>"},
		{"email": "ada(comment)@x.example"},
		{"email": "ada @x.example"},
		{"email": "ada@x..example"},
		{"email": "ada\u200b@x.example"},
		{"email": "\uff41da@x.example"},
		{"email": "ada@[192.0.2.1]"},
		{"email": "ada"},
		{"email": "@x.example"},
		{"email": "ada@x.example\nbcc:bob@x.example"},
		{"email": "ada\ufe0f@x.example"},
		{"email": "a\u034fda@x.example"},
		{"email": "ada\u3164@x.example"},
		{"email": "\u0131da@x.example"},
		{"email": "\u0130da@x.example"},
		{"phone": "call me"},
		{"phone": "030 1234567/8"},
		{"phone": "030 901820 or 030 901821"},
	} {
		if a := s.submit(v, fields); !a.Objected.Has(s.purpose("ads")) || fields["email"] != "ada@x.example" && fields["email"] != " Ada@X.Example\t" && !a.Granted.IsEmpty() {
			t.Errorf("%v: %+v", fields, a)
		}
	}
	for _, fields := range []map[string]string{{"email": "bob+x_y.z@x.example"}, {"email": "j\u00f6rg@b\u00fccher.example"}, {"phone": "+49 (30) 901820"}} {
		if a := s.submit(v, fields); a.Objected.Has(s.purpose("ads")) || !a.Granted.Has(s.purpose("news")) {
			t.Errorf("%v: %+v", fields, a)
		}
	}
	// Hidden is unknown, too: the field comes behind a file.
	inq := &consent.Inquiry{Request: v.request("POST"), Set: s.set, Purposes: s.set.Collections[0].Purposes, Hidden: true}
	if a, err := s.Standing(t.Context(), inq); err != nil || !a.Objected.Has(s.purpose("ads")) || !a.Granted.IsEmpty() || a.Source != "unknown" {
		t.Errorf("hidden: %+v, %v", a, err)
	}
}

// A page of a sibling site, or of any, lets the visitor's browser fetch from
// the shop with "ADPC: consent=…": that is no consent to the shop.
func TestAttackForeignADPC(t *testing.T) {
	for site, grants := range map[string]bool{"same-origin": true, "none": true, "": true, "same-site": false, "cross-site": false} {
		s, v := newSite(t), &visitor{}
		s.submit(v, nil, "poll")
		r := v.request("GET")
		r.Header.Set("ADPC", `consent="`+requestID(t, s, "news")+`"`)
		if site != "" {
			r.Header.Set("Sec-Fetch-Site", site)
		}
		s.must(s.StoreADPC(r, http.Header{}, s.set))
		if s.granted(v, "news", nil) != grants {
			t.Errorf("Sec-Fetch-Site: %s: granted %v", site, !grants)
		}
		r.Header.Set("ADPC", "withdraw=*")
		s.must(s.StoreADPC(r, http.Header{}, s.set))
		if s.granted(v, "news", nil) || s.granted(v, "poll", nil) {
			t.Errorf("Sec-Fetch-Site: %s: it does not take back", site)
		}
	}
}

// Under a lease, a proxy may not have heard of a grant yet that the person gave
// at another one. A withdrawal there is no repetition of an older one: the page
// said that it is saved, and nothing was stored.
func TestAttackWithdrawalUnderALease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const lease = time.Minute / 4
		store := &storetest.Memory{Lease: lease}
		proxy := func() *site {
			s := newSite(t)
			s.now = time.Now()
			registry, err := freshness.NewRegistry(freshness.Options{
				Open: func(context.Context) (consent.Store, error) { return unheard{store}, nil }, Lease: lease,
			})
			s.must(err)
			t.Cleanup(func() { s.must(registry.Close()) })
			s.Registry, s.Identify, s.Now = registry, userOf, time.Now
			return s
		}
		a, b := proxy(), proxy()
		phone, laptop := &visitor{user: "ada"}, &visitor{user: "ada"} // a login, and no cookie of ours
		a.must(a.choose(phone, "news", consent.Withdraw))
		time.Sleep(2 * lease)
		a.granted(phone, "news", nil) // its lease begins
		b.must(b.choose(laptop, "news", consent.Grant))
		a.must(a.choose(phone, "news", consent.Withdraw))
		if a.granted(phone, "news", nil) || b.granted(laptop, "news", nil) {
			t.Error("withdrawn, and granted")
		}
		// A form that was on its way when b's person withdrew does not undo it,
		// though a has not heard of that yet.
		a.must(a.choose(phone, "poll", consent.Grant))
		time.Sleep(2 * lease)
		inq := &consent.Inquiry{Request: phone.request("POST"), Set: a.set, Purposes: policy.PurposeSet{}.With(a.purpose("poll")), Began: time.Now()}
		a.granted(phone, "poll", nil)
		done := make(chan error)
		go func() { done <- b.choose(laptop, "poll", consent.Withdraw) }() // it is answered when the lease is over
		synctest.Wait()
		counted, err := a.Record(t.Context(), http.Header{}, inq, inq.Purposes)
		if a.must(<-done); err != nil || !counted.IsEmpty() || a.granted(phone, "poll", nil) || b.granted(laptop, "poll", nil) {
			t.Errorf("an older form undoes a withdrawal: %v counts, %v", counted, err)
		}
		a.must(a.choose(phone, "news", consent.Withdraw))
		// The same again is not stored, and yet waits for the leases of others.
		began, n := time.Now(), len(must(store.Events(t.Context(), "", 0, 100)))
		a.must(a.choose(phone, "news", consent.Withdraw))
		if stored := len(must(store.Events(t.Context(), "", 0, 100))); time.Since(began) < lease || stored != n {
			t.Errorf("repeated, it took %v and stored %d events", time.Since(began), stored-n)
		}
		b.must(b.choose(laptop, "news", consent.Grant))
		time.Sleep(time.Second)
		a.now, b.now = time.Now(), time.Now()
		b.submit(laptop, nil, "poll")
		a.submit(phone, nil, "poll")
		time.Sleep(2 * lease)
		if !a.granted(phone, "news", nil) || !b.granted(laptop, "poll", nil) {
			t.Error("the latest choice does not win")
		}
	})
}

// unheard is a store whose notifications are lost.
type unheard struct{ *storetest.Memory }

func (unheard) Wait(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
