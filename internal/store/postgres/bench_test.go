package postgres_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/store/postgres"
)

// quantiles reports how long the calls took.
func quantiles(b *testing.B, took []time.Duration) {
	b.Helper()
	slices.Sort(took)
	us := func(q float64) float64 { return float64(took[int(q*float64(len(took)-1))].Nanoseconds()) / 1e3 }
	b.ReportMetric(us(0.5), "p50-µs")
	b.ReportMetric(us(0.99), "p99-µs")
	b.ReportMetric(0, "ns/op") // of no meaning with several clients
}

// measure calls do b.N times from some clients.
func measure(b *testing.B, clients int, do func(i int) error) {
	b.Helper()
	took := make([]time.Duration, b.N)
	var group sync.WaitGroup
	b.ResetTimer()
	for c := range clients {
		group.Go(func() {
			for i := c; i < b.N; i += clients {
				began := time.Now()
				if err := do(i); err != nil {
					b.Error(err)
					return
				}
				took[i] = time.Since(began)
			}
		})
	}
	group.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
	quantiles(b, took)
}

// anybody returns one of so many subjects.
func anybody(subjects int) consent.Subject {
	return consent.Subject("k." + strconv.Itoa(1+rand.IntN(subjects))) //nolint:gosec // any will do
}

func BenchmarkAppend(b *testing.B) {
	s := open(b, postgres.Options{DSN: database(b)})
	for _, clients := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			measure(b, clients, func(int) error {
				_, err := s.Append(context.Background(), event(anybody(1e6), "news", consent.Grant))
				return err
			})
		})
	}
}

// populations are the numbers of subjects that reading must not depend on.
func populations(b *testing.B) []int {
	b.Helper()
	sizes := []int{1_000, 1_000_000}
	if most := os.Getenv("MODICUM_BENCH_SUBJECTS"); most != "" {
		n, err := strconv.Atoi(most)
		if err != nil {
			b.Fatal(err)
		}
		sizes = append(sizes, n)
	}
	return sizes
}

// fill stores a choice of each of many subjects, and links each tenth to the
// next.
func fill(tb testing.TB, dsn string, subjects int) {
	tb.Helper()
	n := strconv.Itoa(subjects)
	execute(tb, dsn, `INSERT INTO modicum.event SELECT i, gen_random_uuid(), 'k.' || i, '', 'news', 'grant', 'page',
			now(), now() + interval '1 year', 'notice', NULL, 'en', 'policy', '', '' FROM generate_series(1, `+n+`) i`,
		`INSERT INTO modicum.state SELECT subject, purpose, rev, action, expires FROM modicum.event`,
		`INSERT INTO modicum.link SELECT 'k.' || i + j, 'k.' || i FROM generate_series(10, `+n+`, 10) i, generate_series(0, 1) j`)
}

// populate fills a store and lets the server come to rest.
func populate(tb testing.TB, dsn string, subjects int) {
	tb.Helper()
	fill(tb, dsn, subjects)
	execute(tb, dsn, "VACUUM ANALYZE", "CHECKPOINT")
}

func BenchmarkRead(b *testing.B) {
	for _, subjects := range populations(b) {
		b.Run(fmt.Sprintf("subjects=%d", subjects), func(b *testing.B) {
			dsn := database(b)
			s := open(b, postgres.Options{DSN: dsn})
			populate(b, dsn, subjects)
			ctx := context.Background()
			head, err := s.Changes(ctx, consent.Mark{})
			if err != nil {
				b.Fatal(err)
			}
			for _, clients := range []int{1, 16} {
				b.Run(fmt.Sprintf("load/clients=%d", clients), func(b *testing.B) {
					measure(b, clients, func(int) error {
						_, err := s.Load(ctx, anybody(subjects))
						return err
					})
					b.ReportMetric(loadPages(b, dsn, subjects), "pages/op") //nolint:contextcheck // it bounds itself
				})
			}
			b.Run("changes/none", func(b *testing.B) {
				measure(b, 1, func(int) error {
					_, err := s.Changes(ctx, head.Head)
					return err
				})
			})
			back, err := s.Events(ctx, "", head.Head.Revision-101, 1)
			if err != nil {
				b.Fatal(err)
			}
			b.Run("changes/100", func(b *testing.B) {
				measure(b, 1, func(int) error {
					_, err := s.Changes(ctx, consent.Mark{Revision: back[0].Revision, Event: back[0].ID})
					return err
				})
			})
			b.Run("append/clients=16", func(b *testing.B) {
				measure(b, 16, func(int) error {
					_, err := s.Append(ctx, event(anybody(subjects), "news", consent.Withdraw))
					return err
				})
			})
		})
	}
}
