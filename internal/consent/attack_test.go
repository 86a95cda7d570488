package consent_test

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/policy"
)

// full is a store that can be read and not written: the disk is full, or
// nobody answers for the synchronous standby.
type full struct {
	exclusive

	full, hangs bool
	slow        atomic.Bool
}

func (f *full) Load(ctx context.Context, subject consent.Subject) (consent.Record, error) {
	if end, ok := ctx.Deadline(); f.slow.Load() && ok && time.Until(end) < time.Second {
		<-ctx.Done()
		return consent.Record{}, ctx.Err()
	}
	return f.exclusive.Load(ctx, subject)
}

func (f *full) Append(ctx context.Context, events ...consent.Event) (consent.Commit, error) {
	switch {
	case f.hangs:
		<-ctx.Done()
		return consent.Commit{}, ctx.Err()
	case f.full:
		return consent.Commit{}, errors.New("no space left on device")
	}
	return f.exclusive.Append(ctx, events...)
}

func newFullSite(t *testing.T) (*site, *full) {
	t.Helper()
	s := newSite(t)
	store := &full{exclusive: exclusive{s.store, s.store, s.store}}
	registry, err := consent.NewRegistry(consent.Options{
		Open: func(context.Context) (consent.Store, error) { return store, nil }, Now: s.Now,
	})
	s.must(err)
	t.Cleanup(func() { s.must(registry.Close()) })
	s.Registry = registry
	return s, store
}

// A withdrawal cannot be stored, and the page says so. The person looks at the
// page again, or presses the button again: the denial on this proxy must not
// be shown with the date and revision of the consent, as if it were a stored
// withdrawal, and a second attempt must not be skipped as no change. It ends
// after ten minutes, and the consent would count again.
func TestUnstoredIsNotShownAsStored(t *testing.T) {
	s, store := newFullSite(t)
	v := &visitor{}
	s.must(s.choose(v, "news", consent.Grant))
	store.full = true
	if err := s.choose(v, "news", consent.Withdraw); err == nil {
		t.Fatal("stored")
	}
	look := func() consent.Choice {
		t.Helper()
		choices, err := s.Choices(v.request("GET"), s.set, []policy.PurposeID{s.purpose("news")})
		s.must(err)
		return choices[0]
	}
	if c := look(); c.Status != consent.Denied || c.Latest.Action != consent.Withdraw || c.Latest.Revision != 0 || !c.Latest.Time.IsZero() || c.Latest.Notice != "" {
		t.Errorf("not stored: %+v", c)
	}
	v.header = http.Header{"Adpc": {"withdraw=*"}}
	if c := look(); c.Latest.Revision != 0 {
		t.Errorf("told by the browser and not stored: %+v", c)
	}
	store.full = false
	s.must(s.choose(v, "news", consent.Withdraw))
	if c := look(); c.Status != consent.Denied || c.Latest.Revision == 0 {
		t.Errorf("stored: %+v", c)
	}
}

// Whoever has objected objects again, and it cannot be stored: that must not
// turn the objection into a withdrawal, which stops nothing that rests on
// another basis than consent.
func TestUnstoredObjection(t *testing.T) {
	s, store := newFullSite(t)
	stored, fresh := &visitor{}, &visitor{}
	s.must(s.choose(stored, "ads", consent.Object))
	s.must(s.choose(fresh, "news", consent.Grant))
	store.full = true
	for _, v := range []*visitor{stored, fresh} {
		if err := s.choose(v, "ads", consent.Object); err == nil {
			t.Fatal("stored")
		}
		if a := s.submit(v, nil); !a.Objected.Has(s.purpose("ads")) {
			t.Errorf("not objected to: %+v", a)
		}
	}
}

