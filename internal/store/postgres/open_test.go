package postgres_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/store/postgres"
)

// A commit returns the longest lease of the processes that decide by an older
// read. It falls when they have the shorter one, and not because a command opened
// the store.
func TestLease(t *testing.T) {
	ctx := context.Background()
	dsn := database(t)
	leaseNow := func(s *postgres.Store) time.Duration {
		t.Helper()
		commit, err := s.Append(ctx, event("k.a", "news", consent.Grant))
		if err != nil {
			t.Fatal(err)
		}
		return commit.Lease
	}
	open(t, postgres.Options{DSN: dsn, Lease: time.Second})
	long := open(t, postgres.Options{DSN: dsn, Lease: 3 * time.Second})
	short := open(t, postgres.Options{DSN: dsn})
	var stored time.Duration
	if err := connect(t, dsn).QueryRow(ctx, "SELECT lease * interval '1 microsecond' FROM modicum.head").Scan(&stored); err != nil || stored != 3*time.Second {
		t.Errorf("opening without a lease has lowered it to %v, %v", stored, err)
	}
	lower := func() {
		t.Helper()
		if err := short.LowerLease(ctx); err != nil {
			t.Fatal(err)
		}
	}
	lower()
	for name, s := range map[string]*postgres.Store{"short": short, "long": long} {
		if got := leaseNow(s); got != 3*time.Second {
			t.Errorf("%s: a process may still decide by a read of 3 s ago, and the lease is %v", name, got)
		}
	}
	// The longer lease has passed, and nobody has it any more.
	execute(t, dsn, "UPDATE modicum.lease SET until = clock_timestamp()")
	if got := leaseNow(short); got != 0 {
		t.Errorf("the lease has not fallen: %v", got)
	}
	// A process that still has it raises it again, before it uses what it reads.
	if _, err := long.Changes(ctx, consent.Mark{}); err != nil {
		t.Fatal(err)
	}
	if got := leaseNow(short); got != 3*time.Second {
		t.Errorf("a process decides by a read under a lease of 3 s, and the lease is %v", got)
	}
	// Who repeats a withdrawal waits for the same lease, while it falls too.
	lower()
	if changes, err := short.Changes(ctx, consent.Mark{}); err != nil || changes.Lease != 3*time.Second {
		t.Errorf("a process decides by a read under a lease of 3 s, and a reader finds %v, %v", changes.Lease, err)
	}
	// That was its last: it is closed after the others were opened.
	if err := long.Close(); err != nil {
		t.Fatal(err)
	}
	lower()
	execute(t, dsn, "UPDATE modicum.lease SET until = clock_timestamp()")
	if got := leaseNow(short); got != 0 {
		t.Errorf("no process has a lease, and it is %v", got)
	}
	if _, err := postgres.Open(ctx, postgres.Options{DSN: dsn, Lease: time.Hour}); err == nil || !strings.Contains(err.Error(), "30s") {
		t.Errorf("a lease of an hour: %v", err)
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

// A lease that was raised is on disk before anything is decided under it,
// whatever the server's default is.
func TestLeaseDurable(t *testing.T) {
	ctx := context.Background()
	dsn := database(t)
	open(t, postgres.Options{DSN: dsn})
	execute(t, dsn, "DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || quote_ident(current_database()) || ' SET synchronous_commit = off'; END $$")
	s := open(t, postgres.Options{DSN: dsn, Lease: time.Second})
	conn := connect(t, dsn)
	for range 5 { // the server may happen to write at the right time
		var before string
		if _, err := conn.Exec(ctx, "UPDATE modicum.head SET lease = 0"); err != nil {
			t.Fatal(err)
		}
		if err := conn.QueryRow(ctx, "SELECT pg_current_wal_insert_lsn()::text").Scan(&before); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Changes(ctx, consent.Mark{}); err != nil {
			t.Fatal(err)
		}
		var flushed bool
		if err := conn.QueryRow(ctx, "SELECT pg_current_wal_flush_lsn() > $1::text::pg_lsn", before).Scan(&flushed); err != nil || !flushed {
			t.Fatalf("the lease is not on disk: %v", err)
		}
	}
}
