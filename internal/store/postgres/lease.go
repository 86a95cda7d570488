package postgres

import (
	"context"
	"fmt"
)

// A lease is how long a process may decide by its last read. It is stored in
// the database, so that each commit returns the longest lease of all processes:
// a withdrawal is answered when that is over.
//
// The stored lease, head.lease, rises at once. Now and then, each process makes
// it as short as its own, in two steps. First head.lease becomes the shorter
// one, and commits go on to return the longer one, lease.before. From then on a
// process with the longer lease finds, when it reads, that the stored one is
// shorter than its own: it raises it before it uses what it read. Then, behind
// that commit, lease.until is set to when the reads from before it have passed,
// by the clock of the database, and commits return the longer lease until then.
// So what a commit returns is never shorter than the lease of a process that
// still decides by a read from before the commit.

// raiseLease makes the stored lease at least as long as ours, and durable: if a
// restart of the server lost it, nobody would wait for us. It is one statement,
// since a decision may wait for it.
func (s *Store) raiseLease(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, `UPDATE modicum.head SET lease = $1 WHERE lease < $1 AND set_config('synchronous_commit',
		CASE WHEN $2 AND current_setting('synchronous_commit') <> 'remote_apply' THEN 'on' ELSE current_setting('synchronous_commit') END,
		true) <> ''`, s.lease.Microseconds(), s.durable)
	if err != nil {
		return fmt.Errorf("storing the lease: %w", redact(err))
	}
	return nil
}

// LowerLease makes the stored lease as short as ours, once the longer one has
// passed. Those who need the longer one raise it again. The margin is for clocks
// that run slower than the database's.
func (s *Store) LowerLease(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, `WITH held AS (
			SELECT h.lease, greatest($1, l.floor) AS shorter FROM modicum.head h, modicum.lease l FOR UPDATE
		), lowered AS (
			UPDATE modicum.head h SET lease = held.shorter FROM held WHERE held.lease > held.shorter
		)
		UPDATE modicum.lease l SET until = 'infinity',
			before = greatest(held.lease, CASE WHEN l.until > clock_timestamp() THEN l.before ELSE 0 END)
		FROM held WHERE held.lease > held.shorter`, s.lease.Microseconds())
	if err == nil { // also if another process stopped between the two
		_, err = s.pool.Exec(ctx, `UPDATE modicum.lease
			SET until = clock_timestamp() + (before + before / 50 + 10000) * interval '1 microsecond'
			WHERE until = 'infinity'`)
	}
	if err != nil {
		return unavailable("storing the lease", err)
	}
	return nil
}

// leased is the longest lease that a process may still decide by, of a head h
// and a lease l.
const leased = `greatest(h.lease, CASE WHEN l.until > now() THEN l.before ELSE 0 END)`

// appendQuery stores a batch. The statement reads the leases before the function
// locks head, and the function reads the lease behind the lock: the longest of
// them holds.
const appendQuery = `SELECT a.head, greatest(a.leased, ` + leased + `), a.revs
FROM modicum.head h, modicum.lease l, modicum.append($1, $2, $3, $4) a`
