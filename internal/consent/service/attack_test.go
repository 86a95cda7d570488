package service_test

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/consent/freshness"
	"github.com/modicum-proxy/modicum/internal/consent/service"
	"github.com/modicum-proxy/modicum/internal/notice"
	"github.com/modicum-proxy/modicum/internal/policy"
	"github.com/modicum-proxy/modicum/internal/subject"
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
	store := &full{exclusive: exclusive{s.store}}
	registry, err := freshness.NewRegistry(freshness.Options{
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
		if err := s.choose(v, "ads", consent.Object); (err == nil) != (v == stored) {
			t.Fatalf("told %v", err)
		}
		if a := s.submit(v, nil); !a.Objected.Has(s.purpose("ads")) {
			t.Errorf("not objected to: %+v", a)
		}
	}
}

// Ada withdraws on the page, in a browser that Bob uses after her. What he
// ticks there is a choice of that browser, also when the store took longer to
// read than a decision waits.
func TestNextAtTheBrowser(t *testing.T) {
	for _, slow := range []bool{false, true} {
		s, store := newFullSite(t)
		browser := &visitor{}
		s.submit(browser, nil, "news")
		s.now = s.now.Add(time.Hour) // past the life of what is cached
		store.slow.Store(slow)
		s.must(s.choose(browser, "news", consent.Withdraw))
		store.slow.Store(false)
		for s.submit(browser, nil).Source == "unknown" { // a reading that was slow ends yet
			runtime.Gosched()
		}
		if s.granted(browser, "news", nil) {
			t.Errorf("slow %t: withdrawn, and it still passes", slow)
		}
		s.now = s.now.Add(time.Second)
		s.submit(browser, nil, "news")
		if !s.granted(browser, "news", nil) {
			t.Errorf("slow %t: what Bob ticked does not count", slow)
		}
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
	if err := s.StoreADPC(r, http.Header{}, s.set); err == nil {
		t.Error("stored")
	}
	if took := time.Since(start); took > 2*time.Second { // a choice waits for 5
		t.Errorf("an image waited for %v", took)
	}
	if s.granted(v, "news", nil) {
		t.Error("granted after a withdrawal that could not be stored")
	}
}

// A megabyte of headers holds forty thousand cookies of our name, each on a
// line of its own. To copy all lines for each of them kept a core busy for
// half a minute (CWE-407).
func TestManyCookiesOfOurName(t *testing.T) {
	lines := make([]string, 5000)
	for i := range lines {
		lines[i] = subject.CookieName + "=1; a=b"
	}
	h := http.Header{"Cookie": lines}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	subject.HideCookie(h)
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 10<<20 { // each copy of the list is 80 kB
		t.Errorf("%d bytes of memory for %d lines", n, len(lines))
	}
	if h["Cookie"][0] != "a=b" || h["Cookie"][len(lines)-1] != "a=b" {
		t.Error("not hidden")
	}
	if lines[0] != subject.CookieName+"=1; a=b" {
		t.Error("the list that others may hold was changed")
	}
}

// A program ticks a box in a form without end, each time as somebody new, to
// fill the disk that keeps the evidence. What others tick meanwhile counts all
// the same, if only for the submission that carries it.
func TestAttackTooManyNewPeople(t *testing.T) {
	s := newSite(t)
	s.Limits = service.FewLimits(3, 0)
	for i := range 5 {
		inq := &consent.Inquiry{Request: (&visitor{}).request("POST"), Set: s.set, Purposes: policy.PurposeSet{}.With(s.purpose("news"))}
		h := http.Header{}
		counted, err := s.Record(t.Context(), h, inq, inq.Purposes)
		if err != nil || counted != inq.Purposes || (len(h) > 0) != (i < 3) {
			t.Errorf("newcomer %d: %v counts, %v, told %v", i, counted, err, h)
		}
	}
	if n := len(s.everything()); n != 3 {
		t.Errorf("%d events are stored", n)
	}
}

// A browser sent one form 1,717 times a second, and each tick was an event of
// its own: 108 GB a day.
func TestAttackIdenticalTicks(t *testing.T) {
	s := newSite(t)
	v := &visitor{}
	for i := range 200 {
		v.header = http.Header{"Accept-Language": {[]string{"en", "ru"}[i%2]}}
		s.submit(v, nil, "news")
	}
	if n := len(s.everything()); n > 2 {
		t.Errorf("200 identical ticks are %d events", n)
	}
	if !s.granted(v, "news", nil) {
		t.Error("the tick does not count")
	}
	// A term is renewed, but not by every form.
	s.now = s.now.Add(25 * time.Hour)
	s.submit(v, nil, "news")
	s.submit(v, nil, "news")
	if n := len(s.everything()); n > 2 {
		t.Errorf("with two more a day later they are %d", n)
	}
}

// BenchmarkIdenticalTicks reports the events that 200 identical ticks of one
// browser append. The bound is 2.
func BenchmarkIdenticalTicks(b *testing.B) {
	for b.Loop() {
		s, v := newSite(b), &visitor{}
		for range 200 {
			s.submit(v, nil, "news")
		}
		b.ReportMetric(float64(len(s.everything())), "events")
	}
}

// ADPC comes with every request, also with those for images, and a script can
// let it say one thing and the other in turn.
func TestAttackAlternatingADPC(t *testing.T) {
	s := newSite(t)
	v := &visitor{}
	s.submit(v, nil, "poll")
	s.Limits = service.FewLimits(3, 3)
	for range 50 {
		for _, say := range []string{`consent="` + requestID(t, s, "news") + `"`, "withdraw=*", "object=*"} {
			r := v.request("GET")
			r.Header.Set("ADPC", say)
			h := http.Header{}
			if err := s.StoreADPC(r, h, s.set); err != nil {
				t.Fatal(err)
			}
			v.take(h)
		}
	}
	if n := len(s.everything()); n > 20 {
		t.Errorf("%d events are stored", n)
	}
}

// Limits are for what grants. A withdrawal of who is known is stored whatever
// they and their neighbours did before.
func TestAttackWithdrawalIsNeverStarved(t *testing.T) {
	s := newSite(t)
	v := &visitor{}
	s.submit(v, nil, "news", "poll")
	s.Limits = service.FewLimits(0, 0)
	s.must(s.choose(v, "ads", consent.Object))
	h := http.Header{}
	err := s.Choose(v.request("POST"), h, s.set, consent.FromPage, []consent.Decision{
		{Purpose: "news", Action: consent.Withdraw}, {Purpose: "ads", Action: consent.Grant},
	})
	v.take(h)
	if !errors.Is(err, consent.ErrTooManyGrants) {
		t.Errorf("a choice that grants too: %v", err)
	}
	if a := s.submit(v, nil); a.Granted.Has(s.purpose("news")) || !a.Objected.Has(s.purpose("ads")) || !a.Granted.Has(s.purpose("poll")) {
		t.Errorf("what is withdrawn has to be, and what is granted not: %+v", a)
	}
	if err := s.choose(v, "poll", consent.Withdraw); err != nil || s.granted(v, "poll", nil) {
		t.Errorf("a withdrawal: %v", err)
	}
	if err := s.choose(&visitor{}, "poll", consent.Refuse); !errors.Is(err, consent.ErrTooMany) {
		t.Errorf("of somebody new: %v", err)
	}
}

// requestID returns the identifier of a purpose's request for consent, as it is
// served for ADPC.
func requestID(t *testing.T, s *site, purpose string) string {
	t.Helper()
	for id, of := range notice.RequestIDs(s.set) {
		if of == s.purpose(purpose) {
			return id
		}
	}
	t.Fatalf("%s is not asked for", purpose)
	return ""
}
