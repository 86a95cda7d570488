package sqlite

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// inserts are the statements of a transaction that stores events, and the
// head of the store in it.
type inserts struct {
	rev  consent.Revision
	last uuid.UUID // the event of that revision

	statements
	head, setHead, event, revOf, shown, supersede, state *sql.Stmt
	person, size, setPerson, move                        *sql.Stmt
}

func prepareInserts(ctx context.Context, conn *sql.Conn) (*inserts, error) {
	in := &inserts{}
	var err error
	in.statements, err = prepare(ctx, conn.PrepareContext, []statement{
		{&in.head, `SELECT rev, event FROM head`},
		{&in.setHead, `UPDATE head SET rev = ?, event = ?`},
		{&in.event, `INSERT INTO event (rev, id, subject, other, purpose, action, source, time, expires,
				notice, shown, language, policy, receipt, address)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`},
		{&in.revOf, `SELECT rev FROM event WHERE id = ?`},
		{&in.shown, `INSERT INTO shown (digest, text) VALUES (?, ?) ON CONFLICT DO NOTHING`},
		{&in.supersede, `INSERT INTO superseded (rev, since) SELECT rev, ? FROM state WHERE subject = ? AND purpose = ?`},
		{&in.state, `INSERT INTO state (subject, purpose, rev, action, due) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (subject, purpose) DO UPDATE SET rev = excluded.rev, action = excluded.action, due = excluded.due`},
		{&in.person, `SELECT person FROM link WHERE subject = ?`},
		{&in.size, `SELECT count(*) FROM link WHERE person = ?`},
		{&in.setPerson, `INSERT INTO link (subject, person) VALUES (?, ?) ON CONFLICT DO NOTHING`},
		{&in.move, `UPDATE link SET person = ? WHERE person = ?`},
	})
	return in, err
}

// begin reads the head, which nobody else changes while the transaction lasts.
func (in *inserts) begin(ctx context.Context) error {
	var last []byte
	if err := in.head.QueryRowContext(ctx).Scan(&in.rev, &last); err != nil {
		return fmt.Errorf("reading the head: %w", err)
	}
	copy(in.last[:], last)
	return nil
}

func (in *inserts) end(ctx context.Context) error {
	if _, err := in.setHead.ExecContext(ctx, in.rev, in.last[:]); err != nil {
		return fmt.Errorf("moving the head: %w", err)
	}
	return nil
}

// job stores the events of one caller. When only they cannot be stored, the
// result says so and the transaction goes on without them.
func (in *inserts) job(ctx context.Context, conn *sql.Conn, events []consent.Event) (result, error) {
	rev, last, links := in.rev, in.last, false
	for i := range events {
		links = links || events[i].Action == consent.Link
	}
	if links { // nothing else can fail for one caller alone
		if _, err := conn.ExecContext(ctx, "SAVEPOINT job"); err != nil {
			return result{}, err
		}
	}
	var r result
	for i := range events {
		var err error
		r.commit.Revision, err = in.one(ctx, &events[i])
		if errors.Is(err, consent.ErrTooManyLinks) {
			in.rev, in.last = rev, last
			_, rollback := conn.ExecContext(ctx, "ROLLBACK TO job")
			return result{err: err}, rollback
		}
		if err != nil {
			return result{}, err
		}
	}
	return r, nil
}

// one stores an event, unless it is stored, and returns its revision.
func (in *inserts) one(ctx context.Context, e *consent.Event) (consent.Revision, error) {
	var digest any
	language := ""
	if e.Shown != nil {
		raw, err := hex.DecodeString(e.Shown.Digest)
		if err != nil {
			return 0, fmt.Errorf("reading a digest: %w", err)
		}
		digest, language = raw, e.Shown.Language
	}
	res, err := in.event.ExecContext(ctx, in.rev+1, e.ID[:], e.Subject, e.Other, e.Purpose, e.Action, e.Source,
		e.Time.UnixMicro(), micros(e.Expires), e.Notice, digest, language, e.Policy, e.Receipt, e.Address)
	if err != nil {
		return 0, fmt.Errorf("inserting an event: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return in.known(ctx, e.ID, err)
	}
	in.rev, in.last = in.rev+1, e.ID
	if digest != nil {
		if _, err := in.shown.ExecContext(ctx, digest, e.Shown.Text); err != nil {
			return 0, fmt.Errorf("inserting a text: %w", err)
		}
	}
	if e.Action == consent.Link {
		return in.rev, in.link(ctx, e.Subject, e.Other)
	}
	return in.rev, in.stand(ctx, e)
}

// stand makes the event that was just stored the latest of its subject and
// purpose.
func (in *inserts) stand(ctx context.Context, e *consent.Event) error {
	var due any
	switch e.Action {
	case consent.Grant:
		due = micros(e.Expires)
	case consent.Refuse, consent.Withdraw, consent.Expire:
		due = e.Time.UnixMicro()
	case consent.Object, consent.Link:
	}
	_, err1 := in.supersede.ExecContext(ctx, e.Time.UnixMicro(), e.Subject, e.Purpose)
	_, err2 := in.state.ExecContext(ctx, e.Subject, e.Purpose, in.rev, e.Action, due)
	if err := errors.Join(err1, err2); err != nil {
		return fmt.Errorf("setting a state: %w", err)
	}
	return nil
}

// known returns the revision of an event that is stored already.
func (in *inserts) known(ctx context.Context, id uuid.UUID, err error) (consent.Revision, error) {
	var rev consent.Revision
	if err == nil {
		err = in.revOf.QueryRowContext(ctx, id[:]).Scan(&rev)
	}
	if err != nil {
		return 0, fmt.Errorf("finding an event: %w", err)
	}
	return rev, nil
}

// link makes two subjects one person.
func (in *inserts) link(ctx context.Context, a, b consent.Subject) error {
	to, n, err := in.personOf(ctx, a)
	if err != nil {
		return err
	}
	from, m, err := in.personOf(ctx, b)
	if err != nil || from == to {
		return err
	}
	if n+m > consent.MaxLinked {
		return fmt.Errorf("linking two subjects: %w", consent.ErrTooManyLinks)
	}
	// The first link of a subject makes its row; then all rows of b's person move.
	_, err1 := in.setPerson.ExecContext(ctx, to, to)
	_, err2 := in.setPerson.ExecContext(ctx, from, to)
	_, err3 := in.move.ExecContext(ctx, to, from)
	if err := errors.Join(err1, err2, err3); err != nil {
		return fmt.Errorf("linking two subjects: %w", err)
	}
	return nil
}

// personOf returns whose subject it is and how many that person has.
func (in *inserts) personOf(ctx context.Context, s consent.Subject) (person consent.Subject, n int, err error) {
	err = in.person.QueryRowContext(ctx, s).Scan(&person)
	if errors.Is(err, sql.ErrNoRows) {
		return s, 1, nil
	}
	if err == nil {
		err = in.size.QueryRowContext(ctx, person).Scan(&n)
	}
	if err != nil {
		return "", 0, fmt.Errorf("counting links: %w", err)
	}
	return person, n, nil
}

// micros is how a time is stored that may be missing.
func micros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}