// Ada withdraws on the page, in a browser that Bob uses after her. The page
// told her that it is withdrawn: what he ticks there must not bring back the
// consent of her address, also when the store took longer to read than a
// decision waits.
func TestNextAtTheBrowser(t *testing.T) {
	for _, slow := range []bool{false, true} {
		s, store := newFullSite(t)
		s.Fields = map[string]consent.Kind{"email": consent.ByEmail}
		browser, ada, bob := &visitor{}, map[string]string{"email": "ada@example.org"}, map[string]string{"email": "bob@example.org"}
		s.submit(browser, ada, "news")
		s.now = s.now.Add(time.Hour) // past the life of what is cached
		store.slow.Store(slow)
		s.must(s.choose(browser, "news", consent.Withdraw))
		store.slow.Store(false)
		for s.submit(browser, nil).Source == "unknown" { // a reading that was slow ends yet
			runtime.Gosched()
		}
		s.submit(browser, bob, "news")
		if s.granted(&visitor{}, "news", ada) {
			t.Errorf("slow %t: the withdrawn consent of the address stands again", slow)
		}
		if !s.granted(browser, "news", bob) {
			t.Errorf("slow %t: what Bob ticked does not count", slow)
		}
	}
}

// Ada withdrew. Somebody links her address to another browser, and there takes
// the consent back and gives it again, on the page: her withdrawal stands.
func TestAllowAgainElsewhere(t *testing.T) {
	s := newSite(t)
	s.Fields = map[string]consent.Kind{"email": consent.ByEmail}
	browser, eve, ada := &visitor{}, &visitor{}, map[string]string{"email": "ada@example.org"}
	s.submit(browser, ada, "news")
	s.must(s.choose(browser, "news", consent.Withdraw))
	s.must(s.choose(eve, "news", consent.Grant))
	s.submit(eve, ada)
	s.now = s.now.Add(time.Second)
	s.must(s.choose(eve, "news", consent.Withdraw))
	s.now = s.now.Add(time.Second)
	s.must(s.choose(eve, "news", consent.Grant))
	if s.granted(&visitor{}, "news", ada) || s.granted(eve, "news", ada) {
		t.Error("somebody else lifted her withdrawal")
	}
}

// A browser that speaks ADPC says what it says with each image and each style
// sheet. While commits hang, as PostgreSQL's do when its standby is away, none
// of these requests may wait as long as a person who saves choices does (P8).
func TestBrowserThatSpeaksWhileCommitsHang(t *testing.T) {
	s, store := newFullSite(t)
	v := &visitor{}
	s.must(s.choose(v, "news", consent.Grant))
	store.hangs = true
	r := v.request("GET")
	r.Header["Adpc"] = []string{"withdraw=*"}
	start := time.Now()
	if err := s.Listen(r, http.Header{}, s.set); err == nil {
		t.Error("stored")
	}
	if took := time.Since(start); took > 2*time.Second { // a choice waits for 5
		t.Errorf("an image waited for %v", took)
	}
	if s.granted(v, "news", nil) {
		t.Error("granted after a withdrawal that could not be stored")
	}
}

// Ada consents in her browser, and orders a present for Bob or lends him the
// browser: his address stands in a form, and nothing is ticked. That makes no
// consent of his, which would let his own data pass from wherever he submits.
func TestAddressInheritsNoConsent(t *testing.T) {
	s := newSite(t)
	s.Fields = map[string]consent.Kind{"email": consent.ByEmail}
	ada, bob := &visitor{}, map[string]string{"email": "bob@example.org"}
	s.must(s.choose(ada, "news", consent.Grant))
	s.submit(ada, bob)
	if s.granted(&visitor{}, "news", bob) {
		t.Error("Ada consented, and Bob's data passes")
	}
	// What he ticks later is his, with the term of that day.
	s.now = s.now.AddDate(0, 11, 0)
	s.submit(ada, bob, "news")
	s.now = s.now.AddDate(0, 6, 0)
	if !s.granted(&visitor{}, "news", bob) {
		t.Error("Bob's consent has the term of Ada's")
	}
}

