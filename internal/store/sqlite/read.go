package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// readStatements are prepared on each connection that reads. One statement
// sees one snapshot.
type readStatements struct {
	statements
	load, eventsOf, events, due *sql.Stmt
}

const (
	// personOf lists the subjects of the person who has subject ?1.
	personOf = `SELECT ?1 UNION SELECT o.subject FROM link s JOIN link o ON o.person = s.person WHERE s.subject = ?1`

	columns = `e.rev, e.id, e.subject, e.other, e.purpose, e.action, e.source, e.time, e.expires, e.notice,
		e.policy, e.receipt, e.address`

	loadSQL = `WITH person (subject) AS (` + personOf + `)
		SELECT h.rev, p.subject, s.purpose, e.action, e.source, e.time, e.expires, e.notice, e.language, e.rev
		FROM head h CROSS JOIN person p
		LEFT JOIN state s ON s.subject = p.subject
		LEFT JOIN event e ON e.rev = s.rev`

	eventsOfSQL = `SELECT ` + columns + `, e.shown, e.language, t.text
		FROM event e LEFT JOIN shown t ON t.digest = e.shown
		WHERE e.subject IN (` + personOf + `) AND e.rev > ?2 ORDER BY e.rev LIMIT ?3`

	eventsSQL = `SELECT ` + columns + `, e.shown, e.language, t.text
		FROM event e LEFT JOIN shown t ON t.digest = e.shown
		WHERE e.rev > ?1 ORDER BY e.rev LIMIT ?2`

	dueSQL = `SELECT ` + columns + `, NULL, '', NULL
		FROM state s JOIN event e ON e.rev = s.rev
		WHERE s.action = 'grant' AND s.due < ?1 ORDER BY s.due LIMIT ?2`
)

func prepareReads(ctx context.Context, db *sql.DB) (*readStatements, error) {
	r := &readStatements{}
	var err error
	r.statements, err = prepare(ctx, db.PrepareContext, []statement{{&r.load, loadSQL}, {&r.eventsOf, eventsOfSQL}, {&r.events, eventsSQL}, {&r.due, dueSQL}})
	return r, err
}

// Load implements [consent.Store].
func (s *Store) Load(ctx context.Context, subject consent.Subject) (consent.Record, error) {
	r, err := s.reads.record(ctx, subject)
	if err != nil {
		return consent.Record{}, unavailable("loading a consent record", err)
	}
	return r, nil
}

func (r *readStatements) record(ctx context.Context, subject consent.Subject) (record consent.Record, err error) {
	rows, err := r.load.QueryContext(ctx, subject)
	if err != nil {
		return record, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var (
			of                                        consent.Subject
			purpose, action, source, notice, language sql.NullString // NULL: a subject without events
			at, expires, rev                          sql.NullInt64
		)
		if err := rows.Scan(&record.Revision, &of, &purpose, &action, &source, &at, &expires, &notice, &language, &rev); err != nil {
			return record, err
		}
		if !slices.Contains(record.Subjects, of) {
			record.Subjects = append(record.Subjects, of)
		}
		if rev.Valid {
			record.Latest = append(record.Latest, consent.State{
				Subject: of, Purpose: purpose.String, Action: consent.Action(action.String), Source: consent.Source(source.String),
				Time: moment(at), Expires: moment(expires), Notice: notice.String, Language: language.String,
				Revision: consent.Revision(rev.Int64),
			})
		}
	}
	arrange(&record, subject)
	return record, rows.Err()
}

// arrange puts the subject that was asked for first, and the others and the
// states in order.
func arrange(record *consent.Record, first consent.Subject) {
	slices.SortFunc(record.Subjects, func(a, b consent.Subject) int {
		switch first {
		case a:
			return -1
		case b:
			return 1
		default:
			return cmp.Compare(a, b)
		}
	})
	slices.SortFunc(record.Latest, func(a, b consent.State) int {
		return cmp.Or(cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Purpose, b.Purpose))
	})
}

// Events implements [consent.Store].
func (s *Store) Events(ctx context.Context, subject consent.Subject, after consent.Revision, limit int) ([]consent.Event, error) {
	var events []consent.Event
	var err error
	if subject == "" {
		events, err = readEvents(ctx, s.reads.events, after, limit)
	} else {
		events, err = readEvents(ctx, s.reads.eventsOf, subject, after, limit)
	}
	if err != nil {
		return nil, unavailable("reading consent events", err)
	}
	return events, nil
}

// Due implements [consent.Store].
func (s *Store) Due(ctx context.Context, now time.Time, limit int) ([]consent.Event, error) {
	events, err := readEvents(ctx, s.reads.due, now.UnixMicro(), limit)
	if err != nil {
		return nil, unavailable("reading the consents that are due", err)
	}
	return events, nil
}

func readEvents(ctx context.Context, stmt *sql.Stmt, args ...any) (events []consent.Event, err error) {
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var (
			e              consent.Event
			id, digest     []byte
			at, expires    sql.NullInt64
			language, text sql.NullString
		)
		if err := rows.Scan(&e.Revision, &id, &e.Subject, &e.Other, &e.Purpose, &e.Action, &e.Source, &at, &expires, &e.Notice,
			&e.Policy, &e.Receipt, &e.Address, &digest, &language, &text); err != nil {
			return nil, err
		}
		copy(e.ID[:], id)
		e.Time, e.Expires = moment(at), moment(expires)
		if digest != nil {
			e.Shown = &consent.Shown{Digest: hex.EncodeToString(digest), Language: language.String, Text: text.String}
		}
		events = append(events, e)
	}
	return events, rows.Err()
}

// moment is the time that micros stored.
func moment(v sql.NullInt64) time.Time {
	if !v.Valid {
		return time.Time{}
	}
	return time.UnixMicro(v.Int64).UTC()
}
