package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// maxStates bounds what is read of one person. A policy has a few purposes;
// old ones stay.
const maxStates = consent.MaxLinked * 1000

// person lists the subjects of the person whose subject is $1.
const person = `WITH person AS (
	SELECT $1::text AS subject
	UNION
	SELECT o.subject FROM modicum.link l JOIN modicum.link o USING (person) WHERE l.subject = $1
)`

// One statement, that is one snapshot.
const loadQuery = person + `
SELECT (SELECT rev FROM modicum.latest), person.subject, e.purpose, e.action, e.source, e.time, e.expires, e.notice, e.language, e.rev
FROM person LEFT JOIN (modicum.state s JOIN modicum.event e USING (rev)) ON s.subject = person.subject
ORDER BY person.subject, e.purpose LIMIT $2`

// stateRow is what a row of loadQuery tells.
type stateRow struct {
	head    consent.Revision
	subject consent.Subject
	state   *consent.State // nil: the subject has none
}

// Load returns what stands of a person, see [consent.Store].
func (s *Store) Load(ctx context.Context, subject consent.Subject) (consent.Record, error) {
	if !storable(string(subject)) {
		return consent.Record{}, fmt.Errorf("reading consents: %w", errText)
	}
	found, err := read(ctx, s, "reading consents", scanState, loadQuery, subject, maxStates)
	if err != nil {
		return consent.Record{}, err
	}
	record := consent.Record{Subjects: []consent.Subject{subject}}
	for i := range found {
		row := &found[i]
		record.Revision = row.head
		if !slices.Contains(record.Subjects, row.subject) {
			record.Subjects = append(record.Subjects, row.subject)
		}
		if row.state != nil {
			record.Latest = append(record.Latest, *row.state)
		}
	}
	return record, nil
}

var errText = errors.New("a text is not UTF-8, or contains a NUL")

// storable reports whether PostgreSQL takes a text as a parameter.
func storable(text string) bool { return utf8.ValidString(text) && !strings.Contains(text, "\x00") }

func scanState(row pgx.CollectableRow) (stateRow, error) {
	var r stateRow
	var purpose, action, source, notice, language *string
	var made, expires *time.Time
	var revision *consent.Revision
	err := row.Scan(&r.head, &r.subject, &purpose, &action, &source, &made, &expires, &notice, &language, &revision)
	if err != nil || revision == nil {
		return r, err
	}
	r.state = &consent.State{
		Subject: r.subject, Purpose: *purpose, Action: consent.Action(*action), Source: consent.Source(*source),
		Time: made.UTC(), Expires: utc(expires), Notice: *notice, Language: *language, Revision: *revision,
	}
	return r, nil
}

// utc returns a time that may be missing.
func utc(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// maxChanges bounds how many events are read to tell what changed.
const maxChanges = 10_000

// One statement, that is one snapshot, taken when the server gets it.
const changesQuery = `
SELECT m.rev, m.id, CASE
	WHEN $1 = 0 THEN true
	WHEN $1 = m.rev THEN $2 = m.id
	ELSE EXISTS (SELECT FROM modicum.event WHERE rev = $1 AND id = $2)
END, h.lease, ` + leased + `, c.subject, c.other, c.rev
FROM modicum.head h, modicum.lease l, modicum.latest m LEFT JOIN LATERAL (
	SELECT rev, subject, other FROM modicum.event WHERE rev > $1 ORDER BY rev LIMIT $3
) c ON m.rev <= $1 + $3
ORDER BY c.rev`

// changeRow is what a row of changesQuery tells.
type changeRow struct {
	head           consent.Mark
	continues      bool  // the history holds the mark
	lease, leased  int64 // the stored lease, and what commits return, in microseconds
	subject, other *consent.Subject
	revision       *consent.Revision // nil: nothing changed, or too much
}

// Changes returns what was committed after since, see [consent.Feed].
func (s *Store) Changes(ctx context.Context, since consent.Mark) (consent.Changes, error) {
	found, err := read(ctx, s, "reading what changed", scanChange, changesQuery, int64(since.Revision), since.Event, int64(maxChanges))
	if err != nil {
		return consent.Changes{}, err
	}
	if found[0].lease < s.lease.Microseconds() { // see lease.go
		if err := s.raiseLease(ctx); err != nil {
			return consent.Changes{}, unavailable("reading what changed", err)
		}
		return s.Changes(ctx, since)
	}
	changes := consent.Changes{Head: found[0].head, Lease: time.Duration(found[0].leased) * time.Microsecond}
	if !found[0].continues {
		changes.Diverged = true
		return changes, nil
	}
	if changes.Head.Revision-since.Revision > maxChanges {
		changes.More = true
		return changes, nil
	}
	changes.Subjects = make(map[consent.Subject]consent.Revision)
	for _, row := range found {
		if row.revision == nil {
			break
		}
		changes.Subjects[*row.subject] = *row.revision // in order: the last stays
		if *row.other != "" {
			changes.Subjects[*row.other] = *row.revision
		}
	}
	return changes, nil
}

func scanChange(row pgx.CollectableRow) (changeRow, error) {
	var r changeRow
	return r, row.Scan(&r.head.Revision, &r.head.Event, &r.continues, &r.lease, &r.leased, &r.subject, &r.other, &r.revision)
}

// read returns the rows of a query. After a restart of the server the pool
// holds connections that lead nowhere: the query is sent once more on a new
// one.
func read[T any](ctx context.Context, s *Store, doing string, scan pgx.RowToFunc[T], query string, args ...any) ([]T, error) {
	for again := true; ; again = false {
		rows, err := s.pool.Query(ctx, query, args...)
		var found []T
		if err == nil {
			found, err = pgx.AppendRows(found, rows, scan)
		}
		if err == nil {
			return found, nil
		}
		var connecting *pgconn.ConnectError
		if !again || ctx.Err() != nil || rejected(err) != nil || errors.As(err, &connecting) {
			return nil, unavailable(doing, err)
		}
		s.pool.Reset()
	}
}
