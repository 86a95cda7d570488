package record

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/notice"
)

var update = flag.Bool("update", false, "write the golden files anew")

// archive is a store in memory.
type archive struct {
	events []consent.Event
	asked  func() // called before each answer
}

func (a *archive) add(events ...consent.Event) {
	for _, e := range events {
		e.Revision = consent.Revision(len(a.events) + 1)
		e.ID = uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, e.Revision))
		a.events = append(a.events, e)
	}
}

// linked returns all subjects of a person.
func (a *archive) linked(subject consent.Subject) map[consent.Subject]bool {
	all := map[consent.Subject]bool{subject: true}
	for n := 0; n != len(all); {
		n = len(all)
		for _, e := range a.events {
			if e.Action == consent.Link && (all[e.Subject] || all[e.Other]) {
				all[e.Subject], all[e.Other] = true, true
			}
		}
	}
	return all
}

// Events implements [Archive].
func (a *archive) Events(_ context.Context, subject consent.Subject, after consent.Revision, limit int) ([]consent.Event, error) {
	if a.asked != nil {
		a.asked()
	}
	var found []consent.Event
	who := a.linked(subject)
	for _, e := range a.events {
		if e.Revision > after && len(found) < limit && (subject == "" || who[e.Subject]) {
			found = append(found, e)
		}
	}
	return found, nil
}

var (
	noon    = time.Date(2026, 11, 22, 12, 0, 0, 123456000, time.UTC)
	english = shown("en", "Send you offers by e-mail?\nYou get a 5 % voucher.")
	russian = shown("ru", "Присылать предложения?")
)

const (
	cookie = consent.Subject("5f2a9c01.Ck-cookie")
	email  = consent.Subject("5f2a9c01.-e-mail")
	other  = consent.Subject("5f2a9c01.other")
)

func shown(language, text string) *consent.Shown {
	sum := sha256.Sum256([]byte(text))
	return &consent.Shown{Digest: hex.EncodeToString(sum[:]), Language: language, Text: text}
}

// sample holds two people: one who was known by a cookie before the e-mail
// address joined it, and one who says no by all means.
func sample() *archive {
	at := func(hours int) time.Time { return noon.Add(time.Duration(hours) * time.Hour) }
	a := &archive{}
	a.add(
		consent.Event{
			Subject: cookie, Purpose: "newsletter", Action: consent.Grant, Source: consent.FromForm, Time: noon, Expires: at(24),
			Notice: "n-today", Shown: english, Policy: "p1", Receipt: "ledger:7", Address: "192.0.2.0/24",
		},
		consent.Event{Subject: other, Purpose: "newsletter", Action: consent.Refuse, Source: consent.FromPage, Time: at(1), Notice: "n-old", Shown: russian, Policy: "p1"},
		consent.Event{Subject: cookie, Purpose: "newsletter", Action: consent.Expire, Source: consent.FromTerm, Time: at(24), Policy: "p1"},
		consent.Event{Subject: cookie, Purpose: "newsletter", Action: consent.Grant, Source: consent.FromPage, Time: at(25), Notice: "n-today", Shown: english, Policy: "p2"},
		consent.Event{Subject: email, Other: cookie, Action: consent.Link, Time: at(26), Policy: "p2", Receipt: "ledger:9"},
		consent.Event{Subject: email, Purpose: "newsletter", Action: consent.Withdraw, Source: consent.FromOperator, Time: at(27), Policy: "p2"},
		consent.Event{Subject: other, Purpose: "statistics", Action: consent.Object, Source: consent.FromADPC, Time: at(28), Policy: "p2"},
	)
	return a
}

var site = Site{
	Controller: notice.Party{Name: "Example Shop Ltd", Contact: "privacy@shop.example", Address: "1 Mill Lane", Country: "DE"},
	Choices:    "https://shop.example/privacy/choices",
	Notice: func(e consent.Event) *notice.Consent {
		if e.Purpose != "newsletter" {
			return nil
		}
		return &notice.Consent{
			ID: "n-today", Purpose: "newsletter", Title: "Send you offers by e-mail", Description: "Once a month.", Retention: "1y",
			Data:       []notice.Datum{{Field: "birthday", Keep: "year"}, {Field: "email", Category: "user.contact.email"}},
			Recipients: []string{"Letter House"}, Policy: "p2",
			Controller: notice.Party{Name: "Example Shop Ltd", Contact: "privacy@shop.example", Address: "1 Mill Lane", Country: "DE"},
			DPO:        notice.Party{Name: "Ada", Contact: "dpo@shop.example"},
		}
	},
}

