package postgres

import (
	"context"
	"fmt"
	"time"

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

// Load returns what stands of a person, see [consent.Store].
func (s *Store) Load(ctx context.Context, subject consent.Subject) (consent.Record, error) {
	if !storable(string(subject)) {
		return consent.Record{}, fmt.Errorf("reading consents: %w", errText)
	}
	rows, err := s.pool.Query(ctx, loadQuery, subject, maxStates)
	if err != nil {
		return consent.Record{}, unavailable("reading consents", err)
	}
	defer rows.Close()
	record := consent.Record{Subjects: []consent.Subject{subject}}
	for rows.Next() {
		var of consent.Subject
		var purpose, action, source, notice, language *string
		var made, expires *time.Time
		var revision *consent.Revision
		err := rows.Scan(&record.Revision, &of, &purpose, &action, &source, &made, &expires, &notice, &language, &revision)
		if err != nil {
			return consent.Record{}, unavailable("reading consents", err)
		}
		if record.Subjects[len(record.Subjects)-1] != of && of != subject {
			record.Subjects = append(record.Subjects, of)
		}
		if revision == nil {
			continue // it has no states
		}
		record.Latest = append(record.Latest, consent.State{
			Subject: of, Purpose: *purpose, Action: consent.Action(*action), Source: consent.Source(*source),
			Time: made.UTC(), Expires: utc(expires), Notice: *notice, Language: *language, Revision: *revision,
		})
	}
	if err := rows.Err(); err != nil {
		return consent.Record{}, unavailable("reading consents", err)
	}
	return record, nil
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
SELECT l.rev, l.id, CASE
	WHEN $1 = 0 THEN true
	WHEN $1 = l.rev THEN $2 = l.id
	ELSE EXISTS (SELECT FROM modicum.event WHERE rev = $1 AND id = $2)
END, c.subject, c.other, c.rev
FROM modicum.latest l LEFT JOIN LATERAL (
	SELECT rev, subject, other FROM modicum.event WHERE rev > $1 ORDER BY rev LIMIT $3
) c ON l.rev <= $1 + $3`

// Changes returns what was committed after since, see [consent.Feed].
func (s *Store) Changes(ctx context.Context, since consent.Mark) (consent.Changes, error) {
	rows, err := s.pool.Query(ctx, changesQuery, int64(since.Revision), since.Event, int64(maxChanges))
	if err != nil {
		return consent.Changes{}, unavailable("reading what changed", err)
	}
	defer rows.Close()
	changes := consent.Changes{}
	continues := false
	for rows.Next() {
		var subject, other *consent.Subject
		var at *consent.Revision
		if err := rows.Scan(&changes.Head.Revision, &changes.Head.Event, &continues, &subject, &other, &at); err != nil {
			return consent.Changes{}, unavailable("reading what changed", err)
		}
		if at == nil {
			continue
		}
		if changes.Subjects == nil {
			changes.Subjects = map[consent.Subject]consent.Revision{}
		}
		changes.Subjects[*subject] = *at // in order: the last stays
		if *other != "" {
			changes.Subjects[*other] = *at
		}
	}
	if err := rows.Err(); err != nil {
		return consent.Changes{}, unavailable("reading what changed", err)
	}
	switch behind := changes.Head.Revision - since.Revision; {
	case !continues:
		return consent.Changes{Head: changes.Head, Diverged: true}, nil
	case behind > maxChanges:
		changes.More = true
	}
	return changes, nil
}
