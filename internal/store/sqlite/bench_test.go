package sqlite

import (
	"context"
	"database/sql"
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
	"modernc.org/sqlite"

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
			b.Run("pages", func(b *testing.B) {
				for b.Loop() {
					b.ReportMetric(pagesOfLoad(b, s, n), "pages/op")
				}
			})
		})
	}
}

// pagesOfLoad is how many pages of the file a load looks at, which is what it
// costs apart from the machine.
func pagesOfLoad(b *testing.B, s *Store, n int) float64 {
	b.Helper()
	const loads = 1000
	conn, err := s.read.Conn(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	before := pagesSeen(b, conn)
	for range loads {
		subject := string(subjectOf(rand.IntN(n))) //nolint:gosec // not a secret
		var found int
		if err := conn.QueryRowContext(b.Context(), "SELECT count(notice) FROM ("+loadSQL+")", subject).Scan(&found); err != nil || found != 2 {
			b.Fatal(found, err)
		}
	}
	return float64(pagesSeen(b, conn)-before) / loads
}

func pagesSeen(b *testing.B, conn *sql.Conn) (pages int) {
	b.Helper()
	err := conn.Raw(func(c any) error {
		for _, op := range []sqlite.DBStatusOp{sqlite.DBStatusCacheHit, sqlite.DBStatusCacheMiss} {
			n, _, err := c.(sqlite.DBStatus).Status(op, false)
			if err != nil {
				return err
			}
			pages += n
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return pages
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

// subjectOf returns a subject as long as those of the service.
func subjectOf(i int) consent.Subject { return consent.Subject(fmt.Sprintf("k1.%043d", i)) }

// filled returns the path of a store in which each of n subjects has chosen
// twice about one purpose and once about another.
func filled(b *testing.B, n int) string {
	b.Helper()
	dir := os.Getenv("MODICUM_BENCH_DIR")
	if dir == "" {
		dir = b.TempDir()
	}
	path := filepath.Join(dir, fmt.Sprintf("consent-%d.db", n))
	if _, err := os.Stat(path); err == nil { //nolint:gosec // who runs the benchmark names it
		return path
	}
	s, err := Open(b.Context(), Options{Path: path + ".new", Ballast: -1, synchronous: "OFF"})
	if err != nil {
		b.Fatal(err)
	}
	const chunk = 50_000 // of subjects to a transaction
	for from := 0; from < n; from += chunk {
		err := s.writer.write(b.Context(), func(ctx context.Context, conn *sql.Conn) error {
			_, err := conn.ExecContext(ctx, fillSQL, from, min(chunk, n-from))
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil { //nolint:gosec // see above
		b.Fatal(err)
	}
	return path
}

// fillSQL adds the subjects from ?1 on, ?2 of them, in order, which is quicker
// than through Append; the trees become the same.
const fillSQL = `
BEGIN;
CREATE TEMP TABLE fill AS
	WITH RECURSIVE n (i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1 + ?2)
	SELECT i, printf('k1.%043d', i) AS subject, k, 3 * i + k AS rev FROM n, (SELECT 1 AS k UNION SELECT 2 UNION SELECT 3);
INSERT INTO event SELECT rev, CAST(printf('%016d', rev) AS BLOB), subject, '', iif(k = 3, 'post', 'news'), iif(k = 2, 'withdraw', 'grant'),
	'form', 1777863721000000 + rev, iif(k = 2, NULL, 1809399721000000 + rev), '0123456789012345678901', NULL, 'en', 'p0licy', '', '' FROM fill;
INSERT INTO state SELECT subject, iif(k = 3, 'post', 'news'), rev, iif(k = 2, 'withdraw', 'grant'), 1777863721000000 + rev FROM fill WHERE k > 1;
INSERT INTO superseded SELECT rev, 1777863721000000 + rev FROM fill WHERE k = 1;
UPDATE head SET rev = (SELECT max(rev) FROM event);
DROP TABLE fill;
COMMIT;`