func receipt(t *testing.T) *Receipt {
	t.Helper()
	p, err := One(t.Context(), sample(), email)
	if err != nil || len(p) != 5 {
		t.Fatal(p, err)
	}
	return &Receipt{ID: uuid.MustParse("01933c5e-7a00-7000-8000-000000000001"), Created: noon.AddDate(0, 0, 2), Person: p, Site: &site}
}

// documents are all documents that the package writes.
func documents(t *testing.T) map[string]string {
	t.Helper()
	ctx := t.Context()
	texts := map[string]string{}
	var b strings.Builder
	keep := func(name string, err error) {
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		texts[name] = b.String()
		b.Reset()
	}
	keep("events.json", WriteJSON(&b, Events(ctx, sample(), "")))
	keep("events.csv", WriteCSV(&b, Events(ctx, sample(), "")))
	keep("records.jsonld", WriteDPV(&b, Persons(ctx, sample()), &site))
	keep("none.json", WriteJSON(&b, Events(ctx, &archive{}, "")))
	keep("none.csv", WriteCSV(&b, Events(ctx, &archive{}, "")))
	keep("none.jsonld", WriteDPV(&b, Persons(ctx, &archive{}), &site))
	r := receipt(t)
	text, err := r.JSONLD()
	b.Write(text)
	keep("receipt.jsonld", err)
	return texts
}

func TestGolden(t *testing.T) {
	for name, got := range documents(t) {
		file := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file) //nolint:gosec // G304: a file of testdata
		if err != nil || got != string(want) {
			t.Errorf("%s: run with -update and look at the difference; %v, got\n%s", name, err, got)
		}
	}
}

// read reads what [WriteJSON] wrote.
func read(text string) iter.Seq2[consent.Event, error] {
	return ReadArray[consent.Event](strings.NewReader(text))
}

// What was written can be read back, event by event.
func TestReadJSON(t *testing.T) {
	var b strings.Builder
	if err := WriteJSON(&b, Events(t.Context(), sample(), "")); err != nil {
		t.Fatal(err)
	}
	var again strings.Builder
	if err := WriteJSON(&again, read(b.String())); err != nil || again.String() != b.String() {
		t.Errorf("%v, read\n%s", err, again.String())
	}
}