// An attacker writes Ada's address into forms of ever new browsers, until no
// more can be linked to it. What she then ticks must not be granted to the
// address, which her page of choices no longer reaches: she would withdraw,
// read that it is withdrawn, and the address would still pass.
func TestAddressWithTooManyLinks(t *testing.T) {
	s := newSite(t)
	s.Fields = map[string]consent.Kind{"email": consent.ByEmail, "phone": consent.ByPhone}
	address := map[string]string{"email": "ada@example.org"}
	for range consent.MaxLinked {
		s.submit(&visitor{}, address, "poll")
	}
	ada := &visitor{}
	s.submit(ada, address, "news")
	if !s.granted(ada, "news", nil) {
		t.Error("what she ticked is not granted to her browser")
	}
	s.must(s.choose(ada, "news", consent.Withdraw))
	if s.granted(&visitor{}, "news", address) {
		t.Error("withdrawn on the page, and the address still passes")
	}
	// One link less, and the second of two identities finds no room.
	address = map[string]string{"email": "eve@example.org"}
	for range consent.MaxLinked - 2 {
		s.submit(&visitor{}, address, "poll")
	}
	address["phone"] = "030 901820"
	eve := &visitor{}
	s.submit(eve, address, "news")
	if !s.granted(eve, "news", nil) {
		t.Error("the consent of who names two identities is not kept")
	}
}

// Ada and Bob use one browser. That Ada's consent reaches its term must not
// end Bob's, which is younger.
func TestTermOfLinked(t *testing.T) {
	s := newSite(t)
	s.Fields = map[string]consent.Kind{"email": consent.ByEmail}
	browser, bob := &visitor{}, map[string]string{"email": "bob@example.org"}
	s.submit(browser, map[string]string{"email": "ada@example.org"}, "news")
	s.now = s.now.AddDate(0, 11, 0)
	s.submit(browser, bob, "news")
	s.now = s.now.AddDate(0, 2, 0)
	s.must(s.Registry.EndTerms(t.Context(), consent.Terms{}))
	for _, fields := range []map[string]string{nil, bob} {
		if !s.granted(browser, "news", fields) {
			t.Errorf("%v: ended with another's consent", fields)
		}
	}
	if !s.granted(&visitor{}, "news", bob) {
		t.Error("ended elsewhere with another's consent")
	}
	if s.granted(&visitor{}, "news", map[string]string{"email": "ada@example.org"}) {
		t.Error("Ada's consent outlives its term")
	}
}

// A megabyte of headers holds forty thousand cookies of our name, each on a
// line of its own. To copy all lines for each of them kept a core busy for
// half a minute (CWE-407).
func TestManyCookiesOfOurName(t *testing.T) {
	lines := make([]string, 5000)
	for i := range lines {
		lines[i] = consent.CookieName + "=1; a=b"
	}
	h := http.Header{"Cookie": lines}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	consent.HideCookie(h)
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 10<<20 { // each copy of the list is 80 kB
		t.Errorf("%d bytes of memory for %d lines", n, len(lines))
	}
	if h["Cookie"][0] != "a=b" || h["Cookie"][len(lines)-1] != "a=b" {
		t.Error("not hidden")
	}
	if lines[0] != consent.CookieName+"=1; a=b" {
		t.Error("the list that others may hold was changed")
	}
}

// A program ticks a box in a form without end, each time as somebody new, to
// fill the disk that keeps the evidence.
func TestTooManyNewPeople(t *testing.T) {
	s := newSite(t)
	left := 3
	s.Limit = func(*http.Request) bool { left--; return left >= 0 }
	known := &visitor{}
	s.submit(known, nil, "news")
	for i := range 5 {
		inq := &consent.Inquiry{Request: (&visitor{}).request("POST"), Set: s.set, Purposes: policy.PurposeSet{}.With(s.purpose("news"))}
		if err := s.Record(t.Context(), http.Header{}, inq, inq.Purposes); (err == nil) != (i < 2) {
			t.Errorf("newcomer %d: %v", i, err)
		}
	}
	s.submit(known, nil, "poll")
	if !s.granted(known, "poll", nil) {
		t.Error("who is known already is refused too")
	}
}
