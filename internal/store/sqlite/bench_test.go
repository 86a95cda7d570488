package sqlite

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// BenchmarkAppend measures durable commits by callers at a time.
func BenchmarkAppend(b *testing.B) {
	for _, clients := range []int{1, 16, 64, 256} {
		b.Run(fmt.Sprint(clients), func(b *testing.B) {
			s := open(b, Options{})
			shown := text("We write to you once a month, and tell nobody that you read it.")
			latencies := make([][]time.Duration, clients)
			b.ResetTimer()
			share(b.N, clients, func(i int) {
				e := event(consent.Subject("k."+uuid.NewString()), "news", consent.Grant)
				e.Shown = shown
				start := time.Now()
				if _, err := s.Append(context.Background(), e); err != nil {
					b.Error(err)
				}
				latencies[i] = append(latencies[i], time.Since(start))
			})
			report(b, slices.Concat(latencies...))
		})
	}
}

// BenchmarkLoad measures loads of random subjects by how many there are. More
// than a thousand take a while to make: MODICUM_BENCH_SUBJECTS is the most,
// and MODICUM_BENCH_DIR where they are kept for the next run.
func BenchmarkLoad(b *testing.B) {
	most := 1000
	if n, err := strconv.Atoi(os.Getenv("MODICUM_BENCH_SUBJECTS")); err == nil {
		most = n
	}
	for _, n := range []int{1000, 1_000_000, 10_000_000} {
		if n > most {
			return
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := open(b, Options{Path: filled(b, n)})
			for _, clients := range []int{1, 16} {
				b.Run(fmt.Sprint("clients=", clients), func(b *testing.B) {
					latencies := make([][]time.Duration, clients)
					share(b.N, clients, func(i int) {
						subject := subjectOf(rand.IntN(n)) //nolint:gosec // not a secret
						start := time.Now()
						record, err := s.Load(context.Background(), subject)
						if err != nil || len(record.Latest) != 2 {
							b.Errorf("%+v, %v", record, err)
						}
						latencies[i] = append(latencies[i], time.Since(start))
					})
					report(b, slices.Concat(latencies...))
				})
			}
		})
	}
}

// share has some clients do something n times in all.
func share(n, clients int, do func(client int)) {
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			for range n/clients + min(1, max(0, n%clients-i)) {
				do(i)
			}
		})
	}
	wg.Wait()
}

func report(b *testing.B, latencies []time.Duration) {
	b.Helper()
	slices.Sort(latencies)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
	b.ReportMetric(float64(latencies[len(latencies)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(latencies[len(latencies)*99/100].Microseconds()), "p99-µs")
}

// subjectOf returns a subject of the form that the service makes.
func subjectOf(i int) consent.Subject {
	id := uuid.NewSHA1(uuid.Nil, strconv.AppendInt(nil, int64(i), 10))
	return consent.Subject(fmt.Sprintf("k1.%x%x", id[:], id[:5]))
}

// filled returns the path of a store in which each of n subjects has chosen
// twice about one purpose and once about another.
func filled(b *testing.B, n int) string {
	b.Helper()
	dir := os.Getenv("MODICUM_BENCH_DIR")
	if dir == "" {
		dir = b.TempDir()
	}
	path := filepath.Join(dir, fmt.Sprintf("consent-%d.db", n))
	if _, err := os.Stat(path); err == nil {
		return path
	}
	s, err := Open(b.Context(), Options{Path: path + ".new", Ballast: -1, synchronous: "OFF"})
	if err != nil {
		b.Fatal(err)
	}
	shown := text("We write to you once a month, and tell nobody that you read it.")
	share(n, 256, func() func(int) {
		var mu sync.Mutex
		next := 0
		return func(int) {
			mu.Lock()
			subject := subjectOf(next)
			next++
			mu.Unlock()
			first, second := event(subject, "news", consent.Grant), event(subject, "news", consent.Withdraw)
			first.Shown, second.Shown = shown, shown
			if _, err := s.Append(context.Background(), first, second, event(subject, "post", consent.Grant)); err != nil {
				b.Error(err)
			}
		}
	}())
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		b.Fatal(err)
	}
	return path
}
