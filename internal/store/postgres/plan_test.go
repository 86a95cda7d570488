package postgres_test

import (
	"context"
	"math"
	"testing"

	"github.com/google/uuid"

	"github.com/modicum-proxy/modicum/internal/store/postgres"
)

// pages returns how many pages the server looks at, on the average of some
// calls of a query. That does not depend on how busy the machine is.
func pages(tb testing.TB, dsn, query string, args func() []any) float64 {
	tb.Helper()
	ctx := context.Background()
	conn := connect(tb, dsn)
	if err := postgres.Settle(ctx, conn); err != nil {
		tb.Fatal(err)
	}
	const calls = 50
	sum := 0
	for i := range 2 * calls {
		var plan []struct {
			Plan struct {
				Hit  int `json:"Shared Hit Blocks"`
				Read int `json:"Shared Read Blocks"`
			} `json:"Plan"`
		}
		if err := conn.QueryRow(ctx, "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "+query, args()...).Scan(&plan); err != nil {
			tb.Fatal(err)
		}
		if i >= calls { // the first ones read the catalog too
			sum += plan[0].Plan.Hit + plan[0].Plan.Read
		}
	}
	return float64(sum) / calls
}

func loadPages(tb testing.TB, dsn string, subjects int) float64 {
	tb.Helper()
	return pages(tb, dsn, postgres.LoadQuery, func() []any { return []any{anybody(subjects), 1000} })
}

// What a decision waits for costs the same among few people and many, also
// while the server does not know yet how many there are.
func TestFlat(t *testing.T) {
	dsn := database(t)
	open(t, postgres.Options{DSN: dsn})
	few := 1000
	populate(t, dsn, few)
	loadFew := loadPages(t, dsn, few)
	many := 50 * few
	execute(t, dsn, "TRUNCATE modicum.event, modicum.state, modicum.link, modicum.superseded", "ANALYZE")
	fill(t, dsn, many)
	loadMany := loadPages(t, dsn, many)
	changes := pages(t, dsn, postgres.ChangesQuery, func() []any { return []any{int64(many), uuid.New(), int64(10_000)} })
	t.Logf("Load looks at %.1f pages among %d, %.1f among %d; Changes at %.1f", loadFew, few, loadMany, many, changes)
	// An index of fifty times as many is one level deeper, of four at most.
	if loadMany > loadFew+6 || changes > 10 || math.IsNaN(loadMany) {
		t.Error("that grows with the store")
	}
}
