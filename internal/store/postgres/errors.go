package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// codeTooManyLinks is what the function append raises, with the ID of the
// event as the detail.
const codeTooManyLinks = "MD001"

// rejected returns the server's own word that it undid a statement; nil: what
// became of it is not known. A server or a pooler that ends the session says
// so with FATAL, or in class 08, and may do that during a commit.
func rejected(err error) *pgconn.PgError {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.SeverityUnlocalized == "ERROR" && !strings.HasPrefix(pg.Code, "08") {
		return pg
	}
	return nil
}

// ofData reports whether a statement was rejected because of its values.
func ofData(e *pgconn.PgError) bool {
	switch e.Code[:2] {
	case "22", "23", "54":
		return true
	}
	return false
}

// unavailable says that the store did not do what was asked.
func unavailable(doing string, err error) error {
	return fmt.Errorf("%s: %w: %w", doing, consent.ErrUnavailable, redact(err))
}

// redact leaves out the server's messages that quote values. What the
// operator can help gets a remedy.
func redact(err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return err
	}
	switch {
	case ofData(pg):
		return fmt.Errorf("PostgreSQL rejects a value (SQLSTATE %s)", pg.Code)
	case pg.Code == "26000", pg.Code == "42P05":
		return fmt.Errorf("%w: behind a pooler that shares sessions add default_query_exec_mode=cache_describe to the DSN", err)
	case pg.Code == "42501":
		return fmt.Errorf("%w: the role needs the right to create a schema once, then those on the schema modicum; a version that changes the schema must be started once with the schema's owner", err)
	}
	return err
}

// opening returns an error of [Open]. It wraps [consent.ErrUnreachable] if the
// server may answer later.
func opening(err error) error {
	var connecting *pgconn.ConnectError
	var broken *net.OpError
	var ended *pgconn.PgError
	if errors.As(err, &connecting) || errors.As(err, &broken) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.DeadlineExceeded) ||
		errors.As(err, &ended) && ended.SeverityUnlocalized == "FATAL" { // the session ended, not the statement
		return unreachableError{err}
	}
	return err
}

// unreachableError adds [consent.ErrUnreachable] to an error, which explains
// itself.
type unreachableError struct{ error }

func (e unreachableError) Unwrap() []error { return []error{consent.ErrUnreachable, e.error} }
