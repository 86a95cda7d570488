package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// columns are those of an event e as scanEvent reads them, the text t apart.
const columns = `e.rev, e.id, e.subject, e.other, e.purpose, e.action, e.source, e.time, e.expires, e.notice,
	encode(e.shown, 'hex'), e.language, e.policy, e.receipt, e.address`

const (
	allEventsQuery = `SELECT ` + columns + `, t.text
FROM modicum.event e LEFT JOIN modicum.shown t ON t.digest = e.shown
WHERE e.rev > $1 ORDER BY e.rev LIMIT $2`

	eventsQuery = person + `
SELECT ` + columns + `, t.text
FROM modicum.event e LEFT JOIN modicum.shown t ON t.digest = e.shown
WHERE e.subject IN (SELECT subject FROM person) AND e.rev > $2 ORDER BY e.rev LIMIT $3`

	dueQuery = `SELECT ` + columns + `, NULL
FROM modicum.state s JOIN modicum.event e USING (rev)
WHERE s.action = 'grant' AND s.due < $1 ORDER BY s.due LIMIT $2`
)

// Events returns what is kept as evidence, see [consent.Store].
func (s *Store) Events(ctx context.Context, subject consent.Subject, after consent.Revision, limit int) ([]consent.Event, error) {
	switch {
	case !storable(string(subject)):
		return nil, fmt.Errorf("reading events: %w", errText)
	case subject == "":
		return read(ctx, s, "reading events", scanEvent, allEventsQuery, int64(after), limit)
	}
	return read(ctx, s, "reading events", scanEvent, eventsQuery, subject, int64(after), limit)
}

// Due returns grants that have expired, see [consent.Store].
func (s *Store) Due(ctx context.Context, now time.Time, limit int) ([]consent.Event, error) {
	return read(ctx, s, "reading what has expired", scanEvent, dueQuery, now, limit)
}

func scanEvent(row pgx.CollectableRow) (consent.Event, error) {
	var e consent.Event
	var expires *time.Time
	var digest, text *string
	var language string
	err := row.Scan(&e.Revision, &e.ID, &e.Subject, &e.Other, &e.Purpose, &e.Action, &e.Source, &e.Time, &expires, &e.Notice,
		&digest, &language, &e.Policy, &e.Receipt, &e.Address, &text)
	e.Time, e.Expires = e.Time.UTC(), utc(expires)
	if text != nil {
		e.Shown = &consent.Shown{Digest: *digest, Language: language, Text: *text}
	}
	return e, err
}

// pruneAtOnce bounds how long appending has to wait for a pruning.
const pruneAtOnce = 500

// Prune deletes what is older than anybody needs, see [consent.Store].
func (s *Store) Prune(ctx context.Context, before time.Time, limit int) (int, error) {
	pruned := 0
	for pruned < limit {
		most, n := min(limit-pruned, pruneAtOnce), 0
		if err := s.pool.QueryRow(ctx, "SELECT modicum.prune($1, $2)", before, most).Scan(&n); err != nil {
			return pruned, unavailable("deleting old events", err)
		}
		pruned += n
		if n < most {
			break
		}
	}
	return pruned, nil
}

// ForgetAddresses empties addresses of old events, see [consent.Store].
func (s *Store) ForgetAddresses(ctx context.Context, before time.Time, limit int) (int, error) {
	tag, err := s.pool.Exec(ctx, `UPDATE modicum.event SET address = '' WHERE rev IN
		(SELECT rev FROM modicum.event WHERE address <> '' AND time < $1 ORDER BY time LIMIT $2)`, before, limit)
	if err != nil {
		return 0, unavailable("forgetting addresses", err)
	}
	return int(tag.RowsAffected()), nil
}
