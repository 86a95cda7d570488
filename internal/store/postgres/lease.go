package postgres

import (
	"context"
	"fmt"
)

// A lease is how long a process may decide by its last read. It is stored in
// the database, so that each commit returns the longest lease of all processes:
// a withdrawal is answered when that is over.
//
// The stored lease rises at once. It falls when a process with a shorter one
// opens the store, in two steps. First lease becomes the shorter one, and commits
// go on to return the longer one, lease_before. From then on a process with the
// longer lease finds, when it reads, that the stored one is shorter than its own:
// it raises it before it uses what it read. Then, behind that commit,
// lease_until is set to when the reads from before it have passed, by the clock
// of the database, and commits return the longer lease until then. So what a
// commit returns is never shorter than the lease of a process that still decides
// by a read from before the commit.

// raiseLease makes the stored lease at least as long as ours.
func (s *Store) raiseLease(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, "UPDATE modicum.head SET lease = $1 WHERE lease < $1", s.lease.Microseconds())
	if err != nil {
		return fmt.Errorf("storing the lease: %w", redact(err))
	}
	return nil
}

// lowerLease makes the stored lease as short as ours, once the longer one has
// passed. The margin is for clocks that run slower than the database's.
func (s *Store) lowerLease(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, `UPDATE modicum.head SET lease = $1, lease_until = 'infinity',
		lease_before = greatest(lease, CASE WHEN lease_until > clock_timestamp() THEN lease_before ELSE 0 END)
		WHERE lease > $1`, s.lease.Microseconds())
	if err == nil { // also if another process stopped between the two
		_, err = s.pool.Exec(ctx, `UPDATE modicum.head
			SET lease_until = clock_timestamp() + (lease_before + lease_before / 50 + 10000) * interval '1 microsecond'
			WHERE lease_until = 'infinity'`)
	}
	if err != nil {
		return fmt.Errorf("storing the lease: %w", redact(err))
	}
	return nil
}

// appendQuery stores a batch. The statement reads the leases of head before the
// function locks it, and the function reads the lease behind the lock: the
// longest of them holds.
const appendQuery = `SELECT a.head, greatest(a.leased, h.lease, CASE WHEN h.lease_until > now() THEN h.lease_before ELSE 0 END), a.revs
FROM modicum.head h, modicum.append($1, $2, $3, $4) a`
