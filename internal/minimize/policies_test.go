package minimize

import (
	"context"
	"fmt"
	"hash/maphash"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modicum-proxy/modicum/internal/policy"
)

// A request runs under the policy that it began with, whatever is put in
// force in the meantime.
func TestSwapKeepsSetInFlight(t *testing.T) {
	e, j := newEngine(t, shop)
	old := e.Policies.Load()
	e.Consents = consents(func(_ *policy.Set, _ policy.PurposeSet) (policy.Standing, error) {
		if err := e.Policies.Swap(compiled(t, strings.Replace(shop, "name: delivery\n      email", "email", 1))); err != nil {
			t.Error(err)
		}
		return policy.Standing{}, nil
	})
	got := process(e, request("POST /checkout", jsonType, strings.NewReader(`{"name":"a"}`)))
	if got.body != `{"name":"a"}` || got.Set != old || j.only(t).Policy != old.Version {
		t.Errorf("forwarded %s under the version %s, recorded %s", got.body, got.Set.Version, j.entries[0].Policy)
	}
	e.Consents = nil
	got = process(e, request("POST /checkout", jsonType, strings.NewReader(`{"name":"a"}`)))
	if got.body != `{}` || got.Set.Version == old.Version {
		t.Errorf("then forwarded %s under the version %s", got.body, got.Set.Version)
	}
}

