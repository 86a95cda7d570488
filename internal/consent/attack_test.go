package consent_test

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"testing"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/policy"
)

// full is a store that can be read and not written: the disk is full, or
// nobody answers for the synchronous standby.
type full struct {
	exclusive

	full bool
}

func (f *full) Append(ctx context.Context, events ...consent.Event) (consent.Commit, error) {
	if f.full {
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
	stored, new := &visitor{}, &visitor{}
	s.must(s.choose(stored, "ads", consent.Object))
	s.must(s.choose(new, "news", consent.Grant))
	store.full = true
	for _, v := range []*visitor{stored, new} {
		if err := s.choose(v, "ads", consent.Object); err == nil {
			t.Fatal("stored")
		}
		if a := s.submit(v, nil); !a.Objected.Has(s.purpose("ads")) {
			t.Errorf("not objected to: %+v", a)
		}
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
