package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// TestUnreachable: a database that breaks a connection while Caddy starts must
// not keep the site down, and one that we refuse must.
func TestUnreachable(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		want bool
	}{
		{"nobody listens", &pgconn.ConnectError{}, true},
		{"too slow", context.DeadlineExceeded, true},
		{"the connection is reset", &net.OpError{Op: "read", Err: syscall.ECONNRESET}, true},
		{"the connection ends", io.ErrUnexpectedEOF, true},
		{"the session is ended", &pgconn.PgError{SeverityUnlocalized: "FATAL", Code: "57P01"}, true},
		{"a right is missing", &pgconn.PgError{SeverityUnlocalized: "ERROR", Code: "42501"}, false},
		{"unsafe settings", errors.New("the PostgreSQL server does not keep what it acknowledges"), false},
	} {
		if got := errors.Is(opening(fmt.Errorf("connecting to PostgreSQL: %w", test.err)), consent.ErrUnreachable); got != test.want {
			t.Errorf("%s: unreachable is %v, want %v", test.name, got, test.want)
		}
	}
}
