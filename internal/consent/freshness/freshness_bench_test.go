package freshness_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/consent/freshness"
	"github.com/modicum-proxy/modicum/internal/store/postgres"
)

// alone is a store that no other process writes, in which everybody consents.
type alone struct{ consent.Store }

func (alone) Load(_ context.Context, subject consent.Subject) (consent.Record, error) {
	return consent.Record{Revision: 1, Subjects: []consent.Subject{subject}, Latest: []consent.State{{
		Subject: subject, Purpose: "newsletter", Action: consent.Grant, Source: consent.FromPage, Time: time.Unix(0, 0),
		Notice: "AAAAAAAAAAAAAAAAAAAAAA", Language: "en", Revision: 1,
	}}}, nil
}

func (alone) Close() error { return nil }

func (alone) Append(context.Context, ...consent.Event) (consent.Commit, error) {
	return consent.Commit{}, consent.ErrUnavailable
}

// subjectOf returns a subject as long as ours are.
func subjectOf(n int) consent.Subject {
	return consent.Subject(fmt.Sprintf("0123abcd.%043d", n))
}

func registry(tb testing.TB, o freshness.Options) *freshness.Registry {
	tb.Helper()
	r, err := freshness.NewRegistry(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := r.Close(); err != nil {
			tb.Error(err)
		}
	})
	if _, err := r.Store(context.Background()); err != nil {
		tb.Fatal(err)
	}
	return r
}

func openAlone(context.Context) (consent.Store, error) { return alone{}, nil }

// database makes a database of PostgreSQL and returns what opens a store in it.
func database(tb testing.TB) func(context.Context) (consent.Store, error) {
	tb.Helper()
	server := os.Getenv("MODICUM_TEST_POSTGRES")
	if server == "" {
		tb.Skip("no PostgreSQL: set MODICUM_TEST_POSTGRES, see .ci/postgres")
	}
	ctx := context.Background() // the clean-up needs the connection
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		tb.Fatal(err)
	}
	name := "modicum_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if _, err := conn.Exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			tb.Error(err)
		}
		_ = conn.Close(ctx)
	})
	return func(ctx context.Context) (consent.Store, error) {
		return postgres.Open(ctx, postgres.Options{DSN: server + " dbname=" + name})
	}
}

func chosen(subject consent.Subject, action consent.Action) consent.Event {
	return consent.Event{
		ID: uuid.Must(uuid.NewV7()), Subject: subject, Purpose: "newsletter", Action: action, Source: consent.FromPage,
		Time: time.Now().UTC().Truncate(time.Microsecond), Notice: "AAAAAAAAAAAAAAAAAAAAAA", Policy: "policy",
	}
}

// people is how many persons the benchmarks of decisions know.
const people = 1000

// granted stores a consent of each person.
func granted(b *testing.B, r *freshness.Registry) {
	b.Helper()
	events := make([]consent.Event, 0, people)
	for n := range people {
		events = append(events, chosen(subjectOf(n), consent.Grant))
	}
	if _, err := r.Append(b.Context(), events...); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkFind decides by a record in memory, where no other process writes.
func BenchmarkFind(b *testing.B) {
	r := registry(b, freshness.Options{Open: openAlone})
	for n := range people {
		if _, err := r.Find(b.Context(), subjectOf(n), 0); err != nil {
			b.Fatal(err)
		}
	}
	subjects := make([]consent.Subject, people)
	for n := range subjects {
		subjects[n] = subjectOf(n)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for n := 0; pb.Next(); n++ {
			if _, err := r.Find(b.Context(), subjects[n%people], 0); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkFindShared decides strictly on PostgreSQL: each decision waits for
// a read that began after it. In "busy", a hundred choices a second are made.
func BenchmarkFindShared(b *testing.B) {
	for _, workers := range []int{1, 64, 256} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) { findShared(b, workers, 0) })
	}
	b.Run("workers=64,busy", func(b *testing.B) { findShared(b, 64, 100) })
}

func findShared(b *testing.B, workers, choices int) {
	b.Helper()
	r := registry(b, freshness.Options{Open: database(b)})
	granted(b, r)
	ctx, cancel := context.WithCancel(b.Context())
	var writer sync.WaitGroup
	defer writer.Wait()
	defer cancel()
	if choices > 0 {
		writer.Go(func() { chooseOften(ctx, b, r, choices) })
	}
	for n := range people {
		_, _ = r.Find(ctx, subjectOf(n), 0) // fills the memory
	}
	var unknown atomic.Int64 // on a machine that has no time
	b.ResetTimer()
	took := timed(b, workers, func(n int) error {
		_, err := r.Find(ctx, subjectOf(n%people), 0)
		if errors.Is(err, consent.ErrUnavailable) {
			unknown.Add(1)
			err = nil
		}
		return err
	})
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "decisions/s")
	b.ReportMetric(float64(unknown.Load()), "unknown")
	report(b, took)
}

