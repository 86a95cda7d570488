package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Prune implements [consent.Keeper]. What it deletes is legible nowhere in
// the files when it returns without an error: freed pages are overwritten and
// the write-ahead log is emptied.
func (s *Store) Prune(ctx context.Context, before time.Time, limit int) (n int, err error) {
	err = s.writer.write(ctx, func(ctx context.Context, conn *sql.Conn) error {
		if n, err = prune(ctx, conn, before.UnixMicro(), limit); err != nil {
			return err
		}
		if n > 0 {
			s.writer.legible = true
		}
		if !s.writer.legible {
			return nil
		}
		// When somebody reads, the next call tries again.
		if err := checkpoint(ctx, conn); err != nil {
			return err
		}
		s.writer.legible = false
		return nil
	})
	if err != nil {
		return n, unavailable("pruning consent events", err)
	}
	return n, nil
}

// prune deletes in one transaction.
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

// ended returns the events that have reached the end of their term.
func ended(ctx context.Context, tx *sql.Tx, before int64, limit int) (revs []int64, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT rev FROM (
			SELECT rev, since AS end FROM superseded WHERE since < ?1
			UNION ALL
			SELECT rev, due FROM state WHERE action IN ('refuse', 'withdraw', 'expire') AND due < ?1
		) ORDER BY end LIMIT ?2`, before, limit)
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

// forget deletes an event, and its text when no other event has it.
func forget(ctx context.Context, tx *sql.Tx, rev int64) error {
	for _, sql := range []string{"DELETE FROM superseded WHERE rev = ?", "DELETE FROM state WHERE rev = ?"} {
		if _, err := tx.ExecContext(ctx, sql, rev); err != nil {
			return err
		}
	}
	var digest []byte
	if err := tx.QueryRowContext(ctx, "DELETE FROM event WHERE rev = ? RETURNING shown", rev).Scan(&digest); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM shown WHERE digest = ?1
		AND NOT EXISTS (SELECT 1 FROM event WHERE shown = ?1)`, digest)
	return err
}
