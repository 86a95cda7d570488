package postgres_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/store/postgres"
)

// The longest lease that any process was told holds for all, and for good.
func TestLease(t *testing.T) {
	dsn := database(t)
	for _, lease := range []time.Duration{time.Second, 3 * time.Second, 0, 2 * time.Second} {
		open(t, postgres.Options{DSN: dsn, Lease: lease})
	}
	commit, err := open(t, postgres.Options{DSN: dsn}).Append(context.Background(), event("k.a", "news", consent.Grant))
	if err != nil || commit.Lease != 3*time.Second {
		t.Errorf("%+v, %v", commit, err)
	}
}

// A schema that a newer version changed is left alone.
func TestNewerSchema(t *testing.T) {
	dsn := database(t)
	open(t, postgres.Options{DSN: dsn})
	execute(t, dsn, "INSERT INTO modicum.version (version_id, is_applied) VALUES (99, true)")
	_, err := postgres.Open(context.Background(), postgres.Options{DSN: dsn})
	if err == nil || !strings.Contains(err.Error(), "newer") {
		t.Errorf("the error is %v", err)
	}
}

// A role that may only use the schema is enough once it is there, and told
// what it lacks before.
func TestRole(t *testing.T) {
	ctx := context.Background()
	dsn := database(t)
	execute(t, dsn, `DO $$ BEGIN CREATE ROLE modicum_test LOGIN; EXCEPTION WHEN duplicate_object THEN END $$`)
	t.Cleanup(func() { execute(t, dsn, "DROP OWNED BY modicum_test", "DROP ROLE modicum_test") })
	role := dsn + " user=modicum_test"
	if _, err := postgres.Open(ctx, postgres.Options{DSN: role}); err == nil || !strings.Contains(err.Error(), "the right to create") {
		t.Errorf("without the schema: %v", err)
	}
	open(t, postgres.Options{DSN: dsn})
	execute(t, dsn, "GRANT USAGE ON SCHEMA modicum TO modicum_test",
		"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA modicum TO modicum_test")
	s := open(t, postgres.Options{DSN: role})
	if _, err := s.Append(ctx, event("k.a", "news", consent.Grant)); err != nil {
		t.Error(err)
	}
}

// A transaction that is left open, or a dump that runs for hours, keeps all
// versions of rows that changed since. Reading the head must not have to pass
// them: the freshness of every decision rests on it.
func TestOpenTransaction(t *testing.T) {
	ctx := context.Background()
	dsn := database(t)
	s := open(t, postgres.Options{DSN: dsn})
	if _, err := s.Append(ctx, event("k.a", "news", consent.Grant)); err != nil {
		t.Fatal(err)
	}
	dump := connect(t, dsn)
	if _, err := dump.Exec(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ"); err != nil {
		t.Fatal(err)
	}
	if _, err := dump.Exec(ctx, "SELECT * FROM modicum.event"); err != nil {
		t.Fatal(err)
	}
	p := prove(t, s, 1)
	p.await(500)
	p.end()
	var pages int
	if err := dump.QueryRow(ctx, "SELECT pg_relation_size('modicum.head') / 8192").Scan(&pages); err != nil {
		t.Fatal(err)
	}
	if pages > 1 {
		t.Errorf("the head has %d pages after 500 commits", pages)
	}
}

// A connection that listens is lost now and then. Whoever waits is woken by
// what is stored later.
func TestWaitAgain(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dsn := database(t)
	s := open(t, postgres.Options{DSN: dsn})
	if err := s.Wait(ctx); err != nil { // when it begins to listen something may have been missed
		t.Fatal(err)
	}
	for range 3 {
		woken := make(chan error, 1)
		go func() { woken <- s.Wait(ctx) }()
		execute(t, dsn, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'LISTEN modicum' AND datname = current_database()")
		if err := <-woken; err != nil {
			t.Fatal(err)
		}
		go func() { woken <- s.Wait(ctx) }()
		for waiting := true; waiting; {
			if _, err := s.Append(ctx, event("k.a", "news", consent.Grant)); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-woken:
				if err != nil {
					t.Fatal(err)
				}
				waiting = false
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
}
