//go:build unix

package postgres_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/store/postgres"
)

// With a synchronous standby an answer means that the standby has the event
// too. An administrator who cancels the waiting commit makes the server say
// "COMMIT" all the same, with a warning; and asking by ID finds the event.
// Neither is an answer.
func TestStandbyAway(t *testing.T) {
	ctx := within(t)
	c := newCluster(t)
	s := open(t, postgres.Options{DSN: c.dsn()})
	execute(t, c.dsn(), "ALTER SYSTEM SET synchronous_standby_names = 'away'", "SELECT pg_reload_conf()")
	e := event("k.a", "news", consent.Withdraw)
	result := make(chan error, 1)
	go func() {
		_, err := s.Append(ctx, e)
		result <- err
	}()
	conn, err := pgx.Connect(ctx, c.dsn())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx) //nolint:errcheck // it has been used
	for range 3 {
		for cancelled := false; !cancelled; {
			err := conn.QueryRow(ctx, "SELECT coalesce(bool_or(pg_cancel_backend(pid)), false) FROM pg_stat_activity WHERE wait_event = 'SyncRep'").Scan(&cancelled)
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for waiting := false; !waiting; {
		err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep')").Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
	}
	select {
	case err := <-result:
		t.Fatalf("it was answered: %v", err)
	default:
	}
	// Whoever stops waiting learns that nobody knows.
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	other := event("k.b", "news", consent.Withdraw)
	if _, err := s.Append(short, other); err == nil {
		t.Error("another one was answered")
	}
	execute(t, c.dsn(), "ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()")
	if err := <-result; err != nil {
		t.Error(err)
	}
	if _, err := s.Append(ctx, e, other); err != nil {
		t.Error(err)
	}
	if events, err := s.Events(ctx, "", 0, 10); err != nil || len(events) != 2 {
		t.Errorf("%d events, %v", len(events), err)
	}
}

// A replica lags: what it tells of a withdrawal is too late.
func TestReplica(t *testing.T) {
	c := newCluster(t)
	s := open(t, postgres.Options{DSN: c.dsn()})
	c.stop(syscall.SIGINT)
	if err := os.WriteFile(c.data()+"/standby.signal", nil, 0o644); err != nil { //nolint:gosec // the server's user reads it
		t.Fatal(err)
	}
	c.start()
	if _, err := postgres.Open(context.Background(), postgres.Options{DSN: c.dsn()}); err == nil || !strings.Contains(err.Error(), "replica") {
		t.Errorf("Open: %v", err)
	}
	if _, err := s.Changes(context.Background(), consent.Mark{}); !errors.Is(err, consent.ErrUnavailable) {
		t.Errorf("Changes: %v", err)
	}
	if _, err := s.Append(context.Background(), event("k.a", "news", consent.Grant)); !errors.Is(err, consent.ErrUnavailable) {
		t.Errorf("Append: %v", err)
	}
}
