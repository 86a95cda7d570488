package postgres_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/store/postgres"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server returns the DSN of the PostgreSQL that tests may make databases in.
func server(tb testing.TB) string {
	tb.Helper()
	dsn := os.Getenv("MODICUM_TEST_POSTGRES")
	switch {
	case dsn != "":
	case os.Getenv("CI") == "true":
		tb.Fatal("MODICUM_TEST_POSTGRES is not set: .ci/postgres start prints it")
	default:
		tb.Skip("no PostgreSQL: set MODICUM_TEST_POSTGRES, see .ci/postgres")
	}
	return dsn
}

// database makes a database and returns its DSN.
func database(tb testing.TB) string {
	tb.Helper()
	dsn := server(tb)
	name := "modicum_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	execute(tb, dsn, "CREATE DATABASE "+name)
	tb.Cleanup(func() { execute(tb, dsn, "DROP DATABASE "+name+" WITH (FORCE)") })
	return dsn + " dbname=" + name
}

// execute runs statements on a connection of their own.
func execute(tb testing.TB, dsn string, statements ...string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour) // a benchmark fills tables
	defer cancel()
	conn := connect(tb, dsn)
	for _, s := range statements {
		if _, err := conn.Exec(ctx, s); err != nil {
			tb.Fatalf("%s: %v", s, err)
		}
	}
}

// connect opens a connection past the store.
func connect(tb testing.TB, dsn string) *pgx.Conn {
	tb.Helper()
	conn, err := pgx.Connect(context.Background(), dsn)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close(context.Background()) }) //nolint:errcheck,gosec // it has been used
	return conn
}

// open opens a store and closes it at the end of the test.
func open(tb testing.TB, options postgres.Options) *postgres.Store {
	tb.Helper()
	s, err := postgres.Open(context.Background(), options)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// event returns one with a new ID.
func event(subject consent.Subject, purpose string, action consent.Action) consent.Event {
	return consent.Event{
		ID: uuid.Must(uuid.NewV7()), Subject: subject, Purpose: purpose, Action: action, Source: consent.FromPage,
		Time: time.Now().UTC().Truncate(time.Microsecond), Notice: "notice", Policy: "policy",
	}
}