// chooseOften lets one person after the other choose.
func chooseOften(ctx context.Context, b *testing.B, r *freshness.Registry, perSecond int) {
	b.Helper()
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if _, err := r.Append(context.WithoutCancel(ctx), chosen(subjectOf(n%people), consent.Grant)); err != nil {
				b.Error(err)
				return
			}
		}
	}
}

// BenchmarkWithdraw is how long a withdrawal takes on PostgreSQL until it may
// be answered; in "deciding" while 64 others decide.
func BenchmarkWithdraw(b *testing.B) {
	for _, deciders := range []int{0, 64} {
		b.Run(fmt.Sprintf("workers=16,deciding=%d", deciders), func(b *testing.B) {
			r := registry(b, freshness.Options{Open: database(b)})
			granted(b, r)
			ctx, cancel := context.WithCancel(b.Context())
			var others sync.WaitGroup
			defer others.Wait()
			defer cancel()
			for n := range deciders {
				others.Go(func() {
					for ; ctx.Err() == nil; n++ {
						_, _ = r.Find(ctx, subjectOf(n%people), 0) // they only make work
					}
				})
			}
			b.ResetTimer()
			took := timed(b, 16, func(n int) error {
				_, err := r.Append(ctx, chosen(subjectOf(n%people), consent.Withdraw))
				return err
			})
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "withdrawals/s")
			report(b, took)
		})
	}
}

// timed does something b.N times and returns how long each took.
func timed(b *testing.B, workers int, do func(n int) error) []time.Duration {
	b.Helper()
	took := make([]time.Duration, b.N)
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for n := w; n < b.N; n += workers {
				start := time.Now()
				if err := do(n); err != nil {
					b.Error(err)
					return
				}
				took[n] = time.Since(start)
			}
		})
	}
	all.Wait()
	return took
}

func report(b *testing.B, took []time.Duration) {
	b.Helper()
	slices.Sort(took)
	for name, q := range map[string]float64{"p50-ms": 0.5, "p99-ms": 0.99} {
		b.ReportMetric(float64(took[int(q*float64(len(took)-1))].Microseconds())/1000, name)
	}
}

// BenchmarkCache lets ten million persons pass through 64 MiB, and measures
// the heap: run it once, with -benchtime 1x.
func BenchmarkCache(b *testing.B) {
	for b.Loop() {
		most, last := heapAfter(b, 64<<20, 10_000_000)
		b.ReportMetric(float64(most)/(1<<20), "most-MiB")
		b.ReportMetric(float64(last)/(1<<20), "last-MiB")
	}
}

// heapAfter returns the most that the heap grew by while persons passed
// through a cache, and by how much it has grown in the end.
func heapAfter(tb testing.TB, memory int64, persons int) (most, last int64) {
	tb.Helper()
	before := heap()
	r := registry(tb, freshness.Options{Open: openAlone, Memory: memory, Timeout: time.Minute})
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() {
			for n := w; n < persons; n += 4 {
				if _, err := r.Find(context.Background(), subjectOf(n), 0); err != nil {
					tb.Error(err)
					return
				}
				if w == 0 && n%(persons/10) == 0 {
					most = max(most, heap()-before)
				}
			}
		})
	}
	all.Wait()
	time.Sleep(100 * time.Millisecond) // what waits to be kept is kept or not
	last = heap() - before
	runtime.KeepAlive(r)
	return max(most, last), last
}

// heap returns what is in use.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what pools kept
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc) //nolint:gosec // G115: no heap is that large
}

// TestCacheBounded: an attacker sends forms under ever new cookies. What is
// kept of them stays within the memory that is configured. Besides, ristretto
// lets 32,768 records wait to be kept, and counts who comes often.
func TestCacheBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("measures the heap")
	}
	const memory, waiting, counters = 4 << 20, 32_768 * 600, 2 << 20
	most, last := heapAfter(t, memory, 200_000)
	if most > memory+counters+waiting || last > memory+counters {
		t.Errorf("%d bytes are in use and %d were, %d are configured", last, most, memory)
	}
}
