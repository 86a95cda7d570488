package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// atATime is how many events are changed in one transaction, since people
// wait for the writer meanwhile.
const atATime = 100

// Prune implements [consent.Store]. What it deletes can be read nowhere in
// the files when it returns without an error: freed pages are overwritten and
// the write-ahead log is emptied.
func (s *Store) Prune(ctx context.Context, before time.Time, limit int) (int, error) {
	total, err := s.writer.eraseInBatches(ctx, prune, before, limit)
	if err != nil {
		return total, unavailable("pruning consent events", err)
	}
	return total, nil
}

// ForgetAddresses implements [consent.Store]. Like what [Store.Prune] deletes,
// the addresses can be read nowhere in the files afterwards.
func (s *Store) ForgetAddresses(ctx context.Context, before time.Time, limit int) (int, error) {
	total, err := s.writer.eraseInBatches(ctx, forgetAddresses, before, limit)
	if err != nil {
		return total, unavailable("forgetting addresses", err)
	}
	return total, nil
}

// eraseInBatches erases data of at most limit events from before a time, and
// returns of how many.
func (w *writer) eraseInBatches(ctx context.Context, erase func(context.Context, *sql.Conn, int64, int) (int, error), before time.Time, limit int) (total int, err error) {
	for more := true; more && err == nil; {
		asked, n := min(atATime, limit-total), 0
		err = w.write(ctx, func(ctx context.Context, conn *sql.Conn) (err error) {
			n, err = erase(ctx, conn, before.UnixMicro(), asked)
			w.legible = w.legible || n > 0
			return err
		})
		total += n
		more = n == asked && total < limit
	}
	if err == nil {
		err = w.write(ctx, w.emptyLog)
	}
	return total, err
}

const forgetAddressesSQL = `UPDATE event SET address = '' WHERE rev IN
	(SELECT rev FROM event WHERE address <> '' AND time < ?1 ORDER BY time LIMIT ?2)`

func forgetAddresses(ctx context.Context, conn *sql.Conn, before int64, limit int) (int, error) {
	result, err := conn.ExecContext(ctx, forgetAddressesSQL, before, limit)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}

// emptyLog empties the write-ahead log if it may contain what was deleted. It
// fails while somebody reads; the next call tries again.
func (w *writer) emptyLog(ctx context.Context, conn *sql.Conn) error {
	if !w.legible {
		return nil
	}
	if err := checkpoint(ctx, conn); err != nil {
		return err
	}
	w.legible = false
	return nil
}

func prune(ctx context.Context, conn *sql.Conn, before int64, limit int) (int, error) {
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after the commit
	revs, err := ended(ctx, tx, before, limit)
	if err != nil {
		return 0, fmt.Errorf("finding them: %w", err)
	}
	for _, rev := range revs {
		if err := forget(ctx, tx, rev); err != nil {
			return 0, fmt.Errorf("deleting one: %w", err)
		}
	}
	return len(revs), tx.Commit()
}

// endedSQL finds some events that have reached the end of their term.
const endedSQL = `SELECT rev FROM superseded WHERE since < ?1
	UNION ALL
	SELECT rev FROM state s WHERE action IN ('refuse', 'withdraw', 'expire') AND due < ?1 AND NOT EXISTS (
		SELECT 1 FROM link l JOIN link o ON o.person = l.person JOIN state g ON g.subject = o.subject
		WHERE l.subject = s.subject AND g.purpose = s.purpose AND g.action = 'grant' AND g.rev < s.rev
	)
	LIMIT ?2`

func ended(ctx context.Context, tx *sql.Tx, before int64, limit int) (revs []int64, err error) {
	rows, err := tx.QueryContext(ctx, endedSQL, before, limit)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var rev int64
		if err := rows.Scan(&rev); err != nil {
			return nil, err
		}
		revs = append(revs, rev)
	}
	return revs, rows.Err()
}

const (
	forgetSupersededSQL = `DELETE FROM superseded WHERE rev = ?1`
	forgetStateSQL      = `DELETE FROM state WHERE rev = ?1`
	forgetEventSQL      = `DELETE FROM event WHERE rev = ?1 RETURNING shown`
	forgetTextSQL       = `DELETE FROM shown WHERE digest = ?1 AND NOT EXISTS (SELECT 1 FROM event WHERE shown = ?1)`
)

// forget deletes an event, and its text when no other event has it.
func forget(ctx context.Context, tx *sql.Tx, rev int64) error {
	for _, query := range []string{forgetSupersededSQL, forgetStateSQL} {
		if _, err := tx.ExecContext(ctx, query, rev); err != nil {
			return err
		}
	}
	var digest []byte
	if err := tx.QueryRowContext(ctx, forgetEventSQL, rev).Scan(&digest); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, forgetTextSQL, digest)
	return err
}