// A set that was replaced is garbage once no request runs on it: what was
// compiled for it must not keep it.
func TestSwapReleasesTheOldSet(t *testing.T) {
	e, _ := newEngine(t, shop, known(&people{}))
	var released atomic.Bool
	func() {
		send := func() {
			process(e, request("POST /checkout", jsonType, strings.NewReader(`{"name":"a","email":"b@c.example"}`)))
			e.Policies.cache.Wait()
		}
		send()
		runtime.AddCleanup(e.Policies.Load(), func(released *atomic.Bool) { released.Store(true) }, &released)
		if err := e.Policies.Swap(compiled(t, shop)); err != nil {
			t.Fatal(err)
		}
	}()
	for range 100 {
		runtime.GC()
		if released.Load() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("the old set is still referenced")
}

func TestSwapRefuses(t *testing.T) {
	policies, err := NewPolicies(compiled(t, shop), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer policies.Close()
	old := policies.Load()
	err = policies.Swap(compiled(t, strings.Replace(shop, "opinion: poll", "opinion: {for: poll, keep: pseudonym}", 1)))
	if err == nil || !strings.Contains(err.Error(), "privacy.yaml:19:") || !strings.Contains(err.Error(), "pseudonym_key") {
		t.Errorf("a pseudonym without a key: %v, want the place and the remedy", err)
	}
	if policies.Load() != old {
		t.Error("the old policy does not stay")
	}
}

// Two keys of one hash must not share an decision: one person's consent
// would let another's fields pass. Here every key has the hash of every other.
func TestCacheEntriesOfOneHash(t *testing.T) {
	policies, err := NewPolicies(compiled(t, shop), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer policies.Close()
	set := policies.current.Load()
	id, _ := set.PurposeID("newsletter")
	granted := policy.Standing{Granted: policy.PurposeSet{}.With(id)}
	other, err := policies.newEdition(compiled(t, shop))
	if err != nil {
		t.Fatal(err)
	}
	keys := []decisionKey{
		{edition: set, collection: set.Collections[0], standing: policy.Standing{}},
		{edition: set, collection: set.Collections[0], standing: granted},
		{edition: set, collection: set.Collections[0], standing: policy.Standing{Objected: granted.Granted}},
		{edition: set, collection: set.Collections[1], standing: policy.Standing{}},
		{edition: set, collection: nil, standing: policy.Standing{}},
		{edition: other, collection: other.Collections[0], standing: policy.Standing{}},
	}
	lists := make([]*decision, len(keys))
	for i, key := range keys {
		lists[i] = compile(key)
	}
	for stored := range keys {
		for _, key := range keys {
			// What a collision would leave in the cache: another key's list.
			policies.cache.Set(maphash.Comparable(policies.seed, key), lists[stored], 1)
			policies.cache.Wait()
		}
		for _, key := range keys {
			if l := policies.decision(key); l.decisionKey != key {
				t.Fatalf("with the list of %+v in its place, %+v got that of %+v", keys[stored], key, l.decisionKey)
			}
			policies.cache.Wait()
		}
	}
}

func TestCacheIsUsedAndBounded(t *testing.T) {
	policies, err := NewPolicies(compiled(t, shop), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer policies.Close()
	set := policies.current.Load()
	first := policies.decision(decisionKey{edition: set, collection: set.Collections[0]})
	policies.cache.Wait()
	if again := policies.decision(decisionKey{edition: set, collection: set.Collections[0]}); again != first {
		t.Error("compiled again")
	}
	// A client chooses what it consents to, but not how much memory that costs.
	for i := range 3 * maxDecisions / typicalDecision {
		st := policy.Standing{Granted: policy.PurposeSet{uint64(i)}}
		policies.decision(decisionKey{edition: set, collection: set.Collections[1], standing: st})
	}
	policies.cache.Wait()
	size := int64(0)
	policies.cache.IterValues(func(l *decision) bool { size += l.size(); return false })
	if size > maxDecisions || size < maxDecisions/4 {
		t.Errorf("the cache holds %d bytes of lists, of %d", size, maxDecisions)
	}
}

// The cookie of a consent platform lets a client choose the standing: 6,000 of
// them, of a policy with 1,000 fields, left two gigabytes behind.
func TestAttackStandings(t *testing.T) {
	if testing.Short() {
		t.Skip("it measures the heap, which the race detector changes")
	}
	if grown := heapOfStandings(t, 20, 1000, 6000); grown > 64<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
}

// BenchmarkStandings reports how much the heap grows by 6,000 standings. The
// bound is 64 MiB.
func BenchmarkStandings(b *testing.B) {
	for _, size := range [][2]int{{16, 200}, {20, 1000}} {
		b.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(b *testing.B) {
			for b.Loop() {
				b.ReportMetric(float64(heapOfStandings(b, size[0], size[1], 6000))/(1<<20), "MiB")
			}
		})
	}
}

// heapOfStandings returns by how many bytes the heap grows by submissions under
// so many standings, and stays grown.
func heapOfStandings(tb testing.TB, purposes, fields, standings int) int64 {
	tb.Helper()
	var text strings.Builder
	text.WriteString("version: 1\ncontroller: {name: A, contact: a@a.example}\npurposes:\n")
	for i := range purposes {
		fmt.Fprintf(&text, "  p%d: {title: T, basis: consent, retention: 1y}\n", i)
	}
	text.WriteString("collections:\n  a:\n    on: POST /a\n    fields:\n")
	for i := range fields {
		fmt.Fprintf(&text, "      field_%d: p%d\n", i, i%purposes)
	}
	standing := 0
	e, _ := newEngine(tb, text.String())
	e.Recorder = silent{}
	e.Consents = consents(func(*policy.Set, policy.PurposeSet) (policy.Standing, error) {
		standing++
		return policy.Standing{Granted: policy.PurposeSet{uint64(standing)}}, nil //nolint:gosec // G115: small numbers
	})
	heap := func() int64 {
		runtime.GC()
		runtime.GC() // what a pool holds goes with the second
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc) //nolint:gosec // G115: less than 2^63
	}
	before := heap()
	for range standings {
		if got := process(e, request("POST /a", jsonType, strings.NewReader(`{"field_1":"x","field_2":"y"}`))); got.Refusal != nil {
			tb.Fatal(got.Refusal)
		}
	}
	grown := heap() - before
	runtime.KeepAlive(e)
	return grown
}

// A configuration may end while requests of it still run.
func TestCloseInFlight(t *testing.T) {
	for range 20 {
		e, _ := newEngine(t, shop)
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				for i := range 200 {
					st := policy.Standing{Granted: policy.PurposeSet{uint64(g*1000 + i)}} //nolint:gosec // G115: small numbers
					set := e.Policies.current.Load()
					if l := e.Policies.decision(decisionKey{edition: set, collection: set.Collections[0], standing: st}); l.standing != st {
						t.Errorf("got %v", l)
						return
					}
				}
			})
		}
		e.Policies.Close()
		e.Policies.Close()
		wg.Wait()
		if got := process(e, request("POST /checkout", jsonType, strings.NewReader(`{"name":"a","ssn":1}`))); got.body != `{"name":"a"}` {
			t.Fatalf("once closed, forwarded %q, %v", got.body, got.Refusal)
		}
	}
}

