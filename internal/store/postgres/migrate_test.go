package postgres_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/store/postgres"
)

// previous makes the schema what the version before this one left.
func previous(t *testing.T, dsn string) {
	t.Helper()
	execute(t, dsn, "DROP TABLE modicum.lease", "DELETE FROM modicum.version WHERE version_id = 2")
}

// Changing the schema neither waits for a dump nor makes running proxies wait.
func TestMigrateDuringDump(t *testing.T) {
	ctx := context.Background()
	dsn := database(t)
	open(t, postgres.Options{DSN: dsn})
	previous(t, dsn)
	dump := connect(t, dsn)
	for _, s := range []string{"BEGIN ISOLATION LEVEL REPEATABLE READ", "LOCK TABLE modicum.head, modicum.event IN ACCESS SHARE MODE"} {
		if _, err := dump.Exec(ctx, s); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, postgres.Options{DSN: dsn})
	if _, err := s.Append(ctx, event("k.a", "news", consent.Grant)); err != nil {
		t.Error(err)
	}
}

// A process of the version before does not raise the lease that it has, so that
// it must not fall until the operator says that it is gone.
func TestMigrateLease(t *testing.T) {
	ctx := context.Background()
	dsn := database(t)
	open(t, postgres.Options{DSN: dsn, Lease: 20 * time.Second})
	previous(t, dsn)
	s := open(t, postgres.Options{DSN: dsn})
	lease := func() time.Duration {
		t.Helper()
		if err := s.LowerLease(ctx); err != nil {
			t.Fatal(err)
		}
		execute(t, dsn, "UPDATE modicum.lease SET until = clock_timestamp()") //nolint:contextcheck // it bounds itself
		commit, err := s.Append(ctx, event("k.a", "news", consent.Grant))
		if err != nil {
			t.Fatal(err)
		}
		return commit.Lease
	}
	if got := lease(); got != 20*time.Second {
		t.Errorf("a process of the version before may have a lease of 20 s, and it is %v", got)
	}
	execute(t, dsn, "UPDATE modicum.lease SET floor = 0") // as the README says
	if got := lease(); got != 0 {
		t.Errorf("it is gone, and the lease is %v", got)
	}
}

// A role that may only use the schema is told that the owner must change it, and
// may use what the owner added.
func TestMigrateRole(t *testing.T) {
	ctx := context.Background()
	dsn := database(t)
	execute(t, dsn, `DO $$ BEGIN CREATE ROLE modicum_migrate LOGIN; EXCEPTION WHEN duplicate_object THEN END $$`)
	t.Cleanup(func() { execute(t, dsn, "DROP OWNED BY modicum_migrate", "DROP ROLE modicum_migrate") })
	open(t, postgres.Options{DSN: dsn})
	previous(t, dsn)
	execute(t, dsn, "GRANT USAGE ON SCHEMA modicum TO modicum_migrate",
		"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA modicum TO modicum_migrate")
	role := dsn + " user=modicum_migrate"
	if _, err := postgres.Open(ctx, postgres.Options{DSN: role}); err == nil || !strings.Contains(err.Error(), "once with the schema's owner") {
		t.Errorf("the error is %v", err)
	}
	open(t, postgres.Options{DSN: dsn})
	s := open(t, postgres.Options{DSN: role, Lease: time.Second})
	if _, err := s.Append(ctx, event("k.a", "news", consent.Grant)); err != nil {
		t.Error(err)
	}
	if err := s.LowerLease(ctx); err != nil {
		t.Error(err)
	}
}