// A disk or a connection fails in the midst of an export: nobody may take
// the half of it for the evidence.
func TestCutShort(t *testing.T) {
	broken := errors.New("broken")
	events := func(yield func(consent.Event, error) bool) {
		for e := range sample().all() {
			if !yield(e, nil) {
				return
			}
		}
		yield(consent.Event{}, broken)
	}
	var b strings.Builder
	if err := WriteJSON(&b, events); !errors.Is(err, broken) {
		t.Errorf("WriteJSON: %v", err)
	}
	n, last := 0, error(nil)
	for _, last = range read(b.String()) {
		n++
	}
	if n != 8 || last == nil {
		t.Errorf("%d events read, and the last error is %v", n, last)
	}
	if err := WriteCSV(&b, events); !errors.Is(err, broken) {
		t.Errorf("WriteCSV: %v", err)
	}
	b.Reset()
	persons := func(yield func(Person, error) bool) { yield(nil, broken) }
	if err := WriteDPV(&b, persons, &site); !errors.Is(err, broken) || strings.HasSuffix(b.String(), "}\n") {
		t.Errorf("WriteDPV: %v, wrote %s", err, b.String())
	}
	if err := WriteDPV(failing{}, Persons(t.Context(), sample()), &site); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a writer that fails: %v", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, os.ErrClosed }

func (a *archive) all() iter.Seq[consent.Event] { return slices.Values(a.events) }

// Two people turn out to be one while an export runs, after the first was
// written: what the second chose comes all the same.
func TestLinkedMeanwhile(t *testing.T) {
	a := &archive{}
	for _, s := range []consent.Subject{"k.a", "k.b"} {
		a.add(consent.Event{Subject: s, Purpose: "p", Action: consent.Grant, Time: noon})
	}
	written := map[consent.Subject]bool{}
	for p, err := range Persons(t.Context(), a) {
		if err != nil {
			t.Fatal(err)
		}
		if len(written) == 0 {
			a.add(consent.Event{Subject: "k.b", Other: "k.a", Action: consent.Link, Time: noon})
		}
		for _, thread := range p.Threads() {
			written[thread.Subject] = true
		}
	}
	if !written["k.a"] || !written["k.b"] {
		t.Errorf("written: %v", slices.Collect(maps.Keys(written)))
	}
}

// Each person comes once, whole, whatever they did and however they are
// linked; and the last event of a thread is what stands.
func TestPersons(t *testing.T) {
	subjects := []consent.Subject{"k.a", "k.b", "k.c", "k.d", "k.e"}
	actions := []consent.Action{consent.Grant, consent.Refuse, consent.Withdraw, consent.Object, consent.Expire, consent.Link}
	rapid.Check(t, func(t *rapid.T) {
		a := &archive{}
		for range rapid.IntRange(0, 250).Draw(t, "events") {
			e := consent.Event{Subject: rapid.SampledFrom(subjects).Draw(t, "subject"), Action: rapid.SampledFrom(actions).Draw(t, "action"), Time: noon}
			if e.Action == consent.Link {
				e.Other = rapid.SampledFrom(subjects).Draw(t, "other")
			} else {
				e.Purpose = rapid.SampledFrom([]string{"p", "q"}).Draw(t, "purpose")
			}
			a.add(e)
		}
		seen := map[consent.Revision]bool{}
		for p, err := range Persons(context.Background(), a) {
			if err != nil {
				t.Fatal(err)
			}
			who := a.linked(p[0].Subject)
			for _, e := range p {
				if seen[e.Revision] {
					t.Fatalf("revision %d comes twice", e.Revision)
				}
				seen[e.Revision] = true
			}
			for _, thread := range p.Threads() {
				var stands consent.Event
				for _, e := range a.events {
					if who[e.Subject] && e.Purpose == thread.Purpose && (e.Subject == thread.Subject || e.Action != consent.Grant && e.Action != consent.Expire) && e.Action != consent.Link {
						stands = e
					}
				}
				if got := thread.Latest(); *got != stands {
					t.Fatalf("of %s stands %+v, not %+v", thread.Subject, *got, stands)
				}
				statuses := dpvStatuses(&thread)
				last := statuses[len(statuses)-1].Type
				if permits := last == "dpv:ConsentGiven" || last == "dpv:RenewedConsentGiven"; permits != (stands.Action == consent.Grant) {
					t.Fatalf("%s is written as %s", stands.Action, last)
				}
			}
		}
		if len(seen) != len(a.events) {
			t.Fatalf("%d of %d events came", len(seen), len(a.events))
		}
	})
}

func TestAbout(t *testing.T) {
	var b strings.Builder
	if err := WriteJSON(&b, About("statistics", Events(t.Context(), sample(), ""))); err != nil || strings.Count(b.String(), "\n{") != 1 {
		t.Errorf("%v, %s", err, b.String())
	}
	p, err := One(t.Context(), sample(), cookie)
	if err != nil || len(p.About("statistics").Threads()) != 0 || len(p.About("newsletter").Threads()) != 2 || len(p.About("")) != len(p) {
		t.Errorf("%v, %v", err, p)
	}
}

// crowd is an archive of a great many people, made up as they are asked for.
type crowd struct{ people int }

// Events implements [Archive].
func (c crowd) Events(_ context.Context, subject consent.Subject, after consent.Revision, limit int) ([]consent.Event, error) {
	if subject != "" {
		if after > 0 {
			return nil, nil
		}
		return []consent.Event{{Subject: subject, Purpose: "newsletter", Action: consent.Grant, Time: noon, Revision: 1, Shown: english}}, nil
	}
	var events []consent.Event
	for r := after + 1; int(r) <= c.people && len(events) < limit; r++ {
		events = append(events, consent.Event{Subject: consent.Subject(uuid.NewSHA1(uuid.Nil, fmt.Append(nil, r)).String()), Revision: r})
	}
	return events, nil
}

// gauge measures what is in use while it is written to.
type gauge struct{ writes, most uint64 }

func (g *gauge) Write(p []byte) (int, error) {
	if g.writes++; g.writes%50_000 == 0 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		g.most = max(g.most, m.HeapAlloc)
	}
	return len(p), nil
}

// An export of many people takes no more memory than that of a few.
func TestBoundedMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 200,000 records")
	}
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	g := &gauge{}
	if err := WriteDPV(g, Persons(t.Context(), crowd{people: 200_000}), &site); err != nil {
		t.Fatal(err)
	}
	if g.most == 0 || g.most > before.HeapAlloc+4<<20 {
		t.Errorf("%d KiB are in use after %d writes, %d before", g.most>>10, g.writes, before.HeapAlloc>>10)
	}
}

func TestStatus(t *testing.T) {
	for want, e := range map[string]consent.Event{
		"granted":   {Action: consent.Grant, Purpose: "newsletter", Notice: "n-today", Expires: noon.Add(1)},
		"outdated":  {Action: consent.Grant, Purpose: "newsletter", Notice: "n-old"},
		"expired":   {Action: consent.Grant, Purpose: "newsletter", Notice: "n-today", Expires: noon},
		"refused":   {Action: consent.Refuse},
		"withdrawn": {Action: consent.Withdraw},
		"objected":  {Action: consent.Object},
		"unknown":   {Action: "?"},
	} {
		if got := site.Status(&Thread{Events: Person{e}}, noon); got != want {
			t.Errorf("%+v is %s, not %s", e, got, want)
		}
	}
}