// BenchmarkDecide compares what a request pays for its decision: from
// the cache, and compiled each time.
func BenchmarkDecide(b *testing.B) {
	for _, fields := range []int{10, 100} {
		var text strings.Builder
		text.WriteString("version: 1\ncontroller: {name: A, contact: a@a.example}\npurposes: {p: {title: T, basis: contract, retention: 1y}, c: {title: C, basis: consent, retention: 1y}}\ncollections:\n  a:\n    on: POST /a\n    fields:\n")
		for i := range fields {
			fmt.Fprintf(&text, "      address.field_%d: [p, c]\n", i)
		}
		policies, err := NewPolicies(compiled(b, text.String()), nil)
		if err != nil {
			b.Fatal(err)
		}
		defer policies.Close()
		set := policies.current.Load()
		lookup := func(b *testing.B) {
			b.Helper()
			b.ReportAllocs()
			for b.Loop() {
				policies.decision(decisionKey{edition: set, collection: set.Collections[0]})
			}
		}
		policies.decision(decisionKey{edition: set, collection: set.Collections[0]})
		policies.cache.Wait()
		b.Run(fmt.Sprintf("fields=%d/cached", fields), lookup)
		b.Run(fmt.Sprintf("fields=%d/cached, parallel", fields), func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					policies.decision(decisionKey{edition: set, collection: set.Collections[0]})
				}
			})
		})
		b.Run(fmt.Sprintf("fields=%d/compiled each time", fields), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				compile(decisionKey{edition: set, collection: set.Collections[0]})
			}
		})
	}
}

// BenchmarkProcess is the whole way of a submission of 1 KB, half of its
// members kept, with a recorder that does nothing.
func BenchmarkProcess(b *testing.B) {
	var body strings.Builder
	body.WriteString(`{"name":"Anna","email":"a@example.org"`)
	for i := range 8 {
		fmt.Fprintf(&body, `,"items_%d":"%s"`, i, strings.Repeat("x", 50))
	}
	body.WriteString(`,"items":[`)
	for i := range 8 {
		if i > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"sku":"%s"}`, strings.Repeat("y", 45))
	}
	body.WriteString("]}")
	e, _ := newEngine(b, shop)
	e.Recorder = silent{}
	e.NewReceipt = func() string { return "r" }
	for _, mode := range []Mode{Enforce, Report} {
		b.Run(fmt.Sprintf("%v/%d bytes", mode, body.Len()), func(b *testing.B) {
			e.Mode = mode
			r := request("POST /checkout", jsonType, nil)
			reader := strings.NewReader("")
			b.SetBytes(int64(body.Len()))
			b.ReportAllocs()
			for b.Loop() {
				reader.Reset(body.String())
				r.Body, r.ContentLength = nopCloser{reader}, int64(body.Len())
				r.Header["Content-Type"] = []string{jsonType}
				s := e.Process(context.Background(), nil, r)
				if s.Refusal != nil {
					b.Fatal(s.Refusal)
				}
				s.Close()
			}
		})
	}
	e.Mode = Enforce
	for _, items := range []int{8, 290} {
		large := strings.Replace(body.String(), `"items":[`, `"items":[`+strings.Repeat(`{"sku":"`+strings.Repeat("y", 45)+`"},`, items-8), 1)
		b.Run(fmt.Sprintf("p99/%d bytes", len(large)), func(b *testing.B) {
			r, reader := request("POST /checkout", jsonType, nil), strings.NewReader("")
			took := make([]time.Duration, 20_000)
			for i := range took {
				reader.Reset(large)
				r.Body, r.ContentLength = nopCloser{reader}, int64(len(large))
				r.Header["Content-Type"] = []string{jsonType}
				start := time.Now()
				s := e.Process(context.Background(), nil, r)
				took[i] = time.Since(start)
				s.Close()
			}
			slices.Sort(took)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(took[len(took)/2])/1e3, "p50-µs")
			b.ReportMetric(float64(took[len(took)*99/100])/1e3, "p99-µs")
		})
	}
	b.Run("nothing submitted", func(b *testing.B) {
		r := request("GET /page?utm=1", "", nil)
		b.ReportAllocs()
		for b.Loop() {
			if e.Process(context.Background(), nil, r) != nil {
				b.Fatal("looked at")
			}
		}
	})
}

type nopCloser struct{ *strings.Reader }

func (nopCloser) Close() error { return nil }

type silent struct{}

func (silent) Record(context.Context, *Entry) error { return nil }
